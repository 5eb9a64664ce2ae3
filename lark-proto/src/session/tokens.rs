//! The session's tokens: which token a call uses, and which call sends the request for the next one.
//!
//! A token request belongs to the session. One call, its driver, sends it; the other calls wait for it. It outlives its
//! driver if the adapter keeps it in flight. Its outcome decides what the session and the waiting calls do:
//!
//! | the token request | the session | the calls that wait for the token |
//! |---|---|---|
//! | fails for the moment: the connection breaks, no reply comes within 60 s (61 s if the adapter reports nothing), the reply is too long, unreadable, or in none of the rows below | sends the request again after a backoff; the fourth failure ends the series, and the next call begins another one | wait; when the series ends, all of them end with the last failure |
//! | is told to wait for up to two minutes | sends none before that | wait; a call whose `longest_wait` is shorter ends at once with the service's error |
//! | is told to wait for longer | sends none for two minutes | end at once with the service's error, also those that begin within the two minutes |
//! | is refused for its app token or its ticket | drops that token or ticket, and asks for the next one at once; an app token that was requested less than a minute ago in place of a refused one stays, and the refusal counts as a failure | wait |
//! | asks for the ticket, and the service agrees to push it | asks again after 5 minutes | wait for up to 2.5 minutes; a call whose `longest_wait` is shorter ends at once with `NoTicket` |
//! | is refused for good: the advice is `GiveUp` (wrong secret, app disabled), or the transport's failure is permanent | sends none for 5 s | end at once with that error, also those that begin within the 5 s |
//! | has one of these outcomes, but for a dropped app token or ticket, while the older token is good | renews 1, 2, 4, and then every 8 minutes after the failure; not before a named wait (2 minutes at most) is over, nor within 5 minutes after it asked for the ticket | use the older token |
//! | is dropped, or its driver reports a deadline before 59 s have passed | counts a renewal as failed; the next call sends a first token's request anew | wait; the first two in the queue are woken |
//! | goes on after its driver has ended | waits for its outcome as before | wait; the first in the queue becomes the driver |
//!
//! A wait that the service names is not a failure of the series. A new ticket ends a pause of the app's token at once,
//! and an imported token that is taken ends a pause of its tenant's token.
//!
//! A renewal is optional while the token is good: it holds up the call that drives it for two seconds at most, or for
//! half of the time to the call's deadline if that is less, and no call fails because of it. If the service refuses a
//! token within a minute after it was requested in place of a refused one, the token stays, and the call is retried
//! after a backoff: another token would be refused too.
//!
//! The tenants of a store app share the app's token, which a request for a tenant's token needs. [`Slot`] is the state
//! of one token; this file keeps the queues of the calls that wait for one.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Response;

use super::queue::{Queue, Waiter};
use super::slot::{Pause, Refusal, Sent, Setback, Slot};
use super::step::{Broken, Outgoing, Permanence, Phases, Purpose};
use super::token_request::{Cause, Reason, Wanted, setback};
use super::{CallId, Caller, Ending, Hold, TokenRequestId, WaitFor, Woken};
use crate::endpoint::{Endpoint, REPLY_LIMIT};
use crate::endpoints::{GetAppToken, GetTenantToken, ResendAppTicket};
use crate::error::{CallErrorKind, Class, Code, Error};
use crate::reply::Reply;
use crate::site::Site;
use crate::text::Secrets;
use crate::token::{AppToken, TenantToken};
use crate::values::{App, AppTicket, TenantKey};

/// The longest that a token request may take.
const MAX_REQUEST_TIME: Duration = Duration::from_secs(60);
/// The tolerance around [`MAX_REQUEST_TIME`]. A deadline that is reported up to this much earlier still counts against
/// the service; a request of which nothing is reported until this much later counts as failed.
const REQUEST_TIME_TOLERANCE: Duration = Duration::from_secs(1);

/// The tokens of one session, the token requests in flight, and the calls that wait for them.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// The app token of a store app.
    app: Slot<AppToken>,
    ticket: Option<AppTicket>,
    /// The tenant tokens; a custom app has one, under `None`.
    tenants: BTreeMap<Option<TenantKey>, Tenant>,
    in_flight: InFlights,
    /// The last number of a request or an import; the number of a token is that of its request or import.
    last: u64,
}

#[derive(Debug, Default)]
struct Tenant {
    slot: Slot<TenantToken>,
    /// The calls that wait for the token.
    queue: Queue,
    /// How many series of requests have failed. A call ends once that is more than when it joined the queue.
    series: u64,
    /// Why the last series failed, while calls wait.
    cause: Option<Cause>,
}

#[derive(Debug)]
struct InFlight {
    what: Wanted,
    /// The tenant that the request was sent for.
    tenant: Option<TenantKey>,
    /// The tenant of the call that drives it now.
    driver_of: Option<TenantKey>,
    /// A deadline that is reported before this time is that of the driver, and no failure of the service.
    given_up: Duration,
    /// The secrets in the request's body.
    secrets: Secrets,
}

/// The requests in flight, in the order in which they were sent.
#[derive(Debug, Default)]
struct InFlights(Vec<(TokenRequestId, InFlight)>);

impl InFlights {
    fn place(&self, id: TokenRequestId) -> Option<usize> {
        self.0.binary_search_by_key(&id, |(id, _)| *id).ok()
    }

    fn get(&self, id: TokenRequestId) -> Option<&InFlight> {
        self.0.get(self.place(id)?).map(|(_, request)| request)
    }

    fn get_mut(&mut self, id: TokenRequestId) -> Option<&mut InFlight> {
        let place = self.place(id)?;
        self.0.get_mut(place).map(|(_, request)| request)
    }

    fn remove(&mut self, id: TokenRequestId) -> Option<InFlight> {
        Some(self.0.remove(self.place(id)?).1)
    }
}

impl Tenant {
    fn is_idle(&self, now: Duration) -> bool {
        self.queue.is_empty() && self.slot.is_idle(now)
    }

    /// Wakes the first two calls, because a request may be sent, or may be sent at another time than they wait for. The
    /// second is for the case that the first takes no step.
    fn offer(&self, woken: &mut Woken) {
        woken.extend(self.queue.keys().take(2));
    }

    /// Wakes the calls whose `Limits::longest_wait` is shorter than the pause.
    fn dismiss(&self, pause: &Pause, now: Duration, woken: &mut Woken) {
        let wait = pause.patient_until.saturating_sub(now);
        if pause.cause.is_some() {
            let impatient = self.queue.iter().filter(|(_, waiter)| waiter.patience < wait);
            woken.extend(impatient.map(|(call, _)| call));
        }
    }

    /// Ends the series: wakes all calls, which end with `cause`.
    fn end_series(&mut self, cause: Cause, woken: &mut Woken) {
        self.series += 1;
        self.cause = Some(cause);
        woken.extend(self.queue.keys());
    }

    /// Empties the queue and wakes all of its calls, because there is a token.
    fn release(&mut self, woken: &mut Woken) {
        woken.extend(std::mem::take(&mut self.queue).into_keys());
        self.cause = None;
    }
}

/// Why no request can be sent now.
enum Blocked {
    InFlight(Duration),
    Paused { until: Duration, cause: Option<Cause>, patient_until: Duration },
}

impl From<&Pause> for Blocked {
    fn from(pause: &Pause) -> Self {
        let Pause { until, patient_until, ref cause } = *pause;
        Self::Paused { until, cause: cause.clone(), patient_until }
    }
}

impl Tokens {
    /// The generation of the valid token for `tenant` (see [`held`](Self::held)), or what the call has to do first.
    pub(super) fn take(
        &mut self,
        app: &App,
        site: &Site,
        tenant: &Option<TenantKey>,
        caller: &mut Caller<'_>,
        now: Duration,
        woken: &mut Woken,
    ) -> Result<u64, Hold> {
        check(app, tenant)?;
        self.lapse(app, tenant, now, woken);
        // The key of a tenant is copied only where it is new.
        let entry = match self.tenants.get_mut(tenant) {
            Some(entry) => entry,
            None => self.tenants.entry(tenant.clone()).or_default(),
        };
        if let Some((_, generation)) = entry.slot.good(now) {
            if entry.slot.is_due(now) {
                self.renew(app, site, tenant, caller, now)?;
            }
            return Ok(generation);
        }
        let series = entry.series;
        let waiter = Waiter { since: now, number: series, patience: caller.limits.longest_wait };
        let joined = entry.queue.entry(caller.id).or_insert(waiter).number;
        if let Some(cause) = entry.cause.as_ref().filter(|_| joined < series) {
            return Err(Hold::End(Ending::NoToken(cause.clone())));
        }
        let wait = |until| Hold::Wait { until, reason: WaitFor::Token };
        Err(match self.next_request(app, tenant, caller, now) {
            Ok(what) => self.send(app, site, tenant, what, caller, now),
            Err(Blocked::InFlight(until)) => wait(until),
            Err(Blocked::Paused { until, cause: None, .. }) => wait(until),
            Err(Blocked::Paused { cause: Some(cause), until, patient_until }) => {
                let left = patient_until.saturating_sub(now);
                if left.is_zero() || left > caller.limits.longest_wait {
                    Hold::End(Ending::NoToken(cause.with_retry_after(until.saturating_sub(now))))
                } else {
                    wait(patient_until)
                }
            }
        })
    }

    /// Lets `caller` renew a valid token, or wait for the renewal that it drives; `Ok` if it uses the token as it is.
    fn renew(
        &mut self,
        app: &App,
        site: &Site,
        tenant: &Option<TenantKey>,
        caller: &mut Caller<'_>,
        now: Duration,
    ) -> Result<(), Hold> {
        let until = caller.renews_until(now);
        if now >= until {
            return Ok(());
        }
        let driven = |sent: &&Sent| sent.driver == Some(caller.id);
        let of_tenant = self.tenants.get(tenant).and_then(|entry| entry.slot.request());
        if let Some(sent) = of_tenant.into_iter().chain(self.app.request()).find(driven) {
            return Err(Hold::Wait { until: until.min(sent.lapses), reason: WaitFor::Token });
        }
        match self.next_request(app, tenant, caller, now) {
            Ok(what) => Err(self.send(app, site, tenant, what, caller, now)),
            Err(_) => Ok(()),
        }
    }

    /// The request that has to be sent next so that `tenant` gets a token, or what prevents it.
    fn next_request(
        &self,
        app: &App,
        tenant: &Option<TenantKey>,
        caller: &Caller<'_>,
        now: Duration,
    ) -> Result<Wanted, Blocked> {
        let slot = self.tenants.get(tenant).map(|entry| &entry.slot);
        if let Some(request) = slot.and_then(Slot::request) {
            return Err(Blocked::InFlight(request.lapses));
        }
        if let Some(pause) = slot.and_then(|slot| slot.pause(now)) {
            return Err(pause.into());
        }
        if !matches!(app, App::Store { .. }) {
            return Ok(Wanted::Tenant(0));
        }
        let good = self.app.good(now).map(|(_, generation)| generation);
        let renews = caller.may_renew(now) && self.app.is_due(now) && self.app.request().is_none();
        match (good, self.app.request(), self.app.pause(now), &self.ticket) {
            (Some(generation), ..) if !renews => Ok(Wanted::Tenant(generation)),
            (_, Some(request), ..) => Err(Blocked::InFlight(request.lapses)),
            (_, _, Some(pause), _) => Err(pause.into()),
            (_, _, _, Some(ticket)) => Ok(Wanted::App(ticket.clone())),
            (_, _, _, None) => Ok(Wanted::Ticket),
        }
    }

    /// Makes the request for `what`, driven by `caller`.
    fn send(
        &mut self,
        app: &App,
        site: &Site,
        tenant: &Option<TenantKey>,
        what: Wanted,
        caller: &mut Caller<'_>,
        now: Duration,
    ) -> Hold {
        let id = self.next_id();
        let lapses = now.saturating_add(MAX_REQUEST_TIME + REQUEST_TIME_TOLERANCE);
        let sent = Sent { id, driver: Some(caller.id), at: now, lapses, jitter: caller.jitter };
        // A tenant token may be good while the app's, which its renewal needs, is not.
        let has_token = self.tenants.get(tenant).is_some_and(|it| it.slot.good(now).is_some());
        let is_of_app = !matches!(what, Wanted::Tenant(_));
        let renews = has_token || is_of_app && self.app.good(now).is_some();
        let until = if renews { caller.renews_until(now) } else { caller.deadline };
        let route = what.route(app);
        let app_token = self.app.held().map(|(token, _)| token);
        let request = what.request(app, site, tenant, app_token);
        let secrets = what.secrets(app, app_token);
        let fresh_connection = match what {
            Wanted::Tenant(_) => {
                self.tenants.get_mut(tenant).is_some_and(|entry| entry.slot.begin(sent))
            }
            Wanted::App(_) | Wanted::Ticket => self.app.begin(sent),
        };
        let given_up = now.saturating_add(MAX_REQUEST_TIME - REQUEST_TIME_TOLERANCE);
        let driver_of = tenant.clone();
        let in_flight = InFlight { what, tenant: tenant.clone(), driver_of, given_up, secrets };
        self.in_flight.0.push((id, in_flight));
        let phases = Phases::of(request.body().len());
        let outgoing = Outgoing {
            request,
            purpose: Purpose::Token(id),
            within: until.saturating_sub(now).min(MAX_REQUEST_TIME),
            keep_for: MAX_REQUEST_TIME,
            phases,
            reply_limit: REPLY_LIMIT,
            fresh_connection,
        };
        Hold::Send(Box::new(outgoing), route)
    }

    fn next_id(&mut self) -> TokenRequestId {
        self.last += 1;
        TokenRequestId(self.last)
    }

    /// Counts the requests that `tenant` waits for as failed if the adapter has reported nothing in time.
    fn lapse(&mut self, app: &App, tenant: &Option<TenantKey>, now: Duration, woken: &mut Woken) {
        if self.in_flight.0.is_empty() {
            return;
        }
        let of_tenant = self.tenants.get(tenant).and_then(|entry| entry.slot.request());
        let lapsed = |sent: &&Sent| sent.lapses <= now;
        let ids =
            [of_tenant, self.app.request()].map(|sent| sent.filter(lapsed).map(|sent| sent.id));
        for id in ids.into_iter().flatten() {
            self.failed(app, id, Setback::Failed, Reason::Late, now, woken);
        }
    }

    /// The reply to a request. Returns the service's error, if it was one.
    pub(super) fn received(
        &mut self,
        app: &App,
        site: &Site,
        id: TokenRequestId,
        reply: Response<Bytes>,
        now: Duration,
        woken: &mut Woken,
    ) -> Option<(&'static str, Error)> {
        let InFlight { what, tenant, secrets, .. } = self.in_flight.get(id)?;
        let (what, tenant) = (what.clone(), tenant.clone());
        let reply = Reply::to(secrets.clone(), reply);
        let granted = match what {
            Wanted::Tenant(_) => GetTenantToken::read(&reply).map(|grant| {
                let Some(entry) = self.tenants.get_mut(&tenant) else { return };
                woken.extend(entry.slot.granted(grant.token, grant.expires_in));
                entry.release(woken);
                woken.extend(self.app_driver(&tenant));
            }),
            Wanted::App(_) => GetAppToken::read(&reply).map(|grant| {
                woken.extend(self.app.granted(grant.token, grant.expires_in));
                self.offer(woken);
            }),
            Wanted::Ticket => ResendAppTicket::read(&reply).map(|()| {
                self.failed(app, id, Setback::TicketAsked, Reason::NoTicket, now, woken);
            }),
        };
        let Err(error) = granted else {
            self.in_flight.remove(id);
            return None;
        };
        let error = error.in_call(site.as_str(), app.id().map(AsRef::as_ref));
        let route = what.route(app);
        if self.recover(app, &what, &error, now, woken) {
            self.in_flight.remove(id);
            self.resume(&what, &tenant, woken);
        } else {
            self.failed(app, id, setback(&error), Reason::Lark(error.clone()), now, woken);
        }
        Some((route, error))
    }

    /// The transport failed under a request. Returns its route.
    pub(super) fn broken<T>(
        &mut self,
        app: &App,
        id: TokenRequestId,
        broken: &Broken<T>,
        now: Duration,
        woken: &mut Woken,
    ) -> Option<&'static str> {
        let InFlight { what, given_up, tenant, .. } = self.in_flight.get(id)?;
        let route = what.route(app);
        if matches!(broken.kind, CallErrorKind::Deadline) && now < *given_up {
            self.dropped(id, now, woken);
            return Some(route);
        }
        match (what, self.tenants.get_mut(tenant)) {
            (Wanted::Tenant(_), Some(entry)) => entry.slot.broke(),
            _ => self.app.broke(),
        }
        let why = match broken.kind {
            CallErrorKind::Transport(_) => Reason::Transport(broken.text.clone()),
            CallErrorKind::TooLarge { limit } => Reason::TooLarge(limit),
            _ => Reason::Late,
        };
        let setback = match broken.permanence {
            Permanence::Permanent => Setback::Refused,
            Permanence::Transient => Setback::Failed,
        };
        self.failed(app, id, setback, why, now, woken);
        Some(route)
    }

    /// Records that the adapter gave the request up: its outcome will not be reported.
    pub(super) fn dropped(&mut self, id: TokenRequestId, now: Duration, woken: &mut Woken) {
        let Some(InFlight { what, tenant, .. }) = self.in_flight.remove(id) else { return };
        match what {
            Wanted::Tenant(_) => {
                if let Some(entry) = self.tenants.get_mut(&tenant) {
                    woken.extend(entry.slot.dropped(now));
                    entry.offer(woken);
                    woken.extend(self.app_driver(&tenant));
                }
            }
            Wanted::App(_) | Wanted::Ticket => {
                woken.extend(self.app.dropped(now));
                self.renewal_failed(&tenant, now);
                self.offer(woken);
            }
        }
    }

    /// A request for the app's token failed, which `tenant` needs in order to renew its own.
    fn renewal_failed(&mut self, tenant: &Option<TenantKey>, now: Duration) {
        let lacks_app = self.app.good(now).is_none();
        let entry = self.tenants.get_mut(tenant).filter(|entry| entry.slot.good(now).is_some());
        if let Some(entry) = entry.filter(|_| lacks_app) {
            entry.slot.renewal_failed(now);
        }
    }

    /// Records that a request brought no token, and wakes the calls that this concerns.
    fn failed(
        &mut self,
        app: &App,
        id: TokenRequestId,
        setback: Setback,
        why: Reason,
        now: Duration,
        woken: &mut Woken,
    ) {
        let Some(InFlight { what, tenant, .. }) = self.in_flight.remove(id) else { return };
        let route = match why {
            // The service agreed to push the ticket: the request that lacks it is the one that cannot be sent.
            Reason::NoTicket => GetAppToken::ROUTE,
            _ => what.route(app),
        };
        let cause = Cause { route, why };
        let mut hear = |entry: &mut Tenant, is_over: bool, pause: Option<&Pause>| {
            if is_over {
                entry.end_series(cause.clone(), woken);
            } else {
                entry.offer(woken);
            }
            if let Some(pause) = pause {
                entry.dismiss(pause, now, woken);
            }
        };
        match what {
            Wanted::Tenant(_) => {
                let Some(entry) = self.tenants.get_mut(&tenant) else { return };
                let driver = entry.slot.request().and_then(|sent| sent.driver);
                let is_over = entry.slot.failed(setback, cause.clone(), now);
                let pause = entry.slot.pause(now).cloned();
                hear(entry, is_over, pause.as_ref());
                woken.extend(driver);
                woken.extend(self.app_driver(&tenant));
            }
            Wanted::App(_) | Wanted::Ticket => {
                let driver = self.app.request().and_then(|sent| sent.driver);
                let is_over = self.app.failed(setback, cause.clone(), now);
                self.renewal_failed(&tenant, now);
                let pause = self.app.pause(now);
                for entry in self.tenants.values_mut().filter(|entry| !entry.queue.is_empty()) {
                    hear(entry, is_over, pause);
                }
                woken.extend(driver);
            }
        }
    }

    /// Drops the app token or the ticket that the service refused. Returns whether the next request may be sent at
    /// once.
    fn recover(
        &mut self,
        app: &App,
        what: &Wanted,
        error: &Error,
        now: Duration,
        woken: &mut Woken,
    ) -> bool {
        let Some(code) = error.api().map(|api| api.code) else { return false };
        match what {
            Wanted::Tenant(generation) if matches!(app, App::Store { .. }) => {
                code.class() == Class::AppToken
                    && self.refuse_app(*generation, now, woken) == Refusal::Replace
            }
            Wanted::App(ticket) if code == Code::APP_TOKEN_FAILED => {
                // A newer one may have come meanwhile.
                self.ticket = self.ticket.take().filter(|latest| latest != ticket);
                true
            }
            _ => false,
        }
    }

    /// The service refused the app token of `generation`. Without that token a pause of its requests concerns all calls
    /// that wait.
    fn refuse_app(&mut self, generation: u64, now: Duration, woken: &mut Woken) -> Refusal {
        let refusal = self.app.refuse(generation, now);
        if let (Refusal::Replace, Some(pause)) = (refusal, self.app.pause(now)) {
            self.tenants.values().for_each(|entry| entry.dismiss(pause, now, woken));
        }
        refusal
    }

    /// The call that drives the request for the app's token, if it is a call of `tenant`. It waits for that request in
    /// order to renew the token of `tenant`, and is woken when that token is renewed or its renewal is put off.
    fn app_driver(&self, tenant: &Option<TenantKey>) -> Option<CallId> {
        let sent = self.app.request()?;
        let is_its = self.in_flight.get(sent.id).is_some_and(|it| it.driver_of == *tenant);
        sent.driver.filter(|_| is_its)
    }

    /// Wakes the first two calls of each tenant that waits for the app's token.
    fn offer(&self, woken: &mut Woken) {
        self.tenants.values().for_each(|entry| entry.offer(woken));
    }

    /// Ends the request and the pause of the slot that `what` is for, and wakes the calls that can send the next
    /// request.
    fn resume(&mut self, what: &Wanted, tenant: &Option<TenantKey>, woken: &mut Woken) {
        match (what, self.tenants.get_mut(tenant)) {
            (Wanted::Tenant(_), Some(entry)) => {
                woken.extend(entry.slot.request().and_then(|sent| sent.driver));
                entry.slot.resume();
                entry.offer(woken);
            }
            _ => {
                woken.extend(self.app.request().and_then(|sent| sent.driver));
                self.app.resume();
                self.offer(woken);
            }
        }
    }

    /// The service refused the tenant token of `generation`, perhaps for the app token that it was made with.
    pub(super) fn refused(
        &mut self,
        tenant: &Option<TenantKey>,
        generation: u64,
        by_app_token: bool,
        now: Duration,
        woken: &mut Woken,
    ) -> Refusal {
        let is_current = |entry: &Tenant| entry.slot.is_current(generation);
        if by_app_token && self.tenants.get(tenant).is_some_and(is_current) {
            self.refuse_app(self.app.generation(), now, woken);
        }
        match self.tenants.get_mut(tenant) {
            Some(entry) => entry.slot.refuse(generation, now),
            None => Refusal::Replace,
        }
    }

    /// Takes `call` out of the queue. If it is the driver of a request, the next call in the queue becomes the driver.
    pub(super) fn leave(&mut self, tenant: &Option<TenantKey>, call: CallId, woken: &mut Woken) {
        if let Some(entry) = self.tenants.get_mut(tenant) {
            let was_told = entry.queue.keys().take(2).any(|other| *other == call);
            entry.queue.remove(&call);
            let next = entry.queue.keys().next().copied();
            match entry.slot.request_mut() {
                Some(sent) => sent.hand_over(call, next, woken),
                // Only the first two have been told when the next request may be sent.
                None if was_told => entry.offer(woken),
                None => {}
            }
            if next.is_none() {
                entry.cause = None;
            }
        }
        let Some(sent) = self.app.request_mut().filter(|sent| sent.driver == Some(call)) else {
            return;
        };
        let first = |(tenant, entry): (_, &Tenant)| Some((*entry.queue.keys().next()?, tenant));
        let next = self.tenants.iter().filter_map(first).min();
        sent.hand_over(call, next.map(|(next, _)| next), woken);
        if let (Some(request), Some((_, tenant))) = (self.in_flight.get_mut(sent.id), next) {
            request.driver_of.clone_from(tenant);
        }
    }

    /// Sets the ticket of a store app and wakes the calls that wait for the app's token. A request for the ticket that
    /// is in flight is forgotten, because its reply no longer matters.
    pub(super) fn set_ticket(&mut self, ticket: AppTicket, woken: &mut Woken) {
        self.ticket = Some(ticket);
        if let Some(Sent { id, driver, .. }) = self.app.request() {
            if matches!(self.in_flight.get(*id), Some(InFlight { what: Wanted::Ticket, .. })) {
                woken.extend(*driver);
                self.in_flight.remove(*id);
                self.app.resume();
            }
        }
        self.app.forgive();
        self.offer(woken);
    }

    /// Takes over a token from elsewhere; false if the service has refused it.
    pub(super) fn import(
        &mut self,
        tenant: &Option<TenantKey>,
        token: TenantToken,
        life: Duration,
        now: Duration,
        woken: &mut Woken,
    ) -> bool {
        let id = self.next_id();
        let entry = self.tenants.entry(tenant.clone()).or_default();
        let is_taken = entry.slot.import(token, now.saturating_add(life), id);
        if entry.slot.good(now).is_some() {
            entry.release(woken);
            // A call that waits for the renewal that it drives stands in no queue.
            woken.extend(entry.slot.request().and_then(|sent| sent.driver));
            woken.extend(self.app_driver(tenant));
        }
        is_taken
    }

    /// The token for `tenant` and its end.
    pub(super) fn held(&self, tenant: &Option<TenantKey>) -> Option<(&TenantToken, Duration)> {
        self.tenants.get(tenant)?.slot.held()
    }

    /// The route of a request, while it is in flight.
    pub(super) fn route(&self, app: &App, id: TokenRequestId) -> Option<&'static str> {
        self.in_flight.get(id).map(|request| request.what.route(app))
    }

    /// No request is in flight, and no call waits for a token.
    pub(super) fn is_quiet(&self) -> bool {
        self.in_flight.0.is_empty() && self.tenants.values().all(|entry| entry.queue.is_empty())
    }

    pub(super) fn len(&self) -> usize {
        self.tenants.len() + self.in_flight.0.len()
    }

    pub(super) fn sweep(&mut self, now: Duration) {
        self.tenants.retain(|_, entry| !entry.is_idle(now));
    }
}

/// Checks that the session's app can have a token for `tenant`.
fn check(app: &App, tenant: &Option<TenantKey>) -> Result<(), Hold> {
    Err(Hold::End(match (app, tenant) {
        (App::None, _) => Ending::NoApp,
        (App::Store { .. }, None) => Ending::NoTenant,
        (App::Custom { .. }, Some(_)) => Ending::ForeignTenant,
        _ => return Ok(()),
    }))
}

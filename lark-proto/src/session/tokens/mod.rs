//! The session's tokens: which token a call uses, and which call sends the request for the next one.
//!
//! A token request belongs to the session. One call, its driver, sends it; the other calls wait for it. If the adapter
//! keeps the request in flight, it outlives its driver. Its result decides what the session and the waiting calls do:
//!
//! | the result | the session | the calls that wait for the token |
//! |---|---|---|
//! | a transient failure: the connection breaks, no reply comes within 60 s (61 s if the adapter reports nothing), the reply is too long or unreadable, or another result that no row below names | sends the request again after a backoff; the fourth failure ends the series, and the next call begins another series | wait; when the series ends, all of them end with the last failure |
//! | the service asks to wait for up to two minutes | sends no request before that time, nor within a second | wait; a call whose `longest_wait` is shorter ends at once with the service's error |
//! | the service asks to wait for longer | sends no request for two minutes | end at once with the service's error, as do calls that begin within the two minutes |
//! | the service refuses the app token or the ticket in the request | drops that token or ticket and requests the next one at once; a trusted app token is kept, and the refusal counts as a transient failure | wait |
//! | the service agrees to push the ticket | asks for it again after 5 minutes | wait for up to 2.5 minutes; a call whose `longest_wait` is shorter ends at once with `NoTicket` |
//! | a permanent failure: the service's advice is `GiveUp` (wrong secret, app disabled), or the transport's failure is permanent | sends no request for 5 s | end at once with that error, as do calls that begin within the 5 s |
//! | any failure above while the session has a valid token, unless it drops an app token or a ticket | puts off the next renewal by 1, 2, 4, and then 8 minutes after each consecutive failure, but at least until the end of a wait that the service asked for (2 minutes at most), and until 5 minutes after the session asked for the ticket | use that token |
//! | the adapter drops the request, or the driver reports a deadline before 59 s have passed | counts a renewal as failed; the request for a first token is sent again by the next call | wait; the first two in the queue are woken |
//! | the driver ends while the adapter keeps the request in flight | waits for the result as before | wait; the first in the queue becomes the driver |
//!
//! A wait that the service asks for does not count as a failure of the series. A new ticket ends a pause of the app's
//! token at once, and an imported token that the session takes ends a pause of its tenant's token.
//!
//! A renewal is optional while the token is valid. It holds up the call that drives it for two seconds at most, or for
//! half of the time to the call's deadline if that is less, and its failure ends no call. If the service refuses a
//! trusted token, the session keeps it, and the call is retried after a backoff, because the service would refuse
//! the next token too, or grant the same one.
//!
//! The tenants of a store app share the app's token, which the request for a tenant's token contains. [`Slot`] is the
//! state of one token; [`TenantEntry`] adds the queue of the calls that wait for it.

mod failure_kind;
mod in_flight;
mod report;
mod request;
mod slot;
mod tenant;

use std::sync::Arc;
use std::time::Duration;

use in_flight::InFlight;
use request::{TokenRequest, TokenRequestKind};
use slot::{Pause, Slot};
use tenant::TenantEntry;

pub(super) use slot::RefusedToken;

use super::caller::Caller;
use super::hold::{Ending, Hold};
use super::moment::Moment;
use super::queue::{CallId, Waiter, WakeList};
use super::sorted_map::SortedMap;
use super::step::{Outgoing, Purpose, TokenRequestId};
use super::timeouts::Timeouts;
use crate::api::REPLY_LIMIT;
use crate::error::WaitFor;
use crate::site::Site;
use crate::text::Secrets;
use crate::token::{AppToken, TenantToken};
use crate::values::{App, AppTicket, TenantKey};

/// The longest time that a token request may take.
const MAX_REQUEST_TIME: Duration = Duration::from_secs(60);
/// The tolerance around [`MAX_REQUEST_TIME`]. A deadline that is reported up to a second earlier still counts as a
/// failure of the service. If the result of a request is not reported within a second after that time, the request
/// counts as failed.
const REQUEST_TIME_TOLERANCE: Duration = Duration::from_secs(1);

/// The tokens of one session, the token requests in flight, and the calls that wait for them.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// The app token of a store app.
    app_token: Slot<AppToken>,
    ticket: Option<AppTicket>,
    /// The tenant tokens. A custom app has one, under `None`.
    tenants: SortedMap<Option<TenantKey>, TenantEntry>,
    in_flight: InFlight,
    /// The number of the last request or import. The generation of a token is the number of its request or import.
    last: u64,
}

/// Why no request can be sent now.
enum RequestBlocked {
    /// A request is in flight, and the call waits for it until this time.
    InFlight(Moment),
    Paused(Pause),
}

impl Tokens {
    /// Returns the generation of the valid token for `tenant`, or why `caller` has to do something else first.
    /// [`held`](Self::held) returns the token itself.
    pub(super) fn ensure_valid(
        &mut self,
        app: &App,
        site: &Site,
        tenant: &Option<TenantKey>,
        caller: &mut Caller<'_>,
        now: Moment,
        woken: &mut WakeList,
    ) -> Result<u64, Hold> {
        check(app, tenant)?;
        self.time_out(app, tenant, now, woken);
        let entry = self.tenants.get_or_insert(tenant, TenantEntry::default);
        if let Some((_, generation)) = entry.slot.valid(now) {
            if entry.slot.is_due(now) {
                self.renew(app, site, tenant, caller, now)?;
            }
            return Ok(generation);
        }
        let series = entry.series;
        let waiter =
            Waiter { since: now, number: series, longest_wait: caller.limits.longest_wait };
        let joined = entry.queue.entry(caller.id).or_insert(waiter).number;
        if let Some(failure) = entry.failure.as_ref().filter(|_| joined < series) {
            return Err(Hold::End(Ending::NoToken(failure.later(now, Duration::ZERO))));
        }
        let wait = |until| Hold::Wait { until, reason: WaitFor::Token };
        Err(match self.next_request(app, tenant, caller, now) {
            Ok(kind) => self.send(app, site, tenant, kind, caller, now),
            Err(RequestBlocked::InFlight(until)) => wait(until),
            Err(RequestBlocked::Paused(Pause { until, wait_until, failure })) => {
                let left = wait_until.since(now);
                match failure {
                    None => wait(until),
                    Some(failure) if left.is_zero() || left > caller.limits.longest_wait => {
                        Hold::End(Ending::NoToken(failure.later(now, until.since(now))))
                    }
                    Some(_) => wait(wait_until),
                }
            }
        })
    }

    /// Lets `caller` renew a valid token, or wait for the renewal that it drives. Returns `Ok` if the call uses the
    /// valid token.
    fn renew(
        &mut self,
        app: &App,
        site: &Site,
        tenant: &Option<TenantKey>,
        caller: &mut Caller<'_>,
        now: Moment,
    ) -> Result<(), Hold> {
        let until = caller.renewal_deadline(now);
        if now >= until {
            return Ok(());
        }
        let is_driven = |request: &&TokenRequest| request.driver == Some(caller.id);
        if let Some(request) = self.requests_for(tenant).find(is_driven) {
            return Err(Hold::Wait { until: until.min(request.times_out), reason: WaitFor::Token });
        }
        match self.next_request(app, tenant, caller, now) {
            Ok(kind) => Err(self.send(app, site, tenant, kind, caller, now)),
            Err(_) => Ok(()),
        }
    }

    /// The requests in flight whose result `tenant` needs: for its own token, and for the app's token.
    fn requests_for(&self, tenant: &Option<TenantKey>) -> impl Iterator<Item = &TokenRequest> {
        let of_tenant = self.tenants.get(tenant).and_then(|entry| entry.slot.request());
        let ids = [of_tenant, self.app_token.request()];
        ids.into_iter().flatten().filter_map(|id| self.in_flight.get(id))
    }

    /// The request that has to be sent next so that `tenant` gets a token, or why it cannot be sent now.
    fn next_request(
        &self,
        app: &App,
        tenant: &Option<TenantKey>,
        caller: &Caller<'_>,
        now: Moment,
    ) -> Result<TokenRequestKind, RequestBlocked> {
        let slot = self.tenants.get(tenant).map(|entry| &entry.slot);
        if let Some(request) = slot.and_then(Slot::request).and_then(|id| self.in_flight.get(id)) {
            return Err(RequestBlocked::InFlight(request.times_out));
        }
        if let Some(pause) = slot.and_then(|slot| slot.pause(now)) {
            return Err(RequestBlocked::Paused(pause.clone()));
        }
        if !matches!(app, App::Store { .. }) {
            return Ok(TokenRequestKind::Tenant(0));
        }
        let renews = caller.may_renew(now)
            && self.app_token.is_due(now)
            && self.app_token.request().is_none();
        let request = self.app_token.request().and_then(|id| self.in_flight.get(id));
        if let Some((_, generation)) = self.app_token.valid(now).filter(|_| !renews) {
            let drives = request.is_some_and(|request| request.driver == Some(caller.id));
            return match *caller.renewal_deadline {
                // The call waits for the renewal that it drives.
                Some(until) if drives && now < until => Err(RequestBlocked::InFlight(until)),
                _ => Ok(TokenRequestKind::Tenant(generation)),
            };
        }
        if let Some(request) = request {
            return Err(RequestBlocked::InFlight(request.times_out));
        }
        if let Some(pause) = self.app_token.pause(now) {
            return Err(RequestBlocked::Paused(pause.clone()));
        }
        Ok(self.ticket.clone().map_or(TokenRequestKind::Ticket, TokenRequestKind::App))
    }

    /// Makes the request for `kind`, driven by `caller`.
    fn send(
        &mut self,
        app: &App,
        site: &Site,
        tenant: &Option<TenantKey>,
        kind: TokenRequestKind,
        caller: &mut Caller<'_>,
        now: Moment,
    ) -> Hold {
        let id = self.next_id();
        // The request may be for the app's token, and the call may need that to renew a tenant token that is still
        // valid.
        let has_token = self.tenants.get(tenant).is_some_and(|it| it.slot.valid(now).is_some());
        let is_of_app = !matches!(kind, TokenRequestKind::Tenant(_));
        let renews = has_token || is_of_app && self.app_token.valid(now).is_some();
        let until = if renews { caller.renewal_deadline(now) } else { caller.deadline };
        let route = kind.route(app);
        let app_token = self.app_token.held().map(|(token, _)| token);
        let request = kind.request(app, site, tenant, app_token);
        let app_secret = app.secrets();
        let secrets = self.secrets(&app_secret, &[]).unwrap_or_else(|| app_secret.into());
        let secrets = Secrets::new(None, secrets);
        let fresh_connection = match kind {
            TokenRequestKind::Tenant(_) => {
                self.tenants.get_mut(tenant).is_some_and(|entry| entry.slot.begin(id))
            }
            TokenRequestKind::App(_) | TokenRequestKind::Ticket => self.app_token.begin(id),
        };
        self.in_flight.push(TokenRequest {
            id,
            kind,
            tenant: tenant.clone(),
            driver: Some(caller.id),
            tenant_of_driver: tenant.clone(),
            sent_at: now,
            earliest_timeout: now.saturating_add(MAX_REQUEST_TIME - REQUEST_TIME_TOLERANCE),
            times_out: now.saturating_add(MAX_REQUEST_TIME + REQUEST_TIME_TOLERANCE),
            jitter: caller.jitter,
            secrets,
        });
        let timeouts = Timeouts::for_body_len(request.body().len());
        let outgoing = Outgoing {
            request,
            purpose: Purpose::Token(id),
            call_timeout: until.since(now).min(MAX_REQUEST_TIME),
            exchange_timeout: MAX_REQUEST_TIME,
            timeouts,
            reply_limit: REPLY_LIMIT,
            fresh_connection,
        };
        Hold::Send(Box::new(outgoing), route)
    }

    fn next_id(&mut self) -> TokenRequestId {
        self.last += 1;
        TokenRequestId(self.last)
    }

    /// Takes `call` out of the queue. If it is the driver of a request, the next call in the queue becomes the driver.
    pub(super) fn leave(&mut self, tenant: &Option<TenantKey>, call: CallId, woken: &mut WakeList) {
        if let Some(entry) = self.tenants.get_mut(tenant) {
            let was_woken = entry.queue.keys().take(2).any(|other| *other == call);
            entry.queue.remove(&call);
            let next = entry.queue.keys().next().copied();
            match entry.slot.request().and_then(|id| self.in_flight.get_mut(id)) {
                Some(request) => request.hand_over(call, next, woken),
                // The call may have been woken to send the next request, so another call has to be woken for it.
                None if was_woken => entry.wake_first_two(woken),
                None => {}
            }
            if next.is_none() {
                entry.failure = None;
            }
        }
        let of_app = self.app_token.request().and_then(|id| self.in_flight.get_mut(id));
        let Some(request) = of_app.filter(|request| request.driver == Some(call)) else { return };
        let first =
            |(tenant, entry): (_, &TenantEntry)| Some((*entry.queue.keys().next()?, tenant));
        let next = self.tenants.iter().filter_map(first).min();
        request.hand_over(call, next.map(|(next, _)| next), woken);
        if let Some((_, tenant)) = next {
            request.tenant_of_driver.clone_from(tenant);
        }
    }

    /// Sets the ticket of a store app and wakes the first two waiting calls of each tenant. Forgets a request for the
    /// ticket that is in flight, because its result no longer matters.
    pub(super) fn set_ticket(&mut self, ticket: AppTicket, woken: &mut WakeList) {
        self.ticket = Some(ticket);
        let of_app = self.app_token.request().and_then(|id| self.in_flight.get(id));
        if let Some(&TokenRequest { id, kind: TokenRequestKind::Ticket, driver, .. }) = of_app {
            woken.extend(driver);
            self.in_flight.remove(id);
            self.app_token.end_request();
        }
        self.app_token.begin_series();
        self.wake_first_two_of_each(woken);
    }

    /// Takes a token that another session has exported. Returns false if the service has refused that token.
    pub(super) fn import(
        &mut self,
        tenant: &Option<TenantKey>,
        token: TenantToken,
        life: Duration,
        now: Moment,
        woken: &mut WakeList,
    ) -> bool {
        let id = self.next_id();
        let entry = self.tenants.get_or_insert(tenant, TenantEntry::default);
        let is_taken = entry.slot.import(token, now.saturating_add(life), id);
        if entry.slot.valid(now).is_some() {
            entry.wake_all(woken);
            // A call that waits for the renewal that it drives is in no queue.
            let renewal = entry.slot.request().and_then(|id| self.in_flight.get(id));
            woken.extend(renewal.and_then(|request| request.driver));
            woken.extend(self.driver_of_app_token(tenant));
        }
        is_taken
    }

    /// The token for `tenant`, and when it expires.
    pub(super) fn held(&self, tenant: &Option<TenantKey>) -> Option<(&TenantToken, Moment)> {
        self.tenants.get(tenant)?.slot.held()
    }

    /// `app_secret`, the ticket and the app token of a store app, and the `others`. `None` if there is `app_secret`
    /// alone.
    pub(super) fn secrets(
        &self,
        app_secret: &[String],
        others: &[String],
    ) -> Option<Arc<[String]>> {
        let ticket = self.ticket.as_ref().map(AppTicket::expose_secret);
        let app_token = self.app_token.held().map(|(token, _)| token.expose_secret());
        if others.is_empty() {
            ticket.or(app_token)?;
        }
        let mut all = [app_secret, others].concat();
        all.extend(ticket.map(str::to_owned));
        all.extend(app_token.map(str::to_owned));
        Some(all.into())
    }

    /// The route of a request, while it is in flight.
    pub(super) fn route(&self, app: &App, id: TokenRequestId) -> Option<&'static str> {
        self.in_flight.get(id).map(|request| request.kind.route(app))
    }

    /// Whether no request is in flight, and no call waits for a token.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.tenants.values().all(|entry| entry.queue.is_empty())
    }

    pub(super) fn len(&self) -> usize {
        self.tenants.len() + self.in_flight.len()
    }

    pub(super) fn sweep(&mut self, now: Moment) {
        self.tenants.retain(|entry| !entry.is_idle(now));
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

#[cfg(test)]
mod tests;

//! What the calls of one client share: tokens, lanes and the throttle. Plain data: no lock, no clock.

mod export;
mod lanes;
mod throttle;
mod tokens;

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use http::Request;

use crate::body::Body;
use crate::code::{Class, Code};
use crate::endpoint::{Endpoint, EndpointExt};
use crate::endpoints::{
    AppTicketResend, AppTokenRequest, StoreTenantTokenRequest, TenantTokenRequest,
};
use crate::error::{Error, Failure};
use crate::reply::Reply;
use crate::site::Site;
use crate::token::{AppToken, NoToken, TenantToken};
use crate::values::{App, AppTicket, TenantKey};

pub(crate) use lanes::Lanes;
pub(crate) use throttle::{GateKey, Pass, Throttle};
use tokens::{Plan, Slot};

/// What the calls of one client share.
///
/// It is plain data that every step of a [`Call`](crate::Call) takes by `&mut`: an adapter keeps it behind a lock, a
/// single-threaded loop just holds it.
///
/// The time is an argument, `now`. A clock that is set back only makes the session wait a little longer: what
/// counts is how far it went forward.
pub struct Session {
    pub(crate) site: Site,
    app: App,
    clock: Clock,
    /// The app token of a store app.
    app_token: Slot<AppToken>,
    /// The tenant tokens, of a store app by tenant.
    tenant_tokens: BTreeMap<Option<TenantKey>, Slot<TenantToken>>,
    ticket: Option<AppTicket>,
    /// The service was asked to send the ticket, and has not been given one since.
    asked_for_ticket: bool,
    pub(crate) lanes: Lanes,
    pub(crate) throttle: Throttle,
    calls: u64,
}

/// Counts the calls of a session in the order in which they took their first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallId(pub(crate) u64);

/// How much time has passed since the session's first step, by a wall clock that may be set back.
#[derive(Debug, Default)]
struct Clock {
    last: Option<SystemTime>,
    elapsed: Duration,
}

impl Clock {
    fn tick(&mut self, now: SystemTime) -> Duration {
        let step = self.last.and_then(|last| now.duration_since(last).ok()).unwrap_or_default();
        self.last = Some(now);
        self.elapsed = self.elapsed.saturating_add(step);
        self.elapsed
    }
}

/// A request for a token, or for what a token is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fetch {
    /// A tenant token; for a store app with the app token of this generation.
    Tenant(u64),
    /// The app token, in exchange for this ticket.
    App(AppTicket),
    Ticket,
}

impl Fetch {
    pub(crate) fn route(&self, app: &App) -> &'static str {
        match (self, app) {
            (Self::Tenant(_), App::Store { .. }) => StoreTenantTokenRequest::ROUTE,
            (Self::Tenant(_), _) => TenantTokenRequest::ROUTE,
            (Self::App(_), _) => AppTokenRequest::ROUTE,
            (Self::Ticket, _) => AppTicketResend::ROUTE,
        }
    }
}

/// What a call does about its token.
#[expect(clippy::large_enum_variant, reason = "a request is moved once, to the transport")]
pub(crate) enum TokenPlan<T> {
    Use(TenantToken, u64),
    Fetch(Fetch, Request<Body>),
    Park,
    Wait(Duration),
    /// With the route, where it is not the call's own.
    End(Option<&'static str>, Failure<T>),
}

impl Session {
    /// A session of `app` at `site`.
    #[must_use]
    pub fn new(site: Site, app: App) -> Self {
        Self {
            site,
            app,
            clock: Clock::default(),
            app_token: Slot::default(),
            tenant_tokens: BTreeMap::new(),
            ticket: None,
            asked_for_ticket: false,
            lanes: Lanes::default(),
            throttle: Throttle::default(),
            calls: 0,
        }
    }

    /// Where the session's requests go.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The app that the session's own tokens are of.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The latest ticket of a store app, as the event brought it. Wake the parked afterwards.
    pub fn set_app_ticket(&mut self, ticket: AppTicket) {
        self.ticket = Some(ticket);
        self.asked_for_ticket = false;
        self.app_token.forgive();
    }

    pub(crate) fn tick(&mut self, now: SystemTime) -> Duration {
        self.clock.tick(now)
    }

    pub(crate) fn next_call(&mut self) -> CallId {
        self.calls += 1;
        CallId(self.calls)
    }

    /// The way to a token for `tenant`, one step of it.
    pub(crate) fn token_plan<T>(
        &mut self,
        tenant: &Option<TenantKey>,
        call: CallId,
        now: Duration,
    ) -> TokenPlan<T> {
        if self.app == App::None {
            return TokenPlan::End(None, Failure::NoApp);
        }
        match (&self.app, tenant) {
            (App::Store { .. }, None) => return TokenPlan::End(None, Failure::NoTenant),
            (App::Custom { .. }, Some(_)) => return TokenPlan::End(None, Failure::ForeignTenant),
            _ => {}
        }
        let slot = self.tenant_tokens.entry(tenant.clone()).or_default();
        match slot.plan(call, now) {
            Plan::Use(token, generation) => {
                // One may have been imported while this call was on its way to an app token.
                self.app_token.leave(call);
                return TokenPlan::Use(token, generation);
            }
            Plan::Park => return TokenPlan::Park,
            Plan::Wait(time) => return TokenPlan::Wait(time),
            Plan::Refused(error) => {
                return TokenPlan::End(
                    Some(Fetch::Tenant(0).route(&self.app)),
                    Failure::Lark(error),
                );
            }
            Plan::Fetch => {}
        }
        let step = self.fetch_step(tenant, call, now);
        let slot = self.tenant_tokens.entry(tenant.clone()).or_default();
        let other = match step {
            TokenPlan::End(..) => slot.give_up(call, now),
            // Another tenant's call fetches the app's token; this renewal can wait for that.
            TokenPlan::Park | TokenPlan::Wait(_) if slot.is_good(now) => slot.give_up(call, now),
            _ => None,
        };
        match other {
            Some((token, generation)) => TokenPlan::Use(token, generation),
            None => step,
        }
    }

    /// What to fetch for `call`, which is to fetch the token of `tenant`.
    fn fetch_step<T>(
        &mut self,
        tenant: &Option<TenantKey>,
        call: CallId,
        now: Duration,
    ) -> TokenPlan<T> {
        let site = &self.site;
        let (id, secret, tenant) = match (&self.app, tenant) {
            (App::Store { id, secret }, Some(tenant)) => (id.clone(), secret.clone(), tenant),
            (App::Custom { id, secret }, _) => {
                let get = TenantTokenRequest::new(id.clone(), secret.clone());
                return TokenPlan::Fetch(Fetch::Tenant(0), get.request_streamed(site, &NoToken));
            }
            _ => return TokenPlan::End(None, Failure::NoApp),
        };
        let app_token = match self.app_token.plan(call, now) {
            Plan::Use(token, generation) => Some((token, generation)),
            Plan::Park => return TokenPlan::Park,
            Plan::Wait(time) => return TokenPlan::Wait(time),
            Plan::Refused(error) => {
                // Without a ticket, it was said to the request for one.
                let route = match self.ticket {
                    Some(_) => AppTokenRequest::ROUTE,
                    None => AppTicketResend::ROUTE,
                };
                return TokenPlan::End(Some(route), Failure::Lark(error));
            }
            Plan::Fetch => match self.ticket.clone() {
                Some(ticket) => {
                    let get = AppTokenRequest::new(id, secret, ticket.clone());
                    let request = get.request_streamed(site, &NoToken);
                    return TokenPlan::Fetch(Fetch::App(ticket), request);
                }
                None if !self.asked_for_ticket => {
                    let ask = AppTicketResend::new(id, secret);
                    return TokenPlan::Fetch(Fetch::Ticket, ask.request_streamed(site, &NoToken));
                }
                None => self.app_token.give_up(call, now),
            },
        };
        let Some((token, generation)) = app_token else {
            return TokenPlan::End(Some(AppTokenRequest::ROUTE), Failure::NoTicket);
        };
        let get = StoreTenantTokenRequest::new(token, tenant.clone());
        TokenPlan::Fetch(Fetch::Tenant(generation), get.request_streamed(site, &NoToken))
    }

    /// Reads the reply to a fetch that was sent at `sent`.
    pub(crate) fn fetched(
        &mut self,
        fetch: &Fetch,
        tenant: &Option<TenantKey>,
        sent: Duration,
        reply: &Reply,
    ) -> Result<(), Error> {
        match fetch {
            Fetch::Tenant(_) => {
                let grant = TenantTokenRequest::read(reply)?;
                let slot = self.tenant_tokens.entry(tenant.clone()).or_default();
                slot.granted(grant.token, grant.expires_in, sent);
            }
            Fetch::App(_) => {
                let grant = AppTokenRequest::read(reply)?;
                self.app_token.granted(grant.token, grant.expires_in, sent);
            }
            Fetch::Ticket => {
                AppTicketResend::read(reply)?;
                self.asked_for_ticket = true;
            }
        }
        Ok(())
    }

    /// Whether what stood in the way of a fetch is gone, so that it may go on with something else.
    pub(crate) fn recovers(&mut self, fetch: &Fetch, error: &Error, now: Duration) -> bool {
        let Some(code) = error.api().map(|api| api.code) else { return false };
        match fetch {
            // A custom app's fetch has no app token.
            Fetch::Tenant(generation)
                if code.class() == Class::AppToken && matches!(self.app, App::Store { .. }) =>
            {
                self.app_token.refused(*generation, now)
            }
            Fetch::App(ticket) if code == Code::APP_TOKEN_FAILED => {
                // A newer one may have come meanwhile.
                self.ticket = self.ticket.take().filter(|latest| latest != ticket);
                true
            }
            _ => false,
        }
    }

    /// A fetch of `call` came to nothing; `verdict` is what the service said, if that is final, and `pause` what it
    /// asked for otherwise. True if there is an older token to go on with.
    pub(crate) fn fetch_failed(
        &mut self,
        fetch: &Fetch,
        tenant: &Option<TenantKey>,
        call: CallId,
        verdict: Option<&Error>,
        pause: Duration,
        now: Duration,
    ) -> bool {
        let definite = verdict.cloned();
        let slot = self.tenant_tokens.entry(tenant.clone()).or_default();
        if let Fetch::Tenant(_) = fetch {
            slot.failed(call, definite, now);
            slot.pause(pause, now);
            return slot.is_good(now);
        }
        self.app_token.failed(call, definite, now);
        self.app_token.pause(pause, now);
        if self.app_token.is_good(now) {
            return true;
        }
        slot.failed(call, None, now);
        slot.is_good(now)
    }

    /// How many fetches for `tenant` have failed so far.
    pub(crate) fn failed_fetches(&self, tenant: &Option<TenantKey>) -> u32 {
        self.tenant_tokens.get(tenant).map_or(0, Slot::failures)
    }

    pub(crate) fn count_failed_fetch(&mut self, tenant: &Option<TenantKey>) {
        self.tenant_tokens.entry(tenant.clone()).or_default().count_failure();
    }

    /// There is a token that may be used while the one of `fetch` is not to be had.
    pub(crate) fn has_other(
        &self,
        fetch: &Fetch,
        tenant: &Option<TenantKey>,
        now: Duration,
    ) -> bool {
        let of_app = !matches!(fetch, Fetch::Tenant(_)) && self.app_token.is_good(now);
        of_app || self.tenant_tokens.get(tenant).is_some_and(|slot| slot.is_good(now))
    }

    /// The service refused the tenant token of `generation`, perhaps for the app token that it was made with;
    /// whether another may help.
    pub(crate) fn token_refused(
        &mut self,
        tenant: &Option<TenantKey>,
        generation: u64,
        by_app_token: bool,
        now: Duration,
    ) -> bool {
        let Some(slot) = self.tenant_tokens.get_mut(tenant) else { return false };
        if by_app_token && slot.is_current(generation) {
            self.app_token.refused(self.app_token.generation(), now);
        }
        slot.refused(generation, now)
    }

    /// `call` fetches nothing any longer.
    pub(crate) fn leave_tokens(&mut self, tenant: &Option<TenantKey>, call: CallId) {
        if let Some(slot) = self.tenant_tokens.get_mut(tenant) {
            slot.leave(call);
        }
        self.app_token.leave(call);
    }

    /// No call fetches, waits for a lane or holds one.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let fetching = self.tenant_tokens.values().any(Slot::is_fetched);
        !fetching && !self.app_token.is_fetched() && self.lanes.is_empty()
    }
}

/// Without tokens.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("site", &self.site)
            .field("app", &self.app)
            .finish_non_exhaustive()
    }
}

//! The reports to the session: the results of token requests, and the refusals of tokens.

use bytes::Bytes;
use http::Response;

use super::Tokens;
use super::failure_kind::FailureKind;
use super::request::{TokenRequest, TokenRequestKind};
use super::slot::{Pause, RefusedToken};
use super::tenant::TenantEntry;
use crate::api::Endpoint;
use crate::api::Reply;
use crate::endpoints::{GetAppToken, GetTenantToken, ResendAppTicket};
use crate::error::{CallErrorKind, Class, Code, Error};
use crate::session::hold::{Reason, TokenFailure};
use crate::session::moment::Moment;
use crate::session::queue::{CallId, WakeList};
use crate::session::step::TokenRequestId;
use crate::session::transport_failure::{Permanence, TransportFailure};
use crate::site::Site;
use crate::values::{App, TenantKey};

impl Tokens {
    /// Counts each request that `tenant` waits for as failed if the adapter has not reported its result in time.
    pub(super) fn time_out(
        &mut self,
        app: &App,
        tenant: &Option<TenantKey>,
        now: Moment,
        woken: &mut WakeList,
    ) {
        while let Some(id) = self.timed_out(tenant, now) {
            let Some(request) = self.in_flight.remove(id) else { return };
            self.failed(app, &request, FailureKind::Transient, Reason::TimedOut, now, woken);
        }
    }

    /// A request in flight whose result `tenant` needs, and whose result has not been reported in time.
    fn timed_out(&self, tenant: &Option<TenantKey>, now: Moment) -> Option<TokenRequestId> {
        self.requests_for(tenant).find(|request| request.times_out <= now).map(|request| request.id)
    }

    /// Takes the reply to a request. Returns the route and the error if the service refused the request.
    pub(in crate::session) fn received(
        &mut self,
        app: &App,
        site: &Site,
        id: TokenRequestId,
        reply: Response<Bytes>,
        now: Moment,
        woken: &mut WakeList,
    ) -> Option<(&'static str, Error)> {
        let request = self.in_flight.remove(id)?;
        let TokenRequest { kind, tenant, driver, sent_at, secrets, .. } = &request;
        let reply = Reply::with_secrets(reply, secrets.clone());
        let granted = match kind {
            TokenRequestKind::Tenant(_) => GetTenantToken::read(&reply).map(|grant| {
                let Some(entry) = self.tenants.get_mut(tenant) else { return };
                entry.slot.granted(grant.token, grant.expires_in, *sent_at);
                woken.extend(*driver);
                entry.wake_all(woken);
                woken.extend(self.driver_of_app_token(tenant));
            }),
            TokenRequestKind::App(_) => GetAppToken::read(&reply).map(|grant| {
                self.app_token.granted(grant.token, grant.expires_in, *sent_at);
                woken.extend(*driver);
                self.wake_first_two_of_each(woken);
            }),
            TokenRequestKind::Ticket => ResendAppTicket::read(&reply).map(|()| {
                let failure_kind = FailureKind::TicketRequested;
                self.failed(app, &request, failure_kind, Reason::NoTicket, now, woken);
            }),
        };
        let error = granted.err()?.in_call(site.as_str(), app.id().map(AsRef::as_ref));
        if self.drop_refused(app, kind, &error, now, woken) {
            self.end_request(&request, woken);
        } else {
            let failure_kind = FailureKind::of(&error);
            self.failed(app, &request, failure_kind, Reason::Lark(error.clone()), now, woken);
        }
        Some((kind.route(app), error))
    }

    /// Notes that the transport failed during a request. Returns the route of the request.
    pub(in crate::session) fn transport_failed<T>(
        &mut self,
        app: &App,
        id: TokenRequestId,
        failure: &TransportFailure<T>,
        now: Moment,
        woken: &mut WakeList,
    ) -> Option<&'static str> {
        let request = self.in_flight.remove(id)?;
        let route = request.kind.route(app);
        if matches!(failure.kind, CallErrorKind::Deadline) && now < request.earliest_timeout {
            self.given_up(&request, now, woken);
            return Some(route);
        }
        match (&request.kind, self.tenants.get_mut(&request.tenant)) {
            (TokenRequestKind::Tenant(_), Some(entry)) => entry.slot.connection_broke(),
            _ => self.app_token.connection_broke(),
        }
        let reason = match failure.kind {
            CallErrorKind::Transport(_) => Reason::Transport(failure.text.clone()),
            CallErrorKind::TooLarge { limit } => Reason::TooLarge(limit),
            _ => Reason::TimedOut,
        };
        let kind = match failure.permanence {
            Permanence::Permanent => FailureKind::Permanent,
            Permanence::Transient => FailureKind::Transient,
        };
        self.failed(app, &request, kind, reason, now, woken);
        Some(route)
    }

    /// Notes that the adapter gave up the request and will not report its result.
    pub(in crate::session) fn dropped(
        &mut self,
        id: TokenRequestId,
        now: Moment,
        woken: &mut WakeList,
    ) {
        if let Some(request) = self.in_flight.remove(id) {
            self.given_up(&request, now, woken);
        }
    }

    fn given_up(&mut self, request: &TokenRequest, now: Moment, woken: &mut WakeList) {
        let TokenRequest { kind, tenant, driver, .. } = request;
        woken.extend(*driver);
        match kind {
            TokenRequestKind::Tenant(_) => {
                if let Some(entry) = self.tenants.get_mut(tenant) {
                    entry.slot.dropped(now);
                    entry.wake_first_two(woken);
                    woken.extend(self.driver_of_app_token(tenant));
                }
            }
            TokenRequestKind::App(_) | TokenRequestKind::Ticket => {
                self.app_token.dropped(now);
                self.renewal_failed(tenant, now);
                self.wake_first_two_of_each(woken);
            }
        }
    }

    /// Puts off the renewal of the token of `tenant`, because the app's token, which it needs, could not be fetched.
    fn renewal_failed(&mut self, tenant: &Option<TenantKey>, now: Moment) {
        let lacks_app = self.app_token.valid(now).is_none();
        let entry = self.tenants.get_mut(tenant).filter(|entry| entry.slot.valid(now).is_some());
        if let Some(entry) = entry.filter(|_| lacks_app) {
            entry.slot.renewal_failed(now);
        }
    }

    /// Notes that a request returned no token. Wakes the first two calls that wait for that token and the calls that do
    /// not wait any longer, or, if the series ends, all of them.
    fn failed(
        &mut self,
        app: &App,
        request: &TokenRequest,
        failure_kind: FailureKind,
        reason: Reason,
        now: Moment,
        woken: &mut WakeList,
    ) {
        let TokenRequest { kind, tenant, driver, jitter, .. } = request;
        let route = match reason {
            // The service agreed to push the ticket; it is the request for the app's token that cannot be sent yet.
            Reason::NoTicket => GetAppToken::ROUTE,
            _ => kind.route(app),
        };
        let failure = TokenFailure { route, reason, at: now };
        let mut wake = |entry: &mut TenantEntry, is_over: bool, pause: Option<&Pause>| {
            if is_over {
                entry.end_series(failure.clone(), woken);
            } else {
                entry.wake_first_two(woken);
            }
            if let Some(pause) = pause {
                entry.wake_over_limit(pause, now, woken);
            }
        };
        match kind {
            TokenRequestKind::Tenant(_) => {
                let Some(entry) = self.tenants.get_mut(tenant) else { return };
                let is_over = entry.slot.failed(failure_kind, failure.clone(), *jitter, now);
                let pause = entry.slot.pause(now).cloned();
                wake(entry, is_over, pause.as_ref());
                woken.extend(*driver);
                woken.extend(self.driver_of_app_token(tenant));
            }
            TokenRequestKind::App(_) | TokenRequestKind::Ticket => {
                let is_over = self.app_token.failed(failure_kind, failure.clone(), *jitter, now);
                self.renewal_failed(tenant, now);
                let pause = self.app_token.pause(now);
                for entry in self.tenants.values_mut().filter(|entry| !entry.queue.is_empty()) {
                    wake(entry, is_over, pause);
                }
                woken.extend(*driver);
            }
        }
    }

    /// Drops the app token or the ticket that the service refused. Returns whether the next request may be sent at
    /// once.
    fn drop_refused(
        &mut self,
        app: &App,
        kind: &TokenRequestKind,
        error: &Error,
        now: Moment,
        woken: &mut WakeList,
    ) -> bool {
        let Some(code) = error.api().map(|api| api.code) else { return false };
        match kind {
            TokenRequestKind::Tenant(generation) if matches!(app, App::Store { .. }) => {
                if code.class() != Class::AppToken {
                    return false;
                }
                self.refuse_app(*generation, now, woken) == RefusedToken::Dropped
            }
            TokenRequestKind::App(ticket) if code == Code::APP_TOKEN_FAILED => {
                // The caller may have set a newer ticket in the meantime.
                self.ticket = self.ticket.take().filter(|latest| latest != ticket);
                true
            }
            _ => false,
        }
    }

    /// Notes that the service refused the app token of `generation`. If the token is dropped, all calls that wait for a
    /// token need the next app token, so a pause of its requests applies to them.
    fn refuse_app(&mut self, generation: u64, now: Moment, woken: &mut WakeList) -> RefusedToken {
        let refusal = self.app_token.refuse(generation, now);
        if let (RefusedToken::Dropped, Some(pause)) = (refusal, self.app_token.pause(now)) {
            self.tenants.values().for_each(|entry| entry.wake_over_limit(pause, now, woken));
        }
        refusal
    }

    /// The call that drives the request for the app's token, if it is a call of `tenant`. If `tenant` has a valid
    /// token, that call is in no queue, so it is woken separately when the token is renewed or its renewal is put off.
    pub(super) fn driver_of_app_token(&self, tenant: &Option<TenantKey>) -> Option<CallId> {
        let request = self.in_flight.get(self.app_token.request()?)?;
        request.driver.filter(|_| request.tenant_of_driver == *tenant)
    }

    /// Wakes the first two calls of each tenant that waits for the app's token.
    pub(super) fn wake_first_two_of_each(&self, woken: &mut WakeList) {
        self.tenants.values().for_each(|entry| entry.wake_first_two(woken));
    }

    /// Ends `request` and the pause of its slot, and wakes the calls that can send the next request.
    fn end_request(&mut self, request: &TokenRequest, woken: &mut WakeList) {
        woken.extend(request.driver);
        match (&request.kind, self.tenants.get_mut(&request.tenant)) {
            (TokenRequestKind::Tenant(_), Some(entry)) => {
                entry.slot.end_request();
                entry.wake_first_two(woken);
            }
            _ => {
                self.app_token.end_request();
                self.wake_first_two_of_each(woken);
            }
        }
    }

    /// Notes that the service refused the tenant token of `generation`. `by_app_token` says whether the service refused
    /// it because of an app token. The present app token is then dropped too, although the tenant token may have been
    /// requested with an earlier one.
    pub(in crate::session) fn refused(
        &mut self,
        tenant: &Option<TenantKey>,
        generation: u64,
        by_app_token: bool,
        now: Moment,
        woken: &mut WakeList,
    ) -> RefusedToken {
        let is_current = |entry: &TenantEntry| entry.slot.is_current(generation);
        if by_app_token && self.tenants.get(tenant).is_some_and(is_current) {
            self.refuse_app(self.app_token.generation(), now, woken);
        }
        match self.tenants.get_mut(tenant) {
            Some(entry) => entry.slot.refuse(generation, now),
            None => RefusedToken::Dropped,
        }
    }
}

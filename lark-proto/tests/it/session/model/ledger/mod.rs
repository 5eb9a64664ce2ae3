//! The model's account of the session's tokens and gates, made from the requests and replies on the wire, and the rules
//! that each request has to keep. All times are the sum of the forward movements of the client's clock, as the session
//! counts them.

mod gate;
mod slot;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Response, StatusCode};
use lark_proto::endpoints::{GetAppToken, GetTenantToken, ResendAppTicket};
use lark_proto::error::{Advice, Class, Code};
use lark_proto::fake::{FakeLark, Route};
use lark_proto::session::TokenRequestId;
use lark_proto::{EndpointExt, Error};

use gate::Gate;
pub(crate) use gate::Rate;
use slot::{Fetch, Held, Refused, Setback, Slot};

use super::work::{Account, TENANTS};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// The longest time for which a wait that the service asked for is kept.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// A token is due for renewal this time before it expires.
const WINDOW: Duration = Duration::from_secs(29 * 60);
/// A token request without a report counts as failed after this time.
const LAPSES: Duration = Duration::from_secs(61);
/// If a token request ends at a deadline before this time, the deadline is that of its call, and the service has not
/// failed.
const PATIENCE: Duration = Duration::from_secs(59);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// The token of the store app itself.
    App,
    Tenant(usize),
}

/// The kind of a token request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Tenant,
    App,
    Ticket,
}

#[derive(Debug)]
pub(crate) struct Ledger {
    last: SystemTime,
    now: Duration,
    is_store: bool,
    slots: BTreeMap<Key, Slot>,
    ticket: Option<String>,
    gates: BTreeMap<(String, &'static str), Gate>,
    quota: Option<Rate>,
}

impl Ledger {
    pub(crate) fn new(clock: SystemTime, is_store: bool, quota: Option<Rate>) -> Self {
        Self {
            last: clock,
            now: Duration::ZERO,
            is_store,
            slots: BTreeMap::new(),
            ticket: None,
            gates: BTreeMap::new(),
            quota,
        }
    }

    /// Accounts for the time that the client's clock shows to the session.
    pub(crate) fn sees(&mut self, clock: SystemTime) -> Duration {
        self.now += clock.duration_since(self.last).unwrap_or_default();
        self.last = clock;
        self.now
    }

    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    fn gate(&mut self, account: Account, route: Route) -> &mut Gate {
        self.gates.entry((format!("{account:?}"), route.path())).or_default()
    }

    fn slot(&mut self, key: Key) -> &mut Slot {
        self.slots.entry(key).or_default()
    }

    /// Whether the session has a token for the tenant; `None` if the model does not know.
    pub(crate) fn has_token(&self, tenant: usize) -> Option<bool> {
        let Some(slot) = self.slots.get(&Key::Tenant(tenant)) else { return Some(false) };
        (!slot.is_unsure).then(|| slot.valid(self.now).is_some())
    }

    /// The token that the session has for this key.
    pub(crate) fn token(&self, key: Key) -> Option<&str> {
        Some(self.slots.get(&key)?.held.as_ref()?.token.as_str())
    }

    /// Accounts for a token request that a call of `tenant` sends.
    pub(crate) fn fetch_sent(
        &mut self,
        id: TokenRequestId,
        call: usize,
        tenant: usize,
        route: Route,
        body: &Bytes,
        is_fresh: bool,
    ) {
        let now = self.now;
        let json: serde_json::Value = serde_json::from_slice(body).unwrap();
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let (key, kind) = match route {
            Route::TenantAccessToken => (Key::Tenant(0), Kind::Tenant),
            Route::StoreTenantAccessToken => {
                let tenant = TENANTS.iter().position(|key| *key == text("tenant_key"));
                (Key::Tenant(tenant.unwrap()), Kind::Tenant)
            }
            Route::AppAccessToken => (Key::App, Kind::App),
            _ => (Key::App, Kind::Ticket),
        };
        let app = self.slot(Key::App);
        let generation = app.generation;
        match route {
            Route::StoreTenantAccessToken if !app.is_unsure => {
                let token = app.valid(now).map(|held| held.token.clone());
                assert_eq!(
                    token,
                    Some(text("app_access_token")),
                    "the request does not have the app's latest token"
                );
            }
            Route::AppAccessToken | Route::ResendAppTicket if app.is_unsure => {
                self.ticket = Some(text("app_ticket")).filter(|ticket| !ticket.is_empty());
            }
            Route::AppAccessToken => {
                assert_eq!(
                    self.ticket,
                    Some(text("app_ticket")),
                    "the request does not have the latest ticket"
                );
            }
            Route::ResendAppTicket => {
                assert_eq!(
                    self.ticket, None,
                    "the ticket is requested although the session has it"
                );
            }
            _ => {}
        }
        if let Key::Tenant(of) = key {
            assert_eq!(of, tenant, "a call of one tenant asks for another's token");
        }
        // A request for the app's token is a renewal of the tenant's token too, if that is valid.
        for key in [key, Key::Tenant(tenant)] {
            let slot = self.slot(key);
            if let Some(held) = slot.valid(now).filter(|_| !slot.is_unsure) {
                let left = held.expires - now;
                assert!(left <= WINDOW, "{key:?} is renewed while it is valid for {left:?}");
                let early = slot.renew_after.saturating_sub(now);
                assert!(early.is_zero(), "{key:?} is renewed {early:?} early");
            }
        }
        let slot = self.slot(key);
        // The session may have forgotten the broken connection together with tokens that have expired.
        let expires = slot.held.iter().map(|held| held.expires);
        let expires = expires.chain(slot.refused.iter().map(|refused| refused.expires)).max();
        let is_past = expires.is_some_and(|expires| expires <= now);
        let is_known = |other: &usize| key == Key::App || *other == call && !is_past;
        let broke = slot.broke.take().filter(is_known);
        assert!(is_fresh || broke.is_none(), "a token request may get a dead connection");
        if !slot.is_unsure {
            let in_flight = slot.in_flight.as_ref().filter(|other| now < other.sent + LAPSES);
            assert!(in_flight.is_none(), "two token requests in flight: {key:?}, {in_flight:?}");
            if slot.in_flight.is_some() {
                // The request in flight counts as failed.
                let renew_after = slot.renew_after;
                let renewals = slot.renewals;
                slot.failed(now, Setback::Failed);
                (slot.renew_after, slot.renewals) = (renew_after, renewals);
            } else {
                let (time, reason) = slot.not_before;
                assert!(now >= time, "a request for {key:?} is {:?} early: {reason}", time - now);
            }
        }
        slot.not_before = (Duration::ZERO, "");
        let ticket = text("app_ticket");
        slot.in_flight = Some(Fetch { id, kind, sent: now, call, tenant, ticket, generation });
    }

    /// Ends a token request. The session may have counted it as failed before.
    fn over(&mut self, id: TokenRequestId) -> Option<(Key, Fetch)> {
        let now = self.now;
        let is = |slot: &Slot| slot.in_flight.as_ref().is_some_and(|fetch| fetch.id == id);
        let (key, slot) = self.slots.iter_mut().find(|(_, slot)| is(slot))?;
        let fetch = slot.in_flight.take()?;
        slot.is_unsure |= now >= fetch.sent + LAPSES;
        Some((*key, fetch))
    }

    /// Whether the token request counts as failed.
    pub(crate) fn is_lost(&self, id: TokenRequestId) -> bool {
        let mut in_flight = self.slots.values().filter_map(|slot| slot.in_flight.as_ref());
        !in_flight.any(|fetch| fetch.id == id && self.now < fetch.sent + LAPSES)
    }

    pub(crate) fn fetch_dropped(&mut self, id: TokenRequestId) {
        let Some((key, fetch)) = self.over(id) else { return };
        let now = self.now;
        let slot = self.slot(key);
        if slot.valid(now).is_some() {
            slot.renewal_failed(now);
        }
        self.renewal_failed(key, &fetch);
    }

    pub(crate) fn fetch_broken(
        &mut self,
        id: TokenRequestId,
        is_deadline: bool,
        is_permanent: bool,
    ) {
        let mut in_flight = self.slots.values().filter_map(|slot| slot.in_flight.as_ref());
        let sent = in_flight.find(|fetch| fetch.id == id).map(|fetch| fetch.sent);
        if is_deadline && sent.is_some_and(|sent| self.now < sent + PATIENCE) {
            // The deadline was that of the call.
            return self.fetch_dropped(id);
        }
        let Some((key, fetch)) = self.over(id) else { return };
        let setback = if is_permanent { Setback::Refused } else { Setback::Failed };
        let slot = self.slot(key);
        slot.broke = Some(fetch.call).filter(|_| !slot.is_unsure);
        self.failed(key, &fetch, setback);
    }

    pub(crate) fn fetch_reply(&mut self, id: TokenRequestId, reply: &Response<Bytes>) {
        let Some((key, fetch)) = self.over(id) else { return };
        let now = self.now;
        let is_lost = now >= fetch.sent + LAPSES;
        let granted = match fetch.kind {
            Kind::Tenant => GetTenantToken::decode(reply.clone())
                .map(|it| (it.token.expose_secret().to_owned(), it.expires_in)),
            Kind::App => GetAppToken::decode(reply.clone())
                .map(|it| (it.token.expose_secret().to_owned(), it.expires_in)),
            Kind::Ticket => match ResendAppTicket::decode(reply.clone()) {
                Ok(()) => return self.failed(key, &fetch, Setback::Asked),
                Err(error) => Err(error),
            },
        };
        let error = match granted {
            Ok((token, life)) if !is_lost => {
                return self.slot(key).granted(token, life, fetch.sent, now);
            }
            Ok((token, _)) => {
                let refused = self.slot(key).refused.iter_mut();
                return refused.filter(|it| it.token == token).for_each(|it| it.is_sure = false);
            }
            Err(error) => error,
        };
        let code = error.api().map(|api| api.code);
        let by_app_token = self.is_store && code.map(Code::class) == Some(Class::AppToken);
        match fetch.kind {
            Kind::Tenant if by_app_token => {
                let app = self.slot(Key::App);
                app.is_unsure |= is_lost;
                let is_gone = app.refuse(fetch.generation, "", now);
                if app.is_unsure {
                    self.slot(key).is_unsure = true;
                    return;
                }
                if is_gone {
                    return;
                }
            }
            Kind::App if code == Some(Code::APP_TOKEN_FAILED) => {
                self.ticket = self.ticket.take().filter(|ticket| *ticket != fetch.ticket);
                return;
            }
            _ => {}
        }
        let setback = match (&error, error.advice()) {
            (_, Advice::Again { after: Some(wait) }) if !wait.is_zero() => Setback::Told(wait),
            (Error::Api(_), Advice::GiveUp) => Setback::Refused,
            _ => Setback::Failed,
        };
        self.failed(key, &fetch, setback);
    }

    fn failed(&mut self, key: Key, fetch: &Fetch, setback: Setback) {
        let now = self.now;
        self.slot(key).failed(now, setback);
        self.renewal_failed(key, fetch);
    }

    /// A failed request for the app's token is a failed renewal of the tenant's token, which needs it.
    fn renewal_failed(&mut self, key: Key, fetch: &Fetch) {
        let now = self.now;
        if key != Key::App || self.slot(key).is_unsure || self.slot(key).valid(now).is_some() {
            return;
        }
        let slot = self.slot(Key::Tenant(fetch.tenant));
        if slot.valid(now).is_some() {
            slot.renewal_failed(now);
        }
    }

    pub(crate) fn ticket_set(&mut self, ticket: &str) {
        self.ticket = Some(ticket.to_owned());
        let app = self.slot(Key::App);
        app.in_flight.take_if(|fetch| fetch.kind == Kind::Ticket);
        app.failures = 0;
        app.not_before = (Duration::ZERO, "");
    }

    /// Accounts for the import of a token that expires at `expires`, or for an import that the session refused.
    pub(crate) fn imported(
        &mut self,
        tenant: usize,
        token: &str,
        expires: Duration,
        is_taken: bool,
    ) {
        let now = self.now;
        let slot = self.slot(Key::Tenant(tenant));
        let mut refused = slot.refused.iter().rev().enumerate().filter(|(_, it)| it.token == token);
        if !is_taken {
            assert!(
                refused.next().is_some(),
                "an import is refused although no call with its token was refused"
            );
            return;
        }
        let is_known = |(at, it): (usize, &Refused)| at < 8 && it.is_sure && now < it.expires;
        assert!(!refused.any(is_known), "a refused token is imported");
        if slot.valid(now).is_none() {
            slot.broke = None;
        }
        if slot.held.as_ref().is_none_or(|held| held.expires < expires) {
            let token = token.to_owned();
            slot.hold(Held {
                token,
                expires,
                trusted_until: Duration::ZERO,
                is_trust_unsure: false,
            });
            slot.replaces = false;
        }
    }

    /// Accounts for a call's own request. Returns the generation of the session's token, or 0 for a user's token.
    pub(crate) fn request_sent(&mut self, account: Account, route: Route, token: &str) -> u64 {
        let now = self.now;
        let quota = self.quota;
        self.gate(account, route).pass(now, quota);
        let Account::Own(tenant) = account else { return 0 };
        let slot = self.slot(Key::Tenant(tenant));
        if slot.is_unsure {
            return slot.generation;
        }
        let Some(held) = &slot.held else { panic!("a request has a token that was refused") };
        assert_eq!(held.token, token, "the request does not have the latest token");
        assert!(
            now < held.expires,
            "the request has a token that expired {:?} ago",
            now - held.expires
        );
        slot.generation
    }

    /// Accounts for a refusal of a call's own request.
    pub(crate) fn refused(
        &mut self,
        account: Account,
        route: Route,
        (generation, token): &(u64, String),
        error: &Error,
    ) {
        let now = self.now;
        let class = error.api().map(|api| api.code.class());
        if let (Account::Own(tenant), Advice::RenewToken) = (account, error.advice()) {
            let slot = self.slot(Key::Tenant(tenant));
            let held = slot.held.as_ref().filter(|_| slot.generation == *generation);
            // The session may have forgotten a token that has expired.
            let is_unsure = slot.is_unsure || held.is_some_and(|held| held.expires <= now);
            if class == Some(Class::AppToken) && (held.is_some() || is_unsure) {
                let app = self.slot(Key::App);
                app.is_unsure |= is_unsure;
                app.refuse(app.generation, "", now);
            }
            self.slot(Key::Tenant(tenant)).refuse(*generation, token, now);
        }
        let is_rate = is_route_limit(error) && class != Some(Class::DocumentBusy);
        if let (true, Advice::Again { after: Some(wait) }) = (is_rate, error.advice()) {
            // After a shorter wait, a gate may lower its rate without closing.
            if wait > SECOND {
                self.gate(account, route).close_until(now + wait.min(LONGEST_PAUSE));
            }
        }
    }
}

/// The secrets, or their first characters.
pub(crate) const SECRETS: [&str; 9] = [
    FakeLark::APP_SECRET,
    FakeLark::STORE_APP_SECRET,
    FakeLark::APP_TICKET,
    "t-e346617a4acfc3a11d4ed24d",
    "a-32bd8551db2f081cbfd26293",
    ODD_TENANT,
    ODD_APP,
    "u-user-",
    "t-import-",
];

/// The tokens of grants with a lifetime outside the documented range.
pub(crate) const ODD_TENANT: &str = "t-odd-one";
pub(crate) const ODD_APP: &str = "a-odd-one";

/// Whether the gateway refused the request because of the rate limit of its route, and not because of the limit of a
/// user or a group.
pub(crate) fn is_route_limit(error: &Error) -> bool {
    let code = error.api().map(|api| api.code);
    code == Some(Code::RATE_LIMITED) || error.status() == StatusCode::TOO_MANY_REQUESTS
}

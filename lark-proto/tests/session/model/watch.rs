//! The session's tokens and gates as the requests and replies on the wire imply them, and the rules that each request
//! has to keep. All times are the session's: how far the client's clock has gone forward.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Response, StatusCode};
use lark_proto::fake::{FakeLark, Route};
use lark_proto::{
    Advice, AppTicketResend, AppTokenRequest, Class, Code, EndpointExt, Error, FetchId,
    TenantTokenRequest,
};

use super::work::{Account, TENANTS};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// A token is renewed when it has no more than this left.
const WINDOW: Duration = Duration::from_secs(29 * 60);
/// The session takes a token request for lost after this time.
const LAPSES: Duration = Duration::from_secs(61);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// The store app's own token.
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

/// The session's knowledge of one token.
#[derive(Debug, Default)]
struct Slot {
    held: Option<Held>,
    generation: u64,
    /// The last refused token and its end; the grant that replaces it is trusted for a minute.
    refused: Option<(String, Duration)>,
    replaces: bool,
    /// The session may know better.
    is_replaces_unsure: bool,
    in_flight: Option<Fetch>,
    /// No request before this time, and the reason.
    not_before: (Duration, &'static str),
    /// No renewal before this time.
    renew_after: Duration,
    /// The failed requests of the series.
    failures: u32,
    /// A reply came when the session may or may not have taken its request for lost.
    is_unsure: bool,
    /// A token that is granted or imported before this time does not end that.
    unsure_until: Duration,
}

#[derive(Clone, Debug)]
struct Held {
    token: String,
    ends: Duration,
    trusted_until: Duration,
    /// The refused token had reached its end, so the session may have forgotten it.
    is_trust_unsure: bool,
}

#[derive(Clone, Debug)]
struct Fetch {
    id: FetchId,
    kind: Kind,
    sent: Duration,
    /// The ticket of a request for the app's token, and the generation of the app's token in a request for a tenant's.
    ticket: String,
    generation: u64,
}

impl Slot {
    fn good(&self, now: Duration) -> Option<&Held> {
        self.held.as_ref().filter(|held| now < held.ends)
    }

    fn hold(&mut self, token: String, ends: Duration, trusted_until: Duration, now: Duration) {
        self.held = Some(Held { token, ends, trusted_until, is_trust_unsure: false });
        self.generation += 1;
        self.failures = 0;
        self.not_before = (Duration::ZERO, "");
        self.is_replaces_unsure |= self.is_unsure;
        self.is_unsure = now < self.unsure_until;
    }

    /// The service refused the token of `generation`. False if the token is so new that the service is wrong.
    fn refuse(&mut self, generation: u64, now: Duration) -> bool {
        if generation != self.generation {
            return true;
        }
        match self.held.take() {
            Some(held) if now < held.trusted_until => {
                if held.is_trust_unsure {
                    self.is_unsure = true;
                    self.unsure_until = now + 10 * MINUTE;
                }
                self.held = Some(held);
                false
            }
            Some(held) => {
                self.refused = Some((held.token, held.ends));
                self.replaces = true;
                true
            }
            None => true,
        }
    }

    fn failed(&mut self, now: Duration, setback: Setback) {
        let is_good = self.good(now).is_some();
        if is_good {
            self.renew_after = now + MINUTE;
        }
        let longest = Duration::from_secs(120);
        self.not_before = match setback {
            Setback::Told(wait) => (now + wait.min(longest), "the route was told to wait"),
            Setback::Asked => (now + Duration::from_secs(300), "the ticket was asked for"),
            Setback::Refused if !is_good => {
                (now + Duration::from_secs(5), "the request was refused for good")
            }
            Setback::Failed if !is_good => {
                self.failures = (self.failures + 1) % 4;
                let wait = Duration::from_millis(if self.failures == 0 { 0 } else { 250 });
                (now + wait, "the last request failed")
            }
            Setback::Refused | Setback::Failed => (Duration::ZERO, ""),
        };
    }
}

#[derive(Clone, Copy, Debug)]
enum Setback {
    Failed,
    Told(Duration),
    Refused,
    Asked,
}

/// The rate of one route for one token.
#[derive(Debug, Default)]
struct Gate {
    closed_until: Duration,
    sent: VecDeque<Duration>,
}

/// The most requests per second and per minute.
pub(crate) type Rate = (usize, usize);

#[derive(Debug)]
pub(crate) struct Watch {
    last: SystemTime,
    now: Duration,
    is_store: bool,
    slots: BTreeMap<Key, Slot>,
    ticket: Option<String>,
    gates: BTreeMap<(String, &'static str), Gate>,
    quota: Option<Rate>,
    /// When a call of this tenant last sent this kind of request while the tenant's token was good.
    renewals: BTreeMap<(usize, Kind), Duration>,
}

impl Watch {
    pub(crate) fn new(clock: SystemTime, is_store: bool, quota: Option<Rate>) -> Self {
        Self {
            last: clock,
            now: Duration::ZERO,
            is_store,
            slots: BTreeMap::new(),
            ticket: None,
            gates: BTreeMap::new(),
            quota,
            renewals: BTreeMap::new(),
        }
    }

    /// The session sees the client's clock.
    pub(crate) fn sees(&mut self, clock: SystemTime) -> Duration {
        self.now += clock.duration_since(self.last).unwrap_or_default();
        self.last = clock;
        self.now
    }

    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    fn slot(&mut self, key: Key) -> &mut Slot {
        self.slots.entry(key).or_default()
    }

    /// Whether the session has a token for the tenant; `None` if the model cannot tell.
    pub(crate) fn has_token(&self, tenant: usize) -> Option<bool> {
        let Some(slot) = self.slots.get(&Key::Tenant(tenant)) else { return Some(false) };
        (!slot.is_unsure).then(|| slot.good(self.now).is_some())
    }

    /// The token that the session has for the tenant.
    pub(crate) fn token(&self, key: Key) -> Option<&str> {
        Some(self.slots.get(&key)?.held.as_ref()?.token.as_str())
    }

    /// A call of `tenant` sends a token request.
    pub(crate) fn fetch_sent(&mut self, id: FetchId, tenant: usize, route: Route, body: &Bytes) {
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
        let mut generation = 0;
        match route {
            Route::StoreTenantAccessToken => {
                let app = self.slot(Key::App);
                generation = app.generation;
                if !app.is_unsure {
                    let token = app.good(now).map(|held| held.token.clone());
                    assert_eq!(token, Some(text("app_access_token")), "not the app's latest token");
                }
            }
            Route::AppAccessToken | Route::AppTicketResend if self.slot(Key::App).is_unsure => {
                self.ticket = Some(text("app_ticket")).filter(|ticket| !ticket.is_empty());
            }
            Route::AppAccessToken => {
                assert_eq!(self.ticket, Some(text("app_ticket")), "not the latest ticket");
            }
            Route::AppTicketResend => {
                assert_eq!(self.ticket, None, "a ticket asked for while there is one");
            }
            _ => {}
        }
        if let Key::Tenant(of) = key {
            assert_eq!(of, tenant, "a call of one tenant asks for another's token");
        }
        if self.has_token(tenant) == Some(true) {
            let renewal = self.renewals.insert((tenant, kind), now);
            let is_early = renewal.is_some_and(|last| now < last + MINUTE);
            assert!(!is_early, "two renewals within a minute: {kind:?} for {tenant}");
        }
        let slot = self.slot(key);
        if !slot.is_unsure {
            let in_flight = slot.in_flight.as_ref().filter(|other| now < other.sent + LAPSES);
            assert!(in_flight.is_none(), "two token requests in flight: {key:?}, {in_flight:?}");
            if let Some(held) = slot.good(now) {
                let left = held.ends - now;
                assert!(left <= WINDOW, "{key:?} is renewed while it is good for {left:?}");
                assert!(now >= slot.renew_after, "{key:?} is renewed twice within a minute");
            }
            if slot.in_flight.is_some() {
                // The session has taken it for lost.
                let renew_after = slot.renew_after;
                slot.failed(now, Setback::Failed);
                slot.renew_after = renew_after;
            } else {
                let (time, reason) = slot.not_before;
                assert!(now >= time, "a request for {key:?} is {:?} early: {reason}", time - now);
            }
        }
        let sent = Fetch { id, kind, sent: now, ticket: text("app_ticket"), generation };
        slot.not_before = (Duration::ZERO, "");
        slot.in_flight = Some(sent);
    }

    /// A token request is over. `None` if the session may have taken it for lost.
    fn over(&mut self, id: FetchId) -> Option<(Key, Fetch)> {
        let now = self.now;
        let is = |slot: &Slot| slot.in_flight.as_ref().is_some_and(|fetch| fetch.id == id);
        let (key, slot) = self.slots.iter_mut().find(|(_, slot)| is(slot))?;
        let (key, fetch) = (*key, slot.in_flight.take()?);
        if now >= fetch.sent + LAPSES {
            // The reply may also be about the app's token.
            self.slot(key).is_unsure = true;
            self.slot(Key::App).is_unsure = true;
            return None;
        }
        Some((key, fetch))
    }

    /// The session takes a token request for lost, or has done so.
    pub(crate) fn is_lost(&self, id: FetchId) -> bool {
        let mut in_flight = self.slots.values().filter_map(|slot| slot.in_flight.as_ref());
        !in_flight.any(|fetch| fetch.id == id && self.now < fetch.sent + LAPSES)
    }

    pub(crate) fn fetch_dropped(&mut self, id: FetchId) {
        let Some((key, _)) = self.over(id) else { return };
        let now = self.now;
        let slot = self.slot(key);
        if slot.good(now).is_some() {
            slot.renew_after = now + MINUTE;
        }
    }

    pub(crate) fn fetch_broken(&mut self, id: FetchId, is_permanent: bool) {
        let Some((key, _)) = self.over(id) else { return };
        let now = self.now;
        let setback = if is_permanent { Setback::Refused } else { Setback::Failed };
        self.slot(key).failed(now, setback);
    }

    pub(crate) fn fetch_reply(&mut self, id: FetchId, reply: &Response<Bytes>) {
        let Some((key, fetch)) = self.over(id) else { return };
        let now = self.now;
        let granted = match fetch.kind {
            Kind::Tenant => TenantTokenRequest::decode(reply.clone())
                .map(|it| (it.token.expose_secret().to_owned(), it.expires_in)),
            Kind::App => AppTokenRequest::decode(reply.clone())
                .map(|it| (it.token.expose_secret().to_owned(), it.expires_in)),
            Kind::Ticket => match AppTicketResend::decode(reply.clone()) {
                Ok(()) => return self.slot(key).failed(now, Setback::Asked),
                Err(error) => Err(error),
            },
        };
        let error = match granted {
            Ok((token, life)) => {
                let slot = self.slot(key);
                let in_a_minute = fetch.sent + MINUTE;
                let is_old = slot.refused.as_ref().is_some_and(|(_, ends)| *ends <= now);
                let is_unsure = slot.is_unsure || slot.is_replaces_unsure;
                let replaces = std::mem::take(&mut slot.replaces);
                let may_replace = replaces || is_unsure;
                let trusted_until = if may_replace { in_a_minute } else { Duration::ZERO };
                slot.hold(token, fetch.sent + life.max(MINUTE), trusted_until, now);
                slot.is_replaces_unsure = false;
                if let Some(held) = &mut slot.held {
                    held.is_trust_unsure = is_unsure || is_old;
                }
                slot.renew_after = in_a_minute;
                return;
            }
            Err(error) => error,
        };
        let code = error.api().map(|api| api.code);
        let by_app_token = self.is_store && code.map(Code::class) == Some(Class::AppToken);
        match fetch.kind {
            Kind::Tenant if by_app_token => {
                let app = self.slot(Key::App);
                let is_gone = app.refuse(fetch.generation, now);
                if app.is_unsure {
                    self.slot(key).is_unsure = true;
                    return;
                }
                if is_gone {
                    return self.forget_renewals();
                }
            }
            Kind::App if code == Some(Code::APP_TOKEN_FAILED) => {
                self.ticket = self.ticket.take().filter(|ticket| *ticket != fetch.ticket);
                self.slot(Key::App).renew_after = Duration::ZERO;
                return self.forget_renewals();
            }
            _ => {}
        }
        let setback = match (&error, error.advice()) {
            (_, Advice::Again { after: Some(wait) }) if !wait.is_zero() => Setback::Told(wait),
            (Error::Api(_), Advice::GiveUp) => Setback::Refused,
            _ => Setback::Failed,
        };
        self.slot(key).failed(now, setback);
    }

    /// An obstacle is gone: the same kind of request may be sent at once.
    fn forget_renewals(&mut self) {
        self.renewals.clear();
    }

    pub(crate) fn ticket_set(&mut self, ticket: &str) {
        self.ticket = Some(ticket.to_owned());
        let app = self.slot(Key::App);
        app.failures = 0;
        app.not_before = (Duration::ZERO, "");
        self.forget_renewals();
    }

    /// A token was imported that is good until `ends`; or the session did not take it, having refused it.
    pub(crate) fn imported(&mut self, tenant: usize, token: &str, ends: Duration, is_taken: bool) {
        let now = self.now;
        let slot = self.slot(Key::Tenant(tenant));
        if !is_taken {
            let refused = slot.refused.as_ref().map(|(token, _)| token.as_str());
            let is_refused = refused == Some(token) || slot.is_unsure;
            assert!(is_refused, "an import is refused though the service did not refuse the token");
            return;
        }
        if slot.held.as_ref().is_none_or(|held| held.ends < ends) {
            let is_unsure = slot.is_unsure;
            slot.hold(token.to_owned(), ends, Duration::ZERO, now);
            slot.is_unsure |= is_unsure;
        }
        self.forget_renewals();
    }

    /// A call sends its own request. Returns the token's generation.
    pub(crate) fn request_sent(&mut self, account: Account, route: Route, token: &str) -> u64 {
        let now = self.now;
        let quota = self.quota;
        let gate = self.gates.entry((gate(account), route.path())).or_default();
        assert!(now >= gate.closed_until, "sent {:?} too early", gate.closed_until - now);
        gate.sent.push_back(now);
        while gate.sent.front().is_some_and(|sent| *sent + MINUTE < now) {
            gate.sent.pop_front();
        }
        if let Some((second, minute)) = quota {
            let last = gate.sent.iter().filter(|sent| **sent + SECOND > now).count();
            assert!(last <= second, "{last} requests in a second");
            assert!(gate.sent.len() <= minute, "{} requests in a minute", gate.sent.len());
        }
        let Account::Own(tenant) = account else { return 0 };
        let slot = self.slot(Key::Tenant(tenant));
        if slot.is_unsure {
            return slot.generation;
        }
        let Some(held) = &slot.held else { panic!("a request with a token that was refused") };
        assert_eq!(held.token, token, "not the latest token");
        assert!(now < held.ends, "a token {:?} past its end", now - held.ends);
        slot.generation
    }

    /// The service refused a request.
    pub(crate) fn refused(
        &mut self,
        account: Account,
        route: Route,
        generation: u64,
        error: &Error,
    ) {
        let now = self.now;
        let class = error.api().map(|api| api.code.class());
        if let (Account::Own(tenant), Advice::Renew) = (account, error.advice()) {
            let slot = self.slot(Key::Tenant(tenant));
            let held = slot.held.as_ref().filter(|_| slot.generation == generation);
            // The session may have forgotten a token that has reached its end.
            let is_old = held.is_some_and(|held| held.ends <= now);
            if class == Some(Class::AppToken) && held.is_some() {
                let app = self.slot(Key::App);
                app.is_unsure |= is_old;
                app.refuse(app.generation, now);
            }
            self.slot(Key::Tenant(tenant)).refuse(generation, now);
        }
        let code = error.api().map(|api| api.code);
        let is_rate = code == Some(Code::RATE_LIMITED)
            || error.status() == StatusCode::TOO_MANY_REQUESTS
                && class != Some(Class::DocumentBusy);
        if let (true, Advice::Again { after: Some(wait) }) = (is_rate, error.advice()) {
            // After a shorter wait the gate may only lower its rate.
            if wait > SECOND {
                let gate = self.gates.entry((gate(account), route.path())).or_default();
                let closes = now + wait.min(Duration::from_secs(120));
                gate.closed_until = gate.closed_until.max(closes);
            }
        }
    }
}

fn gate(account: Account) -> String {
    format!("{account:?}")
}

/// Secrets, or how they begin.
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

/// The tokens of odd grants.
pub(crate) const ODD_TENANT: &str = "t-odd-one";
pub(crate) const ODD_APP: &str = "a-odd-one";

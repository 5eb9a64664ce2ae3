//! What must not be, judged by what is sent and what comes back, with a reckoning of its own.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Response;
use lark_proto::fake::Route;

const MINUTE: Duration = Duration::from_secs(60);
const HALF_HOUR: Duration = Duration::from_secs(1800);

/// A token as the session must hold it.
#[derive(Debug)]
struct Held {
    token: String,
    /// Counts the grants.
    number: u64,
    /// By the time that the client's clock went forward.
    ends: Duration,
    /// By the highest that it showed.
    ends_high: SystemTime,
    sent: Duration,
    refused: bool,
    /// Granted again after a refusal.
    confirmed: bool,
}

#[derive(Debug)]
pub(crate) struct Watch {
    last: SystemTime,
    highest: SystemTime,
    forward: Duration,
    held: Option<Held>,
    grants: u64,
    fetching: bool,
    /// Nothing may go there before.
    closed: BTreeMap<&'static str, Duration>,
}

/// What a request was sent with.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    route: Route,
    sent: Duration,
    sent_high: SystemTime,
    grant: u64,
}

/// What a reply was, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Nothing,
    Granted,
    TokenRefused,
}

fn name(route: Route) -> &'static str {
    match route {
        Route::ImageV4Put => "put",
        Route::ImV1Images => "once",
        Route::ValuesImage => "write",
        _ => "token",
    }
}

impl Watch {
    pub(crate) fn new(clock: SystemTime) -> Self {
        Self {
            last: clock,
            highest: clock,
            forward: Duration::ZERO,
            held: None,
            grants: 0,
            fetching: false,
            closed: BTreeMap::new(),
        }
    }

    /// The session is shown the client's clock.
    pub(crate) fn sees(&mut self, clock: SystemTime) {
        self.forward += clock.duration_since(self.last).unwrap_or_default();
        self.last = clock;
        self.highest = self.highest.max(clock);
    }

    fn ticket(&self, route: Route, grant: u64) -> Ticket {
        Ticket { route, sent: self.forward, sent_high: self.highest, grant }
    }

    /// One at a time, and only for want of a good token or in the last half hour of one.
    pub(crate) fn fetch_sent(&mut self) -> Ticket {
        assert!(!self.fetching, "two fetches at once");
        self.fetching = true;
        if let Some(held) = self.held.as_ref().filter(|_| self.has_token()) {
            let left = held.ends.saturating_sub(self.forward);
            let due = left <= HALF_HOUR && self.forward >= held.sent + MINUTE;
            assert!(due, "a fetch with a token good for {left:?}");
        }
        self.ticket(Route::TenantAccessToken, 0)
    }

    /// With the token at hand, before its end, and not while the route is closed.
    pub(crate) fn request_sent(&mut self, route: Route, token: &str) -> Ticket {
        let held = self.held.as_ref().expect("a token from nowhere");
        assert_eq!(token, held.token, "not the latest token");
        assert!(self.forward < held.ends, "a token past its end");
        assert!(self.highest < held.ends_high, "a token past its end by the highest clock");
        assert!(!held.refused, "a token that was refused");
        let closed = self.closed.get(name(route)).copied().unwrap_or_default();
        assert!(self.forward >= closed, "sent while calls to the route were told to wait");
        self.ticket(route, held.number)
    }

    /// The request was cut off, or its call given up.
    pub(crate) fn lost(&mut self, ticket: &Ticket) {
        if ticket.route == Route::TenantAccessToken {
            self.fetching = false;
        }
    }

    /// A reply, of a call that waits no longer than `longest` at a time.
    pub(crate) fn reply(
        &mut self,
        ticket: &Ticket,
        reply: &Response<Bytes>,
        longest: Duration,
    ) -> Heard {
        self.lost(ticket);
        let json = serde_json::from_slice::<serde_json::Value>(reply.body()).unwrap_or_default();
        let code = json["code"].as_i64();
        if ticket.route == Route::TenantAccessToken {
            if let (Some(0), Some(token)) = (code, json["tenant_access_token"].as_str()) {
                self.granted(ticket, token, json["expire"].as_f64().unwrap_or(0.0));
                return Heard::Granted;
            }
            return Heard::Nothing;
        }
        if code == Some(99_991_400) {
            let wait = reply.headers().get("x-ogw-ratelimit-reset");
            let wait = wait.and_then(|it| it.to_str().ok()?.parse::<f64>().ok()).unwrap_or(0.0);
            let wait = Duration::from_secs_f64(wait.max(0.0).min(longest.as_secs_f64()));
            let closed = self.closed.entry(name(ticket.route)).or_default();
            *closed = (*closed).max(self.forward + wait);
        }
        if !matches!(code, Some(99_991_663..=99_991_665)) {
            return Heard::Nothing;
        }
        if let Some(held) = self.held.as_mut().filter(|held| held.number == ticket.grant) {
            let confirmed = held.confirmed && self.forward < held.sent + Duration::from_secs(60);
            held.refused = !confirmed;
        }
        Heard::TokenRefused
    }

    fn granted(&mut self, ticket: &Ticket, token: &str, expire: f64) {
        let life = Duration::from_secs_f64(expire.clamp(60.0, 7200.0));
        let before = self.held.take().filter(|held| held.refused);
        self.grants += 1;
        self.held = Some(Held {
            token: token.to_owned(),
            number: self.grants,
            ends: ticket.sent + life,
            ends_high: ticket.sent_high + life,
            sent: ticket.sent,
            refused: false,
            confirmed: before.is_some_and(|before| before.token == token),
        });
    }

    /// There is a token to go on with.
    pub(crate) fn has_token(&self) -> bool {
        self.held.as_ref().is_some_and(|held| self.forward < held.ends && !held.refused)
    }

    /// The token that the session has now.
    pub(crate) fn token(&self) -> Option<&str> {
        self.held.as_ref().map(|held| held.token.as_str())
    }
}

//! What happens beside the calls: time, clocks, the service's whims, tickets and imported tokens.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Response;
use lark_proto::error::InvalidKind;
use lark_proto::fake::{FakeLark, Fault, Route, TokenKind};
use lark_proto::session::{Call, Step};
use lark_proto::values::AppTicket;
use lark_proto::{Image, PutImage};

use super::super::watch::Key;
use super::super::work::tenant;
use super::{State, World, assert_discreet, route, session};
use crate::sim::Cut;

impl World<'_> {
    /// Time passes for everybody.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.real += time;
        self.clock += time;
        for at in self.live.clone() {
            let (keeps, real) = (self.setup.keeps, self.real);
            let task = &mut self.tasks[at];
            match &task.state {
                State::Waiting(until) if *until <= real => {
                    task.ready_since = task.told;
                    task.state = State::Ready;
                }
                State::InFlight(exchange)
                    if keeps && exchange.fetch.is_some() && exchange.until <= real =>
                {
                    let is_frozen = task.is_frozen;
                    if !is_frozen {
                        let exchange = self.take_exchange(at);
                        self.kept.push(exchange);
                    }
                }
                _ => {}
            }
        }
    }

    /// The time of the next step that a waiting call takes by itself.
    pub(crate) fn next_due(&self) -> Option<SystemTime> {
        let due = self.live.iter().filter_map(|&at| match &self.tasks[at].state {
            State::Waiting(until) => Some(*until),
            _ => None,
        });
        due.min()
    }

    /// Time passes until a waiting call takes a step by itself.
    pub(crate) fn pass_to_next(&mut self) {
        if let Some(due) = self.next_due() {
            self.pass(due.duration_since(self.real).unwrap_or_default());
        }
    }

    /// The client's clock is set.
    pub(crate) fn set_clock(&mut self, seconds: i64) {
        let by = Duration::from_secs(seconds.unsigned_abs());
        let set = if seconds < 0 { self.clock.checked_sub(by) } else { self.clock.checked_add(by) };
        self.clock = set.unwrap_or(self.clock);
    }

    pub(crate) fn fail(&mut self, route: Route, fault: Fault) {
        self.faults.push((route, fault));
    }

    /// The spreadsheet answers busy for this time.
    pub(crate) fn busy(&mut self, sheet: usize, time: Duration, code: i64, after: Option<u64>) {
        self.lanes[sheet].busy = Some((self.real + time, code, after));
    }

    /// The service forgets the tokens of a kind.
    pub(crate) fn revoke(&mut self, kind: TokenKind) {
        self.lark.revoke_tokens(kind);
    }

    /// The service forgets the one token that the session holds.
    pub(crate) fn revoke_held(&mut self, tenant: usize) {
        if let Some(token) = self.watch.token(Key::Tenant(tenant)) {
            self.lark.add_token(TokenKind::Tenant, token, UNIX_EPOCH);
        }
    }

    /// The event with the ticket arrives, or one with a ticket that is not the latest.
    pub(crate) fn set_ticket(&mut self, is_latest: bool) {
        let ticket = if is_latest { self.lark.app_ticket() } else { FakeLark::APP_TICKET };
        self.watch.ticket_set(ticket);
        self.session.set_app_ticket(AppTicket::new(ticket).unwrap());
        self.wake();
    }

    /// A token that another process got, good for `life`, or one from before.
    pub(crate) fn import(&mut self, tenant: usize, life: u64, is_old: bool) {
        let tenant = if self.setup.is_store { tenant } else { 0 };
        if !is_old || self.exports.is_empty() {
            self.export(tenant, life);
        }
        let place = self.dice.below(u64::try_from(self.exports.len()).unwrap());
        let place = if is_old { usize::try_from(place).unwrap() } else { self.exports.len() };
        let export = self.exports.get(place).or(self.exports.last()).cloned();
        let Some((number, text, token, ends)) = export else { return };
        let now = self.watch.sees(self.clock);
        let key = self.setup.is_store.then(|| self::tenant(number));
        let left = ends.duration_since(self.clock).unwrap_or_default();
        let ends = now + left.min(Duration::from_secs(7200));
        match self.session.import_token(self.clock, self.clock, key.as_ref(), &text) {
            Ok(()) => self.watch.imported(number, &token, ends, true),
            Err(error) if error.kind() == InvalidKind::ExpiredToken => {
                assert!(left.is_zero(), "{error}");
            }
            Err(error) => {
                assert_eq!(error.kind(), InvalidKind::RefusedToken);
                assert_discreet(&error);
                self.watch.imported(number, &token, ends, false);
            }
        }
        self.wake();
    }

    /// Has another session of the app get a token and export it.
    fn export(&mut self, tenant: usize, life: u64) {
        let token = format!("t-import-{}", self.exports.len());
        let mut donor = session(self.setup.is_store);
        donor.set_app_ticket(AppTicket::new("ticket").unwrap());
        let put = PutImage::message(Image::new("GIF89a").unwrap()).unwrap();
        let key = self.setup.is_store.then(|| self::tenant(tenant));
        let mut call = match &key {
            Some(key) => Call::<_, Cut>::for_tenant(key.clone(), &put),
            None => Call::new(&put),
        };
        for _ in 0..2 {
            let Step::Send(outgoing) = call.next(&mut donor, self.clock) else { return };
            let reply = if route(outgoing.request.uri().path()) == Route::AppAccessToken {
                r#"{"code":0,"app_access_token":"a-donor","expire":7200}"#.to_owned()
            } else {
                format!(r#"{{"code":0,"tenant_access_token":"{token}","expire":{life}}}"#)
            };
            let parsed = call.read(Response::new(reply.into()));
            call.received(&mut donor, self.clock, parsed);
            if let Some(text) = donor.export_token(self.clock, self.clock, key.as_ref()) {
                let since = self.clock.duration_since(UNIX_EPOCH).unwrap_or_default();
                let life = Duration::from_secs(life.clamp(60, 7200));
                let ends = UNIX_EPOCH + Duration::from_secs((since + life).as_secs());
                self.lark.add_token(TokenKind::Tenant, &token, self.real + life);
                return self.exports.push((tenant, text, token, ends));
            }
        }
    }
}

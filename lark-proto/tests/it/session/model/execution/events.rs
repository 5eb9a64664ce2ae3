//! The events beside the steps of the calls: time, clocks, faults, tickets and imported tokens.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lark_proto::error::InvalidKind;
use lark_proto::fake::{FakeLark, Fault, Route, TokenKind};
use lark_proto::values::{AppTicket, TenantKey};

use super::super::ledger::Key;
use super::super::work::TENANTS;
use super::{Execution, Export, State};
use crate::fixtures::{self, custom, with_ticket};

impl Execution<'_> {
    /// Lets time pass by both clocks.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.real += time;
        self.clock += time;
        for at in self.live.clone() {
            let keeps = self.setup.keeps;
            let real = self.real;
            let task = &mut self.tasks[at];
            match &task.state {
                State::Waiting(until) if *until <= real => {
                    task.ready_since = task.wait_ends;
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

    /// The time at which the next wait ends.
    pub(crate) fn next_due(&self) -> Option<SystemTime> {
        let due = self.live.iter().filter_map(|&at| match &self.tasks[at].state {
            State::Waiting(until) => Some(*until),
            _ => None,
        });
        due.min()
    }

    /// Lets time pass until the next wait ends.
    pub(crate) fn pass_to_next(&mut self) {
        if let Some(due) = self.next_due() {
            self.pass(due.duration_since(self.real).unwrap_or_default());
        }
    }

    /// Lets time pass until the call no longer waits for the reply to its request, and reports that.
    pub(crate) fn pass_to_timeout(&mut self, at: usize) {
        let State::InFlight(exchange) = &self.tasks[at].state else { return };
        self.pass(exchange.until.duration_since(self.real).unwrap_or_default());
        if matches!(self.tasks[at].state, State::InFlight(_)) {
            self.deliver(at);
        }
    }

    /// Lets the calls that took no steps take steps again.
    pub(crate) fn thaw(&mut self) {
        for task in &mut self.tasks {
            task.is_frozen = false;
        }
        self.pass(Duration::ZERO);
    }

    /// Sets the client's clock forward or back.
    pub(crate) fn set_clock(&mut self, seconds: i64) {
        let by = Duration::from_secs(seconds.unsigned_abs());
        let set = if seconds < 0 { self.clock.checked_sub(by) } else { self.clock.checked_add(by) };
        self.clock = set.unwrap_or(self.clock);
    }

    pub(crate) fn fail(&mut self, route: Route, fault: Fault) {
        self.faults.push((route, fault));
    }

    /// Has the spreadsheet answer as busy for this time.
    pub(crate) fn busy(&mut self, sheet: usize, time: Duration, code: i64, after: Option<u64>) {
        self.lanes[sheet].busy = Some((self.real + time, code, after));
    }

    /// Has the service forget the tokens of a kind.
    pub(crate) fn revoke(&mut self, kind: TokenKind) {
        self.lark.revoke_tokens(kind);
    }

    /// Has the service forget only the token that the session holds.
    pub(crate) fn revoke_held(&mut self, tenant: usize) {
        if let Some(token) = self.ledger.token(Key::Tenant(tenant)) {
            self.lark.add_token(TokenKind::Tenant, token, UNIX_EPOCH);
        }
    }

    /// The event with the latest ticket arrives, or one with an old ticket.
    pub(crate) fn set_ticket(&mut self, is_latest: bool) {
        let ticket = if is_latest { self.lark.app_ticket() } else { FakeLark::APP_TICKET };
        self.ledger.ticket_set(ticket);
        self.session.set_app_ticket(AppTicket::new(ticket).unwrap());
        self.wake();
    }

    /// Imports a token that another process has fetched and that lasts for `life` seconds, or one of the tokens
    /// imported before.
    pub(crate) fn import(&mut self, tenant: usize, life: u64, is_old: bool) {
        let tenant = if self.setup.is_store { tenant } else { 0 };
        if !is_old || self.exports.is_empty() {
            self.export(tenant, life);
        }
        let place = self.random.below(u64::try_from(self.exports.len()).unwrap());
        let place = if is_old { usize::try_from(place).unwrap() } else { self.exports.len() };
        let export = self.exports.get(place).or(self.exports.last()).cloned();
        let Some(Export { tenant, text, token, expires }) = export else { return };
        let now = self.ledger.sees(self.clock);
        let key = self.key(tenant);
        let left = expires.duration_since(self.clock).unwrap_or_default();
        let expires = now + left.min(Duration::from_secs(7200));
        match self.session.import_token(self.clock, self.clock, key.as_ref(), &text) {
            Ok(()) => self.ledger.imported(tenant, &token, expires, true),
            Err(error) if error.kind() == InvalidKind::ExpiredToken => {
                assert!(left.is_zero(), "{error}");
            }
            Err(error) => {
                assert_eq!(error.kind(), InvalidKind::RefusedToken);
                self.setup.assert_discreet(&error);
                self.ledger.imported(tenant, &token, expires, false);
            }
        }
        self.wake();
    }

    /// Has another session of the app get a token and export it.
    fn export(&mut self, tenant: usize, life: u64) {
        let token = format!("t-import-{}", self.exports.len());
        let key = self.key(tenant);
        let donor = if self.setup.is_store { with_ticket() } else { custom() };
        let text = fixtures::export(donor, self.clock, key.as_ref(), &token, life);
        let Some(text) = text else { return };
        let since = self.clock.duration_since(UNIX_EPOCH).unwrap_or_default();
        let life = Duration::from_secs(life.clamp(60, 7200));
        let expires = UNIX_EPOCH + Duration::from_secs((since + life).as_secs());
        self.lark.add_token(TokenKind::Tenant, &token, self.real + life);
        self.exports.push(Export { tenant, text, token, expires });
    }

    /// The key of a tenant, if the app is a store app.
    fn key(&self, tenant: usize) -> Option<TenantKey> {
        self.setup.is_store.then(|| fixtures::tenant(TENANTS[tenant]))
    }
}

//! Schedules in which the model found a fault of the session.

use std::time::Duration;

use lark_proto::fake::TokenKind;

use super::Action::*;
use super::execution::Setup;
use super::work::{Account, Bounds, Kind, Plan};
use super::{Action, run};

const SETUP: Setup = Setup {
    is_store: false,
    has_ticket: false,
    keeps: false,
    quota: None,
    pokes: 1,
    reads_texts: true,
    seed: 0,
};

fn put(account: Account) -> Plan {
    let bounds = Bounds {
        attempts: 4,
        total: None,
        longest_wait: Duration::from_secs(60),
        busy: Duration::from_secs(120),
    };
    Plan { kind: Kind::Put, account, bounds }
}

const fn pass(seconds: u64) -> Action {
    Pass(Duration::from_secs(seconds))
}

/// The session had forgotten the expired token, and renewed the imported one before a minute was over.
#[test]
fn an_imported_token_is_not_renewed_within_a_minute_of_a_failed_renewal() {
    let actions = [
        Start,
        Import(0, 30, false),
        pass(17),
        Start,
        Start,
        Cut(1, 0, false, false),
        pass(43),
        Import(0, 30, false),
    ];
    let plans = [Account::User(0), Account::Own(0), Account::Own(0), Account::Own(0)].map(put);
    run(SETUP, &plans, &actions);
}

/// The app's token was refused while the session requested the ticket for its renewal, and the session did not wake the
/// third call of the queue.
#[test]
fn a_refused_app_token_ends_the_calls_that_do_not_wait_for_a_ticket() {
    let setup = Setup { is_store: true, has_ticket: true, ..SETUP };
    let actions = [
        Start,
        Start,
        Deliver(2),
        Drop(0, false),
        pass(5399),
        Revoke(TokenKind::App),
        RenewTicket,
        Cut(0, 0, false, false),
        Start,
        Step(0),
        Start,
        Start,
        pass(299),
        Cut(0, 0, false, false),
        Start,
        Start,
        Drop(5, false),
        Start,
        Deliver(0),
        PassToNext,
        Step(2),
        Step(0),
        Deliver(1),
        Step(1),
        Deliver(0),
    ];
    let own = put(Account::Own(0));
    let user = Plan { kind: Kind::Write(0), ..put(Account::User(0)) };
    let plans = [own, user, own, own, own, own, put(Account::Own(1))];
    run(setup, &plans, &actions);
}

//! The export of a token as a text, and its import into another session.

mod clocks;
mod refusals;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lark_proto::body::Body;
use lark_proto::error::InvalidKind;
use lark_proto::fake::{FakeLark, Route};
use lark_proto::session::{Call, Session, Step};
use lark_proto::{App, ImageKey, Site};

use crate::fixtures::{
    ONE, Uploaded, call as upload, call_for, custom, granted, store, tenant, with_ticket,
};
use crate::sim::Cut;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

/// Runs a call, which does not have to wait, to its end at `now`.
fn finish(
    call: &mut Call<ImageKey, Cut>,
    session: &mut Session,
    lark: &mut FakeLark,
    now: SystemTime,
) -> Uploaded {
    for _ in 0..9 {
        match call.next(session, now) {
            Step::Send(outgoing) => {
                let reply = lark.handle(now, outgoing.request.map(Body::into_bytes));
                let parsed = call.read(reply);
                call.received(session, now, parsed);
            }
            Step::Done(outcome) => return outcome,
            step => panic!("{step:?}"),
        }
    }
    panic!("the call has not ended after nine steps")
}

fn call(session: &mut Session, lark: &mut FakeLark, now: SystemTime) {
    finish(&mut upload(), session, lark, now).unwrap();
}

/// The text of a token that was fetched at `at(0)`.
fn exported(lark: &mut FakeLark) -> String {
    let mut session = custom();
    call(&mut session, lark, at(0));
    session.export_token(at(0), at(0), None).unwrap()
}

/// The token of the last request.
fn last_token(lark: &FakeLark) -> &str {
    lark.requests().last().unwrap().token.as_deref().unwrap()
}

/// The first step of a call.
#[derive(Debug, PartialEq, Eq)]
enum First {
    Fetch,
    Send,
    Wait,
}

fn first_of(call: &mut Call<ImageKey, Cut>, session: &mut Session, now: SystemTime) -> First {
    match call.next(session, now) {
        Step::Send(outgoing) if outgoing.request.headers().contains_key("authorization") => {
            First::Send
        }
        Step::Send(_) => First::Fetch,
        Step::Wait(_) => First::Wait,
        step => panic!("{step:?}"),
    }
}

/// The first step of a call that is dropped after it.
fn first(session: &mut Session, now: SystemTime) -> First {
    let mut call = upload();
    let first = first_of(&mut call, session, now);
    let drives = call.token_request();
    call.cancel(session);
    if let Some(request) = drives {
        session.token_dropped(request, now);
    }
    first
}

#[test]
fn an_imported_token_needs_no_token_request() {
    let mut lark = FakeLark::new();
    let text = exported(&mut lark);
    let token = last_token(&lark).to_owned();
    for text in [text.clone(), format!("{text}\n"), format!(" \t{text}\r\n")] {
        let mut other = custom();
        other.import_token(at(1), at(1), None, &text).unwrap();
        call(&mut other, &mut lark, at(1));
        assert_eq!(last_token(&lark), token);
        assert_eq!(other.export_token(at(1), at(1), None).as_deref(), Some(text.trim()));
    }
    assert_eq!(lark.count(Route::TenantAccessToken), 1);
}

#[test]
fn the_text_has_only_letters_digits_dots_dashes_and_underscores_and_fewer_than_1024_of_them() {
    let text = exported(&mut FakeLark::new());
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    assert!(text.chars().all(fits) && text.len() < 1024, "{text}");
}

/// A store app's session that has a token for `ONE`, and the token's text.
fn exported_for_one(lark: &mut FakeLark) -> (Session, String) {
    let mut session = with_ticket();
    finish(&mut call_for(ONE), &mut session, lark, at(0)).unwrap();
    let text = session.export_token(at(0), at(0), Some(&tenant(ONE))).unwrap();
    (session, text)
}

#[test]
fn a_store_app_exports_a_token_for_the_tenant_that_has_one() {
    let (mut session, _) = exported_for_one(&mut FakeLark::new());
    assert_eq!(session.export_token(at(0), at(0), None), None);
    assert_eq!(session.export_token(at(0), at(0), Some(&tenant("nobody"))), None);
}

#[test]
fn a_store_app_imports_a_token_for_its_own_tenant_only() {
    let (_, text) = exported_for_one(&mut FakeLark::new());
    for elsewhere in [None, Some(&tenant("nobody"))] {
        let error = store().import_token(at(0), at(0), elsewhere, &text).unwrap_err();
        assert_eq!(error.kind(), InvalidKind::ForeignToken);
    }
}

#[test]
fn a_call_with_an_imported_token_needs_neither_a_ticket_nor_an_app_token() {
    let mut lark = FakeLark::new();
    let (_, text) = exported_for_one(&mut lark);
    let mut other = store();
    other.import_token(at(0), at(0), Some(&tenant(ONE)), &text).unwrap();
    let sent = lark.requests().len();
    finish(&mut call_for(ONE), &mut other, &mut lark, at(0)).unwrap();
    assert_eq!(lark.requests().len(), sent + 1);
}

#[test]
fn a_session_without_a_valid_token_exports_none() {
    let mut lark = FakeLark::new();
    assert_eq!(custom().export_token(at(0), at(0), None), None);
    assert_eq!(Session::new(Site::LARK, App::None).export_token(at(0), at(0), None), None);
    let mut session = custom();
    call(&mut session, &mut lark, at(0));
    assert!(session.export_token(at(7199), at(7199), None).is_some());
    assert_eq!(session.export_token(at(7200), at(7200), None), None);
}

#[test]
fn an_imported_token_keeps_its_expiry() {
    let mut lark = FakeLark::new();
    let text = exported(&mut lark);
    // The token was fetched at 0: it is due for renewal from 5,460 on and expires at 7,200, whenever it was imported.
    for imported in [0, 1, 5000, 5459, 5460, 6600, 7199] {
        for (seconds, expected) in [
            (5459, [First::Send, First::Send]),
            (5460, [First::Fetch, First::Send]),
            (7199, [First::Fetch, First::Send]),
            (7200, [First::Fetch, First::Wait]),
        ] {
            if seconds < imported {
                continue;
            }
            let mut other = custom();
            other.import_token(at(imported), at(imported), None, &text).unwrap();
            let mut one = upload();
            let of_one = first_of(&mut one, &mut other, at(seconds));
            // The request of the first call is in flight.
            let found = [of_one, first(&mut other, at(seconds))];
            assert_eq!(found, expected, "imported at {imported}, asked at {seconds}");
        }
    }
}

#[test]
fn an_imported_token_with_ten_minutes_left_is_renewed_at_once() {
    let mut lark = FakeLark::new();
    let mut one = custom();
    call(&mut one, &mut lark, at(0));
    let old = last_token(&lark).to_owned();
    let text = one.export_token(at(6600), at(6600), None).unwrap();

    let mut other = custom();
    other.import_token(at(6600), at(6600), None, &text).unwrap();
    assert_eq!(first(&mut other, at(6600)), First::Fetch);
    // That renewal was dropped, and the next one is sent after a minute.
    call(&mut other, &mut lark, at(6660));
    assert_eq!(lark.count(Route::TenantAccessToken), 2);
    assert_ne!(last_token(&lark), old);
}

#[test]
fn the_token_that_expires_later_is_used() {
    let mut lark = FakeLark::new();
    let text = exported(&mut lark);
    let mut session = custom();
    call(&mut session, &mut lark, at(6000));
    let own = last_token(&lark).to_owned();
    session.import_token(at(6001), at(6001), None, &text).unwrap();
    call(&mut session, &mut lark, at(6001));
    assert_eq!(last_token(&lark), own);

    let longer = session.export_token(at(6001), at(6001), None).unwrap();
    let mut old = custom();
    old.import_token(at(6001), at(6001), None, &text).unwrap();
    old.import_token(at(6001), at(6001), None, &longer).unwrap();
    call(&mut old, &mut lark, at(6001));
    assert_eq!(last_token(&lark), own);
    assert_eq!(lark.count(Route::TenantAccessToken), 2);
}

#[test]
fn waiting_calls_go_on_with_an_imported_token() {
    let mut lark = FakeLark::new();
    let text = exported(&mut lark);
    let mut other = custom();
    let [mut fetches, mut waits] = [upload(), upload()];
    assert_eq!(first_of(&mut fetches, &mut other, at(1)), First::Fetch);
    assert_eq!(first_of(&mut waits, &mut other, at(1)), First::Wait);
    other.import_token(at(1), at(1), None, &text).unwrap();
    finish(&mut waits, &mut other, &mut lark, at(1)).unwrap();
    let request = fetches.token_request().unwrap();
    fetches.cancel(&mut other);
    other.token_dropped(request, at(1));
    assert!(other.is_idle());
}

#[test]
fn values_with_quotes_and_backslashes_are_exported_and_imported() {
    for (id, token) in
        [("cli_\"x", "t-1"), ("cli_\\x", "t-1"), ("cli_x", "t-\"1"), ("cli_x", "t-\\1")]
    {
        let session = || Session::new(Site::LARK, App::custom(id, "s").unwrap());
        let mut one = session();
        let mut call = upload();
        assert_eq!(first_of(&mut call, &mut one, at(0)), First::Fetch);
        let escaped = token.replace('\\', r"\\").replace('"', r#"\""#);
        let parsed = call.read(granted(&escaped, 7200));
        call.received(&mut one, at(0), parsed);
        let text = one.export_token(at(0), at(0), None).unwrap();
        session().import_token(at(0), at(0), None, &text).unwrap();
    }
}

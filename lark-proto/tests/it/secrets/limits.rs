//! The limits of what a session keeps, over many calls.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Method, Response};
use lark_proto::endpoints::Raw;
use lark_proto::session::{Call, Limits, Session, Step};
use lark_proto::values::{AppTicket, TenantKey};
use lark_proto::{App, Site, UserToken};
use serde::de::IgnoredAny;
use serde_json::json;

use crate::sim::Cut;

type TestCall = Call<IgnoredAny, Cut>;

fn raw(route: String) -> Raw<IgnoredAny> {
    Raw::new(Method::POST, route)
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Steps `call` once, and answers its request with `body`.
fn step(call: &mut TestCall, session: &mut Session, now: SystemTime, body: &str) {
    if let Step::Send(_) = call.next(session, now) {
        let parsed = call.read(Response::new(Bytes::from(body.to_owned())));
        call.received(session, now, parsed);
    }
}

#[test]
fn a_session_whose_woken_calls_are_never_taken_keeps_only_those_that_are_in_progress() {
    let mut session = Session::new(Site::LARK, App::None);
    let token = UserToken::new("u-1").unwrap();
    let write = raw("/open-apis/x".into()).with_serial_key("document");
    for round in 0..100 {
        let mut calls: Vec<TestCall> = (0..5).map(|_| Call::with_token(&token, &write)).collect();
        for _ in 0..20 {
            for call in &mut calls {
                if call.id().is_some() || call.sends() == 0 {
                    step(call, &mut session, at(round), r#"{"code":0}"#);
                }
            }
        }
        assert!(calls.iter().all(|call| call.id().is_none()));
    }
    assert_eq!(session.woken().count(), 0);
    assert_eq!(session.entries(), 1, "the gate of the route");
}

#[test]
fn the_entries_of_tokens_routes_and_documents_that_are_no_longer_used_are_dropped() {
    let mut session = Session::new(Site::LARK, App::None);
    let mut most = 0;
    // A token, a route and a document of its own for each call, one call a second.
    for second in 0..2000 {
        let token = UserToken::new(&format!("u-{second}")).unwrap();
        let write = raw(format!("/open-apis/{second}")).with_serial_key(format!("d{second}"));
        let mut call: TestCall = Call::with_token(&token, &write);
        for _ in 0..2 {
            step(&mut call, &mut session, at(second), r#"{"code":0}"#);
        }
        most = most.max(session.entries());
    }
    // A sweep runs once a minute, and an entry without a request is kept for a second.
    assert!((50..=130).contains(&most), "{most} entries");
}

#[test]
fn a_token_is_kept_for_two_hours_at_most_whatever_life_the_service_grants() {
    for life in [7200_i64, 7201, i64::MAX] {
        let mut session = Session::new(Site::LARK, App::store("cli_x", "secret").unwrap());
        session.set_app_ticket(AppTicket::new("ticket").unwrap());
        let body = json!({
            "code": 0, "app_access_token": "a-1", "tenant_access_token": "t-1", "expire": life,
        });
        for tenant in 0..50 {
            let tenant = TenantKey::new(&format!("tenant{tenant}")).unwrap();
            let call: TestCall = Call::for_tenant(tenant, &raw("/open-apis/x".into()));
            let mut call = call.with_limits(Limits::one_attempt());
            for _ in 0..6 {
                step(&mut call, &mut session, at(0), &body.to_string());
            }
        }
        for (second, entries) in [(7199, 50), (7300, 0)] {
            // A step of any call sweeps.
            let token = UserToken::new("u-1").unwrap();
            let mut call: TestCall = Call::with_token(&token, &raw("/open-apis/y".into()));
            step(&mut call, &mut session, at(second), r#"{"code":0}"#);
            let kept = session.entries() - 1;
            assert_eq!(kept, entries, "{life} {second}");
        }
    }
}

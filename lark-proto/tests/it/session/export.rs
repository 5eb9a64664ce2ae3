//! Tokens kept as text: what an import takes over, for how long, and what it refuses.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lark_proto::body::Body;
use lark_proto::error::InvalidKind;
use lark_proto::fake::{FakeLark, Route};
use lark_proto::session::{Call, Session, Step};
use lark_proto::{App, ImageKey, Invalid, Site};

use crate::service::{
    ONE, Uploaded, call as upload, call_for, custom, granted, store, tenant, with_ticket,
};
use crate::sim::Cut;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

/// Runs a call that has no other to wait for.
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
    panic!("no end after nine steps")
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

/// The token that the last request came with.
fn last_token(lark: &FakeLark) -> &str {
    lark.requests().last().unwrap().token.as_deref().unwrap()
}

/// What a call's first step is.
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

/// The first step of a call that is then given up.
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
fn the_text_has_less_than_1024_letters_digits_dots_dashes_and_underscores() {
    let text = exported(&mut FakeLark::new());
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    assert!(text.chars().all(fits) && text.len() < 1024, "{text}");
}

#[test]
fn a_store_apps_token_is_exported_by_tenant() {
    let mut lark = FakeLark::new();
    let mut one = with_ticket();
    finish(&mut call_for(ONE), &mut one, &mut lark, at(0)).unwrap();
    let text = one.export_token(at(0), at(0), Some(&tenant(ONE))).unwrap();
    assert_eq!(one.export_token(at(0), at(0), None), None);
    let nobody = tenant("nobody");
    assert_eq!(one.export_token(at(0), at(0), Some(&nobody)), None);

    let mut other = store();
    for elsewhere in [None, Some(&nobody)] {
        let error = other.import_token(at(0), at(0), elsewhere, &text).unwrap_err();
        assert_eq!(error.kind(), InvalidKind::ForeignToken);
    }
    other.import_token(at(0), at(0), Some(&tenant(ONE)), &text).unwrap();
    let sent = lark.requests().len();
    finish(&mut call_for(ONE), &mut other, &mut lark, at(0)).unwrap();
    assert_eq!(lark.requests().len(), sent + 1, "needs neither a ticket nor an app token");
}

#[test]
fn there_is_nothing_to_export_without_a_good_token() {
    let mut lark = FakeLark::new();
    assert_eq!(custom().export_token(at(0), at(0), None), None);
    assert_eq!(Session::new(Site::LARK, App::None).export_token(at(0), at(0), None), None);
    let mut session = custom();
    call(&mut session, &mut lark, at(0));
    assert!(session.export_token(at(7199), at(7199), None).is_some());
    if let Some(text) = session.export_token(at(7200), at(7200), None) {
        let error = custom().import_token(at(7200), at(7200), None, &text).unwrap_err();
        assert_eq!(error.kind(), InvalidKind::ExpiredToken, "what is at its end");
    }
    assert_eq!(session.export_token(at(7201), at(7201), None), None);
}

#[test]
fn an_imported_token_keeps_its_end() {
    let mut lark = FakeLark::new();
    let text = exported(&mut lark);
    // Fetched at 0, so it is renewed from 5,460 on and has its end at 7,200, whenever it was imported.
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
            // While that one is out.
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
    // That one was given up, and the next comes after a minute.
    call(&mut other, &mut lark, at(6660));
    assert_eq!(lark.count(Route::TenantAccessToken), 2);
    assert_ne!(last_token(&lark), old);
}

#[test]
fn fractions_of_a_second_do_not_lengthen_a_life() {
    let mut lark = FakeLark::new();
    let half = Duration::from_millis(500);
    let mut one = custom();
    call(&mut one, &mut lark, at(0) + half);
    for exported in [at(0) + half, at(10), at(99) + half / 2] {
        let text = one.export_token(exported, exported, None).unwrap();
        let mut other = custom();
        other.import_token(exported, exported, None, &text).unwrap();
        let mut renews = upload();
        assert_eq!(first_of(&mut renews, &mut other, at(7199)), First::Fetch);
        assert_eq!(first(&mut other, at(7199)), First::Send);
        assert_eq!(first(&mut other, at(7200) + half), First::Wait);
    }
}

#[test]
fn the_token_that_lasts_longer_stays() {
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
fn a_token_of_another_app_site_or_tenant_is_refused() {
    let mut lark = FakeLark::new();
    let text = exported(&mut lark);
    let custom = |site, id| Session::new(site, App::custom(id, FakeLark::APP_SECRET).unwrap());
    let mut sessions = [
        ("another app", custom(Site::LARK, "cli_0000000000000000"), None),
        ("another site", custom(Site::FEISHU, FakeLark::APP_ID), None),
        ("a tenant", custom(Site::LARK, FakeLark::APP_ID), Some(tenant(ONE))),
        ("a store app", store(), Some(tenant(ONE))),
        ("no app", Session::new(Site::LARK, App::None), None),
    ];
    for (name, session, tenant) in &mut sessions {
        let error = session.import_token(at(0), at(0), tenant.as_ref(), &text).unwrap_err();
        assert_eq!(error.kind(), InvalidKind::ForeignToken, "{name}");
        assert_quotes_nothing(&error, &text, last_token(&lark));
        assert_eq!(session.export_token(at(0), at(0), tenant.as_ref()), None, "{name}");
    }
    assert_eq!(first(&mut sessions[1].1, at(0)), First::Fetch);
}

#[test]
fn a_stale_token_is_refused_and_the_next_call_fetches() {
    let mut lark = FakeLark::new();
    let text = exported(&mut lark);
    for seconds in [7200, 7201, 1_000_000_000] {
        let mut other = custom();
        let error = other.import_token(at(seconds), at(seconds), None, &text).unwrap_err();
        assert_eq!(error.kind(), InvalidKind::ExpiredToken, "{seconds}");
        assert_quotes_nothing(&error, &text, last_token(&lark));
        let fetched = lark.count(Route::TenantAccessToken);
        call(&mut other, &mut lark, at(seconds));
        assert_eq!(lark.count(Route::TenantAccessToken), fetched + 1);
    }
}

#[test]
fn a_damaged_text_is_refused() {
    let mut lark = FakeLark::new();
    let text = exported(&mut lark);
    let token = last_token(&lark).to_owned();
    let mut other = custom();
    let mut refuse = |damaged: &str| {
        let error = other.import_token(at(0), at(0), None, damaged).unwrap_err();
        assert_eq!(error.kind(), InvalidKind::DamagedToken, "{damaged}");
        assert_quotes_nothing(&error, damaged, &token);
    };
    let replacements: Vec<char> = ('\0'..='\u{80}').chain("é\u{2028}图\u{1f600}".chars()).collect();
    for (place, was) in text.char_indices() {
        for &replacement in replacements.iter().filter(|&&c| c != was) {
            let (before, after) = (&text[..place], &text[place + 1..]);
            refuse(&format!("{before}{replacement}{after}"));
        }
        refuse(&text[..place]);
        refuse(&format!("{}{}", &text[..place], &text[place + 1..]));
        refuse(&format!("{}{was}{}", &text[..place], &text[place..]));
        if place > 0 {
            refuse(&text[place..]);
        }
    }
    for odd in ["", ".", "..", "lark-token-1", "lark-token-1.", "lark-token-1..", "lark-token-2"] {
        refuse(odd);
    }
    refuse(&text.to_uppercase());
    refuse(&format!("{text}{text}"));
    refuse(&"a".repeat(1 << 20));
    call(&mut other, &mut lark, at(0));
    assert_eq!(lark.count(Route::TenantAccessToken), 2, "then it is fetched as ever");
}

/// Neither the token nor the beginning of what an import was given.
fn assert_quotes_nothing(error: &Invalid, given: &str, token: &str) {
    let shown = format!("{error} {error:?}");
    let start = given.rsplit('.').next().and_then(|json| json.get(..16));
    assert!(!shown.contains(token) && start.is_none_or(|it| !shown.contains(it)), "{shown}");
}

#[test]
fn a_clock_before_1970_exports_nothing_and_imports_for_two_hours() {
    let mut lark = FakeLark::new();
    let text = exported(&mut lark);
    let early = UNIX_EPOCH - Duration::from_secs(86_400);
    let mut session = custom();
    call(&mut session, &mut lark, early);
    assert_eq!(session.export_token(early, early, None), None, "the text counts from 1970");

    let mut other = custom();
    other.import_token(early, early, None, &text).unwrap();
    let mut renews = upload();
    assert_eq!(first_of(&mut renews, &mut other, early + Duration::from_secs(7199)), First::Fetch);
    let end = early + Duration::from_secs(7200);
    assert_eq!(first(&mut other, end), First::Wait, "two hours, however far off the clock is");
}

#[test]
fn a_clock_that_is_set_does_not_lengthen_a_life() {
    let mut lark = FakeLark::new();
    let mut one = custom();
    call(&mut one, &mut lark, at(0));
    // At 1,000 the clock is set back by an hour: 6,200 seconds are left.
    assert!(one.export_token(at(1000), at(1000), None).is_some());
    let back = at(1000) - Duration::from_secs(3600);
    let text = one.export_token(back, back, None).unwrap();
    let mut other = custom();
    other.import_token(back, back, None, &text).unwrap();
    let mut renews = upload();
    let late = back + Duration::from_secs(6199);
    assert_eq!(first_of(&mut renews, &mut other, late), First::Fetch);
    assert_eq!(first(&mut other, late), First::Send);
    assert_eq!(first(&mut other, late + Duration::from_secs(1)), First::Wait);
}

#[test]
fn the_text_goes_by_the_wall_clock_and_the_life_by_the_sessions() {
    let mut lark = FakeLark::new();
    let (early, hour) = (UNIX_EPOCH + Duration::from_secs(5), Duration::from_secs(3600));
    let mut one = custom();
    call(&mut one, &mut lark, early);
    // 7,200 seconds are left, whatever the wall clock shows; then 3,600.
    let text = one.export_token(early, at(0), None).unwrap();
    let late = one.export_token(early + hour, at(0), None).unwrap();
    for (text, left) in [(text, 7200), (late, 3600)] {
        let error = custom().import_token(early, at(left), None, &text).unwrap_err();
        assert_eq!(error.kind(), InvalidKind::ExpiredToken);
        let mut other = custom();
        other.import_token(early, at(left - 60), None, &text).unwrap();
        let mut renews = upload();
        let end = early + Duration::from_secs(60);
        let before = end - Duration::from_secs(1);
        assert_eq!(first_of(&mut renews, &mut other, before), First::Fetch);
        assert_eq!(first(&mut other, before), First::Send);
        assert_eq!(first(&mut other, end), First::Wait);
    }
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

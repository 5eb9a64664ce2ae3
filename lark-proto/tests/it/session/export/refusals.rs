//! The texts that an import refuses.

use lark_proto::error::InvalidKind;
use lark_proto::fake::{FakeLark, Route};
use lark_proto::session::Session;
use lark_proto::{App, Invalid, Site};

use super::{First, at, call, exported, first, last_token};
use crate::fixtures::{ONE, custom, store, tenant};

/// The error shows neither the token nor the beginning of the text's data.
fn assert_quotes_nothing(error: &Invalid, given: &str, token: &str) {
    let shown = format!("{error} {error:?}");
    let start = given.rsplit('.').next().and_then(|json| json.get(..16));
    assert!(!shown.contains(token) && start.is_none_or(|it| !shown.contains(it)), "{shown}");
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
fn an_expired_token_is_refused_and_the_next_call_fetches_one() {
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
            let before = &text[..place];
            let after = &text[place + 1..];
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
    assert_eq!(lark.count(Route::TenantAccessToken), 2);
}

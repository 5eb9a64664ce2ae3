//! The expiry of an exported token, if a clock shows fractions of a second, is set, or is far off.

use std::time::{Duration, UNIX_EPOCH};

use lark_proto::error::InvalidKind;
use lark_proto::fake::FakeLark;

use super::{First, at, call, exported, first, first_of};
use crate::fixtures::{call as upload, custom};

#[test]
fn fractions_of_a_second_do_not_lengthen_the_lifetime_of_a_token() {
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
fn no_token_is_exported_by_a_clock_before_1970() {
    let mut lark = FakeLark::new();
    let early = UNIX_EPOCH - Duration::from_secs(86_400);
    let mut session = custom();
    call(&mut session, &mut lark, early);
    // The text counts the seconds since 1970.
    assert_eq!(session.export_token(early, early, None), None);
}

#[test]
fn a_token_imported_by_a_clock_before_1970_is_used_for_two_hours() {
    let text = exported(&mut FakeLark::new());
    let early = UNIX_EPOCH - Duration::from_secs(86_400);
    let mut other = custom();
    other.import_token(early, early, None, &text).unwrap();
    let mut renews = upload();
    assert_eq!(first_of(&mut renews, &mut other, early + Duration::from_secs(7199)), First::Fetch);
    let expires = early + Duration::from_secs(7200);
    assert_eq!(first(&mut other, expires), First::Wait);
}

#[test]
fn setting_the_clock_does_not_lengthen_the_lifetime_of_a_token() {
    let mut lark = FakeLark::new();
    let mut one = custom();
    call(&mut one, &mut lark, at(0));
    // At 1,000 the clock is set back by an hour; the token is valid for 6,200 more seconds.
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
fn the_text_has_the_expiry_by_the_wall_clock_and_the_lifetime_runs_by_the_sessions_clock() {
    let mut lark = FakeLark::new();
    let early = UNIX_EPOCH + Duration::from_secs(5);
    let hour = Duration::from_secs(3600);
    let mut one = custom();
    call(&mut one, &mut lark, early);
    // The token is valid for 7,200 seconds by any wall clock, and an hour later for 3,600.
    let text = one.export_token(early, at(0), None).unwrap();
    let late = one.export_token(early + hour, at(0), None).unwrap();
    for (text, left) in [(text, 7200), (late, 3600)] {
        let error = custom().import_token(early, at(left), None, &text).unwrap_err();
        assert_eq!(error.kind(), InvalidKind::ExpiredToken);
        let mut other = custom();
        other.import_token(early, at(left - 60), None, &text).unwrap();
        let mut renews = upload();
        let expires = early + Duration::from_secs(60);
        let before = expires - Duration::from_secs(1);
        assert_eq!(first_of(&mut renews, &mut other, before), First::Fetch);
        assert_eq!(first(&mut other, before), First::Send);
        assert_eq!(first(&mut other, expires), First::Wait);
    }
}

//! The exceptions that the documentation names, so that they are true.

use std::collections::BTreeMap;

use lark_hyper::FakeServer;

use super::shown::{self, joined, targets_with_secrets};
use super::{IMAGE, SECRETS, forms, shown_in};
use crate::support::{app, child, put};

#[test]
fn a_hexdump_shows_a_secret_only_when_its_rows_are_joined() {
    let secret = SECRETS[0].as_bytes();
    let row = |bytes: &[u8]| {
        let pairs: Vec<String> = bytes.chunks(2).map(|pair| forms(pair)[4].clone()).collect();
        format!("{}  {}", pairs.join(" "), String::from_utf8_lossy(bytes))
    };
    let text = [&b"0123456789"[..], secret].concat();
    let rows: Vec<String> = text.chunks(16).map(row).collect();
    let rows = rows.join("\n");
    assert_eq!(shown_in(&rows), None, "{rows}");
    assert!(shown_in(&joined(&rows)).is_some(), "{rows}");
    let shown = BTreeMap::from([("a".to_owned(), rows), ("b".to_owned(), "0a0b".to_owned())]);
    assert_eq!(targets_with_secrets(&shown).into_iter().collect::<Vec<_>>(), ["a"]);
    let plain = String::from_utf8_lossy(IMAGE).into_owned();
    assert_eq!(shown_in(&plain), Some(plain.clone()));
}

#[test]
fn an_exported_token_shows_the_token_in_base64() {
    let server = FakeServer::start().unwrap();
    let client = lark_ureq::Client::new(server.site().clone(), app());
    client.call(&put()).unwrap();
    let exported = client.export_token().unwrap();
    assert!(!exported.contains("t-"), "{exported}");
    assert!(shown_in(&exported).is_some(), "{exported}");
}

#[test]
fn ureqs_log_shows_the_requests_at_its_most_verbose_level_only() {
    child::run("secrets::exceptions::child", |_| ());
}

#[test]
#[ignore = "another test runs it as a program"]
fn child() {
    shown::keep();
    for (level, is_shown) in [(log::LevelFilter::Debug, false), (log::LevelFilter::Trace, true)] {
        log::set_max_level(level);
        let server = FakeServer::start().unwrap();
        let client = lark_ureq::Client::new(server.site().clone(), app());
        client.call(&put()).unwrap();
        let shown = shown::taken();
        assert!(shown.keys().any(|target| target.starts_with("ureq")), "{shown:?}");
        assert_eq!(
            targets_with_secrets(&shown).contains("ureq_proto::util"),
            is_shown,
            "{shown:?}"
        );
        assert_eq!(targets_with_secrets(&shown).len(), usize::from(is_shown), "{shown:?}");
    }
}

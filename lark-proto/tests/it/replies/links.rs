//! The link with which an administrator grants a missing scope.

use bytes::Bytes;
use http::Response;
use lark_proto::TenantToken;
use serde_json::json;

use super::{TOKEN, call_error, error, reply};

/// A refusal for a missing scope, without a link.
fn scope_missing() -> Response<Bytes> {
    let violations = r#"[{"subject":"im:resource"}]"#;
    let error = format!(r#"{{"permission_violations":{violations}}}"#);
    reply(400, &[], format!(r#"{{"code":99991672,"msg":"m","error":{error}}}"#))
}

#[test]
fn the_link_that_grants_a_scope_survives_a_long_message() {
    let link = "https://open.feishu.cn/app/cli_x/auth?q=a:b,c:d&op_from=openapi&token_type=tenant";
    for code in [99991672, 99991679] {
        let msg = format!("{} {link}", "图".repeat(2000));
        let error = error(&reply(400, &[], format!(r#"{{"code":{code},"msg":"{msg}"}}"#)));
        let api = error.api().unwrap();
        assert!(!api.msg.contains(link), "{api}");
        assert_eq!(api.grant_link.as_deref(), Some(link));
        assert!(api.to_string().contains(link), "{api}");
        let scopes: Vec<_> = api.permission_violations.iter().map(|it| &*it.scope).collect();
        assert_eq!(scopes, ["a:b", "c:d"]);
    }
}

#[test]
fn a_link_is_read_if_it_ends_before_32_kib_of_the_message() {
    let link = "https://open.feishu.cn/app/cli_x/auth?q=a:b";
    for (end, is_read) in [(32_766, true), (32_767, true), (32_768, false)] {
        let msg = format!("{} {link} and more", "x".repeat(end - link.len() - 1));
        let error = error(&reply(400, &[], format!(r#"{{"code":99991672,"msg":"{msg}"}}"#)));
        let found = error.api().unwrap().grant_link.as_deref();
        assert_eq!(found, is_read.then_some(link), "{end}");
    }
}

#[test]
fn a_link_of_a_violation_is_the_grant_link_if_it_is_a_url_within_the_limit() {
    let long = format!("https://open.feishu.cn/app/cli_x/auth?q={}", "a:b,".repeat(300));
    for (url, link) in [
        ("https://open.feishu.cn/app/cli_x", Some("https://open.feishu.cn/app/cli_x")),
        ("open the console", None),
        (&long, None),
    ] {
        let body = json!({"code": 99991672, "msg": "m", "error": {
            "permission_violations": [{"scope": "a:b"}, {"scope": "c:d", "url": url}],
        }});
        let error = error(&reply(400, &[], body.to_string()));
        assert_eq!(error.api().unwrap().grant_link.as_deref(), link, "{url}");
    }
}

#[test]
fn a_call_makes_the_link_from_its_app_and_the_scopes() {
    let own = call_error(None, &[&reply(200, &[], TOKEN), &scope_missing()]);
    let link = own.api().unwrap().grant_link.as_deref();
    let made =
        "https://open.feishu.cn/app/cli_x/auth?q=im:resource&op_from=openapi&token_type=tenant";
    assert_eq!(link, Some(made));
}

/// The token may be that of another app.
#[test]
fn a_call_with_a_token_of_the_callers_makes_no_link() {
    let given = call_error(Some(&TenantToken::new("t-1").unwrap()), &[&scope_missing()]);
    assert_eq!(given.api().unwrap().grant_link, None);
}

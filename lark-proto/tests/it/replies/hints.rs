//! The advice and the hints of an error.

use std::time::Duration;

use http::Method;
use lark_proto::endpoints::{GetTenantToken, Raw};
use lark_proto::error::Advice;
use lark_proto::session::{Call, Session};
use lark_proto::{App, CallError, EndpointExt, Image, ImageKey, PutImage, Site, TenantToken};

use super::{call_error, error, reply, unreadable};
use crate::sim::{Cut, Sim, after};

#[test]
fn a_plain_404_names_the_route_and_the_site() {
    let plain = reply(404, &[("content-type", "text/plain")], "404 page not found\n");
    let text = |error: CallError<Cut>| format!("{}: {}", error.route, error.lark().unwrap());
    let hint = "https://open.feishu.cn does not know this route";
    let token = TenantToken::new("t-1").unwrap();
    for (error, route) in [
        (call_error(Some(&token), &[&plain]), "/open-apis/image/v4/put/: "),
        (call_error(None, &[&plain]), "/open-apis/auth/v3/tenant_access_token/internal: "),
    ] {
        assert!(error.api().is_none(), "{error}");
        let text = text(error);
        assert!(text.starts_with(route) && text.contains(hint), "{text}");
    }
}

#[test]
fn a_404_that_is_not_a_json_object_hints_at_an_unknown_route_and_no_other_reply_does() {
    let plain = reply(404, &[("content-type", "text/plain")], "404 page not found\n");
    let error = error(&plain);
    assert!(unreadable(&error).hint().unwrap().starts_with("the site does not know"), "{error}");
    assert!(unreadable(&super::error(&reply(404, &[], "<html>"))).hint().is_some());
    for other in [reply(404, &[], "{}"), reply(400, &[], "404 page not found")] {
        assert_eq!(unreadable(&super::error(&other)).hint(), None);
    }
}

#[test]
fn only_an_internal_error_of_a_token_request_hints_at_the_credentials() {
    let internal = reply(200, &[], r#"{"code":2200,"msg":"Internal Error"}"#);
    let token = GetTenantToken::decode(internal).unwrap_err();
    assert!(token.api().unwrap().hint().unwrap().contains("app id"), "{token}");
    assert!(token.to_string().contains("app id"), "{token}");
    for body in
        [r#"{"code":2200,"msg":"Internal Error"}"#, r#"{"code":10003,"msg":"invalid param"}"#]
    {
        let other = PutImage::decode(reply(200, &[], body)).unwrap_err();
        assert_eq!(other.api().unwrap().hint(), None);
    }
}

#[test]
fn a_refusal_for_a_used_up_quota_is_not_retried() {
    let quota = reply(429, &[("retry-after", "1")], r#"{"code":99991403,"msg":"m"}"#);
    let error = PutImage::decode(quota.clone()).unwrap_err();
    assert_eq!(error.advice(), Advice::GiveUp);
    assert!(!error.api().unwrap().is_rate_limit());
    let token = TenantToken::new("t-1").unwrap();
    let put = PutImage::message(Image::new("GIF89a").unwrap()).unwrap();
    let mut sim: Sim<'_, ImageKey> = Sim::new(Session::new(Site::FEISHU, App::None), |_, _| {
        after(Duration::ZERO, quota.clone())
    });
    assert!(sim.finish(Call::with_token(&token, &put)).is_err());
    assert_eq!(sim.sent.len(), 1);
}

#[test]
fn a_refusal_for_an_unknown_user_is_retried_if_the_request_is_idempotent() {
    for (method, sends) in [(Method::GET, 4), (Method::POST, 1)] {
        let find = Raw::<()>::new(method, "/x");
        let token = TenantToken::new("t-1").unwrap();
        let mut sim: Sim<'_, ()> = Sim::new(Session::new(Site::FEISHU, App::None), |_, _| {
            after(Duration::ZERO, reply(200, &[], r#"{"code":20008,"msg":"m"}"#))
        });
        assert!(sim.finish(Call::with_token(&token, &find)).is_err());
        assert_eq!(sim.sent.len(), sends);
    }
}

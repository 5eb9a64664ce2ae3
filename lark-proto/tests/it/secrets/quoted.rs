//! No error shows a secret of its request, in whatever form the service quotes it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response};
use lark_proto::endpoints::{
    GetAppToken, GetStoreTenantToken, GetTenantToken, PutImage, QuerySheets, ResendAppTicket,
};
use lark_proto::session::{Call, Limits, Session};
use lark_proto::token::{AppToken, NoToken};
use lark_proto::values::{AppId, AppSecret, AppTicket, TenantKey};
use lark_proto::{App, CallError, Error, Image, ImageKey, Site, TenantToken, UserToken};
use proptest::prelude::*;
use serde_json::json;

use crate::sim::{Cut, Sim, after};

/// The forms in which a service may quote a secret.
const FORMS: [fn(&str) -> String; 27] = [
    str::to_owned,
    str::to_uppercase,
    str::to_lowercase,
    |secret| each(secret, |c| format!("{} ", char::from(c))),
    |secret| each(secret, |c| format!("{}\r\n", char::from(c))),
    |secret| each(secret, |c| format!("\\u{c:04x}")),
    |secret| each(secret, |c| format!("\\\\u{c:04X}")),
    |secret| each(secret, |c| format!("%{c:02x}")),
    |secret| each(secret, |c| format!("%25{c:02X}")),
    |secret| each(secret, |c| format!("\\x{c:02x}")),
    |secret| each(secret, |c| format!("&#{c};")),
    |secret| each(secret, |c| format!("&#x{c:x};")),
    |secret| json!(secret).to_string(),
    |secret| secret.replace('\\', "\\\\").replace('/', "\\/").replace('"', "\\\""),
    |secret| secret.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;"),
    |secret| each(secret, |c| format!("&#X{c:X};")),
    |secret| each(secret, |c| format!("&#{c:04};")),
    |secret| each(secret, |c| format!("&#{c}")),
    |secret| each(secret, |c| format!("&amp;#x{c:x};")),
    |secret| {
        each(secret, |c| name(c).map_or_else(|| char::from(c).into(), |name| format!("&{name};")))
    },
    |secret| each(secret, |c| format!("\\u{{{c:x}}}")),
    |secret| each(secret, |c| format!("\\U{c:08x}")),
    |secret| each(secret, |c| format!("\\{c:03o}")),
    |secret| each(secret, |c| format!("%u{c:04x}")),
    |secret| each(secret, |c| format!("%5cu{c:04x}")),
    |secret| each(secret, |c| format!("{}\u{200b}", char::from(c))),
    |secret| each(secret, |c| format!("{}\u{a0}", char::from(c))),
];

/// The name by which HTML writes this character.
fn name(c: u8) -> Option<&'static str> {
    const NAMES: [(u8, &str); 30] = [
        (b'!', "excl"),
        (b'"', "QUOT"),
        (b'#', "num"),
        (b'$', "dollar"),
        (b'%', "percnt"),
        (b'&', "AMP"),
        (b'\'', "apos"),
        (b'(', "lpar"),
        (b')', "rpar"),
        (b'*', "ast"),
        (b'+', "plus"),
        (b',', "comma"),
        (b'.', "period"),
        (b'/', "sol"),
        (b':', "colon"),
        (b';', "semi"),
        (b'<', "LT"),
        (b'=', "equals"),
        (b'>', "GT"),
        (b'?', "quest"),
        (b'@', "commat"),
        (b'[', "lsqb"),
        (b'\\', "bsol"),
        (b']', "rsqb"),
        (b'^', "Hat"),
        (b'_', "lowbar"),
        (b'`', "grave"),
        (b'{', "lcub"),
        (b'|', "verbar"),
        (b'}', "rcub"),
    ];
    NAMES.iter().find(|(of, _)| *of == c).map(|(_, name)| *name)
}

fn each(secret: &str, form: fn(u8) -> String) -> String {
    secret.bytes().map(form).collect()
}

/// The secret of a request.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Token,
    UserToken,
    AppSecret,
    AppTicket,
    AppToken,
    /// In the body of a call's own request, for an app that is not that of the session.
    SecretOfCall,
    SecretOfResend,
    TicketOfCall,
    AppTokenOfCall,
}

/// The error of a call whose request carries `secret` and gets `reply`.
fn call(kind: Kind, secret: &str, reply: &Response<Bytes>) -> CallError<Cut> {
    let put = PutImage::message(Image::new("GIF89a").unwrap()).unwrap();
    let for_tenant = || Call::for_tenant(TenantKey::new("tenant").unwrap(), &put);
    let store = || Session::new(Site::LARK, App::store("cli_x", "-").unwrap());
    let none = || Session::new(Site::LARK, App::None);
    let id = || AppId::new("cli_y").unwrap();
    match kind {
        Kind::Token => {
            let token = TenantToken::new(secret).unwrap();
            error(none(), Call::with_token(&token, &put), None, reply)
        }
        Kind::UserToken => {
            let token = UserToken::new(secret).unwrap();
            let query = QuerySheets::new("sht".parse().unwrap());
            error(none(), Call::with_token(&token, &query), None, reply)
        }
        Kind::AppSecret => {
            let session = Session::new(Site::LARK, App::custom("cli_x", secret).unwrap());
            error(session, Call::new(&put), None, reply)
        }
        Kind::AppTicket => {
            let mut session = store();
            session.set_app_ticket(AppTicket::new(secret).unwrap());
            error(session, for_tenant(), None, reply)
        }
        Kind::AppToken => {
            let mut session = store();
            session.set_app_ticket(AppTicket::new("-").unwrap());
            let body = json!({"code": 0, "app_access_token": secret, "expire": 7200});
            error(session, for_tenant(), Some(Response::new(body.to_string().into())), reply)
        }
        Kind::SecretOfCall => {
            let get = GetTenantToken::new(id(), AppSecret::new(secret).unwrap());
            error(none(), Call::with_token(&NoToken, &get), None, reply)
        }
        Kind::SecretOfResend => {
            let resend = ResendAppTicket::new(id(), AppSecret::new(secret).unwrap());
            error(store(), Call::with_token(&NoToken, &resend), None, reply)
        }
        Kind::TicketOfCall => {
            let ticket = AppTicket::new(secret).unwrap();
            let get = GetAppToken::new(id(), AppSecret::new("-").unwrap(), ticket);
            error(store(), Call::with_token(&NoToken, &get), None, reply)
        }
        Kind::AppTokenOfCall => {
            let tenant = TenantKey::new("tenant").unwrap();
            let get = GetStoreTenantToken::new(AppToken::new(secret).unwrap(), tenant);
            error(store(), Call::with_token(&NoToken, &get), None, reply)
        }
    }
}

/// The error of `call`, whose first request gets the reply `granted`, if there is one, and whose next gets `reply`.
fn error<O: 'static>(
    session: Session,
    call: Call<O, Cut>,
    mut granted: Option<Response<Bytes>>,
    reply: &Response<Bytes>,
) -> CallError<Cut> {
    let service = |_, _| after(Duration::ZERO, granted.take().unwrap_or(reply.clone()));
    let mut sim: Sim<'_, O> = Sim::new(session, service);
    sim.start(call.with_limits(Limits::one_attempt()).with_events().boxed());
    sim.run();
    sim.take_last_result().err().unwrap()
}

/// Replies that quote `text` in each place that an error shows.
fn replies(text: &str) -> Vec<Response<Bytes>> {
    let envelope = json!({
        "code": 10014, "msg": text, "log_id": text,
        "error": {
            "message": text, "log_id": text, "troubleshooter": text,
            "permission_violations": [{"scope": text, "type": text, "url": text}],
            "field_violations": [{"field": text, "description": text}],
            "helps": [{"url": text, "description": text}],
        },
    });
    let subject = json!({"code": 99991672, "error": {"permission_violations": [{"subject": text, "url": text}]}});
    let grant = json!({"code": 99991672, "msg": format!("[{text}] https://x/app/{text}/auth?q={text}"), "error": text});
    let bodies = [
        envelope.to_string(),
        grant.to_string(),
        subject.to_string(),
        json!({"code": 0, "data": {"image_key": [text]}}).to_string(),
        json!({"code": text}).to_string(),
        format!("{{\"code\":0,\"x\":{}", json!(text)),
        format!("<p>{text}"),
        format!(
            "<!DOCTYPE html><html><head><title>{text}</title></head><body>{text}</body></html>"
        ),
        json!([text]).to_string(),
        json!({"message": text}).to_string(),
        format!("{}{text}", "x".repeat(230)),
    ];
    let reply = |body: String| {
        let mut reply = Response::new(Bytes::from(body));
        *reply.status_mut() = http::StatusCode::BAD_REQUEST;
        for name in ["content-type", "x-tt-logid", "x-request-id", "location", "retry-after"] {
            if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                reply.headers_mut().insert(name, value);
            }
        }
        reply
    };
    bodies.map(reply).into()
}

/// Every text that the error shows.
fn shown(error: &Error) -> Vec<String> {
    let mut shown = vec![error.to_string(), format!("{error:?}"), format!("{error:#?}")];
    match error {
        Error::Api(api) => {
            shown.extend([api.msg.clone()]);
            shown.extend(
                [&api.log_id, &api.detail, &api.troubleshooter, &api.grant_link]
                    .map(|it| it.clone().unwrap_or_default()),
            );
            for it in &api.permission_violations {
                shown.extend([
                    it.scope.clone(),
                    it.kind.clone().unwrap_or_default(),
                    it.url.clone().unwrap_or_default(),
                ]);
            }
            for it in &api.field_violations {
                shown.extend([it.field.clone(), it.description.clone()]);
            }
        }
        Error::Unreadable(reply) => {
            shown.extend([reply.reason.clone(), reply.excerpt.clone()]);
            shown.extend(
                [&reply.content_type, &reply.log_id].map(|it| it.clone().unwrap_or_default()),
            );
        }
        other => panic!("{other:?}"),
    }
    shown
}

/// The text in lower case and without spaces.
fn dense(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect()
}

fn check(kind: Kind, secret: &str, text: &str, form: &str) {
    for reply in replies(text) {
        // The resend of a ticket is a success whatever `data` is.
        let is_success = reply.body().starts_with(br#"{"code":0,"data""#);
        if is_success && matches!(kind, Kind::SecretOfResend) {
            continue;
        }
        let error = call(kind, secret, &reply);
        let whole = [error.to_string(), format!("{error:?}"), format!("{error:#?}")];
        let error = error.lark().unwrap_or_else(|| panic!("{error:?}"));
        for shown in shown(error).into_iter().chain(whole) {
            // `{:?}` escapes a text once more.
            for secret in
                [secret, &secret.escape_debug().to_string(), form, &form.escape_debug().to_string()]
            {
                assert!(!dense(&shown).contains(&dense(secret)), "{kind:?} {secret} in {shown}");
            }
        }
    }
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Token),
        Just(Kind::UserToken),
        Just(Kind::AppSecret),
        Just(Kind::AppTicket),
        Just(Kind::AppToken),
        Just(Kind::SecretOfCall),
        Just(Kind::SecretOfResend),
        Just(Kind::TicketOfCall),
        Just(Kind::AppTokenOfCall)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn no_error_shows_a_secret_of_its_request(
        kind in kinds(),
        secret in prop_oneof!["[!-~]{8,48}", "[A-Za-z0-9_.-]{8,48}"],
        before in ".{0,20}",
        after in ".{0,20}",
        form in proptest::sample::select(&FORMS[..]),
    ) {
        check(kind, &secret, &format!("{before}{secret}{after}"), &secret);
        // The spaces keep a character of the text from becoming a part of an escape.
        let form = form(&secret);
        check(kind, &secret, &format!("{before} {form} {after}"), &form);
    }
}

#[test]
fn no_error_of_a_call_shows_the_secrets_of_its_session() {
    let put = PutImage::message(Image::new("GIF89a").unwrap()).unwrap();
    let tenant = TenantKey::new("tenant").unwrap();
    let (secret, ticket, app_token) = ("s3cr3t-of-app", "t1ck3t-of-app", "app-t0ken-of-app");
    let granted = json!({
        "code": 0, "app_access_token": app_token, "tenant_access_token": "t-1", "expire": 7200,
    });
    for form in FORMS {
        for reply in replies(&[secret, ticket, app_token].map(form).join(" ")) {
            let mut session = Session::new(Site::LARK, App::store("cli_x", secret).unwrap());
            session.set_app_ticket(AppTicket::new(ticket).unwrap());
            let mut sim: Sim<'_, ImageKey> = Sim::new(session, |_, request| {
                let is_token_request = request.uri().path().contains("/auth/");
                let granted = Response::new(granted.to_string().into());
                after(Duration::ZERO, if is_token_request { granted } else { reply.clone() })
            });
            let call = Call::for_tenant(tenant.clone(), &put).with_limits(Limits::one_attempt());
            sim.start(call.boxed());
            sim.run();
            let error = sim.take_last_result().unwrap_err();
            assert_eq!(error.route, "/open-apis/image/v4/put/");
            let error = error.lark().unwrap_or_else(|| panic!("{error:?}"));
            for shown in shown(error) {
                for secret in [secret, ticket, app_token] {
                    for quoted in
                        [secret.to_owned(), form(secret), form(secret).escape_debug().to_string()]
                    {
                        assert!(!dense(&shown).contains(&dense(&quoted)), "{quoted} in {shown}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_long_secret_is_masked_where_a_text_is_truncated() {
    let secret = "0aB9".repeat(64);
    for form in FORMS {
        for before in [0, 250, 1023] {
            let text = format!("{} {}", "-".repeat(before), form(&secret));
            for reply in replies(&text) {
                let error = call(Kind::AppSecret, &secret, &reply);
                for shown in shown(error.lark().unwrap()) {
                    let shown = dense(&shown);
                    let parts = ["0ab90a", "ab90ab", "b90ab9", "90ab90"];
                    let is_part = parts.iter().any(|part| shown.contains(part));
                    assert!(!is_part, "{shown}");
                }
            }
        }
    }
}

/// Whether `text` shows four characters of `secret` in a row.
fn shows_part(text: &str, secret: &str) -> bool {
    (4..=secret.len()).any(|end| text.contains(&secret[end - 4..end]))
}

#[test]
fn no_part_of_a_secret_is_shown_where_an_invalid_value_is_cut() {
    let secret = "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4z";
    for before in 0..60 {
        // The space makes the key invalid, and the error of an invalid value quotes 60 bytes of it.
        let key = format!("{} {secret}", "-".repeat(before));
        let body = json!({"code": 0, "data": {"image_key": key}});
        let error = call(Kind::AppSecret, secret, &Response::new(body.to_string().into()));
        for shown in shown(error.lark().unwrap()) {
            assert!(!shows_part(&shown, secret), "{before}: {shown}");
        }
    }
}

#[test]
fn no_part_of_a_secret_is_shown_as_a_scope_or_as_a_link() {
    let secret = "s3cr,et99.Abc,d-fgh(ijkl)mnop'qrst";
    for code in [99_991_672, 99_991_679] {
        let msg = format!("required: [{secret}] https://x/app/cli_x/auth?q={secret}");
        let body = json!({"code": code, "msg": msg});
        let error = call(Kind::AppSecret, secret, &Response::new(body.to_string().into()));
        for shown in shown(error.lark().unwrap()) {
            assert!(!shows_part(&shown, secret), "{shown}");
        }
    }
}

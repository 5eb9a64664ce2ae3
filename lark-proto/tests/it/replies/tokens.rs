//! Replies with a token, which no text shows.

use lark_proto::EndpointExt;
use lark_proto::endpoints::{GetTenantToken, Reply};

use super::{TOKEN, reply};

/// Replies of the token's endpoint that cannot be read and hold a secret.
const SECRETS: &str = r#"{"code":0,"Tenant_Access_Token":"t-SECRET"}
{"code":0,"tenant_access_token":"t-SEC RET"}
{"code":0,"tenant_access_token":["t-SECRET"]}
{"code":0,"tenant_access_token":{"t-SECRET":1}}
{"code":"t-SECRET7f1b9a0c2d4e5f60","tenant_access_token":"t-SECRET7f1b9a0c2d4e5f60"}
{"code":0,"tenant_access_token":"t-SECRET","tenant_access_token":"t-SECRET"}
{"app_id":"cli_x","app_secret":"SECRET"}
<p>Authorization: Bearer t-SECRET
{"code":0,"refresh_token":"ur-SECRET","#;

#[test]
fn no_error_of_a_token_request_shows_the_token() {
    let cut = (0..300).map(|len| {
        let msg = "x".repeat(len);
        format!(r#"{{"code":0,"msg":"{msg}","tenant_access_token":"t-SECRET","expi"#)
    });
    let far = [
        format!(r#"{{"code":0,"x":"{}","tenant_access_token":{{"t-SECRET":1}}}}"#, "x".repeat(300)),
        r#"{"code":7,"msg":"Bearer t-SECRET and Bearer t-SECRET","error":{"message":"no Bearer t-SECRET"}}"#.into(),
    ];
    let wrong: Vec<_> = (SECRETS.lines().map(str::to_owned).chain(cut).chain(far))
        .map(|body| GetTenantToken::decode(reply(200, &[], body)).unwrap_err())
        .filter(|error| format!("{error} {error:?}").contains("SEC"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_reply_and_a_grant_do_not_show_the_token() {
    let grant = GetTenantToken::decode(reply(200, &[], TOKEN)).unwrap();
    let reply = Reply::new(reply(200, &[], TOKEN));
    assert!(!format!("{grant:?}").contains("SECRET"), "{grant:?}");
    assert!(!format!("{reply:?}").contains("SECRET"), "{reply:?}");
}

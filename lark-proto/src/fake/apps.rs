//! The two apps and what they get their tokens with: credentials, the ticket, a tenant's key.

use std::collections::BTreeSet;
use std::time::SystemTime;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::auth::{Holder, Tokens};
use super::json::object;
use super::reply::Refusal;
use super::{FakeLark, Route, header};

#[derive(Clone, Debug)]
pub(super) struct Apps {
    pub(super) ticket: String,
    tickets: u64,
    pub(super) tenants: BTreeSet<String>,
}

impl Default for Apps {
    fn default() -> Self {
        let tenants = BTreeSet::from([FakeLark::TENANT_KEY.to_owned()]);
        Self { ticket: FakeLark::APP_TICKET.to_owned(), tickets: 1, tenants }
    }
}

impl Apps {
    pub(super) fn renew_ticket(&mut self) {
        self.tickets = self.tickets.saturating_add(1);
        self.ticket = format!("{}-{}", FakeLark::APP_TICKET, self.tickets);
    }

    /// Answers a request to one of the endpoints that take no token.
    pub(super) fn perform(
        &self,
        now: SystemTime,
        tokens: &mut Tokens,
        route: Route,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Value, Refusal> {
        match route {
            Route::AppAccessToken => {
                let found: WithTicket = read(headers, body)?;
                if app(&found.app_id, &found.app_secret)? == App::Custom {
                    return Err(Refusal::with_200(10012, "get app access token fail"));
                }
                if found.app_ticket != self.ticket {
                    let msg = "get app access token fail: app_ticket is not the latest";
                    return Err(Refusal::with_200(10012, msg));
                }
                let (token, expire) = tokens.grant(Holder::StoreApp, now);
                let msg = "success";
                Ok(json!({"app_access_token": token, "code": 0, "expire": expire, "msg": msg}))
            }
            Route::StoreTenantAccessToken => {
                let found: InTenant = read(headers, body)?;
                tokens.admit_app(now, &found.app_access_token)?;
                if !self.tenants.contains(&found.tenant_key) {
                    return Err(Refusal::with_200(10013, "get tenant access token fail"));
                }
                let granted = tokens.grant(Holder::Tenant(found.tenant_key), now);
                Ok(tenant_token(granted, "success"))
            }
            Route::ResendAppTicket => {
                let found: Credentials = read(headers, body)?;
                match app(&found.app_id, &found.app_secret)? {
                    App::Custom => Err(Refusal::with_200(10016, "app resend fail")),
                    App::Store => Ok(json!({"code": 0, "msg": "success"})),
                }
            }
            _ => {
                let found: Credentials = read(headers, body)?;
                match app(&found.app_id, &found.app_secret)? {
                    App::Custom => Ok(tenant_token(tokens.grant(Holder::CustomApp, now), "ok")),
                    App::Store => Err(Refusal::with_200(10005, "app id unauthorized")),
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct Credentials {
    app_id: String,
    app_secret: String,
}

#[derive(Deserialize)]
struct WithTicket {
    app_id: String,
    app_secret: String,
    app_ticket: String,
}

#[derive(Deserialize)]
struct InTenant {
    app_access_token: String,
    tenant_key: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum App {
    Custom,
    Store,
}

/// The app with these credentials.
fn app(id: &str, secret: &str) -> Result<App, Refusal> {
    if !id.starts_with("cli_") || secret.is_empty() {
        return Err(Refusal::with_200(10003, "invalid param"));
    }
    let (app, its_secret) = match id {
        FakeLark::APP_ID => (App::Custom, FakeLark::APP_SECRET),
        FakeLark::STORE_APP_ID => (App::Store, FakeLark::STORE_APP_SECRET),
        _ => return Err(Refusal::with_200(10014, "app id not exists")),
    };
    if secret == its_secret { Ok(app) } else { Err(Refusal::with_400(10014, "app secret invalid")) }
}

fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refusal> {
    let invalid = || Refusal::with_200(10003, "invalid param");
    // The vendor's client for Python names no media type in these requests.
    if headers.contains_key(CONTENT_TYPE) {
        header::expect_json(headers).map_err(|_| invalid())?;
    }
    object(body).map_err(|_| invalid())
}

fn tenant_token((token, expire): (String, u64), msg: &str) -> Value {
    json!({"code": 0, "expire": expire, "msg": msg, "tenant_access_token": token})
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use bytes::Bytes;
    use http::Request;

    use super::*;
    use crate::fake::TokenKind;

    /// The status, and the body.
    fn post(lark: &mut FakeLark, minute: u64, route: Route, body: &Value) -> (u16, Value) {
        let request = Request::post(route.path())
            .header(CONTENT_TYPE, "application/json")
            .body(Bytes::from(body.to_string()));
        let now = UNIX_EPOCH + Duration::from_secs(60 * minute);
        let reply = lark.handle(now, request.unwrap());
        (reply.status().as_u16(), serde_json::from_slice(reply.body()).unwrap())
    }

    fn verdict((status, body): &(u16, Value)) -> (u16, i64) {
        (*status, body["code"].as_i64().unwrap())
    }

    fn store_app() -> Value {
        json!({"app_id": FakeLark::STORE_APP_ID, "app_secret": FakeLark::STORE_APP_SECRET,
            "app_ticket": FakeLark::APP_TICKET})
    }

    fn with(mut body: Value, name: &str, value: &str) -> Value {
        body[name] = value.into();
        body
    }

    #[test]
    fn a_token_is_asked_for_in_json_or_without_a_media_type() {
        let body = json!({"app_id": FakeLark::APP_ID, "app_secret": FakeLark::APP_SECRET});
        for (media_type, code) in [
            (None, 0),
            (Some("application/json; charset=utf-8"), 0),
            (Some("text/plain"), 10003),
            (Some("application/x-www-form-urlencoded"), 10003),
        ] {
            let mut request = Request::post(Route::TenantAccessToken.path());
            if let Some(media_type) = media_type {
                request = request.header(CONTENT_TYPE, media_type);
            }
            let request = request.body(Bytes::from(body.to_string())).unwrap();
            let reply = FakeLark::new().handle(UNIX_EPOCH, request);
            let reply: Value = serde_json::from_slice(reply.body()).unwrap();
            assert_eq!(reply["code"], code, "{media_type:?}");
        }
    }

    #[test]
    fn a_store_app_gets_a_token_for_each_tenant() {
        let mut lark = FakeLark::new();
        lark.add_tenant("other");
        let (_, app) = post(&mut lark, 0, Route::AppAccessToken, &store_app());
        assert_eq!((&app["msg"], &app["expire"]), (&"success".into(), &7200.into()));
        let app_token = app["app_access_token"].as_str().unwrap();
        assert!(app_token.starts_with("a-"));
        let mut token = |minute, key| {
            let body = json!({"app_access_token": app_token, "tenant_key": key});
            let (_, reply) = post(&mut lark, minute, Route::StoreTenantAccessToken, &body);
            (reply["tenant_access_token"].as_str().unwrap().to_owned(), reply["expire"].clone())
        };
        let (one, other) = (token(1, FakeLark::TENANT_KEY), token(2, "other"));
        assert!(one.0.starts_with("t-") && other.0.starts_with("t-") && one.0 != other.0);
        assert_eq!(token(91, FakeLark::TENANT_KEY), (one.0.clone(), 1800.into()));
        let next = token(92, FakeLark::TENANT_KEY);
        assert!(next.0 != one.0 && next.1 == 7200);
        assert_eq!(token(92, "other"), (other.0, 1800.into()));
    }

    #[test]
    fn what_stands_in_the_way_of_an_app_token() {
        for (body, expected) in [
            (store_app(), (200, 0)),
            (with(store_app(), "app_ticket", "old"), (200, 10012)),
            (with(store_app(), "app_secret", "x"), (400, 10014)),
            (with(store_app(), "app_id", "cli_0"), (200, 10014)),
            (with(store_app(), "app_id", "0"), (200, 10003)),
            (json!({"app_id": "cli_0", "app_secret": "x"}), (200, 10003)),
        ] {
            let found = post(&mut FakeLark::new(), 0, Route::AppAccessToken, &body);
            assert_eq!(verdict(&found), expected, "{body}");
        }
        let mut lark = FakeLark::new();
        lark.renew_app_ticket();
        let late = post(&mut lark, 0, Route::AppAccessToken, &store_app());
        assert_eq!(verdict(&late), (200, 10012));
        let ticket = lark.app_ticket().to_owned();
        let latest = with(store_app(), "app_ticket", &ticket);
        assert_eq!(verdict(&post(&mut lark, 0, Route::AppAccessToken, &latest)), (200, 0));
    }

    #[test]
    fn what_stands_in_the_way_of_a_tenants_token() {
        let mut lark = FakeLark::new();
        lark.add_token(TokenKind::App, "a-1", UNIX_EPOCH + Duration::from_secs(60));
        lark.add_token(TokenKind::Tenant, "t-1", UNIX_EPOCH + Duration::from_secs(60));
        for (minute, token, key, expected) in [
            (0, "a-1", FakeLark::TENANT_KEY, (200, 0)),
            (0, "a-1", "other", (200, 10013)),
            (0, "a-2", FakeLark::TENANT_KEY, (400, 99991664)),
            (0, "t-1", FakeLark::TENANT_KEY, (400, 99991664)),
            (1, "a-1", FakeLark::TENANT_KEY, (400, 99991664)),
        ] {
            let body = json!({"app_access_token": token, "tenant_key": key});
            let found = post(&mut lark, minute, Route::StoreTenantAccessToken, &body);
            assert_eq!(verdict(&found), expected, "{token} {key}");
        }
        lark.add_token(TokenKind::App, "a-1", UNIX_EPOCH + Duration::from_secs(600));
        lark.revoke_tokens(TokenKind::App);
        let body = json!({"app_access_token": "a-1", "tenant_key": FakeLark::TENANT_KEY});
        let found = post(&mut lark, 2, Route::StoreTenantAccessToken, &body);
        assert_eq!(verdict(&found), (400, 99991664));
    }

    #[test]
    fn each_app_has_its_own_routes() {
        let custom = json!({"app_id": FakeLark::APP_ID, "app_secret": FakeLark::APP_SECRET,
            "app_ticket": FakeLark::APP_TICKET});
        for (route, of_custom, of_store) in [
            (Route::TenantAccessToken, (200, 0), (200, 10005)),
            (Route::AppAccessToken, (200, 10012), (200, 0)),
            (Route::ResendAppTicket, (200, 10016), (200, 0)),
        ] {
            let lark = &mut FakeLark::new();
            assert_eq!(verdict(&post(lark, 0, route, &custom)), of_custom, "{route:?}");
            assert_eq!(verdict(&post(lark, 0, route, &store_app())), of_store, "{route:?}");
            assert_eq!(lark.app_ticket(), FakeLark::APP_TICKET, "it is the same that comes again");
        }
    }
}

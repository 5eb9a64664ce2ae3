//! The custom app and the store app, and their token requests.

use std::collections::BTreeSet;
use std::time::SystemTime;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::fake::gateway::{Holder, Tokens};
use crate::fake::readers::header;
use crate::fake::readers::json::object;
use crate::fake::reply::Refusal;
use crate::fake::route::Route;

/// An app's credentials.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credentials {
    pub(crate) id: &'static str,
    pub(crate) secret: &'static str,
}

#[derive(Clone, Debug)]
pub(crate) struct Apps {
    custom: Credentials,
    store: Credentials,
    first_ticket: &'static str,
    /// The store app's ticket that is valid at present.
    pub(crate) ticket: String,
    /// How many tickets the store app was given.
    tickets: u64,
    /// The keys of the tenants that have the store app installed.
    pub(crate) tenants: BTreeSet<String>,
}

impl Apps {
    /// A custom app, and a store app with its first ticket, which `tenant` has installed.
    pub(crate) fn new(
        custom: Credentials,
        store: Credentials,
        first_ticket: &'static str,
        tenant: &str,
    ) -> Self {
        let tenants = BTreeSet::from([tenant.to_owned()]);
        Self { custom, store, first_ticket, ticket: first_ticket.to_owned(), tickets: 1, tenants }
    }

    pub(crate) fn renew_ticket(&mut self) {
        self.tickets = self.tickets.saturating_add(1);
        self.ticket = format!("{}-{}", self.first_ticket, self.tickets);
    }

    /// Answers a request for a token or a ticket.
    pub(crate) fn perform(
        &self,
        now: SystemTime,
        tokens: &mut Tokens,
        route: Route,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Value, Refusal> {
        match route {
            Route::AppAccessToken => {
                let found: AppTicketBody = read(headers, body)?;
                if self.app(&found.app_id, &found.app_secret)? == App::Custom {
                    return Err(Refusal::with_200(10012, "get app access token fail"));
                }
                if found.app_ticket != self.ticket {
                    let msg = "get app access token fail: app_ticket is not the latest";
                    return Err(Refusal::with_200(10012, msg));
                }
                let (token, expire) = tokens.grant(Holder::StoreApp, self.store.id, now);
                let msg = "success";
                Ok(json!({"app_access_token": token, "code": 0, "expire": expire, "msg": msg}))
            }
            Route::StoreTenantAccessToken => {
                let found: TenantBody = read(headers, body)?;
                tokens.admit_app(now, &found.app_access_token)?;
                if !self.tenants.contains(&found.tenant_key) {
                    return Err(Refusal::with_200(10013, "get tenant access token fail"));
                }
                let holder = Holder::Tenant(found.tenant_key);
                let granted = tokens.grant(holder, self.store.id, now);
                Ok(tenant_token(granted, "success"))
            }
            Route::ResendAppTicket => {
                let found: AppBody = read(headers, body)?;
                match self.app(&found.app_id, &found.app_secret)? {
                    App::Custom => Err(Refusal::with_200(10016, "app resend fail")),
                    App::Store => Ok(json!({"code": 0, "msg": "success"})),
                }
            }
            _ => {
                let found: AppBody = read(headers, body)?;
                match self.app(&found.app_id, &found.app_secret)? {
                    App::Custom => {
                        let granted = tokens.grant(Holder::CustomApp, self.custom.id, now);
                        Ok(tenant_token(granted, "ok"))
                    }
                    App::Store => Err(Refusal::with_200(10005, "app id unauthorized")),
                }
            }
        }
    }

    /// The app with these credentials.
    fn app(&self, id: &str, secret: &str) -> Result<App, Refusal> {
        if !id.starts_with("cli_") || secret.is_empty() {
            return Err(Refusal::with_200(10003, "invalid param"));
        }
        let (app, credentials) = if id == self.custom.id {
            (App::Custom, self.custom)
        } else if id == self.store.id {
            (App::Store, self.store)
        } else {
            return Err(Refusal::with_200(10014, "app id not exists"));
        };
        if secret == credentials.secret {
            Ok(app)
        } else {
            Err(Refusal::with_400(10014, "app secret invalid"))
        }
    }
}

/// The body of a request that only names the app.
#[derive(Deserialize)]
struct AppBody {
    app_id: String,
    app_secret: String,
}

#[derive(Deserialize)]
struct AppTicketBody {
    app_id: String,
    app_secret: String,
    app_ticket: String,
}

#[derive(Deserialize)]
struct TenantBody {
    app_access_token: String,
    tenant_key: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum App {
    Custom,
    Store,
}

/// Reads the body of a request for a token or a ticket.
fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refusal> {
    let invalid = || Refusal::with_200(10003, "invalid param");
    // The vendor's client for Python sends these requests without a media type.
    if headers.contains_key(CONTENT_TYPE) {
        header::expect_json(headers).map_err(|_| invalid())?;
    }
    object(body).map_err(|_| invalid())
}

/// The reply with a tenant access token, and the seconds until it expires.
fn tenant_token((token, expire): (String, u64), msg: &str) -> Value {
    json!({"code": 0, "expire": expire, "msg": msg, "tenant_access_token": token})
}

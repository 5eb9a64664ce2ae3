//! A store app needs its ticket for an app token, and the app token for the token of each tenant.

use super::builder::{api, not_sent};
use super::calls::put;
use super::faults::page;
use super::limits::BACKOFF;
use crate::error::Invalid;
use crate::fake::gateway::TokenKind;
use crate::fake::lark::FakeLark;
use crate::fake::route::Route::{
    AppAccessToken as AppToken, ImageV4Put as Put, ResendAppTicket as Resend,
    StoreTenantAccessToken as InTenant,
};
use crate::fake::scenarios::scenario::{ExpectedError, Scenario};
use crate::values::{App, TenantKey};

pub(super) fn all() -> Result<Vec<Scenario>, Invalid> {
    let with_custom_credentials = App::store(FakeLark::APP_ID, FakeLark::APP_SECRET)?;
    let no_ticket = || not_sent(AppToken, ExpectedError::NoTicket);
    Ok(vec![
        put("a store app fetches an app token and a tenant token")?.store()?.requests(&[
            (AppToken, 1),
            (InTenant, 1),
            (Put, 1),
        ]),
        put("a revoked tenant token is fetched again with the same app token")?
            .store()?
            .warm()
            .prepared(|lark| lark.revoke_tokens(TokenKind::Tenant))
            .requests(&[(AppToken, 1), (InTenant, 2), (Put, 3)]),
        put("a store app whose tokens are both revoked fetches both again")?
            .store()?
            .warm()
            .prepared(|lark| {
                lark.revoke_tokens(TokenKind::App);
                lark.revoke_tokens(TokenKind::Tenant);
            })
            .requests(&[(AppToken, 2), (InTenant, 3), (Put, 3)]),
        put("an app token request answered with HTTP 500 is sent again")?
            .store()?
            .prepared(|lark| lark.fail_next_on(AppToken, page(500)))
            .requests(&[(AppToken, 2), (InTenant, 1), (Put, 1)])
            .lasts(BACKOFF),
        put("a refused ticket fails the call, and the client asks for a new one")?
            .store()?
            .prepared(FakeLark::renew_app_ticket)
            .requests(&[(AppToken, 1), (Resend, 1)])
            .fails(no_ticket()),
        Scenario {
            ticket: None,
            ..put("a store app without a ticket asks for one and fails the call")?.store()?
        }
        .requests(&[(Resend, 1)])
        .fails(no_ticket()),
        Scenario {
            ticket: None,
            ..put("a request for a ticket with a custom app's credentials is refused")?.store()?
        }
        .with_app(with_custom_credentials)
        .requests(&[(Resend, 1)])
        .fails_for_good(not_sent(Resend, api(10016))),
        Scenario {
            tenant: None,
            ..put("a store app's call without a tenant sends no request")?.store()?
        }
        .fails_for_good(not_sent(Put, ExpectedError::NoTenant)),
        Scenario {
            tenant: Some(TenantKey::new("0")?),
            ..put("a tenant that has not installed the app fails the call")?.store()?
        }
        .requests(&[(AppToken, 1), (InTenant, 1)])
        .fails_for_good(not_sent(InTenant, api(10013))),
        Scenario {
            tenant: Some(TenantKey::new("0")?),
            ..put("a custom app's call for a tenant sends no request")?
        }
        .fails_for_good(not_sent(Put, ExpectedError::ForeignTenant)),
    ])
}

//! A token request: what it asks for, and why it brought no token.

use std::sync::Arc;
use std::time::Duration;

use http::Request;

use super::slot::Setback;
use crate::body::Body;
use crate::endpoint::EndpointExt;
use crate::endpoints::{GetAppToken, GetStoreTenantToken, GetTenantToken, ResendAppTicket};
use crate::error::{Advice, Error};
use crate::site::Site;
use crate::text::Secrets;
use crate::token::{AppToken, NoToken};
use crate::values::{App, AppTicket, TenantKey};

/// The token, or the ticket, that a request is sent for.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// A tenant token; for a store app with the app token of this generation.
    Tenant(u64),
    /// The app token, in exchange for this ticket.
    App(AppTicket),
    /// That the service push the ticket again; the ticket itself arrives as an event.
    Ticket,
}

/// Why there is no token. A transport's error is kept as text, because the error itself belongs to the call that met
/// it.
#[derive(Clone, Debug)]
pub(super) struct Cause {
    pub(super) route: &'static str,
    pub(super) why: Reason,
}

#[derive(Clone, Debug)]
pub(super) enum Reason {
    Lark(Error),
    Transport(Arc<str>),
    Late,
    TooLarge(u64),
    NoTicket,
}

impl Cause {
    /// The same cause with the rest of the pause, `wait`, in place of the wait that the service named.
    pub(super) fn with_retry_after(self, wait: Duration) -> Self {
        match self.why {
            Reason::Lark(error) if matches!(error.advice(), Advice::Again { after: Some(_) }) => {
                Self { why: Reason::Lark(error.with_retry_after(wait)), ..self }
            }
            _ => self,
        }
    }
}

impl Wanted {
    pub(super) fn route(&self, app: &App) -> &'static str {
        match (self, app) {
            (Self::Tenant(_), App::Store { .. }) => GetStoreTenantToken::ROUTE,
            (Self::Tenant(_), _) => GetTenantToken::ROUTE,
            (Self::App(_), _) => GetAppToken::ROUTE,
            (Self::Ticket, _) => ResendAppTicket::ROUTE,
        }
    }

    /// The request at `site`; for a tenant of a store app with `app_token`.
    pub(super) fn request(
        &self,
        app: &App,
        site: &Site,
        tenant: &Option<TenantKey>,
        app_token: Option<&AppToken>,
    ) -> Request<Body> {
        let (App::Custom { id, secret } | App::Store { id, secret }) = app else {
            return Request::new(Body::empty());
        };
        let (id, secret) = (id.clone(), secret.clone());
        match (self, tenant, app_token) {
            (Self::Tenant(_), Some(tenant), Some(token)) => {
                let get = GetStoreTenantToken::new(token.clone(), tenant.clone());
                get.request_streamed(site, &NoToken)
            }
            (Self::Tenant(_), ..) => {
                GetTenantToken::new(id, secret).request_streamed(site, &NoToken)
            }
            (Self::App(ticket), ..) => {
                GetAppToken::new(id, secret, ticket.clone()).request_streamed(site, &NoToken)
            }
            (Self::Ticket, ..) => ResendAppTicket::new(id, secret).request_streamed(site, &NoToken),
        }
    }

    /// The secrets in the body of the request.
    pub(super) fn secrets(&self, app: &App, app_token: Option<&AppToken>) -> Secrets {
        let secret = match app {
            App::Custom { secret, .. } | App::Store { secret, .. } => Some(secret.expose_secret()),
            App::None => None,
        };
        let ticket = match self {
            Self::App(ticket) => Some(ticket.expose_secret()),
            Self::Tenant(_) | Self::Ticket => None,
        };
        let app_token = app_token.map(AppToken::expose_secret);
        let all = [secret, ticket, app_token].into_iter().flatten().map(str::to_owned);
        Secrets::new(None, all.collect())
    }
}

/// The outcome of a request whose reply is an error that nothing was dropped for.
pub(super) fn setback(error: &Error) -> Setback {
    match (error, error.advice()) {
        (_, Advice::Again { after: Some(wait) }) if !wait.is_zero() => Setback::Told(wait),
        (Error::Api(_), Advice::GiveUp) => Setback::Refused,
        _ => Setback::Failed,
    }
}

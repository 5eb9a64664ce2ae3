//! A token request: the token that it asks for, and the kind of its failure.

use std::time::Duration;

use http::Request;

use crate::api::EndpointExt;
use crate::body::Body;
use crate::endpoints::{GetAppToken, GetStoreTenantToken, GetTenantToken, ResendAppTicket};
use crate::error::{Advice, Error};
use crate::site::Site;
use crate::text::Secrets;
use crate::token::{AppToken, NoToken};
use crate::values::{App, AppTicket, TenantKey};

/// The token, or the ticket, that a request is sent for.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// A tenant token. For a store app, the request contains the app token of this generation.
    Tenant(u64),
    /// The app token. The request contains this ticket.
    App(AppTicket),
    /// The ticket. The service is asked to push it again, and it arrives as an event.
    Ticket,
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

    /// The request to `site`. For a tenant of a store app it contains `app_token`.
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
        let id = id.clone();
        let secret = secret.clone();
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

/// Why a token request returned no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// Another attempt may succeed. This is any failure that no other variant covers.
    Transient,
    /// The service asked to wait for this time, which is not zero.
    RetryAfter(Duration),
    /// The same request would fail again: the service's code says so, or the transport's failure is permanent.
    Permanent,
    /// The request was for the ticket, and the service agreed to push it.
    TicketRequested,
}

impl FailureKind {
    /// The kind of the failure of a request that the service refused with `error`. Not used if the refusal drops an app
    /// token or a ticket.
    pub(super) fn of(error: &Error) -> Self {
        match (error, error.advice()) {
            (_, Advice::Again { after: Some(wait) }) if !wait.is_zero() => Self::RetryAfter(wait),
            (Error::Api(_), Advice::GiveUp) => Self::Permanent,
            _ => Self::Transient,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Response;

    use super::*;
    use crate::api::Reply;

    fn kind(code: u32, wait: Option<u32>) -> FailureKind {
        let mut reply = Response::new(Bytes::from(format!(r#"{{"code":{code}}}"#)));
        if let Some(wait) = wait {
            reply.headers_mut().insert("x-ogw-ratelimit-reset", wait.into());
        }
        FailureKind::of(&Reply::new(reply).ok().unwrap_err())
    }

    #[test]
    fn a_wait_of_zero_counts_as_none() {
        assert_eq!(kind(99_991_400, None), FailureKind::Transient);
        assert_eq!(kind(99_991_400, Some(0)), FailureKind::Transient);
        let second = Duration::from_secs(1);
        assert_eq!(kind(99_991_400, Some(1)), FailureKind::RetryAfter(second));
    }

    #[test]
    fn a_wrong_secret_is_a_permanent_failure() {
        assert_eq!(kind(10_014, None), FailureKind::Permanent);
    }

    #[test]
    fn an_unreadable_reply_is_a_transient_failure() {
        let reply = Reply::new(Response::new(Bytes::from("<html>")));
        assert_eq!(FailureKind::of(&reply.ok().unwrap_err()), FailureKind::Transient);
    }
}

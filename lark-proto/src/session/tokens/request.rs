//! A token request: the token that it asks for, its driver and its times.

use http::Request;

use crate::api::EndpointExt;
use crate::body::Body;
use crate::endpoints::{GetAppToken, GetStoreTenantToken, GetTenantToken, ResendAppTicket};
use crate::session::moment::Moment;
use crate::session::queue::{CallId, WakeList};
use crate::session::step::TokenRequestId;
use crate::site::Site;
use crate::text::Secrets;
use crate::token::{AppToken, NoToken};
use crate::values::{App, AppTicket, TenantKey};

/// A token request in flight.
#[derive(Debug)]
pub(super) struct TokenRequest {
    pub(super) id: TokenRequestId,
    pub(super) kind: TokenRequestKind,
    /// The tenant that the request was sent for.
    pub(super) tenant: Option<TenantKey>,
    /// The call that sent the request or, after that call has ended, the first call that waits for the token. The
    /// driver is woken when the request ends. If the request is a renewal, only the driver waits for it.
    pub(super) driver: Option<CallId>,
    /// The tenant of the driver.
    pub(super) tenant_of_driver: Option<TenantKey>,
    pub(super) sent_at: Moment,
    /// A deadline that is reported before this time is the driver's own deadline, and not a failure of the service.
    pub(super) earliest_timeout: Moment,
    /// The time from which the request counts as failed if its result was not reported.
    pub(super) times_out: Moment,
    pub(super) jitter: u64,
    /// The secrets that the reply may quote.
    pub(super) secrets: Secrets,
}

impl TokenRequest {
    /// Makes `next` the driver if `call`, which has ended, was the driver.
    pub(super) fn hand_over(&mut self, call: CallId, next: Option<CallId>, woken: &mut WakeList) {
        if self.driver == Some(call) {
            self.driver = next;
            woken.extend(next);
        }
    }
}

/// The token, or the ticket, that a request is sent for.
#[derive(Clone, Debug)]
pub(super) enum TokenRequestKind {
    /// A tenant token. For a store app, the request contains the app token of this generation.
    Tenant(u64),
    /// The app token. The request contains this ticket.
    App(AppTicket),
    /// The ticket. The service is asked to push it again, and it arrives as an event.
    Ticket,
}

impl TokenRequestKind {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_ends_hands_the_request_over_and_wakes_the_next_driver() {
        let mut request = TokenRequest {
            id: TokenRequestId(1),
            kind: TokenRequestKind::Tenant(0),
            tenant: None,
            driver: Some(CallId(1)),
            tenant_of_driver: None,
            sent_at: Moment::START,
            earliest_timeout: Moment::START,
            times_out: Moment::NEVER,
            jitter: 0,
            secrets: Secrets::new(None, Vec::<String>::new()),
        };
        for (call, next, driver, wakes) in [(2, 3, 1, false), (1, 2, 2, true)] {
            let mut woken = WakeList::default();
            request.hand_over(CallId(call), Some(CallId(next)), &mut woken);
            assert_eq!(request.driver, Some(CallId(driver)));
            assert_eq!(woken.take().contains(&CallId(next)), wakes);
        }
    }
}

//! The request for the ticket of a store app.

use http::Method;

use crate::api::{Endpoint, Payload, Reply, Resend};
use crate::error::Error;
use crate::token::NoAuth;
use crate::values::{AppId, AppSecret};

/// Requests the `app_ticket` of a store app once more. The service pushes it as an event.
///
/// * Route: `POST /open-apis/auth/v3/app_ticket/resend`.
/// * Token: none.
/// * Documentation: <https://open.larksuite.com/document/ukTMukTMukTM/ukDNz4SO0MjL5QzM/auth-v3/auth/app_ticket_resend>.
///
/// # Errors
/// [`Code::TICKET_RESEND_FAILED`](crate::error::Code::TICKET_RESEND_FAILED), for example for a custom app, which has no
/// ticket.
///
/// ```
/// use lark_proto::{EndpointExt, Site};
/// use lark_proto::endpoints::ResendAppTicket;
/// use lark_proto::token::NoToken;
/// use lark_proto::values::{AppId, AppSecret};
///
/// let ask = ResendAppTicket::new(AppId::new("cli_x")?, AppSecret::new("s")?);
/// let request = ask.request(&Site::LARK, &NoToken);
/// assert_eq!(request.body(), r#"{"app_id":"cli_x","app_secret":"s"}"#);
///
/// let reply = r#"{"code":0,"msg":"success"}"#;
/// ResendAppTicket::decode(http::Response::new(reply.into()))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResendAppTicket {
    id: AppId,
    secret: AppSecret,
}

impl ResendAppTicket {
    pub(crate) const ROUTE: &'static str = "/open-apis/auth/v3/app_ticket/resend";

    /// The request for the store app `id` with its `secret`.
    #[must_use]
    pub fn new(id: AppId, secret: AppSecret) -> Self {
        Self { id, secret }
    }
}

impl Endpoint for ResendAppTicket {
    type Auth = NoAuth;
    type Output = ();

    fn method(&self) -> Method {
        Method::POST
    }

    fn route(&self) -> &str {
        Self::ROUTE
    }

    fn payload(&self) -> Option<Payload> {
        let secret = self.secret.expose_secret();
        Some(Payload::json_strings([("app_id", self.id.as_str()), ("app_secret", secret)]))
    }

    fn resend(&self) -> Resend {
        Resend::Safe
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.secret.expose_secret().to_owned()]
    }

    fn read(reply: &Reply) -> Result<(), Error> {
        reply.top_level::<serde::de::IgnoredAny>().map(|_| ())
    }
}

//! Get the app access token of a store app.

use std::borrow::Cow;

use http::Method;

use crate::api::{Endpoint, Payload, Reply, Resend, lenient};
use crate::error::Error;
use crate::token::{AppToken, NoAuth};
use crate::values::{AppId, AppSecret, AppTicket};

use super::shared::grant::Grant;

/// Gets the app access token of a store app, in exchange for the `app_ticket` that the service pushes.
///
/// * Route: `POST /open-apis/auth/v3/app_access_token`.
/// * Token: none.
/// * Documentation: <https://open.larksuite.com/document/ukTMukTMukTM/ukDNz4SO0MjL5QzM/auth-v3/auth/app_access_token>.
///
/// # Errors
/// [`Code::APP_TOKEN_FAILED`](crate::error::Code::APP_TOKEN_FAILED), if the ticket is not the latest one.
///
/// ```
/// use lark_proto::{EndpointExt, Site};
/// use lark_proto::endpoints::GetAppToken;
/// use lark_proto::token::NoToken;
/// use lark_proto::values::{AppId, AppSecret, AppTicket};
///
/// let id = AppId::new("cli_x")?;
/// let secret = AppSecret::new("s")?;
/// let get = GetAppToken::new(id, secret, AppTicket::new("ticket")?);
/// let request = get.request(&Site::LARK, &NoToken);
/// assert_eq!(
///     request.body(),
///     r#"{"app_id":"cli_x","app_secret":"s","app_ticket":"ticket"}"#,
/// );
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "app_access_token")]
pub struct GetAppToken {
    id: AppId,
    secret: AppSecret,
    ticket: AppTicket,
}

impl GetAppToken {
    pub(crate) const ROUTE: &'static str = "/open-apis/auth/v3/app_access_token";

    /// The request for the store app `id` with its `secret` and its latest `ticket`.
    #[must_use]
    pub fn new(id: AppId, secret: AppSecret, ticket: AppTicket) -> Self {
        Self { id, secret, ticket }
    }
}

impl Endpoint for GetAppToken {
    type Auth = NoAuth;
    type Output = Grant<AppToken>;

    fn method(&self) -> Method {
        Method::POST
    }

    fn route(&self) -> &str {
        Self::ROUTE
    }

    fn payload(&self) -> Option<Payload> {
        Some(Payload::json_strings([
            ("app_id", self.id.as_str()),
            ("app_secret", self.secret.expose_secret()),
            ("app_ticket", self.ticket.expose_secret()),
        ]))
    }

    fn resend(&self) -> Resend {
        Resend::Safe
    }

    fn secrets(&self) -> Vec<String> {
        [self.secret.expose_secret(), self.ticket.expose_secret()].map(str::to_owned).into()
    }

    fn read(reply: &Reply) -> Result<Grant<AppToken>, Error> {
        #[derive(serde::Deserialize)]
        struct TopLevel<'a> {
            #[serde(borrow)]
            app_access_token: Cow<'a, str>,
            #[serde(default, deserialize_with = "lenient")]
            expire: Option<f64>,
        }
        let TopLevel { app_access_token, expire } = reply.granted()?;
        Grant::new(reply, AppToken::new(&app_access_token), expire)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::api::EndpointExt;

    #[test]
    fn the_vendors_sample_reply_is_read() {
        let reply = r#"{"code":0,"msg":"success","app_access_token":"a-32bd8551db2f081cbfd26293f27516390b9feb04","expire":7140}"#;
        let Grant { token, expires_in } =
            GetAppToken::decode(http::Response::new(reply.into())).unwrap();
        assert_eq!(token.expose_secret(), "a-32bd8551db2f081cbfd26293f27516390b9feb04");
        assert_eq!(expires_in, Duration::from_secs(7140));
    }
}

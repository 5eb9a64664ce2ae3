//! Get a tenant access token for a custom app.

use http::Method;

use crate::api::{Endpoint, Payload, Reply, Resend};
use crate::error::Error;
use crate::token::{NoAuth, TenantToken};
use crate::values::{AppId, AppSecret};

use super::shared::grant::Grant;

/// Gets a tenant access token for a custom ("self-built") app.
///
/// * Route: `POST /open-apis/auth/v3/tenant_access_token/internal`.
/// * Token: none.
/// * Limits: the service returns the same token until 30 minutes before it expires. Then it returns a new token, and
///   both are valid.
/// * Documentation:
///   <https://open.larksuite.com/document/ukTMukTMukTM/ukDNz4SO0MjL5QzM/auth-v3/auth/tenant_access_token_internal>.
///
/// # Errors
/// [`Code::INVALID_PARAM`](crate::error::Code::INVALID_PARAM),
/// [`Code::APP_SECRET_INVALID`](crate::error::Code::APP_SECRET_INVALID),
/// [`Code::APP_SECRET_WRONG`](crate::error::Code::APP_SECRET_WRONG).
///
/// ```
/// use lark_proto::{EndpointExt, Site};
/// use lark_proto::endpoints::GetTenantToken;
/// use lark_proto::token::NoToken;
/// use lark_proto::values::{AppId, AppSecret};
///
/// let get = GetTenantToken::new(AppId::new("cli_x")?, AppSecret::new("s")?);
/// let request = get.request(&Site::LARK, &NoToken);
/// assert_eq!(request.body(), r#"{"app_id":"cli_x","app_secret":"s"}"#);
///
/// let reply = r#"{"code":0,"msg":"ok",
///     "tenant_access_token":"t-7f1b","expire":7200}"#;
/// let grant = GetTenantToken::decode(http::Response::new(reply.into()))?;
/// assert_eq!(grant.expires_in.as_secs(), 7200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "tenant_access_token")]
pub struct GetTenantToken {
    id: AppId,
    secret: AppSecret,
}

impl GetTenantToken {
    pub(crate) const ROUTE: &'static str = "/open-apis/auth/v3/tenant_access_token/internal";

    /// The request for the app `id` with its `secret`.
    #[must_use]
    pub fn new(id: AppId, secret: AppSecret) -> Self {
        Self { id, secret }
    }
}

impl Endpoint for GetTenantToken {
    type Auth = NoAuth;
    type Output = Grant<TenantToken>;

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

    fn read(reply: &Reply) -> Result<Grant<TenantToken>, Error> {
        Grant::read_tenant(reply)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::api::EndpointExt;

    fn grant(reply: &str) -> Result<Grant<TenantToken>, Error> {
        GetTenantToken::decode(http::Response::new(reply.to_owned().into()))
    }

    #[test]
    fn the_vendors_sample_reply_is_read() {
        let grant = grant(
            r#"{"code":0,"msg":"ok","tenant_access_token":"t-caecc734c2e3328a62489fe0648c4b98779515d3","expire":7200}"#,
        );
        let Grant { token, expires_in } = grant.unwrap();
        assert_eq!(token.expose_secret(), "t-caecc734c2e3328a62489fe0648c4b98779515d3");
        assert_eq!(expires_in, Duration::from_secs(7200));
    }

    #[test]
    fn a_token_lives_0_to_7200_seconds() {
        for (expire, seconds) in [
            (r#","expire":0"#, 0),
            (r#","expire":-1"#, 0),
            (r#","expire":7199"#, 7199),
            (r#","expire":7200"#, 7200),
            (r#","expire":7201"#, 7200),
            (r#","expire":9223372036854775808"#, 7200),
            (r#","expire":1e300"#, 7200),
            (r#","expire":"7200""#, 0),
            (r#","expire":null"#, 0),
            ("", 0),
        ] {
            let reply = format!(r#"{{"code":0,"tenant_access_token":"t-1"{expire}}}"#);
            assert_eq!(grant(&reply).unwrap().expires_in, Duration::from_secs(seconds), "{expire}");
        }
    }

    #[test]
    fn no_error_quotes_the_token() {
        for reply in [
            r#"{"code":0,"tenant_access_token":"t-SECRET","#,
            r#"{"code":0,"tenant_access_token":"t-SECRET\n"}"#,
            r#"{"code":"t-SECRET7f1b9a0c2d4e5f60","tenant_access_token":1}"#,
            r#"{"code":0,"tenant_access_token":{"t-SECRET":1}}"#,
        ] {
            let error = grant(reply).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("SECRET"), "{error}");
        }
    }
}

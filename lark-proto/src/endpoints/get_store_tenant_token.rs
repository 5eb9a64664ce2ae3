//! Get a tenant access token for a store app.

use http::Method;

use crate::api::{Endpoint, Payload, Reply, Resend};
use crate::error::Error;
use crate::token::{AppToken, NoAuth, TenantToken};
use crate::values::TenantKey;

use super::shared::grant::Grant;

/// Gets a tenant access token for a store app, in one of the tenants that have it installed.
///
/// * Route: `POST /open-apis/auth/v3/tenant_access_token`.
/// * Token: the app access token, in the body.
/// * Documentation:
///   <https://open.larksuite.com/document/ukTMukTMukTM/ukDNz4SO0MjL5QzM/auth-v3/auth/tenant_access_token>.
///
/// # Errors
/// [`Code::APP_TOKEN_INVALID`](crate::error::Code::APP_TOKEN_INVALID),
/// [`Code::TENANT_TOKEN_FAILED`](crate::error::Code::TENANT_TOKEN_FAILED).
///
/// ```
/// use lark_proto::{EndpointExt, Site};
/// use lark_proto::endpoints::GetStoreTenantToken;
/// use lark_proto::token::{AppToken, NoToken};
/// use lark_proto::values::TenantKey;
///
/// let tenant = TenantKey::new("73658811060f175d")?;
/// let get = GetStoreTenantToken::new(AppToken::new("a-32bd")?, tenant);
/// let request = get.request(&Site::LARK, &NoToken);
/// assert_eq!(
///     request.body(),
///     r#"{"app_access_token":"a-32bd","tenant_key":"73658811060f175d"}"#,
/// );
///
/// let reply = r#"{"code":0,"msg":"success",
///     "tenant_access_token":"t-7f1b","expire":7140}"#;
/// let grant = GetStoreTenantToken::decode(http::Response::new(reply.into()))?;
/// assert_eq!(grant.expires_in.as_secs(), 7140);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "tenant_access_token")]
pub struct GetStoreTenantToken {
    app_token: AppToken,
    tenant: TenantKey,
}

impl GetStoreTenantToken {
    pub(crate) const ROUTE: &'static str = "/open-apis/auth/v3/tenant_access_token";

    /// The request for a token for `tenant`.
    #[must_use]
    pub fn new(app_token: AppToken, tenant: TenantKey) -> Self {
        Self { app_token, tenant }
    }
}

impl Endpoint for GetStoreTenantToken {
    type Auth = NoAuth;
    type Output = Grant<TenantToken>;

    fn method(&self) -> Method {
        Method::POST
    }

    fn route(&self) -> &str {
        Self::ROUTE
    }

    fn payload(&self) -> Option<Payload> {
        Some(Payload::json_strings([
            ("app_access_token", self.app_token.expose_secret()),
            ("tenant_key", self.tenant.as_str()),
        ]))
    }

    fn resend(&self) -> Resend {
        Resend::Safe
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.app_token.expose_secret().to_owned()]
    }

    fn read(reply: &Reply) -> Result<Grant<TenantToken>, Error> {
        Grant::read_tenant(reply)
    }
}

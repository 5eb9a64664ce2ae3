//! The reply of the endpoints that hand out tokens.

use std::borrow::Cow;
use std::time::Duration;

use crate::api::{Reply, lenient};
use crate::error::{Error, Invalid};
use crate::token::TenantToken;

/// A token of the type `T`, and its remaining life.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant<T> {
    /// The token.
    pub token: T,
    /// The remaining life of the token from the time when the request was sent: at most two hours, which is the longest
    /// life that Lark documents; zero if the reply does not contain it.
    pub expires_in: Duration,
}

impl<T> Grant<T> {
    /// The longest life of a token that Lark documents, in seconds.
    const LONGEST_LIFE: f64 = 7200.0;

    /// A grant of `token`, with the seconds in the reply's `expire`, clamped to 0 to 7,200.
    pub(crate) fn new(
        reply: &Reply,
        token: Result<T, Invalid>,
        expire: Option<f64>,
    ) -> Result<Self, Error> {
        let token = token.map_err(|invalid| reply.unreadable(invalid.to_string()))?;
        let seconds = expire.unwrap_or(0.0).clamp(0.0, Self::LONGEST_LIFE);
        Ok(Self { token, expires_in: Duration::try_from_secs_f64(seconds).unwrap_or_default() })
    }
}

impl Grant<TenantToken> {
    /// Reads the reply of either endpoint that hands out tenant access tokens.
    pub(crate) fn read_tenant(reply: &Reply) -> Result<Self, Error> {
        #[derive(serde::Deserialize)]
        struct TopLevel<'a> {
            #[serde(borrow)]
            tenant_access_token: Cow<'a, str>,
            #[serde(default, deserialize_with = "lenient")]
            expire: Option<f64>,
        }
        let TopLevel { tenant_access_token, expire } = reply.granted()?;
        Self::new(reply, TenantToken::new(&tenant_access_token), expire)
    }
}

//! Access tokens. The type [`Endpoint::Auth`](crate::Endpoint::Auth) says which of them an endpoint accepts, and the
//! compiler rejects the others.

use http::HeaderValue;

use crate::error::{Invalid, InvalidKind};
use crate::values::macros::secret_traits;

mod sealed {
    pub trait Sealed {}
}

/// The kinds of token that an endpoint accepts: [`TenantOnly`], [`TenantOrUser`] or [`NoAuth`].
pub trait Auth: sealed::Sealed {}

/// The endpoint takes a tenant access token.
#[derive(Debug)]
pub enum TenantOnly {}
/// The endpoint takes a tenant or a user access token.
#[derive(Debug)]
pub enum TenantOrUser {}
/// The endpoint takes no token in the header, because the body of its request authenticates the app.
#[derive(Debug)]
pub enum NoAuth {}

/// An [`Auth`] whose endpoints accept a token of the type `T`.
#[diagnostic::on_unimplemented(
    message = "`{T}` is not accepted by this endpoint, which takes `{Self}`",
    label = "not a token that the endpoint takes",
    note = "`TenantOnly` takes a `TenantToken`; `TenantOrUser` a `TenantToken` or a `UserToken`; \
            `NoAuth` takes `NoToken`"
)]
pub trait Accepts<T>: Auth {}

/// A token that authorizes a request to an endpoint whose [`Auth`] is `A`. A token of another kind does not compile:
///
/// ```compile_fail,E0277
/// use lark_proto::{EndpointExt, Image, PutImage, Site, UserToken};
/// # fn f(put: PutImage, token: UserToken) {
/// put.request(&Site::LARK, &token); // this endpoint takes a tenant token
/// # }
/// ```
pub trait Authorizes<A: Auth>: sealed::Sealed {
    /// The value of the `Authorization` header, marked as sensitive; `None` for [`NoToken`].
    fn authorization(&self) -> Option<HeaderValue>;
}

/// A tenant access token, with which the app acts as itself in one tenant.
#[derive(Clone, PartialEq, Eq)]
#[doc(alias = "tenant_access_token")]
#[doc(alias = "access_token")]
#[doc(alias = "访问凭证")]
#[doc(alias = "应用身份")]
pub struct TenantToken(Bearer);

/// A user access token, with which the app acts for a user. Lark issues it by OAuth, which is left to the caller.
#[derive(Clone, PartialEq, Eq)]
#[doc(alias = "user_access_token")]
#[doc(alias = "访问凭证")]
#[doc(alias = "用户身份")]
pub struct UserToken(Bearer);

/// An app access token of a store app, with which the app gets tenant tokens. It is never printed.
#[derive(Clone, PartialEq, Eq)]
#[doc(alias = "app_access_token")]
pub struct AppToken(Bearer);

/// The absence of a token, for the endpoints that issue tokens and for the one that requests an app ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoToken;

impl sealed::Sealed for TenantOnly {}
impl sealed::Sealed for TenantOrUser {}
impl sealed::Sealed for NoAuth {}
impl sealed::Sealed for TenantToken {}
impl sealed::Sealed for UserToken {}
impl sealed::Sealed for NoToken {}
impl Auth for TenantOnly {}
impl Auth for TenantOrUser {}
impl Auth for NoAuth {}

impl Accepts<TenantToken> for TenantOnly {}
impl Accepts<TenantToken> for TenantOrUser {}
impl Accepts<UserToken> for TenantOrUser {}
impl Accepts<NoToken> for NoAuth {}

// Without the bounds on `A`, the compiler would infer the only `A` with an implementation, and its message would report
// the endpoint as wrong, and not the token.
impl<A: Accepts<Self>> Authorizes<A> for TenantToken {
    fn authorization(&self) -> Option<HeaderValue> {
        Some(self.0.0.clone())
    }
}
impl<A: Accepts<Self>> Authorizes<A> for UserToken {
    fn authorization(&self) -> Option<HeaderValue> {
        Some(self.0.0.clone())
    }
}
impl<A: Accepts<Self>> Authorizes<A> for NoToken {
    fn authorization(&self) -> Option<HeaderValue> {
        None
    }
}

macro_rules! bearer_token {
    ($name:ident) => {
        impl $name {
            /// A token as the service issued it, without `Bearer`. Its prefix is not checked, because the service uses
            /// `t-..`, `u-..`, `a-..` and JWTs for tokens of the same kind.
            ///
            /// # Errors
            /// [`InvalidKind::BadToken`]; the error does not quote the token.
            pub fn new(token: &str) -> Result<Self, Invalid> {
                Bearer::new(token).map(Self)
            }

            /// The value of an `Authorization` header, `Bearer <token>`, marked as sensitive.
            #[must_use]
            pub fn header_value(&self) -> HeaderValue {
                self.0.0.clone()
            }

            /// The secret itself, for a caller that stores it.
            #[must_use]
            pub fn expose_secret(&self) -> &str {
                self.0.token()
            }
        }

        secret_traits!($name);
    };
}
bearer_token!(TenantToken);
bearer_token!(UserToken);
bearer_token!(AppToken);

/// The header value `Bearer <token>`, marked as sensitive.
#[derive(Clone, PartialEq, Eq)]
struct Bearer(HeaderValue);

impl Bearer {
    fn new(token: &str) -> Result<Self, Invalid> {
        let refused = |part: String| Invalid::new(InvalidKind::BadToken, part);
        // Lark's documentation recommends to reserve 4 KB for a user token.
        if token.is_empty() || token.len() > 4096 {
            return Err(refused(format!("{} bytes", token.len())));
        }
        if let Some(at) = token.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(refused(format!("an invalid character at byte {at}")));
        }
        // `concat` leaves no spare capacity: with spare capacity, the conversion to a header allocates again.
        let mut value = HeaderValue::try_from(["Bearer ", token].concat())
            .map_err(|_| refused("an invalid character".into()))?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    fn token(&self) -> &str {
        let text = self.0.to_str().unwrap_or_default();
        text.strip_prefix("Bearer ").unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::tests::trait_checks::{assert_not_shown, assert_secret_traits};

    #[test]
    fn tokens_have_the_traits_of_secrets() {
        assert_secret_traits(TenantToken::new, TenantToken::expose_secret, InvalidKind::BadToken);
        assert_secret_traits(UserToken::new, UserToken::expose_secret, InvalidKind::BadToken);
        assert_secret_traits(AppToken::new, AppToken::expose_secret, InvalidKind::BadToken);
        assert_not_shown!(TenantToken, UserToken, AppToken);
    }

    #[test]
    fn a_token_authorizes_a_request_by_its_header_value() {
        let tenant = TenantToken::new("t-secret").unwrap();
        let user = UserToken::new("u-secret").unwrap();
        let header = tenant.header_value();
        assert_eq!(header.as_bytes(), b"Bearer t-secret");
        assert_eq!(Authorizes::<TenantOnly>::authorization(&tenant), Some(header.clone()));
        assert_eq!(Authorizes::<TenantOrUser>::authorization(&tenant), Some(header));
        assert_eq!(Authorizes::<TenantOrUser>::authorization(&user), Some(user.header_value()));
        assert_eq!(Authorizes::<NoAuth>::authorization(&NoToken), None);
    }

    #[test]
    fn a_token_is_stored_as_it_is() {
        assert_eq!(AppToken::new("Bearert-1").unwrap().expose_secret(), "Bearert-1");
    }

    #[test]
    fn a_token_is_never_printed() {
        let token = TenantToken::new("t-secret").unwrap();
        for shown in [format!("{token:?}"), format!("{:?}", token.header_value())] {
            assert!(!shown.contains("secret"), "{shown}");
        }
    }

    #[test]
    fn a_token_has_1_to_4096_visible_ascii_characters() {
        for good in ["!", "~", &"s".repeat(4096)] {
            assert_eq!(UserToken::new(good).expect(good).expose_secret(), good);
        }
        for (bad, part) in [
            ("", "0 bytes"),
            (&*"s".repeat(4097), "4097 bytes"),
            ("ab cd", "an invalid character at byte 2"),
            ("\x7f", "an invalid character at byte 0"),
        ] {
            let text = UserToken::new(bad).expect_err(bad).to_string();
            assert!(
                text.starts_with(&format!("the access token is malformed ({part}):")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_malformed_token_is_refused_and_not_quoted() {
        for bad in
            ["", "Bearer t-secret", "t-secret\r\nX: y", "t-sécret", "t-secret\0", &"s".repeat(4097)]
        {
            let error = UserToken::new(bad).expect_err(bad);
            assert_eq!(error.kind(), InvalidKind::BadToken);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}

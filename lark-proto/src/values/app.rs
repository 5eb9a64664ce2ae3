//! The app that a client acts as.

use crate::error::Invalid;
use crate::values::charset::is_visible_ascii;
use crate::values::macros::{secret, text};

text! {
    /// An app's id, such as `cli_a1b2c3`: 1 to 128 visible ASCII characters.
    pub struct AppId: |text| is_visible_ascii(text, 128), BadAppId
}

secret! {
    /// An app's secret: 1 to 256 visible ASCII characters. It is never printed.
    pub struct AppSecret: |text| is_visible_ascii(text, 256), BadAppSecret
}

text! {
    /// The key of a tenant that has installed a store app: 1 to 128 visible ASCII characters, such as
    /// `736588c9260f175d`.
    #[doc(alias = "租户")]
    pub struct TenantKey: |text| is_visible_ascii(text, 128), BadTenantKey
}

secret! {
    /// The ticket that the service pushes to a store app every hour, in exchange for which the app gets its app access
    /// token: 1 to 1,024 visible ASCII characters. It is never printed.
    /// [`AppTicketEvent`](crate::endpoints::AppTicketEvent) reads it from the event.
    pub struct AppTicket: |text| is_visible_ascii(text, 1024), BadAppTicket
}

/// The app for which a client fetches tokens, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "credentials")]
#[doc(alias = "tenant_access_token")]
#[doc(alias = "应用凭证")]
#[doc(alias = "自建应用")]
#[doc(alias = "应用商店应用")]
#[doc(alias = "企业自建应用")]
#[doc(alias = "商店应用")]
pub enum App {
    /// No app: the caller passes a token to every call.
    None,
    /// A custom ("self-built") app, which belongs to one tenant.
    Custom {
        /// The app's id.
        id: AppId,
        /// The app's secret.
        secret: AppSecret,
    },
    /// A store app, which any tenant can install.
    Store {
        /// The app's id.
        id: AppId,
        /// The app's secret.
        secret: AppSecret,
    },
}

impl App {
    /// A custom app.
    ///
    /// # Errors
    /// [`BadAppId`](crate::error::InvalidKind::BadAppId), [`BadAppSecret`](crate::error::InvalidKind::BadAppSecret).
    pub fn custom(id: &str, secret: &str) -> Result<Self, Invalid> {
        Ok(Self::Custom { id: AppId::new(id)?, secret: AppSecret::new(secret)? })
    }

    /// A store app.
    ///
    /// # Errors
    /// [`BadAppId`](crate::error::InvalidKind::BadAppId), [`BadAppSecret`](crate::error::InvalidKind::BadAppSecret).
    pub fn store(id: &str, secret: &str) -> Result<Self, Invalid> {
        Ok(Self::Store { id: AppId::new(id)?, secret: AppSecret::new(secret)? })
    }

    /// The app's secret, if there is an app.
    pub(crate) fn secrets(&self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::Custom { secret, .. } | Self::Store { secret, .. } => {
                vec![secret.expose_secret().to_owned()]
            }
        }
    }

    pub(crate) fn id(&self) -> Option<&AppId> {
        match self {
            Self::None => None,
            Self::Custom { id, .. } | Self::Store { id, .. } => Some(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::InvalidKind;

    #[test]
    fn an_app_is_printed_without_its_secret() {
        let app = App::custom("cli_a", "hidden").unwrap();
        assert_eq!(format!("{app:?}"), r#"Custom { id: AppId("cli_a"), secret: AppSecret(***) }"#);
    }

    #[test]
    fn an_invalid_id_or_secret_is_refused_and_no_secret_is_quoted() {
        for (id, secret, kind) in [
            ("", "s", InvalidKind::BadAppId),
            ("cli a", "s", InvalidKind::BadAppId),
            ("cli", "", InvalidKind::BadAppSecret),
            ("cli", "hidden\r\n", InvalidKind::BadAppSecret),
        ] {
            for error in [App::custom(id, secret), App::store(id, secret)].map(Result::unwrap_err) {
                assert_eq!(error.kind(), kind);
                assert!(!error.to_string().contains("hidden"), "{error}");
            }
        }
    }

    #[test]
    fn each_value_has_a_maximum_length() {
        let refused = |result: Result<(), Invalid>| result.err().map(|error| error.kind());
        let text = "x".repeat(1025);
        let id = |len: usize| refused(AppId::new(&text[..len]).map(drop));
        assert_eq!((id(128), id(129)), (None, Some(InvalidKind::BadAppId)));
        let key = |len: usize| refused(TenantKey::new(&text[..len]).map(drop));
        assert_eq!((key(128), key(129)), (None, Some(InvalidKind::BadTenantKey)));
        let secret = |len: usize| refused(AppSecret::new(&text[..len]).map(drop));
        assert_eq!((secret(256), secret(257)), (None, Some(InvalidKind::BadAppSecret)));
        let ticket = |len: usize| refused(AppTicket::new(&text[..len]).map(drop));
        assert_eq!((ticket(1024), ticket(1025)), (None, Some(InvalidKind::BadAppTicket)));
    }
}

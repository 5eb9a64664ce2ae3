//! The app that a client acts as.

use crate::error::Invalid;
use crate::values::macros::{is_visible, secret, text};

text! {
    /// An app's id, such as `cli_a1b2c3`: 1 to 128 visible ASCII characters.
    pub struct AppId: |text| is_visible(text, 128), BadAppId
}

secret! {
    /// An app's secret: 1 to 256 visible ASCII characters. It is never printed.
    pub struct AppSecret: |text| is_visible(text, 256), BadAppSecret
}

text! {
    /// A tenant that has a store app installed: 1 to 128 visible ASCII characters, such as `736588c9260f175d`.
    pub struct TenantKey: |text| is_visible(text, 128), BadTenantKey
}

secret! {
    /// The ticket that the service pushes to a store app every hour, and with which the app gets its token: 1 to 1,024
    /// visible ASCII characters. It is never printed. [`AppTicketEvent`](crate::endpoints::AppTicketEvent) reads it
    /// from the event.
    pub struct AppTicket: |text| is_visible(text, 1024), BadAppTicket
}

/// The app for which a client fetches tokens, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "credentials")]
#[doc(alias = "tenant_access_token")]
pub enum App {
    /// No app: every call brings its token.
    None,
    /// A custom ("self-built") app, which belongs to one tenant.
    Custom {
        /// The app's id.
        id: AppId,
        /// The app's secret.
        secret: AppSecret,
    },
    /// A store app, which many tenants have installed.
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
    fn a_secret_is_never_printed() {
        let app = App::custom("cli_a", "hidden").unwrap();
        assert_eq!(format!("{app:?}"), r#"Custom { id: AppId("cli_a"), secret: AppSecret(***) }"#);
        for (id, secret, kind) in [
            ("", "s", InvalidKind::BadAppId),
            ("cli a", "s", InvalidKind::BadAppId),
            ("cli", "", InvalidKind::BadAppSecret),
            ("cli", "hidden\r\n", InvalidKind::BadAppSecret),
        ] {
            let error = App::custom(id, secret).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
    }
}

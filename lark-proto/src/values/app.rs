//! The app that a client acts as.

use std::fmt;

use crate::error::Invalid;
use crate::rule::Rule;

/// An app's id, such as `cli_a1b2c3`: 1 to 128 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AppId(String);

/// An app's secret: 1 to 256 visible ASCII characters. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct AppSecret(String);

impl AppId {
    /// An app's id.
    ///
    /// # Errors
    /// [`Rule::AppId`].
    pub fn new(id: &str) -> Result<Self, Invalid> {
        match is_visible(id, 128) {
            true => Ok(Self(id.to_owned())),
            false => Err(Invalid::new(Rule::AppId, id)),
        }
    }

    /// The id itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AppSecret {
    /// An app's secret.
    ///
    /// # Errors
    /// [`Rule::AppSecret`]; the error does not quote the secret.
    pub fn new(secret: &str) -> Result<Self, Invalid> {
        match is_visible(secret, 256) {
            true => Ok(Self(secret.to_owned())),
            false => Err(Invalid::new(Rule::AppSecret, format!("{} bytes", secret.len()))),
        }
    }

    /// The secret itself.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppSecret(***)")
    }
}

fn is_visible(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A tenant that has a store app installed: 1 to 128 visible ASCII characters, such as `736588c9260f175d`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantKey(String);

impl TenantKey {
    /// A tenant's key.
    ///
    /// # Errors
    /// [`Rule::TenantKey`].
    pub fn new(key: &str) -> Result<Self, Invalid> {
        match is_visible(key, 128) {
            true => Ok(Self(key.to_owned())),
            false => Err(Invalid::new(Rule::TenantKey, key)),
        }
    }

    /// The key itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the service pushes to a store app every hour, for the app to get its token with: 1 to 1,024 visible
/// ASCII characters. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct AppTicket(String);

impl AppTicket {
    /// A ticket, as the event `app_ticket` brings it; see [`AppTicketEvent`](crate::AppTicketEvent).
    ///
    /// # Errors
    /// [`Rule::AppTicket`]; the error does not quote the ticket.
    pub fn new(ticket: &str) -> Result<Self, Invalid> {
        match is_visible(ticket, 1024) {
            true => Ok(Self(ticket.to_owned())),
            false => Err(Invalid::new(Rule::AppTicket, format!("{} bytes", ticket.len()))),
        }
    }

    /// The secret itself.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AppTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppTicket(***)")
    }
}

/// The app whose tokens a client gets by itself, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
    /// [`Rule::AppId`], [`Rule::AppSecret`].
    pub fn custom(id: &str, secret: &str) -> Result<Self, Invalid> {
        Ok(Self::Custom { id: AppId::new(id)?, secret: AppSecret::new(secret)? })
    }

    /// A store app.
    ///
    /// # Errors
    /// [`Rule::AppId`], [`Rule::AppSecret`].
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

    #[test]
    fn a_secret_is_never_printed() {
        let app = App::custom("cli_a", "hidden").unwrap();
        assert_eq!(format!("{app:?}"), r#"Custom { id: AppId("cli_a"), secret: AppSecret(***) }"#);
        for (id, secret, rule) in [
            ("", "s", Rule::AppId),
            ("cli a", "s", Rule::AppId),
            ("cli", "", Rule::AppSecret),
            ("cli", "hidden\r\n", Rule::AppSecret),
        ] {
            let error = App::custom(id, secret).unwrap_err();
            assert_eq!(error.rule(), rule);
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
    }
}

//! The app that a client acts as.

use std::fmt;

use crate::error::Invalid;
use crate::error::Rule;

/// A name or a secret of visible ASCII characters, so that it cannot break out of a header, a path or a log line.
macro_rules! visible_ascii {
    ($(#[$doc:meta])+ pub struct $name:ident($rule:ident, $max:literal), shown) => {
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The value that `text` writes.
            ///
            #[doc = concat!("# Errors\n[`Rule::", stringify!($rule), "`].")]
            pub fn new(text: &str) -> Result<Self, Invalid> {
                match is_visible(text, $max) {
                    true => Ok(Self(text.to_owned())),
                    false => Err(Invalid::new(Rule::$rule, text)),
                }
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
    ($(#[$doc:meta])+ pub struct $name:ident($rule:ident, $max:literal), secret) => {
        $(#[$doc])+
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// The value that `secret` writes.
            ///
            #[doc = concat!("# Errors\n[`Rule::", stringify!($rule), "`]; the error does not quote the secret.")]
            pub fn new(secret: &str) -> Result<Self, Invalid> {
                match is_visible(secret, $max) {
                    true => Ok(Self(secret.to_owned())),
                    false => Err(Invalid::new(Rule::$rule, format!("{} bytes", secret.len()))),
                }
            }

            /// The secret itself.
            #[must_use]
            pub fn expose_secret(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(***)"))
            }
        }
    };
}

visible_ascii! {
    /// An app's id, such as `cli_a1b2c3`: 1 to 128 visible ASCII characters.
    pub struct AppId(AppId, 128), shown
}

visible_ascii! {
    /// An app's secret: 1 to 256 visible ASCII characters. It is never printed.
    pub struct AppSecret(AppSecret, 256), secret
}

visible_ascii! {
    /// A tenant that has a store app installed: 1 to 128 visible ASCII characters, such as `736588c9260f175d`.
    pub struct TenantKey(TenantKey, 128), shown
}

visible_ascii! {
    /// What the service pushes to a store app every hour, for the app to get its token with: 1 to 1,024 visible
    /// ASCII characters. It is never printed. [`AppTicketEvent`](crate::AppTicketEvent) reads it from the event.
    pub struct AppTicket(AppTicket, 1024), secret
}

fn is_visible(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
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

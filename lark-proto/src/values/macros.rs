//! Macros for the types that are made from a text: a constructor that checks a rule, and the traits that call it.

use std::fmt;

use serde::de::Visitor;

use crate::error::Invalid;

/// The traits of a type that has `new(&str) -> Result<Self, Invalid>`.
macro_rules! parse_traits {
    ($name:ident) => {
        impl std::str::FromStr for $name {
            type Err = $crate::error::Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::error::Invalid;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(&text)
            }
        }
    };
}

/// The traits of a type that has `as_str(&self) -> &str`.
macro_rules! shown_traits {
    ($name:ident) => {
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

/// The traits of a type that has `new(&str) -> Result<Self, Invalid>` and `as_str(&self) -> &str`, where `new` accepts
/// the text of `as_str`.
macro_rules! text_traits {
    ($name:ident) => {
        $crate::values::macros::parse_traits!($name);

        $crate::values::macros::shown_traits!($name);

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str($crate::values::macros::TextVisitor(Self::new))
            }
        }
    };
}

/// A type for the texts for which `$rule` holds. The error quotes the text.
macro_rules! text {
    ($(#[$doc:meta])+ pub struct $name:ident: $rule:expr, $kind:ident) => {
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The value with this text.
            ///
            /// # Errors
            #[doc = concat!("[`InvalidKind::", stringify!($kind), "`](crate::error::InvalidKind::", stringify!($kind), ").")]
            pub fn new(text: &str) -> Result<Self, $crate::error::Invalid> {
                let rule: fn(&str) -> bool = $rule;
                if rule(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err($crate::error::Invalid::new($crate::error::InvalidKind::$kind, text))
                }
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        $crate::values::macros::text_traits!($name);
    };
}

/// A type for the secrets for which `$rule` holds. They are never printed: the type has no `Display`, and the error
/// only says the length.
macro_rules! secret {
    ($(#[$doc:meta])+ pub struct $name:ident: $rule:expr, $kind:ident) => {
        $(#[$doc])+
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// The value with this secret.
            ///
            /// # Errors
            #[doc = concat!("[`InvalidKind::", stringify!($kind), "`](crate::error::InvalidKind::", stringify!($kind), "). The error does not quote the secret.")]
            pub fn new(secret: &str) -> Result<Self, $crate::error::Invalid> {
                let rule: fn(&str) -> bool = $rule;
                if rule(secret) {
                    Ok(Self(secret.to_owned()))
                } else {
                    let len = format!("{} bytes", secret.len());
                    Err($crate::error::Invalid::new($crate::error::InvalidKind::$kind, len))
                }
            }

            /// The secret itself.
            #[must_use]
            pub fn expose_secret(&self) -> &str {
                &self.0
            }
        }

        $crate::values::macros::secret_traits!($name);
    };
}

/// The traits of a secret that has `new(&str) -> Result<Self, Invalid>`.
macro_rules! secret_traits {
    ($name:ident) => {
        $crate::values::macros::parse_traits!($name);

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(***)"))
            }
        }
    };
}

/// Reads a value from a string of any serde format, without a copy of the string.
pub(crate) struct TextVisitor<T>(pub(crate) fn(&str) -> Result<T, Invalid>);

impl<T> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }
}

pub(crate) use {parse_traits, secret, secret_traits, shown_traits, text, text_traits};

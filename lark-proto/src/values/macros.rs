//! Macros for the values that are made from a text: one constructor that checks the rule, and the traits that call it.

use std::fmt;

use serde::de::Visitor;

use crate::error::Invalid;

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

/// The traits of a type that has `new(&str) -> Result<Self, Invalid>` and `as_str(&self) -> &str`, where `new` takes
/// what `as_str` gives.
macro_rules! text_traits {
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

        $crate::values::macros::shown_traits!($name);

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str($crate::values::macros::TextVisitor(Self::new))
            }
        }
    };
}

/// A text for which `$rule` holds. The error quotes the text.
macro_rules! text {
    ($(#[$doc:meta])+ pub struct $name:ident: $rule:expr, $kind:ident) => {
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The value that `text` writes.
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

/// A text for which `$rule` holds and which is never printed: it has no `Display`, and an error says its length only.
macro_rules! secret {
    ($(#[$doc:meta])+ pub struct $name:ident: $rule:expr, $kind:ident) => {
        $(#[$doc])+
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// The value that `secret` writes.
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
        impl std::str::FromStr for $name {
            type Err = $crate::error::Invalid;

            fn from_str(secret: &str) -> Result<Self, Self::Err> {
                Self::new(secret)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::error::Invalid;

            fn try_from(secret: String) -> Result<Self, Self::Error> {
                Self::new(&secret)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(***)"))
            }
        }
    };
}

/// Reads a value from a string in any format, without a copy of the string.
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

pub(crate) use {secret, secret_traits, shown_traits, text, text_traits};

/// Whether `text` is 1 to `max` visible ASCII characters, so that it cannot break out of a header, a path or a log
/// line.
pub(crate) fn is_visible(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether `text` is 1 to `max` ASCII letters, digits, `-` or `_`.
pub(crate) fn is_id(text: &str, max: usize) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=max).contains(&text.len()) && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fmt::{Debug, Display};
    use std::hash::Hash;
    use std::str::FromStr;

    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use crate::error::{Invalid, InvalidKind};
    use crate::site::Site;
    use crate::token::{AppToken, TenantToken, UserToken};
    use crate::values::{
        AppId, AppSecret, AppTicket, FileToken, ImageKey, MessageId, MessageUuid, Receiver,
        SheetCell, SheetId, SpreadsheetLink, SpreadsheetToken, TenantKey,
    };

    /// A text that is a value, a text whose value comes after it, and a text that is refused.
    type Texts<'a> = [&'a str; 3];

    fn is_uniform<T>(new: fn(&str) -> Result<T, Invalid>, as_str: fn(&T) -> &str, texts: Texts<'_>)
    where
        T: FromStr<Err = Invalid> + TryFrom<String, Error = Invalid>,
        T: Display + AsRef<str> + Clone + Debug + Ord + Hash + Send + Sync + 'static,
        T: Serialize + DeserializeOwned,
    {
        let [text, later, bad] = texts;
        let value = new(text).expect(text);
        let written = as_str(&value);
        assert_eq!(text.parse(), Ok(value.clone()));
        assert_eq!(T::try_from(text.to_owned()), Ok(value.clone()));
        assert_eq!(new(written), Ok(value.clone()), "{written}");
        assert_eq!(value.to_string(), written);
        assert_eq!(value.as_ref(), written);

        let json = serde_json::to_value(&value).unwrap();
        assert_eq!(json, written);
        assert_eq!(serde_json::from_value::<T>(json).unwrap(), value);
        assert_eq!(serde_json::from_str::<T>(&format!("{text:?}")).unwrap(), value);

        let later = new(later).expect(later);
        assert!(value < later, "{value} comes before {later}");
        assert_eq!(HashSet::from([value.clone(), later, value]).len(), 2);

        let refused = new(bad).expect_err(bad);
        assert_eq!(bad.parse::<T>(), Err(refused.clone()));
        assert_eq!(T::try_from(bad.to_owned()), Err(refused.clone()));
        let from_json = serde_json::from_value::<T>(bad.into()).unwrap_err();
        assert_eq!(from_json.to_string(), refused.to_string());
        assert!(serde_json::from_str::<T>("1").unwrap_err().to_string().contains("a string"));
    }

    #[test]
    fn values_of_a_text_have_the_same_traits() {
        is_uniform(AppId::new, AppId::as_str, ["cli_a1b2c3", "cli_b", "cli a"]);
        is_uniform(TenantKey::new, TenantKey::as_str, ["736588c9260f175d", "8", ""]);
        is_uniform(ImageKey::new, ImageKey::as_str, ["img_v2_a", "img_v3_a", "图"]);
        is_uniform(MessageId::new, MessageId::as_str, ["om_a", "om_b", "oc_a"]);
        is_uniform(MessageUuid::new, MessageUuid::as_str, ["order 1", "图", ""]);
        is_uniform(Receiver::new, Receiver::as_str, [" oc_a", "user_id:a", "a"]);
        is_uniform(FileToken::new, FileToken::as_str, ["boxcnA", "boxcnB", "a/b"]);
        is_uniform(SheetId::new, SheetId::as_str, ["Q7PlXT", "giDk9k", "Sheet 1"]);
        is_uniform(SheetCell::new, SheetCell::as_str, ["a！h9", "a!H10", "a!A1:B2"]);
        is_uniform(
            SpreadsheetToken::new,
            SpreadsheetToken::as_str,
            ["x.feishu.cn/sheets/shtcnA", "shtcnB", "bascnA"],
        );
        is_uniform(
            SpreadsheetLink::new,
            SpreadsheetLink::as_str,
            [
                "x.feishu.cn/sheets/shtcnA#giDk9k",
                "https://x.feishu.cn/sheets/shtcnB",
                "https://x.feishu.cn/wiki/wikcnA",
            ],
        );
        is_uniform(
            Site::new,
            Site::as_str,
            ["feishu", "https://open.larksuite.com", "https://open.example"],
        );
    }

    fn is_uniform_secret<T>(
        new: fn(&str) -> Result<T, Invalid>,
        expose: fn(&T) -> &str,
        kind: InvalidKind,
    ) where
        T: FromStr<Err = Invalid> + TryFrom<String, Error = Invalid>,
        T: Clone + Debug + Eq + Send + Sync + 'static,
    {
        let secret = new("hidden").unwrap();
        assert_eq!(expose(&secret), "hidden");
        assert_eq!("hidden".parse(), Ok(secret.clone()));
        assert_eq!(T::try_from("hidden".to_owned()), Ok(secret.clone()));
        assert!(new("other").unwrap() != secret);
        assert!(format!("{secret:?}").ends_with("(***)"), "{secret:?}");
        for bad in ["", "hidden\n"] {
            let refused = new(bad).expect_err(bad);
            assert_eq!(refused.kind(), kind);
            assert!(!format!("{refused} {refused:?}").contains("hidden"), "{refused:?}");
            assert_eq!(bad.parse::<T>(), Err(refused.clone()));
            assert_eq!(T::try_from(bad.to_owned()), Err(refused));
        }
    }

    #[test]
    fn secrets_have_the_same_traits_and_are_never_printed() {
        use InvalidKind::{BadAppSecret, BadAppTicket, BadToken};
        is_uniform_secret(AppSecret::new, AppSecret::expose_secret, BadAppSecret);
        is_uniform_secret(AppTicket::new, AppTicket::expose_secret, BadAppTicket);
        is_uniform_secret(TenantToken::new, TenantToken::expose_secret, BadToken);
        is_uniform_secret(UserToken::new, UserToken::expose_secret, BadToken);
        is_uniform_secret(AppToken::new, AppToken::expose_secret, BadToken);
    }

    /// Does not compile for a type with one of the traits: `call` is then ambiguous between two implementations.
    macro_rules! has_none_of {
        ($type:ty: $($trait:path),+) => {
            $({
                trait Either<Case> {
                    fn call() {}
                }
                struct HasIt;
                impl<T: ?Sized> Either<()> for T {}
                impl<T: ?Sized + $trait> Either<HasIt> for T {}
                <$type as Either<_>>::call();
            })+
        };
    }

    /// If a secret has a trait that prints it or writes it to a file, this test does not compile.
    #[test]
    fn a_secret_has_no_trait_that_shows_it() {
        macro_rules! secrets {
            ($($type:ty),+) => {
                $(has_none_of!($type: Display, Serialize, DeserializeOwned, AsRef<str>, AsRef<[u8]>, std::ops::Deref);)+
            };
        }
        secrets!(AppSecret, AppTicket, TenantToken, UserToken, AppToken);
    }
}

//! Checks for tests: all types that are made from a text have the same traits, and so have all secrets.

use std::collections::HashSet;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Invalid, InvalidKind};

/// A text that is a value, a text whose value comes after it, and a text that is refused.
pub(crate) type Texts<'a> = [&'a str; 3];

pub(crate) fn assert_text_traits<T>(
    new: fn(&str) -> Result<T, Invalid>,
    as_str: fn(&T) -> &str,
    texts: Texts<'_>,
) where
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

pub(crate) fn assert_secret_traits<T>(
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

/// Does not compile if one of the types has a trait that prints it or writes it to a file.
macro_rules! assert_not_shown {
    ($($type:ty),+) => {
        $($crate::values::tests::trait_checks::assert_has_none_of!(
            $type: std::fmt::Display, serde::Serialize, serde::de::DeserializeOwned, AsRef<str>,
            AsRef<[u8]>, std::ops::Deref
        );)+
    };
}

/// Does not compile if the type has one of the traits: `call` is then ambiguous between two implementations.
macro_rules! assert_has_none_of {
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

pub(crate) use {assert_has_none_of, assert_not_shown};

//! The token of a page of a wiki, which is read from its text or from a link.

use crate::error::{Invalid, InvalidKind};
use crate::values::charset::is_id;
use crate::values::link::{Address, Document};
use crate::values::macros::text_traits;

/// The token of a page of a wiki: 1 to 128 letters, digits, `-` or `_`, such as `wikcnKQ1k3pcuo5uSK4t8Vabcef`.
///
/// It is read from the token itself, or from a link `https://<host>/wiki/<token>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WikiToken(String);

impl WikiToken {
    /// The page that `text`, a token or a link, names.
    ///
    /// # Errors
    /// [`InvalidKind::BadWikiToken`].
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let refused = || Invalid::new(InvalidKind::BadWikiToken, text);
        match Address::parse(text).map(|address| address.document) {
            Ok(Document::Wiki(token)) => Ok(token),
            // The vendor does not document how a token encodes the kind of its document, so every token is accepted.
            _ if is_id(text, 128) => Ok(Self(text.to_owned())),
            _ => Err(refused()),
        }
    }

    /// The page with the token `token`, whatever its letters say about the kind of the document.
    pub(super) fn any_kind(token: &str) -> Result<Self, Invalid> {
        if is_id(token, 128) {
            Ok(Self(token.to_owned()))
        } else {
            Err(Invalid::new(InvalidKind::BadWikiToken, token))
        }
    }

    /// The token itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_traits!(WikiToken);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wiki_token_has_1_to_128_letters_digits_hyphens_and_underscores() {
        for good in ["w", "a-_9", "shtcnabc", &"w".repeat(128)] {
            assert_eq!(WikiToken::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "w w", "图", "https://x.feishu.cn/sheets/shtcnA", &"w".repeat(129)] {
            assert_eq!(WikiToken::new(bad).unwrap_err().kind(), InvalidKind::BadWikiToken, "{bad}");
        }
    }
}

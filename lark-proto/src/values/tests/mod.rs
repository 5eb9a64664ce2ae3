//! The traits that the values have in common, and support for the tests of single values.

#[cfg_attr(
    not(feature = "imagesize"),
    expect(dead_code, reason = "only the feature reads some of these formats")
)]
pub(crate) mod image_files;
pub(crate) mod trait_checks;

use super::*;
use crate::error::InvalidKind;
use trait_checks::{assert_not_shown, assert_secret_traits, assert_text_traits};

#[test]
fn values_of_a_text_have_the_same_traits() {
    assert_text_traits(AppId::new, AppId::as_str, ["cli_a1b2c3", "cli_b", "cli a"]);
    assert_text_traits(TenantKey::new, TenantKey::as_str, ["736588c9260f175d", "8", ""]);
    assert_text_traits(ImageKey::new, ImageKey::as_str, ["img_v2_a", "img_v3_a", "图"]);
    assert_text_traits(FileToken::new, FileToken::as_str, ["boxcnA", "boxcnB", "a/b"]);
    assert_text_traits(MessageId::new, MessageId::as_str, ["om_a", "om_b", "oc_a"]);
    assert_text_traits(MessageUuid::new, MessageUuid::as_str, ["order 1", "图", ""]);
    assert_text_traits(Receiver::new, Receiver::as_str, [" oc_a", "user_id:a", "a"]);
    assert_text_traits(SheetId::new, SheetId::as_str, ["Q7PlXT", "giDk9k", "Sheet 1"]);
    assert_text_traits(SheetCell::new, SheetCell::as_str, ["a！h9", "a!H10", "a!A1:B2"]);
    assert_text_traits(
        WikiToken::new,
        WikiToken::as_str,
        ["https://x.feishu.cn/wiki/wikcnA", "wikcnB", "wik/cn"],
    );
    assert_text_traits(
        SpreadsheetToken::new,
        SpreadsheetToken::as_str,
        ["x.feishu.cn/sheets/shtcnA", "shtcnB", "bascnA"],
    );
    assert_text_traits(
        SpreadsheetLink::new,
        SpreadsheetLink::as_str,
        [
            "x.feishu.cn/sheets/shtcnA#giDk9k",
            "https://x.feishu.cn/sheets/shtcnB",
            "https://x.feishu.cn/wiki/wikcnA",
        ],
    );
}

#[test]
fn secrets_have_the_same_traits_and_are_never_printed() {
    assert_secret_traits(AppSecret::new, AppSecret::expose_secret, InvalidKind::BadAppSecret);
    assert_secret_traits(AppTicket::new, AppTicket::expose_secret, InvalidKind::BadAppTicket);
}

#[test]
fn a_secret_has_no_trait_that_shows_it() {
    assert_not_shown!(AppSecret, AppTicket);
}

//! The bot, the scopes, the document, and the chat.

use lark_proto::fake::{FakeLark, Fault, Route};
use serde_json::json;

use super::{BOT, IN_CHAT, LINK, SCOPES, Trial, check};

const LONG_NAME: &str = "bot `abababababababababababababababababababababababababababababab` is on";

#[test]
fn the_state_of_the_bot_is_reported() {
    check(&[
        (|it| it.code(BOT, 11205), "✗ bot", &["turn on the bot", "version"]),
        (|it| it.code(BOT, 10001), "✗ bot", &["add the feature Bot", "version"]),
        (|it| it.fail(BOT, Fault::PlainNotFound), "– bot", &["cannot tell", "HTTP 404"]),
        (|it| it.fail(BOT, Fault::PlainNotFound), "✓ chat", &["the bot is in"]),
        (|it| it.bot(&json!({"activate_status": 0})), "✗ bot", &["release a version"]),
        (|it| it.bot(&json!({"activate_status": 1})), "✗ bot", &["administrator"]),
        (|it| it.bot(&json!({"activate_status": 3})), "✗ bot", &["administrator"]),
        (|it| it.bot(&json!({"activate_status": 5})), "✗ bot", &["licence"]),
        (|it| it.bot(&json!({"activate_status": 6})), "✗ bot", &["plan"]),
        (|it| it.bot(&json!({"app_name": "Pictures"})), "✓ bot", &["`Pictures` is on"]),
        (|it| it.bot_in_data(), "✓ bot", &["`Pictures` is on"]),
        (|it| it.bot(&json!({"app_name": null})), "✓ bot", &["the bot is on"]),
        (
            |it| it.bot(&json!({"app_name": "a\u{1b}[31m\u{202e}\nb"})),
            "✓ bot",
            &["`a [31m  b` is on"],
        ),
        (|it| it.bot(&json!({"app_name": "ab".repeat(500)})), "✓ bot", &[LONG_NAME]),
    ]);
}

#[test]
fn a_scope_that_is_missing_is_named_with_the_page_that_adds_it() {
    check(&[
        (
            |it| it.scopes(&["wiki:wiki", "im:resource", "im:message"]),
            "✗ scopes",
            &[
                "to write into cells, the app lacks `sheets:spreadsheet` or `drive:drive` or `sheets:spreadsheet:write_only`",
                "/app/cli_a1b2c3d4e5f6a7b8/auth?q=sheets:spreadsheet&op_from=openapi&token_type=tenant",
                "release a new version of the app",
            ],
        ),
        (
            |it| it.scopes(&["sheets:spreadsheet:write_only", "im:resource", "im:message"]),
            "✗ scopes",
            &["to find a page of a wiki", "?q=wiki:node:read&"],
        ),
        (
            |it| it.scopes(&["drive:drive", "wiki:wiki", "im:message"]),
            "✗ scopes",
            &["to upload images", "?q=im:resource:upload&"],
        ),
        (
            |it| it.scopes(&["drive:drive", "wiki:wiki", "im:resource:upload"]),
            "✗ scopes",
            &["to send messages", "?q=im:message:send_as_bot&"],
        ),
        (
            |it| it.scopes(&[]),
            "✗ scopes",
            &["?q=sheets:spreadsheet,wiki:node:read,im:resource:upload,im:message:send_as_bot&"],
        ),
        (
            |it| {
                it.scope_list(&json!([
                    {"scope_name": "drive:drive", "grant_status": 1},
                    {"scope_name": "wiki:wiki", "grant_status": 1},
                    {"scope_name": "im:resource", "grant_status": 2},
                    {"scope_name": "im:message", "scope_type": "user", "grant_status": 1},
                ]));
            },
            "✗ scopes",
            &[
                "to upload images, `im:resource` is added and not in effect yet",
                "?q=im:message:send_as_bot&",
            ],
        ),
        (
            |it| it.fail(SCOPES, Fault::PlainNotFound),
            "– scopes",
            &["does not list them", "HTTP 404"],
        ),
        (|it| it.code(SCOPES, 99991672), "– scopes", &["does not list them", "99991672"]),
    ]);
}

#[test]
fn a_document_that_cannot_be_read_is_reported_with_the_reason() {
    check(&[
        (|it| it.args(&[LINK]), "✗ document", &["wiki page", "the other brand"]),
        (
            |it| it.args(&["https://x.feishu.cn/wiki/wikcnUnknown"]),
            "✗ document",
            &["131005", "check the link"],
        ),
        (
            |it| {
                it.server.with(|lark| lark.add_wiki_node("wikcnText", "docx", "doxcnText"));
                it.args(&["wikcnText"]);
            },
            "✗ document",
            &["shows a `docx`, which is not a spreadsheet"],
        ),
        (|it| it.code(Route::SheetsQuery, 91403), "✗ document", &["Add document app"]),
        (|it| it.code(Route::Values, 90213), "✗ document", &["Add document app"]),
    ]);
}

#[test]
fn a_right_to_edit_that_is_missing_or_not_tested_is_reported_with_the_reason() {
    check(&[
        (|it| it.code(Route::ValuesImage, 91403), "✗ edit right", &["Add document app"]),
        (
            |it| it.server.with(|lark| lark.set_text(FakeLark::SPREADSHEET, "Q7PlXT!B2", "price")),
            "✗ edit right",
            &["Q7PlXT!B2:B2 is not empty", "left as it is", "name an empty cell"],
        ),
        (|it| it.args.truncate(2), "– edit right", &["`--write CELL`"]),
    ]);
}

#[test]
fn nothing_is_written_without_the_option_write() {
    let mut trial = Trial::new();
    trial.args.truncate(2);
    trial.run();
    assert_eq!(trial.server.with(|lark| lark.begun(Route::ValuesImage)), 0);
}

#[test]
fn a_cell_with_a_picture_is_left_as_it_is() {
    // The first run writes the picture.
    let trial = Trial::new();
    for (code, line) in [
        (0, "✓ edit right  a picture is in Q7PlXT!B2:B2 now, written and read back\n"),
        (1, "✗ edit right  Q7PlXT!B2:B2 is not empty, and was left as it is: name an empty cell\n"),
    ] {
        let output = trial.run();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(output.stdout.contains(line), "{output:?}");
        assert_eq!(trial.server.with(|lark| lark.begun(Route::ValuesImage)), 1);
    }
}

#[test]
fn a_chat_that_gets_no_message_is_reported_with_the_reason() {
    check(&[
        (|it| it.in_chat(false), "✗ chat", &["the bot is not in the group", "add it"]),
        (|it| it.args(&["oc_other"]), "✗ chat", &["232006", "no group has this id"]),
        (|it| it.code(IN_CHAT, 232009), "✗ chat", &["the group was dissolved"]),
        (|it| it.code(IN_CHAT, 232010), "✗ chat", &["another organisation"]),
        (|it| it.code(IN_CHAT, 232011), "✗ chat", &["add the bot"]),
        (|it| it.code(IN_CHAT, 232025), "✗ chat", &["add the feature Bot"]),
        (|it| it.code(IN_CHAT, 232034), "✗ chat", &["enable the app"]),
        (|it| it.code(BOT, 11205), "✗ bot", &["turn on the bot"]),
        (|it| it.args(&[FakeLark::OPEN_ID]), "– chat", &["only a message"]),
        (|it| it.args(&[FakeLark::EMAIL]), "– chat", &["only a message"]),
        (|it| it.code(IN_CHAT, 99991672), "– chat", &["needs a scope"]),
        (
            |it| it.fail(IN_CHAT, Fault::PlainNotFound),
            "– chat",
            &["the service cannot tell (HTTP 404)"],
        ),
    ]);
}

#[test]
fn no_picture_is_written_into_a_document_that_cannot_be_read() {
    let mut trial = Trial::new();
    trial.code(Route::Values, 90213);
    let output = trial.run();
    assert!(output.stdout.contains("– edit right  not checked: needs `document`"), "{output:?}");
    assert_eq!(trial.server.with(|lark| lark.begun(Route::ValuesImage)), 0);
}

#[test]
fn a_missing_scope_fails_one_check_only() {
    let mut trial = Trial::new();
    trial.scopes(&["wiki:wiki", "im:resource", "im:message"]);
    trial.fail(Route::ValuesImage, Fault::Permission(vec!["sheets:spreadsheet".into()]));
    let text = trial.run().stdout;
    assert!(text.contains("– edit right  not checked: needs `scopes`"), "{text}");
    assert!(text.ends_with("1 of 10 checks failed, 1 was not made\n"), "{text}");
}

#[test]
fn a_request_that_lacks_a_scope_fails_its_check_if_the_list_has_the_scope() {
    let mut trial = Trial::new();
    trial.fail(Route::ValuesImage, Fault::Permission(vec!["sheets:spreadsheet".into()]));
    trial.scopes(&["sheets:spreadsheet", "wiki:wiki", "im:resource", "im:message"]);
    let text = trial.run().stdout;
    assert!(text.contains("✗ edit right  /open-apis/sheets/v2"), "{text}");
}

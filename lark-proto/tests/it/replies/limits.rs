//! Replies that are cut off, deeply nested or huge.

use lark_proto::endpoints::{CellContent, ReadCells};
use lark_proto::{EndpointExt, WriteSheetImage};

use super::{DATA, TOKEN, error, in_words, reply, unreadable};

#[test]
fn a_reply_that_is_truncated_at_any_byte_is_unreadable() {
    let sheet = format!(r#"{{"code":0,"data":{DATA},"msg":"成功"}}"#);
    for body in [&sheet, r#"{"code":0,"data":{"image_key":"img_1"},"msg":"ok"}"#, TOKEN] {
        for end in 0..body.len() {
            let error = error(&reply(200, &[], body.as_bytes()[..end].to_vec()));
            unreadable(&error);
            assert!(!format!("{error}{error:?}").contains("t-S"), "{error:?}");
        }
    }
}

#[test]
fn nesting_does_not_exhaust_the_stack() {
    let deep = |open: &str, close: &str| open.repeat(100_000) + "1" + &close.repeat(100_000);
    let every = r#"{"code":90202,"msg":D,"data":D,"new":D,"error":{"troubleshooter":"h","message":D,"log_id":D,
        "permission_violations":D,"field_violations":D,"new":D}}"#;
    let written =
        r#"{"code":0,"data":{"spreadsheetToken":"sht","new":D,"updateRange":D},"log_id":D}"#;
    for (deep, closed) in [
        (deep("[", "]"), true),
        (deep(r#"{"message":"#, "}"), true),
        (deep("[", ""), false),
        ("[".repeat(100_000), false),
    ] {
        let reply = |body: &str| reply(200, &[], body.replace('D', &deep));
        for (body, want) in [(r#"{"code":90202,"error":D}"#, ""), (every, ", hint h")] {
            let want = format!("90202 Request, GiveUp, ``{want}");
            assert_eq!(in_words(&error(&reply(body))) == want, closed, "{body}");
        }
        for body in
            [r#"{"code":D}"#, r#"{"code":0,"data":D}"#, r#"{"code":0,"data":{"image_key":D}}"#, "D"]
        {
            unreadable(&error(&reply(body)));
        }
        assert_eq!(WriteSheetImage::decode(reply(written)).is_ok(), closed);
        let cell = r#"{"code":0,"data":{"valueRange":{"values":[[D]],"new":D},"new":D}}"#;
        let cells = ReadCells::decode(reply(cell));
        assert_eq!(cells.is_ok_and(|cells| *cells.first() == CellContent::Other), closed);
    }
}

#[test]
fn at_most_32_violations_of_each_kind_are_kept() {
    let scopes = [r#"{"scope":"s","type":"k","url":"u"}"#; 1000].join(",");
    let fields = scopes.replace("scope", "field");
    let many = format!(
        r#"{{"code":1,"error":{{"permission_violations":[{scopes}],"field_violations":[{fields}]}}}}"#
    );
    let many = error(&reply(400, &[], many));
    let api = many.api().unwrap();
    assert_eq!((api.permission_violations.len(), api.field_violations.len()), (32, 32));
}

#[test]
fn the_texts_of_an_error_are_truncated() {
    let huge = "图".repeat(350_000);
    let short = format!("{}…", &huge[..1023]);
    let one = format!(
        r#"{{"code":1,"msg":"{huge}","error":{{"message":"{huge}","log_id":"{huge}","troubleshooter":"{huge}",
            "permission_violations":[{{"scope":"{huge}","type":"{huge}","url":"{huge}"}}],
            "field_violations":[{{"field":"{huge}","description":"{huge}"}}]}}}}"#
    );
    let want = format!(
        "1 Unknown, GiveUp, `{short}`, log {}…, detail {short}, scope {short} {short} {short}, field {short}: {short}, hint {short}",
        &huge[..126]
    );
    assert_eq!(in_words(&error(&reply(400, &[], one))), want);
}

#[test]
fn the_texts_of_an_unreadable_reply_are_truncated() {
    let huge = "图".repeat(350_000);
    let code = format!(r#"{{"code":"{huge}"}}"#);
    let x = "x".repeat(1000);
    let code = error(&reply(200, &[("content-type", &x), ("x-tt-logid", &x)], code));
    assert_eq!(unreadable(&code).content_type.as_deref(), Some(&*format!("{}…", &x[..60])));
    assert_eq!(code.log_id(), Some(&*format!("{}…", &x[..128])));
    assert!(unreadable(&code).reason.len() <= 203, "{code}");
}

#[test]
fn an_excerpt_ends_between_characters() {
    for letter in ["a", "é", "图", "😀"] {
        for offset in 0..8 {
            for len in [230, 256, 1000] {
                let mut body = "x".repeat(offset);
                body.extend(std::iter::repeat_n(letter, len / letter.len()));
                let fits = |end: &usize| *end <= 256 && body.is_char_boundary(*end);
                let end = (0..=body.len()).rfind(fits).unwrap();
                let cut = if end < body.len() { "…" } else { "" };
                let want = format!("{}{cut}", &body[..end]);
                assert_eq!(unreadable(&error(&reply(502, &[], body))).excerpt, want);
            }
        }
    }
}

#[test]
fn an_excerpt_replaces_bytes_that_are_not_utf_8() {
    let excerpt = |body: &[u8]| unreadable(&error(&reply(502, &[], body.to_vec()))).excerpt.clone();
    assert_eq!(excerpt(&[0xff; 300]), "\u{fffd}".repeat(256) + "…");
    assert_eq!(excerpt(&[0x80; 300]), "\u{fffd}".repeat(256) + "…");
    assert_eq!(excerpt(b"\xd6\xd0 ok"), "\u{fffd}\u{fffd} ok");
    assert_eq!(excerpt(&"图".as_bytes()[..2]), "\u{fffd}");
    assert_eq!(excerpt(b"{\"code\":0,\"msg\":\"\xff\"}"), "{\"code\":0,\"msg\":\"\u{fffd}\"}");
}

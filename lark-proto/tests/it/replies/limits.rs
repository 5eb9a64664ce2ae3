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
    for (count, kept) in [(31, 31), (32, 32), (33, 32), (1000, 32)] {
        let scopes = vec![r#"{"scope":"s","type":"k","url":"u"}"#; count].join(",");
        let fields = scopes.replace("scope", "field");
        let many = format!(
            r#"{{"code":1,"error":{{"permission_violations":[{scopes}],"field_violations":[{fields}],"log_id":"L"}}}}"#
        );
        let many = error(&reply(400, &[], many));
        let api = many.api().unwrap();
        let listed = (api.permission_violations.len(), api.field_violations.len());
        assert_eq!((listed, many.log_id()), ((kept, kept), Some("L")), "{count}");
        let named = vec!["s:s"; count].join(",");
        let named = format!(r#"{{"code":99991672,"msg":"one of [{named}]"}}"#);
        let named = error(&reply(400, &[], named));
        assert_eq!(named.api().unwrap().permission_violations.len(), kept, "{count}");
    }
}

#[test]
fn of_two_fields_of_an_error_with_the_same_name_the_last_one_counts() {
    let twice = r#"{"code":1,"error":{"message":"a","x":1,"message":"b","y":2}}"#;
    let twice = error(&reply(400, &[], twice.to_owned()));
    assert_eq!(twice.api().unwrap().detail.as_deref(), Some("b"));
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
fn a_text_is_truncated_if_it_is_longer_than_its_limit() {
    for (limit, field) in [(1024, "msg"), (128, "log_id")] {
        for len in [limit - 1, limit, limit + 1] {
            let text = "x".repeat(len);
            let shown = error(&reply(400, &[], format!(r#"{{"code":1,"{field}":"{text}"}}"#)));
            let api = shown.api().unwrap();
            let shown = if field == "msg" { Some(&api.msg) } else { api.log_id.as_ref() };
            let expected = if len > limit { format!("{}…", &text[..limit]) } else { text };
            assert_eq!(shown, Some(&expected), "{len}");
        }
    }
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

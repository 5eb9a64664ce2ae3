//! The values of messages, apps and tokens.

use serde_json::{Value, json};

use super::{Row, lengths, texts};
use crate::inputs::long;
use crate::json::base64;

pub(super) fn messages() -> Vec<Row> {
    let receivers = [
        "oc_5ad11d72b830411d72b836c20",
        " oc_a\r\n",
        "ou_7d8a6e6df7621556ce0d21922b676706ccs",
        "on_94a1ee5551019f18cd73d9f111898cf2",
        "user_id:4c87bec3",
        "user_id:tom@example.com",
        "tom@example.com",
        "oc_a@example.com",
        "!#$%&'*+-/=?^_`{|}~@example.com",
        "",
        "oc_",
        "OC_a",
        "oc_a/b",
        "om_a",
        "4c87bec3",
        "user_id:",
        "user_id:a b",
        "tom@exa_mple.com",
        "tom.@example.com",
        "tom@example.com.",
        "tom@@example.com",
        "Tom <tom@example.com>",
        "汤姆@example.com",
    ];
    let sample = "选填，每次调用前请更换，如a0d69e20-1dd1-458b-k525-dfeca4015204";
    let uuids = [sample, "order-1234 shipped", "", " a", "a ", "a\nb", "\u{a0}"];
    let long_uuid = |count| ("message_uuid", json!({ "text": long("", "图", count) }));
    let parts = |repeat| ("message_uuid", json!({ "text": long("", repeat, 26) }));
    let ids = ["om_dc13264520392913993dd051dba21dcf", "om_", "oc_a", "om_a/b", " om_a", ""];
    let keys = [
        "fd3a475a-0c27-4071-a9a6-8712b84b0cb6",
        "img_v3_a/b",
        "..a",
        "",
        "a b",
        "图",
        "..",
        "a/../b",
        "a\\.",
    ];
    [
        texts("receiver", &receivers),
        lengths("receiver", "oc_", 128),
        texts("chat_receiver", &["oc_a", "ou_a", " oc_a"]),
        texts("open_id_receiver", &["ou_a", "on_a"]),
        texts("union_id_receiver", &["on_a", "oc_a"]),
        texts("user_id_receiver", &["4c87bec3", "oc_a", "a b"]),
        lengths("user_id_receiver", "", 64),
        texts("email_receiver", &["tom@example.com", "oc_a"]),
        texts("message_uuid", &uuids),
        vec![long_uuid(50), long_uuid(51), parts("😀"), parts("e\u{301}")],
        texts("message_id", &ids),
        lengths("message_id", "om_", 128),
        texts("image_key", &keys),
        lengths("image_key", "", 256),
        texts("file_token", &["UeZNbAxAIojSuRxarT1ccsabcef", "", "a/b", "图"]),
        lengths("file_token", "", 128),
    ]
    .concat()
}

pub(super) fn apps() -> Vec<Row> {
    let event = |token: &str, more: &str| {
        let event = format!(r#"{{"ts":"1.2","token":"{token}","type":"event_callback",{more}}}"#);
        let inputs = json!({ "event": { "text": event }, "verification_token": "v-token" });
        ("app_ticket_event", inputs)
    };
    let ticket = r#""event":{"app_id":"cli_x","app_ticket":"ticket","type":"app_ticket"}"#;
    let other = r#""event":{"app_id":"cli_x","app_ticket":"ticket","type":"app_open"}"#;
    let bytes = |bytes: Value| {
        ("app_ticket_event", json!({ "event": bytes, "verification_token": "v-token" }))
    };
    [
        texts("tenant_token", &["t-e346617a4acfc3a1", "", "t-a b", "t-图", "Bearer t-1"]),
        lengths("tenant_token", "", 4096),
        texts("user_token", &["eyJhbGciOiJFUzI1NiJ9.e30.c2ln", "u-a\n"]),
        texts("app_token", &["a-32bd8551db2f081c", "t-32bd8551db2f081c", "\0"]),
        texts("app_id", &["cli_slkdjalasdkjasd", "", "cli x"]),
        lengths("app_id", "", 128),
        texts("app_secret", &["dskLLdkasdjlasdKK", "", "a b"]),
        lengths("app_secret", "", 256),
        texts("app_ticket", &["dskLLdkasd", "", "a\tb"]),
        lengths("app_ticket", "", 1024),
        texts("tenant_key", &["73658811060f175d", "", "a b"]),
        lengths("tenant_key", "", 128),
        vec![
            event("v-token", ticket),
            event("v-other", ticket),
            event("", ticket),
            event("v-token", r#""event":null"#),
            bytes(json!({ "text": r#"{"token":7}"# })),
            event("v-token", other),
            event("v-token", r#""event":{"type":"app_ticket"}"#),
            event("v-token", &ticket.replace("cli_x", "")),
            event("v-token", &ticket.replace("\"ticket\"", "\"a b\"")),
            bytes(json!({ "text": r#"{"encrypt":"YWJj"}"# })),
            bytes(json!({ "text": r#"{"encrypt":"YWJjZGVm","token":"v-token"}"# })),
            bytes(json!({ "text": "not JSON" })),
            bytes(json!({ "base64": base64(b"{\"token\":\"\xff\"}") })),
        ],
    ]
    .concat()
}

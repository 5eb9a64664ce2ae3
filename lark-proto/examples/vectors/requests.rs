//! The requests: inputs, and the exact bytes that are made from them. And the endpoints, with the rules for their
//! calls.

use lark_proto::endpoints::{Endpoint, Quota, Resend};
use lark_proto::values::SpreadsheetToken;
use lark_proto::wire::{self, HeaderSecrets};
use lark_proto::{Site, TenantToken, UserToken};
use serde_json::{Value, json};

use crate::inputs::Inputs;
use crate::json::{base64, bytes};
use crate::with_endpoint::{NAMES, Token, Tokens, Visit, is_endpoint, with_endpoint};

const LARK: &str = "https://open.larksuite.com";
const FEISHU: &str = "https://open.feishu.cn";
const SHEET: &str = "shtcngNygNfuqhxTBf588jwgWbJ";
const PNG: &[u8] = include_bytes!("../../tests/golden/test.png");

/// The name of a case, its endpoint, its site and its inputs.
type Row = (&'static str, &'static str, &'static str, Value);

pub(crate) fn cases() -> Vec<Value> {
    rows().into_iter().map(case).collect()
}

/// The endpoints, with the inputs of the first case of each.
pub(crate) fn endpoints() -> Vec<Value> {
    let rows = rows();
    let facts = |name: &&str| {
        let (_, _, _, inputs) = rows.iter().find(|row| row.1 == *name).unwrap();
        with_endpoint(name, Inputs(inputs), Facts(name)).unwrap()
    };
    NAMES.iter().filter(|name| **name != "raw").map(facts).collect()
}

fn case((name, endpoint, site, inputs): Row) -> Value {
    assert!(is_endpoint(endpoint), "{endpoint}");
    let kind = with_endpoint(endpoint, Inputs(&inputs), KindOfToken(name)).unwrap();
    let (token, shown) = match kind {
        None => (Token::None, Value::Null),
        Some("tenant") => {
            let text = "t-e346617a4acfc3a11d4ed24dca0d0c0fc8e0067e";
            let shown = json!({ "kind": "tenant", "text": text });
            (Token::Tenant(TenantToken::new(text).unwrap()), shown)
        }
        Some(_) => {
            let text = "eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjF9.c2lnbmF0dXJl";
            (Token::User(UserToken::new(text).unwrap()), json!({ "kind": "user", "text": text }))
        }
    };
    let site = Site::custom(site).unwrap();
    let expected = with_endpoint(endpoint, Inputs(&inputs), Request(&site, &token)).unwrap();
    json!({
        "name": name, "endpoint": endpoint, "site": site.as_str(), "token": shown,
        "inputs": inputs, "expected": expected,
    })
}

/// The kind of the token of a case: a user token if the case's name says so and the endpoint takes one.
struct KindOfToken(&'static str);

impl Visit for KindOfToken {
    type Output = Option<&'static str>;

    fn visit<E: Endpoint>(self, _: &E) -> Self::Output
    where
        E::Auth: Tokens,
    {
        let wanted = if self.0.contains("user token") { "user" } else { "tenant" };
        E::Auth::KINDS.iter().find(|kind| **kind == wanted).copied()
    }
}

/// The bytes of a request.
struct Request<'a>(&'a Site, &'a Token);

impl Visit for Request<'_> {
    type Output = Value;

    fn visit<E: Endpoint>(self, endpoint: &E) -> Value
    where
        E::Auth: Tokens,
    {
        let request = E::Auth::request(endpoint, self.0, self.1);
        let head = wire::head(&request, HeaderSecrets::Shown);
        let head = std::str::from_utf8(&head).unwrap();
        let headers: Vec<_> = head.split("\r\n").skip(1).filter(|line| !line.is_empty()).collect();
        json!({
            "method": request.method().as_str(),
            "url": request.uri().to_string(),
            "headers": headers,
            "body": bytes(request.body()),
            "http1": bytes(&wire::http1(request, HeaderSecrets::Shown)),
        })
    }
}

/// The facts of an endpoint that do not depend on the inputs.
struct Facts<'a>(&'a str);

impl Visit for Facts<'_> {
    type Output = Value;

    fn visit<E: Endpoint>(self, endpoint: &E) -> Value
    where
        E::Auth: Tokens,
    {
        let (resend, resend_for_ms) = match endpoint.resend() {
            Resend::Safe => ("safe", Value::Null),
            Resend::SafeFor(time) => ("safe_for", u64::try_from(time.as_millis()).unwrap().into()),
            Resend::Unsafe => ("unsafe", Value::Null),
            other => panic!("{other:?}"),
        };
        let (per_second, per_minute) = quota(endpoint.quota());
        let is_serial = endpoint.serial_key().is_some();
        assert!(!is_serial || endpoint.serial_key() == Some(spreadsheet().as_str()));
        json!({
            "endpoint": self.0,
            "method": endpoint.method().as_str(),
            "route": endpoint.route(),
            "tokens": E::Auth::KINDS,
            "resend": resend,
            "resend_for_ms": resend_for_ms,
            "serial_by": if is_serial { "spreadsheet".into() } else { Value::Null },
            "calls_per_second": per_second,
            "calls_per_minute": per_minute,
            "reply_limit_bytes": endpoint.reply_limit(),
        })
    }
}

/// The calls per second and per minute of a quota, which can only be compared.
fn quota(quota: Quota) -> (Option<u32>, Option<u32>) {
    let known = [
        (Quota::NONE, (None, None)),
        (Quota::per_second(5), (Some(5), None)),
        (Quota::per_second(100), (Some(100), None)),
        (Quota::per_minute(100), (None, Some(100))),
        (Quota::per_second(50).and_per_minute(1000), (Some(50), Some(1000))),
    ];
    let found = known.iter().find(|(known, _)| *known == quota);
    found.unwrap_or_else(|| panic!("add {quota:?} to the table")).1
}

fn spreadsheet() -> SpreadsheetToken {
    SHEET.parse().unwrap()
}

fn rows() -> Vec<Row> {
    let png = json!({ "base64": base64(PNG) });
    let gif = json!({ "base64": base64(b"GIF89a\x01\0\x01\0\0\0\0;") });
    let uuid = "选填，每次调用前请更换，如a0d69e20-1dd1-458b-k525-dfeca4015204";
    let chat = "oc_84983ff6516d731e5b5f68d4ea2e1da5";
    let mut rows = Vec::new();
    let mut add = |name, endpoint, site, inputs| rows.push((name, endpoint, site, inputs));

    let write = |more: Value| {
        let mut inputs = json!({ "spreadsheet": SHEET, "cell": "Q7PlXT!H7", "image": png });
        inputs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        inputs
    };
    let endpoint = "write_sheet_image";
    add("the vendor's sample, as numbers", endpoint, LARK, write(json!({ "name": "test.png" })));
    add("the same image in base64", endpoint, LARK, write(json!({ "encoding": "base64" })));
    add("a user token writes too", endpoint, FEISHU, write(json!({ "name": "a.jpg" })));
    add("below a base path, at a port", endpoint, "https://gw.corp.example:8443/feishu", {
        write(json!({ "image": gif, "name": "测试 \"1\"" }))
    });
    add("a name from the path of a file", endpoint, LARK, {
        write(json!({ "image": gif, "lossy_name": "C:\\fakepath\\a\u{202e}b.png" }))
    });
    add("a pasted cell and a link", endpoint, LARK, {
        let link = format!("https://x.feishu.cn/sheets/{SHEET}");
        write(json!({ "spreadsheet": link, "cell": " Q7PlXT！$h$7\n", "image": gif }))
    });
    add("an image of an unknown format", endpoint, LARK, {
        let image = json!({ "text": "....ftypavif", "extension": "AVIF" });
        write(json!({ "image": image }))
    });

    let upload = |kind: &str, image: &Value| json!({ "image_type": kind, "image": image });
    add("an image for messages, by the older endpoint", "put_image", LARK, upload("message", &png));
    add("an avatar, by the older endpoint", "put_image", LARK, upload("avatar", &gif));
    add("a boundary of the caller's", "put_image", LARK, {
        json!({ "image_type": "message", "image": gif, "boundary": "a b=1" })
    });
    add("an image for messages", "create_image", FEISHU, upload("message", &png));
    add("an avatar", "create_image", FEISHU, upload("avatar", &gif));
    add("an image with the first boundary in it", "create_image", FEISHU, {
        let first = format!("GIF89a--lark_{:064x}", 0);
        upload("message", &json!({ "base64": base64(first.as_bytes()) }))
    });
    add("an upload with a user token", "create_image", FEISHU, {
        upload("message", &json!({ "text": "<svg/>", "extension": "svg" }))
    });
    add("a download by key", "get_image", LARK, {
        json!({ "image_key": "img_8d5181ca-0aed-40f0-b0d1-b1452132afbg" })
    });
    add("a key with characters that are escaped", "get_image", LARK, {
        json!({ "image_key": "img/v3_a+b%&?" })
    });

    add("a file of a document", "download_media", LARK, {
        json!({ "file_token": "UeZNbAxAIojSuRxarT1ccsabcef" })
    });
    add("a file of a base", "download_media", LARK, {
        let extra = r#"{"bitablePerm":{"tableId":"tblO6OeNZxfabcef","rev":5}}"#;
        json!({ "file_token": "boxbcsQNT0JsmrztOnX530abcef", "extra": extra })
    });
    add("the sheets of a spreadsheet", "query_sheets", FEISHU, json!({ "spreadsheet": SHEET }));
    add("the document on a page of a wiki", "get_wiki_node", FEISHU, {
        json!({ "wiki_token": "wikcnKQ1k3pcuo5uSK4t8Vabcef" })
    });
    add("one cell", "read_cells", FEISHU, json!({ "spreadsheet": SHEET, "cell": "Q7PlXT!H7" }));
    add("a range, its corners in any order", "read_cells", FEISHU, {
        json!({ "spreadsheet": SHEET, "from": "Q7PlXT!H7", "to": "Q7PlXT!A10" })
    });
    let dimension = |kind: &str, more: Value| {
        let mut inputs = json!({ "spreadsheet": SHEET, "sheet": "2jm6f6", "dimension": kind });
        inputs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        inputs
    };
    add("more rows", "add_dimension", FEISHU, dimension("rows", json!({ "count": 8 })));
    add("more columns", "add_dimension", FEISHU, dimension("columns", json!({ "count": 5000 })));
    add("the height of rows", "update_dimension", FEISHU, {
        dimension("rows", json!({ "first": 1, "last": 3, "pixels": 50 }))
    });
    add("the width of a column", "update_dimension", FEISHU, {
        dimension("columns", json!({ "first": 8, "last": 8, "pixels": 120 }))
    });

    for (name, receiver) in [
        ("a message to a group", chat),
        ("a message to a user, by open id", "ou_7d8a6e6df7621556ce0d21922b676706ccs"),
        ("a message to a user, by union id", "on_94a1ee5551019f18cd73d9f111898cf2"),
        ("a message to a user, by mail address", "xxxx@example.com"),
        ("a message to a user, by user id", "user_id:4c87bec3"),
    ] {
        let inputs = json!({ "receiver": receiver, "image_key": "img_v2_xxx", "uuid": uuid });
        add(name, "send_image", FEISHU, inputs);
    }
    add("quotes and escapes in a string of JSON in JSON", "send_image", FEISHU, {
        json!({ "receiver": chat, "image_key": "img_\"v2\"\\x", "uuid": "\"\\/é图" })
    });
    let reply = |more: Value| {
        let mut inputs =
            json!({ "message_id": "om_xxxxxx", "image_key": "img_v2_xxx", "uuid": "a" });
        inputs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        inputs
    };
    add("a reply", "reply_image", FEISHU, reply(json!({})));
    add("a reply in a thread", "reply_image", FEISHU, reply(json!({ "in_thread": true })));
    add("a reply with a user token", "reply_image", FEISHU, reply(json!({ "in_thread": false })));

    let app = |more: Value| {
        let mut inputs =
            json!({ "app_id": "cli_slkdjalasdkjasd", "app_secret": "dskLLdkasdjlasdKK" });
        inputs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        inputs
    };
    add("the token of a custom app", "get_tenant_token", FEISHU, app(json!({})));
    add("the token at a private deployment", "get_tenant_token", "http://127.0.0.1:8080/feishu", {
        app(json!({ "app_secret": "\"quoted\\secret\"" }))
    });
    add("the app token of a store app", "get_app_token", LARK, {
        app(json!({ "app_ticket": "dskLLdkasd" }))
    });
    add("the tenant token of a store app", "get_store_tenant_token", LARK, {
        let token = "a-32bd8551db2f081cbfd26293f27516390b9feb04";
        json!({ "app_access_token": token, "tenant_key": "73658811060f175d" })
    });
    add("the ticket of a store app", "resend_app_ticket", LARK, app(json!({})));

    let raw = |method: &str, more: Value| {
        let mut inputs = json!({
            "method": method, "route": "/open-apis/x/v1/:a/y/", "values": ["图/b"],
            "query": [], "headers": [],
        });
        inputs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        inputs
    };
    add("any request: POST without a body", "raw", LARK, raw("POST", json!({})));
    add("any request: DELETE without a body", "raw", LARK, raw("DELETE", json!({})));
    add("any request: another method without a body", "raw", LARK, raw("PURGE", json!({})));
    add("any request: headers by name, and equal names", "raw", LARK, {
        raw("GET", json!({ "headers": ["x-request-id: 1", "a-b: 2", "X-A: 3", "X-A: 1"] }))
    });
    add("any request: a query and headers", "raw", LARK, {
        let query = json!([["q", "a b&c=d+é"], ["page_token", ""], ["a.b-c_d~", "*"]]);
        raw(
            "GET",
            json!({ "query": query, "headers": ["X-B: 2", "Accept: */*", "Host: ignored.example"] }),
        )
    });
    add("any request: PATCH with a user token", "raw", LARK, {
        raw("PATCH", json!({ "json_text": r#"{"b":1, "a":"图"}"# }))
    });
    rows
}

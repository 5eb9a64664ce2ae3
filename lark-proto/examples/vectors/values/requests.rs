//! Sites, proxies, boundaries, paths and the values that only requests check.

use serde_json::{Value, json};

use super::{Row, lengths, texts};
use crate::inputs::long;
use crate::json::base64;

pub(super) fn sites() -> Vec<Row> {
    let urls = [
        "https://open.feishu.cn",
        "HTTPS://Open.Feishu.CN:443/",
        "http://localhost:80",
        "http://127.8.9.1:9",
        "https://[2001:DB8::0:1]",
        "https://GW.example:443/Feishu/v-1/",
        "https://gw.example/open-apis/x",
        "http://lark.corp.example",
        "http://[2001:db8::1]:8080/feishu",
        "https://open.feishu.cn/open-apis",
        "https://gw.example/feishu/open-apis/",
        "open.feishu.cn",
        "",
        "ftp://open.feishu.cn",
        "https://a..b",
        "https://-a.b",
        "https://999.1.1.1",
        "https://[1.2.3.4]",
        "http://127.1",
        "https://open.feishu.cn//",
        "https://open.feishu.cn?x",
        "https://open.feishu.cn#x",
        "https://user:password@open.feishu.cn",
        "https://open.feishu.cn:0",
        "https://open.feishu.cn:70000",
        "https://飞书.cn",
        "https://gw.example/a/../b",
        "https://gw.example/%2e%2e/b",
    ];
    let named = ["lark", "feishu", "https://x.larkoffice.com", "http://[::1]:1", "Lark"];
    let foreign = ["https://open.feishu.cn.evil.example", "https://evilfeishu.cn"];
    let proxies = [
        "http://proxy.corp.example:3128",
        "proxy.corp.example",
        "http://ann:p%40ss@proxy.corp.example:3128/",
        "socks5://10.0.0.1",
        "SOCKS5H://[::1]:9",
        "https://proxy.corp.example",
        "http://",
        "http://a b",
        "http://user:password@a b:1",
        "http://user:password",
        "http://proxy:0",
        "http://ann:%zz@proxy.corp.example",
        "http://a%3Ab:c@proxy.corp.example",
        "socks5://a%3Ab:c@proxy.corp.example",
        "socks5://ann@proxy.corp.example",
        "http://a%0ab@proxy.corp.example:1",
    ];
    [
        texts("custom_site", &urls),
        lengths("custom_site", "https://gw.example/", 1018),
        texts("insecure_site", &["http://lark.corp.example", "ftp://a.example"]),
        texts("site", &named),
        texts("site", &foreign),
        texts("proxy", &proxies),
        texts("user_agent", &["Mozilla/5.0 (compatible)", "", "a\nb"]),
        texts("boundary", &["a", "a b", "'()+_,-./:=?", "", "a ", "a;b", "图"]),
        lengths("boundary", "", 70),
    ]
    .concat()
}

pub(super) fn paths() -> Vec<Row> {
    let path = |route: &str, values: &[&str], query: &[[&str; 2]]| {
        ("path", json!({ "route": route, "values": values, "query": query }))
    };
    let route = "/open-apis/wiki/v2/spaces/:space_id/nodes";
    let too_long = |values: Value, query: Value| {
        ("path", json!({ "route": route, "values": values, "query": query }))
    };
    let stored = |bytes: &str| {
        let inputs = json!({ "bytes": { "text": bytes }, "site": "https://gw.example/feishu" });
        ("stored_request", inputs)
    };
    vec![
        path(route, &["a/b"], &[["q", "x&y"]]),
        path(route, &["é图 %+~_.-*!'()"], &[]),
        path("/open-apis/image/v4/put/", &[], &[["", ""], ["a=b", "c d"]]),
        path("open-apis/x$&'()*+,;=@[]", &[], &[]),
        path(route, &["..."], &[]),
        path(route, &[], &[]),
        path(route, &[""], &[]),
        path(route, &[".."], &[]),
        path(route, &["a/./b"], &[]),
        path(route, &["a\\.."], &[]),
        path(route, &["a", "b"], &[]),
        too_long(json!([long("", "a", 15_000)]), json!([])),
        too_long(json!(["a"]), json!([["q", long("", "a", 15_000)]])),
        path("/open-apis//x", &[], &[]),
        path("/open-apis/../x", &[], &[]),
        stored("GET /feishu/a?b=c HTTP/1.1\r\nHost: GW.example:443\r\n\r\n"),
        stored("POST /feishu/a HTTP/1.1\nHost: gw.example\nContent-Length: 2\n\n{}"),
        stored("POST /feishu/a HTTP/1.1\r\nHost: gw.example\r\nContent-Length: 3\r\n\r\n{}"),
        stored("POST /feishu/a HTTP/1.1\r\nHost: gw.example\r\n\r\n{}"),
        stored("GET /feishu/a HTTP/1.1\r\nHost: gw.example\r\n"),
        stored("GET /feishu/a HTTP/1.1\r\n\r\n"),
        stored("M-SEARCH /feishu/a HTTP/1.1\r\nHost: gw.example\r\n\r\n"),
        stored("GET /feishu/a#b HTTP/1.1\r\nHost: gw.example\r\n\r\n"),
        stored("GET /feishu/a HTTP/1.1\r\nHost: gw.example\r\nno header\r\n\r\n"),
        stored("GET /feishu/a HTTP/1.1\r\nHost: gw.example\r\nHost: gw.example\r\n\r\n"),
        stored("GET /feishu/a HTTP/1.1\r\nHost: a b\r\n\r\n"),
        stored("GET /other/a HTTP/1.1\r\nHost: gw.example\r\n\r\n"),
        stored("GET /feishu/%2E%2e/a HTTP/1.1\r\nHost: gw.example\r\n\r\n"),
        stored("GET /feishu/a HTTP/1.0\r\nHost: gw.example\r\n\r\n"),
        stored("GET /feishu/a HTTP/1.1\r\nHost: open.feishu.cn\r\n\r\n"),
        stored("GET /feishu/a HTTP/1.1\r\nHost: gw.example:8443\r\n\r\n"),
        stored("POST /feishu/a HTTP/1.1\r\nHost: gw.example\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ]
}

pub(super) fn requests() -> Vec<Row> {
    let gif = json!({ "text": "GIF89a" });
    let upload = |image: Value, boundary: Option<&str>| {
        let mut inputs = json!({ "image_type": "message", "image": image });
        if let Some(boundary) = boundary {
            inputs["boundary"] = boundary.into();
        }
        inputs
    };
    let write = |image: Value| json!({ "spreadsheet": "shtcnabc", "cell": "a!A1", "image": image });
    let range = |from: &str, to: &str| {
        ("read_cells", json!({ "spreadsheet": "shtcnabc", "from": from, "to": to }))
    };
    let add = |dimension: &str, count: u32| {
        let sheet = json!({
            "spreadsheet": "shtcnabc", "sheet": "a", "dimension": dimension, "count": count,
        });
        ("add_dimension", sheet)
    };
    let set = |dimension: &str, first: u32, last: u32, pixels: u16| {
        let inputs = json!({
            "spreadsheet": "shtcnabc", "sheet": "a", "dimension": dimension, "first": first,
            "last": last, "pixels": pixels,
        });
        ("update_dimension", inputs)
    };
    let extra =
        |extra: &str| ("download_media", json!({ "file_token": "boxcnabc", "extra": extra }));
    let padded = |len: u64| json!({ "text": "GIF89a", "padded_to_bytes": len });
    let long_extra = |count| {
        ("download_media", json!({ "file_token": "boxcnabc", "extra": long("{}", " ", count) }))
    };
    let send = |receiver: &str, key: &str, uuid: &str| {
        ("send_image", json!({ "receiver": receiver, "image_key": key, "uuid": uuid }))
    };
    vec![
        send("oc_a", "a b", "a"),
        send("oc_a", "a", ""),
        ("reply_image", json!({ "message_id": "x", "image_key": "a", "uuid": "a" })),
        ("get_image", json!({ "image_key": ".." })),
        ("download_media", json!({ "file_token": "a/b" })),
        ("get_tenant_token", json!({ "app_id": "cli_x", "app_secret": "" })),
        ("put_image", upload(padded(10_485_760), None)),
        ("put_image", upload(padded(10_485_761), None)),
        ("create_image", upload(padded(11_000_000), None)),
        ("create_image", upload(gif.clone(), Some("a b"))),
        ("create_image", upload(json!({ "text": "GIF89a --a b" }), Some("a b"))),
        ("put_image", upload(json!({ "text": "GIF89a\r\n--b" }), Some("b"))),
        ("put_image", upload(gif.clone(), Some("form-data"))),
        ("put_image", upload(gif, Some("a;b"))),
        ("write_sheet_image", {
            json!({
                "spreadsheet": "shtcnabc", "cell": "a!A1", "image": padded(20_971_520),
                "encoding": "base64",
            })
        }),
        ("write_sheet_image", write(padded(20_971_521))),
        ("write_sheet_image", {
            write(json!({ "text": "GIF89a", "padded_to_bytes": 1_153_434, "max_bytes": 1_048_576 }))
        }),
        ("write_sheet_image", write(json!({ "base64": base64(b"\0\0\x01\0\x01\0") }))),
        range("a!B2", "a!A1"),
        range("a!A1", "b!B2"),
        range("c!A1", "a!A1"),
        add("rows", 1),
        add("columns", 5000),
        add("rows", 0),
        add("columns", 5001),
        set("rows", 1, 5000, 65_535),
        set("rows", 0, 1, 50),
        set("rows", 2, 1, 50),
        set("columns", 12_999, 13_001, 50),
        set("rows", 1, 5001, 50),
        set("rows", 1, 1, 0),
        set("columns", 2, 3, 0),
        extra("{}"),
        long_extra(4094),
        long_extra(4095),
        extra("[1]"),
        extra("{"),
        extra(r#"{"a":NaN}"#),
    ]
}

//! The replies: status, headers and body, with what they mean for an endpoint.

use http::{HeaderName, HeaderValue, Response};
use serde_json::{Value, json};

use crate::json::bytes;
use crate::replies_in_json::read;

/// The name of a case, its endpoint, and the reply's status, headers and body.
type Row = (&'static str, &'static str, u16, &'static [&'static str], &'static [u8]);

pub(crate) fn cases() -> Vec<Value> {
    let rows = [SUCCESSES, SHEETS, DOWNLOADS, ERRORS, WAITS, LOG_IDS, UNREADABLE];
    let mut cases: Vec<_> = rows.concat().into_iter().map(case).collect();
    cases.extend(LONG.map(|(name, part, count, rest)| {
        let body = format!("{}{rest}", part.repeat(count));
        reply(name, "create_image", 200, &[], body.as_bytes())
    }));
    cases
}

fn case((name, endpoint, status, headers, body): Row) -> Value {
    reply(name, endpoint, status, headers, body)
}

fn reply(name: &str, endpoint: &str, status: u16, headers: &[&str], body: &[u8]) -> Value {
    let mut response = Response::new(body.to_vec().into());
    *response.status_mut() = status.try_into().unwrap();
    for header in headers {
        let (name, value) = header.split_once(": ").unwrap();
        let value = HeaderValue::from_str(value).or_else(|_| value.as_bytes().try_into());
        response.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.unwrap());
    }
    json!({
        "name": name,
        "endpoint": endpoint,
        "reply": { "status": status, "headers": headers, "body": bytes(body) },
        "expected": read(endpoint, response),
    })
}

const JSON: &str = "Content-Type: application/json; charset=utf-8";

const SUCCESSES: &[Row] = &[
    ("a write, as in the vendor's sample", "write_sheet_image", 200, &[JSON], br#"{"code":0,"data":{"revision":80,"spreadsheetToken":"shtcngNygNfuqhxTBf588jwgWbJ","updateRange":"Q7PlXT!H7:H7"},"msg":"success"}"#),
    ("the range by its other name, no revision", "write_sheet_image", 200, &[], br#"{"code":0,"data":{"spreadsheetToken":"sht","updatedRange":"a!A1:A1","revision":null}}"#),
    ("both names of the range: the sample's counts", "write_sheet_image", 200, &[], br#"{"code":0,"data":{"spreadsheetToken":"sht","updatedRange":"b","updateRange":"a"}}"#),
    ("details of another type count as absent", "write_sheet_image", 200, &[], br#"{"code":0,"data":{"spreadsheetToken":"sht","updateRange":7,"revision":"80","new":[{}]}}"#),
    ("code 0 with HTTP 500 is a success", "write_sheet_image", 500, &[], br#"{"code":0,"data":{"spreadsheetToken":"sht"}}"#),
    ("a key, by the older endpoint", "put_image", 200, &[JSON], br#"{"code":0,"data":{"image_key":"fd3a475a-0c27-4071-a9a6-8712b84b0cb6"},"msg":"ok"}"#),
    ("a key", "create_image", 200, &[JSON], br#"{"code":0,"data":{"image_key":"img_v3_02ab"},"msg":"success"}"#),
    ("control characters of a success become spaces", "write_sheet_image", 200, &[], br#"{"code":0,"data":{"spreadsheetToken":"a\u001bb\u202ec"}}"#),
    ("a message", "send_image", 200, &[JSON], br#"{"code":0,"msg":"success","data":{"message_id":"om_dc13264520392913993dd051dba21dcf","root_id":"om_40eb06e7b84dc71c03e009ad3c754195","parent_id":"om_d4be107c616aed9c1da8ed8068570a9f","thread_id":"omt_d4be107c616a","msg_type":"image","create_time":"1615380573411","update_time":"1615380573411","deleted":false,"updated":false,"chat_id":"oc_5ad11d72b830411d72b836c20","sender":{"id":"cli_9f427eec54ae901b","id_type":"app_id","sender_type":"app"},"body":{"content":"{}"}}}"#),
    ("a message with its id only", "reply_image", 200, &[], br#"{"code":0,"data":{"message_id":"om_1","chat_id":"","create_time":"1e3","parent_id":"","root_id":7,"thread_id":null}}"#),
    ("a message without an id", "send_image", 200, &[], br#"{"code":0,"data":{"messageId":"om_1"}}"#),
    ("a message with the id of another kind", "reply_image", 200, &[], br#"{"code":0,"data":{"message_id":"oc_1"}}"#),
    ("a page of a wiki", "get_wiki_node", 200, &[JSON], r#"{"code":0,"msg":"success","data":{"node":{"space_id":"6946843325487912356","node_token":"wikcnKQ1k3p","obj_token":"shtcnabc","obj_type":"sheet","title":"标题","has_child":false}}}"#.as_bytes()),
    ("a page without a title", "get_wiki_node", 200, &[], br#"{"code":0,"data":{"node":{"obj_token":"d","obj_type":"docx","title":7}}}"#),
    ("a page without its document", "get_wiki_node", 200, &[], br#"{"code":0,"data":{"node":{"obj_type":"sheet"}}}"#),
    ("a token: its fields are at the top level", "get_tenant_token", 200, &[JSON], br#"{"code":0,"msg":"ok","tenant_access_token":"t-caecc734c2e3328a62489fe0648c4b98779515d3","expire":7140}"#),
    ("a token for less than a second", "get_tenant_token", 200, &[], br#"{"code":0,"tenant_access_token":"t-1","expire":0.25}"#),
    ("a token without its time is used once", "get_tenant_token", 200, &[], br#"{"code":0,"tenant_access_token":"t-1","expire":"7140"}"#),
    ("a token for a day is used for two hours", "get_store_tenant_token", 200, &[], br#"{"code":0,"tenant_access_token":"t-1","expire":86400}"#),
    ("a token without a code, with status 200", "get_tenant_token", 200, &[], br#"{"tenant_access_token":"t-1","expire":60}"#),
    ("a token without a code, with status 500", "get_tenant_token", 500, &[], br#"{"tenant_access_token":"t-1","expire":60}"#),
    ("a token that no header can hold", "get_tenant_token", 200, &[], br#"{"code":0,"tenant_access_token":"t 1","expire":60}"#),
    ("no token", "get_store_tenant_token", 200, &[], br#"{"code":0,"data":{"tenant_access_token":"t-1"}}"#),
    ("the app token of a store app", "get_app_token", 200, &[JSON], br#"{"code":0,"msg":"success","app_access_token":"a-32bd8551db2f081cbfd26293f27516390b9feb04","expire":7140}"#),
    ("the ticket will come", "resend_app_ticket", 200, &[JSON], br#"{"code":0,"msg":"success"}"#),
    ("the ticket will not come", "resend_app_ticket", 200, &[JSON], br#"{"code":10016,"msg":"app ticket resend failed"}"#),
    ("any data", "raw", 200, &[], br#"{"code":0,"data":{"a":[1,"2",null,true]}}"#),
    ("no data", "raw", 200, &[], br#"{"code":0}"#),
];

const SHEETS: &[Row] = &[
    ("sheets, in the order of their index", "query_sheets", 200, &[JSON], br#"{"code":0,"msg":"success","data":{"sheets":[{"sheet_id":"b","title":"B","index":1,"hidden":true,"grid_properties":{"frozen_row_count":0,"frozen_column_count":0,"row_count":200,"column_count":20},"resource_type":"sheet"},{"sheet_id":"c","resource_type":"bitable","title":"A base"},{"sheet_id":"a","index":0,"resource_type":"\u0023UNSUPPORTED_TYPE","grid_properties":{"row_count":"1"}}]}}"#),
    ("no sheet", "query_sheets", 200, &[], br#"{"code":0,"data":{"sheets":[]}}"#),
    ("a sheet whose id is none", "query_sheets", 200, &[], br#"{"code":0,"data":{"sheets":[{"sheet_id":"a b"}]}}"#),
    ("sheets that are no list", "query_sheets", 200, &[], br#"{"code":0,"data":{"sheets":{}}}"#),
    ("cells", "read_cells", 200, &[JSON], r#"{"code":0,"data":{"revision":9,"spreadsheetToken":"sht","valueRange":{"majorDimension":"ROWS","range":"a!A1:E3","revision":9,"values":[["a",null,7,"",true],null,[{"type":"embed-image","fileToken":"boxcnabc","link":"","text":"","width":1,"height":1},[{"type":"text","text":"b"},{"type":"url","text":"c","link":"u"},{"text":"图"}],{"type":"attachment","fileToken":"f"},[{"type":"text","text":"d"},{"type":"embed-image","fileToken":"a/b"}],[]]]}},"msg":"success"}"#.as_bytes()),
    ("an empty range", "read_cells", 200, &[], br#"{"code":0,"data":{"valueRange":{"range":"a!A1:A1"}}}"#),
    ("no range", "read_cells", 200, &[], br#"{"code":0,"data":{"values":[["a"]]}}"#),
    ("rows that are no lists", "read_cells", 200, &[], br#"{"code":0,"data":{"valueRange":{"values":["a"]}}}"#),
    ("added rows", "add_dimension", 200, &[JSON], br#"{"code":0,"data":{"addCount":8,"majorDimension":"ROWS"},"msg":"Success"}"#),
    ("added rows, not counted", "add_dimension", 200, &[], br#"{"code":0,"msg":"Success"}"#),
    ("a set size", "update_dimension", 200, &[JSON], br#"{"code":0,"data":{},"msg":"Success"}"#),
    ("a set size, without data", "update_dimension", 200, &[], br#"{"code":0}"#),
("rows outside of the grid", "update_dimension", 400, &[JSON], br#"{"code":90212,"msg":"WrongRowOrCol"}"#),
];

const DOWNLOADS: &[Row] = &[
    (
        "a file with its name",
        "get_image",
        200,
        &[
            "Content-Type: image/png",
            "Content-Disposition: attachment;filename=\"a \\\"b\\\".png\"",
        ],
        b"\x89PNG\r\n\x1a\n",
    ),
    (
        "the extended name counts",
        "download_media",
        200,
        &["Content-Disposition: attachment; filename=\"a.png\"; filename*=UTF-8''%E5%9B%BE.png"],
        b"x",
    ),
    (
        "a name with a path",
        "download_media",
        206,
        &["Content-Disposition: attachment; filename=..\\..\\a.png"],
        b"x",
    ),
    ("a file without headers", "get_image", 200, &[], b"GIF89a"),
    ("JSON that is no envelope is a file", "download_media", 200, &[JSON], br#"{"a":1}"#),
    (
        "an envelope is an error, whatever its type",
        "get_image",
        200,
        &["Content-Type: image/png"],
        br#"{"code":234001,"msg":"Invalid request param."}"#,
    ),
    (
        "code 0 without a file",
        "download_media",
        200,
        &[JSON],
        br#"{"code":0,"msg":"success","data":{}}"#,
    ),
    (
        "a page of a proxy in place of the file",
        "get_image",
        200,
        &["Content-Type: text/html"],
        b"<html>Log in",
    ),
    ("a page, by its beginning", "download_media", 200, &[], b" <!DOCTYPE html><title>Log in"),
    ("an image with the wrong type", "get_image", 200, &["Content-Type: text/html"], b"GIF89a"),
    (
        "a page as an attachment is a file",
        "download_media",
        200,
        &["Content-Type: text/html", "Content-Disposition: attachment"],
        b"<html>",
    ),
    ("an empty file", "get_image", 200, &["Content-Type: image/png"], b""),
    ("a refusal without a body", "download_media", 403, &[], b""),
    (
        "the image of another app",
        "get_image",
        400,
        &[JSON],
        br#"{"code":234008,"msg":"The app is not the resource sender."}"#,
    ),
    (
        "a file that was deleted",
        "download_media",
        404,
        &[JSON],
        br#"{"code":1061007,"msg":"file has been delete."}"#,
    ),
    (
        "too many downloads",
        "download_media",
        200,
        &[JSON],
        br#"{"code":1061045,"msg":"can retry."}"#,
    ),
];

const ERRORS: &[Row] = &[
    ("a wrong range, in a v2 reply with HTTP 200", "write_sheet_image", 200, &[JSON], br#"{"code":90202,"msg":"wrong range=Q7PlXT!H7","data":{}}"#),
    ("an image name without an extension", "write_sheet_image", 400, &[JSON], br#"{"code":90204,"msg":"Image format is unknown"}"#),
    ("the code counts and not HTTP 503", "write_sheet_image", 503, &[], br#"{"code":90202,"msg":"m"}"#),
    ("a busy document, with HTTP 200", "write_sheet_image", 200, &[JSON], br#"{"code":90217,"msg":"TooManyRequest","data":{}}"#),
    ("a busy document, with HTTP 429, is no rate limit", "write_sheet_image", 429, &["Retry-After: 2"], br#"{"code":90235,"msg":"Retry later"}"#),
    ("a failure of the service", "write_sheet_image", 500, &[], br#"{"code":90203,"msg":"Fail"}"#),
    ("no right to the document", "write_sheet_image", 403, &[JSON], br#"{"code":91403,"msg":"FORBIDDEN","data":{}}"#),
    ("no such spreadsheet", "query_sheets", 400, &[JSON], br#"{"code":1310214,"msg":"Path param :spreadsheet_token is not exist"}"#),
    ("too many cells", "add_dimension", 200, &[], br#"{"code":90219,"msg":"CellExcess"}"#),
    ("a page of a wiki that does not exist", "get_wiki_node", 400, &[], br#"{"code":131005,"msg":"not found"}"#),
    ("a refused tenant token, with HTTP 400", "put_image", 400, &[JSON], br#"{"code":99991663,"msg":"Invalid access token for authorization. Please make a request with token attached."}"#),
    ("a refused tenant token, with HTTP 200", "create_image", 200, &[], br#"{"code":99991663,"msg":"token invalid"}"#),
    ("a refused app token", "get_store_tenant_token", 200, &[], br#"{"code":99991664,"msg":"invalid app token"}"#),
    ("a refused user token", "create_image", 400, &[], br#"{"code":99991668,"msg":"user access token not support"}"#),
    ("the app's secret is wrong, with HTTP 200", "get_tenant_token", 200, &[JSON], br#"{"code":10014,"msg":"app secret invalid"}"#),
    ("a malformed token request", "get_app_token", 200, &[JSON], br#"{"code":10003,"data":{},"msg":"invalid param"}"#),
    ("the app has no bot", "create_image", 400, &[], br#"{"code":234007,"msg":"App does not enable bot feature."}"#),
    ("an image that is too large", "create_image", 400, &[], br#"{"code":234006,"msg":"The file size exceed the max value."}"#),
    ("the bot is not in the group", "send_image", 400, &[], br#"{"code":230002,"msg":"Bot can NOT be out of the chat."}"#),
    ("the same message is being sent", "send_image", 400, &[], br#"{"code":230049,"msg":"The message is being sent."}"#),
    ("a missing scope, listed as it was seen live", "create_image", 400, &[JSON, "X-Tt-Logid: 202611280001"], br#"{"code":99991672,"msg":"Access denied. One of the following scopes is required: [im:resource:upload, im:resource]. https://open.feishu.cn/app/cli_x/auth?q=im:resource:upload,im:resource&op_from=openapi&token_type=tenant","error":{"log_id":"B","permission_violations":[{"type":"action_privilege_required","subject":"im:resource:upload"},{"type":"action_privilege_required","subject":"im:resource"}],"helps":[],"troubleshooter":"see https://open.feishu.cn/search?log_id=B"}}"#),
    ("a missing scope, listed as documented", "query_sheets", 400, &[], br#"{"code":99991672,"msg":"Access denied","error":{"permission_violations":[{"scope":"drive:drive","url":"https://open.feishu.cn/app/cli_x/auth?q=drive:drive"},7,{"url":"u"}]}}"#),
    ("a missing scope in the message only", "query_sheets", 400, &[], br#"{"code":99991672,"msg":"one of [drive:drive, sheets:spreadsheet] is required"}"#),
    ("a user who did not grant the scope", "reply_image", 400, &[], br#"{"code":99991679,"msg":"see https://open.larksuite.com/app/cli_x/auth?q=im:message."}"#),
    ("fields that the gateway refused", "create_image", 400, &[JSON], br#"{"code":99992402,"msg":"field validation failed","error":{"field_violations":[{"field":"image_type","value":"x","description":"image_type is required"},{"description":"no field"},{"field":"image"}],"message":"more"}}"#),
    ("an error that is a text", "raw", 400, &[], br#"{"code":20050,"error":"server_error","error_description":"d"}"#),
    ("an unknown code with HTTP 200", "put_image", 200, &[], br#"{"code":-1,"msg":"m","data":{"image_key":"img"}}"#),
    ("an unknown code with HTTP 500", "put_image", 500, &[], br#"{"code":42,"msg":"m"}"#),
    ("an unknown code with HTTP 408", "put_image", 408, &[], br#"{"code":42,"msg":7}"#),
    ("an unknown code with HTTP 429", "put_image", 429, &["Retry-After: 3"], br#"{"code":42,"msg":null}"#),
    ("a code of 64 bits", "put_image", 200, &[], br#"{"code":9223372036854775807,"msg":"m"}"#),
    ("one odd detail does not hide the others", "put_image", 400, &[], br#"{"code":42,"msg":["m"],"error":{"message":7,"log_id":{},"troubleshooter":"h","permission_violations":{"scope":"s"},"field_violations":"f"}}"#),
    ("control characters become spaces", "put_image", 400, &[], br#"{"code":42,"msg":"a\r\nb\u202ec"}"#),
    ("a token in a message is masked", "put_image", 400, &[], br#"{"code":42,"msg":"the token t-caecc734c2e3328a62489fe0648c4b98 is wrong","error":"eyJhbGciOiJFUzI1NiJ9.e30.c2ln"}"#),
];

const RATE: &[u8] = br#"{"code":99991400,"msg":"request trigger frequency limit"}"#;

const WAITS: &[Row] = &[
    (
        "a rate limit, as HTTP 400",
        "read_cells",
        400,
        &["x-ogw-ratelimit-limit: 100", "x-ogw-ratelimit-reset: 7"],
        RATE,
    ),
    ("a rate limit, as HTTP 429", "read_cells", 429, &["x-ogw-ratelimit-reset: 3"], RATE),
    ("a rate limit without a time", "send_image", 429, &[], RATE),
    (
        "the smaller of two times",
        "read_cells",
        429,
        &["x-ogw-ratelimit-reset: 120", "Retry-After: 1"],
        RATE,
    ),
    ("a fraction of a second", "read_cells", 429, &["x-ogw-ratelimit-reset: 0.25"], RATE),
    ("no time at all", "read_cells", 429, &["x-ogw-ratelimit-reset: 0"], RATE),
    (
        "a day at most",
        "read_cells",
        429,
        &["x-ogw-ratelimit-reset: 1e300", "Retry-After: 999999"],
        RATE,
    ),
    (
        "times that cannot be read",
        "read_cells",
        429,
        &["x-ogw-ratelimit-reset: -1", "Retry-After: soon"],
        RATE,
    ),
    (
        "a date counts from the reply's date",
        "read_cells",
        429,
        &["Date: Wed, 28 Feb 2024 23:59:30 GMT", "Retry-After: Thu, 29 Feb 2024 00:01:00 GMT"],
        RATE,
    ),
    (
        "a date that is past",
        "read_cells",
        429,
        &["Date: Wed, 21 Oct 2026 07:28:00 GMT", "Retry-After: Wed, 21 Oct 2026 07:27:00 GMT"],
        RATE,
    ),
    (
        "a date without the reply's date",
        "read_cells",
        429,
        &["Retry-After: Wed, 21 Oct 2026 07:28:00 GMT"],
        RATE,
    ),
    (
        "a time beside an error that is no limit",
        "read_cells",
        400,
        &["Retry-After: 9"],
        br#"{"code":90202,"msg":"m"}"#,
    ),
    (
        "messages to one receiver",
        "send_image",
        400,
        &[],
        br#"{"code":230020,"msg":"Trigger rate limit of this chat"}"#,
    ),
    (
        "the quota of the month, as HTTP 429",
        "put_image",
        429,
        &["Retry-After: 1"],
        br#"{"code":99991403,"msg":"m"}"#,
    ),
    (
        "a rate limit of a gateway, without a code",
        "put_image",
        429,
        &["Retry-After: 2"],
        b"slow down",
    ),
];

const LOG_IDS: &[Row] = &[
    (
        "the header counts first",
        "put_image",
        400,
        &["X-Request-Id: R", "X-Tt-Logid: T"],
        br#"{"code":42,"error":{"log_id":"B"}}"#,
    ),
    (
        "then the body",
        "put_image",
        400,
        &["X-Request-Id: R"],
        br#"{"code":42,"error":{"logid":"B"},"log_id":"C"}"#,
    ),
    (
        "then the top level of the body",
        "put_image",
        400,
        &["X-Tt-Logid: "],
        br#"{"code":42,"error":{"log_id":""},"logid":"B"}"#,
    ),
    (
        "then the older header",
        "put_image",
        400,
        &["X-Request-Id: R"],
        br#"{"code":42,"log_id":["B"]}"#,
    ),
    (
        "of a page",
        "put_image",
        502,
        &["Content-Type: text/html", "X-Request-Id: R"],
        b"<html>502 Bad Gateway",
    ),
];

const UNREADABLE: &[Row] = &[
    (
        "a page of a gateway, HTTP 502",
        "write_sheet_image",
        502,
        &["Content-Type: text/html"],
        b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n</html>",
    ),
    (
        "a page of a gateway, HTTP 400",
        "put_image",
        400,
        &["Content-Type: text/html"],
        b"<html><h1>400 Bad Request</h1>",
    ),
    (
        "a page of a login, HTTP 200",
        "put_image",
        200,
        &["Content-Type: text/html"],
        b"<!DOCTYPE html>",
    ),
    (
        "a route that does not exist",
        "get_wiki_node",
        404,
        &["Content-Type: text/plain"],
        b"404 page not found",
    ),
    ("an empty body, HTTP 200", "put_image", 200, &[], b""),
    ("an empty body, HTTP 504", "write_sheet_image", 504, &[], b""),
    ("an empty body, HTTP 401", "write_sheet_image", 401, &[], b""),
    ("an empty body, HTTP 408", "write_sheet_image", 408, &[], b""),
    (
        "JSON that is cut, HTTP 200",
        "put_image",
        200,
        &[JSON],
        br#"{"code":0,"data":{"image_key":"img_v3"#,
    ),
    (
        "JSON that is cut, HTTP 503",
        "put_image",
        503,
        &["Retry-After: 9"],
        br#"{"code":90217,"msg":"Too"#,
    ),
    ("code 0 without data", "write_sheet_image", 200, &[JSON], br#"{"code":0,"msg":"success"}"#),
    ("code 0 with null", "put_image", 200, &[], br#"{"code":0,"data":null}"#),
    ("code 0 with a list", "put_image", 200, &[], br#"{"code":0,"data":[{"image_key":"img"}]}"#),
    ("code 0 without the key", "create_image", 200, &[], br#"{"code":0,"data":{"image_key":""}}"#),
    ("the data at the top level", "create_image", 200, &[], br#"{"code":0,"image_key":"img"}"#),
    ("no code", "create_image", 200, &[], br#"{"data":{"image_key":"img"}}"#),
    (
        "a code that is a text",
        "create_image",
        200,
        &[],
        br#"{"code":"0","data":{"image_key":"img"}}"#,
    ),
    (
        "a code with a fraction",
        "create_image",
        200,
        &[],
        br#"{"code":0.0,"data":{"image_key":"img"}}"#,
    ),
    ("a code beyond 64 bits", "create_image", 400, &[], br#"{"code":9223372036854775808}"#),
    (
        "two codes",
        "create_image",
        200,
        &[],
        br#"{"code":0,"code":90202,"data":{"image_key":"img"}}"#,
    ),
    (
        "text after the object",
        "create_image",
        200,
        &[],
        br#"{"code":0,"data":{"image_key":"img"}} x"#,
    ),
    ("a list", "create_image", 200, &[], br#"[0,"ok",{"image_key":"img"}]"#),
    (
        "a byte order mark",
        "create_image",
        200,
        &[],
        b"\xef\xbb\xbf{\"code\":0,\"data\":{\"image_key\":\"img\"}}",
    ),
    (
        "bytes that are not UTF-8",
        "create_image",
        200,
        &[],
        b"{\"code\":0,\"msg\":\"\xd6\xd0\",\"data\":{\"image_key\":\"img\"}}",
    ),
    (
        "white space around the object",
        "create_image",
        200,
        &[],
        b" \r\n{\"code\":0,\"data\":{\"image_key\":\"img\"}}\n",
    ),
];

/// A name, a text with the number of its repetitions, and the rest of the body.
const LONG: [(&str, &str, usize, &str); 3] = [
    ("an excerpt has 256 bytes", "0123456789abcde\n", 17, ""),
    ("an excerpt is cut between characters", "图", 100, ""),
    ("an excerpt of 256 bytes is whole", "0123456789abcde\n", 16, ""),
];

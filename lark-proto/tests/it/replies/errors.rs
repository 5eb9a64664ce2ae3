//! The errors that every endpoint reads in the same way.

use lark_proto::error::Advice;

use super::{check, error, in_words, reply, unreadable};

/// Status | headers | body => the error in words.
const ERRORS: &str = r#"
# The code decides, not the status.
200 | | {"code":99991663,"msg":"Invalid"} => 99991663 TenantToken, Renew, `Invalid`
400 | | {"code":99991663,"msg":"Invalid"} => 99991663 TenantToken, Renew, `Invalid`
401 | | {"code":99991663,"msg":"Invalid"} => 99991663 TenantToken, Renew, `Invalid`
400 | | {"code":99991668,"msg":"user access token not support"} => 99991668 CallerToken, GiveUp, `user access token not support`
200 | | {"code":10003,"data":{},"msg":"invalid param"} => 10003 Request, GiveUp, `invalid param`
200 | | {"code":10014,"msg":"app secret invalid"} => 10014 App, GiveUp, `app secret invalid`
400 | | {"code":10014,"msg":"app secret invalid"} => 10014 App, GiveUp, `app secret invalid`
200 | | {"code":90217,"msg":"TooManyRequest","data":{}} => 90217 DocumentBusy, Again, `TooManyRequest`
400 | | {"code":90217,"msg":"TooManyRequest","data":{}} => 90217 DocumentBusy, Again, `TooManyRequest`
503 | | {"code":90202,"msg":"m"} => 90202 Request, GiveUp, `m`
500 | | {"code":42,"msg":"m"} => 42 Unknown, Again, `m`
408 | | {"code":42,"msg":"m"} => 42 Unknown, Again, `m`
429 | retry-after: 3 | {"code":42,"msg":"m"} => 42 Unknown, Again, `m`, after 3s
200 | | {"code":9223372036854775807,"msg":"m"} => 9223372036854775807 Unknown, GiveUp, `m`
200 | | {"code":-1,"msg":"m","data":{"image_key":"img"},"tenant_access_token":"t"} => -1 Unknown, GiveUp, `m`
200 | | {"code":4294967296,"msg":7} => 4294967296 Unknown, GiveUp, ``
200 | | {"code":42,"msg":null,"data":[]} => 42 Unknown, GiveUp, ``
200 | | {"code":42,"msg":"\ud800","data":"\ud800"} => 42 Unknown, GiveUp, ``
# How long to wait.
400 | x-ogw-ratelimit-reset: 7; retry-after: 9 | {"code":99991400,"msg":"m"} => 99991400 RateLimit, Again, `m`, after 7s
429 | x-ogw-ratelimit-reset: 0.25 | {"code":99991400,"msg":"m"} => 99991400 RateLimit, Again, `m`, after 250ms
429 | x-ogw-ratelimit-reset: 0 | {"code":99991400,"msg":"m"} => 99991400 RateLimit, Again, `m`
429 | x-ogw-ratelimit-reset: 1e300 | {"code":99991400,"msg":"m"} => 99991400 RateLimit, Again, `m`, after 86400s
429 | x-ogw-ratelimit-reset: -1; retry-after: 9 | {"code":99991400,"msg":"m"} => 99991400 RateLimit, Again, `m`, after 9s
429 | x-ogw-ratelimit-reset: NaN; retry-after: soon | {"code":99991400,"msg":"m"} => 99991400 RateLimit, Again, `m`
429 | x-ogw-ratelimit-reset: ７ | {"code":99991400,"msg":"m"} => 99991400 RateLimit, Again, `m`
429 | retry-after: 120 | {"code":99991400,"msg":"m"} => 99991400 RateLimit, Again, `m`, after 120s
429 | x-ogw-ratelimit-reset: 120; retry-after: 1 | {"code":99991400,"msg":"m"} => 99991400 RateLimit, Again, `m`, after 1s
429 | retry-after: Wed, 21 Oct 2026 07:28:00 GMT | {"code":99991400,"msg":"m"} => 99991400 RateLimit, Again, `m`
429 | date: Wed, 21 Oct 2026 07:27:00 GMT; retry-after: Wed, 21 Oct 2026 07:28:00 GMT | {"code":99991400,"msg":"m"} => 99991400 RateLimit, Again, `m`, after 60s
400 | retry-after: 9 | {"code":90202,"msg":"m"} => 90202 Request, GiveUp, `m`, after 9s
# No code: the status is all there is.
429 | x-ogw-ratelimit-reset: 1 | slow down => unreadable, -, Again, `slow down`, after 1s
502 | | => unreadable, -, Again, ``
503 | retry-after: 9 | {} => unreadable, -, Again, `{}`, after 9s
504 | | {"msg":"m"} => unreadable, -, Again, `{"msg":"m"}`
503 | | {"code":0} => unreadable, -, Again, `{"code":0}`
500 | | oops => unreadable, -, Again, `oops`
401 | | => unreadable, -, GiveUp, ``
408 | | => unreadable, -, Again, ``
404 | content-type: text/plain; x-tt-logid: L | 404 page not found => unreadable, text/plain, GiveUp, `404 page not found`, log L
400 | content-type: text/html | <html><h1>400 Bad Request</h1>Powered by volc-dcdn => unreadable, text/html, GiveUp, `<html><h1>400 Bad Request</h1>Powered by volc-dcdn`
502 | content-type: text/html; x-request-id: R | <html>502 Bad Gateway => unreadable, text/html, Again, `<html>502 Bad Gateway`, log R
200 | content-type: image/图 | GIF => unreadable, image/图, GiveUp, `GIF`
400 | content-type: text/html | {"code":90202,"msg":"m"} => 90202 Request, GiveUp, `m`
# The log id: X-Tt-Logid, then the body, then X-Request-Id.
400 | x-request-id: R; x-tt-logid: T | {"code":42,"error":{"log_id":"B"}} => 42 Unknown, GiveUp, ``, log T
400 | x-request-id: R | {"code":42,"error":{"log_id":"B"}} => 42 Unknown, GiveUp, ``, log B
400 | x-request-id: R | {"code":42,"error":{}} => 42 Unknown, GiveUp, ``, log R
400 | x-request-id: R | {"code":42,"log_id":["B"]} => 42 Unknown, GiveUp, ``, log R
400 | | {"code":42,"error":{"logid":"B"},"log_id":"top"} => 42 Unknown, GiveUp, ``, log B
400 | | {"code":42,"error":{"logid":"b","log_id":"B"}} => 42 Unknown, GiveUp, ``, log B
400 | | {"code":42,"error":{"logid":"B","log_id":7}} => 42 Unknown, GiveUp, ``, log B
400 | | {"code":42,"error":[],"logid":"B"} => 42 Unknown, GiveUp, ``, log B
400 | | {"code":42,"logid":"b","log_id":"B"} => 42 Unknown, GiveUp, ``, log B
400 | | {"code":42,"logid":"B","log_id":null} => 42 Unknown, GiveUp, ``, log B
400 | | {"code":42,"logid":"B","log_id":7} => 42 Unknown, GiveUp, ``, log B
400 | x-tt-logid:  | {"code":42,"log_id":"B"} => 42 Unknown, GiveUp, ``, log B
400 | x-tt-logid: 图 | {"code":42,"log_id":"B"} => 42 Unknown, GiveUp, ``, log B
400 | x-request-id: R | {"code":42,"error":{"log_id":""}} => 42 Unknown, GiveUp, ``, log R
400 | | {"code":42,"error":{"log_id":""},"log_id":"B"} => 42 Unknown, GiveUp, ``, log B
400 | | {"code":42,"error":{"log_id":"","logid":"B"}} => 42 Unknown, GiveUp, ``, log B
200 | | {"code":0,"log_id":"B"} => unreadable, -, GiveUp, `{"code":0,"log_id":"B"}`, log B
200 | | {"code":"42","log_id":"B"} => unreadable, -, GiveUp, `{"code":"42","log_id":"B"}`, log B
# `error`: one odd detail does not hide the others.
400 | | {"code":42,"msg":"m","error":"why"} => 42 Unknown, GiveUp, `m`, detail why
400 | | {"code":42,"msg":"m","error":7} => 42 Unknown, GiveUp, `m`
400 | | {"code":42,"msg":"m","error":null} => 42 Unknown, GiveUp, `m`
400 | | {"code":42,"msg":"m","error":["why",{"message":"why"}]} => 42 Unknown, GiveUp, `m`
400 | | {"code":42,"error":{"message":7,"log_id":{},"troubleshooter":"h","helps":7}} => 42 Unknown, GiveUp, ``, hint h
400 | | {"code":42,"error":{"message":"d","permission_violations":{"scope":"s"},"field_violations":"f"}} => 42 Unknown, GiveUp, ``, detail d
400 | | {"code":99991672,"error":{"permission_violations":[7,null,"s",{},{"scope":"a:b","url":"u"},[[]],{"type":"t","subject":"c:d"},{"scope":7,"subject":"e:f","url":[],"type":{}},{"scope":null},{"url":"u"}]}} => 99991672 Permission, GiveUp, ``, scope a:b - u, scope c:d t -, scope e:f - -
400 | | {"code":99992402,"error":{"field_violations":[{"field":"a","value":{}},{"description":"d"},9,{"field":"b","description":[]},{"field":"c","value":"v","description":"d"}],"permission_violations":[{"subject":"s"}]}} => 99992402 Request, GiveUp, ``, scope s - -, field a: , field b: , field c: d
400 | | {"code":42,"error":{"permission_violations":[{"scope":"","subject":"s"},{"scope":""}]}} => 42 Unknown, GiveUp, ``, scope s - -
400 | | {"code":42,"error":{"permission_violations":[["s"]],"field_violations":[["f","d"]],"message":"d"}} => 42 Unknown, GiveUp, ``, detail d
400 | | {"code":42,"error":{"message":"c","message":"d","troubleshooter":"h"}} => 42 Unknown, GiveUp, ``, detail d, hint h
"#;

/// Bodies that [`error`] cannot read: not JSON, without exactly one integer as `code`, or with code 0 and without the
/// data of a success.
const UNREADABLE: &str = r#"
{"code":9223372036854775808} {"code":-9223372036854775809} {"code":18446744073709551616} {"code":1e999}
{"code":0.0} {"code":-0} {"code":0e0} {"code":00} {"code":0x0} {"code":+0} {"code":NaN} {"code":"0"} {"code":""}
{"code":null} {"code":true} {"code":false} {"code":[0]} {"code":{}} {"code":{"code":0}} {"Code":0} {"data":{"code":0}}
{"code":0,"code":0} {"code":0,"code":90202} {"code":90202,"code":0} {"code":90202,"\u0063ode":0} {"code":0}{"code":90202}
{"code":0}} {"code":0,} {"code":0,"data":{},} {"code":0}x {'code':0} "{\"code\":0}" {code:0} {} [] [0] 0 null ok
[0,"ok",{"spreadsheetToken":"sht","image_key":"img"},"t"] [{"code":0,"data":{"spreadsheetToken":"sht"}}]
{"code":0,"data":null} {"code":0,"data":[]} {"code":0,"data":["sht","a","b",1]} {"code":0,"data":[{"image_key":"img"}]}
{"code":0,"data":"img"} {"code":0,"data":7} {"code":0,"data":true} {"code":0,"data":{}} {"code":0,"data":{"image_key":""}}
{"code":0,"data":{"image_key":7,"spreadsheetToken":7}} {"code":0,"data":{"image_key":null,"spreadsheetToken":null}}
{"code":0,"data":{"spreadsheet_token":"sht","imageKey":"img"}} {"code":0,"image_key":"img","spreadsheetToken":"sht"}
"#;

/// The body => the text of the error.
const SHOWN: &str = r#"
{"code":90201,"msg":"a\r\nb\tc"} => code 90201 SHEET_JSON (HTTP 400): a  b c; log id L L
{"code":42,"msg":"m","error":"why"} => code 42 (HTTP 400): m: why; log id L L
{"code":42,"error":"why"} => code 42 (HTTP 400): why; log id L L
{"code":42,"msg":"m","error":{"field_violations":[{"field":"f\n","description":"d\u009b2J"}]}} => code 42 (HTTP 400): m; field `f `: d 2J; log id L L
{"code":42,"msg":"m","error":{"permission_violations":[{"subject":"s\u0000\u007f"}]}} => code 42 (HTTP 400): m; missing permission `s  `; log id L L
# The hint depends on the code, and also on the message if the code has two meanings.
{"code":234011,"msg":"m"} => code 234011 IM_FORMAT (HTTP 400): m; the service does not know the image's format: save the image as PNG or JPEG; log id L L
{"code":99991668,"msg":"Invalid access token"} => code 99991668 USER_TOKEN_INVALID (HTTP 400): Invalid access token; the user's token is wrong or has expired: the user has to log in again; log id L L
{"code":99991668,"msg":"user access token not support"} => code 99991668 USER_TOKEN_INVALID (HTTP 400): user access token not support; this endpoint takes no user token: send the request with a token of the app; log id L L
{"code":230027,"msg":"Lack of necessary permissions"} => code 230027 MESSAGE_FORBIDDEN (HTTP 400): Lack of necessary permissions; ask the user to authorise the app, or check the app's rights in the group; log id L L
{"code":230027,"msg":"The historical version of the APIs does not support cross-tenant scenarios."} => code 230027 MESSAGE_FORBIDDEN (HTTP 400): The historical version of the APIs does not support cross-tenant scenarios.; this older endpoint does not work across organisations: use the one under `im/v1`, for images `im/v1/images`; log id L L
# The scopes that are missing, and the link: once.
{"code":99991672,"msg":"m","error":{"permission_violations":[{"scope":"a:b","url":"https://x/app/cli_x/auth"}]}} => code 99991672 SCOPE_MISSING (HTTP 400): m; missing permission `a:b`; add one of the missing scopes to the app, and publish a version of the app to put the scope into effect: https://x/app/cli_x/auth; log id L L
{"code":99991672,"msg":"[a:b] https://x/app/cli_x/auth?q=a:b"} => code 99991672 SCOPE_MISSING (HTTP 400): [a:b] https://x/app/cli_x/auth?q=a:b; add one of the missing scopes to the app, and publish a version of the app to put the scope into effect; log id L L
{"code":42,"msg":"[a:b] https://x/app/cli_x/auth?q=a:b"} => code 42 (HTTP 400): [a:b] https://x/app/cli_x/auth?q=a:b; log id L L
 => unreadable reply (HTTP 400, no content type): not a JSON object; the body is empty; log id L L
<p>502 => unreadable reply (HTTP 400, no content type): not a JSON object; the body begins with `<p>502`; log id L L
# Some characters end a line or turn the reading direction, although they are not control characters.
{"code":42,"msg":"a\u2028b\u2029c\u202ed\u2066e"} => code 42 (HTTP 400): a b c d e; log id L L
"#;

#[test]
fn every_endpoint_reads_an_error_in_the_same_way() {
    check(ERRORS, |given| {
        let [status, headers, body] = given.splitn(3, '|').collect::<Vec<_>>()[..] else {
            panic!("{given}")
        };
        let headers = headers.split(';').filter_map(|header| header.split_once(": "));
        let headers: Vec<_> = headers.map(|(name, value)| (name.trim(), value.trim())).collect();
        in_words(&error(&reply(status.trim().parse().unwrap(), &headers, body.trim().to_owned())))
    });
}

#[test]
fn an_unreadable_body_is_quoted_without_control_characters() {
    let odd = ["", " \r\n\t ", "\0", "\u{feff}{\"code\":0}", "{\"code\":0} trailing", "\u{b}{}"];
    for body in UNREADABLE.split_whitespace().chain(odd) {
        let error = error(&reply(200, &[], body));
        assert_eq!(
            unreadable(&error).excerpt,
            body.replace(|c: char| c.is_control() || c == '\u{feff}', " ")
        );
        assert_eq!(error.advice(), Advice::GiveUp, "{body}");
    }
}

#[test]
fn an_error_is_shown_in_one_line() {
    check(SHOWN, |body| error(&reply(400, &[("x-tt-logid", "L\tL")], body.to_owned())).to_string());
}

#[test]
fn control_characters_are_shown_as_spaces() {
    for control in (0..=0x9f).filter_map(char::from_u32).filter(|c| c.is_control()) {
        let escaped = format!("\\u{:04x}", u32::from(control));
        for text in [escaped, control.to_string()] {
            let body = r#"{"code":1,"msg":"X","error":{"message":"X","troubleshooter":"X","log_id":"X",
                "permission_violations":[{"scope":"X"}],"field_violations":[{"field":"X"}]}}"#;
            error(&reply(400, &[], body.replace('X', &text)));
        }
        let page = format!("{control}[31m<p>{control}");
        let error = error(&reply(502, &[], page.clone()));
        assert_eq!(unreadable(&error).excerpt, page.replace(control, " "));
    }
}

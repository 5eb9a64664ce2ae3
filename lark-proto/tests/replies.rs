//! Replies, good, odd and hostile, and exactly what is made of each.

use std::io;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Response};
use lark_proto::endpoints::{
    AddDimension, CellContent, Download, DownloadMedia, GetAppToken, GetImage, GetTenantToken,
    GetWikiNode, QuerySheets, Raw, ReadCells, Reply, ResendAppTicket, UpdateDimension, WithLogId,
};
use lark_proto::error::{Advice, Outcome, Unreadable};
use lark_proto::session::{Call, Limits, Session, Step};
use lark_proto::{
    App, CallError, CreateImage, EndpointExt, Error, Image, PutImage, ReplyImage, SendImage, Site,
    TenantToken, WriteSheetImage,
};
use serde_json::json;

const DATA: &str = r#"{"spreadsheetToken":"sht","updateRange":"Q!A1:A1","revision":80}"#;
const TOKEN: &str = r#"{"code":0,"msg":"ok","tenant_access_token":"t-SECRET","expire":7140}"#;

/// Status | headers | body => what [`told`] makes of it, at every endpoint.
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
429 | x-ogw-ratelimit-reset: 0 | {"code":99991400,"msg":"m"} => 99991400 RateLimit, Again, `m`, after 0ns
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

/// Bodies that no endpoint reads: no integer 0 as code, or code 0 without an object as data.
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

/// Status | headers | body => the file as length, content type and name, or what [`told`] makes of the error, with the
/// hint of a reply without a code.
const DOWNLOADS: &str = r#"
200 | content-type: image/png; content-disposition: attachment;filename="图.png" | \x89PNG => 4 image/png 图.png
200 | | GIF89a => 6 - -
206 | content-type: image/gif | GIF89a => 6 image/gif -
200 | content-type: text/html | GIF89a => 6 text/html -
200 | content-type: application/json | {"a":1} => 7 application/json -
200 | content-disposition: attachment;filename="../../a.png" | x => 1 - a.png
# An envelope counts whatever the status and the content type.
200 | content-type: image/png | {"code":234001,"msg":"Invalid request param."} => 234001 Request, GiveUp, `Invalid request param.`
400 | | {"code":234008,"msg":"The app is not the resource sender."} => 234008 Permission, GiveUp, `The app is not the resource sender.`
400 | | {"code":234005,"msg":"Image has been deleted"} => 234005 NotFound, GiveUp, `Image has been deleted`
403 | | {"code":1061004,"msg":"forbidden."} => 1061004 Permission, GiveUp, `forbidden.`
404 | | {"code":1061003,"msg":"not found."} => 1061003 NotFound, GiveUp, `not found.`
404 | | {"code":1061007,"msg":"file has been delete."} => 1061007 NotFound, GiveUp, `file has been delete.`
200 | | {"code":1061001,"msg":"internal error."} => 1061001 Busy, Again, `internal error.`
200 | | {"code":1061006,"msg":"internal time out."} => 1061006 Busy, Again, `internal time out.`
200 | | {"code":1061045,"msg":"can retry."} => 1061045 RateLimit, Again, `can retry.`
400 | x-ogw-ratelimit-reset: 2 | {"code":99991400,"msg":"m"} => 99991400 RateLimit, Again, `m`, after 2s
200 | | {"code":0,"msg":"success","data":{}} => unreadable, -, GiveUp, `{"code":0,"msg":"success","data":{}}`
# A page of a proxy, with a status of success too.
200 | content-type: text/html | <html>Log in => unreadable, text/html, GiveUp, `<html>Log in`
200 | | <!DOCTYPE html><title>Log in => unreadable, -, GiveUp, `<!DOCTYPE html><title>Log in`
502 | content-type: text/html | <html>502 => unreadable, text/html, Again, `<html>502`
# The status alone.
400 | cache-control: max-age=0, no-cache, no-store | => unreadable, -, GiveUp, ``: check that the key or token is that of a file; a file in a base with advanced permissions also needs `extra`
403 | | => unreadable, -, GiveUp, ``: give the app, or the user, the right to download from the document: add the app in the document under ... > More > Add document app, and check the setting for who may copy, print and download
404 | | => unreadable, -, GiveUp, ``: the file does not exist: it was deleted, or its key or token is wrong
404 | | 404 page not found => unreadable, -, GiveUp, `404 page not found`: the site does not know this route: check the host of the site; an older private deployment lacks newer routes
500 | | => unreadable, -, Again, ``
429 | retry-after: 3 | => unreadable, -, Again, ``, after 3s
200 | | => unreadable, -, GiveUp, ``
"#;

/// Endpoint | status | body => the success in a few words, or what [`told`] makes of the error.
const SHEETS: &str = r#"
query | 200 | {"code":0,"data":{"sheets":[{"sheet_id":"a","title":"T","index":1},{"sheet_id":"b"},{"sheet_id":"c","index":0,"grid_properties":{"row_count":9,"column_count":8}}]}} => c `` Some((9, 8)), a `T` None, b `` None
query | 200 | {"code":0,"data":{"sheets":[]}} => none
query | 200 | {"code":0,"data":{"sheets":[{"sheet_id":"a","title":"x\u001by\u202e"}]}} => a `x y ` None
query | 400 | {"code":1310214,"msg":"Path param :spreadsheet_token is not exist"} => 1310214 NotFound, GiveUp, `Path param :spreadsheet_token is not exist`
query | 400 | {"code":1310213,"msg":"Permission Fail"} => 1310213 Permission, GiveUp, `Permission Fail`
query | 400 | {"code":1310249,"msg":"Spreadsheet Deleted"} => 1310249 NotFound, GiveUp, `Spreadsheet Deleted`
query | 400 | {"code":1310251,"msg":"Invalid Parameter"} => 1310251 Request, GiveUp, `Invalid Parameter`
query | 500 | {"code":1315201,"msg":"m"} => 1315201 Busy, Again, `m`
query | 403 | {"code":91403,"msg":"FORBIDDEN","data":{}} => 91403 Permission, GiveUp, `FORBIDDEN`
query | 200 | {"code":0,"data":{}} => unreadable, -, GiveUp, `{"code":0,"data":{}}`
query | 200 | {"code":0,"data":{"sheets":{}}} => unreadable, -, GiveUp, `{"code":0,"data":{"sheets":{}}}`
query | 200 | {"code":0,"data":{"sheets":[{"sheet_id":"a b"}]}} => unreadable, -, GiveUp, `{"code":0,"data":{"sheets":[{"sheet_id":"a b"}]}}`
node | 200 | {"code":0,"data":{"node":{"obj_type":"sheet","obj_token":"sht"}}} => sheet sht
node | 200 | {"code":0,"data":{"node":{"obj_type":"a\nb","obj_token":"\u0000c"}}} => a b  c
node | 400 | {"code":131005,"msg":"not found: document not found by token xxx"} => 131005 NotFound, GiveUp, `not found: document not found by token xxx`
node | 400 | {"code":131006,"msg":"permission denied: node permission denied"} => 131006 Permission, GiveUp, `permission denied: node permission denied`
node | 400 | {"code":131002,"msg":"param err"} => 131002 Request, GiveUp, `param err`
node | 400 | {"code":131001,"msg":"rpc fail"} => 131001 Busy, Again, `rpc fail`
node | 400 | {"code":131007,"msg":"internal err"} => 131007 Unknown, GiveUp, `internal err`
node | 200 | {"code":0,"data":{"node":{"obj_type":"sheet"}}} => unreadable, -, GiveUp, `{"code":0,"data":{"node":{"obj_type":"sheet"}}}`
cells | 200 | {"code":0,"data":{"valueRange":{"values":[["a",null,7],[],[{"type":"embed-image"}]]}}} => (0, 0) Text("a"), (0, 2) Text("7"), (2, 0) Image { file_token: None }
cells | 200 | {"code":0,"data":{"valueRange":{"range":"","values":[]}}} => none
cells | 400 | {"code":90215,"msg":"not found sheetId"} => 90215 NotFound, GiveUp, `not found sheetId`
cells | 200 | {"code":90202,"msg":"wrong range=Q!A1"} => 90202 Request, GiveUp, `wrong range=Q!A1`
cells | 200 | {"code":90221,"msg":"TooLargeResponse"} => 90221 Limit, GiveUp, `TooLargeResponse`
cells | 200 | {"code":0,"data":{"valueRange":"a"}} => unreadable, -, GiveUp, `{"code":0,"data":{"valueRange":"a"}}`
cells | 200 | {"code":0,"data":{"values":[["a"]]}} => unreadable, -, GiveUp, `{"code":0,"data":{"values":[["a"]]}}`
add | 200 | {"code":0,"data":{"addCount":8,"majorDimension":"ROWS"},"msg":"Success"} => Some(8)
add | 200 | {"code":0,"msg":"Success"} => None
add | 200 | {"code":90219,"msg":"CellExcess"} => 90219 Limit, GiveUp, `CellExcess`
add | 200 | {"code":90217,"msg":"TooManyRequest"} => 90217 DocumentBusy, Again, `TooManyRequest`
add | 502 | <html> => unreadable, -, Again, `<html>`
set | 200 | {"code":0,"data":{},"msg":"Success"} => set
set | 200 | {"code":0,"msg":"Success"} => set
set | 400 | {"code":90212,"msg":"WrongRowOrCol"} => 90212 Request, GiveUp, `WrongRowOrCol`
set | 200 | {"data":{}} => unreadable, -, GiveUp, `{"data":{}}`
"#;

/// The fields beside a write's token => the range and the revision.
const WRITES: &str = r#"
"updateRange":"a","revision":80 => a 80
"updatedRange":"b","revision":0 => b 0
"updatedRange":"b","updateRange":"a" => a -
"updateRange":null,"updatedRange":"b" => b -
"updateRange":7,"updatedRange":"b","revision":"80" => b -
"updateRange":["a"],"updatedRange":{"b":1},"revision":1.5 => - -
"updateRange":"\ud800","revision":9223372036854775808 => - -
"revision":null,"new":{"deep":[1,{}]} => - -
"#;

/// The `data` of a message => its id, its chat, the milliseconds of its time, its parent and its thread.
const MESSAGES: &str = r#"
{"message_id":"om_1"} => om_1 - - - -
{"message_id":"om_1","chat_id":"oc_1","create_time":"1615380573411","parent_id":"om_0","thread_id":"omt_1"} => om_1 oc_1 1615380573411 om_0 omt_1
{"message_id":"om_1","chat_id":null,"create_time":null,"parent_id":null,"thread_id":null,"mentions":null} => om_1 - - - -
{"message_id":"om_1","chat_id":"","create_time":"","parent_id":"","root_id":"","thread_id":""} => om_1 - - - -
{"message_id":"om_1","chat_id":7,"create_time":1615380573411,"parent_id":7,"thread_id":{}} => om_1 - - - -
{"message_id":"om_1","chat_id":"a\u001bb\u202ec","create_time":"-1","parent_id":"oc_1"} => om_1 a b c - - -
{"message_id":"om_1","create_time":"18446744073709551615"} => om_1 - 18446744073709551615 - -
{"message_id":"om_1","create_time":"18446744073709551616"} => om_1 - - - -
{"message_id":"om_1","create_time":"1e3"} => om_1 - - - -
{"message_id":"om_1","body":{"content":[[]]},"sender":7,"deleted":"?"} => om_1 - - - -
{} => unreadable
{"message_id":""} => unreadable
{"message_id":null} => unreadable
{"message_id":7} => unreadable
{"message_id":"oc_1"} => unreadable
{"message_id":"om_"} => unreadable
{"message_id":"om_1\r\n"} => unreadable
{"messageId":"om_1"} => unreadable
{"message_id":"om_1","message_id":"om_2"} => unreadable
"#;

/// The body => how the error is shown.
const SHOWN: &str = r#"
{"code":90201,"msg":"a\r\nb\tc"} => code 90201 SHEET_JSON (HTTP 400): a  b c; log id L L
{"code":42,"msg":"m","error":"why"} => code 42 (HTTP 400): m: why; log id L L
{"code":42,"error":"why"} => code 42 (HTTP 400): why; log id L L
{"code":42,"msg":"m","error":{"field_violations":[{"field":"f\n","description":"d\u009b2J"}]}} => code 42 (HTTP 400): m; field `f `: d 2J; log id L L
{"code":42,"msg":"m","error":{"permission_violations":[{"subject":"s\u0000\u007f"}]}} => code 42 (HTTP 400): m; missing permission `s  `; log id L L
# What a person can do: by the code, and by the message where the code has two meanings.
{"code":234011,"msg":"m"} => code 234011 IM_FORMAT (HTTP 400): m; the service does not know the image's format: save the image as PNG or JPEG; log id L L
{"code":99991668,"msg":"Invalid access token"} => code 99991668 USER_TOKEN_INVALID (HTTP 400): Invalid access token; the user's token is wrong or has expired: the user has to log in again; log id L L
{"code":99991668,"msg":"user access token not support"} => code 99991668 USER_TOKEN_INVALID (HTTP 400): user access token not support; this endpoint takes no user token: send the request with a token of the app; log id L L
{"code":230027,"msg":"Lack of necessary permissions"} => code 230027 MESSAGE_FORBIDDEN (HTTP 400): Lack of necessary permissions; ask the user to authorise the app, or check the app's rights in the group; log id L L
{"code":230027,"msg":"The historical version of the APIs does not support cross-tenant scenarios."} => code 230027 MESSAGE_FORBIDDEN (HTTP 400): The historical version of the APIs does not support cross-tenant scenarios.; this older endpoint does not work across organisations: use the one under `im/v1`, for images `im/v1/images`; log id L L
# The scopes that are missing, and the link: once.
{"code":99991672,"msg":"m","error":{"permission_violations":[{"scope":"a:b","url":"https://x/app/cli_x/auth"}]}} => code 99991672 SCOPE_MISSING (HTTP 400): m; missing permission `a:b`; add one of the missing scopes to the app, and publish a version of the app to put the scope into effect: https://x/app/cli_x/auth; log id L L
{"code":99991672,"msg":"[a:b] https://x/app/cli_x/auth?q=a:b"} => code 99991672 SCOPE_MISSING (HTTP 400): [a:b] https://x/app/cli_x/auth?q=a:b; add one of the missing scopes to the app, and publish a version of the app to put the scope into effect; log id L L
{"code":42,"msg":"[a:b] https://x/app/cli_x/auth?q=a:b"} => code 42 (HTTP 400): [a:b] https://x/app/cli_x/auth?q=a:b; log id L L
 => unreadable reply (HTTP 400, no content type): it is not a JSON object; the body is empty; log id L L
<p>502 => unreadable reply (HTTP 400, no content type): it is not a JSON object; the body begins with `<p>502`; log id L L
# What ends a line or turns the reading direction without being a control character.
{"code":42,"msg":"a\u2028b\u2029c\u202ed\u2066e"} => code 42 (HTTP 400): a b c d e; log id L L
"#;

/// Replies of the token's endpoint that cannot be read and hold a secret.
const SECRETS: &str = r#"{"code":0,"Tenant_Access_Token":"t-SECRET"}
{"code":0,"tenant_access_token":"t-SEC RET"}
{"code":0,"tenant_access_token":["t-SECRET"]}
{"code":0,"tenant_access_token":{"t-SECRET":1}}
{"code":"t-SECRET7f1b9a0c2d4e5f60","tenant_access_token":"t-SECRET7f1b9a0c2d4e5f60"}
{"code":0,"tenant_access_token":"t-SECRET","tenant_access_token":"t-SECRET"}
{"app_id":"cli_x","app_secret":"SECRET"}
<p>Authorization: Bearer t-SECRET
{"code":0,"refresh_token":"ur-SECRET","#;

fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Bytes> {
    let mut reply = Response::new(body.into());
    *reply.status_mut() = status.try_into().unwrap();
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        reply.headers_mut().append(name.parse::<HeaderName>().unwrap(), value);
    }
    reply
}

/// The error that every endpoint makes of a reply. None sees a success, and what is shown is sane.
fn error(reply: &Response<Bytes>) -> Error {
    let sheet = WriteSheetImage::decode(reply.clone()).unwrap_err();
    let image = PutImage::decode(reply.clone()).unwrap_err();
    let token = GetTenantToken::decode(reply.clone()).unwrap_err();
    let created = CreateImage::decode(reply.clone()).unwrap_err();
    assert_eq!(created.to_string(), image.to_string());
    let message = SendImage::decode(reply.clone()).unwrap_err();
    let sheets = QuerySheets::decode(reply.clone()).unwrap_err();
    let node = GetWikiNode::decode(reply.clone()).unwrap_err();
    let cells = ReadCells::decode(reply.clone()).unwrap_err();
    for other in [image, token, message, sheets, node, cells] {
        assert_eq!(told(&other), told(&sheet));
    }
    let (shown, status) = (sheet.to_string(), reply.status().as_u16());
    assert!(shown.contains(&format!("(HTTP {status}")), "{shown}");
    assert!(!shown.contains(char::is_control), "{shown:?}");
    assert!(shown.len() < 128 * 1024, "{} bytes", shown.len());
    sheet
}

fn unreadable(error: &Error) -> &Unreadable {
    match error {
        Error::Unreadable(reply) => reply,
        other => panic!("{other}"),
    }
}

/// An error in one line: the code and its class, or the content type; the advice; the message or the
/// excerpt; then what else there is.
fn told(error: &Error) -> String {
    let (advice, again) = match error.advice() {
        Advice::Again { after } => ("Again", Some(after)),
        Advice::RenewToken => ("Renew", None),
        Advice::GiveUp => ("GiveUp", None),
        other => panic!("{other:?}"),
    };
    let mut details = Vec::new();
    let (first, after) = if let Some(api) = error.api() {
        let or = |text: &Option<String>| text.clone().unwrap_or("-".into());
        details.extend(api.detail.iter().map(|detail| format!("detail {detail}")));
        let scopes = api.permission_violations.iter();
        details.extend(scopes.map(|v| format!("scope {} {} {}", v.scope, or(&v.kind), or(&v.url))));
        let fields = api.field_violations.iter();
        details.extend(fields.map(|v| format!("field {}: {}", v.field, v.description)));
        details.extend(api.troubleshooter.iter().map(|hint| format!("hint {hint}")));
        let first = format!("{} {:?}, {advice}, `{}`", api.code.0, api.code.class(), api.msg);
        (first, api.retry_after)
    } else {
        let Unreadable { content_type, excerpt, retry_after, .. } = unreadable(error);
        let content_type = content_type.as_deref().unwrap_or("-");
        (format!("unreadable, {content_type}, {advice}, `{excerpt}`"), *retry_after)
    };
    assert!(again.is_none_or(|again| again == after), "{again:?} {after:?}");
    let after = after.map(|wait| format!("after {wait:?}"));
    let log_id = error.log_id().map(|id| format!("log {id}"));
    [first].into_iter().chain(after).chain(log_id).chain(details).collect::<Vec<_>>().join(", ")
}

/// Runs a table and shows every row that differs, not the first alone.
fn check(table: &str, tell: impl Fn(&str) -> String) {
    let rows = table.lines().filter(|row| !row.is_empty() && !row.starts_with('#'));
    let wrong = rows.filter_map(|row| {
        let (given, want) = row.split_once("=> ").unwrap();
        let got = tell(given.trim_end());
        (got != want).then(|| format!("{row}\n  got {got}"))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn data(data: &str) -> Response<Bytes> {
    reply(200, &[], format!(r#"{{"code":0,"msg":"ok","data":{data}}}"#))
}

#[test]
fn errors_are_told() {
    check(ERRORS, |given| {
        let [status, headers, body] = given.splitn(3, '|').collect::<Vec<_>>()[..] else {
            panic!("{given}")
        };
        let headers = headers.split(';').filter_map(|header| header.split_once(": "));
        let headers: Vec<_> = headers.map(|(name, value)| (name.trim(), value.trim())).collect();
        told(&error(&reply(status.trim().parse().unwrap(), &headers, body.trim().to_owned())))
    });
}

#[test]
fn a_download_is_a_file_or_an_error() {
    check(DOWNLOADS, |given| {
        let [status, headers, body] = given.splitn(3, '|').collect::<Vec<_>>()[..] else {
            panic!("{given}")
        };
        let headers = headers.split("; ").filter_map(|header| header.split_once(": "));
        let headers: Vec<_> = headers.map(|(name, value)| (name.trim(), value.trim())).collect();
        let body = match body.trim().strip_prefix(r"\x89") {
            Some(rest) => [b"\x89", rest.as_bytes()].concat(),
            None => body.trim().as_bytes().to_vec(),
        };
        let reply = reply(status.trim().parse().unwrap(), &headers, body.clone());
        let told = |result: Result<Download, Error>| match result {
            Ok(file) => {
                assert_eq!(file.bytes, body);
                let or = |text: Option<String>| text.unwrap_or("-".into());
                format!("{} {} {}", file.bytes.len(), or(file.content_type), or(file.file_name))
            }
            Err(Error::Unreadable(reply)) => {
                let hint = reply.hint().map(|hint| format!(": {hint}")).unwrap_or_default();
                told(&Error::Unreadable(reply)) + &hint
            }
            Err(error) => told(&error),
        };
        let image = told(GetImage::decode(reply.clone()));
        assert_eq!(told(DownloadMedia::decode(reply)), image);
        image
    });
}

#[test]
fn the_replies_about_spreadsheets_are_told() {
    fn some(items: impl Iterator<Item = String>) -> String {
        let items: Vec<_> = items.collect();
        if items.is_empty() { "none".into() } else { items.join(", ") }
    }
    check(SHEETS, |given| {
        let [endpoint, status, body] = given.splitn(3, " | ").collect::<Vec<_>>()[..] else {
            panic!("{given}")
        };
        let reply = reply(status.parse().unwrap(), &[], body.to_owned());
        let success = match endpoint {
            "query" => QuerySheets::decode(reply).map(|sheets| {
                let one = |sheet: &lark_proto::endpoints::Sheet| {
                    let grid = sheet.grid.map(|grid| (grid.rows, grid.columns));
                    format!("{} `{}` {grid:?}", sheet.id, sheet.title)
                };
                some(sheets.iter().map(one))
            }),
            "node" => GetWikiNode::decode(reply)
                .map(|node| format!("{} {}", node.obj_type, node.obj_token)),
            "cells" => ReadCells::decode(reply).map(|cells| {
                let places = (0..3).flat_map(|row| (0..3).map(move |column| (row, column)));
                let cells = places.map(|at| (at, cells.get(at.0, at.1)));
                let filled = cells.filter(|(_, content)| **content != CellContent::Empty);
                some(filled.map(|(at, content)| format!("{at:?} {content:?}")))
            }),
            "add" => AddDimension::decode(reply).map(|added| format!("{:?}", added.count)),
            "set" => UpdateDimension::decode(reply).map(|()| "set".into()),
            other => panic!("{other}"),
        };
        success.unwrap_or_else(|error| told(&error))
    });
}

#[test]
fn unreadable_bodies_are_quoted() {
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
fn code_0_is_a_success_under_any_status() {
    for status in [200, 204, 302, 400, 401, 429, 500, 503] {
        let decode = |body: &str| reply(status, &[], body.to_owned());
        let sheet = decode(&format!(r#"{{"code":0,"error":{{"message":"m"}},"data":{DATA}}}"#));
        assert_eq!(WriteSheetImage::decode(sheet).unwrap().spreadsheet_token, "sht");
        let image = PutImage::decode(decode(r#" {"data":{"image_key":"img_1"},"code":0} "#));
        assert_eq!(image.unwrap().as_str(), "img_1");
        let grant = GetTenantToken::decode(decode(TOKEN)).unwrap();
        assert_eq!((grant.token.expose_secret(), grant.expires_in.as_secs()), ("t-SECRET", 7140));
    }
}

#[test]
fn a_write_is_a_success_whatever_its_details() {
    check(WRITES, |fields| {
        let reply = data(&format!(r#"{{"spreadsheetToken":"sht",{fields}}}"#));
        let written = WriteSheetImage::decode(reply).unwrap();
        assert_eq!(written.spreadsheet_token, "sht");
        let revision = written.revision.map(|revision| revision.to_string());
        let or = |text: Option<String>| text.unwrap_or("-".into());
        format!("{} {}", or(written.range), or(revision))
    });
}

#[test]
fn a_message_is_sent_if_the_reply_has_its_id() {
    check(MESSAGES, |fields| {
        let [send, answer] =
            [SendImage::decode, ReplyImage::decode].map(|decode| decode(data(fields)));
        assert_eq!(send.as_ref().ok(), answer.as_ref().ok());
        let sent = match send {
            Ok(sent) => sent,
            Err(error) => {
                unreadable(&error);
                assert_eq!(error.outcome(), Outcome::Unknown);
                return "unreadable".to_owned();
            }
        };
        let or = |text: Option<String>| text.unwrap_or("-".into());
        let time = sent.create_time.map(|time| time.duration_since(UNIX_EPOCH).unwrap());
        let time = time.map(|time| time.as_millis().to_string());
        let parent = sent.parent_id.map(|id| id.to_string());
        let [chat, time, parent, thread] = [sent.chat_id, time, parent, sent.thread_id].map(or);
        format!("{} {chat} {time} {parent} {thread}", sent.message_id)
    });
}

#[test]
fn a_success_can_carry_its_log_id() {
    let both = [("x-request-id", "R"), ("x-tt-logid", "T")];
    let token = reply(200, &both, TOKEN);
    let (_, log_id) = WithLogId::<GetTenantToken>::decode(token.clone()).unwrap();
    assert_eq!(log_id.as_deref(), Some("T"));
    assert_eq!(WithLogId::<PutImage>::decode(token).unwrap_err().log_id(), Some("T"));
    let sheet = reply(200, &both[..1], format!(r#"{{"log_id":"B","code":0,"data":{DATA}}}"#));
    let (written, log_id) = WithLogId::<WriteSheetImage>::decode(sheet).unwrap();
    assert_eq!((written.revision, log_id.as_deref()), (Some(80), Some("B")));
    assert_eq!(WithLogId::<WriteSheetImage>::decode(data(DATA)).unwrap().1, None);
}

#[test]
fn a_reply_that_breaks_off_is_unreadable_at_every_byte() {
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
            assert_eq!(told(&error(&reply(body))) == want, closed, "{body}");
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
fn huge_texts_are_bounded() {
    let huge = "图".repeat(350_000);
    let short = format!("{}…", &huge[..1023]);
    let scopes = [r#"{"scope":"s","type":"k","url":"u"}"#; 1000].join(",");
    let fields = scopes.replace("scope", "field");
    let many = format!(
        r#"{{"code":1,"error":{{"permission_violations":[{scopes}],"field_violations":[{fields}]}}}}"#
    );
    let many = error(&reply(400, &[], many));
    let api = many.api().unwrap();
    assert_eq!((api.permission_violations.len(), api.field_violations.len()), (32, 32));
    let one = format!(
        r#"{{"code":1,"msg":"{huge}","error":{{"message":"{huge}","log_id":"{huge}","troubleshooter":"{huge}",
            "permission_violations":[{{"scope":"{huge}","type":"{huge}","url":"{huge}"}}],
            "field_violations":[{{"field":"{huge}","description":"{huge}"}}]}}}}"#
    );
    let want = format!(
        "1 Unknown, GiveUp, `{short}`, log {}…, detail {short}, scope {short} {short} {short}, field {short}: {short}, hint {short}",
        &huge[..126]
    );
    assert_eq!(told(&error(&reply(400, &[], one))), want);

    let code = format!(r#"{{"code":"{huge}"}}"#);
    let x = "x".repeat(1000);
    let code = error(&reply(200, &[("content-type", &x), ("x-tt-logid", &x)], code));
    assert_eq!(unreadable(&code).content_type.as_deref(), Some(&*format!("{}…", &x[..60])));
    assert_eq!(code.log_id(), Some(&*format!("{}…", &x[..128])));
    assert!(unreadable(&code).reason.len() <= 203, "{code}");
}

#[test]
fn the_link_that_grants_a_scope_survives_a_long_message() {
    let link = "https://open.feishu.cn/app/cli_x/auth?q=a:b,c:d&op_from=openapi&token_type=tenant";
    for code in [99991672, 99991679] {
        let msg = format!("{} {link}", "图".repeat(2000));
        let error = error(&reply(400, &[], format!(r#"{{"code":{code},"msg":"{msg}"}}"#)));
        let api = error.api().unwrap();
        assert!(!api.msg.contains(link), "{api}");
        assert_eq!(api.grant_link.as_deref(), Some(link));
        assert!(api.to_string().contains(link), "{api}");
        let scopes: Vec<_> = api.permission_violations.iter().map(|it| &*it.scope).collect();
        assert_eq!(scopes, ["a:b", "c:d"]);
    }
}

#[test]
fn a_link_of_a_violation_is_the_grant_link_if_it_is_whole() {
    let long = format!("https://open.feishu.cn/app/cli_x/auth?q={}", "a:b,".repeat(300));
    for (url, link) in [
        ("https://open.feishu.cn/app/cli_x", Some("https://open.feishu.cn/app/cli_x")),
        ("open the console", None),
        (&long, None),
    ] {
        let body = json!({"code": 99991672, "msg": "m", "error": {
            "permission_violations": [{"scope": "a:b"}, {"scope": "c:d", "url": url}],
        }});
        let error = error(&reply(400, &[], body.to_string()));
        assert_eq!(error.api().unwrap().grant_link.as_deref(), link, "{url}");
    }
}

/// The error of a call with this token, or the session's own, that is answered like this.
fn call_error(token: Option<&TenantToken>, replies: &[&Response<Bytes>]) -> CallError<io::Error> {
    let put = PutImage::message(Image::new("GIF89a").unwrap()).unwrap();
    let mut session = Session::new(Site::FEISHU, App::custom("cli_x", "hidden-1234").unwrap());
    let mut call: Call<_, io::Error> = match token {
        Some(token) => Call::with_token(token, &put),
        None => Call::new(&put),
    };
    call = call.with_limits(Limits::one_attempt());
    let mut replies = replies.iter().cycle();
    let mut now = UNIX_EPOCH;
    loop {
        match call.next(&mut session, now) {
            Step::Send(_) => {
                let parsed = call.read((*replies.next().unwrap()).clone());
                call.received(&mut session, now, parsed);
            }
            Step::Wait(time) => now += time,
            Step::Done(result) => return result.unwrap_err(),
        }
    }
}

#[test]
fn a_call_makes_the_link_from_its_app_and_the_scopes() {
    let refusal = r#"{"code":99991672,"msg":"m","error":{"permission_violations":[{"subject":"im:resource"}]}}"#;
    let refusal = reply(400, &[], refusal);
    let own = call_error(None, &[&reply(200, &[], TOKEN), &refusal]);
    let link = own.api().unwrap().grant_link.as_deref();
    let made =
        "https://open.feishu.cn/app/cli_x/auth?q=im:resource&op_from=openapi&token_type=tenant";
    assert_eq!(link, Some(made));
    // A token of the caller's may be another app's.
    let given = call_error(Some(&TenantToken::new("t-1").unwrap()), &[&refusal]);
    assert_eq!(given.api().unwrap().grant_link, None);
}

#[test]
fn a_plain_404_names_the_route_and_the_site() {
    let plain = reply(404, &[("content-type", "text/plain")], "404 page not found\n");
    let told = |error: CallError<io::Error>| format!("{}: {}", error.route, error.lark().unwrap());
    let hint = "https://open.feishu.cn does not know this route";
    let token = TenantToken::new("t-1").unwrap();
    for (error, route) in [
        (call_error(Some(&token), &[&plain]), "/open-apis/image/v4/put/: "),
        (call_error(None, &[&plain]), "/open-apis/auth/v3/tenant_access_token/internal: "),
    ] {
        assert!(error.api().is_none(), "{error}");
        let told = told(error);
        assert!(told.starts_with(route) && told.contains(hint), "{told}");
    }
    let error = error(&plain);
    assert!(unreadable(&error).hint().unwrap().starts_with("the site does not know"), "{error}");
    assert!(unreadable(&self::error(&reply(404, &[], "<html>"))).hint().is_some());
    for other in [reply(404, &[], "{}"), reply(400, &[], "404 page not found")] {
        assert_eq!(unreadable(&self::error(&other)).hint(), None);
    }
}

#[test]
fn an_internal_error_of_a_token_request_hints_at_the_credentials() {
    let internal = reply(200, &[], r#"{"code":2200,"msg":"Internal Error"}"#);
    let token = GetTenantToken::decode(internal).unwrap_err();
    assert!(token.api().unwrap().hint().unwrap().contains("app id"), "{token}");
    assert!(token.to_string().contains("app id"), "{token}");
    for body in
        [r#"{"code":2200,"msg":"Internal Error"}"#, r#"{"code":10003,"msg":"invalid param"}"#]
    {
        let other = PutImage::decode(reply(200, &[], body)).unwrap_err();
        assert_eq!(other.api().unwrap().hint(), None);
    }
}

#[test]
fn a_used_up_quota_is_not_tried_again() {
    let quota = reply(429, &[("retry-after", "1")], r#"{"code":99991403,"msg":"m"}"#);
    let error = PutImage::decode(quota.clone()).unwrap_err();
    assert_eq!(error.advice(), Advice::GiveUp);
    assert!(!error.api().unwrap().is_rate_limit());
    let token = TenantToken::new("t-1").unwrap();
    let put = PutImage::message(Image::new("GIF89a").unwrap()).unwrap();
    let mut session = Session::new(Site::FEISHU, App::None);
    let mut call: Call<_, io::Error> = Call::with_token(&token, &put);
    let Step::Send(_) = call.next(&mut session, UNIX_EPOCH) else { panic!("nothing is sent") };
    let parsed = call.read(quota);
    call.received(&mut session, UNIX_EPOCH, parsed);
    let Step::Done(Err(_)) = call.next(&mut session, UNIX_EPOCH) else { panic!("it goes on") };
}

#[test]
fn a_user_that_does_not_exist_is_looked_for_again_where_the_request_is_safe() {
    let sends = |method: Method| {
        let find = Raw::<()>::new(method, "/x");
        let token = TenantToken::new("t-1").unwrap();
        let mut session = Session::new(Site::FEISHU, App::None);
        let mut call: Call<_, io::Error> = Call::with_token(&token, &find);
        let mut now = UNIX_EPOCH;
        loop {
            match call.next(&mut session, now) {
                Step::Send(_) => {
                    let parsed = call.read(reply(200, &[], r#"{"code":20008,"msg":"m"}"#));
                    call.received(&mut session, now, parsed);
                }
                Step::Wait(time) => now += time,
                Step::Done(_) => return call.sends(),
            }
        }
    };
    assert_eq!((sends(Method::GET), sends(Method::POST)), (4, 1));
}

#[test]
fn a_token_without_a_code_is_a_success_of_a_token_request_only() {
    let get = |status, body: &str| GetTenantToken::decode(reply(status, &[], body.to_owned()));
    let grant = get(200, r#"{"tenant_access_token":"t-1","expire":60}"#).unwrap();
    assert_eq!((grant.token.expose_secret(), grant.expires_in.as_secs()), ("t-1", 60));
    let app = reply(200, &[], r#"{"msg":"ok","code":null,"app_access_token":"a-1","expire":60}"#);
    assert_eq!(GetAppToken::decode(app).unwrap().token.expose_secret(), "a-1");
    for (status, body) in [
        (500, r#"{"tenant_access_token":"t-1"}"#),
        (200, r#"{"tenant_access_token":""}"#),
        (200, r#"{"tenant_access_token":null}"#),
        (200, r#"{"tenant_access_token":"t-1","code":"0"}"#),
        (200, r#"{"app_access_token":"t-1"}"#),
        (200, "{}"),
    ] {
        unreadable(&get(status, body).unwrap_err());
    }
    let put = reply(200, &[], r#"{"data":{"image_key":"img"}}"#);
    unreadable(&PutImage::decode(put).unwrap_err());
    unreadable(&ResendAppTicket::decode(reply(200, &[], "{}")).unwrap_err());
}

#[test]
fn the_texts_of_a_success_are_bounded_and_cleaned() {
    let long = "x".repeat(2000);
    let written = |fields: &str| {
        let sheet =
            reply(200, &[("x-tt-logid", &long)], format!(r#"{{"code":0,"data":{fields}}}"#));
        WithLogId::<WriteSheetImage>::decode(sheet).unwrap()
    };
    let (sheet, log_id) =
        written(&format!(r#"{{"spreadsheetToken":"{long}","updateRange":"{long}"}}"#));
    let cut = |max| format!("{}…", &long[..max]);
    assert_eq!((sheet.spreadsheet_token, sheet.range), (cut(1024), Some(cut(1024))));
    assert_eq!(log_id, Some(cut(128)));
    let (sheet, _) = written(r#"{"spreadsheetToken":"a\u001bb\u202ec","updatedRange":"Q!A1\r\n"}"#);
    assert_eq!((&*sheet.spreadsheet_token, sheet.range.as_deref()), ("a b c", Some("Q!A1  ")));
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
    let excerpt = |body: &[u8]| unreadable(&error(&reply(502, &[], body.to_vec()))).excerpt.clone();
    assert_eq!(excerpt(&[0xff; 300]), "\u{fffd}".repeat(256) + "…");
    assert_eq!(excerpt(&[0x80; 300]), "\u{fffd}".repeat(256) + "…");
    assert_eq!(excerpt(b"\xd6\xd0 ok"), "\u{fffd}\u{fffd} ok");
    assert_eq!(excerpt(&"图".as_bytes()[..2]), "\u{fffd}");
    assert_eq!(excerpt(b"{\"code\":0,\"msg\":\"\xff\"}"), "{\"code\":0,\"msg\":\"\u{fffd}\"}");
}

#[test]
fn an_error_is_shown_in_one_clean_line() {
    check(SHOWN, |body| error(&reply(400, &[("x-tt-logid", "L\tL")], body.to_owned())).to_string());
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

#[test]
fn a_token_is_never_shown() {
    let cut = (0..300).map(|len| {
        let msg = "x".repeat(len);
        format!(r#"{{"code":0,"msg":"{msg}","tenant_access_token":"t-SECRET","expi"#)
    });
    let far = [
        format!(r#"{{"code":0,"x":"{}","tenant_access_token":{{"t-SECRET":1}}}}"#, "x".repeat(300)),
        r#"{"code":7,"msg":"Bearer t-SECRET and Bearer t-SECRET","error":{"message":"no Bearer t-SECRET"}}"#.into(),
    ];
    let wrong: Vec<_> = (SECRETS.lines().map(str::to_owned).chain(cut).chain(far))
        .map(|body| GetTenantToken::decode(reply(200, &[], body)).unwrap_err())
        .filter(|error| format!("{error} {error:?}").contains("SEC"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_reply_and_a_grant_do_not_show_the_token() {
    let grant = GetTenantToken::decode(reply(200, &[], TOKEN)).unwrap();
    let reply = Reply::new(reply(200, &[], TOKEN));
    assert!(!format!("{grant:?}").contains("SECRET"), "{grant:?}");
    assert!(!format!("{reply:?}").contains("SECRET"), "{reply:?}");
}

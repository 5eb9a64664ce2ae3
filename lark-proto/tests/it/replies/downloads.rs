//! The replies of the endpoints that download a file.

use lark_proto::endpoints::{Download, DownloadMedia, GetImage};
use lark_proto::{EndpointExt, Error};

use super::{check, in_words, reply};

/// Status | headers | body => the length, content type and name of the file, or the error in words, with the hint of a
/// reply without a code.
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
200 | | {"code":1061001,"msg":"internal error."} => 1061001 ServiceFailure, Again, `internal error.`
200 | | {"code":1061006,"msg":"internal time out."} => 1061006 ServiceFailure, Again, `internal time out.`
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
        let file_in_words = |result: Result<Download, Error>| match result {
            Ok(file) => {
                assert_eq!(file.bytes, body);
                let or = |text: Option<String>| text.unwrap_or("-".into());
                format!("{} {} {}", file.bytes.len(), or(file.content_type), or(file.file_name))
            }
            Err(Error::Unreadable(reply)) => {
                let hint = reply.hint().map(|hint| format!(": {hint}")).unwrap_or_default();
                in_words(&Error::Unreadable(reply)) + &hint
            }
            Err(error) => in_words(&error),
        };
        let image = file_in_words(GetImage::decode(reply.clone()));
        assert_eq!(file_in_words(DownloadMedia::decode(reply)), image);
        image
    });
}

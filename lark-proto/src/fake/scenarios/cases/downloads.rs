//! A download returns an image or fails. It is sent again if its reply is cut short.

use http::{Response, StatusCode};

use super::builder::{failed, refused, unreadable};
use super::calls::{add_image_of, get};
use super::faults::{code, page};
use super::limits::BACKOFF;
use crate::error::{Invalid, Outcome};
use crate::fake::failures::{ConnectionFault, Fault};
use crate::fake::route::Route::{ImV1Image as Download, TenantAccessToken as Token};
use crate::fake::scenarios::scenario::Scenario;

/// More bytes than the default limit of a reply.
const LONG: usize = (1 << 20) + 1;

pub(super) fn all() -> Result<Vec<Scenario>, Invalid> {
    let once = [(Token, 1), (Download, 1)];
    let twice = [(Token, 1), (Download, 2)];
    Ok(vec![
        get("a download above 1 MiB is read", &[b'.'; LONG])?
            .prepared(|lark| add_image_of(lark, &[b'.'; LONG]))
            .requests(&once),
        get("a download whose reply is cut short is sent again", b"..")?
            .prepared(|lark| {
                add_image_of(lark, b"..");
                lark.fail_next_on(Download, ConnectionFault::CutReply);
            })
            .requests(&twice)
            .lasts(BACKOFF),
        get("a download answered with HTTP 200 and a code is refused", b"..")?
            .prepared(|lark| {
                add_image_of(lark, b"..");
                lark.fail_next_on(Download, code(200, 234008));
            })
            .requests(&once)
            .fails(refused(Download, 234008)),
        get("a download answered with HTTP 403 and no body is refused", b"..")?
            .prepared(|lark| {
                add_image_of(lark, b"..");
                let mut empty = Response::default();
                *empty.status_mut() = StatusCode::FORBIDDEN;
                lark.fail_next_on(Download, Fault::from(empty));
            })
            .requests(&once)
            .fails(failed(Outcome::Refused, Download, unreadable(403))),
        get("an HTML page as HTTP 200 is not taken for an image", b"..")?
            .prepared(|lark| {
                add_image_of(lark, b"..");
                lark.fail_next_on(Download, page(200));
            })
            .requests(&once)
            .fails(failed(Outcome::Unknown, Download, unreadable(200))),
    ])
}

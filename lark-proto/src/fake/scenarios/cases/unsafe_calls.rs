//! A call that is not idempotent is sent again only if it is known that nothing was carried out.

use super::builder::{api, failed, unreadable};
use super::calls::put_unsafe;
use super::faults::{code, limit, page};
use super::limits::{BACKOFF, NAMED};
use crate::error::{Invalid, Outcome};
use crate::fake::failures::ConnectionFault;
use crate::fake::route::Route::{ImV1Images as Upload, TenantAccessToken as Token};
use crate::fake::scenarios::scenario::{ExpectedError, Scenario};

pub(super) fn all() -> Result<Vec<Scenario>, Invalid> {
    let single = [(Token, 1), (Upload, 1)];
    let twice = [(Token, 1), (Upload, 2)];
    Ok(vec![
        put_unsafe("an unsafe call is sent again after a refused token")?
            .prepared(|lark| lark.fail_next_on(Upload, code(400, 99991663)))
            .requests(&[(Token, 2), (Upload, 2)]),
        put_unsafe("an unsafe call is sent again after a rate limit")?
            .prepared(|lark| lark.fail_next_on(Upload, limit(429, Some("0.05"))))
            .requests(&twice)
            .lasts(NAMED),
        put_unsafe("an unsafe call is sent again after a rate limit as an HTML page")?
            .prepared(|lark| lark.fail_next_on(Upload, page(429)))
            .requests(&twice)
            .lasts(BACKOFF),
        put_unsafe("an unsafe call is not sent again after HTTP 502")?
            .prepared(|lark| lark.fail_next_on(Upload, page(502)))
            .requests(&single)
            .fails(failed(Outcome::Unknown, Upload, unreadable(502))),
        put_unsafe("an unsafe call is not sent again after HTTP 500 with an unknown code")?
            .prepared(|lark| lark.fail_next_on(Upload, code(500, 42)))
            .requests(&single)
            .fails(failed(Outcome::Unknown, Upload, api(42))),
        put_unsafe("an unsafe call is not sent again after a reset connection")?
            .prepared(|lark| lark.fail_next_on(Upload, ConnectionFault::AfterBody))
            .requests(&single)
            .fails(failed(Outcome::Unknown, Upload, ExpectedError::Transport)),
        put_unsafe("an unsafe call is not sent again after a reply that is cut short")?
            .prepared(|lark| lark.fail_next_on(Upload, ConnectionFault::CutReply))
            .requests(&single)
            .fails(failed(Outcome::Unknown, Upload, ExpectedError::Transport)),
    ])
}

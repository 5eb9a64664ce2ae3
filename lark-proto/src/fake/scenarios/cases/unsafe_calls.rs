//! A call that is not idempotent is sent again only after a refusal that shows that nothing was carried out.

use super::builder::{api, failed, unreadable};
use super::calls::put_unsafe;
use super::faults::{code, limit, page};
use super::limits::{BACKOFF, NAMED};
use crate::error::{Invalid, Outcome};
use crate::fake::failures::Break;
use crate::fake::route::Route::{ImV1Images as Unsafe, TenantAccessToken as Token};
use crate::fake::scenarios::scenario::{ExpectedError, Scenario};

pub(super) fn all() -> Result<Vec<Scenario>, Invalid> {
    let single = [(Token, 1), (Unsafe, 1)];
    let twice = [(Token, 1), (Unsafe, 2)];
    Ok(vec![
        put_unsafe("an unsafe call is sent again after a refused token")?
            .by(|lark| lark.fail_next_on(Unsafe, code(400, 99991663)))
            .takes(&[(Token, 2), (Unsafe, 2)]),
        put_unsafe("an unsafe call is sent again after a rate limit")?
            .by(|lark| lark.fail_next_on(Unsafe, limit(429, Some("0.05"))))
            .takes(&twice)
            .lasts(NAMED),
        put_unsafe("an unsafe call is sent again after a rate limit as an HTML page")?
            .by(|lark| lark.fail_next_on(Unsafe, page(429)))
            .takes(&twice)
            .lasts(BACKOFF),
        put_unsafe("an unsafe call is not sent again after HTTP 502")?
            .by(|lark| lark.fail_next_on(Unsafe, page(502)))
            .takes(&single)
            .fails(failed(Outcome::Unknown, Unsafe, unreadable(502))),
        put_unsafe("an unsafe call is not sent again after HTTP 500 with an unknown code")?
            .by(|lark| lark.fail_next_on(Unsafe, code(500, 42)))
            .takes(&single)
            .fails(failed(Outcome::Unknown, Unsafe, api(42))),
        put_unsafe("an unsafe call is not sent again after a reset connection")?
            .by(|lark| lark.fail_next_on(Unsafe, Break::AfterBody))
            .takes(&single)
            .fails(failed(Outcome::Unknown, Unsafe, ExpectedError::Transport)),
        put_unsafe("an unsafe call is not sent again after a reply that is cut short")?
            .by(|lark| lark.fail_next_on(Unsafe, Break::CutReply))
            .takes(&single)
            .fails(failed(Outcome::Unknown, Unsafe, ExpectedError::Transport)),
    ])
}

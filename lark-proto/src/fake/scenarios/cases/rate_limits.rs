//! After a rate-limit refusal, a call waits for the time that the service names or, if it names none, for a backoff.

use std::time::Duration;

use super::builder::refused;
use super::calls::put;
use super::faults::{code_with_waits, fail, limit, page};
use super::limits::{BACKOFF, NAMED, SECOND, TWO};
use crate::error::Invalid;
use crate::fake::route::Route::{ImageV4Put as Put, TenantAccessToken as Token};
use crate::fake::scenarios::scenario::Scenario;
use crate::session::Limits;

pub(super) fn all() -> Result<Vec<Scenario>, Invalid> {
    let twice = [(Token, 1), (Put, 2)];
    Ok(vec![
        put("a rate limit as HTTP 429 waits as long as its header asks")?
            .prepared(|lark| lark.fail_next_on(Put, limit(429, Some("0.05"))))
            .requests(&twice)
            .lasts(NAMED),
        put("a rate limit as HTTP 400 waits as long as its header asks")?
            .prepared(|lark| lark.fail_next_on(Put, limit(400, Some("0.05"))))
            .requests(&twice)
            .lasts(NAMED),
        put("a rate limit as HTTP 429 without a header waits for a backoff")?
            .prepared(|lark| lark.fail_next_on(Put, limit(429, None)))
            .requests(&twice)
            .lasts(BACKOFF),
        put("a rate limit as HTTP 400 without a header waits for a backoff")?
            .prepared(|lark| lark.fail_next_on(Put, limit(400, None)))
            .requests(&twice)
            .lasts(BACKOFF),
        put("a rate limit with an unreadable header waits for a backoff")?
            .prepared(|lark| lark.fail_next_on(Put, limit(429, Some("soon"))))
            .requests(&twice)
            .lasts(BACKOFF),
        put("a rate limit with two headers waits for the shorter time")?
            .prepared(|lark| lark.fail_next_on(Put, code_with_waits(429, 99991400, "120", "0.05")))
            .requests(&twice)
            .lasts(NAMED),
        put("a rate limit as an HTML page waits for a backoff")?
            .prepared(|lark| lark.fail_next_on(Put, page(429)))
            .requests(&twice)
            .lasts(BACKOFF),
        // After the first refusal the client sends at most five requests a second to the route.
        put("a rate limit costs no attempt")?
            .with_limits(TWO)
            .prepared(|lark| fail(lark, Put, &[limit(429, Some("0.05")), limit(429, Some("0.05"))]))
            .requests(&[(Token, 1), (Put, 3)])
            .lasts(250..=250),
        put("a rate limit fails a call with one attempt")?
            .with_limits(Limits::one_attempt())
            .prepared(|lark| lark.fail_next_on(Put, limit(429, Some("0.05"))))
            .requests(&[(Token, 1), (Put, 1)])
            .fails(refused(Put, 99991400)),
        put("a rate limit beyond the longest wait fails the call")?
            .with_limits(Limits::default().longest_wait(Duration::from_millis(50)))
            .prepared(|lark| lark.fail_next_on(Put, limit(429, Some("3600"))))
            .requests(&[(Token, 1), (Put, 1)])
            .fails_for_good(refused(Put, 99991400)),
        put("a call fails at once on a rate limit past the deadline")?
            .with_limits(SECOND.total(Duration::from_secs(10)).attempts(2))
            .prepared(|lark| lark.fail_next_on(Put, limit(429, Some("30"))))
            .requests(&[(Token, 1), (Put, 1)])
            .fails_for_good(refused(Put, 99991400)),
    ])
}

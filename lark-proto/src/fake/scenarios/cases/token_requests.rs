//! A token request is retried as any idempotent request is. If it fails permanently, the call's own request is not
//! sent.

use std::time::Duration;

use super::builder::{api, not_sent};
use super::calls::put;
use super::faults::{code, limit, page};
use super::limits::{BACKOFF, SECOND};
use crate::error::Invalid;
use crate::fake::failures::{ConnectionFault, Fault};
use crate::fake::lark::FakeLark;
use crate::fake::route::Route::{ImageV4Put as Put, TenantAccessToken as Token};
use crate::fake::scenarios::scenario::{ExpectedError, Scenario};
use crate::session::Limits;
use crate::values::App;

pub(super) fn all() -> Result<Vec<Scenario>, Invalid> {
    let twice = [(Token, 2), (Put, 1)];
    Ok(vec![
        put("a token request answered with HTTP 500 is sent again")?
            .prepared(|lark| lark.fail_next_on(Token, page(500)))
            .requests(&twice)
            .lasts(BACKOFF),
        put("a token request answered with HTTP 503 and an unknown code is sent again")?
            .prepared(|lark| lark.fail_next_on(Token, code(503, 42)))
            .requests(&twice)
            .lasts(BACKOFF),
        put("a token request with truncated JSON in its reply is sent again")?
            .prepared(|lark| lark.fail_next_on(Token, Fault::TruncatedJson))
            .requests(&twice)
            .lasts(BACKOFF),
        put("a token request whose connection is reset is sent again")?
            .prepared(|lark| lark.fail_next_on(Token, ConnectionFault::AfterBody))
            .requests(&twice)
            .lasts(BACKOFF),
        // The caller's limits apply to the call's own request, and not to the token request.
        put("a token request is sent again even for a call with one attempt")?
            .with_limits(Limits::one_attempt())
            .prepared(|lark| lark.fail_next_on(Token, ConnectionFault::AfterBody))
            .requests(&twice)
            .lasts(BACKOFF),
        put("a rate-limited token request waits as long as the service asks")?
            .prepared(|lark| lark.fail_next_on(Token, limit(429, Some("1"))))
            .requests(&twice)
            .lasts(1000..=1000),
        put("a rate limit of an hour on token requests fails the call")?
            .prepared(|lark| lark.fail_next_on(Token, limit(429, Some("3600"))))
            .requests(&[(Token, 1)])
            .fails_for_good(not_sent(Token, api(99991400))),
        put("a call fails if its token comes past the deadline")?
            .with_limits(SECOND)
            .prepared(|lark| {
                lark.fail_next_on(Token, ConnectionFault::SlowReply(Duration::from_millis(1500)));
            })
            .requests(&[(Token, 1)])
            .lasts(1000..=1000)
            .fails(not_sent(Token, ExpectedError::Deadline)),
        put("a wrong app secret fails the call")?
            .with_app(App::custom(FakeLark::APP_ID, "wrong")?)
            .requests(&[(Token, 1)])
            .fails_for_good(not_sent(Token, api(10014))),
        put("an unknown app fails the call")?
            .with_app(App::custom("cli_0", "wrong")?)
            .requests(&[(Token, 1)])
            .fails_for_good(not_sent(Token, api(10014))),
        put("a client without an app sends no request")?
            .with_app(App::None)
            .fails_for_good(not_sent(Put, ExpectedError::NoApp)),
    ])
}

//! A write to a busy document is sent again until the limit for busy documents is reached. It costs no attempt.

use std::time::Duration;

use super::builder::{api, failed, refused};
use super::calls::write;
use super::faults::{code, code_with_waits, fail};
use super::limits::{BACKOFF, TWO};
use crate::error::{Invalid, Outcome};
use crate::fake::route::Route::{TenantAccessToken as Token, ValuesImage as Cell};
use crate::fake::scenarios::scenario::Scenario;
use crate::session::Limits;

pub(super) fn all() -> Result<Vec<Scenario>, Invalid> {
    let twice = [(Token, 1), (Cell, 2)];
    Ok(vec![
        write("a write to a document that is busy with 90217 waits for a backoff")?
            .prepared(|lark| lark.fail_next_on(Cell, code(200, 90217)))
            .requests(&twice)
            .lasts(BACKOFF),
        write("a write to a document that is busy with 90228 waits for a backoff")?
            .prepared(|lark| lark.fail_next_on(Cell, code(200, 90228)))
            .requests(&twice)
            .lasts(BACKOFF),
        write("a write to a document that is busy with 90235 waits for a backoff")?
            .prepared(|lark| lark.fail_next_on(Cell, code(400, 90235)))
            .requests(&twice)
            .lasts(BACKOFF),
        write("a write to a document that is busy with 90242 waits for a backoff")?
            .prepared(|lark| lark.fail_next_on(Cell, code(200, 90242)))
            .requests(&twice)
            .lasts(BACKOFF),
        // The wait for a busy document is limited by time, not by attempts.
        write("a busy document costs no attempt")?
            .with_limits(TWO)
            .prepared(|lark| {
                let busy = || code_with_waits(400, 90235, "0.05", "0.05");
                fail(lark, Cell, &[busy(), busy(), busy(), busy()]);
            })
            .requests(&[(Token, 1), (Cell, 5)])
            .lasts(200..=200),
        write("a document that is busy beyond the limit fails the call")?
            .with_limits(Limits::default().busy(Duration::from_millis(200)))
            .prepared(|lark| fail(lark, Cell, &[code(200, 90217), code(400, 90235)]))
            .requests(&twice)
            .lasts(200..=200)
            .fails(failed(Outcome::Unknown, Cell, api(90235))),
        write("a busy document fails a call with one attempt")?
            .with_limits(Limits::one_attempt())
            .prepared(|lark| lark.fail_next_on(Cell, code(200, 90217)))
            .requests(&[(Token, 1), (Cell, 1)])
            .fails(refused(Cell, 90217)),
    ])
}

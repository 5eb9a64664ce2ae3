//! A cell write is idempotent, so it is sent again after any failure of the connection.

use std::time::Duration;

use super::builder::failed;
use super::calls::{write, write_of};
use super::limits::{BACKOFF, SECOND, TWO};
use crate::error::{Invalid, Outcome};
use crate::fake::failures::ConnectionFault;
use crate::fake::route::Route::{TenantAccessToken as Token, ValuesImage as Cell};
use crate::fake::scenarios::scenario::{ExpectedError, Scenario};

pub(super) fn all() -> Result<Vec<Scenario>, Invalid> {
    let once = [(Token, 1), (Cell, 1)];
    let twice = [(Token, 1), (Cell, 2)];
    // This image arrives in many pieces. A short one would have arrived completely before the connection breaks.
    let long = [200; 300_000];
    Ok(vec![
        write("a write is sent again if the connection is reset before its body")?
            .prepared(|lark| lark.fail_next_on(Cell, ConnectionFault::BeforeBody))
            .requests(&once)
            .lasts(BACKOFF),
        write_of("a write is sent again if the connection is reset during its body", &long)?
            .prepared(|lark| lark.fail_next_on(Cell, ConnectionFault::DuringBody))
            .requests(&once)
            .lasts(BACKOFF),
        write_of(
            "a write is sent a third time if the connection is reset twice during its body",
            &long,
        )?
        .prepared(|lark| {
            lark.fail_next_on(Cell, ConnectionFault::DuringBody);
            lark.fail_next_on(Cell, ConnectionFault::DuringBody);
        })
        .requests(&once)
        .lasts(750..=1500),
        write("a write is sent again if the connection is reset after its body")?
            .prepared(|lark| lark.fail_next_on(Cell, ConnectionFault::AfterBody))
            .requests(&twice)
            .lasts(BACKOFF),
        write("a connection reset at both of two attempts leaves the outcome unknown")?
            .with_limits(TWO)
            .prepared(|lark| {
                lark.fail_next_on(Cell, ConnectionFault::AfterBody);
                lark.fail_next_on(Cell, ConnectionFault::AfterBody);
            })
            .requests(&twice)
            .lasts(BACKOFF)
            .fails(failed(Outcome::Unknown, Cell, ExpectedError::Transport)),
        write("a write whose reply is cut short is sent again")?
            .prepared(|lark| lark.fail_next_on(Cell, ConnectionFault::CutReply))
            .requests(&twice)
            .lasts(BACKOFF),
        write("a slow reply is waited for")?
            .prepared(|lark| {
                lark.fail_next_on(Cell, ConnectionFault::SlowReply(Duration::from_millis(50)));
            })
            .requests(&once)
            .lasts(50..=50),
        write("the outcome is unknown if the reply comes past the deadline")?
            .with_limits(SECOND)
            .prepared(|lark| {
                lark.fail_next_on(Cell, ConnectionFault::SlowReply(Duration::from_secs(30)));
            })
            .requests(&once)
            .lasts(1000..=1000)
            .fails(failed(Outcome::Unknown, Cell, ExpectedError::Deadline)),
    ])
}

//! A reply without a known code is judged by its HTTP status.

use bytes::Bytes;
use http::Response;

use super::builder::{api, failed, refused, unreadable};
use super::calls::write;
use super::faults::{code, code_with_waits, fail, page};
use super::limits::{BACKOFF, TWO};
use crate::error::{Code, Invalid, Outcome};
use crate::fake::failures::Fault;
use crate::fake::route::Route::{TenantAccessToken as Token, ValuesImage as Cell};
use crate::fake::scenarios::scenario::{ExpectedError, Scenario};

pub(super) fn all() -> Result<Vec<Scenario>, Invalid> {
    let once = [(Token, 1), (Cell, 1)];
    let twice = [(Token, 1), (Cell, 2)];
    let scopes = ["drive:drive", "sheets:spreadsheet"].map(str::to_owned).to_vec();
    Ok(vec![
        write("an HTML page as HTTP 400 is a refusal")?
            .prepared(|lark| lark.fail_next_on(Cell, page(400)))
            .requests(&once)
            .fails(failed(Outcome::Refused, Cell, unreadable(400))),
        write("a write answered with HTTP 408 is sent again")?
            .prepared(|lark| lark.fail_next_on(Cell, page(408)))
            .requests(&twice)
            .lasts(BACKOFF),
        write("a write answered with HTTP 500 is sent again")?
            .prepared(|lark| lark.fail_next_on(Cell, page(500)))
            .requests(&twice)
            .lasts(BACKOFF),
        write("HTTP 500 at both of two attempts leaves the outcome unknown")?
            .with_limits(TWO)
            .prepared(|lark| fail(lark, Cell, &[page(500), page(500)]))
            .requests(&twice)
            .lasts(BACKOFF)
            .fails(failed(Outcome::Unknown, Cell, unreadable(500))),
        // The first request may still be carried out. The client waits two seconds for it, and then for the document.
        write("a document that is busy with the call's own earlier request costs no attempt")?
            .with_limits(TWO)
            .prepared(|lark| {
                fail(lark, Cell, &[page(502), code_with_waits(200, 90217, "0.05", "0.05")]);
            })
            .requests(&[(Token, 1), (Cell, 3)])
            .lasts(2050..=2050),
        write("a write answered with HTTP 500 and an unknown code is sent again")?
            .prepared(|lark| lark.fail_next_on(Cell, code(500, 42)))
            .requests(&twice)
            .lasts(BACKOFF),
        write("an unknown code as HTTP 400 is a refusal")?
            .prepared(|lark| lark.fail_next_on(Cell, code(400, 42)))
            .requests(&once)
            .fails(refused(Cell, 42)),
        // The first request may have been carried out. The refusal of the second one does not show whether it was.
        write("a refusal of the second request leaves the outcome of the first unknown")?
            .prepared(|lark| fail(lark, Cell, &[code(500, 42), code(400, 42)]))
            .requests(&twice)
            .lasts(BACKOFF)
            .fails(failed(Outcome::Unknown, Cell, api(42))),
        write("a route that does not exist is a refusal")?
            .prepared(|lark| lark.fail_next_on(Cell, Fault::PlainNotFound))
            .requests(&once)
            .fails(failed(Outcome::Refused, Cell, unreadable(404))),
        write("truncated JSON leaves the outcome unknown")?
            .prepared(|lark| lark.fail_next_on(Cell, Fault::TruncatedJson))
            .requests(&once)
            .fails(failed(Outcome::Unknown, Cell, unreadable(200))),
        write("a reply above the limit leaves the outcome unknown")?
            .prepared(|lark| {
                let huge = Bytes::from(vec![b' '; (1 << 20) + 1]);
                lark.fail_next_on(Cell, Fault::from(Response::new(huge)));
            })
            .requests(&once)
            .fails(failed(Outcome::Unknown, Cell, ExpectedError::TooLarge)),
        write("a missing permission is a refusal that names the scopes")?
            .prepared(|lark| {
                let scopes = ["drive:drive", "sheets:spreadsheet"].map(Into::into).to_vec();
                lark.fail_next_on(Cell, Fault::Permission(scopes));
            })
            .requests(&once)
            .fails(failed(
                Outcome::Refused,
                Cell,
                ExpectedError::Refused { code: Code::SCOPE_MISSING, scopes },
            )),
    ])
}

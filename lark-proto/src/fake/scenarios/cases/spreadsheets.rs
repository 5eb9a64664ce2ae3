//! A read of cells is retried as any idempotent request is. A request to add rows is not sent again if the rows may
//! have been added.

use super::builder::{api, failed, refused};
use super::calls::{add_rows, read, write_to};
use super::faults::code;
use super::limits::BACKOFF;
use crate::error::{Invalid, Outcome};
use crate::fake::failures::ConnectionFault;
use crate::fake::route::Route::{
    AddDimension as Rows, TenantAccessToken as Token, Values, ValuesImage as Cell,
};
use crate::fake::scenarios::scenario::{ExpectedError, Scenario};

pub(super) fn all() -> Result<Vec<Scenario>, Invalid> {
    Ok(vec![
        read("cells are read with one request")?.requests(&[(Token, 1), (Values, 1)]),
        read("a read of a sheet that does not exist is refused")?
            .prepared(|lark| lark.fail_next_on(Values, code(400, 90215)))
            .requests(&[(Token, 1), (Values, 1)])
            .fails(refused(Values, 90215)),
        read("a read of cells whose reply is cut short is sent again")?
            .prepared(|lark| lark.fail_next_on(Values, ConnectionFault::CutReply))
            .requests(&[(Token, 1), (Values, 2)])
            .lasts(BACKOFF),
        write_to("H201", "a write to a cell outside of the grid is refused", b"..")?
            .requests(&[(Token, 1), (Cell, 1)])
            .fails_for_good(refused(Cell, 90202)),
        add_rows("rows are added with one request")?.requests(&[(Token, 1), (Rows, 1)]),
        add_rows("a request to add rows to a busy document is sent again")?
            .prepared(|lark| lark.fail_next_on(Rows, code(200, 90217)))
            .requests(&[(Token, 1), (Rows, 2)])
            .lasts(BACKOFF),
        // The rows may have been added, and a second request would add as many again.
        add_rows("a request to add rows is not sent again after its reply was lost")?
            .prepared(|lark| lark.fail_next_on(Rows, ConnectionFault::AfterBody))
            .requests(&[(Token, 1), (Rows, 1)])
            .fails(failed(Outcome::Unknown, Rows, ExpectedError::Transport)),
        // The code can mean that the service's time for this request has passed.
        add_rows("a request to add rows is not sent again after 90235")?
            .prepared(|lark| lark.fail_next_on(Rows, code(200, 90235)))
            .requests(&[(Token, 1), (Rows, 1)])
            .fails(failed(Outcome::Unknown, Rows, api(90235))),
    ])
}

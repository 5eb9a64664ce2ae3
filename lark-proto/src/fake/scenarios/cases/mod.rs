//! The scenarios, in one file for each subject. The name of a scenario is the rule that it tests.

mod builder;
mod busy_documents;
mod calls;
mod connections;
mod downloads;
mod faults;
mod limits;
mod messages;
mod rate_limits;
mod replies;
mod spreadsheets;
mod store_app;
mod token_requests;
mod tokens;
mod unsafe_calls;

use super::scenario::Scenario;
use crate::error::Invalid;

/// All scenarios. None lasts longer than [2.1 s](field@Scenario::lasts), and few longer than half a second, because
/// some clients run them in real time.
///
/// # Errors
/// There are none: each value of the list is valid.
pub fn all() -> Result<Vec<Scenario>, Invalid> {
    let subjects = [
        tokens::all()?,
        token_requests::all()?,
        rate_limits::all()?,
        busy_documents::all()?,
        replies::all()?,
        connections::all()?,
        downloads::all()?,
        spreadsheets::all()?,
        unsafe_calls::all()?,
        store_app::all()?,
        messages::all()?,
    ];
    Ok(subjects.into_iter().flatten().collect())
}

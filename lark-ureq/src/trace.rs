//! What a call does, as events of the `tracing` crate; nothing without the feature. Routes are templates and errors
//! quote no secret, so neither does an event.

#[cfg(feature = "tracing")]
pub(crate) use on::{done, parked, send, trouble, wait};

#[cfg(not(feature = "tracing"))]
pub(crate) use off::{done, parked, send, trouble, wait};

#[cfg(feature = "tracing")]
mod on {
    use std::time::Duration;

    use crate::CallError;

    /// A request goes out, the call's own or one for its token.
    pub(crate) fn send(route: &str, attempt: u32) {
        tracing::debug!(route, attempt, "send");
    }

    /// A request failed, and the call goes on.
    pub(crate) fn trouble(error: &CallError, attempt: u32) {
        let (route, code, log_id) = parts(error);
        tracing::warn!(route, attempt, code, log_id, error = %text(error), "failed, going on");
    }

    pub(crate) fn wait(route: &str, time: Duration) {
        tracing::debug!(route, ?time, "wait");
    }

    /// The call stood behind another one and looks again. Told afterwards, when it does not hold the session.
    pub(crate) fn parked(route: &str) {
        tracing::trace!(route, "parked");
    }

    pub(crate) fn done<T>(route: &str, attempt: u32, outcome: &Result<T, CallError>) {
        match outcome {
            Ok(_) => tracing::debug!(route, attempt, "done"),
            Err(error) => {
                let (route, code, log_id) = parts(error);
                tracing::warn!(route, attempt, code, log_id, error = %text(error), "failed");
            }
        }
    }

    fn parts(error: &CallError) -> (&str, Option<i64>, Option<&str>) {
        let lark = error.lark();
        let code = lark.and_then(|lark| lark.api()).map(|api| api.code.0);
        (&error.route, code, lark.and_then(|lark| lark.log_id()))
    }

    /// The error and what caused it, on one line.
    fn text(error: &CallError) -> String {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
        format!("{error}{}", cause.unwrap_or_default())
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use std::time::Duration;

    use crate::CallError;

    pub(crate) fn send(_: &str, _: u32) {}
    pub(crate) fn trouble(_: &CallError, _: u32) {}
    pub(crate) fn wait(_: &str, _: Duration) {}
    pub(crate) fn parked(_: &str) {}
    pub(crate) fn done<T>(_: &str, _: u32, _: &Result<T, CallError>) {}
}

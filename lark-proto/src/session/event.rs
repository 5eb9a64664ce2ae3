//! The events of a call as plain data, which an adapter writes to a log after it has released the session.

use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

use http::StatusCode;

use crate::error::{Code, Error, WaitFor};
use crate::text::excerpt;

/// An event of a call. A route is that of [`Endpoint::route`](crate::Endpoint::route), without values. No event
/// contains a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A request is sent.
    Sent {
        /// The route of the request.
        route: Box<str>,
        /// The number of this send of the call's own request, counted from 1; 0 for a token request.
        send: u32,
        /// The length of the body in bytes.
        len: u64,
    },
    /// The service refused a request, or its reply could not be read.
    Refused {
        /// The route of the request.
        route: Box<str>,
        /// The HTTP status.
        status: StatusCode,
        /// The service's code, if the reply had one.
        code: Option<Code>,
        /// The id that Lark's support asks for.
        log_id: Option<String>,
        /// Whether the call sends its own request again. Always true for a token request, even if the call ends because
        /// of this result or has ended already.
        call_continues: bool,
    },
    /// A request got no reply: the transport failed, the deadline passed, or the reply was too long.
    Failed {
        /// The route of the request.
        route: Box<str>,
        /// The error in one line. For a transport's error, the line includes its causes.
        error: String,
        /// Whether the call sends its own request again. Always true for a token request, even if the call ends because
        /// of this result or has ended already.
        call_continues: bool,
    },
    /// The call waits.
    Waits {
        /// The reason of the wait.
        reason: WaitFor,
        /// The longest time until the next step.
        time: Duration,
    },
    /// The call is over.
    Done {
        /// The route of the call's own request.
        route: Box<str>,
        /// The time since the call's first step.
        took: Duration,
        /// The number of times that the call's own request was sent.
        sends: u32,
    },
}

impl Event {
    pub(super) fn refused(route: &str, error: &Error, call_continues: bool) -> Self {
        Self::Refused {
            route: route.into(),
            status: error.status(),
            code: error.api().map(|api| api.code),
            log_id: error.log_id().map(str::to_owned),
            call_continues,
        }
    }

    pub(super) fn failed(route: &str, error: &str, call_continues: bool) -> Self {
        Self::Failed { route: route.into(), error: error.to_owned(), call_continues }
    }

    fn write_to(&self, line: &mut String) -> fmt::Result {
        match self {
            Self::Sent { route, send: 0, .. } => write!(line, "token request to {route}"),
            Self::Sent { route, send, len } => {
                write!(line, "request to {route}: send {send}, {len} bytes")
            }
            Self::Refused { route, status, code, log_id, call_continues } => {
                write!(line, "refused {route}: HTTP {}", status.as_u16())?;
                if let Some(code) = code {
                    write!(line, ", code {code}")?;
                }
                if let Some(log_id) = log_id {
                    write!(line, ", log id {log_id}")?;
                }
                line.write_str(ending(*call_continues))
            }
            Self::Failed { route, error, call_continues } => {
                write!(line, "failed {route}: {error}{}", ending(*call_continues))
            }
            Self::Waits { reason, time } => write!(line, "wait for {reason}, {time:?} at most"),
            Self::Done { route, took, sends } => {
                write!(line, "done {route}: {sends} sends in {took:?}")
            }
        }
    }

    /// With the feature `tracing`, emits the event through the `tracing` crate: a refusal or a failure at level warn,
    /// every other event at level debug. A subscriber is the program's own code and may use the session, so call this
    /// after you have released the session's lock.
    pub fn trace(&self) {
        #[cfg(feature = "tracing")]
        match self {
            Self::Sent { route, send: 0, .. } => tracing::debug!(%route, "token request"),
            Self::Sent { route, send, len } => tracing::debug!(%route, send, len, "request"),
            Self::Refused { route, status, code, log_id, call_continues } => {
                let status = status.as_u16();
                let code = code.map(|code| code.0);
                tracing::warn!(%route, status, code, log_id, call_continues, "refused");
            }
            Self::Failed { route, error, call_continues } => {
                tracing::warn!(%route, error, call_continues, "failed");
            }
            Self::Waits { reason, time } => tracing::debug!(%reason, ?time, "wait"),
            Self::Done { route, took, sends } => tracing::debug!(%route, ?took, sends, "done"),
        }
    }
}

/// One line, cut after 1,024 bytes, for example
/// `refused /open-apis/im/v1/images: HTTP 400, code 99991400 RATE_LIMITED`.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::new();
        self.write_to(&mut line)?;
        f.write_str(&excerpt(line.as_bytes(), 1024))
    }
}

/// The maximum number of events that a call keeps until they are taken. An adapter takes them after each step, which
/// has a few.
const MAX_KEPT: usize = 64;

/// The events since they were last taken, of which the oldest are dropped beyond [`MAX_KEPT`]. `None` if the call keeps
/// no events.
#[derive(Debug, Default)]
pub(super) struct Events(Option<Vec<Event>>);

impl Events {
    pub(super) fn keep(&mut self) {
        self.0.get_or_insert_default();
    }

    pub(super) fn push(&mut self, event: impl FnOnce() -> Event) {
        if let Some(events) = &mut self.0 {
            if events.len() >= MAX_KEPT {
                events.remove(0);
            }
            events.push(event());
        }
    }

    pub(super) fn take(&mut self) -> Vec<Event> {
        self.0.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

fn ending(call_continues: bool) -> &'static str {
    if call_continues { "; the call continues" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_keeps_its_last_64_events() {
        for (pushed, first) in [(63, 1), (64, 1), (65, 2), (1000, 937)] {
            let mut events = Events::default();
            events.keep();
            for send in 1..=pushed {
                events.push(|| Event::Sent { route: "/".into(), send, len: 0 });
            }
            let kept = events.take();
            assert_eq!(kept.len(), MAX_KEPT.min(pushed as usize));
            assert_eq!(kept.first(), Some(&Event::Sent { route: "/".into(), send: first, len: 0 }));
            assert_eq!(events.take(), []);
        }
    }

    #[test]
    fn an_event_is_one_bounded_line() {
        let route = || Box::from("/open-apis/im/v1/images");
        let refused = |code, log_id: Option<&str>, call_continues| Event::Refused {
            route: route(),
            status: StatusCode::BAD_REQUEST,
            code,
            log_id: log_id.map(str::to_owned),
            call_continues,
        };
        let second = Duration::from_secs(1);
        let lines = [
            (Event::Sent { route: route(), send: 0, len: 60 }, "token request to {}"),
            (Event::Sent { route: route(), send: 2, len: 9 }, "request to {}: send 2, 9 bytes"),
            (
                refused(Some(Code::RATE_LIMITED), Some("L1"), true),
                "refused {}: HTTP 400, code 99991400 RATE_LIMITED, log id L1; the call continues",
            ),
            (refused(None, None, false), "refused {}: HTTP 400"),
            (Event::failed(&route(), "reset\nby peer", false), "failed {}: reset by peer"),
            (Event::Waits { reason: WaitFor::Token, time: second }, "wait for a token, 1s at most"),
            (Event::Done { route: route(), took: second, sends: 2 }, "done {}: 2 sends in 1s"),
        ];
        for (event, line) in lines {
            assert_eq!(event.to_string(), line.replace("{}", &route()));
        }
        let long = Event::failed(&route(), &"x".repeat(5000), true).to_string();
        assert!((900..=1030).contains(&long.len()), "{} bytes", long.len());
    }
}

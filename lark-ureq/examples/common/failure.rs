//! Why a picture did not arrive, and how far that failure reaches.

use lark_proto::error::{Advice, CallErrorKind, Concerns, Error, Outcome};
use lark_ureq::CallError;

/// Why a picture did not arrive.
pub(crate) struct Failure {
    /// Equal for failures with the same cause.
    pub(crate) key: String,
    /// One line, without the parts that differ between pictures with the same cause.
    pub(crate) text: String,
    pub(crate) log_id: Option<String>,
    pub(crate) reach: Reach,
    /// The picture may have arrived despite the failure.
    pub(crate) may_have_arrived: bool,
}

/// How far a failure reaches: the part of the run that it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The picture: the service has refused it, and the next one may arrive.
    Picture,
    /// The picture: it cannot be sent as it is, because of its file or its place. The next run tries it again.
    Unfit,
    /// The picture, at first: the service or the network has failed, and the next request may succeed. Several of these
    /// failures in a row are an outage, which ends the run.
    Doubtful,
    /// All pictures for the same spreadsheet or chat.
    Lane,
    /// The whole run.
    Run,
}

impl Failure {
    /// A failure that this tool has found without a request to the service.
    pub(crate) fn new(reach: Reach, reason: &impl ToString) -> Self {
        let text = reason.to_string();
        Self { key: text.clone(), text, log_id: None, reach, may_have_arrived: false }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let again = matches!(error.advice(), Some(Advice::Again { .. }));
        let is_late = matches!(error.kind, CallErrorKind::Deadline | CallErrorKind::Queued(_));
        let may_have_arrived = error.outcome() == Outcome::Unknown;
        let reach = match error.concerns() {
            Concerns::Request if again || is_late || may_have_arrived => Reach::Doubtful,
            Concerns::Request => Reach::Picture,
            Concerns::Spreadsheet | Concerns::Receiver => Reach::Lane,
            // A gateway may break the connection for one large picture.
            _ if may_have_arrived && matches!(error.kind, CallErrorKind::Transport(_)) => {
                Reach::Doubtful
            }
            _ => Reach::Run,
        };
        let (key, text) = match &error.kind {
            CallErrorKind::Lark(Error::Api(api)) => {
                let mut api = api.clone();
                api.log_id = None;
                api.troubleshooter = None;
                (format!("code {}", api.code), api.to_string())
            }
            CallErrorKind::Lark(Error::Unreadable(reply)) => {
                let mut reply = reply.clone();
                reply.log_id = None;
                // The page of a gateway is long, and its title is near its start.
                reply.excerpt = reply.excerpt.chars().take(60).collect();
                let status = reply.status.as_u16();
                (format!("an answer that is not the service's (HTTP {status})"), reply.to_string())
            }
            CallErrorKind::Transport(_) => {
                let text = format!(
                    "the service cannot be reached; `doctor` finds out why: {}",
                    error.kind
                );
                (text.clone(), text)
            }
            kind => (kind.to_string(), kind.to_string()),
        };
        Self { key, text, log_id: error.log_id().map(str::to_owned), reach, may_have_arrived }
    }
}

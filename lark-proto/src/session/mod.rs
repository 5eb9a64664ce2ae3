//! The policy of calls: tokens, queues and retries, which the calls of one client share.
//!
//! A [`Call`] is a state machine: each step tells the adapter to send a request, to wait, or that the call is done. The
//! calls of one client share a [`Session`]: plain data without a lock or a clock, which each step takes by `&mut`.
//!
//! ```text
//!         next             next                received, failed
//!  (New) ------> (Pending) --------------> (Sent) -----> (Over) --next--> Done
//!                 |  ^  ^    lane, token,    |
//!                 |  |  |    gate            |
//!                 |  |  +--------------------+
//!                 |  |       retry
//!                 +--+  Wait: for a backoff, or in a queue
//!                 +--+  Send: a token request of the session,
//!                       which this call drives
//! ```
//!
//! The first step can lead from New to Sent at once. A call can also go to Over from any other state: if it is
//! cancelled, if its deadline has passed or leaves no time for another attempt, if its path is invalid, if it would
//! have to wait for longer than its limits allow, or if the session cannot get a token.
//!
//! A request passes, in this order, its *lane* (writes to one document are sent one at a time), its *token* (one call
//! fetches or renews it for all) and its *gate* (the rate limit of the route). A call that leaves a queue wakes the
//! next one: [`Session::woken`] returns the calls that are to take a step.
//!
//! The code uses these words:
//!
//! | word | meaning |
//! |---|---|
//! | lane | the queue of the calls that write to one document; only the first of them may send its request |
//! | gate | the rate limit of one route for one token or tenant, and the queue of the calls that wait for it |
//! | slot | one token of the session, the request for the next token, and the pause before that request |
//! | driver | the call that sends a token request and reports its result, while other calls wait for the token |
//! | generation | the number of a token in its session; a refusal that concerns an older number drops no token |
//! | trusted | describes a token that replaced a refused one, for 5 s after its request was sent, or for a minute if it is the refused token again; a refusal does not drop it |
//! | series | consecutive failures to get one token; the fourth transient failure, a permanent one, or a requested wait of more than two minutes ends the series, and the waiting calls end with that failure |
//! | hold | the reason why a step does not send the call's own request: a token request, a wait, or the end |
#![doc = include_str!("adapter.md")]

// The files, from the top down:
// * `call`: a call, which is the public state machine;
// * `step`, `timeouts`, `transport_failure`: the result of a step, and what an adapter does and reports for it;
// * `event`: an entry of a call's log;
// * `limits`: the limits that a caller sets;
// * `session`: what the calls of one client share;
// * `tokens`, `lanes`, `gates`: the parts of the session;
// * `export`: a token of the session as text;
// * `caller`: the call that takes a step;
// * `hold`: the reason why a step does not send the call's own request;
// * `queue`: the queue that tokens, lanes and gates have;
// * `sorted_map`: the map that holds them;
// * `backoff`: the wait after a failure;
// * `moment`: a point in time.

mod backoff;
mod call;
mod caller;
mod event;
mod export;
mod gates;
mod hold;
mod lanes;
mod limits;
mod moment;
mod queue;
#[expect(clippy::module_inception, reason = "the file is named for its type")]
mod session;
mod sorted_map;
mod step;
#[cfg(test)]
mod test_time;
mod timeouts;
mod tokens;
mod transport_failure;

pub use call::{AnyCall, Call, ParsedReply};
pub use event::Event;
pub use limits::Limits;
pub use queue::CallId;
pub use session::Session;
pub use step::{Outgoing, Purpose, Step, TokenRequestId};
pub use timeouts::{Phase, Timeouts};
pub use transport_failure::{Permanence, TransportFailure};

//! A trait object for calls of different endpoints.

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use http::Response;

use super::{Call, ParsedReply};
use crate::error::CallError;
use crate::session::event::Event;
use crate::session::queue::CallId;
use crate::session::session::Session;
use crate::session::step::{Step, TokenRequestId};
use crate::session::transport_failure::TransportFailure;

/// A [`Call`] whose output is converted into an `O`, so that one collection can hold calls of different endpoints.
/// Limits, jitter and [`Call::with_events`] are set on the call before [`Call::boxed`].
///
/// ```
/// use lark_proto::{ImageKey, PutImage, WriteSheetImage};
/// use lark_proto::endpoints::SheetImageWritten;
/// use lark_proto::session::{AnyCall, Call};
///
/// enum Written {
///     Image(ImageKey),
///     Cell(SheetImageWritten),
/// }
/// # impl From<ImageKey> for Written { fn from(key: ImageKey) -> Self { Self::Image(key) } }
/// # impl From<SheetImageWritten> for Written { fn from(cell: SheetImageWritten) -> Self { Self::Cell(cell) } }
///
/// fn queue(
///     put: &PutImage,
///     write: &WriteSheetImage,
/// ) -> Vec<Box<dyn AnyCall<Written, std::io::Error>>> {
///     vec![Call::new(put).boxed(), Call::new(write).boxed()]
/// }
/// ```
pub trait AnyCall<O, T>: fmt::Debug {
    /// See [`Call::id`].
    fn id(&self) -> Option<CallId>;
    /// See [`Call::sends`].
    fn sends(&self) -> u32;
    /// See [`Call::last_failure`].
    fn last_failure(&self) -> Option<&CallError<T>>;
    /// See [`Call::events`].
    fn events(&mut self) -> Vec<Event>;
    /// See [`Call::next`].
    fn next(&mut self, session: &mut Session, now: SystemTime) -> Step<O, T>;
    /// See [`Call::read`]. The parsed reply is kept for [`AnyCall::received`].
    fn read(&mut self, reply: Response<Bytes>);
    /// See [`Call::received`]. Has no effect if [`AnyCall::read`] was not called before.
    fn received(&mut self, session: &mut Session, now: SystemTime);
    /// See [`Call::failed`].
    fn failed(&mut self, session: &mut Session, now: SystemTime, failure: TransportFailure<T>);
    /// See [`Call::cancel`].
    fn cancel(&mut self, session: &mut Session);
    /// See [`Call::token_request`].
    fn token_request(&self) -> Option<TokenRequestId>;
}

/// A call and the reply that it has parsed.
struct BoxedCall<O, T> {
    call: Call<O, T>,
    parsed: Option<ParsedReply<O>>,
}

impl<P: 'static, T: 'static> Call<P, T> {
    /// The call as a trait object, with its output converted into an `O`.
    #[must_use]
    pub fn boxed<O>(self) -> Box<dyn AnyCall<O, T>>
    where
        P: Into<O>,
    {
        Box::new(BoxedCall { call: self, parsed: None })
    }
}

impl<O, T> fmt::Debug for BoxedCall<O, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.call.fmt(f)
    }
}

impl<P: Into<O>, O, T> AnyCall<O, T> for BoxedCall<P, T> {
    fn id(&self) -> Option<CallId> {
        self.call.id()
    }

    fn sends(&self) -> u32 {
        self.call.sends()
    }

    fn last_failure(&self) -> Option<&CallError<T>> {
        self.call.last_failure()
    }

    fn events(&mut self) -> Vec<Event> {
        self.call.events()
    }

    fn next(&mut self, session: &mut Session, now: SystemTime) -> Step<O, T> {
        match self.call.next(session, now) {
            Step::Send(outgoing) => Step::Send(outgoing),
            Step::Wait(time) => Step::Wait(time),
            Step::Done(result) => Step::Done(result.map(Into::into)),
        }
    }

    fn read(&mut self, reply: Response<Bytes>) {
        self.parsed = Some(self.call.read(reply));
    }

    fn received(&mut self, session: &mut Session, now: SystemTime) {
        if let Some(parsed) = self.parsed.take() {
            self.call.received(session, now, parsed);
        }
    }

    fn failed(&mut self, session: &mut Session, now: SystemTime, failure: TransportFailure<T>) {
        self.call.failed(session, now, failure);
    }

    fn cancel(&mut self, session: &mut Session) {
        self.call.cancel(session);
    }

    fn token_request(&self) -> Option<TokenRequestId> {
        self.call.token_request()
    }
}

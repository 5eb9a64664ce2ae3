//! One call, from its token to its result. It consists of three types, so that code that does not depend on a type
//! parameter is not instantiated for each of its types:
//!
//! | type | adds | compiled |
//! |---|---|---|
//! | [`CallMachine`] | the state machine: the next step, and what a result changes | once |
//! | [`UntypedCall`] | the transport's error: the failures so far, and the error of the call | once per transport |
//! | [`Call`] | the endpoint's output: parsing the reply, and the public methods | once per output and transport |

mod any_call;
mod machine;
mod untyped;

pub use any_call::AnyCall;

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use http::Response;

use crate::api::{Endpoint, Reply};
use crate::error::{CallError, Error};
use crate::session::caller::Credential;
use crate::session::event::Event;
use crate::session::limits::Limits;
use crate::session::queue::CallId;
use crate::session::session::Session;
use crate::session::step::{Step, TokenRequestId};
use crate::session::transport_failure::TransportFailure;
use crate::token::{Authorizes, TenantToken};
use crate::values::TenantKey;
use machine::{CallMachine, MAX_ADAPTER_TIME};
use untyped::{Next, UntypedCall};

/// A reply that [`Call::read`] has parsed, for [`Call::received`].
#[derive(Debug)]
#[must_use = "the call waits for its reply: pass it to `Call::received`"]
pub struct ParsedReply<O>(Kind<O>);

enum Kind<O> {
    Call(Result<O, Error>),
    Token(Response<Bytes>),
}

/// Shows the status and the length of the reply to a token request, which holds the token.
impl<O: fmt::Debug> fmt::Debug for Kind<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(result) => f.debug_tuple("Call").field(result).finish(),
            Self::Token(reply) => {
                write!(f, "Token({}, {} bytes)", reply.status(), reply.body().len())
            }
        }
    }
}

/// A call of an endpoint whose output is `O`, over a transport whose error is `T`.
///
/// Around its own request, a call does the following:
/// * **It gets a token.** One token request serves all calls of the session. The token is renewed before it expires,
///   and replaced when the service refuses it. A renewal while the old token is still valid delays a call by two
///   seconds at most and never fails it. A token request has attempts of its own, whatever the
///   [attempts](Limits::attempts) of the calls that wait for it.
/// * **It waits for its turn.** Writes to one document are sent one after the other, in the order in which the calls
///   began. The session keeps the documented [quotas](Session::keep_quotas), so that the service need not refuse a
///   request.
/// * **It waits when the service asks for it.** A refusal for a rate limit, or because a document is busy, costs time
///   but no attempt, unless the call has only one attempt. The rate limit of a route delays the other calls to that
///   route too, and a busy document the other writes to that document.
/// * **It sends the request again** within its [`Limits`], if the request was not carried out and another attempt may
///   succeed. After a broken connection it uses [a new one](super::Outgoing::fresh_connection). If the outcome is
///   unknown, it sends only an idempotent request again ([`Endpoint::resend`]).
/// * **It ends at its deadline**, which [`Limits::total`] sets, whatever it waits for.
///
/// Each step takes the session and the current time. If the session is behind a lock, read the clock while you hold the
/// lock. After each step, let the calls that [`Session::woken`] returns take their next step. Take steps until
/// [`Step::Done`], or cancel the call with [`Call::cancel`]. If a call can be dropped before it is over, cancel it in a
/// drop guard, because other calls may wait behind it.
///
/// An adapter that makes one call at a time is a loop:
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use lark_proto::{CallError, Endpoint, TenantToken};
/// use lark_proto::body::Body;
/// use lark_proto::session::{Call, Session, Step};
/// use lark_proto::token::Authorizes;
/// # use std::time::SystemTime;
/// # use lark_proto::{App, Image, PutImage, Site, fake::FakeLark};
///
/// fn run<E: Endpoint>(
///     session: &mut Session,
///     endpoint: &E,
///     mut send: impl FnMut(Request<Body>) -> Response<Bytes>,
///     mut now: impl FnMut() -> SystemTime,
/// ) -> Result<E::Output, CallError<std::io::Error>>
/// where
///     TenantToken: Authorizes<E::Auth>,
/// {
///     let mut call = Call::new(endpoint);
///     loop {
///         match call.next(session, now()) {
///             Step::Send(outgoing) => {
///                 let parsed = call.read(send(outgoing.request));
///                 call.received(session, now(), parsed);
///             }
///             Step::Wait(time) => std::thread::sleep(time),
///             Step::Done(result) => return result,
///         }
///     }
/// }
/// # let mut lark = FakeLark::new();
/// # let now = SystemTime::UNIX_EPOCH;
/// # let mut session = Session::new(Site::LARK, App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?);
/// # let put = PutImage::message(Image::new("GIF89a")?)?;
/// # let send = |request: Request<Body>| lark.handle(now, request.map(Body::into_bytes));
/// # run(&mut session, &put, send, || now)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Call<O, T> {
    untyped: UntypedCall<T>,
    read: fn(&Reply) -> Result<O, Error>,
    output: Option<O>,
}

impl<O, T> Call<O, T> {
    /// A call with the session's own token, for a custom app. The payload is built here, and not in a step, because a
    /// step holds the session.
    #[must_use]
    pub fn new<E: Endpoint<Output = O>>(endpoint: &E) -> Self
    where
        TenantToken: Authorizes<E::Auth>,
    {
        Self::with(endpoint, Credential::Session(None))
    }

    /// A call with the session's token for `tenant`, for a store app.
    #[must_use]
    pub fn for_tenant<E: Endpoint<Output = O>>(tenant: TenantKey, endpoint: &E) -> Self
    where
        TenantToken: Authorizes<E::Auth>,
    {
        Self::with(endpoint, Credential::Session(Some(tenant)))
    }

    /// A call with a token that the caller supplies, which is never renewed.
    #[must_use]
    pub fn with_token<E: Endpoint<Output = O>>(
        token: &impl Authorizes<E::Auth>,
        endpoint: &E,
    ) -> Self {
        Self::with(endpoint, Credential::Supplied(token.authorization()))
    }

    fn with<E: Endpoint<Output = O>>(endpoint: &E, credential: Credential) -> Self {
        Self {
            untyped: UntypedCall::new(CallMachine::new(endpoint, credential)),
            read: E::read,
            output: None,
        }
    }

    /// The same call within `limits`. Set them before the first step.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.untyped.machine.limits = limits;
        self
    }

    /// The same call with a random number for the jitter of its backoff, so that clients that fail together do not
    /// retry together. The backoff is half a second, doubled with each failure up to eight seconds. Every value of
    /// `jitter`, including the default 0, shortens it by a fraction of up to a half; the same value gives the same
    /// waits. Set it before the first step.
    #[must_use]
    pub fn with_jitter(mut self, jitter: u64) -> Self {
        self.untyped.machine.jitter = jitter;
        self
    }

    /// The same call, which keeps its events for [`Call::events`].
    #[must_use]
    pub fn with_events(mut self) -> Self {
        self.untyped.machine.events.keep();
        self
    }

    /// Takes the events recorded since the last call of this method. Empty unless [`Call::with_events`] was called.
    ///
    /// This also drops the errors of the transport that the call no longer needs. The drop of an error is code of the
    /// transport, which may use the session, so call this method while the session's lock is released.
    pub fn events(&mut self) -> Vec<Event> {
        self.untyped.retired.clear();
        self.untyped.machine.events.take()
    }

    /// The call's id in its session. `None` before the call's first step and after its end.
    #[must_use]
    pub fn id(&self) -> Option<CallId> {
        self.untyped.machine.id()
    }

    /// The number of times that the call's own request was sent.
    #[must_use]
    pub fn sends(&self) -> u32 {
        self.untyped.machine.sends()
    }

    /// The last failure, while the call continues.
    #[must_use]
    pub fn last_failure(&self) -> Option<&CallError<T>> {
        self.untyped.last_failure()
    }

    /// Returns the next step.
    ///
    /// A step that is taken while a request of the call is in flight is harmless. While the call's own request is in
    /// flight, the step is a [`Step::Wait`] until the deadline; from the deadline on, the call ends, with
    /// [`CallErrorKind::Deadline`](crate::error::CallErrorKind::Deadline) or with the failure of an earlier send whose
    /// outcome is unknown. While a token request that the call drives is in flight, the step is a [`Step::Wait`] until
    /// the call no longer waits for the request, which is at most a second after
    /// [`Outgoing::call_timeout`](super::Outgoing::call_timeout).
    ///
    /// Do not call this after [`Step::Done`] or [`Call::cancel`]: it then returns an error that says
    /// nothing about the result of the call.
    pub fn next(&mut self, session: &mut Session, now: SystemTime) -> Step<O, T> {
        let now = session.tick(now);
        if let Some(output) = self.output.take() {
            return Step::Done(Ok(output));
        }
        match self.untyped.next(session, now) {
            Ok(Next::Send(permit)) => Step::Send(self.untyped.machine.outgoing(session, permit)),
            Ok(Next::SendToken(outgoing)) => Step::Send(*outgoing),
            Ok(Next::Wait(time)) => Step::Wait(time.min(MAX_ADAPTER_TIME)),
            Err(error) => Step::Done(Err(error)),
        }
    }

    /// Parses the reply to the request that was sent. This runs the endpoint's code and does not take the session, so
    /// that an adapter can call it without holding its lock.
    ///
    /// This takes the reply for that to the request sent last. If the call has sent its own request since its token
    /// request, report the reply to the token request as [`Purpose::Token`](super::Purpose::Token) says.
    pub fn read(&self, reply: Response<Bytes>) -> ParsedReply<O> {
        ParsedReply(if self.untyped.machine.is_sent() {
            Kind::Call((self.read)(&Reply::with_secrets(reply, self.untyped.machine.secrets())))
        } else {
            Kind::Token(reply)
        })
    }

    /// Reports the reply to the request that was sent. Has no effect if none is in flight. Take the next step at once.
    pub fn received(&mut self, session: &mut Session, now: SystemTime, parsed: ParsedReply<O>) {
        let now = session.tick(now);
        match parsed.0 {
            Kind::Token(reply) => self.untyped.token_received(session, now, reply),
            Kind::Call(Ok(output)) => {
                if self.untyped.succeeded(session, now) {
                    self.output = Some(output);
                }
            }
            Kind::Call(Err(error)) => self.untyped.refused(session, now, error),
        }
    }

    /// Reports that the request got no reply. Has no effect if no request is in flight. Take the next step at once.
    pub fn failed(&mut self, session: &mut Session, now: SystemTime, failure: TransportFailure<T>) {
        let now = session.tick(now);
        self.untyped.transport_failed(session, now, failure);
    }

    /// Cancels the call and takes it out of every queue. If the call has a result that no step has returned yet, drops
    /// the result. If the call's own request is in flight and is a write, it may still be carried out, and the next
    /// call in the lane takes that into account.
    ///
    /// A token request that the call sent ([`Call::token_request`]) stays in flight in the session. Report its result
    /// with [`Session::token_received`] or [`Session::token_failed`], or that it was given up with
    /// [`Session::token_dropped`].
    pub fn cancel(&mut self, session: &mut Session) {
        self.untyped.machine.cancel(session);
        self.output = None;
        self.untyped.forget_error();
    }

    /// The token request that the call has sent and whose result has not been reported.
    #[must_use]
    pub fn token_request(&self) -> Option<TokenRequestId> {
        self.untyped.token_request
    }
}

impl<O, T> fmt::Debug for Call<O, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("route", &self.untyped.machine.route())
            .field("sends", &self.sends())
            .finish_non_exhaustive()
    }
}

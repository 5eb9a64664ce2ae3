//! One call, from its token to its result: the machine that an adapter obeys.

use std::error::Error as StdError;
use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};

use super::event::Event;
use super::flight::{Answer, Cleared, Fate, Flight};
use super::tokens::{Cause, Why};
use super::{CallId, Credential, Ending, FetchId, Hold, Limits, Session, WaitFor};
use crate::body::Body;
use crate::endpoint::Endpoint;
use crate::error::{CallError, Error, Failure, Outcome, chain};
use crate::reply::Reply;
use crate::token::{Authorizes, TenantToken};
use crate::values::TenantKey;

/// What an adapter is to do next.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a request is moved once, to the transport")]
#[must_use = "a step that is not taken leaves the call where it is"]
pub enum Step<O, T> {
    /// Send a request, and tell the call what became of it: [`Call::received`] or [`Call::broken`].
    Send(Outgoing),
    /// Come back after this time, or when [`Session::woken`] names the call.
    Wait(Duration),
    /// The call is over.
    Done(Result<O, CallError<T>>),
}

/// A request, and how the transport is to carry it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outgoing {
    /// The request. Its URI is absolute and its `Content-Length` exact.
    pub request: Request<Body>,
    /// Whose request it is.
    pub purpose: Purpose,
    /// How long the call waits for the reply. After that time the call wants to hear [`Failure::Deadline`], or, where
    /// the adapter keeps a token request, is asked for its next step.
    pub within: Duration,
    /// How long the exchange may take altogether. It differs from `within` for a token request, which serves others too:
    /// an adapter that keeps exchanges lets it run on when its call goes on or is dropped.
    pub keep_for: Duration,
    /// The longest that each part of the exchange may take.
    pub phases: Phases,
    /// The longest reply in bytes. For a longer one the call wants to hear [`Failure::TooLarge`].
    pub reply_limit: u64,
    /// The last connection broke: open a new one, since others in the pool may be as dead.
    pub fresh_connection: bool,
}

/// Whose request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// The call's own.
    Call,
    /// The session's, for a token. What becomes of it is told by [`Call::received`] or [`Call::broken`] as for the
    /// call's own, or, where it outlives the call, by [`Session::token_received`], [`Session::token_broken`] or
    /// [`Session::token_dropped`].
    Token(FetchId),
}

/// The longest that each part of an exchange may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Phases {
    /// To find the host's address: 10 s.
    pub resolve: Duration,
    /// To connect, TLS included: 10 s.
    pub connect: Duration,
    /// To send the request's head: 30 s.
    pub head: Duration,
    /// To send the body: 30 s, and a second for each 64 KiB.
    pub body: Duration,
    /// For the service to answer: two minutes, and a second for each 64 KiB. A cell write may take it one.
    pub answer: Duration,
    /// To receive the reply's body: 30 s.
    pub reply: Duration,
}

impl Phases {
    pub(super) fn of(len: u64) -> Self {
        // 64 KiB a second is less than any link that uploads images should have.
        let upload = Duration::from_secs(len >> 16);
        Self {
            resolve: Duration::from_secs(10),
            connect: Duration::from_secs(10),
            head: Duration::from_secs(30),
            body: Duration::from_secs(30) + upload,
            answer: Duration::from_secs(120) + upload,
            reply: Duration::from_secs(30),
        }
    }
}

/// Whether a failure of the transport may pass. Only the adapter knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permanence {
    /// A connection that could not be made or broke, a timeout: another try may get through.
    Passing,
    /// A certificate that is not trusted, a request that the transport refuses: the next try ends in the same way.
    Permanent,
}

/// A reply as [`Call::read`] has read it.
#[derive(Debug)]
#[must_use = "the call waits for it: give it to `received`"]
pub struct Heard<O>(Kind<O>);

#[derive(Debug)]
enum Kind<O> {
    Call(Result<O, Error>),
    Token(Response<Bytes>),
}

/// One call: of an endpoint whose output is `O`, over a transport whose error is `T`.
///
/// A step takes the session and the time, which is to be read while the session is held. After each step, let those
/// calls look again that [`Session::woken`] names. A call is driven until [`Step::Done`], or given up with
/// [`Call::cancel`], by a guard where it can be dropped: others may be waiting behind it.
///
/// With one call at a time a transport is a loop:
///
/// ```
/// use lark_proto::{Authorizes, Call, CallError, Endpoint, Session, Step, TenantToken};
/// # use std::time::SystemTime;
/// # use lark_proto::{App, Image, PutImage, Site, fake::FakeLark};
///
/// fn run<E: Endpoint>(
///     session: &mut Session,
///     endpoint: &E,
///     mut send: impl FnMut(http::Request<lark_proto::Body>) -> http::Response<bytes::Bytes>,
///     mut now: impl FnMut() -> SystemTime,
/// ) -> Result<E::Output, CallError<std::io::Error>>
/// where
///     TenantToken: Authorizes<E::Auth>,
/// {
///     let mut call = Call::new(endpoint);
///     loop {
///         match call.next(session, now()) {
///             Step::Send(outgoing) => {
///                 let heard = call.read(send(outgoing.request));
///                 call.received(session, now(), heard);
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
/// # let send = |request: http::Request<lark_proto::Body>| lark.handle(now, request.map(lark_proto::Body::into_bytes));
/// # run(&mut session, &put, send, || now)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Call<'e, O, T> {
    course: Course<'e, T>,
    read: fn(&Reply) -> Result<O, Error>,
    output: Option<O>,
}

/// A call but for its output: compiled once for all endpoints.
struct Course<'e, T> {
    flight: Flight<'e>,
    /// The token request that was handed out by the last step.
    drives: Option<FetchId>,
    /// What went wrong last, while the call goes on.
    last: Option<CallError<T>>,
    /// The first failure after which the request may have been carried out, while the call goes on.
    unknown: Option<Failure<T>>,
    /// The error that the call has ended with.
    error: Option<CallError<T>>,
}

impl<'e, O, T> Call<'e, O, T> {
    /// A call with the session's own token, a custom app's. The payload is built here, and not while the session is
    /// held.
    #[must_use]
    pub fn new<E: Endpoint<Output = O>>(endpoint: &'e E) -> Self
    where
        TenantToken: Authorizes<E::Auth>,
    {
        Self::with(endpoint, Credential::Own(None))
    }

    /// A call with the session's token for `tenant`, a store app's.
    #[must_use]
    pub fn for_tenant<E: Endpoint<Output = O>>(tenant: TenantKey, endpoint: &'e E) -> Self
    where
        TenantToken: Authorizes<E::Auth>,
    {
        Self::with(endpoint, Credential::Own(Some(tenant)))
    }

    /// A call with a token of the caller's, which is never renewed.
    #[must_use]
    pub fn with_token<E: Endpoint<Output = O>>(
        token: &impl Authorizes<E::Auth>,
        endpoint: &'e E,
    ) -> Self {
        Self::with(endpoint, Credential::Given(token.authorization()))
    }

    fn with<E: Endpoint<Output = O>>(endpoint: &'e E, credential: Credential) -> Self {
        Self {
            course: Course {
                flight: Flight::new(endpoint, credential),
                drives: None,
                last: None,
                unknown: None,
                error: None,
            },
            read: E::read,
            output: None,
        }
    }

    /// The same call within `limits`. Set before the first step.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.course.flight.limits = limits;
        self
    }

    /// The same call with waits that a random number spreads: clients that fail together should not come back
    /// together. Set before the first step.
    #[must_use]
    pub fn jitter(mut self, jitter: u64) -> Self {
        self.course.flight.jitter = jitter;
        self
    }

    /// The same call, which keeps its events for [`Call::events`].
    #[must_use]
    pub fn keep_events(mut self) -> Self {
        self.course.flight.events.keep();
        self
    }

    /// What happened since the events were last taken, for a call that keeps them.
    pub fn events(&mut self) -> Vec<Event> {
        self.course.flight.events.take()
    }

    /// The name of the call in its session; it gets one with its first step, and has none once it is over.
    #[must_use]
    pub fn id(&self) -> Option<CallId> {
        self.course.flight.id()
    }

    /// How many times the call's own request was sent.
    #[must_use]
    pub fn sends(&self) -> u32 {
        self.course.flight.sends()
    }

    /// What went wrong last, while the call goes on.
    #[must_use]
    pub fn trouble(&self) -> Option<&CallError<T>> {
        self.course.last.as_ref()
    }

    /// What to do next.
    pub fn next(&mut self, session: &mut Session, now: SystemTime) -> Step<O, T> {
        if let Some(output) = self.output.take() {
            return Step::Done(Ok(output));
        }
        match self.course.next(session, now) {
            Ok(Pace::Send(cleared)) => Step::Send(self.course.flight.outgoing(session, cleared)),
            Ok(Pace::SendToken(outgoing)) => Step::Send(*outgoing),
            Ok(Pace::Wait(time)) => Step::Wait(time),
            Err(error) => Step::Done(Err(error)),
        }
    }

    /// Reads the reply to the request that was sent; the endpoint's code runs here, so that it need not run while the
    /// session is held.
    pub fn read(&self, reply: Response<Bytes>) -> Heard<O> {
        Heard(match self.course.flight.is_sent() {
            true => Kind::Call((self.read)(&Reply::new(reply))),
            false => Kind::Token(reply),
        })
    }

    /// The reply to the request that was sent. Without effect if none is out.
    pub fn received(&mut self, session: &mut Session, now: SystemTime, heard: Heard<O>) {
        match heard.0 {
            Kind::Token(reply) => self.course.token_received(session, now, reply),
            Kind::Call(Ok(output)) => {
                if self.course.succeeded(session, now) {
                    self.output = Some(output);
                }
            }
            Kind::Call(Err(error)) => self.course.refused(session, now, error),
        }
    }

    /// No reply came: the transport failed, took longer than it had, or the reply was too long; the transport had
    /// taken `pulled` bytes of the body. `permanence` counts for [`Failure::Transport`]. Without effect if no request is
    /// out.
    pub fn broken(
        &mut self,
        session: &mut Session,
        now: SystemTime,
        failure: Failure<T>,
        pulled: u64,
        permanence: Permanence,
    ) where
        T: StdError,
    {
        self.course.broken(session, now, failure, pulled, permanence);
    }

    /// The caller has given up: what the call holds goes to the others. Harmless when the call is over.
    ///
    /// A token request that it drives is the session's: the next call in the queue drives it on, unless
    /// [`Session::token_dropped`] says that it is gone.
    pub fn cancel(&mut self, session: &mut Session) {
        self.course.flight.cancel(session);
        (self.output, self.course.error) = (None, None);
    }

    /// The token request that the last step handed out, if nothing was said of it since.
    #[must_use]
    pub fn drives(&self) -> Option<FetchId> {
        self.course.drives
    }
}

/// A step of a call that has no output yet.
enum Pace {
    Send(Cleared),
    SendToken(Box<Outgoing>),
    Wait(Duration),
}

impl<T> Course<'_, T> {
    fn next(&mut self, session: &mut Session, now: SystemTime) -> Result<Pace, CallError<T>> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let now = session.tick(now);
        match self.flight.next(session, now) {
            Ok(cleared) => Ok(Pace::Send(cleared)),
            Err(Hold::Send(outgoing, _)) => {
                if let Purpose::Token(fetch) = outgoing.purpose {
                    self.drives = Some(fetch);
                }
                Ok(Pace::SendToken(outgoing))
            }
            Err(Hold::Wait { until, .. }) => Ok(Pace::Wait(until.saturating_sub(now))),
            Err(Hold::End(ending)) => {
                let driven = self.drives.and_then(|id| session.tokens.route(&session.app, id));
                Err(self.end(ending, driven))
            }
        }
    }

    fn token_received(&mut self, session: &mut Session, now: SystemTime, reply: Response<Bytes>) {
        let now = session.tick(now);
        let Some(fetch) = self.drives.take() else { return };
        match session.token_reply(fetch, now, reply) {
            Some((route, error)) => {
                self.flight.events.push(|| Event::refused(route, &error, true));
                self.last = Some(CallError::new(route, Failure::Lark(error)));
            }
            None => self.last = self.last.take().filter(|last| last.route == self.flight.route()),
        }
        self.unname(session);
    }

    /// Whether the call was waiting for the reply.
    fn succeeded(&mut self, session: &mut Session, now: SystemTime) -> bool {
        let now = session.tick(now);
        self.flight.answered(session, Answer::Success, now).is_some()
    }

    fn refused(&mut self, session: &mut Session, now: SystemTime, error: Error) {
        let now = session.tick(now);
        if let Some(fate) = self.flight.answered(session, Answer::Refused(&error), now) {
            self.failed(Failure::Lark(error), fate);
        }
    }

    fn broken(
        &mut self,
        session: &mut Session,
        now: SystemTime,
        failure: Failure<T>,
        pulled: u64,
        permanence: Permanence,
    ) where
        T: StdError,
    {
        let now = session.tick(now);
        if !self.flight.is_sent() {
            let Some(fetch) = self.drives.take() else { return };
            let route = session.token_failure(fetch, now, &failure, permanence);
            if let Some(route) = route {
                self.flight.events.push(|| Event::broken(route, text(&failure), true));
                let outcome = Outcome::NotSent;
                self.last = Some(CallError::new(route, failure).with_outcome(outcome));
            }
            return self.unname(session);
        }
        // A reply that is too long is an answer, and would be as long the next time.
        let permanence = match failure {
            Failure::TooLarge { .. } => Permanence::Permanent,
            _ => permanence,
        };
        let is_late = matches!(failure, Failure::Deadline);
        let answer = Answer::Broken { pulled, permanence, is_late, text: &|| text(&failure) };
        if let Some(fate) = self.flight.answered(session, answer, now) {
            self.failed(failure, fate);
        }
    }

    fn failed(&mut self, failure: Failure<T>, fate: Fate) {
        let route = self.flight.route().to_owned();
        if !fate.goes_on {
            let error = CallError::new(route, failure).with_outcome(fate.outcome);
            self.error = Some(self.complete(error));
        } else if fate.outcome == Outcome::Unknown && self.unknown.is_none() {
            (self.unknown, self.last) = (Some(failure), None);
        } else {
            self.last = Some(CallError::new(route, failure).with_outcome(fate.outcome));
        }
    }

    /// The error of a call that ends without an answer of its own; `driven` is the route of a token request that it has
    /// in flight.
    fn end(&mut self, ending: Ending, driven: Option<&'static str>) -> CallError<T> {
        let is_own = |last: &CallError<T>| match &ending {
            Ending::Last | Ending::Late(_) => true,
            // The call met the failure itself, or another one of the same series.
            Ending::NoToken(Cause { route, why: Why::Transport(_) }) => last.route == *route,
            _ => false,
        };
        if let Some(last) = self.last.take_if(|last| is_own(last)) {
            return self.complete(last);
        }
        let own = || self.flight.route().to_owned();
        if let (Ending::Last | Ending::Late(_), Some(unknown)) = (&ending, self.unknown.take()) {
            return CallError::new(own(), unknown).with_outcome(Outcome::Unknown);
        }
        let outcome = match &ending {
            Ending::Told(error) if self.flight.sends() > 0 => error.outcome(),
            Ending::Late(WaitFor::Reply) => Outcome::Unknown,
            _ => Outcome::NotSent,
        };
        let error = match ending {
            Ending::Last | Ending::Late(WaitFor::Reply) => CallError::new(own(), Failure::Deadline),
            Ending::Late(reason) => match driven {
                Some(route) if reason == WaitFor::Token => CallError::new(route, Failure::Deadline),
                _ => CallError::new(own(), Failure::Queued(reason)),
            },
            Ending::Told(error) => CallError::new(own(), Failure::Lark(error)),
            Ending::NoToken(Cause { route, why }) => CallError::new(route, why.into()),
            Ending::NoApp => CallError::new(own(), Failure::NoApp),
            Ending::NoTenant => CallError::new(own(), Failure::NoTenant),
            Ending::ForeignTenant => CallError::new(own(), Failure::ForeignTenant),
        };
        self.complete(error.with_outcome(outcome))
    }

    /// Adds the earlier failure after which the request may have been carried out.
    fn complete(&mut self, error: CallError<T>) -> CallError<T> {
        match self.unknown.take() {
            Some(unknown) => error.after(unknown),
            None => error,
        }
    }

    /// The call steps next by itself.
    fn unname(&self, session: &mut Session) {
        if let Some(id) = self.flight.id() {
            session.woken.remove(&id);
        }
    }
}

/// A failure in one line, with the causes of the transport's error.
fn text<T: StdError>(failure: &Failure<T>) -> String {
    match failure {
        Failure::Transport(error) => chain(error),
        other => other.to_string(),
    }
}

impl<T> From<Why> for Failure<T> {
    fn from(why: Why) -> Self {
        match why {
            Why::Lark(error) => Self::Lark(error),
            Why::Transport(text) => Self::TokenRequest(text),
            Why::Late => Self::Queued(WaitFor::Token),
            Why::TooLarge(limit) => Self::TooLarge { limit },
            Why::NoTicket => Self::NoTicket,
        }
    }
}

impl<O, T> fmt::Debug for Call<'_, O, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("route", &self.course.flight.route())
            .field("sends", &self.sends())
            .finish_non_exhaustive()
    }
}

/// A call whose output is turned into an `O`, so that calls of different endpoints stand in one queue.
///
/// ```
/// use lark_proto::{Call, Drive, ImageKey, PutImage, SheetImageWritten, WriteSheetImage};
///
/// enum Written {
///     Image(ImageKey),
///     Cell(SheetImageWritten),
/// }
/// # impl From<ImageKey> for Written { fn from(key: ImageKey) -> Self { Self::Image(key) } }
/// # impl From<SheetImageWritten> for Written { fn from(cell: SheetImageWritten) -> Self { Self::Cell(cell) } }
///
/// fn queue<'e>(
///     put: &'e PutImage,
///     write: &'e WriteSheetImage,
/// ) -> Vec<Box<dyn Drive<Written, std::io::Error> + 'e>> {
///     vec![Call::new(put).boxed(), Call::new(write).boxed()]
/// }
/// ```
pub trait Drive<O, T> {
    /// See [`Call::id`].
    fn id(&self) -> Option<CallId>;
    /// See [`Call::sends`].
    fn sends(&self) -> u32;
    /// See [`Call::next`].
    fn next(&mut self, session: &mut Session, now: SystemTime) -> Step<O, T>;
    /// See [`Call::read`]; the call keeps what it has read.
    fn read(&mut self, reply: Response<Bytes>);
    /// See [`Call::received`]: the reply that was read.
    fn received(&mut self, session: &mut Session, now: SystemTime);
    /// See [`Call::broken`].
    fn broken(
        &mut self,
        session: &mut Session,
        now: SystemTime,
        failure: Failure<T>,
        pulled: u64,
        permanence: Permanence,
    );
    /// See [`Call::cancel`].
    fn cancel(&mut self, session: &mut Session);
    /// See [`Call::drives`].
    fn drives(&self) -> Option<FetchId>;
}

/// A call, and the reply that it has read.
struct Driven<'e, O, T> {
    call: Call<'e, O, T>,
    heard: Option<Heard<O>>,
}

impl<'e, P: 'e, T: StdError + 'e> Call<'e, P, T> {
    /// The call behind the face that it shares with calls of other endpoints.
    #[must_use]
    pub fn boxed<O>(self) -> Box<dyn Drive<O, T> + 'e>
    where
        P: Into<O>,
    {
        Box::new(Driven { call: self, heard: None })
    }
}

impl<P: Into<O>, O, T: StdError> Drive<O, T> for Driven<'_, P, T> {
    fn id(&self) -> Option<CallId> {
        self.call.id()
    }

    fn sends(&self) -> u32 {
        self.call.sends()
    }

    fn next(&mut self, session: &mut Session, now: SystemTime) -> Step<O, T> {
        match self.call.next(session, now) {
            Step::Send(outgoing) => Step::Send(outgoing),
            Step::Wait(time) => Step::Wait(time),
            Step::Done(result) => Step::Done(result.map(Into::into)),
        }
    }

    fn read(&mut self, reply: Response<Bytes>) {
        self.heard = Some(self.call.read(reply));
    }

    fn received(&mut self, session: &mut Session, now: SystemTime) {
        if let Some(heard) = self.heard.take() {
            self.call.received(session, now, heard);
        }
    }

    fn broken(
        &mut self,
        session: &mut Session,
        now: SystemTime,
        failure: Failure<T>,
        pulled: u64,
        permanence: Permanence,
    ) {
        self.call.broken(session, now, failure, pulled, permanence);
    }

    fn cancel(&mut self, session: &mut Session) {
        self.call.cancel(session);
    }

    fn drives(&self) -> Option<FetchId> {
        self.call.drives()
    }
}

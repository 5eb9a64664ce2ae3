//! One call, from its token to its result: the machine that an adapter obeys.

use std::error::Error as StdError;
use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use http::Response;

use super::event::Event;
use super::flight::{Answer, Fate, Flight};
use super::step::{Permanence, Purpose, Step};
use super::tokens::{Cause, Why};
use super::{CallId, Credential, Ending, FetchId, Hold, Limits, Session, WaitFor};
use crate::endpoint::Endpoint;
use crate::error::{CallError, Error, Failure, Outcome, chain};
use crate::reply::Reply;
use crate::token::{Authorizes, TenantToken};
use crate::values::TenantKey;

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
    flight: Flight<'e>,
    read: fn(&Reply) -> Result<O, Error>,
    /// The token request that was handed out by the last step.
    drives: Option<FetchId>,
    /// What went wrong last, while the call goes on.
    last: Option<CallError<T>>,
    /// The first failure after which the request may have been carried out, while the call goes on.
    unknown: Option<Failure<T>>,
    result: Option<Result<O, CallError<T>>>,
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
            flight: Flight::new(endpoint, credential),
            read: E::read,
            drives: None,
            last: None,
            unknown: None,
            result: None,
        }
    }

    /// The same call within `limits`. Set before the first step.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.flight.limits = limits;
        self
    }

    /// The same call with waits that a random number spreads: clients that fail together should not come back
    /// together. Set before the first step.
    #[must_use]
    pub fn jitter(mut self, jitter: u64) -> Self {
        self.flight.jitter = jitter;
        self
    }

    /// The same call, which keeps its events for [`Call::events`].
    #[must_use]
    pub fn keep_events(mut self) -> Self {
        self.flight.events.keep();
        self
    }

    /// What happened since the events were last taken, for a call that keeps them.
    pub fn events(&mut self) -> Vec<Event> {
        self.flight.events.take()
    }

    /// The name of the call in its session; it gets one with its first step, and has none once it is over.
    #[must_use]
    pub fn id(&self) -> Option<CallId> {
        self.flight.id()
    }

    /// How many times the call's own request was sent.
    #[must_use]
    pub fn sends(&self) -> u32 {
        self.flight.sends()
    }

    /// What went wrong last, while the call goes on.
    #[must_use]
    pub fn trouble(&self) -> Option<&CallError<T>> {
        self.last.as_ref()
    }

    /// What to do next.
    pub fn next(&mut self, session: &mut Session, now: SystemTime) -> Step<O, T> {
        let now = session.tick(now);
        if let Some(result) = self.result.take() {
            return Step::Done(result);
        }
        match self.flight.next(session, now) {
            Ok(outgoing) => Step::Send(outgoing),
            Err(Hold::Send(outgoing, _)) => {
                if let Purpose::Token(fetch) = outgoing.purpose {
                    self.drives = Some(fetch);
                }
                Step::Send(*outgoing)
            }
            Err(Hold::Wait { until, .. }) => Step::Wait(until.saturating_sub(now)),
            Err(Hold::End(ending)) => {
                let driven = self.drives.and_then(|id| session.tokens.route(&session.app, id));
                Step::Done(Err(self.error(ending, driven)))
            }
        }
    }

    /// Reads the reply to the request that was sent; the endpoint's code runs here, so that it need not run while the
    /// session is held.
    pub fn read(&self, reply: Response<Bytes>) -> Heard<O> {
        Heard(match self.flight.is_sent() {
            true => Kind::Call((self.read)(&Reply::new(reply))),
            false => Kind::Token(reply),
        })
    }

    /// The reply to the request that was sent. Without effect if none is out.
    pub fn received(&mut self, session: &mut Session, now: SystemTime, heard: Heard<O>) {
        let now = session.tick(now);
        match heard.0 {
            Kind::Token(reply) => {
                let Some(fetch) = self.drives.take() else { return };
                match session.token_reply(fetch, now, reply) {
                    Some((route, error)) => {
                        self.flight.events.push(|| Event::refused(route, &error, true));
                        let error = CallError::new(route, Failure::Lark(error));
                        self.last = Some(error.with_outcome(self.outcome()));
                    }
                    None => {
                        let own = self.flight.route();
                        self.last = self.last.take().filter(|last| last.route == own);
                    }
                }
                self.unname(session);
            }
            Kind::Call(Ok(output)) => {
                if self.flight.answered(session, Answer::Success, now).is_some() {
                    self.result = Some(Ok(output));
                }
            }
            Kind::Call(Err(error)) => {
                if let Some(fate) = self.flight.answered(session, Answer::Refused(&error), now) {
                    self.failed(Failure::Lark(error), fate);
                }
            }
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
        let now = session.tick(now);
        if !self.flight.is_sent() {
            let Some(fetch) = self.drives.take() else { return };
            let route = session.token_failure(fetch, now, &failure, permanence);
            if let Some(route) = route {
                self.flight.events.push(|| Event::broken(route, text(&failure), true));
                let outcome = self.outcome();
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

    /// The caller has given up: what the call holds goes to the others. Harmless when the call is over.
    ///
    /// A token request that it drives is the session's: the next call in the queue drives it on, unless
    /// [`Session::token_dropped`] says that it is gone.
    pub fn cancel(&mut self, session: &mut Session) {
        self.flight.cancel(session);
        self.result = None;
    }

    /// The token request that the last step handed out, if nothing was said of it since.
    #[must_use]
    pub fn drives(&self) -> Option<FetchId> {
        self.drives
    }

    fn failed(&mut self, failure: Failure<T>, fate: Fate) {
        let route = self.flight.route().to_owned();
        if !fate.goes_on {
            let error = CallError::new(route, failure).with_outcome(fate.outcome);
            self.result = Some(Err(self.complete(error)));
        } else if fate.outcome == Outcome::Unknown && self.unknown.is_none() {
            (self.unknown, self.last) = (Some(failure), None);
        } else {
            self.last = Some(CallError::new(route, failure).with_outcome(fate.outcome));
        }
    }

    /// The error of a call that ends without an answer of its own; `driven` is the route of a token request that it has
    /// in flight.
    fn error(&mut self, ending: Ending, driven: Option<&'static str>) -> CallError<T> {
        let is_own = |last: &CallError<T>| match &ending {
            // Not the failure of an earlier send, since another one is in flight.
            Ending::Late(WaitFor::Reply) => false,
            Ending::Last | Ending::Late(_) => true,
            // The call met the failure itself, or another one of the same series.
            Ending::NoToken(Cause { route, why: Why::Transport(_) }) => last.route == *route,
            _ => false,
        };
        if let Some(last) = self.last.take_if(|last| is_own(last)) {
            return self.complete(last);
        }
        let own = || self.flight.route().to_owned();
        if matches!(ending, Ending::Last | Ending::Late(_)) {
            if let Some(unknown) = self.unknown.take() {
                return CallError::new(own(), unknown).with_outcome(Outcome::Unknown);
            }
        }
        let outcome = match &ending {
            Ending::Told(error) if self.flight.sends() > 0 => error.outcome(),
            Ending::Late(WaitFor::Reply) => Outcome::Unknown,
            _ => self.outcome(),
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

    /// What the call's own sends have done, apart from those of which that is not known.
    fn outcome(&self) -> Outcome {
        if self.flight.sends() > 0 { Outcome::Refused } else { Outcome::NotSent }
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
        if let Some(id) = self.id() {
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
            .field("route", &self.flight.route())
            .field("sends", &self.sends())
            .finish_non_exhaustive()
    }
}

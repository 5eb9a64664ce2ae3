//! The fake Lark in place of a connection, in the time of a clock.

use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Buf, Bytes};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Request, Response};
use lark_proto::fake::{ConnectionFault, FakeLark};
use ureq::middleware::{Middleware, MiddlewareNext};
use ureq::{Body, SendBody, Timeout};

use crate::Clock;
use crate::fake_server::lock;

/// 2026-01-01 00:00 UTC, the fake's time when its clock starts.
const START: Duration = Duration::from_secs(1_767_225_600);

/// A [`FakeLark`] without a socket or a thread, in the time of a [`Clock`]: in virtual time, a test of an hour of
/// waits takes a moment.
///
/// ```
/// use std::time::Duration;
///
/// use lark_proto::fake::{ConnectionFault, FakeLark, Route};
/// use lark_proto::{App, Image, PutImage, Site};
/// use lark_ureq::{Client, Clock, FakeTransport};
///
/// let clock = Clock::simulated();
/// let fake = FakeTransport::new(clock.clone());
/// let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?;
/// let (agent, site) = (fake.agent(), Site::LARK);
/// let client = Client::with_clock(site, app, agent, clock.clone());
///
/// let slow = ConnectionFault::SlowReply(Duration::from_secs(20));
/// fake.with(|lark| lark.fail_next_on(Route::ImageV4Put, slow));
/// client.call(&PutImage::message(Image::new("GIF89a..")?)?)?;
/// assert_eq!(clock.elapsed(), Duration::from_secs(20));
/// assert_eq!(fake.with(|lark| lark.images().count()), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It is a [`Middleware`] that answers every request of a [`Client`](crate::Client) in place of the site: ureq looks up
/// no host, opens no connection and needs no TLS. Your own agent takes a clone of it as its last middleware, and
/// keeps its other middleware and its timeouts:
///
/// ```
/// # use lark_ureq::{Clock, FakeTransport};
/// use lark_ureq::ureq::Agent;
///
/// let fake = FakeTransport::new(Clock::simulated());
/// let config = Agent::config_builder().proxy(None).middleware(fake.clone());
/// let agent: Agent = config.build().into();
/// ```
///
/// Clones share the fake. The fake's time is 2026-01-01 00:00 UTC plus the time that has [elapsed](Clock::elapsed) on
/// the clock, so that the same calls get the same replies in every run.
///
/// Its connections obey [`FakeLark::fail_next`]. A [`ConnectionFault`] gives the error that ureq reports for it over a
/// socket. If the timeout `recv_response` or the deadline passes during a [`ConnectionFault::SlowReply`], the request
/// ends at that time, with ureq's error for it. The earlier phases of a request take no time. With
/// [`ConnectionFault::BeforeBody`] the fake reads nothing of the body, so the outcome is
/// [`NotSent`](lark_proto::error::Outcome::NotSent). Over a socket, the system takes the first bytes before the
/// connection breaks.
#[derive(Clone)]
pub struct FakeTransport {
    clock: Clock,
    lark: Arc<Mutex<FakeLark>>,
}

impl FakeTransport {
    /// A new [`FakeLark`] in the time of `clock`, which the client has too.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self::with_lark(clock, FakeLark::new())
    }

    /// The transport of `lark`, which the test has prepared.
    #[must_use]
    pub fn with_lark(clock: Clock, lark: FakeLark) -> Self {
        Self { clock, lark: Arc::new(Mutex::new(lark)) }
    }

    /// An agent with this transport, for [`Client::with_clock`](crate::Client::with_clock).
    #[must_use]
    pub fn agent(&self) -> ureq::Agent {
        ureq::Agent::config_builder().proxy(None).middleware(self.clone()).build().into()
    }

    /// Runs `work` on the fake behind the transport, to check what arrived or to make it fail. Requests wait meanwhile,
    /// so `work` must not call a client over this transport.
    pub fn with<R>(&self, work: impl FnOnce(&mut FakeLark) -> R) -> R {
        work(&mut lock(&self.lark))
    }

    /// The fake's time, for [`FakeLark::add_token`].
    #[must_use]
    pub fn now(&self) -> SystemTime {
        let start = UNIX_EPOCH + START;
        start.checked_add(self.clock.elapsed()).unwrap_or(start)
    }

    /// Holds a reply back for `time`, or until the request times out.
    fn hold_back(
        &self,
        time: Duration,
        timeout: Option<&ResponseTimeout>,
    ) -> Result<(), ureq::Error> {
        match timeout {
            Some(ResponseTimeout(longest, name)) if time >= *longest => {
                self.clock.sleep(*longest);
                Err(ureq::Error::Timeout(*name))
            }
            _ => {
                self.clock.sleep(time);
                Ok(())
            }
        }
    }
}

impl Middleware for FakeTransport {
    fn handle(
        &self,
        request: Request<SendBody<'_>>,
        _: MiddlewareNext<'_>,
    ) -> Result<Response<Body>, ureq::Error> {
        let (head, body) = request.into_parts();
        let now = self.now();
        let flight = self.with(|lark| lark.begin(now, &head));
        let fault = flight.connection_fault();
        let breaks_off_after = match fault {
            Some(ConnectionFault::BeforeBody) => Some(0),
            Some(ConnectionFault::DuringBody) => Some(content_length(&head.headers).div_ceil(2)),
            _ => None,
        };
        let mut bytes = Vec::new();
        // The fake is not locked while the body is read, which can take any time, because the program may send a body
        // of its own through the agent.
        let mut arriving = body.into_reader().take(breaks_off_after.unwrap_or(u64::MAX));
        let read = arriving.read_to_end(&mut bytes);
        let broken = breaks_off_after.map(|_| io::ErrorKind::ConnectionReset.into());
        if let Some(error) = read.err().or(broken) {
            self.with(|lark| lark.abandon(flight));
            return Err(error.into());
        }
        let now = self.now();
        let reply = self.with(|lark| lark.finish(now, flight, &bytes));
        match fault {
            Some(ConnectionFault::AfterBody) => Err(disconnected().into()),
            Some(ConnectionFault::CutReply) => Ok(reply.map(cut)),
            Some(ConnectionFault::SlowReply(time)) => {
                self.hold_back(time, head.extensions.get())?;
                Ok(reply.map(whole))
            }
            _ => Ok(reply.map(whole)),
        }
    }
}

fn content_length(headers: &HeaderMap) -> u64 {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or_default()
}

/// A reply's body of known length.
fn whole(reply: Bytes) -> Body {
    Body::builder().data(reply)
}

/// The first half of a reply's body, after which the connection closes.
fn cut(mut reply: Bytes) -> Body {
    if reply.is_empty() {
        return whole(reply);
    }
    reply.truncate(reply.len() / 2);
    Body::builder().reader(reply.reader().chain(Disconnected))
}

struct Disconnected;

impl Read for Disconnected {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(disconnected())
    }
}

/// ureq's own error for a connection that closes before the end of a reply.
fn disconnected() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "Peer disconnected")
}

/// The shortest timeout of a request that bounds the wait for its reply, and ureq's name for it.
#[derive(Clone, Copy)]
struct ResponseTimeout(Duration, Timeout);

/// Attaches to the request the shortest of the timeouts that bound the wait for the reply, or the first of several
/// equal ones. A middleware cannot read the timeouts that ureq keeps with a request.
pub(crate) fn with_response_timeout<B>(
    mut request: Request<B>,
    timeouts: [(Option<Duration>, Timeout); 4],
) -> Request<B> {
    let set = timeouts.into_iter().filter_map(|(time, name)| Some(ResponseTimeout(time?, name)));
    if let Some(shortest) = set.min_by_key(|ResponseTimeout(time, _)| *time) {
        request.extensions_mut().insert(shortest);
    }
    request
}

impl fmt::Debug for FakeTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeTransport").field("clock", &self.clock).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fake_shows_its_clock() {
        let clock = Clock::simulated();
        let fake = FakeTransport::new(clock.clone());
        assert_eq!(format!("{fake:?}"), format!("FakeTransport {{ clock: {clock:?}, .. }}"));
    }

    #[test]
    fn a_reply_that_is_cut_ends_after_half_of_its_body() {
        let mut read = Vec::new();
        let error = cut("abcdef".into()).into_reader().read_to_end(&mut read).unwrap_err();
        assert_eq!((&*read, error.kind()), (&b"abc"[..], io::ErrorKind::UnexpectedEof));
    }
}

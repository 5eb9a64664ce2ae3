//! The fake as a service: a closure that obeys each [`Break`], in pieces and with pauses between them.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response, request};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use hyper::rt::Timer;
use hyper::service::{Service, service_fn};
use lark_hyper::Frames;
use lark_proto::fake::{Break, FakeLark, InFlight};

use crate::time::turn;

/// A fake in a timer's time.
pub(crate) struct Fake {
    lark: Mutex<FakeLark>,
    begun: Mutex<Vec<String>>,
    given_up: Mutex<Vec<String>>,
    timer: Box<dyn Timer + Send + Sync>,
    origin: Instant,
}

impl Fake {
    pub(crate) fn new(timer: impl Timer + Send + Sync + 'static) -> Arc<Self> {
        let lark = Mutex::new(FakeLark::new());
        let (begun, given_up) = Default::default();
        Arc::new(Self { lark, begun, given_up, origin: timer.now(), timer: Box::new(timer) })
    }

    pub(crate) fn lark(&self) -> MutexGuard<'_, FakeLark> {
        self.lark.lock().unwrap()
    }

    /// Since it is there.
    pub(crate) fn elapsed(&self) -> Duration {
        self.timer.now() - self.origin
    }

    pub(crate) fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.elapsed()
    }

    /// The paths of the requests that have arrived.
    pub(crate) fn begun(&self) -> Vec<String> {
        self.begun.lock().unwrap().clone()
    }

    /// The paths of the requests that the client has given up before their replies.
    pub(crate) fn given_up(&self) -> Vec<String> {
        self.given_up.lock().unwrap().clone()
    }

    fn begin(&self, head: &request::Parts) -> Arriving<'_> {
        let path = head.uri.path().to_owned();
        self.begun.lock().unwrap().push(path.clone());
        Arriving { fake: self, path, flight: Some(self.lark().begin(self.now(), head)) }
    }
}

/// A request that is given up when its service's future is dropped.
struct Arriving<'a> {
    fake: &'a Fake,
    path: String,
    flight: Option<InFlight>,
}

impl Arriving<'_> {
    /// The connection breaks.
    fn reset(&mut self) -> Reset {
        self.flight.take().into_iter().for_each(|flight| self.fake.lark().abandon(flight));
        Reset
    }
}

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take() {
            self.fake.lark().abandon(flight);
            self.fake.given_up.lock().unwrap().push(mem::take(&mut self.path));
        }
    }
}

/// The connection broke.
#[derive(Debug)]
pub(crate) struct Reset;

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("reset, as asked for")
    }
}

impl std::error::Error for Reset {}

/// The service, in the one place where it has no connection.
pub(crate) fn service(
    fake: &Arc<Fake>,
) -> impl Service<Request<Frames>, Response = Response<Reply>, Error = Reset, Future: Send> + Clone + use<>
{
    let fake = fake.clone();
    service_fn(move |request| answer(fake.clone(), request))
}

/// Takes a request frame by frame and answers it.
pub(crate) async fn answer<B>(
    fake: Arc<Fake>,
    request: Request<B>,
) -> Result<Response<Reply>, Reset>
where
    B: Body<Data = Bytes> + Unpin,
{
    let (head, mut body) = request.into_parts();
    let mut arriving = fake.begin(&head);
    let how = arriving.flight.as_ref().and_then(InFlight::breaks);
    turn().await;
    if how == Some(Break::BeforeBody) {
        return Err(arriving.reset());
    }
    let half = body.size_hint().lower() / 2;
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        whole.extend(frame.map_err(|_| Reset)?.into_data().unwrap());
        if how == Some(Break::DuringBody) && whole.len() as u64 >= half {
            return Err(arriving.reset());
        }
        turn().await;
    }
    let flight = arriving.flight.take().unwrap();
    let reply = fake.lark().finish(fake.now(), flight, &whole);
    turn().await;
    match how {
        Some(Break::AfterBody) => return Err(Reset),
        Some(Break::SlowReply(time)) => fake.timer.sleep(time).await,
        _ => {}
    }
    Ok(reply.map(|whole| Reply::new(whole, how == Some(Break::CutReply))))
}

/// A reply's body in two halves, of which the second may be lost.
pub(crate) struct Reply {
    halves: VecDeque<Bytes>,
    left: u64,
    /// Before the next one.
    pauses: bool,
}

impl Reply {
    fn new(mut whole: Bytes, is_cut: bool) -> Self {
        let left = whole.len() as u64;
        let mut halves = VecDeque::from([whole.split_to(whole.len() / 2)]);
        halves.extend((!is_cut).then_some(whole));
        Self { halves, left, pauses: false }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Reset;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Reset>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.pauses = !self.pauses;
        if !self.pauses {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let half = self.halves.pop_front();
        self.left -= half.as_ref().map_or(0, |half| half.len() as u64);
        Poll::Ready(Some(half.map(Frame::data).ok_or(Reset)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

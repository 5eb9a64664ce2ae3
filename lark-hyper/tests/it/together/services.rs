//! A slow fake in memory, a count of what is under way, and calls by the crowd.

use lark_hyper::TransportError;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::service::Service;
use hyper_util::rt::TokioTimer;
use lark_hyper::{CallError, Client, Frames, Transport};
use lark_proto::fake::{FakeLark, Route};
use lark_proto::token::Authorizes;
use lark_proto::{App, Endpoint, Site, TenantToken};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

type Answer<R, E> = Pin<Box<dyn Future<Output = Result<R, E>> + Send>>;

/// The fake in memory, which takes its time for each request and so sees those that overlap.
#[derive(Clone)]
pub(crate) struct Slow {
    lark: Arc<Mutex<FakeLark>>,
    takes: Duration,
}

impl Slow {
    pub(crate) fn new(millis: u64) -> Self {
        Self { lark: Arc::default(), takes: Duration::from_millis(millis) }
    }

    /// One, and the service to be called.
    pub(crate) fn counted(millis: u64) -> (Self, Counted<Self>) {
        let slow = Self::new(millis);
        (slow.clone(), Counted::new(slow))
    }

    pub(crate) fn lark(&self) -> MutexGuard<'_, FakeLark> {
        self.lark.lock().unwrap()
    }

    pub(crate) fn client(&self, app: App) -> Client<Self> {
        Client::with_service(Site::LARK, app, self.clone(), TokioTimer::new())
    }

    /// How often each of these was answered.
    pub(crate) fn counts<const N: usize>(&self, routes: [Route; N]) -> [usize; N] {
        routes.map(|route| self.lark().count(route))
    }
}

/// The fake's time, which stands still.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

impl Service<Request<Frames>> for Slow {
    type Response = Response<Full<Bytes>>;
    type Error = TransportError;
    type Future = Answer<Self::Response, TransportError>;

    fn call(&self, request: Request<Frames>) -> Self::Future {
        let slow = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let flight = slow.lark().begin(now(), &head);
            sleep(slow.takes).await;
            let body = body.collect().await?.to_bytes();
            Ok(slow.lark().finish(now(), flight, &body).map(Full::new))
        })
    }
}

/// How many requests are under way, and how many there were at most.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    now: usize,
    pub(crate) most: usize,
}

/// By path; all of them are counted under "*".
pub(crate) type Counts = Arc<Mutex<BTreeMap<String, Count>>>;

/// A service that counts what is under way.
#[derive(Clone)]
pub(crate) struct Counted<S> {
    service: S,
    pub(crate) counts: Counts,
}

impl<S> Counted<S> {
    pub(crate) fn new(service: S) -> Self {
        Self { service, counts: Counts::default() }
    }
}

impl<S> Service<Request<Frames>> for Counted<S>
where
    S: Service<Request<Frames>, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer<S::Response, S::Error>;

    fn call(&self, request: Request<Frames>) -> Self::Future {
        let paths = ["*".to_owned(), request.uri().path().to_owned()];
        for path in paths.clone() {
            let mut counts = self.counts.lock().unwrap();
            let count = counts.entry(path).or_default();
            count.now += 1;
            count.most = count.most.max(count.now);
        }
        let under_way = UnderWay { paths, counts: self.counts.clone() };
        let answer = self.service.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(under_way);
            answer
        })
    }
}

/// A request, which may also end by being dropped.
struct UnderWay {
    paths: [String; 2],
    counts: Counts,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap();
        for path in &self.paths {
            counts.get_mut(path).unwrap().now -= 1;
        }
    }
}

pub(crate) fn app() -> App {
    App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap()
}

pub(crate) type Outcome<E, T> = Result<<E as Endpoint>::Output, CallError<T>>;

/// Begins a call of each endpoint, in this order, on a task of its own and by a clone of its own.
pub(crate) fn begin<E, S>(
    client: &Client<S>,
    endpoints: impl IntoIterator<Item = E>,
) -> Vec<JoinHandle<Outcome<E, S::Error>>>
where
    E: Endpoint<Output: Send> + Send + Sync + 'static,
    TenantToken: Authorizes<E::Auth>,
    S: Transport<Body: Send, Future: Send, Error: Send> + Clone + Send + Sync + 'static,
{
    let begin = |endpoint| {
        let client = client.clone();
        tokio::spawn(async move { client.call(&endpoint).await })
    };
    endpoints.into_iter().map(begin).collect()
}

/// What the calls came to, and in time: none is left waiting until its limit.
pub(crate) async fn ends<T>(calls: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut ends = Vec::new();
    for call in calls {
        ends.push(timeout(Duration::from_secs(60), call).await.expect("it ends").unwrap());
    }
    ends
}

/// What the calls gave, none of which failed.
pub(crate) async fn all<T, E: Debug>(calls: Vec<JoinHandle<Result<T, E>>>) -> Vec<T> {
    ends(calls).await.into_iter().map(Result::unwrap).collect()
}

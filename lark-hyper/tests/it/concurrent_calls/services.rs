//! A slow fake in memory, a count of the requests in flight, and many calls at a time.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use hyper::service::Service;
use hyper_util::rt::TokioTimer;
use lark_hyper::{CallError, Client, FakeTransport, RequestBody, Transport};
use lark_proto::fake::{ConnectionFault, Route};
use lark_proto::token::Authorizes;
use lark_proto::{App, Endpoint, Site, TenantToken};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A fake in memory that takes `time` for each reply, and so sees the writes that overlap.
pub(super) fn slow(time: Duration) -> FakeTransport {
    let fake = FakeTransport::new(TokioTimer::new());
    fake.with(|lark| lark.fail_when(move |_, _| Some(ConnectionFault::SlowReply(time).into())));
    fake
}

pub(super) fn client<S: Transport>(service: S, app: App) -> Client<S> {
    Client::with_service(Site::LARK, app, service, TokioTimer::new())
}

/// The numbers of requests to `routes` that the fake has answered.
pub(super) fn counts<const N: usize>(fake: &FakeTransport, routes: [Route; N]) -> [usize; N] {
    fake.with(|lark| routes.map(|route| lark.count(route)))
}

type Answer<R, E> = Pin<Box<dyn Future<Output = Result<R, E>> + Send>>;

/// The number of requests in flight, and its maximum.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    now: usize,
    pub(super) most: usize,
}

/// Counts by path. The count of all requests has the key "*".
pub(super) type Counts = Arc<Mutex<BTreeMap<String, Count>>>;

/// A service that counts its requests in flight.
#[derive(Clone)]
pub(super) struct Counted<S> {
    service: S,
    pub(super) counts: Counts,
}

impl<S> Counted<S> {
    pub(super) fn new(service: S) -> Self {
        Self { service, counts: Counts::default() }
    }
}

impl<S> Service<Request<RequestBody>> for Counted<S>
where
    S: Service<Request<RequestBody>, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer<S::Response, S::Error>;

    fn call(&self, request: Request<RequestBody>) -> Self::Future {
        let paths = ["*".to_owned(), request.uri().path().to_owned()];
        for path in paths.clone() {
            let mut counts = self.counts.lock().unwrap();
            let count = counts.entry(path).or_default();
            count.now += 1;
            count.most = count.most.max(count.now);
        }
        let in_flight = InFlight { paths, counts: self.counts.clone() };
        let answer = self.service.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(in_flight);
            answer
        })
    }
}

/// A request in flight, which ends with a reply or with a drop of its future.
struct InFlight {
    paths: [String; 2],
    counts: Counts,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap();
        for path in &self.paths {
            counts.get_mut(path).unwrap().now -= 1;
        }
    }
}

pub(super) type Outcome<E, T> = Result<<E as Endpoint>::Output, CallError<T>>;

/// Begins a call of each endpoint, in this order, each on its own task and by its own clone of the client.
pub(super) fn begin<E, S>(
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

/// The results of the calls, none of which may wait until its deadline.
pub(super) async fn ends<T>(calls: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut ends = Vec::new();
    for call in calls {
        ends.push(timeout(Duration::from_secs(60), call).await.expect("the call ends").unwrap());
    }
    ends
}

/// The outputs of the calls, none of which may fail.
pub(super) async fn all<T, E: Debug>(calls: Vec<JoinHandle<Result<T, E>>>) -> Vec<T> {
    ends(calls).await.into_iter().map(Result::unwrap).collect()
}

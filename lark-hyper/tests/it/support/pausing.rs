//! The fake as a service that is pending between the pieces of a request and of its reply.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Frame, SizeHint};
use hyper::rt::Timer;
use hyper::service::Service;
use lark_hyper::{FakeTransport, Transport, TransportError};

use super::sim::turn;

/// A fake that records the paths of its requests. Clones share the fake and its records.
#[derive(Clone)]
pub(crate) struct Pausing {
    pub(crate) fake: FakeTransport,
    begun: Arc<Mutex<Vec<String>>>,
    given_up: Arc<Mutex<Vec<String>>>,
}

impl Pausing {
    pub(crate) fn new(timer: impl Timer + Send + Sync + 'static) -> Self {
        let begun = Arc::default();
        let given_up = Arc::default();
        Self { fake: FakeTransport::new(timer), begun, given_up }
    }

    /// The paths of the requests that have arrived.
    pub(crate) fn begun(&self) -> Vec<String> {
        self.begun.lock().unwrap().clone()
    }

    /// The paths of the requests that the client gave up before their replies.
    pub(crate) fn given_up(&self) -> Vec<String> {
        self.given_up.lock().unwrap().clone()
    }
}

impl<B> Service<Request<B>> for Pausing
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    type Response = Response<Halves<<FakeTransport as Transport>::Body>>;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, TransportError>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let pausing = self.clone();
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            pausing.begun.lock().unwrap().push(path.clone());
            let mut arriving = Arriving { path: Some(path), given_up: &pausing.given_up };
            turn().await;
            let reply = pausing.fake.call(request.map(Halves::whole)).await;
            turn().await;
            // An error other than the fake's own is that of a client that closed its pipe.
            if reply.as_ref().map_or_else(is_of_the_fake, |_| true) {
                arriving.path = None;
            }
            Ok(reply?.map(Halves::split))
        })
    }
}

fn is_of_the_fake(error: &TransportError) -> bool {
    error.to_string().ends_with("as the test asked")
}

/// Records a request as given up when this is dropped, unless `path` is `None` by then.
struct Arriving<'a> {
    path: Option<String>,
    given_up: &'a Mutex<Vec<String>>,
}

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        self.given_up.lock().unwrap().extend(self.path.take());
    }
}

/// A body that is pending before each frame, and may split each frame in two halves.
pub(crate) struct Halves<B> {
    body: B,
    splits: bool,
    second: Option<Bytes>,
    is_ready: bool,
}

impl<B> Halves<B> {
    fn whole(body: B) -> Self {
        Self { body, splits: false, second: None, is_ready: false }
    }

    fn split(body: B) -> Self {
        Self { splits: true, ..Self::whole(body) }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Halves<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if !mem::replace(&mut self.is_ready, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(second) = self.second.take() {
            self.is_ready = false;
            return Poll::Ready(Some(Ok(Frame::data(second))));
        }
        Pin::new(&mut self.body).poll_frame(context).map_ok(|frame| {
            let mut data = frame.into_data().unwrap();
            self.second = self.splits.then(|| data.split_off(data.len() / 2));
            self.is_ready = false;
            Frame::data(data)
        })
    }

    fn size_hint(&self) -> SizeHint {
        let second = self.second.as_ref().map_or(0, |second| second.len() as u64);
        SizeHint::with_exact(self.body.size_hint().lower() + second)
    }
}

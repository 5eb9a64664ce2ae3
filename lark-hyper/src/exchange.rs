//! One request and its reply.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response, response};
use hyper::body::Body;
use hyper::service::Service;
use lark_proto::error::CallErrorKind;
use lark_proto::session::{Outgoing, TransportFailure};
use pin_project_lite::pin_project;

use crate::collect::Collect;
use crate::permanence::permanence;
use crate::request_body::{BodyProgress, FreshConnection, RequestBody};

/// A service that a [`Client`](crate::Client) can use: any [`Service`] of requests whose reply is a [`Response`], with
/// a body whose error converts into the service's.
///
/// It is implemented for every such service. A function with this bound needs no further bounds on the service, its
/// replies and its errors. Where the future of a call has to be `Send`, use the bound [`SendTransport`].
///
/// ```
/// # use lark_hyper::{CallError, Client, Transport};
/// # use lark_proto::{ImageKey, PutImage};
/// async fn upload<S: Transport>(
///     client: &Client<S>,
///     put: &PutImage,
/// ) -> Result<ImageKey, CallError<S::Error>> {
///     client.call(put).await
/// }
/// ```
pub trait Transport:
    Service<Request<RequestBody>, Response = Response<Self::Body>, Error: Error + 'static>
{
    /// The body of a reply.
    type Body: Body<Error: Into<Self::Error>>;
}

impl<S, B> Transport for S
where
    S: Service<Request<RequestBody>, Response = Response<B>>,
    S::Error: Error + 'static,
    B: Body,
    B::Error: Into<S::Error>,
{
    type Body = B;
}

/// A [`Transport`] whose calls can be spawned, boxed as `Send`, or awaited in a handler of a web service: it can be
/// cloned and shared between threads, and its futures, errors and bodies can move between them.
///
/// It is implemented for every such service, [`Pool`](crate::Pool) among them. As a bound it stands for all of its
/// supertraits and their bounds:
///
/// ```
/// use std::pin::Pin;
///
/// use lark_hyper::{CallError, Client, SendTransport};
/// use lark_proto::{ImageKey, PutImage};
///
/// type Upload<T> = Pin<Box<dyn Future<Output = T> + Send>>;
///
/// fn upload<S: SendTransport>(
///     client: &Client<S>,
///     put: PutImage,
/// ) -> Upload<Result<ImageKey, CallError<S::Error>>> {
///     let client = client.clone();
///     Box::pin(async move { client.call(&put).await })
/// }
///
/// # #[cfg(feature = "tokio")]
/// /// For a service whose type the function does not name.
/// fn spawn(client: Client<impl SendTransport>, put: PutImage) {
///     tokio::spawn(async move {
///         if let Err(error) = client.call(&put).await {
///             eprintln!("{error}");
///         }
///     });
/// }
/// ```
pub trait SendTransport:
    Transport<Future: Send, Error: Send, Body: Send> + Clone + Send + Sync + 'static
{
}

impl<S> SendTransport for S where
    S: Transport<Future: Send, Error: Send, Body: Send> + Clone + Send + Sync + 'static
{
}

/// The outcome of a request: the whole reply, or why there is none.
pub(crate) type Received<T> = Result<Response<Bytes>, TransportFailure<T>>;

pin_project! {
    /// A request in flight, until its whole reply has been received.
    pub(crate) struct Exchange<S: Transport> {
        #[pin]
        state: State<S::Future, S::Body>,
        progress: CloseOnDrop,
        limit: u64,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B> {
        Sent { #[pin] reply: F },
        Answered { head: Option<response::Parts>, #[pin] body: B, collect: Collect },
    }
}

/// The progress of a request's body, which ends the body when it is dropped. Otherwise hyper would still open an HTTP/2
/// stream that had to wait for its turn, and send the body, after the request's future was dropped.
struct CloseOnDrop(BodyProgress);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<S: Transport> Exchange<S> {
    pub(crate) fn new(service: &S, outgoing: Outgoing, limit: u64) -> Self {
        let progress = CloseOnDrop(BodyProgress::default());
        let mut request = outgoing.request.map(|body| RequestBody::counted(body, &progress.0));
        request.extensions_mut().insert(outgoing.timeouts);
        if outgoing.fresh_connection {
            request.extensions_mut().insert(FreshConnection);
        }
        Self { state: State::Sent { reply: service.call(request) }, progress, limit }
    }

    /// Ends the exchange with `failure`: no more of its request is sent.
    pub(crate) fn end(
        self: Pin<&mut Self>,
        failure: CallErrorKind<S::Error>,
    ) -> Received<S::Error> {
        let permanence = permanence(&failure);
        Err(TransportFailure::new(failure, self.progress.0.close(), permanence))
    }
}

impl<S: Transport> Future for Exchange<S> {
    type Output = Received<S::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Received<S::Error>> {
        let mut this = self.as_mut().project();
        let failure = loop {
            match this.state.as_mut().project() {
                StateProjection::Sent { reply } => match ready!(reply.poll(context)) {
                    Ok(reply) => {
                        let (head, body) = reply.into_parts();
                        let collect = Collect::default();
                        this.state.set(State::Answered { head: Some(head), body, collect });
                    }
                    Err(error) => break CallErrorKind::Transport(error),
                },
                StateProjection::Answered { head, body, collect } => {
                    match (ready!(collect.poll(body, *this.limit, context)), head.take()) {
                        (Ok(Some(body)), Some(mut head)) => {
                            // The drop of an extension is the service's code, and a reply may be dropped while the
                            // session is locked.
                            head.extensions.clear();
                            return Poll::Ready(Ok(Response::from_parts(head, body)));
                        }
                        (Err(error), _) => break CallErrorKind::Transport(error.into()),
                        _ => break CallErrorKind::TooLarge { limit: *this.limit },
                    }
                }
            }
        };
        Poll::Ready(self.end(failure))
    }
}

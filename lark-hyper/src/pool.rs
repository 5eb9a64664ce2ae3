//! A pool of connections on tokio, and the timeouts of its requests.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, Version, header};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::Service;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::client::legacy::{self, ResponseFuture};
use hyper_util::rt::TokioTimer;
use lark_proto::network::MAX_IDLE_CONNECTIONS;
use lark_proto::session::{Phase, Timeouts};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::builder::{USER_AGENT, default_tls};
use crate::connection::Connection;
use crate::connector::{Connector, TIMEOUTS};
use crate::deadline::{Deadline, MAX_TIMER};
use crate::error::{TransportError, causes, without_debug_data};
use crate::request_body::{BodyProgress, FreshConnection, RequestBody};

/// The maximum number of headers of a reply over HTTP/1.1.
const MAX_HEADERS: usize = 100;
/// The length at which an unfinished head of a reply over HTTP/1.1 is refused. It is also the longest read.
const MAX_HTTP1_HEAD_LEN: usize = 408 << 10;
/// The size from which the headers of a reply over HTTP/2 are refused. As RFC 9113 counts it, it is 32 bytes for each
/// header, its name and its value.
const MAX_HTTP2_HEAD_LEN: u32 = 16 << 10;

/// A pool of HTTP/1.1 and HTTP/2 connections; ALPN chooses the version. Clones share it. Its requests need a tokio
/// runtime with I/O and time. A connection ends with its runtime; the pool and its requests can go on with another
/// runtime.
///
/// The timeouts of a request are the [`Timeouts`] in its extensions, where a client puts them, or otherwise those for
/// the length of its body. The pool may detect a timeout late, so a phase can take up to twice its time before the
/// request fails. Its connection then gets no further request. A connection whose peer takes no bytes for a minute is
/// closed. The pool does not limit the number of requests in flight. On a slow link the caller has to, because the
/// requests share its bandwidth and each has its own deadlines.
///
/// A request with [`FreshConnection`] in its extensions goes over a new connection, which is not kept afterwards.
///
/// It follows no redirect. [`Pool::new`] connects directly; the connector of [`Pool::with_connector`] may use a proxy.
/// The pool of a client from [`Client::builder`](crate::Client::builder) uses the proxy of the builder or of the
/// environment.
#[derive(Clone)]
pub struct Pool {
    client: legacy::Client<Connector, RequestBody>,
    /// The client for requests with [`FreshConnection`], which keeps no idle connection.
    fresh: legacy::Client<Connector, RequestBody>,
    user_agent: HeaderValue,
    /// The timeouts that replace those in a request's [`Timeouts`].
    timeouts: Arc<[(Phase, Duration)]>,
}

impl Pool {
    /// A pool whose TLS is by rustls with ring and trusts the roots of webpki-roots.
    #[must_use]
    pub fn new() -> Self {
        Self::from_connector(Connector::direct(default_tls()), MAX_IDLE_CONNECTIONS)
    }

    /// A pool of connections that `connect` opens: through a proxy, with certificates or to addresses of the caller's
    /// choice. `connect` gets a URI's scheme and authority, and has the time of the phases `resolve` and `connect`
    /// together.
    ///
    /// A connection on which bytes arrive while it is idle is closed when the runtime reports the bytes. If that is
    /// only after the next request has begun, they are read as its reply, unless the connection is of the type that the
    /// example opens: only there can the pool ask the socket itself.
    ///
    /// ```
    /// use hyper_rustls::HttpsConnector;
    /// use hyper_util::client::legacy::connect::{Connection as _, HttpConnector};
    /// use lark_hyper::{Connection, Pool};
    /// use tower::{BoxError, ServiceExt};
    ///
    /// fn pool(connector: HttpsConnector<HttpConnector>) -> Pool {
    ///     Pool::with_connector(move |uri| {
    ///         let opening = connector.clone().oneshot(uri);
    ///         async {
    ///             let io = opening.await?;
    ///             let is_http2 = io.connected().is_negotiated_h2();
    ///             Ok::<_, BoxError>(Connection::new(io).http2(is_http2))
    ///         }
    ///     })
    /// }
    /// ```
    #[must_use]
    pub fn with_connector<F, R, E>(connect: F) -> Self
    where
        F: Fn(Uri) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Connection, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        Self::from_connector(Connector::custom(connect), MAX_IDLE_CONNECTIONS)
    }

    pub(crate) fn from_connector(connector: Connector, idle: usize) -> Self {
        let mut builder = legacy::Client::builder(Executor::default());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            // This is shorter than the idle timeout of servers, since a request on a connection that they close is
            // lost.
            .pool_idle_timeout(Duration::from_secs(15))
            .pool_max_idle_per_host(idle)
            .http1_max_headers(MAX_HEADERS)
            .http1_max_buf_size(MAX_HTTP1_HEAD_LEN)
            .http2_max_header_list_size(MAX_HTTP2_HEAD_LEN)
            // Without pings a dead HTTP/2 connection would be used for as long as there are calls. The timeout of a
            // ping is long because a ping waits behind the data in flight on a slow link.
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(60));
        let client = builder.build(connector.clone());
        Self {
            client,
            fresh: builder.pool_max_idle_per_host(0).build(connector),
            user_agent: HeaderValue::from_static(USER_AGENT),
            timeouts: Arc::default(),
        }
    }

    pub(crate) fn with_user_agent(self, user_agent: HeaderValue) -> Self {
        Self { user_agent, ..self }
    }

    pub(crate) fn with_timeouts(self, timeouts: &[(Phase, Duration)]) -> Self {
        Self { timeouts: timeouts.into(), ..self }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl Service<Request<RequestBody>> for Pool {
    type Response = Response<ReplyBody>;
    type Error = TransportError;
    type Future = ReplyFuture;

    fn call(&self, mut request: Request<RequestBody>) -> ReplyFuture {
        request.headers_mut().entry(header::USER_AGENT).or_insert_with(|| self.user_agent.clone());
        let len = request.body().size_hint().lower();
        let progress = request.body().progress();
        let given = request.extensions().get::<Timeouts>();
        let timeouts = given.copied().unwrap_or(Timeouts::for_body_len(len));
        let timeouts = self
            .timeouts
            .iter()
            .fold(timeouts, |timeouts, (phase, time)| timeouts.with(*phase, *time));
        request.extensions_mut().insert(timeouts);
        let is_fresh = request.extensions().get::<FreshConnection>().is_some();
        let captured = capture_connection(&mut request);
        let client = if is_fresh { &self.fresh } else { &self.client };
        let reply = client.request(request);
        ReplyFuture { reply, captured, len, progress, timeouts, timer: None }
    }
}

/// Runs the tasks of the connections on the runtime of the caller, or, outside of a runtime, on the one before. A
/// request can be dropped outside of a runtime, and then hyper-util starts a task while it holds the lock of its pool.
#[derive(Clone, Default)]
struct Executor(Arc<Mutex<Option<Handle>>>);

impl<T> hyper::rt::Executor<T> for Executor
where
    T: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: T) {
        let current = Handle::try_current().ok();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = current.or_else(|| last.take());
        let runtime = last.clone();
        drop(last);
        if let Some(runtime) = runtime {
            drop(runtime.spawn(task));
        }
    }
}

/// The reply of a [`Pool`]'s request.
///
/// It may be polled on another runtime than before, even after the earlier one was dropped: a request in flight on a
/// connection of the dropped runtime then ends with an error.
#[derive(Debug)]
#[must_use = "a request is sent when its future is polled"]
pub struct ReplyFuture {
    reply: ResponseFuture,
    captured: CaptureConnection,
    /// The length of the request's body.
    len: u64,
    progress: BodyProgress,
    timeouts: Timeouts,
    /// The timer of the present phase. The first poll that is pending sets it.
    timer: Option<PhaseTimer>,
}

impl Future for ReplyFuture {
    type Output = Result<Response<ReplyBody>, TransportError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { reply, captured, len, progress, timeouts, timer } = &mut *self;
        if let Err(error) = Handle::try_current() {
            // Each connection is a task of the runtime.
            return Poll::Ready(Err(TransportError::Failed(error.into())));
        }
        let polled = TIMEOUTS.sync_scope(*timeouts, || Pin::new(reply).poll(context));
        if let Poll::Ready(reply) = polled {
            let reply = reply.map_err(failed)?;
            let is_http2 = reply.version() == Version::HTTP_2;
            return Poll::Ready(Ok(reply.map(|incoming| ReplyBody {
                incoming,
                captured: captured.clone(),
                deadline: Deadline::after(timeouts.recv_body),
                is_http2,
                is_over: false,
            })));
        }
        // The present phase. A request without a body goes from `Connect` to `RecvResponse`.
        let phase = || match progress.bytes() {
            _ if captured.connection_metadata().is_none() => Phase::Connect,
            taken if taken == *len => Phase::RecvResponse,
            0 => Phase::SendRequest,
            _ => Phase::SendBody,
        };
        let timer = timer.get_or_insert_with(|| PhaseTimer::new(phase(), timeouts));
        loop {
            ready!(timer.next_check.poll(context));
            let phase = phase();
            if phase != timer.phase {
                *timer = PhaseTimer::new(phase, timeouts);
            } else if timer.deadline <= Instant::now() {
                abandon(captured);
                return Poll::Ready(Err(TransportError::Timeout(phase)));
            } else {
                timer.set_next_check();
            }
        }
    }
}

/// Lets the connection get no further request. Its peer may be gone, or take no more requests. Those in flight go on.
fn abandon(captured: &CaptureConnection) {
    if let Some(connection) = &*captured.connection_metadata() {
        connection.poison();
    }
}

/// The shortest time between two checks of a phase. Without it, a timeout of zero would make the poll of a request
/// spin.
const MIN_CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// Measures the time of a phase. hyper does not report when the next phase begins, so the timer checks at intervals
/// that are not longer than the time of any later phase. A phase therefore takes at most twice its time.
#[derive(Debug)]
struct PhaseTimer {
    phase: Phase,
    deadline: Instant,
    check_interval: Duration,
    next_check: Deadline,
}

impl PhaseTimer {
    /// A timer for `phase`, which begins now.
    fn new(phase: Phase, timeouts: &Timeouts) -> Self {
        let Timeouts { resolve, connect, send_request, send_body, recv_response, .. } = *timeouts;
        let after_head = send_body.min(recv_response);
        let (time, later) = match phase {
            Phase::Connect => (resolve.saturating_add(connect), send_request.min(after_head)),
            Phase::SendRequest => (send_request, after_head),
            Phase::SendBody => (send_body, recv_response),
            _ => (recv_response, recv_response),
        };
        let check_interval = time.min(later).max(MIN_CHECK_INTERVAL);
        Self {
            phase,
            deadline: Instant::now() + time.min(MAX_TIMER),
            check_interval,
            next_check: Deadline::after(check_interval),
        }
    }

    /// Sets the next check to the end of the interval, or to the deadline if that is sooner.
    fn set_next_check(&mut self) {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let interval = self.check_interval.min(left).max(MIN_CHECK_INTERVAL);
        self.next_check = Deadline::after(interval);
    }
}

/// The error of a request; a timeout if one was its cause.
fn failed(error: legacy::Error) -> TransportError {
    let phase = causes(&error).find_map(|cause| match cause.downcast_ref() {
        Some(TransportError::Timeout(phase)) => Some(*phase),
        _ => None,
    });
    // The operating system has a timeout of its own for connecting.
    let is_late = |cause: &(dyn Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
    };
    match phase {
        Some(phase) => TransportError::Timeout(phase),
        None if error.is_connect() && causes(&error).any(is_late) => {
            TransportError::Timeout(Phase::Connect)
        }
        None => TransportError::Failed(without_debug_data(error.into())),
    }
}

/// The body of a [`Pool`]'s reply. It has to arrive within [`Timeouts::recv_body`], counted from the arrival of the
/// head.
///
/// It may be polled on another runtime, as [`ReplyFuture`], and also outside of a runtime, while another thread drives
/// the runtime of the connection or after that runtime has ended.
#[derive(Debug)]
pub struct ReplyBody {
    incoming: Incoming,
    captured: CaptureConnection,
    deadline: Deadline,
    is_http2: bool,
    /// Whether an error has ended the body.
    is_over: bool,
}

impl ReplyBody {
    /// Whether the body, of which hyper reports the end, is only a part. hyper also ends it if an HTTP/2 stream is
    /// reset with the code `NO_ERROR`. A server does that after an early reply, but a proxy may do it inside a reply.
    fn is_cut(&self) -> bool {
        self.is_http2
            && !self.incoming.is_end_stream()
            && self.incoming.size_hint().exact() != Some(0)
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let error = match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(None) if self.is_cut() => {
                TransportError::Failed("the stream was reset inside the reply".into())
            }
            Poll::Ready(frame) => return Poll::Ready(frame.map(|frame| Ok(frame?))),
            Poll::Pending => {
                ready!(self.deadline.poll(context));
                abandon(&self.captured);
                TransportError::Timeout(Phase::RecvBody)
            }
        };
        self.is_over = true;
        Poll::Ready(Some(Err(error)))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

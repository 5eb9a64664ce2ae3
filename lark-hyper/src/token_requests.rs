//! Token requests, which outlive the calls that send them.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, SystemTime};

use lark_proto::error::CallErrorKind;
use lark_proto::session::TokenRequestId;

use crate::exchange::{Exchange, Received, Transport};
use crate::shared_session::SharedSession;
use crate::sync::{AtomicBool, Mutex, MutexGuard};

/// The token requests in flight. Any call of the client polls them, after it has taken one out: no lock is held while
/// a service's code runs.
pub(crate) struct TokenRequests<S: Transport>(Mutex<InFlight<S>>);

struct InFlight<S: Transport> {
    requests: Vec<TokenRequest<S>>,
    /// The number of requests that calls are sending or have taken out.
    taken_out: usize,
}

pub(crate) struct TokenRequest<S: Transport> {
    pub(crate) id: TokenRequestId,
    exchange: Pin<Box<Exchange<S>>>,
    until: SystemTime,
    signal: Arc<Signal>,
}

/// The waker of a token request, which wakes two of the parked calls to poll it.
struct Signal {
    is_woken: AtomicBool,
    session: Arc<SharedSession>,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            self.session.wake_two();
        }
    }
}

impl<S: Transport> TokenRequests<S> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(InFlight { requests: Vec::new(), taken_out: 0 }))
    }

    /// The number of requests that can be taken out.
    pub(crate) fn len(&self) -> usize {
        self.lock().requests.len()
    }

    /// Whether there is no request, here or taken out.
    pub(crate) fn is_empty(&self) -> bool {
        let in_flight = self.lock();
        in_flight.requests.is_empty() && in_flight.taken_out == 0
    }

    /// Whether a request was woken and has not been polled since.
    pub(crate) fn is_woken(&self) -> bool {
        self.lock().requests.iter().any(TokenRequest::is_woken)
    }

    /// Notes that a call may send a request, which it then [puts](Self::put) here.
    pub(crate) fn begin(&self) {
        self.lock().taken_out += 1;
    }

    /// Takes out a request that was woken or whose deadline has passed.
    pub(crate) fn take(&self, now: SystemTime) -> Option<TokenRequest<S>> {
        let mut in_flight = self.lock();
        let is_due = |request: &TokenRequest<S>| request.is_woken() || request.until <= now;
        let at = in_flight.requests.iter().position(is_due)?;
        in_flight.taken_out += 1;
        Some(in_flight.requests.swap_remove(at))
    }

    /// Puts a request here that was begun or taken out.
    pub(crate) fn put(&self, request: TokenRequest<S>) {
        let mut in_flight = self.lock();
        in_flight.taken_out -= 1;
        in_flight.requests.push(request);
    }

    /// Notes that a request that was begun or taken out is over, or was not sent.
    pub(crate) fn end(&self) {
        self.lock().taken_out -= 1;
    }

    fn lock(&self) -> MutexGuard<'_, InFlight<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Transport> TokenRequest<S> {
    pub(crate) fn new(
        id: TokenRequestId,
        exchange: Exchange<S>,
        exchange_timeout: Duration,
        session: &Arc<SharedSession>,
    ) -> Self {
        let now = session.clock.now();
        let until = now.checked_add(exchange_timeout).unwrap_or(now);
        let signal = Signal { is_woken: AtomicBool::new(true), session: session.clone() };
        Self { id, exchange: Box::pin(exchange), until, signal: Arc::new(signal) }
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.signal.is_woken.load(Ordering::Acquire)
    }

    pub(crate) fn poll(&mut self, now: SystemTime) -> Poll<Received<S::Error>> {
        // This is a swap and not a store: it acquires the writes before the wake that it clears, so that the poll sees
        // them.
        self.signal.is_woken.swap(false, Ordering::AcqRel);
        let waker = Waker::from(self.signal.clone());
        let outcome = self.exchange.as_mut().poll(&mut Context::from_waker(&waker));
        if outcome.is_pending() && self.until <= now {
            return Poll::Ready(self.exchange.as_mut().end(CallErrorKind::Deadline));
        }
        outcome
    }
}

//! A call in progress: its steps, its place among the parked calls, and the token requests that it polls.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use lark_proto::error::CallErrorKind;
use lark_proto::session::{Call, Event, Outgoing, Purpose, Step, TokenRequestId};

use crate::error::CallError;
use crate::exchange::{Exchange, Received, Transport};
use crate::shared_session::SharedSession;
use crate::token_requests::{TokenRequest, TokenRequests};

/// The longest time between two polls of a call that waits while a token request is in flight.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The state that the clones of a client share.
pub(crate) struct Shared<S: Transport> {
    pub(crate) session: Arc<SharedSession>,
    pub(crate) token_requests: TokenRequests<S>,
}

/// Carries out the steps of `call` until it is done.
pub(crate) async fn run<O, S: Transport>(
    service: &S,
    shared: &Shared<S>,
    reply_limit: Option<u64>,
    call: Call<O, S::Error>,
) -> Result<O, CallError<S::Error>> {
    let Shared { session, token_requests } = shared;
    let mut guard = CallGuard { call, shared, taken_out: None };
    loop {
        match poll_fn(|context| Poll::Ready(guard.next(context))).await {
            Step::Send(outgoing) => {
                let Outgoing { purpose, call_timeout, exchange_timeout, .. } = outgoing;
                let limit = outgoing.reply_limit;
                if let Purpose::Token(id) = purpose {
                    let exchange = Exchange::new(service, outgoing, limit);
                    token_requests.put(TokenRequest::new(id, exchange, exchange_timeout, session));
                    guard.taken_out = None;
                    continue;
                }
                let limit = reply_limit.unwrap_or(limit);
                let mut exchange = pin!(Exchange::new(service, outgoing, limit));
                let reply = poll_fn(|context| {
                    guard.poll_token_requests_during_exchange(context);
                    exchange.as_mut().poll(context)
                });
                let received = session.clock.timeout(call_timeout, reply).await;
                let late = || exchange.end(CallErrorKind::Deadline);
                guard.answered(received.unwrap_or_else(late));
            }
            Step::Wait(time) => guard.wait(time).await,
            Step::Done(result) => return result,
        }
    }
}

/// A call in progress. It leaves every queue when it is dropped, with its future or by a panic of the service.
struct CallGuard<'a, O, S: Transport> {
    call: Call<O, S::Error>,
    shared: &'a Shared<S>,
    /// The token request that this call is sending or polling. A panic of the service or a subscriber drops the
    /// request.
    taken_out: Option<TokenRequestId>,
}

impl<O, S: Transport> CallGuard<'_, O, S> {
    fn next(&mut self, context: &Context<'_>) -> Step<O, S::Error> {
        let Shared { session, token_requests } = self.shared;
        // A call that waits because of this step has to find the request counted.
        token_requests.begin();
        let mut step = session.next(&mut self.call, context.waker());
        match step {
            Step::Send(Outgoing { purpose: Purpose::Token(id), .. }) => self.taken_out = Some(id),
            _ => token_requests.end(),
        }
        let start = session.clock.now();
        self.call.events().iter().for_each(Event::trace);
        if let Step::Wait(time) = &mut step {
            // A subscriber, or the drop of an error, may have taken a while.
            let taken = session.clock.now().duration_since(start).unwrap_or_default();
            *time = time.saturating_sub(taken);
        }
        step
    }

    /// Reports the result of the request in flight.
    fn answered(&mut self, result: Received<S::Error>) {
        let session = &self.shared.session;
        match result {
            Ok(reply) => {
                let parsed = self.call.read(reply);
                session.report(&mut self.call, |call, session, now| {
                    call.received(session, now, parsed);
                });
            }
            Err(failure) => {
                session.report(&mut self.call, |call, session, now| {
                    call.failed(session, now, failure);
                });
            }
        }
        self.call.events().iter().for_each(Event::trace);
    }

    /// Waits for `time`, or until the call is to take a step. While a token request is in flight, the call polls at
    /// least once a second, because the calls that are woken for that may belong to futures that are not polled.
    async fn wait(&mut self, time: Duration) {
        let Shared { session, token_requests } = self.shared;
        let start = session.clock.now();
        loop {
            let waited = session.clock.now().duration_since(start).unwrap_or_default();
            let left = time.saturating_sub(waited);
            let slice = if token_requests.is_empty() { left } else { left.min(POLL_INTERVAL) };
            let woken = poll_fn(|context| self.poll_woken(context));
            let is_woken = session.clock.timeout(slice, woken).await.is_some();
            if is_woken || slice == left {
                return;
            }
        }
    }

    /// Ready when the session has woken the waiting call, or when the token request that it drives is over.
    fn poll_woken(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(id) = self.call.id() else { return Poll::Ready(()) };
        if !self.shared.session.is_parked(id, context.waker()) {
            return Poll::Ready(());
        }
        let own = self.call.token_request();
        let is_over = self.poll_token_requests(context, own);
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Polls the token requests while the call's own request is in flight. A service that handles one request at a time
    /// answers the call's own request only after a token request that is already in flight. The call is also parked, to
    /// be woken later: another call may be polling a token request now, or send one later.
    fn poll_token_requests_during_exchange(&mut self, context: &mut Context<'_>) {
        let Some(id) = self.call.id() else { return };
        self.shared.session.park(id, context.waker());
        self.poll_token_requests(context, None);
    }

    /// Polls the token requests that were woken, and returns whether `own`, which the call drives, is over.
    fn poll_token_requests(
        &mut self,
        context: &mut Context<'_>,
        own: Option<TokenRequestId>,
    ) -> bool {
        let Shared { session, token_requests } = self.shared;
        let mut is_over = false;
        for _ in 0..token_requests.len() {
            let now = session.clock.now();
            let Some(mut request) = token_requests.take(now) else { break };
            let id = request.id;
            self.taken_out = Some(id);
            match request.poll(now) {
                Poll::Pending => {
                    token_requests.put(request);
                    self.taken_out = None;
                    continue;
                }
                Poll::Ready(result) if own == Some(id) => {
                    self.answered(result);
                    is_over = true;
                }
                Poll::Ready(result) => {
                    // A failure is dropped after the session is released, because that runs the service's code.
                    let event = match result {
                        Ok(reply) => {
                            session.with(|session, now| session.token_received(id, now, reply))
                        }
                        Err(failure) => {
                            session.with(|session, now| session.token_failed(id, now, &failure))
                        }
                    };
                    if cfg!(feature = "tracing") {
                        event.iter().for_each(Event::trace);
                    }
                }
            }
            token_requests.end();
            self.taken_out = None;
        }
        if token_requests.is_woken() {
            // The request was woken while this call had taken it out, so the calls that were woken to poll it did not
            // find it.
            context.waker().wake_by_ref();
            session.wake_two();
        }
        is_over
    }
}

impl<O, S: Transport> Drop for CallGuard<'_, O, S> {
    fn drop(&mut self) {
        let Shared { session, token_requests } = self.shared;
        let abandoned = self.taken_out;
        if abandoned.is_some() {
            token_requests.end();
        }
        if self.call.id().is_some() || abandoned.is_some() {
            session.report(&mut self.call, |call, session, now| {
                call.cancel(session);
                if let Some(request) = abandoned {
                    session.token_dropped(request, now);
                }
            });
        }
        if token_requests.is_woken() {
            session.wake_two();
        }
    }
}

#[cfg(all(test, lark_loom))]
mod models;

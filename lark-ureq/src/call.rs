//! A call in progress: its steps, its requests, and its place among the parked threads.

use lark_proto::session::{Call, Event, Outgoing, Purpose, Step};

use crate::CallError;
use crate::exchange::{self, Received};
use crate::shared_session::SharedSession;

/// The state that the clones of a client share.
pub(crate) struct Shared {
    pub(crate) agent: ureq::Agent,
    /// Whether the agent lacks the TLS that the site needs. ureq would panic if another crate of the build enabled its
    /// `native-tls`, or its rustls without roots or without a crypto provider.
    pub(crate) lacks_tls: bool,
    pub(crate) session: SharedSession,
}

/// Carries out the steps of `call` until it is done.
pub(crate) fn run<O>(
    shared: &Shared,
    reply_limit: Option<u64>,
    call: Call<O, ureq::Error>,
) -> Result<O, CallError> {
    let Shared { agent, lacks_tls, session } = shared;
    CallGuard { call, session }.run(|outgoing| {
        let own_limit = reply_limit.filter(|_| outgoing.purpose == Purpose::Call);
        let limit = own_limit.unwrap_or(outgoing.reply_limit);
        exchange::send(agent, *lacks_tls, &session.clock, outgoing, limit)
    })
}

/// A call in progress. It leaves every queue when it is dropped, even by a panic of a middleware or a subscriber.
struct CallGuard<'a, O> {
    call: Call<O, ureq::Error>,
    session: &'a SharedSession,
}

impl<O> CallGuard<'_, O> {
    /// Takes the steps of the call until it is done.
    fn run(&mut self, send: impl Fn(Outgoing) -> Received) -> Result<O, CallError> {
        loop {
            match self.next() {
                Step::Send(outgoing) => self.answered(send(outgoing)),
                Step::Wait(_) => {}
                Step::Done(result) => return result,
            }
        }
    }

    /// Takes the next step. If that is a wait, returns when it is over.
    fn next(&mut self) -> Step<O, ureq::Error> {
        let Self { call, session } = self;
        let step = session.next(call);
        let events = call.events();
        match step {
            Step::Wait(time) => session.park(call.id(), time, &events),
            Step::Send(_) | Step::Done(_) => events.iter().for_each(Event::trace),
        }
        step
    }

    /// Reports the result of the request in flight.
    fn answered(&mut self, result: Received) {
        let Self { call, session } = self;
        match result {
            Ok(reply) => {
                let parsed = call.read(reply);
                session.with(|session, now| call.received(session, now, parsed));
            }
            Err(failure) => session.with(|session, now| call.failed(session, now, failure)),
        }
        call.events().iter().for_each(Event::trace);
    }
}

impl<O> Drop for CallGuard<'_, O> {
    fn drop(&mut self) {
        self.session.cancel(&mut self.call);
    }
}

#[cfg(all(test, lark_loom))]
mod models;

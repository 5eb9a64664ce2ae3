//! Calls that a test holds and steps itself, on the session and the clock of a simulation. `sends`, `fetches`, `waits`
//! and `ends` take one step, and panic if it is not the step that the method is named after.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use lark_proto::CallError;
use lark_proto::error::CallErrorKind;
use lark_proto::session::{
    Call, CallId, Outgoing, Permanence, Purpose, Session, Step, TokenRequestId, TransportFailure,
};

use super::{Cut, Sim};

/// A simulation without a service, whose calls are all stepped by hand.
pub(crate) type ByHand = Sim<'static, ()>;

impl ByHand {
    pub(crate) fn by_hand(session: Session) -> Self {
        Self::new(session, |_, _| panic!("a request reached a simulation without a service"))
    }
}

impl<O> Sim<'_, O> {
    pub(crate) fn next<P>(&mut self, call: &mut Call<P, Cut>) -> Step<P, Cut> {
        let now = self.clock();
        call.next(&mut self.session, now)
    }

    fn outgoing<P>(&mut self, call: &mut Call<P, Cut>) -> Outgoing {
        match self.next(call) {
            Step::Send(outgoing) => outgoing,
            Step::Wait(time) => panic!("the call waits for {time:?} and sends nothing"),
            Step::Done(result) => panic!("the call ends: {:?}", result.err()),
        }
    }

    /// The call sends its own request.
    pub(crate) fn sends<P>(&mut self, call: &mut Call<P, Cut>) -> Outgoing {
        let outgoing = self.outgoing(call);
        assert_eq!(outgoing.purpose, Purpose::Call);
        outgoing
    }

    /// The call sends a token request.
    pub(crate) fn fetches<P>(&mut self, call: &mut Call<P, Cut>) -> TokenRequestId {
        match self.outgoing(call).purpose {
            Purpose::Token(id) => id,
            purpose => panic!("the call sends {purpose:?} and no token request"),
        }
    }

    pub(crate) fn waits<P>(&mut self, call: &mut Call<P, Cut>) -> Duration {
        match self.next(call) {
            Step::Wait(time) => time,
            Step::Send(outgoing) => panic!("the call sends {outgoing:?}"),
            Step::Done(result) => panic!("the call ends: {:?}", result.err()),
        }
    }

    /// The call ends with an error.
    pub(crate) fn ends<P>(&mut self, call: &mut Call<P, Cut>) -> CallError<Cut> {
        match self.next(call) {
            Step::Done(Err(error)) => error,
            Step::Done(Ok(_)) => panic!("the call succeeds"),
            Step::Send(outgoing) => panic!("the call sends {outgoing:?}"),
            Step::Wait(time) => panic!("the call waits for {time:?} and does not end"),
        }
    }

    /// The request that the call has in flight gets this reply.
    pub(crate) fn answers<P>(&mut self, call: &mut Call<P, Cut>, reply: Response<Bytes>) {
        let parsed = call.read(reply);
        let now = self.clock();
        call.received(&mut self.session, now, parsed);
    }

    /// The connection of the request that the call has in flight breaks before its body.
    pub(crate) fn breaks<P>(&mut self, call: &mut Call<P, Cut>, permanence: Permanence) {
        let now = self.clock();
        let failure = TransportFailure::new(CallErrorKind::Transport(Cut), 0, permanence);
        call.failed(&mut self.session, now, failure);
    }

    /// The calls that the session has woken since this method was last called.
    pub(crate) fn woken(&mut self) -> Vec<CallId> {
        self.session.woken().collect()
    }
}

//! A session whose calls are stepped by hand: each method is one step, and says which it has to be.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Response;
use lark_proto::error::CallErrorKind;
use lark_proto::session::{
    Broken, Call, CallId, Permanence, Purpose, Session, Step, TokenRequestId,
};
use lark_proto::{CallError, Limits};
use serde::de::IgnoredAny;

use crate::remote::{limited, secs, session, token, upload};
use crate::sim::Cut;

pub(crate) type Upload = Call<IgnoredAny, Cut>;

/// A session and the time.
pub(crate) struct Hand {
    pub(crate) session: Session,
    pub(crate) now: Duration,
}

impl Hand {
    pub(crate) fn new() -> Self {
        Self { session: session(), now: Duration::ZERO }
    }

    /// A session with a token that it has for two hours.
    pub(crate) fn with_token() -> Self {
        let mut hand = Self::new();
        let upload = upload();
        let mut call = Call::new(&upload);
        hand.fetches(&mut call);
        hand.answers(&mut call, token("t-1"));
        call.cancel(&mut hand.session);
        assert!(hand.named().is_empty());
        hand
    }

    pub(crate) fn clock(&self) -> SystemTime {
        UNIX_EPOCH + secs(1_800_000_000) + self.now
    }

    pub(crate) fn step(&mut self, call: &mut Upload) -> Step<IgnoredAny, Cut> {
        let now = self.clock();
        call.next(&mut self.session, now)
    }

    pub(crate) fn sends(&mut self, call: &mut Upload) {
        let step = self.step(call);
        assert!(matches!(&step, Step::Send(it) if it.purpose == Purpose::Call), "{step:?}");
    }

    pub(crate) fn fetches(&mut self, call: &mut Upload) -> TokenRequestId {
        match self.step(call) {
            Step::Send(outgoing) => match outgoing.purpose {
                Purpose::Token(id) => id,
                purpose => panic!("{purpose:?}"),
            },
            step => panic!("{step:?}"),
        }
    }

    pub(crate) fn waits(&mut self, call: &mut Upload) -> Duration {
        match self.step(call) {
            Step::Wait(time) => time,
            step => panic!("{step:?}"),
        }
    }

    pub(crate) fn ends(&mut self, call: &mut Upload) -> CallError<Cut> {
        match self.step(call) {
            Step::Done(result) => result.unwrap_err(),
            step => panic!("{step:?}"),
        }
    }

    pub(crate) fn answers(&mut self, call: &mut Upload, reply: Response<Bytes>) {
        let parsed = call.read(reply);
        let now = self.clock();
        call.received(&mut self.session, now, parsed);
    }

    pub(crate) fn breaks(&mut self, call: &mut Upload, permanence: Permanence) {
        let now = self.clock();
        let broken = Broken::new(CallErrorKind::Transport(Cut), 0, permanence);
        call.broken(&mut self.session, now, broken);
    }

    pub(crate) fn named(&mut self) -> Vec<CallId> {
        self.session.woken().collect()
    }

    /// Has a call wait in a queue behind others.
    pub(crate) fn queue(&mut self, mut call: Upload) -> Upload {
        self.waits(&mut call);
        call
    }

    /// Closes the gate of the route for `reset` seconds, and has `calls` wait there.
    pub(crate) fn close<const N: usize>(
        &mut self,
        reset: &str,
        mut first: Upload,
        calls: [Upload; N],
    ) -> [Upload; N] {
        self.sends(&mut first);
        self.answers(&mut first, limited(reset));
        first.cancel(&mut self.session);
        let calls = calls.map(|call| self.queue(call));
        assert!(self.named().is_empty());
        calls
    }
}

pub(crate) fn id(call: &Upload) -> CallId {
    call.id().unwrap()
}

pub(crate) fn total(seconds: u64) -> Limits {
    Limits::default().total(secs(seconds))
}

//! Both clients behind one face: a call, and its failure without the transport's type.

use std::sync::OnceLock;
use std::time::Duration;

use lark_hyper::TransportError;
use lark_proto::error::{CallErrorKind, Outcome};
use lark_proto::network::ClientBuilder;
use lark_proto::session::Phase;
use lark_proto::token::Authorizes;
use lark_proto::{App, CallError, Endpoint, Error, Limits, Site};
use lark_ureq::ureq;
use tokio::runtime::Runtime;

/// The deadline of the calls, unless a test sets another one. A call that is not stalled takes milliseconds.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

/// One of the two clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    Ureq,
    Hyper,
}

pub(super) const CALLERS: [Caller; 2] = [Caller::Ureq, Caller::Hyper];

/// The failure of a call.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    pub(super) kind: Kind,
    pub(super) outcome: Outcome,
}

/// The kind of a failure that a fault of the network can cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The transport failed, but not by a timeout.
    Transport,
    Timeout(Phase),
    Deadline,
    TooLarge(u64),
    /// A refusal with this code.
    Refused(i64),
    /// An unreadable reply with this status.
    Unreadable(u16),
    /// No fault of the network causes it.
    Other,
}

/// The settings of a client.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) limits: Limits,
    pub(super) timeouts: Vec<(Phase, Duration)>,
    pub(super) roots: Option<String>,
}

impl Setup {
    /// One attempt with the default timeouts.
    pub(super) fn once() -> Self {
        let limits = Limits::one_attempt().total(DEADLINE);
        Self { limits, timeouts: Vec::new(), roots: None }
    }

    pub(super) fn timeout(mut self, phase: Phase, time: Duration) -> Self {
        self.timeouts.push((phase, time));
        self
    }

    fn apply<C>(&self, builder: ClientBuilder<C>) -> ClientBuilder<C> {
        let builder = builder.no_proxy().limits(self.limits);
        let set = |builder: ClientBuilder<C>, (phase, time): &(Phase, Duration)| {
            builder.timeout(*phase, *time)
        };
        let builder = self.timeouts.iter().fold(builder, set);
        match &self.roots {
            Some(pem) => builder.roots(pem.as_bytes()),
            None => builder,
        }
    }
}

/// A client for several calls.
pub(super) enum Client {
    Ureq(lark_ureq::Client),
    Hyper(Box<lark_hyper::Client>),
}

impl Caller {
    pub(super) fn client(self, site: &Site, setup: &Setup) -> Client {
        match self {
            Self::Ureq => {
                let builder = lark_ureq::Client::builder(site.clone(), App::None);
                Client::Ureq(setup.apply(builder).build().unwrap())
            }
            Self::Hyper => {
                let builder = lark_hyper::Client::builder(site.clone(), App::None);
                Client::Hyper(Box::new(setup.apply(builder).build().unwrap()))
            }
        }
    }

    /// One call of a new client.
    pub(super) fn call<E: Endpoint>(
        self,
        site: &Site,
        setup: &Setup,
        token: &impl Authorizes<E::Auth>,
        endpoint: &E,
    ) -> Result<E::Output, Failed> {
        self.client(site, setup).call(token, endpoint)
    }
}

impl Client {
    pub(super) fn call<E: Endpoint>(
        &self,
        token: &impl Authorizes<E::Auth>,
        endpoint: &E,
    ) -> Result<E::Output, Failed> {
        match self {
            Self::Ureq(client) => {
                let result = client.call_as(token, endpoint);
                result.map_err(|error| Failed::new(&error, Kind::of_ureq))
            }
            Self::Hyper(client) => {
                let result = runtime().block_on(client.call_as(token, endpoint));
                result.map_err(|error| Failed::new(&error, Kind::of_hyper))
            }
        }
    }
}

/// The runtime of every async client: the connections of a call live on when its thread is done with it.
pub(super) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap()
    })
}

impl Failed {
    pub(super) fn new<T>(error: &CallError<T>, of: fn(&T) -> Kind) -> Self {
        let kind = match &error.kind {
            CallErrorKind::Transport(error) => of(error),
            CallErrorKind::Deadline => Kind::Deadline,
            CallErrorKind::TooLarge { limit } => Kind::TooLarge(*limit),
            CallErrorKind::Lark(Error::Api(api)) => Kind::Refused(api.code.0),
            CallErrorKind::Lark(Error::Unreadable(reply)) => {
                Kind::Unreadable(reply.status.as_u16())
            }
            _ => Kind::Other,
        };
        Self { kind, outcome: error.outcome() }
    }
}

impl Kind {
    pub(super) fn of_ureq(error: &ureq::Error) -> Self {
        let ureq::Error::Timeout(timeout) = error else { return Self::Transport };
        match timeout {
            ureq::Timeout::Resolve => Self::Timeout(Phase::Resolve),
            ureq::Timeout::Connect => Self::Timeout(Phase::Connect),
            ureq::Timeout::SendRequest => Self::Timeout(Phase::SendRequest),
            ureq::Timeout::SendBody => Self::Timeout(Phase::SendBody),
            ureq::Timeout::RecvResponse => Self::Timeout(Phase::RecvResponse),
            ureq::Timeout::RecvBody => Self::Timeout(Phase::RecvBody),
            _ => Self::Other,
        }
    }

    pub(super) fn of_hyper(error: &TransportError) -> Self {
        match error {
            TransportError::Timeout(phase) => Self::Timeout(*phase),
            _ => Self::Transport,
        }
    }
}

//! The timeouts of the phases of an exchange.

use std::fmt;
use std::time::Duration;

/// The timeout of each [`Phase`] of an exchange.
///
/// A phase that takes longer is a failure of the transport: report
/// [`CallErrorKind::Transport`](crate::error::CallErrorKind::Transport) with the transport's timeout error, and
/// [`Permanence::Transient`](super::Permanence::Transient).
/// [`CallErrorKind::Deadline`](crate::error::CallErrorKind::Deadline) is only for the end of
/// [`Outgoing::call_timeout`](super::Outgoing::call_timeout) or
/// [`Outgoing::exchange_timeout`](super::Outgoing::exchange_timeout), whatever the phase is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// The timeout for resolving the host name: 10 s.
    pub resolve: Duration,
    /// The timeout for connecting, including the tunnel of a proxy and TLS: 10 s.
    pub connect: Duration,
    /// The timeout for sending the request's head: 30 s.
    pub send_request: Duration,
    /// The timeout for sending the body: 30 s, and a second for each 64 KiB of the body.
    pub send_body: Duration,
    /// The timeout for the head of the reply: two minutes, and a second for each 64 KiB of the request's body. The
    /// service can take a minute to write a cell.
    pub recv_response: Duration,
    /// The timeout for receiving the reply's body: 30 s.
    pub recv_body: Duration,
}

impl Timeouts {
    /// The timeouts of a request whose body has `len` bytes.
    #[must_use]
    pub fn for_body_len(len: u64) -> Self {
        // The slowest supported upload has a rate of 64 KiB per second.
        let upload = Duration::from_secs(len >> 16);
        Self {
            resolve: Duration::from_secs(10),
            connect: Duration::from_secs(10),
            send_request: Duration::from_secs(30),
            send_body: Duration::from_secs(30) + upload,
            recv_response: Duration::from_secs(120) + upload,
            recv_body: Duration::from_secs(30),
        }
    }

    /// The same timeouts, except that of `phase`, which is `time`.
    #[must_use]
    pub fn with(mut self, phase: Phase, time: Duration) -> Self {
        *match phase {
            Phase::Resolve => &mut self.resolve,
            Phase::Connect => &mut self.connect,
            Phase::SendRequest => &mut self.send_request,
            Phase::SendBody => &mut self.send_body,
            Phase::RecvResponse => &mut self.recv_response,
            Phase::RecvBody => &mut self.recv_body,
        } = time;
        self
    }

    /// The timeout of `phase`.
    #[must_use]
    pub fn get(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Resolve => self.resolve,
            Phase::Connect => self.connect,
            Phase::SendRequest => self.send_request,
            Phase::SendBody => self.send_body,
            Phase::RecvResponse => self.recv_response,
            Phase::RecvBody => self.recv_body,
        }
    }
}

/// A part of an exchange that has its own timeout. The names are those of ureq's timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Resolving the host name.
    Resolve,
    /// Connecting: TCP, the tunnel of a proxy, and TLS.
    Connect,
    /// Sending the request's head.
    SendRequest,
    /// Sending the request's body.
    SendBody,
    /// Waiting for the head of the reply.
    RecvResponse,
    /// Receiving the reply's body.
    RecvBody,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolving the host name",
            Self::Connect => "connecting",
            Self::SendRequest => "sending the request's head",
            Self::SendBody => "sending the request's body",
            Self::RecvResponse => "the server's reply",
            Self::RecvBody => "receiving the reply's body",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PHASES: [Phase; 6] = [
        Phase::Resolve,
        Phase::Connect,
        Phase::SendRequest,
        Phase::SendBody,
        Phase::RecvResponse,
        Phase::RecvBody,
    ];

    #[test]
    fn each_phase_has_a_name_of_its_own() {
        let names = PHASES.map(|phase| phase.to_string());
        assert_eq!(names[1], "connecting");
        let different: BTreeSet<&String> = names.iter().collect();
        assert_eq!(different.len(), PHASES.len());
    }

    #[test]
    fn a_timeout_is_set_for_its_phase_only() {
        let usual = Timeouts::for_body_len(0);
        let time = Duration::from_millis(7);
        for phase in PHASES {
            let timeouts = usual.with(phase, time);
            for other in PHASES {
                let expected = if other == phase { time } else { usual.get(other) };
                assert_eq!(timeouts.get(other), expected, "{phase:?} {other:?}");
                assert_ne!(usual.get(other), time);
            }
        }
    }
}

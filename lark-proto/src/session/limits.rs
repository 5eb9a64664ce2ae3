//! The limits of a call.

use std::time::Duration;

/// How long a call may take, and how often its request may be sent.
///
/// ```
/// use std::time::Duration;
/// use lark_proto::Limits;
///
/// let limits = Limits::default().total(Duration::from_secs(30)).attempts(2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "retry")]
#[doc(alias = "retries")]
#[doc(alias = "timeout")]
#[doc(alias = "deadline")]
pub struct Limits {
    pub(super) attempts: u32,
    /// `None` is the default, which grows with the body.
    pub(super) total: Option<Duration>,
    pub(super) longest_wait: Duration,
    pub(super) busy: Duration,
}

impl Limits {
    const DEFAULT: Self = Self {
        attempts: 4,
        total: None,
        longest_wait: Duration::from_secs(60),
        busy: Duration::from_secs(120),
    };

    /// Sends the call's own request once, whatever comes back. A token is still fetched where there is none, and the
    /// call still waits for its turn.
    ///
    /// The one exception is a spreadsheet on which an earlier write may still be running: the answer "busy" is then
    /// about that write, and the request is sent again.
    #[must_use]
    pub const fn one_attempt() -> Self {
        Self::DEFAULT.attempts(1)
    }

    /// How many times the call's own request may be sent; 4 by default, and 0 counts as 1.
    ///
    /// A request that the service refuses for its rate, or because the document is busy, costs no attempt: the other
    /// limits bound these waits. With `attempts` of 1 such a refusal ends the call, except as
    /// [`one_attempt`](Self::one_attempt) says. Token requests are the session's and have four attempts of their own.
    #[must_use]
    #[doc(alias = "retries")]
    pub const fn attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// The deadline of the call, counted from its first step. By default ten minutes, and a second more for each 64 KiB
    /// of the body; a value that is set here is not extended.
    ///
    /// A call ends before its deadline, with its last failure, if the wait before its next send would be over too late:
    /// it has to end before the deadline, with as much time left as the last send took until its answer. A refusal that
    /// names a wait beyond the deadline therefore ends the call at once.
    ///
    /// If `total` is less than [`longest_wait`](Self::longest_wait), a call that finds its route closed by the refusal
    /// of another call waits until its deadline and ends with [`Queued`](crate::error::CallErrorKind::Queued), even if
    /// the route opens later than that. With both set to the same time it ends at once, with that refusal, if the route
    /// stays closed for longer.
    #[must_use]
    #[doc(alias = "timeout")]
    #[doc(alias = "deadline")]
    pub const fn total(self, total: Duration) -> Self {
        Self { total: Some(total), ..self }
    }

    /// The limits of a further call that shares its deadline with calls that have taken `time`. A deadline that was
    /// never set counts as ten minutes.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        self.total(self.time(0).saturating_sub(time))
    }

    /// The longest wait that the service may ask for, 60 s by default. A call that would have to wait for longer,
    /// because the service said so to it or to another call, ends at once with the service's error, whose
    /// [`retry_after`](crate::CallError::retry_after) is the wait, or what is left of it. The wait for the ticket of a
    /// store app counts too: it takes up to 150 s.
    ///
    /// The gateway's rate refusal (code 99991400 or HTTP 429) closes the route for all calls of the client, for the
    /// named wait but for two minutes at most. When it opens again, it lets the calls pass one by one, at first with at
    /// most 200 ms between them and faster with time; after a minute without a refusal they pass freely.
    ///
    /// Time spent in queues (a spreadsheet's lane, a quota, a route that lets calls pass one by one) counts against
    /// [`total`](Self::total) alone.
    #[must_use]
    pub const fn longest_wait(self, longest_wait: Duration) -> Self {
        Self { longest_wait, ..self }
    }

    /// How long a call waits for a busy document, two minutes by default, counted from when the document became busy or
    /// the call joined its lane, whichever is later, and not while an earlier write may still be running. The service
    /// answers "busy" ([`Class::DocumentBusy`](crate::error::Class::DocumentBusy)) while a document is being loaded or
    /// imported, or while another write runs.
    #[must_use]
    pub const fn busy(self, busy: Duration) -> Self {
        Self { busy, ..self }
    }

    /// The time from the first step to the deadline of a call with a body of `len` bytes.
    pub(super) fn time(&self, len: u64) -> Duration {
        // 64 KiB a second is the slowest upload that has to succeed.
        let default = || Duration::from_secs(600_u64.saturating_add(len >> 16));
        self.total.unwrap_or_else(default)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_that_is_set_is_exact_and_the_default_grows_with_the_body() {
        let seconds = |limits: Limits, len| limits.time(len).as_secs();
        assert_eq!(seconds(Limits::default(), 0), 600);
        assert_eq!(seconds(Limits::default(), 10 << 20), 760);
        assert_eq!(seconds(Limits::default(), u64::MAX), 600 + (u64::MAX >> 16));
        assert_eq!(seconds(Limits::default().total(Duration::from_secs(5)), 10 << 20), 5);
    }

    #[test]
    fn a_further_call_has_the_rest_of_the_deadline() {
        let default = Limits::default().attempts(2);
        let set = default.total(Duration::from_secs(30));
        for (limits, spent, left) in [
            (default, 0, 600),
            (default, 1, 599),
            (default, 601, 0),
            (set, 20, 10),
            (set, 31, 0),
            (set.after(Duration::from_secs(20)), 5, 5),
        ] {
            let expected = default.total(Duration::from_secs(left));
            assert_eq!(limits.after(Duration::from_secs(spent)), expected, "{limits:?} {spent}");
        }
    }
}

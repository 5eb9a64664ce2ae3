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
#[doc(alias = "超时")]
#[doc(alias = "重试")]
pub struct Limits {
    pub(super) attempts: u32,
    /// `None` stands for the default, which grows with the body.
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

    /// The limits of a call that sends its own request once, whatever the reply is. The call still fetches a token if
    /// the session has none, and still waits in queues.
    ///
    /// There is one exception: if an earlier write to the spreadsheet may still be running, that write may be the cause
    /// of a reply "busy", and the request is sent again.
    #[must_use]
    pub const fn one_attempt() -> Self {
        Self::DEFAULT.attempts(1)
    }

    /// The number of times that the call's own request may be sent: 4 by default. 0 counts as 1.
    ///
    /// A request that the service refuses because of a rate limit, or because the document is busy, costs no attempt,
    /// because the other limits bound the wait. With a limit of one attempt, however, such a refusal ends the call; see
    /// [`one_attempt`](Self::one_attempt) for an exception. Token requests belong to the session and have four attempts
    /// of their own.
    #[must_use]
    #[doc(alias = "retries")]
    pub const fn attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// The time from the first step of the call to its deadline. The default is ten minutes, and a second more for each
    /// 64 KiB of the body. A time that is set here does not grow with the body.
    ///
    /// A call ends before its deadline, with its last failure, if another send could not be answered in time: a send is
    /// assumed to take as long as the last one. If the reply to the call's request asks to wait beyond the deadline,
    /// the call therefore ends at once.
    ///
    /// The service may also have asked another call, or a token request, to wait until after the deadline of this call.
    /// If that wait is longer than [`longest_wait`](Self::longest_wait), the call ends at once with the service's
    /// refusal. Otherwise the call waits until its deadline and ends with
    /// [`Queued`](crate::error::CallErrorKind::Queued). To end a new call at once in both cases, set `longest_wait` to
    /// at most `total`.
    #[must_use]
    #[doc(alias = "timeout")]
    #[doc(alias = "deadline")]
    pub const fn total(self, total: Duration) -> Self {
        Self { total: Some(total), ..self }
    }

    /// The limits of the next call under a shared deadline, after the earlier calls have taken `time`. The default of
    /// [`total`](Self::total) counts as ten minutes.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        self.total(self.time(0).saturating_sub(time))
    }

    /// The longest wait that the service may ask for: 60 s by default. A call that would have to wait for longer,
    /// because the service asked this call or another one to wait, ends at once with the service's error. Its
    /// [`retry_after`](crate::CallError::retry_after) is the rest of the wait. The wait for the ticket of a store app,
    /// which takes up to 150 s, is limited in the same way.
    ///
    /// If the gateway rate-limits a request (code 99991400 or HTTP 429), the route closes for all calls of the
    /// client with the same tenant or the same supplied token, for the wait that the service asks for, up to two
    /// minutes. It then reopens with slow start: at first, calls pass at intervals of at most 200 ms; the rate then
    /// grows, and is unlimited after a minute without a refusal. A refusal in slow start that asks for a wait of a
    /// second at most lowers the rate and does not close the route.
    ///
    /// The time that a call spends in queues (in a spreadsheet's lane, for a quota, or in slow start) does not count
    /// against this limit.
    #[must_use]
    pub const fn longest_wait(self, longest_wait: Duration) -> Self {
        Self { longest_wait, ..self }
    }

    /// The longest time that a call waits for a busy document: two minutes by default. It counts from when the document
    /// became busy or the call joined its lane, whichever is later; the time in which an earlier write may still be
    /// running does not count. The service answers "busy"
    /// ([`Class::DocumentBusy`](crate::error::Class::DocumentBusy)) while a document is being loaded or imported, or
    /// while another write runs. A request that is not idempotent is not sent again after 90235 or 1310235.
    #[must_use]
    pub const fn busy(self, busy: Duration) -> Self {
        Self { busy, ..self }
    }

    /// The time from the first step to the deadline of a call with a body of `len` bytes.
    pub(super) fn time(&self, len: u64) -> Duration {
        // The slowest supported upload has a rate of 64 KiB per second.
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
    fn the_default_total_grows_by_a_second_with_each_64_kib_of_the_body() {
        for (len, seconds) in [
            (0, 600),
            (65_535, 600),
            (65_536, 601),
            (65_537, 601),
            (131_071, 601),
            (131_072, 602),
            (10 << 20, 760),
            (u64::MAX, 600 + (u64::MAX >> 16)),
        ] {
            assert_eq!(Limits::default().time(len), Duration::from_secs(seconds), "{len}");
        }
    }

    #[test]
    fn a_total_that_is_set_does_not_grow_with_the_body() {
        let limits = Limits::default().total(Duration::from_secs(5));
        for len in [0, 65_536, 10 << 20, u64::MAX] {
            assert_eq!(limits.time(len), Duration::from_secs(5), "{len}");
        }
    }

    #[test]
    fn another_call_has_the_rest_of_the_deadline() {
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

//! What a failed reply says about trying again: pure verdicts, no clock and no counter.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

/// What to do after a failure, as far as the reply tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// The same request will fail again.
    GiveUp,
    /// The token was refused: get a new one and send once more.
    Renew,
    /// Send again later.
    Again {
        /// How long the service asks to wait; `None` where it does not say.
        after: Option<Duration>,
    },
}

/// How long a call may go on.
///
/// ```
/// let mut limits = lark_proto::Limits::default();
/// limits.total = std::time::Duration::from_secs(30);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How often the request is sent, the first time included; and how often a token's request may fail. 0 is
    /// as good as 1.
    pub attempts: u32,
    /// When the call gives up, from its first step: this, and a second for each 64 KiB of its body.
    pub total: Duration,
    /// The longest single wait. A call that is told to wait for longer ends with what it was told; what another
    /// call was told does not end it.
    pub longest_wait: Duration,
}

impl Limits {
    /// Sends once. A token is still fetched when there is none, and a call still waits its turn.
    #[must_use]
    pub const fn none() -> Self {
        Self { attempts: 1, ..Self::DEFAULT }
    }

    const DEFAULT: Self = Self {
        attempts: 4,
        total: Duration::from_secs(600),
        longest_wait: Duration::from_secs(60),
    };

    /// The wait after `failures` failures, where the service names none: half a second, doubled each time;
    /// `jitter` takes off up to a half of it.
    pub(crate) fn backoff(&self, failures: u32, jitter: u64) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let wait = Duration::from_millis(500).saturating_mul(doubled).min(self.longest_wait);
        // Another number for each failure, by the multiplier of splitmix64.
        let mixed = jitter.wrapping_add(u64::from(failures)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let [high, low, ..] = mixed.to_be_bytes();
        wait - wait / 2 * u32::from(u16::from_be_bytes([high, low])) / 65_536
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The longest wait that is taken from a header: a day. Absurd values are cut to it.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The wait that the service asks for: `x-ogw-ratelimit-reset` (documented, seconds, sometimes with
/// a fraction), else `Retry-After` in seconds. A date in `Retry-After` needs a clock and is not read.
pub(crate) fn after(headers: &HeaderMap) -> Option<Duration> {
    ["x-ogw-ratelimit-reset", "retry-after"].iter().find_map(|name| {
        let seconds: f64 = headers.get(*name)?.to_str().ok()?.trim().parse().ok()?;
        // 1e300 is a long wait; only what no wait can be (negative, NaN) is passed over.
        if seconds > LONGEST.as_secs_f64() {
            return Some(LONGEST);
        }
        Duration::try_from_secs_f64(seconds).ok()
    })
}

/// The verdict on a reply without a code of Lark's.
pub(crate) fn by_status(status: StatusCode, after: Option<Duration>) -> Advice {
    match status.as_u16() {
        429 | 502 | 503 | 504 => Advice::Again { after },
        _ => Advice::GiveUp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(reset: &'static str, retry_after: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert("x-ogw-ratelimit-reset", reset.parse().unwrap());
        headers.insert("retry-after", retry_after.parse().unwrap());
        after(&headers)
    }

    #[test]
    fn a_wait_is_read_and_bounded() {
        assert_eq!(wait("7", "9"), Some(Duration::from_secs(7)));
        assert_eq!(wait("0.25", "9"), Some(Duration::from_millis(250)));
        assert_eq!(wait("0", "9"), Some(Duration::ZERO));
        assert_eq!(wait("1e300", "9"), Some(LONGEST));
        assert_eq!(wait("inf", "9"), Some(LONGEST));
        for absurd in ["", "-1", "soon", "1,5", "-inf"] {
            assert_eq!(wait(absurd, " 9 "), Some(Duration::from_secs(9)), "{absurd}");
        }
        assert_eq!(wait("-1", "Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }

    #[test]
    fn not_a_number_is_no_wait() {
        assert_eq!(wait("NaN", "-1"), None);
    }
}

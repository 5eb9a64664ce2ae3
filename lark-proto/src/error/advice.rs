//! The retry advice of a failed reply. It depends on the reply alone: no clock and no counter is read.

use std::time::Duration;

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};

use super::date;

/// The next step after a failed reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "retry")]
pub enum Advice {
    /// The same request would fail again: do not send it again.
    GiveUp,
    /// The token was refused: fetch a new one and send the request once more.
    RenewToken,
    /// Send the request again later.
    Again {
        /// How long the service asks to wait, if it names a time.
        after: Option<Duration>,
    },
}

/// The longest wait that is taken from a header: a day. A longer wait is cut to a day.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The wait that the service asks for: the smaller of `x-ogw-ratelimit-reset` (documented, in seconds, sometimes
/// with a fraction) and `Retry-After` (seconds or a date). A header that cannot be read, or that names no wait (zero
/// seconds or a date that is past), is ignored. One reply of the service was seen with 120 seconds in one header and
/// 1 second in the other.
pub(crate) fn after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let reset = text(RESET).and_then(seconds);
    let retry_after =
        text(RETRY_AFTER).and_then(|wait| seconds(wait).or_else(|| until(wait, text(DATE)?)));
    reset.into_iter().chain(retry_after).filter(|wait| !wait.is_zero()).min()
}

/// The header in which the gateway names the wait.
const RESET: HeaderName = HeaderName::from_static("x-ogw-ratelimit-reset");

/// Reads a number of seconds, at most [`MAX_WAIT`]. `None` for a negative number and for words such as `NaN` and `inf`.
fn seconds(text: &str) -> Option<Duration> {
    // A number of Rust may have a sign.
    if let (false, Ok(seconds)) = (text.starts_with('+'), text.parse()) {
        return Some(Duration::from_secs(seconds).min(MAX_WAIT));
    }
    // The crate needs serde_json's parser of floats anyway; the one of the standard library would add 15 kB to a
    // program.
    let seconds: f64 = serde_json::from_slice(text.as_bytes()).ok()?;
    if seconds > MAX_WAIT.as_secs_f64() {
        return Some(MAX_WAIT);
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// The time from the reply's own `date` to the date `end`, at most [`MAX_WAIT`]; zero if `end` is past. It needs no
/// clock.
fn until(end: &str, date: &str) -> Option<Duration> {
    let left = date::seconds(end)? - date::seconds(date)?;
    Some(Duration::from_secs(u64::try_from(left).unwrap_or(0)).min(MAX_WAIT))
}

/// The advice on a reply without a code of Lark's, or with a code of [`Class::Unknown`](super::Class::Unknown).
pub(crate) fn by_status(status: StatusCode, after: Option<Duration>) -> Advice {
    match status.as_u16() {
        408 | 429 | 500..=599 => Advice::Again { after },
        _ => Advice::GiveUp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        after(&headers.collect())
    }

    fn both(reset: &'static str, retry_after: &'static str) -> Option<Duration> {
        wait(&[("x-ogw-ratelimit-reset", reset), ("retry-after", retry_after)])
    }

    #[test]
    fn the_smaller_wait_of_two_headers_counts() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(both("7", "9"), seconds(7));
        assert_eq!(both("120", "1"), seconds(1));
        assert_eq!(both("0.25", "9"), Some(Duration::from_millis(250)));
        assert_eq!(both("0", "9"), seconds(9));
        assert_eq!(both("60", "0"), seconds(60));
        assert_eq!(both("0", "0.0"), None);
        assert_eq!(wait(&[("x-ogw-ratelimit-reset", "7")]), seconds(7));
        assert_eq!(wait(&[("retry-after", "9")]), seconds(9));
        assert_eq!(wait(&[("retry-after", "09")]), seconds(9));
        assert_eq!(both("+7", "+9"), None);
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn a_wait_is_at_most_a_day() {
        for (text, seconds) in [
            ("86399", 86_399.0),
            ("86399.5", 86_399.5),
            ("86400", 86_400.0),
            ("86400.0", 86_400.0),
            ("86400.5", 86_400.0),
            ("86401", 86_400.0),
            ("18446744073709551616", 86_400.0),
            ("1e300", 86_400.0),
        ] {
            let expected = Some(Duration::from_secs_f64(seconds));
            assert_eq!(wait(&[("retry-after", text)]), expected, "{text}");
        }
    }

    #[test]
    fn a_wait_that_cannot_be_read_is_ignored() {
        for absurd in ["", "-1", "-0.5", "soon", "1,5", "inf", "-inf", "NaN"] {
            assert_eq!(both(absurd, " 9 "), Some(Duration::from_secs(9)), "{absurd}");
            assert_eq!(both("9", absurd), Some(Duration::from_secs(9)), "{absurd}");
            assert_eq!(both(absurd, absurd), None, "{absurd}");
        }
    }

    #[test]
    fn a_date_counts_from_the_replys_own_date() {
        let now = "Wed, 28 Feb 2024 23:59:00 GMT";
        for (end, date, left) in [
            ("Wed, 28 Feb 2024 23:59:30 GMT", now, Some(30)),
            ("Thu, 29 Feb 2024 00:01:00 GMT", now, Some(120)),
            ("Fri, 01 Mar 2024 23:59:00 GMT", now, Some(86_400)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", "Sat, 01 Jan 0000 00:00:00 GMT", Some(86_400)),
            (now, now, None),
            ("Wed, 28 Feb 2024 23:58:59 GMT", now, None),
            ("Sat, 01 Jan 0000 00:00:00 GMT", now, None),
            ("Thu, 30 Feb 2024 00:00:00 GMT", now, None),
            ("Thu, 29 Feb 2024 00:01:00 GMT", "Thu, 30 Feb 2024 00:00:00 GMT", None),
            ("Thu, 29 Feb 2024 00:01:00 GMT", "1709164740", None),
        ] {
            let left = left.map(Duration::from_secs);
            assert_eq!(wait(&[("retry-after", end), ("date", date)]), left, "{end} {date}");
        }
        assert_eq!(wait(&[("retry-after", now)]), None);
        let headers = [("x-ogw-ratelimit-reset", "120"), ("retry-after", now), ("date", now)];
        assert_eq!(wait(&headers), Some(Duration::from_secs(120)));
    }

    #[test]
    fn a_status_of_408_429_or_5xx_is_worth_another_attempt() {
        for status in 100..=999 {
            let advice = by_status(StatusCode::from_u16(status).unwrap(), None);
            let again = matches!(status, 408 | 429 | 500..600);
            assert_eq!(advice == Advice::Again { after: None }, again, "{status}");
        }
    }
}

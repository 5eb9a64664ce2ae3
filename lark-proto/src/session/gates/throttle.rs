//! The rate at which a gate admits requests after the service has rate-limited one.
//!
//! ```text
//!             rate-limited          the wait is over
//!  (open) --------------------> closed -----------> slow start --+
//!    ^                            ^                   | |   ^    |
//!    |                            | refused, with a   | |   |    |
//!    |                            | wait of over 1 s  | |   +----+
//!    |                            +-------------------+ |  refused:
//!    +--------- a minute without a refusal -------------+  0.85 of
//!                                                          the rate
//! ```
//!
//! The gate closes for the wait that the service asked for, or for a backoff if it asked for none. It reopens at 0.9 of
//! the rate that the service admitted in the last second before it closed, but at five requests a second at least. From
//! then on the rate grows by 5 % a second. A refusal lowers it to 0.85 of its value, but not more than once a second.
//! The rate grows with time and not with successes, because a write that takes a minute would otherwise hold up the
//! other calls.

use std::time::Duration;

use crate::error::Error;
use crate::session::moment::Moment;

pub(super) const SECOND: Duration = Duration::from_secs(1);
/// Slow start ends after this time without a refusal. The rate has grown by a factor of 18.7 by then.
const SLOW_START_TIME: Duration = Duration::from_secs(60);
/// A gate reopens at this fraction of the rate that the service admitted before the gate closed.
const REOPENING_FACTOR: f64 = 0.9;
/// The least rate at which a gate reopens, in requests a second. The rate that the service admits cannot be estimated
/// from fewer requests.
const MIN_REOPENING_RATE: f64 = 5.0;
/// The factor by which a refusal lowers the rate in slow start.
const REFUSAL_FACTOR: f64 = 0.85;
/// The factor by which the rate grows each second in slow start.
const GROWTH_PER_SECOND: f64 = 1.05;
/// The least rate in slow start, in requests a second, however often the service refuses.
const MIN_RATE: f64 = 0.9;

#[derive(Debug)]
pub(super) enum Throttle {
    Open,
    Closed {
        until: Moment,
        /// The latest end of the refusals' waits. Each counts as long as the service asked for, which may be longer
        /// than the gate is closed, or as long as the gate is closed if the service asked for no wait.
        named_until: Moment,
        /// The refusal whose wait ends at `named_until`.
        error: Error,
        /// The number of requests sent in the second before the gate closed.
        sent: u32,
        /// The number of them that the service refused. Refusals that arrive while the gate is closed count too.
        refused: u32,
    },
    SlowStart {
        /// The rate at `since`, in requests a second.
        rate: f64,
        /// The time when the gate reopened or the rate was last lowered.
        since: Moment,
        /// The earliest time of the next request.
        next: Moment,
    },
}

impl Throttle {
    /// Makes the state changes that depend on time alone.
    pub(super) fn advance(&mut self, now: Moment) {
        match *self {
            Self::Closed { until, sent, refused, .. } if until <= now => {
                let rate = reopening_rate(sent, refused);
                *self = Self::SlowStart { rate, since: until, next: until };
            }
            Self::SlowStart { since, .. } if now.since(since) >= SLOW_START_TIME => {
                *self = Self::Open;
            }
            _ => {}
        }
    }

    /// The time between two requests at the current rate.
    pub(super) fn interval(&self, now: Moment) -> Duration {
        match *self {
            Self::Open => Duration::ZERO,
            Self::Closed { sent, refused, .. } => SECOND.div_f64(reopening_rate(sent, refused)),
            Self::SlowStart { rate, since, .. } => {
                let age = now.since(since).min(SLOW_START_TIME);
                SECOND.div_f64(grown(rate, age))
            }
        }
    }

    /// The earliest time of the next request; [`Moment::START`] if the gate is open.
    pub(super) fn opens(&self) -> Moment {
        match *self {
            Self::Open => Moment::START,
            Self::Closed { until, .. } => until,
            Self::SlowStart { next, .. } => next,
        }
    }

    /// Notes that a request is sent now.
    pub(super) fn sent(&mut self, now: Moment) {
        let interval = self.interval(now);
        if let Self::SlowStart { next, .. } = self {
            *next = now.max(*next).saturating_add(interval);
        }
    }

    /// Notes that the service rate-limited a request. `sent` and `refused` are the numbers of the requests
    /// that were sent and refused in the last second.
    pub(super) fn refused(
        &mut self,
        wait: Duration,
        error: &Error,
        sent: u32,
        refused: u32,
        now: Moment,
    ) {
        let closes_until = now.saturating_add(wait);
        let named = now.saturating_add(error.retry_after().unwrap_or(wait));
        match self {
            Self::Closed { until, named_until, error: last, refused, .. } => {
                *refused += 1;
                *until = closes_until.max(*until);
                if named > *named_until {
                    *named_until = named;
                    *last = error.clone();
                }
            }
            Self::SlowStart { rate, since, .. } if wait <= SECOND => {
                let age = now.since(*since);
                if age >= SECOND {
                    *rate = (grown(*rate, age) * REFUSAL_FACTOR).max(MIN_RATE);
                    *since = now;
                }
            }
            Self::Open | Self::SlowStart { .. } => {
                let (until, error) = (closes_until, error.clone());
                *self = Self::Closed { until, named_until: named, error, sent, refused };
            }
        }
    }
}

/// The rate after `age` in slow start. It grows at each full second.
fn grown(rate: f64, age: Duration) -> f64 {
    rate * GROWTH_PER_SECOND.powi(i32::try_from(age.as_secs()).unwrap_or(0))
}

/// The rate at which a gate reopens, in requests a second. In the last second before it closed, `sent` requests were
/// sent, and the service refused `refused` of them.
fn reopening_rate(sent: u32, refused: u32) -> f64 {
    (REOPENING_FACTOR * f64::from(sent.saturating_sub(refused))).max(MIN_REOPENING_RATE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reply;
    use crate::session::test_time::{NANO, around, at, secs};

    fn error(code: u32) -> Error {
        let reply = format!(r#"{{"code":{code}}}"#);
        Reply::new(http::Response::new(reply.into())).ok().unwrap_err()
    }

    fn code(throttle: &Throttle) -> Option<i64> {
        let Throttle::Closed { error, .. } = throttle else { return None };
        error.api().map(|api| api.code.0)
    }

    /// A throttle in slow start since 10 s, with this rate.
    fn slow_start(rate: f64) -> Throttle {
        Throttle::SlowStart { rate, since: at(10), next: at(10) }
    }

    #[test]
    fn a_closed_throttle_reopens_after_the_wait() {
        for (now, is_closed) in around(at(10)).into_iter().zip([true, false, false]) {
            let mut throttle = Throttle::Open;
            throttle.refused(secs(10), &error(99_991_400), 1, 1, Moment::START);
            throttle.advance(now);
            assert_eq!(matches!(throttle, Throttle::Closed { .. }), is_closed, "{now:?}");
            assert_eq!(throttle.opens(), at(10));
        }
    }

    #[test]
    fn the_end_of_the_longest_requested_wait_is_kept() {
        let asks = |seconds| error(99_991_400).with_retry_after(secs(seconds));
        let mut throttle = Throttle::Open;
        throttle.refused(secs(120), &asks(3600), 1, 1, at(0));
        throttle.refused(secs(120), &asks(120), 1, 1, at(1));
        throttle.refused(secs(4), &error(99_991_400), 1, 1, at(119));
        let Throttle::Closed { until, named_until, error, .. } = throttle else { panic!() };
        assert_eq!((until, named_until), (at(123), at(3600)));
        assert_eq!(error.retry_after(), Some(secs(3600)));
    }

    #[test]
    fn a_throttle_reopens_at_nine_tenths_of_the_admitted_rate_and_at_five_a_second_at_least() {
        for (sent, refused, rate) in
            [(100, 20, 72.0), (6, 0, 5.4), (6, 1, 5.0), (5, 0, 5.0), (1, 1, 5.0), (1, 2, 5.0)]
        {
            let mut throttle = Throttle::Open;
            throttle.refused(SECOND, &error(99_991_400), sent, refused, Moment::START);
            let expected = SECOND.div_f64(rate);
            assert_eq!(throttle.interval(Moment::START), expected, "{sent} {refused}");
            throttle.advance(at(1));
            assert_eq!(throttle.interval(at(1)), expected, "{sent} {refused}");
        }
    }

    #[test]
    fn a_refusal_while_the_throttle_is_closed_lowers_the_rate_at_which_it_reopens() {
        let mut throttle = Throttle::Open;
        throttle.refused(SECOND, &error(99_991_400), 100, 1, Moment::START);
        for _ in 0..9 {
            throttle.refused(SECOND, &error(99_991_400), 0, 0, Moment::START);
        }
        assert_eq!(throttle.interval(Moment::START), SECOND.div_f64(81.0));
    }

    #[test]
    fn the_refusal_with_the_longest_wait_decides_when_the_throttle_reopens() {
        for (wait, until, last) in [
            (secs(5) - NANO, secs(5), 1),
            (secs(5), secs(5), 1),
            (secs(5) + NANO, secs(5) + NANO, 2),
        ] {
            let mut throttle = Throttle::Open;
            throttle.refused(secs(5), &error(1), 1, 1, Moment::START);
            throttle.refused(wait, &error(2), 1, 1, Moment::START);
            assert_eq!(throttle.opens(), Moment(until));
            assert_eq!(code(&throttle), Some(last));
        }
    }

    #[test]
    fn the_rate_grows_by_5_percent_with_each_full_second() {
        let throttle = slow_start(10.0);
        for (age, rate) in [
            (Duration::ZERO, 10.0),
            (SECOND - NANO, 10.0),
            (SECOND, 10.0 * 1.05),
            (secs(2) - NANO, 10.0 * 1.05),
            (secs(2), 10.0 * 1.05 * 1.05),
        ] {
            let interval = throttle.interval(at(10) + age).as_secs_f64();
            assert!((interval * rate - 1.0).abs() < 1e-6, "{age:?}: {interval}");
        }
    }

    #[test]
    fn slow_start_ends_after_a_minute_without_a_refusal() {
        for (now, is_open) in around(at(70)).into_iter().zip([false, true, true]) {
            let mut throttle = slow_start(10.0);
            throttle.advance(now);
            assert_eq!(matches!(throttle, Throttle::Open), is_open, "{now:?}");
        }
    }

    #[test]
    fn a_refusal_in_slow_start_lowers_the_rate_once_a_second_at_most() {
        for (now, is_lowered) in around(at(11)).into_iter().zip([false, true, true]) {
            let mut throttle = slow_start(10.0);
            throttle.refused(SECOND, &error(99_991_400), 1, 1, now);
            let Throttle::SlowStart { rate, since, .. } = throttle else { panic!("{throttle:?}") };
            let (expected, changed) = if is_lowered { (8.925, now) } else { (10.0, at(10)) };
            assert!((rate - expected).abs() < 1e-9, "{now:?}: {rate}");
            assert_eq!(since, changed, "{now:?}");
        }
    }

    #[test]
    fn the_rate_in_slow_start_has_a_lower_bound() {
        let mut throttle = slow_start(1.0);
        for second in 11..20 {
            throttle.refused(SECOND, &error(99_991_400), 1, 1, at(second));
        }
        let Throttle::SlowStart { rate, .. } = throttle else { panic!("{throttle:?}") };
        assert!((rate - MIN_RATE).abs() < 1e-9, "{rate}");
    }

    #[test]
    fn a_wait_of_more_than_a_second_ends_slow_start() {
        for (wait, closes) in around(SECOND).into_iter().zip([false, false, true]) {
            let mut throttle = slow_start(10.0);
            throttle.refused(wait, &error(99_991_400), 1, 1, at(10));
            assert_eq!(matches!(throttle, Throttle::Closed { .. }), closes, "{wait:?}");
        }
    }

    #[test]
    fn requests_in_slow_start_are_an_interval_apart() {
        let mut throttle = slow_start(10.0);
        let interval = SECOND / 10;
        throttle.sent(at(10));
        assert_eq!(throttle.opens(), at(10) + interval);
        // A request that is sent late does not move the next one closer.
        throttle.sent(at(10) + 3 * interval);
        assert_eq!(throttle.opens(), at(10) + 4 * interval);
        // A request that is sent early moves the next one further away.
        throttle.sent(at(10) + 3 * interval);
        assert_eq!(throttle.opens(), at(10) + 5 * interval);
    }

    #[test]
    fn an_open_throttle_admits_requests_without_an_interval() {
        let mut throttle = Throttle::Open;
        throttle.sent(at(10));
        assert_eq!(throttle.opens(), Moment::START);
        assert_eq!(throttle.interval(at(10)), Duration::ZERO);
    }
}

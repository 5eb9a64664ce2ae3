//! The rate at which a gate admits requests after the service has refused one for its rate.
//!
//! ```text
//!         refused for its rate      the wait is over
//!  (open) --------------------> closed -----------> slow start --+
//!    ^                            ^                   | |   ^    |
//!    |                            | refused, and told | |   |    |
//!    |                            | to wait over 1 s  | |   +----+
//!    |                            +-------------------+ |  refused:
//!    +--------- a minute without a refusal -------------+  0.85 of
//!                                                          the rate
//! ```
//!
//! The gate closes for the wait that the service named, or for a backoff if it named none. It reopens at 0.9 of the
//! rate that the service admitted in the last second before it closed, but at five requests a second at least. From
//! then on the rate grows by 5 % a second until the next refusal, which lowers it once a second at most. The rate
//! depends on time and not on successes, because a write that takes a minute would otherwise hold up the other calls.

use std::time::Duration;

use crate::error::Error;

pub(super) const SECOND: Duration = Duration::from_secs(1);
/// Slow start ends after this time without a refusal. The rate has grown by a factor of 18.7 by then.
const SLOW_START_TIME: Duration = Duration::from_secs(60);
/// The part of the rate that the service admitted before the gate closed, at which the gate reopens.
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
        until: Duration,
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
        since: Duration,
        /// The earliest time of the next request.
        next: Duration,
    },
}

impl Throttle {
    /// Makes the state changes that depend on time alone.
    pub(super) fn advance(&mut self, now: Duration) {
        match *self {
            Self::Closed { until, sent, refused, .. } if until <= now => {
                let rate = reopening_rate(sent, refused);
                *self = Self::SlowStart { rate, since: until, next: until };
            }
            Self::SlowStart { since, .. } if now.saturating_sub(since) >= SLOW_START_TIME => {
                *self = Self::Open;
            }
            _ => {}
        }
    }

    /// The time between two requests at the present rate.
    pub(super) fn interval(&self, now: Duration) -> Duration {
        match *self {
            Self::Open => Duration::ZERO,
            Self::Closed { sent, refused, .. } => SECOND.div_f64(reopening_rate(sent, refused)),
            Self::SlowStart { rate, since, .. } => {
                let age = now.saturating_sub(since).min(SLOW_START_TIME);
                SECOND.div_f64(grown(rate, age))
            }
        }
    }

    /// The earliest time of the next request; zero if the gate is open.
    pub(super) fn opens(&self) -> Duration {
        match *self {
            Self::Open => Duration::ZERO,
            Self::Closed { until, .. } => until,
            Self::SlowStart { next, .. } => next,
        }
    }

    /// Notes that a request is sent now.
    pub(super) fn sent(&mut self, now: Duration) {
        let interval = self.interval(now);
        if let Self::SlowStart { next, .. } = self {
            *next = now.max(*next).saturating_add(interval);
        }
    }

    /// Notes that the service refused a request for its rate. `sent` and `refused` are the numbers of the requests
    /// that were sent and refused in the last second.
    pub(super) fn refused(
        &mut self,
        wait: Duration,
        error: &Error,
        sent: u32,
        refused: u32,
        now: Duration,
    ) {
        let closes_until = now.saturating_add(wait);
        match self {
            Self::Closed { until, error: last, refused, .. } => {
                *refused += 1;
                if closes_until > *until {
                    *until = closes_until;
                    *last = error.clone();
                }
            }
            Self::SlowStart { rate, since, .. } if wait <= SECOND => {
                let age = now.saturating_sub(*since);
                if age >= SECOND {
                    *rate = (grown(*rate, age) * REFUSAL_FACTOR).max(MIN_RATE);
                    *since = now;
                }
            }
            Self::Open | Self::SlowStart { .. } => {
                *self = Self::Closed { until: closes_until, error: error.clone(), sent, refused };
            }
        }
    }
}

/// The rate after `age` in slow start. It grows at each full second.
fn grown(rate: f64, age: Duration) -> f64 {
    rate * GROWTH_PER_SECOND.powi(i32::try_from(age.as_secs()).unwrap_or(0))
}

/// The rate at which a gate reopens, in requests a second, if in the last second before it closed `sent` requests were
/// sent and `refused` of them refused.
fn reopening_rate(sent: u32, refused: u32) -> f64 {
    (REOPENING_FACTOR * f64::from(sent.saturating_sub(refused))).max(MIN_REOPENING_RATE)
}

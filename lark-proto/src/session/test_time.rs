//! Times for the tests of the session's parts.

use std::ops::{Add, Sub};
use std::time::Duration;

use super::moment::Moment;

pub(super) const NANO: Duration = Duration::from_nanos(1);

pub(super) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The moment `seconds` after the session's first step.
pub(super) const fn at(seconds: u64) -> Moment {
    Moment(secs(seconds))
}

/// The times just before `time`, at it, and just after it.
pub(super) fn around<T>(time: T) -> [T; 3]
where
    T: Copy + Add<Duration, Output = T> + Sub<Duration, Output = T>,
{
    [time - NANO, time, time + NANO]
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self(self.0 + time)
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, time: Duration) -> Self {
        Self(self.0 - time)
    }
}

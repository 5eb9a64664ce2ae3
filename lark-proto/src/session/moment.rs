//! Points in time.

use std::time::Duration;

/// A point in time: the time since the session's first step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub(super) Duration);

impl Moment {
    /// The time of the session's first step.
    pub(super) const START: Self = Self(Duration::ZERO);
    /// A time that is never reached.
    pub(super) const NEVER: Self = Self(Duration::MAX);

    /// The time from `earlier` to this moment, or zero if `earlier` is later.
    pub(super) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment after `time`, or [`Moment::NEVER`] if that is too far away.
    pub(super) fn saturating_add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }
}

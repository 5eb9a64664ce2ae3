//! The waits that scenarios expect, and the limits that they set.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::session::Limits;

/// The backoff after a first failure, in milliseconds. Jitter shortens it by up to a half.
pub(super) const BACKOFF: RangeInclusive<u64> = 250..=500;
/// The backoff after a second failure, in milliseconds.
pub(super) const SECOND_BACKOFF: RangeInclusive<u64> = 500..=1000;
/// The wait that the service names in most scenarios, in milliseconds.
pub(super) const NAMED: RangeInclusive<u64> = 50..=50;
/// At most two attempts, which are enough to show that there is no third.
pub(super) const TWO: Limits = Limits::one_attempt().attempts(2);
/// One attempt within one second, which is enough for a reply on loopback.
pub(super) const SECOND: Limits = Limits::one_attempt().total(Duration::from_secs(1));

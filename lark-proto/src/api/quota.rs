//! The rate limit that the vendor documents for an endpoint.

/// The documented quota of an endpoint: the calls of one app in one tenant, per second and per minute.
///
/// ```
/// use lark_proto::endpoints::Quota;
///
/// const SEARCH: Quota = Quota::per_second(50).and_per_minute(1000);
/// assert_ne!(SEARCH, Quota::per_minute(1000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "rate_limit")]
#[doc(alias = "qps")]
#[doc(alias = "频控")]
#[doc(alias = "频率限制")]
pub struct Quota {
    second: Option<u32>,
    minute: Option<u32>,
}

impl Quota {
    /// No limit.
    pub const NONE: Self = Self { second: None, minute: None };

    /// `calls` per second. 0 counts as 1.
    #[must_use]
    pub const fn per_second(calls: u32) -> Self {
        Self { second: Some(at_least_one(calls)), ..Self::NONE }
    }

    /// `calls` per minute. 0 counts as 1.
    #[must_use]
    pub const fn per_minute(calls: u32) -> Self {
        Self::NONE.and_per_minute(calls)
    }

    /// The same quota with at most `calls` per minute. 0 counts as 1.
    #[must_use]
    pub const fn and_per_minute(self, calls: u32) -> Self {
        Self { minute: Some(at_least_one(calls)), ..self }
    }

    /// The calls per second, if the quota limits them.
    pub(crate) const fn calls_per_second(self) -> Option<u32> {
        self.second
    }

    /// The calls per minute, if the quota limits them.
    pub(crate) const fn calls_per_minute(self) -> Option<u32> {
        self.minute
    }
}

/// A quota of 0 would delay a call forever.
const fn at_least_one(calls: u32) -> u32 {
    if calls == 0 { 1 } else { calls }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_limits_the_calls_per_second_and_per_minute_separately() {
        let calls = |quota: Quota| (quota.calls_per_second(), quota.calls_per_minute());
        assert_eq!(calls(Quota::NONE), (None, None));
        assert_eq!(calls(Quota::per_second(50)), (Some(50), None));
        assert_eq!(calls(Quota::per_minute(1000)), (None, Some(1000)));
        assert_eq!(calls(Quota::per_second(50).and_per_minute(1000)), (Some(50), Some(1000)));
        assert_eq!(calls(Quota::per_second(0).and_per_minute(0)), (Some(1), Some(1)));
    }
}

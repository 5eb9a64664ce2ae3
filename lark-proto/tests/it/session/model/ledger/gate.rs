//! The model's account of one gate, which limits the rate of one route for one token.

use std::collections::VecDeque;
use std::time::Duration;

use super::{MINUTE, SECOND};

/// The number of requests allowed per second and per minute.
pub(crate) type Rate = (usize, usize);

#[derive(Debug, Default)]
pub(super) struct Gate {
    closed_until: Duration,
    sent: VecDeque<Duration>,
}

impl Gate {
    /// Accounts for a request, which must not be sent while the gate is closed or beyond the quota.
    pub(super) fn pass(&mut self, now: Duration, quota: Option<Rate>) {
        assert!(
            now >= self.closed_until,
            "a request is sent {:?} too early",
            self.closed_until - now
        );
        self.sent.push_back(now);
        while self.sent.front().is_some_and(|sent| *sent + MINUTE < now) {
            self.sent.pop_front();
        }
        if let Some((second, minute)) = quota {
            let last = self.sent.iter().filter(|sent| **sent + SECOND > now).count();
            assert!(last <= second, "{last} requests in a second");
            assert!(self.sent.len() <= minute, "{} requests in a minute", self.sent.len());
        }
    }

    pub(super) fn close_until(&mut self, time: Duration) {
        self.closed_until = self.closed_until.max(time);
    }
}

//! A service that limits the rate of requests by fixed windows.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{REFUSAL, RESET, refusal, secs, success, with};
use crate::sim::{Reaction, after};

/// Admits a number of requests in each second and each minute of the service's clock, and refuses the others.
pub(crate) struct RateWindows {
    second: u32,
    minute: u32,
    /// The age of both windows at the start of the simulation.
    phase: Duration,
    /// The status of a refusal.
    status: u16,
    taken: BTreeMap<(Duration, u64), u32>,
    /// The time at which each refused request arrived.
    pub(crate) refused: Vec<Duration>,
}

impl RateWindows {
    pub(crate) fn new(second: u32, minute: u32, phase: Duration) -> Self {
        Self { second, minute, phase, status: 429, taken: BTreeMap::new(), refused: Vec::new() }
    }

    /// The same windows with another status of a refusal; older APIs refuse with HTTP 400.
    pub(crate) fn refusing_with(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Refuses a request that arrives at `now`, or answers it with success after `takes`.
    pub(crate) fn react<'w>(&mut self, now: Duration, takes: Duration) -> Reaction<'w> {
        let at = now + self.phase;
        let counts = [(secs(1), self.second), (secs(60), self.minute)].map(|(span, limit)| {
            let number = u64::try_from(at.as_nanos() / span.as_nanos()).unwrap();
            (span, number, limit)
        });
        let mut full = counts.iter().filter(|(span, number, limit)| {
            self.taken.get(&(*span, *number)).is_some_and(|taken| taken >= limit)
        });
        // The full window that ends last.
        if let Some((span, number, _)) = full.next_back() {
            self.refused.push(now);
            let end = *span * u32::try_from(number + 1).unwrap();
            let reset = (end - at).as_secs_f64().ceil();
            let refusal = with(refusal(self.status, 99_991_400), RESET, &reset.to_string());
            return after(REFUSAL, refusal);
        }
        for (span, number, _) in counts {
            *self.taken.entry((span, number)).or_default() += 1;
        }
        after(takes, success())
    }
}

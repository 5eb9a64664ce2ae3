//! Rate limits that a test sets.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use http::StatusCode;

use crate::fake::reply::{Detail, Refusal};
use crate::fake::route::Route;

/// The rate limit of each route that has one.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateLimits(HashMap<Route, RateLimit>);

/// A number of requests in each full second.
#[derive(Clone, Debug)]
struct RateLimit {
    per_second: u32,
    /// The second of the latest request, counted from 1970.
    window: Option<u64>,
    /// How many requests were admitted in that second.
    used: u32,
}

impl RateLimits {
    pub(crate) fn set(&mut self, route: Route, per_second: u32) {
        self.0.insert(route, RateLimit { per_second, window: None, used: 0 });
    }

    /// Counts a request, and refuses it if its second already has `per_second` requests.
    pub(crate) fn admit(&mut self, now: SystemTime, route: Route) -> Result<(), Refusal> {
        let Some(limit) = self.0.get_mut(&route) else { return Ok(()) };
        let window = now.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs());
        if limit.window != window {
            (limit.window, limit.used) = (window, 0);
        }
        if limit.used >= limit.per_second {
            // The header has whole seconds, and the next window begins within one second.
            let detail = Detail::RateLimit { limit: limit.per_second, reset: "1".to_owned() };
            return Err(Refusal::rate_limited(StatusCode::TOO_MANY_REQUESTS, detail));
        }
        limit.used += 1;
        Ok(())
    }
}

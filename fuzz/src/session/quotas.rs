//! The quotas that a schedule sets, and the timeouts of a request.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::request::Parts;
use lark_proto::endpoints::Quota;
use lark_proto::session::{Phase, Session, Timeouts};

/// The routes that a quota is set for: those of uploads, of writes to a cell, and of messages.
const ROUTES: [&str; 3] = [
    "/open-apis/image/v4/put/",
    "/open-apis/sheets/v2/spreadsheets/:spreadsheetToken/values_image",
    "/open-apis/im/v1/messages",
];

/// The most requests that the quotas admit in a second, and when requests were sent.
pub(super) struct Quotas {
    /// `None` leaves the documented quotas.
    per_second: Option<u32>,
    sent: HashMap<(usize, Vec<u8>), Vec<Duration>>,
}

impl Quotas {
    /// Sets quotas as the upper bits of this number say; none if they are 0.
    pub(super) fn set(session: &mut Session, choice: u64) -> Self {
        let per_second = u32::try_from(choice >> 56 & 7).ok().filter(|calls| *calls > 0);
        if let Some(calls) = per_second {
            ROUTES.iter().for_each(|route| session.set_quota(route, Quota::per_second(calls)));
            // A quota that was set is kept all the same.
            session.keep_quotas(choice >> 59 & 1 == 0);
        }
        Self { per_second, sent: HashMap::new() }
    }

    /// Notes a request that is sent `now`, and checks that its quota admits it.
    pub(super) fn sent(&mut self, head: &Parts, now: Duration) {
        let path = head.uri.path();
        let is_on = |route: &str| match route.split_once(":spreadsheetToken") {
            Some((before, after)) => path.starts_with(before) && path.ends_with(after),
            None => path == route,
        };
        let Some(calls) = self.per_second else { return };
        let Some(route) = ROUTES.iter().position(|route| is_on(route)) else { return };
        let token = head.headers[AUTHORIZATION].as_bytes().to_vec();
        let sent = self.sent.entry((route, token)).or_default();
        sent.push(now);
        let second = Duration::from_secs(1);
        let count = sent.iter().filter(|then| now < **then + second).count();
        assert!(count <= calls as usize, "{count} requests in a second, quota {calls}: {path}");
    }
}

/// Checks that each phase has a time of its own, which can be replaced alone.
pub(super) fn assert_timeouts(timeouts: Timeouts) {
    let phases = [
        Phase::Resolve,
        Phase::Connect,
        Phase::SendRequest,
        Phase::SendBody,
        Phase::RecvResponse,
        Phase::RecvBody,
    ];
    let names: HashSet<String> = phases.iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), phases.len());
    for phase in phases {
        assert!(!timeouts.get(phase).is_zero(), "no time for {phase}");
        let time = Duration::from_millis(7);
        let set = timeouts.with(phase, time);
        for other in phases {
            assert_eq!(set.get(other), if other == phase { time } else { timeouts.get(other) });
        }
    }
}

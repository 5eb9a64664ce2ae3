//! Whether and when a request is sent again, and the effect of its result on the session.

use std::time::Duration;

use super::{CallMachine, RequestResult, StartedCall};
use crate::api::Resend;
use crate::error::{Advice, ApiError, Class, Code, Error, Outcome};
use crate::session::backoff::backoff;
use crate::session::caller::Credential;
use crate::session::limits::Limits;
use crate::session::moment::Moment;
use crate::session::session::Session;
use crate::session::tokens::RefusedToken;
use crate::session::transport_failure::Permanence;

/// The least wait before a write is sent again after HTTP 502 or 504, because the service may still be working on the
/// first send.
const MIN_GATEWAY_PAUSE: Duration = Duration::from_secs(2);

/// The least wait before a retry that costs no attempt. A service may ask for a shorter one, and without a limit of the
/// attempts the call would then repeat its request until its deadline as fast as the service answers.
const MIN_FREE_WAIT: Duration = Duration::from_millis(50);

/// Why a request is sent again. `retry_after` is the wait that the service asked for.
#[derive(Clone, Copy)]
pub(super) enum Retry {
    /// The service refused the token.
    Token(RefusedToken),
    /// The service rate-limited the request. `wait` is the time for which the route's gate closes. If the limit is not
    /// that of the route, only this call waits, for that time.
    Rate { retry_after: Option<Duration>, wait: Duration },
    /// The document is busy. The wait for it counts from `since`, which is later than now while an earlier write may
    /// still be running.
    Busy { retry_after: Option<Duration>, since: Moment },
    /// The service or the connection failed. The wait is `at_least` this long.
    Failure { retry_after: Option<Duration>, at_least: Duration },
}

impl CallMachine {
    /// Updates the session's tokens, lanes and gates from the result. Returns why the request may be sent again, or
    /// `None` after a success, a deadline, or a failure that would repeat itself.
    pub(super) fn update_session(
        &mut self,
        session: &mut Session,
        started: StartedCall,
        generation: u64,
        result: RequestResult<'_>,
        now: Moment,
    ) -> Option<Retry> {
        self.update_lane(session, result, now);
        let error = match result {
            RequestResult::Success => return None,
            RequestResult::Failed { permanence, is_late, .. } => {
                self.progress.fresh_connection = true;
                let is_transient = permanence == Permanence::Transient && !is_late;
                return is_transient
                    .then_some(Retry::Failure { retry_after: None, at_least: Duration::ZERO });
            }
            RequestResult::Refused(error) => error,
        };
        let class = error.api().map(ApiError::class);
        let retry_after = match error.advice() {
            Advice::GiveUp => return None,
            Advice::Again { after } => after,
            Advice::RenewToken => {
                let Credential::Session(tenant) = &self.credential else { return None };
                let by_app_token = class == Some(Class::AppToken);
                let Session { tokens, woken, .. } = session;
                let refusal = tokens.refused(tenant, generation, by_app_token, now, woken);
                return Some(Retry::Token(refusal));
            }
        };
        if class == Some(Class::DocumentBusy) {
            let since = match &self.lane {
                Some(lane) => session.lanes.busy(lane, started.id, error, now, &mut session.woken),
                None => *self.progress.busy_since.get_or_insert(now),
            };
            return Some(Retry::Busy { retry_after, since });
        }
        if !is_rate_refusal(error) {
            let is_write = is_gateway(error) && !self.is_read();
            let at_least = if is_write { MIN_GATEWAY_PAUSE } else { Duration::ZERO };
            return Some(Retry::Failure { retry_after, at_least });
        }
        let mut wait =
            retry_after.unwrap_or_else(|| backoff(self.progress.free_retries + 1, self.jitter));
        if is_route_limit(error) {
            let Session { gates, woken, .. } = session;
            wait = gates.refused(&self.credential, &self.route, wait, error, now, woken);
        }
        Some(Retry::Rate { retry_after, wait })
    }

    /// Notes in the lane that a write may still be running, or that the document is no longer busy. A call without a
    /// lane keeps the busy time of its document in its own [`Progress`](super::Progress).
    fn update_lane(&mut self, session: &mut Session, result: RequestResult<'_>, now: Moment) {
        let may_run = match result {
            RequestResult::Success => false,
            RequestResult::Failed { pulled, .. } => pulled >= self.draft.len(),
            RequestResult::Refused(error) => is_gateway(error),
        };
        match &self.lane {
            Some(lane) if may_run => session.lanes.mark_in_doubt(lane, now),
            Some(lane) if shows_not_busy(result) => session.lanes.not_busy(lane),
            None if shows_not_busy(result) => self.progress.busy_since = None,
            _ => {}
        }
    }

    /// The time when the request is sent again, or `None` if a second send is unsafe or the limits of the call do not
    /// allow it.
    pub(super) fn retry_at(
        &mut self,
        retry: Retry,
        outcome: Outcome,
        started: StartedCall,
        now: Moment,
    ) -> Option<Moment> {
        if outcome == Outcome::Unknown && self.resend == Resend::Unsafe {
            return None;
        }
        let Limits { longest_wait, busy, attempts, .. } = self.limits;
        let is_within_limit =
            |retry_after: Option<Duration>| retry_after.is_none_or(|wait| wait <= longest_wait);
        let not_before = match retry {
            Retry::Rate { retry_after, .. } | Retry::Busy { retry_after, .. }
                if !is_within_limit(retry_after) =>
            {
                return None;
            }
            Retry::Rate { .. } if attempts <= 1 => return None,
            Retry::Rate { wait, .. } => now.saturating_add(self.wait_without_attempt(Some(wait))),
            Retry::Busy { since, .. } if now >= since && attempts <= 1 => return None,
            Retry::Busy { since, retry_after } => {
                let busy_deadline = since.saturating_add(busy);
                if now >= busy_deadline {
                    return None;
                }
                now.saturating_add(self.wait_without_attempt(retry_after)).min(busy_deadline)
            }
            _ if self.progress.attempts >= attempts => return None,
            Retry::Token(RefusedToken::Dropped) => now,
            Retry::Token(RefusedToken::Kept) => {
                now.saturating_add(backoff(self.progress.attempts, self.jitter))
            }
            Retry::Failure { retry_after, .. } if !is_within_limit(retry_after) => return None,
            Retry::Failure { retry_after, at_least } => {
                self.progress.free_retries = 0;
                let backoff = || backoff(self.progress.attempts, self.jitter);
                now.saturating_add(retry_after.unwrap_or_else(backoff).max(at_least))
            }
        };
        // The next request is assumed to take as long as the last one.
        let attempt_end = not_before.saturating_add(self.progress.took);
        (attempt_end <= started.deadline && not_before < started.deadline).then_some(not_before)
    }

    /// Counts the last send as a retry that costs no attempt, and returns the wait before the next one.
    fn wait_without_attempt(&mut self, retry_after: Option<Duration>) -> Duration {
        self.progress.attempts = self.progress.attempts.saturating_sub(1);
        self.progress.free_retries = self.progress.free_retries.saturating_add(1);
        let backoff = || backoff(self.progress.free_retries, self.jitter);
        retry_after.unwrap_or_else(backoff).max(MIN_FREE_WAIT)
    }
}

/// Whether a gateway answered (HTTP 502 or 504) in place of the service, which may still be working on the request.
fn is_gateway(error: &Error) -> bool {
    matches!(error.status().as_u16(), 502 | 504)
}

/// Whether the result shows that the document is not busy.
fn shows_not_busy(result: RequestResult<'_>) -> bool {
    match result {
        RequestResult::Success => true,
        RequestResult::Refused(Error::Api(api)) => !matches!(
            api.class(),
            Class::DocumentBusy | Class::RateLimit | Class::TenantToken | Class::AppToken
        ),
        RequestResult::Refused(_) | RequestResult::Failed { .. } => false,
    }
}

/// Whether the service refused the request because there were too many requests.
fn is_rate_refusal(error: &Error) -> bool {
    let is_status = error.status() == http::StatusCode::TOO_MANY_REQUESTS;
    error.api().map_or(is_status, ApiError::is_rate_limit)
}

/// Whether the service refused the request because of the rate limit of its route. Such a refusal closes the gate of
/// the route. The other codes are limits of one user or group, or of a service behind the route; only the call that
/// meets them waits.
fn is_route_limit(error: &Error) -> bool {
    let code = error.api().map(|api| api.code);
    code == Some(Code::RATE_LIMITED) || error.status() == http::StatusCode::TOO_MANY_REQUESTS
}

#[cfg(test)]
mod tests;

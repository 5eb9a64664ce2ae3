use bytes::Bytes;
use http::Response;

use super::*;
use crate::error::CallErrorKind;
use crate::session::limits::Limits;
use crate::session::test_time::{NANO, around, at, secs};
use crate::session::transport_failure::{Permanence, TransportFailure};

const LIFE: Duration = Duration::from_secs(7200);
/// No calls.
const NONE: [u64; 0] = [];

/// The result of a step of a call that needs a token.
#[derive(Debug, PartialEq)]
enum Step {
    Uses(u64),
    Sends(TokenRequestId, Duration),
    Waits(Moment),
    Ends,
}

/// The parts of a [`Caller`] that a test keeps from one step to the next.
struct Call {
    id: CallId,
    deadline: Moment,
    limits: Limits,
    renewal_deadline: Option<Moment>,
}

impl Call {
    fn new(id: u64) -> Self {
        let limits = Limits::default();
        Self { id: CallId(id), deadline: at(100_000), limits, renewal_deadline: None }
    }

    fn with_longest_wait(id: u64, longest_wait: Duration) -> Self {
        Self { limits: Limits::default().longest_wait(longest_wait), ..Self::new(id) }
    }
}

/// The tokens of an app, with the calls that were woken last.
struct Fixture {
    tokens: Tokens,
    app: App,
    tenant: Option<TenantKey>,
    woken: WakeList,
}

impl Fixture {
    fn custom() -> Self {
        let app = App::custom("cli_x", "s").unwrap();
        Self { tokens: Tokens::default(), app, tenant: None, woken: WakeList::default() }
    }

    fn store() -> Self {
        let app = App::store("cli_x", "s").unwrap();
        let tenant = Some(TenantKey::new("k").unwrap());
        Self { tokens: Tokens::default(), app, tenant, woken: WakeList::default() }
    }

    fn step(&mut self, call: &mut Call, now: Moment) -> Step {
        let mut caller = Caller {
            id: call.id,
            deadline: call.deadline,
            limits: &call.limits,
            jitter: 0,
            renewal_deadline: &mut call.renewal_deadline,
        };
        let Self { tokens, app, tenant, woken } = self;
        match tokens.ensure_valid(app, &Site::LARK, tenant, &mut caller, now, woken) {
            Ok(generation) => Step::Uses(generation),
            Err(Hold::Send(outgoing, _)) => match outgoing.purpose {
                Purpose::Token(id) => Step::Sends(id, outgoing.call_timeout),
                Purpose::Call => panic!("a token request has the purpose of a call"),
            },
            Err(Hold::Wait { until, .. }) => Step::Waits(until),
            Err(Hold::End(_)) => Step::Ends,
        }
    }

    /// Lets a call send a token request.
    fn send(&mut self, call: &mut Call, now: Moment) -> TokenRequestId {
        match self.step(call, now) {
            Step::Sends(id, _) => id,
            step => panic!("{step:?}"),
        }
    }

    fn receive(&mut self, id: TokenRequestId, now: Moment, body: &str) {
        let reply = Response::new(Bytes::from(body.to_owned()));
        let Self { tokens, app, woken, .. } = self;
        tokens.received(app, &Site::LARK, id, reply, now, woken);
    }

    fn grant(&mut self, id: TokenRequestId, now: Moment) {
        self.receive(id, now, r#"{"code":0,"tenant_access_token":"t-1","expire":7200}"#);
    }

    /// Reports that the service refused a request at the time zero and asked to wait.
    fn refuse_for(&mut self, id: TokenRequestId, seconds: u64) {
        let mut reply = Response::new(Bytes::from(r#"{"code":99991400}"#));
        reply.headers_mut().insert("x-ogw-ratelimit-reset", seconds.into());
        let Self { tokens, app, woken, .. } = self;
        tokens.received(app, &Site::LARK, id, reply, Moment::START, woken);
    }

    fn break_off(
        &mut self,
        id: TokenRequestId,
        now: Moment,
        kind: CallErrorKind<std::io::Error>,
        permanence: Permanence,
    ) {
        let failure = TransportFailure::new(kind, 0, permanence);
        let Self { tokens, app, woken, .. } = self;
        tokens.transport_failed(app, id, &failure, now, woken);
    }

    fn deadline(&mut self, id: TokenRequestId, now: Moment) {
        self.break_off(id, now, CallErrorKind::Deadline, Permanence::Transient);
    }

    fn woken(&mut self) -> Vec<u64> {
        self.woken.take().into_iter().map(|call| call.0).collect()
    }
}

#[test]
fn a_deadline_counts_as_a_failure_of_the_service_from_59_seconds_on() {
    for (now, is_failure) in around(at(59)).into_iter().zip([false, true, true]) {
        let mut fixture = Fixture::custom();
        let id = fixture.send(&mut Call::new(1), Moment::START);
        fixture.deadline(id, now);
        let is_paused = matches!(fixture.step(&mut Call::new(1), now), Step::Waits(_));
        assert_eq!(is_paused, is_failure, "{now:?}");
    }
}

#[test]
fn a_request_without_a_report_counts_as_failed_after_61_seconds() {
    for (now, is_failed) in around(at(61)).into_iter().zip([false, true, true]) {
        let mut fixture = Fixture::custom();
        let id = fixture.send(&mut Call::new(1), Moment::START);
        let step = fixture.step(&mut Call::new(2), now);
        assert_eq!(fixture.tokens.route(&fixture.app, id).is_none(), is_failed, "{now:?}");
        let until = if is_failed { now + secs(1) / 2 } else { at(61) };
        let Step::Waits(waits_until) = step else { panic!("{step:?}") };
        // Jitter shortens the backoff by a half at most.
        assert!(waits_until <= until && waits_until >= until - secs(1) / 4, "{waits_until:?}");
    }
}

#[test]
fn a_token_request_has_a_minute_or_the_time_to_the_deadline() {
    for (deadline, timeout) in around(at(60)).into_iter().zip([secs(60) - NANO, secs(60), secs(60)])
    {
        let mut fixture = Fixture::custom();
        let mut call = Call { deadline, ..Call::new(1) };
        let step = fixture.step(&mut call, Moment::START);
        assert_eq!(step, Step::Sends(TokenRequestId(1), timeout));
    }
}

#[test]
fn a_call_uses_a_token_until_it_expires() {
    for (now, is_used) in around(at(7200)).into_iter().zip([true, false, false]) {
        let mut fixture = Fixture::custom();
        let id = fixture.send(&mut Call::new(1), Moment::START);
        fixture.grant(id, at(1));
        // The call may no longer be held up by a renewal.
        let mut call = Call { renewal_deadline: Some(Moment::START), ..Call::new(2) };
        let step = fixture.step(&mut call, now);
        assert_eq!(step == Step::Uses(1), is_used, "{now:?}: {step:?}");
    }
}

#[test]
fn the_first_call_in_the_last_29_minutes_of_a_token_renews_it() {
    for (now, renews) in around(at(7200 - 29 * 60)).into_iter().zip([false, true, true]) {
        let mut fixture = Fixture::custom();
        let id = fixture.send(&mut Call::new(1), Moment::START);
        fixture.grant(id, at(1));
        let step = fixture.step(&mut Call::new(2), now);
        let expected = if renews { Step::Sends(TokenRequestId(2), secs(2)) } else { Step::Uses(1) };
        assert_eq!(step, expected, "{now:?}");
        assert_eq!(fixture.step(&mut Call::new(3), now), Step::Uses(1));
    }
}

#[test]
fn a_renewal_holds_up_its_driver_for_two_seconds() {
    let mut fixture = Fixture::custom();
    let id = fixture.send(&mut Call::new(1), Moment::START);
    fixture.grant(id, at(1));
    let mut driver = Call::new(2);
    fixture.send(&mut driver, at(6000));
    let steps = around(at(6002)).map(|now| fixture.step(&mut driver, now));
    assert_eq!(steps, [Step::Waits(at(6002)), Step::Uses(1), Step::Uses(1)]);
}

#[test]
fn a_call_ends_if_the_service_asks_to_wait_for_longer_than_its_longest_wait() {
    for (longest_wait, ends) in around(secs(30)).into_iter().zip([true, false, false]) {
        let mut fixture = Fixture::custom();
        let id = fixture.send(&mut Call::with_longest_wait(1, LIFE), Moment::START);
        fixture.step(&mut Call::with_longest_wait(2, secs(20)), Moment::START);
        fixture.step(&mut Call::with_longest_wait(3, longest_wait), Moment::START);
        fixture.refuse_for(id, 30);
        // The first two calls are woken because the request may be sent at another time.
        let expected = if ends { &[1, 2, 3][..] } else { &[1, 2] };
        assert_eq!(fixture.woken(), expected, "{longest_wait:?}");
        let step = fixture.step(&mut Call::with_longest_wait(3, longest_wait), Moment::START);
        assert_eq!(step, if ends { Step::Ends } else { Step::Waits(at(30)) }, "{longest_wait:?}");
    }
}

#[test]
fn a_call_waits_for_a_ticket_for_two_and_a_half_minutes() {
    for (now, ends) in around(at(150)).into_iter().zip([false, true, true]) {
        let mut fixture = Fixture::store();
        let id = fixture.send(&mut Call::with_longest_wait(1, LIFE), Moment::START);
        fixture.receive(id, Moment::START, r#"{"code":0}"#);
        let step = fixture.step(&mut Call::with_longest_wait(1, LIFE), now);
        assert_eq!(step, if ends { Step::Ends } else { Step::Waits(at(150)) }, "{now:?}");
    }
}

#[test]
fn the_ticket_is_requested_again_after_five_minutes() {
    for (now, sends) in around(at(300)).into_iter().zip([false, true, true]) {
        let mut fixture = Fixture::store();
        let id = fixture.send(&mut Call::with_longest_wait(1, LIFE), Moment::START);
        fixture.receive(id, Moment::START, r#"{"code":0}"#);
        let step = fixture.step(&mut Call::new(2), now);
        assert_eq!(matches!(step, Step::Sends(..)), sends, "{now:?}: {step:?}");
    }
}

#[test]
fn a_permanent_failure_ends_the_calls_of_the_next_five_seconds() {
    for (now, ends) in around(at(5)).into_iter().zip([true, false, false]) {
        let mut fixture = Fixture::custom();
        let id = fixture.send(&mut Call::new(1), Moment::START);
        let kind = CallErrorKind::Transport(std::io::Error::other("no certificate"));
        fixture.break_off(id, Moment::START, kind, Permanence::Permanent);
        assert_eq!(fixture.step(&mut Call::new(2), now) == Step::Ends, ends, "{now:?}");
    }
}

#[test]
fn the_end_of_a_series_ends_the_calls_that_waited_and_no_later_one() {
    let mut fixture = Fixture::custom();
    let mut driver = Call::new(1);
    let mut waiter = Call::new(2);
    for now in [0, 10, 20, 30].map(at) {
        let id = fixture.send(&mut driver, now);
        assert_eq!(fixture.step(&mut waiter, now), Step::Waits(now + secs(61)));
        let kind = CallErrorKind::TooLarge { limit: 1 };
        fixture.break_off(id, now, kind, Permanence::Transient);
    }
    assert_eq!(fixture.step(&mut waiter, at(30)), Step::Ends);
    assert!(matches!(fixture.step(&mut Call::new(3), at(30)), Step::Sends(..)));
}

#[test]
fn tokens_with_a_request_in_flight_are_not_idle() {
    let mut fixture = Fixture::custom();
    assert!(fixture.tokens.is_idle());
    let id = fixture.send(&mut Call::new(1), Moment::START);
    fixture.tokens.leave(&None, CallId(1), &mut WakeList::default());
    assert!(!fixture.tokens.is_idle());
    fixture.grant(id, at(1));
    assert!(fixture.tokens.is_idle());
}

#[test]
fn tokens_that_a_call_waits_for_are_not_idle() {
    let mut fixture = Fixture::custom();
    let id = fixture.send(&mut Call::new(1), Moment::START);
    fixture.tokens.dropped(id, Moment::START, &mut WakeList::default());
    assert!(!fixture.tokens.is_idle());
    fixture.tokens.leave(&None, CallId(1), &mut WakeList::default());
    assert!(fixture.tokens.is_idle());
}

#[test]
fn a_granted_token_wakes_every_call_that_waits_for_it() {
    let mut fixture = Fixture::custom();
    let id = fixture.send(&mut Call::new(1), Moment::START);
    for call in 2..=4 {
        fixture.step(&mut Call::new(call), Moment::START);
    }
    assert_eq!(fixture.woken(), NONE);
    fixture.grant(id, at(1));
    assert_eq!(fixture.woken(), [1, 2, 3, 4]);
}

#[test]
fn a_dropped_request_wakes_the_first_two_calls() {
    let mut fixture = Fixture::custom();
    let id = fixture.send(&mut Call::new(1), Moment::START);
    for call in 2..=4 {
        fixture.step(&mut Call::new(call), Moment::START);
    }
    let Fixture { tokens, woken, .. } = &mut fixture;
    tokens.dropped(id, Moment::START, woken);
    assert_eq!(fixture.woken(), [1, 2]);
}

/// The driver of a renewal is in no queue.
#[test]
fn the_driver_of_a_renewal_is_woken_when_the_request_ends() {
    let ends: [fn(&mut Fixture, TokenRequestId); 3] = [
        |fixture, id| fixture.grant(id, at(6001)),
        |fixture, id| fixture.receive(id, at(6001), r#"{"code":10014}"#),
        |fixture, id| fixture.tokens.dropped(id, at(6001), &mut fixture.woken),
    ];
    for end in ends {
        let mut fixture = Fixture::custom();
        let id = fixture.send(&mut Call::new(1), Moment::START);
        fixture.grant(id, at(1));
        fixture.woken();
        let renewal = fixture.send(&mut Call::new(2), at(6000));
        end(&mut fixture, renewal);
        assert_eq!(fixture.woken(), [2]);
    }
}

#[test]
fn a_custom_app_accepts_no_tenant_and_a_store_app_needs_one() {
    let tenant = Some(TenantKey::new("k").unwrap());
    let custom = App::custom("cli_x", "s").unwrap();
    let store = App::store("cli_x", "s").unwrap();
    let ending = |app, tenant| match check(app, tenant) {
        Ok(()) => "",
        Err(Hold::End(Ending::NoApp)) => "no app",
        Err(Hold::End(Ending::NoTenant)) => "no tenant",
        Err(Hold::End(Ending::ForeignTenant)) => "foreign tenant",
        Err(_) => "another hold",
    };
    assert_eq!(ending(&custom, &None), "");
    assert_eq!(ending(&custom, &tenant), "foreign tenant");
    assert_eq!(ending(&store, &None), "no tenant");
    assert_eq!(ending(&store, &tenant), "");
    assert_eq!(ending(&App::None, &None), "no app");
    assert_eq!(ending(&App::None, &tenant), "no app");
}

#[test]
fn when_one_of_the_first_two_calls_leaves_the_new_first_two_are_woken() {
    for leaver in [1, 2] {
        let mut fixture = Fixture::custom();
        let id = fixture.send(&mut Call::new(1), Moment::START);
        for call in 2..=4 {
            fixture.step(&mut Call::new(call), Moment::START);
        }
        fixture.tokens.dropped(id, Moment::START, &mut WakeList::default());
        fixture.tokens.leave(&None, CallId(leaver), &mut fixture.woken);
        let next: Vec<u64> = (1..=4).filter(|call| *call != leaver).take(2).collect();
        assert_eq!(fixture.woken(), next);
    }
}

#[test]
fn a_later_call_that_leaves_wakes_none() {
    let mut fixture = Fixture::custom();
    let id = fixture.send(&mut Call::new(1), Moment::START);
    for call in 2..=4 {
        fixture.step(&mut Call::new(call), Moment::START);
    }
    fixture.tokens.dropped(id, Moment::START, &mut WakeList::default());
    fixture.tokens.leave(&None, CallId(3), &mut fixture.woken);
    assert_eq!(fixture.woken(), NONE);
}

/// A store app without a ticket. Call 1 drives the request for the ticket, and call 2, of tenant `other`, waits for it.
fn two_tenants(other: &Option<TenantKey>) -> Fixture {
    let mut fixture = Fixture::store();
    fixture.send(&mut Call::new(1), Moment::START);
    let first = std::mem::replace(&mut fixture.tenant, other.clone());
    assert!(matches!(fixture.step(&mut Call::new(2), Moment::START), Step::Waits(_)));
    fixture.tenant = first;
    fixture
}

#[test]
fn a_driver_of_the_apps_request_that_ends_hands_it_over_to_a_call_of_another_tenant() {
    let other = Some(TenantKey::new("other").unwrap());
    let mut fixture = two_tenants(&other);
    let Fixture { tokens, tenant, woken, .. } = &mut fixture;
    assert_eq!(tokens.driver_of_app_token(tenant), Some(CallId(1)));
    tokens.leave(tenant, CallId(1), woken);
    assert_eq!(tokens.driver_of_app_token(tenant), None);
    assert_eq!(tokens.driver_of_app_token(&other), Some(CallId(2)));
    assert_eq!(fixture.woken(), [2]);
}

#[test]
fn another_call_that_ends_leaves_the_apps_request_with_its_driver() {
    let other = Some(TenantKey::new("other").unwrap());
    let mut fixture = two_tenants(&other);
    let Fixture { tokens, tenant, woken, .. } = &mut fixture;
    tokens.leave(&other, CallId(2), woken);
    assert_eq!(tokens.driver_of_app_token(tenant), Some(CallId(1)));
    assert_eq!(fixture.woken(), NONE);
}

//! Token hosts that are slow, are unreachable or refuse a request, and callers that give up.

use std::time::Duration;

use lark_hyper::{CallError, Client, Transport};
use lark_proto::error::{CallErrorKind, Outcome};
use lark_proto::values::{AppTicket, TenantKey};
use lark_proto::{App, Image, Limits, PutImage};

use super::service::{
    Reaction, Service, TOKEN, after, answer, done, granted, rate_limited, refusal, with_tokens,
};
use crate::support::sim::Sim;
use crate::support::{app, millis, put, secs};

fn is_rare(requests: &[Duration]) -> bool {
    requests.windows(2).all(|pair| pair[1] - pair[0] >= secs(60))
}

#[test]
fn a_renewal_that_hangs_fails_no_call_and_holds_up_few() {
    let sim = Sim::new("a renewal");
    let service = Service::new(&sim);
    let client = service.client(
        app(),
        with_tokens(|number, _| match number {
            1 => after(millis(100), granted("t-1")),
            _ => Reaction::Hangs,
        }),
    );
    sim.run(async {
        client.call(&put()).await.unwrap();
        sim.sleep_until(secs(7200 - 28 * 60)).await;
        for _ in 0..100 {
            let (result, took) = sim.within(secs(5), client.call(&put())).await.unwrap();
            result.unwrap();
            assert!(took <= secs(3), "{took:?}");
        }
    });
    let requests = service.sent(TOKEN);
    assert!(requests.len() > 1 && is_rare(&requests), "{requests:?}");
}

#[test]
fn a_token_request_outlives_the_callers_that_give_up() {
    let sim = Sim::new("a token request");
    let service = Service::new(&sim);
    let client = service.client(app(), with_tokens(|_, _| after(secs(3), granted("t-1"))));
    sim.run(async {
        assert!(sim.within(secs(2), client.call(&put())).await.is_none());
        for _ in 1..200 {
            let (result, _) = sim.within(secs(2), client.call(&put())).await.unwrap();
            result.unwrap();
        }
    });
    assert_eq!(service.sent(TOKEN).len(), 1);
}

#[test]
fn a_token_request_is_dropped_when_its_time_is_over() {
    let sim = Sim::new("a token request that hangs");
    let service = Service::new(&sim);
    let client = service.client(app(), with_tokens(|_, _| Reaction::Hangs));
    sim.run(async {
        for (from, hanging) in [(0, 1), (57, 1), (61, 1), (130, 1)] {
            sim.sleep_until(secs(from)).await;
            assert!(sim.within(secs(2), client.call(&put())).await.is_none());
            assert_eq!(service.hanging(), hanging, "after {from} s");
        }
    });
    assert_eq!(service.sent(TOKEN).len(), 3);
    drop(client);
    assert_eq!(service.hanging(), 0);
}

#[test]
fn a_renewal_that_outlasts_its_call_is_polled_by_the_calls_that_follow() {
    let sim = Sim::new("a slow renewal");
    let service = Service::new(&sim);
    let client = service.client(
        app(),
        with_tokens(|number, _| after(secs(10), granted(["t-1", "t-2"][number - 1]))),
    );
    sim.run(async {
        client.call(&put()).await.unwrap();
        sim.sleep_until(secs(7000)).await;
        let (result, took) = sim.timed(client.call(&put())).await;
        result.unwrap();
        assert_eq!(took, millis(2100));
        // The older token expires 7,200 s after its request; the new one has to arrive before.
        for _ in 0..3600 {
            let (result, took) = sim.timed(client.call(&put())).await;
            result.unwrap();
            assert_eq!(took, millis(100));
            sim.sleep(secs(1)).await;
        }
    });
    assert_eq!(service.sent(TOKEN).len(), 2);
}

#[test]
fn a_token_host_that_takes_four_seconds_fails_no_call_in_two_hours_and_holds_up_few() {
    let sim = Sim::new("a slow token host");
    let service = Service::new(&sim);
    let client = service.client(app(), with_tokens(|_, _| after(secs(4), granted("t-1"))));
    let results = sim.run_numbered(7200, async |second| {
        sim.sleep_until(secs(second.into())).await;
        let (result, took) = sim.timed(client.call(&put())).await;
        result.unwrap();
        took
    });
    let held_up = results.iter().skip(4).filter(|took| **took > millis(100)).count();
    assert!(held_up <= 12, "{held_up} calls waited for a renewal");
}

#[test]
fn a_refused_token_that_the_service_grants_again_is_used_again() {
    let sim = Sim::new("a refused token");
    let service = Service::new(&sim);
    let mut refusals = 2;
    let client = service.client(app(), |_, request| {
        let is_odd = request.body().windows(3).any(|bytes| bytes == b"odd");
        let reply = if request.uri().path().ends_with(TOKEN) {
            granted("t-1")
        } else if is_odd && refusals > 0 {
            refusals -= 1;
            refusal(400, 99_991_663)
        } else {
            done()
        };
        after(millis(100), reply)
    });
    let odd = PutImage::message(Image::new("GIF89a odd").unwrap()).unwrap();
    sim.run_numbered(31, async |number| {
        sim.sleep(millis(100) * number).await;
        let call = if number == 0 { client.call(&odd).await } else { client.call(&put()).await };
        call.unwrap();
    });
    assert_eq!(service.sent(TOKEN).len(), 2);
    assert_eq!(service.sent("/put/").len(), 31 + 2);
    drop(client);
    assert_eq!(refusals, 0);
}

#[test]
fn a_first_token_request_that_fails_transiently_is_sent_again() {
    let failures: [fn() -> Reaction; 4] = [
        || after(millis(100), answer(500, "<html>")),
        || after(millis(100), answer(200, r#"{"code":0,"tenant_access_"#)),
        || after(millis(100), refusal(503, 4_242_424)),
        || Reaction::Cut(millis(100)),
    ];
    for failure in failures {
        let sim = Sim::new("a first request");
        let service = Service::new(&sim);
        let client = service.client(
            app(),
            with_tokens(|number, _| match number {
                1 => failure(),
                _ => after(millis(100), granted("t-1")),
            }),
        );
        sim.run_numbered(1000, async |number| {
            sim.sleep(millis(3) * number).await;
            client.call(&put()).await.unwrap();
        });
        assert_eq!(service.sent(TOKEN).len(), 2);
    }
}

#[test]
fn a_token_route_gets_no_request_during_the_wait_that_it_asked_for_even_if_calls_give_up() {
    let sim = Sim::new("told to wait");
    let service = Service::new(&sim);
    let client = service.client(
        app(),
        with_tokens(|number, _| {
            after(millis(50), if number == 1 { rate_limited(30) } else { granted("t-1") })
        }),
    );
    sim.run(async {
        while sim.elapsed() < secs(30) {
            assert!(sim.within(secs(2), client.call(&put())).await.is_none());
        }
        assert_eq!(service.sent(TOKEN).len(), 1);
        client.call(&put()).await.unwrap();
    });
    assert_eq!(service.sent(TOKEN).len(), 2);
}

#[test]
fn an_unreachable_token_host_ends_all_calls_with_its_cause_after_four_requests() {
    for hasty in [0, 500] {
        let sim = Sim::new("a dead host");
        let service = Service::new(&sim);
        let client = service.client(app(), with_tokens(|_, _| Reaction::Cut(secs(20))));
        let ends = sim.run_numbered(1000, async |number| {
            let is_hasty = number == hasty;
            let limits = if is_hasty { Limits::one_attempt() } else { Limits::default() };
            sim.timed(client.clone().with_limits(limits).call(&put())).await
        });
        for (result, took) in ends {
            let error = result.unwrap_err();
            assert!(error.route.ends_with(TOKEN) && error.outcome() == Outcome::NotSent);
            let cause = match &error.kind {
                CallErrorKind::Transport(cause) => cause.to_string(),
                CallErrorKind::TokenRequest(cause) => cause.to_string(),
                _ => panic!("{error:?}"),
            };
            assert_eq!(cause, "connection cut");
            assert!(took <= secs(100), "{took:?}");
        }
        assert_eq!(service.sent(TOKEN).len(), 4);
    }
}

#[test]
fn calls_that_wait_for_a_token_go_on_at_once_with_an_imported_one() {
    let sim = Sim::new("an imported token");
    let service = Service::new(&sim);
    let other = service.client(app(), with_tokens(|_, _| after(millis(0), granted("t-2"))));
    let client = service.client(app(), with_tokens(|_, _| after(millis(50), rate_limited(45))));
    let ends = sim.run_numbered(11, async |number| {
        if number == 0 {
            other.call(&put()).await.unwrap();
            sim.sleep_until(secs(1)).await;
            client.import_token(&other.export_token().unwrap()).unwrap();
        } else {
            client.call(&put()).await.unwrap();
        }
        sim.elapsed()
    });
    assert!(ends[1..].iter().all(|end| *end == millis(1100)), "{ends:?}");
}

#[test]
fn calls_that_wait_for_a_token_go_on_at_once_with_a_new_ticket() {
    let sim = Sim::new("a ticket");
    let service = Service::new(&sim);
    let client = store(&service, |number| {
        after(millis(100), if number == 1 { rate_limited(45) } else { granted("t-1") })
    });
    client.set_app_ticket(AppTicket::new("one").unwrap());
    let ends = sim.run_numbered(11, async |number| {
        if number == 0 {
            sim.sleep_until(secs(1)).await;
            client.set_app_ticket(AppTicket::new("another").unwrap());
        } else {
            client.call(&put()).await.unwrap();
        }
        sim.elapsed()
    });
    assert!(ends[1..].iter().all(|end| *end == millis(1300)), "{ends:?}");
}

/// A client of a store app whose token requests are answered by `auth`, given their number.
fn store(
    service: &Service,
    mut auth: impl FnMut(usize) -> Reaction + 'static,
) -> Client<impl Transport<Error = lark_hyper::TransportError> + Clone> {
    let app = App::store("cli_store", "secret").unwrap();
    let client = service.client(app, with_tokens(move |number, _| auth(number)));
    client.for_tenant(TenantKey::new("736588c92lxf175d").unwrap())
}

fn lacks_ticket<O, T>(result: &Result<O, CallError<T>>) -> bool {
    matches!(result, Err(error) if matches!(error.kind, CallErrorKind::NoTicket))
}

#[test]
fn a_call_waits_for_a_ticket_only_if_its_limits_allow_that() {
    let sim = Sim::new("no ticket");
    let service = Service::new(&sim);
    let client = store(&service, |number| {
        let pushed = answer(200, r#"{"code":0,"msg":"success"}"#);
        after(millis(100), if number == 1 { pushed } else { granted("t-1") })
    });
    let ends = sim.run_numbered(3, async |number| {
        let wait = [60, 180, 60][number as usize];
        let client = client.clone().with_limits(Limits::default().longest_wait(secs(wait)));
        if number == 2 {
            sim.sleep_until(secs(120)).await;
            client.set_app_ticket(AppTicket::new("one").unwrap());
        }
        sim.timed(client.call(&put())).await
    });
    assert!(lacks_ticket(&ends[0].0));
    assert_eq!(ends[0].1, millis(100));
    ends[1].0.as_ref().unwrap();
    assert_eq!(ends[1].1, millis(120_300));
    assert_eq!(service.sent("/resend").len(), 1);
}

#[test]
fn a_ticket_whose_event_is_lost_is_asked_for_again_after_five_minutes() {
    let sim = Sim::new("a lost event");
    let service = Service::new(&sim);
    let client =
        store(&service, |_| after(millis(100), answer(200, r#"{"code":0,"msg":"success"}"#)));
    sim.run(async {
        for (at, requests) in [(0, 1), (1, 1), (299, 1), (301, 2)] {
            sim.sleep_until(secs(at)).await;
            let (result, took) = sim.timed(client.call(&put())).await;
            assert!(lacks_ticket(&result) && took <= millis(100), "{took:?}");
            assert_eq!(service.sent("/resend").len(), requests, "after {at} s");
        }
    });
}

#[test]
fn a_renewal_that_fails_while_its_call_waits_at_a_gate_is_not_the_error_of_the_call() {
    let sim = Sim::new("a failed renewal");
    let service = Service::new(&sim);
    let mut tokens = 0;
    let mut uploads = 0;
    let client = service.client(app(), |_, request| {
        if request.uri().path().ends_with(TOKEN) {
            tokens += 1;
            return if tokens == 1 {
                after(millis(100), granted("t-1"))
            } else {
                Reaction::Cut(secs(10))
            };
        }
        uploads += 1;
        match uploads {
            1 => after(millis(100), done()),
            2 => after(secs(12), rate_limited(30)),
            _ => after(millis(100), rate_limited(15)),
        }
    });
    sim.run(client.call(&put())).unwrap();
    let ends = sim.run_numbered(2, async |number| {
        sim.sleep_until(secs(7000)).await;
        let limits = Limits::default().total(secs(20));
        if number == 1 {
            sim.sleep(secs(1)).await;
        }
        client.clone().with_limits(limits).call(&put()).await
    });
    let error = ends[0].as_ref().unwrap_err();
    assert!(
        error.route.ends_with("/put/") && matches!(error.kind, CallErrorKind::Lark(_)),
        "{error:?}"
    );
}

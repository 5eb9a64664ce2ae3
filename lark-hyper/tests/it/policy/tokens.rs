//! Token hosts that are slow, unreachable or refuse a request, and callers that give up.

use std::time::Duration;

use lark_hyper::{CallError, Client, Transport};
use lark_proto::error::{CallErrorKind, Outcome};
use lark_proto::values::{AppTicket, TenantKey};
use lark_proto::{App, Limits};

use crate::service::{
    Reaction, TOKEN, World, after, answer, custom, done, granted, millis, refusal, secs, told,
    upload, with_tokens,
};

fn is_rare(requests: &[Duration]) -> bool {
    requests.windows(2).all(|pair| pair[1] - pair[0] >= secs(60))
}

#[test]
fn a_renewal_that_hangs_fails_no_call_and_holds_up_few() {
    let world = World::new("a renewal");
    let client = world.client(
        custom(),
        with_tokens(|number, _| match number {
            1 => after(millis(100), granted("t-1")),
            _ => Reaction::Hangs,
        }),
    );
    world.executor.run(async {
        client.call(&upload()).await.unwrap();
        world.sleep_until(secs(7200 - 28 * 60)).await;
        for _ in 0..100 {
            let (result, took) = world.within(secs(5), client.call(&upload())).await.unwrap();
            result.unwrap();
            assert!(took <= secs(3), "{took:?}");
        }
    });
    let requests = world.sent(TOKEN);
    assert!(requests.len() > 1 && is_rare(&requests), "{requests:?}");
}

#[test]
fn a_token_request_outlives_the_callers_that_give_up() {
    let world = World::new("a token request");
    let client = world.client(custom(), with_tokens(|_, _| after(secs(3), granted("t-1"))));
    world.executor.run(async {
        assert!(world.within(secs(2), client.call(&upload())).await.is_none());
        for _ in 1..200 {
            let (result, _) = world.within(secs(2), client.call(&upload())).await.unwrap();
            result.unwrap();
        }
    });
    assert_eq!(world.sent(TOKEN).len(), 1);
}

#[test]
fn a_token_request_is_dropped_when_its_time_is_over() {
    let world = World::new("a token request that hangs");
    let client = world.client(custom(), with_tokens(|_, _| Reaction::Hangs));
    world.executor.run(async {
        for (from, hanging) in [(0, 1), (57, 1), (61, 1), (130, 1)] {
            world.sleep_until(secs(from)).await;
            assert!(world.within(secs(2), client.call(&upload())).await.is_none());
            assert_eq!(world.hanging(), hanging, "after {from} s");
        }
    });
    assert_eq!(world.sent(TOKEN).len(), 3);
    drop(client);
    assert_eq!(world.hanging(), 0);
}

#[test]
fn a_renewal_that_outlasts_its_call_is_polled_by_the_calls_that_follow() {
    let world = World::new("a slow renewal");
    let client = world.client(
        custom(),
        with_tokens(|number, _| after(secs(10), granted(["t-1", "t-2"][number - 1]))),
    );
    world.executor.run(async {
        client.call(&upload()).await.unwrap();
        world.sleep_until(secs(7000)).await;
        let (result, took) = world.timed(client.call(&upload())).await;
        result.unwrap();
        assert_eq!(took, millis(2100));
        // The older token expires 7,200 s after its request; the new one has to arrive before.
        for _ in 0..3600 {
            let (result, took) = world.timed(client.call(&upload())).await;
            result.unwrap();
            assert_eq!(took, millis(100));
            world.sleep(secs(1)).await;
        }
    });
    assert_eq!(world.sent(TOKEN).len(), 2);
}

#[test]
fn a_token_host_that_takes_four_seconds_fails_no_call_in_two_hours() {
    let world = World::new("a slow token host");
    let client = world.client(custom(), with_tokens(|_, _| after(secs(4), granted("t-1"))));
    let results = world.run_all(7200, async |second| {
        world.sleep_until(secs(second.into())).await;
        let (result, took) = world.timed(client.call(&upload())).await;
        result.unwrap();
        took
    });
    let held_up = results.iter().skip(4).filter(|took| **took > millis(100)).count();
    assert!(held_up <= 12, "{held_up} calls waited for a renewal");
}

#[test]
fn a_token_that_comes_again_although_refused_is_tried_again_later() {
    let world = World::new("a refused token");
    let mut refusals = 2;
    let client = world.client(custom(), |_, request| {
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
    let odd = lark_proto::PutImage::message(lark_proto::Image::new("GIF89a odd").unwrap()).unwrap();
    world.run_all(31, async |number| {
        world.sleep(millis(100) * number).await;
        let call = if number == 0 { client.call(&odd).await } else { client.call(&upload()).await };
        call.unwrap();
    });
    assert_eq!(world.sent(TOKEN).len(), 2);
    assert_eq!(world.sent("/put/").len(), 31 + 2);
    drop(client);
    assert_eq!(refusals, 0);
}

#[test]
fn a_first_request_that_fails_for_the_moment_is_sent_again() {
    let failures: [fn() -> Reaction; 4] = [
        || after(millis(100), answer(500, "<html>")),
        || after(millis(100), answer(200, r#"{"code":0,"tenant_access_"#)),
        || after(millis(100), refusal(503, 4_242_424)),
        || Reaction::Cut(millis(100)),
    ];
    for failure in failures {
        let world = World::new("a first request");
        let client = world.client(
            custom(),
            with_tokens(|number, _| match number {
                1 => failure(),
                _ => after(millis(100), granted("t-1")),
            }),
        );
        world.run_all(1000, async |number| {
            world.sleep(millis(3) * number).await;
            client.call(&upload()).await.unwrap();
        });
        assert_eq!(world.sent(TOKEN).len(), 2);
    }
}

#[test]
fn a_token_route_gets_no_request_during_the_wait_it_asked_for_even_if_calls_give_up() {
    let world = World::new("told to wait");
    let client = world.client(
        custom(),
        with_tokens(|number, _| {
            after(millis(50), if number == 1 { told(30) } else { granted("t-1") })
        }),
    );
    world.executor.run(async {
        while world.now() < secs(30) {
            assert!(world.within(secs(2), client.call(&upload())).await.is_none());
        }
        assert_eq!(world.sent(TOKEN).len(), 1);
        client.call(&upload()).await.unwrap();
    });
    assert_eq!(world.sent(TOKEN).len(), 2);
}

#[test]
fn a_dead_token_host_ends_all_calls_with_its_cause_after_one_series() {
    for hasty in [0, 500] {
        let world = World::new("a dead host");
        let client = world.client(custom(), with_tokens(|_, _| Reaction::Cut(secs(20))));
        let ends = world.run_all(1000, async |number| {
            let is_hasty = number == hasty;
            let limits = if is_hasty { Limits::one_attempt() } else { Limits::default() };
            world.timed(client.clone().with_limits(limits).call(&upload())).await
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
        assert_eq!(world.sent(TOKEN).len(), 4);
    }
}

#[test]
fn waiting_calls_go_on_at_once_with_an_imported_token_or_a_ticket() {
    let world = World::new("told to wait");
    let other = world.client(custom(), with_tokens(|_, _| after(millis(0), granted("t-2"))));
    let client = world.client(custom(), with_tokens(|_, _| after(millis(50), told(45))));
    let ends = world.run_all(11, async |number| {
        if number == 0 {
            other.call(&upload()).await.unwrap();
            world.sleep_until(secs(1)).await;
            client.import_token(&other.export_token().unwrap()).unwrap();
        } else {
            client.call(&upload()).await.unwrap();
        }
        world.now()
    });
    assert!(ends[1..].iter().all(|end| *end == millis(1100)), "{ends:?}");

    let world = World::new("a ticket");
    let client = store(&world, |number| {
        after(millis(100), if number == 1 { told(45) } else { granted("t-1") })
    });
    client.set_app_ticket(AppTicket::new("one").unwrap());
    let ends = world.run_all(11, async |number| {
        if number == 0 {
            world.sleep_until(secs(1)).await;
            client.set_app_ticket(AppTicket::new("another").unwrap());
        } else {
            client.call(&upload()).await.unwrap();
        }
        world.now()
    });
    assert!(ends[1..].iter().all(|end| *end == millis(1300)), "{ends:?}");
}

fn store(
    world: &World,
    mut auth: impl FnMut(usize) -> Reaction + 'static,
) -> Client<impl Transport<Error = lark_hyper::TransportError> + Clone> {
    let app = App::store("cli_store", "secret").unwrap();
    let client = world.client(app, with_tokens(move |number, _| auth(number)));
    client.for_tenant(TenantKey::new("736588c92lxf175d").unwrap())
}

fn lacks_ticket<O, T>(result: &Result<O, CallError<T>>) -> bool {
    matches!(result, Err(error) if matches!(error.kind, CallErrorKind::NoTicket))
}

#[test]
fn a_call_waits_for_a_ticket_only_if_its_limits_allow_that() {
    let world = World::new("no ticket");
    let client = store(&world, |number| {
        let pushed = answer(200, r#"{"code":0,"msg":"success"}"#);
        after(millis(100), if number == 1 { pushed } else { granted("t-1") })
    });
    let ends = world.run_all(3, async |number| {
        let wait = [60, 180, 60][number as usize];
        let client = client.clone().with_limits(Limits::default().longest_wait(secs(wait)));
        if number == 2 {
            world.sleep_until(secs(120)).await;
            client.set_app_ticket(AppTicket::new("one").unwrap());
        }
        world.timed(client.call(&upload())).await
    });
    assert!(lacks_ticket(&ends[0].0));
    assert_eq!(ends[0].1, millis(100));
    ends[1].0.as_ref().unwrap();
    assert_eq!(ends[1].1, millis(120_300));
    assert_eq!(world.sent("/resend").len(), 1);
}

#[test]
fn a_ticket_whose_event_is_lost_is_asked_for_again_after_five_minutes() {
    let world = World::new("a lost event");
    let client =
        store(&world, |_| after(millis(100), answer(200, r#"{"code":0,"msg":"success"}"#)));
    world.executor.run(async {
        for (at, requests) in [(0, 1), (1, 1), (299, 1), (301, 2)] {
            world.sleep_until(secs(at)).await;
            let (result, took) = world.timed(client.call(&upload())).await;
            assert!(lacks_ticket(&result) && took <= millis(100), "{took:?}");
            assert_eq!(world.sent("/resend").len(), requests, "after {at} s");
        }
    });
}

#[test]
fn a_renewal_that_fails_while_its_call_waits_at_a_gate_is_not_the_error_of_the_call() {
    let world = World::new("a failed renewal");
    let (mut tokens, mut uploads) = (0, 0);
    let client = world.client(custom(), |_, request| {
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
            2 => after(secs(12), told(30)),
            _ => after(millis(100), told(15)),
        }
    });
    world.executor.run(client.call(&upload())).unwrap();
    let ends = world.run_all(2, async |number| {
        world.sleep_until(secs(7000)).await;
        let limits = Limits::default().total(secs(20));
        if number == 1 {
            world.sleep(secs(1)).await;
        }
        client.clone().with_limits(limits).call(&upload()).await
    });
    let error = ends[0].as_ref().unwrap_err();
    assert!(
        error.route.ends_with("/put/") && matches!(error.kind, CallErrorKind::Lark(_)),
        "{error:?}"
    );
}

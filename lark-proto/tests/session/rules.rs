//! The rules of sending, waiting and sending again, one by one.

use std::time::Duration;

use http::StatusCode;
use lark_proto::Limits;
use lark_proto::fake::{Fault, Route};

use crate::work::{Work, limits};
use crate::world::{State, World};

fn limited(reset: &str) -> Fault {
    Fault::RateLimited { status: StatusCode::TOO_MANY_REQUESTS, reset: Some(reset.to_owned()) }
}

fn busy() -> Fault {
    Fault::Code { status: StatusCode::OK, code: 90_235, msg: "later".into() }
}

/// Steps a call until its own request is out.
fn send(world: &mut World<'_>, at: usize) {
    world.step(at);
    while world.flight(at).is_some_and(|flight| flight.is_fetch) {
        world.deliver(at);
        world.step(at);
    }
    assert!(world.flight(at).is_some());
}

#[test]
fn who_is_told_to_wait_waits_for_all_on_the_route() {
    let (put, write) = (Work::put(0), Work::write(1, 0));
    let mut world = World::new();
    world.lark.fail_next_on(Route::ImageV4Put, limited("10"));
    world.start(&put, Limits::default());
    send(&mut world, 0);
    world.deliver(0);
    for _ in 0..5 {
        world.start(&put, Limits::default());
    }
    world.settle();
    assert_eq!(world.having(|it| matches!(it, State::Waiting(_))).len(), 6);
    let other = world.start(&write, Limits::default());
    send(&mut world, other);
    world.deliver(other);
    let start = world.real;
    world.run();
    assert_eq!(world.real, start + Duration::from_secs(10));
    let sends: Vec<u32> = (0..6).map(|at| world.tasks[at].sends).collect();
    assert_eq!(sends, [2, 1, 1, 1, 1, 1], "nobody else's attempts are used up");
}

#[test]
fn a_later_wait_stands_when_an_earlier_probe_succeeds() {
    let put = Work::put(0);
    let mut world = World::new();
    for reset in ["1", "20"] {
        world.lark.fail_next_on(Route::ImageV4Put, limited(reset));
        let at = world.start(&put, Limits::default());
        send(&mut world, at);
    }
    world.deliver(0);
    world.settle();
    world.pass_secs(1);
    send(&mut world, 0);
    world.deliver(1);
    world.deliver(0);
    let late = world.start(&put, Limits::default());
    world.settle();
    assert!(world.flight(late).is_none(), "the second was told to wait for 20 seconds");
    world.run();
    assert_eq!((world.tasks[1].sends, world.tasks[late].sends), (2, 1));
}

#[test]
fn absurd_waits_are_bounded() {
    let put = Work::put(0);
    for reset in ["-1", "NaN", "1e300", "inf", "-inf", "soon", "", "0", "86400", "1e-300"] {
        for bounds in [Limits::default(), Limits::none()] {
            let mut world = World::new();
            let start = world.real;
            world.lark.fail_next_on(Route::ImageV4Put, limited(reset));
            world.start(&put, bounds);
            world.run();
            let next = world.start(&put, Limits::default());
            world.run();
            assert!(world.result(next).is_ok(), "{reset}");
            let took = world.real.duration_since(start).unwrap();
            assert!(took <= Duration::from_secs(61), "{reset}: {took:?}");
        }
    }
}

#[test]
fn a_wait_that_is_too_long_ends_the_call_with_what_it_was_told() {
    let put = Work::put(0);
    let mut world = World::new();
    world.lark.fail_next_on(Route::ImageV4Put, limited("61"));
    world.start(&put, Limits::default());
    world.run();
    let error = world.result(0).as_ref().unwrap_err();
    let told = error.lark().and_then(|error| error.api()?.retry_after);
    assert_eq!(told, Some(Duration::from_secs(61)));
    assert_eq!(world.tasks[0].sends, 1);
}

#[test]
fn writes_to_one_spreadsheet_go_in_the_order_they_came() {
    let works: Vec<Work> = (0..8).map(|number| Work::write(number, 0)).collect();
    let mut world = World::new();
    world.lark.fail_next_on(Route::ValuesImage, busy());
    world.lark.fail_next_on(Route::ValuesImage, limited("3"));
    for work in &works {
        let at = world.start(work, Limits::default());
        world.step(at);
    }
    // From here on whoever came last is always asked first.
    while !world.live.is_empty() {
        while let Some(at) = world.having(|it| matches!(it, State::Ready)).pop() {
            world.step(at);
        }
        match world.having(|it| matches!(it, State::InFlight(_))).pop() {
            Some(at) => world.deliver(at),
            None => world.pass_secs(1),
        }
    }
    let lane = works[0].lane().unwrap();
    let mut cells: Vec<_> =
        world.lark.cells(lane).map(|(_, it)| (it.revision, &it.bytes)).collect();
    cells.sort();
    assert!(cells.iter().map(|(_, bytes)| *bytes).eq(works.iter().map(|work| &work.image)));
}

#[test]
fn calls_that_wait_for_a_route_go_in_the_order_they_came() {
    let works: Vec<Work> = (0..6).map(Work::put).collect();
    let mut world = World::new();
    world.lark.fail_next_on(Route::ImageV4Put, limited("5"));
    world.start(&works[0], Limits::default());
    send(&mut world, 0);
    world.deliver(0);
    for work in &works[1..] {
        world.start(work, Limits::default());
    }
    world.settle();
    world.pass_secs(5);
    for at in (0..6).rev() {
        world.step(at);
    }
    assert!(world.flight(0).is_some(), "the first to come");
    world.settle();
    assert_eq!(world.having(|it| matches!(it, State::InFlight(_))).len(), 1, "and it alone");
    world.cancel(0);
    for at in (1..6).rev() {
        world.step(at);
    }
    assert!(world.flight(1).is_some(), "the next to come");
    world.run();
}

#[test]
fn what_must_not_be_repeated_is_not_sent_again_once_a_byte_is_pulled() {
    let once = Work::once(0);
    for (pulled, ok) in [(0, true), (1, false), (usize::MAX, false)] {
        let mut world = World::new();
        world.start(&once, Limits::default());
        send(&mut world, 0);
        world.cut(0, pulled);
        world.run();
        assert_eq!(world.result(0).is_ok(), ok, "{pulled}");
        assert_eq!(world.tasks[0].sends, if ok { 2 } else { 1 }, "{pulled}");
        world.assert_stored();
    }
    for failure in [busy(), limited("1"), Fault::EdgeHtml(StatusCode::BAD_GATEWAY)] {
        let mut world = World::new();
        world.lark.fail_next_on(Route::ImV1Images, failure);
        world.start(&once, Limits::default());
        world.run();
        assert_eq!((world.result(0).is_ok(), world.tasks[0].sends), (false, 1));
    }
}

#[test]
fn an_upload_that_the_peer_answers_by_closing_is_sent_again_at_most_once() {
    let put = Work::put(0);
    for pulled in [1, usize::MAX] {
        let mut world = World::new();
        world.start(&put, Limits::default());
        for _ in 0..2 {
            send(&mut world, 0);
            world.cut(0, pulled);
            world.step(0);
            world.pass_secs(60);
        }
        assert!(world.result(0).is_err(), "{pulled}");
        assert_eq!(world.tasks[0].sends, 2);
    }
}

#[test]
fn a_connection_that_breaks_before_the_body_costs_an_attempt() {
    let put = Work::put(0);
    let mut world = World::new();
    world.start(&put, limits(3, 600, 60));
    for _ in 0..3 {
        send(&mut world, 0);
        world.cut(0, 0);
        world.step(0);
        world.pass_secs(60);
    }
    assert!(world.result(0).is_err());
}

#[test]
fn no_attempt_goes_beyond_the_limits() {
    let put = Work::put(0);
    for attempts in 1..6 {
        let mut world = World::new();
        for _ in 0..attempts - 1 {
            world.lark.fail_next_on(Route::ImageV4Put, busy());
        }
        world.start(&put, limits(attempts, 600, 60));
        world.lark.fail_next_on(Route::ImageV4Put, busy());
        world.start(&put, limits(attempts, 600, 60));
        world.run();
        assert!(world.tasks.iter().all(|task| task.sends <= attempts));
    }
    let mut world = World::new();
    for _ in 0..100 {
        world.lark.fail_next_on(Route::ImageV4Put, busy());
    }
    world.start(&put, limits(100, 120, 60));
    let start = world.real;
    world.run();
    assert!(world.result(0).is_err());
    assert!(world.real <= start + Duration::from_secs(120));
}

#[test]
fn every_call_ends_in_its_time() {
    let (put, write) = (Work::put(0), Work::write(1, 0));
    let mut world = World::new();
    for work in [&put, &write, &write] {
        world.start(work, limits(100, 30, 60));
    }
    world.settle();
    world.pass_secs(29);
    world.step(1);
    assert!(matches!(world.tasks[1].state, State::Parked(_)));
    world.pass_secs(1);
    world.settle();
    assert!(world.result(1).is_err() && world.result(2).is_err(), "the fetch is still out");
    world.run();
    assert!(world.result(0).is_err());
    let start = world.real;
    for _ in 0..100 {
        world.lark.fail_next_on(Route::TenantAccessToken, busy());
    }
    let at = world.start(&put, limits(100, 30, 60));
    world.run();
    assert!(world.result(at).is_err());
    assert!(world.real <= start + Duration::from_secs(30));
}

#[test]
fn a_clock_that_is_set_back_only_lengthens_a_wait() {
    let put = Work::put(0);
    let mut world = World::new();
    world.lark.fail_next_on(Route::ImageV4Put, limited("10"));
    world.start(&put, Limits::default());
    send(&mut world, 0);
    world.deliver(0);
    world.settle();
    world.pass_secs(4);
    world.clock -= Duration::from_secs(100_000);
    world.pass_secs(6);
    let start = world.real;
    world.run();
    assert!(world.result(0).is_ok());
    assert!(world.real <= start + Duration::from_secs(10));
}

#[test]
fn a_call_has_a_second_more_for_each_64_kib_of_its_body() {
    let put = Work::put(0);
    let mut world = World::new();
    world.start(&put, limits(4, 5, 60));
    send(&mut world, 0);
    world.pass_secs(5);
    world.deliver(0);
    world.run();
    assert!(world.result(0).is_err(), "a small body has five seconds");
}

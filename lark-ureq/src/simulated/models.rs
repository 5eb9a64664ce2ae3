//! Models of threads on a simulated clock, which are run in every order that loom finds.

use super::*;
use crate::Clock;
use crate::sync::modelled::{explore, spawn};

const TEN: Duration = Duration::from_secs(10);

fn running(clock: &Clock) -> usize {
    clock.simulated_time().state().running
}

#[test]
fn a_thread_that_is_unparked_as_its_time_is_over_runs_once() {
    explore("clock: unpark and timeout", None, || {
        let clock = Clock::simulated();
        let parks = thread::current();
        let mut guards = clock.start(2).into_iter();
        let (parks_guard, unparks_guard) = (guards.next(), guards.next());
        let unparks = {
            let clock = clock.clone();
            spawn(move || {
                let _running = unparks_guard;
                clock.sleep(TEN);
                clock.unpark(&parks);
            })
        };
        clock.park(TEN);
        assert_eq!(clock.elapsed(), TEN);
        drop(parks_guard);
        unparks.join().unwrap();
        assert_eq!(running(&clock), 1);
    });
}

#[test]
fn an_unpark_before_or_after_the_park_ends_it_before_time_moves() {
    explore("clock: unpark", None, || {
        let clock = Clock::simulated();
        let parks = thread::current();
        let mut guards = clock.start(2).into_iter();
        let (parks_guard, unparks_guard) = (guards.next(), guards.next());
        let unparks = {
            let clock = clock.clone();
            spawn(move || {
                let _running = unparks_guard;
                clock.unpark(&parks);
                clock.sleep(TEN);
            })
        };
        clock.park(TEN);
        assert_eq!(clock.elapsed(), Duration::ZERO);
        drop(parks_guard);
        unparks.join().unwrap();
        assert_eq!((clock.elapsed(), running(&clock)), (TEN, 1));
    });
}

#[test]
fn time_moves_to_the_end_of_the_earliest_wait_in_every_order() {
    explore("clock: sleeps", Some(2), || {
        let clock = Clock::simulated();
        let guards = clock.start(3).into_iter();
        let mut sleeps = guards.zip([2, 1, 2]).map(|(running, times)| {
            let clock = clock.clone();
            move || {
                let _running = running;
                clock.sleep(TEN * times);
                assert_eq!(clock.elapsed(), TEN * times);
            }
        });
        let here = sleeps.next().unwrap();
        let threads: Vec<_> = sleeps.map(spawn).collect();
        here();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((clock.elapsed(), running(&clock)), (TEN * 2, 1));
    });
}

//! A sliding window counts the requests of the last second or minute, so that the session can keep a quota.

use std::collections::VecDeque;
use std::time::Duration;

use crate::session::moment::Moment;

/// The assumed network jitter: the time between two requests may shrink by this much between sending and arrival.
const NETWORK_JITTER: Duration = Duration::from_millis(100);

/// Counts the events of the last span, in buckets. An event counts until its whole bucket is older than the span plus
/// [`NETWORK_JITTER`], so that the count is never less than the number of events that the service may still count.
#[derive(Debug)]
pub(super) struct SlidingWindow {
    /// The width of a bucket in microseconds: a sixtieth of the sum of the span and [`NETWORK_JITTER`].
    width: u64,
    /// The number of each bucket that has events, and the number of its events. The oldest bucket is the first.
    buckets: VecDeque<(u64, u32)>,
    /// The number of the events in `buckets`.
    count: u32,
}

impl SlidingWindow {
    pub(super) fn new(span: Duration) -> Self {
        let width = micros(span + NETWORK_JITTER).div_ceil(60);
        Self { width, buckets: VecDeque::new(), count: 0 }
    }

    /// The number of events that count at `now`.
    pub(super) fn count(&self, now: Moment) -> u32 {
        let counting = self.buckets.iter().filter(|(bucket, _)| now < self.expires(*bucket));
        counting.map(|(_, events)| events).sum()
    }

    /// Drops the events that no longer count at `now`.
    fn advance(&mut self, now: Moment) {
        while let Some((bucket, events)) = self.buckets.front().copied() {
            if now < self.expires(bucket) {
                break;
            }
            self.buckets.pop_front();
            self.count -= events;
        }
    }

    /// The time from which the events of a bucket no longer count.
    fn expires(&self, bucket: u64) -> Moment {
        Moment(Duration::from_micros((bucket + 61).saturating_mul(self.width)))
    }

    /// Adds an event, and drops the events that no longer count.
    pub(super) fn add(&mut self, now: Moment) {
        self.advance(now);
        let number = micros(now.0) / self.width;
        self.count += 1;
        match self.buckets.back_mut() {
            Some((bucket, events)) if *bucket == number => *events += 1,
            _ => self.buckets.push_back((number, 1)),
        }
    }

    /// The longest time for which an event counts.
    pub(super) fn longest_life(&self) -> Duration {
        self.expires(0).since(Moment::START)
    }

    /// The time from which fewer than `limit` events count. It may be past. It is [`Moment::START`] if fewer than
    /// `limit` events counted when the last one was added.
    pub(super) fn opens(&self, limit: u32) -> Moment {
        let mut count = self.count;
        for (bucket, events) in &self.buckets {
            if count < limit {
                break;
            }
            count -= events;
            if count < limit {
                return self.expires(*bucket);
            }
        }
        Moment::START
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_time::NANO;

    const SECOND: Duration = Duration::from_secs(1);

    /// Pseudo-random numbers below a bound.
    fn random(seed: &mut u64, bound: u64) -> u64 {
        *seed =
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % bound
    }

    /// A window to which events are added at random times, whenever it is open.
    struct Run {
        span: Duration,
        limit: u32,
        longest_gap: u64,
        window: SlidingWindow,
        now: Moment,
        sent: Vec<Moment>,
    }

    impl Run {
        fn new(seed: &mut u64) -> Self {
            let span = if random(seed, 2) == 0 { SECOND } else { 60 * SECOND };
            let limit = u32::try_from(1 + random(seed, 60)).unwrap();
            let longest_gap = 1 + random(seed, 4 * micros(span) / u64::from(limit));
            let window = SlidingWindow::new(span);
            Self { span, limit, longest_gap, window, now: Moment::START, sent: Vec::new() }
        }

        fn wait(&mut self, seed: &mut u64) {
            self.now = self.now + Duration::from_micros(random(seed, self.longest_gap));
        }

        /// The time when the window opens, computed from the list of all events.
        fn opens(&self) -> Moment {
            let Some(at) = self.sent.len().checked_sub(self.limit as usize) else {
                return Moment::START;
            };
            // An event counts until its whole bucket is older than 60 buckets: the span plus `NETWORK_JITTER`.
            let bucket = micros(self.sent[at].0) / self.window.width;
            Moment(Duration::from_micros((bucket + 61) * self.window.width))
        }

        fn send_if_open(&mut self) {
            if self.window.opens(self.limit) <= self.now {
                self.window.add(self.now);
                self.sent.push(self.now);
            }
        }
    }

    #[test]
    fn a_window_opens_at_the_time_computed_from_a_list_of_all_events() {
        for mut seed in 0..200 {
            let mut run = Run::new(&mut seed);
            for _ in 0..1000 {
                run.wait(&mut seed);
                let expected = run.opens();
                let added = run.sent.last().copied().unwrap_or_default();
                assert_eq!(run.window.opens(run.limit).max(added), expected.max(added), "{seed}");
                run.window.advance(run.now);
                assert_eq!(run.window.opens(run.limit) <= run.now, expected <= run.now, "{seed}");
                run.send_if_open();
            }
        }
    }

    #[test]
    fn no_span_has_more_events_than_the_limit() {
        for mut seed in 0..200 {
            let mut run = Run::new(&mut seed);
            for _ in 0..1000 {
                run.wait(&mut seed);
                run.send_if_open();
            }
            let limit = run.limit as usize;
            for few in run.sent.windows(limit + 1) {
                assert!(few[limit].since(few[0]) > run.span + NETWORK_JITTER, "{seed}");
            }
        }
    }

    #[test]
    fn a_window_keeps_62_buckets_at_most() {
        for mut seed in 0..200 {
            let mut run = Run::new(&mut seed);
            for _ in 0..1000 {
                run.wait(&mut seed);
                run.send_if_open();
                assert!(run.window.buckets.len() <= 62, "{seed}");
            }
        }
    }

    #[test]
    fn an_event_counts_until_its_bucket_expires() {
        for start in [0, 1, 18_333, 18_334, 999_999] {
            let mut window = SlidingWindow::new(SECOND);
            window.add(Moment(Duration::from_micros(start)));
            let expires = window.opens(1);
            assert_eq!(window.count(expires - NANO), 1, "{start}");
            assert_eq!(window.count(expires), 0, "{start}");
        }
    }

    #[test]
    fn an_event_counts_for_at_most_two_buckets_longer_than_the_span_and_the_jitter() {
        for start in [0, 1, 18_333, 18_334, 999_999] {
            let mut window = SlidingWindow::new(SECOND);
            let start = Moment(Duration::from_micros(start));
            window.add(start);
            let life = window.opens(1).since(start);
            let span = SECOND + NETWORK_JITTER;
            assert!(life > span && life <= span.mul_f64(62.0 / 60.0), "{life:?}");
            assert!(life <= window.longest_life(), "{life:?}");
        }
    }

    #[test]
    fn a_window_is_open_while_fewer_events_than_the_limit_count() {
        let mut window = SlidingWindow::new(SECOND);
        window.add(Moment::START);
        window.add(Moment(SECOND / 2));
        window.add(Moment(SECOND / 2));
        let first = window.expires(0);
        let last = window.expires(micros(SECOND / 2) / window.width);
        let opens = [1, 2, 3, 4].map(|limit| window.opens(limit));
        assert_eq!(opens, [last, last, first, Moment::START]);
    }

    #[test]
    fn a_window_keeps_at_most_62_buckets_however_many_events_there_are() {
        let mut window = SlidingWindow::new(SECOND);
        for millis in 0..10_000 {
            window.add(Moment(Duration::from_millis(millis)));
            window.add(Moment(Duration::from_millis(millis)));
            assert!(window.buckets.len() <= 62, "{}", window.buckets.len());
        }
    }

    #[test]
    fn a_window_accepts_the_largest_times() {
        let mut window = SlidingWindow::new(60 * SECOND);
        for now in
            [Moment::START, Moment(Duration::from_secs(1 << 40)), Moment::NEVER, Moment::NEVER]
        {
            window.add(now);
            assert!(window.opens(1) > Moment::START);
        }
    }
}

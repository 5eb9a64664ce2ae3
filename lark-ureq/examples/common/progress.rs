//! The progress of a run: a bar on a terminal, otherwise a line from time to time.

use std::fmt::Write;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use lark_ureq::Clock;

use super::start::eprint;

/// The shortest and the longest pause between progress lines if there is no terminal. The pause doubles from the first
/// to the second.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

pub(crate) struct Progress {
    bar: ProgressBar,
    clock: Clock,
    /// When the last line was written.
    said: Mutex<Duration>,
}

impl Progress {
    /// The progress of `total` pictures, of which none has arrived.
    pub(crate) fn new(total: usize) -> Self {
        let bar = ProgressBar::new(u64::try_from(total).unwrap_or(u64::MAX));
        let pace = |state: &ProgressState, out: &mut dyn Write| {
            let total = state.len().unwrap_or_default();
            let _ = write!(out, "{}", pace(state.pos(), total, state.elapsed()));
        };
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {human_pos} of {human_len}{pace}")
        {
            bar.set_style(style.with_key("pace", pace));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, clock: Clock::default(), said: Mutex::default() }
    }

    /// Counts a picture that has arrived, has failed or was skipped.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
        if !self.bar.is_hidden() {
            return;
        }
        let now = self.clock.elapsed();
        let Ok(mut said) = self.said.lock() else { return };
        let (first, longest) = PAUSES;
        if now < *said + (*said).clamp(first, longest) {
            return;
        }
        *said = now;
        let position = self.bar.position();
        let total = self.bar.length().unwrap_or_default();
        let pace = pace(position, total, now);
        let position = HumanCount(position);
        let total = HumanCount(total);
        eprint(&format!("{position} of {total} pictures{pace}"));
    }

    /// Writes a line, above the bar where there is one.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| eprint(line));
    }

    /// Removes the bar.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// The time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }
}

/// The rate so far and the time that is left at this rate. Nothing is known before the first picture.
fn pace(position: u64, total: u64, elapsed: Duration) -> String {
    let (Ok(position), Ok(total)) = (u32::try_from(position), u32::try_from(total)) else {
        return String::new();
    };
    if position == 0 || elapsed.is_zero() {
        return String::new();
    }
    let rate = f64::from(position) / elapsed.as_secs_f64();
    let left = elapsed.mul_f64(f64::from(total.saturating_sub(position)) / f64::from(position));
    format!(", {rate:.1} a second, {} left", HumanDuration(left))
}

//! Interleaved measurements. On a shared machine, two measurements that are taken one after the other cannot be
//! compared, because the load changes between them. Here the contenders, which do the same thing in different ways,
//! take turns in small batches, and each round has a batch of every contender.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The options of the command line, which are those of criterion.
#[derive(Debug)]
pub struct Options {
    is_test: bool,
    filter: Option<String>,
}

/// One of the ways to do something.
pub struct Contender<'a> {
    name: String,
    run: Box<dyn FnMut(usize) + 'a>,
}

/// The seconds that a contender took for one repetition, in each round.
#[derive(Debug)]
pub struct Costs {
    /// The name of the contender.
    pub name: String,
    /// Elapsed time.
    pub wall: Vec<f64>,
    /// Processor time of this process, in user mode and in the kernel.
    pub cpu: Vec<f64>,
}

/// The required ratio of our time to another's.
#[derive(Clone, Copy, Debug)]
pub enum Threshold {
    /// Our time is at most this multiple of the other time.
    AtMost(f64),
    /// Our speed is at least this multiple of the other speed.
    AtLeast(f64),
    /// The ratio has no required value. The bench only prints it.
    None,
}

/// A row of the table of comparisons.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The name of the comparison.
    pub what: String,
    /// Our seconds, in each round.
    pub ours: Vec<f64>,
    /// The other's seconds, in the same rounds.
    pub theirs: Vec<f64>,
    /// The required ratio.
    pub threshold: Threshold,
}

impl Options {
    /// The options with which this program was started.
    #[must_use]
    pub fn from_args() -> Self {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let has = |flag: &str| args.iter().any(|arg| arg == flag);
        // `cargo bench` passes `--bench`, and `cargo test` does not.
        let is_test = has("--test") || !has("--bench");
        Self { is_test, filter: args.into_iter().find(|arg| !arg.starts_with('-')) }
    }

    /// Whether the filter selects `name`.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()))
    }

    /// Whether each benchmark runs once without a measurement.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.is_test
    }

    /// Measures `contenders` interleaved. In each of `rounds`, every contender does one repetition unmeasured, and then
    /// a batch of `batch` repetitions. In a test, every contender does one repetition.
    #[must_use]
    pub fn measure(
        &self,
        rounds: usize,
        batch: usize,
        mut contenders: Vec<Contender<'_>>,
    ) -> Vec<Costs> {
        let (rounds, batch) = if self.is_test { (1, 1) } else { (rounds, batch) };
        let costs = |contender: &Contender<'_>| Costs {
            name: contender.name.clone(),
            wall: vec![],
            cpu: vec![],
        };
        let mut costs: Vec<Costs> = contenders.iter().map(costs).collect();
        for _ in 0..rounds {
            let mut turn: Vec<_> = contenders.iter_mut().zip(&mut costs).collect();
            // The order is random, so that no contender always follows the same other one.
            turn.sort_by_cached_key(|_| RandomState::new().hash_one(()));
            for (contender, costs) in turn {
                if !self.is_test {
                    // This run fills the caches, which other contenders have used in the meantime.
                    (contender.run)(1);
                }
                let (wall, cpu) = cost(batch, &mut contender.run);
                costs.wall.push(wall);
                costs.cpu.push(cpu);
            }
        }
        costs
    }

    /// Measures several times, each time with new contenders. The speed of a connection depends on how its windows have
    /// grown, and the speed of a copy depends on the address of its memory. Both differ by chance.
    #[must_use]
    pub fn measure_anew<'a>(
        &self,
        times: usize,
        rounds: usize,
        batch: usize,
        contenders: impl Fn() -> Vec<Contender<'a>>,
    ) -> Vec<Costs> {
        let mut costs = self.measure(rounds, batch, contenders());
        for _ in 1..if self.is_test { 1 } else { times } {
            for (all, more) in costs.iter_mut().zip(self.measure(rounds, batch, contenders())) {
                all.wall.extend(more.wall);
                all.cpu.extend(more.cpu);
            }
        }
        costs
    }

    /// Prints the times of each contender, unless this is a test.
    pub fn print_costs(&self, title: &str, costs: &[Costs]) {
        if self.is_test {
            return println!("Testing {title}\nSuccess");
        }
        println!(
            "\n| {title} | time (quartiles) | a second | on the processor |\n|---|---:|---:|---:|"
        );
        for Costs { name, wall, cpu } in costs {
            let [low, median, high] = quartiles(wall);
            let rate = 1.0 / median;
            let [_, cpu, _] = quartiles(cpu).map(time);
            let [low, median, high] = [low, median, high].map(time);
            println!("| {name} | {median} ({low} to {high}) | {rate:.0} | {cpu} |");
        }
    }

    /// Prints each comparison with the ratio of the medians, unless this is a test. It also prints the ratio of the
    /// lower quartiles, which other load on the machine disturbs less.
    pub fn print_comparisons(&self, comparisons: &[Comparison]) {
        if self.is_test || comparisons.is_empty() {
            return;
        }
        println!(
            "\n| comparison | threshold | medians (quartiles of the rounds) | lower quartiles | holds |"
        );
        println!("|---|---:|---:|---:|---|");
        for Comparison { what, ours, theirs, threshold } in comparisons {
            let (top, bottom) = match threshold {
                Threshold::AtLeast(_) => (theirs, ours),
                Threshold::AtMost(_) | Threshold::None => (ours, theirs),
            };
            let rounds: Vec<f64> =
                top.iter().zip(bottom).map(|(top, bottom)| top / bottom).collect();
            let [fast_top, top, _] = quartiles(top);
            let [fast_bottom, bottom, _] = quartiles(bottom);
            let [low, _, high] = quartiles(&rounds);
            let ratio = top / bottom;
            let fast = fast_top / fast_bottom;
            let (shown, holds) = match threshold {
                Threshold::AtMost(limit) => {
                    (format!("at most {limit}"), yes_or_no(ratio <= *limit))
                }
                Threshold::AtLeast(limit) => {
                    (format!("at least {limit}"), yes_or_no(ratio >= *limit))
                }
                Threshold::None => ("-".into(), "-"),
            };
            println!(
                "| {what} | {shown} | {ratio:.2} ({low:.2} to {high:.2}) | {fast:.2} | {holds} |"
            );
        }
    }
}

impl<'a> Contender<'a> {
    /// A contender whose closure does the given number of repetitions.
    pub fn new(name: impl Into<String>, run: impl FnMut(usize) + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }

    /// A contender whose closure does one repetition.
    pub fn once<T>(name: impl Into<String>, mut run: impl FnMut() -> T + 'a) -> Self {
        Self::new(name, move |times| (0..times).for_each(|_| drop(run())))
    }
}

impl fmt::Debug for Contender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contender").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The elapsed time and the processor time of one repetition in `batch`, in seconds.
#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
fn cost(batch: usize, run: &mut dyn FnMut(usize)) -> (f64, f64) {
    let cpu = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default();
    let wall = Instant::now();
    let before = cpu();
    run(batch);
    let wall = wall.elapsed();
    let cpu = cpu().saturating_sub(before);
    let of_one = |time: Duration| time.div_f64(f64::from(u32::try_from(batch).unwrap_or(1)));
    (of_one(wall).as_secs_f64(), of_one(cpu).as_secs_f64())
}

fn yes_or_no(holds: bool) -> &'static str {
    if holds { "yes" } else { "**no**" }
}

/// The lower quartile, the median and the upper quartile of `values`.
#[must_use]
pub fn quartiles(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |quarter: usize| sorted.get(sorted.len() * quarter / 4).copied().unwrap_or(f64::NAN);
    [at(1), at(2), at(3)]
}

fn time(seconds: f64) -> String {
    match seconds {
        0.1.. => format!("{seconds:.3} s"),
        1e-3.. => format!("{:.2} ms", seconds * 1e3),
        _ => format!("{:.1} µs", seconds * 1e6),
    }
}

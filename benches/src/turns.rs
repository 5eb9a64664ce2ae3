//! Measurements in turns: on a machine that others use too, what is measured one after the other does not compare.
//! Each way to do the same does a small batch, round after round, and it is the rounds that are compared.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// What the command line asks for, as criterion has it.
#[derive(Debug)]
pub struct Asked {
    is_test: bool,
    filter: Option<String>,
}

/// One way to do something.
pub struct Way<'a> {
    name: String,
    run: Box<dyn FnMut(usize) + 'a>,
}

/// What one time of it took, in seconds, round by round.
#[derive(Debug)]
pub struct Costs {
    /// The way.
    pub name: String,
    /// By the clock on the wall.
    pub wall: Vec<f64>,
    /// Of this process on all processors, in the kernel too.
    pub cpu: Vec<f64>,
}

/// What is wanted of ours beside another.
#[derive(Clone, Copy, Debug)]
pub enum Bar {
    /// Ours takes at most so many times as long.
    AtMost(f64),
    /// Ours is at least so many times as fast.
    AtLeast(f64),
    /// Shown only.
    None,
}

/// A bar, with the seconds of ours and of theirs.
#[derive(Clone, Debug)]
pub struct Line {
    /// What is compared.
    pub what: String,
    /// Ours, round by round.
    pub ours: Vec<f64>,
    /// Theirs, in the same rounds.
    pub theirs: Vec<f64>,
    /// What is wanted.
    pub bar: Bar,
}

impl Asked {
    /// What this program was started with.
    #[must_use]
    pub fn from_args() -> Self {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let has = |flag: &str| args.iter().any(|arg| arg == flag);
        // cargo passes `--bench` where it is to measure.
        let is_test = has("--test") || !has("--bench");
        Self { is_test, filter: args.into_iter().find(|arg| !arg.starts_with('-')) }
    }

    /// Whether anything called `name` is asked for.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()))
    }

    /// Whether each bench is to run once, unmeasured.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.is_test
    }

    /// Measures `ways` in turns: in each of `rounds`, every one does one unmeasured and
    /// then `batch` of it. Once each if this is a test.
    #[must_use]
    pub fn measure(&self, rounds: usize, batch: usize, mut ways: Vec<Way<'_>>) -> Vec<Costs> {
        let (rounds, batch) = if self.is_test { (1, 1) } else { (rounds, batch) };
        let costs = |way: &Way<'_>| Costs { name: way.name.clone(), wall: vec![], cpu: vec![] };
        let mut costs: Vec<Costs> = ways.iter().map(costs).collect();
        for _ in 0..rounds {
            let mut turn: Vec<_> = ways.iter_mut().zip(&mut costs).collect();
            // Nobody always comes after the same one.
            turn.sort_by_cached_key(|_| RandomState::new().hash_one(()));
            for (way, costs) in turn {
                if !self.is_test {
                    // Connections, caches and memory are its own again.
                    (way.run)(1);
                }
                let (wall, cpu) = cost(batch, &mut way.run);
                costs.wall.push(wall);
                costs.cpu.push(cpu);
            }
        }
        costs
    }

    /// The same, several times with new ways: how fast a connection is depends on how its windows happened to grow,
    /// and a copy on where its memory happens to be.
    #[must_use]
    pub fn measure_anew<'a>(
        &self,
        times: usize,
        rounds: usize,
        batch: usize,
        ways: impl Fn() -> Vec<Way<'a>>,
    ) -> Vec<Costs> {
        let mut costs = self.measure(rounds, batch, ways());
        for _ in 1..if self.is_test { 1 } else { times } {
            for (all, more) in costs.iter_mut().zip(self.measure(rounds, batch, ways())) {
                all.wall.extend(more.wall);
                all.cpu.extend(more.cpu);
            }
        }
        costs
    }

    /// Prints what each way took, unless this is a test.
    pub fn print_costs(&self, title: &str, costs: &[Costs]) {
        if self.is_test {
            return println!("Testing {title}\nSuccess");
        }
        println!(
            "\n| {title} | time (quartiles) | a second | on the processor |\n|---|---:|---:|---:|"
        );
        for Costs { name, wall, cpu } in costs {
            let [low, median, high] = quartiles(wall);
            let (rate, [_, cpu, _]) = (1.0 / median, quartiles(cpu).map(time));
            let [low, median, high] = [low, median, high].map(time);
            println!("| {name} | {median} ({low} to {high}) | {rate:.0} | {cpu} |");
        }
    }

    /// Prints each bar beside the ratio of medians, unless this is a test; and beside that of the fastest quarters,
    /// which others on the machine disturb less.
    pub fn print_bars(&self, lines: &[Line]) {
        if self.is_test || lines.is_empty() {
            return;
        }
        println!(
            "\n| bar | wanted | medians (quartiles of the rounds) | lower quartiles | holds |"
        );
        println!("|---|---:|---:|---:|---|");
        for Line { what, ours, theirs, bar } in lines {
            let (top, bottom) =
                if let Bar::AtLeast(_) = bar { (theirs, ours) } else { (ours, theirs) };
            let rounds: Vec<f64> =
                top.iter().zip(bottom).map(|(top, bottom)| top / bottom).collect();
            let ([fast_top, top, _], [fast_bottom, bottom, _]) =
                (quartiles(top), quartiles(bottom));
            let (ratio, fast, [low, _, high]) =
                (top / bottom, fast_top / fast_bottom, quartiles(&rounds));
            let (wanted, holds) = match bar {
                Bar::AtMost(limit) => (format!("at most {limit}"), yes_or_no(ratio <= *limit)),
                Bar::AtLeast(limit) => (format!("at least {limit}"), yes_or_no(ratio >= *limit)),
                Bar::None => ("-".into(), "-"),
            };
            println!(
                "| {what} | {wanted} | {ratio:.2} ({low:.2} to {high:.2}) | {fast:.2} | {holds} |"
            );
        }
    }
}

impl<'a> Way<'a> {
    /// A way that does it as often as it is told.
    pub fn new(name: impl Into<String>, run: impl FnMut(usize) + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }

    /// A way that does it once.
    pub fn once<T>(name: impl Into<String>, mut run: impl FnMut() -> T + 'a) -> Self {
        Self::new(name, move |times| (0..times).for_each(|_| drop(run())))
    }
}

impl fmt::Debug for Way<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Seconds on the wall and on the processors for one of `batch`.
#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
fn cost(batch: usize, run: &mut dyn FnMut(usize)) -> (f64, f64) {
    let cpu = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default();
    let (wall, before) = (Instant::now(), cpu());
    run(batch);
    let (wall, cpu) = (wall.elapsed(), cpu().saturating_sub(before));
    let of_one = |time: Duration| time.div_f64(f64::from(u32::try_from(batch).unwrap_or(1)));
    (of_one(wall).as_secs_f64(), of_one(cpu).as_secs_f64())
}

fn yes_or_no(holds: bool) -> &'static str {
    if holds { "yes" } else { "**no**" }
}

/// The three values that cut `values` into four parts.
fn quartiles(values: &[f64]) -> [f64; 3] {
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

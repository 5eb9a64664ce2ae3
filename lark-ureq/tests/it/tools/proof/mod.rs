//! Many pictures, many failures and several kills: each picture arrives, and none arrives twice.

mod chance;
mod messages;
mod recording;
mod sheets;

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use lark_proto::fake::Route;
use lark_ureq::FakeServer;

use self::chance::{Chance, Random};
use crate::tools::support::{Output, Tool};

/// The most runs that a tool may need in a test.
const MOST_RUNS: usize = 200;

/// The runs that a tool needed.
#[derive(Debug)]
pub(crate) struct Course {
    /// The time of all runs together.
    time: Duration,
    runs: usize,
    /// How many of the runs were killed.
    kills: usize,
}

/// Runs a tool until it succeeds. It is killed each time that `begun`, the number of requests, has reached the next of
/// `kills`, after a random part of `pause`.
fn persist(
    tool: impl Fn() -> Tool,
    begun: impl Fn() -> usize,
    kills: &[usize],
    pause: Duration,
    random: &mut Random,
) -> Course {
    let start = Instant::now();
    let mut course = Course { time: Duration::ZERO, runs: 0, kills: 0 };
    while course.runs < MOST_RUNS {
        course.runs += 1;
        let mut running = tool().start();
        if let Some(kill) = kills.get(course.kills) {
            while begun() < *kill && !running.has_ended() {
                std::thread::sleep(Duration::from_millis(1));
            }
            if !running.has_ended() {
                let part = random.below(pause.as_micros().try_into().unwrap());
                std::thread::sleep(Duration::from_micros(part));
                if running.kill().code().is_none() {
                    course.kills += 1;
                }
                continue;
            }
        }
        let output = running.wait();
        check_end(&output);
        if output.code() == Some(0) {
            course.time = start.elapsed();
            return course;
        }
    }
    panic!("{MOST_RUNS} runs are not enough");
}

/// Checks that a run ended with one of its exit codes and a summary.
fn check_end(output: &Output) {
    assert!(matches!(output.code(), Some(0 | 1 | 3)), "{output:?}");
    assert!(output.stdout.contains(" arrived, "), "{output:?}");
    assert!(!output.stderr.contains("panicked"), "{output:?}");
}

/// Moments at which a tool is killed: numbers of requests, in their order. Each of `pictures` takes one at least, and
/// the last ones are left out, so that the tool is still running.
fn moments(count: usize, pictures: usize, random: &mut Random) -> Vec<usize> {
    let most = pictures as u64 * 9 / 10;
    let mut moments: Vec<usize> =
        (0..count).map(|_| usize::try_from(random.below(most)).unwrap()).collect();
    moments.sort_unstable();
    moments
}

/// Checks that the last line about each item of a journal says that it is done.
fn check_journal(journal: &Path, items: usize) {
    let text = std::fs::read_to_string(journal).unwrap();
    let mut last = std::collections::HashMap::new();
    for line in text.lines().skip(1) {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        last.insert(record["item"].as_str().unwrap().to_owned(), record["record"].clone());
    }
    assert_eq!(last.len(), items);
    for (item, record) in last {
        assert_eq!(record, "done", "{item}");
    }
}

/// The routes that the tools use.
const ROUTES: [Route; 7] = [
    Route::TenantAccessToken,
    Route::SheetsQuery,
    Route::Values,
    Route::AddDimension,
    Route::ValuesImage,
    Route::ImV1Images,
    Route::Messages,
];

/// A line of the table of figures.
pub(crate) struct Figures {
    name: String,
    course: Course,
    requests: usize,
    /// How many of the requests failed at random.
    failures: usize,
    /// How many pictures did not arrive, as the client reports.
    lost: usize,
}

impl Figures {
    fn of(name: &str, course: Course, server: &FakeServer, chance: Chance, lost: usize) -> Self {
        let begun = |route: &Route| server.with(|lark| lark.begun(*route));
        let requests = ROUTES.iter().map(begun).sum();
        let failures = |route| {
            (1..=begun(route)).filter(|number| chance.failure(*route, *number).is_some()).count()
        };
        let failures = ROUTES.iter().map(failures).sum();
        Self { name: name.to_owned(), course, requests, failures, lost }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, course, requests, failures, lost } = self;
        let seconds = course.time.as_secs_f64();
        let runs = course.runs;
        write!(f, "| {name} | {seconds:.1} s | {requests} | {failures} | {runs} | {lost} |")
    }
}

/// `cargo test --release -p lark-ureq --test it thousands -- --ignored --nocapture` prints the figures.
#[test]
#[ignore = "it takes ten minutes"]
fn thousands_of_pictures_arrive_through_failures_and_kills() {
    let mut figures = sheets::figures();
    figures.extend(messages::figures());
    println!("| | time | requests | failed requests | runs | lost pictures |");
    println!("|---|---|---|---|---|---|");
    figures.iter().for_each(|figures| println!("{figures}"));
}

//! Starts the processes, and judges their figures.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use lark_benches::soak::check::{Report, check};
use lark_benches::soak::drift::drift;
use lark_benches::soak::journal::Sample;

use crate::{Adapter, CALL, SERVE, Settings};

/// The highest slope of the resident memory, in percent of its mean in an hour.
const MAX_PERCENT: f64 = 1.0;
/// The most descriptors: one for each caller, and eight more.
const MAX_DESCRIPTORS: u32 = 64 + 8;
/// The shortest soak whose slope is judged, in minutes. The slope of a shorter one is chance.
const MIN_MINUTES: u32 = 30;
/// glibc keeps freed memory of each thread for that thread. With 64 threads, this fills for hours.
const NO_THREAD_CACHES: &str = "glibc.malloc.tcache_count=0";
/// The number of wrong images that are printed.
const MAX_SHOWN: usize = 20;

/// The two processes of one client.
struct Pair {
    adapter: Adapter,
    server: Process,
    list: BufReader<ChildStdout>,
    callers: Process,
    journal: PathBuf,
}

/// A process that ends with this program.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the soak, prints its figures, and returns whether they are within the thresholds.
pub(crate) fn run(settings: &Settings) -> Result<bool, Box<dyn Error>> {
    fs::create_dir_all(&settings.out)?;
    eprintln!("the journals are in {}", settings.out.display());
    let pairs: Result<Vec<Pair>, Box<dyn Error>> =
        settings.adapters.iter().map(|adapter| Pair::start(*adapter, settings)).collect();
    let mut rows = Vec::new();
    let mut is_good = true;
    for pair in pairs? {
        let adapter = pair.adapter;
        let report = pair.end()?;
        let figures = Figures::of(&report);
        let faults = figures.faults(settings);
        for fault in &faults {
            println!("{}: {fault}", adapter.name());
        }
        for (error, count) in &report.errors {
            println!("{}: {count} calls ended with {error}", adapter.name());
        }
        is_good &= faults.is_empty();
        rows.push(figures.row(adapter, settings));
    }
    println!(
        "\n| client | calls | images stored | requests with a fault | errors | resident memory, drift an hour \
         | allocated, drift an hour | descriptors | images |\n|---|---:|---:|---:|---:|---:|---:|---:|---|"
    );
    rows.iter().for_each(|row| println!("{row}"));
    Ok(is_good)
}

impl Pair {
    fn start(adapter: Adapter, settings: &Settings) -> Result<Self, Box<dyn Error>> {
        let program = std::env::current_exe()?;
        let seed = settings.seed.to_string();
        let mut server = Command::new(&program)
            .args([SERVE, &seed])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let list = server.stdout.take().ok_or("the server has no output")?;
        let server = Process(server);
        let mut list = BufReader::new(list);
        let mut port = String::new();
        list.read_line(&mut port)?;
        let journal = settings.out.join(format!("{}.journal", adapter.name()));
        let site = format!("http://127.0.0.1:{}", port.trim());
        let minutes = settings.minutes.to_string();
        let callers = Command::new(&program)
            .args([CALL, adapter.short_name(), &site, "--minutes", &minutes, "--seed", &seed])
            .env("GLIBC_TUNABLES", NO_THREAD_CACHES)
            .stdin(Stdio::piped())
            .stdout(File::create(&journal)?)
            .spawn()?;
        Ok(Self { adapter, server, list, callers: Process(callers), journal })
    }

    /// Waits for the callers, ends the server, and compares the two.
    fn end(mut self) -> Result<Report, Box<dyn Error>> {
        // The input must stay open, because its end means that this program has ended.
        let input = self.callers.0.stdin.take();
        let status = self.callers.0.wait()?;
        drop(input);
        if !status.success() {
            return Err(format!("{}: the callers ended with {status}", self.adapter.name()).into());
        }
        drop(self.server.0.stdin.take());
        let mut list = String::new();
        self.list.read_to_string(&mut list)?;
        let mut unread = None;
        let journal = BufReader::new(File::open(&self.journal)?).lines();
        let journal = journal.map_while(|line| line.map_err(|error| unread = Some(error)).ok());
        let report = check(journal, list.lines());
        match unread {
            None => Ok(report),
            Some(error) => Err(error.into()),
        }
    }
}

/// The figures of one client.
struct Figures<'a> {
    report: &'a Report,
    descriptors: u32,
    met: u64,
    failed: u64,
}

impl<'a> Figures<'a> {
    fn of(report: &'a Report) -> Self {
        let descriptors = report.samples.iter().map(|sample| sample.descriptors).max();
        Self {
            report,
            descriptors: descriptors.unwrap_or_default(),
            met: report.faults.values().sum(),
            failed: report.errors.values().sum(),
        }
    }

    /// The faults of the run: wrong images, and figures that exceed their thresholds.
    fn faults(&self, settings: &Settings) -> Vec<String> {
        let Self { report, descriptors, .. } = self;
        let mut faults: Vec<String> = report.wrong.iter().take(MAX_SHOWN).cloned().collect();
        if report.wrong.len() > MAX_SHOWN {
            faults.push(format!("{} images are wrong", report.wrong.len()));
        }
        if report.stored == 0 {
            faults.push("no image was stored".to_owned());
        }
        let unmet = report.faults.iter().filter(|(_, count)| **count == 0);
        faults.extend(unmet.map(|(fault, _)| format!("no request met the fault {fault}")));
        if !(1..=MAX_DESCRIPTORS).contains(descriptors) {
            faults.push(format!("{descriptors} descriptors, and not 1 to {MAX_DESCRIPTORS}"));
        }
        if settings.minutes >= MIN_MINUTES {
            match drift(&self.series(settings, resident)) {
                Some(found) if found.percent_an_hour < MAX_PERCENT => {}
                found => faults.push(format!("the drift of the memory is {found:?}")),
            }
        }
        faults
    }

    /// The values of the samples after the warm-up.
    fn series(&self, settings: &Settings, value: fn(&Sample) -> f64) -> Vec<(f64, f64)> {
        let start = settings.warm_up().as_secs();
        let later = self.report.samples.iter().filter(|sample| u64::from(sample.seconds) >= start);
        later.map(|sample| (f64::from(sample.seconds), value(sample))).collect()
    }

    /// A row of the table.
    fn row(&self, adapter: Adapter, settings: &Settings) -> String {
        let Self { report, descriptors, met, failed } = self;
        let shown = |value| match drift(&self.series(settings, value)) {
            Some(found) => format!(
                "{:+.2} % ± {:.2} of {:.1} MiB",
                found.percent_an_hour, found.error, found.mean
            ),
            None => "-".to_owned(),
        };
        let [resident, heap] = [shown(resident), shown(heap)];
        let images = match report.wrong.len() {
            0 => "all right".to_owned(),
            wrong => format!("**{wrong} wrong**"),
        };
        format!(
            "| {}, {} minutes | {} | {} | {met} of {} | {failed} | {resident} | {heap} | {descriptors} | {images} |",
            adapter.name(),
            settings.minutes,
            report.calls,
            report.stored,
            report.requests,
        )
    }
}

fn resident(sample: &Sample) -> f64 {
    f64::from(sample.resident_kib) / 1024.0
}

fn heap(sample: &Sample) -> f64 {
    f64::from(sample.heap) / f64::from(1 << 20)
}

//! The callers in a process of its own, and the measurement of that process. The journal goes to standard output.

use std::error::Error;
use std::fs;
use std::io::{self, BufWriter, Read, Stdout, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lark_benches::soak::journal::{End, Entry, Sample};
use lark_proto::error::{CallErrorKind, Error as Reply};
use lark_proto::fake::FakeLark;
use lark_proto::{App, CallError, Site};

use crate::jobs::{CALLERS, Job, Plan, Request, sea};
use crate::{ALLOCATOR, Adapter, Settings};

/// The time between two counts of the descriptors.
const COUNT_INTERVAL: Duration = Duration::from_millis(100);
/// How many counts there are between two samples: each second has one.
const COUNTS_PER_SAMPLE: u32 = 10;
/// The samples between two lines of progress.
const PROGRESS_EVERY: u32 = 60;

/// The state that the callers and the measurement share.
struct Load {
    adapter: Adapter,
    journal: Mutex<BufWriter<Stdout>>,
    start: Instant,
    settings: Settings,
    calls: AtomicU64,
    errors: AtomicU64,
    is_over: AtomicBool,
}

/// Lets the callers work with a client of `site` for the time of the settings.
pub(crate) fn run(adapter: Adapter, site: &str, settings: Settings) -> Result<(), Box<dyn Error>> {
    // The supervisor's end of this pipe closes when it ends, and then nobody needs the callers.
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
    let site = Site::custom(site)?;
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?;
    let sea = sea(settings.seed);
    let seed = settings.seed;
    let plans = (0..CALLERS).map(|caller| Plan::new(seed, sea.clone(), caller));
    let load = Arc::new(Load {
        adapter,
        journal: Mutex::new(BufWriter::new(io::stdout())),
        start: now(),
        settings,
        calls: AtomicU64::new(0),
        errors: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
    });
    let measured = load.clone();
    let measurement = thread::spawn(move || measured.measure());
    match adapter {
        Adapter::Ureq => {
            let client = lark_ureq::Client::new(site, app);
            client.keep_quotas(false);
            thread::scope(|scope| {
                for plan in plans {
                    let (load, client) = (&load, &client);
                    scope.spawn(move || load.blocking(client, plan));
                }
            });
        }
        Adapter::Hyper => {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(2).enable_all().build()?;
            let client = lark_hyper::Client::new(site, app);
            client.keep_quotas(false);
            let callers: Vec<_> = plans
                .map(|plan| runtime.spawn(load.clone().asynchronous(client.clone(), plan)))
                .collect();
            for caller in callers {
                runtime.block_on(caller)?;
            }
        }
    }
    load.is_over.store(true, Ordering::Relaxed);
    measurement.join().map_err(|_| "the measurement panicked")?;
    let mut journal = load.journal.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(journal.flush()?)
}

impl Load {
    /// The calls of a caller with the blocking client.
    fn blocking(&self, client: &lark_ureq::Client, mut plan: Plan) {
        while self.goes_on() {
            sleep(self.pause(&mut plan));
            let Job { request, image, cell } = self.job(&mut plan);
            let ended = match request {
                Request::Put(put) => client.call(&put).map(|key| Some(key.to_string())),
                Request::Create(create) => client.call(&create).map(|key| Some(key.to_string())),
                Request::Write(write) => client.call(&*write).map(|_| None),
            };
            self.ended(image, cell, ended);
        }
    }

    /// The calls of a caller with the async client.
    async fn asynchronous(self: Arc<Self>, client: lark_hyper::Client, mut plan: Plan) {
        while self.goes_on() {
            tokio::time::sleep(self.pause(&mut plan)).await;
            let Job { request, image, cell } = self.job(&mut plan);
            let ended = match request {
                Request::Put(put) => client.call(&put).await.map(|key| Some(key.to_string())),
                Request::Create(create) => {
                    client.call(&create).await.map(|key| Some(key.to_string()))
                }
                Request::Write(write) => client.call(&*write).await.map(|_| None),
            };
            self.ended(image, cell, ended);
        }
    }

    fn goes_on(&self) -> bool {
        elapsed(self.start) < self.settings.time()
    }

    /// The pause before the next call of a plan.
    fn pause(&self, plan: &mut Plan) -> Duration {
        if self.settings.is_rush(elapsed(self.start)) { Duration::ZERO } else { plan.pause() }
    }

    /// The next job of a plan. The plan makes valid values.
    fn job(&self, plan: &mut Plan) -> Job {
        plan.next().unwrap_or_else(|invalid| self.fail(&invalid))
    }

    /// Writes how a call ended.
    fn ended<T: Error>(
        &self,
        image: u64,
        cell: Option<String>,
        ended: Result<Option<String>, CallError<T>>,
    ) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let end = match ended {
            Ok(key) => End::Stored(key),
            Err(error) => {
                self.errors.fetch_add(1, Ordering::Relaxed);
                End::Failed(error.outcome(), describe(&error))
            }
        };
        self.write(&Entry::Call { image, cell, end });
    }

    fn write(&self, entry: &Entry) {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(journal, "{entry}").unwrap_or_else(|error| self.fail(&error));
    }

    /// Ends the process: the soak itself has failed.
    fn fail(&self, error: &dyn Error) -> ! {
        eprintln!("{}: {error}", self.adapter.name());
        std::process::exit(1)
    }

    /// Measures the process until the callers have ended.
    fn measure(&self) {
        for sample in 1_u32.. {
            let mut descriptors = 0;
            for _ in 0..COUNTS_PER_SAMPLE {
                sleep(COUNT_INTERVAL);
                let count = open_descriptors().unwrap_or_else(|error| self.fail(&error));
                descriptors = descriptors.max(count);
            }
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let resident_kib = resident_kib().unwrap_or_else(|error| self.fail(&error));
            let seconds = u32::try_from(elapsed(self.start).as_secs()).unwrap_or(u32::MAX);
            let heap = u32::try_from(ALLOCATOR.allocated()).unwrap_or(u32::MAX);
            self.write(&Entry::Sample(Sample { seconds, resident_kib, heap, descriptors }));
            if sample % PROGRESS_EVERY == 0 {
                let calls = self.calls.load(Ordering::Relaxed);
                let errors = self.errors.load(Ordering::Relaxed);
                // One text is one write, so that the lines of two processes do not mix.
                let line = format!(
                    "{}, {seconds} s: {calls} calls, {errors} errors, {resident_kib} KiB resident, \
                     {heap} bytes allocated, {descriptors} descriptors\n",
                    self.adapter.name()
                );
                eprint!("{line}");
            }
        }
    }
}

/// The route and the kind of an error.
fn describe<T: Error>(error: &CallError<T>) -> String {
    let kind = match &error.kind {
        CallErrorKind::Lark(Reply::Api(api)) => format!("code {}", api.code.0),
        CallErrorKind::Lark(reply) => format!("unreadable reply, {:?}", reply.advice()),
        CallErrorKind::Transport(_) => "transport".to_owned(),
        CallErrorKind::Queued(reason) => format!("queued for {reason}"),
        CallErrorKind::TokenRequest(_) => "token request".to_owned(),
        CallErrorKind::Deadline => "deadline".to_owned(),
        kind => kind.to_string(),
    };
    format!("{} {kind}", error.route)
}

/// The resident memory of this process.
fn resident_kib() -> io::Result<u32> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    number.ok_or_else(|| io::Error::other("the system does not tell the resident memory"))
}

/// The open descriptors of this process, without the one of the listing itself.
fn open_descriptors() -> io::Result<u32> {
    let count = fs::read_dir("/proc/self/fd")?.count();
    Ok(u32::try_from(count).unwrap_or(u32::MAX).saturating_sub(1))
}

#[expect(clippy::disallowed_methods, reason = "a soak takes the time")]
fn now() -> Instant {
    Instant::now()
}

fn elapsed(start: Instant) -> Duration {
    now().saturating_duration_since(start)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the callers pause, and the measurement runs at intervals"
)]
fn sleep(time: Duration) {
    thread::sleep(time);
}

//! A run over many pictures: its journal, its progress, its end and its summary.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{HumanCount, HumanDuration};
use serde::Serialize;
use serde::de::DeserializeOwned;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::failure::{Failure, Reach};
use super::journal::{Entry, Journal, State};
use super::progress::Progress;
use super::start::print;

/// The exit codes, for the help text of each tool.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0    every picture has arrived, in this run or an earlier one, or was skipped
    1    some pictures have failed, or are still to do, which the same command tries again
    2    wrong arguments or input, or the run could not start: no picture was sent
    3    the run ended before its last picture: the summary says why
    130  interrupted by Ctrl-C or SIGTERM; the same command goes on where the run stopped";

/// The number of failures of the service in a row that are an outage.
pub(crate) const OUTAGE_FAILURES: u32 = 3;

/// The time that requests in flight have after Ctrl-C.
const GRACE: Duration = Duration::from_secs(10);

const INTERRUPTED: &str = "Interrupted: requests in flight have ten seconds to finish. Ctrl-C again ends the run at once.";

/// The number of files and of log ids that the summary names for a cause.
const MAX_NAMES: usize = 3;

pub(crate) struct Run<D> {
    pub(crate) journal: Journal<D>,
    pub(crate) progress: Progress,
    total: usize,
    interrupted: Arc<AtomicBool>,
    tally: Mutex<Tally>,
}

/// The pictures so far, counted by their ends.
#[derive(Default)]
struct Tally {
    done: usize,
    earlier: EarlierRuns,
    /// Pictures that the service refused.
    refused: usize,
    /// Pictures that cannot be sent as they are, because of the file or its place.
    unfit: usize,
    causes: Vec<Cause>,
    /// Sentences at the end of the summary.
    notes: Vec<&'static str>,
    doubtful_in_a_row: u32,
    /// Why the run ended before its last picture.
    end: Option<String>,
}

/// The pictures that this run does not send because of earlier runs. They do not count in its total.
#[derive(Default)]
pub(crate) struct EarlierRuns {
    arrived: usize,
    /// Refused, and not tried again.
    pub(crate) refused: Vec<String>,
}

impl EarlierRuns {
    /// Prints how many pictures arrived and were refused in earlier runs.
    pub(crate) fn print(&self) {
        if self.arrived > 0 {
            print(&format!("{} arrived in earlier runs", count(self.arrived)));
        }
        if !self.refused.is_empty() {
            let number = count(self.refused.len());
            let names = some_of(&self.refused);
            print(&format!(
                "{number} refused in earlier runs: {names}. --retry-failed tries them again"
            ));
        }
    }

    /// Decides how a picture is sent. A picture that is not sent is counted here, and the result is `None`.
    pub(crate) fn todo<D>(
        &mut self,
        journal: &Journal<D>,
        item: &str,
        (path, file): (&Path, &str),
        retry_failed: bool,
    ) -> Result<Option<Todo<D>>, String>
    where
        D: Clone + Serialize + DeserializeOwned,
    {
        let Some(Entry { identity, state, .. }) = journal.entry(item, file)? else {
            return Ok(Some(Todo::New));
        };
        let is_replaced = || identity.as_ref().is_some_and(|identity| identity.is_replaced(path));
        match state {
            State::Failed if retry_failed => return Ok(Some(Todo::New)),
            State::Failed => self.refused.push(file.to_owned()),
            State::Begun(_) | State::Done if is_replaced() => return Ok(Some(Todo::Changed)),
            State::Begun(detail) => return Ok(Some(Todo::Begun(detail.clone()))),
            State::Done => self.arrived += 1,
        }
        Ok(None)
    }
}

/// A picture that is to be sent.
pub(crate) enum Todo<D> {
    /// No earlier run has sent it.
    New,
    /// An earlier run began to send it, and the end is not known.
    Begun(D),
    /// An earlier run has sent the picture that the file held before, or began to.
    Changed,
}

/// Failures with the same cause.
struct Cause {
    key: String,
    text: String,
    /// The pictures or documents.
    subjects: Vec<String>,
    log_ids: Vec<String>,
}

impl<D> Run<D>
where
    D: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// A run over `total` pictures. From now on Ctrl-C ends the run in order, and a second one at once.
    pub(crate) fn start(
        journal: Journal<D>,
        total: usize,
        earlier: EarlierRuns,
    ) -> Result<Arc<Self>, String> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            let flags = flag::register_conditional_shutdown(signal, 130, interrupted.clone())
                .and_then(|_| flag::register(signal, interrupted.clone()));
            flags
                .map_err(|error| format!("the handler for Ctrl-C cannot be installed: {error}"))?;
        }
        let progress = Progress::new(total);
        let tally = Mutex::new(Tally { earlier, ..Tally::default() });
        Ok(Arc::new(Self { journal, progress, total, interrupted, tally }))
    }

    /// Runs each task on a thread of its own until all have ended. After Ctrl-C it waits for ten seconds at most. A
    /// picture that is still in flight then stays open in the journal.
    pub(crate) fn work(self: &Arc<Self>, tasks: Vec<impl FnOnce(&Self) + Send + 'static>) {
        let (running, all) = mpsc::channel::<()>();
        let mut threads = Vec::new();
        for task in tasks {
            let run = self.clone();
            let running = running.clone();
            let thread = std::thread::Builder::new().spawn(move || {
                let _running = running;
                task(&run);
            });
            match thread {
                Ok(thread) => threads.push(thread),
                Err(error) if threads.is_empty() => {
                    self.end(format!("no thread could be started: {error}"));
                }
                // The threads share the work, so fewer threads can do all of it.
                Err(_) => break,
            }
        }
        drop(running);
        let tick = Duration::from_millis(100);
        let mut grace = GRACE;
        while all.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
            if self.is_interrupted() {
                if grace == GRACE {
                    self.progress.say(INTERRUPTED);
                }
                grace = grace.saturating_sub(tick);
            }
            if grace.is_zero() {
                return;
            }
        }
        for thread in threads {
            if thread.join().is_err() {
                self.end("a thread of this tool panicked; its message is above".into());
            }
        }
    }

    /// Whether no further picture is to be begun.
    pub(crate) fn is_over(&self) -> bool {
        self.is_interrupted() || self.tally().end.is_some()
    }

    /// Ends the run before its last picture. The first reason is kept.
    pub(crate) fn end(&self, reason: String) {
        self.tally().end.get_or_insert(reason);
    }

    /// Adds a sentence to the summary, once.
    pub(crate) fn note(&self, sentence: &'static str) {
        let notes = &mut self.tally().notes;
        if !notes.contains(&sentence) {
            notes.push(sentence);
        }
    }

    /// Records and counts a picture that has arrived.
    pub(crate) fn done(&self, item: &str) {
        if let Err(error) = self.journal.done(item) {
            self.end(error);
        }
        let mut tally = self.tally();
        tally.done += 1;
        tally.doubtful_in_a_row = 0;
        self.progress.step();
    }

    /// Counts a failure. `item` is the picture of the journal, or `None` for a request that serves several pictures,
    /// such as one that adds rows. `subject` names the picture or the document.
    ///
    /// A picture that the service refused is recorded as failed, and is tried again only with `--retry-failed`. After
    /// any other failure the next run tries it. A picture that may have arrived stays open in the journal.
    pub(crate) fn fail(&self, item: Option<&str>, subject: &str, failure: Failure) {
        // The summary shows this failure again.
        if failure.reach != Reach::Run {
            self.progress.say(&format!("{subject}: {}", failure.text));
        }
        if let Some(item) = item {
            if failure.reach == Reach::Unfit {
                self.tally().unfit += usize::from(!failure.may_have_arrived);
            } else if !failure.may_have_arrived {
                let again = failure.reach != Reach::Picture;
                if let Err(error) = self.journal.failed(item, subject, &failure.text, again) {
                    self.end(error);
                }
                self.tally().refused += usize::from(!again);
            }
            self.progress.step();
        }
        self.count(subject, failure);
    }

    fn count(&self, subject: &str, failure: Failure) {
        let mut tally = self.tally();
        match failure.reach {
            // A refusal proves that the service answers.
            Reach::Picture => tally.doubtful_in_a_row = 0,
            Reach::Unfit | Reach::Lane => {}
            Reach::Doubtful => {
                tally.doubtful_in_a_row += 1;
                if tally.doubtful_in_a_row >= OUTAGE_FAILURES {
                    let key = &failure.key;
                    let reason = format!(
                        "{OUTAGE_FAILURES} failures of the service in a row, the last: {key}"
                    );
                    tally.end.get_or_insert(reason);
                }
            }
            Reach::Run => {
                tally.end.get_or_insert(failure.key.clone());
            }
        }
        let Failure { key, text, log_id, .. } = failure;
        let known = tally.causes.iter().position(|cause| cause.key == key);
        let at = known.unwrap_or_else(|| {
            tally.causes.push(Cause { key, text, subjects: Vec::new(), log_ids: Vec::new() });
            tally.causes.len() - 1
        });
        if let Some(cause) = tally.causes.get_mut(at) {
            cause.subjects.push(subject.to_owned());
            cause.log_ids.extend(log_id);
        }
    }

    /// Writes the summary, and returns the exit code. `skipped` is the number of pictures that an option left out.
    pub(crate) fn finish(&self, skipped: usize) -> ExitCode {
        self.progress.end();
        let tally = self.tally();
        let failed = tally.refused + tally.unfit;
        let left = self.total.saturating_sub(tally.done + skipped + failed);
        let mut line = format!("{} arrived", count(tally.done));
        for (number, text) in [(skipped, "skipped"), (failed, "failed"), (left, "still to do")] {
            if number > 0 {
                line += &format!(", {} {text}", count(number));
            }
        }
        print(&format!("{line}, in {}", HumanDuration(self.progress.elapsed())));
        tally.earlier.print();
        for cause in &tally.causes {
            print(&format!("{:>7} x {}", cause.subjects.len(), cause.text));
            print(&format!("{:>9} {}", "", some_of(&cause.subjects)));
            if !cause.log_ids.is_empty() {
                print(&format!("{:>9} log ids: {}", "", some_of(&cause.log_ids)));
            }
        }
        if tally.refused > 0 {
            print("--retry-failed tries the refused pictures again.");
        }
        for note in &tally.notes {
            print(note);
        }
        let code = match &tally.end {
            Some(reason) => {
                let goes_on = "The same command goes on where it stopped.";
                print(&format!("The run ended early: {reason}. {goes_on}"));
                3
            }
            None if self.is_interrupted() && left > 0 => {
                print("Interrupted. The same command goes on where the run stopped.");
                130
            }
            None if failed + tally.earlier.refused.len() + left > 0 => 1,
            None => 0,
        };
        ExitCode::from(code)
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(number: usize) -> HumanCount {
    HumanCount(u64::try_from(number).unwrap_or(u64::MAX))
}

/// The first texts, and the number of the others.
fn some_of(texts: &[String]) -> String {
    let shown = texts.iter().take(MAX_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    match texts.len().saturating_sub(MAX_NAMES) {
        0 => shown,
        others => format!("{shown} and {others} more"),
    }
}

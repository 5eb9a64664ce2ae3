//! Sends the pictures of a folder to a chat, each as a message of its own.
//!
//! ```text
//! send_images oc_5ad11d72b830411d72b836c20 photos/
//! ```
//!
//! A journal beside the folder records the uuid of each message before it is sent. The service sends one message for a
//! uuid within an hour, so that the same command goes on after an interruption, and sends no picture twice. The age of
//! a message is by this computer's clock. `--help` lists options and exit codes.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use indicatif::HumanDuration;
use lark_proto::error::{Advice, CallErrorKind, Outcome};
use lark_proto::values::{MessageUuid, Receiver};
use lark_proto::{CreateImage, ImageKey, Limits, SendImage};
use lark_ureq::{Client, Clock};
use serde::{Deserialize, Serialize};
use tools::account::{Account, VARIABLES};
use tools::failure::{Ends, Failure};
use tools::journal::{self, Journal};
use tools::pictures;
use tools::run::{EXIT_CODES, Passed, Run, Todo};
use tools::start::start;

mod tools {
    pub(crate) mod account;
    pub(crate) mod failure;
    pub(crate) mod journal;
    pub(crate) mod pictures;
    pub(crate) mod progress;
    pub(crate) mod run;
    pub(crate) mod start;
}

const USAGE: &str = "\
usage: send_images CHAT FOLDER [options]

The pictures of FOLDER are sent to CHAT in the order of their names, each as a message. CHAT is a group, `oc_..`, or a
user: `ou_..`, `on_..`, `user_id:..` or a mail address.

Options:
    --retry-failed     tries the pictures again that an earlier run could not send
    --journal PATH     in place of the journal beside the folder; each chat and folder needs one of its own
    --help             prints this text";

/// A message is sent again for this time, by this computer's clock. The service remembers its uuid for an hour.
const REMEMBERED: Duration = Duration::from_secs(50 * 60);

/// How often a message is sent in a row. An attempt that the service refuses for its rate does not count.
const ATTEMPTS: u32 = 3;

/// No attempt begins later than this after the first one.
const LONGEST: Duration = Duration::from_secs(9 * 60);

/// What the summary says about messages that are too old to be sent again.
const LOOK: &str = "Messages that may have been sent are not sent again. Look into the chat: if a picture is missing \
    there, give its file another name; if it is there, move the file out of the folder.";

/// Another picture has replaced one that was sent. Whether the chat is to have both is for the user to say.
const CHANGED: &str = "the file has changed since it was sent, or may have been; to send it as well, give it another \
    name, else move it out of the folder";

fn main() -> ExitCode {
    let help = format!("{USAGE}\n\n{VARIABLES}\n\n{EXIT_CODES}");
    start("send_images", &help, Options::read, send)
}

/// The error is one of the input, in one line.
fn send(options: &Options) -> Result<ExitCode, String> {
    let receiver = Receiver::new(&options.receiver).map_err(|error| error.to_string())?;
    let files = pictures::in_folder(&options.folder)?;
    let account = Account::from_env()?;
    // A limit of the service is waited for, since nobody waits for the run.
    let limits = Limits::default().longest_wait(Duration::from_secs(8 * 60));
    let client = account.builder().limits(limits).build().map_err(|error| error.to_string())?;

    let beside = || journal::beside(&options.folder, "send_images");
    let path = options.journal.clone().unwrap_or_else(beside);
    let name = format!("send_images {} {} {receiver}", account.site, account.app_id);
    let journal = Journal::open(&path, &name, false)?;
    let (mut pending, mut passed) = (Vec::new(), Passed::default());
    for path in files {
        let file = pictures::name(&path);
        let picture = (&*path, &*file);
        if let Some(todo) = passed.todo(&journal, &file, picture, options.retry_failed)? {
            pending.push(Picture { path, file, todo, is_postponed: false });
        }
    }
    // The service forgets the uuid of a message that was begun.
    pending.sort_by_key(|picture| !matches!(picture.todo, Todo::Begun(_)));
    let run = Run::start(journal, pending.len())?;
    run.pass(passed);
    let sender = Sender { client, receiver };
    run.work(vec![move |run: &Run<_>| sender.send_all(pending.into(), run)]);
    Ok(run.finish())
}

/// What has to be known to send a message again.
#[derive(Clone, Serialize, Deserialize)]
struct Message {
    uuid: MessageUuid,
    image_key: ImageKey,
    /// When the uuid was recorded, in seconds since 1970.
    time: u64,
}

impl Message {
    /// A message with a random uuid.
    fn new(image_key: ImageKey) -> Result<Self, Failure> {
        // Each state has random keys.
        let uuid = format!("{:016x}", RandomState::new().hash_one(&image_key));
        let uuid = MessageUuid::new(&uuid).map_err(|error| Failure::of_picture(&error))?;
        Ok(Self { uuid, image_key, time: now().as_secs() })
    }

    /// Whether the service still knows the uuid, so that the message can be sent again. The error tells how long ago it
    /// may have been sent.
    fn check_age(&self) -> Result<(), Failure> {
        let text = match now().checked_sub(Duration::from_secs(self.time)) {
            Some(age) if age <= REMEMBERED => return Ok(()),
            Some(age) => format!("it may have been sent {} ago", HumanDuration(age)),
            None => {
                "it may have been sent, at a time that this computer's clock has not reached".into()
            }
        };
        let text = format!("{text}; look into the chat, since it is not sent again");
        Err(Failure { is_open: true, ..Failure::of_picture(&text) })
    }
}

/// The time since 1970. It counts across runs, and while the computer sleeps.
#[expect(
    clippy::disallowed_methods,
    reason = "a run has no other way to know when another one was"
)]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

struct Picture {
    path: PathBuf,
    /// Its name, which is also the item of the journal.
    file: String,
    todo: Todo<Message>,
    /// Its message was sent in this run, and the end is not known.
    is_postponed: bool,
}

struct Sender {
    client: Client,
    receiver: Receiver,
}

impl Sender {
    /// Sends one picture after the other. All failures are reported to the run.
    fn send_all(&self, mut pictures: VecDeque<Picture>, run: &Run<Message>) {
        while let Some(mut picture) = pictures.pop_front().filter(|_| !run.is_over()) {
            let Err(failure) = self.send(&mut picture, run) else {
                run.done(&picture.file);
                continue;
            };
            let ends = failure.ends;
            if failure.is_open && ends == Ends::Doubtful && !picture.is_postponed {
                // The message is sent once more while the service knows its uuid, after the next two pictures.
                picture.is_postponed = true;
                pictures.insert(pictures.len().min(2), picture);
                continue;
            }
            run.fail(Some(&picture.file), &picture.file, failure);
            if ends == Ends::Lane {
                return;
            }
        }
    }

    fn send(&self, picture: &mut Picture, run: &Run<Message>) -> Result<(), Failure> {
        let Picture { path, file, todo, .. } = picture;
        if let Todo::Begun(message) = todo {
            // A refusal does not tell what became of a message that was sent before.
            let sent = self.send_message(message, run);
            return sent.map_err(|failure| Failure { is_open: true, ..failure });
        }
        let image = pictures::read(path).map_err(|error| Failure::of_picture(&error))?;
        if let Todo::Changed = todo {
            return Err(Failure::of_picture(&CHANGED));
        }
        let hash = pictures::hash(image.bytes());
        let upload = CreateImage::message(image).map_err(|error| Failure::of_picture(&error))?;
        let message = Message::new(self.client.call(&upload)?)?;
        let begun = run.journal.begin(file, file, hash, message.clone());
        begun.map_err(|error| Failure { ends: Ends::Run, ..Failure::of_picture(&error) })?;
        let sent = self.send_message(&message, run);
        *todo = Todo::Begun(message);
        sent
    }

    /// Sends a message, whose age is checked before each attempt: the clock by which a call makes its own attempts may
    /// stand still while the computer sleeps.
    fn send_message(&self, message: &Message, run: &Run<Message>) -> Result<(), Failure> {
        let Message { uuid, image_key, .. } = message.clone();
        let request = SendImage::new(self.receiver.clone(), image_key, uuid);
        let limits = Limits::one_attempt().total(Duration::from_secs(60));
        let client = self.client.clone().with_limits(limits);
        let (clock, mut backoff) = (Clock::default(), Duration::from_millis(500));
        let (mut failed, mut is_open) = (0, false);
        loop {
            message.check_age().inspect_err(|_| run.note(LOOK))?;
            let Err(error) = client.call(&request) else { return Ok(()) };
            let is_unknown = error.outcome() == Outcome::Unknown;
            is_open |= is_unknown;
            let (may_pass, is_told_to_wait) = match error.advice() {
                Some(Advice::Again { .. }) => (true, !is_unknown),
                Some(Advice::RenewToken) => (true, false),
                _ => (is_unknown || matches!(error.kind, CallErrorKind::Transport(_)), false),
            };
            failed += u32::from(!is_told_to_wait);
            let wait = error.retry_after().unwrap_or_default().max(backoff);
            backoff = (2 * backoff).min(Duration::from_secs(8));
            let is_last = failed == ATTEMPTS || clock.elapsed() + wait > LONGEST || run.is_over();
            if is_last || !may_pass {
                let failure = Failure::from(error);
                return Err(Failure { is_open: is_open || failure.is_open, ..failure });
            }
            clock.sleep(wait);
        }
    }
}

struct Options {
    receiver: String,
    folder: PathBuf,
    journal: Option<PathBuf>,
    retry_failed: bool,
}

impl Options {
    /// The options of the command line, or `None` where only the help text is asked for.
    fn read() -> Result<Option<Self>, lexopt::Error> {
        use lexopt::prelude::{Long, Short, Value, ValueExt};

        let (mut journal, mut retry_failed) = (None, false);
        let mut operands = Vec::new();
        let mut arguments = lexopt::Parser::from_env();
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("help") | Short('h') => return Ok(None),
                Long("journal") => journal = Some(arguments.value()?.into()),
                Long("retry-failed") => retry_failed = true,
                Value(value) => operands.push(value),
                _ => return Err(argument.unexpected()),
            }
        }
        let Ok([receiver, folder]) = <[OsString; 2]>::try_from(operands) else {
            return Err("a chat and a folder are needed".into());
        };
        let (receiver, folder) = (receiver.string()?, folder.into());
        Ok(Some(Self { receiver, folder, journal, retry_failed }))
    }
}

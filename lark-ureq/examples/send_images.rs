//! Sends the pictures of a folder to a chat, each as a message of its own.
//!
//! ```text
//! send_images oc_5ad11d72b830411d72b836c20 photos/
//! ```
//!
//! A journal beside the folder records the uuid of each message before it is sent. The service sends one message for a
//! uuid within an hour, so that the same command goes on after an interruption, and sends no picture twice. The tool
//! measures the age of a message by this computer's clock. `--help` lists options and exit codes.

mod common {
    pub(crate) mod account;
    pub(crate) mod failure;
    pub(crate) mod journal;
    pub(crate) mod pictures;
    pub(crate) mod progress;
    pub(crate) mod run;
    pub(crate) mod start;
}

use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::account::{Account, VARIABLES};
use common::failure::{Failure, Reach};
use common::journal::{self, Journal};
use common::pictures;
use common::run::{EXIT_CODES, EarlierRuns, Run, Todo};
use common::start::start;
use indicatif::HumanDuration;
use lark_proto::values::{MessageUuid, Receiver};
use lark_proto::{CreateImage, ImageKey, Limits, SendImage};
use lark_ureq::Client;
use serde::{Deserialize, Serialize};

const USAGE: &str = "\
usage: send_images CHAT FOLDER [options]

The pictures of FOLDER are sent to CHAT in the order of their names, each as a message. CHAT is a group, `oc_..`, or a
user: `ou_..`, `on_..`, `user_id:..` or a mail address.

Options:
    --retry-failed     also tries the pictures that the service refused in an earlier run
    --journal PATH     keeps the journal at PATH, not beside the folder; each chat and folder needs its own journal
    --help             prints this text";

/// A message of unknown outcome is sent again until it has this age, by this computer's clock. The service remembers
/// its uuid for an hour.
const RESEND_WINDOW: Duration = Duration::from_secs(50 * 60);

/// The deadline of a message: its last attempt falls within the hour in which the service remembers the uuid.
const DEADLINE: Duration = Duration::from_secs(9 * 60);

/// The sentence of the summary about messages that are too old to be sent again.
const TOO_OLD: &str = "Messages that may have been sent are not sent again. Look into the chat: if a picture is missing \
    there, give its file another name; if it is there, move the file out of the folder.";

/// Reported for a file that changed after its picture was sent, because only the user knows whether the chat should
/// have both.
const CHANGED_FILE: &str = "the file has changed since it was sent, or may have been; to send it as well, give it another \
    name, else move it out of the folder";

fn main() -> ExitCode {
    let help = format!("{USAGE}\n\n{VARIABLES}\n\n{EXIT_CODES}");
    start("send_images", &help, Options::read, send)
}

/// Runs the tool. The error is one line, the reason why the run could not start.
fn send(options: &Options) -> Result<ExitCode, String> {
    let receiver = Receiver::new(&options.receiver).map_err(|error| error.to_string())?;
    let files = pictures::in_folder(&options.folder)?;
    let account = Account::from_env()?;
    // The run is unattended, so a call waits out rate limits.
    let limits = Limits::default().longest_wait(Duration::from_secs(8 * 60));
    let client = account.builder().limits(limits).build().map_err(|error| error.to_string())?;

    let beside = || journal::beside(&options.folder, "send_images");
    let path = options.journal.clone().unwrap_or_else(beside);
    let name = format!("send_images {} {} {receiver}", account.site, account.app_id);
    let journal = Journal::open(&path, &name, false)?;
    let mut pending = Vec::new();
    let mut earlier = EarlierRuns::default();
    for path in files {
        let file = pictures::name(&path);
        let picture = (&*path, &*file);
        if let Some(todo) = earlier.todo(&journal, &file, picture, options.retry_failed)? {
            pending.push(Picture { path, file, todo });
        }
    }
    // Messages that were begun come first, before the service forgets their uuids.
    pending.sort_by_key(|picture| !matches!(picture.todo, Todo::Begun(_)));
    let run = Run::start(journal, pending.len(), earlier)?;
    let sender = Sender { client, limits: limits.total(DEADLINE), receiver };
    run.work(vec![move |run: &Run<_>| sender.send_all(&pending, run)]);
    Ok(run.finish(0))
}

/// The parts of a message that the journal keeps, so that the same message can be sent again.
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
        // `RandomState` is seeded at random.
        let uuid = format!("{:016x}", RandomState::new().hash_one(&image_key));
        let uuid = MessageUuid::new(&uuid).map_err(|error| Failure::new(Reach::Unfit, &error))?;
        Ok(Self { uuid, image_key, time: now().as_secs() })
    }

    /// Whether the service still knows the uuid, so that the message can be sent again. The error tells how long ago it
    /// may have been sent.
    fn check_age(&self) -> Result<(), Failure> {
        let text = match now().checked_sub(Duration::from_secs(self.time)) {
            Some(age) if age <= RESEND_WINDOW => return Ok(()),
            Some(age) => format!("it may have been sent {} ago", HumanDuration(age)),
            None => {
                "it may have been sent, at a time that this computer's clock has not reached".into()
            }
        };
        let text = format!("{text}; look into the chat, since it is not sent again");
        Err(Failure { may_have_arrived: true, ..Failure::new(Reach::Unfit, &text) })
    }
}

/// The time since 1970.
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
}

struct Sender {
    client: Client,
    /// The limits of the call that sends a message.
    limits: Limits,
    receiver: Receiver,
}

impl Sender {
    /// Sends one picture after the other. All failures are reported to the run.
    fn send_all(&self, pictures: &[Picture], run: &Run<Message>) {
        for picture in pictures {
            if run.is_over() {
                return;
            }
            if let Err(failure) = self.send(picture, run) {
                let reach = failure.reach;
                run.fail(Some(&picture.file), &picture.file, failure);
                if reach == Reach::Lane {
                    return;
                }
            }
        }
    }

    fn send(
        &self,
        Picture { path, file, todo }: &Picture,
        run: &Run<Message>,
    ) -> Result<(), Failure> {
        let message = match todo {
            Todo::Begun(message) => {
                message.check_age().inspect_err(|_| run.note(TOO_OLD))?;
                message.clone()
            }
            Todo::Changed => return Err(Failure::new(Reach::Unfit, &CHANGED_FILE)),
            Todo::New => {
                let (image, identity) =
                    pictures::read(path).map_err(|error| Failure::new(Reach::Unfit, &error))?;
                let upload = CreateImage::message(image);
                let upload = upload.map_err(|error| Failure::new(Reach::Unfit, &error))?;
                let message = Message::new(self.client.call(&upload)?)?;
                let begun = run.journal.begin(file, file, identity, message.clone());
                begun.map_err(|error| Failure::new(Reach::Run, &error))?;
                message
            }
        };
        let Message { uuid, image_key, .. } = message;
        let request = SendImage::new(self.receiver.clone(), image_key, uuid);
        if let Err(error) = self.client.clone().with_limits(self.limits).call(&request) {
            let failure = Failure::from(error);
            // A refusal does not tell whether the message that an earlier run began has arrived.
            let may_have_arrived = failure.may_have_arrived || matches!(todo, Todo::Begun(_));
            return Err(Failure { may_have_arrived, ..failure });
        }
        run.done(file);
        Ok(())
    }
}

struct Options {
    receiver: String,
    folder: PathBuf,
    journal: Option<PathBuf>,
    retry_failed: bool,
}

impl Options {
    /// The options of the command line, or `None` if only the help text is asked for.
    fn read() -> Result<Option<Self>, lexopt::Error> {
        use lexopt::prelude::{Long, Short, Value, ValueExt};

        let mut journal = None;
        let mut retry_failed = false;
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
        let receiver = receiver.string()?;
        let folder = folder.into();
        Ok(Some(Self { receiver, folder, journal, retry_failed }))
    }
}

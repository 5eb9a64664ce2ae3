//! Sends the pictures of a folder to a chat, each as a message of its own.
//!
//! ```text
//! send_images oc_5ad11d72b830411d72b836c20 photos/
//! ```
//!
//! A journal beside the folder records the uuid of each message before it is sent. The service sends one message for a
//! uuid within an hour, so that the same command goes on after an interruption, and sends no picture twice. `--help`
//! lists options and exit codes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lark_proto::values::Receiver;
use lark_proto::{CreateImage, Limits};
use lark_ureq::Client;
use send::message::{self, Message};
use tools::account::{Account, VARIABLES};
use tools::failure::{Ends, Failure};
use tools::journal::{self, Journal, State};
use tools::pictures;
use tools::run::{EXIT_CODES, Passed, Run};
use tools::start::start;

mod send {
    pub(crate) mod message;
}
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

/// What the summary says about messages that are too old to be sent again.
const LOOK: &str = "Messages that may have been sent are not sent again. Look into the chat: if a picture is missing \
    there, give its file another name; if it is there, move the file out of the folder.";

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
        let begun = match journal.entry(&file, &file)? {
            Some(State::Done) => {
                passed.arrived += 1;
                continue;
            }
            Some(State::Failed) if !options.retry_failed => {
                passed.refused.push(file);
                continue;
            }
            Some(State::Begun(message)) => Some(Message::clone(message)),
            Some(State::Failed) | None => None,
        };
        pending.push(Picture { path, file, begun });
    }
    // The service forgets the uuid of a message that was begun.
    pending.sort_by_key(|picture| picture.begun.is_none());
    let run = Run::start(journal, pending.len())?;
    run.pass(passed);
    let sender = Sender { client, limits: limits.total(message::DEADLINE), receiver };
    run.work(vec![move |run: &Run<_>| sender.send_all(&pending, run)]);
    Ok(run.finish())
}

struct Picture {
    path: PathBuf,
    /// Its name, which is also the item of the journal.
    file: String,
    /// Its message, if an earlier run began to send it and the end is not known.
    begun: Option<Message>,
}

impl Picture {
    fn upload(&self) -> Result<CreateImage, Failure> {
        let image = pictures::read(&self.path).map_err(|error| Failure::of_picture(&error))?;
        CreateImage::message(image).map_err(|error| Failure::of_picture(&error))
    }
}

struct Sender {
    client: Client,
    /// Those of a call that sends a message.
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
                let ends = failure.ends;
                run.fail(Some(&picture.file), &picture.file, failure);
                if ends == Ends::Lane {
                    return;
                }
            }
        }
    }

    fn send(&self, picture: &Picture, run: &Run<Message>) -> Result<(), Failure> {
        let Picture { file, begun, .. } = picture;
        let message = match begun {
            Some(message) => {
                message.check_age().inspect_err(|_| run.note(LOOK))?;
                message.clone()
            }
            None => {
                let message = Message::new(&self.client.call(&picture.upload()?)?);
                let begun = run.journal.begin(file, file, message.clone());
                begun
                    .map_err(|error| Failure { ends: Ends::Run, ..Failure::of_picture(&error) })?;
                message
            }
        };
        let client = self.client.clone().with_limits(self.limits);
        if let Err(error) = client.call(&message.to(&self.receiver)?) {
            let failure = Failure::from(error);
            // A refusal does not tell what became of the message that an earlier run began.
            return Err(Failure { is_open: failure.is_open || begun.is_some(), ..failure });
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

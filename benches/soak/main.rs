//! A soak of both clients: 64 callers each, against a fake Lark in a process of its own on loopback, which answers one
//! request in twenty with a fault.
//!
//! `cargo run --release -p lark-benches --example soak -- --minutes 60`
//!
//! For each client, the program starts itself twice: as the server, and as the callers, whose memory and descriptors
//! are measured. Afterwards it compares the journal of the callers with what the server has stored.

mod faults;
mod jobs;
mod load;
mod server;
mod supervise;

use std::alloc::System;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use cap::Cap;

/// The allocator of the system, with a count of the bytes that are allocated.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const USAGE: &str = "usage: soak [--minutes N] [--adapter ureq|hyper] [--seed N] [--out FOLDER]";
/// The first argument of the server's process.
const SERVE: &str = "serve";
/// The first argument of the callers' process.
const CALL: &str = "call";

/// The client under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Adapter {
    Ureq,
    Hyper,
}

/// The settings of a soak.
#[derive(Debug)]
struct Settings {
    minutes: u32,
    adapters: Vec<Adapter>,
    seed: u64,
    /// The folder of the journals.
    out: PathBuf,
}

impl Adapter {
    const ALL: [Self; 2] = [Self::Ureq, Self::Hyper];

    fn name(self) -> &'static str {
        match self {
            Self::Ureq => "lark-ureq",
            Self::Hyper => "lark-hyper",
        }
    }

    /// The name on the command line.
    fn short_name(self) -> &'static str {
        match self {
            Self::Ureq => "ureq",
            Self::Hyper => "hyper",
        }
    }

    fn named(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|adapter| adapter.short_name() == name);
        found.ok_or_else(|| format!("`{name}` is neither ureq nor hyper"))
    }
}

impl Settings {
    fn read(args: &[String]) -> Result<Self, Box<dyn Error>> {
        let out = std::env::temp_dir().join(format!("lark-soak-{}", std::process::id()));
        let mut settings = Self { minutes: 2, adapters: Adapter::ALL.to_vec(), seed: 1, out };
        for pair in args.chunks(2) {
            match pair {
                [name, value] if name == "--minutes" => settings.minutes = value.parse()?,
                [name, value] if name == "--adapter" => {
                    settings.adapters = vec![Adapter::named(value)?];
                }
                [name, value] if name == "--seed" => settings.seed = value.parse()?,
                [name, value] if name == "--out" => settings.out = value.into(),
                _ => return Err(USAGE.into()),
            }
        }
        Ok(settings)
    }

    fn time(&self) -> Duration {
        Duration::from_secs(u64::from(self.minutes) * 60)
    }

    /// The time before the slopes count: five minutes, or half of a short soak.
    fn warm_up(&self) -> Duration {
        Duration::from_secs(300).min(self.time() / 2)
    }

    /// Whether the callers make their calls without pauses, `elapsed` after the start. They do in the first half of
    /// each minute, for four fifths of the warm-up, so that the heap has reached what the highest load takes before the
    /// slopes count. In the other halves, idle connections expire, and new ones are opened later.
    fn is_rush(&self, elapsed: Duration) -> bool {
        elapsed < self.warm_up() * 4 / 5 && elapsed.as_secs() % 60 < 30
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.as_slice() {
        [role, seed] if role == SERVE => serve(seed).map(|never| match never {}),
        [role, adapter, site, rest @ ..] if role == CALL => {
            call(adapter, site, rest).map(|()| true)
        }
        args => Settings::read(args).and_then(|settings| supervise::run(&settings)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(seed: &str) -> Result<std::convert::Infallible, Box<dyn Error>> {
    Ok(server::serve(seed.parse()?)?)
}

fn call(adapter: &str, site: &str, rest: &[String]) -> Result<(), Box<dyn Error>> {
    load::run(Adapter::named(adapter)?, site, Settings::read(rest)?)
}

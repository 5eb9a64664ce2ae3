//! Runs an example as a program, and makes a folder for its files.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lark_proto::fake::FakeLark;
use lark_ureq::FakeServer;

/// The longest time that a run of a tool may take in these tests.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// An example that is to be run.
pub(crate) struct Tool(Command);

impl Tool {
    /// The example `name` with the account of the fake, and nothing else in its environment.
    pub(crate) fn new(name: &str, server: &FakeServer) -> Self {
        Self::without_account(name)
            .env("LARK_SITE", server.site().as_str())
            .env("LARK_APP_ID", FakeLark::APP_ID)
            .env("LARK_APP_SECRET", FakeLark::APP_SECRET)
    }

    /// The example `name` with an empty environment.
    pub(crate) fn without_account(name: &str) -> Self {
        let mut command = Command::new(program(name));
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Windows opens no socket without it.
        command.envs(std::env::var_os("SystemRoot").map(|root| ("SystemRoot", root)));
        Self(command)
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.0.args(args);
        self
    }

    /// The same program on a full disk: its files do not grow beyond 512 or 1,024 bytes, depending on the shell.
    #[cfg(unix)]
    pub(crate) fn on_full_disk(self) -> Self {
        let script = r#"trap "" XFSZ; ulimit -f 1; exec "$0" "$@""#;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).arg(self.0.get_program()).args(self.0.get_args()).env_clear();
        command.envs(self.0.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command)
    }

    /// Starts the program.
    pub(crate) fn start(mut self) -> Running {
        let mut child = self.0.spawn().unwrap();
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        Running { child, output: Some((stdout, stderr)) }
    }

    /// Runs the program to its end.
    pub(crate) fn run(self) -> Output {
        self.start().wait()
    }
}

/// The path of the example `name`.
pub(crate) fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let examples = tests.parent().and_then(Path::parent).unwrap().join("examples");
    let program = examples.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        program.exists(),
        "{} is missing: `cargo build -p lark-ureq --examples` builds it",
        program.display()
    );
    program
}

/// Reads a stream to its end on a thread, so that the program never waits for its reader.
fn collect(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        stream.read_to_end(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    })
}

/// A program that runs. It is killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    output: Option<(JoinHandle<String>, JoinHandle<String>)>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    /// Without the lines of `progress`, whose number depends on the load of the machine.
    pub(crate) stderr: String,
    pub(crate) progress: Vec<String>,
}

impl Running {
    /// Waits for the end of the program.
    #[expect(clippy::disallowed_methods, reason = "the programs under test use the real clock")]
    pub(crate) fn wait(mut self) -> Output {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < TIME_LIMIT, "the program does not end");
            std::thread::sleep(Duration::from_millis(2));
        };
        let (stdout, stderr) = self.output.take().unwrap();
        let stdout = stdout.join().unwrap();
        let all = stderr.join().unwrap();
        let mut stderr = String::new();
        let mut progress = Vec::new();
        for line in all.split_inclusive('\n') {
            if is_progress(line) { progress.push(line.to_owned()) } else { stderr += line }
        }
        Output { status, stdout, stderr, progress }
    }

    /// Whether the program has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Kills the program with SIGKILL.
    pub(crate) fn kill(mut self) -> Output {
        self.child.kill().unwrap();
        self.wait()
    }

    /// Sends SIGINT, as Ctrl-C does.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        self.signal("-INT");
    }

    /// Sends a signal: `-INT` or `-TERM`.
    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        // `kill` of the shell, because not every system has it as a program.
        let kill = Command::new("sh").args(["-c", "kill \"$0\" \"$1\"", signal, &id]).status();
        assert!(kill.unwrap().success());
    }
}

/// Whether a line shows progress, as in `12 of 3,000 pictures, 2.1 a second, 24 minutes left`.
fn is_progress(line: &str) -> bool {
    let Some((number, rest)) = line.split_once(" of ") else { return false };
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b',');
    is_number && rest.split([' ', '\n']).nth(1).is_some_and(|word| word.starts_with("pictures"))
}

impl Drop for Running {
    fn drop(&mut self) {
        // The program may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Output {
    /// The exit code. A program that was killed has none.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// A new folder for the files of a test, which is removed with them.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lark-tools-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        // Some systems keep temporary files below a symbolic link.
        Self(path.canonicalize().unwrap())
    }

    /// The path of a file in the folder. The folders between them are created.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// A folder `photos` with the pictures from `picture(1)` on.
    pub(crate) fn pictures(&self, count: usize) -> PathBuf {
        for number in 1..=count {
            self.write(&format!("photos/photo{number}.gif"), picture(number));
        }
        self.0.join("photos")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The system removes the rest with its other temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A fake Lark, and a folder for the pictures that go to it.
pub(crate) fn setup() -> (FakeServer, Folder) {
    (FakeServer::start().unwrap(), Folder::new())
}

/// A GIF of one pixel, with bytes that no other number has.
pub(crate) fn picture(number: usize) -> Vec<u8> {
    let mut bytes = b"GIF89a\x01\0\x01\0\0\0\0".to_vec();
    bytes.extend(number.to_string().bytes());
    bytes.push(b';');
    bytes
}

/// Waits until `condition` holds.
#[expect(clippy::disallowed_methods, reason = "the programs under test use the real clock")]
pub(crate) fn wait_until(server: &FakeServer, condition: impl Fn(&FakeLark) -> bool) {
    let start = Instant::now();
    while !server.with(|lark| condition(lark)) {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "the condition does not hold after 30 seconds"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

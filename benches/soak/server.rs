//! The fake Lark in a process of its own. It prints its port, serves until its standard input ends, and then lists what
//! it has stored.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{self, BufWriter, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use lark_benches::soak::hash;
use lark_benches::soak::journal::Stored;
use lark_proto::fake::{Connection, FakeLark, Route, ServerStep};

use crate::faults::Faults;
use crate::jobs::{SPREADSHEETS, spreadsheet};

/// The lifetime of a token.
const TOKEN_LIFE: Duration = Duration::from_secs(120);
/// The time between two looks at what can be dropped.
const TIDY_INTERVAL: Duration = Duration::from_millis(250);
/// How often all tokens are revoked, in such intervals: every four minutes.
const REVOKE_EVERY: u64 = 960;
/// How often the server stalls, in such intervals: every minute, between two revocations.
const STALL_EVERY: u64 = 240;
const STALL_OFFSET: u64 = 120;
/// The time for which the server answers nothing when it stalls, so that nearly all callers are in flight at once.
const STALL: Duration = Duration::from_secs(3);

/// The state that the threads of the server share.
struct Server {
    lark: Mutex<FakeLark>,
    /// The hashes of the images that were uploaded and dropped, by their keys.
    images: Mutex<HashMap<String, u64>>,
    faults: Arc<Faults>,
}

/// Serves, with the faults of `seed`.
pub(crate) fn serve(seed: u64) -> io::Result<Infallible> {
    let mut lark = FakeLark::new();
    lark.expire_in(TOKEN_LIFE);
    for index in 0..SPREADSHEETS {
        lark.add_spreadsheet(&spreadsheet(index), &[FakeLark::SHEET]);
    }
    let faults = Arc::new(Faults::new(seed));
    let chosen = faults.clone();
    lark.fail_when(move |route, number| chosen.choose(route, number));
    let server = Arc::new(Server { lark: Mutex::new(lark), images: Mutex::default(), faults });

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?.port());
    let tidied = server.clone();
    thread::spawn(move || tidied.tidy_always());
    let listed = server.clone();
    thread::spawn(move || {
        // The supervisor's end of this pipe closes when it wants the list, or when it ends.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        let code = i32::from(listed.list().is_err());
        std::process::exit(code);
    });
    loop {
        let (stream, _) = listener.accept()?;
        let server = server.clone();
        thread::spawn(move || server.answer(stream));
    }
}

impl Server {
    /// Serves one connection.
    fn answer(&self, mut stream: TcpStream) {
        let mut connection = Connection::new();
        let mut piece = [0; 16 << 10];
        // This disables Nagle's algorithm, which would delay a reply.
        let _ = stream.set_nodelay(true);
        loop {
            let step = connection.next(&mut lock(&self.lark), now());
            let is_open = match step {
                ServerStep::Read => match stream.read(&mut piece) {
                    Ok(len) => {
                        connection.push(piece.get(..len).unwrap_or_default());
                        len > 0
                    }
                    Err(error) => error.kind() == io::ErrorKind::Interrupted,
                },
                ServerStep::Write(bytes) => stream.write_all(&bytes).is_ok(),
                ServerStep::Wait(time) => {
                    sleep(time);
                    true
                }
                ServerStep::Close => false,
            };
            if !is_open {
                break;
            }
        }
        connection.end(&mut lock(&self.lark));
        let _ = stream.shutdown(Shutdown::Both);
    }

    /// Keeps the memory of the server bounded, and from time to time revokes the tokens, or stalls.
    fn tidy_always(&self) {
        for round in 1_u64.. {
            sleep(TIDY_INTERVAL);
            self.tidy();
            if round % REVOKE_EVERY == 0 {
                lock(&self.lark).revoke_token();
            }
            if round % STALL_EVERY == STALL_OFFSET {
                let _stalled = lock(&self.lark);
                sleep(STALL);
            }
        }
    }

    /// Drops the records of the requests, and keeps the hash of each uploaded image in place of its bytes.
    fn tidy(&self) {
        let taken = {
            let mut lark = lock(&self.lark);
            lark.forget_requests();
            lark.take_images()
        };
        let hashed = taken.into_iter().map(|(key, image)| (key, hash(&image.bytes)));
        lock(&self.images).extend(hashed);
    }

    /// Lists the stored images, the requests and the faults.
    fn list(&self) -> io::Result<()> {
        self.tidy();
        let mut out = BufWriter::new(io::stdout().lock());
        for (key, image) in lock(&self.images).iter() {
            writeln!(out, "{}", Stored::Image(key.clone(), *image))?;
        }
        let lark = lock(&self.lark);
        for spreadsheet in (0..SPREADSHEETS).map(spreadsheet) {
            for (range, cell) in lark.cells(&spreadsheet) {
                let cell = Stored::Cell(format!("{spreadsheet}/{range}"), hash(&cell.bytes));
                writeln!(out, "{cell}")?;
            }
        }
        let routes =
            [Route::TenantAccessToken, Route::ImageV4Put, Route::ImV1Images, Route::ValuesImage];
        let requests: usize = routes.into_iter().map(|route| lark.begun(route)).sum();
        writeln!(out, "{}", Stored::Requests(requests as u64))?;
        for (count, fault) in self.faults.met() {
            writeln!(out, "{}", Stored::Fault(count, fault))?;
        }
        out.flush()
    }
}

/// A panic of another thread leaves neither the fake nor the images in an inconsistent state.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "the server passes the time to the fake")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a reply is held back, and a thread runs at intervals"
)]
fn sleep(time: Duration) {
    thread::sleep(time);
}

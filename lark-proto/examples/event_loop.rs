//! An event loop on one thread, without an HTTP client and without a runtime: three calls over non-blocking sockets.
//!
//! `cargo run -p lark-proto --example event_loop` uploads an image and writes it into two cells of one spreadsheet. The
//! server, a fake Lark on loopback, never answers the first cell write. The loop notices that the socket has stalled,
//! and the call sends its request again over a new connection. The second cell write waits for the first one.
//!
//! The session decides which request is sent, and when; [`wire::head`] and [`Body`] make its bytes, and `ureq-proto`
//! parses the reply. The loop moves the bytes and keeps the timeouts:
//!
//! ```text
//!  phase         the loop  until                                          timeout
//!  Connect       waits     the connection is open                         Timeouts::connect
//!  SendRequest   writes    the head is sent                               Timeouts::send_request
//!  SendBody      writes    the body is sent, or the server answers early  Timeouts::send_body
//!  RecvResponse  reads     the head of the reply has arrived              Timeouts::recv_response
//!  RecvBody      reads     the reply is complete                          Timeouts::recv_body
//! ```

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use bytes::{Buf, Bytes};
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use lark_proto::body::Body;
use lark_proto::endpoints::SheetImageWritten;
use lark_proto::error::{CallErrorKind, WaitFor};
use lark_proto::fake::{self, Connection, ConnectionFault, FakeLark, Route};
use lark_proto::session::{
    AnyCall, Call, Event, Outgoing, Permanence, Phase, Session, Step, Timeouts, TransportFailure,
};
use lark_proto::wire::{self, HeaderSecrets};
use lark_proto::{App, Image, ImageKey, PutImage, SheetCell, Site, WriteSheetImage};
use ureq_proto::client::{self, RecvResponseResult, SendRequestResult};
use ureq_proto::{BodyMode, Error as HttpError};

/// The time between two polls of the sockets. A real program waits with epoll or kqueue instead of a sleep.
const TICK: Duration = Duration::from_millis(1);
/// The longest timeout `recv_response` of this example. It is short so that the example ends soon. The default in
/// [`Timeouts`] is two minutes, because a cell write can take the service one minute.
const MAX_RECV_RESPONSE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let Err(error) = run() else { return ExitCode::SUCCESS };
    eprintln!("event_loop: {error}");
    ExitCode::FAILURE
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut lark = FakeLark::new();
    lark.fail_next_on(Route::ValuesImage, ConnectionFault::SlowReply(Duration::MAX));
    let lark = Arc::new(Mutex::new(lark));
    let server = serve(Arc::clone(&lark))?;
    let site = Site::custom(&format!("http://{server}"))?;
    say("server", &format!("a fake Lark on {site}, which never answers the first cell write"));

    let image = Image::new([b"GIF89a".as_slice(), &[200; 1 << 19]].concat())?;
    let put = PutImage::message(image.clone())?;
    let cell = SheetCell::in_sheet(FakeLark::SHEET.parse()?, "H7")?;
    let below = cell.below(1)?;
    let write = |cell| WriteSheetImage::new(FakeLark::SPREADSHEET.parse()?, cell, image.clone());
    let first = write(cell)?;
    let second = write(below)?;

    let mut session = Session::new(site, App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?);
    let mut tasks = [
        Task::new("upload", Call::new(&put).with_events().boxed()),
        Task::new("cell H7", Call::new(&first).with_events().boxed()),
        Task::new("cell H8", Call::new(&second).with_events().boxed()),
    ];
    while let Some(rest) = tasks.iter().filter_map(Task::rest).min() {
        #[expect(clippy::disallowed_methods, reason = "the loop is where the program waits")]
        thread::sleep(rest);
        for at in 0..tasks.len() {
            tasks[at].turn(&mut session, server)?;
            for id in session.woken() {
                tasks.iter_mut().filter(|task| task.call.id() == Some(id)).for_each(Task::wake);
            }
        }
    }

    let [_, first, second] = &tasks;
    let is_stall =
        |event: &Event| matches!(event, Event::Failed { error, .. } if error.contains("stalled"));
    if !first.events.iter().any(is_stall) {
        return Err("no stalled socket was noticed".into());
    }
    let is_turn = |event: &Event| matches!(event, Event::Waits { reason: WaitFor::Turn, .. });
    if !second.events.iter().any(is_turn) {
        return Err("the second cell write did not wait for the first one".into());
    }
    let lark = lark.lock().map_err(|_| "the server panicked")?;
    let images = lark.images().map(|(_, image)| &image.bytes);
    let cells = lark.cells(FakeLark::SPREADSHEET).map(|(_, cell)| &cell.bytes);
    if !images.chain(cells).eq([image.bytes(); 3]) {
        return Err("the fake holds other bytes than were sent".into());
    }
    say("read back", "an image and two cells from the fake, byte for byte what was sent");
    Ok(())
}

/// The output of any of the calls, as text.
struct Written(String);

impl From<ImageKey> for Written {
    fn from(key: ImageKey) -> Self {
        Self(format!("image key {key}"))
    }
}

impl From<SheetImageWritten> for Written {
    fn from(cell: SheetImageWritten) -> Self {
        Self(format!("written to {}", cell.range.unwrap_or_default()))
    }
}

/// A call and its state.
struct Task {
    name: &'static str,
    call: Box<dyn AnyCall<Written, io::Error>>,
    state: State,
    events: Vec<Event>,
}

enum State {
    /// The call takes its next step at this time, or when the session wakes it.
    Waiting(SystemTime),
    /// A request of the call is in flight.
    Sent(Box<Exchange>),
    Over,
}

impl Task {
    fn new(name: &'static str, call: Box<dyn AnyCall<Written, io::Error>>) -> Self {
        Self { name, call, state: State::Waiting(now()), events: Vec::new() }
    }

    /// Takes the steps that the call can take now, and moves bytes until the socket blocks.
    fn turn(&mut self, session: &mut Session, server: SocketAddr) -> Result<(), Box<dyn Error>> {
        match &mut self.state {
            State::Waiting(until) if *until <= now() => match self.call.next(session, now()) {
                Step::Wait(time) => self.state = State::Waiting(now() + time),
                Step::Send(outgoing) => match Exchange::open(server, outgoing) {
                    Ok(exchange) => self.state = State::Sent(Box::new(exchange)),
                    Err(error) => self.failed(session, CallErrorKind::Transport(error), 0),
                },
                Step::Done(result) => {
                    say(self.name, &result?.0);
                    self.state = State::Over;
                }
            },
            State::Sent(exchange) => match exchange.turn() {
                Ok(None) => {}
                Ok(Some(reply)) => {
                    self.call.read(reply);
                    self.call.received(session, now());
                    self.state = State::Waiting(now());
                }
                Err(failure) => {
                    let taken = exchange.body_len - exchange.body.len();
                    self.failed(session, failure, taken);
                }
            },
            State::Waiting(_) | State::Over => {}
        }
        for event in self.call.events() {
            say(self.name, &event.to_string());
            self.events.push(event);
        }
        Ok(())
    }

    /// Reports that no reply came, and closes the connection. The next step shows whether the call goes on.
    fn failed(&mut self, session: &mut Session, failure: CallErrorKind<io::Error>, taken: u64) {
        self.call.failed(
            session,
            now(),
            TransportFailure::new(failure, taken, Permanence::Transient),
        );
        self.state = State::Waiting(now());
    }

    fn wake(&mut self) {
        if let State::Waiting(until) = &mut self.state {
            *until = now();
        }
    }

    /// The time until the next turn of the call. It is `None` if the call is over.
    fn rest(&self) -> Option<Duration> {
        match &self.state {
            State::Waiting(until) => Some(until.duration_since(now()).unwrap_or_default()),
            State::Sent(_) => Some(TICK),
            State::Over => None,
        }
    }
}

/// A request and its reply on a connection of their own.
struct Exchange {
    stream: TcpStream,
    /// The bytes of the head that are not sent yet.
    head: Bytes,
    body: Body,
    body_len: u64,
    /// The bytes of the reply that have arrived.
    received: Vec<u8>,
    reply_limit: u64,
    timeouts: Timeouts,
    phase: Phase,
    phase_ends: SystemTime,
    call_ends: SystemTime,
}

impl Exchange {
    fn open(server: SocketAddr, outgoing: Outgoing) -> io::Result<Self> {
        let Outgoing { mut request, mut timeouts, call_timeout, reply_limit, .. } = outgoing;
        timeouts.recv_response = timeouts.recv_response.min(MAX_RECV_RESPONSE);
        // This blocks the loop, because std cannot connect otherwise. A real program makes a non-blocking socket with
        // the system's own call, and resolves the host's name in a thread.
        let stream = TcpStream::connect_timeout(&server, timeouts.connect)?;
        stream.set_nonblocking(true)?;
        // Each request has a connection of its own, so `fresh_connection` needs no further handling.
        request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        let head = wire::head(&request, HeaderSecrets::Shown);
        let body = request.into_body();
        Ok(Self {
            stream,
            head,
            body_len: body.len(),
            body,
            received: Vec::new(),
            reply_limit,
            timeouts,
            phase: Phase::SendRequest,
            phase_ends: now() + timeouts.send_request,
            call_ends: now() + call_timeout,
        })
    }

    /// Moves bytes until the socket blocks. Returns the reply once it is complete.
    fn turn(&mut self) -> Result<Option<Response<Bytes>>, CallErrorKind<io::Error>> {
        loop {
            match self.advance() {
                // The limit applies to the body. This check also counts the head, which is short.
                Ok(None) if self.received.len() as u64 > self.reply_limit => {
                    return Err(CallErrorKind::TooLarge { limit: self.reply_limit });
                }
                Ok(None) => {}
                Ok(Some(reply)) => return Ok(Some(reply)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(CallErrorKind::Transport(error)),
            }
        }
        if now() >= self.call_ends {
            return Err(CallErrorKind::Deadline);
        }
        if now() >= self.phase_ends {
            let text = format!("the socket stalled: {} took too long", self.phase);
            return Err(CallErrorKind::Transport(io::Error::new(ErrorKind::TimedOut, text)));
        }
        Ok(None)
    }

    /// Does one read or write, or enters the next phase.
    fn advance(&mut self) -> io::Result<Option<Response<Bytes>>> {
        match self.phase {
            Phase::SendRequest if self.head.is_empty() => {
                self.enter(Phase::SendBody);
            }
            Phase::SendRequest => self.head.advance(self.stream.write(&self.head)?),
            Phase::SendBody if self.body.is_empty() => {
                self.enter(Phase::RecvResponse);
            }
            // The body encodes its next chunk once the socket has taken this one.
            Phase::SendBody => match self.stream.write(self.body.chunk()) {
                Ok(len) => self.body.advance(len),
                // A server that refuses a request may answer and leave the rest of the body unread. Once the head of
                // its reply is there, the loop sends no more of the body.
                Err(error) => match self.read() {
                    // The error of a failed write says more than the end of the connection, which follows it.
                    Err(read) if error.kind() == ErrorKind::WouldBlock => return Err(read),
                    Err(_) => return Err(error),
                    Ok(reply) => return Ok(reply),
                },
            },
            _ => return self.read(),
        }
        Ok(None)
    }

    /// Reads once. After an interim reply, such as 100, the phase stays the same.
    fn read(&mut self) -> io::Result<Option<Response<Bytes>>> {
        let mut piece = [0; 4096];
        let len = self.stream.read(&mut piece)?;
        self.received.extend_from_slice(&piece[..len]);
        let is_closed = len == 0;
        // After a failed write, the connection may be broken at any place of the reply.
        let ends_in_order = is_closed && self.body.is_empty();
        match parse(&self.received, ends_in_order).map_err(io::Error::other)? {
            Reply::Complete(reply) => return Ok(Some(reply)),
            _ if is_closed => return Err(ErrorKind::UnexpectedEof.into()),
            Reply::Head if self.phase != Phase::RecvBody => self.enter(Phase::RecvBody),
            Reply::Head | Reply::None => {}
        }
        Ok(None)
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.phase_ends = now() + self.timeouts.get(phase);
    }
}

/// How much of the reply has arrived.
enum Reply {
    /// At most interim replies and a part of the head.
    None,
    /// The head.
    Head,
    Complete(Response<Bytes>),
}

/// Parses the reply from its start, after each read, because it is short and rarely arrives in pieces. A program with
/// longer replies keeps the state of `ureq-proto` between the reads.
fn parse(mut received: &[u8], ends_in_order: bool) -> Result<Reply, HttpError> {
    // `ureq-proto` parses the reply to a request that it has written. Here it writes a GET without a body, which is not
    // sent. The replies to GET and POST have the same form.
    let mut http = client::Call::new(Request::new(()))?.proceed();
    http.write(&mut [0; 64])?;
    let Some(SendRequestResult::RecvResponse(mut http)) = http.proceed()? else {
        return Ok(Reply::None);
    };
    let head = loop {
        let (len, head) = http.try_response(received, false)?;
        received = &received[len..];
        match head {
            Some(head) => break head,
            None if len == 0 => return Ok(Reply::None),
            None => {} // an interim reply
        }
    };
    let Some(RecvResponseResult::RecvBody(mut http)) = http.proceed() else {
        return Ok(Reply::Complete(head.map(|()| Bytes::new())));
    };
    let mut body = vec![0; received.len()];
    let (_, len) = http.read(received, &mut body)?;
    body.truncate(len);
    let is_delimited = ends_in_order || http.body_mode() != BodyMode::CloseDelimited;
    let is_complete = http.can_proceed() && is_delimited;
    Ok(if is_complete { Reply::Complete(head.map(|()| body.into())) } else { Reply::Head })
}

fn say(step: &str, what: &str) {
    println!("{step:>9}  {what}");
}

/// The time of a monotonic clock. The session uses only differences between times, so the clock need not show the date.
#[expect(clippy::disallowed_methods, reason = "the loop passes the time to the core")]
fn now() -> SystemTime {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    SystemTime::UNIX_EPOCH + START.elapsed()
}

/// Serves the fake on loopback, with a thread for each connection. The threads end with the program.
#[expect(clippy::disallowed_methods, reason = "the server is an adapter of the fake")]
fn serve(lark: Arc<Mutex<FakeLark>>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let lark = Arc::clone(&lark);
            thread::spawn(move || {
                let answered = answer(stream, &lark);
                answered.unwrap_or_else(|error| eprintln!("event_loop: the server: {error}"));
            });
        }
    });
    Ok(address)
}

/// Serves one connection. [`Connection`] returns the next step for the socket.
fn answer(mut stream: TcpStream, lark: &Mutex<FakeLark>) -> Result<(), Box<dyn Error>> {
    let mut connection = Connection::new();
    let mut piece = [0; 16 << 10];
    loop {
        let mut held = lark.lock().map_err(|_| "another thread panicked")?;
        let step = connection.next(&mut held, now());
        drop(held);
        match step {
            fake::ServerStep::Read => match stream.read(&mut piece)? {
                0 => break,
                len => connection.push(&piece[..len]),
            },
            fake::ServerStep::Write(reply) => stream.write_all(&reply)?,
            // The reply is held back for ever. This read ends when the client closes the connection.
            fake::ServerStep::Wait(_) => {
                let _ = stream.read(&mut piece)?;
                break;
            }
            fake::ServerStep::Close => break,
        }
    }
    connection.end(&mut *lark.lock().map_err(|_| "another thread panicked")?);
    Ok(())
}

//! A WebAssembly module without imports: the bytes of requests, and whole calls. The host sends and waits, with its own
//! clock and its own random numbers; `run.mjs` beside this file is such a host.
//!
//! ```text
//! cargo build -p lark-proto --example wasm --release --target wasm32-unknown-unknown
//! node lark-proto/examples/wasm/run.mjs target/wasm32-unknown-unknown/release/examples/wasm.wasm
//! ```
//!
//! Host and module exchange bytes through one buffer. The host asks for its address with [`buffer`], writes the
//! arguments of the next function into it, and finds that function's result at [`address`], [`len`] bytes long.
//! Arguments are lines of text, each ended by a line feed, and the bytes of an image after them.

#![expect(unsafe_code, reason = "an export needs `no_mangle`; there is no unsafe block")]

use std::cell::RefCell;
use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use lark_proto::body::Body;
use lark_proto::endpoints::{GetTenantToken, SheetImageWritten};
use lark_proto::error::CallErrorKind;
use lark_proto::session::{Call, Permanence, Session, Step, TransportFailure};
use lark_proto::token::NoToken;
use lark_proto::values::{AppId, AppSecret};
use lark_proto::wire::{self, HeaderSecrets};
use lark_proto::{App, EndpointExt, Image, PutImage, Site, TenantToken, WriteSheetImage};

/// The result of a function: it tells the host how to go on.
#[derive(Debug)]
#[repr(u32)]
pub enum Next {
    /// Nothing, or the next step of the call.
    Go = 0,
    /// Send the request: the buffer has its HTTP/1.1 head, and [`chunk`] or [`rest`] its body. The reply may take
    /// [`millis`] milliseconds.
    Send = 1,
    /// Wait for [`millis`] milliseconds.
    Wait = 2,
    /// The call is over, and the buffer has its result.
    Done = 3,
    /// A value or the call has failed, and the buffer has the error's text.
    Failed = 4,
}

#[derive(Default)]
struct Module {
    buffer: Vec<u8>,
    /// The body of the request that was made last.
    body: Body,
    body_len: u64,
    millis: u64,
    session: Option<Session>,
    call: Option<Call<SheetImageWritten, std::io::Error>>,
}

thread_local! {
    static MODULE: RefCell<Module> = RefCell::default();
}

fn with<T>(function: impl FnOnce(&mut Module) -> T) -> T {
    MODULE.with_borrow_mut(function)
}

/// Calls a function with the buffer's first `N` lines and the bytes after them.
fn with_lines<const N: usize>(
    function: impl FnOnce(&mut Module, [&str; N], Bytes) -> Result<Next, Box<dyn Error>>,
) -> Next {
    with(|module| {
        let mut rest = Bytes::from(std::mem::take(&mut module.buffer));
        let mut lines = [const { Bytes::new() }; N];
        for line in &mut lines {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            *line = rest.split_to(end);
            rest = rest.split_off(rest.len().min(1));
        }
        let texts = lines.each_ref().map(|line| std::str::from_utf8(line).unwrap_or_default());
        function(module, texts, rest).unwrap_or_else(|error| {
            module.buffer = error.to_string().into_bytes();
            Next::Failed
        })
    })
}

impl Module {
    fn send(&mut self, request: Request<Body>) -> Next {
        self.buffer = wire::head(&request, HeaderSecrets::Shown).into();
        self.body = request.into_body();
        self.body_len = self.body.len();
        Next::Send
    }

    fn call(
        &mut self,
    ) -> Result<(&mut Session, &mut Call<SheetImageWritten, std::io::Error>), &str> {
        self.session.as_mut().zip(self.call.as_mut()).ok_or("there is no call")
    }
}

/// Makes the buffer `len` bytes long, and returns its address. The address holds until the next call of a function.
#[unsafe(no_mangle)]
pub extern "C" fn buffer(len: usize) -> *mut u8 {
    with(|module| {
        module.buffer.resize(len, 0);
        module.buffer.as_mut_ptr()
    })
}

/// The address of the buffer.
#[unsafe(no_mangle)]
pub extern "C" fn address() -> *const u8 {
    with(|module| module.buffer.as_ptr())
}

/// The length of the buffer.
#[unsafe(no_mangle)]
pub extern "C" fn len() -> usize {
    with(|module| module.buffer.len())
}

/// The milliseconds of the last [`Next::Wait`] or [`Next::Send`].
#[unsafe(no_mangle)]
#[expect(clippy::cast_precision_loss, reason = "a wait is a day at most")]
pub extern "C" fn millis() -> f64 {
    with(|module| module.millis as f64)
}

/// The next chunk of the body; an empty buffer at its end.
#[unsafe(no_mangle)]
pub extern "C" fn chunk() {
    with(|module| {
        module.buffer.clear();
        module.buffer.extend_from_slice(&module.body.next_chunk().unwrap_or_default());
    });
}

/// The rest of the body.
#[unsafe(no_mangle)]
pub extern "C" fn rest() {
    with(|module| module.buffer = std::mem::take(&mut module.body).into_bytes().into());
}

/// The request for a tenant access token. Lines: app id, app secret.
#[unsafe(no_mangle)]
pub extern "C" fn tenant_token() -> Next {
    with_lines(|module, [id, secret], _| {
        let endpoint = GetTenantToken::new(AppId::new(id)?, AppSecret::new(secret)?);
        Ok(module.send(endpoint.request_streamed(&Site::LARK, &NoToken)))
    })
}

/// The request that uploads an image for messages. Lines: token; then the image.
#[unsafe(no_mangle)]
pub extern "C" fn put_image() -> Next {
    with_lines(|module, [token], image| {
        let endpoint = PutImage::message(Image::new(image)?)?;
        Ok(module.send(endpoint.request_streamed(&Site::LARK, &TenantToken::new(token)?)))
    })
}

/// The request that writes an image into a cell. Lines: token, spreadsheet, cell, file name; then the image.
#[unsafe(no_mangle)]
pub extern "C" fn write_sheet_image() -> Next {
    with_lines(|module, [token, sheet, cell, name], image| {
        let endpoint = write(sheet, cell, name, image)?;
        Ok(module.send(endpoint.request_streamed(&Site::LARK, &TenantToken::new(token)?)))
    })
}

fn write(
    sheet: &str,
    cell: &str,
    name: &str,
    image: Bytes,
) -> Result<WriteSheetImage, Box<dyn Error>> {
    let endpoint = WriteSheetImage::new(sheet.parse()?, cell.parse()?, Image::new(image)?)?;
    Ok(endpoint.with_name(name)?)
}

/// Begins the session of an app, which keeps its token for all calls. Lines: app id, app secret.
#[unsafe(no_mangle)]
pub extern "C" fn open_session() -> Next {
    with_lines(|module, [id, secret], _| {
        module.session = Some(Session::new(Site::LARK, App::custom(id, secret)?));
        Ok(Next::Go)
    })
}

/// Begins the call that writes an image into a cell, with a random number for its backoff. Lines: spreadsheet, cell,
/// file name; then the image.
#[unsafe(no_mangle)]
pub extern "C" fn begin_call(random: u32) -> Next {
    with_lines(|module, [sheet, cell, name], image| {
        let endpoint = write(sheet, cell, name, image)?;
        module.call = Some(Call::new(&endpoint).with_jitter(random.into()));
        Ok(Next::Go)
    })
}

/// The next step of the call. `now` is the host's time in milliseconds since 1970, here and below.
#[unsafe(no_mangle)]
pub extern "C" fn step(now: f64) -> Next {
    with_lines(|module, [], _| {
        let (session, call) = module.call()?;
        match call.next(session, time(now)) {
            Step::Send(outgoing) => {
                module.millis = to_millis(outgoing.call_timeout);
                Ok(module.send(outgoing.request))
            }
            Step::Wait(wait) => {
                module.millis = to_millis(wait);
                Ok(Next::Wait)
            }
            Step::Done(result) => {
                module.buffer = result?.range.unwrap_or_default().into_bytes();
                Ok(Next::Done)
            }
        }
    })
}

/// Reports the reply to the request that was sent. Lines: each header as `name: value`, then an empty line; then the
/// body.
#[unsafe(no_mangle)]
pub extern "C" fn received(now: f64, status: u16) -> Next {
    with_lines(|module, [], rest| {
        let sent = module.body_len;
        let (session, call) = module.call()?;
        match reply(status, rest) {
            Ok(reply) => {
                let parsed = call.read(reply);
                call.received(session, time(now), parsed);
            }
            Err(error) => call.failed(session, time(now), failure(&error.to_string(), sent)),
        }
        Ok(Next::Go)
    })
}

/// Reports that no reply came. Lines: the reason.
#[unsafe(no_mangle)]
pub extern "C" fn failed(now: f64) -> Next {
    with_lines(|module, [reason], _| {
        let sent = module.body_len - module.body.len();
        let (session, call) = module.call()?;
        call.failed(session, time(now), failure(reason, sent));
        Ok(Next::Go)
    })
}

fn failure(reason: &str, sent: u64) -> TransportFailure<std::io::Error> {
    let error = std::io::Error::other(reason.to_owned());
    TransportFailure::new(CallErrorKind::Transport(error), sent, Permanence::Transient)
}

fn reply(status: u16, mut rest: Bytes) -> Result<Response<Bytes>, Box<dyn Error>> {
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = StatusCode::from_u16(status)?;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or("the headers have no end")?;
        let line = rest.split_to(end + 1);
        let line = std::str::from_utf8(&line)?.trim_end();
        let Some((name, value)) = line.split_once(": ") else { break };
        reply.headers_mut().append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    *reply.body_mut() = rest;
    Ok(reply)
}

fn time(millis: f64) -> SystemTime {
    UNIX_EPOCH + Duration::try_from_secs_f64(millis / 1000.0).unwrap_or_default()
}

/// Rounded up, so that a wait is not too short.
fn to_millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

//! A WebAssembly module without imports: the bytes of requests, and whole calls. The host sends and waits, with its own
//! clock and its own random numbers; `run.mjs` beside this file is such a host.
//!
//! ```text
//! rustup target add wasm32-unknown-unknown
//! cargo build -p lark-proto --example wasm --release --target wasm32-unknown-unknown
//! node lark-proto/examples/wasm/run.mjs target/wasm32-unknown-unknown/release/examples/wasm.wasm
//! ```
//!
//! The module [`exchange`] says how host and module exchange bytes. `cell_write.rs` beside this file is a smaller
//! module, for a host that has a token and sends by itself.

#![expect(unsafe_code, reason = "an export needs `no_mangle`; there is no unsafe block")]

pub mod exchange;

use std::cell::RefCell;
use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use lark_proto::endpoints::{GetTenantToken, SheetImageWritten};
use lark_proto::error::CallErrorKind;
use lark_proto::session::{Permanence, Session, Step, TransportFailure};
use lark_proto::token::NoToken;
use lark_proto::values::{AppId, AppSecret};
use lark_proto::{App, EndpointExt, Image, PutImage, Site, TenantToken};

use exchange::{Next, with_lines, write};

type Call = lark_proto::session::Call<SheetImageWritten, std::io::Error>;

/// The session and the call in it.
#[derive(Default)]
struct Calls {
    session: Option<Session>,
    call: Option<Call>,
    /// The length of the body that was sent last.
    body_len: u64,
    millis: u64,
}

thread_local! {
    static CALLS: RefCell<Calls> = RefCell::default();
}

impl Calls {
    fn current(&mut self) -> Result<(&mut Session, &mut Call), &'static str> {
        self.session.as_mut().zip(self.call.as_mut()).ok_or("there is no call")
    }
}

/// The milliseconds of the last [`Next::Wait`], or those that the reply to the last [`Next::Send`] may take.
#[unsafe(no_mangle)]
#[expect(clippy::cast_precision_loss, reason = "a wait is a day at most")]
pub extern "C" fn millis() -> f64 {
    CALLS.with_borrow(|calls| calls.millis as f64)
}

/// The request for a tenant access token. Lines: app id, app secret.
#[unsafe(no_mangle)]
pub extern "C" fn tenant_token() -> Next {
    with_lines(|exchange, [id, secret], _| {
        let endpoint = GetTenantToken::new(AppId::new(id)?, AppSecret::new(secret)?);
        Ok(exchange.send(endpoint.request_streamed(&Site::LARK, &NoToken)))
    })
}

/// The request that uploads an image for messages. Lines: token; then the image.
#[unsafe(no_mangle)]
pub extern "C" fn put_image() -> Next {
    with_lines(|exchange, [token], image| {
        let endpoint = PutImage::message(Image::new(image)?)?;
        Ok(exchange.send(endpoint.request_streamed(&Site::LARK, &TenantToken::new(token)?)))
    })
}

/// Begins the session of an app, which keeps its token for all calls. Lines: app id, app secret.
#[unsafe(no_mangle)]
pub extern "C" fn open_session() -> Next {
    with_lines(|_, [id, secret], _| {
        let session = Session::new(Site::LARK, App::custom(id, secret)?);
        CALLS.with_borrow_mut(|calls| calls.session = Some(session));
        Ok(Next::Go)
    })
}

/// Begins the call that writes an image into a cell, with a random number for its backoff. Lines: spreadsheet, cell,
/// file name; then the image.
#[unsafe(no_mangle)]
pub extern "C" fn begin_call(random: u32) -> Next {
    with_lines(|_, [sheet, cell, name], image| {
        let endpoint = write(sheet, cell, name, image)?;
        let call = Call::new(&endpoint).with_jitter(random.into());
        CALLS.with_borrow_mut(|calls| calls.call = Some(call));
        Ok(Next::Go)
    })
}

/// The next step of the call. `now` is the host's time in milliseconds since 1970, here and below.
#[unsafe(no_mangle)]
pub extern "C" fn step(now: f64) -> Next {
    with_lines(|exchange, [], _| {
        CALLS.with_borrow_mut(|calls| {
            let (session, call) = calls.current()?;
            match call.next(session, time(now)) {
                Step::Send(outgoing) => {
                    calls.millis = to_millis(outgoing.call_timeout);
                    calls.body_len = outgoing.request.body().len();
                    Ok(exchange.send(outgoing.request))
                }
                Step::Wait(wait) => {
                    calls.millis = to_millis(wait);
                    Ok(Next::Wait)
                }
                Step::Done(result) => {
                    exchange.buffer = result?.range.unwrap_or_default().into_bytes();
                    Ok(Next::Done)
                }
            }
        })
    })
}

/// Reports the reply to the request that was sent. Lines: each header as `name: value`, then an empty line; then the
/// body.
#[unsafe(no_mangle)]
pub extern "C" fn received(now: f64, status: u16) -> Next {
    with_lines(|_, [], rest| {
        CALLS.with_borrow_mut(|calls| {
            let sent = calls.body_len;
            let (session, call) = calls.current()?;
            match reply(status, rest) {
                Ok(reply) => {
                    let parsed = call.read(reply);
                    call.received(session, time(now), parsed);
                }
                Err(error) => call.failed(session, time(now), failure(&error.to_string(), sent)),
            }
            Ok(Next::Go)
        })
    })
}

/// Reports that no reply came. Lines: the reason.
#[unsafe(no_mangle)]
pub extern "C" fn failed(now: f64) -> Next {
    with_lines(|exchange, [reason], _| {
        CALLS.with_borrow_mut(|calls| {
            let sent = calls.body_len - exchange.body.len();
            let (session, call) = calls.current()?;
            call.failed(session, time(now), failure(reason, sent));
            Ok(Next::Go)
        })
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

//! An HTTP/1.1 connection to the fake, for a server over any kind of socket.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Method;

use super::failures::ConnectionFault;
use super::lark::{FakeLark, InFlight};
use super::readers::http1::{self, Requests};

/// One HTTP/1.1 connection to a [`FakeLark`]. It turns the bytes that a server reads into the bytes that it writes, and
/// obeys the connection faults that a test has asked for.
///
/// A server asks for the [`next`](Self::next) step, takes it, and asks again. It holds the fake only while it asks, so
/// other connections can proceed while one of them reads or waits.
///
/// ```
/// use std::time::SystemTime;
///
/// use lark_proto::fake::{Connection, FakeLark, ServerStep};
///
/// let mut lark = FakeLark::new();
/// let mut connection = Connection::new();
/// let now = SystemTime::UNIX_EPOCH;
/// let step = connection.next(&mut lark, now);
/// assert_eq!(step, ServerStep::Read);
/// connection.push(b"GET /open-apis/x HTTP/1.1\r\nHost: a\r\n\r\n");
/// let ServerStep::Write(reply) = connection.next(&mut lark, now) else {
///     panic!()
/// };
/// assert!(reply.starts_with(b"HTTP/1.1 404 "));
/// ```
#[derive(Default)]
#[must_use = "give it to `end`, or a spreadsheet stays occupied"]
pub struct Connection {
    requests: Requests,
    state: State,
}

#[derive(Default)]
enum State {
    /// No request has begun.
    #[default]
    Idle,
    /// The head of this request has arrived, and its body has not.
    Arriving(Box<InFlight>),
    /// This reply is held back, or is the next to be written.
    Replying {
        bytes: Bytes,
        /// Whether the connection closes after the reply.
        is_last: bool,
    },
    Closed,
}

/// The next action of a server.
#[derive(Clone, PartialEq, Eq)]
pub enum ServerStep {
    /// Read some bytes and [`push`](Connection::push) them. If the client has closed its side,
    /// [`end`](Connection::end) the connection.
    Read,
    /// Write these bytes.
    Write(Bytes),
    /// Wait for this time.
    Wait(Duration),
    /// Close the connection.
    Close,
}

/// Shows the number of bytes to write, and no byte: a reply may hold a token or an image.
impl fmt::Debug for ServerStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => f.write_str("Read"),
            Self::Write(bytes) => write!(f, "Write({} bytes)", bytes.len()),
            Self::Wait(time) => f.debug_tuple("Wait").field(time).finish(),
            Self::Close => f.write_str("Close"),
        }
    }
}

/// Shows the requests as [`Requests`] does.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("requests", &self.requests).finish_non_exhaustive()
    }
}

impl Connection {
    /// A new connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes that were read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.requests.push(bytes);
    }

    /// The next step.
    pub fn next(&mut self, lark: &mut FakeLark, now: SystemTime) -> ServerStep {
        loop {
            match std::mem::replace(&mut self.state, State::Closed) {
                State::Idle => match self.requests.head() {
                    Ok(Some(head)) => self.state = State::Arriving(lark.begin(now, head).into()),
                    Ok(None) => {
                        self.state = State::Idle;
                        return ServerStep::Read;
                    }
                    Err(_) => return ServerStep::Close,
                },
                State::Arriving(flight) => {
                    if let Some(step) = self.arriving(flight, lark, now) {
                        return step;
                    }
                }
                State::Replying { bytes, is_last } => {
                    if !is_last {
                        self.state = State::Idle;
                    }
                    return ServerStep::Write(bytes);
                }
                State::Closed => return ServerStep::Close,
            }
        }
    }

    /// The step while the body of a request arrives. `None` means that the reply is the next to be written.
    fn arriving(
        &mut self,
        flight: Box<InFlight>,
        lark: &mut FakeLark,
        now: SystemTime,
    ) -> Option<ServerStep> {
        let fault = flight.connection_fault();
        let is_broken = match fault {
            Some(ConnectionFault::BeforeBody) => true,
            Some(ConnectionFault::DuringBody) => self.requests.arrived() >= self.requests.missing(),
            _ => false,
        };
        let request = match self.requests.request() {
            Ok(Some(request)) if !is_broken => request,
            Ok(None) if !is_broken => {
                self.state = State::Arriving(flight);
                return Some(ServerStep::Read);
            }
            _ => {
                lark.abandon(*flight);
                return Some(ServerStep::Close);
            }
        };
        let is_last = http1::is_closing(request.headers());
        let reply = lark.finish(now, *flight, request.body());
        let mut len = reply.body().len();
        let mut bytes = http1::reply(&reply);
        if request.method() == Method::HEAD {
            bytes.truncate(bytes.len() - len);
            len = 0;
        }
        let (is_last, wait) = match fault {
            Some(ConnectionFault::AfterBody) => return Some(ServerStep::Close),
            Some(ConnectionFault::CutReply) => {
                bytes.truncate(bytes.len() - len.div_ceil(2));
                (true, None)
            }
            Some(ConnectionFault::SlowReply(time)) => (is_last, Some(time)),
            _ => (is_last, None),
        };
        self.state = State::Replying { bytes, is_last };
        wait.map(ServerStep::Wait)
    }

    /// Ends a connection that the client has closed, or that broke.
    pub fn end(self, lark: &mut FakeLark) {
        if let State::Arriving(flight) = self.state {
            lark.abandon(*flight);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::endpoints::{EndpointExt, GetTenantToken};
    use crate::fake::Route;
    use crate::token::NoToken;
    use crate::values::{AppId, AppSecret};
    use crate::wire::{self, HeaderSecrets};
    use crate::{Image, Site, TenantToken, WriteSheetImage};

    fn token_request() -> Bytes {
        let id = AppId::new(FakeLark::APP_ID).unwrap();
        let secret = AppSecret::new(FakeLark::APP_SECRET).unwrap();
        wire::http1(
            GetTenantToken::new(id, secret).request(&Site::LARK, &NoToken),
            HeaderSecrets::Shown,
        )
    }

    /// The steps after these bytes have arrived, until the connection reads or closes.
    fn steps(connection: &mut Connection, lark: &mut FakeLark, bytes: &[u8]) -> Vec<ServerStep> {
        connection.push(bytes);
        let mut steps = Vec::new();
        loop {
            let step = connection.next(lark, UNIX_EPOCH);
            steps.push(step.clone());
            if matches!(step, ServerStep::Read | ServerStep::Close) {
                return steps;
            }
        }
    }

    #[test]
    fn requests_that_arrive_in_any_pieces_are_answered_in_order() {
        let mut lark = FakeLark::new();
        let request = token_request();
        let mut connection = Connection::new();
        for byte in &request[..request.len() - 1] {
            assert_eq!(steps(&mut connection, &mut lark, &[*byte]), [ServerStep::Read]);
        }
        let rest = [&request[request.len() - 1..], &request, &request].concat();
        let replies = steps(&mut connection, &mut lark, &rest);
        assert_eq!(replies.len(), 4, "{replies:?}");
        for reply in &replies[..3] {
            assert!(
                matches!(reply, ServerStep::Write(bytes) if bytes.starts_with(b"HTTP/1.1 200 "))
            );
        }
        assert_eq!(lark.count(Route::TenantAccessToken), 3);
    }

    #[test]
    fn a_connection_fault_closes_the_connection_at_its_place_in_the_request() {
        let request = token_request();
        let head_len = request.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let half = head_len + (request.len() - head_len) / 2;
        for (fault, enough, counted) in [
            (ConnectionFault::BeforeBody, head_len, 0),
            (ConnectionFault::DuringBody, half + 1, 0),
            (ConnectionFault::AfterBody, request.len(), 1),
        ] {
            let mut lark = FakeLark::new();
            let mut connection = Connection::new();
            lark.fail_next(fault);
            let first = steps(&mut connection, &mut lark, &request[..enough - 2]);
            assert_eq!(first, [ServerStep::Read], "{fault:?}");
            let then = steps(&mut connection, &mut lark, &request[enough - 2..enough]);
            assert_eq!(then, [ServerStep::Close], "{fault:?}");
            assert_eq!(lark.count(Route::TenantAccessToken), counted, "{fault:?}");
        }
    }

    /// The steps of a token request with this fault.
    fn steps_with(fault: Option<ConnectionFault>) -> Vec<ServerStep> {
        let mut lark = FakeLark::new();
        if let Some(fault) = fault {
            lark.fail_next(fault);
        }
        steps(&mut Connection::new(), &mut lark, &token_request())
    }

    #[test]
    fn a_cut_reply_has_half_of_its_body() {
        let [ServerStep::Write(reply), ServerStep::Read] = &steps_with(None)[..] else { panic!() };
        let cut = steps_with(Some(ConnectionFault::CutReply));
        let [ServerStep::Write(cut), ServerStep::Close] = &cut[..] else { panic!() };
        let body = reply.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(cut.len(), body + (reply.len() - body) / 2);
        assert_eq!(reply[..cut.len()], cut[..]);
    }

    #[test]
    fn a_slow_reply_is_written_after_a_wait() {
        let [ServerStep::Write(reply), ServerStep::Read] = &steps_with(None)[..] else { panic!() };
        let time = Duration::from_secs(9);
        let slow = steps_with(Some(ConnectionFault::SlowReply(time)));
        assert_eq!(
            slow,
            [ServerStep::Wait(time), ServerStep::Write(reply.clone()), ServerStep::Read]
        );
    }

    #[test]
    fn a_connection_closes_after_the_reply_if_the_client_asked_for_it() {
        for options in ["close", "Close", "keep-alive, close", "x\r\nConnection: close"] {
            let request = format!("GET /x HTTP/1.1\r\nHost: a\r\nConnection: {options}\r\n\r\n");
            let steps = steps(&mut Connection::new(), &mut FakeLark::new(), request.as_bytes());
            assert!(matches!(&steps[..], [ServerStep::Write(_), ServerStep::Close]), "{steps:?}");
        }
    }

    #[test]
    fn the_reply_to_head_has_no_body() {
        let request = b"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n";
        let steps = steps(&mut Connection::new(), &mut FakeLark::new(), request);
        let [ServerStep::Write(reply), ServerStep::Read] = &steps[..] else { panic!("{steps:?}") };
        let reply = str::from_utf8(reply).unwrap();
        assert!(reply.contains("\r\nContent-Length: 18\r\n") && reply.ends_with("\r\n\r\n"));
    }

    #[test]
    fn bytes_that_are_not_a_request_close_the_connection() {
        let mut lark = FakeLark::new();
        let mut connection = Connection::new();
        assert_eq!(steps(&mut connection, &mut lark, b"\0\r\n\r\n"), [ServerStep::Close]);
        assert_eq!(steps(&mut connection, &mut lark, b"more"), [ServerStep::Close]);
    }

    #[test]
    fn a_connection_that_ends_within_a_write_frees_the_spreadsheet() {
        let mut lark = FakeLark::new();
        let mut connection = Connection::new();
        let expires = UNIX_EPOCH + Duration::from_secs(1);
        lark.add_token(crate::fake::TokenKind::Tenant, "t-1", expires);
        let cell = format!("{}!A1", FakeLark::SHEET).parse().unwrap();
        let spreadsheet = FakeLark::SPREADSHEET.parse().unwrap();
        let write = WriteSheetImage::new(spreadsheet, cell, Image::new("GIF89a").unwrap()).unwrap();
        let request = write.request(&Site::LARK, &TenantToken::new("t-1").unwrap());
        let bytes = wire::http1(request.clone(), HeaderSecrets::Shown);
        let begun = steps(&mut connection, &mut lark, &bytes[..bytes.len() - 1]);
        assert_eq!(begun, [ServerStep::Read]);
        let busy = WriteSheetImage::decode(lark.handle(UNIX_EPOCH, request.clone())).unwrap_err();
        assert!(busy.to_string().contains("90217"), "{busy}");
        connection.end(&mut lark);
        WriteSheetImage::decode(lark.handle(UNIX_EPOCH, request)).unwrap();
    }
}

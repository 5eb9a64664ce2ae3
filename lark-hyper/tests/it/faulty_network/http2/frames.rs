//! A server that writes its HTTP/2 frames by hand.

use std::future::ready;
use std::io;
use std::sync::{Arc, Mutex};

use hyper_util::rt::{TokioIo, TokioTimer};
use lark_hyper::{Client, Connection, Pool};
use lark_proto::App;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::support::peers;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(super) const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const INITIAL_WINDOW_SIZE: u16 = 4;

/// The server's words in each frame GOAWAY, where a server may quote the request.
pub(super) const DEBUG_DATA: &[u8] = b"bad header: authorization: Bearer t-quoted";

const REPLY: &[u8] = br#"{"code":0,"data":{"image_key":"img_1"}}"#;

/// A frame of this type, with these flags.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn setting(name: u16, value: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
}

/// The fault that the server causes in the first stream of its first connections.
#[derive(Clone, Copy, Debug)]
pub(super) enum Upset {
    /// It goes away at the head of the stream, which it does not process.
    GoAwayBefore(u32),
    /// It goes away when the request has arrived, and closes without a reply.
    GoAwayInstead(u32),
    /// It goes away when the request has arrived, then replies, and lets the client close.
    GoAwayAfter(u32),
    /// It resets the stream with this code at its head.
    ResetHead(u32),
    /// It resets the stream with this code when the request has arrived.
    ResetBody(u32),
    /// It replies at the head of the stream, and resets the stream with this code.
    ReplyAndReset(u32),
    /// It sends the first half of the reply, and resets the stream with this code.
    HalfReplyAndReset(u32),
    /// It sends the first half of the reply, and then no more in this stream.
    HalfReply,
    /// Its window for the body of a stream has this size, and it opens it no further.
    Window(u32),
}

/// The counts of the server's connections, requests and resets so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) connections: usize,
    /// The heads of requests.
    pub(super) heads: usize,
    /// The bytes of the bodies.
    pub(super) bytes: usize,
    /// The requests that have arrived whole, and were not refused.
    pub(super) whole: usize,
    /// The streams that the client has reset.
    pub(super) resets: usize,
}

/// A server in memory, which is upset on its first connections.
#[derive(Clone)]
pub(super) struct Server {
    upset: Upset,
    times: usize,
    seen: Arc<Mutex<Seen>>,
}

impl Server {
    pub(super) fn new(upset: Upset, times: usize) -> Self {
        Self { upset, times, seen: Arc::default() }
    }

    /// Calls `read` with the counts so far.
    pub(super) fn seen<R>(&self, read: impl FnOnce(&mut Seen) -> R) -> R {
        read(&mut self.seen.lock().unwrap())
    }

    pub(super) fn client(&self) -> Client<Pool> {
        let server = self.clone();
        let pool = Pool::with_connector(move |_| {
            let (near, far) = tokio::io::duplex(1 << 20);
            let number = server.seen(|seen| {
                seen.connections += 1;
                seen.connections
            });
            let upset = (number <= server.times).then_some(server.upset);
            let peer = Peer { io: far, upset, seen: server.seen.clone() };
            tokio::spawn(async move { drop(peer.serve().await) });
            ready(io::Result::Ok(Connection::new(TokioIo::new(near)).http2(true)))
        });
        Client::with_service(peers::nowhere(), App::None, pool, TokioTimer::new())
    }
}

struct Peer {
    io: DuplexStream,
    upset: Option<Upset>,
    seen: Arc<Mutex<Seen>>,
}

impl Peer {
    async fn serve(mut self) -> io::Result<()> {
        let mut preface = [0; PREFACE.len()];
        self.io.read_exact(&mut preface).await?;
        match self.upset {
            Some(Upset::Window(size)) => self.write(setting(INITIAL_WINDOW_SIZE, size)).await?,
            _ => self.write(frame(SETTINGS, 0, 0, &[])).await?,
        }
        loop {
            let mut head = [0; 9];
            self.io.read_exact(&mut head).await?;
            let [high, middle, low, kind, flags, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
            self.io.read_exact(&mut payload).await?;
            let stream = u32::from_be_bytes(stream);
            match kind {
                SETTINGS if flags & ACK == 0 => self.write(frame(SETTINGS, ACK, 0, &[])).await?,
                PING if flags & ACK == 0 => self.write(frame(PING, ACK, 0, &payload)).await?,
                RST_STREAM => self.seen.lock().unwrap().resets += 1,
                HEADERS => {
                    self.seen.lock().unwrap().heads += 1;
                    self.head(stream).await?;
                    if flags & END_STREAM != 0 && !self.whole(stream).await? {
                        return Ok(());
                    }
                }
                DATA => {
                    self.seen.lock().unwrap().bytes += payload.len();
                    if flags & END_STREAM != 0 && !self.whole(stream).await? {
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
    }

    /// The upset of this stream. Each connection has one.
    fn upset(&self, stream: u32) -> Option<Upset> {
        self.upset.filter(|_| stream == 1)
    }

    /// Reacts to the head of a request.
    async fn head(&mut self, stream: u32) -> io::Result<()> {
        match self.upset(stream) {
            Some(Upset::GoAwayBefore(code)) => self.go_away(0, code).await,
            Some(Upset::ResetHead(code)) => self.reset(stream, code).await,
            Some(Upset::ReplyAndReset(code)) => {
                self.reply(stream).await?;
                self.reset(stream, code).await
            }
            _ => Ok(()),
        }
    }

    /// Reacts to the end of a request. Returns whether the connection stays open.
    async fn whole(&mut self, stream: u32) -> io::Result<bool> {
        let upset = self.upset(stream);
        // The code 7 says that the stream was not processed.
        let is_refused = matches!(
            upset,
            Some(Upset::GoAwayBefore(_) | Upset::ResetHead(_) | Upset::ResetBody(7))
        );
        if !is_refused {
            self.seen.lock().unwrap().whole += 1;
        }
        match upset {
            Some(Upset::GoAwayBefore(_)) => return Ok(false),
            Some(Upset::GoAwayInstead(code)) => {
                self.go_away(stream, code).await?;
                return Ok(false);
            }
            Some(Upset::GoAwayAfter(code)) => {
                self.go_away(stream, code).await?;
                self.reply(stream).await?;
            }
            Some(Upset::ResetBody(code)) => self.reset(stream, code).await?,
            Some(Upset::HalfReplyAndReset(code)) => {
                self.half_reply(stream).await?;
                self.reset(stream, code).await?;
            }
            Some(Upset::HalfReply) => self.half_reply(stream).await?,
            Some(Upset::ResetHead(_) | Upset::ReplyAndReset(_)) => {}
            Some(Upset::Window(_)) | None => self.reply(stream).await?,
        }
        Ok(true)
    }

    async fn reply(&mut self, stream: u32) -> io::Result<()> {
        let (_, second) = REPLY.split_at(REPLY.len() / 2);
        self.half_reply(stream).await?;
        self.write(frame(DATA, END_STREAM, stream, second)).await
    }

    async fn half_reply(&mut self, stream: u32) -> io::Result<()> {
        // The first entry of the static table with a status is `:status: 200`, and has the index 8.
        self.write(frame(HEADERS, END_HEADERS, stream, &[0x88])).await?;
        let (first, _) = REPLY.split_at(REPLY.len() / 2);
        self.write(frame(DATA, 0, stream, first)).await
    }

    async fn reset(&mut self, stream: u32, code: u32) -> io::Result<()> {
        self.write(frame(RST_STREAM, 0, stream, &code.to_be_bytes())).await
    }

    async fn go_away(&mut self, last: u32, code: u32) -> io::Result<()> {
        let payload = [&last.to_be_bytes()[..], &code.to_be_bytes(), DEBUG_DATA].concat();
        self.write(frame(GOAWAY, 0, 0, &payload)).await
    }

    async fn write(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        self.io.write_all(&bytes).await
    }
}

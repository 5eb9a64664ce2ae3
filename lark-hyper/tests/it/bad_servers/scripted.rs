//! A server that treats its connections by a script, and the ends of calls in a form that can be compared.

use std::future::pending;
use std::io;
use std::time::Duration;

use http::Response;
use lark_hyper::{CallError, Client, Pool, TransportError};
use lark_proto::error::CallErrorKind;
use lark_proto::fake::http1;
use lark_proto::{App, Error, Image, ImageKey, Limits, PutImage, Site};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::support::{peers, token};

/// Longer than any call or connection of these tests. A hang fails its test after this time.
const HANGS: Duration = Duration::from_secs(10);

/// An act of a server on a connection. After its last act the server closes.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Reads a request's head.
    Head,
    /// Reads the rest of the request.
    Body,
    /// Reads this number of bytes.
    Read(usize),
    /// Reads until the client has closed.
    Drain,
    Write(Vec<u8>),
    /// Writes one byte each 20 ms.
    Trickle(Vec<u8>),
    /// Writes the same bytes again and again until the client has closed.
    Endless(Vec<u8>),
    /// Closes the direction to the client.
    Finish,
    /// Closes when there are bytes to read, which is a reset.
    Reset,
    /// Neither reads nor closes.
    Hold,
    /// Answers every request with a key that has the connection's number.
    Serve,
}

/// A connection that has ended.
#[derive(Debug)]
pub(super) struct Closed {
    /// The connection's number, from 1.
    pub(super) connection: usize,
    /// The number of bytes that the server wrote.
    pub(super) written: usize,
}

/// A server on loopback, which ends with the test's runtime.
pub(super) struct Server {
    site: Site,
    closed: mpsc::UnboundedReceiver<Closed>,
}

impl Server {
    /// Starts a server that treats its first connection by `script`, and serves all others.
    pub(super) async fn start(script: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = peers::site(listener.local_addr().unwrap());
        let (sender, closed) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut script = Some(script);
            for connection in 1.. {
                let stream = BufReader::new(listener.accept().await.unwrap().0);
                let script = script.take().unwrap_or_else(|| vec![Act::Serve]);
                tokio::spawn(play(
                    Peer { stream, connection, unread: 0, written: 0 },
                    script,
                    sender.clone(),
                ));
            }
        });
        Self { site, closed }
    }

    /// A client of this server that sends each request once.
    pub(super) fn client(&self) -> Client<Pool> {
        Client::new(self.site.clone(), App::None).with_limits(Limits::one_attempt())
    }

    /// The next connection that ends, by its script or by the client.
    pub(super) async fn closed(&mut self) -> Closed {
        timeout(HANGS, self.closed.recv()).await.expect("the connection is closed").unwrap()
    }
}

async fn play(mut peer: Peer, script: Vec<Act>, closed: mpsc::UnboundedSender<Closed>) {
    for act in script {
        if peer.act(act).await.is_err() {
            break;
        }
    }
    let Peer { connection, written, .. } = peer;
    drop(peer);
    // A test that is over receives nothing.
    let _ = closed.send(Closed { connection, written });
}

struct Peer {
    stream: BufReader<TcpStream>,
    connection: usize,
    /// The length of the rest of the request whose head was read.
    unread: usize,
    written: usize,
}

impl Peer {
    /// Does one act. An error ends the script.
    async fn act(&mut self, act: Act) -> io::Result<()> {
        match act {
            Act::Head => self.head().await,
            Act::Body => self.read(self.unread).await,
            Act::Read(len) => self.read(len).await,
            Act::Drain => self.read(usize::MAX).await,
            Act::Write(bytes) => self.write(&bytes).await,
            Act::Trickle(bytes) => {
                for byte in bytes {
                    self.write(&[byte]).await?;
                    sleep(Duration::from_millis(20)).await;
                }
                Ok(())
            }
            Act::Endless(bytes) => loop {
                self.write(&bytes).await?;
            },
            Act::Finish => self.stream.shutdown().await,
            Act::Reset => self.stream.get_ref().readable().await,
            Act::Hold => pending().await,
            Act::Serve => loop {
                self.head().await?;
                self.read(self.unread).await?;
                let key = format!("img_{}", self.connection);
                self.write(&ok(&key)).await?;
            },
        }
    }

    /// Reads a head without [`http1::Requests`], which refuses HTTP/1.0. The client speaks HTTP/1.0 after a reply of
    /// that version.
    async fn head(&mut self) -> io::Result<()> {
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == "\r\n" {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                self.unread = value.trim().parse().unwrap();
            }
        }
    }

    async fn read(&mut self, mut len: usize) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 16];
        while len > 0 {
            let part = buffer.len().min(len);
            let read = self.stream.read(&mut buffer[..part]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            len -= read;
            self.unread = self.unread.saturating_sub(read);
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.written += bytes.len();
        Ok(())
    }
}

/// A reply with this head and body.
pub(super) fn reply(head: &str, body: &str) -> Vec<u8> {
    format!("{head}\r\n\r\n{body}").into_bytes()
}

/// The body of the reply to an upload that succeeded.
pub(super) fn taken(key: &str) -> String {
    format!(r#"{{"code":0,"data":{{"image_key":"{key}"}},"msg":"ok"}}"#)
}

/// The reply to an upload that succeeded.
pub(super) fn ok(key: &str) -> Vec<u8> {
    http1::reply(&Response::new(taken(key).into())).into()
}

/// The end of a call that a connection answered by [`Act::Serve`].
pub(super) fn served(connection: usize) -> End {
    End::Key(format!("img_{connection}"))
}

/// The end of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Key(String),
    /// A refusal, with the code and the log id.
    Refused(i64, Option<String>),
    /// An unreadable reply, with the status.
    Unreadable(u16),
    /// A reply above the limit, with the limit.
    TooLarge(u64),
    Transport,
    Deadline,
}

impl From<Result<ImageKey, CallError>> for End {
    fn from(outcome: Result<ImageKey, CallError>) -> Self {
        match outcome.map_err(|error| error.kind) {
            Ok(key) => Self::Key(key.as_str().to_owned()),
            Err(CallErrorKind::Lark(Error::Api(error))) => {
                Self::Refused(error.code.0, error.log_id)
            }
            Err(CallErrorKind::Lark(Error::Unreadable(reply))) => {
                Self::Unreadable(reply.status.as_u16())
            }
            Err(CallErrorKind::TooLarge { limit }) => Self::TooLarge(limit),
            Err(CallErrorKind::Transport(TransportError::Failed(_))) => Self::Transport,
            Err(CallErrorKind::Deadline) => Self::Deadline,
            other => panic!("{other:?}"),
        }
    }
}

/// Uploads an image of `len` bytes.
pub(super) async fn put(client: &Client<Pool>, len: usize) -> End {
    let put = PutImage::message(Image::any_format(vec![7; len], "bin").unwrap()).unwrap();
    timeout(HANGS, client.call_as(&token(), &put)).await.expect("the call ends").into()
}

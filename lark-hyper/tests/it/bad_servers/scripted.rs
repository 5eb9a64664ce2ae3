//! A server that does to each connection what a script says, and calls whose ends can be compared.

use std::future::pending;
use std::io;
use std::time::Duration;

use http::Response;
use lark_hyper::{CallError, Client, Pool, TransportError};
use lark_proto::error::CallErrorKind;
use lark_proto::fake::http1;
use lark_proto::{App, Error, Image, ImageKey, Limits, PutImage, Site, TenantToken};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Longer than any call or connection here lasts: a hang is a failure.
const HANGS: Duration = Duration::from_secs(10);

/// What a server does next; after its last act it closes.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Reads a request's head.
    Head,
    /// Reads the rest of the request.
    Body,
    /// Reads so many bytes.
    Read(usize),
    /// Reads until the client has closed.
    Drain,
    Write(Vec<u8>),
    /// Writes a byte each 20 ms.
    Trickle(Vec<u8>),
    /// Writes the same again until the client has closed.
    Endless(Vec<u8>),
    /// Writes nothing more, and says so.
    Finish,
    /// Closes while something is there that it has not read, which is a reset.
    Reset,
    /// Neither reads nor closes.
    Hold,
    /// Answers every request; the key tells the connection's number.
    Serve,
}

/// A connection that came to its end.
#[derive(Debug)]
pub(crate) struct Closed {
    /// Counted from 1.
    pub(crate) connection: usize,
    /// How many bytes the client was sent.
    pub(crate) written: usize,
}

/// A server on loopback, which ends with the test's runtime.
pub(crate) struct Server {
    site: Site,
    closed: mpsc::UnboundedReceiver<Closed>,
}

impl Server {
    /// The first connection goes by `script`, and those after it are served.
    pub(crate) async fn start(script: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = Site::custom(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
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
    pub(crate) fn client(&self) -> Client<Pool> {
        Client::new(self.site.clone(), App::None).with_limits(Limits::one_attempt())
    }

    /// The next connection that ends, by its script or by the client.
    pub(crate) async fn closed(&mut self) -> Closed {
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
    // A test that is over does not want to know.
    let _ = closed.send(Closed { connection, written });
}

struct Peer {
    stream: BufReader<TcpStream>,
    connection: usize,
    /// What is left of the body whose head was read.
    unread: usize,
    written: usize,
}

impl Peer {
    /// An error ends the script.
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

    /// Without [`http1::Requests`], which refuses HTTP/1.0: the client speaks it after a reply that does.
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

/// A reply of this head and body.
pub(crate) fn reply(head: &str, body: &str) -> Vec<u8> {
    format!("{head}\r\n\r\n{body}").into_bytes()
}

/// The body that says that an image was taken.
pub(crate) fn taken(key: &str) -> String {
    format!(r#"{{"code":0,"data":{{"image_key":"{key}"}},"msg":"ok"}}"#)
}

/// The reply that says so.
pub(crate) fn ok(key: &str) -> Vec<u8> {
    http1::reply(&Response::new(taken(key).into())).into()
}

/// The end of a call that was answered by [`Act::Serve`].
pub(crate) fn served(connection: usize) -> End {
    End::Key(format!("img_{connection}"))
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Key(String),
    /// With the code and the log id.
    Refused(i64, Option<String>),
    /// With the status.
    Unreadable(u16),
    /// With the limit.
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
pub(crate) async fn put(client: &Client<Pool>, len: usize) -> End {
    let put = PutImage::message(Image::any_format(vec![7; len], "bin").unwrap()).unwrap();
    let token = TenantToken::new("t-1").unwrap();
    timeout(HANGS, client.call_as(&token, &put)).await.expect("the call ends").into()
}

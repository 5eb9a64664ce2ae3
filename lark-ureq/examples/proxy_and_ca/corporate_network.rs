//! A company's network on loopback: a proxy, and behind it a fake Lark with a certificate of the company's own.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::SystemTime;

use lark_proto::fake::FakeLark;
use lark_proto::fake::http1::{self, Requests};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub(crate) struct CorporateNetwork {
    pub(crate) proxy: SocketAddr,
    pub(crate) authority_pem: String,
    /// The hosts that the proxy is asked for.
    pub(crate) asked: Receiver<String>,
}

impl CorporateNetwork {
    /// Starts it on threads that end with the process.
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let own = rcgen::generate_simple_self_signed(["lark.corp.example".to_owned()])?;
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)?;
        let tls = Arc::new(tls);
        let lark = Arc::new(Mutex::new(FakeLark::new()));
        let server = listen(move |stream| serve(stream, tls.clone(), &lark))?;
        let (sender, asked) = channel();
        let proxy = listen(move |stream| tunnel(stream, server, &sender))?;
        Ok(Self { proxy, authority_pem: own.cert.pem(), asked })
    }
}

/// Handles each connection by `handle`, on a thread of its own.
fn listen(
    handle: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let handle = handle.clone();
            thread::spawn(move || {
                if let Err(error) = handle(stream) {
                    eprintln!("proxy_and_ca: a connection broke: {error}");
                }
            });
        }
    });
    Ok(address)
}

/// The gateway of a private deployment: a fake Lark below `/feishu`, over TLS.
fn serve(stream: TcpStream, tls: Arc<ServerConfig>, lark: &Mutex<FakeLark>) -> io::Result<()> {
    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut requests = Requests::new();
    let mut chunk = [0; 8 << 10];
    loop {
        // A client may also close the connection without a `close_notify` of TLS.
        let Ok(len @ 1..) = stream.read(&mut chunk) else { return Ok(()) };
        requests.push(&chunk[..len]);
        while let Some(mut request) = requests.request().map_err(io::Error::other)? {
            let inner = request.uri().path().strip_prefix("/feishu").and_then(|p| p.parse().ok());
            *request.uri_mut() = inner.ok_or(io::ErrorKind::NotFound)?;
            #[expect(clippy::disallowed_methods, reason = "the fake tells tokens' ages by it")]
            let now = SystemTime::now();
            let reply = lark.lock().unwrap_or_else(PoisonError::into_inner).handle(now, request);
            stream.write_all(&http1::reply(&reply))?;
        }
    }
}

/// A proxy that opens a tunnel to `server`, whatever it is asked for.
fn tunnel(client: TcpStream, server: SocketAddr, asked: &Sender<String>) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let host = first.split(' ').nth(1).unwrap_or_default();
    // The receiver may have been dropped.
    drop(asked.send(host.to_owned()));
    let mut client = client;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    #[expect(clippy::disallowed_methods, reason = "the proxy connects to its server")]
    let mut server = TcpStream::connect(server)?;
    let mut upstream = server.try_clone()?;
    thread::spawn(move || {
        // Either side may close its connection at any time.
        drop(io::copy(&mut reader, &mut upstream));
        drop(upstream.shutdown(Shutdown::Write));
    });
    io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Write)
}

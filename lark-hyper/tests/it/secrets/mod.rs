//! Secrets, credentials and limits: what the clients show, where they send credentials, and how much they keep.

mod exceptions;
mod heads;
mod malformed;
mod panics;
mod proxies;
mod redirects;
mod scenarios;
mod shown;
mod tls;
mod types;

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD as STANDARD_NO_PAD;
use lark_proto::fake::FakeLark;
use lark_proto::network::{ClientBuilder, FromSettings, Proxy};
use lark_proto::{CallError, Limits, Site, TenantToken};
use tokio::runtime::Builder;

use crate::support::{app, peers, put};

/// The beginnings of the fake's tokens, and its other secrets.
const SECRETS: [&str; 5] = [
    FakeLark::APP_SECRET,
    FakeLark::STORE_APP_SECRET,
    FakeLark::APP_TICKET,
    "t-e346617a4acfc3a1",
    "a-32bd8551db2f081c",
];

/// The beginning of each image of the scenarios.
const IMAGE: &[u8] = b"GIF89a";

/// The forms in which a text could show `bytes`.
fn forms(bytes: &[u8]) -> Vec<String> {
    let list = |form: fn(&u8) -> String, separator: &str| {
        bytes.iter().map(form).collect::<Vec<_>>().join(separator)
    };
    let text = String::from_utf8_lossy(bytes).into_owned();
    let forms = [
        text,
        list(u8::to_string, ", "),
        list(u8::to_string, ","),
        list(u8::to_string, ",\n        "),
        list(|byte| format!("{byte:02x}"), ""),
    ];
    forms.into_iter().chain((0..3).map(|before| within_base64(before, bytes))).collect()
}

/// The characters that depend on `bytes` alone in the base64 of `before` other bytes, `bytes` and more.
fn within_base64(before: usize, bytes: &[u8]) -> String {
    let all = [&vec![0; before], bytes].concat();
    let base64 = STANDARD_NO_PAD.encode(&all);
    base64[(before * 8).div_ceil(6)..all.len() * 8 / 6].to_owned()
}

/// The first form of a secret that `text` shows.
fn shown_in(text: &str) -> Option<String> {
    let secrets = SECRETS.iter().map(|secret| secret.as_bytes()).chain([IMAGE]);
    secrets.flat_map(forms).find(|form| text.contains(&**form))
}

/// Every text of a call's error: the printed forms, and the causes of the transport's error.
fn texts<T: Error + 'static>(error: &CallError<T>) -> String {
    let mut texts = format!("{error}\n{error:?}\n{error:#?}\n{error:#}");
    for kind in std::iter::once(&error.kind).chain(error.earlier()) {
        texts += &format!("\n{kind}\n{kind:?}");
        if let lark_proto::error::CallErrorKind::Transport(error) = kind {
            let mut cause: Option<&dyn Error> = Some(error);
            while let Some(error) = cause {
                texts += &format!("\n{error}\n{error:?}\n{error:#?}");
                cause = error.source();
            }
        }
    }
    texts
}

/// The settings of both clients.
#[derive(Clone, Default)]
struct Setup {
    proxy: Option<String>,
    roots: Option<String>,
    /// The limits of the calls, in place of one attempt.
    limits: Option<Limits>,
}

impl Setup {
    fn through(proxy: SocketAddr) -> Self {
        Self { proxy: Some(format!("http://{proxy}")), ..Self::default() }
    }

    fn trusting(pem: String) -> Self {
        Self { roots: Some(pem), ..Self::default() }
    }

    /// A client with these settings.
    fn build<C: FromSettings>(&self, builder: ClientBuilder<C>) -> C {
        let builder = match &self.proxy {
            Some(proxy) => builder.proxy(Proxy::new(proxy).unwrap()),
            None => builder.no_proxy(),
        };
        let builder = match &self.roots {
            Some(pem) => builder.roots(pem.as_bytes()),
            None => builder,
        };
        builder.limits(self.limits.unwrap_or(Limits::one_attempt())).build().unwrap()
    }
}

/// Checks each row in a thread of its own: with its backoffs or a reply that never ends, a row takes seconds.
fn side_by_side<T: Send>(rows: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    let check = &check;
    thread::scope(|scope| {
        for row in rows {
            scope.spawn(move || check(row));
        }
    });
}

/// How an upload ends: `Ok`, or every text of its error.
type End = Result<(), String>;

/// An upload to `site` with each client: with the app's token, and with a token of the caller's.
fn uploads(site: &Site, setup: &Setup) -> Vec<(&'static str, End)> {
    let blocking = setup.build(lark_ureq::Client::builder(site.clone(), app()));
    let on_hyper = setup.build(lark_hyper::Client::builder(site.clone(), app()));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mark = TenantToken::new(MARK).unwrap();
    vec![
        ("lark-ureq", end(blocking.call(&put()))),
        ("lark-ureq with a token", end(blocking.call_as(&mark, &put()))),
        ("lark-hyper", end(runtime.block_on(on_hyper.call(&put())))),
        ("lark-hyper with a token", end(runtime.block_on(on_hyper.call_as(&mark, &put())))),
    ]
}

fn end<T, E: Error + 'static>(result: Result<T, CallError<E>>) -> End {
    result.map(drop).map_err(|error| texts(&error))
}

/// A token of the caller's.
const MARK: &str = "t-mark-of-the-caller-0123456789";

/// A server on loopback that keeps the bytes of its connections and answers each request with `answer`.
struct Listener {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
}

impl Listener {
    /// `answer` gets the request.
    fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let seen: Arc<Mutex<Vec<u8>>> = Arc::default();
        let connections: Arc<AtomicUsize> = Arc::default();
        let (kept, counted) = (seen.clone(), connections.clone());
        let address = peers::serve(move |mut stream| {
            counted.fetch_add(1, Ordering::SeqCst);
            loop {
                let Some(request) = request(&mut stream, &kept)? else { return Ok(()) };
                stream.write_all(&answer(&request))?;
            }
        });
        Self { address, seen, connections }
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Reads a request with its body; `None` at the end of the connection.
fn request(stream: &mut TcpStream, seen: &Mutex<Vec<u8>>) -> io::Result<Option<String>> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let header = |line: &str| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>())
            };
            let len = head.lines().find_map(header).map_or(0, Result::unwrap);
            if bytes.len() >= head.len() + 4 + len {
                return Ok(Some(text));
            }
        }
        let read = stream.read(&mut chunk)?;
        if read == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk[..read]);
        seen.lock().unwrap().extend_from_slice(&chunk[..read]);
    }
}

/// A reply with this head and body, and its length.
fn reply(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

//! Redirects, timeouts, early replies and connections, which are rows of the table in the guide `network` of lark-ureq.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lark_hyper::FakeServer;
use lark_proto::bytes::Bytes;
use lark_proto::endpoints::{Download, GetImage};
use lark_proto::error::{CallError, CallErrorKind};
use lark_proto::fake::{ConnectionFault, Route};
use lark_proto::session::Phase;
use lark_proto::{Limits, Site};
use socket2::SockRef;

use super::scripted::{Script, ScriptedProxy};
use super::{Setup, uploads, uploads_as};
use crate::support::peers::{self, read_all};
use crate::support::{app, token};

/// More than the buffers of two sockets hold.
const LARGE: usize = 8 << 20;

/// The site of a server that plays `play` on each connection.
fn server(play: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Site {
    peers::site(peers::serve(play))
}

/// Reads a request's head byte by byte, so that the body stays unread.
fn read_head(stream: &mut TcpStream) -> io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(())
}

/// Reads a request as far as the end of its small body.
fn read_request(stream: &mut TcpStream) -> io::Result<()> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    while !bytes.ends_with(b"--\r\n") {
        let read = stream.read(&mut chunk)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
    Ok(())
}

/// The outcomes of one request of each client.
fn one_request(site: &Site, setup: &Setup) -> [(&'static str, Result<(), String>); 2] {
    uploads_as(site, setup, Some(&token()))
}

#[test]
fn no_redirect_is_followed() {
    for status in [301, 302, 303, 307, 308] {
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = requests.clone();
        let site = server(move |mut stream| {
            // The location is on the same host, to which a client might send the token again.
            let location = format!("http://{}/elsewhere", stream.local_addr()?);
            loop {
                read_request(&mut stream)?;
                counted.fetch_add(1, Ordering::SeqCst);
                let head = format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\n");
                stream.write_all(format!("{head}Content-Length: 0\r\n\r\n").as_bytes())?;
            }
        });
        for (client, outcome) in one_request(&site, &Setup::default()) {
            let error = outcome.unwrap_err();
            assert!(error.contains(&format!("HTTP {status}")), "{client}: {error}");
        }
        assert_eq!(requests.load(Ordering::SeqCst), 2, "each client sends one request");
    }
}

/// The image that lark-ureq and lark-hyper download, or nothing if the call ends with an error of the transport.
fn images(site: &Site) -> [Option<Bytes>; 2] {
    fn bytes<T: Debug>(result: Result<Download, CallError<T>>) -> Option<Bytes> {
        match result {
            Ok(image) => Some(image.bytes),
            Err(CallError { kind: CallErrorKind::Transport(_), .. }) => None,
            Err(error) => panic!("{error:?}"),
        }
    }
    let get = GetImage::new("img_1".parse().unwrap());
    let limits = Limits::one_attempt();
    let on_ureq = lark_ureq::Client::new(site.clone(), app()).with_limits(limits);
    let on_hyper = lark_hyper::Client::new(site.clone(), app()).with_limits(limits);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    [
        bytes(on_ureq.call_as(&token(), &get)),
        bytes(runtime.block_on(on_hyper.call_as(&token(), &get))),
    ]
}

/// An image whose reply breaks off. A connection that ends inside a body of no known length is reset, since a mere end
/// would be the end of the body.
#[test]
#[expect(clippy::disallowed_methods, reason = "the client reads the body before the reset")]
fn an_image_that_is_cut_is_an_error() {
    for (headers, body, resets) in [
        ("Content-Length: 9\r\n", "GIF89a-", false),
        ("Transfer-Encoding: chunked\r\n", "9\r\nGIF89a-", false),
        ("Transfer-Encoding: chunked\r\n", "7\r\nGIF89a-\r\n", false),
        ("", "GIF89a-", true),
        ("Transfer-Encoding: identity\r\n", "GIF89a-", true),
    ] {
        let site = server(move |mut stream| {
            read_head(&mut stream)?;
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body}").as_bytes())?;
            if resets {
                SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(())
        });
        assert_eq!(images(&site), [None, None], "{headers}");
    }
}

/// Only lark-hyper takes the end of the connection for the end of the image.
#[test]
fn an_image_without_a_length_ends_with_its_connection() {
    let site = server(|mut stream| {
        read_head(&mut stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nGIF89a-")
    });
    assert_eq!(images(&site), [None, Some("GIF89a-".into())]);
}

#[test]
fn a_timeout_of_zero_ends_the_call() {
    let unanswered = server(read_all);
    for phase in [
        Phase::Resolve,
        Phase::Connect,
        Phase::SendRequest,
        Phase::SendBody,
        Phase::RecvResponse,
        Phase::RecvBody,
    ] {
        let limits = Some(Limits::one_attempt().total(Duration::from_secs(1)));
        let timeout = Some((phase, Duration::ZERO));
        let setup = Setup { timeout, limits, padding: 100, ..Setup::default() };
        for (client, outcome) in one_request(&unanswered, &setup) {
            let error = outcome.unwrap_err();
            let is_told = error.contains("timeout") || error.contains("too long");
            assert!(is_told || error.contains("the deadline"), "{client}, {phase}: {error}");
        }
    }
}

#[test]
fn a_call_ends_at_the_deadline_of_its_limits() {
    let limits = Some(Limits::one_attempt().total(Duration::from_millis(300)));
    for (client, outcome) in one_request(&server(read_all), &Setup { limits, ..Setup::default() }) {
        let error = outcome.unwrap_err();
        assert!(error.contains("the deadline passed"), "{client}: {error}");
    }
}

#[test]
fn a_reply_before_the_end_of_the_body_is_read_if_the_server_reads_on() {
    let refusal = r#"{"code":99991663,"msg":"no"}"#;
    let site = server(move |mut stream| {
        read_head(&mut stream)?;
        let head = format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n", refusal.len());
        stream.write_all(format!("{head}Connection: close\r\n\r\n{refusal}").as_bytes())?;
        read_all(stream)
    });
    let setup = Setup { padding: LARGE, ..Setup::default() };
    for (client, outcome) in one_request(&site, &setup) {
        let error = outcome.unwrap_err();
        assert!(error.contains("99991663"), "{client}: {error}");
    }
}

#[test]
fn a_reply_before_a_close_in_the_middle_of_the_body_is_read_by_lark_hyper_only() {
    let refusal = r#"{"code":99991663,"msg":"no"}"#;
    let site = server(move |mut stream| {
        read_head(&mut stream)?;
        let head = format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n", refusal.len());
        stream.write_all(format!("{head}Connection: close\r\n\r\n{refusal}").as_bytes())?;
        stream.shutdown(Shutdown::Both)
    });
    let setup = Setup { padding: LARGE, ..Setup::default() };
    let [(_, by_ureq), (_, by_hyper)] = one_request(&site, &setup);
    let [by_ureq, by_hyper] = [by_ureq, by_hyper].map(Result::unwrap_err);
    assert!(by_hyper.contains("99991663"), "{by_hyper}");
    assert!(!by_ureq.contains("99991663"), "{by_ureq}");
}

/// The number of connections that each client opens for an upload, which succeeds.
fn connections(lark: &FakeServer, setup: &Setup) -> usize {
    let proxy = ScriptedProxy::start(Script::Http(lark.address()));
    let through = Setup::through(&format!("http://{}", proxy.address));
    let setup = Setup { proxy: through.proxy, ..setup.clone() };
    for (client, outcome) in uploads(lark.site(), &setup) {
        assert_eq!(outcome, Ok(()), "{client}");
    }
    let both = proxy.asked().len();
    assert_eq!(both % 2, 0);
    both / 2
}

#[test]
fn a_connection_is_reused_for_the_next_request_unless_none_may_be_idle() {
    let lark = FakeServer::start().unwrap();
    assert_eq!(connections(&lark, &Setup::default()), 1);
    let none = Setup { max_idle_connections: Some(0), ..Setup::default() };
    assert_eq!(connections(&lark, &none), 2, "one connection for the token, one for the upload");
}

#[test]
fn a_request_whose_connection_broke_is_sent_again_on_a_new_one() {
    let lark = FakeServer::start().unwrap();
    for _ in 0..2 {
        lark.with(|lark| lark.fail_next_on(Route::ImageV4Put, ConnectionFault::BeforeBody));
    }
    let setup = Setup { limits: Some(Limits::default()), ..Setup::default() };
    assert_eq!(connections(&lark, &setup), 2);
}

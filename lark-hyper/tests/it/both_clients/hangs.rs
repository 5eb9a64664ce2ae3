//! Servers that hang, and the phase that both clients report as too long.
//!
//! `SendRequest` is not among the phases here: a head fits into the system's buffers, and ureq has no HTTP/2 streams
//! that wait for their turn. Lookups that hang are tested in `faulty_network/stalls.rs`, and with ureq in lark-ureq's
//! `timeouts/lookups.rs`.

use std::io::{self, Read, Write};
#[cfg(target_os = "linux")]
use std::net::SocketAddr;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use http::Request;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioTimer;
use lark_hyper::{Pool, RequestBody};
use lark_proto::error::CallErrorKind;
use lark_proto::session::Timeouts;
use lark_proto::{App, Image, Limits, PutImage, Site};

use crate::support::peers::{read_all, read_nothing, serve};
use crate::support::token;

/// The time of each phase.
const SHORT: Duration = Duration::from_millis(300);
/// More bytes than a system buffers for a peer that does not read.
const LARGE: usize = 10_000_000;

fn put(len: usize) -> PutImage {
    PutImage::message(Image::any_format(vec![7; len], "bin").unwrap()).unwrap()
}

/// The phase that lark-hyper reports as too long in an upload of `len` bytes.
fn hyper_says(site: &Site, len: usize) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pool = Pool::new();
    let service = service_fn(move |mut request: Request<RequestBody>| {
        let mut timeouts = Timeouts::for_body_len(0);
        for phase in [
            &mut timeouts.resolve,
            &mut timeouts.connect,
            &mut timeouts.send_request,
            &mut timeouts.send_body,
            &mut timeouts.recv_response,
            &mut timeouts.recv_body,
        ] {
            *phase = SHORT;
        }
        request.extensions_mut().insert(timeouts);
        pool.call(request)
    });
    let client =
        lark_hyper::Client::with_service(site.clone(), App::None, service, TokioTimer::new())
            .with_limits(Limits::one_attempt());
    let error = runtime.block_on(client.call_as(&token(), &put(len))).unwrap_err();
    match error.kind {
        CallErrorKind::Transport(lark_hyper::TransportError::Timeout(timeout)) => {
            format!("{timeout:?}")
        }
        other => panic!("{other:?}"),
    }
}

/// The phase that lark-ureq reports as too long in an upload of `len` bytes.
fn ureq_says(site: &Site, len: usize) -> String {
    let agent = lark_ureq::ureq::Agent::config_builder()
        .timeout_resolve(Some(SHORT))
        .timeout_connect(Some(SHORT))
        .timeout_send_request(Some(SHORT))
        .timeout_send_body(Some(SHORT))
        .timeout_recv_response(Some(SHORT))
        .timeout_recv_body(Some(SHORT))
        .build();
    let client = lark_ureq::Client::with_agent(site.clone(), App::None, agent.into())
        .with_limits(Limits::one_attempt());
    let error = client.call_as(&token(), &put(len)).unwrap_err();
    match error.kind {
        CallErrorKind::Transport(lark_ureq::ureq::Error::Timeout(timeout)) => {
            format!("{timeout:?}")
        }
        other => panic!("{other:?}"),
    }
}

fn answer_in_part(mut stream: TcpStream) -> io::Result<()> {
    stream.read_exact(&mut [0])?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")?;
    read_all(stream)
}

/// A port whose backlog is full, so that the system lets further connections wait.
#[cfg(target_os = "linux")]
fn full() -> (SocketAddr, impl Sized) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap().into_std().unwrap();
    let address = listener.local_addr().unwrap();
    let mut taken = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, SHORT) {
        taken.push(stream);
    }
    (address, (listener, taken))
}

#[test]
fn both_clients_report_the_same_phase_for_a_hang() {
    #[cfg(target_os = "linux")]
    let (full, _listener) = full();
    thread::scope(|scope| {
        for (name, url, len) in [
            #[cfg(target_os = "linux")]
            ("Connect", format!("http://{full}"), 9),
            // The connection opens, and the TLS handshake hangs.
            ("Connect", format!("https://{}", serve(read_nothing)), 9),
            ("SendBody", format!("http://{}", serve(read_nothing)), LARGE),
            ("RecvResponse", format!("http://{}", serve(read_all)), 9),
            ("RecvBody", format!("http://{}", serve(answer_in_part)), 9),
        ] {
            let site = Site::custom(&url).unwrap();
            let same = site.clone();
            scope.spawn(move || assert_eq!(hyper_says(&same, len), name, "hyper {url}"));
            scope.spawn(move || assert_eq!(ureq_says(&site, len), name, "ureq"));
        }
    });
}

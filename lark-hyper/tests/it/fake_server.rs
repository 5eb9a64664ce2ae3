//! The fake server over a bare socket: what the client sees of each connection fault, and that the spreadsheet is free
//! after it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::panic;
use std::thread;
use std::time::{Duration, Instant};

use hyper_util::rt::{TokioIo, TokioTimer};
use lark_hyper::{Client, Connection, FakeServer, Pool};
use lark_proto::Limits;
use lark_proto::error::CallErrorKind;
use lark_proto::fake::{ConnectionFault, FakeLark, Route, TokenKind};

use crate::support::{app, put};

/// A server with the token `t-1`, which breaks the connection of the next cell write, or delays its reply, as `fault`
/// says.
fn server(fault: ConnectionFault) -> FakeServer {
    let server = FakeServer::start().unwrap();
    let end = std::time::UNIX_EPOCH + Duration::from_secs(1 << 40);
    server.with(|lark| {
        lark.add_token(TokenKind::Tenant, "t-1", end);
        lark.fail_next_on(Route::ValuesImage, fault);
    });
    server
}

#[expect(clippy::disallowed_methods, reason = "a test of the socket itself")]
fn connect(server: &FakeServer) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    // A server that neither answers nor closes fails the test instead of hanging it.
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

#[expect(clippy::disallowed_methods, reason = "a test of the time it takes")]
fn clock() -> Instant {
    Instant::now()
}

fn body(bytes: usize) -> String {
    let image = vec!["7"; bytes].join(",");
    format!(r#"{{"range":"{}!H7:H7","image":[{image}],"name":"a.png"}}"#, FakeLark::SHEET)
}

fn head(length: usize) -> String {
    let path = Route::ValuesImage.path().replace(":spreadsheetToken", FakeLark::SPREADSHEET);
    format!(
        "POST {path} HTTP/1.1\r\nHost: l\r\nAuthorization: Bearer t-1\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// All bytes until the server closes or resets the connection.
fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => all.extend_from_slice(&buffer[..n]),
            Err(error) => {
                assert!(error.kind() != std::io::ErrorKind::WouldBlock, "neither reply nor close");
                break;
            }
        }
    }
    String::from_utf8(all).unwrap()
}

/// Sends a whole request, and returns the reply up to the end of its body.
fn exchange(stream: &mut TcpStream, body: &str) -> String {
    stream.write_all((head(body.len()) + body).as_bytes()).unwrap();
    let mut all = String::new();
    let mut buffer = [0; 4096];
    while !all.ends_with('}') {
        let n = stream.read(&mut buffer).unwrap();
        assert!(n > 0, "closed after {all:?}");
        all.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
    }
    all
}

/// Asserts that the spreadsheet takes a write, and that the server has seen `earlier` others.
fn assert_is_free(server: &FakeServer, earlier: usize) {
    let reply = exchange(&mut connect(server), &body(2));
    assert!(reply.contains("\"code\":0"), "{reply}");
    assert_eq!(server.with(|lark| lark.count(Route::ValuesImage)), earlier + 1);
}

/// The number of cells with an image.
fn cells(server: &FakeServer) -> usize {
    server.with(|lark| lark.cells(FakeLark::SPREADSHEET).count())
}

#[test]
fn a_fault_before_the_body_closes_the_connection_before_the_body_is_read() {
    let server = server(ConnectionFault::BeforeBody);
    let mut stream = connect(&server);
    stream.write_all(head(1000).as_bytes()).unwrap();
    assert_eq!(rest(&mut stream), "", "the server closes before the body arrives");
    assert_is_free(&server, 0);
}

#[test]
fn a_fault_during_the_body_closes_the_connection_when_half_of_it_is_read() {
    let server = server(ConnectionFault::DuringBody);
    let body = body(100_000);
    let (first, second) = body.split_at(body.len() / 3);
    let mut stream = connect(&server);
    stream.write_all((head(body.len()) + first).as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let waiting = stream.read(&mut [0]).unwrap_err().kind();
    assert_eq!(
        waiting,
        std::io::ErrorKind::WouldBlock,
        "the server waits for the half of the body"
    );
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(&second.as_bytes()[..second.len() / 2]).unwrap();
    assert_eq!(rest(&mut stream), "");
    assert_is_free(&server, 0);
}

#[test]
fn a_fault_after_the_body_carries_the_request_out_and_sends_no_reply() {
    let server = server(ConnectionFault::AfterBody);
    let mut stream = connect(&server);
    let body = body(3);
    stream.write_all((head(body.len()) + &body).as_bytes()).unwrap();
    assert_eq!(rest(&mut stream), "");
    assert_eq!(cells(&server), 1, "the write is carried out");
    assert_is_free(&server, 1);
}

#[test]
fn a_cut_reply_is_half_of_its_body() {
    let server = server(ConnectionFault::CutReply);
    let mut stream = connect(&server);
    let request = body(3);
    stream.write_all((head(request.len()) + &request).as_bytes()).unwrap();
    let reply = rest(&mut stream);
    let (head, half) = reply.split_once("\r\n\r\n").unwrap();
    let whole =
        exchange(&mut connect(&server), &request).replace("\"revision\":2", "\"revision\":1");
    let whole = whole.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(half, &whole[..whole.len() / 2]);
    assert!(head.contains(&format!("content-length: {}", whole.len())), "{head}");
    assert_is_free(&server, 2);
}

#[test]
fn a_slow_reply_holds_up_no_other_connection() {
    let server = server(ConnectionFault::SlowReply(Duration::from_millis(300)));
    let mut slow = connect(&server);
    let started = clock();
    thread::scope(|scope| {
        let reply = scope.spawn(move || (exchange(&mut slow, &body(3)), started.elapsed()));
        while server.with(|lark| lark.count(Route::ValuesImage)) == 0 {
            thread::yield_now();
        }
        // The server serves another connection meanwhile.
        let other = exchange(&mut connect(&server), &body(2));
        assert!(other.contains("\"code\":90217"), "{other}");
        let (reply, time) = reply.join().unwrap();
        assert!(reply.contains("\"code\":0") && time >= Duration::from_millis(300), "{time:?}");
        assert_is_free(&server, 2);
    });
}

#[test]
fn a_request_that_is_being_read_does_not_hold_up_others() {
    let server = FakeServer::start().unwrap();
    let mut half = connect(&server);
    let upload = "POST /open-apis/image/v4/put/ HTTP/1.1\r\nHost: l\r\nContent-Length: 10\r\n\r\n";
    half.write_all(format!("{upload}12345").as_bytes()).unwrap();
    half.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert_eq!(half.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    let reply = exchange(&mut connect(&server), &body(2));
    assert!(reply.contains("\"code\":9999"), "the server does not know the token: {reply}");
    assert_eq!(server.with(|lark| lark.count(Route::ImageV4Put)), 0);
    half.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    half.write_all(b"67890").unwrap();
    assert!(half.read(&mut [0]).unwrap() > 0);
    assert_eq!(server.with(|lark| lark.count(Route::ImageV4Put)), 1);
}

#[test]
fn a_client_that_disconnects_during_its_body_leaves_the_spreadsheet_free() {
    let server = server(ConnectionFault::SlowReply(Duration::from_secs(3600)));
    let mut stream = connect(&server);
    stream.write_all((head(1000) + "{").as_bytes()).unwrap();
    drop(stream);
    // The spreadsheet is occupied until the server notices the close.
    let mut others = connect(&server);
    let written = (0..1000).any(|_| exchange(&mut others, &body(2)).contains("\"code\":0"));
    assert!(written, "the spreadsheet is still occupied");
    assert_eq!(cells(&server), 1);
}

#[test]
fn a_server_starts_and_stops_inside_a_callers_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = FakeServer::start().unwrap();
        let stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
        drop(server);
        // The server's thread has ended, and closed its connections.
        let mut byte = [0];
        stream.readable().await.unwrap();
        assert_eq!(stream.try_read(&mut byte).unwrap_or_default(), 0);
    });
}

#[test]
fn a_panic_of_a_closure_closes_its_connection_and_the_server_goes_on() {
    let server = FakeServer::start().unwrap();
    server.with(|lark| {
        lark.add_open_route(Route::ValuesImage, |_| -> Result<(), _> {
            panic::resume_unwind(Box::new("as asked for"))
        });
    });
    let mut stream = connect(&server);
    stream.write_all((head(2) + "{}").as_bytes()).unwrap();
    assert_eq!(rest(&mut stream), "", "the server closes without a reply");
    server.with(|lark| lark.add_open_route(Route::ValuesImage, |_| Ok("fine")));
    let reply = exchange(&mut connect(&server), "{}");
    assert!(reply.contains("\"data\":\"fine\""), "{reply}");
}

#[tokio::test]
async fn a_panic_of_a_closure_over_http_2_ends_its_call_and_the_server_goes_on() {
    let server = FakeServer::start().unwrap();
    server.with(|lark| {
        lark.fail_when(|route, number| {
            if route == Route::ImageV4Put && number == 1 {
                panic::resume_unwind(Box::new("as asked for"));
            }
            None
        });
    });
    let address = server.address();
    let pool = Pool::with_connector(move |_| async move {
        let stream = tokio::net::TcpStream::connect(address).await?;
        std::io::Result::Ok(Connection::new(TokioIo::new(stream)).http2(true))
    });
    let client = Client::with_service(server.site().clone(), app(), pool, TokioTimer::new());
    let limits = Limits::one_attempt().total(Duration::from_secs(10));
    let client = client.with_limits(limits);
    let error = client.call(&put()).await.unwrap_err();
    assert!(matches!(error.kind, CallErrorKind::Transport(_)), "{error:?}");
    client.call(&put()).await.unwrap();
}

/// tokio panics if a runtime is dropped inside another one.
#[tokio::test]
async fn a_port_that_is_taken_is_an_error_inside_a_runtime() {
    let first = FakeServer::start().unwrap();
    let port = first.address().port();
    let error = FakeServer::start_on(port, FakeLark::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

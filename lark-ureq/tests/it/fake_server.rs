//! `FakeServer`, the fake Lark on loopback.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::panic;
use std::thread;
use std::time::Duration;

use lark_proto::error::CallErrorKind;
use lark_proto::fake::{ConnectionFault, FakeLark, Route, TokenKind};
use lark_proto::{App, Limits};
use lark_ureq::{Client, FakeServer, ureq};

use crate::support::{app, millis, put, secs, token};

#[expect(clippy::disallowed_methods, reason = "this test is a client of its own")]
fn connect(server: &FakeServer) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(secs(10))).unwrap();
    stream
}

#[test]
fn a_server_shows_its_address() {
    let server = FakeServer::start().unwrap();
    let shown = format!("FakeServer {{ address: {}, .. }}", server.address());
    assert_eq!(format!("{server:?}"), shown);
}

#[test]
fn a_dropped_server_closes_its_connections() {
    let server = FakeServer::start().unwrap();
    let mut idle = connect(&server);
    let mut begun = connect(&server);
    begun.write_all(b"POST /open-apis/im/v1/images HTTP/1.1\r\n").unwrap();
    server.with(|lark| lark.fail_next(ConnectionFault::SlowReply(Duration::MAX)));
    let mut waiting = connect(&server);
    waiting
        .write_all(
            b"POST /open-apis/image/v4/put/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        )
        .unwrap();
    // The server has answered when the fake has counted the request, and holds the reply back.
    while server.with(|lark| lark.count(Route::ImageV4Put)) == 0 {
        thread::yield_now();
    }
    drop(server);
    for stream in [&mut idle, &mut begun, &mut waiting] {
        let read = stream.read(&mut [0; 1]);
        assert!(
            matches!(&read, Ok(0)) || read.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset)
        );
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "this test is a client of its own, in real time")]
fn a_dropped_server_frees_its_port() {
    let server = FakeServer::start().unwrap();
    let address = server.address();
    drop(server);
    // A program that another test starts holds the sockets of this process until its own code begins.
    let refused = (0..1000).find_map(|_| {
        let error = TcpStream::connect(address).err();
        if error.is_none() {
            thread::sleep(millis(10));
        }
        error
    });
    assert_eq!(refused.unwrap().kind(), ErrorKind::ConnectionRefused);
    drop(FakeServer::start_on(address.port(), FakeLark::new()).unwrap());
}

#[test]
fn a_request_whose_body_or_reply_is_slow_delays_no_other_request() {
    let server = FakeServer::start().unwrap();
    let mut begun = connect(&server);
    begun
        .write_all(
            b"POST /open-apis/image/v4/put/ HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1",
        )
        .unwrap();
    server.with(|lark| {
        lark.fail_next_on(Route::ImV1Images, ConnectionFault::SlowReply(Duration::MAX));
    });
    let mut waiting = connect(&server);
    waiting
        .write_all(b"POST /open-apis/im/v1/images HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    while server.with(|lark| lark.count(Route::ImV1Images)) == 0 {
        thread::yield_now();
    }
    let client = Client::new(server.site().clone(), app());
    client.call(&put()).unwrap();
    assert_eq!(server.with(|lark| lark.images().count()), 1);
}

#[test]
fn requests_of_many_connections_are_answered() {
    let server = FakeServer::start().unwrap();
    #[expect(clippy::disallowed_methods, reason = "a token that is valid for long")]
    let until = std::time::SystemTime::now() + secs(3600);
    server.with(|lark| lark.add_token(TokenKind::Tenant, "t-1", until));
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let client = Client::new(server.site().clone(), App::None);
                for _ in 0..10 {
                    client.call_as(&token(), &put()).unwrap();
                }
            });
        }
    });
    assert_eq!(server.with(|lark| lark.images().count()), 160);
}

#[test]
fn a_panic_of_a_closure_closes_only_its_connection() {
    let server = FakeServer::start().unwrap();
    server.with(|lark| {
        lark.add_open_route(Route::ImV1Images, |_| -> Result<(), _> {
            panic::resume_unwind(Box::new("as asked for"))
        });
    });
    let request = b"POST /open-apis/im/v1/images HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    let mut stream = connect(&server);
    stream.write_all(request).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "it closes without a reply");
    server.with(|lark| lark.add_open_route(Route::ImV1Images, |_| Ok("fine")));
    let mut stream = connect(&server);
    stream.write_all(request).unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
}

#[test]
fn a_call_whose_closure_panics_ends_with_an_error_of_the_connection() {
    let server = FakeServer::start().unwrap();
    server.with(|lark| {
        lark.fail_when(|route, number| {
            if route == Route::ImageV4Put && number == 1 {
                panic::resume_unwind(Box::new("as asked for"));
            }
            None
        });
    });
    let client = Client::new(server.site().clone(), app());
    let once = client.clone().with_limits(Limits::one_attempt());
    let error = once.call(&put()).unwrap_err();
    assert!(matches!(error.kind, CallErrorKind::Transport(ureq::Error::Io(_))), "{error:?}");
    client.call(&put()).unwrap();
}

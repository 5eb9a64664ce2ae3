//! The fake Lark on loopback.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use lark_proto::fake::{Break, FakeLark, Route};
use lark_proto::{App, Image, PutImage, TenantToken};
use lark_ureq::{Client, FakeServer};

#[expect(clippy::disallowed_methods, reason = "this test is a client of its own")]
fn connect(server: &FakeServer) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

#[test]
fn a_dropped_server_closes_its_connections_and_its_port() {
    let server = FakeServer::start().unwrap();
    let address = server.address();
    let mut idle = connect(&server);
    let mut begun = connect(&server);
    begun.write_all(b"POST /open-apis/im/v1/images HTTP/1.1\r\n").unwrap();
    server.with(|lark| lark.fail_next(Break::SlowReply(Duration::MAX)));
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
    #[expect(clippy::disallowed_methods, reason = "this test is a client of its own")]
    let refused = TcpStream::connect(address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    drop(FakeServer::start_on(address.port(), FakeLark::new()).unwrap());
}

#[test]
fn a_request_that_is_being_read_or_held_back_does_not_hold_the_others() {
    let server = FakeServer::start().unwrap();
    let mut begun = connect(&server);
    begun
        .write_all(
            b"POST /open-apis/image/v4/put/ HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1",
        )
        .unwrap();
    server.with(|lark| lark.fail_next_on(Route::ImV1Images, Break::SlowReply(Duration::MAX)));
    let mut waiting = connect(&server);
    waiting
        .write_all(b"POST /open-apis/im/v1/images HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    while server.with(|lark| lark.count(Route::ImV1Images)) == 0 {
        thread::yield_now();
    }
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap();
    let client = Client::new(server.site().clone(), app);
    let put = PutImage::message(Image::new("GIF89a").unwrap()).unwrap();
    client.call(&put).unwrap();
    assert_eq!(server.with(|lark| lark.images().count()), 1);
}

#[test]
fn requests_of_many_connections_are_answered() {
    let server = FakeServer::start().unwrap();
    #[expect(clippy::disallowed_methods, reason = "a token that is valid for long")]
    let until = std::time::SystemTime::now() + Duration::from_secs(3600);
    server.with(|lark| lark.add_token(lark_proto::fake::TokenKind::Tenant, "t-1", until));
    let put = PutImage::message(Image::new("GIF89a").unwrap()).unwrap();
    let token = TenantToken::new("t-1").unwrap();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let client = Client::new(server.site().clone(), App::None);
                for _ in 0..10 {
                    client.call_as(&token, &put).unwrap();
                }
            });
        }
    });
    assert_eq!(server.with(|lark| lark.images().count()), 160);
}

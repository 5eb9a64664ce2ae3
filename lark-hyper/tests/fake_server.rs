//! The fake on loopback, as a server.

use lark_hyper::FakeServer;

#[test]
fn it_starts_and_stops_inside_a_callers_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = FakeServer::start().unwrap();
        let stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
        drop(server);
        // The thread is gone with everything that it served.
        let mut byte = [0];
        stream.readable().await.unwrap();
        assert_eq!(stream.try_read(&mut byte).unwrap_or_default(), 0);
    });
}

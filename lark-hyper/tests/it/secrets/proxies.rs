//! Proxies: what a proxy sees, and that a failing proxy never leads to a direct connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use lark_hyper::FakeServer;
use lark_proto::fake::FakeLark;
use tokio::runtime::Builder;

use super::{IMAGE, Listener, MARK, Setup, reply, side_by_side, uploads};
use crate::support::peers::{self, site};
use crate::support::tls::{Authority, Front, named};

/// The user's password, and the form in which `Proxy-Authorization` carries it.
const PASSWORD: &str = "Pa55wordOfTheProxy";
const BASIC: &str = "YW5uOlBhNTV3b3JkT2ZUaGVQcm94eQ==";

/// The bytes that a proxy got before a tunnel was open, and those through its tunnels to the server.
#[derive(Clone, Default)]
struct Seen {
    before: Arc<Mutex<Vec<u8>>>,
    through: Arc<Mutex<Vec<u8>>>,
}

impl Seen {
    fn before(&self) -> String {
        String::from_utf8_lossy(&self.before.lock().unwrap()).into_owned()
    }

    fn through(&self) -> String {
        String::from_utf8_lossy(&self.through.lock().unwrap()).into_owned()
    }
}

/// A proxy on loopback that opens tunnels to `target`.
fn tunnelling(target: SocketAddr, seen: &Seen) -> SocketAddr {
    let seen = seen.clone();
    peers::serve(move |mut stream| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        seen.before.lock().unwrap().extend(head);
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        tunnel(stream, target, &seen.through)
    })
}

#[expect(clippy::disallowed_methods, reason = "the proxy connects to its target")]
fn tunnel(mut client: TcpStream, target: SocketAddr, through: &Mutex<Vec<u8>>) -> io::Result<()> {
    let mut server = TcpStream::connect(target)?;
    let (mut from, mut to) = (server.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || drop(io::copy(&mut from, &mut to)));
    let mut chunk = [0; 4096];
    loop {
        let read = client.read(&mut chunk)?;
        if read == 0 {
            return server.shutdown(std::net::Shutdown::Write);
        }
        through.lock().unwrap().extend_from_slice(&chunk[..read]);
        server.write_all(&chunk[..read])?;
    }
}

/// Whether `text` has a credential or a byte of the image.
fn has_credentials(text: &str) -> bool {
    let image = String::from_utf8_lossy(IMAGE);
    [FakeLark::APP_SECRET, "t-e346617a4acfc3a1", MARK, "uthorization: Bearer", &*image]
        .iter()
        .any(|secret| text.contains(secret))
}

#[test]
fn a_proxy_sees_its_own_credentials_alone_and_the_server_does_not_see_them() {
    let server = FakeServer::start().unwrap();
    let seen = Seen::default();
    let proxy = tunnelling(server.address(), &seen);
    let url = format!("http://ann:{PASSWORD}@{proxy}");
    let setup = Setup { proxy: Some(url), ..Setup::default() };
    for (client, end) in uploads(server.site(), &setup) {
        // The fake does not know the token of the caller's.
        assert_eq!(end.is_ok(), !client.ends_with("token"), "{client}: {end:?}");
    }
    let before = seen.before();
    assert!(before.contains(BASIC) && !has_credentials(&before), "{before}");
    let through = seen.through();
    assert!(has_credentials(&through), "{through}");
    assert!(!through.contains(BASIC) && !through.contains(PASSWORD), "{through}");
    let lower = through.to_ascii_lowercase();
    assert!(!lower.contains("proxy-"), "{through}");
}

#[test]
fn a_tunnel_to_an_https_site_carries_nothing_in_the_clear() {
    let server = FakeServer::start().unwrap();
    let authority = Authority::new();
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let identity = authority.signs(&named("localhost"));
    let front = runtime.block_on(Front::start(&server, identity, &["h2", "http/1.1"]));
    let seen = Seen::default();
    let proxy = tunnelling((std::net::Ipv4Addr::LOCALHOST, front.site.port()).into(), &seen);
    let setup = Setup { roots: Some(authority.pem()), ..Setup::through(proxy) };
    for (client, end) in uploads(&front.site, &setup) {
        assert_eq!(end.is_ok(), !client.ends_with("token"), "{client}: {end:?}");
    }
    assert!(!has_credentials(&seen.before()), "{}", seen.before());
    let through = seen.through();
    assert!(!through.is_empty() && !has_credentials(&through), "{through}");
}

/// A port of loopback on which nothing listens.
fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn a_proxy_that_fails_never_leads_to_a_direct_connection() {
    let server = Listener::start(|_| reply("200 OK", "{}"));
    let quoting = format!("403 {BASIC} {PASSWORD}\r\nX: {BASIC}");
    let replies: Vec<Vec<u8>> = vec![
        reply("403 Forbidden", "no"),
        reply("407 Proxy Authentication Required", "no"),
        reply("502 Bad Gateway", "no"),
        reply("301 Moved\r\nLocation: http://127.0.0.1/", ""),
        reply(&quoting, &format!("{BASIC} {PASSWORD}")),
        b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
        b"\0\0\0\0".to_vec(),
        Vec::new(),
    ];
    let answering = replies.into_iter().map(|bytes| {
        peers::serve(move |mut stream| {
            let mut head = [0; 1024];
            let _ = stream.read(&mut head)?;
            stream.write_all(&bytes)
        })
    });
    let proxies = answering.chain([closed()]);
    let urls = proxies.flat_map(|proxy| {
        ["http", "socks5"].map(|scheme| format!("{scheme}://ann:{PASSWORD}@{proxy}"))
    });
    side_by_side(urls, |url| {
        let setup = Setup { proxy: Some(url.clone()), ..Setup::default() };
        for (client, end) in uploads(&site(server.address), &setup) {
            let error = end.expect_err(client);
            assert!(!error.contains(PASSWORD) && !error.contains(BASIC), "{client}: {error}");
        }
        assert_eq!(server.connections(), 0, "{url}");
    });
}

//! A gateway in front of a private deployment.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use lark_hyper::FakeServer;
use lark_proto::Site;

use super::{Setup, uploads};
use crate::support::peers;

/// A gateway on loopback that forwards requests below `/feishu` to `server` if their `User-Agent` is a browser's, and
/// answers all others with 403 and HTML. Each of its connections carries one request.
fn gateway(server: SocketAddr) -> SocketAddr {
    peers::serve(move |stream| forward(stream, server))
}

#[expect(clippy::disallowed_methods, reason = "the gateway connects to its server")]
fn forward(mut client: TcpStream, server: SocketAddr) -> io::Result<()> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let (head, len) = loop {
        let read = client.read(&mut chunk)?;
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let header = |line: &str| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>())
            };
            let len = head.lines().find_map(header).unwrap().unwrap();
            break (head.to_owned(), len);
        }
    };
    let mut body = bytes.split_off(head.len() + 4);
    while body.len() < len {
        let read = client.read(&mut chunk)?;
        body.extend_from_slice(&chunk[..read]);
    }
    let is_browser = |line: &str| line.to_ascii_lowercase().starts_with("user-agent: mozilla/5.0");
    let Some(rest) = head.strip_prefix("POST /feishu/").filter(|_| head.lines().any(is_browser))
    else {
        let page = "<html>forbidden</html>";
        let head = format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\n", page.len());
        return client.write_all(format!("{head}Connection: close\r\n\r\n{page}").as_bytes());
    };
    let mut upstream = TcpStream::connect(server)?;
    upstream.write_all(format!("POST /{rest}\r\nConnection: close\r\n\r\n").as_bytes())?;
    upstream.write_all(&body)?;
    io::copy(&mut upstream, &mut client).map(|_| ())
}

#[test]
fn a_deployment_is_reached_by_the_base_path_of_its_site_and_the_user_agent_of_the_builder() {
    let server = FakeServer::start().unwrap();
    let gateway = gateway(server.address());
    let site = Site::custom(&format!("http://{gateway}/feishu")).unwrap();
    let setup = Setup { user_agent: Some("Mozilla/5.0 (pictures)"), ..Setup::default() };
    for (client, outcome) in uploads(&site, &setup) {
        assert_eq!(outcome, Ok(()), "{client}");
    }
    for (client, outcome) in uploads(&site, &Setup::default()) {
        let error = outcome.unwrap_err();
        assert!(error.contains("HTTP 403") && error.contains("forbidden"), "{client}: {error}");
    }
    for (client, outcome) in uploads(&peers::site(gateway), &setup) {
        assert!(outcome.unwrap_err().contains("HTTP 403"), "{client}");
    }
}

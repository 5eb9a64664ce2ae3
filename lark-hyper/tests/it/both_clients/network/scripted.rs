//! A scripted proxy on loopback, which records the requests to it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::peers;

/// The behaviour of the proxy on each connection.
#[derive(Clone, Copy)]
pub(super) enum Script {
    /// It opens a tunnel to this address, whatever it is asked for.
    Http(SocketAddr),
    /// It speaks SOCKS5, with these credentials, and opens a tunnel to this address.
    Socks5(SocketAddr, Option<(&'static str, &'static str)>),
    /// It answers `CONNECT` with these bytes.
    Refuse(&'static str),
    /// It reads and does not answer.
    Silence,
}

pub(super) struct ScriptedProxy {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ScriptedProxy {
    pub(super) fn start(script: Script) -> Self {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = asked.clone();
        let address = peers::serve(move |stream| play(stream, script, &kept));
        Self { address, asked }
    }

    /// Takes the requests that were recorded since the last call: for HTTP, in lower case and in alphabetical order,
    /// the request line and the lines with the credentials and the user agent, if it has them; for SOCKS5 the
    /// credentials, the host and the port.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn play(mut stream: TcpStream, script: Script, asked: &Mutex<Vec<String>>) -> io::Result<()> {
    match script {
        Script::Silence => peers::read_all(stream),
        Script::Refuse(reply) => {
            asked.lock().unwrap().push(head(&mut stream)?);
            stream.write_all(reply.as_bytes())
        }
        Script::Http(target) => {
            asked.lock().unwrap().push(head(&mut stream)?);
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            tunnel(stream, target)
        }
        Script::Socks5(target, credentials) => match socks5(&mut stream, credentials, asked)? {
            true => tunnel(stream, target),
            false => Ok(()),
        },
    }
}

/// Reads a head, and returns the lines that the tests compare.
fn head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).map_err(io::Error::other)?;
    let lines = head.lines().map(str::to_lowercase);
    let is_kept = |line: &String| {
        ["connect ", "proxy-authorization:", "user-agent:"].iter().any(|it| line.starts_with(it))
    };
    let mut lines: Vec<_> = lines.filter(is_kept).collect();
    lines.sort();
    Ok(lines.join("; "))
}

/// The handshake of RFC 1928 and 1929, with the checks that a strict proxy makes. Records what was asked for before the
/// last reply, and returns whether the credentials were accepted.
fn socks5(
    stream: &mut TcpStream,
    credentials: Option<(&str, &str)>,
    asked: &Mutex<Vec<String>>,
) -> io::Result<bool> {
    let [version, count] = read(stream)?;
    let mut methods = vec![0; usize::from(count)];
    stream.read_exact(&mut methods)?;
    let method = if credentials.is_some() { 2 } else { 0 };
    assert!(version == 5 && methods.contains(&method), "{methods:?}");
    stream.write_all(&[5, method])?;
    let mut line = String::new();
    if let Some((user, password)) = credentials {
        let [1] = read(stream)? else { return Err(io::Error::other("version")) };
        let given = (text(stream)?, text(stream)?);
        line = format!("{}:{}@", given.0, given.1);
        if given != (user.to_owned(), password.to_owned()) {
            asked.lock().unwrap().push(line);
            stream.write_all(&[1, 1])?;
            return Ok(false);
        }
        stream.write_all(&[1, 0])?;
    }
    let [5, 1, 0, kind] = read(stream)? else { return Err(io::Error::other("command")) };
    let host = match kind {
        1 => read::<4>(stream)?.map(|byte| byte.to_string()).join("."),
        3 => text(stream)?,
        _ => return Err(io::Error::other("address")),
    };
    let port = u16::from_be_bytes(read(stream)?);
    asked.lock().unwrap().push(format!("{line}{host}:{port}"));
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
    Ok(true)
}

fn read<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A text after its length in one byte.
fn text(stream: &mut TcpStream) -> io::Result<String> {
    let [len] = read(stream)?;
    let mut text = vec![0; usize::from(len)];
    stream.read_exact(&mut text)?;
    String::from_utf8(text).map_err(io::Error::other)
}

#[expect(clippy::disallowed_methods, reason = "the proxy connects to its target")]
fn tunnel(client: TcpStream, target: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(target)?;
    let mut from = client.try_clone()?;
    let mut to = server.try_clone()?;
    thread::spawn(move || {
        // Either side may close its connection at any time.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let mut from = server;
    let mut to = client;
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Write)
}

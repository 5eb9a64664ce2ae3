//! The client over real sockets.

mod connections;
mod fake_lark;
mod scripted;

use std::io::Read;
use std::net::{TcpListener, TcpStream};

use bytes::Bytes;
use http::{Request, Response};
use lark_proto::fake::FakeLark;
use lark_proto::fake::http1::{self, Requests};
use lark_proto::{Image, PutImage, Site, WriteSheetImage};

/// An image with `len` bytes of noise.
fn image(len: usize) -> Image {
    let noise = (0..len as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8);
    Image::new([b"\x89PNG\r\n\x1a\n".to_vec(), noise.collect()].concat()).unwrap()
}

/// An upload of `image(len)`.
fn put(len: usize) -> PutImage {
    PutImage::message(image(len)).unwrap()
}

/// A write of `image(len)` into a cell.
fn write(len: usize) -> WriteSheetImage {
    let cell = format!("{}!H7", FakeLark::SHEET).parse().unwrap();
    WriteSheetImage::new(FakeLark::SPREADSHEET.parse().unwrap(), cell, image(len)).unwrap()
}

/// A listener on a free port of loopback, and its site.
fn listen() -> (TcpListener, Site) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Site::custom(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    (listener, site)
}

/// The next request of a connection; `None` when the client has closed the connection.
fn receive(stream: &mut TcpStream, requests: &mut Requests) -> Option<Request<Bytes>> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(request) = requests.request().unwrap() {
            return Some(request);
        }
        match stream.read(&mut buffer).ok()? {
            0 => return None,
            n => requests.push(&buffer[..n]),
        }
    }
}

/// The bytes of a reply with this JSON.
fn json(body: &'static str) -> Bytes {
    http1::reply(&Response::new(body.into()))
}

//! The number of idle connections that each client keeps.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use lark_proto::network::{ClientBuilder, FromSettings};
use lark_proto::{Limits, Site};

use crate::support::{app, peers, put, token};

const BODY: &str = r#"{"code":0,"data":{"image_key":"img_x"}}"#;

/// Answers each upload once as many are in flight as the barrier expects.
fn serve(mut stream: TcpStream, all: &Barrier) -> io::Result<()> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&chunk[..read]);
        if bytes.ends_with(b"--\r\n") {
            bytes.clear();
            all.wait();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", BODY.len());
            stream.write_all((head + BODY).as_bytes())?;
        }
    }
}

fn client<C: FromSettings>(builder: ClientBuilder<C>) -> C {
    let builder = builder.no_proxy().limits(Limits::one_attempt());
    builder.max_idle_connections(2).build().unwrap()
}

/// How many connections a client opens for `together` uploads at once, and then as many again.
fn connections(together: usize, uploads: impl Fn(&Site, usize)) -> usize {
    let opened = Arc::new(AtomicUsize::new(0));
    let (counted, all) = (opened.clone(), Barrier::new(together));
    let site = peers::site(peers::serve(move |stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        serve(stream, &all)
    }));
    uploads(&site, together);
    opened.load(Ordering::SeqCst)
}

fn with_ureq(site: &Site, together: usize) {
    let client = client(lark_ureq::Client::builder(site.clone(), app()));
    for _ in 0..2 {
        std::thread::scope(|scope| {
            for _ in 0..together {
                scope.spawn(|| client.call_as(&token(), &put()).unwrap());
            }
        });
    }
}

fn with_hyper(site: &Site, together: usize) {
    let client = client(lark_hyper::Client::builder(site.clone(), app()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for _ in 0..2 {
            let call = |_| {
                let client = client.clone();
                tokio::spawn(async move { client.call_as(&token(), &put()).await.map(drop) })
            };
            for call in (0..together).map(call).collect::<Vec<_>>() {
                call.await.unwrap().unwrap();
            }
            // A task of hyper's puts the connection back.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}

#[test]
fn a_client_keeps_at_most_a_number_of_idle_connections() {
    for (together, opened) in [(1, 1), (2, 2), (3, 4), (4, 6)] {
        assert_eq!(connections(together, with_ureq), opened, "lark-ureq: {together} at once");
        assert_eq!(connections(together, with_hyper), opened, "lark-hyper: {together} at once");
    }
}

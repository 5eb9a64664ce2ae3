//! Connections that were kept open and reset when the next request comes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use http::Response;
use lark_hyper::Client;
use lark_proto::fake::http1::{self, Requests};
use lark_proto::{App, Image, Limits, PutImage, Site, TenantToken};

fn receive(stream: &mut TcpStream) {
    let (mut requests, mut buffer) = (Requests::new(), [0; 4096]);
    while requests.request().unwrap().is_none() {
        match stream.read(&mut buffer).unwrap() {
            0 => return,
            len => requests.push(&buffer[..len]),
        }
    }
}

/// A server whose first `kept` connections wait for each other, answer one request, and reset when the next one comes.
/// Returns the number of connections so far, too.
fn serve(kept: usize) -> (Site, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Site::custom(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let (counts, together) = (accepted.clone(), Arc::new(Barrier::new(kept)));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (number, together) = (counts.fetch_add(1, Ordering::SeqCst), together.clone());
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                receive(&mut stream);
                if number < kept {
                    together.wait();
                }
                let stored = Response::new(r#"{"code":0,"data":{"image_key":"k"}}"#.into());
                stream.write_all(&http1::reply(&stored)).unwrap();
                // To close a connection with bytes that were not read resets it.
                let _unread = stream.peek(&mut [0]);
            });
        }
    });
    (site, accepted)
}

#[tokio::test]
async fn any_number_of_connections_that_reset_costs_one_attempt() {
    for kept in [1, 2, 5, 20] {
        let (site, accepted) = serve(kept);
        let client = Client::new(site, App::None);
        let call = |limits: Limits| {
            let client = client.clone().with_limits(limits);
            async move {
                let put = PutImage::message(Image::new("GIF89a..").unwrap()).unwrap();
                client.call_as(&TenantToken::new("t-1").unwrap(), &put).await.unwrap()
            }
        };
        let first: Vec<_> = (0..kept).map(|_| tokio::spawn(call(Limits::default()))).collect();
        for call in first {
            call.await.unwrap();
        }
        assert_eq!(accepted.load(Ordering::SeqCst), kept);
        assert_eq!(call(Limits::default().attempts(2)).await.as_str(), "k");
        assert_eq!(accepted.load(Ordering::SeqCst), kept + 1);
    }
}

//! Idle connections that the server resets when the next request arrives.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use http::Response;
use lark_hyper::Client;
use lark_proto::fake::http1::{self, Requests};
use lark_proto::{App, Limits, Site};

use crate::support::{peers, put, token};

fn receive(stream: &mut TcpStream) -> io::Result<()> {
    let mut requests = Requests::new();
    let mut buffer = [0; 4096];
    while requests.request().unwrap().is_none() {
        match stream.read(&mut buffer)? {
            0 => break,
            len => requests.push(&buffer[..len]),
        }
    }
    Ok(())
}

/// A server whose first `kept` connections wait for each other, answer one request, and are reset when the next one
/// arrives; and the number of connections so far.
fn serve(kept: usize) -> (Site, Arc<AtomicUsize>) {
    let accepted = Arc::new(AtomicUsize::new(0));
    let counted = accepted.clone();
    let together = Barrier::new(kept);
    let address = peers::serve(move |mut stream| {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        receive(&mut stream)?;
        if number < kept {
            together.wait();
        }
        let stored = Response::new(r#"{"code":0,"data":{"image_key":"k"}}"#.into());
        stream.write_all(&http1::reply(&stored))?;
        // The close of a connection with unread bytes is a reset.
        stream.peek(&mut [0]).map(drop)
    });
    (peers::site(address), accepted)
}

#[tokio::test]
async fn any_number_of_connections_that_reset_costs_one_attempt() {
    for kept in [1, 2, 5, 20] {
        let (site, accepted) = serve(kept);
        let client = Client::new(site, App::None);
        let call = |limits: Limits| {
            let client = client.clone().with_limits(limits);
            async move { client.call_as(&token(), &put()).await.unwrap() }
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

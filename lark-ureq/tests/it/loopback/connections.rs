//! The connections that a client keeps, and connections that break.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use lark_proto::error::{CallErrorKind, Outcome};
use lark_proto::fake::http1::Requests;
use lark_proto::{App, Limits, Site};
use lark_ureq::Client;

use super::{json, listen, put, receive};
use crate::support::{millis, token};

/// A server that runs `serve` on a thread of its own for each connection, given its number. Returns its site, and the
/// number of connections so far.
fn serve(serve: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> (Site, Arc<AtomicUsize>) {
    let (listener, site) = listen();
    let serve = Arc::new(serve);
    let accepted = Arc::new(AtomicUsize::new(0));
    let counts = accepted.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = serve.clone();
            let number = counts.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || serve(number, stream.unwrap()));
        }
    });
    (site, accepted)
}

const STORED: &str = r#"{"code":0,"data":{"image_key":"k"}}"#;

#[test]
fn any_number_of_connections_that_reset_costs_one_attempt() {
    for kept in [1, 2, 5, 20] {
        // The first ones wait for each other, answer one request, and reset when the next one comes.
        let together = Barrier::new(kept);
        let (site, accepted) = serve(move |number, mut stream| {
            let mut requests = Requests::new();
            receive(&mut stream, &mut requests).unwrap();
            if number < kept {
                together.wait();
            }
            stream.write_all(&json(STORED)).unwrap();
            // A connection is reset if it is closed before all bytes are read.
            let _unread = stream.peek(&mut [0]);
        });
        let client = Client::new(site, App::None);
        thread::scope(|scope| {
            for _ in 0..kept {
                scope.spawn(|| client.call_as(&token(), &put(9)).unwrap());
            }
        });
        assert_eq!(accepted.load(Ordering::SeqCst), kept);
        let client = client.with_limits(Limits::default().attempts(2));
        assert_eq!(client.call_as(&token(), &put(9)).unwrap().as_str(), "k");
        assert_eq!(accepted.load(Ordering::SeqCst), kept + 1);
    }
}

#[test]
fn threads_keep_a_connection_each_between_their_calls() {
    let (site, accepted) = serve(|_, mut stream| {
        let mut requests = Requests::new();
        while receive(&mut stream, &mut requests).is_some() {
            stream.write_all(&json(STORED)).unwrap();
        }
    });
    let client = Client::new(site, App::None);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..30 {
                    client.call_as(&token(), &put(9)).unwrap();
                    #[expect(clippy::disallowed_methods, reason = "the connections become idle")]
                    thread::sleep(millis(50));
                }
            });
        }
    });
    let accepted = accepted.load(Ordering::SeqCst);
    assert!((2..=32).contains(&accepted), "{accepted} connections");
}

#[test]
fn a_reply_before_the_whole_body_is_lost_and_the_outcome_is_unknown() {
    let (site, _) = serve(|_, mut stream| {
        stream.read_exact(&mut [0; 100]).unwrap();
        stream
            .write_all(&json(r#"{"code":234006,"msg":"The file size exceed the max value."}"#))
            .unwrap();
    });
    let client = Client::new(site, App::None).with_limits(Limits::one_attempt());
    let error = client.call_as(&token(), &put(9_000_000)).unwrap_err();
    assert!(matches!(error.kind, CallErrorKind::Transport(ureq::Error::Io(_))), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Unknown);
}

//! Streams that the server ends or does not let proceed, in memory and in paused time.

use http::Method;
use lark_hyper::{CallError, TransportError};
use lark_proto::endpoints::{DownloadMedia, Raw};
use lark_proto::error::{CallErrorKind, Outcome};
use lark_proto::session::Phase;
use lark_proto::{Image, Limits, PutImage};
use serde::de::IgnoredAny;
use tokio::time::Instant;

use super::frames::{Server, Upset};
use crate::support::{put, token};

/// The codes of RFC 9113, section 7, and one that it does not define.
const CODES: [u32; 15] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 255];

/// A request that must not be sent again if it may have been carried out.
fn add() -> Raw<IgnoredAny> {
    Raw::new(Method::POST, "/add").with_json(&[1]).unwrap()
}

/// The upsets after which no reply comes.
fn failures() -> Vec<Upset> {
    let of = |code| {
        [
            Upset::GoAwayBefore(code),
            Upset::GoAwayInstead(code),
            Upset::ResetHead(code),
            Upset::ResetBody(code),
            Upset::HalfReplyAndReset(code),
        ]
    };
    CODES.into_iter().flat_map(of).collect()
}

fn assert_failed<T: std::fmt::Debug>(server: &Server, result: Result<T, CallError>, context: &str) {
    let error = result.expect_err(context);
    let is_typed = matches!(error.kind, CallErrorKind::Transport(TransportError::Failed(_)));
    assert!(is_typed, "{context}: {error:?}");
    // No text shows what the server quotes.
    for text in [error.to_string(), format!("{error:?}"), format!("{:?}", error.earlier())] {
        assert!(!text.contains("t-quoted"), "{context}: {text}");
    }
    server.seen(|seen| {
        // Once a byte of the body was sent, the client cannot know.
        let is_true = match error.outcome() {
            Outcome::NotSent => seen.bytes == 0 && seen.whole == 0,
            Outcome::Unknown => true,
            _ => false,
        };
        assert!(is_true, "{context}: {error:?} {seen:?}");
    });
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_the_server_ends_is_an_error_of_the_transport() {
    for upset in failures() {
        let context = format!("{upset:?}");
        let server = Server::new(upset, 1);
        let client = server.client().with_limits(Limits::one_attempt());
        assert_failed(&server, client.call_as(&token(), &put()).await, &context);
        // The next call succeeds: over the same connection, unless the server has gone away.
        client.call_as(&token(), &put()).await.expect(&context);
        let is_kept = !matches!(upset, Upset::GoAwayBefore(_) | Upset::GoAwayInstead(_));
        server.seen(|seen| {
            assert_eq!(seen.connections, if is_kept { 1 } else { 2 }, "{context}");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_stream_the_server_ends_is_sent_again_if_that_is_safe() {
    for upset in failures() {
        let context = format!("{upset:?}");
        for times in [1, 3] {
            let server = Server::new(upset, times);
            let key = server.client().call_as(&token(), &put()).await.expect(&context);
            assert_eq!(key.as_str(), "img_1", "{context}");
            server.seen(|seen| assert_eq!(seen.heads, times + 1, "{context}: {seen:?}"));
        }
        let server = Server::new(upset, 4);
        assert_failed(&server, server.client().call_as(&token(), &put()).await, &context);
        server.seen(|seen| assert_eq!(seen.heads, 4, "{context}: {seen:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_unsafe_request_whose_stream_the_server_ends_is_carried_out_at_most_once() {
    for upset in failures() {
        let context = format!("{upset:?}");
        let server = Server::new(upset, 1);
        let result = server.client().call_as(&token(), &add()).await;
        let was_sent_once = server.seen(|seen| seen.heads == 1);
        server.seen(|seen| assert!(seen.whole <= 1, "{context}: {seen:?}"));
        match result {
            Ok(_) => server.seen(|seen| assert_eq!(seen.whole, 1, "{context}: {seen:?}")),
            Err(error) => {
                assert!(was_sent_once, "{context}");
                assert_failed::<()>(&server, Err(error), &context);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_after_a_goaway_is_read_and_the_next_request_takes_another_connection() {
    for code in CODES {
        let server = Server::new(Upset::GoAwayAfter(code), 1);
        let client = server.client().with_limits(Limits::one_attempt());
        client.call_as(&token(), &put()).await.unwrap();
        client.call_as(&token(), &put()).await.unwrap();
        server.seen(|seen| assert_eq!((seen.connections, seen.whole), (2, 2), "{code} {seen:?}"));
    }
}

/// A server may reply early, and then reset the stream with NO_ERROR so that the rest of the body is not sent.
#[tokio::test(start_paused = true)]
async fn a_reply_before_a_reset_of_its_stream_is_read() {
    for len in [8, 1_000_000] {
        let server = Server::new(Upset::ReplyAndReset(0), 1);
        let image = Image::any_format(vec![7; len], "bin").unwrap();
        let client = server.client().with_limits(Limits::one_attempt());
        let key = client.call_as(&token(), &PutImage::message(image).unwrap()).await.unwrap();
        assert_eq!(key.as_str(), "img_1", "{len}");
    }
}

/// hyper reports the end of such a reply as if it were whole, because a server may reset with NO_ERROR after a reply.
#[tokio::test(start_paused = true)]
async fn a_reply_that_is_cut_by_a_reset_without_an_error_is_no_file() {
    let server = Server::new(Upset::HalfReplyAndReset(0), 1);
    let client = server.client().with_limits(Limits::one_attempt());
    let download = DownloadMedia::new("boxcn_1".parse().unwrap());
    let error = client.call_as(&token(), &download).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("the stream was reset inside the reply"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_a_reply_does_not_arrive_in_time_gets_no_further_request() {
    let server = Server::new(Upset::HalfReply, 1);
    let client = server.client().with_limits(Limits::one_attempt());
    let error = client.call_as(&token(), &put()).await.unwrap_err();
    let timeout =
        matches!(error.kind, CallErrorKind::Transport(TransportError::Timeout(Phase::RecvBody)));
    assert!(timeout, "{error:?}");
    client.call_as(&token(), &put()).await.unwrap();
    server.seen(|seen| assert_eq!((seen.connections, seen.whole), (2, 2), "{seen:?}"));
}

/// The failure of an upload of `len` bytes to a server with this window, and its seconds.
async fn stalled(window: u32, len: usize) -> (Server, CallError, u64) {
    let server = Server::new(Upset::Window(window), 1);
    let image = Image::any_format(vec![7; len], "bin").unwrap();
    let put = PutImage::message(image).unwrap();
    let start = Instant::now();
    let client = server.client().with_limits(Limits::one_attempt());
    let error = client.call_as(&token(), &put).await.unwrap_err();
    (server, error, start.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn a_window_that_never_opens_ends_with_a_timeout_and_the_stream_is_reset() {
    // The last window is larger than that of the connection. With the first one, the transport takes a frame of the
    // body before it waits, so the client does not know that nothing of it was sent.
    for (window, len) in [(0, 8), (0, 1_000_000), (1, 8), (100, 1_000_000), (1 << 20, 1_000_000)] {
        let (server, error, seconds) = stalled(window, len).await;
        let outcome = error.outcome();
        let CallErrorKind::Transport(TransportError::Timeout(found)) = error.kind else {
            panic!("{window} {len}: {error:?}")
        };
        assert_eq!((found, outcome), (Phase::SendBody, Outcome::Unknown), "{window} {len}");
        assert!(seconds <= 2 * (120 + 15), "{window} {len}: {seconds} s");
        // The connection sends the reset in its own time.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        server.seen(|seen| {
            let sent = usize::try_from(window).unwrap().min((1 << 16) - 1);
            assert_eq!((seen.whole, seen.resets), (0, 1), "{window} {len}: {seen:?}");
            assert!(seen.bytes <= sent, "{window} {len}: {seen:?}");
        });
    }
}

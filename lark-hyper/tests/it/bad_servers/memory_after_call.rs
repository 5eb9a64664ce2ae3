//! The memory of a call that is over.

use std::time::Duration;

use bytes::Bytes;
use lark_proto::{Image, Limits, PutImage};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::scripted::{Act, Server, ok};
use crate::support::token;

/// Memory whose end a receiver can await, because the sender is dropped with it.
struct Held(Vec<u8>, #[expect(dead_code, reason = "it is dropped")] oneshot::Sender<()>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Whether the image of a call is freed within ten minutes of the call's end, by success or error, while the client is
/// there.
async fn is_freed(script: Vec<Act>) -> bool {
    let server = Server::start(script).await;
    let limits = Limits::one_attempt().total(Duration::from_millis(300));
    let client = server.client().with_limits(limits);
    let (sender, held) = oneshot::channel();
    let bytes = Bytes::from_owner(Held(vec![7; 10_000_000], sender));
    let put = PutImage::message(Image::any_format(bytes, "bin").unwrap()).unwrap();
    let _ = client.call_as(&token(), &put).await;
    drop(put);
    let is_freed = timeout(Duration::from_secs(600), held).await.is_ok();
    drop(client);
    is_freed
}

#[tokio::test(start_paused = true)]
async fn a_body_that_the_server_read_is_freed() {
    assert!(is_freed(vec![Act::Serve]).await);
    assert!(is_freed(vec![Act::Head, Act::Read(5_000_000)]).await);
    assert!(is_freed(vec![Act::Head, Act::Body, Act::Hold]).await);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_the_server_does_not_read_is_freed() {
    for script in [vec![Act::Hold], vec![Act::Head, Act::Write(ok("img_early")), Act::Hold]] {
        assert!(is_freed(script.clone()).await, "{script:?}");
    }
}

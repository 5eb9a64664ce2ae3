//! What is left of a call that is over.

use std::time::Duration;

use bytes::Bytes;
use lark_proto::{Image, Limits, PutImage, TenantToken};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::scripted::{Act, Server, ok};

/// Memory whose end can be awaited: the sender goes with it.
struct Held(Vec<u8>, #[expect(dead_code, reason = "it is dropped")] oneshot::Sender<()>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Whether the image of a call is let go within minutes of its end, however the call ended.
async fn is_let_go(script: Vec<Act>) -> bool {
    let server = Server::start(script).await;
    let limits = Limits::one_attempt().total(Duration::from_millis(300));
    let client = server.client().with_limits(limits);
    let (sender, held) = oneshot::channel();
    let bytes = Bytes::from_owner(Held(vec![7; 10_000_000], sender));
    let put = PutImage::message(Image::any_format(bytes, "bin").unwrap()).unwrap();
    let _ = client.call_as(&TenantToken::new("t-1").unwrap(), &put).await;
    drop((client, put));
    timeout(Duration::from_secs(600), held).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_taken_is_let_go() {
    assert!(is_let_go(vec![Act::Serve]).await);
    assert!(is_let_go(vec![Act::Head, Act::Read(5_000_000)]).await);
    assert!(is_let_go(vec![Act::Head, Act::Body, Act::Hold]).await);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_takes_is_let_go() {
    for script in [vec![Act::Hold], vec![Act::Head, Act::Write(ok("img_early")), Act::Hold]] {
        assert!(is_let_go(script.clone()).await, "{script:?}");
    }
}

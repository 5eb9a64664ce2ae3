//! The memory of a call that is over.

use std::time::Duration;

use bytes::Bytes;
use lark_proto::error::Outcome;
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

/// The result of a call whose image is freed within ten minutes of the call's end, while the client is there.
async fn frees_its_image(script: Vec<Act>) -> Result<(), lark_hyper::CallError> {
    let server = Server::start(script).await;
    let limits = Limits::one_attempt().total(Duration::from_millis(300));
    let client = server.client().with_limits(limits);
    let (sender, held) = oneshot::channel();
    let bytes = Bytes::from_owner(Held(vec![7; 10_000_000], sender));
    let put = PutImage::message(Image::any_format(bytes, "bin").unwrap()).unwrap();
    let result = client.call_as(&token(), &put).await;
    drop(put);
    let end = timeout(Duration::from_secs(600), held).await;
    assert!(end.is_ok(), "the image is not freed");
    drop(client);
    result.map(|_| ())
}

#[tokio::test(start_paused = true)]
async fn a_body_that_the_server_read_is_freed() {
    frees_its_image(vec![Act::Serve]).await.unwrap();
    for script in [vec![Act::Head, Act::Read(5_000_000)], vec![Act::Head, Act::Body, Act::Hold]] {
        let error = frees_its_image(script.clone()).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{script:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_the_server_does_not_read_is_freed() {
    let error = frees_its_image(vec![Act::Hold]).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    let early = vec![Act::Head, Act::Write(ok("img_early")), Act::Hold];
    frees_its_image(early).await.unwrap();
}

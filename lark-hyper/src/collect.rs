//! A reply's body, up to a limit.

use std::future::poll_fn;
use std::pin::pin;

use bytes::{Buf, BufMut, Bytes};
use hyper::body::Body;

/// All data of `body`, or `None` when there are more than `limit` bytes; nothing past the frame that exceeds them is
/// asked for. Trailers are left out.
pub(crate) async fn collect<B: Body>(body: B, limit: u64) -> Result<Option<Bytes>, B::Error> {
    let mut body = pin!(body);
    let mut whole = Vec::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let Ok(data) = frame?.into_data() else { continue };
        let len = whole.len().saturating_add(data.remaining());
        if len as u64 > limit {
            return Ok(None);
        }
        whole.put(data);
    }
    Ok(Some(whole.into()))
}

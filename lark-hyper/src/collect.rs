//! A reply's body, up to a limit.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use hyper::body::Body;

/// All data of `body`, or `None` when there are more than `limit` bytes; nothing past the frame that exceeds them is
/// asked for. Trailers are left out.
pub(crate) async fn collect<B: Body>(body: B, limit: u64) -> Result<Option<Bytes>, B::Error> {
    let mut body = pin!(body);
    let mut whole = Vec::new();
    let mut frames = 0_u32;
    let mut next = |context: &mut Context<'_>| {
        frames = frames.wrapping_add(1);
        if frames % 64 == 0 {
            // A body that is always ready leaves no time to the clock.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        body.as_mut().poll_frame(context)
    };
    while let Some(frame) = poll_fn(&mut next).await {
        let Ok(data) = frame?.into_data() else { continue };
        let len = whole.len().saturating_add(data.remaining());
        if len as u64 > limit {
            return Ok(None);
        }
        whole.put(data);
    }
    Ok(Some(whole.into()))
}

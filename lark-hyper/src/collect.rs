//! A reply's body, up to a limit.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes};
use hyper::body::Body;

/// The data of a body that has arrived so far.
#[derive(Debug, Default)]
pub(crate) struct Collect {
    whole: Vec<u8>,
    frames: u32,
}

impl Collect {
    /// All data of `body`, or `None` if there are more than `limit` bytes. After the frame that exceeds the limit no
    /// further one is polled. Trailers are left out.
    pub(crate) fn poll<B: Body>(
        &mut self,
        mut body: Pin<&mut B>,
        limit: u64,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, B::Error>> {
        loop {
            self.frames = self.frames.wrapping_add(1);
            if self.frames % 64 == 0 {
                // Yields, because the timer of the call is not polled while the body is always ready.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let Some(frame) = ready!(body.as_mut().poll_frame(context)) else {
                return Poll::Ready(Ok(Some(mem::take(&mut self.whole).into())));
            };
            let Ok(data) = frame?.into_data() else { continue };
            let len = self.whole.len().saturating_add(data.remaining());
            if len as u64 > limit {
                return Poll::Ready(Ok(None));
            }
            self.whole.put(data);
        }
    }
}

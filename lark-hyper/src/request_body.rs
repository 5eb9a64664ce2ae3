//! A request's body as the frames that hyper sends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::body::{Frame, SizeHint};
use lark_proto::body::Body;

/// The longest frame in bytes. A stored image goes out in slices, so that a connection that copies each frame never
/// copies the whole image at once.
const MAX_FRAME_LEN: usize = 64 << 10;

/// A [`Body`] as a [`hyper::body::Body`]: frames of 1 byte to 64 KiB, encoded when they are asked for, and a size
/// hint that is exact at any time. A frame of a stored image shares its memory. Once the client is done with the
/// request or the call was dropped, the body gives an error instead of the remaining bytes.
///
/// ```
/// use lark_hyper::RequestBody;
/// use lark_proto::{EndpointExt, Image, PutImage, Site, TenantToken};
///
/// let put = PutImage::message(Image::new("GIF89a..")?)?;
/// let token = TenantToken::new("t-7f1b")?;
/// let request = put.request_streamed(&Site::LARK, &token);
/// let request = request.map(RequestBody::from);
/// // .. any client that takes a `hyper::body::Body` sends it ..
/// # use hyper::body::Body;
/// let len = request.body().size_hint().exact().unwrap();
/// assert_eq!(request.headers()["content-length"], len.to_string());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RequestBody {
    /// The body is boxed because hyper moves a request several times, and a [`Body`] is large.
    body: Box<Body>,
    progress: BodyProgress,
}

/// The number of bytes of a [`RequestBody`] that the transport has taken so far. If it has taken none of a body that is
/// not empty, the request cannot have been carried out: once the call is over, no more bytes are given out.
#[derive(Clone, Debug, Default)]
pub struct BodyProgress(Arc<AtomicUsize>);

/// The bit beside the count that is set once the client is done with the request.
const CLOSED_BIT: usize = 1 << (usize::BITS - 1);

impl BodyProgress {
    /// The number of bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        (self.0.load(Ordering::Relaxed) & !CLOSED_BIT) as u64
    }

    /// Stops the body, and returns the final number of bytes.
    pub(crate) fn close(&self) -> u64 {
        (self.0.fetch_or(CLOSED_BIT, Ordering::Relaxed) & !CLOSED_BIT) as u64
    }
}

/// An extension of a request that is sent again after its connection broke. Idle connections may be broken too, so a
/// service that keeps connections has to open a new one for this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreshConnection;

impl RequestBody {
    pub(crate) fn counted(body: Body, progress: &BodyProgress) -> Self {
        Self { body: Box::new(body), progress: progress.clone() }
    }

    /// A clone of the bytes that the transport has not taken yet, which are all of them before the first frame. It
    /// shares the memory of stored parts, and is encoded while it is read. A layer can hash or sign the body by it:
    ///
    /// ```
    /// use std::hash::{DefaultHasher, Hasher};
    ///
    /// use http::Request;
    /// use lark_hyper::RequestBody;
    ///
    /// fn signed(mut request: Request<RequestBody>) -> Request<RequestBody> {
    ///     let mut hasher = DefaultHasher::new();
    ///     let mut body = request.body().body();
    ///     while let Some(chunk) = body.next_chunk() {
    ///         hasher.write(&chunk);
    ///     }
    ///     request.headers_mut().insert("x-hash", hasher.finish().into());
    ///     request
    /// }
    /// ```
    #[must_use]
    pub fn body(&self) -> Body {
        Body::clone(&self.body)
    }

    /// The count of the bytes taken from this body, which outlives the body.
    #[must_use]
    pub fn progress(&self) -> BodyProgress {
        self.progress.clone()
    }
}

impl From<Body> for RequestBody {
    fn from(body: Body) -> Self {
        Self::counted(body, &BodyProgress::default())
    }
}

impl hyper::body::Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let len = self.body.chunk().len().min(MAX_FRAME_LEN);
        if len == 0 {
            return Poll::Ready(None);
        }
        // The check and the count are one atomic step, so that no byte is given out after `close` has returned the
        // count.
        let count = |taken| (taken & CLOSED_BIT == 0).then_some(taken + len);
        if self.progress.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).is_err() {
            let over = io::Error::new(io::ErrorKind::ConnectionAborted, "the call is over");
            return Poll::Ready(Some(Err(over)));
        }
        let data = self.body.copy_to_bytes(len);
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.len())
    }
}

//! A request's body as the frames that hyper sends.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
pub struct BodyProgress(Arc<Mutex<Taken>>);

/// The count is behind a lock, because not every processor has atomic numbers of 64 bits.
#[derive(Debug, Default)]
struct Taken {
    bytes: u64,
    /// Whether the client is done with the request.
    is_closed: bool,
}

impl BodyProgress {
    /// The number of bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// Stops the body, and returns the final number of bytes.
    pub(crate) fn close(&self) -> u64 {
        let mut taken = self.lock();
        taken.is_closed = true;
        taken.bytes
    }

    /// Counts bytes that are given out next. Once the client is done with the request, none may be.
    fn take(&self, bytes: u64) -> io::Result<()> {
        let mut taken = self.lock();
        if taken.is_closed {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the call is over"));
        }
        taken.bytes += bytes;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// shares the memory of stored parts, and is encoded while it is read. Its bytes do not count as taken, so it is
    /// not for sending: [`into_body`](Self::into_body) is. A layer can hash or sign the body by it:
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

    /// The bytes that the transport has not taken yet, which count as taken from now on: the client assumes that they
    /// are sent. This is for a service that does not send frames.
    ///
    /// # Errors
    /// An error if the client is done with the request.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use lark_hyper::RequestBody;
    ///
    /// fn bytes(request: http::Request<RequestBody>) -> std::io::Result<Bytes> {
    ///     Ok(request.into_body().into_body()?.into_bytes())
    /// }
    /// ```
    pub fn into_body(self) -> io::Result<Body> {
        self.progress.take(self.body.len())?;
        Ok(*self.body)
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
        if let Err(over) = self.progress.take(len as u64) {
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

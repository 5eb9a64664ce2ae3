//! A request's body as the frames that hyper sends.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::body::{Frame, SizeHint};
use lark_proto::Body;

/// The longest frame: a stored image goes out in slices, so that a connection that copies what it is given never
/// copies it whole.
const FRAME: usize = 64 << 10;

/// A [`Body`] as a [`hyper::body::Body`]: frames of 1 byte to 64 KiB, encoded when they are asked for, and a size
/// hint that is exact at any time. A frame of a stored image shares its memory.
///
/// ```
/// use lark_hyper::Frames;
/// use lark_proto::{EndpointExt, Image, PutImage, Site, TenantToken};
///
/// let put = PutImage::message(Image::new("GIF89a..")?)?;
/// let request = put.request_streamed(&Site::LARK, &TenantToken::new("t-7f1b")?).map(Frames::from);
/// // .. any client that takes a `hyper::body::Body` sends it ..
/// # use hyper::body::Body;
/// assert_eq!(request.headers()["content-length"], request.body().size_hint().exact().unwrap().to_string());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Frames {
    body: Body,
    pulled: Pulled,
}

/// How much of a [`Frames`] the transport has taken so far. A request of whose body nothing was taken did not reach
/// the service.
#[derive(Clone, Debug, Default)]
pub struct Pulled(Arc<AtomicUsize>);

impl Pulled {
    /// The number of bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed) as u64
    }
}

impl Frames {
    /// The record of what is taken from here, which outlives the body.
    #[must_use]
    pub fn pulled(&self) -> Pulled {
        self.pulled.clone()
    }
}

impl From<Body> for Frames {
    fn from(body: Body) -> Self {
        Self { body, pulled: Pulled::default() }
    }
}

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let len = self.body.chunk().len().min(FRAME);
        if len == 0 {
            return Poll::Ready(None);
        }
        let data = self.body.copy_to_bytes(len);
        self.pulled.0.fetch_add(len, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.len())
    }
}

//! How an image is encoded in a cell write: as numbers, or in base64 where the tenant takes it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use lark_proto::WriteSheetImage;
use lark_proto::body::ImageEncoding;
use lark_proto::error::{Concerns, Outcome};
use lark_ureq::{CallError, Client};

/// The encoding of a run; `None` until a write has shown whether the tenant takes base64.
pub(crate) struct Encoding(Mutex<Option<ImageEncoding>>);

/// The encoding of one picture.
pub(crate) enum Choice<'a> {
    Known(ImageEncoding),
    /// The picture tests base64, and the others wait for it.
    Test(MutexGuard<'a, Option<ImageEncoding>>),
}

impl Encoding {
    pub(crate) fn new(base64: bool) -> Self {
        Self(Mutex::new(if base64 { None } else { Some(ImageEncoding::Numbers) }))
    }

    /// The encoding of the next picture. It waits while another picture tests base64.
    pub(crate) fn choose(&self) -> Choice<'_> {
        let encoding = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *encoding {
            Some(known) => Choice::Known(known),
            None => Choice::Test(encoding),
        }
    }
}

impl Choice<'_> {
    /// Writes the picture. Returns whether the write has shown that the tenant refuses base64: the image went as
    /// numbers then, and so do all others.
    pub(crate) fn write(
        &mut self,
        client: &Client,
        write: WriteSheetImage,
    ) -> Result<bool, CallError> {
        let encoding = match self {
            Self::Known(known) => {
                return client.call(&write.with_encoding(*known)).map(|_| false);
            }
            Self::Test(encoding) => encoding,
        };
        let error = match client.call(&write.clone().with_encoding(ImageEncoding::Base64)) {
            Ok(_) => {
                **encoding = Some(ImageEncoding::Base64);
                return Ok(false);
            }
            Err(error) => error,
        };
        let is_refused =
            error.outcome() == Outcome::Refused && error.concerns() == Concerns::Request;
        if !is_refused {
            return Err(error);
        }
        // If the numbers fail too, nothing is known about base64, and the next picture tests it again.
        client.call(&write)?;
        **encoding = Some(ImageEncoding::Numbers);
        Ok(true)
    }
}

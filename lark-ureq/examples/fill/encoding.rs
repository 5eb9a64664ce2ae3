//! How an image is encoded in a cell write: as numbers, or in base64 where the tenant takes it.

use std::sync::{Mutex, PoisonError};

use lark_proto::WriteSheetImage;
use lark_proto::body::ImageEncoding;
use lark_proto::error::{Concerns, Outcome};
use lark_ureq::{CallError, Client};

/// The encoding of a run.
pub(crate) struct Encoding(Mutex<State>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Numbers,
    Base64,
    /// Base64, of which it is not known whether the tenant takes it.
    Untested,
}

/// What a write has shown about the tenant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Nothing,
    /// It refuses base64: the image went as numbers, and so do all others.
    RefusesBase64,
}

impl Encoding {
    pub(crate) fn new(base64: bool) -> Self {
        Self(Mutex::new(if base64 { State::Untested } else { State::Numbers }))
    }

    /// Writes an image. As long as the encoding is untested, writes go one at a time.
    pub(crate) fn write(
        &self,
        client: &Client,
        write: WriteSheetImage,
    ) -> Result<Shown, CallError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *state != State::Untested {
            let write = match *state {
                State::Base64 => write.with_encoding(ImageEncoding::Base64),
                _ => write,
            };
            drop(state);
            return client.call(&write).map(|_| Shown::Nothing);
        }
        let error = match client.call(&write.clone().with_encoding(ImageEncoding::Base64)) {
            Ok(_) => {
                *state = State::Base64;
                return Ok(Shown::Nothing);
            }
            Err(error) => error,
        };
        let is_refused =
            error.outcome() == Outcome::Refused && error.concerns() == Concerns::Request;
        if !is_refused {
            return Err(error);
        }
        // Refused in both forms, the image itself is at fault, and nothing is known about base64.
        client.call(&write)?;
        *state = State::Numbers;
        Ok(Shown::RefusesBase64)
    }
}

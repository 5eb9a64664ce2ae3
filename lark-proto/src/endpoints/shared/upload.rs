//! The form of both endpoints that take an image and return its key.

use crate::api::{Payload, Reply};
use crate::body::{Boundary, Multipart};
use crate::error::{Error, Invalid};
use crate::values::{FileName, Image, ImageKey, ImageRules};

/// A form with the field `image_type` and the file `image`, whose name and content type are those of the image's
/// format.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Upload {
    form: Multipart,
    boundary: Boundary,
}

impl Upload {
    pub(crate) const MAX_BYTES: u64 = ImageRules::UPLOAD_MAX_BYTES;

    pub(crate) fn message(image: Image) -> Result<Self, Invalid> {
        Self::new("message", image)
    }

    pub(crate) fn avatar(image: Image) -> Result<Self, Invalid> {
        Self::new("avatar", image)
    }

    fn new(image_type: &'static str, image: Image) -> Result<Self, Invalid> {
        let image = image.at_most(Self::MAX_BYTES)?;
        let name = FileName::default_for(&image);
        let media_type = image.media_type();
        let form = Multipart::new().text("image_type", image_type).file(
            "image",
            name.as_str(),
            media_type,
            image.bytes().clone(),
        );
        Ok(Self { boundary: form.free_boundary(), form })
    }

    pub(crate) fn with_boundary(self, boundary: &Boundary) -> Result<Self, Invalid> {
        self.form.check(boundary)?;
        Ok(Self { boundary: boundary.clone(), ..self })
    }

    pub(crate) fn payload(&self) -> Payload {
        self.form.encode(&self.boundary)
    }

    pub(crate) fn read(reply: &Reply) -> Result<ImageKey, Error> {
        #[derive(serde::Deserialize)]
        struct Data {
            image_key: ImageKey,
        }
        Ok(reply.data::<Data>()?.image_key)
    }
}

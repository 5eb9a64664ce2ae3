//! Upload an image and get its key, by the older endpoint.

use http::Method;

use super::shared::upload::Upload;
use crate::api::{Endpoint, Payload, Reply, Resend};
use crate::body::Boundary;
use crate::error::{Error, Invalid};
use crate::token::TenantOnly;
use crate::values::{Image, ImageKey};

/// Uploads an image for messages or as an avatar; the result is its [`ImageKey`].
///
/// Prefer the successor of this endpoint, [`CreateImage`](crate::CreateImage), unless the deployment is too old for it.
/// It takes the same form, but its keys are different.
///
/// * Route: `POST /open-apis/image/v4/put/`, with the trailing slash, as documented.
/// * Token: tenant access token only. The app's bot must be enabled.
/// * Limits: 1 byte to 10 MiB ("10MB" on the vendor's page).
/// * Documentation: <https://open.larksuite.com/document/ukTMukTMukTM/uEDO04SM4QjLxgDN>, which Lark lists as a historic
///   version. The error codes are those of the generic table.
///
/// The form has the field `image_type` and the file `image`, whose name and content type are those of the image's
/// format. The boundary is chosen when this value is built, so a second send does not search the image again.
///
/// # Errors
/// [`Code::IMAGE_MISSING`](crate::error::Code::IMAGE_MISSING),
/// [`Code::IMAGE_UPLOAD_FAILED`](crate::error::Code::IMAGE_UPLOAD_FAILED),
/// [`Code::NO_BOT`](crate::error::Code::NO_BOT), [`Code::BOT_OFF`](crate::error::Code::BOT_OFF).
///
/// ```
/// use lark_proto::{EndpointExt, Image, PutImage, Site, TenantToken};
///
/// let image = Image::new("GIF89a..")?;
/// let upload = PutImage::message(image)?;
/// let request = upload.request(&Site::LARK, &TenantToken::new("t-7f1b")?);
/// assert_eq!(request.uri().path(), "/open-apis/image/v4/put/");
///
/// let reply = r#"{"code":0,"data":{"image_key":"fd3a475a"},"msg":"ok"}"#;
/// let reply = http::Response::new(reply.into());
/// assert_eq!(PutImage::decode(reply)?.as_str(), "fd3a475a");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "upload")]
#[doc(alias = "image/v4/put")]
#[doc(alias = "image_key")]
#[doc(alias = "上传图片")]
pub struct PutImage(Upload);

impl PutImage {
    /// The maximum size of an image in bytes.
    pub const MAX_BYTES: u64 = Upload::MAX_BYTES;

    /// An image for messages.
    ///
    /// # Errors
    /// [`InvalidKind::ImageTooLarge`](crate::error::InvalidKind::ImageTooLarge).
    pub fn message(image: Image) -> Result<Self, Invalid> {
        Upload::message(image).map(Self)
    }

    /// An image as an avatar. It cannot be sent in a message.
    ///
    /// # Errors
    /// [`InvalidKind::ImageTooLarge`](crate::error::InvalidKind::ImageTooLarge).
    pub fn avatar(image: Image) -> Result<Self, Invalid> {
        Upload::avatar(image).map(Self)
    }

    /// The same upload, with this boundary.
    ///
    /// # Errors
    /// [`InvalidKind::BoundaryInPart`](crate::error::InvalidKind::BoundaryInPart).
    pub fn with_boundary(self, boundary: &Boundary) -> Result<Self, Invalid> {
        self.0.with_boundary(boundary).map(Self)
    }
}

impl Endpoint for PutImage {
    type Auth = TenantOnly;
    type Output = ImageKey;

    fn method(&self) -> Method {
        Method::POST
    }

    fn route(&self) -> &str {
        "/open-apis/image/v4/put/"
    }

    fn payload(&self) -> Option<Payload> {
        Some(self.0.payload())
    }

    /// A second upload stores the image again, under another key. The first key is then unused.
    fn resend(&self) -> Resend {
        Resend::Safe
    }

    fn read(reply: &Reply) -> Result<ImageKey, Error> {
        Upload::read(reply)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::api::EndpointExt;
    use crate::error::InvalidKind;

    #[test]
    fn the_vendors_sample_reply_is_read() {
        let reply = "{\n\t\"code\": 0,\n\t\"data\": {\n\t\t\"image_key\": \
            \"fd3a475a-0c27-4071-a9a6-8712b84b0cb6\"\n\t},\n\t\"msg\": \"ok\"\n}";
        let key = PutImage::decode(http::Response::new(reply.into())).unwrap();
        assert_eq!(key.as_str(), "fd3a475a-0c27-4071-a9a6-8712b84b0cb6");
    }

    #[test]
    fn an_image_has_at_most_ten_mebibytes() {
        let image =
            |len: u64| Image::any_format(vec![0; usize::try_from(len).unwrap()], "bin").unwrap();
        let kind =
            |result: Result<PutImage, Invalid>| result.map(drop).map_err(|error| error.kind());
        for new in [PutImage::message, PutImage::avatar] {
            assert_eq!(kind(new(image(1))), Ok(()));
            assert_eq!(kind(new(image(PutImage::MAX_BYTES))), Ok(()));
            let too_large = new(image(PutImage::MAX_BYTES + 1));
            assert_eq!(kind(too_large), Err(InvalidKind::ImageTooLarge));
        }
        let error = PutImage::message(image(PutImage::MAX_BYTES + 1)).unwrap_err();
        assert_eq!(error.to_string(), "the image is too large: 10 MiB at most, this has 10.1 MiB");
    }

    #[test]
    fn the_image_is_not_copied() {
        let bytes = Bytes::from(vec![7; 1 << 20]);
        let put = PutImage::message(Image::any_format(bytes.clone(), "bin").unwrap()).unwrap();
        let mut body = put.payload().unwrap().body;
        let chunks = std::iter::from_fn(|| body.next_chunk());
        assert!(chunks.into_iter().any(|chunk| chunk.as_ptr() == bytes.as_ptr()));
    }
}

//! Upload an image and get its key.

use http::Method;

use super::shared::upload::Upload;
use crate::api::{Endpoint, Payload, Quota, Reply, Resend};
use crate::body::Boundary;
use crate::error::{Error, Invalid};
use crate::token::TenantOrUser;
use crate::values::{Image, ImageKey};

/// Uploads an image for messages or as an avatar; the result is its [`ImageKey`].
///
/// * Route: `POST /open-apis/im/v1/images`.
/// * Token: tenant or user access token, with the scope `im:resource` or `im:resource:upload`. The app's bot must be
///   enabled. The vendor's page lists the tenant access token only, and older deployments refuse a user access token
///   with 99991668.
/// * Limits: 1 byte to 10 MiB ("10 MB" on the vendor's page); 12,000 by 12,000 pixels, a GIF 2,000 by 2,000, an avatar
///   4,096 by 4,096. 50 requests a second, 1,000 a minute.
/// * Formats: PNG, JPEG, GIF, WEBP, BMP, ICO, TIFF and HEIC, as Feishu's page lists them. Lark's page does not list
///   HEIC. The service converts TIFF and HEIC to JPEG.
/// * Documentation: <https://open.larksuite.com/document/server-docs/im-v1/image/create>.
///
/// The form has the field `image_type` and the file `image`, whose name and content type are those of the image's
/// format. The boundary is chosen when this value is built, so a second send does not search the image again.
///
/// # Errors
/// [`Code::IM_INVALID_PARAM`](crate::error::Code::IM_INVALID_PARAM),
/// [`Code::IM_TOO_LARGE`](crate::error::Code::IM_TOO_LARGE), [`Code::IM_NO_BOT`](crate::error::Code::IM_NO_BOT),
/// [`Code::IM_FORMAT`](crate::error::Code::IM_FORMAT), [`Code::IM_RESOLUTION`](crate::error::Code::IM_RESOLUTION),
/// [`Code::META_WRITING_STOPPED`](crate::error::Code::META_WRITING_STOPPED).
///
/// ```
/// use lark_proto::{CreateImage, EndpointExt, Image, Site, TenantToken};
///
/// let image = Image::new("GIF89a..")?;
/// let upload = CreateImage::message(image)?;
/// let request = upload.request(&Site::LARK, &TenantToken::new("t-7f1b")?);
/// assert_eq!(request.uri().path(), "/open-apis/im/v1/images");
///
/// let reply = r#"{"code":0,"data":{"image_key":"img_v3_02ab"},"msg":"ok"}"#;
/// let reply = http::Response::new(reply.into());
/// assert_eq!(CreateImage::decode(reply)?.as_str(), "img_v3_02ab");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "upload")]
#[doc(alias = "im/v1/images")]
#[doc(alias = "image_key")]
#[doc(alias = "上传图片")]
pub struct CreateImage(Upload);

impl CreateImage {
    /// The maximum size of an image in bytes.
    pub const MAX_BYTES: u64 = Upload::MAX_BYTES;

    /// An image for messages.
    ///
    /// # Errors
    /// [`InvalidKind::ImageTooLarge`](crate::error::InvalidKind::ImageTooLarge).
    pub fn message(image: Image) -> Result<Self, Invalid> {
        Upload::message(image).map(Self)
    }

    /// An image as an avatar. It can be neither sent in a message nor downloaded.
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

impl Endpoint for CreateImage {
    type Auth = TenantOrUser;
    type Output = ImageKey;

    fn method(&self) -> Method {
        Method::POST
    }

    fn route(&self) -> &str {
        "/open-apis/im/v1/images"
    }

    fn payload(&self) -> Option<Payload> {
        Some(self.0.payload())
    }

    /// A second upload stores the image again, under another key. The first key is then unused.
    fn resend(&self) -> Resend {
        Resend::Safe
    }

    fn quota(&self) -> Quota {
        Quota::per_second(50).and_per_minute(1000)
    }

    fn read(reply: &Reply) -> Result<ImageKey, Error> {
        Upload::read(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::EndpointExt;
    use crate::body::Body;
    use crate::endpoints::PutImage;
    use crate::error::InvalidKind;

    fn image(len: u64) -> Image {
        Image::any_format(vec![0; usize::try_from(len).unwrap()], "bin").unwrap()
    }

    #[test]
    fn the_vendors_sample_reply_is_read() {
        let reply = r#"{"code":0,"data":{"image_key":"img_v2_xxx"},"msg":"success"}"#;
        let key = CreateImage::decode(http::Response::new(reply.into())).unwrap();
        assert_eq!(key.as_str(), "img_v2_xxx");
    }

    #[test]
    fn both_upload_endpoints_send_the_same_form() {
        let body = |payload: Option<Payload>| payload.map(|it| it.body).map(Body::into_bytes);
        for (new, old) in [
            (CreateImage::message(image(1)).unwrap(), PutImage::message(image(1)).unwrap()),
            (CreateImage::avatar(image(1)).unwrap(), PutImage::avatar(image(1)).unwrap()),
        ] {
            assert_eq!(body(new.payload()), body(old.payload()));
        }
    }

    #[test]
    fn an_image_has_at_most_ten_mebibytes() {
        let kind =
            |result: Result<CreateImage, Invalid>| result.map(drop).map_err(|error| error.kind());
        let most = CreateImage::MAX_BYTES;
        for new in [CreateImage::message, CreateImage::avatar] {
            assert_eq!(kind(new(image(most))), Ok(()));
            assert_eq!(kind(new(image(most + 1))), Err(InvalidKind::ImageTooLarge));
        }
    }
}

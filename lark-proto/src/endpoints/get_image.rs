//! Download an image that the app uploaded.

use http::Method;

use super::shared::download::Download;
use super::shared::upload::Upload;
use crate::api::{Endpoint, Path, Quota, Reply};
use crate::error::Error;
use crate::token::TenantOnly;
use crate::values::ImageKey;

/// Downloads an image that the same app uploaded for messages.
///
/// * Route: `GET /open-apis/im/v1/images/:image_key`.
/// * Token: tenant access token only, without a scope. The app's bot must be enabled.
/// * Limits: 50 requests a second, 1,000 a minute. Avatars and images that a user sent cannot be downloaded. An upload
///   has at most 10 MiB, but at most 20 MiB are read, because the service converts TIFF and HEIC to JPEG, which can be
///   larger.
/// * Documentation: <https://open.larksuite.com/document/server-docs/im-v1/image/get>.
///
/// # Errors
/// [`Code::IM_INVALID_PARAM`](crate::error::Code::IM_INVALID_PARAM),
/// [`Code::IM_IMAGE_DELETED`](crate::error::Code::IM_IMAGE_DELETED),
/// [`Code::IM_FOREIGN`](crate::error::Code::IM_FOREIGN), [`Code::IM_NO_BOT`](crate::error::Code::IM_NO_BOT).
/// [`Reply::binary`] tells a file from an error of the service or of a proxy.
///
/// ```
/// use lark_proto::{EndpointExt, Site, TenantToken};
/// use lark_proto::endpoints::GetImage;
///
/// let get = GetImage::new("img_v3_02ab".parse()?);
/// let request = get.request(&Site::LARK, &TenantToken::new("t-7f1b")?);
/// assert_eq!(request.uri().path(), "/open-apis/im/v1/images/img_v3_02ab");
///
/// let reply = http::Response::builder()
///     .header("content-type", "image/gif")
///     .body("GIF89a..".into())?;
/// let image = GetImage::decode(reply)?;
/// assert_eq!(image.bytes, "GIF89a..");
/// assert_eq!(image.content_type.as_deref(), Some("image/gif"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "download")]
#[doc(alias = "im/v1/images")]
#[doc(alias = "下载图片")]
pub struct GetImage {
    key: ImageKey,
}

impl GetImage {
    /// Downloads the image with this key.
    #[must_use]
    pub fn new(key: ImageKey) -> Self {
        Self { key }
    }
}

impl Endpoint for GetImage {
    type Auth = TenantOnly;
    type Output = Download;

    fn method(&self) -> Method {
        Method::GET
    }

    fn route(&self) -> &str {
        "/open-apis/im/v1/images/:image_key"
    }

    fn path(&self) -> Path {
        Path::new(self.route()).segment(self.key.as_str())
    }

    fn quota(&self) -> Quota {
        Quota::per_second(50).and_per_minute(1000)
    }

    fn reply_limit(&self) -> u64 {
        2 * Upload::MAX_BYTES
    }

    fn read(reply: &Reply) -> Result<Download, Error> {
        Download::read(reply)
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::api::EndpointExt;

    #[test]
    fn a_refusal_is_an_error_whatever_its_http_status() {
        for (status, body, code) in [
            (400, r#"{"code":234008,"msg":"The app is not the resource sender."}"#, 234008),
            (400, r#"{"code":234005,"msg":"Image has been deleted"}"#, 234005),
            (401, r#"{"code":234002,"msg":"Unauthorized"}"#, 234002),
            (200, r#"{"code":234001,"msg":"Invalid request param."}"#, 234001),
        ] {
            let mut response = http::Response::new(body.into());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            let error = GetImage::decode(response).unwrap_err();
            assert_eq!(error.api().map(|api| api.code.0), Some(code), "{body}");
        }
    }
}

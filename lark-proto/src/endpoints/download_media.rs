//! Download a file of a document, such as a cell's image.

use http::Method;

use super::shared::download::Download;
use crate::api::{Endpoint, Path, Quota, REPLY_LIMIT, Reply};
use crate::error::{Error, Invalid, InvalidKind};
use crate::token::TenantOrUser;
use crate::values::FileToken;

/// Downloads a file that is stored in a document, such as the image in a spreadsheet's cell.
///
/// * Route: `GET /open-apis/drive/v1/medias/:file_token/download`.
/// * Token: tenant or user access token, with one of the scopes `sheets:spreadsheet:readonly`, `drive:drive:readonly`,
///   `docs:document.media:download`, `sheets:spreadsheet`, `drive:drive`, `docs:doc:readonly`, `docs:doc`,
///   `bitable:app:readonly` and `bitable:app`. The app, or the user, must also have the right to download in the
///   document.
/// * Limits: 5 requests a second, 10,000 a day. This crate does not keep the limit per day. The vendor's page names no
///   limit for the size. At most 20 MiB are read, which is the default limit of
///   [`WriteSheetImage`](crate::WriteSheetImage); [`with_max_bytes`](Self::with_max_bytes) sets another limit.
/// * Documentation: <https://open.larksuite.com/document/server-docs/docs/drive-v1/media/download>.
///
/// # Errors
/// [`Code::DRIVE_PARAM`](crate::error::Code::DRIVE_PARAM),
/// [`Code::DRIVE_NOT_FOUND`](crate::error::Code::DRIVE_NOT_FOUND),
/// [`Code::DRIVE_FORBIDDEN`](crate::error::Code::DRIVE_FORBIDDEN),
/// [`Code::DRIVE_DELETED`](crate::error::Code::DRIVE_DELETED). The vendor's page has only HTTP statuses: 400 for a
/// wrong `extra`, 403 without the right to download, 404 for an unknown token and for a deleted file. The service was
/// seen to send them without a body. [`Reply::binary`] tells a file from an error.
///
/// ```
/// use lark_proto::{EndpointExt, Site, UserToken};
/// use lark_proto::endpoints::DownloadMedia;
///
/// let get = DownloadMedia::new("boxcnabc".parse()?);
/// let request = get.request(&Site::LARK, &UserToken::new("u-7f1b")?);
/// let path = "/open-apis/drive/v1/medias/boxcnabc/download";
/// assert_eq!(request.uri().path(), path);
///
/// let reply = http::Response::builder()
///     .header("content-disposition", "attachment; filename=\"photo.gif\"")
///     .body("GIF89a..".into())?;
/// let file = DownloadMedia::decode(reply)?;
/// assert_eq!(file.file_name.as_deref(), Some("photo.gif"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "drive/v1/medias")]
#[doc(alias = "file_token")]
#[doc(alias = "embed-image")]
#[doc(alias = "下载素材")]
pub struct DownloadMedia {
    file: FileToken,
    extra: Option<String>,
    max_bytes: u64,
}

impl DownloadMedia {
    /// The default maximum size of a file in bytes: 20 MiB.
    pub const DEFAULT_MAX_BYTES: u64 = 20 * 1024 * 1024;

    /// The longest `extra`, in bytes.
    const MAX_EXTRA: usize = 4096;

    /// Downloads the file with this token.
    #[must_use]
    pub fn new(file: FileToken) -> Self {
        Self { file, extra: None, max_bytes: Self::DEFAULT_MAX_BYTES }
    }

    /// Sets the parameter `extra`, a JSON object of at most 4,096 bytes. The service requires it for documents with
    /// special permissions, such as a base with advanced permissions:
    /// `{"bitablePerm":{"tableId":"tbl..","attachments":{..}}}`. The image in a cell needs none.
    ///
    /// # Errors
    /// [`InvalidKind::BadExtra`].
    pub fn with_extra(mut self, json: &str) -> Result<Self, Invalid> {
        let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(json.as_bytes()).is_ok();
        if json.len() > Self::MAX_EXTRA || !json.trim_ascii_start().starts_with('{') || !is_json {
            return Err(Invalid::new(InvalidKind::BadExtra, json));
        }
        self.extra = Some(json.to_owned());
        Ok(self)
    }

    /// Sets the maximum size of a file in bytes. A value below 1 MiB counts as 1 MiB, so that an error of the service
    /// can be read.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes.max(REPLY_LIMIT);
        self
    }
}

impl Endpoint for DownloadMedia {
    type Auth = TenantOrUser;
    type Output = Download;

    fn method(&self) -> Method {
        Method::GET
    }

    fn route(&self) -> &str {
        "/open-apis/drive/v1/medias/:file_token/download"
    }

    fn path(&self) -> Path {
        let path = Path::new(self.route()).segment(self.file.as_str());
        match &self.extra {
            Some(extra) => path.query("extra", extra),
            None => path,
        }
    }

    fn quota(&self) -> Quota {
        Quota::per_second(5)
    }

    fn reply_limit(&self) -> u64 {
        self.max_bytes
    }

    fn read(reply: &Reply) -> Result<Download, Error> {
        Download::read(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media() -> DownloadMedia {
        DownloadMedia::new("boxcnabc".parse().unwrap())
    }

    #[test]
    fn extra_is_a_json_object_of_bounded_length() {
        let long = |len: usize| format!(r#"{{"a":"{}{}"}}"#, "图".repeat(9), "x".repeat(len - 35));
        for good in ["{}", r#" {"a":{"b":["图 &=#?"]}} "#, &long(4096)] {
            let path = media().with_extra(good).unwrap().path();
            assert_eq!(path.check(), Ok(()), "{good}");
            let uri: http::Uri = path.to_string().parse().unwrap();
            let sent = uri.query().unwrap().strip_prefix("extra=").unwrap();
            assert_eq!(crate::text::percent_decoded(sent).as_deref(), Some(good));
        }
        for bad in ["", "[]", "1", "\"{}\"", "{", "{}}", "{a:1}", "{}\0", &long(4097)] {
            let error = media().with_extra(bad).unwrap_err();
            assert_eq!(error.kind(), InvalidKind::BadExtra, "{bad}");
        }
    }

    #[test]
    fn the_caller_can_set_a_size_limit_of_at_least_1_mebibyte() {
        assert_eq!(media().reply_limit(), 20 << 20);
        for (max, limit) in [(0, 1 << 20), (1 << 21, 1 << 21), (u64::MAX, u64::MAX)] {
            assert_eq!(media().with_max_bytes(max).reply_limit(), limit);
        }
    }
}

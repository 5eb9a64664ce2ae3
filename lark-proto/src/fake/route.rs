//! The endpoints and their paths.

use http::Method;

/// An endpoint of the fake.
///
/// Each is served with and without a trailing slash, as the service does; any other path or method
/// gets HTTP 404 in plain text, as seen live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Route {
    /// `POST /open-apis/auth/v3/tenant_access_token/internal`: a custom app's token.
    TenantAccessToken,
    /// `POST /open-apis/auth/v3/app_access_token`: a store app's token of its own.
    AppAccessToken,
    /// `POST /open-apis/auth/v3/tenant_access_token`: a store app's token for a tenant.
    StoreTenantAccessToken,
    /// `POST /open-apis/auth/v3/app_ticket/resend`: has a store app's ticket pushed once more.
    ResendAppTicket,
    /// `POST /open-apis/image/v4/put/`
    ImageV4Put,
    /// `POST /open-apis/im/v1/images`
    ImV1Images,
    /// `POST /open-apis/sheets/v2/spreadsheets/:spreadsheetToken/values_image`
    ValuesImage,
}

impl Route {
    const ALL: [Self; 7] = [
        Self::TenantAccessToken,
        Self::AppAccessToken,
        Self::StoreTenantAccessToken,
        Self::ResendAppTicket,
        Self::ImageV4Put,
        Self::ImV1Images,
        Self::ValuesImage,
    ];

    /// The path as the vendor documents it, with `:name` where a value goes.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::TenantAccessToken => "/open-apis/auth/v3/tenant_access_token/internal",
            Self::AppAccessToken => "/open-apis/auth/v3/app_access_token",
            Self::StoreTenantAccessToken => "/open-apis/auth/v3/tenant_access_token",
            Self::ResendAppTicket => "/open-apis/auth/v3/app_ticket/resend",
            Self::ImageV4Put => "/open-apis/image/v4/put/",
            Self::ImV1Images => "/open-apis/im/v1/images",
            Self::ValuesImage => "/open-apis/sheets/v2/spreadsheets/:spreadsheetToken/values_image",
        }
    }

    /// The endpoint with its spreadsheet token, which is empty where the path has none.
    pub(super) fn of(method: &Method, path: &str) -> Option<(Self, String)> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let is_post = method == Method::POST;
        Self::ALL
            .into_iter()
            .filter(|_| is_post)
            .find_map(|route| Some((route, route.value(path)?)))
    }

    /// The value in `path`, if it is this endpoint's.
    fn value(self, path: &str) -> Option<String> {
        let mut value = String::new();
        let mut segments = path.split('/');
        for expected in self.path().trim_end_matches('/').split('/') {
            let segment = segments.next()?;
            if expected.starts_with(':') && !segment.is_empty() {
                value = percent_decode(segment)?;
            } else if expected != segment {
                return None;
            }
        }
        segments.next().is_none().then_some(value)
    }

    /// It hands out what others take, so that it takes no token itself.
    pub(super) fn is_auth(self) -> bool {
        match self {
            Self::TenantAccessToken
            | Self::AppAccessToken
            | Self::StoreTenantAccessToken
            | Self::ResendAppTicket => true,
            Self::ImageV4Put | Self::ImV1Images | Self::ValuesImage => false,
        }
    }
}

fn percent_decode(segment: &str) -> Option<String> {
    let mut plain = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        plain.push(if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            u8::try_from(high * 16 + low).ok()?
        } else {
            byte
        });
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let sheet = "/open-apis/sheets/v2/spreadsheets";
        let cell = |token: &str| Some((Route::ValuesImage, token.to_owned()));
        let plain = |route| Some((route, String::new()));
        let internal = "/open-apis/auth/v3/tenant_access_token/internal";
        for (path, expected) in [
            (internal.to_owned(), plain(Route::TenantAccessToken)),
            (format!("{internal}/"), plain(Route::TenantAccessToken)),
            (format!("{internal}//"), None),
            (
                "/open-apis/auth/v3/tenant_access_token".to_owned(),
                plain(Route::StoreTenantAccessToken),
            ),
            ("/open-apis/auth/v3/app_access_token/".to_owned(), plain(Route::AppAccessToken)),
            ("/open-apis/auth/v3/app_access_token/internal".to_owned(), None),
            ("/open-apis/auth/v3/app_ticket/resend".to_owned(), plain(Route::ResendAppTicket)),
            ("/open-apis/image/v4/put/".to_owned(), plain(Route::ImageV4Put)),
            ("/open-apis/image/v4/put".to_owned(), plain(Route::ImageV4Put)),
            ("/open-apis/image/v4/get".to_owned(), None),
            ("/open-apis/im/v1/images".to_owned(), plain(Route::ImV1Images)),
            ("/im/v1/images".to_owned(), None),
            (format!("{sheet}/shtcnX/values_image"), cell("shtcnX")),
            (format!("{sheet}/sht%63n%2F%E4%B9%A6/values_image/"), cell("shtcn/书")),
            (format!("{sheet}/a/b/values_image"), None),
            (format!("{sheet}//values_image"), None),
            (format!("{sheet}/a%6/values_image"), None),
            (format!("{sheet}/a%FF/values_image"), None),
            (format!("{sheet}/a%+1/values_image"), None),
            (format!("{sheet}/values_image"), None),
        ] {
            assert_eq!(Route::of(&Method::POST, &path), expected, "{path}");
            assert_eq!(Route::of(&Method::PUT, &path), None, "{path}");
        }
    }
}

//! The endpoints and their paths.

use http::Method;

/// An endpoint of the fake.
///
/// Each is served with and without a trailing slash, as the service does; any other path or method
/// gets HTTP 404 in plain text, as seen live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Route {
    /// `POST /open-apis/auth/v3/tenant_access_token/internal`
    TenantAccessToken,
    /// `POST /open-apis/image/v4/put/`
    ImageV4Put,
    /// `POST /open-apis/im/v1/images`
    ImV1Images,
    /// `POST /open-apis/sheets/v2/spreadsheets/:spreadsheetToken/values_image`
    ValuesImage,
}

impl Route {
    /// The endpoint with its spreadsheet token, which is empty where the path has none.
    pub(super) fn of(method: &Method, path: &str) -> Option<(Self, String)> {
        if method != Method::POST {
            return None;
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        match path.strip_prefix("/open-apis/")? {
            "auth/v3/tenant_access_token/internal" => {
                Some((Self::TenantAccessToken, String::new()))
            }
            "image/v4/put" => Some((Self::ImageV4Put, String::new())),
            "im/v1/images" => Some((Self::ImV1Images, String::new())),
            other => {
                let rest = other.strip_prefix("sheets/v2/spreadsheets/")?;
                let segment = rest.strip_suffix("/values_image")?;
                let is_one = !segment.is_empty() && !segment.contains('/');
                is_one.then(|| percent_decode(segment)).flatten().map(|t| (Self::ValuesImage, t))
            }
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

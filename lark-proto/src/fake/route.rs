//! The routes of the endpoints: their methods and paths.

use http::{Method, Uri};

/// Defines [`Route`] from the table of the endpoints.
macro_rules! routes {
    ($($(#[$doc:meta])* $name:ident = $method:ident $path:literal,)*) => {
        /// An endpoint of the fake.
        ///
        /// Each path is served with and without a trailing slash. Any other path or method gets HTTP 404 in plain text,
        /// as seen live.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Route {
            $($(#[$doc])* #[doc = concat!("`", stringify!($method), " ", $path, "`")] $name,)*
            /// An endpoint that a test adds with [`FakeLark::add_route`](crate::fake::FakeLark::add_route).
            Own {
                /// The method, for example `POST`, in upper or lower case.
                method: &'static str,
                /// The path, with `:name` in place of each value.
                path: &'static str,
            },
        }

        impl Route {
            const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The path as the vendor documents it, with `:name` in place of each value.
            #[must_use]
            pub fn path(self) -> &'static str {
                match self {
                    $(Self::$name => $path,)*
                    Self::Own { path, .. } => path,
                }
            }

            /// The method.
            #[must_use]
            pub fn method(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($method),)*
                    Self::Own { method, .. } => method,
                }
            }
        }
    };
}

routes! {
    /// A custom app's token:
    TenantAccessToken = POST "/open-apis/auth/v3/tenant_access_token/internal",
    /// A store app's app access token:
    AppAccessToken = POST "/open-apis/auth/v3/app_access_token",
    /// A store app's tenant access token:
    StoreTenantAccessToken = POST "/open-apis/auth/v3/tenant_access_token",
    /// A request to push a store app's ticket again:
    ResendAppTicket = POST "/open-apis/auth/v3/app_ticket/resend",
    ImageV4Put = POST "/open-apis/image/v4/put/",
    ImV1Images = POST "/open-apis/im/v1/images",
    ImV1Image = GET "/open-apis/im/v1/images/:image_key",
    Messages = POST "/open-apis/im/v1/messages",
    MessageReply = POST "/open-apis/im/v1/messages/:message_id/reply",
    ValuesImage = POST "/open-apis/sheets/v2/spreadsheets/:spreadsheetToken/values_image",
    Values = GET "/open-apis/sheets/v2/spreadsheets/:spreadsheetToken/values/:range",
    AddDimension = POST "/open-apis/sheets/v2/spreadsheets/:spreadsheetToken/dimension_range",
    UpdateDimension = PUT "/open-apis/sheets/v2/spreadsheets/:spreadsheetToken/dimension_range",
    SheetsQuery = GET "/open-apis/sheets/v3/spreadsheets/:spreadsheet_token/sheets/query",
    WikiNode = GET "/open-apis/wiki/v2/spaces/get_node",
    MediaDownload = GET "/open-apis/drive/v1/medias/:file_token/download",
}

/// The endpoint of a request, with the values in its path and in its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) route: Route,
    values: Vec<String>,
    query: Vec<(String, String)>,
}

impl Target {
    /// The endpoint with this method and path below `base`. The endpoints in `added` come before the fake's own.
    pub(crate) fn of(
        base: &str,
        added: impl Iterator<Item = Route>,
        method: &Method,
        uri: &Uri,
    ) -> Option<Self> {
        let path = uri.path().strip_prefix(base)?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let routes = added.chain(Route::ALL.iter().copied());
        let mut routes =
            routes.filter(|route| method.as_str().eq_ignore_ascii_case(route.method()));
        let (route, values) = routes.find_map(|route| Some((route, route.values(path)?)))?;
        Some(Self { route, values, query: query(uri.query().unwrap_or_default()) })
    }

    /// The value at this position of the path. It is empty if the path has fewer values.
    pub(crate) fn value(&self, at: usize) -> &str {
        self.values.get(at).map_or("", String::as_str)
    }

    /// The first value of this name in the query.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The pairs of a query. A pair that is not percent-encoded UTF-8 is left out.
fn query(text: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((percent_decode(name)?, percent_decode(value)?))
    };
    text.split('&').filter(|pair| !pair.is_empty()).filter_map(pair).collect()
}

impl Route {
    /// The values in `path`, if `path` is that of this endpoint.
    fn values(self, path: &str) -> Option<Vec<String>> {
        let mut values = Vec::new();
        // A test may write the path of its own endpoint without the first slash.
        let path = path.strip_prefix('/')?;
        let mut segments = path.split('/');
        for expected in self.path().trim_matches('/').split('/') {
            let segment = segments.next()?;
            if expected.starts_with(':') && !segment.is_empty() {
                values.push(percent_decode(segment)?);
            } else if expected != segment {
                return None;
            }
        }
        segments.next().is_none().then_some(values)
    }

    /// Whether the requests ask for a token or a ticket, and need no token themselves.
    pub(crate) fn is_auth(self) -> bool {
        matches!(
            self,
            Self::TenantAccessToken
                | Self::AppAccessToken
                | Self::StoreTenantAccessToken
                | Self::ResendAppTicket
        )
    }

    /// Whether a user access token is refused.
    pub(crate) fn is_tenant_only(self) -> bool {
        matches!(self, Self::ImageV4Put | Self::ImV1Image)
    }

    /// Whether a request changes a spreadsheet, which takes one change at a time.
    pub(crate) fn is_sheet_write(self) -> bool {
        matches!(self, Self::ValuesImage | Self::AddDimension | Self::UpdateDimension)
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

    fn find(method: &Method, uri: &Uri) -> Option<Target> {
        Target::of("", std::iter::empty(), method, uri)
    }

    #[test]
    fn a_path_with_or_without_a_slash_chooses_the_route_and_its_values() {
        let sheet = "/open-apis/sheets/v2/spreadsheets";
        let cell = |token: &str| Some((Route::ValuesImage, vec![token.to_owned()]));
        let plain = |route| Some((route, Vec::new()));
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
            let uri: Uri = path.parse().unwrap();
            let found = find(&Method::POST, &uri).map(|target| (target.route, target.values));
            assert_eq!(found, expected, "{path}");
            assert_eq!(find(&Method::PATCH, &uri), None, "{path}");
        }
    }

    #[test]
    fn a_route_is_chosen_by_method_and_path() {
        let route = |method: Method, path: &str| {
            find(&method, &path.parse().unwrap()).map(|target| target.route)
        };
        let dimension = "/open-apis/sheets/v2/spreadsheets/x/dimension_range";
        assert_eq!(route(Method::POST, dimension), Some(Route::AddDimension));
        assert_eq!(route(Method::PUT, dimension), Some(Route::UpdateDimension));
        assert_eq!(route(Method::GET, dimension), None);
        assert_eq!(route(Method::GET, "/open-apis/im/v1/images/img_1"), Some(Route::ImV1Image));
        assert_eq!(route(Method::GET, "/open-apis/im/v1/images"), None);
    }

    #[test]
    fn the_values_and_the_query_are_decoded() {
        let uri =
            "/open-apis/sheets/v2/spreadsheets/x/values/Q7PlXT%21A1%3AB2?a=%E5%9B%BE&b&c=%FF&a=2";
        let target = find(&Method::GET, &uri.parse().unwrap()).unwrap();
        assert_eq!((target.value(0), target.value(1), target.value(2)), ("x", "Q7PlXT!A1:B2", ""));
        let values = ["a", "b", "c", "d"].map(|name| target.query(name));
        assert_eq!(values, [Some("图"), Some(""), None, None]);
    }
}

//! The endpoints that are called through the proxy, and the results that are right for them.

use std::fmt::Debug;
use std::time::SystemTime;

use http::Method;
use lark_proto::body::Multipart;
use lark_proto::endpoints::{
    AddDimension, DownloadMedia, GetAppToken, GetImage, GetStoreTenantToken, GetTenantToken,
    GetWikiNode, MessageSent, QuerySheets, Raw, ReadCells, ResendAppTicket, UpdateDimension,
};
use lark_proto::fake::{FakeLark, Route};
use lark_proto::token::{AppToken, Authorizes, NoToken};
use lark_proto::values::{
    AppId, AppSecret, AppTicket, FileToken, MessageId, MessageUuid, SpreadsheetToken, TenantKey,
};
use lark_proto::{
    CreateImage, Endpoint, EndpointExt, Image, ImageKey, PutImage, ReplyImage, SendImage,
    SheetCell, Site, TenantToken, WriteSheetImage,
};
use serde::de::IgnoredAny;

use crate::support::token;

/// An endpoint that a test calls through a proxy.
pub(super) trait Subject:
    Endpoint<Output: Debug + Send + 'static> + Sized + Send + Sync + 'static
{
    const ROUTE: Route;
    /// Whether the request is sent again although the first send may have been carried out.
    const IS_RESENT: bool = true;
    type Token: Authorizes<Self::Auth>;

    fn token() -> Self::Token;

    /// A request that the fake of a [`Rig`] accepts.
    fn sample(known: &Known) -> Self;

    /// Whether `output` is what the fake has, or what it did last.
    fn is_right(&self, output: &Self::Output, lark: &mut FakeLark) -> bool;
}

/// The initial state of the fake of a [`Rig`].
pub(super) struct Known {
    image: ImageKey,
    file: FileToken,
    message: MessageId,
    app_token: AppToken,
}

impl Known {
    /// Prepares `lark`: an image, a cell with an image, a message, and a token of the store app.
    pub(super) fn prepare(lark: &mut FakeLark) -> Self {
        let image = carry_out(lark, &token(), &CreateImage::message(image()).unwrap());
        let write = WriteSheetImage::new(spreadsheet(), cell("A1"), self::image()).unwrap();
        carry_out(lark, &token(), &write);
        let at = format!("{}!A1", FakeLark::SHEET);
        let file = lark.cell(FakeLark::SPREADSHEET, &at).unwrap().file_token.parse().unwrap();
        let chat = FakeLark::CHAT.parse().unwrap();
        let send = SendImage::new(chat, image.clone(), MessageUuid::new("first").unwrap());
        let message = carry_out(lark, &token(), &send).message_id;
        let (id, secret) = store();
        let ticket = AppTicket::new(FakeLark::APP_TICKET).unwrap();
        let app_token = carry_out(lark, &NoToken, &GetAppToken::new(id, secret, ticket)).token;
        Self { image, file, message, app_token }
    }
}

/// The result of a request over a perfect network.
fn carry_out<E: Endpoint>(
    lark: &mut FakeLark,
    token: &impl Authorizes<E::Auth>,
    endpoint: &E,
) -> E::Output {
    #[expect(clippy::disallowed_methods, reason = "the fake server also passes this time")]
    let now = SystemTime::now();
    E::decode(lark.handle(now, endpoint.request(&Site::LARK, token))).unwrap()
}

pub(super) fn image() -> Image {
    Image::new("GIF89a..").unwrap()
}

fn spreadsheet() -> SpreadsheetToken {
    FakeLark::SPREADSHEET.parse().unwrap()
}

fn cell(at: &str) -> SheetCell {
    format!("{}!{at}", FakeLark::SHEET).parse().unwrap()
}

fn store() -> (AppId, AppSecret) {
    let id = AppId::new(FakeLark::STORE_APP_ID).unwrap();
    (id, AppSecret::new(FakeLark::STORE_APP_SECRET).unwrap())
}

/// Whether `key` is that of the last upload.
fn is_last_image(key: &str, lark: &FakeLark) -> bool {
    let number = format!("{:012x}", lark.images().count());
    let stored = lark.image(key).is_some_and(|stored| stored.bytes == *image().bytes());
    stored && key.contains(&number)
}

/// Whether `sent` is the last message.
fn is_last_message(sent: &MessageSent, lark: &FakeLark) -> bool {
    lark.messages().last().is_some_and(|last| last.message_id == sent.message_id.as_str())
}

/// Whether the service accepts `token`.
fn is_accepted(token: &TenantToken, lark: &mut FakeLark) -> bool {
    let sheets = carry_out(lark, token, &QuerySheets::new(spreadsheet()));
    sheets.by_id(FakeLark::SHEET).is_some()
}

fn uuid() -> MessageUuid {
    MessageUuid::new("of-the-test").unwrap()
}

/// Defines the subjects, each by its route, its token, a request, and the results that are right.
macro_rules! subjects {
    ($($endpoint:ty as $route:ident, $token:ident, $is_resent:literal,
        |$known:pat_param| $request:expr,
        |$call:pat_param, $output:pat_param, $lark:pat_param| $is_right:expr;)*) => {
        $(impl Subject for $endpoint {
            const ROUTE: Route = Route::$route;
            const IS_RESENT: bool = $is_resent;
            type Token = tokens::$token::Token;

            fn token() -> Self::Token {
                tokens::$token::token()
            }

            fn sample($known: &Known) -> Self {
                $request
            }

            fn is_right(&self, $output: &Self::Output, $lark: &mut FakeLark) -> bool {
                let $call = self;
                $is_right
            }
        })*

        /// Runs `$visit` with each subject.
        pub(super) fn visit_all(visitor: &mut impl Visitor) {
            $(visitor.visit::<$endpoint>(stringify!($endpoint));)*
        }
    };
}

/// The kinds of token of the subjects.
mod tokens {
    pub(super) mod tenant {
        pub(in super::super) type Token = lark_proto::TenantToken;

        pub(in super::super) fn token() -> Token {
            crate::support::token()
        }
    }

    pub(super) mod none {
        pub(in super::super) type Token = lark_proto::token::NoToken;

        pub(in super::super) fn token() -> Token {
            lark_proto::token::NoToken
        }
    }
}

/// A test of every subject.
pub(super) trait Visitor {
    fn visit<S: Subject>(&mut self, name: &'static str);
}

type Unsafe = Raw<IgnoredAny>;

subjects! {
    CreateImage as ImV1Images, tenant, true,
        |_| Self::message(image()).unwrap(),
        |_, key, lark| is_last_image(key.as_str(), lark);
    PutImage as ImageV4Put, tenant, true,
        |_| Self::message(image()).unwrap(),
        |_, key, lark| is_last_image(key.as_str(), lark);
    WriteSheetImage as ValuesImage, tenant, true,
        |_| Self::new(spreadsheet(), cell("H7"), image()).unwrap(),
        |_, written, lark| {
            let cell = written.range.as_deref();
            cell.and_then(|at| lark.cell(FakeLark::SPREADSHEET, at)).is_some_and(|cell| {
                let revision = i64::try_from(cell.revision).ok();
                written.revision == revision && cell.bytes == *image().bytes()
            })
        };
    GetImage as ImV1Image, tenant, true,
        |known| Self::new(known.image.clone()),
        |call, download, lark| *download == carry_out(lark, &token(), call);
    DownloadMedia as MediaDownload, tenant, true,
        |known| Self::new(known.file.clone()),
        |call, download, lark| *download == carry_out(lark, &token(), call);
    SendImage as Messages, tenant, true,
        |known| Self::new(FakeLark::CHAT.parse().unwrap(), known.image.clone(), uuid()),
        |_, sent, lark| is_last_message(sent, lark);
    ReplyImage as MessageReply, tenant, true,
        |known| Self::new(known.message.clone(), known.image.clone(), uuid()),
        |_, sent, lark| is_last_message(sent, lark);
    ReadCells as Values, tenant, true,
        |_| Self::cell(spreadsheet(), &cell("A1")),
        |call, cells, lark| *cells == carry_out(lark, &token(), call);
    QuerySheets as SheetsQuery, tenant, true,
        |_| Self::new(spreadsheet()),
        |call, sheets, lark| *sheets == carry_out(lark, &token(), call);
    GetWikiNode as WikiNode, tenant, true,
        |_| Self::new(FakeLark::WIKI_NODE.parse().unwrap()),
        |call, node, lark| *node == carry_out(lark, &token(), call);
    UpdateDimension as UpdateDimension, tenant, true,
        |_| Self::row_height(spreadsheet(), FakeLark::SHEET.parse().unwrap(), 3..=4, 99).unwrap(),
        |_, (), lark| {
            let sheet = lark.sheet(FakeLark::SPREADSHEET, FakeLark::SHEET).unwrap();
            sheet.row_height(4) == Some(99)
        };
    AddDimension as AddDimension, tenant, false,
        |_| Self::rows(spreadsheet(), FakeLark::SHEET.parse().unwrap(), 3).unwrap(),
        |_, added, _| added.count == Some(3);
    Unsafe as ImV1Images, tenant, false,
        |_| {
            let form = Multipart::new().text("image_type", "message").file(
                "image",
                "a.gif",
                "image/gif",
                image().bytes().clone(),
            );
            Self::new(Method::POST, Route::ImV1Images.path()).with_payload(form.payload())
        },
        |_, _, _| true;
    GetTenantToken as TenantAccessToken, none, true,
        |_| {
            let id = AppId::new(FakeLark::APP_ID).unwrap();
            Self::new(id, AppSecret::new(FakeLark::APP_SECRET).unwrap())
        },
        |_, grant, lark| is_accepted(&grant.token, lark);
    GetAppToken as AppAccessToken, none, true,
        |_| {
            let (id, secret) = store();
            Self::new(id, secret, AppTicket::new(FakeLark::APP_TICKET).unwrap())
        },
        |_, grant, lark| {
            let tenant = TenantKey::new(FakeLark::TENANT_KEY).unwrap();
            let get = GetStoreTenantToken::new(grant.token.clone(), tenant);
            is_accepted(&carry_out(lark, &NoToken, &get).token, lark)
        };
    GetStoreTenantToken as StoreTenantAccessToken, none, true,
        |known| {
            let tenant = TenantKey::new(FakeLark::TENANT_KEY).unwrap();
            Self::new(known.app_token.clone(), tenant)
        },
        |_, grant, lark| is_accepted(&grant.token, lark);
    ResendAppTicket as ResendAppTicket, none, true,
        |_| {
            let (id, secret) = store();
            Self::new(id, secret)
        },
        |_, (), _| true;
}

//! The request of a call.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use lark_proto::endpoints::{Payload, Reply, Resend, SheetImageWritten};
use lark_proto::fake::{FakeLark, Route};
use lark_proto::session::{AnyCall, Call};
use lark_proto::token::TenantOnly;
use lark_proto::{
    Endpoint, EndpointExt, Error, Image, ImageKey, Limits, PutImage, UserToken, WriteSheetImage,
};

use crate::fixtures::{ONE, tenant};
use crate::sim::Cut;

/// Uploads an image by a request that is not idempotent.
#[derive(Debug)]
pub(crate) struct PostOnce(PutImage);

impl Endpoint for PostOnce {
    type Auth = TenantOnly;
    type Output = Posted;

    fn method(&self) -> Method {
        Method::POST
    }

    fn route(&self) -> &str {
        Route::ImV1Images.path()
    }

    fn payload(&self) -> Option<Payload> {
        self.0.payload()
    }

    fn resend(&self) -> Resend {
        Resend::Unsafe
    }

    fn read(reply: &Reply) -> Result<Posted, Error> {
        reply.data()
    }
}

#[derive(Debug, serde::Deserialize)]
pub(crate) struct Posted {
    image_key: String,
}

/// The place of the image that a call reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Image(String),
    Cell(String, String),
}

impl From<ImageKey> for Written {
    fn from(key: ImageKey) -> Self {
        Self::Image(key.as_str().to_owned())
    }
}

impl From<Posted> for Written {
    fn from(posted: Posted) -> Self {
        Self::Image(posted.image_key)
    }
}

impl From<SheetImageWritten> for Written {
    fn from(written: SheetImageWritten) -> Self {
        Self::Cell(written.spreadsheet_token, written.range.unwrap_or_default())
    }
}

/// The token that a call uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    /// The session's token for this tenant; a custom app has only tenant 0.
    Own(usize),
    /// The token of this user.
    User(usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Put,
    Once,
    /// A write to this spreadsheet.
    Write(usize),
}

/// The limits of a call. The fields of [`Limits`] are private.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) attempts: u32,
    pub(crate) total: Option<Duration>,
    pub(crate) longest_wait: Duration,
    pub(crate) busy: Duration,
}

impl Bounds {
    pub(crate) const DEFAULT: Self = Self {
        attempts: 4,
        total: None,
        longest_wait: Duration::from_secs(60),
        busy: Duration::from_secs(120),
    };

    pub(crate) fn total(&self) -> Duration {
        // The default for the small bodies of these tests.
        self.total.unwrap_or(Duration::from_secs(600))
    }

    fn limits(&self) -> Limits {
        let limits = Limits::default().attempts(self.attempts).longest_wait(self.longest_wait);
        let limits = limits.busy(self.busy);
        self.total.map_or(limits, |total| limits.total(total))
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) account: Account,
    pub(crate) bounds: Bounds,
}

/// A call's request, with an image that no other call writes.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) plan: Plan,
    image: Bytes,
    job: Job,
}

#[derive(Debug)]
enum Job {
    Put(PutImage),
    Once(PostOnce),
    Write(WriteSheetImage),
}

impl Work {
    pub(crate) fn new(number: usize, plan: Plan) -> Self {
        let image = Image::new(format!("GIF89a\x01\0\x01\0 image {number} of the test")).unwrap();
        let bytes = image.bytes().clone();
        let job = match plan.kind {
            Kind::Put => Job::Put(PutImage::message(image).unwrap()),
            Kind::Once => Job::Once(PostOnce(PutImage::message(image).unwrap())),
            Kind::Write(sheet) => {
                let cell = format!("{}!A{}", FakeLark::SHEET, number + 1).parse().unwrap();
                let spreadsheet = SPREADSHEETS[sheet].parse().unwrap();
                Job::Write(WriteSheetImage::new(spreadsheet, cell, image).unwrap())
            }
        };
        Self { plan, image: bytes, job }
    }

    pub(crate) fn route(&self) -> Route {
        match self.plan.kind {
            Kind::Put => Route::ImageV4Put,
            Kind::Once => Route::ImV1Images,
            Kind::Write(_) => Route::ValuesImage,
        }
    }

    /// The spreadsheet of a write.
    pub(crate) fn sheet(&self) -> Option<usize> {
        match self.plan.kind {
            Kind::Write(sheet) => Some(sheet),
            Kind::Put | Kind::Once => None,
        }
    }

    pub(crate) fn is_unsafe(&self) -> bool {
        matches!(self.plan.kind, Kind::Once)
    }

    pub(crate) fn call(&self, is_store: bool, jitter: u64) -> Box<dyn AnyCall<Written, Cut>> {
        match &self.job {
            Job::Put(put) => self.own(put, is_store, jitter),
            Job::Once(once) => self.own(once, is_store, jitter),
            Job::Write(write) => match self.plan.account {
                Account::Own(_) => self.own(write, is_store, jitter),
                Account::User(user) => {
                    let token = UserToken::new(&user_token(user)).unwrap();
                    self.finish(Call::with_token(&token, write), jitter)
                }
            },
        }
    }

    fn own<E>(&self, endpoint: &E, is_store: bool, jitter: u64) -> Box<dyn AnyCall<Written, Cut>>
    where
        E: Endpoint<Output: Into<Written> + 'static>,
        lark_proto::TenantToken: lark_proto::token::Authorizes<E::Auth>,
    {
        let call = match self.plan.account {
            Account::Own(number) if is_store => Call::for_tenant(tenant(TENANTS[number]), endpoint),
            _ => Call::new(endpoint),
        };
        self.finish(call, jitter)
    }

    fn finish<O: Into<Written> + 'static>(
        &self,
        call: Call<O, Cut>,
        jitter: u64,
    ) -> Box<dyn AnyCall<Written, Cut>> {
        call.with_limits(self.plan.bounds.limits()).with_jitter(jitter).with_events().boxed()
    }

    /// The error that the endpoint reads from a reply, if there is one.
    pub(crate) fn verdict(&self, reply: &Response<Bytes>) -> Result<(), Error> {
        match self.job {
            Job::Put(_) => PutImage::decode(reply.clone()).map(|_| ()),
            Job::Once(_) => PostOnce::decode(reply.clone()).map(|_| ()),
            Job::Write(_) => WriteSheetImage::decode(reply.clone()).map(|_| ()),
        }
    }

    /// The number of images or cells of the fake that hold the image.
    pub(crate) fn stored(&self, lark: &FakeLark) -> usize {
        match self.sheet() {
            Some(sheet) => {
                let cells = lark.cells(SPREADSHEETS[sheet]);
                cells.filter(|(_, cell)| cell.bytes == self.image).count()
            }
            None => lark.images().filter(|(_, stored)| stored.bytes == self.image).count(),
        }
    }

    /// Whether the fake has stored the image at the reported place.
    pub(crate) fn is_stored(&self, written: &Written, lark: &FakeLark) -> bool {
        match written {
            Written::Image(key) => lark.image(key).is_some_and(|it| it.bytes == self.image),
            Written::Cell(token, range) => {
                self.sheet().is_some_and(|sheet| SPREADSHEETS[sheet] == token)
                    && lark.cell(token, range).is_some_and(|it| it.bytes == self.image)
            }
        }
    }
}

pub(crate) const SPREADSHEETS: [&str; 3] = ["shtcn0", "shtcn1", "shtcn2"];

pub(crate) fn user_token(number: usize) -> String {
    format!("u-user-{number}")
}

/// The tenants of the store app.
pub(crate) const TENANTS: [&str; 2] = [ONE, "tenant-1"];

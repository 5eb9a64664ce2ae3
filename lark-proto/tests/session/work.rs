//! What the calls do, and calls of any kind behind one face.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, Response};
use lark_proto::fake::{FakeLark, Route};
use lark_proto::{
    App, Call, CallError, Endpoint, Error, Failure, Image, ImageKey, Limits, Payload, PutImage,
    Reply, Resend, Session, SheetImageWritten, Site, Step, TenantOnly, WriteSheetImage,
};

/// The transport's error.
#[derive(Debug)]
pub(crate) struct Cut;

/// Uploads an image, and must not do so twice.
#[derive(Debug)]
pub(crate) struct PostOnce(PutImage);

impl Endpoint for PostOnce {
    type Auth = TenantOnly;
    type Output = Posted;

    fn method(&self) -> Method {
        Method::POST
    }

    fn route(&self) -> &str {
        "/open-apis/im/v1/images"
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

/// What a call reports to have written.
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

/// What a call is to write: an image that no other call writes.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) image: Bytes,
    job: Job,
}

#[derive(Debug)]
enum Job {
    Put(PutImage),
    Once(PostOnce),
    Write(WriteSheetImage, String),
}

fn image(number: usize) -> Image {
    Image::new(format!("GIF89a image {number} of the test")).unwrap()
}

impl Work {
    fn new(number: usize, job: Job) -> Self {
        Self { image: image(number).bytes().clone(), job }
    }

    pub(crate) fn put(number: usize) -> Self {
        Self::new(number, Job::Put(PutImage::message(image(number)).unwrap()))
    }

    pub(crate) fn once(number: usize) -> Self {
        Self::new(number, Job::Once(PostOnce(PutImage::message(image(number)).unwrap())))
    }

    /// A write to a cell of its own in one of the spreadsheets that [`lark`] has.
    pub(crate) fn write(number: usize, sheet: usize) -> Self {
        let token = spreadsheet(sheet);
        let cell = format!("{}!A{}", FakeLark::SHEET, number + 1).parse().unwrap();
        let write = WriteSheetImage::new(token.parse().unwrap(), cell, image(number)).unwrap();
        Self::new(number, Job::Write(write, token))
    }

    pub(crate) fn route(&self) -> Route {
        match self.job {
            Job::Put(_) => Route::ImageV4Put,
            Job::Once(_) => Route::ImV1Images,
            Job::Write(..) => Route::ValuesImage,
        }
    }

    /// The spreadsheet that it writes to.
    pub(crate) fn lane(&self) -> Option<&str> {
        match &self.job {
            Job::Write(_, spreadsheet) => Some(spreadsheet),
            _ => None,
        }
    }

    pub(crate) fn is_once(&self) -> bool {
        matches!(self.job, Job::Once(_))
    }

    pub(crate) fn call(&self, session: &Session, limits: Limits) -> Box<dyn Machine + '_> {
        match &self.job {
            Job::Put(put) => Box::new(session.call(put).limits(limits)),
            Job::Once(once) => Box::new(session.call(once).limits(limits)),
            Job::Write(write, _) => Box::new(session.call(write).limits(limits)),
        }
    }

    /// How often the fake stored the image.
    pub(crate) fn stored(&self, lark: &FakeLark) -> usize {
        match self.lane() {
            Some(lane) => lark.cells(lane).filter(|(_, cell)| cell.bytes == self.image).count(),
            None => lark.images().filter(|(_, stored)| stored.bytes == self.image).count(),
        }
    }

    /// The image is where the call says that it is.
    pub(crate) fn is_stored(&self, written: &Written, lark: &FakeLark) -> bool {
        match written {
            Written::Image(key) => lark.image(key).is_some_and(|it| it.bytes == self.image),
            Written::Cell(spreadsheet, range) => {
                self.lane() == Some(spreadsheet)
                    && lark.cell(spreadsheet, range).is_some_and(|it| it.bytes == self.image)
            }
        }
    }
}

/// A call, whatever its endpoint.
pub(crate) trait Machine {
    fn next(&mut self, session: &mut Session, now: SystemTime) -> Step<Written, Cut>;
    fn received(&mut self, session: &mut Session, now: SystemTime, reply: Response<Bytes>);
    fn broken(&mut self, session: &mut Session, now: SystemTime, why: Failure<Cut>, pulled: u64);
    fn cancel(&mut self, session: &mut Session);
    fn attempts(&self) -> u32;
}

impl<E: Endpoint<Output: Into<Written>>> Machine for Call<'_, E, Cut> {
    fn next(&mut self, session: &mut Session, now: SystemTime) -> Step<Written, Cut> {
        match self.next(session, now) {
            Step::Send { request, within } => Step::Send { request, within },
            Step::Wait(time) => Step::Wait(time),
            Step::Park(time) => Step::Park(time),
            Step::Done(result) => Step::Done(result.map(Into::into)),
        }
    }

    fn received(&mut self, session: &mut Session, now: SystemTime, reply: Response<Bytes>) {
        self.received(session, now, reply);
    }

    fn broken(&mut self, session: &mut Session, now: SystemTime, why: Failure<Cut>, pulled: u64) {
        self.broken(session, now, why, pulled);
    }

    fn cancel(&mut self, session: &mut Session) {
        self.cancel(session);
    }

    fn attempts(&self) -> u32 {
        self.attempts()
    }
}

/// How many spreadsheets [`lark`] has.
pub(crate) const SPREADSHEETS: usize = 3;

fn spreadsheet(number: usize) -> String {
    format!("shtcn{}", number % SPREADSHEETS)
}

pub(crate) fn lark() -> FakeLark {
    let mut lark = FakeLark::new();
    for number in 0..SPREADSHEETS {
        lark.add_spreadsheet(&spreadsheet(number), &[FakeLark::SHEET]);
    }
    lark
}

pub(crate) fn session() -> Session {
    Session::new(Site::LARK, App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap())
}

pub(crate) fn limits(attempts: u32, total: u64, longest_wait: u64) -> Limits {
    let mut limits = Limits::default();
    limits.attempts = attempts;
    limits.total = Duration::from_secs(total);
    limits.longest_wait = Duration::from_secs(longest_wait);
    limits
}

/// Results by kind, for a test's message.
pub(crate) fn tally<'a>(
    results: impl Iterator<Item = &'a Result<Written, CallError<Cut>>>,
) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for result in results {
        let kind = match result {
            Ok(_) => "ok".to_owned(),
            Err(error) => match &error.kind {
                Failure::Lark(Error::Api(api)) => format!("{} {}", error.route, api.code),
                Failure::Lark(Error::Unreadable(it)) => format!("{} {}", error.route, it.status),
                kind => format!("{} {kind:?}", error.route),
            },
        };
        *tally.entry(kind).or_default() += 1;
    }
    tally
}

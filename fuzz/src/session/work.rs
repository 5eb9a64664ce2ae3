//! The calls of a schedule, and the replies of the service.

use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::{Response, StatusCode};
use lark_proto::endpoints::{
    AddDimension, Cells, DimensionAdded, MessageSent, ReadCells, SendImage, SheetImageWritten,
};
use lark_proto::session::{AnyCall, Call, Event};
use lark_proto::values::{MessageUuid, TenantKey};
use lark_proto::{Image, ImageKey, Limits, PutImage, UserToken, WriteSheetImage};

use serde_json::Value;
use tracing::Level;

use super::{Answer, Setup, log};

/// The error of the transport.
#[derive(Debug)]
pub(super) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection broke")
    }
}

impl std::error::Error for Cut {}

/// The output of any call.
#[derive(Debug)]
pub(super) struct Output;

impl From<ImageKey> for Output {
    fn from(_: ImageKey) -> Self {
        Self
    }
}

impl From<SheetImageWritten> for Output {
    fn from(_: SheetImageWritten) -> Self {
        Self
    }
}

impl From<DimensionAdded> for Output {
    fn from(_: DimensionAdded) -> Self {
        Self
    }
}

impl From<Cells> for Output {
    fn from(_: Cells) -> Self {
        Self
    }
}

impl From<MessageSent> for Output {
    fn from(_: MessageSent) -> Self {
        Self
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Kind {
    Put,
    Send,
    Read(bool),
    /// A write to one of two spreadsheets.
    Write(bool),
    /// A write that is not idempotent.
    Add(bool),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) kind: Kind,
    /// Whether the call brings a token of its own, which some endpoints accept.
    is_user: bool,
    pub(super) tenant: bool,
    attempts: u8,
    total: Option<u8>,
    longest_wait: Option<u8>,
    busy: Option<u8>,
}

impl Plan {
    pub(super) fn sheet(&self) -> Option<bool> {
        match self.kind {
            Kind::Write(sheet) | Kind::Add(sheet) => Some(sheet),
            _ => None,
        }
    }

    pub(super) fn is_unsafe(&self) -> bool {
        matches!(self.kind, Kind::Add(_))
    }

    /// Whether the call uses a token that it brings.
    pub(super) fn has_own_token(&self) -> bool {
        self.is_user && matches!(self.kind, Kind::Read(_) | Kind::Write(_) | Kind::Add(_))
    }

    pub(super) fn attempts(&self) -> u32 {
        u32::from(self.attempts % 6)
    }

    pub(super) fn total(&self) -> Duration {
        Duration::from_secs(self.total.map_or(600, u64::from))
    }

    pub(super) fn call(&self, setup: Setup) -> Box<dyn AnyCall<Output, Cut>> {
        let image = Image::new("GIF89a").unwrap();
        let sheet = |is_other| if is_other { "shtB" } else { "shtA" }.parse().unwrap();
        let cell = "a!B2".parse().unwrap();
        let key = ImageKey::new("img_1").unwrap();
        match self.kind {
            Kind::Put => self.boxed(setup, &PutImage::message(image).unwrap()),
            Kind::Send => {
                let uuid = MessageUuid::new("u-1").unwrap();
                self.boxed(setup, &SendImage::new("oc_a".parse().unwrap(), key, uuid))
            }
            Kind::Read(other) => self.with_any_token(setup, &ReadCells::cell(sheet(other), &cell)),
            Kind::Write(other) => {
                let write = WriteSheetImage::new(sheet(other), cell, image).unwrap();
                self.with_any_token(setup, &write)
            }
            Kind::Add(other) => {
                let add = AddDimension::rows(sheet(other), "a".parse().unwrap(), 3).unwrap();
                self.with_any_token(setup, &add)
            }
        }
    }

    fn with_any_token<E>(&self, setup: Setup, endpoint: &E) -> Box<dyn AnyCall<Output, Cut>>
    where
        E: lark_proto::Endpoint<Auth = lark_proto::token::TenantOrUser>,
        E::Output: Into<Output> + 'static,
    {
        if !self.has_own_token() {
            return self.boxed(setup, endpoint);
        }
        let token = UserToken::new(USER_TOKEN).unwrap();
        self.limited(setup, Call::with_token(&token, endpoint)).boxed()
    }

    fn boxed<E>(&self, setup: Setup, endpoint: &E) -> Box<dyn AnyCall<Output, Cut>>
    where
        E: lark_proto::Endpoint,
        E::Output: Into<Output> + 'static,
        lark_proto::TenantToken: lark_proto::token::Authorizes<E::Auth>,
    {
        let call = if setup.is_store {
            let tenant = if self.tenant { "tenant-2" } else { "tenant-1" };
            Call::for_tenant(TenantKey::new(tenant).unwrap(), endpoint)
        } else {
            Call::new(endpoint)
        };
        self.limited(setup, call).boxed()
    }

    fn limited<O>(&self, setup: Setup, call: Call<O, Cut>) -> Call<O, Cut> {
        let mut limits = Limits::default().attempts(self.attempts());
        if self.total.is_some() {
            // The time that earlier calls under a shared deadline took.
            let spent = Duration::from_secs(self.attempts.into());
            limits = limits.total(self.total() + spent).after(spent);
        }
        if let Some(wait) = self.longest_wait {
            limits = limits.longest_wait(Duration::from_secs(wait.into()));
        }
        if let Some(busy) = self.busy {
            limits = limits.busy(Duration::from_secs(busy.into()));
        }
        call.with_limits(limits).with_jitter(setup.jitter).with_events()
    }
}

pub(super) const APP_SECRET: &str = "Zm9vYmFyYmF6cXV4";
pub(super) const TICKET: &str = "ticket-9f8e7d6c";
pub(super) const USER_TOKEN: &str = "u-user-0123456789";
/// The beginning of each token that the service grants.
pub(super) const GRANTED: &str = "t-granted-01234567";
pub(super) const GRANTED_APP: &str = "a-granted-01234567";

/// Checks the events of a step: each is one short line, also in a log, and shows no secret.
pub(super) fn assert_events(events: &[Event]) {
    for event in events {
        assert_discreet(event);
        let line = event.to_string();
        assert_text(&line);
        assert!(line.len() < 1100 && !line.contains(char::is_control), "{line:?}");
        let is_warning = matches!(event, Event::Refused { .. } | Event::Failed { .. });
        let level = if is_warning { Level::WARN } else { Level::DEBUG };
        assert_eq!(log::levels(|| event.trace()), [level]);
    }
}

/// Checks that no secret is in what is printed of the value.
pub(super) fn assert_discreet(value: &impl std::fmt::Debug) {
    let text = format!("{value:?}");
    assert_text(&text);
}

pub(super) fn assert_text(text: &str) {
    for secret in [APP_SECRET, TICKET, USER_TOKEN, GRANTED, GRANTED_APP] {
        assert!(!text.contains(secret), "a secret is shown: {text}");
    }
}

/// Whether the reply refuses a request because of a rate limit or a busy document, which costs no attempt.
pub(super) fn is_free(answer: &Answer) -> bool {
    match answer {
        Answer::RateLimit { .. } => true,
        Answer::Code { code, status, .. } => {
            STATUSES[usize::from(*status) % STATUSES.len()] == 429
                || matches!(CODES[usize::from(*code) % CODES.len()], 90_217 | 90_235)
        }
        Answer::Html(status) => STATUSES[usize::from(*status) % STATUSES.len()] == 429,
        Answer::Quote(code) => matches!(CODES[usize::from(*code) % CODES.len()], 90_217 | 90_235),
        // The bytes may be a refusal of any kind.
        Answer::Any(..) => true,
        Answer::Success { .. } => false,
    }
}

/// Whether the reply leaves open whether the request was carried out.
pub(super) fn is_unknown(answer: &Answer) -> bool {
    match answer {
        Answer::Html(status) => {
            matches!(STATUSES[usize::from(*status) % STATUSES.len()], 502 | 504)
        }
        Answer::Code { code, .. } | Answer::Quote(code) => {
            matches!(CODES[usize::from(*code) % CODES.len()], 90_235 | 2200)
        }
        _ => false,
    }
}

const STATUSES: [u16; 8] = [200, 400, 401, 429, 500, 502, 503, 504];

const CODES: [i64; 12] = [
    99_991_663, 99_991_664, 99_991_665, 90_217, 90_235, 2200, 10_012, 10_014, 90_204, 99_991_672,
    230_002, 42,
];

/// The reply with this meaning. A granted token has this number, and `secrets` are those of the request.
pub(super) fn reply(answer: &Answer, number: u32, secrets: &str) -> Response<Bytes> {
    let status = |choice: u8| STATUSES[usize::from(choice) % STATUSES.len()];
    let code = |choice: u8| CODES[usize::from(choice) % CODES.len()];
    let mut after = None;
    let mut reset = None;
    let (status, body) = match answer {
        Answer::Success { life } => (200, success(*life, number)),
        Answer::Code { code: choice, status: of, after: wait } => {
            after = *wait;
            (status(*of), format!(r#"{{"code":{},"msg":"no"}}"#, code(*choice)))
        }
        Answer::RateLimit { status: of, reset: wait } => {
            reset = *wait;
            (if of % 2 == 0 { 400 } else { 429 }, r#"{"code":99991400,"msg":"limit"}"#.to_owned())
        }
        Answer::Html(of) => (status(*of), "<html>".to_owned()),
        Answer::Quote(choice) => {
            (400, format!(r#"{{"code":{},"msg":"no {secrets}"}}"#, code(*choice)))
        }
        Answer::Any(of, body) => {
            let body = String::from_utf8_lossy(body).into_owned();
            (status(*of), body)
        }
    };
    let mut reply = Response::new(Bytes::from(body));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap();
    if let Some(after) = after {
        reply.headers_mut().insert("retry-after", u64::from(after).into());
    }
    if let Some(reset) = reset {
        reply.headers_mut().insert("x-ogw-ratelimit-reset", u64::from(reset).into());
    }
    reply
}

/// The secrets in the body of a token request, separated by spaces.
pub(super) fn secrets_in(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let names = ["app_secret", "app_ticket", "app_access_token"];
    let secrets: Vec<_> = names.iter().filter_map(|name| body[*name].as_str()).collect();
    secrets.join(" ")
}

/// A success of any endpoint.
fn success(life: u16, number: u32) -> String {
    format!(
        r#"{{"code":0,"msg":"ok","expire":{life},"tenant_access_token":"{GRANTED}{number}",
        "app_access_token":"{GRANTED_APP}{number}","data":{{"image_key":"img_1","message_id":"om_1",
        "spreadsheetToken":"shtA","revision":3,"addCount":3,"majorDimension":"ROWS",
        "valueRange":{{"values":[["x"]]}}}}}}"#
    )
}

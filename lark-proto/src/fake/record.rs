//! The records of the requests that the fake has answered.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::SystemTime;

use http::header::{AUTHORIZATION, Entry, HeaderValue};
use http::{HeaderMap, Method, StatusCode, Uri};
use memchr::memmem;

use super::readers::header::bearer;
use super::route::Route;

/// An answered request; see [`FakeLark::requests`](super::FakeLark::requests).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// The endpoint. It is `None` if the fake has no endpoint with this method and path.
    pub route: Option<Route>,
    /// The method.
    pub method: Method,
    /// The request target, for example `/open-apis/im/v1/messages?receive_id_type=chat_id`.
    pub uri: Uri,
    /// The headers, with `***` in place of each token.
    pub headers: HeaderMap,
    /// The token in `Authorization: Bearer ..`. `{:?}` shows `***` in its place.
    pub token: Option<String>,
    /// The length of the body in bytes.
    pub body_len: usize,
    /// A hash of the body. Equal bodies have equal hashes within one build of a program; see
    /// [`has_body`](Self::has_body).
    pub body_hash: u64,
    /// The encoding of the image, if the request had one. The request may have been refused.
    pub image_encoding: Option<SentImageEncoding>,
    /// The time at which the head arrived.
    pub time: SystemTime,
    /// The number of the request on its route, counted from 1 as [`fail_when`](super::FakeLark::fail_when) does. It is
    /// 0 without a route.
    pub number: usize,
    /// The number of this request among those with the same method, target and body, counted from 1. A request whose
    /// connection broke before its body was complete does not count. Requests that are no longer listed may be
    /// forgotten, unless an equal one is listed.
    pub attempt: u32,
    /// The status of the reply.
    pub status: StatusCode,
    /// The `code` of the reply, which is 0 for success, and for a downloaded file too. It is `None` for the page of the
    /// edge, for a 404 in plain text, and for a [`Fault::Reply`](super::Fault::Reply).
    pub code: Option<i64>,
    /// The log id of the reply.
    pub log_id: Option<String>,
}

/// The encoding of an image in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SentImageEncoding {
    /// A JSON array of numbers.
    Numbers,
    /// A JSON string in base64.
    Base64,
    /// A part of a multipart form.
    Multipart,
}

impl SentImageEncoding {
    /// The encoding of the image in the body of a request to `route`. A JSON body is searched for the key of the image,
    /// because it may be malformed. The key cannot be found within a JSON string, where its quotes are escaped.
    pub(crate) fn of(route: Route, body: &[u8]) -> Option<Self> {
        match route {
            Route::ImageV4Put | Route::ImV1Images => Some(Self::Multipart),
            Route::ValuesImage => memmem::find_iter(body, KEY).find_map(|at| {
                let value = body.get(at + KEY.len()..)?.trim_ascii_start();
                match value.strip_prefix(b":")?.trim_ascii_start().first()? {
                    b'[' => Some(Self::Numbers),
                    b'"' => Some(Self::Base64),
                    _ => None,
                }
            }),
            _ => None,
        }
    }
}

/// The key of the image in a cell write.
const KEY: &[u8] = b"\"image\"";

impl fmt::Debug for RecordedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedRequest")
            .field("route", &self.route)
            .field("method", &self.method)
            .field("uri", &self.uri)
            .field("headers", &self.headers)
            .field("token", &self.token.as_ref().map(|_| format_args!("***")))
            .field("body_len", &self.body_len)
            .field("body_hash", &self.body_hash)
            .field("image_encoding", &self.image_encoding)
            .field("time", &self.time)
            .field("number", &self.number)
            .field("attempt", &self.attempt)
            .field("status", &self.status)
            .field("code", &self.code)
            .field("log_id", &self.log_id)
            .finish()
    }
}

impl RecordedRequest {
    /// Whether the request had this body, judged by its length and hash. A record does not keep the body.
    #[must_use]
    pub fn has_body(&self, body: &[u8]) -> bool {
        self.body_len == body.len() && self.body_hash == hash(body)
    }
}

/// The head of a request, the time at which it arrived, and its number on its route.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) time: SystemTime,
    pub(crate) number: usize,
}

/// The answered requests, in the order of their replies.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    /// The latest requests. There may be twice `max`, because the oldest ones are dropped many at a time.
    seen: Vec<RecordedRequest>,
    max: usize,
    /// How many requests were recorded and dropped.
    dropped: usize,
    /// How often each request was answered, by its [`key`].
    attempts: HashMap<u64, u32>,
    /// How many requests to each route were answered.
    answered: HashMap<Route, usize>,
}

impl Records {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            seen: Vec::new(),
            max,
            dropped: 0,
            attempts: HashMap::new(),
            answered: HashMap::new(),
        }
    }

    /// Keeps at most `max` records from now on.
    pub(crate) fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    /// The latest requests.
    pub(crate) fn all(&self) -> &[RecordedRequest] {
        self.seen.get(self.seen.len().saturating_sub(self.max)..).unwrap_or_default()
    }

    /// How many requests to `route` were answered.
    pub(crate) fn answered(&self, route: Route) -> usize {
        self.answered.get(&route).copied().unwrap_or_default()
    }

    /// How many requests were recorded, those that were dropped included.
    pub(crate) fn pushed(&self) -> usize {
        self.dropped.saturating_add(self.seen.len())
    }

    /// Drops the records, and begins to count the attempts and the answered requests anew.
    pub(crate) fn forget(&mut self) {
        *self = Self { dropped: self.pushed(), ..Self::new(self.max) };
    }

    /// Drops the oldest records and their attempts, once there are twice as many records as are kept.
    fn shrink(&mut self) {
        if self.seen.len() >= self.max.saturating_mul(2) {
            let oldest = self.seen.len().saturating_sub(self.max);
            self.seen.drain(..oldest);
            self.dropped = self.dropped.saturating_add(oldest);
            let keys = self.seen.iter().map(|seen| key(&seen.method, &seen.uri, seen.body_hash));
            let keys: HashSet<u64> = keys.collect();
            self.attempts.retain(|key, _| keys.contains(key));
        }
    }

    /// Records an answered request.
    pub(crate) fn push(
        &mut self,
        route: Option<Route>,
        head: Head,
        body: &[u8],
        (status, code, log_id): (StatusCode, Option<i64>, Option<String>),
    ) {
        self.shrink();
        let Head { method, uri, mut headers, time, number } = head;
        let token = bearer(&headers).map(str::to_owned);
        if let Entry::Occupied(mut values) = headers.entry(AUTHORIZATION) {
            values.iter_mut().for_each(|value| *value = HeaderValue::from_static("Bearer ***"));
        }
        let body_hash = hash(body);
        if let Some(route) = route {
            *self.answered.entry(route).or_default() += 1;
        }
        let attempts = self.attempts.entry(key(&method, &uri, body_hash));
        let attempt = attempts.and_modify(|attempts| *attempts += 1).or_insert(1);
        self.seen.push(RecordedRequest {
            route,
            method,
            uri,
            headers,
            token,
            body_len: body.len(),
            body_hash,
            image_encoding: route.and_then(|route| SentImageEncoding::of(route, body)),
            time,
            number,
            attempt: *attempt,
            status,
            code,
            log_id,
        });
    }
}

/// A hash of the method, the target and the body of a request.
fn key(method: &Method, uri: &Uri, body_hash: u64) -> u64 {
    hash(&(method, uri.to_string(), body_hash))
}

fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

//! Replies and requests of which a byte is changed, or some bytes come twice.
//!
//! No client can notice a change in data: in the value of a field; in the name of an optional field, or in its value if
//! that is no longer valid, so that the field is missing; in the type of a cell or a sheet; in the bytes of a file, in
//! its type or its name; or in the `Content-Length` of a file, which is then shorter. A changed `code` other than 0 is
//! a refusal. Any other change leaves the result as it is, or is an error whose outcome is [`Outcome::Unknown`],
//! because the service has carried the request out.

use std::any::Any;
use std::fmt::Debug;
use std::time::Duration;

use http::Method;
use lark_proto::TenantToken;
use lark_proto::endpoints::{Download, Grant};
use lark_proto::error::Outcome;
use lark_proto::session::Phase;
use lark_proto::token::AppToken;
use serde_json::Value;

use super::callers::{CALLERS, Caller, Kind, Setup};
use super::proxy::{Action, Carried, Fault, Place, head_len};
use super::subjects::{Subject, Visitor, visit_all};
use super::{Random, Rig, each, probe};

/// The number of seeded faults for each endpoint, client and direction.
const FAULTS: u64 = 50;
/// The endpoints of whose replies each byte is changed: an upload, a write, and a download.
const EVERY_BYTE: [&str; 3] = ["CreateImage", "WriteSheetImage", "GetImage"];

type Call = Box<dyn FnOnce(&Rig) + Send>;

/// A client that does not wait for long for bytes that do not come.
fn setup() -> Setup {
    let short = Duration::from_millis(700);
    Setup::once().timeout(Phase::RecvResponse, short).timeout(Phase::RecvBody, short)
}

/// A reply over a connection without a fault, and the text of the result.
struct Clean {
    carried: Carried,
    text: String,
}

/// The whole result as text, without the time at which a message was created or a token expires.
fn text(output: &(impl Debug + Any)) -> String {
    let any: &dyn Any = output;
    if let Some(grant) = any.downcast_ref::<Grant<TenantToken>>() {
        return grant.token.expose_secret().to_owned();
    }
    if let Some(grant) = any.downcast_ref::<Grant<AppToken>>() {
        return grant.token.expose_secret().to_owned();
    }
    if let Some(Download { bytes, content_type, file_name, .. }) = any.downcast_ref() {
        return format!("{bytes:?} {content_type:?} {file_name:?}");
    }
    let text = format!("{output:?}");
    match text.split_once("create_time: ") {
        Some((before, after)) => {
            let after = after.find(", parent_id").map_or("", |at| &after[at..]);
            format!("{before}{after}")
        }
        None => text,
    }
}

#[derive(Default)]
struct Replies(Vec<Call>);

impl Visitor for Replies {
    fn visit<S: Subject>(&mut self, name: &'static str) {
        for caller in CALLERS {
            let (carried, output) = probe::<S>(caller);
            let len = carried.reply.len();
            let mut random = Random(7);
            let mut faults = Vec::new();
            let mask = |random: &mut Random| u8::try_from(1 + random.below(255)).unwrap();
            for _ in 0..FAULTS {
                let place = Place::Reply(random.below(len));
                faults.push(Fault { place, action: Action::Corrupt(mask(&mut random)) });
                if random.below(2) == 0 {
                    continue;
                }
                let again = 1 + random.below(40);
                let place = Place::Reply(random.below(len + 1));
                faults.push(Fault { place, action: Action::Duplicate(again) });
            }
            let every_byte = if EVERY_BYTE.contains(&name) { len } else { 0 };
            for offset in 0..every_byte {
                let action = Action::Corrupt(mask(&mut random));
                faults.push(Fault { place: Place::Reply(offset), action });
            }
            for fault in faults {
                let clean = Clean { carried: carried.clone(), text: text(&output) };
                self.0.push(Box::new(move |rig| check_reply::<S>(rig, caller, &clean, &fault)));
            }
        }
    }
}

fn check_reply<S: Subject>(rig: &Rig, caller: Caller, clean: &Clean, fault: &Fault) {
    rig.plan([fault.clone()]);
    let call = S::sample(&rig.known);
    let result = caller.call(&rig.proxy.site(), &setup(), &S::token(), &call);
    rig.wait_for(S::ROUTE);
    let sent = rig.proxy.connections().swap_remove(0).reply;
    let context = format!(
        "{caller:?} {fault:?} of {} in {:?}, sent {:?}",
        S::ROUTE.path(),
        String::from_utf8_lossy(&clean.carried.reply),
        String::from_utf8_lossy(&sent)
    );
    assert_eq!(rig.carried_out(S::ROUTE), 1, "{context}");
    let Place::Reply(offset) = fault.place else { panic!("{context}") };
    match result {
        Ok(output) => {
            let found = text(&output);
            let is_file = (&output as &dyn Any).is::<Download>();
            let is_explained = found == clean.text
                || if is_file {
                    is_in_a_file(&clean.carried, offset)
                } else {
                    matches!(fault.action, Action::Corrupt(mask)
                        if is_in_a_field(&sent, offset, mask, &found, &clean.text))
                };
            assert!(is_explained, "{context}: {found} in place of {}", clean.text);
        }
        Err(failed) => {
            assert_ne!(failed.kind, Kind::Other, "{context}: {failed:?}");
            let is_carried_out = call.method() != Method::GET;
            let may_be_refused = is_in_the_code(&clean.carried, offset);
            let is_true = failed.outcome == Outcome::Unknown || may_be_refused;
            assert!(is_true || !is_carried_out, "{context}: {failed:?}");
        }
    }
}

/// Whether the byte is one of the file, its type, its name or its length.
fn is_in_a_file(clean: &Carried, offset: usize) -> bool {
    let head = &clean.reply[..head_len(&clean.reply)];
    let before = String::from_utf8_lossy(&head[..offset.min(head.len())]).to_lowercase();
    let line = before.rsplit("\r\n").next().unwrap_or_default().to_owned();
    let rest = String::from_utf8_lossy(&head[offset.min(head.len())..]).to_lowercase();
    let line = format!("{line}{}", rest.split("\r\n").next().unwrap_or_default());
    let names = ["content-type", "content-disposition", "content-length"];
    offset >= head.len() || names.iter().any(|name| line.starts_with(name))
}

/// Whether the byte is one of the status or of the value of `code`.
fn is_in_the_code(clean: &Carried, offset: usize) -> bool {
    let status = b"HTTP/1.1 ".len();
    let member = b"\"code\":";
    let code = clean.reply.windows(member.len()).position(|bytes| bytes == member);
    (status..status + 3).contains(&offset) || code.map(|at| at + member.len()) == Some(offset)
}

/// Whether the results differ by the value of the one field in which the bodies differ, or the name of a field is
/// changed. `sent` is a reply of whose byte at `offset` the bits of `mask` are changed.
fn is_in_a_field(sent: &[u8], offset: usize, mask: u8, found: &str, expected: &str) -> bool {
    let mut original = sent.to_vec();
    original[offset] ^= mask;
    let head = head_len(&original);
    let body = |reply: &[u8]| serde_json::from_slice(&reply[head..]).ok();
    let (Some(old), Some(new)) = (body(&original), body(sent)) else { return false };
    match difference("", &old, &new) {
        Some(Difference::Name) => ["None", ""].contains(&middles(found, expected).0),
        Some(Difference::Value { name, old, new }) => {
            let (found, expected) = middles(found, expected);
            let is_value = new.contains(found) && old.contains(expected);
            let is_missing = found == "None" && expected.contains(&old);
            is_value || is_missing || name.ends_with("type")
        }
        None => false,
    }
}

enum Difference {
    /// The name of a field.
    Name,
    /// The value of the field with this name.
    Value { name: String, old: String, new: String },
}

/// The first difference of two JSON documents, which are the value of the field `name`.
fn difference(name: &str, old: &Value, new: &Value) -> Option<Difference> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            if !old.keys().eq(new.keys()) {
                return Some(Difference::Name);
            }
            old.iter().zip(new.values()).find_map(|((name, old), new)| difference(name, old, new))
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            old.iter().zip(new).find_map(|(old, new)| difference(name, old, new))
        }
        _ if old == new => None,
        _ => {
            let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
            Some(Difference::Value { name: name.to_owned(), old: text(old), new: text(new) })
        }
    }
}

/// The parts of two texts between their common beginning and their common end.
fn middles<'a>(one: &'a str, other: &'a str) -> (&'a str, &'a str) {
    let same = |pair: &(char, char)| pair.0 == pair.1;
    let begin: usize =
        one.chars().zip(other.chars()).take_while(same).map(|(one, _)| one.len_utf8()).sum();
    let (one, other) = (&one[begin..], &other[begin..]);
    let backwards = one.chars().rev().zip(other.chars().rev());
    let end: usize = backwards.take_while(same).map(|(one, _)| one.len_utf8()).sum();
    (&one[..one.len() - end], &other[..other.len() - end])
}

#[test]
fn a_changed_reply_is_an_error_or_leaves_the_result_as_it_is() {
    let mut calls = Replies::default();
    visit_all(&mut calls);
    each(calls.0, |rig, call| call(rig));
}

#[derive(Default)]
struct Requests(Vec<Call>);

impl Visitor for Requests {
    fn visit<S: Subject>(&mut self, _: &'static str) {
        for caller in CALLERS {
            let (carried, _) = probe::<S>(caller);
            let mut random = Random(11);
            for _ in 0..FAULTS {
                let place = Place::Request(random.below(carried.request.len()));
                let action = if random.below(4) == 0 {
                    Action::Duplicate(1 + random.below(40))
                } else {
                    Action::Corrupt(u8::try_from(1 + random.below(255)).unwrap())
                };
                let fault = Fault { place, action };
                self.0.push(Box::new(move |rig| check_request::<S>(rig, caller, &fault)));
            }
        }
    }
}

fn check_request<S: Subject>(rig: &Rig, caller: Caller, fault: &Fault) {
    rig.plan([fault.clone()]);
    let call = S::sample(&rig.known);
    let result = caller.call(&rig.proxy.site(), &setup(), &S::token(), &call);
    // The change may have made it a request to another route.
    let carried_out = rig.all_carried_out();
    let context = format!("{caller:?} {fault:?} of {}", S::ROUTE.path());
    let Err(failed) = result else {
        assert_eq!(carried_out, 1, "{context}");
        return;
    };
    let is_answered = matches!(failed.kind, Kind::Refused(_) | Kind::Unreadable(_));
    let expected = match call.method() {
        _ if is_answered => Outcome::Refused,
        Method::GET => Outcome::NotSent,
        _ => Outcome::Unknown,
    };
    assert_ne!(failed.kind, Kind::Other, "{context}: {failed:?}");
    assert_eq!(failed.outcome, expected, "{context}: {failed:?}");
    assert!(carried_out <= usize::from(!is_answered), "{context}: {failed:?}");
}

#[test]
fn a_changed_request_is_carried_out_once_or_is_an_error_with_a_true_outcome() {
    let mut calls = Requests::default();
    visit_all(&mut calls);
    each(calls.0, |rig, call| call(rig));
}

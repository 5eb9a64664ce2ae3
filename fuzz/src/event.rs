//! The event that carries an app ticket.

use arbitrary::Arbitrary;
use lark_proto::endpoints::AppTicketEvent;
use lark_proto::error::InvalidKind;
use serde_json::{Value, json};

use crate::input::{input, short};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    form: Form<'a>,
    verification_token: &'a str,
    /// The whole event, in the form `Any`.
    bytes: &'a [u8],
}

#[derive(Arbitrary, Debug)]
enum Form<'a> {
    Any,
    Event {
        token: Option<&'a str>,
        kind: &'a str,
        app_id: &'a str,
        ticket: &'a str,
        extra: &'a str,
    },
    /// An event with a member that stands twice.
    Twice {
        is_inner: bool,
        name: u8,
        value: &'a str,
    },
    /// A value of another type in place of the member.
    OddType {
        name: u8,
        is_list: bool,
    },
}

const NAMES: [&str; 6] = ["encrypt", "token", "event", "type", "app_id", "app_ticket"];
/// A word that no text of an error has.
const MARK: &str = "Zebra7";

/// Reads any event. A ticket comes only from JSON that is an event of this kind with the verification token, as
/// `serde_json` sees it, and no error quotes the event.
pub fn event(data: &[u8]) {
    let Some(input) = input::<Input<'_>>(data) else { return };
    let verification_token = short(input.verification_token, 100);
    let mut is_twice = false;
    let json = match input.form {
        Form::Any => input.bytes.to_vec(),
        Form::Event { token, kind, app_id, ticket, extra } => {
            let kind = if kind.is_empty() { "app_ticket" } else { kind };
            let inner = json!({"type": kind, "app_id": app_id, "app_ticket": ticket, extra: MARK});
            let token = token.unwrap_or(verification_token);
            json!({"token": token, "event": inner, extra: MARK}).to_string().into_bytes()
        }
        Form::Twice { is_inner, name, value } => {
            let place = usize::from(name) % NAMES.len();
            let name = NAMES[place];
            is_twice = if is_inner { place >= 3 } else { place == 1 || place == 2 };
            let (inner, outer) = match is_inner {
                _ if is_inner => (format!(r#","{name}":{}"#, json!(value)), String::new()),
                _ => (String::new(), format!(r#","{name}":{}"#, json!(value))),
            };
            let token = json!(verification_token);
            format!(
                r#"{{"token":{token},"event":{{"type":"app_ticket","app_id":"cli_a","app_ticket":"x"{inner}}}{outer}}}"#
            )
            .into_bytes()
        }
        Form::OddType { name, is_list } => {
            let mut event = json!({
                "token": verification_token,
                "event": {"type": "app_ticket", "app_id": "cli_a", "app_ticket": "x"},
            });
            let value = if is_list { json!([MARK]) } else { Value::Null };
            match usize::from(name) % NAMES.len() {
                name @ 0..3 => event[NAMES[name]] = value,
                name => event["event"][NAMES[name]] = value,
            }
            event.to_string().into_bytes()
        }
    };
    // Another reader could take the other one of the two.
    let parsed = AppTicketEvent::parse(&json, verification_token);
    assert!(!is_twice || parsed.is_err(), "an event with a member that stands twice is accepted");
    check(&json, verification_token);
    // The same event with a mark in the secret's place, so that an error that quotes it shows.
    check(&json, &format!("{MARK}{verification_token}"));
}

fn check(json: &[u8], verification_token: &str) {
    let event = match AppTicketEvent::parse(json, verification_token) {
        Ok(event) => event,
        Err(error) => {
            let text = format!("{error} {error:?}");
            assert!(!text.contains(MARK) && text.len() < 512, "{text}");
            assert!(!text.contains(char::is_control), "{text}");
            let kinds = [
                InvalidKind::EncryptedEvent,
                InvalidKind::WrongVerificationToken,
                InvalidKind::BadTicketEvent,
                InvalidKind::BadAppTicket,
            ];
            return assert!(kinds.contains(&error.kind()), "{error:?}");
        }
    };
    let value: Value = serde_json::from_slice(json).unwrap();
    assert!(!verification_token.is_empty(), "an event passes without a verification token");
    assert_eq!(value["token"], verification_token);
    assert_eq!(value.get("encrypt").cloned().unwrap_or_default(), Value::Null);
    assert_eq!(value["event"]["type"], "app_ticket");
    assert_eq!(value["event"]["app_id"], event.app_id.as_str());
    assert_eq!(value["event"]["app_ticket"], event.ticket.expose_secret());
    // A short ticket may be a part of the name of a field, so the text is compared with that of another event.
    let other = br#"{"token":"v","event":{"type":"app_ticket","app_id":"cli_0","app_ticket":"t"}}"#;
    let other = format!("{:?}", AppTicketEvent::parse(other, "v").unwrap());
    let app_id = format!("{:?}", event.app_id.as_str());
    assert_eq!(format!("{event:?}"), other.replace("\"cli_0\"", &app_id));
}

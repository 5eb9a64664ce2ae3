//! The event by which the service pushes the ticket of a store app.

use std::borrow::Cow;

use serde::Deserialize;

use crate::api::Record;
use crate::error::{Invalid, InvalidKind};
use crate::values::{AppId, AppTicket};

/// The event `app_ticket`, which the service pushes to a store app every hour.
///
/// Documentation: <https://open.larksuite.com/document/ukTMukTMukTM/uQjNuQjN4YjL0YTN>.
///
/// ```
/// use lark_proto::endpoints::AppTicketEvent;
///
/// let event = br#"{"ts":"1.2","uuid":"u","token":"v-token",
///     "type":"event_callback","event":{
///         "app_id":"cli_x","app_ticket":"ticket","type":"app_ticket"
///     }}"#;
/// let event = AppTicketEvent::parse(event, "v-token")?;
/// assert_eq!(event.app_id.as_str(), "cli_x");
/// assert_eq!(event.ticket.expose_secret(), "ticket");
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppTicketEvent {
    /// The app of the ticket.
    pub app_id: AppId,
    /// The ticket, in exchange for which the app gets its app access token.
    pub ticket: AppTicket,
}

impl AppTicketEvent {
    /// Reads the event's JSON, and checks that it carries the app's `verification_token`.
    ///
    /// # Errors
    /// [`InvalidKind::EncryptedEvent`] for an event of an app with an Encrypt Key;
    /// [`InvalidKind::WrongVerificationToken`]; [`InvalidKind::BadTicketEvent`] for bytes that are not JSON of this
    /// form, for another event, or for an invalid app id; [`InvalidKind::BadAppTicket`]. No error quotes the event.
    pub fn parse(json: &[u8], verification_token: &str) -> Result<Self, Invalid> {
        #[derive(Deserialize)]
        struct Outer<'a> {
            encrypt: Option<serde::de::IgnoredAny>,
            #[serde(borrow)]
            token: Option<Cow<'a, str>>,
            #[serde(borrow)]
            event: Option<Record<Inner<'a>>>,
        }
        #[derive(Deserialize)]
        struct Inner<'a> {
            #[serde(borrow, rename = "type")]
            kind: Cow<'a, str>,
            #[serde(borrow)]
            app_id: Cow<'a, str>,
            #[serde(borrow)]
            app_ticket: Cow<'a, str>,
        }
        let refused = |kind| Invalid::new(kind, format!("{} bytes", json.len()));
        let form = || refused(InvalidKind::BadTicketEvent);
        let Record(outer): Record<Outer<'_>> = serde_json::from_slice(json).map_err(|_| form())?;
        if outer.encrypt.is_some() {
            return Err(refused(InvalidKind::EncryptedEvent));
        }
        let token = outer.token.unwrap_or_default();
        if token.is_empty() || !constant_time_eq(token.as_bytes(), verification_token.as_bytes()) {
            return Err(refused(InvalidKind::WrongVerificationToken));
        }
        let event = outer.event.map(|event| event.0);
        let event = event.filter(|event| event.kind == "app_ticket").ok_or_else(form)?;
        Ok(Self {
            app_id: AppId::new(&event.app_id).map_err(|_| form())?,
            ticket: AppTicket::new(&event.app_ticket)?,
        })
    }
}

/// Compares every byte, so that the time of the comparison does not reveal how many bytes of a guess are right.
fn constant_time_eq(one: &[u8], other: &[u8]) -> bool {
    let differ = one.iter().zip(other).fold(0, |differ, (a, b)| differ | (a ^ b));
    one.len() == other.len() && differ == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_ticket_event_with_the_verification_token_is_accepted_and_no_other_event_is_quoted() {
        let event = |inner: &str| format!(r#"{{"token":"v","event":{inner}}}"#);
        let good = r#"{"app_id":"cli_x","app_ticket":"SECRET","type":"app_ticket"}"#;
        for (json, kind) in [
            (event(good).replace("\"v\"", "\"w\""), InvalidKind::WrongVerificationToken),
            (event(good).replace("\"v\"", "\"\""), InvalidKind::WrongVerificationToken),
            (event(good).replace("\"v\"", "\"vw\""), InvalidKind::WrongVerificationToken),
            (event(good).replace("\"token\"", "\"t\""), InvalidKind::WrongVerificationToken),
            (event(&good.replace("\"app_ticket\"}", "\"message\"}")), InvalidKind::BadTicketEvent),
            (r#"{"token":"v"}"#.into(), InvalidKind::BadTicketEvent),
            (r#"{"encrypt":"SECRET"}"#.into(), InvalidKind::EncryptedEvent),
            (r#"[null,"v"]"#.into(), InvalidKind::BadTicketEvent),
            (event(r#"["app_ticket","cli_x","SECRET"]"#), InvalidKind::BadTicketEvent),
            ("SECRET".into(), InvalidKind::BadTicketEvent),
            (String::new(), InvalidKind::BadTicketEvent),
            (event(&good.replace("SECRET", "SEC RET")), InvalidKind::BadAppTicket),
            (event(&good.replace("cli_x", "")), InvalidKind::BadTicketEvent),
        ] {
            let error = AppTicketEvent::parse(json.as_bytes(), "v").expect_err(&json);
            assert_eq!(error.kind(), kind, "{json}");
            assert!(!error.to_string().contains("SEC"), "{error}");
        }
        let empty = event(good).replace("\"v\"", "\"\"");
        let error = AppTicketEvent::parse(empty.as_bytes(), "").unwrap_err();
        assert_eq!(error.kind(), InvalidKind::WrongVerificationToken);
        let read = AppTicketEvent::parse(event(good).as_bytes(), "v").unwrap();
        assert_eq!(read.ticket.expose_secret(), "SECRET");
        assert!(!format!("{read:?}").contains("SECRET"));
    }
}

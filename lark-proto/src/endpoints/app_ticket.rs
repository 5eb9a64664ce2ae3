//! The ticket of a store app: the request for it, and the event that carries it.

use std::borrow::Cow;

use http::Method;
use serde::Deserialize;

use crate::api::{Endpoint, Payload, Reply, Resend};
use crate::error::{Error, Invalid, InvalidKind};
use crate::token::NoAuth;
use crate::values::{AppId, AppSecret, AppTicket};

/// Requests the `app_ticket` of a store app once more. The service pushes it as an event.
///
/// * Route: `POST /open-apis/auth/v3/app_ticket/resend`.
/// * Token: none.
/// * Document: <https://open.larksuite.com/document/ukTMukTMukTM/ukDNz4SO0MjL5QzM/auth-v3/auth/app_ticket_resend>.
///
/// # Errors
/// [`Code::TICKET_RESEND_FAILED`](crate::error::Code::TICKET_RESEND_FAILED), for example for a custom app, which has no
/// ticket.
///
/// ```
/// use lark_proto::{EndpointExt, Site};
/// use lark_proto::endpoints::ResendAppTicket;
/// use lark_proto::token::NoToken;
/// use lark_proto::values::{AppId, AppSecret};
///
/// let ask = ResendAppTicket::new(AppId::new("cli_x")?, AppSecret::new("s")?);
/// let request = ask.request(&Site::LARK, &NoToken);
/// assert_eq!(request.body(), r#"{"app_id":"cli_x","app_secret":"s"}"#);
///
/// let reply = r#"{"code":0,"msg":"success"}"#;
/// ResendAppTicket::decode(http::Response::new(reply.into()))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResendAppTicket {
    id: AppId,
    secret: AppSecret,
}

impl ResendAppTicket {
    pub(crate) const ROUTE: &'static str = "/open-apis/auth/v3/app_ticket/resend";

    /// The request for the store app `id` with its `secret`.
    #[must_use]
    pub fn new(id: AppId, secret: AppSecret) -> Self {
        Self { id, secret }
    }
}

impl Endpoint for ResendAppTicket {
    type Auth = NoAuth;
    type Output = ();

    fn method(&self) -> Method {
        Method::POST
    }

    fn route(&self) -> &str {
        Self::ROUTE
    }

    fn payload(&self) -> Option<Payload> {
        let secret = self.secret.expose_secret();
        Some(Payload::json_strings([("app_id", self.id.as_str()), ("app_secret", secret)]))
    }

    fn resend(&self) -> Resend {
        Resend::Safe
    }

    fn read(reply: &Reply) -> Result<(), Error> {
        reply.top_level::<serde::de::IgnoredAny>().map(|_| ())
    }
}

/// The event `app_ticket`, which the service pushes to a store app every hour.
///
/// Document: <https://open.larksuite.com/document/ukTMukTMukTM/uQjNuQjN4YjL0YTN>.
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
    /// The ticket, for which the app gets its token.
    pub ticket: AppTicket,
}

impl AppTicketEvent {
    /// Reads the event's JSON, and checks that it carries the app's `verification_token`.
    ///
    /// # Errors
    /// [`InvalidKind::EncryptedEvent`] for an event of an app with an Encrypt Key,
    /// [`InvalidKind::WrongVerificationToken`], [`InvalidKind::BadTicketEvent`] for any other JSON,
    /// [`InvalidKind::BadAppId`], [`InvalidKind::BadAppTicket`]. No error quotes the event.
    pub fn parse(json: &[u8], verification_token: &str) -> Result<Self, Invalid> {
        #[derive(Deserialize)]
        struct Outer<'a> {
            encrypt: Option<serde::de::IgnoredAny>,
            #[serde(borrow)]
            token: Option<Cow<'a, str>>,
            #[serde(borrow)]
            event: Option<Inner<'a>>,
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
        let outer: Outer<'_> = serde_json::from_slice(json).map_err(|_| form())?;
        if outer.encrypt.is_some() {
            return Err(refused(InvalidKind::EncryptedEvent));
        }
        let token = outer.token.unwrap_or_default();
        if token.is_empty() || !same(token.as_bytes(), verification_token.as_bytes()) {
            return Err(refused(InvalidKind::WrongVerificationToken));
        }
        let event = outer.event.filter(|event| event.kind == "app_ticket").ok_or_else(form)?;
        Ok(Self {
            app_id: AppId::new(&event.app_id).map_err(|_| refused(InvalidKind::BadAppId))?,
            ticket: AppTicket::new(&event.app_ticket)?,
        })
    }
}

/// Compares every byte, so that the time of the comparison does not reveal how many bytes of a guess are right.
fn same(one: &[u8], other: &[u8]) -> bool {
    let differ = one.iter().zip(other).fold(0, |differ, (a, b)| differ | (a ^ b));
    one.len() == other.len() && differ == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_without_a_ticket_for_the_app_is_refused_and_not_quoted() {
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
            ("SECRET".into(), InvalidKind::BadTicketEvent),
            (String::new(), InvalidKind::BadTicketEvent),
            (event(&good.replace("SECRET", "SEC RET")), InvalidKind::BadAppTicket),
            (event(&good.replace("cli_x", "")), InvalidKind::BadAppId),
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

//! Which other requests would fail in the same way as a failed call, for callers that have more to send.

use http::StatusCode;

use super::call::{CallError, CallErrorKind, WaitFor};
use super::code::{Class, Code};
use super::failed_reply::Error;

/// The requests that would fail in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Concerns {
    /// Only this request, because of its image, cell, name or message. The next request may succeed.
    Request,
    /// All requests to the same spreadsheet or document: the document does not exist, is busy or full, or the app has
    /// no access to it.
    Spreadsheet,
    /// All messages to the same group or user: the receiver does not exist, does not take the app's messages, or has
    /// got too many of them in a short time.
    Receiver,
    /// All requests of the client, because of the app, its token, its scopes, the site, the network or a quota. For a
    /// store app, this can be all requests for the call's tenant.
    Everything,
}

/// The beginning of the routes of token requests.
const TOKEN_ROUTES: &str = "/open-apis/auth/v3/";

impl<T> CallError<T> {
    /// The requests that would fail in the same way. A batch can use the result to decide whether to continue. A
    /// failure that says nothing about other requests, such as an internal failure of the service, concerns only its
    /// request.
    #[must_use]
    pub fn concerns(&self) -> Concerns {
        if self.route.starts_with(TOKEN_ROUTES) {
            return Concerns::Everything;
        }
        match &self.kind {
            CallErrorKind::Lark(error) => error.concerns(),
            CallErrorKind::Invalid(_) => Concerns::Request,
            CallErrorKind::Queued(WaitFor::Turn) => Concerns::Spreadsheet,
            CallErrorKind::Queued(WaitFor::Backoff | WaitFor::Reply)
            | CallErrorKind::Deadline
            | CallErrorKind::TooLarge { .. } => Concerns::Request,
            CallErrorKind::Queued(WaitFor::Token | WaitFor::Rate)
            | CallErrorKind::NoApp
            | CallErrorKind::NoTenant
            | CallErrorKind::ForeignTenant
            | CallErrorKind::NoTicket
            | CallErrorKind::Transport(_)
            | CallErrorKind::TokenRequest(_) => Concerns::Everything,
        }
    }
}

impl Error {
    /// See [`CallError::concerns`]. The error must not be that of a token request.
    fn concerns(&self) -> Concerns {
        match self {
            Self::Api(error) => match error.class {
                Class::Unknown => by_status(error.status),
                _ if error.is_of_older_endpoint() => Concerns::Everything,
                class => of_code(error.code, class),
            },
            Self::Unreadable(reply) if reply.is_about_file => match reply.status.as_u16() {
                403 => Concerns::Spreadsheet,
                _ => Concerns::Request,
            },
            Self::Unreadable(reply) => match reply.status.as_u16() {
                // For a missing object, the service sends an error in JSON. A reply without one means that the route
                // does not exist.
                404 | 405 | 410 => Concerns::Everything,
                _ => by_status(reply.status),
            },
        }
    }
}

fn of_code(code: Code, class: Class) -> Concerns {
    match code {
        Code::SHEET_PERMISSION
        | Code::SHEET_V3_PERMISSION
        | Code::DOCUMENT_FORBIDDEN
        | Code::DOCUMENT_LOGIN
        | Code::DOCUMENT_NOT_FOUND
        | Code::SPREADSHEET_NOT_FOUND
        | Code::SHEET_V3_NOT_FOUND
        | Code::SHEET_V3_DELETED
        | Code::SHEET_CELL_EXCESS
        | Code::SHEET_EXCESS
        | Code::SHEET_V3_IMAGE_EXCESS
        | Code::WIKI_NODE_NOT_FOUND
        | Code::WIKI_FORBIDDEN
        | Code::CROSS_TENANT
        | Code::CROSS_BRAND
        | Code::DRIVE_FORBIDDEN => Concerns::Spreadsheet,
        // These codes concern the image, the cell or the message of one request.
        Code::IMAGE_FOREIGN
        | Code::IM_FOREIGN
        | Code::MESSAGE_IMAGE_FOREIGN
        | Code::SHEET_LOCKED_CELL
        | Code::MESSAGE_INVISIBLE => Concerns::Request,
        Code::BOT_NOT_IN_GROUP
        | Code::USER_UNAVAILABLE
        | Code::GROUP_SETTINGS
        | Code::MESSAGE_RATE_LIMITED
        | Code::MESSAGE_FORBIDDEN
        | Code::USER_RESIGNED
        | Code::RECEIVER_INVALID
        | Code::MESSAGE_DENIED
        | Code::CROSS_TENANT_CHAT
        | Code::BOT_STOPPED_BY_USER
        | Code::SECRET_CHAT
        | Code::CHAT_DISSOLVED => Concerns::Receiver,
        Code::QUOTA_USED_UP | Code::OFFLINE => Concerns::Everything,
        _ => of_class(class),
    }
}

fn of_class(class: Class) -> Concerns {
    match class {
        Class::DocumentBusy => Concerns::Spreadsheet,
        Class::RateLimit
        | Class::TenantToken
        | Class::AppToken
        | Class::CallerToken
        | Class::App
        | Class::Permission => Concerns::Everything,
        Class::ServiceFailure
        | Class::NotFound
        | Class::Request
        | Class::Limit
        | Class::Unknown => Concerns::Request,
    }
}

/// The requests that a reply without a known code concerns. With any of the statuses listed here, a gateway refuses
/// every request, because it requires a login, blocks the site, or received too many requests.
fn by_status(status: StatusCode) -> Concerns {
    match status.as_u16() {
        401 | 403 | 407 | 429 | 451 => Concerns::Everything,
        _ => Concerns::Request,
    }
}

#[cfg(test)]
mod tests {
    use super::Concerns::{Everything, Receiver, Request, Spreadsheet};
    use super::*;
    use crate::api::Reply;

    const ROUTE: &str = "/open-apis/image/v4/put/";

    fn concerns(kind: CallErrorKind<std::io::Error>) -> Concerns {
        CallError::new(ROUTE, kind).concerns()
    }

    #[test]
    fn a_failure_without_a_reply_concerns_the_requests_that_share_its_cause() {
        let io = || std::io::ErrorKind::ConnectionRefused.into();
        for (kind, expected) in [
            (CallErrorKind::NoApp, Everything),
            (CallErrorKind::NoTenant, Everything),
            (CallErrorKind::ForeignTenant, Everything),
            (CallErrorKind::NoTicket, Everything),
            (CallErrorKind::Transport(io()), Everything),
            (CallErrorKind::TokenRequest("cut".into()), Everything),
            (CallErrorKind::Deadline, Request),
            (CallErrorKind::TooLarge { limit: 9 }, Request),
            (CallErrorKind::Queued(WaitFor::Turn), Spreadsheet),
            (CallErrorKind::Queued(WaitFor::Token), Everything),
            (CallErrorKind::Queued(WaitFor::Rate), Everything),
            (CallErrorKind::Queued(WaitFor::Backoff), Request),
        ] {
            let shown = kind.to_string();
            assert_eq!(concerns(kind), expected, "{shown}");
        }
    }

    #[test]
    fn a_failed_token_request_concerns_everything() {
        let token_route = crate::endpoints::GetTenantToken::ROUTE;
        let late: CallError<std::io::Error> = CallError::new(token_route, CallErrorKind::Deadline);
        assert_eq!(late.concerns(), Everything);
    }

    #[test]
    fn the_code_or_the_status_of_a_refusal_decides_which_requests_it_concerns() {
        for (status, body, expected) in [
            (200, r#"{"code":90204}"#, Request),
            (200, r#"{"code":90202}"#, Request),
            (200, r#"{"code":90215}"#, Request),
            (200, r#"{"code":90218}"#, Request),
            (200, r#"{"code":90203}"#, Request),
            (400, r#"{"code":234011}"#, Request),
            (400, r#"{"code":11221}"#, Request),
            (200, r#"{"code":90213}"#, Spreadsheet),
            (403, r#"{"code":91403}"#, Spreadsheet),
            (200, r#"{"code":90214}"#, Spreadsheet),
            (200, r#"{"code":90226}"#, Spreadsheet),
            (200, r#"{"code":91402}"#, Spreadsheet),
            (200, r#"{"code":91404}"#, Spreadsheet),
            (400, r#"{"code":1310213}"#, Spreadsheet),
            (400, r#"{"code":1310249}"#, Spreadsheet),
            (200, r#"{"code":30005}"#, Everything),
            (200, r#"{"code":2200}"#, Request),
            (400, r#"{"code":99991664}"#, Everything),
            (400, r#"{"code":10014}"#, Everything),
            (400, r#"{"code":230027,"msg":"The historical version of x"}"#, Everything),
            (200, r#"{"code":90222}"#, Request),
            (200, r#"{"code":90217}"#, Spreadsheet),
            (400, r#"{"code":1310247}"#, Spreadsheet),
            (200, r#"{"code":90219}"#, Spreadsheet),
            (200, r#"{"code":90212}"#, Request),
            (200, r#"{"code":90221}"#, Request),
            (400, r#"{"code":1310214}"#, Spreadsheet),
            (400, r#"{"code":131002}"#, Request),
            (400, r#"{"code":131004}"#, Everything),
            (200, r#"{"code":131005}"#, Spreadsheet),
            (400, r#"{"code":131006}"#, Spreadsheet),
            (403, r#"{"code":1064510}"#, Spreadsheet),
            (403, r#"{"code":1064511}"#, Spreadsheet),
            (400, r#"{"code":230001}"#, Request),
            (400, r#"{"code":230002}"#, Receiver),
            (400, r#"{"code":230006}"#, Everything),
            (400, r#"{"code":230011}"#, Request),
            (400, r#"{"code":230013}"#, Receiver),
            (400, r#"{"code":230017}"#, Request),
            (400, r#"{"code":230018}"#, Receiver),
            (400, r#"{"code":230020}"#, Receiver),
            (400, r#"{"code":230027}"#, Receiver),
            (400, r#"{"code":230029}"#, Receiver),
            (400, r#"{"code":230034}"#, Receiver),
            (400, r#"{"code":230035}"#, Receiver),
            (400, r#"{"code":230036}"#, Everything),
            (400, r#"{"code":230038}"#, Receiver),
            (400, r#"{"code":230049}"#, Request),
            (400, r#"{"code":230050}"#, Request),
            (400, r#"{"code":230053}"#, Receiver),
            (400, r#"{"code":230054}"#, Request),
            (400, r#"{"code":230071}"#, Request),
            (400, r#"{"code":230075}"#, Receiver),
            (400, r#"{"code":230101}"#, Everything),
            (400, r#"{"code":234001}"#, Request),
            (400, r#"{"code":234005}"#, Request),
            (400, r#"{"code":234006}"#, Request),
            (400, r#"{"code":234007}"#, Everything),
            (400, r#"{"code":234008}"#, Request),
            (400, r#"{"code":234039}"#, Request),
            (400, r#"{"code":234041}"#, Everything),
            (400, r#"{"code":234042}"#, Everything),
            (200, r#"{"code":1061001}"#, Request),
            (404, r#"{"code":1061003}"#, Request),
            (403, r#"{"code":1061004}"#, Spreadsheet),
            (404, r#"{"code":1061007}"#, Request),
            (403, r#"{"code":1061073}"#, Everything),
            (400, r#"{"code":231003}"#, Request),
            (400, r#"{"code":232009}"#, Receiver),
            (400, r#"{"code":99991400}"#, Everything),
            (429, r#"{"code":99991403}"#, Everything),
            (400, r#"{"code":99991663}"#, Everything),
            (400, r#"{"code":99991668}"#, Everything),
            (400, r#"{"code":99991672}"#, Everything),
            (400, r#"{"code":99991401}"#, Everything),
            (400, r#"{"code":11205}"#, Everything),
            (200, r#"{"code":42}"#, Request),
            (401, r#"{"code":42}"#, Everything),
            (403, r#"{"code":42}"#, Everything),
            (404, r#"{"code":42}"#, Request),
            (429, r#"{"code":42}"#, Everything),
            (500, r#"{"code":42}"#, Request),
            (200, "", Request),
            (400, "<html>", Request),
            (401, "<html>", Everything),
            (403, "<html>", Everything),
            (404, "404 page not found", Everything),
            (405, "", Everything),
            (407, "", Everything),
            (410, "", Everything),
            (451, "", Everything),
            (413, "", Request),
            (429, "", Everything),
            (502, "<html>", Request),
        ] {
            let error = Error::of_reply(status, body);
            assert_eq!(concerns(CallErrorKind::Lark(error)), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_download_refused_without_a_body_concerns_its_file_or_document() {
        for (status, body, expected) in [
            (400, "", Request),
            (403, "", Spreadsheet),
            (404, "", Request),
            (404, "404 page not found", Everything),
            (403, "<html>", Everything),
            (200, "<html>", Request),
            (429, "", Everything),
        ] {
            let mut response = http::Response::new(body.into());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            let error = Reply::new(response).binary().unwrap_err();
            assert_eq!(concerns(CallErrorKind::Lark(error)), expected, "{status} {body}");
        }
    }
}

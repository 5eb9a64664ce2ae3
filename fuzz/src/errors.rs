//! The getters of an error agree with each other and with its text.

use std::fmt;

use lark_proto::error::{Advice, ApiError, CallErrorKind, Class, Code, Concerns, Outcome};
use lark_proto::{CallError, Error, Invalid};

/// Checks that the parts of an error agree with each other and with its text, that a class counts for its own code
/// only, and that the error of a call passes on the error of the reply.
pub(crate) fn check(error: &Error, text: &str) {
    if let Error::Unreadable(reply) = error {
        assert!(reply.hint().is_none_or(|hint| text.contains(hint)), "{text}");
        assert_eq!(error.clone().with_class(error_code(error), Class::RateLimit), *error);
    }
    if let Some(api) = error.api() {
        assert_eq!((api.class(), api.advice()), (api.code.class(), error.advice()));
        assert_eq!(api.is_token_refused(), api.advice() == Advice::RenewToken);
        let is_listed = !api.permission_violations.is_empty();
        assert_eq!(api.is_permission(), is_listed || api.code.class() == Class::Permission);
        assert!(api.code.name().is_none_or(|name| text.contains(name)), "{text}");
        assert!(api.hint().is_none_or(|hint| text.contains(hint)), "{text}");
        classes(error);
    }
    let call = CallError::<fmt::Error>::new("/open-apis/a", CallErrorKind::Lark(error.clone()));
    passes_on(&call);
    assert_eq!(call.outcome(), error.outcome());
    assert!(call.to_string().contains(text), "{call}");
    let token = CallError::<fmt::Error>::new("/open-apis/auth/v3/a", call.kind);
    assert_eq!(token.concerns(), Concerns::Everything);
}

/// Checks that the error of a call has what the reply said, if there was one.
pub(crate) fn passes_on<T>(call: &CallError<T>) {
    let reply = match &call.kind {
        CallErrorKind::Lark(error) => Some(error),
        _ => None,
    };
    let api = reply.and_then(Error::api);
    assert_eq!((call.lark(), call.api()), (reply, api));
    assert_eq!(call.advice(), reply.map(Error::advice));
    assert_eq!(
        (call.log_id(), call.class()),
        (reply.and_then(Error::log_id), api.map(ApiError::class))
    );
    let after = reply.and_then(|reply| match reply {
        Error::Api(error) => error.retry_after,
        Error::Unreadable(error) => error.retry_after,
        _ => None,
    });
    assert_eq!(call.retry_after(), after);
    assert!(call.earlier().is_none() || call.outcome() == Outcome::Unknown);
    if let CallErrorKind::Deadline | CallErrorKind::TooLarge { .. } = call.kind {
        let is_token = call.route.starts_with("/open-apis/auth/");
        assert!(is_token || call.concerns() == Concerns::Request);
    }
}

/// Checks the error of a call that sends nothing because of an invalid value.
pub(crate) fn invalid(error: &Invalid) {
    let call = CallError::<fmt::Error>::invalid(error.clone());
    passes_on(&call);
    assert_eq!((call.outcome(), call.concerns()), (Outcome::NotSent, Concerns::Request));
    assert_eq!((&*call.route, call.to_string()), ("", error.to_string()));
}

/// Gives the error's code each class in turn, and the class to another code.
fn classes(error: &Error) {
    let code = error_code(error);
    for (class, advice) in [
        (Class::Request, Some(Advice::GiveUp)),
        (Class::TenantToken, Some(Advice::RenewToken)),
        (Class::RateLimit, None),
    ] {
        let own = error.clone().with_class(code, class);
        let api = own.api().unwrap();
        assert_eq!((api.class(), api.code), (class, code));
        assert_eq!(api.is_rate_limit(), class == Class::RateLimit);
        assert_eq!(api.is_token_refused(), class == Class::TenantToken);
        match advice {
            Some(advice) => assert_eq!(own.advice(), advice),
            None => assert_eq!(own.advice(), Advice::Again { after: api.retry_after }),
        }
        for other in [code.0.wrapping_add(1), code.0.wrapping_sub(1)] {
            assert_eq!(error.clone().with_class(Code(other), class), *error);
        }
    }
}

/// The code of the error; 0 without one.
fn error_code(error: &Error) -> Code {
    error.api().map_or(Code(0), |api| api.code)
}

//! Which of a service's errors another attempt would meet again.

use std::error::Error;

use lark_proto::{Failure, Permanence};

use crate::error::causes;

/// Whether another attempt may succeed. An error of an unknown type may pass: the call's limits bound its attempts.
pub(crate) fn permanence<T: Error + 'static>(failure: &Failure<T>) -> Permanence {
    match failure {
        Failure::Transport(error) if causes(error).any(is_permanent) => Permanence::Permanent,
        _ => Permanence::Passing,
    }
}

fn is_permanent(error: &(dyn Error + 'static)) -> bool {
    if is_request_refused(error) {
        return true;
    }
    #[cfg(feature = "tokio")]
    if pooled::is_permanent(error) {
        return true;
    }
    false
}

/// A request, or a part of one, that cannot be sent as it is.
fn is_request_refused(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        // hyper counts a runtime that was dropped as its user's mistake; the request is good on another one.
        return error.is_user() && !error.to_string().contains("dispatch task is gone");
    }
    error.is::<http::Error>()
        || error.is::<http::uri::InvalidUri>()
        || error.is::<http::uri::InvalidUriParts>()
        || error.is::<http::header::InvalidHeaderName>()
        || error.is::<http::header::InvalidHeaderValue>()
}

#[cfg(feature = "tokio")]
mod pooled {
    use std::error::Error;

    use rustls::pki_types::InvalidDnsNameError;

    /// How the texts begin of errors whose types are private to hyper-util and hyper-rustls: a request with a version or
    /// a URI that is not taken, a connector that has HTTPS only, a proxy that wants a password.
    const TEXTS: [&str; 6] = [
        "client error (User",
        "invalid URL, ",
        "unsupported scheme ",
        "missing scheme",
        "tunnel error: missing destination host",
        "tunnel error: proxy authorization required",
    ];

    pub(super) fn is_permanent(error: &(dyn Error + 'static)) -> bool {
        let is_refused = match error.downcast_ref() {
            // A certificate that is not trusted, or nothing that both sides speak.
            Some(
                rustls::Error::InvalidCertificate(_)
                | rustls::Error::NoCertificatesPresented
                | rustls::Error::PeerIncompatible(_)
                | rustls::Error::UnsupportedNameType,
            ) => true,
            _ => error.is::<InvalidDnsNameError>(),
        };
        is_refused || TEXTS.iter().any(|text| error.to_string().starts_with(text))
    }
}

//! Which of ureq's errors are permanent.

use std::io;

use lark_proto::error::CallErrorKind;
use lark_proto::session::Permanence;
use ureq::Error;

/// Whether another attempt may succeed. An error that is not listed counts as transient: the call's limits bound its
/// attempts.
pub(crate) fn permanence(failure: &CallErrorKind<Error>) -> Permanence {
    let CallErrorKind::Transport(error) = failure else { return Permanence::Transient };
    let is_permanent = match error {
        // Errors of the request, of the agent's settings or of its connectors.
        Error::Http(_)
        | Error::BadUri(_)
        | Error::RequireHttpsOnly(_)
        | Error::InvalidProxyUrl
        | Error::TlsRequired
        | Error::Tls(_)
        | Error::BodyExceedsLimit(_)
        | Error::RedirectFailed
        | Error::TooManyRedirects => true,
        // A proxy that demands a password (HTTP 407). ureq gives the status in the text only.
        Error::ConnectProxyFailed(reason) => reason.contains(" 407"),
        // The same of a SOCKS5 proxy, which also refuses a wrong password so.
        Error::Io(error) if is_socks5_refusal(error) => true,
        // The head of the reply to another attempt would be too long as well.
        Error::LargeResponseHeader(..) => true,
        #[cfg(feature = "tls")]
        Error::Pem(_) => true,
        #[cfg(feature = "tls")]
        Error::Rustls(error) => tls::is_permanent(error),
        // ureq reports an error of the TLS handshake inside an I/O error.
        #[cfg(feature = "tls")]
        Error::Io(error) => tls::of_handshake(error).is_some_and(tls::is_permanent),
        _ => false,
    };
    if is_permanent { Permanence::Permanent } else { Permanence::Transient }
}

fn is_socks5_refusal(error: &io::Error) -> bool {
    matches!(&*error.to_string(), "password authentication failed" | "no acceptable auth methods")
}

#[cfg(feature = "tls")]
mod tls {
    use std::io;

    use rustls::Error;

    pub(super) fn of_handshake(error: &io::Error) -> Option<&Error> {
        error.get_ref()?.downcast_ref()
    }

    /// Whether the certificate is missing or not trusted, the host name is of an unsupported type, or the two sides
    /// have no TLS version or cipher suite in common.
    pub(super) fn is_permanent(error: &Error) -> bool {
        matches!(
            error,
            Error::InvalidCertificate(_)
                | Error::NoCertificatesPresented
                | Error::PeerIncompatible(_)
                | Error::UnsupportedNameType
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_permanent(error: Error) -> bool {
        permanence(&CallErrorKind::Transport(error)) == Permanence::Permanent
    }

    #[test]
    fn an_error_of_the_connection_is_transient() {
        for error in [
            Error::Io(io::ErrorKind::ConnectionRefused.into()),
            Error::Io(io::Error::new(io::ErrorKind::InvalidData, "not of TLS")),
            Error::Timeout(ureq::Timeout::Connect),
            Error::HostNotFound,
            Error::ConnectionFailed,
            Error::ConnectProxyFailed("proxy server responded 503/503".into()),
        ] {
            assert!(!is_permanent(error));
        }
        assert_eq!(permanence(&CallErrorKind::Deadline), Permanence::Transient);
    }

    #[test]
    fn an_error_of_the_request_or_the_settings_is_permanent() {
        for error in [
            Error::BadUri("a".into()),
            Error::RequireHttpsOnly("http://a".into()),
            Error::InvalidProxyUrl,
            Error::ConnectProxyFailed("proxy server responded 407/407".into()),
            Error::TlsRequired,
            Error::LargeResponseHeader(2, 1),
        ] {
            assert!(is_permanent(error));
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_certificate_that_is_not_trusted_is_a_permanent_error() {
        use rustls::pki_types::pem;
        use rustls::{CertificateError, Error as Tls};
        let handshake = |error| Error::Io(io::Error::new(io::ErrorKind::InvalidData, error));
        assert!(is_permanent(handshake(Tls::InvalidCertificate(CertificateError::Expired))));
        assert!(!is_permanent(handshake(Tls::DecryptError)));
        assert!(is_permanent(Error::Rustls(Tls::UnsupportedNameType)));
        assert!(is_permanent(Error::Pem(pem::Error::NoItemsFound)));
    }
}

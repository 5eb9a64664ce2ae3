//! Which of a service's errors are permanent.

use std::error::Error;

use lark_proto::error::CallErrorKind;
use lark_proto::session::Permanence;

use crate::error::causes;

/// Whether another attempt may succeed. An error of an unknown type counts as transient: the call's limits bound its
/// attempts.
pub(crate) fn permanence<T: Error + 'static>(failure: &CallErrorKind<T>) -> Permanence {
    let CallErrorKind::Transport(error) = failure else { return Permanence::Transient };
    let is_permanent = causes(error).any(is_request_refused);
    #[cfg(feature = "tokio")]
    let is_permanent = is_permanent || pooled::is_permanent(error);
    if is_permanent { Permanence::Permanent } else { Permanence::Transient }
}

/// Whether the request, or a part of it, cannot be sent as it is.
fn is_request_refused(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        // hyper counts a dropped runtime as an error of its user, but the request can succeed on another runtime.
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

    use hyper_util::client::legacy;
    use rustls::pki_types::InvalidDnsNameError;

    use crate::error::causes;

    /// The first words of errors whose types are private to hyper-util and hyper-rustls: for a version or a URI that is
    /// not supported, a connector that allows only HTTPS, and a proxy that demands a password
    /// or refuses it.
    const TEXTS: [&str; 8] = [
        "client error (User",
        "invalid URL, ",
        "unsupported scheme ",
        "missing scheme",
        "tunnel error: missing destination host",
        "tunnel error: proxy authorization required",
        "SOCKS error: credentials not accepted",
        "SOCKS error: server does not support user/pass authentication",
    ];

    pub(super) fn is_permanent(error: &(dyn Error + 'static)) -> bool {
        let is_pool_error = causes(error).any(<dyn Error>::is::<legacy::Error>);
        causes(error).any(|cause| is_refused(cause) || is_pool_error && has_text(cause))
    }

    /// Whether the certificate is missing or not trusted, the host name is invalid, or the two sides have no TLS
    /// version or cipher suite in common.
    fn is_refused(error: &(dyn Error + 'static)) -> bool {
        matches!(
            error.downcast_ref(),
            Some(
                rustls::Error::InvalidCertificate(_)
                    | rustls::Error::NoCertificatesPresented
                    | rustls::Error::PeerIncompatible(_)
                    | rustls::Error::UnsupportedNameType
            )
        ) || error.is::<InvalidDnsNameError>()
    }

    fn has_text(error: &(dyn Error + 'static)) -> bool {
        let text = error.to_string();
        TEXTS.iter().any(|begin| text.starts_with(begin))
    }
}

#[cfg(test)]
#[cfg(feature = "tokio")]
mod tests {
    use std::fmt;
    use std::future::pending;
    use std::io;

    use http::{HeaderName, HeaderValue, Request, Uri, Version};
    use hyper::service::Service;
    use hyper_rustls::HttpsConnectorBuilder;
    use hyper_util::client::legacy::connect::HttpConnector;
    use hyper_util::client::legacy::connect::proxy::Tunnel;
    use lark_proto::body::Body;
    use lark_proto::session::Phase;
    use rustls::CertificateError;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::runtime::Runtime;
    use tower::{BoxError, ServiceExt};

    use super::*;
    use crate::{Connection, Pool, RequestBody, TransportError};

    fn is_transient<T: Error + 'static>(error: T) -> bool {
        permanence(&CallErrorKind::Transport(error)) == Permanence::Transient
    }

    fn request(uri: &str) -> Request<RequestBody> {
        let request = Request::put(uri.parse::<Uri>().unwrap());
        request.body(RequestBody::from(Body::from(vec![7; 9]))).unwrap()
    }

    /// A pool whose connections are opened by `connector`, a type of another crate.
    fn over<S>(connector: S) -> Pool
    where
        S: tower::Service<Uri, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static,
        S::Response: hyper::rt::Read + hyper::rt::Write + Send + Unpin,
    {
        Pool::with_connector(move |uri| {
            let opening = connector.clone().oneshot(uri);
            async { Ok::<_, BoxError>(Connection::new(opening.await.map_err(Into::into)?)) }
        })
    }

    /// Starts a server that accepts connections and sends `reply` on each, and returns its authority.
    async fn serve(reply: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let mut streams = Vec::new();
            loop {
                let mut stream = listener.accept().await.unwrap().0;
                let _ = stream.read(&mut [0; 1 << 10]).await;
                stream.write_all(reply.as_bytes()).await.unwrap();
                streams.push(stream);
            }
        });
        authority
    }

    #[tokio::test]
    async fn an_error_of_the_request_or_the_settings_is_permanent() {
        let host = serve("").await;
        let good = format!("http://{host}/");
        let https_only = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .unwrap()
            .https_only()
            .enable_http1()
            .build();
        let denying = serve("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
        let proxy = format!("http://{denying}/").parse().unwrap();
        let mut old = request(&good);
        *old.version_mut() = Version::HTTP_09;
        let failing = request(&good);
        failing.body().progress().close();
        let no_uri = |_| async { Err::<Connection, _>("http://[".parse::<Uri>().unwrap_err()) };
        for (name, pool, request) in [
            ("https required", over(https_only), request(&good)),
            ("another scheme", Pool::new(), request(&format!("ftp://{host}/"))),
            ("no scheme", Pool::new(), request("/relative")),
            ("http required", over(HttpConnector::new()), request(&format!("https://{host}/"))),
            ("no name", Pool::new(), request("https://a..b:1/")),
            ("a connector's URI", Pool::with_connector(no_uri), request(&good)),
            ("a proxy's password", over(Tunnel::new(proxy, HttpConnector::new())), request(&good)),
            ("a version", Pool::new(), old),
            ("a body that fails", Pool::new(), failing),
        ] {
            let error = pool.call(request).await.unwrap_err();
            let text = format!("{error:?}");
            assert!(!is_transient(error), "{name}: {text}");
        }
    }

    #[test]
    fn an_error_of_the_crate_http_is_permanent() {
        let mut parts = Uri::from_static("http://a/").into_parts();
        parts.scheme = None;
        assert!(!is_transient(Request::get("http://[").body(()).unwrap_err()));
        assert!(!is_transient("http://[".parse::<Uri>().unwrap_err()));
        assert!(!is_transient(Uri::from_parts(parts).unwrap_err()));
        assert!(!is_transient(HeaderName::from_bytes(b"\n").unwrap_err()));
        assert!(!is_transient(HeaderValue::from_bytes(b"\n").unwrap_err()));
    }

    #[test]
    fn the_refusal_of_a_certificate_is_permanent() {
        use rustls::Error as Tls;
        let handshake = |error| io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
        let expired = Tls::InvalidCertificate(CertificateError::Expired);
        assert!(!is_transient(TransportError::from(handshake(expired.clone()))));
        assert!(!is_transient(handshake(expired)));
        assert!(!is_transient(Tls::UnsupportedNameType));
        assert!(is_transient(handshake(Tls::DecryptError)));
    }

    #[tokio::test]
    async fn an_error_of_the_connection_is_transient() {
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let garbage = serve("garbage\r\n\r\n").await;
        let busy = serve("HTTP/1.1 503 Busy\r\n\r\n").await;
        let proxy = format!("http://{busy}/").parse().unwrap();
        for (name, pool, uri) in [
            ("refused", Pool::new(), format!("http://{nobody}/")),
            ("no HTTP", Pool::new(), format!("http://{garbage}/")),
            ("no TLS", Pool::new(), format!("https://{garbage}/")),
            ("a proxy", over(Tunnel::new(proxy, HttpConnector::new())), format!("http://{busy}/")),
        ] {
            let error = pool.call(request(&uri)).await.unwrap_err();
            assert!(is_transient(error), "{name}");
        }
        assert!(is_transient(TransportError::Timeout(Phase::Connect)));
        assert!(is_transient(TransportError::Failed("unsupported scheme, a service says".into())));
    }

    /// hyper counts this error as one of its user.
    #[test]
    fn the_error_of_a_dropped_runtime_is_transient() {
        let (pool, first) = (Pool::new(), Runtime::new().unwrap());
        let uri = first.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let uri = format!("http://{}/", listener.local_addr().unwrap());
            tokio::spawn(async move {
                let _stream = listener.accept().await;
                pending::<()>().await;
            });
            uri
        });
        let mut reply = pool.call(request(&uri));
        let time = std::time::Duration::from_millis(200);
        let late = first.block_on(async { tokio::time::timeout(time, &mut reply).await });
        assert!(late.is_err());
        drop(first);
        let error = Runtime::new().unwrap().block_on(reply).unwrap_err();
        assert!(format!("{error:?}").contains("DispatchGone"), "{error:?}");
        assert!(is_transient(error));
    }

    #[test]
    fn an_error_of_a_foreign_service_is_transient_unless_its_cause_is_permanent() {
        #[derive(Debug)]
        struct Foreign(Option<http::Error>);
        impl fmt::Display for Foreign {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("foreign")
            }
        }
        impl Error for Foreign {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                self.0.as_ref().map(|cause| cause as _)
            }
        }
        assert!(is_transient(Foreign(None)));
        assert!(!is_transient(Foreign(Request::get("http://[").body(()).err())));
        assert_eq!(permanence::<Foreign>(&CallErrorKind::Deadline), Permanence::Transient);
    }
}

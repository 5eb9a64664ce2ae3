//! Any endpoint, with the log id of the reply beside its output.

use http::{HeaderMap, Method};

use crate::api::{Endpoint, Path, Payload, Quota, Reply, Resend};
use crate::error::Error;

/// The same endpoint, with the log id of the reply beside its output. Lark's support asks for this id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WithLogId<'a, E>(pub &'a E);

impl<E: Endpoint> Endpoint for WithLogId<'_, E> {
    type Auth = E::Auth;
    type Output = (E::Output, Option<String>);

    fn method(&self) -> Method {
        self.0.method()
    }

    fn route(&self) -> &str {
        self.0.route()
    }

    fn path(&self) -> Path {
        self.0.path()
    }

    fn payload(&self) -> Option<Payload> {
        self.0.payload()
    }

    fn headers(&self) -> HeaderMap {
        self.0.headers()
    }

    fn resend(&self) -> Resend {
        self.0.resend()
    }

    fn serial_key(&self) -> Option<&str> {
        self.0.serial_key()
    }

    fn quota(&self) -> Quota {
        self.0.quota()
    }

    fn secrets(&self) -> Vec<String> {
        self.0.secrets()
    }

    fn reply_limit(&self) -> u64 {
        self.0.reply_limit()
    }

    fn read(reply: &Reply) -> Result<Self::Output, Error> {
        Ok((E::read(reply)?, reply.log_id()))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::api::EndpointExt;
    use crate::site::Site;
    use crate::token::{NoAuth, NoToken};

    /// An endpoint that overrides every method.
    struct Full;

    impl Endpoint for Full {
        type Auth = NoAuth;
        type Output = ();

        fn method(&self) -> Method {
            Method::PATCH
        }

        fn route(&self) -> &str {
            "/full/:id"
        }

        fn path(&self) -> Path {
            Path::new(self.route()).segment("7")
        }

        fn payload(&self) -> Option<Payload> {
            Some(Payload::json("{}"))
        }

        fn headers(&self) -> HeaderMap {
            HeaderMap::from_iter([(
                HeaderName::from_static("x-own"),
                HeaderValue::from_static("1"),
            )])
        }

        fn resend(&self) -> Resend {
            Resend::Safe
        }

        fn serial_key(&self) -> Option<&str> {
            Some("key")
        }

        fn quota(&self) -> Quota {
            Quota::per_second(5)
        }

        fn secrets(&self) -> Vec<String> {
            vec!["s".to_owned()]
        }

        fn reply_limit(&self) -> u64 {
            9
        }

        fn read(reply: &Reply) -> Result<(), Error> {
            reply.ok()
        }
    }

    #[test]
    fn the_log_id_does_not_change_the_request() {
        let plain = Full.request(&Site::LARK, &NoToken);
        let logged = WithLogId(&Full).request(&Site::LARK, &NoToken);
        assert_eq!(format!("{logged:?}"), format!("{plain:?}"));
    }

    #[test]
    fn the_log_id_does_not_change_how_the_request_is_sent() {
        let logged = WithLogId(&Full);
        assert_eq!(logged.route(), "/full/:id");
        assert_eq!(logged.resend(), Resend::Safe);
        assert_eq!(logged.serial_key(), Some("key"));
        assert_eq!(logged.secrets(), ["s"]);
        assert_eq!(logged.quota(), Quota::per_second(5));
        assert_eq!(logged.reply_limit(), 9);
    }
}

//! Whether a request may be sent again.

use std::time::Duration;

use http::Method;

/// Whether a request is idempotent: whether sending it twice has the same effect as sending it once.
///
/// This matters only after a send whose outcome is unknown: the connection broke, a timeout passed, or the reply has a
/// code of [`Class::ServiceFailure`](crate::error::Class::ServiceFailure), the code 90235 or 1310235, or status 408 or
/// 5xx without a known code. A request that the service refused may be sent again in any case. An unreadable reply with
/// a status below 400, such as damaged JSON with status 200, ends the call, although its outcome is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "idempotent")]
#[doc(alias = "idempotency")]
#[doc(alias = "retry")]
#[doc(alias = "幂等")]
#[doc(alias = "重试")]
pub enum Resend {
    /// The request is idempotent, as long as there is a single writer. If two callers write different values to the
    /// same cell, a second send of either call may overwrite the value of the other.
    Safe,
    /// The request is idempotent for this time after its first send: the service recognises it by an idempotency key of
    /// the caller, such as the uuid of a message. A call whose outcome is still unknown ends when this time is over by
    /// the client's clock, which may stand still while the machine sleeps.
    SafeFor(Duration),
    /// The request is not idempotent: a second send may have a second effect. After an unknown outcome the request is
    /// not sent again.
    Unsafe,
}

impl Resend {
    /// The default for a request with this method.
    pub(crate) fn for_method(method: &Method) -> Self {
        if method.is_idempotent() { Self::Safe } else { Self::Unsafe }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Endpoint, Reply};
    use crate::error::Error;
    use crate::token::NoAuth;

    /// An endpoint that overrides nothing.
    struct Plain(Method);

    impl Endpoint for Plain {
        type Auth = NoAuth;
        type Output = ();

        fn method(&self) -> Method {
            self.0.clone()
        }

        fn route(&self) -> &str {
            "/plain"
        }

        fn read(reply: &Reply) -> Result<(), Error> {
            reply.ok()
        }
    }

    #[test]
    fn a_resend_is_safe_by_default_where_the_method_is_idempotent() {
        let safe = |method| Plain(method).resend() == Resend::Safe;
        assert_eq!(
            [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::POST, Method::PATCH]
                .map(safe),
            [true, true, true, true, false, false]
        );
    }
}

//! Which of a service's errors another try would meet again.

use std::error::Error;

use lark_proto::{Failure, Permanence};

/// Whether another try may get through. An error of which this is not known may pass: the call's limits bound its tries.
pub(crate) fn permanence<T: Error + 'static>(failure: &Failure<T>) -> Permanence {
    match failure {
        #[cfg(feature = "tokio")]
        Failure::Transport(error) if tls::is_permanent(error) => Permanence::Permanent,
        _ => Permanence::Passing,
    }
}

#[cfg(feature = "tokio")]
mod tls {
    use std::error::Error;
    use std::io;
    use std::iter::successors;

    use crate::error::TransportError;

    /// A certificate that is not trusted, or nothing that both sides speak.
    pub(super) fn is_permanent(error: &(dyn Error + 'static)) -> bool {
        // Only a mistake of the service's has no end to its causes.
        successors(Some(error), |error| cause(*error)).take(16).any(|error| {
            matches!(
                error.downcast_ref(),
                Some(
                    rustls::Error::InvalidCertificate(_)
                        | rustls::Error::NoCertificatesPresented
                        | rustls::Error::PeerIncompatible(_)
                        | rustls::Error::UnsupportedNameType
                )
            )
        })
    }

    /// The cause of `error`, also where that has the same text and is passed over by `source`.
    fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
        if let Some(TransportError::Failed(inner)) = error.downcast_ref() {
            return Some(&**inner);
        }
        if let Some(inner) = error.downcast_ref().and_then(io::Error::get_ref) {
            return Some(inner);
        }
        error.source()
    }
}

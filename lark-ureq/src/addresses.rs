//! A host's addresses, remembered for a while.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::Uri;
use ureq::Error;
use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// As long as ureq keeps an idle connection, so that calls which share one share the look-up too.
const KEPT: Duration = Duration::from_secs(15);

/// ureq looks the host up before each request, also where a connection to it is open, and starts a thread for that
/// as soon as there is a timeout. This does so once in a while, and after a failure. Clones share what they found, of one
/// host: a client has no more.
#[derive(Clone, Default)]
pub(crate) struct Addresses(Arc<Mutex<Option<Found>>>);

struct Found {
    uri: Uri,
    addresses: ResolvedSocketAddrs,
    since: Instant,
}

impl Addresses {
    /// A request failed, maybe because the host has moved.
    pub(crate) fn forget(&self) {
        *self.found() = None;
    }

    fn found(&self) -> MutexGuard<'_, Option<Found>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver for Addresses {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let is_known = |found: &&Found| {
            let host = (found.uri.scheme(), found.uri.authority());
            host == (uri.scheme(), uri.authority()) && found.since.elapsed() < KEPT
        };
        if let Some(found) = self.found().as_ref().filter(is_known) {
            return Ok(found.addresses.clone());
        }
        let addresses = DefaultResolver::default().resolve(uri, config, timeout)?;
        #[expect(clippy::disallowed_methods, reason = "an adapter is where the time comes from")]
        let since = Instant::now();
        let found = Found { uri: uri.clone(), addresses: addresses.clone(), since };
        *self.found() = Some(found);
        Ok(addresses)
    }
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addresses").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use lark_hyper::FakeServer;
    use lark_proto::fake::FakeLark;
    use lark_proto::{App, Image, PutImage};

    use super::*;
    use crate::Client;

    impl Addresses {
        fn port(&self, uri: &str) -> Option<u16> {
            let (uri, config) = (uri.parse().unwrap(), ureq::Agent::config_builder().build());
            let found = self.resolve(&uri, &config, NextTimeout::default());
            found.ok().map(|found| found[0].port())
        }

        /// Has what was found say another port.
        fn lie(&self, port: u16) {
            if let Some(found) = self.found().as_mut() {
                found.addresses[0].set_port(port);
            }
        }
    }

    #[test]
    fn a_host_is_looked_up_once_in_a_while() {
        let addresses = Addresses::default();
        assert_eq!(addresses.port("http://127.0.0.1:1/a"), Some(1));
        addresses.lie(9);
        assert_eq!(addresses.port("http://127.0.0.1:1/b?c"), Some(9));
        assert_eq!(addresses.port("unknown://127.0.0.1:1"), None);
        assert_eq!(addresses.port("http://127.0.0.1:1"), Some(9), "a failure is not kept");
        assert_eq!(addresses.port("http://127.0.0.1:2"), Some(2), "another port");
        assert_eq!(addresses.port("http://127.0.0.2:2"), Some(2), "another host");
        addresses.lie(9);
        addresses.found().as_mut().unwrap().since -= KEPT;
        assert_eq!(addresses.port("http://127.0.0.2:2"), Some(2), "after a while");
    }

    #[test]
    fn an_address_that_has_gone_is_forgotten() {
        let server = FakeServer::start().unwrap();
        let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap();
        let client = Client::new(server.site().clone(), app);
        let addresses = &client.shared.addresses;
        let port = addresses.port(server.site().as_str());
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        addresses.lie(nobody.port());
        client.call(&PutImage::message(Image::new("GIF89a..").unwrap()).unwrap()).unwrap();
        assert_eq!(addresses.port(server.site().as_str()), port);
    }
}

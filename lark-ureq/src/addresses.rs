//! A host's addresses, remembered for a while.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::Uri;
use ureq::Error;
use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// As long as ureq keeps an idle connection, which leads to an old address just as well.
const KEPT: Duration = Duration::from_secs(15);

/// ureq looks the host up before each request, also where a connection to it is open, and starts a thread for that
/// as soon as there is a timeout. This asks `resolver` once in a while: a client has one host.
pub(crate) struct Addresses<R = DefaultResolver> {
    resolver: R,
    found: Mutex<Option<Found>>,
}

struct Found {
    host: Uri,
    addresses: ResolvedSocketAddrs,
    since: Instant,
}

impl<R> Addresses<R> {
    pub(crate) fn by(resolver: R) -> Self {
        Self { resolver, found: Mutex::default() }
    }

    fn found(&self) -> MutexGuard<'_, Option<Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Resolver> Resolver for Addresses<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let is_known = |found: &&Found| {
            let known = (found.host.scheme(), found.host.authority());
            known == (uri.scheme(), uri.authority()) && found.since.elapsed() < KEPT
        };
        if let Some(found) = self.found().as_ref().filter(is_known) {
            return Ok(found.addresses.clone());
        }
        let addresses = self.resolver.resolve(uri, config, timeout)?;
        #[expect(clippy::disallowed_methods, reason = "an adapter is where the time comes from")]
        let since = Instant::now();
        *self.found() = Some(Found { host: uri.clone(), addresses: addresses.clone(), since });
        Ok(addresses)
    }
}

impl<R: fmt::Debug> fmt::Debug for Addresses<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addresses").field("resolver", &self.resolver).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicU16, Ordering};

    use super::*;

    /// Another port each time that it is asked.
    #[derive(Debug, Default)]
    struct Ports(AtomicU16);

    impl Resolver for Ports {
        fn resolve(
            &self,
            _: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, Error> {
            let mut addresses = self.empty();
            match self.0.fetch_add(1, Ordering::Relaxed) {
                2 => return Err(Error::HostNotFound),
                port => addresses.push(SocketAddr::from(([127, 0, 0, 1], port))),
            }
            Ok(addresses)
        }
    }

    #[test]
    fn a_host_is_looked_up_once_in_a_while() {
        let addresses = Addresses::by(Ports::default());
        let config = ureq::Agent::config_builder().build();
        let port = |uri| {
            let uri = Uri::from_static(uri);
            let found = addresses.resolve(&uri, &config, NextTimeout::default()).ok()?;
            Some(found[0].port())
        };
        assert_eq!(port("https://open.larksuite.com/a"), Some(0));
        assert_eq!(port("https://open.larksuite.com/b?c"), Some(0));
        assert_eq!(port("https://open.feishu.cn/a"), Some(1), "another host");
        assert_eq!(port("https://open.larksuite.com/a"), None, "a failure is not kept");
        assert_eq!(port("https://open.larksuite.com/a"), Some(3));
        assert_eq!(port("http://open.larksuite.com/a"), Some(4), "another port");
        if let Some(found) = addresses.found().as_mut() {
            found.since -= KEPT;
        }
        assert_eq!(port("http://open.larksuite.com/a"), Some(5), "after a while");
    }
}

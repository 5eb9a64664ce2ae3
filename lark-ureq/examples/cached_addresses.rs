//! A client that looks up its site's address every 15 seconds at most, and again after a failure.
//!
//! ureq looks up the host before each request, even if a connection to it is open, and starts a thread for the look-up
//! if there is a timeout. A resolver with a cache saves about 15 µs of a call, and more if the system's resolver sends
//! a query over the network each time.
//!
//! The trait of ureq's resolvers is not stable yet, so a program that implements it needs `ureq = "~3.5"`.
//!
//! The example runs against a fake Lark on loopback, and fails if the number of look-ups is not the expected one.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lark_proto::fake::FakeLark;
use lark_proto::{App, Image, PutImage};
use lark_ureq::{Client, FakeServer};
use ureq::config::Config;
use ureq::http::{Request, Response, Uri};
use ureq::middleware::{Middleware, MiddlewareNext};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body, SendBody};

/// How long an address is used: as long as ureq keeps an idle connection.
const KEPT: Duration = Duration::from_secs(15);

/// The cached addresses of one host, which clones share.
#[derive(Clone, Debug, Default)]
struct Addresses(Arc<Mutex<Cache>>);

#[derive(Debug, Default)]
struct Cache {
    found: Option<Found>,
    lookups: u32,
}

#[derive(Debug)]
struct Found {
    uri: Uri,
    addresses: ResolvedSocketAddrs,
    since: Instant,
}

impl Addresses {
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver for Addresses {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = |uri: &Uri| (uri.scheme().cloned(), uri.authority().cloned());
        let is_known =
            |found: &&Found| host(&found.uri) == host(uri) && found.since.elapsed() < KEPT;
        if let Some(found) = self.cache().found.as_ref().filter(is_known) {
            return Ok(found.addresses.clone());
        }
        // The lock is not held during the look-up, so that other threads do not wait for it.
        let addresses = DefaultResolver::default().resolve(uri, config, timeout)?;
        #[expect(clippy::disallowed_methods, reason = "the time of the look-up")]
        let since = Instant::now();
        let mut cache = self.cache();
        cache.found = Some(Found { uri: uri.clone(), addresses: addresses.clone(), since });
        cache.lookups += 1;
        Ok(addresses)
    }
}

/// A middleware that drops the cached addresses when a request fails, since the host may have moved.
impl Middleware for Addresses {
    fn handle(
        &self,
        request: Request<SendBody<'_>>,
        next: MiddlewareNext<'_>,
    ) -> Result<Response<Body>, ureq::Error> {
        next.handle(request).inspect_err(|_| self.cache().found = None)
    }
}

/// A client with connections of its own, which shares `addresses` with other clients.
fn client(server: &FakeServer, addresses: &Addresses) -> Result<Client, Box<dyn Error>> {
    let config = Agent::config_builder().proxy(None).middleware(addresses.clone()).build();
    let agent = Agent::with_parts(config, DefaultConnector::new(), addresses.clone());
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?;
    Ok(Client::with_agent(server.site().clone(), app, agent))
}

fn main() -> ExitCode {
    let Err(error) = run() else { return ExitCode::SUCCESS };
    eprintln!("cached_addresses: {error}");
    ExitCode::FAILURE
}

fn run() -> Result<(), Box<dyn Error>> {
    let server = FakeServer::start()?;
    let addresses = Addresses::default();
    let put = PutImage::message(Image::new(&include_bytes!("sample.png")[..])?)?;
    let one = client(&server, &addresses)?;
    for _ in 0..3 {
        one.call(&put)?;
    }
    report("a token and three uploads", &addresses, 1)?;

    // The host moves: the address that is cached now leads to a port on which no server listens.
    if let Some(found) = &mut addresses.cache().found {
        found.addresses[0].set_port(1);
    }
    client(&server, &addresses)?.call(&put)?;
    report("an upload to a host that has moved", &addresses, 2)?;
    Ok(())
}

/// Prints the number of look-ups, and fails if it is not the expected one.
fn report(work: &str, addresses: &Addresses, expected: u32) -> Result<(), Box<dyn Error>> {
    let lookups = addresses.cache().lookups;
    writeln!(std::io::stdout(), "look-ups after {work}: {lookups}")?;
    if lookups == expected { Ok(()) } else { Err(format!("expected {expected} look-ups").into()) }
}

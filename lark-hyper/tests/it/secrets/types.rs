//! The printed form of each public type of both clients.
//!
//! The sources are searched for public types, so that a new one is added to one of the lists here.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::Path;

use http::Request;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use lark_hyper::{Connection, FakeServer, FakeTransport, Pool, RequestBody};
use lark_proto::{EndpointExt, Site};
use lark_ureq::Clock;
use tokio::runtime::Builder;

use super::{MARK, forms, shown_in};
use crate::support::packages::Packages;
use crate::support::{app, put, token};

/// The printed forms, by the name of the type.
#[derive(Default)]
struct Printed(Vec<(&'static str, String)>);

impl Printed {
    fn add(&mut self, name: &'static str, value: &dyn Debug) {
        self.0.push((name, format!("{value:?}\n{value:#?}")));
    }
}

/// The request of an upload with a token of the caller's.
fn request(site: &Site) -> Request<RequestBody> {
    let mark = lark_proto::TenantToken::new(MARK).unwrap();
    put().request_streamed(site, &mark).map(RequestBody::from)
}

fn print_ureq(printed: &mut Printed) {
    let server = lark_ureq::FakeServer::start().unwrap();
    let client = lark_ureq::Client::new(server.site().clone(), app());
    client.call(&put()).unwrap();
    printed.add("Client", &client);
    printed.add("Clock", &Clock::default());
    printed.add("Clock", &Clock::simulated());
    printed.add("FakeServer", &server);
    server.with(|lark| printed.add("FakeServer", lark));
    let fake = lark_ureq::FakeTransport::new(Clock::default());
    let client = lark_ureq::Client::with_agent(Site::LARK, app(), fake.agent());
    client.call(&put()).unwrap();
    printed.add("FakeTransport", &fake);
}

async fn print_hyper(printed: &mut Printed) {
    let server = FakeServer::start().unwrap();
    let client = lark_hyper::Client::new(server.site().clone(), app());
    client.call(&put()).await.unwrap();
    printed.add("Client", &client);
    printed.add("FakeServer", &server);
    let fake = FakeTransport::new(TokioTimer::new());
    let client =
        lark_hyper::Client::with_service(Site::LARK, app(), fake.clone(), TokioTimer::new());
    client.call(&put()).await.unwrap();
    printed.add("FakeTransport", &fake);
    let own = request(server.site());
    printed.add("RequestBody", &own);
    printed.add("RequestBody", own.body());
    printed.add("BodyProgress", &own.body().progress());
    let app_token = lark_proto::endpoints::GetTenantToken::new(
        lark_proto::values::AppId::new(lark_proto::fake::FakeLark::APP_ID).unwrap(),
        lark_proto::values::AppSecret::new(lark_proto::fake::FakeLark::APP_SECRET).unwrap(),
    );
    let granted = app_token.request_streamed(server.site(), &lark_proto::token::NoToken);
    let granted = fake.call(granted.map(RequestBody::from)).await.unwrap();
    printed.add("FakeReply", &granted);
    printed.add("FakeReply", granted.body());
    let pool = Pool::new();
    printed.add("Pool", &pool);
    let granted = app_token.request_streamed(server.site(), &lark_proto::token::NoToken);
    let future = pool.call(granted.map(RequestBody::from));
    printed.add("ReplyFuture", &future);
    let granted = future.await.unwrap();
    printed.add("ReplyBody", &granted);
    let future = pool.call(request(server.site()));
    printed.add("ReplyFuture", &future);
    printed.add("ReplyBody", &future.await.unwrap());
    printed.add("Connection", &Connection::new(TokioIo::new(tokio::io::duplex(1).0)));
    // Nothing listens on this port.
    let nowhere = Site::custom("http://127.0.0.1:1").unwrap();
    let error = lark_hyper::Client::new(nowhere, app()).call_as(&token(), &put()).await;
    printed.add("TransportError", &error.unwrap_err());
}

/// The types that hold nothing.
const PLAIN: [&str; 1] = ["FreshConnection"];

/// The names after `pub struct` and `pub enum` in the files below `folder`.
fn public_types(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.extend(public_types(&path));
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        for line in source.lines() {
            let Some(rest) = line.trim_start().strip_prefix("pub ") else { continue };
            let Some(rest) = rest.strip_prefix("struct ").or(rest.strip_prefix("enum ")) else {
                continue;
            };
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            names.insert(rest[..end].to_owned());
        }
    }
    names
}

#[test]
fn no_public_type_of_either_client_prints_a_secret() {
    let mut ureq = Printed::default();
    print_ureq(&mut ureq);
    let mut hyper = Printed::default();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(print_hyper(&mut hyper));
    for (name, text) in ureq.0.iter().chain(&hyper.0) {
        assert_eq!(shown_in(text), None, "{name}: {text}");
        for form in forms(MARK.as_bytes()) {
            assert!(!text.contains(&form), "{name}: {text}");
        }
    }
    let packages = Packages::new();
    for (package, printed, plain) in
        [("lark-ureq", ureq, &[][..]), ("lark-hyper", hyper, &PLAIN[..])]
    {
        let listed = printed.0.iter().map(|(name, _)| *name).chain(plain.iter().copied());
        let listed: BTreeSet<String> = listed.map(str::to_owned).collect();
        let sources = packages.folder(package).join("src");
        assert_eq!(public_types(&sources), listed, "{package}");
    }
}

//! Every scenario over sockets: on loopback, over TLS, and on a runtime other than tokio.

use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::service::service_fn;
use lark_hyper::{Client, FakeServer, RequestBody, TransportError};
use lark_proto::fake::scenarios::{self, Scenario};
use smol::LocalExecutor;
use smol::lock::Semaphore;
use smol_hyper::rt::{FuturesIo, SmolTimer};
use tokio::runtime::Handle;

use super::run;
use crate::support::tls::{Authority, Front, Opened, named};

/// The number of scenarios that run at a time. They spend most of their time waiting, and each holds up to ten file
/// descriptors.
const AT_A_TIME: usize = 6;

/// Runs all scenarios by `one`.
async fn run_all<F: Future<Output = Vec<String>>>(one: impl Fn(Scenario) -> F) {
    let places = Semaphore::new(AT_A_TIME);
    // This executor works inside of any runtime, and without one.
    let executor = LocalExecutor::new();
    let start = |scenario| {
        let places = &places;
        let run = one(scenario);
        executor.spawn(async move {
            let _place = places.acquire().await;
            run.await
        })
    };
    // On a busy machine a call that shares its thread with others may miss a deadline of a second.
    let is_hasty = |scenario: &Scenario| scenario.name.ends_with("past the deadline");
    let (hasty, patient): (Vec<_>, Vec<_>) =
        scenarios::all().unwrap().into_iter().partition(is_hasty);
    let started: Vec<_> = patient.into_iter().map(start).collect();
    let mut wrong = Vec::new();
    for run in started {
        wrong.extend(executor.run(run).await);
    }
    for scenario in hasty {
        wrong.extend(one(scenario).await);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn every_scenario_ends_as_it_says_over_loopback() {
    run_all(async |scenario| {
        let server = FakeServer::start().unwrap();
        let client = Client::new(server.site().clone(), scenario.app.clone());
        run(&scenario, client, |run| server.with(|lark| run.next(lark))).await
    })
    .await;
}

/// Runs `scenario` over TLS with the one protocol `alpn`. Returns the differences, and the connections of the front.
async fn run_over_tls(
    authority: &Authority,
    scenario: &Scenario,
    alpn: &str,
) -> (Vec<String>, Vec<Opened>) {
    let server = FakeServer::start().unwrap();
    let identity = authority.signs(&named("localhost"));
    let mut front = Front::start(&server, identity, &[alpn]).await;
    let client = authority.client(&front.site, scenario.app.clone());
    let mut wrong = run(scenario, client, |run| server.with(|lark| run.next(lark))).await;
    let mut connections = Vec::new();
    while let Ok(connection) = front.connections.try_recv() {
        connections.push(connection.unwrap());
    }
    if connections.is_empty() != server.with(|lark| lark.requests().is_empty()) {
        wrong.push(format!("{}: its requests did not come through the front", scenario.name));
    }
    (wrong, connections)
}

#[tokio::test]
async fn every_scenario_ends_as_it_says_over_tls_with_http_1() {
    let authority = Authority::new();
    run_all(async |scenario| {
        let (mut wrong, connections) = run_over_tls(&authority, &scenario, "http/1.1").await;
        if connections.iter().any(|connection| *connection != Opened::http1(Some("http/1.1"))) {
            wrong.push(format!("{}: {connections:?}", scenario.name));
        }
        wrong
    })
    .await;
}

#[tokio::test]
async fn every_scenario_ends_as_it_says_over_tls_with_http_2() {
    let authority = Authority::new();
    run_all(async |scenario| {
        let (mut wrong, connections) = run_over_tls(&authority, &scenario, "h2").await;
        // A connection fault ends a stream, and the request that is sent again has a connection of its own.
        if connections.iter().any(|connection| *connection != Opened::http2()) {
            wrong.push(format!("{}: {connections:?}", scenario.name));
        }
        wrong
    })
    .await;
}

#[test]
fn every_scenario_ends_as_it_says_under_smol_without_tokio() {
    let connections = LocalExecutor::new();
    let all = run_all(async |scenario| {
        let server = FakeServer::start().unwrap();
        let service = service_fn(|request| send(&connections, request));
        let (site, app) = (server.site().clone(), scenario.app.clone());
        let client = Client::with_service(site, app, service, SmolTimer::new());
        run(&scenario, client, |run| server.with(|lark| run.next(lark))).await
    });
    smol::block_on(connections.run(all));
}

/// Sends a request over a new connection, which `connections` drives.
async fn send(
    connections: &LocalExecutor<'_>,
    mut request: Request<RequestBody>,
) -> Result<Response<Incoming>, TransportError> {
    assert!(Handle::try_current().is_err(), "this is inside of a tokio runtime");
    let authority = request.uri().authority().unwrap().clone();
    request.headers_mut().insert(HOST, HeaderValue::from_str(authority.as_str()).unwrap());
    *request.uri_mut() = Uri::from(request.uri().path_and_query().unwrap().clone());
    let stream = smol::net::TcpStream::connect(authority.as_str()).await;
    let stream = stream.map_err(|error| TransportError::Failed(error.into()))?;
    let (mut sender, connection) = http1::handshake(FuturesIo::new(stream)).await?;
    connections.spawn(connection).detach();
    Ok(sender.send_request(request).await?)
}

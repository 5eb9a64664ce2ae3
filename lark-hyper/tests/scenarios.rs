//! Every scenario of the fake through the client, over each kind of transport.

mod support;

use lark_hyper::{Client, FakeServer};
use lark_proto::fake::scenarios;

#[tokio::test]
async fn over_loopback() {
    let mut wrong = Vec::new();
    for scenario in scenarios::all().unwrap() {
        let server = FakeServer::start().unwrap();
        let client = Client::new(server.site().clone(), scenario.app.clone());
        wrong.extend(support::run(&scenario, client, &|look| look(&mut server.lark())).await);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

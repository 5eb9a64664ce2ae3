//! The clients of this workspace, and raw clients that post a prepared request and read the reply.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use lark_proto::{App, Site};
use lark_ureq::ureq::{Agent, config::Config};
use tokio::time::timeout;

fn app() -> App {
    App::custom("cli_a1b2", "secret").expect("an app")
}

pub(crate) fn lark_ureq(site: &Site) -> lark_ureq::Client {
    lark_ureq::Client::new(site.clone(), app())
}

pub(crate) fn lark_hyper(site: &Site) -> lark_hyper::Client<lark_hyper::Pool> {
    lark_hyper::Client::new(site.clone(), app())
}

/// ureq without timeouts, which is the default, or with the timeouts of lark-ureq. With timeouts, ureq resolves the
/// host in a thread of its own, and sets the timeouts of the socket before reads and writes.
pub(crate) fn ureq(request: &Request<Bytes>, has_timeouts: bool) -> impl FnMut() + 'static {
    let request = request.clone();
    let mut config = Config::builder();
    if has_timeouts {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        config = config
            .timeout_global(seconds(600))
            .timeout_resolve(seconds(10))
            .timeout_connect(seconds(10))
            .timeout_send_request(seconds(30))
            .timeout_send_body(seconds(30))
            .timeout_recv_response(seconds(120))
            .timeout_recv_body(seconds(30))
            .timeout_per_write(seconds(29))
            .timeout_per_read(seconds(119));
    }
    let agent = Agent::new_with_config(config.build());
    move || {
        let (head, body) = request.clone().into_parts();
        let reply = agent.run(Request::from_parts(head, &body[..])).expect("a reply");
        assert_eq!(reply.status(), StatusCode::OK);
        reply.into_body().read_to_vec().expect("a reply's body");
    }
}

/// hyper without a timeout, which is the default, or with a timeout around each request.
pub(crate) fn hyper(request: &Request<Bytes>, has_timeout: bool) -> impl AsyncFn() + 'static {
    let request = request.clone().map(Full::new);
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: legacy::Client<_, Full<Bytes>> =
        legacy::Client::builder(TokioExecutor::new()).build(connector);
    async move || {
        let exchange = async {
            let reply = client.request(request.clone()).await.expect("a reply");
            assert_eq!(reply.status(), StatusCode::OK);
            reply.into_body().collect().await.expect("a reply's body");
        };
        if has_timeout {
            timeout(Duration::from_secs(60), exchange).await.expect("in time");
        } else {
            exchange.await;
        }
    }
}

#[cfg(feature = "competitors")]
pub(crate) fn reqwest(request: &Request<Bytes>) -> impl AsyncFn() + 'static {
    let client = reqwest::Client::new();
    let request = request.clone();
    async move || {
        let request = request.clone().try_into().expect("a request");
        let reply = client.execute(request).await.expect("a reply");
        assert_eq!(reply.status(), StatusCode::OK);
        reply.bytes().await.expect("a reply's body");
    }
}

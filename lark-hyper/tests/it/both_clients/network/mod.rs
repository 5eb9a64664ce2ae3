//! The network between a client and its site: with the same settings the outcomes of both clients are the same.

mod certificates;
mod environments;
mod exchanges;
mod gateways;
mod proxies;
mod scripted;
mod settings;

use std::fmt::Display;
use std::time::Duration;

use lark_proto::network::{ClientBuilder, Proxy, Roots};
use lark_proto::session::Phase;
use lark_proto::{Image, Limits, PutImage, Site, TenantToken};

use crate::support::app;

/// The settings of a test, for a builder of either client.
#[derive(Clone, Default)]
struct Setup {
    proxy: Option<Proxy>,
    roots: Roots,
    user_agent: Option<&'static str>,
    timeout: Option<(Phase, Duration)>,
    max_idle_connections: Option<usize>,
    reply_limit: Option<u64>,
    /// The limits of the calls, in place of one attempt.
    limits: Option<Limits>,
    /// The length of the image without its magic number.
    padding: usize,
}

impl Setup {
    fn through(proxy: &str) -> Self {
        Self { proxy: Some(Proxy::new(proxy).unwrap()), ..Self::default() }
    }

    fn apply<C>(&self, mut builder: ClientBuilder<C>) -> ClientBuilder<C> {
        builder = builder.limits(self.limits.unwrap_or(Limits::one_attempt()));
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(proxy.clone());
        }
        builder = match &self.roots {
            Roots::Default => builder,
            Roots::Platform => builder.platform_verifier(),
            Roots::Custom(pem) => builder.roots(pem),
            Roots::DefaultAndCustom(pem) => builder.extra_roots(pem),
        };
        if let Some((phase, time)) = self.timeout {
            builder = builder.timeout(phase, time);
        }
        if let Some(connections) = self.max_idle_connections {
            builder = builder.max_idle_connections(connections);
        }
        if let Some(bytes) = self.reply_limit {
            builder = builder.reply_limit(bytes);
        }
        if let Some(user_agent) = self.user_agent {
            builder = builder.user_agent(user_agent);
        }
        builder
    }
}

/// The outcome of an upload to `site` by each client: `Ok`, or the text of its error.
fn uploads(site: &Site, setup: &Setup) -> [(&'static str, Result<(), String>); 2] {
    uploads_as(site, setup, None)
}

/// The outcomes of an upload with a token of the caller's, if there is one.
fn uploads_as(
    site: &Site,
    setup: &Setup,
    token: Option<&TenantToken>,
) -> [(&'static str, Result<(), String>); 2] {
    let image = [b"GIF89a".to_vec(), vec![0; setup.padding]].concat();
    let put = PutImage::message(Image::new(image).unwrap()).unwrap();
    let blocking = || {
        let client = setup.apply(lark_ureq::Client::builder(site.clone(), app()));
        let client = text(client.build())?;
        text(match token {
            Some(token) => client.call_as(token, &put),
            None => client.call(&put),
        })
    };
    let on_hyper = || {
        let client = setup.apply(lark_hyper::Client::builder(site.clone(), app()));
        let client = text(client.build())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        text(match token {
            Some(token) => runtime.block_on(client.call_as(token, &put)),
            None => runtime.block_on(client.call(&put)),
        })
    };
    [("lark-ureq", blocking().map(|_| ())), ("lark-hyper", on_hyper().map(|_| ()))]
}

fn text<T, E: Display>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

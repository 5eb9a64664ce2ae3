//! A tower stack as the service: hyper-util's client with a timeout and a limit of requests in flight.
//!
//! `cargo run -p lark-hyper --example tower` uploads five images against a fake Lark on loopback, with two requests in
//! flight at most. Then it shows a call that runs into the timeout.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::service::TowerToHyperService;
use lark_hyper::{Client, FakeServer, TransportError};
use lark_proto::error::CallErrorKind;
use lark_proto::fake::{ConnectionFault, FakeLark, Route};
use lark_proto::{App, Image, Limits, PutImage};
use tokio::task::JoinSet;
use tower::ServiceBuilder;
use tower::timeout::error::Elapsed;

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    eprintln!("tower: {error}");
    ExitCode::FAILURE
}

async fn run() -> Result<(), Box<dyn Error>> {
    let server = FakeServer::start()?;
    let flights = Arc::new(Flights::default());
    let counted = flights.clone();
    let stack = ServiceBuilder::new()
        .map_err(TransportError::Failed)
        // The timeout is an inner layer, so that it does not run while a request waits here.
        .concurrency_limit(2)
        .map_future(move |reply| counted.clone().count(reply))
        .timeout(Duration::from_secs(1))
        .service(legacy::Client::builder(TokioExecutor::new()).build_http());
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?;
    let service = TowerToHyperService::new(stack);
    let client = Client::with_service(server.site().clone(), app, service, TokioTimer::new());

    let sample = &include_bytes!("sample.png")[..];
    let mut uploads = JoinSet::new();
    for number in 1..=5 {
        // A byte after the end of a PNG is not shown. Here it makes the images differ.
        let image = Image::new([sample, &[number]].concat())?;
        let client = client.clone();
        let put = PutImage::message(image.clone())?;
        uploads.spawn(async move { (client.call(&put).await, image) });
    }
    for (key, image) in uploads.join_all().await {
        let key = key?;
        let stored = server.with(|lark| lark.image(key.as_str()).cloned());
        let stored = stored.ok_or("the fake has no such image")?;
        if stored.bytes != image.bytes() {
            return Err("the fake holds other bytes than were sent".into());
        }
        println!("upload     image key {key}");
    }
    println!("read back  all five, byte for byte what was sent");
    println!("at once    {} at most", flights.most.load(Ordering::Relaxed));

    let slow = ConnectionFault::SlowReply(Duration::from_secs(60));
    server.with(|lark| lark.fail_next_on(Route::ImageV4Put, slow));
    let put = PutImage::message(Image::new(sample)?)?;
    // By default the client would send the request again.
    let outcome = client.with_limits(Limits::one_attempt()).call(&put).await;
    let error = outcome.err().ok_or("the call did not time out")?;
    match &error.kind {
        // tower has boxed the error.
        CallErrorKind::Transport(TransportError::Failed(cause)) if cause.is::<Elapsed>() => {
            println!("timeout    {error}");
            Ok(())
        }
        _ => Err(error.into()),
    }
}

/// How many requests are in flight, and the most that were.
#[derive(Default)]
struct Flights {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Flights {
    async fn count<F: Future>(self: Arc<Self>, reply: F) -> F::Output {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        let reply = reply.await;
        self.now.fetch_sub(1, Ordering::Relaxed);
        reply
    }
}

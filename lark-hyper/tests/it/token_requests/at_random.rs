//! Calls on two threads. Two thirds of them are dropped after a random number of polls or a random time, unless they
//! end earlier.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use lark_hyper::{Client, RequestBody, Transport, TransportError};
use lark_proto::values::{AppTicket, TenantKey};
use lark_proto::{App, Limits, Site};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::{app, put, write};

/// Random numbers from a seed, by splitmix64.
#[derive(Clone)]
struct Dice(Arc<AtomicU64>);

impl Dice {
    fn below(&self, sides: u64) -> u64 {
        let step = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        let mixed = (step ^ (step >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }

    /// Is pending up to three times, and is woken by its own poll or by a timer.
    async fn pause(&self) {
        for _ in 0..self.below(4) {
            if self.below(2) == 0 {
                tokio::task::yield_now().await;
            } else {
                sleep(Duration::from_micros(self.below(3000))).await;
            }
        }
    }
}

/// A client of a service that fails one token request in 20 and refuses the token of one other request in 50. The `Arc`
/// counts the token requests in flight: each holds a clone of it, and so does the service.
fn busy(
    app: App,
    dice: &Dice,
) -> (
    Client<impl Transport<Body: Send, Future: Send, Error: Send> + Clone + Send + Sync + use<>>,
    Arc<()>,
) {
    let dice = dice.clone();
    let alive = Arc::new(());
    let there = alive.clone();
    let service = service_fn(move |request: Request<RequestBody>| {
        let is_token = request.uri().path().contains("/auth/");
        let there = is_token.then(|| there.clone());
        let dice = dice.clone();
        async move {
            let _there = there;
            dice.pause().await;
            let (status, reply) = if !is_token && dice.below(50) == 0 {
                (400, r#"{"code":99991663,"msg":"refused"}"#)
            } else if is_token && dice.below(20) == 0 {
                return Err(TransportError::Failed("connection cut".into()));
            } else if is_token {
                (
                    200,
                    r#"{"code":0,"tenant_access_token":"t-1","app_access_token":"a-1","expire":600}"#,
                )
            } else {
                (200, r#"{"code":0,"data":{"image_key":"img_1","spreadsheetToken":"shtcn"}}"#)
            };
            let body = Full::new(Bytes::from(reply));
            Ok(Response::builder().status(status).body(body).unwrap())
        }
    });
    let client = Client::with_service(Site::LARK, app, Arc::new(service), TokioTimer::new());
    client.keep_quotas(false);
    (client, alive)
}

/// Polls `call` until it is ready, at most `times` times.
async fn polled<F: Future>(call: F, times: u64) -> Option<F::Output> {
    let mut call = pin!(call);
    let mut polls = 0;
    poll_fn(|context| {
        polls += 1;
        match call.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls < times => Poll::Pending,
            Poll::Pending => Poll::Ready(None),
        }
    })
    .await
}

/// Drops `call` after `time`, even if it was woken and has not been polled since.
async fn dropped_after(time: Duration, call: impl Future) {
    tokio::select! {
        biased;
        () = sleep(time) => {}
        _ = call => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_succeed_beside_dropped_ones_and_leave_no_request_in_flight() {
    let dice = Dice(Arc::new(AtomicU64::new(7)));
    let custom = app();
    let store = App::store("cli_store", "secret").unwrap();
    let (source, _) = busy(custom.clone(), &dice);
    source.call(&put()).await.unwrap();
    let token = source.export_token().unwrap();
    let mut clients = JoinSet::new();
    for number in 0..24 {
        let app = if number % 3 == 0 { &store } else { &custom };
        let (client, alive) = busy(app.clone(), &dice);
        let limits = Limits::default().total(Duration::from_secs(20));
        let client = client.with_limits(limits);
        if number % 3 == 0 {
            client.set_app_ticket(AppTicket::new("ticket").unwrap());
        } else if number % 3 == 1 {
            // The token is due for renewal.
            client.import_token(&token).unwrap();
        }
        let dice = dice.clone();
        clients.spawn(async move {
            let of_tenant = |tenant: usize| match number % 3 {
                0 => {
                    client.clone().for_tenant(TenantKey::new(["first", "second"][tenant]).unwrap())
                }
                _ => client.clone(),
            };
            let mut calls = JoinSet::new();
            for _ in 0..30 {
                let client = of_tenant(usize::from(dice.below(2) == 0));
                let dice = dice.clone();
                calls.spawn(async move {
                    dice.pause().await;
                    let put = put();
                    let write = write();
                    let call = async {
                        match dice.below(2) {
                            0 => client.call(&put).await.map(drop),
                            _ => client.call(&write).await.map(drop),
                        }
                    };
                    match dice.below(3) {
                        0 => drop(polled(call, dice.below(8)).await),
                        1 => dropped_after(Duration::from_micros(dice.below(5000)), call).await,
                        _ => call.await.unwrap(),
                    }
                });
            }
            while let Some(call) = calls.join_next().await {
                call.unwrap();
            }
            for tenant in 0..2 {
                of_tenant(tenant).call(&put()).await.unwrap();
            }
            assert!(format!("{client:?}").contains("parked: 0"), "{client:?}");
            // Only a renewal may still be in flight, since no call waits for it.
            assert!(
                number % 3 == 1 || Arc::strong_count(&alive) == 2,
                "a token request is in flight"
            );
            (client, alive)
        });
    }
    while let Some(client) = clients.join_next().await {
        let (client, alive) = client.unwrap();
        drop(client);
        assert_eq!(Arc::strong_count(&alive), 1, "a token request is in flight");
    }
}

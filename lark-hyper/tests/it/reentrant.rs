//! Code of the caller's that the client runs and that calls the client: an endpoint's `read`, a waker.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, UNIX_EPOCH};

use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use lark_hyper::{Client, Frames, Transport, TransportError};
use lark_proto::endpoints::{Payload, Reply};
use lark_proto::fake::{FakeLark, Route};
use lark_proto::token::TenantOnly;
use lark_proto::{App, Endpoint, Image, ImageKey, PutImage, Site, WriteSheetImage};

/// A client of a fake that answers a request when it is polled for the second time.
fn client(
    lark: &Arc<Mutex<FakeLark>>,
) -> Client<
    impl Transport<Body: Send, Future: Send, Error: Debug + Send> + Clone + Send + Sync + use<>,
> {
    let lark = lark.clone();
    let service = service_fn(move |request: Request<Frames>| {
        let lark = lark.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let mut is_over = false;
            poll_fn(|context| {
                if std::mem::replace(&mut is_over, true) {
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            let reply = lark.lock().unwrap().handle(UNIX_EPOCH, Request::from_parts(head, body));
            Ok::<_, TransportError>(reply.map(Full::new))
        }
    });
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap();
    Client::with_service(Site::LARK, app, Arc::new(service), TokioTimer::new())
}

fn put() -> PutImage {
    PutImage::message(Image::new("GIF89a..").unwrap()).unwrap()
}

fn write() -> WriteSheetImage {
    let cell = format!("{}!H7", FakeLark::SHEET).parse().unwrap();
    let image = Image::new("GIF89a..").unwrap();
    WriteSheetImage::new(FakeLark::SPREADSHEET.parse().unwrap(), cell, image).unwrap()
}

/// Polls `future` until it is ready.
fn spin<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let context = &mut Context::from_waker(Waker::noop());
    for _ in 0..1000 {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return output;
        }
    }
    panic!("it is never ready");
}

/// An upload whose `read` makes another one.
struct Nested;

/// The upload that `Nested` makes; a static, since `Endpoint::read` has no receiver.
static UPLOAD: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

impl Endpoint for Nested {
    type Auth = TenantOnly;
    type Output = ImageKey;

    fn method(&self) -> Method {
        put().method()
    }

    fn route(&self) -> &str {
        Route::ImageV4Put.path()
    }

    fn payload(&self) -> Option<Payload> {
        put().payload()
    }

    fn read(reply: &Reply) -> Result<ImageKey, lark_proto::Error> {
        UPLOAD.get().unwrap()();
        PutImage::read(reply)
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_may_call_the_client() {
    let lark = Arc::default();
    let client = client(&lark);
    let inner = client.clone();
    assert!(UPLOAD.set(Box::new(move || drop(spin(inner.call(&put())).unwrap()))).is_ok());
    client.call(&Nested).await.unwrap();
    assert_eq!(lark.lock().unwrap().images().count(), 2);
}

/// A task whose waker polls it at once, unless it is being polled.
struct Inline {
    task: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    wakes: AtomicUsize,
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        let waker = Waker::from(self.clone());
        let Ok(mut task) = self.task.try_lock() else { return };
        let Some(future) = &mut *task else { return };
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            *task = None;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_waker_may_poll_its_task_at_once() {
    let lark: Arc<Mutex<FakeLark>> = Arc::default();
    let client = client(&lark);
    client.call(&put()).await.unwrap();
    let first = write();
    let mut first = Box::pin(client.call(&first));
    assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let task = client.clone();
    let second = Arc::new(Inline {
        task: Mutex::new(Some(Box::pin(async move { drop(task.call(&write()).await.unwrap()) }))),
        wakes: AtomicUsize::new(0),
    });
    second.clone().wake();
    assert_eq!(lark.lock().unwrap().count(Route::ValuesImage), 0, "the lane is taken");
    // This frees the lane, and so wakes and polls the second call before it returns.
    drop(first);
    assert!(second.wakes.load(Ordering::Relaxed) > 1);
    for _ in 0..10 {
        second.clone().wake();
    }
    assert!(second.task.lock().unwrap().is_none());
    assert_eq!(lark.lock().unwrap().count(Route::ValuesImage), 1);
}

/// An upload whose `read` takes 300 ms.
struct Slow;

impl Endpoint for Slow {
    type Auth = TenantOnly;
    type Output = ImageKey;

    fn method(&self) -> Method {
        put().method()
    }

    fn route(&self) -> &str {
        Route::ImageV4Put.path()
    }

    fn payload(&self) -> Option<Payload> {
        put().payload()
    }

    #[expect(clippy::disallowed_methods, reason = "this is what takes the time")]
    fn read(reply: &Reply) -> Result<ImageKey, lark_proto::Error> {
        std::thread::sleep(Duration::from_millis(300));
        PutImage::read(reply)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replies_are_read_at_the_same_time() {
    let client = client(&Arc::default());
    client.call(&put()).await.unwrap();
    let start = tokio::time::Instant::now();
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.call(&Slow).await.unwrap() })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    // One after the other they would take 1.2 s.
    assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
}

//! A scripted service, which reacts to each request after a time.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::rt::Timer;
use hyper::service::service_fn;
use lark_hyper::{Client, Frames, Transport, TransportError};
use lark_proto::{App, Image, PutImage, Site, WriteSheetImage};

use crate::time::{Executor, Task, Time};

/// The end of the token requests' path.
pub(crate) const TOKEN: &str = "/tenant_access_token/internal";

/// How the service reacts to a request.
pub(crate) enum Reaction {
    Reply(Duration, Response<Bytes>),
    /// The connection breaks this time after the service has received the whole request.
    Cut(Duration),
    Hangs,
}

pub(crate) fn after(time: Duration, reply: Response<Bytes>) -> Reaction {
    Reaction::Reply(time, reply)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Virtual time, and the time and the path of each request sent in it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) executor: Rc<Executor>,
    sent: Rc<RefCell<Vec<(Duration, String)>>>,
    hanging: Rc<Cell<usize>>,
}

/// A request that hangs, until it is dropped.
struct Hanging(Rc<Cell<usize>>);

impl Hanging {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl World {
    pub(crate) fn new(name: &str) -> Self {
        Self { executor: Rc::new(Executor::new(name)), sent: Rc::default(), hanging: Rc::default() }
    }

    /// A client of `app` whose service is `react`.
    pub(crate) fn client<'s>(
        &self,
        app: App,
        react: impl FnMut(Duration, Request<Bytes>) -> Reaction + 's,
    ) -> Client<impl Transport<Error = TransportError> + Clone> {
        let (world, react) = (self.clone(), Rc::new(RefCell::new(react)));
        let service = service_fn(move |request: Request<Frames>| {
            let (world, react) = (world.clone(), Rc::clone(&react));
            async move {
                let (head, body) = request.into_parts();
                let request = Request::from_parts(head, body.collect().await?.to_bytes());
                let now = world.now();
                world.sent.borrow_mut().push((now, request.uri().path().to_owned()));
                let reaction = react.borrow_mut()(now, request);
                match reaction {
                    Reaction::Reply(time, reply) => {
                        world.sleep(time).await;
                        Ok(reply.map(Full::new))
                    }
                    Reaction::Cut(time) => {
                        world.sleep(time).await;
                        Err(TransportError::Failed("connection cut".into()))
                    }
                    Reaction::Hangs => {
                        let _hanging = Hanging::new(&world.hanging);
                        pending().await
                    }
                }
            }
        });
        Client::with_service(Site::LARK, app, Rc::new(service), self.time().clone())
    }

    pub(crate) fn time(&self) -> &Time {
        &self.executor.time
    }

    pub(crate) fn now(&self) -> Duration {
        self.time().elapsed()
    }

    pub(crate) async fn sleep(&self, time: Duration) {
        self.time().sleep(time).await;
    }

    pub(crate) async fn sleep_until(&self, time: Duration) {
        self.sleep(time.saturating_sub(self.now())).await;
    }

    /// The output of `call`, and how long it took. `None` stands for a call that was dropped after `patience`.
    pub(crate) async fn within<T>(
        &self,
        patience: Duration,
        call: impl Future<Output = T>,
    ) -> Option<(T, Duration)> {
        let start = self.now();
        let (mut call, mut sleep) = (pin!(call), pin!(self.sleep(patience)));
        poll_fn(|context| match call.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some((output, self.now() - start))),
            Poll::Pending => sleep.as_mut().poll(context).map(|()| None),
        })
        .await
    }

    /// The output of `call`, and how long it took.
    pub(crate) async fn timed<T>(&self, call: impl Future<Output = T>) -> (T, Duration) {
        self.within(Duration::from_secs(1 << 32), call).await.unwrap()
    }

    /// Runs `count` tasks concurrently, each with its number, and returns their outputs in this order.
    pub(crate) fn run_all<T, F: Future<Output = T>>(
        &self,
        count: u32,
        task: impl Fn(u32) -> F,
    ) -> Vec<T> {
        let outputs = RefCell::new(Vec::new());
        let run = |number| -> Task<'_> {
            let task = task(number);
            let outputs = &outputs;
            Box::pin(async move {
                let output = task.await;
                outputs.borrow_mut().push((number, output));
            })
        };
        self.executor.run_all((0..count).map(run).collect());
        let mut outputs = outputs.into_inner();
        outputs.sort_by_key(|(number, _)| *number);
        outputs.into_iter().map(|(_, output)| output).collect()
    }

    /// The number of requests that hang and that the client has not dropped.
    pub(crate) fn hanging(&self) -> usize {
        self.hanging.get()
    }

    /// The times of the requests whose path ends with `path`.
    pub(crate) fn sent(&self, path: &str) -> Vec<Duration> {
        let sent = self.sent.borrow();
        sent.iter().filter(|(_, of)| of.ends_with(path)).map(|(at, _)| *at).collect()
    }
}

pub(crate) fn custom() -> App {
    App::custom("cli_x", "secret").unwrap()
}

pub(crate) fn upload() -> PutImage {
    PutImage::message(Image::new("GIF89a").unwrap()).unwrap()
}

/// A write of an image to the `number`th spreadsheet.
pub(crate) fn write(number: usize, image: &str) -> WriteSheetImage {
    let image = Image::new(format!("GIF89a{image}")).unwrap();
    let spreadsheet = format!("shtcn{number:06}").parse().unwrap();
    WriteSheetImage::new(spreadsheet, "Q7PlXT!H7".parse().unwrap(), image).unwrap()
}

pub(crate) fn answer(status: u16, body: &str) -> Response<Bytes> {
    Response::builder().status(status).body(Bytes::from(body.to_owned())).unwrap()
}

/// A token of every kind.
pub(crate) fn granted(token: &str) -> Response<Bytes> {
    let tokens = format!(r#""tenant_access_token":"{token}","app_access_token":"{token}""#);
    answer(200, &format!(r#"{{"code":0,{tokens},"expire":7200}}"#))
}

/// A success that both endpoints in these tests can read.
pub(crate) fn done() -> Response<Bytes> {
    answer(200, r#"{"code":0,"data":{"image_key":"img_1","spreadsheetToken":"shtcn"}}"#)
}

pub(crate) fn refusal(status: u16, code: i64) -> Response<Bytes> {
    answer(status, &format!(r#"{{"code":{code},"msg":"refused"}}"#))
}

/// A refusal for the route's rate limit, which tells the client to wait for `seconds`.
pub(crate) fn told(seconds: u64) -> Response<Bytes> {
    with(refusal(429, 99_991_400), "x-ogw-ratelimit-reset", &seconds.to_string())
}

pub(crate) fn with(
    mut reply: Response<Bytes>,
    header: &'static str,
    value: &str,
) -> Response<Bytes> {
    reply.headers_mut().insert(header, HeaderValue::from_str(value).unwrap());
    reply
}

/// A service that answers token requests by `auth`, given their number, and each other request in 100 ms.
pub(crate) fn with_tokens(
    mut auth: impl FnMut(usize, Request<Bytes>) -> Reaction,
) -> impl FnMut(Duration, Request<Bytes>) -> Reaction {
    let mut asked = 0;
    move |_, request| {
        if !request.uri().path().contains("/auth/") {
            return after(millis(100), done());
        }
        asked += 1;
        auth(asked, request)
    }
}

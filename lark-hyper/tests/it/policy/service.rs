//! A scripted service, which reacts to each request after a time.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use lark_hyper::{Client, RequestBody, Transport, TransportError};
use lark_proto::{App, Image, Site, WriteSheetImage};

use crate::support::millis;
use crate::support::sim::Sim;

/// The end of the token requests' path.
pub(super) const TOKEN: &str = "/tenant_access_token/internal";

/// How the service reacts to a request.
pub(super) enum Reaction {
    Reply(Duration, Response<Bytes>),
    /// The connection breaks this time after the service has received the whole request.
    Cut(Duration),
    Hangs,
}

pub(super) fn after(time: Duration, reply: Response<Bytes>) -> Reaction {
    Reaction::Reply(time, reply)
}

/// The services of a simulation's clients, with the time and the path of each request.
#[derive(Clone)]
pub(super) struct Service {
    sim: Sim,
    sent: Rc<RefCell<Vec<(Duration, String)>>>,
    hanging: Rc<Cell<usize>>,
}

impl Service {
    pub(super) fn new(sim: &Sim) -> Self {
        Self { sim: sim.clone(), sent: Rc::default(), hanging: Rc::default() }
    }

    /// A client of `app` whose service reacts by `react`, which gets the time and the request.
    pub(super) fn client<'s>(
        &self,
        app: App,
        react: impl FnMut(Duration, Request<Bytes>) -> Reaction + 's,
    ) -> Client<impl Transport<Error = TransportError> + Clone> {
        let timer = self.sim.time.clone();
        let service = self.clone();
        let react = Rc::new(RefCell::new(react));
        let service = service_fn(move |request: Request<RequestBody>| {
            let Self { sim, sent, hanging } = service.clone();
            let react = Rc::clone(&react);
            async move {
                let (head, body) = request.into_parts();
                let request = Request::from_parts(head, body.collect().await?.to_bytes());
                let now = sim.elapsed();
                sent.borrow_mut().push((now, request.uri().path().to_owned()));
                let reaction = react.borrow_mut()(now, request);
                match reaction {
                    Reaction::Reply(time, reply) => {
                        sim.sleep(time).await;
                        Ok(reply.map(Full::new))
                    }
                    Reaction::Cut(time) => {
                        sim.sleep(time).await;
                        Err(TransportError::Failed("connection cut".into()))
                    }
                    Reaction::Hangs => {
                        let _hanging = Hanging::new(&hanging);
                        pending().await
                    }
                }
            }
        });
        Client::with_service(Site::LARK, app, Rc::new(service), timer)
    }

    /// The number of requests that hang and that the client has not dropped.
    pub(super) fn hanging(&self) -> usize {
        self.hanging.get()
    }

    /// The times of the requests whose path ends with `path`.
    pub(super) fn sent(&self, path: &str) -> Vec<Duration> {
        let sent = self.sent.borrow();
        sent.iter().filter(|(_, of)| of.ends_with(path)).map(|(at, _)| *at).collect()
    }
}

/// A request that is counted as hanging until it is dropped.
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

/// A write of an image to the `number`th spreadsheet.
pub(super) fn write(number: usize, image: &str) -> WriteSheetImage {
    let image = Image::new(format!("GIF89a{image}")).unwrap();
    let spreadsheet = format!("shtcn{number:06}").parse().unwrap();
    WriteSheetImage::new(spreadsheet, "Q7PlXT!H7".parse().unwrap(), image).unwrap()
}

pub(super) fn answer(status: u16, body: &str) -> Response<Bytes> {
    Response::builder().status(status).body(Bytes::from(body.to_owned())).unwrap()
}

/// A token of every kind.
pub(super) fn granted(token: &str) -> Response<Bytes> {
    let tokens = format!(r#""tenant_access_token":"{token}","app_access_token":"{token}""#);
    answer(200, &format!(r#"{{"code":0,{tokens},"expire":7200}}"#))
}

/// A success that both endpoints in these tests can read.
pub(super) fn done() -> Response<Bytes> {
    answer(200, r#"{"code":0,"data":{"image_key":"img_1","spreadsheetToken":"shtcn"}}"#)
}

pub(super) fn refusal(status: u16, code: i64) -> Response<Bytes> {
    answer(status, &format!(r#"{{"code":{code},"msg":"refused"}}"#))
}

/// A refusal for the route's rate limit, which tells the client to wait for `seconds`.
pub(super) fn rate_limited(seconds: u64) -> Response<Bytes> {
    with(refusal(429, 99_991_400), "x-ogw-ratelimit-reset", &seconds.to_string())
}

pub(super) fn with(
    mut reply: Response<Bytes>,
    header: &'static str,
    value: &str,
) -> Response<Bytes> {
    reply.headers_mut().insert(header, HeaderValue::from_str(value).unwrap());
    reply
}

/// A service that answers token requests by `auth`, given their number, and each other request in 100 ms.
pub(super) fn with_tokens(
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

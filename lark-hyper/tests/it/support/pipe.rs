//! HTTP/1.1 over a pipe in memory and without a runtime: hyper's client at one end, and hyper's server at the other,
//! which passes each request on to the fake.

use std::cell::RefCell;
use std::rc::Rc;

use http::header::HOST;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use lark_hyper::RequestBody;

use super::pausing::Pausing;
use super::sim::Sim;

/// The bytes that a pipe buffers: so few that the writer of a long body has to wait for its reader.
const CAPACITY: usize = 16 << 10;

/// A service over one connection, which it keeps. If there is none, or it is in use, the service opens another one.
pub(crate) fn service(
    fake: &Pausing,
    sim: &Sim,
) -> impl Service<Request<RequestBody>, Response = Response<Incoming>, Error = hyper::Error>
+ Clone
+ use<> {
    let fake = fake.clone();
    let sim = sim.clone();
    let kept = Rc::default();
    service_fn(move |request| send(fake.clone(), sim.clone(), Rc::clone(&kept), request))
}

async fn send(
    fake: Pausing,
    sim: Sim,
    kept: Rc<RefCell<Option<SendRequest<RequestBody>>>>,
    mut request: Request<RequestBody>,
) -> Result<Response<Incoming>, hyper::Error> {
    // The client's request has a whole URI. A server expects the host in a header, and the path alone.
    let host = request.uri().authority().unwrap().as_str().parse().unwrap();
    request.headers_mut().insert(HOST, host);
    *request.uri_mut() = request.uri().path_and_query().unwrap().as_str().parse().unwrap();
    let mut connection = kept.take();
    if let Some(open) = &mut connection {
        if open.ready().await.is_err() {
            connection = None;
        }
    }
    let mut connection = match connection {
        Some(open) => open,
        None => connect(fake, &sim).await?,
    };
    let reply = connection.send_request(request).await?;
    *kept.borrow_mut() = Some(connection);
    Ok(reply)
}

/// Opens a connection. Both of its ends are background tasks of `sim`.
async fn connect(fake: Pausing, sim: &Sim) -> Result<SendRequest<RequestBody>, hyper::Error> {
    // These pipes of tokio need no runtime.
    let (near, far) = tokio::io::duplex(CAPACITY);
    let service = service_fn(move |request: Request<Incoming>| {
        assert!(request.headers().contains_key(HOST) && request.uri().authority().is_none());
        fake.call(request)
    });
    let server = http1::Builder::new().serve_connection(TokioIo::new(far), service);
    let (sender, client) = handshake(TokioIo::new(near)).await?;
    // The call reports the error of its connection.
    sim.spawn(async { drop(server.await) });
    sim.spawn(async { drop(client.await) });
    Ok(sender)
}

//! One request has the same bytes from `lark-ureq`, from `lark-hyper` and from [`wire`], save for the order of its
//! headers and for the headers of the transport's own, which this file lists.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{Method, Request, Response};
use lark_proto::body::{Boundary, ImageEncoding};
use lark_proto::endpoints::{
    GetAppToken, GetStoreTenantToken, GetTenantToken, Path, Payload, Reply, ResendAppTicket,
};
use lark_proto::fake::http1::{self, Requests};
use lark_proto::token::{AppToken, Authorizes, NoToken, TenantOrUser};
use lark_proto::values::{AppId, AppSecret, AppTicket, TenantKey};
use lark_proto::{
    App, Endpoint, EndpointExt, Error, Image, Limits, PutImage, Site, TenantToken, UserToken,
    WriteSheetImage, wire,
};

/// The headers that `lark-ureq` adds to a request.
const UREQ: &[(&str, &str)] = &[("user-agent", concat!("lark-ureq/", env!("CARGO_PKG_VERSION")))];

/// The headers that `lark-hyper` adds over HTTP/1.1.
const HYPER: &[(&str, &str)] = &[("user-agent", concat!("lark-hyper/", env!("CARGO_PKG_VERSION")))];

/// A successful reply of every endpoint in these tests.
const SUCCESS: &str = r#"{"code":0,"msg":"ok","app_access_token":"a-1","tenant_access_token":"t-1","expire":7200,"data":{"image_key":"img_1","spreadsheetToken":"sht1"}}"#;

/// A server that records one request of each of two clients.
fn record() -> (Site, thread::JoinHandle<[Request<Bytes>; 2]>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Site::custom(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let next = move |()| receive(&listener.accept().unwrap().0);
    (site, thread::spawn(|| [(); 2].map(next)))
}

/// The one request on a connection, which closes after its reply.
fn receive(mut stream: &TcpStream) -> Request<Bytes> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut requests = Requests::new();
    let mut buffer = [0; 1 << 16];
    let request = loop {
        let count = stream.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "{:?}", requests.end());
        requests.push(&buffer[..count]);
        if let Some(request) = requests.request().unwrap() {
            break request;
        }
    };
    let reply = Response::builder().header(CONNECTION, "close").body(SUCCESS.into()).unwrap();
    stream.write_all(&http1::reply(&reply)).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    // Bytes beyond the announced length would arrive here.
    assert_eq!(stream.read(&mut buffer).unwrap(), 0);
    requests.end().unwrap();
    request
}

/// Asserts that `sent` is `wire` with the transport's `own` headers and no others.
fn assert_same(sent: &Request<Bytes>, wire: &Request<Bytes>, own: &[(&'static str, &str)]) {
    assert_eq!((sent.method(), sent.uri()), (wire.method(), wire.uri()));
    let mut expected = wire.headers().clone();
    for (name, value) in own {
        let shared = expected.insert(*name, value.parse().unwrap());
        assert_eq!(shared, None, "{name} is the transport's own");
    }
    assert_eq!(sent.headers(), &expected, "{}", sent.uri());
    // The message of a failure does not print bodies of a megabyte.
    let differs = sent.body().iter().zip(wire.body()).position(|(sent, wire)| sent != wire);
    assert_eq!(differs, None, "the first byte that differs: {}", sent.uri());
    assert_eq!(sent.body().len(), wire.body().len(), "{}", sent.uri());
}

/// Compares the requests of both clients with `wire`, and returns the length of the body.
fn check<E: Endpoint>(token: &impl Authorizes<E::Auth>, endpoint: &E) -> usize {
    let (site, server) = record();
    let client = lark_ureq::Client::new(site.clone(), App::None).with_limits(Limits::one_attempt());
    client.call_as(token, endpoint).unwrap();
    drop(client);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client =
        lark_hyper::Client::new(site.clone(), App::None).with_limits(Limits::one_attempt());
    runtime.block_on(client.call_as(token, endpoint)).unwrap();
    // The connection is a task of the runtime, and the server reads until it is closed.
    drop((client, runtime));

    let [ureq, hyper] = server.join().unwrap();
    let bytes = wire::http1(endpoint.request(&site, token), wire::HeaderSecrets::Shown);
    let wire = http1::request(&bytes).unwrap();
    assert_same(&ureq, &wire, UREQ);
    assert_same(&hyper, &wire, HYPER);
    wire.body().len()
}

fn tenant() -> TenantToken {
    TenantToken::new("t-e346617a4acfc3a11d4ed24dca0d0c0fc8e0067e").unwrap()
}

/// Images of one frame and of several frames, of which the last one is not full.
fn images() -> [Image; 3] {
    [1, 70_001, 200_003].map(|len: u64| {
        let noise = (0..len).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8);
        Image::new([b"\x89PNG\r\n\x1a\n".to_vec(), noise.collect()].concat()).unwrap()
    })
}

#[test]
fn both_clients_send_an_image_in_a_form_byte_for_byte() {
    let boundary = Boundary::new("a-boundary-of-a-callers").unwrap();
    for image in images() {
        let message = PutImage::message(image.clone()).unwrap();
        let len = check(&tenant(), &message);
        assert!(len > image.bytes().len());
        check(&tenant(), &message.with_boundary(&boundary).unwrap());
        check(&tenant(), &PutImage::avatar(image).unwrap());
    }
}

#[test]
fn both_clients_send_an_image_in_a_cell_byte_for_byte() {
    for image in images() {
        let spreadsheet = "shtcngNygNfuqhxTBf588jwgWbJ".parse().unwrap();
        let cell = "Q7PlXT!H7".parse().unwrap();
        let write = WriteSheetImage::new(spreadsheet, cell, image.clone()).unwrap();
        let len = check(&tenant(), &write);
        assert!(len > 2 * image.bytes().len());
        check(&UserToken::new("u-7f1b").unwrap(), &write);
        let named = write.with_name("图 \"1\"").unwrap();
        check(&tenant(), &named);
        check(&tenant(), &named.with_encoding(ImageEncoding::Base64));
    }
}

#[test]
fn both_clients_send_token_requests_byte_for_byte() {
    let id = || AppId::new("cli_slkdjalasdkjasd").unwrap();
    // The secret has characters that JSON escapes.
    let secret = || AppSecret::new(r#"dskL"L\dkasdjlasdKK"#).unwrap();
    let ticket = AppTicket::new("dskLLdkasd").unwrap();
    let app_token = AppToken::new("a-32bd8551db2f081cbfd26293f27516390b9feb04").unwrap();
    let tenant = TenantKey::new("73658811060f175d").unwrap();
    check(&NoToken, &GetTenantToken::new(id(), secret()));
    check(&NoToken, &GetAppToken::new(id(), secret(), ticket));
    check(&NoToken, &GetStoreTenantToken::new(app_token, tenant));
    check(&NoToken, &ResendAppTicket::new(id(), secret()));
}

/// Checks an endpoint of a caller's, with and without a body, whose path and query need escapes.
macro_rules! own {
    ($method:ident) => {{
        struct Own(Option<&'static str>);
        impl Endpoint for Own {
            type Auth = TenantOrUser;
            type Output = ();
            fn method(&self) -> Method {
                Method::$method
            }
            fn route(&self) -> &str {
                "/open-apis/own/v1/:name/it's"
            }
            fn path(&self) -> Path {
                let path = Path::new(self.route()).segment("a/b ..?图%");
                path.query("q[]", "x&y=+1 #").query("..", "")
            }
            fn payload(&self) -> Option<Payload> {
                self.0.map(|text| Payload::json(text.to_owned()))
            }
            fn read(reply: &Reply) -> Result<(), Error> {
                reply.ok()
            }
        }
        [None, Some(""), Some(r#"{"a":1}"#)].map(|body| check(&tenant(), &Own(body)))
    }};
}

#[test]
fn both_clients_send_endpoints_of_a_callers_own_byte_for_byte() {
    assert_eq!(own!(GET), [0, 0, 7]);
    assert_eq!(own!(DELETE), [0, 0, 7]);
    assert_eq!(own!(POST), [0, 0, 7]);
    assert_eq!(own!(PUT), [0, 0, 7]);
    assert_eq!(own!(PATCH), [0, 0, 7]);
}

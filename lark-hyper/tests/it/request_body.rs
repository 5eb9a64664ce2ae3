//! The frames of a body: their sizes, their memory, and the progress that they report.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body as _, Frame};
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioTimer;
use lark_hyper::{Client, RequestBody};
use lark_proto::body::{Body, ImageEncoding};
use lark_proto::fake::http1::{self, Requests};
use lark_proto::token::Authorizes;
use lark_proto::{App, EndpointExt, Image, PutImage, Site, TenantToken, WriteSheetImage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{peers, token};

/// The longest frame.
const MOST: usize = 64 << 10;

fn noise(len: usize) -> Image {
    let noise = (0..len as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8);
    Image::new([b"GIF89a".to_vec(), noise.collect()].concat()).unwrap()
}

fn write(image: Image, encoding: ImageEncoding) -> Body {
    let cell = "Q7PlXT!H7".parse().unwrap();
    let write = WriteSheetImage::new("shtcnabc".parse().unwrap(), cell, image).unwrap();
    streamed(&write.with_encoding(encoding))
}

fn put(image: Image) -> Body {
    streamed(&PutImage::message(image).unwrap())
}

fn streamed<E: EndpointExt>(endpoint: &E) -> Body
where
    TenantToken: Authorizes<E::Auth>,
{
    endpoint.request_streamed(&Site::LARK, &token()).into_body()
}

/// The next frame's data. A body is never pending.
fn next(body: &mut RequestBody) -> Option<Bytes> {
    match Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(frame) => {
            frame.map(|frame: Result<Frame<Bytes>, _>| frame.unwrap().into_data().unwrap())
        }
        Poll::Pending => panic!("a body is pending"),
    }
}

/// The frames of `body`, after checks of their lengths, and of the size hint and the progress before each of them.
fn frames(body: Body) -> Vec<Bytes> {
    let mut left = body.len();
    let len = left;
    let mut body = RequestBody::from(body);
    let progress = body.progress();
    let mut all = Vec::new();
    loop {
        assert_eq!(body.size_hint().exact(), Some(left));
        assert_eq!(body.is_end_stream(), left == 0);
        assert_eq!((progress.bytes(), body.progress().bytes()), (len - left, len - left));
        let Some(frame) = next(&mut body) else { break };
        assert!((1..=MOST).contains(&frame.len()), "{}", frame.len());
        left -= frame.len() as u64;
        all.push(frame);
    }
    assert_eq!(left, 0);
    assert!(next(&mut body).is_none(), "a body stays at its end");
    drop(body);
    assert_eq!(progress.bytes(), len, "the progress stays when the body is dropped");
    all
}

#[test]
fn a_body_is_the_concatenation_of_its_short_frames() {
    for (name, body, least) in [
        ("numbers", write(noise(100_000), ImageEncoding::Numbers), 2),
        ("base64", write(noise(100_000), ImageEncoding::Base64), 2),
        (
            "one byte as numbers",
            write(Image::any_format("7", "bin").unwrap(), ImageEncoding::Numbers),
            1,
        ),
        ("a form", put(noise(1 << 20)), 16),
        ("a small form", put(noise(1)), 1),
        ("text", Body::from("text".to_owned()), 1),
        ("one frame", Body::from(vec![7; MOST]), 1),
        ("one byte more", Body::from(vec![7; MOST + 1]), 2),
        ("nothing", Body::empty(), 0),
        ("an empty text", Body::from(String::new()), 0),
    ] {
        let whole = body.clone().into_bytes();
        let frames = frames(body);
        assert!(frames.len() >= least, "{name}: {}", frames.len());
        assert!(frames.concat() == whole, "{name}");
    }
}

#[test]
fn a_stored_image_is_shared_and_not_copied() {
    let image = noise(1 << 20);
    let memory = image.bytes().as_ptr_range();
    let shared = |frame: &Bytes| {
        let frame = frame.as_ptr_range();
        memory.start <= frame.start && frame.end <= memory.end
    };
    let frames = frames(put(image.clone()));
    let image_frames: Vec<Bytes> = frames.into_iter().filter(shared).collect();
    assert!(image_frames.concat() == *image.bytes(), "the whole image, once");
}

#[test]
fn each_body_has_its_own_progress() {
    let body = put(noise(100_000));
    let mut one = RequestBody::from(body.clone());
    let other = RequestBody::from(body);
    let taken = next(&mut one).unwrap().len() as u64;
    assert_eq!((one.progress().bytes(), other.progress().bytes()), (taken, 0));
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte)).sum()
}

/// The upload of `image` as a server receives it through a layer, which sets a header from the body if it `signs`.
async fn wired(image: Image, signs: bool) -> Request<Bytes> {
    let (sender, mut ends) = unbounded_channel();
    let pool = peers::pool(1 << 16, move |far| {
        sender.send(far).unwrap();
        async {}
    });
    let service = service_fn(move |mut request: Request<RequestBody>| {
        if signs {
            let mut body = request.body().body();
            let chunks = std::iter::from_fn(|| body.next_chunk());
            let sum = chunks.map(|chunk| sum(&chunk)).sum::<u64>();
            request.headers_mut().insert("x-sum", sum.into());
        }
        pool.call(request)
    });
    let serves = async {
        let mut peer = ends.recv().await.unwrap();
        let mut requests = Requests::new();
        let mut part = vec![0; 1 << 16];
        loop {
            let len = peer.read(&mut part).await.unwrap();
            requests.push(&part[..len]);
            if let Some(request) = requests.request().unwrap() {
                let reply = r#"{"code":0,"data":{"image_key":"img_1"}}"#;
                peer.write_all(&http1::reply(&Response::new(reply.into()))).await.unwrap();
                return request;
            }
        }
    };
    let client = Client::with_service(peers::nowhere(), App::None, service, TokioTimer::new());
    let token = token();
    let put = PutImage::message(image).unwrap();
    let (key, request) = tokio::join!(client.call_as(&token, &put), serves);
    assert_eq!(key.unwrap().as_str(), "img_1");
    request
}

#[tokio::test]
async fn a_layer_that_reads_the_body_changes_no_byte_of_it() {
    let image = noise(1 << 20);
    let plain = wired(image.clone(), false).await;
    let mut signed = wired(image, true).await;
    let header = signed.headers_mut().remove("x-sum").unwrap();
    assert_eq!(header, sum(signed.body()).to_string());
    assert_eq!(signed.headers(), plain.headers());
    assert!(signed.body() == plain.body());
}

#[test]
fn a_clone_of_the_body_is_the_rest_of_it_and_makes_no_progress() {
    let image = noise(1 << 20);
    let whole = put(image.clone()).into_bytes();
    let mut body = RequestBody::from(put(image));
    let progress = body.progress();
    let mut taken = 0;
    while let Some(frame) = next(&mut body) {
        taken += frame.len();
        let left = body.body();
        assert_eq!(left.len(), (whole.len() - taken) as u64);
        assert!(left.into_bytes() == whole[taken..]);
    }
    assert_eq!(progress.bytes(), taken as u64);
}

#[test]
fn a_body_that_is_taken_out_counts_as_taken() {
    let image = noise(1 << 20);
    let whole = put(image.clone()).into_bytes();
    let mut body = RequestBody::from(put(image));
    let progress = body.progress();
    let first = next(&mut body).unwrap();
    let rest = body.into_body().unwrap();
    assert_eq!(progress.bytes(), whole.len() as u64);
    assert!(rest.into_bytes() == whole[first.len()..]);
}

#[test]
fn a_clone_of_the_body_shares_the_images_memory() {
    let image = noise(1 << 20);
    let memory = image.bytes().as_ptr_range();
    let mut clone = RequestBody::from(put(image.clone())).body();
    let chunks = std::iter::from_fn(|| clone.next_chunk());
    assert!(chunks.filter(|chunk| memory.contains(&chunk.as_ptr())).count() > 0);
}

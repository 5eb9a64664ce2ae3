//! A body's frames: their sizes, what is said of the rest, and whose memory they are.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::body::{Body as _, Frame};
use lark_hyper::Frames;
use lark_proto::{
    Authorizes, Body, EndpointExt, Image, ImageEncoding, PutImage, Site, TenantToken,
    WriteSheetImage,
};

const MOST: usize = 64 << 10;

fn noise(len: usize) -> Image {
    let noise = (0..len as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8);
    Image::new([b"GIF89a".to_vec(), noise.collect()].concat()).unwrap()
}

fn write(image: Image, encoding: ImageEncoding) -> Body {
    let cell = "Q7PlXT!H7".parse().unwrap();
    let write = WriteSheetImage::new("shtcnabc".parse().unwrap(), cell, image).unwrap();
    streamed(&write.encoded(encoding))
}

fn put(image: Image) -> Body {
    streamed(&PutImage::message(image).unwrap())
}

fn streamed<E: EndpointExt>(endpoint: &E) -> Body
where
    TenantToken: Authorizes<E::Auth>,
{
    endpoint.request_streamed(&Site::LARK, &TenantToken::new("t-1").unwrap()).into_body()
}

/// The next frame's data. A body never has to be waited for.
fn next(frames: &mut Frames) -> Option<Bytes> {
    match Pin::new(frames).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(frame) => {
            frame.map(|frame: Result<Frame<Bytes>, _>| frame.unwrap().into_data().unwrap())
        }
        Poll::Pending => panic!("a body is at hand"),
    }
}

/// The frames of `body`, each of a length that is allowed; what is said of the rest is true before each of them.
fn frames(body: Body) -> Vec<Bytes> {
    let mut left = body.len();
    let len = left;
    let mut frames = Frames::from(body);
    let pulled = frames.pulled();
    let mut all = Vec::new();
    loop {
        assert_eq!(frames.size_hint().exact(), Some(left));
        assert_eq!(frames.is_end_stream(), left == 0);
        assert_eq!((pulled.bytes(), frames.pulled().bytes()), (len - left, len - left));
        let Some(frame) = next(&mut frames) else { break };
        assert!((1..=MOST).contains(&frame.len()), "{}", frame.len());
        left -= frame.len() as u64;
        all.push(frame);
    }
    assert_eq!(left, 0);
    assert!(next(&mut frames).is_none(), "it stays at its end");
    drop(frames);
    assert_eq!(pulled.bytes(), len, "it is known when the body is gone");
    all
}

#[test]
fn frames_are_short_and_make_up_the_body() {
    for (name, body, least) in [
        ("numbers", write(noise(100_000), ImageEncoding::Numbers), 2),
        ("base64", write(noise(100_000), ImageEncoding::Base64), 2),
        ("one byte as numbers", write(Image::unchecked("7").unwrap(), ImageEncoding::Numbers), 1),
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
    assert!(image_frames.concat() == *image.bytes(), "all of it, and nothing twice");
}

#[test]
fn each_body_counts_for_itself() {
    let body = put(noise(100_000));
    let (mut one, other) = (Frames::from(body.clone()), Frames::from(body));
    let taken = next(&mut one).unwrap().len() as u64;
    assert_eq!((one.pulled().bytes(), other.pulled().bytes()), (taken, 0));
}

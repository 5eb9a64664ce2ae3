//! The memory of a waiting call, counted by the allocator. The count is of the whole process, so this program has only
//! one test.

use std::alloc::System;
use std::io;
use std::time::SystemTime;

use bytes::Bytes;
use cap::Cap;
use http::Response;
use lark_proto::session::{Call, Session, Step};
use lark_proto::token::Authorizes;
use lark_proto::{App, Endpoint, Image, PutImage, Site, TenantToken, WriteSheetImage};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

type Running<O> = Call<O, io::Error>;

fn session() -> Session {
    let mut session = Session::new(Site::LARK, App::custom("cli_x", "secret").unwrap());
    session.keep_quotas(false);
    session
}

/// Takes a step that sends a request, which is answered with `json`.
fn exchange<O>(session: &mut Session, call: &mut Running<O>, json: &'static str) {
    assert!(matches!(call.next(session, NOW), Step::Send(_)));
    let mut reply = Response::new(Bytes::from_static(json.as_bytes()));
    reply.headers_mut().insert("x-ogw-ratelimit-reset", 1.into());
    let parsed = call.read(reply);
    call.received(session, NOW, parsed);
}

/// A session with a token.
fn warm(put: &PutImage) -> Session {
    let mut session = session();
    let mut call = Running::new(put);
    exchange(&mut session, &mut call, r#"{"code":0,"tenant_access_token":"t-1","expire":7200}"#);
    call.cancel(&mut session);
    session
}

/// Has `count` calls wait, prints the bytes of each call, and returns the bytes that the session holds for it.
fn held<'e, E: Endpoint + 'e>(
    name: &str,
    count: usize,
    mut session: Session,
    endpoint: impl Fn(usize) -> &'e E,
) -> usize
where
    TenantToken: Authorizes<E::Auth>,
{
    let mut calls: Vec<Running<E::Output>> = Vec::with_capacity(count);
    let before = HEAP.allocated();
    calls.extend((0..count).map(|at| Call::new(endpoint(at))));
    let made = HEAP.allocated();
    // The first call of each queue sends a request.
    let waits = |call: &mut Running<_>| matches!(call.next(&mut session, NOW), Step::Wait(_));
    let waiting_calls = calls.iter_mut().map(waits).filter(|waits| *waits).count();
    assert!(waiting_calls >= count - 50, "{waiting_calls} calls wait {name}");
    let waiting = HEAP.allocated();
    let own = (made - before) / count;
    let held = (waiting - made) / count;
    let size = size_of::<Running<E::Output>>();
    println!(
        "{count} calls {name}: {size} bytes each, {own} of its request, {held} of the session"
    );
    held
}

#[test]
fn a_session_holds_at_most_128_bytes_for_a_waiting_call() {
    let image = Image::new("GIF89a").unwrap();
    let put = &PutImage::message(image.clone()).unwrap();
    let write = |at| {
        let spreadsheet = format!("s{at}").parse().unwrap();
        WriteSheetImage::new(spreadsheet, "a!A1".parse().unwrap(), image.clone()).unwrap()
    };
    let writes: Vec<WriteSheetImage> = (0..50).map(write).collect();
    for count in [1_000, 10_000] {
        let mut refused = warm(put);
        let code = r#"{"code":99991400,"msg":"request trigger frequency limit"}"#;
        exchange(&mut refused, &mut Running::new(put), code);
        let held = [
            held("in one lane", count, warm(put), |_| &writes[0]),
            held("in 50 lanes", count, warm(put), |at| &writes[at % 50]),
            held("behind a first token", count, session(), |_| put),
            held("at a gate", count, refused, |_| put),
        ];
        assert!(held.into_iter().all(|held| held <= 128), "{held:?} bytes");
    }
}

//! What the machine costs: all steps of a call of a tiny image, in a session that has its token, alone and among a
//! thousand calls. The request is made, and nothing is sent.
#![expect(missing_docs, reason = "criterion's macros write items without a comment")]

use std::collections::VecDeque;
use std::io;
use std::time::SystemTime;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use http::Response;
use lark_benches::{criterion, image, write_to};
use lark_proto::{
    App, Call, ImageKey, PutImage, Session, SheetImageWritten, Site, Step, WriteSheetImage,
};

const TOKEN: &str = r#"{"code":0,"msg":"ok","tenant_access_token":"t-7f1b","expire":7200}"#;
const PUT: &str =
    r#"{"code":0,"data":{"image_key":"fd3a475a-0c27-4071-a9a6-8712b84b0cb6"},"msg":"ok"}"#;
const WRITTEN: &str = r#"{"code":0,"data":{"revision":80,"spreadsheetToken":"shtcnabc","updateRange":"Q7PlXT!H7:H7"},"msg":"success"}"#;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;
const ALIVE: [usize; 2] = [1, 1000];

type Running<'e, O> = Call<'e, O, io::Error>;

fn reply(json: &'static str) -> Response<Bytes> {
    Response::new(Bytes::from_static(json.as_bytes()))
}

/// Takes a step that sends.
fn send<O>(session: &mut Session, call: &mut Running<'_, O>) {
    let step = call.next(session, NOW);
    assert!(matches!(step, Step::Send(_)), "a request goes out");
}

/// Takes the last steps.
fn finish<O>(session: &mut Session, call: &mut Running<'_, O>, json: &'static str) {
    let heard = call.read(reply(json));
    call.received(session, NOW, heard);
    let step = call.next(session, NOW);
    assert!(matches!(step, Step::Done(Ok(_))), "the call succeeds");
}

/// A session that has its token.
fn warm() -> Session {
    let app = App::custom("cli_a1b2", "secret").unwrap();
    let mut session = Session::new(Site::LARK, app);
    let put = put();
    let mut call = Call::new(&put);
    send(&mut session, &mut call);
    let heard = call.read(reply(TOKEN));
    call.received(&mut session, NOW, heard);
    send(&mut session, &mut call);
    finish(&mut session, &mut call, PUT);
    session
}

fn put() -> PutImage {
    PutImage::message(image(100)).unwrap()
}

fn uploads(c: &mut Criterion) {
    let mut group = c.benchmark_group("session, upload");
    let put = put();
    for alive in ALIVE {
        let mut session = warm();
        let mut others: Vec<Running<'_, ImageKey>> = (1..alive).map(|_| Call::new(&put)).collect();
        others.iter_mut().for_each(|call| send(&mut session, call));
        group.bench_function(BenchmarkId::new("calls alive", alive), |b| {
            b.iter(|| {
                let mut call = Call::new(&put);
                send(&mut session, &mut call);
                finish(&mut session, &mut call, PUT);
            });
        });
    }
}

/// Each on a spreadsheet of its own.
fn writes(c: &mut Criterion) {
    let mut group = c.benchmark_group("session, cell write");
    let image = image(100);
    let writes: Vec<WriteSheetImage> =
        (0..ALIVE[1]).map(|n| write_to(&format!("shtcn{n:06}"), &image)).collect();
    for alive in ALIVE {
        let mut session = warm();
        let mut others: Vec<Running<'_, SheetImageWritten>> =
            writes[1..alive].iter().map(|write| Call::new(write)).collect();
        others.iter_mut().for_each(|call| send(&mut session, call));
        group.bench_function(BenchmarkId::new("calls alive", alive), |b| {
            b.iter(|| {
                let mut call = Call::new(&writes[0]);
                send(&mut session, &mut call);
                finish(&mut session, &mut call, WRITTEN);
            });
        });
    }
}

/// All on one spreadsheet: the first one ends, the second goes, another comes.
fn lane(c: &mut Criterion) {
    let mut group = c.benchmark_group("session, cell write in one lane");
    let write = write_to("shtcnabc", &image(100));
    for alive in ALIVE {
        let mut session = warm();
        let mut queue: VecDeque<Running<'_, SheetImageWritten>> = VecDeque::new();
        group.bench_function(BenchmarkId::new("calls alive", alive), |b| {
            b.iter(|| {
                while queue.len() < alive {
                    let mut call = Call::new(&write);
                    // The first one sends, the others park.
                    let step = call.next(&mut session, NOW);
                    assert!(matches!(step, Step::Send(_)) == queue.is_empty());
                    queue.push_back(call);
                }
                let mut call = queue.pop_front().unwrap();
                finish(&mut session, &mut call, WRITTEN);
                if let Some(call) = queue.front_mut() {
                    send(&mut session, call);
                }
            });
        });
    }
}

criterion_group!(name = benches; config = criterion(); targets = uploads, writes, lane);
criterion_main!(benches);

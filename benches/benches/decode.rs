//! Reading a reply into a result, compared with `serde_json` reading the same bytes into a `Value`.
#![expect(missing_docs, reason = "criterion's macros write items without a comment")]

use std::fmt::Debug;

use bytes::Bytes;
use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use http::Response;
use lark_benches::{UPLOADED, criterion};
use lark_proto::{Endpoint, EndpointExt, PutImage, WriteSheetImage};

const WRITTEN: &str = r#"{"code":0,"data":{"revision":80,"spreadsheetToken":"shtcngNygNfuqhxTBf588jwgWbJ","updateRange":"Q7PlXT!H7:H7"},"msg":"success"}"#;
const ERROR: &str = r#"{"code":99991672,"msg":"Access denied. One of the following scopes is required: [drive:drive, sheets:spreadsheet].","error":{"message":"Refer to the documentation","log_id":"202403051133570100540152060F0CAB8D","troubleshooter":"https://open.larksuite.com/search?log_id=202403051133570100540152060F0CAB8D","permission_violations":[{"type":"action_scope_required","subject":"drive:drive"},{"type":"action_scope_required","subject":"sheets:spreadsheet"}]}}"#;

type Group<'c> = BenchmarkGroup<'c, WallTime>;

fn reply<E: Endpoint>(group: &mut Group<'_>, name: &str, json: &'static str, result: &str)
where
    E::Output: Debug,
{
    let reply = || Response::new(Bytes::from_static(json.as_bytes()));
    let found = format!("{:?}", E::decode(reply()));
    assert!(found.contains(result), "{found}");
    group.throughput(Throughput::Bytes(json.len() as u64));
    let id = BenchmarkId::new("lark-proto", name);
    group.bench_function(id, |b| b.iter(|| E::decode(reply())));
    group.bench_function(BenchmarkId::new("serde_json to a Value", name), |b| {
        b.iter(|| serde_json::from_slice::<serde_json::Value>(reply().body()).unwrap());
    });
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode a reply");
    reply::<PutImage>(&mut group, "upload", UPLOADED, "Ok(ImageKey(");
    reply::<WriteSheetImage>(&mut group, "cell write", WRITTEN, "Q7PlXT!H7:H7");
    reply::<WriteSheetImage>(&mut group, "error", ERROR, "Err(Api(");
}

criterion_group!(name = benches; config = criterion(); targets = decode);
criterion_main!(benches);

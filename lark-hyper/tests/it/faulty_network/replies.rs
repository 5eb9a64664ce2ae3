//! Replies that are no HTTP, or too much of it. The service has carried the request out, so the outcome is unknown.

use lark_proto::CreateImage;
use lark_proto::endpoints::GetImage;
use lark_proto::error::Outcome;
use lark_proto::{Endpoint, fake::Route};

use super::callers::{CALLERS, Caller, Failed, Kind, Setup};
use super::proxy::{Action, Fault, Place, head_len};
use super::subjects::Subject;
use super::{Random, Rig, each};

const STATUS_LINE: &str = "HTTP/1.1 200 OK\r\n";
const GIB: u64 = 1 << 30;
/// More bytes than the system buffers on both ends of a connection.
const BUFFERS: u64 = 48 << 20;

/// The failure of a call whose reply has this fault.
fn failure<S: Subject>(rig: &Rig, caller: Caller, place: usize, action: Action) -> Failed {
    let text = format!("{action:?}");
    let context = format!("{caller:?} {place} {}", text.get(..200).unwrap_or(&text));
    rig.plan([Fault { place: Place::Reply(place), action }]);
    let call = S::sample(&rig.known);
    let result = caller.call(&rig.proxy.site(), &Setup::once(), &S::token(), &call);
    let failed = result.map(|output| format!("{output:?}")).expect_err(&context);
    assert_eq!(rig.carried_out(S::ROUTE), 1, "{context}");
    let is_read = call.method() == http::Method::GET;
    let expected = if is_read { Outcome::NotSent } else { Outcome::Unknown };
    assert_eq!(failed.outcome, expected, "{context}: {failed:?}");
    failed
}

#[test]
fn a_status_line_of_garbage_is_an_error_of_the_transport() {
    let mut random = Random(3);
    let mut cases = Vec::new();
    for caller in CALLERS {
        for line in
            ["garbage", "HTTP/1.1", "HTTP/9.9 200 OK", "HTTP/1.1 2x0 OK", "ICY 200 OK", "\0"]
        {
            cases.push((caller, Action::Insert(format!("{line}\r\n").into_bytes())));
        }
        for _ in 0..20 {
            let bytes = (0..500).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
            cases.push((caller, Action::Replace(bytes)));
        }
    }
    each(cases, |rig, (caller, action)| {
        let failed = failure::<CreateImage>(rig, caller, 0, action);
        assert_eq!(failed.kind, Kind::Transport, "{caller:?}: {failed:?}");
    });
}

#[test]
fn a_head_of_a_thousand_headers_or_of_a_mebibyte_is_an_error_of_the_transport() {
    let many: String = (0..1000).map(|number| format!("X-{number}: a\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "a".repeat(1 << 20));
    let cases = CALLERS
        .into_iter()
        .flat_map(move |caller| [(caller, many.clone()), (caller, long.clone())]);
    each(cases, |rig, (caller, headers)| {
        let action = Action::Insert(headers.into_bytes());
        let failed = failure::<CreateImage>(rig, caller, STATUS_LINE.len(), action);
        assert_eq!(failed.kind, Kind::Transport, "{caller:?}: {failed:?}");
    });
}

/// `body` in one stored block of gzip (RFC 1952).
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in body {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    let len = u16::try_from(body.len()).unwrap();
    let mut gzip = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    gzip.extend(len.to_le_bytes());
    gzip.extend((!len).to_le_bytes());
    gzip.extend(body);
    gzip.extend((!crc).to_le_bytes());
    gzip.extend(u32::from(len).to_le_bytes());
    gzip
}

/// The clients ask for no encoding, and decode none: a small reply cannot become a large one.
#[test]
fn a_compressed_reply_is_unreadable() {
    let body = gzip(br#"{"code":0,"data":{"image_key":"img_v3_1"},"msg":"success"}"#);
    let len = body.len();
    let head = format!("{STATUS_LINE}Content-Encoding: gzip\r\nContent-Length: {len}\r\n\r\n");
    let reply = [head.as_bytes(), &body].concat();
    each(CALLERS.map(|caller| (caller, reply.clone())), |rig, (caller, reply)| {
        let failed = failure::<CreateImage>(rig, caller, 0, Action::Replace(reply));
        assert_eq!(failed.kind, Kind::Unreadable(200), "{caller:?}: {failed:?}");
        let request = rig.proxy.connections().swap_remove(0).request;
        let head = String::from_utf8_lossy(&request[..head_len(&request)]).to_lowercase();
        assert!(!head.contains("accept-encoding"), "{caller:?}: {head}");
    });
}

/// A reply of a gibibyte after this beginning, which consists of `unit` again and again.
fn flood(begin: &str, unit: &str) -> Action {
    let fill = unit.repeat((1 << 16) / unit.len() + 1).into_bytes();
    Action::Flood { begin: begin.as_bytes().to_vec(), fill, len: GIB }
}

fn framings() -> Vec<Action> {
    let sized = format!("{STATUS_LINE}Content-Length: {GIB}\r\n\r\n");
    let chunked = format!("{STATUS_LINE}Transfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    let to_the_end = format!("{STATUS_LINE}\r\n");
    vec![flood(&sized, " "), flood(&chunked, &chunk), flood(&to_the_end, " ")]
}

/// The client reads its limit and then closes, so that most of the reply is never sent.
#[test]
fn a_reply_of_a_gibibyte_is_read_up_to_the_limit() {
    let cases = CALLERS
        .into_iter()
        .flat_map(|caller| framings().into_iter().map(move |action| (caller, action)));
    each(cases, |rig, (caller, action)| {
        let call = CreateImage::sample(&rig.known);
        let limit = call.reply_limit();
        let failed = failure::<CreateImage>(rig, caller, 0, action.clone());
        assert_eq!(failed.kind, Kind::TooLarge(limit), "{caller:?}");
        assert!(rig.proxy.flooded() < limit + BUFFERS, "{caller:?} {}", rig.proxy.flooded());

        let call = GetImage::sample(&rig.known);
        let limit = call.reply_limit();
        let failed = failure::<GetImage>(rig, caller, 0, action);
        assert_eq!(failed.kind, Kind::TooLarge(limit), "{caller:?}");
        assert!(rig.proxy.flooded() < limit + BUFFERS, "{caller:?} {}", rig.proxy.flooded());
    });
}

#[test]
fn a_head_of_a_gibibyte_is_not_read_to_its_end() {
    let cases = CALLERS.into_iter().flat_map(|caller| {
        let header = format!("{STATUS_LINE}A: ");
        [flood("", "garbage "), flood(STATUS_LINE, "A: b\r\n"), flood(&header, "b")]
            .map(|action| (caller, action))
    });
    each(cases, |rig, (caller, action)| {
        let failed = failure::<CreateImage>(rig, caller, 0, action);
        assert_eq!(failed.kind, Kind::Transport, "{caller:?}: {failed:?}");
        assert!(rig.proxy.flooded() < BUFFERS, "{caller:?} {}", rig.proxy.flooded());
        assert_eq!(CreateImage::ROUTE, Route::ImV1Images);
    });
}

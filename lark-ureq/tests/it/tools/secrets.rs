//! The tools against a service that quotes the secrets of each request in its replies: neither the output nor a
//! journal shows one.

use bytes::Bytes;
use lark_proto::fake::{ConnectionFault, Failure, FakeLark, Fault, Route};
use lark_ureq::FakeServer;
use lark_ureq::ureq::http::Response;
use serde_json::json;

use super::support::{Folder, Output, Tool, picture};

const LINK: &str = "https://x.feishu.cn/sheets/shtcngNygNfuqhxTBf588jwgWbJ";

/// The beginnings of the fake's tokens, and the app's secret.
const SECRETS: [&str; 2] = [FakeLark::APP_SECRET, "t-e346617a4acfc3a1"];
/// A whole token of the fake: the first one that it issues.
const TOKEN: &str = "t-e346617a4acfc3a11d4ed24d0000000000000001";

/// A reply that quotes the secrets in every field.
fn quoting(status: u16, code: i64) -> Failure {
    let text = format!(
        "{} {TOKEN} {} {}",
        FakeLark::APP_SECRET,
        TOKEN.to_uppercase(),
        TOKEN.replace('-', "%2d")
    );
    let body = json!({
        "code": code, "msg": text, "log_id": text,
        "error": {
            "message": text, "troubleshooter": text,
            "permission_violations": [{"subject": text, "type": text, "url": text}],
            "field_violations": [{"field": text, "description": text}],
        },
    });
    let mut reply = Response::new(Bytes::from(body.to_string()));
    *reply.status_mut() = status.try_into().unwrap();
    reply.headers_mut().insert("x-tt-logid", text.parse().unwrap());
    Fault::from(reply).into()
}

/// The page of a gateway that quotes the secrets.
fn page() -> Failure {
    let body = format!("<html><p>{} {TOKEN}</p></html>", FakeLark::APP_SECRET);
    let mut reply = Response::new(Bytes::from(body));
    *reply.status_mut() = 403_u16.try_into().unwrap();
    Fault::from(reply).into()
}

/// A failure of each request, by the number of the request on its route.
fn failure(route: Route, number: usize) -> Option<Failure> {
    match (route, number) {
        (Route::TenantAccessToken, 1) => Some(quoting(502, 99_991_400)),
        (Route::TenantAccessToken, _) => None,
        (_, 1) => Some(quoting(400, 99_991_672)),
        (_, 2) => Some(page()),
        (_, 3) => Some(quoting(400, 99_991_663)),
        (_, 4) => Some(ConnectionFault::CutReply.into()),
        (_, 5) => Some(quoting(200, 90_204)),
        (_, 6) => Some(quoting(429, 99_991_400)),
        _ => None,
    }
}

/// Checks that no text that the run has left behind has a secret or the bytes of a picture.
fn assert_hidden(folder: &Folder, output: &Output) {
    let mut texts = format!("{output:?}\n{}{}", output.stdout, output.stderr);
    for entry in std::fs::read_dir(folder.path("")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_some_and(|extension| extension != "gif") {
            texts += &String::from_utf8_lossy(&std::fs::read(&path).unwrap());
        }
    }
    let picture = String::from_utf8(picture(1)[..6].to_vec()).unwrap();
    for secret in SECRETS {
        for form in [secret.to_owned(), secret.to_uppercase(), secret.replace('-', "%2d")] {
            assert!(!texts.contains(&form), "{form}: {texts}");
        }
    }
    assert!(!texts.contains(&picture), "{texts}");
}

/// Runs a tool on six pictures, on a service that fails the first request of each route in each of the ways.
fn run(tool: &str, receiver: &str) {
    let mut begun = 0;
    for way in 1..=6 {
        let server = FakeServer::start().unwrap();
        server.with(|lark| {
            lark.fail_when(move |route, number| failure(route, way).filter(|_| number == 1));
        });
        let folder = Folder::new();
        let photos = folder.pictures(6);
        for options in [&["--dry-run"][..], &[], &[], &["--retry-failed"]] {
            let tool = Tool::new(tool, &server).args([receiver]).args([&photos]).args(options);
            assert_hidden(&folder, &tool.run());
        }
        let routes = [Route::ValuesImage, Route::Messages];
        begun += server.with(|lark| routes.map(|route| lark.begun(route)).iter().sum::<usize>());
    }
    assert!(begun > 12, "{begun} writes");
}

#[test]
fn fill_sheet_shows_no_secret_that_the_service_quotes() {
    run("fill_sheet", LINK);
}

#[test]
fn send_images_shows_no_secret_that_the_service_quotes() {
    run("send_images", FakeLark::CHAT);
}

#[test]
fn doctor_shows_no_secret_that_the_service_quotes() {
    for number in 1..=6 {
        let server = FakeServer::start().unwrap();
        server.with(|lark| lark.fail_when(move |route, _| failure(route, number)));
        let folder = Folder::new();
        let output = Tool::new("doctor", &server).args([LINK, FakeLark::CHAT]).run();
        assert_ne!(output.code(), Some(0), "{output:?}");
        assert_hidden(&folder, &output);
    }
}

/// The standard library's error for such a variable quotes it.
#[cfg(unix)]
#[test]
fn a_secret_that_is_not_utf_8_is_not_printed() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let server = FakeServer::start().unwrap();
    let folder = Folder::new();
    let photos = folder.pictures(1);
    for (tool, args) in [
        ("fill_sheet", &[OsStr::new(LINK), photos.as_os_str()][..]),
        ("send_images", &[OsStr::new(FakeLark::CHAT), photos.as_os_str()]),
        ("doctor", &[OsStr::new(LINK)]),
        ("images", &[]),
    ] {
        let secret = [FakeLark::APP_SECRET.as_bytes(), b"\xa0"].concat();
        let tool = Tool::new(tool, &server)
            .env("LARK_APP_SECRET", OsStr::from_bytes(&secret))
            .env("LARK_SPREADSHEET", LINK)
            .env("LARK_CELL", "A1");
        let output = tool.args(args).run();
        assert_ne!(output.code(), Some(0), "{output:?}");
        let text = format!("{}{}", output.stdout, output.stderr);
        assert!(text.contains("LARK_APP_SECRET is not in UTF-8"), "{output:?}");
        assert_hidden(&folder, &output);
    }
}

/// The other examples have a fake of their own.
#[test]
fn no_example_prints_a_secret() {
    for name in ["images", "cached_addresses"] {
        let output = Tool::without_account(name).run();
        assert_eq!(output.code(), Some(0), "{output:?}");
        assert_hidden(&Folder::new(), &output);
    }
}

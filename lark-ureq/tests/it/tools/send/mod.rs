//! `send_images` against the fake: one test for each rule.

mod failures;
mod files;
mod journals;
mod options;
mod resume;

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use lark_proto::fake::{Failure, FakeLark, Fault, ImageKind, Route, StoredMessage};
use lark_ureq::FakeServer;

use super::support::{Folder, Output, Tool, picture};

const CHAT: &str = FakeLark::CHAT;

/// `send_images` with these arguments.
fn send_images(server: &FakeServer, receiver: &str, photos: &Path, options: &[&str]) -> Tool {
    Tool::new("send_images", server).args([receiver]).args([photos]).args(options)
}

/// Sends the folder's photos to the chat.
fn send(server: &FakeServer, folder: &Folder, options: &[&str]) -> Output {
    send_images(server, CHAT, &folder.path("photos"), options).run()
}

/// The numbers of the pictures that were sent, in the order of sending.
fn sent(server: &FakeServer) -> Vec<usize> {
    server.with(|lark| {
        let number = |message: &StoredMessage| {
            let bytes = &lark.image(&message.image_key).unwrap().bytes;
            (1..=100).find(|number| *bytes == picture(*number)).unwrap_or_default()
        };
        lark.messages().map(number).collect()
    })
}

/// The messages in the order of sending.
fn messages(server: &FakeServer) -> Vec<StoredMessage> {
    server.with(|lark| lark.messages().cloned().collect())
}

/// The number of requests to `route` that have begun.
fn begun(server: &FakeServer, route: Route) -> usize {
    server.with(|lark| lark.begun(route))
}

/// Fails the next request to `route`.
fn fail_next(server: &FakeServer, route: Route, failure: impl Into<Failure>) {
    server.with(|lark| lark.fail_next_on(route, failure));
}

/// A refusal of the service.
fn refusal(code: i64) -> Fault {
    Fault::code(400, code, "refused by the test")
}

/// The text of the journal beside the folder.
fn journal(folder: &Folder) -> String {
    fs::read_to_string(folder.path("photos.send_images.journal")).unwrap()
}

/// Writes the journal of a run to the chat that began to send `photo1.gif` at `time`, and was killed.
fn begin(server: &FakeServer, folder: &Folder, time: u64) {
    let key = server.with(|lark| lark.add_image(ImageKind::Message, picture(1)));
    let site = server.site();
    let app = FakeLark::APP_ID;
    let hash = hash(&picture(1));
    let lines = format!(
        "{{\"record\":\"run\",\"version\":1,\"run\":\"send_images {site} {app} {CHAT}\"}}\n\
         {{\"record\":\"begin\",\"item\":\"photo1.gif\",\"file\":\"photo1.gif\",\"bytes\":0,\"modified\":0,\"hash\":\"{hash}\",\"uuid\":\"earlier\",\
         \"image_key\":\"{key}\",\"time\":{time}}}\n"
    );
    folder.write("photos.send_images.journal", lines);
}

/// The hash of a picture, as the journal documents it: FNV-1a.
fn hash(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// Seconds since 1970.
fn now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the program under test uses the real clock")]
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[cfg(unix)]
fn make_pipe(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

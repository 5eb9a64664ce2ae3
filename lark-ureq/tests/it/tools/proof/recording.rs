//! The recording of `fill_sheet` in the README of the tools.

use std::process::Command;
use std::time::Duration;

use lark_proto::fake::{ConnectionFault, FakeLark, Fault, Route};
use lark_ureq::FakeServer;

use crate::tools::support::{Folder, picture, program};

/// `examples/record.py` shows the command.
#[test]
#[ignore = "it writes `examples/fill_sheet.svg`"]
fn fill_sheet_can_be_recorded() {
    let mut lark = FakeLark::new();
    lark.fail_when(|route, number| match (route, number) {
        (Route::ValuesImage, 101) => {
            Some(Fault::code(200, 90204, "Image format is unknown").into())
        }
        (Route::ValuesImage, _) => {
            Some(ConnectionFault::SlowReply(Duration::from_millis(40)).into())
        }
        _ => None,
    });
    let server = FakeServer::start_on(0, lark).unwrap();
    let folder = Folder::new();
    for number in 1..=180 {
        folder.write(&format!("photos/photo{number}.jpg"), picture(number));
    }
    folder.write("photos/photo42.jpg", "<!DOCTYPE html><title>Log in</title>");
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let link =
        format!("https://x.feishu.cn/sheets/{}?sheet={}", FakeLark::SPREADSHEET, FakeLark::SHEET);
    let status = Command::new("python3")
        .arg(format!("{examples}/record.py"))
        .arg(format!("{examples}/fill_sheet.svg"))
        .arg("fill_sheet 'https://x.feishu.cn/sheets/shtcnabc?sheet=Q7PlXT' --from B2 photos/")
        .arg(program("fill_sheet"))
        .args([&link, "--from", "B2"])
        .arg(folder.path("photos"))
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("LARK_SITE", server.site().as_str())
        .env("LARK_APP_ID", FakeLark::APP_ID)
        .env("LARK_APP_SECRET", FakeLark::APP_SECRET)
        .env("TERM", "xterm-256color")
        .status();
    assert!(status.unwrap().success());
}

//! The run that a journal belongs to.

use std::fs;

use lark_proto::fake::FakeLark;
use lark_ureq::FakeServer;

#[cfg(unix)]
use super::make_pipe;
use super::{CHAT, journal, messages, send, send_images, sent};
use crate::tools::support::{Tool, setup};

#[test]
fn a_journal_in_which_nothing_has_arrived_is_used_for_another_chat_or_site() {
    let (server, folder) = setup();
    let photos = folder.pictures(2);
    // Failed messages only.
    assert_eq!(send_images(&server, "oc_wrong", &photos, &[]).run().code(), Some(1));
    assert!(journal(&folder).contains("\"record\":\"failed\""));
    assert_eq!(send(&server, &folder, &[]).code(), Some(0));
    assert_eq!(sent(&server), [1, 2]);
    assert!(!journal(&folder).contains("oc_wrong"));

    // The header only.
    let path = folder.path("a.journal");
    let options = ["--journal", path.to_str().unwrap()];
    fs::write(&path, journal(&folder).split_inclusive('\n').next().unwrap()).unwrap();
    let other = FakeServer::start().unwrap();
    assert_eq!(send_images(&other, CHAT, &photos, &options).run().code(), Some(0));
    assert_eq!(sent(&other), [1, 2]);
}

#[test]
fn a_journal_in_which_something_has_arrived_is_for_its_tool_chat_and_site_only() {
    let (server, folder) = setup();
    let photos = folder.pictures(1);
    assert_eq!(send(&server, &folder, &[]).code(), Some(0));
    let before = journal(&folder);
    let path = folder.path("photos.send_images.journal");
    let options = ["--journal", path.to_str().unwrap()];
    let other = FakeServer::start().unwrap();
    for tool in [
        send_images(&server, FakeLark::OPEN_ID, &photos, &options),
        send_images(&other, CHAT, &photos, &options),
        Tool::new("fill_sheet", &server)
            .args([FakeLark::SPREADSHEET])
            .args([&photos])
            .args(options),
    ] {
        let output = tool.run();
        assert_eq!(output.code(), Some(2), "{output:?}");
        let run = format!("is that of another run, `send_images {} ", server.site());
        assert!(output.stderr.contains(&run), "{output:?}");
        assert_eq!(journal(&folder), before);
    }
    assert_eq!((messages(&server).len(), messages(&other).len()), (1, 0));
}

#[cfg(unix)]
#[test]
fn a_journal_that_is_a_pipe_or_a_device_is_refused() {
    let (server, folder) = setup();
    let photos = folder.pictures(1);
    let pipe = folder.path("a.journal");
    make_pipe(&pipe);
    for path in [pipe.to_str().unwrap(), "/dev/zero"] {
        let output = send_images(&server, CHAT, &photos, &["--journal", path]).run();
        assert_eq!(output.code(), Some(2), "{output:?}");
        let line =
            format!("send_images: the journal {path} cannot be opened: it is not a regular file. ");
        assert!(output.stderr.starts_with(&line), "{output:?}");
        assert!(sent(&server).is_empty());
    }
}

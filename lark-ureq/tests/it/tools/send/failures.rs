//! How far a failure reaches: a picture, or the run.

use std::fs;

use lark_proto::fake::{Fault, Route};

use super::{CHAT, begun, fail_next, journal, refusal, send, send_images, sent};
use crate::tools::support::setup;

#[test]
fn a_refused_picture_is_tried_again_on_demand_only() {
    for (route, code) in [(Route::ImV1Images, 234011), (Route::Messages, 230001)] {
        let (server, folder) = setup();
        folder.pictures(2);
        fail_next(&server, route, refusal(code));
        let output = send(&server, &folder, &[]);
        assert_eq!(output.code(), Some(1), "{output:?}");
        assert!(output.stdout.starts_with("1 arrived, 1 failed, in "), "{output:?}");
        assert!(output.stderr.starts_with("photo1.gif: "), "{output:?}");
        assert!(output.stderr.contains(&code.to_string()), "{output:?}");
        assert_eq!(sent(&server), [2]);
        let output = send(&server, &folder, &[]);
        assert_eq!(output.code(), Some(1), "{output:?}");
        assert!(output.stdout.contains("--retry-failed"), "{output:?}");
        assert_eq!(sent(&server), [2]);
        let output = send(&server, &folder, &["--retry-failed"]);
        assert_eq!(output.code(), Some(0), "{output:?}");
        assert_eq!(sent(&server), [2, 1]);
    }
}

#[test]
fn a_chat_that_refuses_ends_the_run_and_the_same_command_finishes_at_any_time() {
    let (server, folder) = setup();
    let photos = folder.pictures(3);
    let chat = "oc_another";
    let output = send_images(&server, chat, &photos, &[]).run();
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert!(output.stdout.starts_with("0 arrived, 3 still to do, in "), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    assert_eq!(begun(&server, Route::Messages), 1);
    // A refused message was not sent, so its age does not matter.
    let path = folder.path("photos.send_images.journal");
    let before = journal(&folder);
    let time = "\"time\":";
    let start = before.find(time).unwrap() + time.len();
    let end = start + before[start..].find('}').unwrap();
    fs::write(&path, format!("{}1{}", &before[..start], &before[end..])).unwrap();
    server.with(|lark| lark.add_chat(chat));
    let output = send_images(&server, chat, &photos, &[]).run();
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert_eq!(sent(&server), [1, 2, 3]);
}

#[test]
fn a_refused_app_ends_the_run_and_the_same_command_finishes() {
    let (server, folder) = setup();
    let photos = folder.pictures(3);
    let tool = send_images(&server, CHAT, &photos, &[]).env("LARK_APP_SECRET", "wrong");
    let output = tool.run();
    assert_eq!((output.code(), &*output.stderr), (Some(3), ""), "{output:?}");
    assert!(output.stdout.contains("\nThe run ended early: "), "{output:?}");
    assert_eq!(begun(&server, Route::ImV1Images) + begun(&server, Route::Messages), 0);
    assert_eq!(send(&server, &folder, &[]).code(), Some(0));
    assert_eq!(sent(&server), [1, 2, 3]);
}

#[test]
fn an_account_without_a_secret_is_refused_before_anything_is_sent() {
    let (server, folder) = setup();
    let photos = folder.pictures(1);
    let tool = send_images(&server, CHAT, &photos, &[]).env("LARK_APP_SECRET", "");
    let output = tool.run();
    assert_eq!(output.code(), Some(2), "{output:?}");
    assert!(output.stderr.starts_with("send_images: LARK_APP_SECRET is not set"), "{output:?}");
    server.with(|lark| assert!(lark.requests().is_empty()));
}

#[test]
fn an_outage_ends_the_run_and_the_same_command_finishes() {
    let (server, folder) = setup();
    folder.pictures(5);
    server.with(|lark| {
        lark.fail_when(|route, _| {
            let lost = Fault::from(http::Response::builder().status(500).body("".into()).unwrap());
            (route == Route::Messages).then(|| lost.into())
        });
    });
    let output = send(&server, &folder, &[]);
    assert_eq!(output.code(), Some(3), "{output:?}");
    assert!(
        output.stdout.contains("ended early: 3 failures of the service in a row"),
        "{output:?}"
    );
    server.with(|lark| lark.fail_when(|_, _| None));
    let output = send(&server, &folder, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert_eq!(sent(&server), [1, 2, 3, 4, 5]);
    assert_eq!(begun(&server, Route::ImV1Images), 5);
}

//! Runs that were interrupted, and messages of unknown outcome.

use std::fs;
use std::time::Duration;

use lark_proto::fake::{ConnectionFault, FakeLark, Fault, Route};

use super::{
    CHAT, begin, begun, fail_next, journal, messages, now, refusal, send, send_images, sent,
};
use crate::tools::support::{picture, setup, wait_until};

#[test]
fn a_run_that_is_killed_at_any_request_sends_each_picture_once() {
    for (route, uploads) in [(Route::ImV1Images, 4), (Route::Messages, 3)] {
        let (server, folder) = setup();
        let photos = folder.pictures(3);
        // The request is carried out, and the program is killed before it has the reply.
        server.with(|lark| {
            lark.fail_when(move |of, number| {
                let slow = ConnectionFault::SlowReply(Duration::from_secs(60));
                (of == route && number == 2).then_some(slow.into())
            });
        });
        let running = send_images(&server, CHAT, &photos, &[]).start();
        let carried_out = |lark: &FakeLark| lark.images().count() == 2;
        wait_until(&server, |lark| lark.begun(route) == 2 && carried_out(lark));
        running.kill();

        let output = send(&server, &folder, &[]);
        assert_eq!(output.code(), Some(0), "{output:?}");
        assert_eq!(sent(&server), [1, 2, 3], "{route:?}");
        assert_eq!(begun(&server, Route::ImV1Images), uploads, "{route:?}");
    }
}

#[test]
fn a_message_whose_reply_is_damaged_is_sent_again_by_the_next_run() {
    let (server, folder) = setup();
    folder.pictures(2);
    fail_next(&server, Route::Messages, Fault::TruncatedJson);
    let output = send(&server, &folder, &[]);
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert!(output.stderr.starts_with("photo1.gif: "), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    assert!(output.stdout.starts_with("1 arrived, 1 still to do, in "), "{output:?}");
    assert_eq!(sent(&server), [1, 2]);

    let output = send(&server, &folder, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert_eq!(sent(&server), [1, 2]);
    assert_eq!((begun(&server, Route::ImV1Images), begun(&server, Route::Messages)), (2, 3));
}

const MINUTE: u64 = 60;

#[test]
fn a_message_of_unknown_outcome_is_sent_again_for_fifty_minutes() {
    for time in [now(), now() - 50 * MINUTE + 20] {
        let (server, folder) = setup();
        folder.pictures(2);
        begin(&server, &folder, time);
        let output = send(&server, &folder, &[]);
        assert_eq!((output.code(), &*output.stderr), (Some(0), ""), "{output:?}");
        assert_eq!(sent(&server), [1, 2]);
        assert_eq!(messages(&server)[0].uuid.as_deref(), Some("earlier"));
        assert_eq!(begun(&server, Route::ImV1Images), 1);
    }
}

#[test]
fn a_message_of_unknown_outcome_is_reported_and_not_sent_again_after_fifty_minutes() {
    for (time, line) in [
        (now() - 50 * MINUTE - 1, "50 minutes ago"),
        (now() - 180 * MINUTE, "3 hours ago"),
        (0, "years ago"),
        (now() + 60 * MINUTE, ", at a time that this computer's clock has not reached"),
        (u64::MAX, ", at a time that this computer's clock has not reached"),
    ] {
        let (server, folder) = setup();
        folder.pictures(2);
        begin(&server, &folder, time);
        let output = send(&server, &folder, &[]);
        assert_eq!(output.code(), Some(1), "{output:?}");
        assert!(output.stderr.starts_with("photo1.gif: it may have been sent"), "{output:?}");
        assert!(output.stderr.contains(line), "{output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
        assert!(output.stdout.starts_with("1 arrived, 1 still to do"), "{output:?}");
        assert!(output.stdout.contains("\nMessages that may have been sent"), "{output:?}");
        assert_eq!(sent(&server), [2]);
    }
}

#[test]
fn a_message_that_is_too_old_to_be_sent_again_is_sent_under_another_name_only() {
    let (server, folder) = setup();
    folder.pictures(2);
    begin(&server, &folder, now() - 180 * MINUTE);
    for options in [&[][..], &["--retry-failed"]] {
        assert_eq!(send(&server, &folder, options).code(), Some(1));
        assert_eq!(sent(&server), [2]);
    }
    let photo = folder.path("photos/photo1.gif");
    fs::rename(&photo, photo.with_file_name("again.gif")).unwrap();
    assert_eq!(send(&server, &folder, &[]).code(), Some(0));
    assert_eq!(sent(&server), [2, 1]);
}

#[test]
fn a_message_that_was_begun_is_sent_before_the_service_forgets_it() {
    let (server, folder) = setup();
    folder.pictures(2);
    folder.write("photos/photo0.gif", picture(9));
    begin(&server, &folder, now());
    assert_eq!(send(&server, &folder, &[]).code(), Some(0));
    assert_eq!(sent(&server), [1, 9, 2]);
}

#[test]
fn a_refusal_does_not_end_a_message_that_an_earlier_run_began() {
    let (server, folder) = setup();
    folder.pictures(1);
    begin(&server, &folder, now());
    let before = journal(&folder);
    for code in [230001, 230002] {
        fail_next(&server, Route::Messages, refusal(code));
        let output = send(&server, &folder, &["--retry-failed"]);
        assert_eq!(output.code(), Some(1), "{output:?}");
        assert!(output.stdout.starts_with("0 arrived, 1 still to do"), "{output:?}");
        assert_eq!(journal(&folder), before, "{code}");
    }
    assert_eq!(send(&server, &folder, &[]).code(), Some(0));
    assert_eq!(messages(&server)[0].uuid.as_deref(), Some("earlier"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_run_after_the_message_that_is_in_flight() {
    let (server, folder) = setup();
    let photos = folder.pictures(3);
    fail_next(&server, Route::Messages, ConnectionFault::SlowReply(Duration::from_millis(500)));
    let running = send_images(&server, CHAT, &photos, &[]).start();
    wait_until(&server, |lark| lark.begun(Route::Messages) == 1);
    running.interrupt();
    let output = running.wait();
    assert_eq!(output.code(), Some(130), "{output:?}");
    assert!(output.stdout.starts_with("1 arrived, 2 still to do, in "), "{output:?}");
    let output = send(&server, &folder, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert_eq!(sent(&server), [1, 2, 3]);
    assert_eq!(begun(&server, Route::Messages), 3);
}

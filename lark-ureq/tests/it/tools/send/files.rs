//! The pictures of the folder, and changes to their files after they were sent.

use std::fs;
use std::time::UNIX_EPOCH;

use lark_proto::fake::Route;

#[cfg(unix)]
use super::make_pipe;
use super::{
    CHAT, begin, begun, fail_next, journal, messages, now, refusal, send, send_images, sent,
};
use crate::tools::support::{picture, setup};

#[test]
fn each_picture_is_a_message_in_the_order_of_a_file_manager() {
    let (server, folder) = setup();
    folder.pictures(11);
    let output = send(&server, &folder, &[]);
    assert_eq!((output.code(), &*output.stderr), (Some(0), ""), "{output:?}");
    assert!(output.stdout.starts_with("11 arrived, in "), "{output:?}");
    assert_eq!(sent(&server), (1..=11).collect::<Vec<_>>());
}

#[test]
fn each_message_has_a_uuid_of_its_own() {
    let (server, folder) = setup();
    folder.pictures(11);
    assert_eq!(send(&server, &folder, &[]).code(), Some(0));
    let mut uuids: Vec<_> = messages(&server).into_iter().filter_map(|sent| sent.uuid).collect();
    assert!(uuids.iter().all(|uuid| uuid.len() == 16), "{uuids:?}");
    uuids.sort();
    uuids.dedup();
    assert_eq!(uuids.len(), 11);
}

#[test]
fn a_picture_that_has_arrived_is_neither_uploaded_nor_sent_again() {
    let (server, folder) = setup();
    folder.pictures(3);
    assert_eq!(send(&server, &folder, &[]).code(), Some(0));
    let output = send(&server, &folder, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert!(output.stdout.contains("3 arrived in earlier runs\n"), "{output:?}");
    assert_eq!((sent(&server).len(), begun(&server, Route::ImV1Images)), (3, 3));
}

#[test]
fn a_picture_that_has_replaced_one_that_was_sent_is_not_sent_under_its_name() {
    for is_done in [true, false] {
        let (server, folder) = setup();
        folder.pictures(1);
        begin(&server, &folder, now());
        if is_done {
            assert_eq!(send(&server, &folder, &[]).code(), Some(0));
        }
        let before = journal(&folder);
        let done = usize::from(is_done);
        let photo = folder.write("photos/photo1.gif", picture(7));
        for option in [&[][..], &["--retry-failed"]] {
            let output = send(&server, &folder, option);
            assert_eq!(output.code(), Some(1), "{output:?}");
            let line = "photo1.gif: the file has changed since it was sent, or may have been; to send it as well, give \
                it another name, else move it out of the folder\n";
            assert_eq!(output.stderr, line);
            assert!(output.stdout.starts_with("0 arrived, 1 failed, in "), "{output:?}");
            assert_eq!((messages(&server).len(), journal(&folder)), (done, before.clone()));
        }
        // Its own file back, the message is known again.
        fs::rename(&photo, photo.with_file_name("photo7.gif")).unwrap();
        folder.pictures(1);
        assert_eq!(send(&server, &folder, &[]).code(), Some(0));
        assert_eq!(sent(&server), [1, 7]);
    }
}

#[test]
fn pictures_of_a_copied_or_touched_folder_are_not_sent_again() {
    let (server, folder) = setup();
    let photos = folder.pictures(2);
    assert_eq!(send(&server, &folder, &[]).code(), Some(0));
    let touched = fs::File::options().write(true).open(photos.join("photo1.gif")).unwrap();
    touched.set_modified(UNIX_EPOCH).unwrap();
    let copy = folder.path("copy/photo1.gif").parent().unwrap().to_owned();
    fs::copy(photos.join("photo2.gif"), copy.join("photo2.gif")).unwrap();
    let journal = folder.path("photos.send_images.journal");
    let options = ["--journal", journal.to_str().unwrap()];
    for (photos, arrived) in [(&photos, 2), (&copy, 1)] {
        let output = send_images(&server, CHAT, photos, &options).run();
        assert_eq!((output.code(), &*output.stderr), (Some(0), ""), "{output:?}");
        let line = format!("{arrived} arrived in earlier runs\n");
        assert!(output.stdout.contains(&line), "{output:?}");
    }
    assert_eq!(sent(&server), [1, 2]);
}

#[cfg(target_os = "linux")]
#[test]
fn pictures_with_names_of_any_kind_are_sent_once_each() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let names = [
        &b"\xfe.gif"[..],
        b"\xff.gif",
        b"\\xff.gif",
        b"a\nb.gif",
        b"a\\nb.gif",
        b"a\\\\nb.gif",
        "图 \"1\"\n.gif".as_bytes(),
        "图 \"1\"\\n.gif".as_bytes(),
    ];
    let (server, folder) = setup();
    let photos = folder.path("photos/a").parent().unwrap().to_owned();
    for (number, name) in (1..).zip(names) {
        fs::write(photos.join(OsStr::from_bytes(name)), picture(number)).unwrap();
    }
    fail_next(&server, Route::Messages, refusal(230001));
    for (code, count) in [(1, names.len() - 1), (0, names.len()), (0, names.len())] {
        let output = send(&server, &folder, &["--retry-failed"]);
        assert_eq!(output.code(), Some(code), "{output:?}");
        let mut sent = sent(&server);
        sent.sort_unstable();
        sent.dedup();
        assert_eq!(sent.len(), count);
        assert_eq!(messages(&server).len(), count);
    }
}

#[cfg(unix)]
#[test]
fn a_picture_that_is_a_pipe_a_device_or_too_large_is_not_read() {
    let (server, folder) = setup();
    let photos = folder.pictures(1);
    make_pipe(&photos.join("a.gif"));
    std::os::unix::fs::symlink("/dev/zero", photos.join("b.gif")).unwrap();
    let too_large = fs::File::create(photos.join("c.gif")).unwrap();
    too_large.set_len(1 << 40).unwrap();
    let output = send(&server, &folder, &[]);
    assert_eq!(output.code(), Some(1), "{output:?}");
    for line in [
        "a.gif: it is not a regular file",
        "b.gif: it is not a regular file",
        "c.gif: the file has more than 20 MiB",
    ] {
        assert!(output.stderr.lines().any(|found| found == line), "{line} {output:?}");
    }
    assert_eq!(sent(&server), [1]);
}

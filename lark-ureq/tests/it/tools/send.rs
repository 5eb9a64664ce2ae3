//! `send_images` against the fake: one test for each rule.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lark_proto::fake::{Break, Failure, FakeLark, Fault, ImageKind, Route, StoredMessage};
use lark_ureq::FakeServer;

use crate::tools::support::{Folder, Output, Tool, picture, wait_until};

const CHAT: &str = FakeLark::CHAT;

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

fn messages(server: &FakeServer) -> Vec<StoredMessage> {
    server.with(|lark| lark.messages().cloned().collect())
}

fn begun(server: &FakeServer, route: Route) -> usize {
    server.with(|lark| lark.begun(route))
}

fn fail_next(server: &FakeServer, route: Route, failure: impl Into<Failure>) {
    server.with(|lark| lark.fail_next_on(route, failure));
}

/// Loses the replies to the messages with these numbers, which are carried out.
fn lose_replies(server: &FakeServer, is_lost: impl Fn(usize) -> bool + Send + Sync + 'static) {
    server.with(|lark| {
        lark.fail_when(move |route, number| {
            (route == Route::Messages && is_lost(number)).then_some(Fault::TruncatedJson.into())
        });
    });
}

fn refusal(code: i64) -> Fault {
    Fault::code(400, code, "refused by the test")
}

fn journal(folder: &Folder) -> String {
    fs::read_to_string(folder.path("photos.send_images.journal")).unwrap()
}

/// Writes the journal of a run to the chat that began to send `photo1.gif` at `time`, and was killed.
fn begin(server: &FakeServer, folder: &Folder, time: u64) {
    let key = server.with(|lark| lark.add_image(ImageKind::Message, picture(1)));
    let (site, app) = (server.site(), FakeLark::APP_ID);
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
    #[expect(clippy::disallowed_methods, reason = "the program under test goes by it")]
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn each_picture_is_a_message_in_the_order_of_a_file_manager() {
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
    folder.pictures(11);
    let output = send(&server, &folder, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert!(output.stdout.starts_with("11 arrived, in "), "{output:?}");
    assert_eq!(output.stderr, "");
    assert_eq!(sent(&server), (1..=11).collect::<Vec<_>>());
    let mut uuids: Vec<_> = messages(&server).into_iter().filter_map(|sent| sent.uuid).collect();
    assert!(uuids.iter().all(|uuid| uuid.len() == 16), "{uuids:?}");
    uuids.sort();
    uuids.dedup();
    assert_eq!(uuids.len(), 11);

    let output = send(&server, &folder, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert!(output.stdout.contains("11 arrived in earlier runs\n"), "{output:?}");
    assert_eq!((sent(&server).len(), begun(&server, Route::ImV1Images)), (11, 11));
}

#[test]
fn a_receiver_is_named_by_each_kind_of_id() {
    for receiver in [
        CHAT,
        FakeLark::OPEN_ID,
        FakeLark::UNION_ID,
        FakeLark::EMAIL,
        &format!("user_id:{}", FakeLark::USER_ID),
    ] {
        let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
        let output = send_images(&server, receiver, &folder.pictures(1), &[]).run();
        assert_eq!(output.code(), Some(0), "{receiver} {output:?}");
        let id = messages(&server).pop().unwrap().receive_id.unwrap();
        assert_eq!(receiver.trim_start_matches("user_id:"), id);
    }
}

#[test]
fn wrong_arguments_are_refused_and_nothing_is_sent() {
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
    let photos = folder.pictures(1);
    let photos = photos.to_str().unwrap();
    let hint = "\nTry `send_images --help`.";
    for (args, error) in [
        (&[][..], format!("a chat and a folder are needed{hint}")),
        (&[CHAT], format!("a chat and a folder are needed{hint}")),
        (&[CHAT, photos, photos], format!("a chat and a folder are needed{hint}")),
        (&[CHAT, photos, "--often"], format!("invalid option '--often'{hint}")),
        (&[CHAT, photos, "--journal"], format!("missing argument for option '--journal'{hint}")),
        (&["4c87bec3", photos], "`4c87bec3` is not the id of a receiver".to_owned()),
    ] {
        let output = Tool::new("send_images", &server).args(args).run();
        assert_eq!(output.code(), Some(2), "{output:?}");
        assert!(output.stderr.starts_with(&format!("send_images: {error}")), "{output:?}");
        assert_eq!(output.stderr.lines().count(), 1 + usize::from(error.ends_with(hint)));
        assert_eq!(output.stdout, "");
    }
    server.with(|lark| assert!(lark.requests().is_empty()));
}

#[test]
fn help_names_options_variables_and_exit_codes() {
    let output = Tool::without_account("send_images").args(["--help"]).run();
    assert_eq!((output.code(), &*output.stderr), (Some(0), ""));
    for text in ["CHAT FOLDER", "--retry-failed", "--journal", "LARK_APP_ID", "130"] {
        assert!(output.stdout.contains(text), "{text}");
    }
}

#[test]
fn a_run_that_is_killed_at_any_request_sends_each_picture_once() {
    for (route, uploads) in [(Route::ImV1Images, 4), (Route::Messages, 3)] {
        let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
        let photos = folder.pictures(3);
        // The request is carried out, and the program is killed before it has the reply.
        server.with(|lark| {
            lark.fail_when(move |of, number| {
                let slow = Break::SlowReply(Duration::from_secs(60));
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
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
    folder.pictures(2);
    lose_replies(&server, |number| number == 1);
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

#[test]
fn a_message_is_sent_again_for_fifty_minutes() {
    let minutes = |minutes: u64| 60 * minutes;
    for (time, line) in [
        (now(), None),
        (now() - minutes(50) + 20, None),
        (now() - minutes(50) - 1, Some("50 minutes ago")),
        (now() - minutes(180), Some("3 hours ago")),
        (0, Some("years ago")),
        (now() + minutes(60), Some(", at a time that this computer's clock has not reached")),
        (u64::MAX, Some(", at a time that this computer's clock has not reached")),
    ] {
        let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
        folder.pictures(2);
        begin(&server, &folder, time);
        let output = send(&server, &folder, &[]);
        let messages = messages(&server);
        match line {
            None => {
                assert_eq!((output.code(), &*output.stderr), (Some(0), ""), "{output:?}");
                assert_eq!(sent(&server), [1, 2]);
                assert_eq!(messages[0].uuid.as_deref(), Some("earlier"));
                assert_eq!(begun(&server, Route::ImV1Images), 1);
            }
            Some(line) => {
                assert_eq!(output.code(), Some(1), "{output:?}");
                assert!(
                    output.stderr.starts_with("photo1.gif: it may have been sent"),
                    "{output:?}"
                );
                assert!(output.stderr.contains(line), "{output:?}");
                assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
                assert!(output.stdout.starts_with("1 arrived, 1 still to do"), "{output:?}");
                assert!(output.stdout.contains("\nMessages that may have been sent"), "{output:?}");
                assert_eq!(sent(&server), [2]);
                // It stays so, until the user has looked into the chat.
                assert_eq!(send(&server, &folder, &["--retry-failed"]).code(), Some(1));
                assert_eq!(sent(&server), [2]);
                let photo = folder.path("photos/photo1.gif");
                fs::rename(&photo, photo.with_file_name("again.gif")).unwrap();
                assert_eq!(send(&server, &folder, &[]).code(), Some(0));
                assert_eq!(sent(&server), [2, 1]);
            }
        }
    }
}

#[test]
fn a_message_that_was_begun_is_sent_before_the_service_forgets_it() {
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
    folder.pictures(2);
    folder.write("photos/photo0.gif", picture(9));
    begin(&server, &folder, now());
    assert_eq!(send(&server, &folder, &[]).code(), Some(0));
    assert_eq!(sent(&server), [1, 9, 2]);
}

#[test]
fn a_refusal_does_not_end_a_message_that_an_earlier_run_began() {
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
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

#[test]
fn a_refused_picture_is_tried_again_on_demand_only() {
    for (route, code) in [(Route::ImV1Images, 234011), (Route::Messages, 230001)] {
        let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
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
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
    let (photos, chat) = (folder.pictures(3), "oc_another");
    let output = send_images(&server, chat, &photos, &[]).run();
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert!(output.stdout.starts_with("0 arrived, 3 still to do, in "), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    assert_eq!(begun(&server, Route::Messages), 1);
    // A refused message was not sent, so its age does not matter.
    let path = folder.path("photos.send_images.journal");
    let (before, time) = (journal(&folder), "\"time\":");
    let start = before.find(time).unwrap() + time.len();
    let end = start + before[start..].find('}').unwrap();
    fs::write(&path, format!("{}1{}", &before[..start], &before[end..])).unwrap();
    server.with(|lark| lark.add_chat(chat));
    let output = send_images(&server, chat, &photos, &[]).run();
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert_eq!(sent(&server), [1, 2, 3]);
}

#[test]
fn an_app_that_is_refused_sends_nothing() {
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
    let photos = folder.pictures(3);
    let tool = send_images(&server, CHAT, &photos, &[]).env("LARK_APP_SECRET", "wrong");
    let output = tool.run();
    assert_eq!((output.code(), &*output.stderr), (Some(3), ""), "{output:?}");
    assert!(output.stdout.contains("\nThe run ended early: "), "{output:?}");
    assert_eq!(begun(&server, Route::ImV1Images) + begun(&server, Route::Messages), 0);
    let tool = send_images(&server, CHAT, &photos, &[]).env("LARK_APP_SECRET", "");
    let output = tool.run();
    assert_eq!(output.code(), Some(2), "{output:?}");
    assert!(output.stderr.starts_with("send_images: LARK_APP_SECRET is not set"), "{output:?}");
    assert_eq!(send(&server, &folder, &[]).code(), Some(0));
    assert_eq!(sent(&server), [1, 2, 3]);
}

#[test]
fn an_outage_ends_the_run_and_the_same_command_finishes() {
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
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

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_run_after_the_message_that_is_in_flight() {
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
    let photos = folder.pictures(3);
    fail_next(&server, Route::Messages, Break::SlowReply(Duration::from_millis(500)));
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

#[test]
fn a_picture_that_has_replaced_one_that_was_sent_is_not_sent_under_its_name() {
    for is_done in [true, false] {
        let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
        folder.pictures(1);
        begin(&server, &folder, now());
        if is_done {
            assert_eq!(send(&server, &folder, &[]).code(), Some(0));
        }
        let (before, done) = (journal(&folder), usize::from(is_done));
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
fn a_folder_that_was_copied_or_touched_is_the_same() {
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
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

#[test]
fn a_picture_that_has_replaced_one_in_a_table_or_folder_is_written_into_its_cell() {
    let cell = |server: &FakeServer, number| {
        let cell = format!("Q7PlXT!A{number}:A{number}");
        server.with(|lark| lark.cell(FakeLark::SPREADSHEET, &cell).unwrap().bytes.clone())
    };
    let writes = |server: &FakeServer| begun(server, Route::ValuesImage);
    let link = format!("https://x.feishu.cn/sheets/{}", FakeLark::SPREADSHEET);
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
    folder.pictures(2);
    let table = folder.write(
        "table.csv",
        format!(
            "spreadsheet,cell,path\n{link},A1,photos/photo1.gif\n{link},A2,photos/photo2.gif\n"
        ),
    );
    let fill = || Tool::new("fill_sheet", &server).args([&table]).run();
    assert_eq!(fill().code(), Some(0));
    let photo = folder.write("photos/photo1.gif", picture(7));
    let output = fill();
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert!(output.stdout.starts_with("1 arrived, in "), "{output:?}");
    assert_eq!((&*cell(&server, 1), &*cell(&server, 2)), (&*picture(7), &*picture(2)));
    assert_eq!(writes(&server), 3);
    // A file that is gone has arrived all the same, and the picture of a run that was killed is not taken for it.
    fs::remove_file(&photo).unwrap();
    let output = fill();
    assert_eq!((output.code(), &*output.stderr), (Some(0), ""), "{output:?}");
    assert!(output.stdout.contains("2 arrived in earlier runs"), "{output:?}");
    folder.write("photos/photo1.gif", picture(8));
    let journal = folder.path("table.csv.fill_sheet.journal");
    let text = fs::read_to_string(&journal).unwrap();
    let whole = text.trim_end().rfind('\n').unwrap();
    fs::write(&journal, &text[..=whole]).unwrap();
    let output = fill();
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert_eq!((&*cell(&server, 1), writes(&server)), (&*picture(8), 4));
}

#[test]
fn a_journal_in_which_nothing_has_arrived_is_used_for_another_chat_or_site() {
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
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
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
    let photos = folder.pictures(1);
    assert_eq!(send(&server, &folder, &[]).code(), Some(0));
    let (before, path) = (journal(&folder), folder.path("photos.send_images.journal"));
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
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
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
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
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

#[cfg(unix)]
#[test]
fn a_journal_that_is_a_pipe_or_a_device_is_refused() {
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
    let (photos, pipe) = (folder.pictures(1), folder.path("a.journal"));
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

#[cfg(unix)]
fn make_pipe(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

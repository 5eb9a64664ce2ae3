//! The command line.

use lark_proto::fake::FakeLark;

use super::{CHAT, messages, send_images};
use crate::tools::support::{Tool, setup};

#[test]
fn a_receiver_is_named_by_each_kind_of_id() {
    for receiver in [
        CHAT,
        FakeLark::OPEN_ID,
        FakeLark::UNION_ID,
        FakeLark::EMAIL,
        &format!("user_id:{}", FakeLark::USER_ID),
    ] {
        let (server, folder) = setup();
        let output = send_images(&server, receiver, &folder.pictures(1), &[]).run();
        assert_eq!(output.code(), Some(0), "{receiver} {output:?}");
        let id = messages(&server).pop().unwrap().receive_id.unwrap();
        assert_eq!(receiver.trim_start_matches("user_id:"), id);
    }
}

#[test]
fn wrong_arguments_are_refused_and_nothing_is_sent() {
    let (server, folder) = setup();
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

//! Folders, and files that are no pictures or cannot be read.

use std::fs;
use std::time::Duration;

use lark_proto::fake::{ConnectionFault, Route};

use super::{Case, LINK, TOOLS, all, not_found};
use crate::tools::support::{picture, wait_until};

#[test]
fn a_folder_without_pictures_is_refused() {
    const PICTURES: &str = "a picture is a file with one of the extensions png, jpg, jpeg, jfif, gif, bmp, tif, tiff, \
        webp, heic, heif, ico, bpg";
    for name in TOOLS {
        let case = Case::new();
        let refused = |problem: &str| {
            let output = case.tool(name, &[]).run();
            case.assert_refused(&output, &format!("{name}: DIR/photos: {problem}"));
        };
        refused(&fs::read_dir("no/folder").unwrap_err().to_string());
        let file = case.folder.write("photos", picture(1));
        let output = case.tool(name, &[]).run();
        let line = format!("{name}: DIR/photos is a file, and a folder is needed");
        case.assert_refused(&output, &line);
        fs::remove_file(file).unwrap();
        case.folder.path("photos/inner/a.png");
        refused(&format!("no picture in this folder, and 0 other files; {PICTURES}"));
        case.folder.write("photos/notes.txt", "a");
        case.folder.write("photos/.hidden.png", picture(1));
        refused(&format!("no picture in this folder, and 1 other files; {PICTURES}"));
        case.assert_untouched();
        case.folder.pictures(1);
        assert_eq!(case.tool(name, &[]).run().code(), Some(0));
        assert_eq!(case.arrived(), all(name, 1));
    }
}

#[test]
fn a_file_that_is_no_picture_is_passed_over_until_it_is_one() {
    for name in TOOLS {
        for (bytes, problem) in [
            (&b""[..], "the image file is empty"),
            (
                b"<!DOCTYPE html><html>",
                "the file is a web page, which was saved in place of a picture\n",
            ),
            (b"hello", "the file begins with `hello` and is not a PNG"),
            (b"<svg>", "SVG is not accepted"),
        ] {
            let case = Case::with_pictures(3);
            case.folder.write("photos/photo2.gif", bytes);
            // The journal does not keep the failure, since reading the file again costs nothing.
            for line in ["2 arrived, 1 failed, in ", "0 arrived, 1 failed, in "] {
                let output = case.tool(name, &[]).run();
                assert_eq!(output.code(), Some(1), "{output:?}");
                assert!(output.stderr.starts_with(&format!("photo2.gif: {problem}")), "{output:?}");
                assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
                assert!(output.stdout.starts_with(line), "{output:?}");
                assert!(!output.stdout.contains("--retry-failed"), "{output:?}");
            }
            case.folder.pictures(3);
            assert_eq!(case.tool(name, &[]).run().code(), Some(0));
            assert_eq!((case.arrived(), case.writes()), (all(name, 3), 3), "{name}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_read_is_passed_over_until_it_can() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    for name in TOOLS {
        for kind in ["to nothing", "to itself", "closed"] {
            let case = Case::with_pictures(3);
            let photo = case.folder.path("photos/photo2.gif");
            if kind == "closed" {
                fs::set_permissions(&photo, PermissionsExt::from_mode(0o000)).unwrap();
            } else {
                let target = if kind == "to itself" { &photo } else { &case.folder.path("none") };
                fs::remove_file(&photo).unwrap();
                symlink(target, &photo).unwrap();
            }
            // An administrator may read a closed file.
            if let Err(error) = fs::read(&photo) {
                for line in ["2 arrived, 1 failed, in ", "0 arrived, 1 failed, in "] {
                    let output = case.tool(name, &[]).run();
                    assert_eq!(output.code(), Some(1), "{kind}: {output:?}");
                    assert_eq!(output.stderr, format!("photo2.gif: {error}\n"));
                    assert!(output.stdout.starts_with(line), "{output:?}");
                }
            }
            fs::remove_file(&photo).unwrap();
            case.folder.pictures(3);
            assert_eq!(case.tool(name, &[]).run().code(), Some(0));
            assert_eq!((case.arrived(), case.writes()), (all(name, 3), 3), "{name}");
        }
    }
}

#[test]
fn a_file_that_vanishes_during_the_run_is_passed_over_until_it_is_back() {
    for (name, route) in TOOLS.into_iter().zip([Route::ValuesImage, Route::Messages]) {
        let case = Case::with_pictures(3);
        let slow = ConnectionFault::SlowReply(Duration::from_secs(3));
        case.server.with(|lark| lark.fail_next_on(route, slow));
        let running = case.tool(name, &[]).start();
        wait_until(&case.server, |lark| lark.begun(route) == 1);
        fs::remove_file(case.folder.path("photos/photo2.gif")).unwrap();
        let output = running.wait();
        assert_eq!(output.code(), Some(1), "{output:?}");
        assert_eq!(output.stderr, format!("photo2.gif: {}\n", not_found()));
        assert!(output.stdout.starts_with("2 arrived, 1 failed, in "), "{output:?}");
        case.folder.pictures(3);
        assert_eq!(case.tool(name, &[]).run().code(), Some(0));
        assert_eq!((case.arrived(), case.writes()), (all(name, 3), 3), "{name}");
    }
}

#[test]
fn a_file_of_a_table_that_never_existed_is_passed_over() {
    let case = Case::new();
    case.folder.write("1.gif", picture(1));
    let table = format!("spreadsheet,sheet,cell,path\n{LINK},,A2,a/2.gif\n{LINK},,A1,1.gif\n");
    let output = case.fill_table(&table);
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert_eq!(output.stderr, format!("a/2.gif: {}\n", not_found()));
    case.folder.write("a/2.gif", picture(2));
    assert_eq!(case.fill_table(&table).code(), Some(0));
    assert_eq!((case.arrived(), case.writes()), (all("fill_sheet", 2), 2));
}

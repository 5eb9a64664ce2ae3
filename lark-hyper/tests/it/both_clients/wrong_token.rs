//! The compiler's message for a token of the wrong kind.
//!
//! Only the first line of each error is compared. Its words are from lark-proto. The rest of the message is the
//! compiler's and changes with it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::support::packages::Packages;

const MAIN: &str = r#"
use lark_proto::token::NoToken;
use lark_proto::{EndpointExt, PutImage, Site, UserToken};

fn core(put: PutImage, user: UserToken) {
    put.request(&Site::LARK, &user);
}

fn blocking(client: lark_ureq::Client, put: PutImage, user: UserToken) {
    let _ = client.call_as(&user, &put);
    let _ = client.call_as(&NoToken, &put);
}

async fn on_hyper<S: lark_hyper::Transport>(client: lark_hyper::Client<S>, put: PutImage, user: UserToken) {
    let _ = client.call_as(&user, &put).await;
}

fn main() {}
"#;

/// The lines of [`MAIN`] with an error, and the token that it names.
const ERRORS: [(u32, &str); 4] =
    [(6, "UserToken"), (10, "UserToken"), (11, "NoToken"), (15, "UserToken")];

/// The line of an error at `src/main.rs:<line>:<column>`, and its text.
fn line_and_text(error: &str) -> Option<(u32, String)> {
    let (place, text) = error.strip_prefix("src/main.rs:")?.split_once(": ")?;
    Some((place.split_once(':')?.0.parse().ok()?, text.to_owned()))
}

#[test]
fn the_compilers_message_for_a_wrong_kind_of_token_names_the_kind_that_the_endpoint_takes() {
    let packages = Packages::new();
    let user = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong-token");
    std::fs::create_dir_all(user.join("src")).unwrap();
    let mut manifest = String::from(
        "[package]\nname = \"user\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nlark-proto = \"*\"\n\
         lark-ureq = { version = \"*\", default-features = false }\n\
         lark-hyper = { version = \"*\", default-features = false }\n\n\
         [patch.crates-io]\n",
    );
    for name in ["lark-proto", "lark-ureq", "lark-hyper"] {
        let folder = packages.folder(name).display().to_string();
        manifest += &format!("{name} = {{ path = {folder:?} }}\n");
    }
    std::fs::write(user.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(user.join("src/main.rs"), MAIN).unwrap();
    // With the versions of these tests cargo downloads nothing.
    std::fs::copy(packages.lock_file(), user.join("Cargo.lock")).unwrap();

    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet", "--message-format", "short", "--color", "never"])
        .arg("--target-dir")
        .arg(user.join("target"))
        .current_dir(&user)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "the program compiles");
    // An await may repeat an error of its line.
    let errors: BTreeSet<_> = stderr.lines().filter_map(line_and_text).collect();
    let expected = ERRORS.map(|(line, token)| {
        let text = format!(
            "error[E0277]: `{token}` is not accepted by this endpoint, which takes `TenantOnly`: \
             not a token that the endpoint takes"
        );
        (line, text)
    });
    assert_eq!(errors, BTreeSet::from(expected), "{stderr}");
}

//! What the compiler says to someone who gives an endpoint the wrong kind of token.
//!
//! Only the first line is compared: the words are this crate's, the rest of the message is the compiler's and
//! changes with it.

use std::path::Path;
use std::process::Command;

const MAIN: &str = r#"
fn main() {
    use lark_proto::{EndpointExt, Image, PutImage, Site, UserToken};
    let put = PutImage::message(Image::new("GIF89a").unwrap()).unwrap();
    let token = UserToken::new("u-1").unwrap();
    put.request(&Site::LARK, &token);
}
"#;

const MESSAGE: &str = "src/main.rs:6:30: error[E0277]: `UserToken` is not accepted by this endpoint, \
    which takes `TenantOnly`: not a token that the endpoint takes";

#[test]
fn the_message_is_in_the_words_of_the_field() {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR"));
    let user = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong-token");
    std::fs::create_dir_all(user.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"user\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nlark-proto = {{ path = {:?} }}\n",
        proto.display().to_string()
    );
    std::fs::write(user.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(user.join("src/main.rs"), MAIN).unwrap();
    // The versions of this workspace, so that nothing has to be fetched.
    std::fs::copy(proto.join("../Cargo.lock"), user.join("Cargo.lock")).unwrap();

    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet", "--message-format", "short", "--color", "never"])
        .arg("--target-dir")
        .arg(user.join("target"))
        .current_dir(&user)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it compiles");
    assert_eq!(stderr.lines().next().unwrap_or_default(), MESSAGE, "{stderr}");
}

//! Writes the test vectors for clients in other languages. `tests/vectors/README.md` describes them. A test compares
//! the files there with those that this program writes.
//!
//! ```text
//! cargo run -p lark-proto --example vectors [FOLDER]
//! ```

mod codes;
mod construct;
mod forms;
mod inputs;
mod json;
mod replies;
mod replies_in_json;
mod requests;
mod values;
mod with_endpoint;

use std::path::PathBuf;

use serde_json::json;

fn main() -> std::io::Result<()> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");
    let folder = std::env::args_os().nth(1).map_or(PathBuf::from(own), PathBuf::from);
    let (values, refusals) = values::cases();
    for (name, cases) in [
        ("endpoints.json", requests::endpoints()),
        ("requests.json", requests::cases()),
        ("replies.json", replies::cases()),
        ("codes.json", codes::cases()),
        ("values.json", values),
        ("refusals.json", refusals),
        ("encodings.json", forms::encodings()),
        ("boundaries.json", forms::boundaries()),
    ] {
        std::fs::write(folder.join(name), json::pretty(&json!({ "format": 1, "cases": cases })))?;
    }
    Ok(())
}

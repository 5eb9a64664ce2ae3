//! The test vectors for clients in other languages: the files are those that the example writes, a reader in Python
//! makes the same of every vector, and no endpoint and no kind of refusal is left out.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The kinds of refusals that no vector has, because their input is not one of the protocol.
const NOT_OF_THE_PROTOCOL: [&str; 8] = [
    // A token that a session of this crate has exported.
    "damaged_token",
    "foreign_token",
    "expired_token",
    "refused_token",
    // A setting of a client: its proxy, its environment, its certificates.
    "unsupported_proxy",
    "empty_proxy_variable",
    "bad_roots",
    // A Rust value that serde cannot write.
    "not_json",
];

/// How the files are written.
const HOW: &str = "`cargo run -p lark-proto --example vectors` writes the files";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// The names of the JSON files in a folder.
fn files(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".json")).collect()
}

/// The cases of a file.
fn cases(name: &str) -> Vec<Value> {
    let text = std::fs::read(folder().join(name)).unwrap();
    let mut content: Value = serde_json::from_slice(&text).unwrap();
    serde_json::from_value(content["cases"].take()).unwrap()
}

/// The values of a field in the cases of a file.
fn named(file: &str, pointer: &str) -> BTreeSet<String> {
    let cases = cases(file);
    let found = cases.iter().filter_map(|case| case.pointer(pointer)?.as_str());
    found.map(str::to_owned).collect()
}

#[test]
fn the_vectors_are_those_that_the_example_writes() {
    let tests = std::env::current_exe().unwrap();
    let examples = tests.parent().and_then(Path::parent).unwrap().join("examples");
    let program = examples.join("vectors").with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        program.exists(),
        "{} is missing: `cargo build -p lark-proto --examples` builds it",
        program.display()
    );
    let written = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vectors");
    let _ = std::fs::remove_dir_all(&written);
    std::fs::create_dir_all(&written).unwrap();
    assert!(Command::new(program).arg(&written).status().unwrap().success());
    assert_eq!(files(&written), files(&folder()));
    for name in files(&written) {
        let [ours, example] = [folder(), written.clone()].map(|folder| {
            let text = std::fs::read(folder.join(&name)).unwrap();
            String::from_utf8(text).unwrap()
        });
        let mut lines = (1..).zip(ours.lines().zip(example.lines()));
        let differs = lines.find(|(_, (ours, example))| ours != example);
        assert_eq!(differs, None, "{name}: {HOW}");
        assert!(ours == example, "{name} has another end: {HOW}");
    }
}

/// Runs the reader. If there is no Python that can run it, this function reports on standard error that the test is
/// skipped. The test harness does not capture that line.
fn check(arguments: &[&str]) {
    let version = "import sys; sys.exit(sys.version_info < (3, 9))";
    let is_present = Command::new("python3").args(["-c", version]).status();
    if !is_present.is_ok_and(|status| status.success()) {
        let message =
            b"\n== SKIPPED: no vector was read, because python3 3.9 or later is not installed\n";
        std::io::stderr().write_all(message).unwrap();
        return;
    }
    let mut python = Command::new("python3");
    let output = python.arg(folder().join("check.py")).args(arguments).output().unwrap();
    let [text, errors] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    assert!(output.status.success(), "{text}{errors}");
    assert_eq!(text.lines().count(), files(&folder()).len(), "{text}");
}

#[test]
fn a_reader_in_python_makes_the_same_of_every_vector() {
    check(&[]);
}

#[test]
fn a_reader_in_python_sees_a_change_of_any_expected_value() {
    check(&["--changed"]);
}

#[test]
fn every_kind_of_refusal_is_in_a_vector_or_not_of_the_protocol() {
    let source = include_str!("../../src/error/invalid.rs");
    let kinds: BTreeSet<_> = source
        .lines()
        .skip_while(|line| *line != "kinds! {")
        .skip(1)
        .take_while(|line| *line != "}")
        .map(|line| line.trim().split_once(": \"").unwrap().0.to_ascii_lowercase())
        .collect();
    let found = named("refusals.json", "/expected/kind");
    for left_out in NOT_OF_THE_PROTOCOL {
        assert!(!found.contains(left_out), "{left_out}");
    }
    let found = found.iter().map(String::as_str).chain(NOT_OF_THE_PROTOCOL);
    let found: BTreeSet<_> = found.map(|kind| kind.replace('_', "")).collect();
    assert_eq!(found, kinds);
}

#[test]
fn every_kind_of_refusal_is_explained() {
    let text = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let (_, text) = text.split_once("### The kinds of refusals").unwrap();
    for kind in named("refusals.json", "/expected/kind") {
        assert!(text.contains(&format!("`{kind}`")), "README.md does not name `{kind}`");
    }
}

#[test]
fn every_endpoint_has_its_facts_requests_and_replies() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/endpoints");
    let files = std::fs::read_dir(sources).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let endpoints: BTreeSet<_> = names
        .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
        .filter(|name| name != "mod")
        .collect();
    assert!(endpoints.len() >= 16, "{endpoints:?}");
    assert_eq!(named("endpoints.json", "/endpoint"), endpoints);
    for file in ["requests.json", "replies.json"] {
        let mut found = named(file, "/endpoint");
        assert!(found.remove("raw"), "{file}");
        assert_eq!(found, endpoints, "{file}");
    }
    // Each endpoint has a success and an error among its replies.
    let cases = cases("replies.json");
    for endpoint in &endpoints {
        for end in ["result", "error"] {
            let is_found = cases
                .iter()
                .any(|case| case["endpoint"] == **endpoint && case["expected"].get(end).is_some());
            assert!(is_found, "{endpoint} {end}");
        }
    }
}

#[test]
fn every_class_of_error_is_among_the_replies() {
    let mut classes = named("codes.json", "/class");
    classes.insert("unknown".to_owned());
    assert_eq!(named("replies.json", "/expected/error/class"), classes);
}

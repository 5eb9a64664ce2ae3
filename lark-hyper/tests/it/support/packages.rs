//! The folders of the three packages. In the repository they are next to each other, but not below a published one.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// The metadata of cargo for the packages from which these tests are built.
pub(crate) struct Packages(Value);

impl Packages {
    pub(crate) fn new() -> Self {
        // Without a platform, cargo would download the crates of all other platforms.
        let rustc = output(Command::new("rustc").arg("-vV"));
        let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["metadata", "--format-version", "1", "--filter-platform", host]);
        let metadata = output(cargo.current_dir(env!("CARGO_MANIFEST_DIR")));
        Self(serde_json::from_str(&metadata).unwrap())
    }

    /// The folder of a package.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let packages = self.0["packages"].as_array().unwrap();
        let package = packages.iter().find(|package| package["name"] == name).unwrap();
        PathBuf::from(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
    }

    /// The versions of all dependencies.
    pub(crate) fn lock_file(&self) -> PathBuf {
        PathBuf::from(self.0["workspace_root"].as_str().unwrap()).join("Cargo.lock")
    }
}

/// The standard output of a command, which has to succeed.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

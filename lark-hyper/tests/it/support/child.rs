//! Tests that need a process of their own, for its environment or for state of the whole process.

use std::env;
use std::process::Command;

/// Runs the ignored test `name` in a process of its own, with `set_up` applied to its command, and returns its output.
///
/// # Panics
/// The child failed.
pub(crate) fn run(name: &str, set_up: impl FnOnce(&mut Command)) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([name, "--exact", "--ignored", "--nocapture"]);
    set_up(&mut command);
    let output = command.output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let is_run = printed.contains("1 passed");
    assert!(output.status.success() && is_run, "{name}: {printed}{errors}");
    printed
}

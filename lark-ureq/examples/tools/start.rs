//! The frame of a tool: its help text, its exit code for wrong input, and its output.

use std::io::Write;
use std::process::ExitCode;

/// Reads the arguments and does the work, or prints the help text if `read` returns `None`. An error of either is one of
/// the input: a line, and exit code 2.
pub(crate) fn start<O>(
    tool: &str,
    help: &str,
    read: impl FnOnce() -> Result<Option<O>, lexopt::Error>,
    work: impl FnOnce(&O) -> Result<ExitCode, String>,
) -> ExitCode {
    let result = match read() {
        Ok(Some(options)) => work(&options),
        Ok(None) => {
            print(help);
            return ExitCode::SUCCESS;
        }
        Err(error) => Err(format!("{error}\nTry `{tool} --help`.")),
    };
    result.unwrap_or_else(|error| {
        warn(&format!("{tool}: {error}"));
        ExitCode::from(2)
    })
}

/// Writes a line to the standard output. A reader that has gone away, such as `head`, is no reason to end.
pub(crate) fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Writes a line to the standard error output.
pub(crate) fn warn(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

//! The code that all tools share: it prints the help text and the output, and sets the exit code for wrong input.

use std::io::Write;
use std::process::ExitCode;

/// Reads the arguments and does the work, or prints the help text if `read` returns `None`. An error of either is
/// printed as one line, and the exit code is 2.
pub(crate) fn start<O>(
    tool: &str,
    help: &str,
    read: impl FnOnce() -> Result<Option<O>, lexopt::Error>,
    work: impl FnOnce(&O) -> Result<ExitCode, String>,
) -> ExitCode {
    let options = match read() {
        Ok(Some(options)) => options,
        Ok(None) => {
            help.lines().for_each(print);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprint(&format!("{tool}: {error}"));
            eprint(&format!("Try `{tool} --help`."));
            return ExitCode::from(2);
        }
    };
    work(&options).unwrap_or_else(|error| {
        eprint(&format!("{tool}: {error}"));
        ExitCode::from(2)
    })
}

/// Writes a line to the standard output. The tool goes on even if the reader, such as `head`, has closed the pipe.
pub(crate) fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{}", cleaned(line));
}

/// Writes a line to the standard error output.
pub(crate) fn eprint(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", cleaned(line));
}

/// The text with a space for each character that could control the terminal or mislead the reader. Names of files,
/// tables, journals and replies of the service can hold such characters.
fn cleaned(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || misleads(c) { ' ' } else { c }).collect()
}

/// Whether a character is invisible, ends a line or changes the direction of the text.
fn misleads(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e00ff}')
}

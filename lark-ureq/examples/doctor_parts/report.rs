//! The lines of the output.

use std::process::ExitCode;

use crate::common::start::print;

/// The checks, in the order in which they are made. Each one has a line in every report.
const NAMES: [&str; 10] = [
    "environment",
    "network",
    "connection",
    "clock",
    "app",
    "bot",
    "scopes",
    "document",
    "edit right",
    "chat",
];

/// The result of a check, with the text of its line.
pub(crate) enum Verdict {
    Passed(String),
    Warned(String),
    Failed(String),
    Skipped(String),
}

impl Verdict {
    /// The check was not made, because the check `failed` failed or was not made.
    pub(crate) fn after(failed: &str) -> Self {
        Self::Skipped(format!("needs `{failed}`"))
    }
}

/// Prints the lines and counts them.
#[derive(Default)]
pub(crate) struct Report {
    secret: String,
    lines: usize,
    failed: usize,
    skipped: usize,
    last_failed: &'static str,
}

impl Report {
    /// Writes `***` in place of `secret`, in case a reply quotes it.
    pub(crate) fn hide(&mut self, secret: &str) {
        self.secret = secret.to_owned();
    }

    /// Prints the line of a check on whose result others depend.
    pub(crate) fn step<T>(
        &mut self,
        name: &'static str,
        result: Result<(T, String), String>,
    ) -> Option<T> {
        let (value, verdict) = match result {
            Ok((value, text)) => (Some(value), Verdict::Passed(text)),
            Err(text) => (None, Verdict::Failed(text)),
        };
        self.line(name, verdict);
        value
    }

    /// Prints the line of a check. Returns whether the check was made and did not fail.
    pub(crate) fn line(&mut self, name: &'static str, verdict: Verdict) -> bool {
        self.lines += 1;
        let (mark, text, is_good) = match verdict {
            Verdict::Passed(text) => ('✓', text, true),
            Verdict::Warned(text) => ('!', text, true),
            Verdict::Failed(text) => {
                self.failed += 1;
                self.last_failed = name;
                ('✗', text, false)
            }
            Verdict::Skipped(text) => {
                self.skipped += 1;
                ('–', format!("not checked: {text}"), false)
            }
        };
        print(&format!("{mark} {name:<12}{}", self.cleared(&text)));
        is_good
    }

    /// Whether the last check that failed has this name.
    pub(crate) fn last_failed(&self, name: &str) -> bool {
        self.last_failed == name
    }

    fn cleared(&self, text: &str) -> String {
        // A shorter text is no secret of the service's, and masking it would garble words of this report.
        if self.secret.len() < 8 { text.to_owned() } else { text.replace(&self.secret, "***") }
    }

    /// Prints a line for each check that was not reached, and the counts.
    pub(crate) fn finish(mut self) -> ExitCode {
        for name in NAMES.iter().skip(self.lines) {
            self.line(name, Verdict::after(self.last_failed));
        }
        let failed = match self.failed {
            0 => "none".to_owned(),
            failed => failed.to_string(),
        };
        let skipped = match self.skipped {
            0 => String::new(),
            1 => ", 1 was not made".to_owned(),
            skipped => format!(", {skipped} were not made"),
        };
        print(&format!("{failed} of {} checks failed{skipped}", self.lines));
        ExitCode::from(u8::from(self.failed > 0))
    }
}

//! How a run ended, as exit status and as words on standard error.

use std::io::{self, Write};

use crate::error::Error;

/// The exit status of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// 0: the question was answered.
    Answered,
    /// 1: it was answered, and a threshold that the user set was passed.
    ThresholdPassed,
    /// 2: the question was asked wrongly; nothing was done.
    Usage,
    /// 3: an input could not be read whole; the rest was answered.
    Incomplete,
    /// The monitoring plugins' own meaning, for `probe --output nagios`: 0 ok, 1 warning, 2 critical, 3 unknown.
    Plugin(u8),
}

/// For the end of the help.
pub(super) const HELP: &str = "Exit status: 0 answered; 1 answered, and a threshold that you set was passed; \
2 asked wrongly; 3 an input could not be read whole (the rest was answered).";

impl Outcome {
    /// The number for the shell.
    pub fn code(self) -> u8 {
        match self {
            Self::Answered => 0,
            Self::ThresholdPassed => 1,
            Self::Usage => 2,
            Self::Incomplete => 3,
            Self::Plugin(code) => code,
        }
    }
}

/// Says on standard error what is wrong, and what to type instead where that is known.
pub(super) fn tell(error: &Error) -> Outcome {
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "logmill: {error}");
    if let Some(advice) = error.advice() {
        let _ = writeln!(stderr, "         {advice}");
    }
    if error.is_usage() { Outcome::Usage } else { Outcome::Incomplete }
}

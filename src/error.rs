//! The one error of the crate.
//!
//! Three things that go wrong are kept apart. The user asked wrongly: [`Error::usage`], before any work. The world
//! failed: [`Error::io`] and [`Error::input`], about one input, after which the others go on. A line that does not
//! parse is no error at all; it goes to the ledger.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What every fallible function of the crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something could not be done, in words that a person can act on.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    path: Option<PathBuf>,
    offset: Option<u64>,
    advice: Option<String>,
}

#[derive(Debug)]
enum Kind {
    Usage(String),
    Io { doing: &'static str, source: io::Error },
    Input(String),
}

impl Error {
    /// The user asked for something that cannot be: says what, quoting the user's words.
    #[cold]
    pub fn usage(what: impl Into<String>) -> Self {
        Self::of(Kind::Usage(what.into()))
    }

    /// The system refused: `doing` names the act ("open", "read"), `source` its own words.
    #[cold]
    pub fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::of(Kind::Io { doing, source }).at(path)
    }

    /// An input was there and is not what it should be (a broken gzip stream, a foreign state file).
    #[cold]
    pub fn input(what: impl Into<String>) -> Self {
        Self::of(Kind::Input(what.into()))
    }

    fn of(kind: Kind) -> Self {
        Self(Box::new(Inner { kind, path: None, offset: None, advice: None }))
    }

    /// Names the file that the error is about.
    #[must_use]
    pub fn at(mut self, path: &Path) -> Self {
        self.0.path = Some(path.to_path_buf());
        self
    }

    /// Names the byte of the file (or of the user's text) where it went wrong.
    #[must_use]
    pub fn offset(mut self, offset: u64) -> Self {
        self.0.offset = Some(offset);
        self
    }

    /// Adds what to type instead; printed on a line of its own.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.0.advice = Some(advice.into());
        self
    }

    /// True when the user has to ask differently, and nothing is wrong with the world.
    pub fn is_usage(&self) -> bool {
        matches!(self.0.kind, Kind::Usage(_))
    }

    /// True when the thing named does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(&self.0.kind, Kind::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// The file that the error is about.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// What to type instead, where something is known.
    pub fn advice(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.0.path {
            write!(f, "'{}': ", path.display())?;
        }
        match &self.0.kind {
            Kind::Usage(what) | Kind::Input(what) => f.write_str(what)?,
            Kind::Io { doing, source } => write!(f, "cannot {doing}: {}", plain(source))?,
        }
        match self.0.offset {
            Some(offset) => write!(f, " (at byte {offset})"),
            None => Ok(()),
        }
    }
}

/// The system's words without the number that `io::Error` appends.
fn plain(source: &io::Error) -> String {
    let text = source.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.kind {
            Kind::Io { source, .. } => Some(source),
            Kind::Usage(_) | Kind::Input(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn says_what_and_where() {
        let error = Error::io("open", Path::new("a.log"), io::Error::from_raw_os_error(2));
        assert_eq!(error.to_string(), "'a.log': cannot open: no such file or directory");
        assert!(error.is_not_found());
    }
}

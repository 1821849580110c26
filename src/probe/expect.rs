//! Expectations on text: that it holds a text, matches a pattern, or does not.

use std::fmt;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use crate::error::{Error, Result};

/// One expectation: `TEXT` is contained, `~PATTERN` matches, `!~PATTERN` does not match.
#[derive(Debug, Clone)]
pub struct Expectation {
    typed: String,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Holds(Vec<u8>),
    Matches(Regex),
    MatchesNot(Regex),
}

impl Expectation {
    /// Reads an expectation; a pattern that cannot be compiled is an error that quotes it.
    pub fn parse(typed: &str) -> Result<Self> {
        let test = match (typed.strip_prefix("!~"), typed.strip_prefix('~')) {
            (Some(pattern), _) => Test::MatchesNot(compile(pattern)?),
            (None, Some(pattern)) => Test::Matches(compile(pattern)?),
            (None, None) => Test::Holds(unescaped(typed)),
        };
        Ok(Self { typed: typed.to_owned(), test })
    }

    /// True when the bytes are as expected.
    pub fn holds(&self, bytes: &[u8]) -> bool {
        match &self.test {
            Test::Holds(text) => contains(bytes, text),
            Test::Matches(pattern) => pattern.is_match(bytes),
            Test::MatchesNot(pattern) => !pattern.is_match(bytes),
        }
    }

    /// True when more bytes may turn a disappointment into a success.
    pub fn may_come(&self) -> bool {
        !matches!(self.test, Test::MatchesNot(_))
    }

    /// What the pattern matches first: its first group where it has groups, else the whole. Nothing for other forms.
    pub fn found<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let Test::Matches(pattern) = &self.test else { return None };
        let mut groups = pattern.create_captures();
        pattern.captures(bytes, &mut groups);
        let span = groups.get_group(1).or_else(|| groups.get_group(0))?;
        bytes.get(span.start..span.end)
    }

    /// The text that is looked for, if it is plain text.
    pub fn literal(&self) -> Option<&[u8]> {
        match &self.test {
            Test::Holds(text) => Some(text),
            Test::Matches(_) | Test::MatchesNot(_) => None,
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// Patterns work on bytes: what a peer sends need not be UTF-8. The size of what they compile to is bounded.
fn compile(pattern: &str) -> Result<Regex> {
    Regex::builder()
        .syntax(syntax::Config::new().utf8(false).multi_line(true))
        .configure(Regex::config().utf8_empty(false).nfa_size_limit(Some(1 << 20)))
        .build(pattern)
        .map_err(|error| Error::usage(format!("'~{pattern}' is not a pattern: {error}")))
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    text.is_empty() || bytes.windows(text.len()).any(|window| window == text)
}

/// Typed text with `\r`, `\n`, `\t`, `\\` and `\xNN` as the bytes they stand for; any other backslash stays.
pub fn unescaped(typed: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(typed.len());
    let mut rest = typed.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let (value, used) = if byte == b'\\' { escape(behind) } else { (byte, 0) };
        bytes.push(value);
        rest = &behind[used..];
    }
    bytes
}

/// The byte behind a backslash, and how many characters it took.
fn escape(behind: &[u8]) -> (u8, usize) {
    match behind {
        [b'r', ..] => (b'\r', 1),
        [b'n', ..] => (b'\n', 1),
        [b't', ..] => (b'\t', 1),
        [b'\\', ..] => (b'\\', 1),
        [b'x', high, low, ..] => match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => (high * 16 + low, 3),
            _ => (b'\\', 0),
        },
        _ => (b'\\', 0),
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_forms() {
        let holds =
            |typed: &str, text: &str| Expectation::parse(typed).unwrap().holds(text.as_bytes());
        assert!(holds("ready", "Dovecot ready.") && !holds("ready", "no"));
        assert!(holds("~^220 .*SMTP", "220 x ESMTP") && !holds("~^220$", "220 x"));
        assert!(holds("!~error", "fine") && !holds("!~(?i)error", "ERROR"));
        assert!(Expectation::parse("~(").unwrap_err().to_string().contains("'~('"));
    }

    #[test]
    fn what_a_pattern_finds() {
        let found = |typed: &str| {
            Expectation::parse(typed).unwrap().found(b"node-7 of 9").map(<[u8]>::to_vec)
        };
        assert_eq!(found("~node-[0-9]"), Some(b"node-7".to_vec()));
        assert_eq!(found("~node-([0-9])"), Some(b"7".to_vec()));
        assert_eq!((found("~x"), found("node")), (None, None));
    }

    #[test]
    fn typed_escapes() {
        assert_eq!(unescaped("QUIT\\r\\n\\x00\\\\\\q\\x1"), b"QUIT\r\n\0\\\\q\\x1");
    }

    proptest! {
        #[test]
        fn never_panics(typed in ".{0,30}", text in proptest::collection::vec(any::<u8>(), 0..50)) {
            let _ = Expectation::parse(&typed).map(|expectation| expectation.holds(&text));
        }
    }
}

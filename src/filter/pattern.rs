//! Regular expressions for `~`: compiled once, searched without allocating, in linear time.
//!
//! The syntax is that of the `regex` crate, with two settings that suit logs. A value is bytes, not always UTF-8, so a
//! character is a byte: `.` matches any, and nobody hides from a filter behind a broken sequence. (`(?u)` switches to
//! Unicode.) And a value is one text whatever line feeds it holds, so `.` matches those too. There is no backtracking,
//! so a hostile pattern or text costs memory up to the limits below and time in proportion to the text, never more.

use std::fmt;

use regex_automata::meta::{BuildError, Cache, Config, Regex};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

use crate::error::{Error, Result};

/// The most memory for the compiled pattern. `\w{1000}` takes some 60 kB, a list of a thousand names some 200 kB.
const MOST_COMPILED: usize = 4 << 20;
/// The most memory a thread keeps of what it learnt about the pattern.
const MOST_LEARNT: usize = 2 << 20;
/// How deep groups may nest.
const MOST_NESTED: u32 = 100;

/// A compiled regular expression and its source.
#[derive(Clone)]
pub(super) struct Pattern {
    source: String,
    regex: Regex,
}

impl Pattern {
    /// Compiles it. `at` is where the source begins in what the user typed.
    ///
    /// # Errors
    /// A usage error; its offset is the byte where it is wrong.
    pub(super) fn new(source: &str, at: usize) -> Result<Self> {
        let limits = Config::new()
            .utf8_empty(false)
            .nfa_size_limit(Some(MOST_COMPILED))
            .onepass_size_limit(Some(MOST_COMPILED))
            .hybrid_cache_capacity(MOST_LEARNT);
        let regex = Regex::builder().configure(limits).syntax(syntax()).build(source);
        let regex = regex.map_err(|error| refusal(source, at, &error))?;
        Ok(Self { source: source.to_owned(), regex })
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// What a thread needs to search.
    pub(super) fn cache(&self) -> Cache {
        self.regex.create_cache()
    }

    /// True when the pattern occurs somewhere in the text.
    #[inline]
    pub(super) fn occurs(&self, cache: &mut Cache, text: &[u8]) -> bool {
        let input = Input::new(text).anchored(Anchored::No).earliest(true);
        self.regex.search_half_with(cache, &input).is_some()
    }
}

fn syntax() -> syntax::Config {
    syntax::Config::new()
        .unicode(false)
        .utf8(false)
        .dot_matches_new_line(true)
        .nest_limit(MOST_NESTED)
}

#[cold]
fn refusal(source: &str, at: usize, error: &BuildError) -> Error {
    use regex_syntax::Error as Syntax;
    if error.size_limit().is_some() {
        let what = format!("the pattern is too large: it may take {} MiB", MOST_COMPILED >> 20);
        return Error::usage(what)
            .offset(at as u64)
            .advise("repeat less ('{1000}') or use several expressions");
    }
    let (what, offset) = match syntax::parse_with(source, &syntax()) {
        Err(Syntax::Parse(error)) => (error.kind().to_string(), error.span().start.offset),
        Err(Syntax::Translate(error)) => (error.kind().to_string(), error.span().start.offset),
        _ => (error.to_string(), 0),
    };
    Error::usage(format!("the pattern is wrong: {what}"))
        .offset((at + offset) as u64)
        .advise("in a pattern these stand for themselves only after a backslash: . + * ? ( ) [ ] { } | ^ $ \\")
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn occurs(pattern: &str, text: &[u8]) -> bool {
        let pattern = Pattern::new(pattern, 0).unwrap();
        pattern.occurs(&mut pattern.cache(), text)
    }

    #[test]
    fn bytes_are_characters() {
        assert!(occurs("^/api/", b"/api/v1") && !occurs("^/api/", b"/v1/api/"));
        assert!(occurs("^/a.b$", b"/a\xffb") && occurs("a.b", b"a\nb"));
        assert!(occurs("\\xff", b"\xff") && occurs("é+", "caféé".as_bytes()));
        assert!(occurs("(?i)É", "É".as_bytes()) && occurs("(?iu)É", "é".as_bytes()));
        assert!(occurs("", b""));
    }

    #[test]
    fn hostile_patterns_cost_no_more_than_the_limits() {
        for pattern in ["(a{1000}){1000}", "((a{100}){100}){100}", "(?u)\\w{5000}"] {
            let error = Pattern::new(pattern, 0).expect_err(pattern);
            assert!(error.to_string().starts_with("the pattern is too large"), "{error}");
        }
        let nested = format!("{}a{}", "(".repeat(5000), ")".repeat(5000));
        assert!(Pattern::new(&nested, 0).is_err());
        let long = vec![b'a'; 1 << 16];
        assert!(
            !occurs("(a*)*b", &long) && !occurs("(a|aa)+$b", &long) && !occurs("(.*)*x", &long)
        );
    }

    #[test]
    fn says_where_it_is_wrong() {
        for (pattern, offset) in [("a(b", 1), ("ab[c", 2), ("*a", 0), ("a{2,1}", 1), ("[äö]", 1)]
        {
            let error = Pattern::new(pattern, 0).unwrap_err();
            assert!(error.to_string().ends_with(&format!("(at byte {offset})")), "{error}");
        }
    }
}

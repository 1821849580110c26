//! The lexical skin of SQL as MySQL and MariaDB read it: where literals, quoted names and comments begin and end.
//!
//! Only what decides whether a byte is code is told here; `fingerprint` makes words and numbers of the code. Statements
//! are raw bytes of any length, may be cut off anywhere, and never fail: what is not closed lasts until the end.
//!
//! A backslash escapes in `'…'` and `"…"` and not in `` `…` ``. Under `NO_BACKSLASH_ESCAPES` it does not, and no log says
//! so: where statements make no sense with escapes, [`end_of_plain`] and [`without_escapes`] read them without. A doubled
//! quote stands for itself, which needs no rule: it closes and opens at once.

use memchr::{memchr, memmem};

use crate::scan;

/// What a byte can begin, where it stands in code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    /// `'`, `"` or a backquote.
    Quoted,
    /// `#`, or `-- ` with white space behind it: a comment up to the line's end.
    LineComment,
    /// `/*`.
    Comment,
    /// Nothing of the kind.
    Code,
}

/// What begins at a place in code.
#[inline]
pub(super) fn begins(text: &[u8], at: usize) -> Begins {
    match text[at] {
        b'\'' | b'"' | b'`' => Begins::Quoted,
        b'#' => Begins::LineComment,
        b'-' if text.get(at + 1) == Some(&b'-') => match text.get(at + 2) {
            Some(byte) if *byte > b' ' && *byte != b';' => Begins::Code,
            _ => Begins::LineComment,
        },
        b'/' if text.get(at + 1) == Some(&b'*') => Begins::Comment,
        _ => Begins::Code,
    }
}

/// Where a quoted text ends that begins at `at`: behind its closing quote. `None` when it is not closed.
#[inline]
pub(super) fn end_of_quoted(text: &[u8], at: usize) -> Option<usize> {
    let quote = text[at];
    let mut place = at + 1;
    if quote == b'`' {
        return Some(place + memchr(quote, &text[place..])? + 1);
    }
    loop {
        place = scan::find_any([quote, b'\\'], text, place)?;
        if text[place] == quote {
            return Some(place + 1);
        }
        place += 2;
    }
}

/// The same where a backslash is a character like any other.
pub(super) fn end_of_plain(text: &[u8], at: usize) -> Option<usize> {
    Some(at + 1 + memchr(text[at], &text[at + 1..])? + 1)
}

/// A statement whose strings are whole without escapes, with their backslashes replaced: it means the same either way then.
/// `None` when something is not closed, or stands where it could not in such a statement.
pub(super) fn without_escapes(statement: &[u8]) -> Option<Vec<u8>> {
    let (mut plain, mut at) = (statement.to_vec(), 0);
    while at < statement.len() {
        at = match begins(statement, at) {
            Begins::Quoted if statement[..at].ends_with(b"\\") => return None,
            Begins::Quoted => {
                let end = end_of_plain(statement, at)?;
                if statement[at] != b'`' {
                    replace_backslashes(&mut plain[at..end]);
                }
                let is_odd = statement[..end - 1].ends_with(b"\\")
                    && statement.get(end).is_some_and(u8::is_ascii_alphanumeric);
                if is_odd {
                    return None;
                }
                end
            }
            Begins::LineComment => end_of_line(statement, at),
            Begins::Comment => end_of_comment(statement, at)?,
            Begins::Code => at + 1,
        };
    }
    Some(plain)
}

fn replace_backslashes(string: &mut [u8]) {
    for byte in string.iter_mut().filter(|byte| **byte == b'\\') {
        *byte = b'/';
    }
}

/// Where a comment between `/*` and `*/` ends that begins at `at`. `None` when it is not closed.
pub(super) fn end_of_comment(text: &[u8], at: usize) -> Option<usize> {
    Some(at + 2 + memmem::find(text.get(at + 2..)?, b"*/")? + 2)
}

/// Where the line of a comment ends: at its line feed, or at the end.
#[inline]
pub(super) fn end_of_line(text: &[u8], at: usize) -> usize {
    scan::find(b'\n', text, at, text.len()).unwrap_or(text.len())
}

/// The next place in code where something may begin or end; the end when there is none.
#[inline]
pub(super) fn next_stop(text: &[u8], at: usize) -> usize {
    scan::find_any(*b"'\"`#-/*\n", text, at).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes() {
        for (text, end) in [
            ("'abc' x", Some(5)),
            ("'it''s'", Some(4)),
            (r"'a\'b' x", Some(6)),
            (r"'a\\' x", Some(5)),
            (r"`a\` x", Some(4)),
            (r#""a'b" x"#, Some(5)),
            ("'open", None),
            (r"'open\", None),
            ("'", None),
        ] {
            assert_eq!(end_of_quoted(text.as_bytes(), 0), end, "{text}");
        }
    }

    #[test]
    fn comments() {
        for (text, expected) in [
            ("-- x", Begins::LineComment),
            ("--", Begins::LineComment),
            ("--\n", Begins::LineComment),
            ("--5", Begins::Code),
            ("-5", Begins::Code),
            ("#", Begins::LineComment),
            ("/* x", Begins::Comment),
            ("/ 2", Begins::Code),
        ] {
            assert_eq!(begins(text.as_bytes(), 0), expected, "{text}");
        }
        assert_eq!(end_of_comment(b"/*/ */x", 0), Some(6));
        assert_eq!(end_of_comment(b"/* ", 0), None);
        assert_eq!(end_of_line(b"# a\nb", 0), 3);
    }
}

//! The columns of a row, between commas and in quotes, or between tabs.

use memchr::{memchr, memchr2};

use crate::format::Line;
use crate::ledger::Reason;
use crate::record::Row;
use crate::scan;

/// A column as it stands in the row, without quotes around it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cell<'r> {
    pub(super) text: &'r [u8],
    /// Whether it holds a backslash or doubled quotes.
    is_escaped: bool,
}

/// The columns of a row, one after the other.
#[derive(Debug)]
pub(super) struct Cells<'r> {
    /// What is left, the separator in front left out; `None` after the last.
    rest: Option<&'r [u8]>,
    separator: u8,
}

impl<'r> Cells<'r> {
    /// A row with tabs, or with commas and quotes.
    pub(super) fn of(row: &'r [u8], has_tabs: bool) -> Self {
        Self { rest: Some(row), separator: if has_tabs { b'\t' } else { b',' } }
    }

    /// The next column, or why there is none where one should be.
    #[inline(always)] // A cell that goes through memory waits there: a third of the time that a row takes.
    pub(super) fn next(&mut self) -> Result<Option<Cell<'r>>, Reason> {
        let Some(rest) = self.rest else { return Ok(None) };
        let quoted = rest.strip_prefix(b"\"").filter(|_| self.separator == b',');
        let (text, is_escaped, behind) = match quoted {
            Some(inner) => {
                let (end, is_escaped) = end_of_quoted(inner).ok_or(Reason::Truncated)?;
                (&inner[..end], is_escaped, &inner[end + 1..])
            }
            None => {
                let (end, is_escaped) = end_of_bare(rest, self.separator);
                let (text, behind) = rest.split_at(end);
                (text, is_escaped, behind)
            }
        };
        self.rest = match behind {
            [] => None,
            [byte, behind @ ..] if *byte == self.separator => Some(behind),
            _ => return Err(Reason::Malformed),
        };
        Ok(Some(Cell { text, is_escaped }))
    }
}

/// Where the separator behind a text without quotes stands, or the end, and whether the text has escapes.
#[inline(always)] // As the caller.
fn end_of_bare(text: &[u8], separator: u8) -> (usize, bool) {
    match scan::find_any([separator, b'\\'], text, 0) {
        Some(at) if text[at] == separator => (at, false),
        Some(at) => (memchr(separator, &text[at..]).map_or(text.len(), |len| at + len), true),
        None => (text.len(), false),
    }
}

/// Where the quote stands that closes a text, and whether the text has escapes.
#[inline]
fn end_of_quoted(text: &[u8]) -> Option<(usize, bool)> {
    let (mut at, mut is_escaped) = (0, false);
    loop {
        at = scan::find_any(*b"\"\\", text, at)?;
        if text[at] == b'"' && text.get(at + 1) != Some(&b'"') {
            return Some((at, is_escaped));
        }
        (at, is_escaped) = (at + 2, true);
    }
}

impl Cell<'_> {
    /// How much of the row stands from the text on, if the text stands there as it is meant.
    pub(super) fn with_what_follows<'l>(&self, line: &Line<'l>) -> Option<&'l [u8]> {
        let start = line.place(self.text) - line.at;
        (!self.is_escaped).then(|| &line.bytes[start..])
    }

    /// The text without escapes: where it stands in the line, or in `plain` and beside the piece.
    pub(super) fn unescaped<'c>(
        &'c self,
        line: &Line<'_>,
        plain: &'c mut Vec<u8>,
        row: &mut Row<'_>,
    ) -> Line<'c> {
        if !self.is_escaped {
            return Line { bytes: self.text, at: line.place(self.text), marks: &[] };
        }
        unescape(self.text, plain);
        Line { bytes: plain, at: row.store(plain), marks: &[] }
    }
}

/// What the servers and their clients put a backslash in front of.
fn unescape(text: &[u8], plain: &mut Vec<u8>) {
    plain.clear();
    let mut rest = text;
    while let Some(at) = memchr2(b'\\', b'"', rest) {
        plain.extend_from_slice(&rest[..at]);
        let meant = match (rest[at], rest.get(at + 1)) {
            (b'\\', Some(b'n')) => b'\n',
            (b'\\', Some(b'r')) => b'\r',
            (b'\\', Some(b't')) => b'\t',
            (b'\\', Some(b'0')) => 0,
            (_, Some(byte)) => *byte,
            (byte, None) => byte,
        };
        plain.push(meant);
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(row: &str) -> Result<Vec<String>, Reason> {
        let mut cells = Cells::of(row.as_bytes(), !row.starts_with('"'));
        let mut found = Vec::new();
        while let Some(cell) = cells.next()? {
            let mut plain = cell.text.to_vec();
            if cell.is_escaped {
                unescape(cell.text, &mut plain);
            }
            found.push(String::from_utf8_lossy(&plain).into_owned());
        }
        Ok(found)
    }

    #[test]
    fn quotes_backslashes_and_tabs() {
        for (row, expected) in [
            (r#""a",1,"b""#, vec!["a", "1", "b"]),
            (r#""","",x"#, vec!["", "", "x"]),
            (r#""say \"a\", \\",2"#, vec![r#"say "a", \"#, "2"]),
            (r#""say ""a"", b",2"#, vec![r#"say "a", b"#, "2"]),
            (r#""""""#, vec!["\""]),
            (
                r#""a\nb\
c",2"#,
                vec!["a\nb\nc", "2"],
            ),
            ("a\tb\\tc\t\td \"e\"", vec!["a", "b\tc", "", "d \"e\""]),
        ] {
            assert_eq!(cells(row).unwrap(), expected, "{row}");
        }
        assert_eq!(cells(r#""a","open"#), Err(Reason::Truncated));
        assert_eq!(cells(r#""a\"#), Err(Reason::Truncated));
        assert_eq!(cells(r#""a"b,2"#), Err(Reason::Malformed));
    }
}

//! Fingerprints by the outlines of statements, which most logs have few of.
//!
//! An **outline** is a statement with each plain number as `0`, each string empty and no comments. It is a statement with the
//! same fingerprint, it takes a fifth of the time that a [`Fingerprinter`] takes, and programs write the same few ones over
//! and over again: so fingerprints are made of outlines, once each. Not worth it, and therefore made of the statement itself,
//! are the fingerprints of long statements, of those with comments up to a line's end, and of those that are cut off.

use std::collections::HashMap;
use std::ops::Range;

use foldhash::fast::RandomState;

use super::fingerprint::Fingerprinter;
use super::lexer::{self, Begins};
use crate::scan;

/// The longest statement whose outline is taken: long ones are lists of values, of which no two are alike.
const MOST: usize = 1 << 10;
/// How many bytes of fingerprints are kept, and somewhat more of their outlines. Then all are forgotten.
const MOST_KEPT: usize = 1 << 20;
/// What the search looks at at once, behind the end of a statement too.
const MARGIN: usize = 16;

/// Fingerprints of statements, made or known.
#[derive(Debug)]
pub(super) struct Fingerprints {
    maker: Fingerprinter,
    outline: Outline,
    /// Where the fingerprint of an outline stands among those that were made.
    known: HashMap<Box<[u8]>, Range<usize>, RandomState>,
    made: Vec<u8>,
    /// How many were asked for since the last time that all were forgotten.
    asked: usize,
    /// Fewer than half of them were known, so that outlines are not taken any more.
    is_given_up: bool,
}

impl Fingerprints {
    pub(super) fn new() -> Self {
        Self {
            maker: Fingerprinter::new(),
            outline: Outline::default(),
            known: HashMap::default(),
            made: Vec::new(),
            asked: 0,
            is_given_up: false,
        }
    }

    /// The fingerprint of a statement.
    pub(super) fn of(&mut self, statement: &[u8]) -> &[u8] {
        if self.is_given_up || !self.outline.take(statement) {
            return self.maker.of(statement);
        }
        let place = match self.known.get(&self.outline.text[..]) {
            Some(place) => place.clone(),
            None => self.learn(),
        };
        self.asked += 1;
        &self.made[place]
    }

    #[cold]
    fn learn(&mut self) -> Range<usize> {
        if self.made.len() > MOST_KEPT {
            self.is_given_up = self.asked < 2 * self.known.len();
            self.known.clear();
            self.made.clear();
            self.asked = 0;
        }
        let start = self.made.len();
        self.made.extend_from_slice(self.maker.of(&self.outline.text));
        let place = start..self.made.len();
        self.known.insert(self.outline.text[..].into(), place.clone());
        place
    }
}

/// The outline of one statement, in room that is used again.
#[derive(Debug, Default)]
struct Outline {
    text: Vec<u8>,
    statement: Vec<u8>,
}

/// What may begin a number, a string, a quoted name or a comment: `"#`, `'`, `-`, `/` and digits, and the backquote.
const STOPS: [(u8, u8); 5] =
    [(b'"', b'#'), (b'\'', b'\''), (b'-', b'-'), (b'/', b'9'), (b'`', b'`')];

impl Outline {
    /// Takes the outline of a statement, unless it is one of those that are not worth it.
    fn take(&mut self, statement: &[u8]) -> bool {
        if statement.len() > MOST {
            return false;
        }
        self.text.clear();
        self.statement.clear();
        self.statement.extend_from_slice(statement);
        self.statement.extend_from_slice(&[0; MARGIN]);
        self.write(statement.len()).is_some()
    }

    /// Writes the outline of the first `len` bytes; `None` when something is in the way.
    #[inline]
    fn write(&mut self, len: usize) -> Option<()> {
        let Self { text: out, statement } = self;
        let statement = &statement[..];
        let (mut copied, mut at) = (0, 0);
        while let Some(stop) = scan::find_in(STOPS, statement, at).filter(|stop| *stop < len) {
            let instead: &[u8] = match statement[stop] {
                b'0'..=b'9' => {
                    at = end_of_number(statement, stop);
                    if !stands_alone(statement, stop, at) {
                        continue;
                    }
                    b"0"
                }
                quote @ (b'\'' | b'"' | b'`') => {
                    at = lexer::end_of_quoted(&statement[..len], stop)?;
                    match quote {
                        b'\'' => b"''",
                        b'"' => b"\"\"",
                        _ => continue,
                    }
                }
                _ => match lexer::begins(statement, stop) {
                    Begins::LineComment => return None,
                    Begins::Comment if !is_run(&statement[stop..]) => {
                        at = lexer::end_of_comment(&statement[..len], stop)?;
                        b" "
                    }
                    _ => {
                        at = stop + 1;
                        continue;
                    }
                },
            };
            out.extend_from_slice(&statement[copied..stop]);
            out.extend_from_slice(instead);
            copied = at;
        }
        out.extend_from_slice(&statement[copied..len]);
        Some(())
    }
}

/// Whether a comment is a statement for some servers: `/*!50000 …*/`, `/*M!100100 …*/`.
fn is_run(comment: &[u8]) -> bool {
    matches!(comment, [_, _, b'!', ..] | [_, _, b'M', b'!', ..])
}

/// Where digits end that begin at `at`, and those behind a point.
#[inline]
fn end_of_number(text: &[u8], at: usize) -> usize {
    let end = scan::end_of_run([(b'0', b'9')], text, at);
    match text[end..] {
        [b'.', b'0'..=b'9', ..] => scan::end_of_run([(b'0', b'9')], text, end + 1),
        _ => end,
    }
}

/// Whether a number is one by itself, whatever its digits: no part of a name, of a longer number, of a version in a comment.
#[inline]
fn stands_alone(text: &[u8], start: usize, end: usize) -> bool {
    let is_before = |byte| PARTS[usize::from(byte)];
    let is_first = start == 0 || is_before(text[start - 1]);
    is_first && (text[end] == 0 || is_before(text[end]))
}

/// The bytes that neither belong to a number nor change what stands beside them.
static PARTS: [bool; 256] = {
    let mut parts = [false; 256];
    let (known, mut at) = (b" \t\r\n(),;=<>+-*/%|&^", 0);
    while at < known.len() {
        parts[known[at] as usize] = true;
        at += 1;
    }
    parts
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outline(statement: &str) -> Option<String> {
        let mut outline = Outline::default();
        let is_taken = outline.take(statement.as_bytes());
        is_taken.then(|| String::from_utf8_lossy(&outline.text).into_owned())
    }

    #[test]
    fn numbers_strings_and_comments_go() {
        for (statement, expected) in [
            ("SELECT a FROM t_5 WHERE id=17", "SELECT a FROM t_5 WHERE id=0"),
            ("select 1.50, -2,.5, 1e5, 0x1F, 3.", "select 0, -0,.5, 1e5, 0x1F, 3."),
            (r#"select 'it''s', "a\"b" from `x 1`"#, r#"select '''', "" from `x 1`"#),
            ("select /* it's 5 */ a/2", "select   a/0"),
            ("select /*!40001 SQL_NO_CACHE */ 1", "select /*!40001 SQL_NO_CACHE */ 0"),
            ("x in (1,22, 333)", "x in (0,0, 0)"),
        ] {
            assert_eq!(outline(statement).as_deref(), Some(expected), "{statement}");
        }
        for statement in ["select 1 -- x", "# administrator command: Quit", "select 'open", "/* x"]
        {
            assert_eq!(outline(statement), None, "{statement}");
        }
    }

    #[test]
    fn is_given_up_where_no_outline_comes_twice() {
        let mut fingerprints = Fingerprints::new();
        for number in 0..100_000 {
            let statement = format!("select a from t_{number} where id = {number}");
            let expected = format!("select a from t_{number} where id = ?");
            assert_eq!(fingerprints.of(statement.as_bytes()), expected.as_bytes());
        }
        assert!(fingerprints.is_given_up);
    }

    proptest! {
        #[test]
        fn an_outline_has_the_fingerprint_of_its_statement(
            statement in r#"([-'"`\\#/*(),.;=!\n<+:@M]|[a1x09_?é]|in|limit|null|values|call|\(1,2\)|/\*!?|5\.7| |offset){0,60}"#
        ) {
            let expected = Fingerprinter::new().of(statement.as_bytes()).to_vec();
            let mut fingerprints = Fingerprints::new();
            for _ in 0..2 {
                prop_assert_eq!(fingerprints.of(statement.as_bytes()), &expected[..]);
            }
        }
    }
}

//! Where records begin: pure functions over a window of bytes, no I/O.
//!
//! A *start* is a place where a record begins: always the start of a line, and always decided by that line alone, so
//! that two threads that look at the same bytes through different windows agree. The functions here know three
//! answers: here, not here, and "not clear before more bytes are at hand".

use memchr::{memchr, memrchr};

/// The byte that ends a line. A carriage return before it stays part of the line.
const LINE_END: u8 = b'\n';

/// As much of a line as [`Framing::Opens`] is shown.
///
/// A bound, because a line may be longer than any window; a fixed one, because the answer must not depend on how much
/// of the line happens to be at hand. Stamps and marks that open a record stand within the first few hundred bytes.
pub const OPENING_BYTES: usize = 4096;

/// How the records of a format follow each other.
#[derive(Clone, Copy, Debug, Default)]
pub enum Framing {
    /// A record is a line.
    #[default]
    Lines,
    /// A record starts at each line for which the function is true, and lasts until the next such line.
    ///
    /// The function sees the line without its line feed, and no more than [`OPENING_BYTES`] of it. Lines before the
    /// first opening of an input are taken as one record that starts with the input.
    Opens(fn(line: &[u8]) -> bool),
    /// A record starts at each line for which its rule is true; the rule sees some bytes around the line.
    Around(&'static Around),
    /// The input is one sequence: its pieces end at line ends and are handed out in order, one at a time.
    Whole,
}

/// Records whose starts can only be told from what stands around them, and which may lean on what stood before.
///
/// Two threads that look at the same line must agree, so the rule always sees the same bytes: those up to
/// [`back`](Self::back) before the line and up to [`ahead`](Self::ahead) from it on, fewer only where the input begins
/// or ends (or where a record is known to start).
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// Whether a record certainly starts at `at`, which is the start of a line of `seen`.
    pub opens: fn(seen: &[u8], at: usize) -> bool,
    /// How many bytes before a line the rule sees.
    pub back: usize,
    /// How many bytes it sees from the start of the line on.
    pub ahead: usize,
    /// What whole records leave behind for those after them, until others leave something else.
    pub leaves: fn(records: &[u8]) -> Option<Vec<u8>>,
}

/// What a search for a record's start says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A record starts at this place of the window.
    At(usize),
    /// No record starts before this place; from here on it is unclear until more bytes are at hand.
    ///
    /// The place may lie one behind the window's end, when its last byte is no line end.
    Unclear(usize),
}

impl Framing {
    /// The first record start at or after `at`, which must be 1 or more: the byte before it decides.
    ///
    /// `ended` says that the input ends where the window does, so that nothing remains unclear but the end itself.
    pub fn first_start(&self, bytes: &[u8], at: usize, ended: bool) -> Start {
        let mut line = at;
        loop {
            let Some(end) = memchr(LINE_END, &bytes[line - 1..]) else {
                return Start::Unclear(bytes.len().max(line - 1) + 1);
            };
            line += end;
            match self.opens(bytes, line, ended) {
                Some(true) => return Start::At(line),
                Some(false) => line += 1,
                None => return Start::Unclear(line),
            }
        }
    }

    /// The last place in `1..before` where a record certainly starts.
    pub fn last_start(&self, bytes: &[u8], before: usize, ended: bool) -> Option<usize> {
        let mut end = before.saturating_sub(1);
        loop {
            let line = memrchr(LINE_END, &bytes[..end])? + 1;
            if self.opens(bytes, line, ended) == Some(true) {
                return Some(line);
            }
            end = line - 1;
        }
    }

    /// Whether the line at `line` opens a record; `None` while too little of it is at hand.
    #[inline]
    pub(crate) fn opens(&self, bytes: &[u8], line: usize, ended: bool) -> Option<bool> {
        let opens = match self {
            Framing::Lines | Framing::Whole => return Some(true),
            Framing::Around(around) => return around.tells(bytes, line, ended),
            Framing::Opens(opens) => opens,
        };
        let bytes = &bytes[line..];
        let seen = &bytes[..bytes.len().min(OPENING_BYTES)];
        match memchr(LINE_END, seen) {
            Some(end) => Some(opens(&seen[..end])),
            None if seen.len() == OPENING_BYTES => Some(opens(seen)),
            None if ended && !seen.is_empty() => Some(opens(seen)),
            None => None,
        }
    }

    /// How many bytes before a line must be at hand, beside the line end in front of it.
    pub(crate) fn back(&self) -> usize {
        match self {
            Framing::Around(around) => around.back,
            _ => 0,
        }
    }

    /// How far a reader looks behind its range at first: enough to tell every start in it.
    pub(crate) fn behind(&self) -> usize {
        match self {
            Framing::Around(around) => around.ahead + OPENING_BYTES,
            _ => 2 * OPENING_BYTES,
        }
    }

    /// True when records may last several lines.
    pub(crate) fn spans_lines(&self) -> bool {
        matches!(self, Framing::Opens(_) | Framing::Around(_))
    }

    /// True when pieces must be handed out in order, one at a time.
    pub fn is_whole(&self) -> bool {
        matches!(self, Framing::Whole)
    }
}

impl Around {
    fn tells(&self, bytes: &[u8], line: usize, ended: bool) -> Option<bool> {
        let end = line + self.ahead;
        if (end > bytes.len() && !ended) || line >= bytes.len() {
            return None;
        }
        let start = line.saturating_sub(self.back);
        Some((self.opens)(&bytes[start..end.min(bytes.len())], line - start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"tail of one\n> two\nmore\r\n\n> three\n> four\nmo";
    const OPENS: Framing = Framing::Opens(|line| line.starts_with(b"> "));

    /// The starts of `TEXT`, told byte by byte.
    fn plain_starts(framing: Framing) -> Vec<usize> {
        let opens = |at: usize| match framing {
            Framing::Opens(_) => TEXT[at..].starts_with(b"> "),
            _ => true,
        };
        (1..TEXT.len()).filter(|&at| TEXT[at - 1] == b'\n' && opens(at)).collect()
    }

    #[test]
    fn finds_the_first_start_from_every_place() {
        for framing in [Framing::Lines, OPENS] {
            let starts = plain_starts(framing);
            for at in 1..=TEXT.len() {
                let expected = match starts.iter().find(|&&start| start >= at) {
                    Some(&start) => Start::At(start),
                    None => Start::Unclear(TEXT.len() + 1),
                };
                assert_eq!(framing.first_start(TEXT, at, true), expected, "{framing:?} from {at}");
            }
        }
    }

    #[test]
    fn finds_the_last_start_before_every_place() {
        for framing in [Framing::Lines, OPENS] {
            let starts = plain_starts(framing);
            for before in 0..=TEXT.len() {
                let expected = starts.iter().rev().find(|&&start| start < before);
                assert_eq!(framing.last_start(TEXT, before, true).as_ref(), expected);
            }
        }
    }

    #[test]
    fn a_narrow_window_never_says_otherwise_than_the_whole() {
        for framing in [Framing::Lines, OPENS] {
            for end in 1..TEXT.len() {
                let seen = framing.first_start(&TEXT[..end], 1, false);
                let whole = framing.first_start(TEXT, 1, true);
                match (seen, whole) {
                    (Start::At(seen), Start::At(whole)) => assert_eq!(seen, whole),
                    (Start::Unclear(from), Start::At(whole)) => assert!(from <= whole),
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    #[test]
    fn an_opening_is_decided_by_a_bounded_part_of_its_line() {
        let mut text = b"first\n> ".to_vec();
        text.resize(6 + OPENING_BYTES - 1, b'x');
        assert_eq!(OPENS.first_start(&text, 1, false), Start::Unclear(6));
        text.push(b'x');
        assert_eq!(OPENS.first_start(&text, 1, false), Start::At(6));
    }
}

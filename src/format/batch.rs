//! Up to 64 lines that stand one after the other, for parsers that read many at once.

use super::Line;

/// How many lines a batch has at most: one bit each in a word.
pub(super) const MOST_LINES: usize = 64;

/// Lines of a piece, without their line ends, and where [`MARK`](super::Parser::MARK) stands in each.
#[derive(Debug)]
pub struct Batch<'a> {
    text: &'a [u8],
    starts: [u32; MOST_LINES],
    ends: [u32; MOST_LINES],
    /// The marks of all lines.
    marks: &'a [u32],
    /// How many of them stand before each line, and before what follows.
    marks_before: [u32; MOST_LINES + 1],
    len: usize,
    /// The lines that begin in a way that the driver has to look at, as bits.
    unusual: u64,
}

impl<'a> Batch<'a> {
    /// The lines that begin at `start` and end before `newlines`, at most [`MOST_LINES`]; `marks` are those from there on.
    pub(super) fn new(text: &'a [u8], start: u32, newlines: &[u32], marks: &'a [u32]) -> Self {
        let (starts, ends) = ([0; MOST_LINES], [0; MOST_LINES]);
        let (marks_before, len) = ([0; MOST_LINES + 1], newlines.len());
        let mut batch = Self { text, starts, ends, marks, marks_before, len, unusual: 0 };
        let (mut start, mut seen, mut usual) = (start, 0, 0);
        for (at, newline) in newlines.iter().enumerate().take(MOST_LINES) {
            let before = seen;
            seen = marks_until(*newline, marks, seen, usual);
            usual = seen - before;
            let (from, to) = (start as usize, *newline as usize);
            let ends_in_return = to > from && text[to - 1] == b'\r';
            batch.starts[at] = start;
            batch.ends[at] = newline - u32::from(ends_in_return);
            batch.marks_before[at + 1] = seen as u32;
            batch.unusual |= u64::from(begins_unusually(text.get(from))) << at;
            start = newline + 1;
        }
        batch
    }

    /// How many lines there are.
    #[expect(clippy::len_without_is_empty, reason = "there is always a line")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The text that positions count in.
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// A line by itself.
    pub fn line(&self, number: usize) -> Line<'a> {
        let (at, end) = (self.starts[number] as usize, self.ends[number] as usize);
        Line { bytes: &self.text[at..end], at, marks: self.marks_of(number) }
    }

    /// Where each line begins in the text; behind the last one anything.
    pub(super) fn starts(&self) -> &[u32; MOST_LINES] {
        &self.starts
    }

    /// Where each line ends in the text; behind the last one anything.
    pub(super) fn ends(&self) -> &[u32; MOST_LINES] {
        &self.ends
    }

    /// The marks of a line.
    pub fn marks_of(&self, number: usize) -> &'a [u32] {
        &self.marks[self.marks_before[number] as usize..self.marks_before[number + 1] as usize]
    }

    /// The lines that begin in a way that the driver has to look at, as bits.
    pub(super) fn unusual(&self) -> u64 {
        self.unusual
    }

    /// The marks of all lines.
    pub(super) fn marks(&self) -> &'a [u32] {
        &self.marks[..self.marks_before[self.len] as usize]
    }
}

/// How many marks stand before `end`, of which `seen` are known to. Mostly there are as many more as in the line before.
#[inline(always)]
fn marks_until(end: u32, marks: &[u32], seen: usize, usual: usize) -> usize {
    let stands_before = |number: usize| marks.get(number).is_some_and(|mark| *mark < end);
    let guess = seen + usual;
    let mut found = match usual > 0 && stands_before(guess - 1) {
        true => guess,
        false => seen,
    };
    while stands_before(found) {
        found += 1;
    }
    found
}

/// True when a line with that first byte may begin with a hole of NUL bytes or a byte order mark.
#[inline]
pub(super) fn begins_unusually(first: Option<&u8>) -> bool {
    matches!(first, None | Some(0 | 0xEF))
}

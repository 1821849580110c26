//! One line of output: text in styles, and blanks that are written only when something follows them.

use std::io::{self, Write};

use anstyle::Style;

use super::{Look, escape};

/// A line being written. What was skipped and not written upon leaves no blanks behind.
pub(super) struct Line {
    text: String,
    /// Columns used, those that were skipped included.
    column: usize,
    skipped: usize,
    width: Option<usize>,
    colour: bool,
}

impl Line {
    pub(super) fn new(look: &Look) -> Self {
        Self { text: String::new(), column: 0, skipped: 0, width: look.width, colour: look.colour }
    }

    /// Leaves columns empty.
    pub(super) fn skip(&mut self, columns: usize) {
        self.skipped += columns;
        self.column += columns;
    }

    /// Writes text that is already clean. Blanks at its end are columns left empty.
    pub(super) fn put(&mut self, text: &str, style: Style) {
        let inked = text.trim_end_matches(' ');
        if !inked.is_empty() {
            self.text.extend(std::iter::repeat_n(' ', std::mem::take(&mut self.skipped)));
            self.column += escape::width(inked);
            match self.colour && !style.is_plain() {
                true => self.text.push_str(&format!("{style}{inked}{style:#}")),
                false => self.text.push_str(inked),
            }
        }
        self.skip(text.len() - inked.len());
    }

    /// Columns used, those that were skipped included.
    pub(super) fn column(&self) -> usize {
        self.column
    }

    pub(super) fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.text.push('\n');
        out.write_all(self.text.as_bytes())?;
        (self.column, self.skipped) = (0, 0);
        self.text.clear();
        Ok(())
    }

    /// Writes text at the place reached, its further lines below its first, and ends the line.
    pub(super) fn wrapped(
        &mut self,
        text: &str,
        style: Style,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let start = self.column;
        let room = self.width.map_or(usize::MAX, |width| width.saturating_sub(start).max(1));
        for (index, part) in wrap(text, room).into_iter().enumerate() {
            if index > 0 {
                self.end(out)?;
                self.skip(start);
            }
            self.put(part, style);
        }
        self.end(out)
    }
}

/// Cuts text into lines of at most `room` columns, between words where that is possible. Never empty.
fn wrap(text: &str, room: usize) -> Vec<&str> {
    let (mut lines, mut rest) = (Vec::new(), text);
    loop {
        let fits = escape::prefix(rest, room);
        if fits.len() == rest.len() {
            lines.push(rest);
            return lines;
        }
        // A blank right behind what fits is a break, too, so one more byte is looked at.
        let break_at = rest[..fits.len()].rfind(' ').filter(|at| *at > 0);
        let break_at =
            if rest[fits.len()..].starts_with(' ') { Some(fits.len()) } else { break_at };
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let end = break_at.unwrap_or(fits.len()).max(first);
        lines.push(rest[..end].trim_end());
        rest = rest[end..].trim_start();
        if rest.is_empty() {
            return lines;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::terminal::{BOLD, PLAIN};

    #[test]
    fn wraps_between_words_and_inside_long_ones() {
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("one two three", 6), ["one", "two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("日本語", 1), ["日", "本", "語"]);
    }

    #[test]
    fn leaves_no_blanks_at_the_end_and_no_codes_without_colour() {
        let mut look = Look::default();
        for (colour, written) in [(false, "  a\n"), (true, "  \u{1b}[1ma\u{1b}[0m\n")] {
            look.colour = colour;
            let (mut line, mut out) = (Line::new(&look), Vec::new());
            line.skip(2);
            line.put("a", BOLD);
            line.skip(3);
            line.put("", PLAIN);
            line.end(&mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), written);
        }
    }
}

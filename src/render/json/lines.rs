//! JSON laid out for diffs and eyes: broken into lines down to the rows, each of which is one line; and no character in it
//! that a terminal would obey.

use std::io::{self, Write};

use serde_json::ser::Formatter;

use crate::render::escape;

/// How deep the output is broken into lines: deep enough that each row is one.
const LINES: usize = 4;

/// The state of the layout.
#[derive(Default)]
pub(super) struct Lines {
    depth: usize,
    /// For each open array and object, whether something is in it.
    filled: Vec<bool>,
}

impl Lines {
    /// A layout without line breaks.
    pub(super) fn none() -> Self {
        Self { depth: LINES, ..Self::default() }
    }

    fn open<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.filled.push(false);
        out.write_all(bracket)
    }

    fn next<W: ?Sized + Write>(&mut self, out: &mut W, is_first: bool) -> io::Result<()> {
        if let Some(filled) = self.filled.last_mut() {
            *filled = true;
        }
        if !is_first {
            out.write_all(b",")?;
        }
        self.break_line(out, is_first)
    }

    fn close<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        if self.filled.pop().unwrap_or(false) && self.depth <= LINES {
            self.depth -= 1;
            self.break_line(out, true)?;
        } else {
            self.depth -= 1;
        }
        out.write_all(bracket)
    }

    /// A new line, or past the depth of lines a blank between items.
    fn break_line<W: ?Sized + Write>(&self, out: &mut W, is_edge: bool) -> io::Result<()> {
        if self.depth > LINES {
            return out.write_all(if is_edge { b"" } else { b" " });
        }
        writeln!(out)?;
        (0..self.depth).try_for_each(|_| out.write_all(b"  "))
    }
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        let mut rest = text;
        while let Some(at) = rest.find(escape::is_hidden) {
            let (before, from) = rest.split_at(at);
            out.write_all(before.as_bytes())?;
            let hidden = from.chars().next().expect("a hidden character was found there");
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = &from[hidden.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

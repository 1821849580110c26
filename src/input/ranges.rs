//! Plain files in pieces: any number of threads read one file, each finds the boundaries of its piece itself.
//!
//! Piece `k` of a file *owns* the records that start in the bytes `k * piece .. (k + 1) * piece`. Its reader looks for
//! the first start in that range, and from the range's end on for the first start behind it, which is where the next
//! piece will begin to find records. Nobody has to wait for anybody, and no byte is in two pieces. A record longer than
//! a piece is read by its owner alone; the pieces inside it find no start and are empty.

use std::io;
use std::ops::Range;

use crate::input::account::{Gap, Reason};
use crate::input::frame::{Framing, Start};
use crate::input::window::{self, Window};

/// How a file is cut.
///
/// Invariant: `0 < piece_bytes <= max_record`. So a record that is too long reaches behind the range of the piece that
/// owns it, and only the last record of a piece can be too long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) framing: Framing,
    pub(crate) piece_bytes: usize,
    pub(crate) max_record: usize,
    /// The file's size when it was opened. What is written behind it later is not read.
    pub(crate) size: u64,
}

/// What one piece came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The piece's records, as a part of the window; empty when it owns none.
    pub(crate) bytes: Range<usize>,
    /// The offset of those bytes in the file.
    pub(crate) offset: u64,
    /// The bytes end where the file should.
    pub(crate) last: bool,
    /// The file ended before its size, in the middle of the last record.
    pub(crate) torn: bool,
    /// A record owned by this piece that is too long.
    pub(crate) long: Option<Gap>,
    /// The part of this piece's range that the file no longer has.
    pub(crate) missing: Option<Gap>,
}

/// Where a piece ends.
enum End {
    /// Where its last record does.
    At(usize),
    /// Where its last record starts, because that is too long.
    TooLong(usize),
}

impl Plan {
    /// How many pieces there are.
    pub(crate) fn pieces(&self) -> u64 {
        self.size.div_ceil(self.piece_bytes as u64)
    }

    /// The range that piece `index` owns.
    pub(crate) fn range(&self, index: u64) -> Range<u64> {
        let start = index * self.piece_bytes as u64;
        start..(start + self.piece_bytes as u64).min(self.size)
    }

    /// Where the window of piece `index` begins: early enough to see whether its range begins with a start.
    pub(crate) fn window_base(&self, index: u64) -> u64 {
        self.range(index).start.saturating_sub(1 + self.framing.back() as u64)
    }

    /// Cuts piece `index` out of a window that begins at [`Plan::window_base`]; `elsewhere` opens another on the file.
    pub(crate) fn cut<W: Window>(
        &self,
        index: u64,
        window: &mut W,
        elsewhere: impl Fn(&W, u64) -> W,
    ) -> io::Result<Cut> {
        let range = self.range(index);
        let base = window.base();
        let own_end = (range.end - base) as usize;
        let own_start = (range.start - base) as usize;
        let ended = window.reach(own_end + self.framing.behind())?;
        let mut cut = Cut::default();
        if ended {
            cut.missing = missing(base + window.bytes().len() as u64, &range);
        }
        let Some(start) = self.first(own_start, window.bytes(), own_end, ended) else {
            return Ok(cut);
        };
        let end = match self.end(start, own_end, ended, window)? {
            End::At(end) => end,
            End::TooLong(last) => {
                cut.long = Some(self.skip(elsewhere(window, base + last as u64))?);
                last
            }
        };
        cut.offset = base + start as u64;
        cut.bytes = start..end;
        cut.last = base + end as u64 == self.size;
        // A record that ends nowhere but where the window does, and not where the file should.
        let is_open = end == window.bytes().len() && !window.bytes().ends_with(b"\n");
        cut.torn = is_open && !cut.last && cut.long.is_none();
        Ok(cut)
    }

    /// The first record start in the piece's own range.
    fn first(&self, own_start: usize, bytes: &[u8], own_end: usize, ended: bool) -> Option<usize> {
        if own_start == 0 {
            return (!bytes.is_empty()).then_some(0);
        }
        match self.framing.first_start(bytes, own_start, ended) {
            Start::At(start) if start < own_end.min(bytes.len()) => Some(start),
            // An unclear start would lie behind the range: the window shows every opening line that begins in it.
            _ => None,
        }
    }

    /// Where the last record of the piece ends.
    fn end(
        &self,
        start: usize,
        own_end: usize,
        mut ended: bool,
        window: &mut impl Window,
    ) -> io::Result<End> {
        let mut at = own_end;
        loop {
            let bytes = window.bytes();
            if ended && bytes.len() <= own_end {
                return Ok(End::At(bytes.len()));
            }
            let (end, found) = match self.framing.first_start(bytes, at, ended) {
                Start::At(end) => (end, true),
                Start::Unclear(_) if ended => (bytes.len(), true),
                Start::Unclear(from) => (from, false),
            };
            if end - start > self.max_record {
                let last = self.framing.last_start(bytes, own_end, ended).unwrap_or(0).max(start);
                if end - last > self.max_record {
                    return Ok(End::TooLong(last));
                }
            }
            if found {
                return Ok(End::At(end));
            }
            at = end;
            let most = own_end + self.max_record + self.framing.behind();
            ended = window.reach((2 * bytes.len()).min(most))?;
        }
    }

    /// Goes over the record at the front of a window.
    fn skip(&self, mut window: impl Window) -> io::Result<Gap> {
        let offset = window.base();
        window::skip_record(&mut window, self.framing, 1)?;
        Ok(Gap { offset, bytes: window.base() - offset, reason: Reason::TooLong })
    }
}

/// The part of a range that lies behind the end of a file that became shorter.
fn missing(end: u64, range: &Range<u64>) -> Option<Gap> {
    let offset = end.max(range.start);
    let bytes = range.end.saturating_sub(offset);
    (bytes > 0).then_some(Gap { offset, bytes, reason: Reason::Missing })
}

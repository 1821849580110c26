//! A part of an input that is at hand and can be widened: what cutting works on.
//!
//! Three things fill a window: positional reads ([`Reads`]), a mapping (`map`), and a decoded stream (`pager`). The
//! cutting in `ranges` and the skipping here are written once for all of them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::input::frame::{Framing, Start};

/// Bytes that one step of [`skip_record`] looks at: a compromise between calls and cache.
const SKIP_BYTES: usize = 256 << 10;

/// A run of an input's bytes, widened at its end and let go at its front.
pub(crate) trait Window {
    /// The offset of the first byte at hand in the (decompressed) input.
    fn base(&self) -> u64;

    /// The bytes at hand.
    fn bytes(&self) -> &[u8];

    /// Has at least `len` bytes at hand afterwards, or all there are; true when the input ends with the window.
    fn reach(&mut self, len: usize) -> io::Result<bool>;

    /// Lets go of the first `len` bytes at hand.
    fn slide(&mut self, len: usize);
}

/// Goes to the first record start at or after `at`, letting go of what lies before; false when the input ends first.
///
/// Afterwards the window begins at the start found (or at the input's end). The memory used does not depend on how
/// far away that is.
pub(crate) fn skip_record(
    window: &mut impl Window,
    framing: Framing,
    mut at: usize,
) -> io::Result<bool> {
    let mut ended = false;
    loop {
        match framing.first_start(window.bytes(), at, ended) {
            Start::At(start) => {
                window.slide(start);
                return Ok(true);
            }
            Start::Unclear(_) if ended => {
                window.slide(window.bytes().len());
                return Ok(false);
            }
            Start::Unclear(from) => {
                // The byte before the unclear place stays: it tells that a line starts there.
                let kept = from.min(1 + framing.back());
                window.slide(from - kept);
                at = kept;
                ended = window.reach(SKIP_BYTES)?;
            }
        }
    }
}

/// A window filled by positional reads into a buffer that is used again.
///
/// Invariants: `len <= buffer.len()`; `base + len <= limit`.
#[derive(Debug)]
pub(crate) struct Reads {
    file: Arc<File>,
    buffer: Vec<u8>,
    base: u64,
    len: usize,
    limit: u64,
}

impl Reads {
    /// A window at `base` of a file that is read up to `limit`.
    pub(crate) fn new(file: Arc<File>, base: u64, limit: u64, buffer: Vec<u8>) -> Self {
        Self { file, buffer, base, len: 0, limit }
    }

    /// The same file from another place on, with a buffer of its own.
    pub(crate) fn elsewhere(&self, base: u64) -> Self {
        Self::new(self.file.clone(), base, self.limit, Vec::new())
    }

    /// Gives the buffer back, whose first bytes are those of the window.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

impl Window for Reads {
    fn base(&self) -> u64 {
        self.base
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    fn reach(&mut self, len: usize) -> io::Result<bool> {
        let left = self.limit - self.base;
        let want = usize::try_from(left).map_or(len, |left| len.min(left));
        if self.buffer.len() < want {
            self.buffer.resize(want, 0);
        }
        while self.len < want {
            let at = self.base + self.len as u64;
            match self.file.read_at(&mut self.buffer[self.len..want], at) {
                Ok(0) => return Ok(true),
                Ok(read) => self.len += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.len as u64 == left)
    }

    fn slide(&mut self, len: usize) {
        self.buffer.copy_within(len..self.len, 0);
        self.len -= len;
        self.base += len as u64;
    }
}

//! Pages of whole records from a stream: fills a large buffer, ends it at the last record boundary, carries the rest.
//!
//! One thread at a time runs a pager; which one is `feed`'s business. A page is decoded straight into the buffer that
//! its worker then parses, so that the bytes are still in that core's cache.

use std::fmt;
use std::io;
use std::mem;

use crate::input::account::{Gap, Reason};
use crate::input::codec::{Compression, Damage, Garbage, Members};
use crate::input::frame::{Framing, Start};
use crate::input::raw::Raw;
use crate::input::window::{self, Window};

/// Plain bytes out of packed ones, or the bytes as they are.
pub(crate) enum Stream {
    Plain(Raw),
    Packed(Box<Members>),
}

impl Stream {
    /// The plain bytes of a place to read from.
    pub(crate) fn new(raw: Raw, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::Plain => Self::Plain(raw),
            packed => Self::Packed(Box::new(Members::new(raw, packed)?)),
        })
    }

    /// Reads some plain bytes; 0 says that there are no more.
    pub(crate) fn read(&mut self, output: &mut [u8]) -> Result<usize, Damage> {
        match self {
            Self::Plain(raw) => raw.read(output).map_err(Damage::Unreadable),
            Self::Packed(members) => members.read(output),
        }
    }

    /// The packed side.
    pub(crate) fn raw(&self) -> &Raw {
        match self {
            Self::Plain(raw) => raw,
            Self::Packed(members) => members.raw(),
        }
    }

    /// What belongs to no member, if any was met.
    pub(crate) fn garbage(&self) -> Option<Garbage> {
        match self {
            Self::Plain(_) => None,
            Self::Packed(members) => members.garbage(),
        }
    }
}

/// Where a page stands in its input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) len: usize,
    pub(crate) offset: u64,
    pub(crate) sequence: u64,
    pub(crate) last: bool,
    pub(crate) cut: bool,
}

/// Makes pages of a stream.
pub(crate) struct Pager {
    framing: Framing,
    page_bytes: usize,
    max_record: usize,
    sequence: u64,
    text: Text,
    gaps: Vec<Gap>,
}

/// The window over a stream's plain bytes: what is carried over, and what was decoded behind it.
struct Text {
    stream: Stream,
    buffer: Vec<u8>,
    len: usize,
    base: u64,
    ended: bool,
    damage: Option<Damage>,
}

impl Pager {
    /// A pager whose pages have about `page_bytes` and hold no record longer than `max_record`.
    pub(crate) fn new(
        stream: Stream,
        framing: Framing,
        page_bytes: usize,
        max_record: usize,
    ) -> Self {
        let buffer = Vec::new();
        let text = Text { stream, buffer, len: 0, base: 0, ended: false, damage: None };
        Self { framing, page_bytes, max_record, sequence: 0, text, gaps: Vec::new() }
    }

    /// The stream behind the pages.
    pub(crate) fn stream(&self) -> &Stream {
        &self.text.stream
    }

    /// What stopped the stream before its end.
    pub(crate) fn take_damage(&mut self) -> Option<Damage> {
        self.text.damage.take()
    }

    /// Records skipped since this was last asked.
    pub(crate) fn take_gaps(&mut self) -> Vec<Gap> {
        mem::take(&mut self.gaps)
    }

    /// Puts the next page at the front of `page` (whose former content is lost); `None` when there is no more.
    pub(crate) fn next_page(&mut self, page: &mut Vec<u8>) -> Option<Page> {
        if self.text.len == 0 && self.text.buffer.len() < page.len() {
            // Nothing is carried over: the worker's buffer serves, so that a thousand small files need no other.
            mem::swap(page, &mut self.text.buffer);
        }
        let end = self.fill()?;
        let sequence = self.sequence;
        self.sequence += 1;
        let last = self.text.ended && end == self.text.len;
        let cut = last && self.text.damage.is_some() && self.is_torn(end);
        let offset = self.text.base;
        self.text.hand_over(end, page);
        Some(Page { len: end, offset, sequence, last, cut })
    }

    /// Has whole records at hand and says where the last of them ends. Too long ones at the front are let go.
    fn fill(&mut self) -> Option<usize> {
        let mut want = self.text.len + self.page_bytes;
        loop {
            let ended = self.text.widen(want);
            let end = match ended {
                true => self.text.len,
                false => {
                    self.framing.last_start(self.text.bytes(), self.text.len, false).unwrap_or(0)
                }
            };
            match self.too_long(ended) {
                Some(0) => {
                    self.skip();
                    want = self.text.len + self.page_bytes;
                }
                Some(start) => return Some(start),
                None if end > 0 => return Some(end),
                None if ended => return None,
                // A record longer than the page: twice the room, but not more than the longest record may need.
                None => {
                    let most = self.max_record + self.framing.behind();
                    want = (2 * want).min(most).max(want + 1);
                }
            }
        }
    }

    /// Where the first record starts that is longer than allowed, as far as that is clear.
    fn too_long(&self, ended: bool) -> Option<usize> {
        let bytes = self.text.bytes();
        if bytes.len() <= self.max_record {
            return None;
        }
        let mut start = 0;
        loop {
            let (next, more) = match self.framing.first_start(bytes, start + 1, ended) {
                Start::At(next) => (next, true),
                Start::Unclear(_) if ended => (bytes.len(), false),
                Start::Unclear(from) => (from, false),
            };
            if next - start > self.max_record {
                return Some(start);
            }
            if !more {
                return None;
            }
            start = next;
        }
    }

    /// Lets go of the record at the front.
    fn skip(&mut self) {
        let offset = self.text.base;
        // The window keeps its failures to itself, as damage.
        let _ = window::skip_record(&mut self.text, self.framing, 1);
        let bytes = self.text.base - offset;
        self.gaps.push(Gap { offset, bytes, reason: Reason::TooLong });
    }

    /// Whether the last record before `end` may lack its end, after the stream broke off there.
    fn is_torn(&self, end: usize) -> bool {
        self.framing.spans_lines() || !self.text.bytes()[..end].ends_with(b"\n")
    }
}

impl Text {
    /// Reads until `len` bytes are at hand; true when the stream ends with them.
    fn widen(&mut self, len: usize) -> bool {
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        }
        while self.len < len && !self.ended {
            match self.stream.read(&mut self.buffer[self.len..len]) {
                Ok(0) => self.ended = true,
                Ok(read) => self.len += read,
                Err(damage) => {
                    self.damage = Some(damage);
                    self.ended = true;
                }
            }
        }
        self.ended
    }

    /// Moves the first `end` bytes out by exchanging buffers: only the carried rest is copied.
    fn hand_over(&mut self, end: usize, page: &mut Vec<u8>) {
        let rest = self.len - end;
        if page.len() < rest {
            page.resize(rest, 0);
        }
        page[..rest].copy_from_slice(&self.buffer[end..self.len]);
        mem::swap(page, &mut self.buffer);
        self.len = rest;
        self.base += end as u64;
    }
}

impl Window for Text {
    fn base(&self) -> u64 {
        self.base
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    fn reach(&mut self, len: usize) -> io::Result<bool> {
        Ok(self.widen(len))
    }

    fn slide(&mut self, len: usize) {
        self.buffer.copy_within(len..self.len, 0);
        self.len -= len;
        self.base += len as u64;
    }
}

impl fmt::Debug for Pager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pager").field("raw", self.stream().raw()).finish_non_exhaustive()
    }
}

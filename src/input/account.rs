//! What became of an input: the part of the ledger that reading can tell.

use std::path::PathBuf;

use crate::error::Error;
use crate::input::codec::{Compression, Damage};

/// Bytes of an input that were handed to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Where the gap begins, in decompressed bytes.
    pub offset: u64,
    /// How many decompressed bytes it covers.
    pub bytes: u64,
    /// Why they were not handed out.
    pub reason: Reason,
}

/// Why bytes were not handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// One record, longer than [`FeedOptions::max_record`](crate::input::FeedOptions::max_record).
    TooLong,
    /// The file became shorter while it was read.
    Missing,
    /// The system refused to read them.
    Unreadable,
}

/// What became of one input, told when the feed is done.
#[derive(Debug)]
pub struct Account {
    /// The name for people: the path as found, or "standard input".
    pub name: String,
    /// The path, unless the input was a pipe without one.
    pub path: Option<PathBuf>,
    /// How the bytes were packed.
    pub compression: Compression,
    /// The size on disk when the input was opened; `None` for pipes.
    pub size: Option<u64>,
    /// Bytes read from disk or pipe, still packed.
    pub bytes_read: u64,
    /// Decompressed bytes handed out in pieces.
    pub bytes: u64,
    /// Decompressed bytes that were not, in the order of their offsets.
    pub gaps: Vec<Gap>,
    /// What kept the input from being read whole: a broken stream, a shrunk file, a failing disk.
    pub problems: Vec<Error>,
    /// What was odd and cost no data: garbage behind a gzip stream.
    pub warnings: Vec<Error>,
}

impl Account {
    /// True when the input was read to its end. Records skipped for their length stand in `gaps` and do not count here.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }
}

/// The words for a stream that stopped before its end.
pub(crate) fn damage_error(damage: Damage, compression: Compression) -> Error {
    let kind = compression.name();
    match damage {
        Damage::EndsEarly { at } => {
            Error::input(format!("{kind} stream ends early; what it holds before was read"))
                .offset(at)
        }
        Damage::Corrupt { near } => {
            Error::input(format!("{kind} stream is damaged; what it holds before was read"))
                .offset(near)
        }
        Damage::TooLarge { near } => {
            Error::input(format!("{kind} stream wants more memory than is allowed"))
                .offset(near)
                .advise("unpack it with its own tool and give logmill the plain file")
        }
        Damage::Unreadable(source) => Error::input(format!("cannot read on: {source}")),
    }
}

/// Joins gaps that touch and have the same reason, in the order of their offsets.
pub(crate) fn join(mut gaps: Vec<Gap>) -> Vec<Gap> {
    gaps.sort_by_key(|gap| gap.offset);
    let mut joined: Vec<Gap> = Vec::with_capacity(gaps.len());
    for gap in gaps {
        match joined.last_mut() {
            // Two records that are too long stay two.
            Some(last)
                if gap.reason != Reason::TooLong
                    && gap.reason == last.reason
                    && gap.offset <= last.offset + last.bytes =>
            {
                last.bytes = last.bytes.max(gap.offset + gap.bytes - last.offset);
            }
            _ => joined.push(gap),
        }
    }
    joined
}

/// Takes bytes that were handed out off the front of what is reported missing.
///
/// A piece reads a little beyond its own range, to the end of its last record. When the file is truncated right after,
/// the next piece finds its whole range missing, and those few bytes would stand in both.
pub(crate) fn balance(gaps: &mut [Gap], size: u64, delivered: u64) {
    let told = delivered + gaps.iter().map(|gap| gap.bytes).sum::<u64>();
    let mut surplus = told.saturating_sub(size);
    for gap in gaps.iter_mut().filter(|gap| gap.reason == Reason::Missing) {
        let twice = surplus.min(gap.bytes);
        gap.offset += twice;
        gap.bytes -= twice;
        surplus -= twice;
    }
}

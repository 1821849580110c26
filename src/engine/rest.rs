//! What a format did not take of a piece, for the next one that the input is read in.

use crate::ledger::{Leftover, Reason};

/// What one format leaves to the next.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// What it did not understand.
    pub(super) rejected: Lines,
    /// What it took for lines of other programs, which nobody has to understand.
    pub(super) others: Lines,
}

/// Lines out of a piece, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: Vec<u8>,
    /// Where each begins, here and in the input.
    places: Vec<(u64, u64)>,
}

impl Rest {
    /// Takes in a record, which stands somewhere in the input.
    pub(super) fn add(&mut self, record: &[u8], left: Leftover) {
        let lines = match left.reason {
            Reason::OtherProgram => &mut self.others,
            _ => &mut self.rejected,
        };
        lines.places.push((lines.text.len() as u64, left.offset));
        lines.text.extend_from_slice(record);
    }
}

/// Where a text stands in its input.
#[derive(Debug, Clone, Copy)]
pub(super) enum Standing<'a> {
    /// In one piece, from this offset on.
    At(u64),
    /// Line by line somewhere.
    As(&'a Lines),
}

impl Standing<'_> {
    /// The offset that the first byte of the text is given when it is read.
    pub(super) fn start(self) -> u64 {
        match self {
            Self::At(offset) => offset,
            Self::As(_) => 0,
        }
    }

    /// Where in the input that stands which was read at an offset.
    pub(super) fn place(self, offset: u64) -> u64 {
        match self {
            Self::At(_) => offset,
            Self::As(lines) => lines.place(offset),
        }
    }
}

impl Lines {
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where in the input the line stands that is here at an offset.
    fn place(&self, offset: u64) -> u64 {
        let behind = self.places.partition_point(|(here, _)| *here <= offset);
        match self.places.get(behind.wrapping_sub(1)) {
            Some((here, there)) => there + (offset - here),
            None => offset,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(reason: Reason, offset: u64) -> Leftover {
        Leftover { reason, offset, bytes: 2 }
    }

    #[test]
    fn lines_know_where_they_stood() {
        let mut rest = Rest::default();
        rest.add(b"a\n", left(Reason::Malformed, 100));
        rest.add(b"b\n", left(Reason::OtherProgram, 102));
        rest.add(b"d\n", left(Reason::Malformed, 106));
        assert_eq!((rest.rejected.text(), rest.others.text()), (&b"a\nd\n"[..], &b"b\n"[..]));
        assert_eq!([0, 1, 2].map(|at| rest.rejected.place(at)), [100, 101, 106]);
    }
}

//! What a format did not take of a piece, for the next one that the input is read in.

use crate::input::Framing;
use crate::ledger::{Account, Leftover, Reason};

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
    /// Takes in a record, which stands somewhere in the input, if the next format, with that framing, could begin one
    /// there. Otherwise it would pass for the rest of the record before it, whichever that is here; it goes to the
    /// account instead.
    pub(super) fn add(
        &mut self,
        framing: Framing,
        record: &[u8],
        left: Leftover,
        account: &mut Account,
    ) {
        if framing.opens(record, 0, true) == Some(false) {
            account.read.add(record.len());
            return account.refuse(left.reason, left.offset, record.trim_ascii_end(), record.len());
        }
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
        let (mut rest, mut account) = (Rest::default(), Account::default());
        rest.add(Framing::Lines, b"a\n", left(Reason::Malformed, 100), &mut account);
        rest.add(Framing::Lines, b"b\n", left(Reason::OtherProgram, 102), &mut account);
        rest.add(Framing::Lines, b"d\n", left(Reason::Malformed, 106), &mut account);
        assert_eq!((rest.rejected.text(), rest.others.text()), (&b"a\nd\n"[..], &b"b\n"[..]));
        assert_eq!([0, 1, 2].map(|at| rest.rejected.place(at)), [100, 101, 106]);
        assert_eq!(account, Account::default());
    }

    /// Which record is in front of it hangs on where the pieces were cut.
    #[test]
    fn what_begins_no_record_is_given_to_none() {
        let framing = Framing::Opens(|line| line.starts_with(b"["));
        let (mut rest, mut account) = (Rest::default(), Account::default());
        rest.add(framing, b"[a\n", left(Reason::Malformed, 0), &mut account);
        rest.add(framing, b"at b\n", left(Reason::Malformed, 3), &mut account);
        assert_eq!(rest.rejected.text(), b"[a\n");
        assert_eq!((account.read.bytes, account.rejected().bytes), (5, 5));
    }
}

//! What a format did not take of a piece, for the next one that the input is read in.

use crate::input::Framing;
use crate::ledger::{Account, Leftover, Reason};

/// What one format leaves to the next.
#[derive(Debug)]
pub(super) struct Rest {
    framing: Framing,
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
    /// Nothing, for a format whose records follow each other so.
    pub(super) fn new(framing: Framing) -> Self {
        Self { framing, rejected: Lines::default(), others: Lines::default() }
    }

    /// Takes in a record, which stands somewhere in the input, if the next format could begin one there. Otherwise it
    /// would pass for the rest of the record before it, whichever that is here; it goes to the account instead.
    pub(super) fn add(&mut self, record: &[u8], left: Leftover, account: &mut Account) {
        if self.framing.opens(record, 0, true) == Some(false) {
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

impl Lines {
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where in the input the line stands that is here at an offset.
    pub(super) fn place(&self, offset: u64) -> u64 {
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
        let (mut rest, mut account) = (Rest::new(Framing::Lines), Account::default());
        rest.add(b"a\n", left(Reason::Malformed, 100), &mut account);
        rest.add(b"b\n", left(Reason::OtherProgram, 102), &mut account);
        rest.add(b"d\n", left(Reason::Malformed, 106), &mut account);
        assert_eq!((rest.rejected.text(), rest.others.text()), (&b"a\nd\n"[..], &b"b\n"[..]));
        assert_eq!([0, 1, 2].map(|at| rest.rejected.place(at)), [100, 101, 106]);
        assert_eq!(account, Account::default());
    }

    /// Which record is in front of it hangs on where the pieces were cut.
    #[test]
    fn what_begins_no_record_is_given_to_none() {
        let framing = Framing::Opens(|line| line.starts_with(b"["));
        let (mut rest, mut account) = (Rest::new(framing), Account::default());
        rest.add(b"[a\n", left(Reason::Malformed, 0), &mut account);
        rest.add(b"at b\n", left(Reason::Malformed, 3), &mut account);
        assert_eq!(rest.rejected.text(), b"[a\n");
        assert_eq!((account.read.bytes, account.rejected().bytes), (5, 5));
    }
}

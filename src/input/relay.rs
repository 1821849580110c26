//! What records leave behind for those after them, handed on from piece to piece of one input.
//!
//! The pieces of an input are cut by several threads. Each looks into its own piece for what it leaves; whoever finds
//! nothing hands on what was left before. So a thread may have to wait, but only for threads that are looking into
//! earlier pieces, and those note what they find before they wait themselves: the first piece waits for nobody.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};

/// The places between the pieces of an input, by the number of the piece behind.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    /// What is left at the start of a piece, until that piece takes it.
    left: Mutex<BTreeMap<u64, Option<Vec<u8>>>>,
    noted: Condvar,
}

impl Relay {
    /// Notes what piece `sequence` leaves, if anything, and returns what was left before it.
    ///
    /// Must be called once for every piece, in the order of their numbers or by threads beside each other.
    pub(crate) fn hand_on(&self, sequence: u64, own: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let finds = own.is_some();
        if finds {
            left.insert(sequence + 1, own);
            self.noted.notify_all();
        }
        let before = loop {
            if sequence == 0 {
                break None;
            }
            match left.remove(&sequence) {
                Some(before) => break before,
                None => left = self.noted.wait(left).unwrap_or_else(PoisonError::into_inner),
            }
        };
        if !finds {
            left.insert(sequence + 1, before.clone());
            self.noted.notify_all();
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_reaches_every_later_piece_until_another_leaves_something() {
        let own = [None, Some("a"), None, None, Some("b"), None].map(|own| own.map(Vec::from));
        let expected = [None, None, Some("a"), Some("a"), Some("a"), Some("b")];
        let relay = Relay::default();
        let found: Vec<_> =
            own.iter().zip(0..).map(|(own, number)| relay.hand_on(number, own.clone())).collect();
        assert_eq!(found, expected.map(|before| before.map(Vec::from)));
        // And by as many threads, the last piece first.
        let relay = Relay::default();
        std::thread::scope(|scope| {
            for (number, own) in own.iter().enumerate().rev() {
                let (relay, before) = (&relay, expected[number].map(Vec::from));
                scope.spawn(move || assert_eq!(relay.hand_on(number as u64, own.clone()), before));
            }
        });
    }
}

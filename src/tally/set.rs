//! How many different: an exact set of numbers, filled a block at a time.
//!
//! Eight bytes an entry, open addressing. A block is inserted in two passes: the first loads the place where each
//! number belongs, so that the cache misses overlap; the second compares and inserts what is missing. Who fills it bounds
//! it.

use serde::{Deserialize, Serialize};

/// A set of numbers other than 0.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
pub struct Set {
    /// A power of two long and at most three quarters full, 0 where nothing stands; or empty.
    places: Vec<u64>,
    len: usize,
}

#[derive(Serialize, Deserialize)]
struct Saved(Vec<u64>);

impl From<Saved> for Set {
    fn from(Saved(numbers): Saved) -> Self {
        let mut set = Self::default();
        set.insert_all(&numbers);
        set
    }
}

impl From<Set> for Saved {
    fn from(set: Set) -> Self {
        Self(set.iter().collect())
    }
}

const SMALLEST: usize = 16;
const BATCH: usize = 64;

impl Set {
    /// How many different numbers there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The numbers, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.places.iter().copied().filter(|number| *number != 0)
    }

    /// Inserts many at once. Zeros are passed over.
    pub fn insert_all(&mut self, numbers: &[u64]) {
        for batch in numbers.chunks(BATCH) {
            if (self.len + batch.len()) * 4 > self.places.len() * 3 {
                self.grow();
            }
            self.insert_batch(batch);
        }
    }

    fn insert_batch(&mut self, batch: &[u64]) {
        let shift = shift(self.places.len());
        let mut found = [0; BATCH];
        for (found, number) in found.iter_mut().zip(batch) {
            *found = self.places[place(*number, shift)];
        }
        for (found, number) in found.iter().zip(batch) {
            if found != number && *number != 0 {
                self.insert(*number, shift);
            }
        }
    }

    fn insert(&mut self, number: u64, shift: u32) {
        let mask = self.places.len() - 1;
        let mut at = place(number, shift);
        while self.places[at] != 0 {
            if self.places[at] == number {
                return;
            }
            at = (at + 1) & mask;
        }
        self.places[at] = number;
        self.len += 1;
    }

    #[cold]
    fn grow(&mut self) {
        let len = ((self.len + BATCH) * 2).next_power_of_two().max(SMALLEST);
        let old = std::mem::replace(&mut self.places, super::written(len, 0));
        self.len = 0;
        let shift = shift(len);
        old.into_iter().filter(|number| *number != 0).for_each(|number| self.insert(number, shift));
    }
}

fn shift(len: usize) -> u32 {
    64 - len.trailing_zeros()
}

/// Where a number belongs: the high bits of a product (Knuth's multiplicative hashing, with the odd number next to 2^64
/// divided by the golden ratio), after a fold so that the high half has its say.
#[inline]
fn place(number: u64, shift: u32) -> usize {
    let folded = number ^ (number >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    (folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> shift) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn counts_as_a_plain_set_does() {
        let numbers: Vec<u64> =
            (0..50_000_u64).map(|n| (n * 7919 % 9_000) << 32 | (n % 7)).collect();
        let mut set = Set::default();
        numbers.chunks(100).for_each(|numbers| set.insert_all(numbers));
        let plain: HashSet<u64> = numbers.into_iter().filter(|number| *number != 0).collect();
        assert_eq!(set.len(), plain.len());
        assert_eq!(set.iter().collect::<HashSet<_>>(), plain);
    }

    #[test]
    fn read_back_it_is_the_same() {
        let mut set = Set::default();
        set.insert_all(&[3, 1, 2, 3, 0]);
        let back: Set = postcard::from_bytes(&postcard::to_stdvec(&set).unwrap()).unwrap();
        assert_eq!((back.len(), back.is_empty()), (3, false));
    }
}

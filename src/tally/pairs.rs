//! Counts by pairs of symbols, bounded by following only a part of the pairs.
//!
//! Sixteen bytes an entry, open addressing, filled a block at a time in two passes like [`super::Set`]. When there are
//! too many pairs, only every second is followed, and so on by halves, told by a hash of the texts behind the symbols:
//! the pairs that are left were followed from the beginning, so that their counts are right, and the final part is the
//! first that fits, whatever the order in which records and states came.

use serde::{Deserialize, Serialize};

use super::Renumbering;
use crate::record::Symbol;

/// A pair and what is to be known of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    left: u32,
    right: u32,
    /// Of the texts; the same in every run.
    hash: u32,
    count: u32,
}

impl Pair {
    /// A pair that was met once. `hash` is that of both [texts](hash).
    pub fn new(left: Symbol, right: Symbol, hash: u32) -> Self {
        Self { left: left.0, right: right.0, hash, count: 1 }
    }

    /// The first symbol.
    pub fn left(&self) -> Symbol {
        Symbol(self.left)
    }

    /// The second symbol.
    pub fn right(&self) -> Symbol {
        Symbol(self.right)
    }

    /// How often it was met; stays at the largest number that fits.
    pub fn count(&self) -> u64 {
        u64::from(self.count)
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.left, self.right) == (other.left, other.right)
    }
}

/// Counts by pairs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
pub struct Pairs {
    /// A power of two long and at most three quarters full; free where the count is 0.
    places: Vec<Pair>,
    len: usize,
    most: usize,
    /// One pair in two to the power of this is followed.
    level: u32,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    most: usize,
    level: u32,
    pairs: Vec<Pair>,
}

impl From<Saved> for Pairs {
    fn from(saved: Saved) -> Self {
        let mut pairs = Self::new(saved.most);
        pairs.level = saved.level.min(HIGHEST);
        saved.pairs.chunks(BATCH).for_each(|batch| pairs.add_all(batch));
        pairs
    }
}

impl From<Pairs> for Saved {
    fn from(pairs: Pairs) -> Self {
        Self { most: pairs.most, level: pairs.level, pairs: pairs.iter().copied().collect() }
    }
}

/// The pairs that are followed, so that the others need not be offered.
#[derive(Debug, Clone, Copy)]
pub struct Part(u32);

impl Part {
    /// True when the pair with that hash is followed.
    #[inline]
    pub fn has(self, hash: u32) -> bool {
        hash & self.0 == 0
    }
}

const SMALLEST: usize = 256;
const BATCH: usize = 64;
const HIGHEST: u32 = 30;

impl Pairs {
    /// An empty table that follows at most so many pairs.
    pub fn new(most: usize) -> Self {
        Self { places: vec![Pair::default(); SMALLEST], len: 0, most: most.max(BATCH), level: 0 }
    }

    /// One pair in so many is followed.
    pub fn one_in(&self) -> u64 {
        1 << self.level
    }

    /// Which part of the pairs is followed by now.
    pub fn part(&self) -> Part {
        Part((1 << self.level) - 1)
    }

    /// How many pairs are followed.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pairs that are followed, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Pair> {
        self.places.iter().filter(|pair| pair.count > 0)
    }

    /// Adds many at once.
    pub fn add_all(&mut self, pairs: &[Pair]) {
        for batch in pairs.chunks(BATCH) {
            if (self.len + batch.len()) * 4 > self.places.len() * 3 {
                self.rebuild((self.len + batch.len()) * 2);
            }
            self.add_batch(batch);
            while self.len > self.most && self.level < HIGHEST {
                self.level += 1;
                self.rebuild(self.len);
            }
        }
    }

    /// The first pass loads the place of every pair before any is compared, so that the cache misses overlap.
    fn add_batch(&mut self, batch: &[Pair]) {
        let shift = shift(self.places.len());
        let mut found = [(0, false); BATCH];
        for (found, pair) in found.iter_mut().zip(batch) {
            let at = place(pair, shift);
            *found = (at, self.places[at].is_same(pair) && self.places[at].count > 0);
        }
        for ((at, is_there), pair) in found.iter().zip(batch) {
            match is_there {
                true => {
                    let count = &mut self.places[*at].count;
                    *count = count.saturating_add(pair.count);
                }
                false => self.add(*at, pair),
            }
        }
    }

    fn add(&mut self, mut at: usize, pair: &Pair) {
        if !self.follows(pair) {
            return;
        }
        let mask = self.places.len() - 1;
        while self.places[at].count > 0 {
            if self.places[at].is_same(pair) {
                self.places[at].count = self.places[at].count.saturating_add(pair.count);
                return;
            }
            at = (at + 1) & mask;
        }
        self.places[at] = *pair;
        self.len += usize::from(pair.count > 0);
    }

    fn follows(&self, pair: &Pair) -> bool {
        self.part().has(pair.hash)
    }

    /// Moves what is followed to a table for at least so many pairs.
    #[cold]
    fn rebuild(&mut self, room: usize) {
        let len = (room * 4 / 3 + BATCH).next_power_of_two().max(SMALLEST);
        let old = std::mem::replace(&mut self.places, vec![Pair::default(); len]);
        self.len = 0;
        let shift = shift(len);
        old.iter()
            .filter(|pair| pair.count > 0)
            .for_each(|pair| self.add(place(pair, shift), pair));
    }

    /// Takes in another table, whose symbols are called otherwise here.
    pub fn merge(&mut self, other: &Self, left: &Renumbering, right: &Renumbering) {
        if other.level > self.level {
            self.level = other.level;
            self.rebuild(self.len);
        }
        let mut batch = Vec::with_capacity(BATCH);
        for pair in other.iter() {
            batch.push(Pair {
                left: left.of(pair.left()).0,
                right: right.of(pair.right()).0,
                ..*pair
            });
            if batch.len() == BATCH {
                self.add_all(&batch);
                batch.clear();
            }
        }
        self.add_all(&batch);
    }
}

fn shift(len: usize) -> u32 {
    64 - len.trailing_zeros()
}

/// Where a pair belongs: the high bits of a product, as in [`super::Set`].
#[inline]
fn place(pair: &Pair, shift: u32) -> usize {
    let folded = u64::from(pair.right) << 32 | u64::from(pair.left);
    let folded = folded ^ (folded >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    (folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> shift) as usize
}

/// A hash of two texts that is the same in every process, unlike that of a dictionary. Nothing but which pairs are
/// followed hangs on it, so that texts made to collide win nothing.
#[inline]
pub fn hash(left: &[u8], right: &[u8]) -> u32 {
    let mut hash = left.len() as u64;
    for text in [left, right] {
        for chunk in text.chunks(8) {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            hash = (hash ^ u64::from_le_bytes(bytes)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            hash ^= hash >> 29;
        }
    }
    (hash >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn pair(number: u32) -> Pair {
        let (left, right) = (number % 97 + 2, number % 1_013 + 2);
        let text = |symbol: u32| symbol.to_string().into_bytes();
        Pair::new(Symbol(left), Symbol(right), hash(&text(left), &text(right)))
    }

    fn plain(pairs: &Pairs) -> HashMap<(u32, u32), u32> {
        pairs.iter().map(|pair| ((pair.left, pair.right), pair.count)).collect()
    }

    fn numbers() -> Vec<Pair> {
        (0..40_000_u32).map(|n| pair(n.wrapping_mul(2_654_435_761) >> 7)).collect()
    }

    #[test]
    fn counts_as_a_plain_map_does() {
        let mut expected: HashMap<(u32, u32), u32> = HashMap::new();
        let mut pairs = Pairs::new(1 << 20);
        for batch in numbers().chunks(100) {
            pairs.add_all(batch);
            batch
                .iter()
                .for_each(|pair| *expected.entry((pair.left, pair.right)).or_default() += 1);
        }
        assert_eq!((plain(&pairs), pairs.one_in()), (expected, 1));
    }

    #[test]
    fn what_is_followed_does_not_hang_on_the_order() {
        let numbers = numbers();
        let mut whole = Pairs::new(1 << 20);
        whole.add_all(&numbers);
        let mut bounded = Pairs::new(2_000);
        bounded.add_all(&numbers);
        assert!(bounded.len() <= 2_000 && bounded.one_in() > 1);
        let all = plain(&whole);
        assert!(plain(&bounded).iter().all(|(pair, count)| all[pair] == *count));
        let same = Renumbering::default();
        let mut joined = Pairs::new(2_000);
        for part in numbers.chunks(7_000).rev() {
            let mut other = Pairs::new(2_000);
            other.add_all(part);
            let bytes = postcard::to_stdvec(&other).unwrap();
            let other: Pairs = postcard::from_bytes(&bytes).unwrap();
            joined.merge(&other, &same, &same);
        }
        assert_eq!((plain(&joined), joined.one_in()), (plain(&bounded), bounded.one_in()));
    }
}

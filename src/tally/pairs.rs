//! Counts by pairs of symbols, bounded by following only a part of the pairs.
//!
//! Most pairs come once or twice, so a pair is a key of a [`Multiset`]: the left symbol above, the right one below. (In a
//! hash table each pair was two misses of the cache, and merging two tables one more for every pair: a fifth of a full
//! report of DNS queries.) The pairs stand in two halves by the text of the left symbol, so that tables are joined on two
//! threads.
//!
//! When there are too many pairs, only every second is followed, and so on by halves, told by a hash of the texts behind
//! the symbols: the pairs that are left were followed from the beginning, so that their counts are right, and the final
//! part is the first that fits, whatever the order in which records and states came.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Multiset, PerSymbol, Renumbering};
use crate::record::Symbol;

/// A pair and how often it was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The first symbol.
    pub left: Symbol,
    /// The second symbol.
    pub right: Symbol,
    /// How often they came together.
    pub count: u64,
}

/// Counts by pairs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pairs {
    halves: [Multiset; 2],
    most: usize,
    /// One pair in two to the power of this is followed.
    level: u32,
    /// Hashes of the texts that were told.
    left: PerSymbol<u32>,
    right: PerSymbol<u32>,
}

const HIGHEST: u32 = 30;

/// Three digits of the sort, so that the left symbol begins a new one. No dictionary is so large that its highest bit
/// would be lost.
const LEFT: u32 = 33;

fn key(left: Symbol, right: Symbol) -> u64 {
    u64::from(left.0) << LEFT | u64::from(right.0)
}

fn symbols(key: u64) -> (Symbol, Symbol) {
    (Symbol((key >> LEFT) as u32), Symbol(key as u32))
}

impl Pairs {
    /// An empty table that follows at most so many pairs.
    pub fn new(most: usize) -> Self {
        let (left, right) = (PerSymbol::default(), PerSymbol::default());
        Self { halves: Default::default(), most, level: 0, left, right }
    }

    /// One pair in so many is followed.
    pub fn one_in(&self) -> u64 {
        1 << self.level.min(HIGHEST)
    }

    /// Tells the text behind a left symbol, before the first pair that has it.
    pub fn tell_left(&mut self, symbol: Symbol, text: &[u8]) {
        *self.left.at(symbol) = hash(text);
    }

    /// Tells the text behind a right symbol, before the first pair that has it.
    pub fn tell_right(&mut self, symbol: Symbol, text: &[u8]) {
        *self.right.at(symbol) = hash(text);
    }

    /// Counts a pair. The symbols that stand for no text of their own make none. `text` is that of the left symbol.
    #[inline]
    pub fn add(&mut self, left: Symbol, right: Symbol, text: &[u8]) {
        let is_pair = left.index() > 1 && right.index() > 1;
        if is_pair && (self.level == 0 || self.follows(left, right)) {
            let half = &mut self.halves[half(text)];
            if half.add(key(left, right)) {
                half.settle();
                self.fit();
            }
        }
    }

    /// The high bits of a product, in which all bits of both hashes have a say.
    fn follows(&self, left: Symbol, right: Symbol) -> bool {
        let both = u64::from(told(&self.left, left)) << 32 | u64::from(told(&self.right, right));
        both.wrapping_mul(0x9E37_79B9_7F4A_7C15).leading_zeros() >= self.level
    }

    /// Puts together what was counted, and follows fewer pairs if these are too many: ask for pairs afterwards.
    pub fn settle(&mut self) {
        self.halves.iter_mut().for_each(Multiset::settle);
        self.fit();
    }

    /// Follows fewer pairs if these are too many.
    fn fit(&mut self) {
        let distinct = |pairs: &Self| pairs.halves.iter().map(Multiset::distinct).sum::<usize>();
        while distinct(self) > self.most && self.level < HIGHEST {
            self.narrow_to(self.level + 1);
        }
    }

    fn narrow_to(&mut self, level: u32) {
        if level > self.level {
            self.level = level;
            let mut halves = std::mem::take(&mut self.halves);
            let follows = |key| {
                let (left, right) = symbols(key);
                self.follows(left, right)
            };
            halves.par_iter_mut().for_each(|half| half.retain(follows));
            self.halves = halves;
        }
    }

    /// The pairs that are followed, those of a left symbol together. Settle first.
    pub fn iter(&self) -> impl Iterator<Item = Pair> {
        self.halves.iter().flat_map(Multiset::counts).map(|(key, count)| {
            let (left, right) = symbols(*key);
            Pair { left, right, count: *count }
        })
    }

    /// Takes in another table, whose symbols are called otherwise here.
    pub fn merge(&mut self, mut other: Self, left: &Renumbering, right: &Renumbering) {
        self.narrow_to(other.level);
        other.narrow_to(self.level);
        let called_here = |known| {
            let symbols = symbols(known);
            key(left.of(symbols.0), right.of(symbols.1))
        };
        // What has no place in the dictionary here any more is no pair.
        let is_pair = |key| symbols(key).0.index() > 1 && symbols(key).1.index() > 1;
        let halves = self.halves.par_iter_mut().zip(other.halves);
        halves.for_each(|(own, mut others)| {
            others.rename(called_here);
            others.retain(is_pair);
            own.merge(others);
        });
        // The same text has the same hash; one that was not told has none.
        self.left.merge(other.left, left, |own, hash| *own |= hash);
        self.right.merge(other.right, right, |own, hash| *own |= hash);
        self.fit();
    }
}

/// The hash that was told of a symbol's text.
fn told(hashes: &PerSymbol<u32>, symbol: Symbol) -> u32 {
    hashes.get(symbol).copied().unwrap_or(0)
}

/// In which half the pairs of a left text stand. Its last byte is at hand, unlike the hash that was told of it.
fn half(left: &[u8]) -> usize {
    left.last().map_or(0, |byte| usize::from(byte & 1))
}

/// The same, short.
fn hash(text: &[u8]) -> u32 {
    (stable_hash(text) >> 16) as u32
}

/// A hash that is the same in every process, unlike that of a dictionary. Nothing but what is followed in a sample hangs on
/// it, so that texts made to collide win nothing.
#[inline]
pub fn stable_hash(text: &[u8]) -> u64 {
    let mut hash = text.len() as u64;
    for chunk in text.chunks(8) {
        let mut bytes = [0; 8];
        bytes[..chunk.len()].copy_from_slice(chunk);
        hash = (hash ^ u64::from_le_bytes(bytes)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash ^= hash >> 29;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn pair(number: u32) -> (Symbol, Symbol) {
        (Symbol(number % 97 + 2), Symbol(number % 1_013 + 2))
    }

    fn numbers() -> Vec<(Symbol, Symbol)> {
        (0..40_000_u32).map(|n| pair(n.wrapping_mul(2_654_435_761) >> 7)).collect()
    }

    fn counted(most: usize, numbers: &[(Symbol, Symbol)]) -> Pairs {
        let mut pairs = Pairs::new(most);
        for (left, right) in numbers {
            pairs.tell_left(*left, &left.0.to_be_bytes());
            pairs.tell_right(*right, &right.0.to_be_bytes());
            pairs.add(*left, *right, &left.0.to_be_bytes());
        }
        pairs.settle();
        pairs
    }

    fn plain(pairs: &Pairs) -> HashMap<(Symbol, Symbol), u64> {
        pairs.iter().map(|pair| ((pair.left, pair.right), pair.count)).collect()
    }

    #[test]
    fn counts_as_a_plain_map_does() {
        let mut expected: HashMap<(Symbol, Symbol), u64> = HashMap::new();
        numbers().into_iter().for_each(|pair| *expected.entry(pair).or_default() += 1);
        let pairs = counted(1 << 20, &numbers());
        assert_eq!((plain(&pairs), pairs.one_in()), (expected, 1));
    }

    #[test]
    fn symbols_without_a_text_make_no_pair() {
        let some = Symbol(7);
        let none = [(Symbol::ABSENT, some), (some, Symbol::OTHER)];
        assert_eq!(counted(9, &none).iter().next(), None);
    }

    #[test]
    fn what_is_followed_does_not_hang_on_the_order() {
        let numbers = numbers();
        let all = plain(&counted(1 << 20, &numbers));
        let bounded = counted(2_000, &numbers);
        let (found, part) = (plain(&bounded), bounded.one_in());
        assert!(found.len() <= 2_000 && part > 1);
        let expected = all.len() / part as usize;
        assert!((expected * 3 / 4..expected * 5 / 4).contains(&found.len()));
        assert!(found.iter().all(|(pair, count)| all[pair] == *count));
        let same = Renumbering::default();
        let mut joined = Pairs::new(2_000);
        for part in numbers.chunks(7_000).rev() {
            let bytes = postcard::to_stdvec(&counted(2_000, part)).unwrap();
            joined.merge(postcard::from_bytes(&bytes).unwrap(), &same, &same);
        }
        assert_eq!((plain(&joined), joined.one_in()), (found, part));
    }
}

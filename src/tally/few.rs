//! How often each of a few symbols came, for one key of many: who sent a statement.
//!
//! Most keys have a handful of them, and the latest mostly comes again: these are searched one by one, and one that is found
//! moves to the front. A key with more has a hash table for those that came later.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::Renumbering;
use crate::record::Symbol;

/// So many are searched one by one.
const FEW: usize = 16;

/// Symbols with their counts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Few {
    few: Vec<(Symbol, u64)>,
    /// Those that are not among the few. Boxed, since most keys have none.
    #[expect(clippy::box_collection, reason = "eight bytes a key instead of 48")]
    others: Option<Box<HashMap<Symbol, u64, RandomState>>>,
}

impl Few {
    /// Counts a symbol so many times.
    #[inline]
    pub fn add(&mut self, symbol: Symbol, times: u64) {
        match self.few.iter().position(|(known, _)| *known == symbol) {
            Some(0) => self.few[0].1 += times,
            Some(at) => {
                // Counted behind the swap: a pair that was stored by halves a moment ago is slow to load whole.
                self.few.swap(at, at / 2);
                self.few[at / 2].1 += times;
            }
            None if self.few.len() < FEW => self.push(symbol, times),
            None => *self.others.get_or_insert_default().entry(symbol).or_default() += times,
        }
    }

    #[cold]
    fn push(&mut self, symbol: Symbol, times: u64) {
        if self.few.is_empty() {
            // Very many keys come once, and four is the least that a vector makes room for.
            self.few.reserve_exact(1);
        }
        self.few.push((symbol, times));
    }

    /// Adds what another counted.
    pub fn merge(&mut self, other: &Self) {
        other.iter().for_each(|(symbol, count)| self.add(symbol, count));
    }

    /// The same with new numbers; those that are then the same become one.
    pub fn renamed(&self, renumbering: &Renumbering) -> Self {
        let mut renamed = Self::default();
        self.iter().for_each(|(symbol, count)| renamed.add(renumbering.of(symbol), count));
        renamed
    }

    /// All with their counts, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Symbol, u64)> {
        let others = self.others.iter().flat_map(|others| others.iter());
        self.few.iter().copied().chain(others.map(|(symbol, count)| (*symbol, *count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(few: &Few) -> Vec<(Symbol, u64)> {
        let mut listed: Vec<_> = few.iter().collect();
        listed.sort_unstable();
        listed
    }

    #[test]
    fn each_symbol_once_however_many() {
        for symbols in [1, 5, FEW as u32, 90] {
            let mut few = Few::default();
            (0..10 * symbols).for_each(|number| few.add(Symbol(number * 7 % symbols), 1));
            let expected: Vec<_> = (0..symbols).map(|number| (Symbol(number), 10)).collect();
            assert_eq!(listed(&few), expected);
            let halves = Renumbering::new((0..symbols).map(|number| Symbol(number / 2)).collect());
            let mut joined = few.renamed(&halves);
            joined.merge(&few);
            assert_eq!(joined.iter().map(|(_, count)| count).sum::<u64>(), 20 * u64::from(symbols));
            assert_eq!(joined.iter().count(), symbols as usize);
        }
    }
}

//! One counter a symbol: an array that grows with the dictionary.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Renumbering;
use crate::record::Symbol;

/// Counters of type `T`, one for each symbol that was met.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PerSymbol<T>(Vec<T>);

impl<T: Default> PerSymbol<T> {
    /// The counter of a symbol.
    #[inline]
    pub fn at(&mut self, symbol: Symbol) -> &mut T {
        if symbol.index() >= self.0.len() {
            self.grow(symbol.index() + 1);
        }
        &mut self.0[symbol.index()]
    }

    #[cold]
    fn grow(&mut self, len: usize) {
        self.0.resize_with(len, T::default);
    }

    /// Makes room for all symbols below `len`, so that [`at`](Self::at) finds it.
    fn reserve(&mut self, len: usize) {
        if self.0.len() < len {
            self.grow(len);
        }
    }

    /// How many symbols there are at most: all that were met are below.
    #[expect(clippy::len_without_is_empty, reason = "a bound, and nobody asks")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The counter of a symbol, if one was ever met that high.
    pub fn get(&self, symbol: Symbol) -> Option<&T> {
        self.0.get(symbol.index())
    }

    /// All symbols below the highest that was met, with their counters.
    pub fn iter(&self) -> impl Iterator<Item = (Symbol, &T)> {
        self.0.iter().enumerate().map(|(at, counter)| (Symbol(at as u32), counter))
    }

    /// All counters below the highest symbol that was met.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut()
    }

    /// All symbols below the highest that was met, with their counters, which are handed over.
    pub fn into_counters(self) -> impl Iterator<Item = (Symbol, T)> {
        self.0.into_iter().enumerate().map(|(at, counter)| (Symbol(at as u32), counter))
    }

    /// Adds the counters of another dictionary's symbols, each under its new number.
    pub fn merge(
        &mut self,
        other: Self,
        renumbering: &Renumbering,
        mut add: impl FnMut(&mut T, T),
    ) {
        for (at, counter) in other.0.into_iter().enumerate() {
            add(self.at(renumbering.of(Symbol(at as u32))), counter);
        }
    }

    /// The same by several threads, for counters that are much work to add. Two of the other that have one number here
    /// are joined first, by `join`, while they still are of their own dictionary.
    pub fn merge_side_by_side(
        &mut self,
        other: Self,
        renumbering: &Renumbering,
        join: impl FnMut(&mut T, T),
        add: impl Fn(&mut T, T) + Sync,
    ) where
        T: Send,
    {
        let mut moved = Self::default();
        moved.merge(other, renumbering, join);
        self.reserve(moved.0.len());
        self.0.par_iter_mut().zip(moved.0).for_each(|(own, more)| add(own, more));
    }
}

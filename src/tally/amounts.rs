//! Several amounts of each record, in a histogram each, for one key of many: the stages of a delivery by its destination,
//! all numbers of a statement by its shape.
//!
//! Keys follow each other in no order, and the histograms of one are far apart in memory. So the amounts of a record are
//! laid side by side at first, and counted when there are some: many of one histogram at a time cost a fourth of one after
//! the other, and a key that comes once or twice needs no histogram at all.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Quantiles, Sparse};

/// Stands for an amount that the record does not tell.
pub const UNTOLD: u64 = u64::MAX;

/// How many records wait to be counted: some cache lines a key.
const MOST_FRESH: usize = 64;
/// How many others wait to be joined, so that a key holds a few times what it needs at most.
const MOST_PARTS: usize = 3;

/// What the records of one key amount to, in so many columns.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Amounts {
    columns: u8,
    /// The latest records, one after the other.
    fresh: Vec<u64>,
    /// Those before, by column; empty while there were none.
    counted: Vec<Sparse>,
    /// What others counted that were merged. Of many keys few are ever shown: only these are joined.
    parts: Vec<Vec<Sparse>>,
}

impl Amounts {
    /// Of records that have so many each, 255 at most.
    pub fn new(columns: usize) -> Self {
        Self { columns: columns.min(u8::MAX.into()) as u8, ..Self::default() }
    }

    /// Takes in a record: an amount a column, or [`UNTOLD`].
    #[inline]
    pub fn add(&mut self, record: impl ExactSizeIterator<Item = u64>) {
        debug_assert_eq!(record.len(), self.columns());
        self.fresh.extend(record);
        if self.fresh.len() >= MOST_FRESH * self.columns() {
            self.settle();
        }
    }

    fn columns(&self) -> usize {
        self.columns.into()
    }

    fn settle(&mut self) {
        let mut counted = std::mem::take(&mut self.counted);
        counted.resize_with(self.columns(), Sparse::default);
        for (column, amounts) in counted.iter_mut().enumerate() {
            self.fresh(column).for_each(|amount| amounts.add(amount));
        }
        self.fresh.clear();
        self.counted = counted;
    }

    fn fresh(&self, column: usize) -> impl Iterator<Item = u64> {
        let records = self.fresh.chunks_exact(self.columns().max(1));
        let amounts = records.filter_map(move |record| record.get(column));
        amounts.copied().filter(|amount| *amount != UNTOLD)
    }

    /// Adds what another took in, whose records have the same columns.
    pub fn merge(&mut self, mut other: Self) {
        if self.fresh.len() + other.fresh.len() >= MOST_FRESH * self.columns() {
            self.settle();
        }
        self.fresh.append(&mut other.fresh);
        if self.counted.is_empty() {
            std::mem::swap(&mut self.counted, &mut other.counted);
        }
        self.parts.append(&mut other.parts);
        self.parts.extend((!other.counted.is_empty()).then_some(other.counted));
        if self.parts.len() > MOST_PARTS {
            self.join_parts();
        }
    }

    fn join_parts(&mut self) {
        for part in std::mem::take(&mut self.parts) {
            self.counted.iter_mut().zip(part).for_each(|(own, more)| own.merge(more));
        }
    }

    /// The histograms of a column.
    fn of(&self, column: usize) -> impl Iterator<Item = &Sparse> {
        let parts = [&self.counted].into_iter().chain(&self.parts);
        parts.filter_map(move |part| part.get(column))
    }

    /// The same with each column at another place among so many.
    pub fn moved(mut self, places: &[usize], columns: usize) -> Self {
        if self.columns() == columns && places.iter().copied().eq(0..columns) {
            return self;
        }
        self.settle();
        self.join_parts();
        let mut moved = Self::new(columns);
        moved.settle();
        for (amounts, place) in self.counted.into_iter().zip(places) {
            if let Some(column) = moved.counted.get_mut(*place) {
                *column = amounts;
            }
        }
        moved
    }

    /// The sum of a column.
    pub fn sum(&self, column: usize) -> u64 {
        let counted = self.of(column).map(Sparse::sum);
        counted.chain(self.fresh(column)).fold(0, u64::saturating_add)
    }

    /// What a column says.
    pub fn quantiles(&self, column: usize) -> Quantiles {
        let mut amounts = Sparse::default();
        self.of(column).for_each(|counted| amounts.merge(counted.clone()));
        self.fresh(column).for_each(|amount| amounts.add(amount));
        amounts.quantiles()
    }

    /// The amounts of many keys, column by column side by side.
    pub fn together(all: &[&Self], columns: usize) -> Self {
        let mut together = Self::new(columns);
        let of = |column| {
            let mut amounts = Sparse::dense();
            for one in all {
                one.fresh(column).for_each(|amount| amounts.add(amount));
                one.of(column).for_each(|counted| amounts.add_all(counted));
            }
            amounts
        };
        together.counted = (0..together.columns()).into_par_iter().map(of).collect();
        together
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records of two columns, of which the second is told of every other one.
    fn of(numbers: std::ops::Range<u64>) -> Amounts {
        let mut amounts = Amounts::new(2);
        for number in numbers {
            let second = if number % 2 == 0 { number * 1_000 } else { UNTOLD };
            amounts.add([number, second].into_iter());
        }
        amounts
    }

    fn told(amounts: &Amounts) -> Vec<(u64, Quantiles)> {
        (0..3).map(|column| (amounts.sum(column), amounts.quantiles(column))).collect()
    }

    #[test]
    fn the_same_however_they_are_put_together() {
        for (cut, end) in [(3, 5), (40, 90), (1, 40_000), (39_990, 40_000), (20_000, 40_000)] {
            let whole = of(0..end);
            let (mut joined, mut turned) = (of(0..cut), of(cut..end));
            let together = Amounts::together(&[&joined, &turned], 2);
            joined.merge(of(cut..end));
            turned.merge(of(0..cut));
            let back: Amounts =
                postcard::from_bytes(&postcard::to_stdvec(&joined).unwrap()).unwrap();
            for other in [joined, turned, together, back] {
                assert_eq!(told(&other), told(&whole), "{cut} of {end}");
            }
        }
    }

    #[test]
    fn columns_that_are_not_told_are_empty() {
        let found = told(&of(0..9));
        assert_eq!((found[0].1.count(), found[1].1.count(), found[2].1.count()), (9, 5, 0));
        assert_eq!((found[0].0, found[1].0, found[2].0), (36, 20_000, 0));
    }

    #[test]
    fn columns_may_change_their_places() {
        for count in [3, 300] {
            let moved = of(0..count).moved(&[2, 0], 3);
            let (found, whole) = (told(&moved), told(&of(0..count)));
            assert_eq!([&found[2], &found[0]], [&whole[0], &whole[1]]);
            assert_eq!(moved.quantiles(1).count(), 0);
        }
    }
}

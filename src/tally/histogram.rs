//! Quantiles of durations and other amounts.
//!
//! All values of a run go into a dense [`Histogram`] (an `hdrhistogram` with three significant digits: a value is known
//! to one part in a thousand, and below 2,048 exactly). The values of one key go into a [`Sparse`] one with the same
//! buckets: a dense histogram for each of 35,000 paths took 20 seconds over 8 million records in a trial, because each
//! is larger than the first level cache.
//!
//! A sparse histogram is a buffer of bucket numbers of two bytes each, in the order in which they came. When it is full
//! it is sorted and joined with the buckets that were counted before. Most keys never fill it, and then a value costs
//! the two bytes. A key with very many values earns a dense array, since for it sorting costs more than the misses.
//!
//! Percentiles are by nearest rank: the smallest value that at least so many per cent of the values do not exceed,
//! and of its bucket the upper end, as HdrHistogram does it. Smallest, largest and sum are exact whole numbers. The
//! deviation is that of the middles of the buckets.

use serde::{Deserialize, Serialize};

/// The percentiles that reports show, in thousandths of a per cent, with their names.
pub const PERCENTILES: [(u32, &str); 5] =
    [(50_000, "p50"), (90_000, "p90"), (95_000, "p95"), (99_000, "p99"), (99_900, "p99_9")];

/// 2^11 values below the first bucket that is wider than one: three significant digits.
const EXACT_BITS: u32 = 11;
const HALF: u64 = 1 << (EXACT_BITS - 1);

/// The bucket of a value, as HdrHistogram numbers them. Below 2^16 for every value.
#[inline]
fn bucket(value: u64) -> u16 {
    let exact = (1_u64 << EXACT_BITS) - 1;
    let doublings = u64::from(64 - EXACT_BITS - (value | exact).leading_zeros());
    ((doublings << (EXACT_BITS - 1)) + (value >> doublings)) as u16
}

/// The smallest value of a bucket, and by how much the largest is more.
fn ends(bucket: u16) -> (u64, u64) {
    let bucket = u64::from(bucket);
    let doublings = (bucket >> (EXACT_BITS - 1)).saturating_sub(1);
    let within = u128::from(bucket - doublings * HALF);
    let start = (within << doublings).min(u128::from(u64::MAX)) as u64;
    (start, (1 << doublings) - 1)
}

fn upper_end(bucket: u16) -> u64 {
    let (start, more) = ends(bucket);
    start.saturating_add(more)
}

/// Smallest, largest and sum of values: exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Spread {
    min: u64,
    max: u64,
    sum: u64,
}

impl Default for Spread {
    fn default() -> Self {
        Self { min: u64::MAX, max: 0, sum: 0 }
    }
}

impl Spread {
    #[inline]
    fn add(&mut self, value: u64) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum = self.sum.saturating_add(value);
    }

    fn merge(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// What a finished histogram says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Quantiles {
    spread: Spread,
    count: u64,
    runs: Vec<Run>,
}

impl Quantiles {
    fn new(spread: Spread, runs: Vec<Run>) -> Self {
        let count = runs.iter().map(|run| run.count()).sum();
        Self { spread, count, runs }
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The smallest; 0 when there was none.
    pub fn min(&self) -> u64 {
        if self.count == 0 { 0 } else { self.spread.min }
    }

    /// The largest; 0 when there was none.
    pub fn max(&self) -> u64 {
        self.spread.max
    }

    /// All together.
    pub fn sum(&self) -> u64 {
        self.spread.sum
    }

    /// The mean; 0 when there was none.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.spread.sum as f64 / self.count as f64 }
    }

    /// The standard deviation of the values as the whole population; 0 when there was none.
    pub fn deviation(&self) -> f64 {
        let mean = self.mean();
        let square = |run: &Run| {
            let (start, more) = ends(run.bucket());
            let apart = start as f64 + more as f64 / 2.0 - mean;
            apart * apart * run.count() as f64
        };
        (self.runs.iter().map(square).sum::<f64>() / self.count.max(1) as f64).sqrt()
    }

    /// The buckets in ascending order: the smallest value of each, and how many values it has.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.runs.iter().map(|run| (ends(run.bucket()).0, run.count()))
    }

    /// The value at a percentile given in thousandths, by nearest rank; 0 when there was none.
    pub fn percentile(&self, thousandths: u32) -> u64 {
        let rank = (u128::from(self.count) * u128::from(thousandths)).div_ceil(100_000).max(1);
        let mut seen = 0;
        for run in &self.runs {
            seen += u128::from(run.count());
            if seen >= rank {
                return upper_end(run.bucket()).clamp(self.min(), self.max());
            }
        }
        self.max()
    }
}

/// The dense histogram of a whole stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
pub struct Histogram {
    counts: hdrhistogram::Histogram<u64>,
    spread: Spread,
}

/// What is saved: the buckets that have values.
#[derive(Serialize, Deserialize)]
struct Saved {
    spread: Spread,
    runs: Vec<Run>,
}

impl From<Histogram> for Saved {
    fn from(histogram: Histogram) -> Self {
        Self { spread: histogram.spread, runs: histogram.runs() }
    }
}

impl From<Saved> for Histogram {
    fn from(saved: Saved) -> Self {
        let mut histogram = Self { spread: saved.spread, ..Self::default() };
        histogram.add_runs(&saved.runs);
        histogram
    }
}

impl Default for Histogram {
    fn default() -> Self {
        let counts = hdrhistogram::Histogram::new(3).expect("three digits are allowed");
        Self { counts, spread: Spread::default() }
    }
}

impl Histogram {
    /// Takes in a value.
    #[inline]
    pub fn add(&mut self, value: u64) {
        self.spread.add(value);
        // It grows as it must, so that there is no value it would refuse.
        let _ = self.counts.record(value);
    }

    fn add_runs(&mut self, runs: &[Run]) {
        for run in runs {
            let _ = self.counts.record_n(ends(run.bucket()).0, run.count());
        }
    }

    /// Adds what another took in.
    pub fn merge(&mut self, other: &Self) {
        self.spread.merge(&other.spread);
        self.add_runs(&other.runs());
    }

    fn runs(&self) -> Vec<Run> {
        let recorded = self.counts.iter_recorded();
        recorded.map(|at| Run::new(bucket(at.value_iterated_to()), at.count_at_value())).collect()
    }

    /// What it says.
    pub fn quantiles(&self) -> Quantiles {
        Quantiles::new(self.spread, self.runs())
    }
}

/// A bucket in the upper 16 bits, how many values it has in the other 48.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Run(u64);

impl Run {
    const COUNT: u64 = (1 << 48) - 1;

    fn new(bucket: u16, count: u64) -> Self {
        Self(u64::from(bucket) << 48 | count.min(Self::COUNT))
    }

    fn bucket(self) -> u16 {
        (self.0 >> 48) as u16
    }

    fn count(self) -> u64 {
        self.0 & Self::COUNT
    }
}

/// The histogram of one key of many.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sparse {
    spread: Spread,
    values: Values,
    /// The buckets of the values before, ascending. Boxed, since most keys never have any.
    #[expect(clippy::box_collection, reason = "eight bytes a key instead of 24")]
    runs: Option<Box<Vec<Run>>>,
}

/// The buckets of the latest values.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Values {
    /// In the order in which they came.
    Fresh(Vec<u16>),
    /// How many in each.
    Dense(Vec<u32>),
}

impl Default for Values {
    fn default() -> Self {
        Self::Fresh(Vec::new())
    }
}

/// How many fresh values are kept unsorted. With fewer, sorting and joining costs more a value; with more, every
/// frequent key holds more memory.
const FRESH: usize = 1024;
/// From so many values on a key has a dense array of some 80 KB. Sooner, and a long log with many paths needs
/// hundreds of megabytes; later, and every busy key pays some 20 ns a value for longer.
const DENSE_FROM: u64 = 1 << 15;

impl Sparse {
    /// Takes in a value.
    #[inline]
    pub fn add(&mut self, value: u64) {
        self.spread.add(value);
        self.count(bucket(value));
    }

    #[inline]
    fn count(&mut self, bucket: u16) {
        loop {
            match &mut self.values {
                Values::Fresh(fresh) if fresh.len() < FRESH => return fresh.push(bucket),
                Values::Dense(counts) if usize::from(bucket) < counts.len() => {
                    let count = &mut counts[usize::from(bucket)];
                    *count += 1;
                    if *count == u32::MAX {
                        self.settle();
                    }
                    return;
                }
                _ => self.make_room(bucket),
            }
        }
    }

    #[cold]
    fn make_room(&mut self, bucket: u16) {
        if let Values::Dense(counts) = &mut self.values {
            counts.resize((usize::from(bucket) + 1).next_multiple_of(HALF as usize), 0);
            return;
        }
        self.settle();
        let runs = self.runs.as_deref().map_or(&[][..], |runs| &runs[..]);
        if runs.iter().map(|run| run.count()).sum::<u64>() >= DENSE_FROM {
            self.values = Values::Dense(Vec::new());
        }
    }

    /// Moves the latest values to the runs.
    fn settle(&mut self) {
        let runs = self.latest();
        self.join(&runs);
        match &mut self.values {
            Values::Fresh(fresh) => fresh.clear(),
            Values::Dense(counts) => counts.fill(0),
        }
    }

    fn latest(&self) -> Vec<Run> {
        match &self.values {
            Values::Fresh(fresh) => {
                let mut fresh = fresh.clone();
                fresh.sort_unstable();
                let same = fresh.chunk_by(|a, b| a == b);
                same.map(|same| Run::new(same[0], same.len() as u64)).collect()
            }
            Values::Dense(counts) => {
                let counts = (0..).zip(counts).filter(|(_, count)| **count > 0);
                counts.map(|(bucket, count)| Run::new(bucket, u64::from(*count))).collect()
            }
        }
    }

    fn join(&mut self, others: &[Run]) {
        if others.is_empty() {
            return;
        }
        let runs = self.runs.get_or_insert_default();
        runs.extend_from_slice(others);
        // The stable sort finds the two ascending stretches and joins them in linear time.
        runs.sort();
        runs.dedup_by(|later, kept| {
            let same = later.bucket() == kept.bucket();
            if same {
                *kept = Run::new(kept.bucket(), kept.count() + later.count());
            }
            same
        });
    }

    /// Adds what another took in.
    pub fn merge(&mut self, other: Self) {
        self.spread.merge(&other.spread);
        match other.values {
            Values::Fresh(fresh) if other.runs.is_none() && fresh.len() < FRESH / 8 => {
                fresh.into_iter().for_each(|bucket| self.count(bucket));
            }
            _ => {
                self.join(&other.latest());
                self.join(other.runs.as_deref().map_or(&[][..], |runs| &runs[..]));
            }
        }
    }

    /// True when it took in no value.
    pub fn is_empty(&self) -> bool {
        self.spread == Spread::default()
    }

    /// All values together.
    pub fn sum(&self) -> u64 {
        self.spread.sum
    }

    /// What it says.
    pub fn quantiles(&self) -> Quantiles {
        let mut settled = Self { runs: self.runs.clone(), ..Self::default() };
        settled.join(&self.latest());
        Quantiles::new(self.spread, settled.runs.map_or_else(Vec::new, |runs| *runs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sparse(values: &[u64]) -> Sparse {
        let mut sparse = Sparse::default();
        values.iter().for_each(|value| sparse.add(*value));
        sparse
    }

    fn dense(values: &[u64]) -> Histogram {
        let mut dense = Histogram::default();
        values.iter().for_each(|value| dense.add(*value));
        dense
    }

    /// By definition, in exact arithmetic: the value at the rank, as its bucket shows it.
    fn expected(values: &[u64], thousandths: u32) -> u64 {
        let mut values = values.to_vec();
        values.sort_unstable();
        let rank = (values.len() as u128 * u128::from(thousandths)).div_ceil(100_000).max(1);
        upper_end(bucket(values[rank as usize - 1])).min(values[values.len() - 1])
    }

    fn deviation(values: &[u64]) -> f64 {
        let mean = values.iter().sum::<u64>() as f64 / values.len() as f64;
        let squares: f64 = values.iter().map(|value| (*value as f64 - mean).powi(2)).sum();
        (squares / values.len() as f64).sqrt()
    }

    #[test]
    fn buckets_are_those_of_hdrhistogram() {
        let histogram = hdrhistogram::Histogram::<u64>::new(3).unwrap();
        let powers = (0..64).flat_map(|n| [1_u64 << n, (1 << n) - 1, (1 << n) + (1 << n) / 3]);
        for value in powers.chain([u64::MAX]) {
            assert_eq!(upper_end(bucket(value)), histogram.highest_equivalent(value), "{value}");
        }
    }

    #[test]
    fn nothing_gives_zeros() {
        let spread = sparse(&[]).quantiles();
        assert_eq!(spread, dense(&[]).quantiles());
        assert_eq!(spread.percentile(50_000), 0);
        assert_eq!(
            (spread.min(), spread.max(), spread.mean(), spread.deviation()),
            (0, 0, 0.0, 0.0)
        );
    }

    #[test]
    fn nearest_rank() {
        let values: Vec<u64> = (1..=10).collect();
        let found = sparse(&values).quantiles();
        let found = [50_000, 90_000, 90_001, 99_900].map(|wanted| found.percentile(wanted));
        assert_eq!(found, [5, 9, 10, 10]);
        assert_eq!(dense(&values).quantiles().percentile(50_000), 5);
    }

    #[test]
    fn many_values_of_one_key() {
        for many in [20_000, 80_000_u64] {
            let values: Vec<u64> = (0..many).map(|n| n * n % 1_000_003).collect();
            let mut twice = sparse(&values);
            twice.merge(sparse(&values));
            twice.merge(sparse(&values[..100]));
            twice.merge(sparse(&values[100..]));
            assert_eq!(twice.quantiles().count(), 3 * many);
            for (thousandths, _) in PERCENTILES {
                let expected = expected(&values, thousandths);
                assert_eq!(sparse(&values).quantiles().percentile(thousandths), expected);
                assert_eq!(dense(&values).quantiles().percentile(thousandths), expected);
                assert_eq!(twice.quantiles().percentile(thousandths), expected);
            }
        }
    }

    proptest! {
        #[test]
        fn merged_and_saved_they_are_as_one(
            values in prop::collection::vec(0..u64::MAX >> 20, 1..200),
            cut in 0..200_usize,
        ) {
            let (left, right) = values.split_at(cut.min(values.len()));
            let (mut joined, mut whole) = (sparse(right), dense(right));
            joined.merge(sparse(left));
            whole.merge(&dense(left));
            let joined: Sparse = postcard::from_bytes(&postcard::to_stdvec(&joined)?)?;
            let whole: Histogram = postcard::from_bytes(&postcard::to_stdvec(&whole)?)?;
            let (joined, whole) = (joined.quantiles(), whole.quantiles());
            prop_assert_eq!(&joined, &whole);
            prop_assert_eq!(joined.count(), values.len() as u64);
            for (thousandths, _) in PERCENTILES {
                prop_assert_eq!(joined.percentile(thousandths), expected(&values, thousandths));
            }
            let (found, wanted) = (joined.deviation(), deviation(&values));
            let largest = *values.iter().max().unwrap() as f64;
            prop_assert!((found - wanted).abs() <= largest * 1e-3 + 1e-6, "{} {}", found, wanted);
        }
    }
}

//! Quantiles of durations and other amounts.
//!
//! All values of a run go into a dense [`Histogram`] (an `hdrhistogram` with three significant digits: a value is known
//! to one part in a thousand, and below 2,048 exactly). The values of one key go into a [`Sparse`] one with the same
//! buckets: a dense histogram for each of 35,000 paths took 20 seconds over 8 million records in a trial, because each
//! is larger than the first level cache.
//!
//! A sparse histogram is a buffer of bucket numbers of two bytes each, in the order in which they came. When it is full
//! it is sorted and joined with the buckets that were counted before. Most keys never fill it, and then a value costs
//! the two bytes.
//!
//! Percentiles are by nearest rank: the smallest value that at least so many per cent of the values do not exceed,
//! and of its bucket the upper end, as HdrHistogram does it. Smallest, largest, sum and the sum of squares are exact
//! whole numbers, so that they do not depend on the order.

use serde::{Deserialize, Serialize};

/// The percentiles that reports show, in thousandths of a per cent.
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

/// The largest value of a bucket.
fn upper_end(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    let doublings = (bucket >> (EXACT_BITS - 1)).saturating_sub(1);
    let within = bucket - doublings * HALF;
    (((u128::from(within) + 1) << doublings) - 1).min(u128::from(u64::MAX)) as u64
}

/// Smallest, largest, mean and deviation of values: exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    count: u64,
    min: u64,
    max: u64,
    sum: u64,
    squares: u128,
}

impl Default for Spread {
    fn default() -> Self {
        Self { count: 0, min: u64::MAX, max: 0, sum: 0, squares: 0 }
    }
}

impl Spread {
    /// Takes in a value.
    #[inline]
    pub fn add(&mut self, value: u64) {
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum = self.sum.saturating_add(value);
        self.squares = self.squares.saturating_add(u128::from(value) * u128::from(value));
    }

    /// Adds what another took in.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum = self.sum.saturating_add(other.sum);
        self.squares = self.squares.saturating_add(other.squares);
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The smallest; 0 when there was none.
    pub fn min(&self) -> u64 {
        if self.count == 0 { 0 } else { self.min }
    }

    /// The largest; 0 when there was none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// All together.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The mean; 0 when there was none.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// The standard deviation of the values as the whole population.
    pub fn deviation(&self) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        // n * squares - sum^2 in whole numbers where they fit, since the difference of two large floats is noise.
        let count = u128::from(self.count);
        let sum = u128::from(self.sum);
        let difference = match (count.checked_mul(self.squares), sum.checked_mul(sum)) {
            (Some(left), Some(right)) => left.saturating_sub(right) as f64,
            _ => {
                let mean = self.mean();
                let squares = self.squares as f64 / self.count as f64;
                (squares - mean * mean).max(0.0) * (self.count as f64) * (self.count as f64)
            }
        };
        difference.sqrt() / self.count as f64
    }
}

/// The rank of a percentile given in thousandths, from 1.
fn rank(count: u64, percentile: u32) -> u64 {
    let rank = (u128::from(count) * u128::from(percentile)).div_ceil(100_000);
    (rank as u64).max(1)
}

/// The value at a rank among buckets in ascending order.
fn at_rank(buckets: impl Iterator<Item = (u64, u64)>, rank: u64, spread: &Spread) -> u64 {
    let mut seen = 0;
    for (upper_end, count) in buckets {
        seen += count;
        if seen >= rank {
            return upper_end.clamp(spread.min(), spread.max());
        }
    }
    spread.max()
}

/// The dense histogram of a whole stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
pub struct Histogram {
    counts: hdrhistogram::Histogram<u64>,
    spread: Spread,
}

/// What is saved: each bucket with values, by one of its values.
#[derive(Serialize, Deserialize)]
struct Saved {
    spread: Spread,
    buckets: Vec<(u64, u64)>,
}

impl From<Histogram> for Saved {
    fn from(histogram: Histogram) -> Self {
        Self { spread: histogram.spread, buckets: histogram.buckets().collect() }
    }
}

impl From<Saved> for Histogram {
    fn from(saved: Saved) -> Self {
        let mut histogram = Self::default();
        for (value, count) in saved.buckets {
            let _ = histogram.counts.record_n(value, count);
        }
        histogram.spread = saved.spread;
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

    /// Adds what another took in.
    pub fn merge(&mut self, other: &Self) {
        self.spread.merge(&other.spread);
        for (value, count) in other.buckets() {
            let _ = self.counts.record_n(value, count);
        }
    }

    fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.counts
            .iter_recorded()
            .map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
    }

    /// Smallest, largest, mean and so on.
    pub fn spread(&self) -> &Spread {
        &self.spread
    }

    /// The value at a percentile given in thousandths; 0 when there was none.
    pub fn percentile(&self, thousandths: u32) -> u64 {
        at_rank(self.buckets(), rank(self.spread.count, thousandths), &self.spread)
    }
}

/// The histogram of one key of many.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sparse {
    spread: Spread,
    /// The buckets of the latest values, in the order in which they came.
    fresh: Vec<u16>,
    /// The buckets of the values before, ascending.
    runs: Vec<Run>,
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

/// How many fresh values are kept unsorted. With fewer, sorting and joining costs more a value; with more, every
/// frequent key holds more memory.
const FRESH: usize = 1024;

impl Sparse {
    /// Takes in a value.
    #[inline]
    pub fn add(&mut self, value: u64) {
        self.spread.add(value);
        if self.fresh.len() >= FRESH {
            self.compact();
        }
        self.fresh.push(bucket(value));
    }

    #[cold]
    fn compact(&mut self) {
        let fresh = std::mem::take(&mut self.fresh);
        self.join(&runs_of(fresh));
        self.fresh.reserve_exact(FRESH);
    }

    fn join(&mut self, others: &[Run]) {
        self.runs.extend_from_slice(others);
        // The stable sort finds the two ascending stretches and joins them in linear time.
        self.runs.sort();
        self.runs.dedup_by(|later, kept| {
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
        self.join(&other.runs);
        for bucket in other.fresh {
            if self.fresh.len() >= FRESH {
                self.compact();
            }
            self.fresh.push(bucket);
        }
    }

    /// Smallest, largest, mean and so on.
    pub fn spread(&self) -> &Spread {
        &self.spread
    }

    /// The values at percentiles given in thousandths; zeros when there was no value.
    pub fn percentiles<const N: usize>(&self, thousandths: [u32; N]) -> [u64; N] {
        let mut all = Self { spread: self.spread, fresh: Vec::new(), runs: self.runs.clone() };
        all.join(&runs_of(self.fresh.clone()));
        let buckets = || all.runs.iter().map(|run| (upper_end(run.bucket()), run.count()));
        thousandths.map(|wanted| at_rank(buckets(), rank(self.spread.count, wanted), &self.spread))
    }
}

fn runs_of(mut buckets: Vec<u16>) -> Vec<Run> {
    buckets.sort_unstable();
    let same = buckets.chunk_by(|a, b| a == b);
    same.map(|same| Run::new(same[0], same.len() as u64)).collect()
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
        assert_eq!(sparse(&[]).percentiles([50_000, 99_900]), [0, 0]);
        assert_eq!(dense(&[]).percentile(50_000), 0);
        let spread = *sparse(&[]).spread();
        assert_eq!(
            (spread.min(), spread.max(), spread.mean(), spread.deviation()),
            (0, 0, 0.0, 0.0)
        );
    }

    #[test]
    fn nearest_rank() {
        let values: Vec<u64> = (1..=10).collect();
        assert_eq!(sparse(&values).percentiles([50_000, 90_000, 90_001, 99_900]), [5, 9, 10, 10]);
        assert_eq!(dense(&values).percentile(50_000), 5);
    }

    #[test]
    fn many_values_of_one_key() {
        let values: Vec<u64> = (0..20_000_u64).map(|n| n * n % 1_000_003).collect();
        for (thousandths, _) in PERCENTILES {
            assert_eq!(
                sparse(&values).percentiles([thousandths]),
                [expected(&values, thousandths)]
            );
            assert_eq!(dense(&values).percentile(thousandths), expected(&values, thousandths));
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
            prop_assert_eq!(joined.spread(), whole.spread());
            for (thousandths, _) in PERCENTILES {
                let expected = expected(&values, thousandths);
                prop_assert_eq!(joined.percentiles([thousandths]), [expected]);
                prop_assert_eq!(whole.percentile(thousandths), expected);
            }
            let (found, wanted) = (joined.spread().deviation(), deviation(&values));
            prop_assert!((found - wanted).abs() <= wanted * 1e-9 + 1e-6, "{} {}", found, wanted);
        }
    }
}

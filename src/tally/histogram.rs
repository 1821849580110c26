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
//!
//! What is logged in whole milliseconds is counted by millisecond instead of microsecond ([`Millis`]), in the same
//! buckets: then two seconds are known to the millisecond, and the buckets of short times stand together in memory.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::Multiset;
use crate::record::Symbol;

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
    stretches: Vec<Stretch>,
}

/// Values that are told apart no further: the smallest and the largest there may be, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    start: u64,
    end: u64,
    count: u64,
}

impl Stretch {
    /// A run of values that were counted in that unit.
    fn of(run: Run, unit: u64) -> Self {
        let (start, end) = (ends(run.bucket()).0, upper_end(run.bucket()));
        let (start, end) = (start.saturating_mul(unit), end.saturating_mul(unit));
        Self { start, end, count: run.count() }
    }
}

impl Quantiles {
    fn new(spread: Spread, stretches: impl Iterator<Item = Stretch>) -> Self {
        let stretches: Vec<Stretch> = stretches.collect();
        let count = stretches.iter().map(|stretch| stretch.count).sum();
        Self { spread, count, stretches }
    }

    fn of_runs(spread: Spread, runs: &[Run]) -> Self {
        Self::new(spread, runs.iter().map(|run| Stretch::of(*run, 1)))
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
        // The largest is the mean of values that are all the same: none is apart from it, whatever its bucket.
        if u128::from(self.max()) * u128::from(self.count) == u128::from(self.spread.sum) {
            return 0.0;
        }
        let square = |stretch: &Stretch| {
            let middle = stretch.start as f64 + (stretch.end - stretch.start) as f64 / 2.0;
            let apart = middle - mean;
            apart * apart * stretch.count as f64
        };
        (self.stretches.iter().map(square).sum::<f64>() / self.count.max(1) as f64).sqrt()
    }

    /// The buckets in ascending order: the smallest value of each, and how many values it has.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.stretches.iter().map(|stretch| (stretch.start, stretch.count))
    }

    /// The value at a percentile given in thousandths, by nearest rank; 0 when there was none.
    pub fn percentile(&self, thousandths: u32) -> u64 {
        let rank = (u128::from(self.count) * u128::from(thousandths)).div_ceil(100_000).max(1);
        let mut seen = 0;
        for stretch in &self.stretches {
            seen += u128::from(stretch.count);
            if seen >= rank {
                return stretch.end.clamp(self.min(), self.max());
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
        Quantiles::of_runs(self.spread, &self.runs())
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
    /// An empty one that counts in a dense array from the first value on: for what many keys amount to together.
    pub fn dense() -> Self {
        Self { values: Values::Dense(Vec::new()), ..Self::default() }
    }

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
        **runs = joined(runs, others);
    }

    /// Adds what another took in, one value or bucket after the other: of use for a dense one.
    pub fn add_all(&mut self, other: &Self) {
        self.spread.merge(&other.spread);
        match &other.values {
            Values::Fresh(fresh) => fresh.iter().for_each(|bucket| self.count(*bucket)),
            Values::Dense(_) => other.latest().into_iter().for_each(|run| self.count_run(run)),
        }
        other.runs.iter().flat_map(|runs| runs.iter()).for_each(|run| self.count_run(*run));
    }

    fn count_run(&mut self, run: Run) {
        let Values::Dense(counts) = &mut self.values else { return self.join(&[run]) };
        let at = usize::from(run.bucket());
        if at >= counts.len() {
            self.make_room(run.bucket());
            return self.count_run(run);
        }
        match u64::from(counts[at]) + run.count() {
            sum if sum < u64::from(u32::MAX) => counts[at] = sum as u32,
            _ => self.join(&[run]),
        }
    }

    /// Adds what another took in.
    pub fn merge(&mut self, other: Self) {
        self.spread.merge(&other.spread);
        match (&mut self.values, &other.values) {
            (Values::Fresh(own), Values::Fresh(more)) if own.len() + more.len() <= FRESH => {
                own.extend_from_slice(more);
            }
            _ => self.join(&other.latest()),
        }
        match (&mut self.runs, other.runs) {
            (own @ None, runs) => *own = runs,
            (Some(_), runs) => self.join(runs.as_deref().map_or(&[], |runs| &runs[..])),
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
        Quantiles::of_runs(self.spread, settled.runs.as_deref().map_or(&[], |runs| &runs[..]))
    }
}

/// Two lists of ascending buckets in one.
fn joined(own: &[Run], others: &[Run]) -> Vec<Run> {
    let mut joined = Vec::with_capacity(own.len() + others.len());
    let (mut own, mut others) = (own, others);
    while let ([first, own_rest @ ..], [other, other_rest @ ..]) = (own, others) {
        joined.push(match first.bucket().cmp(&other.bucket()) {
            Ordering::Less => *first,
            Ordering::Greater => *other,
            Ordering::Equal => Run::new(first.bucket(), first.count() + other.count()),
        });
        own = if first.bucket() <= other.bucket() { own_rest } else { own };
        others = if other.bucket() <= first.bucket() { other_rest } else { others };
    }
    joined.extend_from_slice(own);
    joined.extend_from_slice(others);
    joined
}

/// The histogram of durations, in microseconds, that are mostly whole milliseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Millis {
    spread: Spread,
    /// How many whole milliseconds there are in each bucket.
    counts: Vec<u64>,
    /// All others.
    odd: Option<Box<Sparse>>,
}

const MILLI: u64 = 1_000;

impl Millis {
    /// Takes in a duration.
    #[inline]
    pub fn add(&mut self, micros: u64) {
        self.spread.add(micros);
        let millis = micros / MILLI;
        if millis * MILLI != micros {
            return self.odd.get_or_insert_default().add(micros);
        }
        let bucket = usize::from(bucket(millis));
        match self.counts.get_mut(bucket) {
            Some(count) => *count += 1,
            None => self.grow(bucket),
        }
    }

    #[cold]
    fn grow(&mut self, bucket: usize) {
        self.counts.resize((bucket + 1).next_multiple_of(64), 0);
        self.counts[bucket] += 1;
    }

    /// Adds what another took in.
    pub fn merge(&mut self, other: &Self) {
        self.spread.merge(&other.spread);
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, more)| *own += more);
        if let Some(odd) = &other.odd {
            self.odd.get_or_insert_default().merge((**odd).clone());
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

    fn runs(&self) -> impl Iterator<Item = Run> {
        let counts = (0..=u16::MAX).zip(&self.counts).filter(|(_, count)| **count > 0);
        counts.map(|(bucket, count)| Run::new(bucket, *count))
    }

    /// What it says.
    pub fn quantiles(&self) -> Quantiles {
        match &self.odd {
            None => Quantiles::new(self.spread, self.runs().map(|run| Stretch::of(run, MILLI))),
            Some(odd) => {
                let mut all = Sparse { runs: odd.runs.clone(), ..Sparse::default() };
                all.join(&odd.latest());
                all.join(&self.runs().map(in_micros).collect::<Vec<_>>());
                Quantiles::of_runs(self.spread, all.runs.as_deref().map_or(&[], |runs| &runs[..]))
            }
        }
    }
}

/// A run of milliseconds as one of microseconds.
fn in_micros(run: Run) -> Run {
    Run::new(bucket(ends(run.bucket()).0.saturating_mul(MILLI)), run.count())
}

/// The histograms of very many keys, of which most have few values.
///
/// A value is a key of a [`Multiset`]: the symbol above, its bucket below. Counting one is writing eight bytes behind the ones
/// before, where a histogram a symbol is two or three misses of the cache. When there are more different ones than
/// [`MOST`], two neighbouring buckets become one, as often as it takes; how often depends on what was counted and not
/// on its order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PerKey {
    /// Whole milliseconds are counted as such, what is not has a bit of its own.
    pairs: Multiset,
    /// How often neighbouring buckets were put together.
    shift: u32,
    most: usize,
}

/// Some 64 MB: a hundred thousand paths with forty different times each.
const MOST: usize = 1 << 22;
const BUCKET_BITS: u32 = 16;
const ODD: u64 = 1 << BUCKET_BITS;
const SYMBOL: u32 = BUCKET_BITS + 1;

impl Default for PerKey {
    fn default() -> Self {
        Self { pairs: Multiset::default(), shift: 0, most: MOST }
    }
}

impl PerKey {
    /// Takes in a duration in microseconds of that symbol.
    #[inline]
    pub fn add(&mut self, symbol: Symbol, micros: u64) {
        let millis = micros / MILLI;
        let (odd, bucket) = match millis * MILLI == micros {
            true => (0, bucket(millis)),
            false => (ODD, bucket(micros)),
        };
        let key =
            u64::from(symbol.0) << SYMBOL | odd | u64::from(bucket) >> self.shift.min(BUCKET_BITS);
        if self.pairs.add(key) {
            self.fit();
        }
    }

    fn fit(&mut self) {
        self.pairs.settle();
        while self.pairs.distinct() > self.most && self.shift < BUCKET_BITS {
            self.widen_to(self.shift + 1);
        }
    }

    fn widen_to(&mut self, shift: u32) {
        let more = shift.min(BUCKET_BITS).saturating_sub(self.shift);
        if more == 0 {
            return;
        }
        self.pairs.rename(|key| {
            let bucket = key & (ODD - 1);
            key - bucket + (bucket >> more)
        });
        self.shift += more;
    }

    /// Adds what another took in; `rename` says how its symbols are called here.
    pub fn merge(&mut self, mut other: Self, rename: impl Fn(Symbol) -> Symbol) {
        let shift = self.shift.max(other.shift);
        self.widen_to(shift);
        other.widen_to(shift);
        other.pairs.rename(|key| {
            let symbol = rename(Symbol((key >> SYMBOL) as u32));
            u64::from(symbol.0) << SYMBOL | key & (2 * ODD - 1)
        });
        self.pairs.merge(other.pairs);
        self.fit();
    }

    /// Puts together what was counted: ask for quantiles afterwards.
    pub fn settle(&mut self) {
        self.fit();
    }

    /// What is known of these symbols together, of which the sum and the largest value are known better.
    pub fn quantiles(&self, symbols: &[Symbol], sum: u64, max: u64) -> Quantiles {
        let of = |symbol: &Symbol| {
            let start = u64::from(symbol.0) << SYMBOL;
            self.pairs
                .range(start..start + 2 * ODD)
                .iter()
                .map(move |(key, count)| (key - start, *count))
        };
        let mut stretches: Vec<Stretch> =
            symbols.iter().flat_map(of).map(|(key, count)| self.stretch(key, count)).collect();
        stretches.sort_unstable_by_key(|stretch| (stretch.start, stretch.end));
        let min = stretches.first().map_or(u64::MAX, |stretch| stretch.start);
        Quantiles::new(Spread { min, max, sum }, stretches.into_iter())
    }

    fn stretch(&self, key: u64, count: u64) -> Stretch {
        let unit = if key & ODD == 0 { MILLI } else { 1 };
        let shift = self.shift.min(BUCKET_BITS);
        let first = ((key & (ODD - 1)) << shift).min(u64::from(u16::MAX));
        let last = (first + (1 << shift) - 1).min(u64::from(u16::MAX));
        let start = ends(first as u16).0.saturating_mul(unit);
        Stretch { start, end: upper_end(last as u16).saturating_mul(unit).max(start), count }
    }

    /// True when neighbouring buckets were put together, so that values are known less well.
    pub fn is_coarse(&self) -> bool {
        self.shift > 0
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

    /// Sixty requests of twenty minutes each deviated by 131 ms: half a bucket.
    #[test]
    fn values_that_are_the_same_do_not_deviate() {
        let mut histogram = Histogram::default();
        (0..60).for_each(|_| histogram.add(1_234_567_000));
        assert_eq!(histogram.quantiles().deviation(), 0.0);
        let mut keys = PerKey::default();
        (0..2).for_each(|_| keys.add(Symbol(3), 1_234_567));
        keys.settle();
        assert_eq!(keys.quantiles(&[Symbol(3)], 2 * 1_234_567, 1_234_567).deviation(), 0.0);
    }

    #[test]
    fn whole_milliseconds_are_known_to_the_millisecond() {
        let mut millis = Millis::default();
        [9_000, 9_000, 1_999_000, 0].into_iter().for_each(|micros| millis.add(micros));
        let found = millis.quantiles();
        assert_eq!([25_000, 50_000, 100_000].map(|of| found.percentile(of)), [0, 9_000, 1_999_000]);
        assert_eq!((found.count(), found.sum()), (4, 2_017_000));
    }

    fn per_key(values: &[(u32, u64)]) -> PerKey {
        let mut keyed = PerKey { most: 40, ..PerKey::default() };
        values.iter().for_each(|(symbol, value)| keyed.add(Symbol(*symbol), *value));
        keyed
    }

    fn told(mut keyed: PerKey) -> Vec<Quantiles> {
        keyed.settle();
        (0..4).map(|symbol| keyed.quantiles(&[Symbol(symbol)], 7, u64::MAX)).collect()
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
        fn milliseconds_and_others_together_are_near(
            values in prop::collection::vec(0..9_000_000_u64, 1..300),
            whole in prop::collection::vec(0..90_000_u64, 1..300),
        ) {
            let values: Vec<u64> = values.into_iter().chain(whole.into_iter().map(|n| n * 1_000)).collect();
            let (left, right) = values.split_at(values.len() / 3);
            let of = |values: &[u64]| {
                let mut millis = Millis::default();
                values.iter().for_each(|value| millis.add(*value));
                millis
            };
            let mut joined = of(left);
            joined.merge(&of(right));
            prop_assert_eq!(joined.quantiles(), of(&values).quantiles());
            for (thousandths, _) in PERCENTILES {
                let (found, plain) = (joined.quantiles().percentile(thousandths), expected(&values, thousandths));
                prop_assert!(found.abs_diff(plain) as f64 <= plain as f64 / 500.0, "{} {}", found, plain);
            }
        }

        #[test]
        fn the_times_of_many_keys_merge_and_agree_with_those_of_one(
            values in prop::collection::vec((0..4_u32, 0..3_000_u64), 1..200),
            cut in 0..200_usize,
        ) {
            let values: Vec<(u32, u64)> = values.into_iter().map(|(key, n)| (key, n * 500)).collect();
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut joined = per_key(left);
            joined.merge(per_key(right), |symbol| symbol);
            prop_assert_eq!(told(joined), told(per_key(&values)));
            let mut roomy = PerKey::default();
            values.iter().for_each(|(symbol, value)| roomy.add(Symbol(*symbol), *value));
            roomy.settle();
            for symbol in 0..4 {
                let own: Vec<u64> =
                    values.iter().filter(|(key, _)| *key == symbol).map(|(_, value)| *value).collect();
                if let Some(max) = own.iter().max() {
                    let found = roomy.quantiles(&[Symbol(symbol)], own.iter().sum(), *max);
                    for (thousandths, _) in PERCENTILES {
                        let plain = expected(&own, thousandths);
                        prop_assert!(
                            found.percentile(thousandths).abs_diff(plain) as f64 <= plain as f64 / 500.0
                        );
                    }
                }
            }
        }

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

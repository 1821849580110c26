//! Chance: a stream of random bits that a seed settles, and the tables that shape it.
//!
//! Curves (Zipf, log-normal, exponential) are computed once, rounded to integers and then only looked up. That makes
//! a draw cost a few nanoseconds, and hides the last-digit differences between mathematics libraries, so that a seed
//! gives the same bytes on every platform.

use rand_xoshiro::rand_core::{Rng, SeedableRng};
use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus};

/// A stream of random bits.
#[derive(Debug, Clone)]
pub(super) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    /// The stream of that number among those that belong to `seed`.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let base = SplitMix64::seed_from_u64(seed).next_u64();
        Self(Xoshiro256PlusPlus::seed_from_u64(base.wrapping_add(stream)))
    }

    /// 64 fresh bits. Several small draws may be cut from one call.
    #[inline]
    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `limit`, which is above zero. The bias (`limit` / 2³²) does not matter to a log.
    #[inline]
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(limit)) >> 32) as u32
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// True `parts` times in 10,000.
    #[inline]
    pub(super) fn chance(&mut self, parts: u32) -> bool {
        self.below(10_000) < parts
    }

    /// One of `from`, which is not empty.
    #[inline]
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u32) as usize]
    }
}

/// Draws an index by weight in constant time: Walker's alias method, with the table built as Vose proposed
/// ("A linear algorithm for generating random numbers with a given distribution", 1991).
#[derive(Debug)]
pub(super) struct Weighted {
    columns: Vec<Column>,
}

/// One column of the alias table: its own index below `cut` (of 2³²), the other one above.
#[derive(Debug, Clone, Copy)]
struct Column {
    cut: u32,
    other: u32,
}

impl Weighted {
    /// A table for these weights, of which there is at least one above zero.
    pub(super) fn new(weights: &[f64]) -> Self {
        let scale = weights.len() as f64 / weights.iter().sum::<f64>();
        let mut rest: Vec<f64> = weights.iter().map(|weight| weight * scale).collect();
        let mut columns: Vec<Column> =
            (0..weights.len() as u32).map(|own| Column { cut: u32::MAX, other: own }).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..weights.len() as u32).partition(|&at| rest[at as usize] < 1.0);
        while let (Some(&low), Some(&high)) = (small.last(), large.last()) {
            small.pop();
            let share = rest[low as usize];
            columns[low as usize] = Column { cut: (share * 4_294_967_296.0) as u32, other: high };
            rest[high as usize] -= 1.0 - share;
            if rest[high as usize] < 1.0 {
                large.pop();
                small.push(high);
            }
        }
        Self { columns }
    }

    /// Weights that fall as 1 / (rank + `shift`): Zipf's law with Mandelbrot's shift, which flattens the head.
    pub(super) fn zipf(count: u32, shift: f64) -> Self {
        let weights: Vec<f64> = (0..count).map(|rank| 1.0 / (f64::from(rank) + shift)).collect();
        Self::new(&weights)
    }

    /// The index that these 64 bits stand for.
    #[inline]
    pub(super) fn at(&self, bits: u64) -> usize {
        let index = (((bits >> 32) * self.columns.len() as u64) >> 32) as usize;
        let column = self.columns[index];
        if (bits as u32) < column.cut { index } else { column.other as usize }
    }
}

/// The fineness of a [`Curve`]: a power of two, so that bits index it.
const STEPS: usize = 4096;

/// A distribution as the table of its quantiles, in 65,536ths.
#[derive(Debug)]
pub(super) struct Curve(Box<[u32; STEPS]>);

impl Curve {
    /// Log-normal with median 1.
    pub(super) fn log_normal(sigma: f64) -> Self {
        Self::of(|share| (sigma * normal_quantile(share)).exp())
    }

    /// Exponential with mean 1: the gaps between events that know nothing of each other.
    pub(super) fn exponential() -> Self {
        Self::of(|share| -(1.0 - share).ln())
    }

    fn of(quantile: impl Fn(f64) -> f64) -> Self {
        let mut table = Box::new([0; STEPS]);
        for (step, cell) in table.iter_mut().enumerate() {
            let share = (step as f64 + 0.5) / STEPS as f64;
            *cell = (quantile(share) * 65_536.0).round() as u32;
        }
        Self(table)
    }

    /// The quantile that the low twelve bits stand for, in 65,536ths.
    #[inline]
    pub(super) fn raw(&self, bits: u64) -> u32 {
        self.0[bits as usize % STEPS]
    }

    /// `median` times the quantile that the low twelve bits stand for.
    #[inline]
    pub(super) fn scale(&self, median: u64, bits: u64) -> u64 {
        (median * u64::from(self.raw(bits))) >> 16
    }
}

/// The quantile of the normal distribution by Tukey's lambda, right to a hundredth between 1/8192 and its mirror
/// (Joiner and Rosenblatt, "Some properties of the range in samples from Tukey's symmetric lambda distributions", 1971).
fn normal_quantile(share: f64) -> f64 {
    const LAMBDA: f64 = 0.1349;
    (share.powf(LAMBDA) - (1.0 - share).powf(LAMBDA)) / 0.1975
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_settled_by_seed_and_number() {
        let draws = |seed, stream| {
            let mut dice = Dice::new(seed, stream);
            [dice.bits(), dice.bits()]
        };
        assert_eq!(draws(1, 2), draws(1, 2));
        assert_ne!(draws(1, 2), draws(1, 3));
        assert_ne!(draws(1, 2), draws(2, 2));
    }

    #[test]
    fn weights_come_out_as_shares() {
        let weights = [5.0, 0.0, 1.0, 2.0, 2.0];
        let table = Weighted::new(&weights);
        let mut dice = Dice::new(7, 0);
        let mut seen = [0_u32; 5];
        for _ in 0..100_000 {
            seen[table.at(dice.bits())] += 1;
        }
        for (count, weight) in seen.iter().zip(weights) {
            assert!((f64::from(*count) - weight * 10_000.0).abs() < 600.0, "{seen:?}");
        }
    }

    #[test]
    fn curves_have_the_middle_and_the_mean_they_promise() {
        assert!(Curve::log_normal(1.5).raw(STEPS as u64 / 2).abs_diff(65_536) < 100);
        let gaps = Curve::exponential();
        let sum: u64 = (0..STEPS as u64).map(|step| u64::from(gaps.raw(step))).sum();
        assert!((sum / STEPS as u64).abs_diff(65_536) < 100);
    }
}

//! When things happen: the span of a log, its daily rhythm, its bursts, and the instants of the units in a chunk.
//!
//! A unit is what a source makes from one instant (a request, a mail with all its lines). The clock turns the number
//! of a unit into its instant without knowing the units before it, so that chunks can be made in any order.

use super::dice::{Curve, Dice};

/// Microseconds in a second.
pub(super) const SECOND: i64 = 1_000_000;

/// How busy each hour of the day (UTC) is; between the hours it goes in a straight line.
const RHYTHM: [f64; 24] = [
    0.50, 0.40, 0.34, 0.30, 0.30, 0.36, 0.50, 0.72, 0.98, 1.18, 1.30, 1.34, 1.30, 1.28, 1.30, 1.30,
    1.28, 1.26, 1.32, 1.44, 1.50, 1.36, 1.04, 0.74,
];

/// A period in which something is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// The first instant, microseconds since 1970 UTC.
    pub(super) start: i64,
    /// The instant after the last.
    pub(super) end: i64,
}

/// One instant of a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Microseconds since 1970 UTC.
    pub(super) time: i64,
    /// The burst that is going on, counted from 0.
    pub(super) burst: Option<usize>,
}

/// Turns the number of a unit into an instant.
#[derive(Debug)]
pub(super) struct Clock {
    /// In order of time; the last one has no end and goes on at the mean rate.
    steps: Vec<Step>,
    gaps: Curve,
}

/// A stretch of constant rate.
#[derive(Debug)]
struct Step {
    /// The number of the first unit in it; may have a fraction.
    first: f64,
    start: i64,
    micros_per_unit: f64,
    burst: Option<usize>,
}

impl Clock {
    /// Spreads `units` units over `span` microseconds from `start`; inside a window the rate is `lift` times the usual.
    pub(super) fn new(start: i64, span: i64, units: f64, windows: &[Window], lift: f64) -> Self {
        let pieces = pieces(start, start + span, windows);
        let rate =
            |piece: &Piece| rhythm(piece.start) * if piece.burst.is_some() { lift } else { 1.0 };
        let mass = |piece: &Piece| rate(piece) * (piece.end - piece.start) as f64;
        let unit = pieces.iter().map(mass).sum::<f64>() / units;
        let mut first = 0.0;
        let mut steps = Vec::with_capacity(pieces.len() + 1);
        for piece in &pieces {
            let micros_per_unit = unit / rate(piece);
            steps.push(Step { first, start: piece.start, micros_per_unit, burst: piece.burst });
            first += mass(piece) / unit;
        }
        let micros_per_unit = span as f64 / units;
        steps.push(Step { first, start: start + span, micros_per_unit, burst: None });
        Self { steps, gaps: Curve::exponential() }
    }

    /// The instants of `count` units from number `first` on, in order. They fall as those of independent events do.
    pub(super) fn moments(&self, first: u64, count: u32, dice: &mut Dice) -> Moments<'_> {
        let dice = Dice::new(dice.bits(), 0);
        // The sum of the gaps is needed before the first of them can be placed: one run ahead on a copy of the stream.
        let mut ahead = dice.clone();
        let sum: u64 = (0..=count).map(|_| self.gap(&mut ahead)).sum();
        let first = first as f64;
        let step = self.steps.partition_point(|step| step.first <= first).max(1) - 1;
        let scale = f64::from(count) / sum as f64;
        Moments { clock: self, dice, step, first, scale, gone: 0, left: count }
    }

    fn gap(&self, dice: &mut Dice) -> u64 {
        // Never zero, so that the sum is none either.
        u64::from(self.gaps.raw(dice.bits())) + 1
    }
}

/// The instants of a chunk's units.
#[derive(Debug)]
pub(super) struct Moments<'c> {
    clock: &'c Clock,
    dice: Dice,
    step: usize,
    first: f64,
    scale: f64,
    gone: u64,
    left: u32,
}

impl Iterator for Moments<'_> {
    type Item = Moment;

    #[inline]
    fn next(&mut self) -> Option<Moment> {
        self.left = self.left.checked_sub(1)?;
        self.gone += self.clock.gap(&mut self.dice);
        let unit = self.first + self.gone as f64 * self.scale;
        let steps = &self.clock.steps;
        while steps.get(self.step + 1).is_some_and(|next| next.first <= unit) {
            self.step += 1;
        }
        let step = &steps[self.step];
        let mut time = step.start + ((unit - step.first) * step.micros_per_unit) as i64;
        if let Some(next) = steps.get(self.step + 1) {
            time = time.min(next.start - 1);
        }
        Some(Moment { time, burst: step.burst })
    }
}

struct Piece {
    start: i64,
    end: i64,
    burst: Option<usize>,
}

/// The span cut where the rate changes: every ten minutes (longer in very long logs) and at the ends of the windows.
fn pieces(start: i64, end: i64, windows: &[Window]) -> Vec<Piece> {
    let length = (600 * SECOND).max((end - start) / 100_000);
    let mut cuts: Vec<i64> = (0..).map(|n| start + n * length).take_while(|&at| at < end).collect();
    cuts.extend(windows.iter().flat_map(|window| [window.start, window.end]));
    cuts.push(end);
    cuts.sort_unstable();
    cuts.dedup();
    let burst = |at| windows.iter().position(|window| (window.start..window.end).contains(&at));
    cuts.windows(2)
        .map(|pair| Piece { start: pair[0], end: pair[1], burst: burst(pair[0]) })
        .collect()
}

/// How busy that instant is; 1 is usual.
fn rhythm(time: i64) -> f64 {
    let second = time.div_euclid(SECOND).rem_euclid(86_400);
    let (hour, part) = (second as usize / 3600, (second % 3600) as f64 / 3600.0);
    RHYTHM[hour] * (1.0 - part) + RHYTHM[(hour + 1) % 24] * part
}

/// Places `count` windows of 30 to 300 seconds in a span, one in each of as many equal parts, so that none meet. In a
/// short span they are shorter: a quarter of their part at most.
pub(super) fn place(start: i64, span: i64, count: u32, dice: &mut Dice) -> Vec<Window> {
    let part = span / i64::from(count.max(1));
    (0..i64::from(count))
        .map(|nth| {
            let length = (i64::from(dice.between(30, 300)) * SECOND).min(part / 4).max(1);
            let room = (part - length).max(1) as f64;
            let begin =
                start + nth * part + (room * f64::from(dice.below(1 << 20)) / 1_048_576.0) as i64;
            Window { start: begin, end: begin + length }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400 * SECOND;

    fn times(clock: &Clock, first: u64, count: u32) -> Vec<Moment> {
        clock.moments(first, count, &mut Dice::new(1, first)).collect()
    }

    #[test]
    fn time_never_goes_back_and_fills_the_span() {
        let windows = place(0, DAY, 3, &mut Dice::new(5, 0));
        let clock = Clock::new(0, DAY, 10_000.0, &windows, 4.0);
        let all: Vec<Moment> = (0..10).flat_map(|n| times(&clock, n * 1000, 1000)).collect();
        assert!(all.is_sorted_by_key(|moment| moment.time));
        assert!(all[0].time < 600 * SECOND && all[9_999].time > DAY - 600 * SECOND);
        assert!(all[9_999].time < DAY);
        for moment in all {
            let inside = |window: &Window| (window.start..window.end).contains(&moment.time);
            assert_eq!(moment.burst, windows.iter().position(inside));
        }
    }

    #[test]
    fn evenings_are_busier_than_nights() {
        let clock = Clock::new(0, DAY, 10_000.0, &[], 1.0);
        let hour = |moment: &Moment| moment.time / (3600 * SECOND);
        let all = times(&clock, 0, 10_000);
        let count = |wanted| all.iter().filter(|moment| hour(moment) == wanted).count();
        assert!(count(20) > 3 * count(3));
    }

    #[test]
    fn units_beyond_the_span_go_on_after_it() {
        let clock = Clock::new(0, DAY, 1000.0, &[], 1.0);
        assert!(times(&clock, 1000, 10).iter().all(|moment| moment.time >= DAY));
    }

    #[test]
    fn windows_do_not_meet() {
        for count in [1, 2, 50, 1000] {
            let windows = place(9, DAY, count, &mut Dice::new(3, 0));
            assert_eq!(windows.len(), count as usize);
            assert!(windows.windows(2).all(|pair| pair[0].end <= pair[1].start));
            assert!(
                windows.iter().all(|window| window.start < window.end && window.end <= 9 + DAY)
            );
        }
    }
}

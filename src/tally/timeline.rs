//! Counts per slot of time, in bounded memory, whatever the span and the order.
//!
//! Slots stand in pages; only pages in which something happened exist. Slots are a second wide at first. When there
//! are more pages than allowed the slots become wider, along a fixed ladder in which each width is a multiple of the
//! one before, so that widening loses nothing but resolution. The number of pages at a width grows with what is
//! counted and never shrinks; hence the final width is the first of the ladder at which the union fits, and neither
//! the order of records nor the order of merges changes it.

use std::collections::HashMap;
use std::ops::AddAssign;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

/// What may stand in a slot.
pub trait Sum: Clone + Default + PartialEq + for<'a> AddAssign<&'a Self> {}

impl<T: Clone + Default + PartialEq + for<'a> AddAssign<&'a T>> Sum for T {}

const SECOND: i64 = 1_000_000;

/// The widths of slots in seconds: each divides the next. At the last one the whole range of instants fits into a few
/// pages.
pub(super) const WIDTHS: [i64; 13] = [
    1,
    10,
    60,
    600,
    3_600,
    21_600,
    86_400,
    864_000,
    8_640_000,
    86_400_000,
    864_000_000,
    8_640_000_000,
    86_400_000_000,
];

/// How many slots a page has. A page of an empty log costs little, and a busy minute stands in one.
const PAGE: usize = 64;

/// Sums by slot of time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Saved<T>")]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: Sum + Deserialize<'de>"))]
pub struct Timeline<T> {
    most_pages: usize,
    rung: usize,
    /// Each with the number of its first slot divided by [`PAGE`], in the order in which they came.
    pages: Vec<(i64, Vec<T>)>,
    #[serde(skip)]
    index: HashMap<i64, usize, RandomState>,
    #[serde(skip)]
    cursor: Cursor,
}

/// The slot of the record before, which mostly is that of the next one too.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    start: i64,
    /// 0 while there is no slot to point to.
    width: u64,
    page: usize,
    slot: usize,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { start: i64::MIN, width: 0, page: 0, slot: 0 }
    }
}

/// As read from a state, not yet believed.
#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
struct Saved<T> {
    most_pages: usize,
    rung: usize,
    pages: Vec<(i64, Vec<T>)>,
}

impl<T: Sum> TryFrom<Saved<T>> for Timeline<T> {
    type Error = &'static str;

    fn try_from(saved: Saved<T>) -> Result<Self, Self::Error> {
        let Saved { most_pages, rung, pages } = saved;
        let index: HashMap<_, _, _> =
            pages.iter().enumerate().map(|(at, (number, _))| (*number, at)).collect();
        let sound = rung < WIDTHS.len()
            && most_pages > 0
            && index.len() == pages.len()
            && pages.iter().all(|(_, slots)| slots.len() == PAGE);
        if !sound {
            return Err("a timeline is damaged");
        }
        Ok(Self { most_pages, rung, pages, index, cursor: Cursor::default() })
    }
}

impl<T: Sum> Timeline<T> {
    /// An empty one of at most so many slots.
    pub fn new(most_slots: usize) -> Self {
        let most_pages = (most_slots / PAGE).max(1);
        Self {
            most_pages,
            rung: 0,
            pages: Vec::new(),
            index: HashMap::default(),
            cursor: Cursor::default(),
        }
    }

    /// The slot of an instant (microseconds since 1970 UTC).
    #[inline] // The hot path is two comparisons.
    pub fn at(&mut self, instant: i64) -> &mut T {
        self.seek(instant);
        &mut self.pages[self.cursor.page].1[self.cursor.slot]
    }

    /// Where the slot of an instant begins, and how wide it is, in microseconds.
    #[inline]
    pub fn seek(&mut self, instant: i64) -> (i64, u64) {
        if instant.wrapping_sub(self.cursor.start) as u64 >= self.cursor.width {
            self.find(instant);
        }
        (self.cursor.start, self.cursor.width)
    }

    /// The width of a slot in microseconds.
    pub fn width(&self) -> i64 {
        WIDTHS[self.rung] * SECOND
    }

    /// True when nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    fn find(&mut self, instant: i64) {
        loop {
            let slot = instant.div_euclid(self.width());
            let number = slot.div_euclid(PAGE as i64);
            if let Some(page) = self.page(number) {
                let start = slot.saturating_mul(self.width());
                let slot = slot.rem_euclid(PAGE as i64) as usize;
                self.cursor = Cursor { start, width: self.width() as u64, page, slot };
                return;
            }
            self.widen();
        }
    }

    /// Where the page of that number stands, made if it may be.
    fn page(&mut self, number: i64) -> Option<usize> {
        let same = self.pages.get(self.cursor.page).is_some_and(|(found, _)| *found == number);
        if same {
            return Some(self.cursor.page);
        }
        if let Some(at) = self.index.get(&number) {
            return Some(*at);
        }
        // The last width takes as many pages as it needs: a handful.
        if self.pages.len() >= self.most_pages && self.rung + 1 < WIDTHS.len() {
            return None;
        }
        self.index.insert(number, self.pages.len());
        self.pages.push((number, vec![T::default(); PAGE]));
        Some(self.pages.len() - 1)
    }

    fn widen(&mut self) {
        let slots = self.slots();
        self.rung += 1;
        self.pages.clear();
        self.index.clear();
        self.cursor = Cursor::default();
        slots.iter().for_each(|(instant, sum)| *self.at(*instant) += sum);
    }

    /// The slots in which something was counted, with the instants at which they begin, in order of time.
    pub fn slots(&self) -> Vec<(i64, T)> {
        let (width, empty) = (self.width(), T::default());
        let mut slots = Vec::new();
        for (number, page) in &self.pages {
            let first = number.saturating_mul(PAGE as i64);
            let filled = page.iter().enumerate().filter(|(_, sum)| **sum != empty);
            slots.extend(filled.map(|(at, sum)| {
                (first.saturating_add(at as i64).saturating_mul(width), sum.clone())
            }));
        }
        slots.sort_unstable_by_key(|(instant, _)| *instant);
        slots
    }

    /// Adds what another counted.
    pub fn merge(&mut self, mut other: Self) {
        if other.rung > self.rung {
            std::mem::swap(self, &mut other);
        }
        other.slots().iter().for_each(|(instant, sum)| *self.at(*instant) += sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counted(instants: &[i64]) -> Timeline<u64> {
        let mut timeline = Timeline::new(4 * PAGE);
        instants.iter().for_each(|instant| *timeline.at(*instant) += 1);
        timeline
    }

    #[test]
    fn seconds_at_first() {
        let timeline = counted(&[0, 999_999, 1_000_000, -1]);
        assert_eq!(timeline.slots(), [(-SECOND, 1), (0, 2), (SECOND, 1)]);
        assert_eq!(timeline.width(), SECOND);
    }

    #[test]
    fn wider_when_there_is_more() {
        let instants: Vec<i64> = (0..1000).map(|n| n * SECOND).collect();
        let timeline = counted(&instants);
        assert_eq!(timeline.width(), 10 * SECOND);
        assert!(timeline.slots().iter().all(|(_, count)| *count == 10));
    }

    #[test]
    fn the_whole_range_of_instants_fits() {
        let instants: Vec<i64> = (-40..40).map(|n| n * (i64::MAX / 41)).collect();
        let timeline = counted(&[&instants[..], &[i64::MIN, i64::MAX]].concat());
        assert_eq!(timeline.slots().iter().map(|(_, count)| count).sum::<u64>(), 82);
    }

    proptest! {
        #[test]
        fn order_and_grouping_change_nothing(
            mut instants in prop::collection::vec(-3_000 * SECOND..3_000_000 * SECOND, 0..60),
            cut in 0..60_usize,
        ) {
            let whole = counted(&instants);
            let (left, right) = instants.split_at(cut.min(instants.len()));
            let (mut joined, mut turned) = (counted(left), counted(right));
            joined.merge(counted(right));
            turned.merge(counted(left));
            instants.reverse();
            for other in [joined, turned, counted(&instants)] {
                prop_assert_eq!(other.width(), whole.width());
                prop_assert_eq!(other.slots(), whole.slots());
            }
        }

        #[test]
        fn read_back_it_goes_on(instants in prop::collection::vec(0..90_000 * SECOND, 1..40)) {
            let bytes = postcard::to_stdvec(&counted(&instants)).unwrap();
            let mut back: Timeline<u64> = postcard::from_bytes(&bytes).unwrap();
            instants.iter().for_each(|instant| *back.at(*instant) += 1);
            let twice: Vec<i64> = instants.iter().chain(&instants).copied().collect();
            prop_assert_eq!(back.slots(), counted(&twice).slots());
        }
    }
}

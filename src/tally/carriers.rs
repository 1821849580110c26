//! Which keys were counted when: for the question what a burst was made of.
//!
//! Counts by slot of time and key, in bounded memory. Keys are appended to their slot and put together when there are
//! many, so that counting costs a few nanoseconds. When more different pairs of slot and key are there than allowed,
//! the slots become wider, along the ladder of [`super::timeline`]; what is counted stays exact, only when it was becomes
//! vaguer. A pair takes eight bytes, and its count ends at four thousand millions. As there, the final width depends on the union of what was counted and not on its order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::timeline::WIDTHS;

const SECOND: i64 = 1_000_000;

/// Counts by slot and key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Carriers {
    most: usize,
    rung: usize,
    slots: BTreeMap<i64, Slot>,
    /// How many keys wait in all slots together.
    fresh: usize,
    /// The latest instants and keys: those that follow each other mostly fall into the same slot, which is then looked
    /// up once.
    pending: Vec<(i64, u32)>,
}

const MOST_PENDING: usize = 1 << 12;
/// What part of the pairs that are allowed may wait as keys.
const MOST_FRESH: usize = 4;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Slot {
    /// Ascending by key.
    counted: Vec<(u32, u32)>,
    fresh: Vec<u32>,
}

impl Slot {
    fn settle(&mut self) {
        self.fresh.sort_unstable();
        let same = self.fresh.chunk_by(|a, b| a == b);
        self.counted.extend(same.map(|same| (same[0], same.len() as u32)));
        self.fresh = Vec::new();
        self.join();
    }

    fn join(&mut self) {
        // Stable, because that finds the parts which are in order already.
        self.counted.sort_by_key(|(key, _)| *key);
        self.counted.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            kept.1 = kept.1.saturating_add(if same { later.1 } else { 0 });
            same
        });
        self.counted.shrink_to_fit();
    }
}

impl Carriers {
    /// An empty one of at most so many pairs of slot and key.
    pub fn new(most: usize) -> Self {
        Self { most, rung: 0, slots: BTreeMap::new(), fresh: 0, pending: Vec::new() }
    }

    /// The width of a slot in microseconds.
    pub fn width(&self) -> i64 {
        WIDTHS[self.rung.min(WIDTHS.len() - 1)] * SECOND
    }

    /// Counts a key at an instant (microseconds since 1970 UTC).
    #[inline]
    pub fn add(&mut self, instant: i64, key: u32) {
        self.pending.push((instant, key));
        if self.pending.len() >= MOST_PENDING {
            self.sort_in();
        }
    }

    /// Hands what is pending to its slots.
    fn sort_in(&mut self) {
        let width = self.width();
        let mut pending = std::mem::take(&mut self.pending);
        let mut rest = &pending[..];
        while let Some((first, _)) = rest.first() {
            let number = first.div_euclid(width);
            let start = number.wrapping_mul(width);
            let is_in_slot =
                |(instant, _): &&(i64, u32)| (instant.wrapping_sub(start) as u64) < width as u64;
            let (same, others) = rest.split_at(rest.iter().take_while(is_in_slot).count());
            let keys = same.iter().map(|(_, key)| *key);
            self.slots.entry(number).or_default().fresh.extend(keys);
            rest = others;
        }
        self.fresh += pending.len();
        pending.clear();
        self.pending = pending;
        if self.fresh > self.most / MOST_FRESH {
            self.put_together();
        }
    }

    /// Puts together what waits, and widens until everything fits.
    pub fn settle(&mut self) {
        self.sort_in();
        self.put_together();
    }

    fn put_together(&mut self) {
        self.slots.values_mut().filter(|slot| !slot.fresh.is_empty()).for_each(Slot::settle);
        self.fresh = 0;
        while self.pairs() > self.most && self.rung + 1 < WIDTHS.len() {
            self.widen_to(self.rung + 1);
        }
    }

    fn pairs(&self) -> usize {
        self.slots.values().map(|slot| slot.counted.len()).sum()
    }

    fn widen_to(&mut self, rung: usize) {
        if rung == self.rung {
            return;
        }
        let times = WIDTHS[rung.min(WIDTHS.len() - 1)] * SECOND / self.width();
        self.rung = rung;
        for (number, slot) in std::mem::take(&mut self.slots) {
            let wide = self.slots.entry(number.div_euclid(times)).or_default();
            wide.counted.extend(slot.counted);
            wide.fresh.extend(slot.fresh);
        }
        self.slots.values_mut().for_each(Slot::join);
    }

    /// Adds what another counted, its keys under other names.
    pub fn merge(&mut self, mut other: Self, rename: impl Fn(u32) -> u32) {
        other.settle();
        self.settle();
        let rung = self.rung.max(other.rung);
        self.widen_to(rung);
        other.widen_to(rung);
        for (number, slot) in other.slots {
            let own = self.slots.entry(number).or_default();
            let known = own.counted.len();
            own.counted.extend(slot.counted.into_iter().map(|(key, count)| (rename(key), count)));
            own.counted[known..].sort_unstable_by_key(|(key, _)| *key);
            own.join();
        }
        self.settle();
    }

    /// All counts, with the instants at which their slots begin, in order of time. Settle first.
    pub fn iter(&self) -> impl Iterator<Item = (i64, u32, u64)> {
        let width = self.width();
        self.slots.iter().flat_map(move |(number, slot)| {
            let start = number.saturating_mul(width);
            slot.counted.iter().map(move |(key, count)| (start, *key, u64::from(*count)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counted(events: &[(i64, u32)]) -> Carriers {
        let mut carriers = Carriers::new(16);
        events.iter().for_each(|(second, key)| carriers.add(second * SECOND, *key));
        carriers
    }

    fn listed(mut carriers: Carriers) -> (i64, Vec<(i64, u32, u64)>) {
        carriers.settle();
        (carriers.width(), carriers.iter().collect())
    }

    #[test]
    fn counts_by_slot() {
        let (width, counts) = listed(counted(&[(0, 7), (0, 7), (3, 1), (9, 7)]));
        assert_eq!(width, SECOND);
        assert_eq!(counts, [(0, 7, 2), (3 * SECOND, 1, 1), (9 * SECOND, 7, 1)]);
    }

    #[test]
    fn the_ends_of_time_have_slots_too() {
        let mut carriers = Carriers::new(16);
        let instants = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX];
        instants.iter().for_each(|instant| carriers.add(*instant, 3));
        let counts: Vec<u64> = listed(carriers).1.iter().map(|(_, _, count)| *count).collect();
        assert_eq!(counts, [2, 1, 1, 1]);
    }

    proptest! {
        #[test]
        fn order_and_grouping_change_nothing(
            mut events in prop::collection::vec((-500..100_000_i64, 0..9_u32), 0..120),
            cut in 0..120_usize,
        ) {
            let whole = listed(counted(&events));
            let (left, right) = events.split_at(cut.min(events.len()));
            let mut joined = counted(left);
            joined.merge(counted(right), |key| key);
            let mut turned = counted(right);
            turned.merge(counted(left), |key| key);
            prop_assert_eq!(&listed(joined), &whole);
            prop_assert_eq!(&listed(turned), &whole);
            events.reverse();
            prop_assert_eq!(&listed(counted(&events)), &whole);
        }
    }
}

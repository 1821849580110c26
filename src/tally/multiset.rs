//! How often each of very many keys came, when most of them come seldom.
//!
//! Keys are written one behind the other and put together when there are many, by sorting. Counting one is then eight
//! bytes in sequence, and the sorting some ten nanoseconds a key; a hash table would cost a miss of the cache each time.
//! The more is counted already, the more keys wait before they are put together, so that joining them with the rest costs the same a key
//! however long the log.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Keys with their counts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Multiset {
    /// In the order in which they came.
    fresh: Vec<u64>,
    /// Ascending by key.
    counted: Vec<(u64, u64)>,
    /// Room to sort in: memory that the system hands out anew each time costs more than the sorting.
    #[serde(skip)]
    room: Vec<u64>,
}

/// As read from a state, not yet believed.
#[derive(Deserialize)]
struct Saved {
    fresh: Vec<u64>,
    counted: Vec<(u64, u64)>,
}

impl TryFrom<Saved> for Multiset {
    type Error = &'static str;

    fn try_from(saved: Saved) -> Result<Self, Self::Error> {
        let Saved { fresh, counted } = saved;
        match counted.is_sorted_by(|before, after| before.0 < after.0) {
            true => Ok(Self { fresh, counted, room: Vec::new() }),
            false => Err("a table of counts is damaged"),
        }
    }
}

/// So many keys wait at least: two megabytes.
const FRESH: usize = 1 << 18;
/// So few are sorted by comparing them.
const FEW: usize = 1 << 10;

impl Multiset {
    /// Counts a key; true when it is time to [settle](Self::settle).
    #[inline]
    #[must_use]
    pub fn add(&mut self, key: u64) -> bool {
        self.fresh.push(key);
        self.fresh.len() >= FRESH && self.fresh.len() > self.counted.len() / 2
    }

    /// Puts together what waits.
    pub fn settle(&mut self) {
        sort(&mut self.fresh, &mut self.room, |key| *key);
        let same = || self.fresh.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64));
        join(&mut self.counted, same);
        self.fresh.clear();
    }

    /// Adds what another counted.
    pub fn merge(&mut self, mut other: Self) {
        self.settle();
        other.settle();
        join(&mut self.counted, || other.counted.iter().copied());
    }

    /// Gives all keys other names; those that are then the same become one.
    pub fn rename(&mut self, name: impl Fn(u64) -> u64) {
        self.fresh.iter_mut().for_each(|key| *key = name(*key));
        self.counted.iter_mut().for_each(|(key, _)| *key = name(*key));
        sort(&mut self.counted, &mut Vec::new(), |(key, _)| *key);
        self.counted.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            kept.1 += if same { later.1 } else { 0 };
            same
        });
    }

    /// Forgets the keys that are not to be kept.
    pub fn retain(&mut self, is_kept: impl Fn(u64) -> bool) {
        self.fresh.retain(|key| is_kept(*key));
        self.counted.retain(|(key, _)| is_kept(*key));
    }

    /// Forgets all but the first so many keys; says how often the others had come. Settle first.
    pub fn truncate(&mut self, most: usize) -> u64 {
        let forgotten = self.counted.get(most..).unwrap_or_default();
        let count = forgotten.iter().map(|(_, count)| count).sum();
        self.counted.truncate(most);
        count
    }

    /// How many different keys were put together.
    pub fn distinct(&self) -> usize {
        self.counted.len()
    }

    /// All keys with their counts, ascending. Settle first.
    pub fn counts(&self) -> &[(u64, u64)] {
        &self.counted
    }

    /// The keys of a range with their counts, ascending. Settle first.
    pub fn range(&self, keys: Range<u64>) -> &[(u64, u64)] {
        let place = |wanted: u64| self.counted.partition_point(|(key, _)| *key < wanted);
        self.counted.get(place(keys.start)..place(keys.end)).unwrap_or_default()
    }
}

/// Adds others, ascending as well. From the back, so that each key moves once and no second array is needed.
fn join<I>(own: &mut Vec<(u64, u64)>, others: impl Fn() -> I)
where
    I: DoubleEndedIterator<Item = (u64, u64)>,
{
    let mut from = own.len();
    own.resize(from + new_ones(own, others()), (0, 0));
    let mut to = own.len();
    for (key, count) in others().rev() {
        while from > 0 && own[from - 1].0 > key {
            (from, to) = (from - 1, to - 1);
            own[to] = own[from];
        }
        let is_known = from > 0 && own[from - 1].0 == key;
        from -= usize::from(is_known);
        to -= 1;
        own[to] = (key, count + if is_known { own[from].1 } else { 0 });
    }
}

/// How many of the others are not there yet.
fn new_ones(own: &[(u64, u64)], others: impl Iterator<Item = (u64, u64)>) -> usize {
    let mut own = own.iter().map(|(key, _)| *key).peekable();
    let is_new = |(key, _): &(u64, u64)| {
        while own.next_if(|own| own < key).is_some() {}
        own.peek() != Some(key)
    };
    others.filter(is_new).count()
}

const DIGIT: u32 = 11;
const DIGITS: usize = 1 << DIGIT;

/// Sorts by the digits of the keys, the lowest first; digits that all keys share are left out. What stands in `room` is
/// overwritten.
fn sort<T: Copy>(items: &mut Vec<T>, room: &mut Vec<T>, key: impl Fn(&T) -> u64) {
    if items.len() <= FEW {
        return items.sort_unstable_by_key(key);
    }
    let first = key(&items[0]);
    let differing = items.iter().fold(0, |bits, item| bits | (key(item) ^ first));
    room.clone_from(items);
    for shift in (0..u64::BITS).step_by(DIGIT as usize) {
        if differing >> shift & (DIGITS as u64 - 1) != 0 {
            sort_by_digit(items, room, |item| (key(item) >> shift) as usize & (DIGITS - 1));
            std::mem::swap(items, room);
        }
    }
}

fn sort_by_digit<T: Copy>(from: &[T], to: &mut [T], digit: impl Fn(&T) -> usize) {
    let mut places = [0_usize; DIGITS];
    from.iter().for_each(|item| places[digit(item)] += 1);
    let mut start = 0;
    for place in &mut places {
        start += std::mem::replace(place, start);
    }
    for item in from {
        let place = &mut places[digit(item)];
        to[*place] = *item;
        *place += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counted(keys: &[u64]) -> Multiset {
        let mut multiset = Multiset::default();
        for key in keys {
            if multiset.add(*key) {
                multiset.settle();
            }
        }
        multiset
    }

    fn plain(keys: &[u64]) -> Vec<(u64, u64)> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64)).collect()
    }

    #[test]
    fn many_are_put_together_now_and_then() {
        let keys: Vec<u64> = (0..FRESH as u64 + 5_000)
            .map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 50)
            .collect();
        let mut found = counted(&keys);
        assert!(found.distinct() > 0 && found.fresh.len() < 6_000);
        found.settle();
        assert_eq!(found.counts(), plain(&keys));
    }

    #[test]
    fn damaged_ones_are_refused() {
        let mut multiset = counted(&[1, 2, 2]);
        multiset.settle();
        let read = |multiset: &Multiset| {
            postcard::from_bytes::<Multiset>(&postcard::to_stdvec(multiset).unwrap()).ok()
        };
        assert_eq!(read(&multiset).unwrap().counts(), [(1, 1), (2, 2)]);
        multiset.counted.reverse();
        assert!(read(&multiset).is_none());
    }

    proptest! {
        #[test]
        fn counts_as_sorting_does(
            keys in prop::collection::vec(any::<u64>().prop_map(|key| key & 0xF00F_0000_F00F), 0..3_000),
            cut in 0..3_000_usize,
        ) {
            let (left, right) = keys.split_at(cut.min(keys.len()));
            let mut joined = counted(left);
            joined.merge(counted(right));
            prop_assert_eq!(joined.counts(), &plain(&keys)[..]);
            let half: Vec<u64> = keys.iter().map(|key| key & 0xF).collect();
            joined.rename(|key| key & 0xF);
            prop_assert_eq!(joined.counts(), &plain(&half)[..]);
            prop_assert_eq!(joined.range(3..7), &plain(&half).into_iter().filter(|(key, _)| (3..7).contains(key)).collect::<Vec<_>>()[..]);
        }
    }
}

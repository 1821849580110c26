//! Counters by keys of which there are few: ways through the proxy, ends of sessions.
//!
//! They come again and again, but hardly ever twice in a row, because servers take turns. So the latest ones are
//! remembered in a small array and a hash is computed only for a key that did not come lately.
//!
//! A log may have very many keys all the same. [`Bounded`] counters then tell keys less exactly: a level gives up a part of
//! the key in all of them. The keys of a level only become more with what is counted, hence the final level is the first
//! at which all fit, whatever the order in which records and states came, and sums over all keys stay exact.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use crate::record::Symbol;

/// What makes a key: it says where it is to be remembered.
pub(super) trait Key: Copy + Eq + Hash {
    /// A number made of the key, cheaply; keys that come by turns should have different ones.
    fn mix(&self) -> u32;
}

/// Counters of type `V`, one a key, in the order in which the keys came.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Vec<(K, V)>", into = "Vec<(K, V)>")]
#[serde(bound(
    serialize = "K: Key + Serialize, V: Clone + Serialize",
    deserialize = "K: Key + Deserialize<'de>, V: Deserialize<'de>"
))]
pub(super) struct Keyed<K, V> {
    rows: Vec<(K, V)>,
    index: HashMap<K, usize, RandomState>,
    /// Keys with their places in `rows`.
    recent: [Option<(K, usize)>; RECENT],
}

const RECENT: usize = 256;

impl<K: Key, V> From<Vec<(K, V)>> for Keyed<K, V> {
    fn from(rows: Vec<(K, V)>) -> Self {
        let index = rows.iter().enumerate().map(|(at, (key, _))| (*key, at)).collect();
        Self { rows, index, recent: [None; RECENT] }
    }
}

impl<K, V> From<Keyed<K, V>> for Vec<(K, V)> {
    fn from(keyed: Keyed<K, V>) -> Self {
        keyed.rows
    }
}

impl<K: Key, V> Default for Keyed<K, V> {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl<K: Key, V: Default> Keyed<K, V> {
    /// The counter of a key.
    #[inline]
    pub(super) fn at(&mut self, key: K) -> &mut V {
        let place = self.place(key);
        &mut self.rows[place].1
    }

    /// Where a key stands among the others.
    #[inline]
    pub(super) fn place(&mut self, key: K) -> usize {
        let recent = key.mix() as usize % RECENT;
        match &self.recent[recent] {
            Some((known, place)) if *known == key => *place,
            _ => {
                let place = self.find(key);
                self.recent[recent] = Some((key, place));
                place
            }
        }
    }

    fn find(&mut self, key: K) -> usize {
        let place = *self.index.entry(key).or_insert(self.rows.len());
        if place == self.rows.len() {
            self.rows.push((key, V::default()));
        }
        place
    }

    /// All keys with their counters.
    pub(super) fn rows(&self) -> &[(K, V)] {
        &self.rows
    }

    /// The same, to be taken apart.
    pub(super) fn into_rows(self) -> Vec<(K, V)> {
        self.rows
    }
}

/// A key of which parts can be given up.
pub(super) trait Coarse: Key {
    /// How many levels there are above the exact one. At the last one keys are few, whatever the log.
    const LEVELS: u32;

    /// The key as it is told at a level; at level 0, as it is. To tell it so once more changes nothing.
    fn at_level(self, level: u32) -> Self;
}

/// What is put together when keys are no longer told apart.
pub(super) trait Merge: Default {
    fn merge(&mut self, other: Self);
}

impl Merge for () {
    fn merge(&mut self, (): Self) {}
}

/// A part of a key that is given up from a level on; what is absent stays so.
pub(super) fn part(symbol: Symbol, level: u32, given_up_from: u32) -> Symbol {
    if level >= given_up_from && symbol != Symbol::ABSENT { Symbol::OTHER } else { symbol }
}

/// Counters of at most so many keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound(
    serialize = "K: Key + Serialize, V: Clone + Serialize",
    deserialize = "K: Key + Deserialize<'de>, V: Deserialize<'de>"
))]
pub(super) struct Bounded<K, V> {
    counters: Keyed<K, V>,
    most: usize,
    level: u32,
}

impl<K: Coarse, V: Merge> Bounded<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self { counters: Keyed::default(), most, level: 0 }
    }

    /// Which parts of the keys were given up: none at level 0.
    pub(super) fn level(&self) -> u32 {
        self.level
    }

    /// The counter of a key, or of what is left of it.
    #[inline]
    pub(super) fn at(&mut self, key: K) -> &mut V {
        let told = if self.level == 0 { key } else { key.at_level(self.level) };
        let mut place = self.counters.place(told);
        if self.counters.rows.len() > self.most {
            place = self.fit(key);
        }
        &mut self.counters.rows[place].1
    }

    /// Gives up parts of the keys until they fit, and says where this one is then.
    #[cold]
    fn fit(&mut self, key: K) -> usize {
        while self.counters.rows.len() > self.most && self.level < K::LEVELS {
            self.rise_to(self.level + 1);
        }
        self.counters.place(key.at_level(self.level))
    }

    fn rise_to(&mut self, level: u32) {
        if level > self.level {
            self.level = level;
            for (key, counter) in std::mem::take(&mut self.counters).into_rows() {
                self.counters.at(key.at_level(level)).merge(counter);
            }
        }
    }

    /// Takes in another's counters, whose keys are called otherwise here.
    pub(super) fn merge(&mut self, other: Self, rename: impl Fn(K) -> K) {
        self.rise_to(other.level);
        for (key, counter) in other.counters.into_rows() {
            self.at(rename(key)).merge(counter);
        }
    }

    /// All keys with their counters.
    pub(super) fn rows(&self) -> &[(K, V)] {
        self.counters.rows()
    }

    /// The same, to be taken apart.
    pub(super) fn into_rows(self) -> Vec<(K, V)> {
        self.counters.into_rows()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Key for u32 {
        fn mix(&self) -> u32 {
            *self
        }
    }

    #[test]
    fn keys_that_are_remembered_in_one_place_are_told_apart() {
        let mut keyed = Keyed::<u32, u32>::default();
        for key in [1, 257, 1, 2, 257, 257] {
            *keyed.at(key) += 1;
        }
        assert_eq!(keyed.rows(), [(1, 2), (257, 3), (2, 1)]);
        assert_eq!(keyed.place(257), 1);
    }
    impl Coarse for u32 {
        const LEVELS: u32 = 2;

        fn at_level(self, level: u32) -> Self {
            self - self % 10_u32.pow(level)
        }
    }

    impl Merge for u32 {
        fn merge(&mut self, other: Self) {
            *self += other;
        }
    }

    #[test]
    fn what_does_not_fit_is_told_less_exactly() {
        let mut counted = Bounded::<u32, u32>::new(3);
        [1, 2, 3, 3].into_iter().for_each(|key| *counted.at(key) += 1);
        assert_eq!((counted.level(), counted.rows()), (0, &[(1, 1), (2, 1), (3, 2)][..]));
        *counted.at(14) += 1;
        assert_eq!((counted.level(), counted.rows()), (1, &[(0, 4), (10, 1)][..]));
        let mut others = Bounded::<u32, u32>::new(3);
        [15, 16].into_iter().for_each(|key| *others.at(key) += 1);
        others.merge(counted, |key| key);
        assert_eq!((others.level(), others.rows()), (1, &[(10, 3), (0, 4)][..]));
    }
}

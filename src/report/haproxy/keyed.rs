//! Counters by keys of which there are few: ways through the proxy, ends of sessions.
//!
//! They come again and again, but hardly ever twice in a row, because servers take turns. So the latest ones are
//! remembered in a small array and a hash is computed only for a key that did not come lately.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

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
}

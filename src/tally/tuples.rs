//! Counts by several numbers at once, or by numbers that are not dense: what [`super::PerSymbol`] is to one symbol.
//!
//! A tuple is a fixed number of 64-bit codes, and what a code means is the caller's. The tuples stand one after the
//! other in the order in which they came, their counts beside them, and a hash table holds their places. Single codes
//! below a few thousand (statuses, labels) are found without hashing.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

/// How often something was met, and the sum of what it carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// The sum of its values; 0 where nothing is summed.
    pub sum: i64,
}

impl Tally {
    /// Adds another.
    #[inline]
    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// Tallies by tuples of codes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Tuples {
    width: usize,
    most: usize,
    /// `width` codes for each tuple.
    codes: Vec<u64>,
    tallies: Vec<Tally>,
    /// What met a full table.
    refused: Tally,
    #[serde(skip)]
    table: HashTable<u32>,
    /// The places plus one of tuples of one small code; 0 where there is none.
    #[serde(skip)]
    small: Vec<u32>,
    /// The place of the tuple that was hashed last: records of one minute, or of one client, come together.
    #[serde(skip)]
    last: usize,
    /// Keyed, so that nobody can write a log whose keys all collide.
    #[serde(skip)]
    keys: RandomState,
}

/// As read from a state, not yet believed.
#[derive(Deserialize)]
struct Saved {
    width: usize,
    most: usize,
    codes: Vec<u64>,
    tallies: Vec<Tally>,
    refused: Tally,
}

impl TryFrom<Saved> for Tuples {
    type Error = &'static str;

    fn try_from(saved: Saved) -> Result<Self, Self::Error> {
        let Saved { width, most, codes, tallies, refused } = saved;
        let is_sound = width > 0 && tallies.len().checked_mul(width) == Some(codes.len());
        if !is_sound || tallies.len() > most || most > MOST {
            return Err("a table of keys is damaged");
        }
        let mut tuples = Self::new(width, most);
        for (tuple, tally) in codes.chunks_exact(width).zip(tallies) {
            tuples.add(tuple, tally);
        }
        tuples.refused = refused;
        Ok(tuples)
    }
}

/// Codes below this are found by index. A page of memory for all statuses and ports that servers have.
const SMALL: u64 = 4096;
/// No table is larger than its places can be numbered.
const MOST: usize = u32::MAX as usize - 1;

impl Tuples {
    /// An empty table for tuples of `width` codes, at least one. After `most` different ones new ones are only
    /// counted together.
    pub fn new(width: usize, most: usize) -> Self {
        Self {
            width: width.max(1),
            most: most.min(MOST),
            codes: Vec::new(),
            tallies: Vec::new(),
            refused: Tally::default(),
            table: HashTable::new(),
            small: vec![0; if width == 1 { SMALL as usize } else { 0 }],
            last: 0,
            keys: RandomState::default(),
        }
    }

    /// How many codes a tuple has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many different tuples there are.
    pub fn len(&self) -> usize {
        self.tallies.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.tallies.is_empty()
    }

    /// What met a full table.
    pub fn refused(&self) -> Tally {
        self.refused
    }

    /// The tuples with their tallies, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&[u64], Tally)> {
        self.codes.chunks_exact(self.width).zip(self.tallies.iter().copied())
    }

    /// One code of the tuple at a place in the order of [`iter`](Self::iter).
    pub fn code(&self, place: usize, at: usize) -> u64 {
        self.codes[place * self.width + at]
    }

    /// Adds to the tally of a tuple, which has [`width`](Self::width) codes.
    #[inline]
    pub fn add(&mut self, tuple: &[u64], tally: Tally) {
        if let [code] = tuple
            && let Some(place @ 1..) = self.small.get(*code as usize).copied()
        {
            return self.tallies[place as usize - 1].add(tally);
        }
        let last = self.last * self.width;
        match self.codes.get(last..last + self.width) == Some(tuple) {
            true => self.tallies[self.last].add(tally),
            false => self.add_hashed(tuple, tally),
        }
    }

    fn add_hashed(&mut self, tuple: &[u64], tally: Tally) {
        let Self { width, codes, table, .. } = self;
        let hash = self.keys.hash_one(tuple);
        let is_same = |place: &u32| &codes[*place as usize * *width..][..*width] == tuple;
        match table.find(hash, is_same) {
            Some(place) => {
                self.last = *place as usize;
                self.tallies[self.last].add(tally);
            }
            None => self.insert(tuple, hash, tally),
        }
    }

    #[cold]
    fn insert(&mut self, tuple: &[u64], hash: u64, tally: Tally) {
        if self.tallies.len() >= self.most {
            return self.refused.add(tally);
        }
        let place = self.tallies.len() as u32;
        self.codes.extend_from_slice(tuple);
        self.tallies.push(tally);
        let Self { width, codes, keys, .. } = self;
        let rehash = |place: &u32| keys.hash_one(&codes[*place as usize * *width..][..*width]);
        self.table.insert_unique(hash, place, rehash);
        if let [code] = tuple
            && let Some(small) = self.small.get_mut(*code as usize)
        {
            *small = place + 1;
        }
    }

    /// Adds the tallies of another table of the same width. `rename` writes the codes of the other's tuples as they
    /// are called here.
    pub fn merge(&mut self, other: &Self, mut rename: impl FnMut(&mut [u64])) {
        let mut tuple = vec![0; self.width];
        for (codes, tally) in other.iter() {
            if codes.len() == tuple.len() {
                tuple.copy_from_slice(codes);
                rename(&mut tuple);
                self.add(&tuple, tally);
            }
        }
        self.refused.add(other.refused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn once() -> Tally {
        Tally { count: 1, sum: 2 }
    }

    fn plain(tuples: &Tuples) -> HashMap<Vec<u64>, Tally> {
        tuples.iter().map(|(codes, tally)| (codes.to_vec(), tally)).collect()
    }

    fn check(width: usize) {
        let mut tuples = Tuples::new(width, 1 << 20);
        let mut expected: HashMap<Vec<u64>, Tally> = HashMap::new();
        for n in 0..60_000_u64 {
            let tuple: Vec<u64> =
                (0..width as u64).map(|at| (n * 7919 * (at + 1)) % 9_001).collect();
            tuples.add(&tuple, once());
            expected.entry(tuple).or_default().add(once());
        }
        assert_eq!(plain(&tuples), expected);
        let bytes = postcard::to_stdvec(&tuples).unwrap();
        let mut twice: Tuples = postcard::from_bytes(&bytes).unwrap();
        twice.merge(&tuples, |_| {});
        expected.values_mut().for_each(|tally| tally.add(*tally));
        assert_eq!(plain(&twice), expected);
    }

    #[test]
    fn counts_as_a_plain_map_does() {
        check(1);
        check(3);
    }

    #[test]
    fn a_full_one_says_so() {
        let mut tuples = Tuples::new(1, 2);
        [7, 1 << 40, 8, 7].iter().for_each(|code| tuples.add(&[*code], once()));
        assert_eq!((tuples.len(), tuples.refused()), (2, once()));
    }

    #[test]
    fn damaged_ones_are_refused() {
        let mut tuples = Tuples::new(2, 9);
        tuples.add(&[1, 2], once());
        tuples.codes.push(3);
        let bytes = postcard::to_stdvec(&tuples).unwrap();
        assert!(postcard::from_bytes::<Tuples>(&bytes).is_err());
    }
}

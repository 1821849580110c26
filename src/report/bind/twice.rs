//! Whether queries stand in several files: a server with two channels for a category writes each of its lines twice, and
//! whoever reads the whole folder counts them twice.
//!
//! A sample is followed, told by a hash that is the same in every process: the queries whose hashes are the smallest. So
//! it is the same whatever the cut, the threads and the order of merges.
//!
//! One of the channels may be syslog, whose stamps are whole seconds where those of a file are milliseconds. So queries are
//! the same that have client, port, name and second in common and whose stamps agree as far as the coarser one goes. Of those
//! that a file has alike the first in the second is compared: programs ask for addresses of both kinds at once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::Symbol;
use crate::record::time::SECOND;
use crate::tally::stable_hash;

/// So many queries are followed.
const MOST: usize = 1 << 12;
/// Fewer that stand twice are chance.
const LEAST: usize = 10;

/// What makes two lines those of one query, beside second and port.
pub(super) struct Asked<'a> {
    pub(super) client: &'a [u8],
    pub(super) name: &'a [u8],
}

/// A file in which a query stands, and its stamp there.
type Place = (Symbol, i64);

/// Queries and where they stand. The hash of second and port leads, so that most are passed over by that alone.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
pub(super) struct Sample {
    seen: BTreeMap<(u64, u64), Vec<Place>>,
}

#[derive(Serialize, Deserialize)]
struct Saved(Vec<((u64, u64), Vec<Place>)>);

impl From<Saved> for Sample {
    fn from(Saved(seen): Saved) -> Self {
        Self { seen: seen.into_iter().collect() }
    }
}

impl From<Sample> for Saved {
    fn from(sample: Sample) -> Self {
        Self(sample.seen.into_iter().collect())
    }
}

impl Sample {
    /// Sees a query from a port.
    #[inline]
    pub(super) fn see<'a>(
        &mut self,
        (file, time): Place,
        port: i64,
        asked: impl FnOnce() -> Asked<'a>,
    ) {
        // Ports have sixteen bits.
        let second = time.div_euclid(SECOND).wrapping_shl(16) ^ port;
        let at = stable_hash(&second.to_le_bytes());
        if self.seen.len() < MOST
            || self.seen.last_key_value().is_some_and(|((last, _), _)| at <= *last)
        {
            let Asked { client, name } = asked();
            let who = stable_hash(client) ^ stable_hash(name).rotate_left(42);
            self.add((at, who), &[(file, time)]);
        }
    }

    /// Takes in places of a query: of each file the first.
    fn add(&mut self, key: (u64, u64), places: &[Place]) {
        let known = self.seen.entry(key).or_default();
        for (file, time) in places {
            match known.iter_mut().find(|(other, _)| other == file) {
                Some((_, first)) => *first = (*first).min(*time),
                None => known.push((*file, *time)),
            }
        }
        while self.seen.len() > MOST {
            self.seen.pop_last();
        }
    }

    /// Takes in another, whose files have other symbols.
    pub(super) fn merge(&mut self, other: Self, file: impl Fn(Symbol) -> Symbol) {
        for (key, places) in other.seen {
            let places: Vec<Place> =
                places.into_iter().map(|(other, time)| (file(other), time)).collect();
            self.add(key, &places);
        }
    }

    /// The part of the queries that stand in several files, and these files, if there are any to speak of.
    pub(super) fn told(&self) -> Option<(f64, Vec<Symbol>)> {
        let mut files: Vec<Symbol> = Vec::new();
        let mut twice = 0;
        for places in self.seen.values() {
            let before = files.len();
            files.extend(alike(places));
            twice += usize::from(files.len() > before);
        }
        files.sort_unstable();
        files.dedup();
        let share = twice as f64 / self.seen.len().max(1) as f64;
        (twice >= LEAST && share >= 0.01).then_some((share, files))
    }
}

/// The files in which a query stands as it does in another one.
fn alike(places: &[Place]) -> impl Iterator<Item = Symbol> {
    let has_other = |(file, time): &Place| {
        places.iter().any(|(other, at)| other != file && is_one_stamp(*time, *at))
    };
    places.iter().filter(move |place| has_other(place)).map(|(file, _)| *file)
}

/// Whether two stamps can be those of one instant, each cut off where its clock or its format ends.
fn is_one_stamp(one: i64, other: i64) -> bool {
    let unit = unit(one).max(unit(other));
    one.div_euclid(unit) == other.div_euclid(unit)
}

/// How fine a stamp is, as far as it shows: whole seconds, milliseconds or microseconds.
fn unit(time: i64) -> i64 {
    const MILLISECOND: i64 = SECOND / 1000;
    *[SECOND, MILLISECOND].iter().find(|unit| time % **unit == 0).unwrap_or(&1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_agree_as_far_as_the_coarser_one_goes() {
        for (one, other, expected) in [
            (5_000_000, 5_000_000, true),
            (5_123_000, 5_123_000, true),
            (5_123_000, 5_000_000, true),
            (5_123_000, 5_124_000, false),
            (5_123_000, 5_123_456, true),
            (5_123_000, 5_124_456, false),
            (5_999_000, 6_000_000, false),
            (-1_000, -1_000_000, true),
        ] {
            assert_eq!(is_one_stamp(one, other), expected, "{one} {other}");
            assert_eq!(is_one_stamp(other, one), expected, "{other} {one}");
        }
    }
}

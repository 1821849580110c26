//! Whether queries stand in several files: a server with two channels for a category writes each of its lines twice, and
//! whoever reads the whole folder counts them twice.
//!
//! A sample is followed, told by a hash that is the same in every process: the queries whose hashes are the smallest. So
//! it is the same whatever the cut, the threads and the order of merges.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::Symbol;
use crate::tally::stable_hash;

/// So many queries are followed.
const MOST: usize = 1 << 12;
/// Fewer that stand twice are chance.
const LEAST: usize = 10;

/// What makes two lines those of one query, stamps included.
pub(super) struct Asked<'a> {
    pub(super) client: &'a [u8],
    pub(super) port: i64,
    pub(super) name: &'a [u8],
}

/// Queries and the files in which they stand. The hash of the time leads, so that most are passed over by that alone.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
pub(super) struct Sample {
    seen: BTreeMap<(u64, u64), Vec<Symbol>>,
}

#[derive(Serialize, Deserialize)]
struct Saved(Vec<((u64, u64), Vec<Symbol>)>);

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
    /// Sees a query at a time in a file.
    #[inline]
    pub(super) fn see<'a>(&mut self, time: i64, file: Symbol, asked: impl FnOnce() -> Asked<'a>) {
        let at = stable_hash(&time.to_le_bytes());
        if self.seen.len() < MOST
            || self.seen.last_key_value().is_some_and(|((last, _), _)| at <= *last)
        {
            let Asked { client, port, name } = asked();
            let who = stable_hash(client) ^ stable_hash(&port.to_le_bytes()).rotate_left(21);
            self.add((at, who ^ stable_hash(name).rotate_left(42)), &[file]);
        }
    }

    fn add(&mut self, key: (u64, u64), files: &[Symbol]) {
        let known = self.seen.entry(key).or_default();
        for file in files {
            if !known.contains(file) {
                known.push(*file);
            }
        }
        while self.seen.len() > MOST {
            self.seen.pop_last();
        }
    }

    /// Takes in another, whose files have other symbols.
    pub(super) fn merge(&mut self, other: Self, file: impl Fn(Symbol) -> Symbol) {
        for (key, files) in other.seen {
            let files: Vec<Symbol> = files.into_iter().map(&file).collect();
            self.add(key, &files);
        }
    }

    /// The part of the queries that stand in several files, and these files, if there are any to speak of.
    pub(super) fn told(&self) -> Option<(f64, Vec<Symbol>)> {
        let twice: Vec<&Vec<Symbol>> = self.seen.values().filter(|files| files.len() > 1).collect();
        let mut files: Vec<Symbol> = twice.iter().flat_map(|files| files.iter().copied()).collect();
        files.sort_unstable();
        files.dedup();
        let share = twice.len() as f64 / self.seen.len().max(1) as f64;
        (twice.len() >= LEAST && share >= 0.01).then_some((share, files))
    }
}

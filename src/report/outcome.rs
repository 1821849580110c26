//! How records end, and how much they carried: what nearly every table counts by.
//!
//! Web logs say it with a status, the other families with the class alone. Either way a record falls into one of a few
//! lanes, and a key of a table has sixteen bytes: a byte a lane for the number of records, and a word for what they
//! carried. Counting a record is two additions. A key whose bytes get near their bounds is emptied into a wide counter on
//! the side. Most keys of a log are rare and never get there; a cache line a key, with a word a lane, missed four times as
//! often and made the whole report a tenth slower.

use std::collections::HashMap;
use std::iter::Sum;
use std::ops::{AddAssign, Range};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use crate::document::{Cell, Column, Role};
use crate::record::block::ROWS;
use crate::record::{Field, Fields, Records, Symbol};
use crate::tally::{PerSymbol, Renumbering};

/// By what the records of a family are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// By the first digit of the status, with 404 apart.
    Status,
    /// By the class: ok, warn, error.
    Class,
}

/// A lane of a [`Counter`]: the first digit of a status, or the number of a class.
pub(super) type Lane = usize;

/// How many lanes there are: 0 for records that say nothing, 1 to 5, one for status 404, one unused.
const LANES: usize = 8;
const NOT_FOUND: u8 = 6;

/// Lanes by name, in the order of columns.
const STATUS_LANES: [(Lane, &str); 5] =
    [(1, "1xx"), (2, "2xx"), (3, "3xx"), (4, "4xx"), (5, "5xx")];
const CLASS_LANES: [(Lane, &str); 3] = [(1, "ok"), (2, "warn"), (3, "error")];

impl Scale {
    /// What it reads.
    pub(super) fn field(self) -> Field {
        match self {
            Self::Status => Field::STATUS,
            Self::Class => Field::CLASS,
        }
    }

    /// The lanes that tables show.
    pub(super) fn lanes(self) -> &'static [(Lane, &'static str)] {
        match self {
            Self::Status => &STATUS_LANES,
            Self::Class => &CLASS_LANES,
        }
    }

    /// The lanes of trouble, the worse first, with their names.
    pub(super) fn troubles(self) -> [(Lane, &'static str); 2] {
        match self {
            Self::Status => [(5, "5xx"), (4, "4xx")],
            Self::Class => [(3, "error"), (2, "warn")],
        }
    }

    fn table(self) -> &'static [u8; TABLE] {
        match self {
            Self::Status => &BY_STATUS,
            Self::Class => &BY_CLASS,
        }
    }
}

const TABLE: usize = 1024;
static BY_STATUS: [u8; TABLE] = by_status();
/// The numbers of the three classes are those of their labels.
static BY_CLASS: [u8; TABLE] = by_class();

const fn by_status() -> [u8; TABLE] {
    let mut lanes = [0; TABLE];
    let mut status = 100;
    while status < 600 {
        lanes[status] = (status / 100) as u8;
        status += 1;
    }
    lanes[404] = NOT_FOUND;
    lanes
}

const fn by_class() -> [u8; TABLE] {
    let mut lanes = [0; TABLE];
    lanes[1] = 1;
    lanes[2] = 2;
    lanes[3] = 3;
    lanes
}

/// The upper bit of the byte of each lane: with any of them set, the key is emptied, so that no byte ever runs over.
const NEARLY_FULL: u64 = 0x8080_8080_8080_8080;
/// The largest size that goes the quick way, 4 PiB: before the word of the sizes could run over, some lane is full.
const LARGEST: u64 = (1 << 52) - 1;

/// The lanes and sizes of the records of a block.
#[derive(Debug)]
pub(super) struct Outcomes {
    lanes: [u8; ROWS],
    /// Each a one in the byte of its lane.
    ones: [u64; ROWS],
    sizes: [u64; ROWS],
    /// Some size is above [`LARGEST`].
    is_huge: bool,
}

impl Outcomes {
    /// Reads them.
    pub(super) fn of(scale: Scale, records: &Records<'_>) -> Self {
        let mut lanes = [0; ROWS];
        let table = scale.table();
        for (lane, value) in lanes.iter_mut().zip(records.column(scale.field()).unwrap_or_default())
        {
            *lane = table[(value.number_or(0) as u64).min(TABLE as u64 - 1) as usize];
        }
        let sizes = sizes(records);
        let is_huge = sizes.iter().any(|size| *size > LARGEST);
        Self { ones: lanes.map(|lane| 1 << (8 * (lane & 7))), lanes, sizes, is_huge }
    }

    /// All records of some rows together.
    pub(super) fn sum(&self, rows: Range<usize>) -> Counter {
        let mut sum = Counter::default();
        let mut lanes = [[0_u64; LANES]; 2];
        // Two sets of counters, since neighbours mostly fall into the same lane and would wait for each other.
        for pair in self.lanes[rows.clone()].chunks(2) {
            for (lanes, lane) in lanes.iter_mut().zip(pair) {
                lanes[usize::from(lane & 7)] += 1;
            }
        }
        for lanes in lanes {
            sum.lanes.iter_mut().zip(lanes).for_each(|(own, more)| *own += more);
        }
        sum.bytes = self.sizes[rows].iter().fold(0, |sum, size| sum.saturating_add(*size));
        sum
    }
}

/// The fields that say how much was sent, of those that are supplied.
pub(super) fn size_fields(supplied: Fields) -> Vec<Field> {
    let fields = [Field::BYTES, Field::BODY_BYTES];
    fields.into_iter().filter(|field| supplied.has(*field)).collect()
}

/// How many bytes each record carried: the whole of what was sent, or the body where only that is known; 0 where the log
/// does not say.
pub(super) fn sizes(records: &Records<'_>) -> [u64; ROWS] {
    let mut sizes = [0; ROWS];
    let columns = [Field::BODY_BYTES, Field::BYTES].map(|field| records.column(field));
    for column in columns.into_iter().flatten() {
        for (size, value) in sizes.iter_mut().zip(column) {
            *size = value.number_or(*size as i64).max(0) as u64;
        }
    }
    sizes
}

/// What was counted for one key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counter {
    lanes: [u64; LANES],
    bytes: u64,
}

impl Counter {
    /// All records.
    pub(super) fn count(&self) -> u64 {
        self.lanes.iter().sum()
    }

    /// The records of a lane. Those with status 404 are among those of 4xx.
    pub(super) fn lane(&self, lane: Lane) -> u64 {
        let apart = if lane == 4 { self.not_found() } else { 0 };
        self.lanes[lane] + apart
    }

    /// The records with status 404.
    pub(super) fn not_found(&self) -> u64 {
        self.lanes[usize::from(NOT_FOUND)]
    }

    /// What they carried.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn add(&mut self, lane: u8, count: u64, bytes: u64) {
        let lane = &mut self.lanes[usize::from(lane & 7)];
        *lane = lane.saturating_add(count);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl AddAssign<&Self> for Counter {
    fn add_assign(&mut self, other: &Self) {
        for (lane, count) in (0..).zip(other.lanes) {
            self.add(lane, count, 0);
        }
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

impl Sum for Counter {
    fn sum<I: Iterator<Item = Self>>(counters: I) -> Self {
        counters.fold(Self::default(), |mut sum, counter| {
            sum += &counter;
            sum
        })
    }
}

/// What was counted for a key since it was last emptied.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Packed {
    /// The number of records, a byte a lane.
    counts: u64,
    bytes: u64,
}

impl Packed {
    fn add_to(self, counter: &mut Counter) {
        for (lane, count) in (0..).zip(self.counts.to_le_bytes()) {
            counter.add(lane, u64::from(count), 0);
        }
        counter.bytes = counter.bytes.saturating_add(self.bytes);
    }
}

/// What was counted for a key, as it stands in [`Counters`]: tables have a row a key, and most are never shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted<'a> {
    packed: Packed,
    wide: Option<&'a Counter>,
}

impl Counted<'_> {
    /// All records.
    pub(super) fn count(&self) -> u64 {
        let packed = self.packed.counts.to_le_bytes().into_iter().map(u64::from);
        packed.sum::<u64>() + self.wide.map_or(0, Counter::count)
    }

    /// All of it.
    pub(super) fn counter(&self) -> Counter {
        let mut counter = self.wide.copied().unwrap_or_default();
        self.packed.add_to(&mut counter);
        counter
    }
}

impl<'a> From<&'a Counter> for Counted<'a> {
    fn from(counter: &'a Counter) -> Self {
        Self { packed: Packed::default(), wide: Some(counter) }
    }
}

/// A counter for each key.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Counters {
    packed: PerSymbol<Packed>,
    wide: HashMap<u32, Counter, RandomState>,
}

impl Counters {
    /// Counts the records of a block, one key a record.
    pub(super) fn add_all(&mut self, keys: &[Symbol], outcomes: &Outcomes) {
        let Some(first) = keys.first() else { return };
        if keys.iter().all(|key| key == first) {
            // A field that no record has, or a server that speaks one protocol: nothing to look up.
            let sum = outcomes.sum(0..keys.len());
            self.packed.at(*first);
            *self.wide(*first) += &sum;
        } else if outcomes.is_huge {
            for ((key, lane), size) in keys.iter().zip(outcomes.lanes).zip(outcomes.sizes) {
                self.packed.at(*key);
                self.wide(*key).add(lane, 1, size);
            }
        } else {
            self.add_packed(keys, outcomes);
        }
    }

    fn add_packed(&mut self, keys: &[Symbol], outcomes: &Outcomes) {
        for ((key, one), size) in keys.iter().zip(&outcomes.ones).zip(&outcomes.sizes) {
            let packed = self.packed.at(*key);
            packed.counts += one;
            packed.bytes += size;
            if packed.counts & NEARLY_FULL != 0 {
                self.empty(*key);
            }
        }
    }

    #[cold]
    fn empty(&mut self, key: Symbol) {
        let packed = std::mem::take(self.packed.at(key));
        packed.add_to(self.wide(key));
    }

    fn wide(&mut self, key: Symbol) -> &mut Counter {
        self.wide.entry(key.0).or_default()
    }

    /// How many keys there are at most: all of them are below.
    pub(super) fn len(&self) -> usize {
        self.packed.len()
    }

    /// What was counted for a key.
    pub(super) fn of(&self, key: Symbol) -> Counted<'_> {
        let packed = self.packed.get(key).copied().unwrap_or_default();
        Counted { packed, wide: self.wide.get(&key.0) }
    }

    /// Adds the counters of other keys under their new numbers.
    pub(super) fn merge(&mut self, other: Self, renumbering: &Renumbering) {
        for (key, packed) in other.packed.iter().filter(|(_, packed)| packed.counts > 0) {
            self.add(renumbering.of(key), *packed);
        }
        for (key, counter) in &other.wide {
            let key = renumbering.of(Symbol(*key));
            self.packed.at(key);
            *self.wide(key) += counter;
        }
    }

    /// Adds a packed counter. Neither is nearly full: no byte of the sum runs over.
    fn add(&mut self, key: Symbol, more: Packed) {
        let packed = self.packed.at(key);
        packed.counts = packed.counts.wrapping_add(more.counts);
        packed.bytes = packed.bytes.saturating_add(more.bytes);
        if packed.counts & NEARLY_FULL != 0 {
            self.empty(key);
        }
    }
}

/// The heads of the columns that [`cells`] fills.
pub(super) fn columns(scale: Scale) -> impl Iterator<Item = Column> {
    scale.lanes().iter().map(|(_, name)| Column::new(*name, Role::Value))
}

/// One count a lane.
pub(super) fn cells(scale: Scale, counter: &Counter) -> impl Iterator<Item = Cell> {
    scale.lanes().iter().map(|(lane, _)| Cell::Count(counter.lane(*lane)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Block, Label, Layout};

    #[test]
    fn statuses_and_classes_have_lanes() {
        let lane = |status: usize| BY_STATUS[status];
        assert_eq!([lane(0), lane(9), lane(100), lane(206), lane(599)], [0, 0, 1, 2, 5]);
        assert_eq!([lane(403), lane(404), lane(405)], [4, NOT_FOUND, 4]);
        assert_eq!([lane(600), lane(999), lane(1023)], [0, 0, 0]);
        for (lane, name) in CLASS_LANES {
            assert_eq!(Label::of(name).number(), lane as i64);
            assert_eq!(usize::from(BY_CLASS[lane]), lane);
        }
    }

    fn outcomes(records: &[(i64, i64)]) -> Outcomes {
        let fields = Fields::of(&[Field::STATUS, Field::BYTES]);
        let mut block = Block::new(Layout::new(fields, Fields::NONE));
        for (status, size) in records {
            let slots = [Field::STATUS, Field::BYTES].map(|field| block.layout().slot(field));
            let mut row = block.row();
            row.number(slots[0], *status);
            row.number(slots[1], *size);
            row.keep(0, 0);
        }
        Outcomes::of(Scale::Status, &block.records(b""))
    }

    fn of(counters: &Counters, wanted: Symbol) -> Counter {
        counters.of(wanted).counter()
    }

    #[test]
    fn nothing_runs_over() {
        let large = LARGEST as i64;
        let blocks =
            [outcomes(&[(200, large), (404, 1)]), outcomes(&[(200, i64::MAX / 100), (500, 3)])];
        let mut counters = Counters::default();
        let keys = [Symbol(2), Symbol(3)];
        for _ in 0..50 {
            counters.add_all(&keys, &blocks[0]);
        }
        counters.add_all(&keys, &blocks[1]);
        counters.add_all(&[Symbol(3), Symbol(3)], &blocks[0]);
        let (two, three) = (of(&counters, keys[0]), of(&counters, keys[1]));
        assert_eq!((two.count(), two.lane(2)), (51, 51));
        assert_eq!(two.bytes(), 50 * LARGEST + (i64::MAX / 100) as u64);
        assert_eq!(
            (three.count(), three.not_found(), three.lane(4), three.lane(5)),
            (53, 51, 51, 1)
        );
        assert_eq!(three.bytes(), 50 + 3 + LARGEST + 1);
    }

    #[test]
    fn a_key_of_many_records_is_emptied() {
        let block = outcomes(&[(200, 1), (200, 1), (500, 0)]);
        let keys = [Symbol(2), Symbol(2), Symbol(3)];
        let mut counters = Counters::default();
        (0..300).for_each(|_| counters.add_all(&keys, &block));
        let mut joined = counters.clone();
        joined.merge(counters, &Renumbering::default());
        let [first, _, third] = keys.map(|key| of(&joined, key));
        assert_eq!((first.lane(2), first.bytes()), (1_200, 1_200));
        assert_eq!((third.count(), third.lane(5)), (600, 600));
    }

    #[test]
    fn sums_are_of_the_rows() {
        let block = outcomes(&[(200, 5), (404, 6), (502, 7)]);
        let sum = block.sum(1..3);
        assert_eq!((sum.count(), sum.lane(4), sum.lane(5), sum.bytes()), (2, 1, 1, 13));
    }
}

//! How records end, and how much they carried: what nearly every table counts by.
//!
//! Web logs say it with a status, the other families with the class alone. Either way a record falls into one of a few
//! lanes, and a key of a table has one [`Counter`] of a cache line: a number for each lane and the bytes.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::document::{Cell, Column, Role};
use crate::record::block::ROWS;
use crate::record::{Field, Fields, Records};

/// By what the records of a family are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// By the first digit of the status; 404 is marked as well.
    Status,
    /// By the class: ok, warn, error.
    Class,
}

/// A lane of a [`Counter`]: the first digit of a status, or the number of a class.
pub(super) type Lane = usize;

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

    /// The lanes that tables show. Lane 0 is for records that say nothing.
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

    /// The lane of each record.
    pub(super) fn of(self, records: &Records<'_>) -> Lanes {
        let mut lanes = Lanes([0; ROWS]);
        let Some(column) = records.column(self.field()) else { return lanes };
        let table = match self {
            Self::Status => &BY_STATUS,
            Self::Class => &BY_CLASS,
        };
        for (lane, value) in lanes.0.iter_mut().zip(column) {
            *lane = table[(value.number_or(0) as u64).min(LAST) as usize];
        }
        lanes
    }
}

/// The lanes of the records of a block.
#[derive(Debug)]
pub(super) struct Lanes([u8; ROWS]);

impl Lanes {
    /// One a record; those behind the last record are 0.
    pub(super) fn iter(&self) -> impl Iterator<Item = u8> {
        self.0.iter().copied()
    }
}

const LAST: u64 = 1023;
/// Stands above the lane for records that are marked.
const MARK: u8 = 0x80;
static BY_STATUS: [u8; LAST as usize + 1] = by_status();
static BY_CLASS: [u8; LAST as usize + 1] = by_class();

const fn by_status() -> [u8; LAST as usize + 1] {
    let mut lanes = [0; LAST as usize + 1];
    let mut status = 100;
    while status < 600 {
        lanes[status] = (status / 100) as u8;
        status += 1;
    }
    lanes[404] |= MARK;
    lanes
}

/// The numbers of the three classes are those of their labels.
const fn by_class() -> [u8; LAST as usize + 1] {
    let mut lanes = [0; LAST as usize + 1];
    lanes[1] = 1;
    lanes[2] = 2;
    lanes[3] = 3;
    lanes
}

/// What was counted for one key: 64 bytes, a cache line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[repr(align(64))]
pub(super) struct Counter([u64; 8]);

impl Counter {
    const BYTES: usize = 6;
    const MARKED: usize = 7;

    /// Counts a record.
    #[inline(always)] // The innermost statement of every breakdown.
    pub(super) fn add(&mut self, lane: u8, bytes: u64) {
        self.0[usize::from(lane & 7)] += 1;
        self.0[Self::BYTES] += bytes;
        self.0[Self::MARKED] += u64::from(lane >> 7);
    }

    /// All records.
    pub(super) fn count(&self) -> u64 {
        self.0[..Self::BYTES].iter().sum()
    }

    /// The records of a lane.
    pub(super) fn lane(&self, lane: Lane) -> u64 {
        self.0[lane]
    }

    /// The records with status 404.
    pub(super) fn not_found(&self) -> u64 {
        self.0[Self::MARKED]
    }

    /// What they carried.
    pub(super) fn bytes(&self) -> u64 {
        self.0[Self::BYTES]
    }
}

impl AddAssign<&Self> for Counter {
    fn add_assign(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(own, more)| *own = own.saturating_add(more));
    }
}

/// The fields that say how much was sent, of those that are supplied.
pub(super) fn size_fields(supplied: Fields) -> Vec<Field> {
    let fields = [Field::BYTES, Field::BODY_BYTES];
    fields.into_iter().filter(|field| supplied.has(*field)).collect()
}

/// How many bytes each record carried; 0 where the log does not say.
pub(super) struct Sizes([u64; ROWS]);

impl Sizes {
    /// From what the records say: the whole of what was sent, or the body where only that is known.
    pub(super) fn of(records: &Records<'_>) -> Self {
        let mut sizes = [0; ROWS];
        let columns = [Field::BODY_BYTES, Field::BYTES].map(|field| records.column(field));
        for column in columns.into_iter().flatten() {
            for (size, value) in sizes.iter_mut().zip(column) {
                *size = value.number_or(*size as i64).max(0) as u64;
            }
        }
        Self(sizes)
    }

    /// One a record; those behind the last record are 0.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().copied()
    }
}

/// True for the lane of a record with status 404.
pub(super) fn is_not_found(lane: u8) -> bool {
    lane & MARK != 0
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
    use crate::record::Label;

    #[test]
    fn statuses_and_classes_have_lanes() {
        let lane = |status: usize| BY_STATUS[status];
        assert_eq!([lane(0), lane(9), lane(100), lane(206), lane(599)], [0, 0, 1, 2, 5]);
        assert_eq!([lane(404) & 7, lane(404) >> 7, lane(405) >> 7], [4, 1, 0]);
        assert_eq!([lane(600), lane(999), lane(1023)], [0, 0, 0]);
        for (lane, name) in CLASS_LANES {
            assert_eq!(Label::of(name).number(), lane as i64);
            assert_eq!(usize::from(BY_CLASS[lane]), lane);
        }
    }

    #[test]
    fn a_counter_is_a_cache_line() {
        assert_eq!(size_of::<Counter>(), 64);
        let mut counter = Counter::default();
        counter.add(BY_STATUS[404], 10);
        counter.add(BY_STATUS[200], 5);
        let mut sum = counter;
        sum += &counter;
        assert_eq!((sum.count(), sum.lane(4), sum.not_found(), sum.bytes()), (4, 2, 2, 30));
    }
}

//! A zone of the world: how far its clocks stand from Greenwich, and since when.
//!
//! Reports count hours and days of a wall clock, record by record; so the changes of the clocks are found once, and
//! between two of them nothing but a constant is added. Stamps without a zone are read elsewhere, by
//! [`Clock`](super::time::Clock).

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::number::floor;
use super::time::{DAY, SECOND, days};

/// A zone by its name in the database of zones: `Europe/Berlin`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    tz: Tz,
    /// In their order; the first holds since ever.
    changes: Arc<[Change]>,
}

/// A setting of the clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The instant from which on it holds.
    pub at: i64,
    /// How far the clocks stand east of Greenwich then, in microseconds.
    pub offset: i64,
}

/// A step of a wall clock: an hour, a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What the clock shows at its beginning, in microseconds since 1970.
    pub wall: i64,
    /// Instants of it: all of them, unless the clocks change within.
    pub instants: Range<i64>,
}

impl Zone {
    /// Changes are looked for in these years; before and after them the clocks stand as at that end.
    const YEARS: Range<i64> = 1970..2101;
    /// No clocks that any zone has had since 1970 changed and changed back in less.
    const LEAST_BETWEEN: i64 = 7 * DAY;

    /// The zone, with the changes of its clocks.
    pub fn new(tz: Tz) -> Self {
        let january = |year| days(year, 1, 1).unwrap_or(0) * DAY;
        let (first, last) = (january(Self::YEARS.start), january(Self::YEARS.end));
        let mut changes = vec![Change { at: i64::MIN, offset: offset(tz, first) }];
        if tz != Tz::UTC {
            for week in (first..last).step_by(Self::LEAST_BETWEEN as usize) {
                changes.extend(change(tz, week, week + Self::LEAST_BETWEEN));
            }
        }
        Self { tz, changes: changes.into() }
    }

    /// As the database of zones has it.
    pub fn tz(&self) -> Tz {
        self.tz
    }

    /// Its name in the database of zones.
    pub fn name(&self) -> &'static str {
        self.tz.name()
    }

    /// How the clocks stand at an instant.
    #[inline]
    pub fn at(&self, instant: i64) -> Change {
        match &*self.changes {
            [only] => *only,
            changes => changes[self.number(instant)],
        }
    }

    /// The change that holds at an instant, by its number.
    fn number(&self, instant: i64) -> usize {
        self.changes.partition_point(|change| change.at <= instant).saturating_sub(1)
    }

    /// What the clocks show at an instant.
    #[inline]
    pub fn wall(&self, instant: i64) -> i64 {
        instant.saturating_add(self.at(instant).offset)
    }

    /// The step of the wall clock, one of so many microseconds, that an instant lies in.
    pub fn step(&self, instant: i64, width: i64) -> Step {
        let number = self.number(instant);
        let Change { at: from, offset } = self.changes[number];
        let until = self.changes.get(number + 1).map_or(i64::MAX, |next| next.at);
        let wall = floor(instant.saturating_add(offset), width);
        let start = wall.saturating_sub(offset);
        Step { wall, instants: start.max(from)..start.saturating_add(width).min(until) }
    }

    /// The instant at which the step of the wall clock that an instant lies in begins; a clock that skipped that time
    /// begins it with the change.
    pub fn step_start(&self, instant: i64, width: i64) -> i64 {
        let offset = self.at(instant).offset;
        let wall = floor(instant.saturating_add(offset), width);
        let start = wall.saturating_sub(offset);
        match self.at(start).offset {
            before if before == offset => start,
            before => wall.saturating_sub(before),
        }
    }

    /// The changes within some instants, each with the offset that held before it.
    pub fn changes(&self, within: Range<i64>) -> impl Iterator<Item = (i64, Change)> {
        let pairs = self.changes.windows(2).map(|pair| (pair[0].offset, pair[1]));
        pairs.filter(move |(_, change)| within.contains(&change.at))
    }
}

/// The change of the clocks between two instants.
fn change(tz: Tz, mut before: i64, mut after: i64) -> Option<Change> {
    let (old, new) = (offset(tz, before), offset(tz, after));
    if old == new {
        return None;
    }
    // Both are whole seconds, and clocks change at such.
    while after - before > SECOND {
        let middle = before + (after - before) / (2 * SECOND) * SECOND;
        match offset(tz, middle) == old {
            true => before = middle,
            false => after = middle,
        }
    }
    Some(Change { at: after, offset: new })
}

fn offset(tz: Tz, instant: i64) -> i64 {
    let naive = DateTime::from_timestamp_micros(instant).unwrap_or_default().naive_utc();
    i64::from(tz.offset_from_utc_datetime(&naive).fix().local_minus_utc()) * SECOND
}

impl Default for Zone {
    fn default() -> Self {
        Self::new(Tz::UTC)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.tz == other.tz
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({self})")
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name().to_owned()
    }
}

impl TryFrom<String> for Zone {
    type Error = chrono_tz::ParseError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse().map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600 * SECOND;
    /// 2026-10-25 01:00 UTC: the clocks of Berlin go back from 03:00 to 02:00.
    const BACK: i64 = 1_792_890_000 * SECOND;
    /// 2026-03-29 01:00 UTC: they go forward from 02:00 to 03:00.
    const FORWARD: i64 = 1_774_746_000 * SECOND;

    fn berlin() -> Zone {
        Zone::new(Tz::Europe__Berlin)
    }

    #[test]
    fn knows_the_second_of_each_change() {
        let year = FORWARD - DAY..BACK + DAY;
        let found: Vec<_> = berlin().changes(year).collect();
        let forward = (HOUR, Change { at: FORWARD, offset: 2 * HOUR });
        let back = (2 * HOUR, Change { at: BACK, offset: HOUR });
        assert_eq!(found, [forward, back]);
        assert_eq!(Zone::default().changes(i64::MIN..i64::MAX).count(), 0);
    }

    #[test]
    fn an_hour_that_comes_twice_is_one_hour_with_two_stretches() {
        let (first, again) = (berlin().step(BACK - 1, HOUR), berlin().step(BACK, HOUR));
        assert_eq!((first.wall, first.instants), (again.wall, BACK - HOUR..BACK));
        assert_eq!(again.instants, BACK..BACK + HOUR);
    }

    #[test]
    fn a_day_of_a_change_is_as_long_as_it_was() {
        let day = |at: i64| berlin().step_start(at, DAY);
        let length = |at: i64| day(at + 13 * HOUR + DAY) - day(at + 13 * HOUR);
        assert_eq!(length(BACK - 2 * HOUR), 25 * HOUR);
        assert_eq!(length(FORWARD - 2 * HOUR), 23 * HOUR);
        assert_eq!(day(BACK + 10 * HOUR), day(BACK - 2 * HOUR));
    }

    #[test]
    fn a_step_that_begins_in_a_skipped_hour_begins_with_the_change() {
        assert_eq!(berlin().step_start(FORWARD + HOUR / 2, 2 * HOUR), FORWARD);
    }

    #[test]
    fn zones_are_saved_by_name() {
        let text = serde_json::to_string(&berlin()).unwrap();
        assert_eq!(text, "\"Europe/Berlin\"");
        assert_eq!(serde_json::from_str::<Zone>(&text).unwrap(), berlin());
        assert!(serde_json::from_str::<Zone>("\"Europe/Atlantis\"").is_err());
    }

    proptest! {
        #[test]
        fn the_wall_clock_is_that_of_the_database(
            second in 0_i64..4_102_444_800,
            name in prop::sample::select(vec![
                "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu", "Africa/Cairo",
                "America/St_Johns", "Pacific/Apia", "UTC", "Etc/GMT+5", "Africa/El_Aaiun", "Antarctica/Troll",
            ]),
        ) {
            let tz: Tz = name.parse().unwrap();
            let (zone, at) = (Zone::new(tz), second * SECOND);
            prop_assert_eq!(zone.wall(at), at + offset(tz, at));
            let step = zone.step(at, HOUR);
            prop_assert!(step.instants.contains(&at));
            for inside in [step.instants.start, step.instants.end - 1] {
                prop_assert_eq!(zone.step(inside, HOUR).wall, step.wall);
            }
        }

        #[test]
        fn no_instant_is_too_far_away(at in any::<i64>(), width in 1..400 * DAY) {
            let zone = berlin();
            let step = zone.step(at, width);
            prop_assert!(step.instants.start <= step.instants.end);
            zone.step_start(at, width);
        }
    }
}

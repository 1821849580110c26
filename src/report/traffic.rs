//! When it happened: along the time, by day, by hour of the day, by day of the week.
//!
//! Sections:
//!
//! * `timeline`: records and bytes at equal steps, about a hundred of them over the whole time;
//! * `status_over_time` (or `classes_over_time`): the same steps by status class or by class;
//! * `hours`: by hour of the day; `weekdays`: by day of the week; `days`: by date. In the zone that the user set.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::outcome::{self, Counter, Outcomes, Scale};
use super::{Closing, Needs, Renumberings, Report};
use crate::document::{Body, Cell, Column, Note, Role, Section, Series, Table};
use crate::record::time::{DAY, SECOND};
use crate::record::{Field, Fields, Records, Value, Zone};
use crate::tally::{Sum, Timeline};

const HOUR: i64 = 3_600 * SECOND;
/// The slots that are kept: enough that a step of the shown series always holds several.
const MOST_SLOTS: usize = 1 << 14;
/// The steps that are shown.
const MOST_STEPS: i64 = 120;
/// A century of days. With more the days are left out: they are stamps gone wild, and would fill the memory.
const MOST_DAYS: usize = 36_600;

/// The report.
#[derive(Debug)]
pub(super) struct Traffic {
    scale: Scale,
    sizes: Vec<Field>,
    zone: Zone,
}

impl Traffic {
    /// With hours and days of a zone.
    pub(super) fn new(scale: Scale, supplied: Fields, zone: Zone) -> Self {
        Self { scale, sizes: outcome::size_fields(supplied), zone }
    }
}

/// What was counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct State {
    timeline: Timeline<Counter>,
    hours: [Counter; 24],
    weekdays: [Counter; 7],
    days: BTreeMap<i64, Counter>,
    too_many_days: bool,
}

impl Report for Traffic {
    type State = State;

    fn name(&self) -> String {
        "traffic".to_owned()
    }

    fn needs(&self) -> Needs {
        Needs::required(&[Field::TIME]).optional(&[self.scale.field()]).optional(&self.sizes)
    }

    fn start(&self) -> State {
        State {
            timeline: Timeline::new(MOST_SLOTS),
            hours: Default::default(),
            weekdays: Default::default(),
            days: BTreeMap::new(),
            too_many_days: false,
        }
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let Some(times) = records.column(Field::TIME) else { return };
        let outcomes = Outcomes::of(self.scale, records);
        let mut start = 0;
        while start < times.len() {
            let Some(time) = times[start].number() else {
                start += 1;
                continue;
            };
            let (slot, width) = state.timeline.seek(time);
            let hour = self.zone.step(time, HOUR);
            // The records that fall into the same slot and the same hour, mostly a long run.
            let end = start + 1 + run(&times[start + 1..], slot, width, &hour.instants);
            let sum = outcomes.sum(start..end);
            *state.timeline.at(time) += &sum;
            state.add_hour(hour.wall, &sum);
            start = end;
        }
    }

    fn merge(&self, into: &mut State, from: State, _: &Renumberings) {
        into.timeline.merge(from.timeline);
        into.hours.iter_mut().zip(&from.hours).for_each(|(own, more)| *own += more);
        into.weekdays.iter_mut().zip(&from.weekdays).for_each(|(own, more)| *own += more);
        from.days.iter().for_each(|(day, more)| *into.days.entry(*day).or_default() += more);
        into.too_many_days |= from.too_many_days;
        into.bound_days();
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        let Some(steps) = Steps::of(&state.timeline, &self.zone) else { return Vec::new() };
        let (name, title) = match self.scale {
            Scale::Status => ("status_over_time", "Status over time"),
            Scale::Class => ("classes_over_time", "Classes over time"),
        };
        let mut sections = vec![
            Section::series("timeline", "Timeline", self.whole(&steps)),
            Section::series(name, title, self.by_outcome(&steps)),
        ];
        let tables = [
            Some(self.table("hours", "Hours of the day", "hour", hours(&state.hours))),
            Some(self.table("weekdays", "Days of the week", "weekday", weekdays(&state.weekdays))),
            self.days(&state, closing),
        ];
        // A single hour or day says nothing that the totals do not.
        sections.extend(tables.into_iter().flatten().filter(is_worth_showing));
        sections
    }
}

fn is_worth_showing(section: &Section) -> bool {
    match &section.body {
        Body::Table(table) => table.rows.len() > 1 || !section.notes.is_empty(),
        Body::Facts(_) | Body::Series(_) => true,
    }
}

/// How many of the first values lie in both the slot and the hour.
fn run(times: &[Value], slot: i64, width: u64, hour: &Range<i64>) -> usize {
    let (hour, length) = (hour.start, hour.end.wrapping_sub(hour.start) as u64);
    let inside = |time: i64| {
        (time.wrapping_sub(slot) as u64) < width && (time.wrapping_sub(hour) as u64) < length
    };
    times.iter().take_while(|value| value.number().is_some_and(inside)).count()
}

impl State {
    fn add_hour(&mut self, hour: i64, sum: &Counter) {
        let day = hour.div_euclid(DAY);
        self.hours[(hour.rem_euclid(DAY) / HOUR) as usize] += sum;
        // The first day of 1970 was a Thursday; weeks begin on Monday.
        self.weekdays[(day + 3).rem_euclid(7) as usize] += sum;
        if !self.too_many_days {
            *self.days.entry(day).or_default() += sum;
            self.bound_days();
        }
    }

    /// More days than allowed, in whatever order they come, and none is kept.
    fn bound_days(&mut self) {
        if self.too_many_days || self.days.len() > MOST_DAYS {
            self.too_many_days = true;
            self.days.clear();
        }
    }
}

impl Traffic {
    /// True when the log says how much was sent.
    fn is_sized(&self) -> bool {
        !self.sizes.is_empty()
    }

    fn bytes(&self) -> Option<Column> {
        self.is_sized().then(|| Column::new("bytes", Role::Value))
    }

    fn whole(&self, steps: &Steps<Counter>) -> Series {
        let mut columns = vec![Column::new("count", Role::Main)];
        columns.extend(self.bytes());
        steps.series(columns, |sum| {
            let mut cells = vec![Cell::Count(sum.count())];
            cells.extend(self.is_sized().then(|| Cell::Bytes(sum.bytes())));
            cells
        })
    }

    fn by_outcome(&self, steps: &Steps<Counter>) -> Series {
        let mut columns: Vec<Column> = outcome::columns(self.scale).collect();
        columns[0].role = Role::Main;
        steps.series(columns, |sum| outcome::cells(self.scale, sum).collect())
    }

    fn table(&self, name: &str, title: &str, key: &str, rows: Vec<(String, Counter)>) -> Section {
        let rows: Vec<_> = rows.into_iter().filter(|(_, sum)| sum.count() > 0).collect();
        let total_rows = rows.len() as u64;
        let all = rows.iter().map(|(_, sum)| sum.count()).sum();
        let mut columns = vec![Column::new(key, Role::Key), Column::new("count", Role::Main)];
        columns.push(Column::new("share", Role::Value));
        columns.extend(self.bytes());
        columns.extend(outcome::columns(self.scale));
        let rows = rows.iter().map(|(key, sum)| {
            let mut cells = vec![Cell::text(key), Cell::Count(sum.count())];
            cells.push(Cell::share(sum.count(), all));
            cells.extend(self.is_sized().then(|| Cell::Bytes(sum.bytes())));
            cells.extend(outcome::cells(self.scale, sum));
            cells
        });
        Section::table(name, title, Table { columns, rows: rows.collect(), total_rows })
    }

    /// The latest days, as many as rows are wanted, in their order.
    fn days(&self, state: &State, closing: &Closing<'_>) -> Option<Section> {
        if state.too_many_days {
            let mut section = self.table("days", "Days", "day", Vec::new());
            let text =
                format!("there are records of more than {MOST_DAYS} days; days are left out");
            section.notes.push(Note::warning(text));
            return Some(section);
        }
        let most = match closing.options.limit {
            0 => state.days.len(),
            // A month fits a screen, and fewer days than the month has are seldom what is asked for.
            limit => limit.max(31),
        };
        let latest = state.days.iter().skip(state.days.len().saturating_sub(most));
        let rows = latest.map(|(day, sum)| (date(*day), *sum)).collect();
        let mut section = self.table("days", "Days", "day", rows);
        if let Body::Table(table) = &mut section.body {
            table.total_rows = state.days.len() as u64;
        }
        Some(section)
    }
}

/// A day since 1970 as `2024-03-07`.
pub(super) fn date(day: i64) -> String {
    let midnight = chrono::DateTime::from_timestamp_micros(day.saturating_mul(DAY));
    midnight.map_or_else(|| day.to_string(), |midnight| midnight.format("%Y-%m-%d").to_string())
}

fn hours(sums: &[Counter; 24]) -> Vec<(String, Counter)> {
    sums.iter().enumerate().map(|(hour, sum)| (format!("{hour:02}"), *sum)).collect()
}

fn weekdays(sums: &[Counter; 7]) -> Vec<(String, Counter)> {
    let names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    names.iter().zip(sums).map(|(name, sum)| ((*name).to_owned(), *sum)).collect()
}

/// Lengths of steps that people read easily, in seconds. Longer ones are powers of ten of the last.
pub(super) const LENGTHS: [i64; 25] = [
    1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
    86_400, 172_800, 432_000, 864_000, 1_728_000, 4_320_000, 8_640_000, 31_104_000,
];

/// A timeline at the step at which it is shown.
pub(super) struct Steps<T> {
    start: i64,
    step: i64,
    sums: Vec<T>,
}

impl<T: Sum> Steps<T> {
    /// The shortest step that the slots can be put together to and of which the time has at most [`MOST_STEPS`].
    /// `None` for an empty timeline.
    pub(super) fn of(timeline: &Timeline<T>, zone: &Zone) -> Option<Self> {
        let slots = timeline.slots();
        let (first, last) = (slots.first()?.0, slots.last()?.0);
        let longer = (0..11).map(|zeros| 86_400_i64 * 10_i64.pow(zeros + 2));
        let steps = LENGTHS.into_iter().chain(longer).map(|seconds| seconds.saturating_mul(SECOND));
        let mut fitting = steps.filter(|step| step % timeline.width() == 0);
        // Steps of hours and days begin where they do on the clock of the zone, if the slots allow it. They are equally
        // long, so behind a change of the clocks days begin an hour off.
        let zone = Some(zone.at(first).offset).filter(|zone| zone % timeline.width() == 0);
        let zone = zone.unwrap_or(0);
        let number = |instant: i64, step: i64| instant.saturating_add(zone).div_euclid(step);
        let step = fitting.find(|step| number(last, *step) - number(first, *step) < MOST_STEPS)?;
        let start = number(first, step);
        let mut sums = vec![T::default(); (number(last, step) - start) as usize + 1];
        for (instant, sum) in &slots {
            sums[(number(*instant, step) - start) as usize] += sum;
        }
        Some(Self { start: start.saturating_mul(step).saturating_sub(zone), step, sums })
    }

    /// With a row of cells a step.
    pub(super) fn series(&self, columns: Vec<Column>, cells: impl Fn(&T) -> Vec<Cell>) -> Series {
        let points = self.sums.iter().map(cells).collect();
        Series { start: self.start, step: self.step, columns, points }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Made, check_merging, column, requests, sections};
    use super::super::{AnyReport, Options};
    use super::*;
    use crate::format::Family;

    fn report(zone: &str) -> Box<dyn AnyReport> {
        let zone = Zone::new(zone.parse().unwrap());
        Box::new(Traffic::new(Scale::Status, Field::all_known().collect(), zone))
    }

    fn at(seconds: &[i64]) -> Vec<Made> {
        let record = |second: &i64| {
            vec![
                (Field::TIME, (second * SECOND).to_string()),
                (Field::STATUS, "200".to_owned()),
                (Field::BYTES, "7".to_owned()),
            ]
        };
        seconds.iter().map(record).collect()
    }

    fn series(sections: &[Section]) -> &Series {
        let Body::Series(series) = &sections[0].body else { panic!("it is no series") };
        series
    }

    #[test]
    fn merging_changes_nothing() {
        for zone in ["UTC", "Europe/Berlin", "America/St_Johns"] {
            let records = requests(4_000, 21);
            check_merging(&*report(zone), Family::Web, &Options::default(), &records);
        }
    }

    #[test]
    fn about_a_hundred_steps_whatever_the_span() {
        for span in [0, 1, 50, 119, 120, 5_000, 86_400, 10_000_000, 3_000_000_000, 3_000_000_000] {
            let found =
                sections(&*report("UTC"), Family::Web, &Options::default(), &at(&[0, span]));
            let series = series(&found);
            assert!(series.points.len() as i64 <= MOST_STEPS, "{span}: {}", series.points.len());
            assert!(span < 120 || series.points.len() >= 36, "{span}: {}", series.points.len());
            let count = |cells: &Vec<Cell>| matches!(cells[0], Cell::Count(n) if n > 0);
            assert!(series.points.first().is_some_and(count));
            assert!(series.points.last().is_some_and(count));
        }
    }

    #[test]
    fn hours_and_days_are_local() {
        let late = 1_709_853_000; // 2024-03-07 23:10 UTC, a Thursday.
        let times = at(&[late, late + 86_400 + 3_600]);
        let found = sections(&*report("Europe/Berlin"), Family::Web, &Options::default(), &times);
        let days = [Cell::text("2024-03-08"), Cell::text("2024-03-09")];
        assert_eq!(column(&found, "days", "day"), days);
        assert_eq!(column(&found, "hours", "hour"), [Cell::text("00"), Cell::text("01")]);
        assert_eq!(
            column(&found, "weekdays", "weekday"),
            [Cell::text("Friday"), Cell::text("Saturday")]
        );
    }

    /// Noon and midnight before and after the clocks of Berlin went forward, on 2024-03-31.
    #[test]
    fn hours_and_days_follow_the_changes_of_the_clocks() {
        let noon = 1_711_796_400; // 2024-03-30 11:00 UTC.
        let times =
            at(&[noon, noon + 43_200, noon + 86_400 - 3_600, noon + 2 * 86_400 - 3_600 * 13]);
        let found = sections(&*report("Europe/Berlin"), Family::Web, &Options::default(), &times);
        let days = ["2024-03-30", "2024-03-31", "2024-04-01"];
        assert_eq!(column(&found, "days", "day"), days.map(Cell::text));
        assert_eq!(column(&found, "days", "count"), [1, 2, 1].map(Cell::Count));
        assert_eq!(column(&found, "hours", "hour"), ["00", "12"].map(Cell::text));
    }

    #[test]
    fn a_single_hour_is_no_table() {
        let found = sections(&*report("UTC"), Family::Web, &Options::default(), &at(&[0, 1]));
        assert!(found.iter().all(|section| !matches!(section.body, Body::Table(_))));
    }

    #[test]
    fn no_records_no_sections() {
        assert!(sections(&*report("UTC"), Family::Web, &Options::default(), &[]).is_empty());
    }
}

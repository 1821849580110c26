//! Pile-ups: when statements ran on top of each other, which began it, and which waited behind it.
//!
//! A statement runs from its start to its end; a log has one of the two, and the query time leads to the other. How many ran
//! at once in a slot of time is the time that all together ran in it, divided by its width, so that a thousand short ones after
//! each other are no crowd. A pile-up is a stretch in which far more ran than usual. Sorting by total time shows the
//! victims of a lock; here the statement is named that was running when the stretch began, had begun first, and lasted well
//! into it.
//!
//! Sections: `pile_ups`, `concurrency`. The statements behind a pile-up are sought among the longest of the log, at most
//! [`MOST_LONG`].

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::super::{Closing, Needs, Renumberings, Report};
use super::shape;
use crate::document::{Cell, Column, Note, Role, Section, Series, Table};
use crate::record::block::ROWS;
use crate::record::{Field, Records, Symbol, Value};
use crate::tally::{Timeline, keep_largest};

/// The report.
#[derive(Debug)]
pub(in super::super) struct PileUps;

/// The field with the instant at which a statement began.
const STARTED: &str = "started";
/// Slots of time.
const MOST_SLOTS: usize = 1 << 17;
/// Statements that are kept one by one, the longest.
const MOST_LONG: usize = 1 << 17;
/// Shorter ones are none of these, in microseconds. Doubled until those that are as long fit.
const LONG: i64 = 200_000;
/// The fewest statements at a time that make a pile-up.
const FEWEST: f64 = 4.0;
/// So many times the usual number make one.
const TIMES: f64 = 4.0;
/// If statements came by chance, so many times the root of the usual number are as good as never passed.
const ROOTS: f64 = 6.0;
/// How long before a pile-up the statement began at most that is to blame, in microseconds, or twice as long as it lasts.
const LONGEST_BEFORE: i64 = 60_000_000;
/// Slots below between two of one stretch.
const MOST_APART: i64 = 3;

/// What happened in a slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Flow {
    starts: u64,
    ends: u64,
    /// The sums of the instants, so that slots may be joined to wider ones.
    started: i128,
    ended: i128,
}

impl Flow {
    fn start(&mut self, instant: i64) {
        self.starts += 1;
        self.started += i128::from(instant);
    }

    fn end(&mut self, instant: i64) {
        self.ends += 1;
        self.ended += i128::from(instant);
    }

    /// How many ran at once on average in a slot that ends at `end`, before which `open` were running.
    fn load(&self, open: u64, end: i64, width: i64) -> f64 {
        let end = i128::from(end);
        let begun = i128::from(self.starts) * end - self.started;
        let over = i128::from(self.ends) * end - self.ended;
        let time = i128::from(open) * i128::from(width) + begun - over;
        time.max(0) as f64 / width as f64
    }
}

impl AddAssign<&Self> for Flow {
    fn add_assign(&mut self, other: &Self) {
        self.starts += other.starts;
        self.ends += other.ends;
        self.started += other.started;
        self.ended += other.ended;
    }
}

/// A statement that ran long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    start: i64,
    took: i64,
    locked: i64,
    shape: Symbol,
}

impl Run {
    fn end(&self) -> i64 {
        self.start.saturating_add(self.took)
    }

    /// How long it ran within a stretch.
    fn within(&self, start: i64, end: i64) -> i64 {
        self.end().min(end).saturating_sub(self.start.max(start))
    }
}

/// What was counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct State {
    flow: Timeline<Flow>,
    /// All that took at least `least`.
    runs: Vec<Run>,
    least: i64,
}

impl State {
    /// Raises the bar until what is over it fits. However the statements are shared out among states, the bar ends where
    /// it would for all together.
    fn settle(&mut self, most: usize) {
        while self.runs.len() > most {
            self.least *= 2;
            let least = self.least;
            self.runs.retain(|run| run.took >= least);
        }
    }
}

impl Report for PileUps {
    type State = State;

    fn name(&self) -> String {
        "pile_ups".to_owned()
    }

    fn needs(&self) -> Needs {
        let needs = Needs::required(&[Field::TIME, Field::FINGERPRINT, Field::DURATION])
            .optional(&[Field::LOCK_TIME])
            .by_symbol(&[Field::FINGERPRINT]);
        match Field::named(STARTED) {
            Some(started) => needs.optional(&[started]),
            None => needs,
        }
    }

    fn start(&self) -> State {
        State { flow: Timeline::new(MOST_SLOTS), runs: Vec::new(), least: LONG }
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let never = [Value::ABSENT; ROWS];
        let column = |field| records.column(field).unwrap_or(&never[..records.len()]);
        let [times, durations, locks] =
            [Field::TIME, Field::DURATION, Field::LOCK_TIME].map(column);
        let started = Field::named(STARTED).map_or(&never[..records.len()], column);
        let Some(shapes) = records.symbols(Field::FINGERPRINT) else { return };
        for row in 0..records.len() {
            let (Some(time), Some(took)) = (times[row].number(), durations[row].number()) else {
                continue;
            };
            let start = started[row].number_or(time.saturating_sub(took));
            let end = start.saturating_add(took);
            state.flow.at(start).start(start);
            state.flow.at(end).end(end);
            if took >= state.least {
                let locked = locks[row].number_or(0);
                state.runs.push(Run { start, took, locked, shape: shapes[row] });
                state.settle(MOST_LONG);
            }
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let shapes = renumberings.of(Field::FINGERPRINT);
        into.flow.merge(from.flow);
        into.least = into.least.max(from.least);
        into.runs.extend(from.runs.iter().map(|run| Run { shape: shapes.of(run.shape), ..*run }));
        let least = into.least;
        into.runs.retain(|run| run.took >= least);
        into.settle(MOST_LONG);
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        let width = state.flow.width();
        let running = running(&state.flow);
        if running.is_empty() {
            return Vec::new();
        }
        let least = least(&running, width);
        let found = stretches(&running, width, least);
        vec![pile_ups(&found, &state, least, closing), concurrency(&running, width)]
    }
}

/// How many ran at once in each slot in which something started, ran on or ended.
fn running(flow: &Timeline<Flow>) -> Vec<(i64, f64)> {
    let (width, mut open, mut running) = (flow.width(), 0_u64, Vec::new());
    let mut last: Option<i64> = None;
    for (slot, flow) in flow.slots() {
        // What is open runs on through slots in which nothing begins or ends.
        if let Some(last) = last.filter(|_| open > 0) {
            let silent = (1..(slot - last) / width).take(MOST_SLOTS);
            running.extend(silent.map(|nth| (last + nth * width, open as f64)));
        }
        running.push((slot, flow.load(open, slot + width, width)));
        open = (open + flow.starts).saturating_sub(flow.ends);
        last = Some(slot);
    }
    running
}

/// From how many on it is a pile-up: several times the mean over the whole time, and far more than chance would bring.
fn least(running: &[(i64, f64)], width: i64) -> f64 {
    let (first, last) = (running[0].0, running[running.len() - 1].0);
    let slots = (last - first) / width + 1;
    let mean = running.iter().map(|(_, load)| load).sum::<f64>() / slots as f64;
    FEWEST.max((mean * TIMES).ceil()).max((mean + ROOTS * mean.sqrt()).ceil())
}

/// A stretch of slots with too many.
struct Stretch {
    start: i64,
    end: i64,
    most: f64,
    worst: i64,
}

impl Stretch {
    fn overlaps(&self, run: &Run) -> bool {
        run.start < self.end && run.end() > self.start
    }
}

fn stretches(running: &[(i64, f64)], width: i64, least: f64) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    for (slot, count) in running.iter().filter(|(_, count)| *count >= least) {
        match found.last_mut().filter(|last| slot - last.end <= MOST_APART * width) {
            Some(last) => {
                last.end = slot + width;
                if *count > last.most {
                    (last.most, last.worst) = (*count, *slot);
                }
            }
            None => {
                found.push(Stretch { start: *slot, end: slot + width, most: *count, worst: *slot })
            }
        }
    }
    found
}

/// The statement that was there first and lasted into the stretch, and those that came behind it.
struct Cause {
    first: Option<Run>,
    behind: Vec<(Symbol, u64, i64)>,
}

fn cause(stretch: &Stretch, runs: &[Run], width: i64) -> Cause {
    let overlapping = || runs.iter().filter(|run| stretch.overlaps(run));
    // Who waits for a lock for most of its time holds up nobody at first.
    let begins = |run: &&Run| run.start < stretch.start + width && run.locked <= run.took / 2;
    let lasting = stretch.end - stretch.start;
    let holds = |run: &&Run| run.within(stretch.start, stretch.end) >= lasting / 2;
    // What has been running for long was no trouble so far.
    let is_young = |run: &&Run| run.start >= stretch.start - (2 * lasting).max(LONGEST_BEFORE);
    let earliest = |run: &&Run| (run.start, -run.took);
    let first = overlapping()
        .filter(begins)
        .filter(holds)
        .filter(is_young)
        .min_by_key(earliest)
        .or_else(|| overlapping().filter(begins).filter(holds).min_by_key(earliest))
        .or_else(|| overlapping().filter(begins).min_by_key(earliest))
        .copied();
    let mut behind: Vec<(Symbol, u64, i64)> = Vec::new();
    for run in overlapping() {
        let is_later = first.is_none_or(|first| run.start >= first.start && *run != first);
        if !is_later {
            continue;
        }
        match behind.iter_mut().find(|(shape, ..)| *shape == run.shape) {
            Some((_, count, longest)) => (*count, *longest) = (*count + 1, run.took.max(*longest)),
            None => behind.push((run.shape, 1, run.took)),
        }
    }
    Cause { first, behind }
}

fn pile_ups(found: &[Stretch], state: &State, least: f64, closing: &Closing<'_>) -> Section {
    let text = |shape: Symbol| closing.dictionaries.text(Field::FINGERPRINT, shape);
    let mut shown: Vec<&Stretch> = found.iter().collect();
    keep_largest(&mut shown, closing.options.limit, |a, b| {
        b.most.total_cmp(&a.most).then_with(|| a.start.cmp(&b.start))
    });
    let overlaps = |run: &&Run| shown.iter().any(|stretch| stretch.overlaps(run));
    let mut runs: Vec<Run> = state.runs.iter().filter(overlaps).copied().collect();
    runs.sort_unstable_by(|a, b| {
        let key = |run: &Run| (run.start, -run.took, run.locked);
        key(a).cmp(&key(b)).then_with(|| text(a.shape).cmp(text(b.shape)))
    });
    let width = state.flow.width();
    let rows = shown.iter().map(|stretch| row(stretch, cause(stretch, &runs, width), text));
    let (rows, total_rows) = (rows.collect(), found.len() as u64);
    let table = Table { columns: columns(), rows, total_rows };
    let mut section = Section::table("pile_ups", "Pile-ups", table);
    section.notes.push(Note::info(format!("a pile-up is {least} statements or more at once")));
    if state.least > LONG {
        let words = "so many statements were slow that only those of {} s or more are named here";
        let seconds = (state.least as f64 / 1e6).to_string();
        section.notes.push(Note::info(words.replace("{}", &seconds)));
    }
    section
}

fn columns() -> Vec<Column> {
    let mut columns = vec![
        Column::new("start", Role::Key),
        Column::new("most", Role::Main).labelled("most at once"),
    ];
    let values = [
        "worst",
        "lasting",
        "begun_by",
        "its_start",
        "its_time",
        "behind_it",
        "longest_wait",
        "waiting",
    ];
    columns.extend(values.map(|name| Column::new(name, Role::Value)));
    columns.push(Column::new("fingerprint", Role::Detail));
    columns
}

/// A pile-up under these columns.
fn row<'t>(stretch: &Stretch, cause: Cause, text: impl Fn(Symbol) -> &'t [u8]) -> Vec<Cell> {
    let Cause { first, mut behind } = cause;
    behind.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| text(a.0).cmp(text(b.0))));
    let waiting: u64 = behind.iter().map(|(_, count, _)| count).sum();
    let longest = behind.iter().map(|(.., took)| *took).max();
    let behind = behind.iter().take(3).map(|(shape, count, _)| {
        let item = shape::item(text(*shape));
        Cell::Text([format!("{count} × ").as_bytes(), &item].concat())
    });
    vec![
        Cell::Instant(stretch.start),
        Cell::Real(stretch.most),
        Cell::Instant(stretch.worst),
        Cell::Duration(stretch.end - stretch.start),
        Cell::Text(first.map(|run| shape::item(text(run.shape))).unwrap_or_default()),
        first.map_or(Cell::Empty, |run| Cell::Instant(run.start)),
        first.map_or(Cell::Empty, |run| Cell::Duration(run.took)),
        Cell::Count(waiting),
        longest.map_or(Cell::Empty, Cell::Duration),
        Cell::List(behind.collect()),
        Cell::text(first.map(|run| text(run.shape)).unwrap_or_default()),
    ]
}

/// The most steps of the series.
const STEPS: i64 = 120;

/// The most at once, over time.
fn concurrency(running: &[(i64, f64)], width: i64) -> Section {
    let (first, last) = (running[0].0, running[running.len() - 1].0);
    let slots = (last - first) / width + 1;
    let step = width * ((slots + STEPS - 1) / STEPS).max(1);
    let start = first.div_euclid(step) * step;
    let mut most = vec![0.0_f64; ((last - start) / step + 1) as usize];
    for (slot, count) in running {
        let at = &mut most[((slot - start) / step) as usize];
        *at = at.max(*count);
    }
    let columns = vec![Column::new("most", Role::Main).labelled("most at once")];
    let points = most.into_iter().map(|count| vec![Cell::Real(count)]).collect();
    Section::series("concurrency", "Statements at once", Series { start, step, columns, points })
}

#[cfg(test)]
mod tests {
    use super::super::super::Options;
    use super::super::super::testing::{Made, check_form, check_merging, column, sections};
    use super::super::profile::tests::statements;
    use super::*;
    use crate::format::Family;
    use crate::record::time::SECOND;

    fn statement(end_second: i64, took: i64, fingerprint: &str) -> Made {
        vec![
            (Field::TIME, (end_second * SECOND).to_string()),
            (Field::DURATION, (took * SECOND).to_string()),
            (Field::FINGERPRINT, fingerprint.to_owned()),
        ]
    }

    #[test]
    fn merging_changes_nothing() {
        let records = statements(3_000, 8);
        check_merging(&PileUps, Family::MysqlSlow, &Options::default(), &records);
        let found = sections(&PileUps, Family::MysqlSlow, &Options::default(), &records);
        found.iter().for_each(check_form);
    }

    /// The statement that holds the lock ends first or last; by total time its victims hide it.
    #[test]
    fn the_statement_that_began_it_is_named_and_not_its_victims() {
        let mut records = vec![statement(130, 30, "alter table t add a int")];
        records.extend((0..20).map(|at| statement(131, 29 - at, "select * from t where a = ?")));
        records.extend((0..300).map(|at| statement(at * 10, 1, "select ?")));
        let found = sections(&PileUps, Family::MysqlSlow, &Options::default(), &records);
        assert_eq!(column(&found, "pile_ups", "begun_by"), [Cell::text("ALTER TABLE t")]);
        assert_eq!(column(&found, "pile_ups", "its_start"), [Cell::Instant(100 * SECOND)]);
        let behind = Cell::List(vec![Cell::text("20 × SELECT t"), Cell::text("3 × SELECT")]);
        assert_eq!(column(&found, "pile_ups", "waiting"), [behind]);
        let Cell::Real(most) = column(&found, "pile_ups", "most")[0] else { panic!() };
        assert!((20.5..=22.0).contains(&most), "{most}");
    }

    #[test]
    fn a_statement_runs_through_slots_in_which_nothing_begins_or_ends() {
        let mut flow = Timeline::<Flow>::new(MOST_SLOTS);
        flow.at(0).start(0);
        flow.at(0).start(SECOND / 2);
        flow.at(3 * SECOND).end(3 * SECOND);
        flow.at(5 * SECOND).end(5 * SECOND + SECOND / 4);
        let loads: Vec<f64> = running(&flow).into_iter().map(|(_, load)| load).collect();
        assert_eq!(loads, [1.5, 2.0, 2.0, 1.0, 1.0, 0.25]);
    }
}

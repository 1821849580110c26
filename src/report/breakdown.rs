//! Records by the values of one field: the table that most questions begin with.
//!
//! One cache line a value, indexed by symbol, and where the log has durations a small histogram beside it. Several
//! breakdowns make one report, so that what they have in common is read off a block once.
//! Everything that depends on the value alone (the network of an address, the browser of an agent) is worked out when
//! the report finishes, once for each different value; see [`super::paths`], [`super::clients`] and so on.
//!
//! Sections, for a breakdown called `clients` of the field `client`:
//!
//! * `clients`: by number of records;
//! * `clients_5xx` and `clients_4xx` (or `_error` and `_warn`, where records have a class instead of a status): those
//!   behind the trouble, by its number;
//! * `clients_latency`: by time spent, with percentiles, where the log has it;
//! * what the file of the subject adds.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::keys::{self, Keys};
use super::outcome::{self, Counted, Counter, Counters, Lane, Outcomes, Scale};
use super::{Closing, Needs, Renumberings, Report};
use crate::document::{Body, Cell, Column, Role, Section, Table};
use crate::record::block::ROWS;
use crate::record::{Field, Fields, Records, Symbol};
use crate::tally::histogram::PERCENTILES;
use crate::tally::{PerSymbol, Quantiles, Sparse, keep_largest};

/// The name under which a value is counted together with others.
pub(super) type Fold = fn(&[u8]) -> Vec<u8>;

/// What a breakdown is about.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// Stable name: of the report and of its first section.
    pub(super) name: &'static str,
    /// The heading of the first section.
    pub(super) title: &'static str,
    /// The field whose values are told apart.
    pub(super) field: Field,
    /// How records are told to be good or bad.
    pub(super) scale: Scale,
    /// The duration that belongs to the value.
    pub(super) duration: Option<Field>,
    /// Show those behind errors and those behind warnings in tables of their own.
    pub(super) blame: bool,
    /// The log says how much was sent.
    pub(super) sized: bool,
    /// Makes one value of many before anything is shown: the same path with other numbers in it.
    pub(super) fold: Option<Fold>,
    /// What the subject shows beside.
    pub(super) more: fn(&Rows<'_>) -> Vec<Section>,
}

impl Subject {
    /// A breakdown of a field with nothing beside it.
    pub(super) fn new(name: &'static str, title: &'static str, field: Field, scale: Scale) -> Self {
        let more: fn(&Rows<'_>) -> Vec<Section> = |_| Vec::new();
        Self {
            name,
            title,
            field,
            scale,
            duration: None,
            blame: false,
            sized: true,
            fold: None,
            more,
        }
    }
}

/// The report: one breakdown or several.
#[derive(Debug)]
pub(super) struct Breakdowns {
    subjects: Vec<Subject>,
    sizes: Vec<Field>,
}

impl Breakdowns {
    /// Of those subjects, where the format supplies those fields.
    pub(super) fn new(mut subjects: Vec<Subject>, supplied: Fields) -> Self {
        let sizes = outcome::size_fields(supplied);
        for subject in &mut subjects {
            subject.sized = !sizes.is_empty();
            subject.duration = subject.duration.filter(|duration| supplied.has(*duration));
        }
        Self { subjects, sizes }
    }
}

/// What was counted for one subject.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct State {
    keys: Keys,
    counters: Counters,
    times: PerSymbol<Sparse>,
}

impl Report for Breakdowns {
    /// One a subject, by name: states of other runs may have other subjects.
    type State = Vec<(String, State)>;

    fn name(&self) -> String {
        // However many they are: what was saved of one is joined with what was saved of several.
        "breakdowns".to_owned()
    }

    fn needs(&self) -> Needs {
        let needs = Needs::default().optional(&self.sizes);
        self.subjects.iter().fold(needs, |needs, subject| {
            let needs = needs.optional(&[subject.scale.field()]);
            let needs = needs.optional(subject.duration.as_slice());
            match self.subjects.len() {
                1 => keys::require(needs, subject.field),
                // Each looks for itself.
                _ => keys::use_too(needs, subject.field),
            }
        })
    }

    fn start(&self) -> Self::State {
        let start = |subject: &Subject| (subject.name.to_owned(), State::of(subject));
        self.subjects.iter().map(start).collect()
    }

    fn observe(&self, states: &mut Self::State, records: &Records<'_>) {
        let mut outcomes: Option<(Scale, Outcomes)> = None;
        for ((_, state), subject) in states.iter_mut().zip(&self.subjects) {
            let outcomes = match outcomes.take() {
                Some((scale, known)) if scale == subject.scale => outcomes.insert((scale, known)),
                _ => outcomes.insert((subject.scale, Outcomes::of(subject.scale, records))),
            };
            state.observe(subject, records, &outcomes.1);
        }
    }

    fn merge(&self, into: &mut Self::State, from: Self::State, renumberings: &Renumberings) {
        for (name, from) in from {
            let Some(subject) = self.subjects.iter().find(|subject| subject.name == name) else {
                continue;
            };
            match into.iter_mut().find(|(known, _)| *known == name) {
                Some((_, into)) => into.merge(from, subject, renumberings),
                None => {
                    let mut new = State::of(subject);
                    new.merge(from, subject, renumberings);
                    into.push((name, new));
                }
            }
        }
    }

    fn finish(&self, states: Self::State, closing: &Closing<'_>) -> Vec<Section> {
        let sections = self.subjects.par_iter().map(|subject| {
            let state = states.iter().find(|(name, _)| name == subject.name);
            state.map_or_else(Vec::new, |(_, state)| subject.finish(state, closing))
        });
        sections.collect::<Vec<_>>().into_iter().flatten().collect()
    }
}

impl State {
    fn of(subject: &Subject) -> Self {
        let (counters, times) = (Counters::default(), PerSymbol::default());
        Self { keys: Keys::of(subject.field), counters, times }
    }

    fn merge(&mut self, from: Self, subject: &Subject, renumberings: &Renumberings) {
        let renumbering = self.keys.absorb(&from.keys, subject.field, renumberings);
        self.counters.merge(from.counters, &renumbering);
        self.times.merge(from.times, &renumbering, Sparse::merge);
    }

    fn observe(&mut self, subject: &Subject, records: &Records<'_>, outcomes: &Outcomes) {
        let mut room = [Symbol::ABSENT; ROWS];
        let Some(symbols) = self.keys.symbols(subject.field, records, &mut room) else { return };
        self.counters.add_all(symbols, outcomes);
        let durations = subject.duration.and_then(|field| records.column(field));
        for (symbol, value) in symbols.iter().zip(durations.unwrap_or_default()) {
            if let Some(micros) = value.number() {
                self.times.at(*symbol).add(micros.max(0) as u64);
            }
        }
    }
}

impl Subject {
    fn finish(&self, state: &State, closing: &Closing<'_>) -> Vec<Section> {
        let rows = Rows::of(self, state, closing);
        match self.fold {
            None => self.sections(&rows),
            Some(fold) => {
                let groups = rows.grouped(|key| Some(fold(key)), |name| name);
                self.sections(&rows.over(&groups))
            }
        }
    }

    fn sections(&self, rows: &Rows<'_>) -> Vec<Section> {
        if rows.is_empty() {
            return Vec::new();
        }
        let (mut sections, more) = rayon::join(|| self.usual(rows), || (self.more)(rows));
        sections.extend(more);
        sections.retain(|section| !is_empty(section));
        sections
    }

    /// The sections that every breakdown has.
    fn usual(&self, rows: &Rows<'_>) -> Vec<Section> {
        let Self { name, title, scale, .. } = self;
        let mut sections = vec![rows.section((*name).to_owned(), (*title).to_owned(), By::Count)];
        for (lane, word) in scale.troubles().into_iter().filter(|_| self.blame) {
            let name = format!("{name}_{word}");
            let title = format!("{title} behind {word}");
            sections.push(rows.section(name, title, By::Lane(lane, word)));
        }
        if self.duration.is_some() {
            sections
                .push(rows.latency(format!("{name}_latency"), format!("{title} by time spent")));
        }
        sections
    }
}

/// The same section with its first column named for what it holds: a browser is not an agent.
pub(super) fn keyed(mut section: Section, name: &str) -> Section {
    if let Body::Table(table) = &mut section.body {
        table.columns[0] = Column::new(name, Role::Key);
    }
    section
}

fn is_empty(section: &Section) -> bool {
    matches!(&section.body, Body::Table(table) if table.rows.is_empty())
}

/// One value of the field, or a group of values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    /// The value.
    pub(super) key: &'a [u8],
    /// What was counted for it.
    pub(super) counted: Counted<'a>,
    /// How long its records took.
    times: Option<&'a Sparse>,
}

/// By what a table is ordered; what counts nothing by that is not in it.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    /// All records.
    Count,
    /// Those of a lane of that name.
    Lane(Lane, &'static str),
    /// Those with status 404.
    NotFound,
}

impl By {
    fn of(self, counted: &Counted<'_>) -> u64 {
        match self {
            Self::Count => counted.count(),
            Self::Lane(lane, _) => counted.counter().lane(lane),
            Self::NotFound => counted.counter().not_found(),
        }
    }
}

/// Values of the field that count as one.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    name: Vec<u8>,
    counter: Counter,
    /// Boxed, since most have none.
    times: Option<Box<Sparse>>,
}

impl Group {
    fn add(&mut self, row: &Row<'_>) {
        self.counter += &row.counted.counter();
        if let Some(more) = row.times {
            self.times.get_or_insert_default().merge(more.clone());
        }
    }
}

/// How many records there are of each key.
type Counts<K> = HashMap<K, u64, RandomState>;

/// The groups that a table shows, named and still empty.
fn largest_groups<K: Hash + Eq + Copy>(
    counts: Vec<Counts<K>>,
    closing: &Closing<'_>,
    call: impl Fn(K) -> Vec<u8>,
) -> HashMap<K, Group, RandomState> {
    let limit = closing.options.limit;
    let mut sizes: Vec<(K, u64)> = counts.into_iter().flatten().collect();
    if 0 < limit && limit < sizes.len() {
        // Ties are broken by name: those as large as the last one shown are all named.
        let (_, last, _) = sizes.select_nth_unstable_by_key(limit - 1, |(_, size)| Reverse(*size));
        let least = last.1;
        sizes.retain(|(_, size)| *size >= least);
    }
    let mut named: Vec<(u64, Vec<u8>, K)> =
        sizes.into_iter().map(|(key, size)| (size, call(key), key)).collect();
    keep_largest(&mut named, limit, |a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let named = named.into_iter().map(|(_, name, key)| (key, Group { name, ..Group::default() }));
    named.collect()
}

/// All values of the field, in no particular order.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    /// What the breakdown is about.
    pub(super) subject: &'a Subject,
    /// What the user set, and the rest of what a finishing report is told.
    pub(super) closing: &'a Closing<'a>,
    all: Counter,
    /// Records without a value, and those whose values did not fit into memory.
    absent: u64,
    others: u64,
    rows: Vec<Row<'a>>,
}

/// With fewer values a thread there is nothing to gain.
const FOR_ONE_THREAD: usize = 4 << 10;

/// What was counted for all of them.
fn sum(rows: &[Row<'_>]) -> Counter {
    let part = |rows: &[Row<'_>]| rows.iter().map(|row| row.counted.counter()).sum::<Counter>();
    rows.par_chunks(FOR_ONE_THREAD).map(part).sum()
}

impl<'a> Rows<'a> {
    fn of(subject: &'a Subject, state: &'a State, closing: &'a Closing<'a>) -> Self {
        let texts = state.keys.texts(subject.field, closing.dictionaries);
        let row = |at: usize| {
            let symbol = Symbol(at as u32);
            let counted = state.counters.of(symbol);
            let is_row = !matches!(symbol, Symbol::ABSENT | Symbol::OTHER) && counted.count() > 0;
            is_row.then(|| Row { key: texts.of(symbol), counted, times: state.times.get(symbol) })
        };
        let symbols = (0..state.counters.len()).into_par_iter().with_min_len(FOR_ONE_THREAD);
        let rows: Vec<Row<'_>> = symbols.filter_map(row).collect();
        let [absent, others] =
            [Symbol::ABSENT, Symbol::OTHER].map(|symbol| state.counters.of(symbol));
        let mut all = sum(&rows);
        [absent, others].iter().for_each(|counted| all += &counted.counter());
        Self { subject, closing, all, absent: absent.count(), others: others.count(), rows }
    }

    /// True when no record has a value.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The values.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Row<'a>> {
        self.rows.iter()
    }

    /// The values together by what `of` makes of them; those of which it makes nothing are left out. `name` says what a
    /// group is called, once a group.
    pub(super) fn grouped<K: Hash + Eq>(
        &self,
        of: impl Fn(&[u8]) -> Option<K>,
        name: impl Fn(K) -> Vec<u8>,
    ) -> Vec<Group> {
        self.grouped_by(self.rows.iter().map(|row| of(row.key)), name)
    }

    /// The same with what was made of each value, in their order.
    pub(super) fn grouped_by<K: Hash + Eq>(
        &self,
        keys: impl Iterator<Item = Option<K>>,
        name: impl Fn(K) -> Vec<u8>,
    ) -> Vec<Group> {
        let (mut groups, mut places) = (Vec::new(), HashMap::<K, usize, RandomState>::default());
        for (row, key) in self.rows.iter().zip(keys) {
            let Some(key) = key else { continue };
            let place = *places.entry(key).or_insert(groups.len());
            if place == groups.len() {
                groups.push(Group::default());
            }
            groups[place].add(row);
        }
        places.into_iter().for_each(|(key, place)| groups[place].name = name(key));
        groups
    }

    /// A table of the values together by what `of` makes of them, by number of records. There may be nearly as many
    /// groups as values: all are counted, but only those that are shown are summed up whole and named.
    pub(super) fn section_of_groups<K: Hash + Eq + Copy + Send + Sync>(
        &self,
        (name, title): (&str, &str),
        of: impl Fn(&[u8]) -> Option<K> + Sync,
        call: impl Fn(K) -> Vec<u8>,
    ) -> Section {
        let keys: Vec<Option<K>> = self.rows.par_iter().map(|row| of(row.key)).collect();
        let counts = self.counted(&keys);
        let total_rows = counts.iter().map(HashMap::len).sum::<usize>() as u64;
        let mut shown: HashMap<K, Group, RandomState> = largest_groups(counts, self.closing, call);
        let is_shown =
            |(key, _): &(&Option<K>, &Row<'_>)| key.is_some_and(|key| shown.contains_key(&key));
        let rows = keys.par_iter().zip(&self.rows).with_min_len(FOR_ONE_THREAD);
        let of_shown: Vec<_> = rows.filter(is_shown).collect();
        for (key, row) in of_shown {
            if let Some(group) = key.and_then(|key| shown.get_mut(&key)) {
                group.add(row);
            }
        }
        let groups: Vec<Group> = shown.into_values().collect();
        let mut section = self.over(&groups).section(name.to_owned(), title.to_owned(), By::Count);
        if let Body::Table(table) = &mut section.body {
            table.total_rows = total_rows;
        }
        section
    }

    /// How many records there are of each key, one key a row. Each thread counts the keys of its own share of the hashes.
    fn counted<K: Hash + Eq + Copy + Send + Sync>(&self, keys: &[Option<K>]) -> Vec<Counts<K>> {
        let hasher = RandomState::default();
        let shares = rayon::current_num_threads() as u64;
        let count = |share: u64| {
            let room = keys.len() / shares as usize;
            let mut counts = HashMap::with_capacity_and_hasher(room, hasher.clone());
            for (key, row) in keys.iter().zip(&self.rows) {
                let Some(key) = key else { continue };
                // Not by the bits that a map goes by.
                if (hasher.hash_one(key) >> 32) % shares == share {
                    *counts.entry(*key).or_default() += row.counted.count();
                }
            }
            counts
        };
        (0..shares).into_par_iter().map(count).collect()
    }

    /// Groups as rows of the same breakdown.
    pub(super) fn over<'b>(&'b self, groups: &'b [Group]) -> Rows<'b>
    where
        'a: 'b,
    {
        let rows = groups.iter().map(|group| Row {
            key: &group.name,
            counted: Counted::from(&group.counter),
            times: group.times.as_deref(),
        });
        self.with(rows.collect())
    }

    /// Only those values.
    pub(super) fn only(&self, wanted: impl Fn(&Row<'a>) -> bool) -> Rows<'_> {
        self.with(self.rows.iter().filter(|row| wanted(row)).copied().collect())
    }

    fn with<'b>(&'b self, rows: Vec<Row<'b>>) -> Rows<'b>
    where
        'a: 'b,
    {
        let Self { subject, closing, all, absent, others, .. } = *self;
        Rows { subject, closing, all, absent, others, rows }
    }

    /// A table ordered by that measure.
    pub(super) fn section(&self, name: String, title: String, by: By) -> Section {
        let (rows, total_rows) = self.largest(|row| by.of(&row.counted));
        let columns = self.columns(by);
        let rows = rows.into_iter().map(|row| self.cells(row, by)).collect();
        self.noted(Section::table(name, title, Table { columns, rows, total_rows }))
    }

    /// The first rows by a measure, and how many rows count anything by it.
    fn largest(&self, measure: impl Fn(&Row<'_>) -> u64) -> (Vec<&Row<'a>>, u64) {
        let measured = self.rows.iter().map(|row| (measure(row), row));
        let mut rows: Vec<(u64, &Row<'_>)> = measured.filter(|(measure, _)| *measure > 0).collect();
        let total = rows.len() as u64;
        keep_largest(&mut rows, self.closing.options.limit, |a, b| {
            b.0.cmp(&a.0).then_with(|| a.1.key.cmp(b.1.key))
        });
        (rows.into_iter().map(|(_, row)| row).collect(), total)
    }

    fn noted(&self, mut section: Section) -> Section {
        keys::note_left_out(&mut section, self.subject.field, self.absent, self.others);
        section
    }

    fn columns(&self, by: By) -> Vec<Column> {
        let mut columns = vec![Column::new(self.subject.field.name(), Role::Key)];
        match by {
            By::Count => columns.push(Column::new("count", Role::Main)),
            By::Lane(_, name) => columns.push(Column::new(name, Role::Main)),
            By::NotFound => columns.push(Column::new("404", Role::Main)),
        }
        columns.push(Column::new("share", Role::Value));
        if !matches!(by, By::Count) {
            columns.push(Column::new("count", Role::Value));
            columns.push(Column::new("rate", Role::Value).labelled("of its own"));
        }
        columns.extend(self.subject.sized.then(|| value("bytes")));
        let main = by.column();
        columns.extend(outcome::columns(self.subject.scale).filter(|column| column.name != main));
        if self.subject.duration.is_some() {
            columns.extend(["mean", "p50", "p95", "p99", "max"].map(value));
        }
        columns
    }

    fn cells(&self, row: &Row<'_>, by: By) -> Vec<Cell> {
        let (count, counter) = (by.of(&row.counted), row.counted.counter());
        let mut cells = vec![Cell::text(row.key), Cell::Count(count)];
        cells.push(Cell::share(count, by.of(&Counted::from(&self.all))));
        if !matches!(by, By::Count) {
            cells.push(Cell::Count(counter.count()));
            cells.push(Cell::share(count, counter.count()));
        }
        cells.extend(self.subject.sized.then(|| Cell::Bytes(counter.bytes())));
        let lanes = self.subject.scale.lanes().iter().filter(|(_, name)| *name != by.column());
        cells.extend(lanes.map(|(lane, _)| Cell::Count(counter.lane(*lane))));
        if self.subject.duration.is_some() {
            cells.extend(times(row.times));
        }
        cells
    }

    /// A table of durations, ordered by their sum.
    fn latency(&self, name: String, title: String) -> Section {
        let sum = |row: &Row<'_>| row.times.map_or(0, Sparse::sum);
        let whole = self.rows.iter().map(sum).fold(0, u64::saturating_add);
        let (rows, total_rows) = self.largest(sum);
        let rows = rows.into_iter().map(|row| self.latency_cells(row, whole)).collect();
        let mut columns = vec![Column::new(self.subject.field.name(), Role::Key)];
        columns.push(Column::new("time", Role::Main));
        columns.extend(["share", "count", "min", "mean"].map(value));
        columns.extend(PERCENTILES.map(|(_, name)| value(name)));
        columns.extend(["max", "deviation"].map(value));
        columns.extend(outcome::columns(self.subject.scale));
        if self.subject.sized {
            columns.extend(["bytes", "mean_bytes"].map(value));
        }
        self.noted(Section::table(name, title, Table { columns, rows, total_rows }))
    }

    fn latency_cells(&self, row: &Row<'_>, whole: u64) -> Vec<Cell> {
        let times = row.times.map(Sparse::quantiles).unwrap_or_default();
        let mut cells = vec![Cell::text(row.key), duration(times.sum())];
        cells.extend([Cell::share(times.sum(), whole), Cell::Count(times.count())]);
        cells.extend([duration(times.min()), mean(&times)]);
        cells.extend(PERCENTILES.map(|(wanted, _)| duration(times.percentile(wanted))));
        cells.extend([duration(times.max()), Cell::Duration(times.deviation().round() as i64)]);
        let counter = row.counted.counter();
        cells.extend(outcome::cells(self.subject.scale, &counter));
        let (bytes, count) = (counter.bytes(), counter.count());
        if self.subject.sized {
            cells.extend([Cell::Bytes(bytes), Cell::Bytes(bytes / count.max(1))]);
        }
        cells
    }
}

impl By {
    /// The lane that already stands as the main column.
    fn column(self) -> &'static str {
        match self {
            Self::Lane(_, name) => name,
            Self::Count | Self::NotFound => "",
        }
    }
}

fn value(name: &str) -> Column {
    Column::new(name, Role::Value)
}

/// Microseconds as a cell.
pub(super) fn duration(micros: u64) -> Cell {
    Cell::Duration(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// The mean of durations as a cell.
pub(super) fn mean(times: &Quantiles) -> Cell {
    Cell::Duration(times.mean().round() as i64)
}

/// Mean, p50, p95, p99 and the largest.
fn times(times: Option<&Sparse>) -> [Cell; 5] {
    let Some(times) = times.filter(|times| !times.is_empty()).map(Sparse::quantiles) else {
        return std::array::from_fn(|_| Cell::Empty);
    };
    let [p50, p95, p99] = [50_000, 95_000, 99_000].map(|wanted| duration(times.percentile(wanted)));
    [mean(&times), p50, p95, p99, duration(times.max())]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_merging, column, requests, sections};
    use super::super::{AnyReport, Options, clients, paths};
    use super::*;
    use crate::format::Family;
    use std::collections::BTreeMap;

    fn all_fields() -> Fields {
        Field::all_known().collect()
    }

    fn subject(name: &'static str, field: Field) -> Subject {
        let duration = Some(Field::DURATION);
        Subject { duration, blame: true, ..Subject::new(name, "Those", field, Scale::Status) }
    }

    fn report(subject: Subject) -> Box<dyn AnyReport> {
        Box::new(Breakdowns::new(vec![subject], all_fields()))
    }

    #[test]
    fn counts_as_a_plain_map_does() {
        let records = requests(3_000, 5);
        let mut plain: BTreeMap<String, u64> = BTreeMap::new();
        for (field, value) in records.iter().flatten() {
            if *field == Field::PATH {
                *plain.entry(value.clone()).or_default() += 1;
            }
        }
        let mut expected: Vec<(String, u64)> = plain.into_iter().collect();
        expected.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let options = Options { limit: 0, ..Options::default() };
        let found =
            sections(&*report(subject("paths", Field::PATH)), Family::Web, &options, &records);
        let keys: Vec<Cell> = expected.iter().map(|(path, _)| Cell::text(path)).collect();
        let counts: Vec<Cell> = expected.iter().map(|(_, count)| Cell::Count(*count)).collect();
        assert_eq!(column(&found, "paths", "path"), keys);
        assert_eq!(column(&found, "paths", "count"), counts);
    }

    #[test]
    fn merging_changes_nothing() {
        let records = requests(5_000, 9);
        let options = Options::default();
        for subject in [
            Subject { more: clients::sections, ..subject("clients", Field::CLIENT) },
            Subject { more: paths::sections, ..subject("paths", Field::PATH) },
            Subject { fold: Some(paths::fold), ..subject("targets", Field::TARGET) },
            subject("statuses", Field::STATUS),
            Subject::new("kinds", "Kinds", Field::KIND, Scale::Class),
        ] {
            check_merging(&*report(subject), Family::Web, &options, &records);
        }
    }

    #[test]
    fn shows_those_behind_trouble() {
        let records = requests(500, 11);
        let options = Options { limit: 3, ..Options::default() };
        let subject = Subject { more: paths::sections, ..subject("paths", Field::PATH) };
        let found = sections(&*report(subject), Family::Web, &options, &records);
        let names: Vec<&str> = found.iter().map(|section| section.name.as_str()).collect();
        let expected = [
            "paths",
            "paths_5xx",
            "paths_4xx",
            "paths_latency",
            "static_files",
            "file_types",
            "not_found",
        ];
        assert_eq!(names, expected);
        assert_eq!(column(&found, "paths_5xx", "5xx").len(), 3);
        let crate::document::Body::Table(table) = &found[0].body else { panic!("it is no table") };
        assert!(table.total_rows > 3);
        assert!(table.rows.iter().all(|row| row.len() == table.columns.len()));
    }
}

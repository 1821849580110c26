//! Slow statements by their shape: how often, how long, what they cost, who sent them, and the worst of each.
//!
//! A shape is a fingerprint. Every number that the log has for a statement (times, rows, bytes, and whatever else the server
//! counts) is kept in a histogram a shape, so that each has its percentiles; the whole is put together from the shapes
//! when the report finishes. [`super::tables`] makes the sections.

use serde::{Deserialize, Serialize};

use super::super::{Closing, Needs, Renumberings, Report};
use super::tables;
use crate::document::Section;
use crate::record::block::ROWS;
use crate::record::{Field, Fields, Kind, Label, Records, Symbol, Value};
use crate::tally::amounts::UNTOLD;
use crate::tally::{Amounts, Few, PerSymbol, Renumbering};

/// The attributes that come first, in this order.
const FIRST: [Field; 6] = [
    Field::DURATION,
    Field::LOCK_TIME,
    Field::ROWS_SENT,
    Field::ROWS_EXAMINED,
    Field::ROWS_AFFECTED,
    Field::BYTES,
];
/// Numbers that are names and no amounts.
const NAMES: [Field; 6] = [
    Field::THREAD_ID,
    Field::ERRNO,
    Field::CLIENT_PORT,
    Field::OFFSET,
    Field::PORT,
    Field::RATE_LIMIT,
];
const NAMES_OF_OWN: [&str; 4] = ["killed", "last_insert_id", "insert_id", "server_id"];
/// The attributes that say yes or no.
const FLAGS: [&str; 8] = [
    "qc_hit",
    "full_scan",
    "full_join",
    "tmp_table",
    "tmp_table_on_disk",
    "filesort",
    "filesort_on_disk",
    "priority_queue",
];
/// By whom statements are counted.
pub(super) const WHO: [Field; 4] = [Field::DATABASE, Field::USER, Field::HOST, Field::CLIENT];
/// As much of the worst statement is kept.
const MOST_SAMPLE: usize = 2048;

/// The report.
#[derive(Debug)]
pub(in super::super) struct Profile {
    attributes: Vec<Field>,
    flags: Vec<Field>,
}

impl Profile {
    /// For logs whose formats supply these fields.
    pub(in super::super) fn new(supplied: Fields) -> Self {
        let amounts = |field: &Field| {
            matches!(field.kind(), Kind::Number | Kind::Bytes | Kind::Duration)
                && !NAMES.contains(field)
                && !FIRST.contains(field)
                && !NAMES_OF_OWN.contains(&field.name())
        };
        let first = FIRST.into_iter().filter(|field| supplied.has(*field));
        let mut others: Vec<Field> = supplied.iter().filter(amounts).collect();
        others.sort_by_key(|field| field.name());
        let flags = FLAGS.iter().filter_map(|name| Field::named(name));
        Self {
            attributes: first.chain(others).collect(),
            flags: flags.filter(|field| supplied.has(*field)).collect(),
        }
    }
}

/// The statement that took longest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Worst {
    pub(super) micros: u64,
    pub(super) time: i64,
    pub(super) offset: u64,
    pub(super) source: Symbol,
    pub(super) text: Vec<u8>,
    /// Whether the text is all of the statement.
    pub(super) is_whole: bool,
}

impl Worst {
    /// True when the other took longer, or as long and came first.
    fn yields_to(&self, micros: u64, time: i64, offset: u64) -> bool {
        let order = micros.cmp(&self.micros);
        order.then_with(|| (self.time, self.offset).cmp(&(time, offset))).is_gt()
    }
}

impl Default for Worst {
    fn default() -> Self {
        let source = Symbol::ABSENT;
        Self { micros: 0, time: 0, offset: 0, source, text: Vec::new(), is_whole: true }
    }
}

/// What is known of one shape.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) count: u64,
    pub(super) warnings: u64,
    pub(super) errors: u64,
    pub(super) period: Option<(i64, i64)>,
    /// In the order of [`State::attributes`].
    pub(super) attributes: Amounts,
    /// In the order of [`State::flags`]: how often yes, and how often yes or no.
    pub(super) flags: Vec<(u64, u64)>,
    /// In the order of [`WHO`].
    pub(super) who: [Few; WHO.len()],
    pub(super) worst: Option<Worst>,
}

impl Shape {
    fn new(attributes: usize, flags: usize) -> Self {
        Self { attributes: Amounts::new(attributes), flags: vec![(0, 0); flags], ..Self::default() }
    }

    fn see(&mut self, first: i64, last: i64) {
        let (known_first, known_last) = self.period.unwrap_or((first, last));
        self.period = Some((known_first.min(first), known_last.max(last)));
    }

    /// Counts the statements of another of the same flags.
    pub(super) fn count(&mut self, other: &Self) {
        self.count += other.count;
        self.warnings += other.warnings;
        self.errors += other.errors;
        if let Some((first, last)) = other.period {
            self.see(first, last);
        }
        for (own, more) in self.flags.iter_mut().zip(&other.flags) {
            (own.0, own.1) = (own.0 + more.0, own.1 + more.1);
        }
    }

    /// Takes in another of the same attributes.
    pub(super) fn merge(&mut self, other: Self) {
        self.count(&other);
        self.attributes.merge(other.attributes);
        self.who.iter_mut().zip(&other.who).for_each(|(own, more)| own.merge(more));
        if let Some(worst) = other.worst
            && self
                .worst
                .as_ref()
                .is_none_or(|own| own.yields_to(worst.micros, worst.time, worst.offset))
        {
            self.worst = Some(worst);
        }
    }
}

/// What was counted, by shape.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in super::super) struct State {
    /// The names of the attributes, as saved states may have others.
    pub(super) attributes: Vec<String>,
    pub(super) flags: Vec<String>,
    pub(super) shapes: PerSymbol<Option<Box<Shape>>>,
}

impl Report for Profile {
    type State = State;

    fn name(&self) -> String {
        "statements".to_owned()
    }

    fn needs(&self) -> Needs {
        let symbols = [&WHO[..], &[Field::FINGERPRINT, Field::SOURCE_FILE]].concat();
        Needs::required(&[Field::TIME, Field::FINGERPRINT, Field::DURATION])
            .optional(&self.attributes)
            .optional(&self.flags)
            .optional(&WHO)
            .optional(&[Field::SOURCE_FILE, Field::STATEMENT, Field::CLASS])
            .by_symbol(&symbols)
    }

    fn start(&self) -> State {
        let names = |fields: &[Field]| fields.iter().map(|field| field.name().to_owned()).collect();
        State {
            attributes: names(&self.attributes),
            flags: names(&self.flags),
            shapes: PerSymbol::default(),
        }
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let columns = Columns::of(self, records);
        let Some(fingerprints) = records.symbols(Field::FINGERPRINT) else { return };
        for (row, fingerprint) in fingerprints.iter().enumerate() {
            if *fingerprint != Symbol::ABSENT {
                let shape = state.shapes.at(*fingerprint).get_or_insert_with(|| {
                    Box::new(Shape::new(self.attributes.len(), self.flags.len()))
                });
                columns.add(row, shape);
            }
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let who = WHO.map(|field| renumberings.of(field));
        let sources = renumberings.of(Field::SOURCE_FILE);
        let before = (into.attributes.len(), into.flags.len());
        let attributes = places(&mut into.attributes, &from.attributes);
        let flags = places(&mut into.flags, &from.flags);
        let sizes = (into.attributes.len(), into.flags.len());
        if sizes != before {
            let [attributes, flags] = [before.0, before.1].map(|count| Vec::from_iter(0..count));
            for shape in into.shapes.values_mut().flatten() {
                **shape = std::mem::take(&mut **shape).moved(&attributes, &flags, sizes);
            }
        }
        let join = |own: &mut Option<Box<Shape>>, more: Option<Box<Shape>>| match (own, more) {
            (Some(own), Some(more)) => own.merge(*more),
            (own, more) => *own = own.take().or(more),
        };
        let fingerprints = renumberings.of(Field::FINGERPRINT);
        into.shapes.merge_side_by_side(from.shapes, fingerprints, join, |own, more| {
            let more = more.map(|more| more.renamed(&who, sources));
            join(own, more.map(|more| Box::new(more.moved(&attributes, &flags, sizes))));
        });
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        tables::sections(state, closing)
    }
}

/// Where each of `theirs` stands in `own`, which takes in those that it lacks.
fn places(own: &mut Vec<String>, theirs: &[String]) -> Vec<usize> {
    let place = |name: &String| {
        own.iter().position(|known| known == name).unwrap_or_else(|| {
            own.push(name.clone());
            own.len() - 1
        })
    };
    theirs.iter().map(place).collect()
}

impl Shape {
    /// The same with its attributes in other places.
    fn moved(mut self, attributes: &[usize], flags: &[usize], sizes: (usize, usize)) -> Self {
        self.attributes = self.attributes.moved(attributes, sizes.0);
        let old = std::mem::replace(&mut self.flags, vec![(0, 0); sizes.1]);
        for (value, place) in old.into_iter().zip(flags) {
            self.flags[*place] = value;
        }
        self
    }

    fn renamed(mut self, who: &[&Renumbering; WHO.len()], sources: &Renumbering) -> Self {
        for (own, renumbering) in self.who.iter_mut().zip(who) {
            *own = own.renamed(renumbering);
        }
        if let Some(worst) = &mut self.worst {
            worst.source = sources.of(worst.source);
        }
        self
    }
}

/// The columns of a block, absent where the run has none.
struct Columns<'a> {
    records: &'a Records<'a>,
    times: &'a [Value],
    durations: &'a [Value],
    classes: &'a [Value],
    attributes: Vec<&'a [Value]>,
    flags: Vec<&'a [Value]>,
    who: [&'a [Symbol]; WHO.len()],
    source: Symbol,
}

static NEVER: [Value; ROWS] = [Value::ABSENT; ROWS];
static NOBODY: [Symbol; ROWS] = [Symbol::ABSENT; ROWS];

impl<'a> Columns<'a> {
    fn of(report: &Profile, records: &'a Records<'a>) -> Self {
        let column = |field: Field| records.column(field).unwrap_or(&NEVER[..records.len()]);
        let sources = records.symbols(Field::SOURCE_FILE);
        Self {
            records,
            times: column(Field::TIME),
            durations: column(Field::DURATION),
            classes: column(Field::CLASS),
            attributes: report.attributes.iter().map(|field| column(*field)).collect(),
            flags: report.flags.iter().map(|field| column(*field)).collect(),
            who: WHO.map(|field| records.symbols(field).unwrap_or(&NOBODY[..records.len()])),
            source: sources.and_then(|sources| sources.first()).copied().unwrap_or(Symbol::ABSENT),
        }
    }

    #[inline]
    fn add(&self, row: usize, shape: &mut Shape) {
        shape.count += 1;
        let class = self.classes[row].number_or(0);
        shape.warnings += u64::from(class == Label::WARN.number());
        shape.errors += u64::from(class == Label::ERROR.number());
        let time = self.times[row].number();
        if let Some(time) = time {
            shape.see(time, time);
        }
        let amount =
            |column: &&[Value]| column[row].number().map_or(UNTOLD, |value| value.max(0) as u64);
        shape.attributes.add(self.attributes.iter().map(amount));
        for (flag, column) in shape.flags.iter_mut().zip(&self.flags) {
            if let Some(text) = self.records.bytes(column[row]) {
                flag.0 += u64::from(text.first() == Some(&b'Y'));
                flag.1 += 1;
            }
        }
        for (counts, symbols) in shape.who.iter_mut().zip(&self.who) {
            if symbols[row] != Symbol::ABSENT {
                counts.add(symbols[row], 1);
            }
        }
        self.compare(row, time.unwrap_or(0), shape);
    }

    /// Keeps the statement if it is the worst so far.
    #[inline]
    fn compare(&self, row: usize, time: i64, shape: &mut Shape) {
        let micros = self.durations[row].number_or(0).max(0) as u64;
        if let Some(worst) = &shape.worst
            && micros < worst.micros
        {
            return;
        }
        let offset = self.records.offset(row);
        let worst = shape.worst.get_or_insert_default();
        if worst.text.is_empty() || worst.yields_to(micros, time, offset) {
            let text = self.records.text(Field::STATEMENT, row).unwrap_or_default();
            let kept = &text[..text.len().min(MOST_SAMPLE)];
            worst.text.clear();
            worst.text.extend_from_slice(kept);
            worst.is_whole = kept.len() == text.len();
            (worst.micros, worst.time, worst.offset) = (micros, time, offset);
            worst.source = self.source;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::super::Options;
    use super::super::super::testing::{Dice, Made, check_form, check_merging, column, sections};
    use super::*;
    use crate::document::Cell;
    use crate::format::Family;

    /// Statements of several shapes.
    pub(in super::super) fn statements(count: usize, seed: u64) -> Vec<Made> {
        let mut dice = Dice(seed);
        (0..count)
            .map(|at| {
                let shape = dice.below(7);
                let took = (dice.below(1000) * dice.below(4000)) as i64;
                vec![
                    (Field::TIME, (1_709_802_000_000_000 + at as i64 * 370_000).to_string()),
                    (Field::FINGERPRINT, format!("select * from t{shape} where id = ?")),
                    (Field::STATEMENT, format!("SELECT * FROM t{shape} WHERE id = {at}")),
                    (Field::CLASS, ["ok", "warn", "error"][dice.below(3)].to_owned()),
                    (Field::DURATION, took.to_string()),
                    (Field::LOCK_TIME, (took / 3).to_string()),
                    (Field::ROWS_SENT, dice.below(50).to_string()),
                    (Field::ROWS_EXAMINED, dice.below(50_000).to_string()),
                    (Field::USER, format!("u{}", dice.below(3))),
                    (Field::HOST, format!("h{}", dice.below(5))),
                    (Field::DATABASE, "shop".to_owned()),
                ]
            })
            .collect()
    }

    fn supplied() -> Fields {
        Fields::of(&FIRST).union(Fields::of(&WHO))
    }

    #[test]
    fn merging_changes_nothing() {
        let report = Profile::new(supplied());
        let options = Options { pt_checksums: true, group_names: true, ..Options::default() };
        for options in [Options::default(), options] {
            let records = statements(3_000, 5);
            check_merging(&report, Family::MysqlSlow, &options, &records);
            sections(&report, Family::MysqlSlow, &options, &records).iter().for_each(check_form);
        }
    }

    #[test]
    fn shapes_are_ranked_by_the_time_they_took() {
        let record = |fingerprint: &str, took: i64| {
            vec![
                (Field::TIME, "1000000".to_owned()),
                (Field::FINGERPRINT, fingerprint.to_owned()),
                (Field::STATEMENT, format!("{fingerprint} {took}")),
                (Field::DURATION, took.to_string()),
            ]
        };
        let records = [record("a", 10), record("b", 5), record("b", 30), record("c", 1)];
        let options = Options { limit: 2, ..Options::default() };
        let found = sections(&Profile::new(supplied()), Family::MysqlSlow, &options, &records);
        assert_eq!(column(&found, "statements", "calls"), [2, 1, 1].map(Cell::Count));
        assert_eq!(column(&found, "statements", "time"), [35, 10, 1].map(Cell::Duration));
        assert_eq!(column(&found, "worst_queries", "statement")[0], Cell::text("b 30"));
    }
}

//! What happened, by a word for it: kinds, levels and numbers of messages, each with the times and an example.
//!
//! For logs that tell of events. Sections, for a table called `kinds`:
//!
//! * `kinds_error`: those with failures, by their number, where the table is asked for them;
//! * `kinds`: all of them.
//!
//! The example of a word is the first record of the worst class that it had: the earliest and, of those at one
//! instant, the one whose bytes sort first. Neither the order of the files nor that of merges has a part in that.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::keys::{self, Keys};
use super::{Closing, Needs, Renumberings, Report};
use crate::document::{Cell, Column, Role, Section, Table};
use crate::record::block::ROWS;
use crate::record::{Field, Records, Symbol, Value};
use crate::tally::{PerSymbol, keep_largest};

/// How many bytes of an example are kept. A line of Nginx is up to 2,048 bytes long; the end of a long one says less
/// than its beginning.
const EXAMPLE_BYTES: usize = 400;

/// The report.
#[derive(Debug)]
pub(super) struct Words {
    name: &'static str,
    title: &'static str,
    failures: Option<&'static str>,
    field: Field,
}

impl Words {
    /// A table of that name over a field with few different values: each has an example of its own.
    pub(super) fn new(name: &'static str, title: &'static str, field: Field) -> Self {
        Self { name, title, failures: None, field }
    }

    /// With a table of failures in front, under that heading.
    pub(super) fn with_failures(self, title: &'static str) -> Self {
        Self { failures: Some(title), ..self }
    }
}

/// What was counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct State {
    keys: Keys,
    words: PerSymbol<Word>,
}

/// The lanes of a word: the numbers of the labels of the three classes; 0 is for records that say none.
const OK: usize = 1;
const WARN: usize = 2;
const ERROR: usize = 3;

/// What is known of one word.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Word {
    lanes: [u64; ERROR + 1],
    times: Option<(i64, i64)>,
    example: Option<Example>,
}

/// A record that shows what a word means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Example {
    /// The lane of its class.
    lane: usize,
    /// Its instant. A record without time comes behind all others of its lane.
    time: i64,
    /// The beginning of its text.
    text: Vec<u8>,
}

impl Word {
    /// Takes in neighbours of one class with their times; `text` gives that of one of them.
    fn add<'a>(&mut self, class: Value, times: &[Value], text: impl Fn(usize) -> &'a [u8]) {
        let lane = usize::try_from(class.number_or(0)).ok().filter(|lane| *lane <= ERROR);
        let lane = lane.unwrap_or(0);
        self.lanes[lane] += times.len() as u64;
        let known = times.iter().filter_map(|time| time.number());
        let (first, last) = known
            .fold((i64::MAX, i64::MIN), |(first, last), time| (first.min(time), last.max(time)));
        if first <= last {
            self.see(first, last);
        }
        let example = self.example.as_ref();
        if example.is_none_or(|known| (Reverse(lane), first) <= (Reverse(known.lane), known.time)) {
            for (row, time) in times.iter().enumerate() {
                self.offer(lane, time.number().unwrap_or(i64::MAX), text(row));
            }
        }
    }

    #[inline]
    fn see(&mut self, first: i64, last: i64) {
        let (from, to) = self.times.unwrap_or((first, last));
        self.times = Some((from.min(first), to.max(last)));
    }

    fn offer(&mut self, lane: usize, time: i64, text: &[u8]) {
        // Cut first: a cut may leave a space at the end, and a text that was kept is offered again when states merge.
        let text = text[..text.len().min(EXAMPLE_BYTES)].trim_ascii_end();
        let is_first = self.example.as_ref().is_none_or(|known| {
            let known = (Reverse(known.lane), known.time, &known.text[..]);
            (Reverse(lane), time, text) < known
        });
        if is_first {
            self.example = Some(Example { lane, time, text: text.to_vec() });
        }
    }

    fn merge(&mut self, other: Self) {
        self.lanes.iter_mut().zip(other.lanes).for_each(|(own, more)| *own += more);
        if let Some((first, last)) = other.times {
            self.see(first, last);
        }
        if let Some(Example { lane, time, text }) = other.example {
            self.offer(lane, time, &text);
        }
    }
}

impl Report for Words {
    type State = State;

    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn needs(&self) -> Needs {
        let needs = Needs::required(&[self.field]).optional(&[Field::TIME, Field::CLASS]);
        if self.field.kind().is_text() { needs.by_symbol(&[self.field]) } else { needs }
    }

    fn start(&self) -> State {
        State { keys: Keys::of(self.field), words: PerSymbol::default() }
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let mut room = [Symbol::ABSENT; ROWS];
        let Some(symbols) = state.keys.symbols(self.field, records, &mut room) else { return };
        let never = [Value::ABSENT; ROWS];
        let column = |field| records.column(field).unwrap_or(&never[..records.len()]);
        let (classes, times) = (column(Field::CLASS), column(Field::TIME));
        let mut start = 0;
        while start < symbols.len() {
            let (symbol, class) = (symbols[start], classes[start]);
            let rest = symbols[start..].iter().zip(&classes[start..]);
            let same = rest.take_while(|(other, of)| **other == symbol && **of == class).count();
            let times = &times[start..start + same];
            state.words.at(symbol).add(class, times, |row| records.whole(start + row));
            start += same;
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let renumbering = into.keys.absorb(&from.keys, self.field, renumberings);
        into.words.merge(from.words, &renumbering, Word::merge);
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        let table = Rows::of(self, &state, closing);
        let failures = self.failures.and_then(|title| {
            table.section(format!("{}_error", self.name), title.to_owned(), By::Error)
        });
        let sections =
            [failures, table.section(self.name.to_owned(), self.title.to_owned(), By::Count)];
        sections.into_iter().flatten().collect()
    }
}

/// The words of a finished state.
struct Rows<'a> {
    field: Field,
    closing: &'a Closing<'a>,
    rows: Vec<(&'a [u8], &'a Word)>,
    /// Records without a word, and those whose words did not fit into memory.
    absent: u64,
    others: u64,
}

impl<'a> Rows<'a> {
    fn of(report: &Words, state: &'a State, closing: &'a Closing<'a>) -> Self {
        let field = report.field;
        let mut found = Self { field, closing, rows: Vec::new(), absent: 0, others: 0 };
        let texts = state.keys.texts(field, closing.dictionaries);
        for (symbol, word) in state.words.iter().filter(|(_, word)| By::Count.of(word) > 0) {
            match symbol {
                Symbol::ABSENT => found.absent = By::Count.of(word),
                Symbol::OTHER => found.others = By::Count.of(word),
                _ => found.rows.push((texts.of(symbol), word)),
            }
        }
        found
    }

    /// A table ordered by a measure; `None` when nothing counts by it.
    fn section(&self, name: String, title: String, by: By) -> Option<Section> {
        let rows = self.rows.iter().filter(|(_, word)| by.of(word) > 0);
        let mut rows: Vec<(&[u8], &Word)> = rows.copied().collect();
        if rows.is_empty() {
            return None;
        }
        let total_rows = rows.len() as u64;
        let whole = rows.iter().map(|(_, word)| by.of(word)).sum();
        keep_largest(&mut rows, self.closing.options.limit, |a, b| {
            (Reverse(by.of(a.1)), a.0).cmp(&(Reverse(by.of(b.1)), b.0))
        });
        let rows = rows.iter().map(|(key, word)| by.cells(key, word, whole)).collect();
        let table = Table { columns: by.columns(self.field), rows, total_rows };
        Some(self.noted(Section::table(name, title, table)))
    }

    fn noted(&self, mut section: Section) -> Section {
        keys::note_left_out(&mut section, self.field, self.absent, self.others);
        section
    }
}

/// By what a table of words is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// All records.
    Count,
    /// Those of class error.
    Error,
}

impl By {
    fn of(self, word: &Word) -> u64 {
        match self {
            Self::Count => word.lanes.iter().sum(),
            Self::Error => word.lanes[ERROR],
        }
    }

    fn columns(self, field: Field) -> Vec<Column> {
        let main = match self {
            Self::Count => "count",
            Self::Error => "error",
        };
        let mut columns = vec![Column::new(field.name(), Role::Key), Column::new(main, Role::Main)];
        let values = ["share", "ok", "warn", "error", "first", "last"];
        let values = values.into_iter().filter(|name| *name != main);
        columns.extend(values.map(|name| Column::new(name, Role::Value)));
        columns.push(Column::new("example", Role::Detail));
        columns
    }

    fn cells(self, key: &[u8], word: &Word, whole: u64) -> Vec<Cell> {
        let measure = self.of(word);
        let mut cells = vec![Cell::text(key), Cell::Count(measure), Cell::share(measure, whole)];
        let shown = if self == Self::Count { OK..=ERROR } else { OK..=WARN };
        cells.extend(word.lanes[shown].iter().map(|count| Cell::Count(*count)));
        cells.extend(match word.times {
            Some((first, last)) => [Cell::Instant(first), Cell::Instant(last)],
            None => [Cell::Empty, Cell::Empty],
        });
        let example = word.example.as_ref().filter(|example| !example.text.is_empty());
        cells.push(example.map_or(Cell::Empty, |example| Cell::text(&example.text)));
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Dice, Made, check_form, check_merging, column, sections};
    use super::super::{AnyReport, Options};
    use super::*;
    use crate::format::Family;

    fn report(field: Field) -> Box<dyn AnyReport> {
        Box::new(Words::new("words", "Words", field).with_failures("Failures"))
    }

    fn event(kind: &str, class: &str, time: i64) -> Made {
        let fields = [(Field::KIND, kind), (Field::CODE, kind), (Field::CLASS, class)];
        let mut event: Made = fields.map(|(field, value)| (field, value.to_owned())).into();
        if time > 0 {
            event.push((Field::TIME, time.to_string()));
        }
        event
    }

    fn events(count: usize) -> Vec<Made> {
        let mut dice = Dice(5);
        let kinds = ["refused", "timeout", "not_found", "lifecycle"];
        let mut event = |_| {
            let (kind, class) = (dice.below(4), dice.below(3));
            let time = dice.below(900) as i64 * 1_000_000;
            event(kinds[kind], ["ok", "warn", "error"][class], time)
        };
        (0..count).map(&mut event).collect()
    }

    #[test]
    fn merging_changes_nothing() {
        for field in [Field::KIND, Field::CODE] {
            check_merging(&*report(field), Family::NginxError, &Options::default(), &events(3_000));
        }
    }

    #[test]
    fn failures_come_first_and_ties_go_by_name() {
        let records = [
            event("b", "error", 30),
            event("a", "error", 20),
            event("c", "ok", 10),
            event("c", "ok", 0),
            event("b", "warn", 40),
        ];
        let options = Options::default();
        let found = sections(&*report(Field::KIND), Family::NginxError, &options, &records);
        found.iter().for_each(check_form);
        let names: Vec<&str> = found.iter().map(|section| &section.name[..]).collect();
        assert_eq!(names, ["words_error", "words"]);
        let text = |words: &[&str]| words.iter().map(Cell::text).collect::<Vec<_>>();
        assert_eq!(column(&found, "words_error", "kind"), text(&["a", "b"]));
        assert_eq!(column(&found, "words", "kind"), text(&["b", "c", "a"]));
        assert_eq!(column(&found, "words", "first")[..2], [Cell::Instant(30), Cell::Instant(10)]);
        assert_eq!(column(&found, "words", "last")[0], Cell::Instant(40));
        assert_eq!(column(&found, "words", "warn")[0], Cell::Count(1));
    }

    #[test]
    fn the_example_is_the_first_whatever_the_order() {
        let offers: [(usize, i64, &[u8]); 6] = [
            (ERROR, 5, b"late"),
            (ERROR, 3, b"z\n"),
            (ERROR, 3, b"a\r\n"),
            (ERROR, i64::MAX, b"."),
            (ERROR, 4, b""),
            (WARN, 1, b"warned"),
        ];
        for start in 0..offers.len() {
            let (mut one, mut other) = (Word::default(), Word::default());
            for at in 0..offers.len() {
                let (lane, time, text) = offers[(start + at) % offers.len()];
                let word = if at % 2 == 0 { &mut one } else { &mut other };
                word.offer(lane, time, text);
            }
            one.merge(other);
            let expected = Example { lane: ERROR, time: 3, text: b"a".to_vec() };
            assert_eq!(one.example, Some(expected));
        }
    }
}

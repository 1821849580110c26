//! From counts to rows: views of texts applied, the largest chosen, the totals beside them.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{ABSENT, By, Counts, Key, State, Top, key};
use crate::document::{Cell, Column, Fact, Note, Role, Section, Table};
use crate::format::Family;
use crate::record::{Kind, Symbol};
use crate::report::Closing;
use crate::tally::{Tally, keep_largest};
use crate::units;

/// The values of all keys of a row.
type Values<'a> = Vec<key::Value<'a>>;

/// What was counted, with the views applied.
pub(super) struct Counted<'a> {
    top: &'a Top,
    /// Those that are shown, in their order.
    rows: Vec<(Values<'a>, Tally)>,
    /// How many different rows there are.
    distinct: u64,
    /// All records.
    whole: Tally,
    /// Those of them that met a full table.
    refused: Tally,
}

impl<'a> Counted<'a> {
    pub(super) fn new(top: &'a Top, state: &'a State, closing: &Closing<'a>) -> Self {
        let mut entries = state.entries();
        let mut refused = state.refused();
        let whole = sum(&entries, refused);
        entries.retain(|(place, tally)| {
            let is_known = !top.is_other(state, *place);
            if !is_known {
                refused.add(*tally);
            }
            is_known
        });
        let (rows, distinct) = match top.keys.iter().any(|key| key.joins(closing.options)) {
            true => top.joined(state, entries, closing),
            false => top.apart(state, entries, closing),
        };
        let mut counted = Self { top, rows, distinct, whole, refused };
        keep_largest(&mut counted.rows, closing.options.limit, |a, b| {
            let order = top.by.measure(b.1).cmp(&top.by.measure(a.1));
            order.then_with(|| a.0.cmp(&b.0))
        });
        counted
    }
}

fn sum(entries: &[(usize, Tally)], first: Tally) -> Tally {
    entries.iter().fold(first, |mut sum, (_, tally)| {
        sum.add(*tally);
        sum
    })
}

impl State {
    /// All that was met, by its place, with its tally.
    fn entries(&self) -> Vec<(usize, Tally)> {
        let met = |(_, tally): &(usize, Tally)| tally.count > 0;
        match &self.counts {
            Counts::Symbols(counts) => {
                let tallies = counts.iter().map(|(_, count)| Tally { count: *count, sum: 0 });
                tallies.enumerate().filter(met).collect()
            }
            Counts::Tallies(counts) => {
                counts.iter().map(|(_, tally)| *tally).enumerate().filter(met).collect()
            }
            Counts::Tuples(tuples) => tuples.iter().map(|(_, tally)| tally).enumerate().collect(),
        }
    }

    fn refused(&self) -> Tally {
        match &self.counts {
            Counts::Tuples(tuples) => tuples.refused(),
            Counts::Symbols(_) | Counts::Tallies(_) => Tally::default(),
        }
    }

    /// The code of a key in what was met at a place.
    fn code(&self, place: usize, key: usize) -> u64 {
        match &self.counts {
            Counts::Tuples(tuples) => tuples.code(place, key),
            Counts::Symbols(_) | Counts::Tallies(_) => place as u64,
        }
    }
}

impl Top {
    /// True when one of the keys at a place came after its table was full.
    fn is_other(&self, state: &State, place: usize) -> bool {
        let other = u64::from(Symbol::OTHER.0);
        let has_symbols = |key: &Key| matches!(key.field.kind(), Kind::Text | Kind::Label);
        let mut keys = self.keys.iter().enumerate();
        keys.any(|(at, key)| has_symbols(key) && state.code(place, at) == other)
    }

    fn values<'a>(&self, state: &'a State, place: usize, closing: &Closing<'a>) -> Values<'a> {
        let keys = self.keys.iter().enumerate();
        keys.map(|(at, key)| self.value(state, state.code(place, at), (at, key), closing)).collect()
    }

    fn value<'a>(
        &self,
        state: &'a State,
        code: u64,
        (at, key): (usize, &Key),
        closing: &Closing<'a>,
    ) -> key::Value<'a> {
        let symbol = Symbol(code as u32);
        match key.field.kind() {
            Kind::Text | Kind::Label if symbol == Symbol::ABSENT => key::Value::Absent,
            Kind::Text => {
                key.of_text(closing.dictionaries.text(key.field, symbol), closing.options)
            }
            Kind::Label => {
                let word = state.labels.get(at).map_or("", |known| known.text(symbol));
                key.of_text(word.as_bytes(), closing.options)
            }
            _ if code as i64 == ABSENT => key::Value::Absent,
            _ => key.of_number(code as i64, closing.options),
        }
    }

    /// Rows of keys that stay apart. Only those that can be among the largest get their values: of a million keys ten
    /// are shown.
    fn apart<'a>(
        &self,
        state: &'a State,
        mut entries: Vec<(usize, Tally)>,
        closing: &Closing<'a>,
    ) -> (Vec<(Values<'a>, Tally)>, u64) {
        let distinct = entries.len() as u64;
        let limit = closing.options.limit;
        if limit > 0 && limit < entries.len() {
            let measure = |entry: &(usize, Tally)| self.by.measure(entry.1);
            let last = entries
                .select_nth_unstable_by_key(limit - 1, |entry| -i128::from(measure(entry)))
                .1;
            let smallest = measure(last);
            entries.retain(|entry| measure(entry) >= smallest);
        }
        let rows =
            entries.into_iter().map(|(place, tally)| (self.values(state, place, closing), tally));
        (rows.collect(), distinct)
    }

    /// Rows of keys some of whose values become one.
    fn joined<'a>(
        &self,
        state: &'a State,
        entries: Vec<(usize, Tally)>,
        closing: &Closing<'a>,
    ) -> (Vec<(Values<'a>, Tally)>, u64) {
        let mut joined: HashMap<Values<'a>, Tally, RandomState> = HashMap::default();
        for (place, tally) in entries {
            joined.entry(self.values(state, place, closing)).or_default().add(tally);
        }
        let distinct = joined.len() as u64;
        (joined.into_iter().collect(), distinct)
    }
}

impl Counted<'_> {
    pub(super) fn table(&self, closing: &Closing<'_>) -> Section {
        let Top { keys, by } = self.top;
        let count = |role| Column::new("records", role).labelled(noun(closing.family));
        let share = Column::new("share", Role::Value);
        let mut columns: Vec<Column> =
            keys.iter().map(|key| Column::new(key.name(), Role::Key)).collect();
        match by {
            By::Count => columns.extend([count(Role::Main), share]),
            By::Sum(field) => {
                let sum = Column::new(field.name(), Role::Main);
                columns.extend([sum, share, count(Role::Value)]);
            }
        }
        let rows = self.rows.iter().map(|(values, tally)| self.row(values, *tally)).collect();
        let table = Table { columns, rows, total_rows: self.distinct };
        let title = format!("{} by {}", self.top.names(), by.name());
        let mut section = Section::table("top", title, table);
        section.notes = self.notes();
        section
    }

    fn row(&self, values: &Values<'_>, tally: Tally) -> Vec<Cell> {
        let Top { keys, by } = self.top;
        let mut row: Vec<Cell> =
            keys.iter().zip(values).map(|(key, value)| key.cell(value)).collect();
        let share = |tally: Tally| u64::try_from(by.measure(tally)).unwrap_or(0);
        row.push(by.cell(tally));
        row.push(Cell::share(share(tally), share(self.whole)));
        if let By::Sum(_) = by {
            row.push(Cell::Count(tally.count));
        }
        row
    }

    fn notes(&self) -> Vec<Note> {
        match self.refused.count {
            0 => Vec::new(),
            count => vec![Note::warning(format!(
                "{} records had keys that came when the table was full; they are in the total and in no row, and \
                 rows may lack some",
                units::count(count)
            ))],
        }
    }

    pub(super) fn total(&self) -> Section {
        let mut facts = vec![
            Fact::new("records", Cell::Count(self.whole.count)),
            Fact::new("distinct", Cell::Count(self.distinct)),
        ];
        if let By::Sum(field) = self.top.by {
            facts.push(Fact::new(field.name(), self.top.by.cell(self.whole)));
        }
        Section::facts("total", "All together", facts)
    }
}

/// What the records of a family are called.
fn noun(family: Family) -> &'static str {
    match family {
        Family::Web => "requests",
        Family::MysqlSlow => "queries",
        _ => "records",
    }
}

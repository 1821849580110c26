//! Counts by one field or several: what `awk '{print $1}' | sort | uniq -c | sort -rn | head` is written for.
//!
//! One text key is counted in an array by symbol, so that a record costs one increment beside its dictionary. Other
//! keys are tuples of codes: a text's symbol, a label's number in the state's own list, a number itself or the
//! beginning of its step. Views of texts ([`Key`]) are worked out at the end, once for each different text.
//!
//! The answer is exact up to the bound on distinct keys; what met a full table is counted, kept out of the rows, and
//! said. Ties are broken by key: absent first, numbers by value, texts by their bytes.

mod answer;
mod key;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::{Closing, Needs, Renumberings, Report};
use crate::document::{Cell, Section};
use crate::error::{Error, Result};
use crate::names;
use crate::record::block::ROWS;
use crate::record::number::floor;
use crate::record::{Field, Fields, Kind, Label, Records, Symbol};
use crate::tally::{Ids, PerSymbol, Tally, Tuples};

pub use key::{Key, View};

/// Counts by keys.
#[derive(Debug, Clone)]
pub struct Top {
    keys: Vec<Key>,
    by: By,
}

/// What is added up for each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Records.
    Count,
    /// The values of a field: a size, a duration or a number. Absent values add nothing.
    Sum(Field),
}

/// The most different combinations of keys that a thread tells apart: about 600 MB of two texts. One text alone is
/// bounded by its dictionary instead.
const MOST_TUPLES: usize = 1 << 24;

impl By {
    /// Reads `count` or the name of a field that can be summed.
    ///
    /// # Errors
    /// A usage error when there is no such field, or when it is no size, duration or number.
    pub fn parse(text: &str, supplied: Fields) -> Result<Self> {
        if matches!(text, "count" | "records") {
            return Ok(Self::Count);
        }
        let field = names::field(text, supplied)?;
        match field.kind() {
            Kind::Bytes | Kind::Duration | Kind::Number => Ok(Self::Sum(field)),
            kind => Err(Error::usage(format!("'{field}' is {} and cannot be summed", kind.name()))
                .advise("--by takes 'count' or a size, a duration or a number, such as 'bytes'")),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum(field) => field.name(),
        }
    }

    fn cell(self, tally: Tally) -> Cell {
        match self {
            Self::Count => Cell::Count(tally.count),
            Self::Sum(field) => match field.kind() {
                Kind::Bytes => Cell::Bytes(tally.sum.unsigned_abs()),
                Kind::Duration => Cell::Duration(tally.sum),
                _ => Cell::Number(tally.sum),
            },
        }
    }

    /// What the rows are ordered by.
    fn measure(self, tally: Tally) -> i64 {
        match self {
            Self::Count => tally.count as i64,
            Self::Sum(_) => tally.sum,
        }
    }
}

impl Top {
    /// Counts by these keys together, at least one.
    ///
    /// # Errors
    /// A usage error when there is none, or one of them twice.
    pub fn new(keys: Vec<Key>, by: By) -> Result<Self> {
        let twice = keys.iter().enumerate().find(|(at, key)| keys[..*at].contains(key));
        match twice {
            Some((_, key)) => Err(Error::usage(format!("'{key}' is there twice"))),
            None if keys.is_empty() => Err(Error::usage("nothing to count by")
                .advise("name a field, or several with commas: 'client', 'status,path'")),
            None => Ok(Self { keys, by }),
        }
    }

    /// Reads keys with commas between them, and what to add up.
    ///
    /// # Errors
    /// A usage error that says what was probably meant.
    pub fn parse(keys: &str, by: &str, supplied: Fields) -> Result<Self> {
        let parts = keys.split(',').filter(|key| !key.trim().is_empty());
        let keys = parts.map(|key| Key::parse(key, supplied)).collect::<Result<_>>()?;
        Self::new(keys, By::parse(by, supplied)?)
    }

    /// What it counts by.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.keys.iter().map(Key::name).collect();
        names.join(",")
    }

    /// The key, when there is one alone and it is a text.
    fn single_text(&self) -> Option<&Key> {
        match &self.keys[..] {
            [key] if key.field.kind().is_text() => Some(key),
            _ => None,
        }
    }
}

/// What was counted so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    counts: Counts,
    /// The words of labels behind their codes; one list a key, empty for other kinds.
    labels: Vec<Ids>,
    /// The codes of a block, row after row.
    #[serde(skip)]
    codes: Vec<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Counts {
    /// One text, counts alone.
    Symbols(PerSymbol<u64>),
    /// One text with a sum.
    Tallies(PerSymbol<Tally>),
    /// Everything else.
    Tuples(Tuples),
}

/// The code of an absent number; no log has it.
const ABSENT: i64 = i64::MIN;

impl Report for Top {
    type State = State;

    fn name(&self) -> String {
        format!("top {} by {}", self.names(), self.by.name())
    }

    fn needs(&self) -> Needs {
        let fields: Vec<Field> = self.keys.iter().map(|key| key.field).collect();
        let texts: Vec<Field> =
            fields.iter().copied().filter(|field| field.kind().is_text()).collect();
        let mut needs = Needs::required(&fields).by_symbol(&texts);
        if let By::Sum(field) = self.by {
            needs.required.insert(field);
        }
        needs
    }

    fn start(&self) -> State {
        let counts = match (self.single_text(), self.by) {
            (Some(_), By::Count) => Counts::Symbols(PerSymbol::default()),
            (Some(_), By::Sum(_)) => Counts::Tallies(PerSymbol::default()),
            (None, _) => Counts::Tuples(Tuples::new(self.keys.len(), MOST_TUPLES)),
        };
        State { counts, labels: vec![Ids::default(); self.keys.len()], codes: Vec::new() }
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let State { counts, labels, codes } = state;
        match counts {
            Counts::Symbols(counts) => {
                for symbol in symbols(records, self.keys[0].field) {
                    *counts.at(*symbol) += 1;
                }
            }
            Counts::Tallies(counts) => {
                for (row, symbol) in symbols(records, self.keys[0].field).iter().enumerate() {
                    counts.at(*symbol).add(self.tally(records, row));
                }
            }
            Counts::Tuples(counts) => {
                self.write_codes(records, labels, codes);
                for (row, tuple) in codes.chunks_exact(self.keys.len()).enumerate() {
                    counts.add(tuple, self.tally(records, row));
                }
            }
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let own = into.labels.iter_mut().zip(&from.labels);
        let labels: Vec<_> = own.map(|(own, other)| own.absorb(other)).collect();
        let only = || renumberings.of(self.keys[0].field);
        match (&mut into.counts, from.counts) {
            (Counts::Symbols(into), Counts::Symbols(from)) => {
                into.merge(from, only(), |into, from| *into += from);
            }
            (Counts::Tallies(into), Counts::Tallies(from)) => into.merge(from, only(), Tally::add),
            (Counts::Tuples(into), Counts::Tuples(from)) => into.merge(&from, |tuple| {
                for ((code, key), labels) in tuple.iter_mut().zip(&self.keys).zip(&labels) {
                    let symbol = Symbol(*code as u32);
                    match key.field.kind() {
                        Kind::Text => *code = renumberings.of(key.field).of(symbol).0.into(),
                        Kind::Label => *code = labels.of(symbol).0.into(),
                        _ => {}
                    }
                }
            }),
            // Another recipe's state: the engine joins states by the name of the report, which tells them apart.
            _ => {}
        }
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        let counted = answer::Counted::new(self, &state, closing);
        vec![counted.table(closing), counted.total()]
    }
}

/// The symbols of a text field; a format that does not supply it has none.
fn symbols<'a>(records: &Records<'a>, field: Field) -> &'a [Symbol] {
    static NONE: [Symbol; ROWS] = [Symbol::ABSENT; ROWS];
    records.symbols(field).unwrap_or(&NONE[..records.len()])
}

impl Top {
    #[inline]
    fn tally(&self, records: &Records<'_>, row: usize) -> Tally {
        let sum = match self.by {
            By::Count => 0,
            By::Sum(field) => records.number(field, row).unwrap_or(0),
        };
        Tally { count: 1, sum }
    }

    /// Writes the codes of all keys, row after row, key after key.
    fn write_codes(&self, records: &Records<'_>, labels: &mut [Ids], codes: &mut Vec<u64>) {
        let width = self.keys.len();
        codes.clear();
        codes.resize(records.len() * width, ABSENT as u64);
        for (at, (key, labels)) in self.keys.iter().zip(labels).enumerate() {
            // A block of which a filter left nothing has no places.
            let places = codes.get_mut(at..).unwrap_or_default().iter_mut().step_by(width);
            match key.field.kind() {
                Kind::Text => {
                    let symbols = symbols(records, key.field);
                    places.zip(symbols).for_each(|(code, symbol)| *code = symbol.0.into());
                }
                Kind::Label => write_labels(key.field, records, labels, places),
                _ => write_numbers(key, records, places),
            }
        }
    }
}

fn write_labels<'c>(
    field: Field,
    records: &Records<'_>,
    labels: &mut Ids,
    places: impl Iterator<Item = &'c mut u64>,
) {
    let column = records.column(field).unwrap_or_default();
    for (code, value) in places.zip(column) {
        let symbol = match value.number() {
            Some(number) => labels.of(number, || Label::from_number(number).word().to_owned()),
            None => Symbol::ABSENT,
        };
        *code = symbol.0.into();
    }
}

/// Numbers as they are or by the beginning of their step. The step of the record before is mostly that of the next one,
/// and a comparison is cheaper than a division.
fn write_numbers<'c>(key: &Key, records: &Records<'_>, places: impl Iterator<Item = &'c mut u64>) {
    let column = records.column(key.field).unwrap_or_default();
    let width = key.resolution();
    let mut start = 0;
    for (code, value) in places.zip(column) {
        let number = value.number_or(ABSENT);
        if width > 1 && number != ABSENT {
            if number.wrapping_sub(start) as u64 >= width as u64 {
                start = floor(number, width);
            }
            *code = start as u64;
        } else {
            *code = number as u64;
        }
    }
}

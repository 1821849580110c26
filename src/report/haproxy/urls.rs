//! What was asked for and who asked, with the time that it took: what halog prints with `-u` and its kin and with `-ic`.
//!
//! A path or a client has half a line of the cache: the records of each class, bytes, the time of all, that of the good
//! ones, and that of the server alone. What gets too large for it is emptied into a wide counter on the side. (halog calls everything good whose timers all came, a 503 among it, and its times are those of
//! the server; here good is what is of class ok.) The percentiles of paths are counted beside it ([`PerKey`]).
//! [`super::url_tables`] has the sections.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::super::breakdown::Fold;
use super::super::{Closing, Needs, Renumberings, Report};
use super::url_tables::{Rows, sections};
use crate::document::Section;
use crate::record::block::ROWS;
use crate::record::{Field, Label, Records, Symbol, Value};
use crate::tally::{PerKey, PerSymbol, Renumbering};

/// The report.
#[derive(Debug)]
pub(in super::super) struct Urls {
    /// Its own name, and that of its first section with its heading.
    pub(in super::super) name: &'static str,
    pub(in super::super) section: &'static str,
    pub(in super::super) title: &'static str,
    /// Whose values are told apart.
    pub(in super::super) field: Field,
    /// The values are paths, and not clients.
    pub(in super::super) are_paths: bool,
    /// Makes one path of many before anything is shown.
    pub(in super::super) fold: Option<Fold>,
}

/// What was counted for one path or client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spent {
    /// Of class ok, warn, error.
    classes: [u64; 3],
    pub(super) bytes: u64,
    /// In microseconds: of all, of those of class ok, of the one that took longest.
    pub(super) time: u64,
    pub(super) ok_time: u64,
    pub(super) longest: u64,
    /// How long the server took to answer.
    pub(super) response: u64,
}

impl Spent {
    pub(super) fn merge(&mut self, other: &Self) {
        self.classes.iter_mut().zip(other.classes).for_each(|(own, more)| *own += more);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.time = self.time.saturating_add(other.time);
        self.ok_time = self.ok_time.saturating_add(other.ok_time);
        self.longest = self.longest.max(other.longest);
        self.response = self.response.saturating_add(other.response);
    }

    /// All that have a class, as all records of a proxy have.
    pub(super) fn count(&self) -> u64 {
        self.classes.iter().sum()
    }

    pub(super) fn class(&self, class: Label) -> u64 {
        let class = (class.number() - Label::OK.number()) as usize;
        self.classes.get(class).copied().unwrap_or(0)
    }
}

const MILLI: u64 = 1_000;

/// What was counted since it was last emptied; times are in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[repr(align(32))]
struct Packed {
    /// A byte a class: ok, warn, error.
    counts: u32,
    time: u32,
    ok_time: u32,
    longest: u32,
    response: u32,
    bytes: u64,
}

/// A class has half of what fits into its byte, or a time a quarter of what fits into it: time to be emptied.
const FULL_COUNTS: u32 = 0x0080_8080;
const FULL_TIME: u32 = 0xC000_0000;
/// How many records are counted between two looks at what is full.
const BATCH: usize = 64;
/// The longest time and the largest size that go the quick way. A batch of them fits on top of what is not yet full, and
/// before sizes could run over, some class is full.
const LONG: u64 = 1 << 24;
const LARGE: u64 = 1 << 52;

impl Packed {
    #[inline]
    fn is_full(&self) -> bool {
        self.counts & FULL_COUNTS != 0 || (self.time | self.response) & FULL_TIME != 0
    }

    /// Adds another, both being not yet full.
    #[inline]
    fn add(&mut self, other: &Self) {
        self.counts += other.counts;
        self.time += other.time;
        self.ok_time += other.ok_time;
        self.longest = self.longest.max(other.longest);
        self.response += other.response;
        self.bytes += other.bytes;
    }

    fn spent(&self) -> Spent {
        let [ok, warn, error, _] = self.counts.to_le_bytes().map(u64::from);
        let micros = |millis: u32| u64::from(millis) * MILLI;
        Spent {
            classes: [ok, warn, error],
            bytes: self.bytes,
            time: micros(self.time),
            ok_time: micros(self.ok_time),
            longest: micros(self.longest),
            response: micros(self.response),
        }
    }
}

/// A counter for each path or client.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Counters {
    packed: PerSymbol<Packed>,
    wide: HashMap<Symbol, Spent, RandomState>,
}

impl Counters {
    /// Empties what is full: to be asked for the symbols of every [`BATCH`] before they are counted. It loads their
    /// counters one right after the other, so that the cache misses overlap.
    fn make_room(&mut self, symbols: &[Symbol]) {
        for symbol in symbols {
            if self.packed.at(*symbol).is_full() {
                self.empty(*symbol);
            }
        }
    }

    /// Counts a record: the number of its class, its size, its time and that of the server in microseconds.
    #[inline]
    fn add(&mut self, symbol: Symbol, class: i64, bytes: u64, micros: u64, response: u64) {
        let place = (class - Label::OK.number()) as u64;
        let (millis, answer) = (micros / MILLI, response / MILLI);
        let is_whole = millis * MILLI == micros && answer * MILLI == response;
        if !is_whole || place > 2 || (millis | answer) >= LONG || bytes >= LARGE {
            return self.add_wide(symbol, place, bytes, micros, response);
        }
        self.packed.at(symbol).add(&Packed {
            counts: 1 << (8 * place),
            time: millis as u32,
            ok_time: if place == 0 { millis as u32 } else { 0 },
            longest: millis as u32,
            response: answer as u32,
            bytes,
        });
    }

    #[cold]
    fn add_wide(&mut self, symbol: Symbol, place: u64, bytes: u64, time: u64, response: u64) {
        let ok_time = if place == 0 { time } else { 0 };
        let mut one = Spent { bytes, time, ok_time, longest: time, response, ..Spent::default() };
        if let Some(count) = one.classes.get_mut(place as usize) {
            *count = 1;
        }
        self.wide.entry(symbol).or_default().merge(&one);
    }

    #[cold]
    fn empty(&mut self, symbol: Symbol) {
        let packed = std::mem::take(self.packed.at(symbol));
        self.wide.entry(symbol).or_default().merge(&packed.spent());
    }

    /// What was counted for a path or client.
    pub(super) fn get(&self, symbol: Symbol) -> Spent {
        let mut spent = self.packed.get(symbol).copied().unwrap_or_default().spent();
        if let Some(wide) = self.wide.get(&symbol) {
            spent.merge(wide);
        }
        spent
    }

    /// All symbols below the highest that was met.
    pub(super) fn symbols(&self) -> impl Iterator<Item = Symbol> {
        self.packed.iter().map(|(symbol, _)| symbol)
    }

    fn merge(&mut self, other: Self, symbols: &Renumbering) {
        for symbol in other.symbols() {
            let packed = other.packed.get(symbol).copied().unwrap_or_default();
            if packed.counts == 0 {
                continue;
            }
            let own = self.packed.at(symbols.of(symbol));
            match own.is_full() || packed.is_full() || packed.bytes >= LARGE {
                false => own.add(&packed),
                true => {
                    self.wide.entry(symbols.of(symbol)).or_default().merge(&packed.spent());
                }
            }
        }
        for (symbol, spent) in other.wide {
            self.wide.entry(symbols.of(symbol)).or_default().merge(&spent);
        }
    }
}

/// What only few records have, so that it stands apart.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Rare {
    /// Answered with 404.
    pub(super) not_found: u64,
    /// Without a time: of all, and of those of class ok.
    pub(super) untimed: [u64; 2],
    /// Without a time of the server.
    pub(super) unanswered: u64,
}

impl Rare {
    pub(super) fn merge(&mut self, other: &Self) {
        self.not_found += other.not_found;
        self.untimed.iter_mut().zip(other.untimed).for_each(|(own, more)| *own += more);
        self.unanswered += other.unanswered;
    }
}

/// What was counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in super::super) struct State {
    pub(super) spent: Counters,
    pub(super) rare: HashMap<Symbol, Rare, RandomState>,
    /// Of paths.
    pub(super) times: PerKey,
    /// The log says how long things took, and how long the server took to answer.
    pub(super) has_times: bool,
    pub(super) has_responses: bool,
}

impl Report for Urls {
    type State = State;

    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn needs(&self) -> Needs {
        let used = [Field::CLASS, Field::BYTES, Field::DURATION];
        let needs = Needs::required(&[self.field]).optional(&used).by_symbol(&[self.field]);
        if self.are_paths { needs.optional(&[Field::STATUS, Field::T_RESPONSE]) } else { needs }
    }

    fn start(&self) -> State {
        State::default()
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let Some(symbols) = records.symbols(self.field) else { return };
        let never = [Value::ABSENT; ROWS];
        let column = |field| records.column(field).unwrap_or(&never[..records.len()]);
        let (classes, sizes) = (column(Field::CLASS), column(Field::BYTES));
        let responses = records.column(Field::T_RESPONSE).filter(|_| self.are_paths);
        let (durations, all_responses) =
            (column(Field::DURATION), responses.unwrap_or(&never[..records.len()]));
        let amount = |value: Value| value.number_or(0).max(0) as u64;
        for (start, batch) in (0..).step_by(BATCH).zip(symbols.chunks(BATCH)) {
            state.spent.make_room(batch);
            for (row, symbol) in (start..).zip(batch) {
                let class = classes[row].number_or(0);
                let times = (amount(durations[row]), amount(all_responses[row]));
                state.spent.add(*symbol, class, amount(sizes[row]), times.0, times.1);
            }
        }
        state.has_times |= records.column(Field::DURATION).is_some();
        state.has_responses |= responses.is_some();
        self.see_rare(state, records, symbols);
        if self.are_paths {
            for (symbol, duration) in symbols.iter().zip(durations) {
                if let Some(micros) = duration.number() {
                    state.times.add(*symbol, micros.max(0) as u64);
                }
            }
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let symbols = renumberings.of(self.field);
        into.spent.merge(from.spent, symbols);
        for (symbol, rare) in from.rare {
            into.rare.entry(symbols.of(symbol)).or_default().merge(&rare);
        }
        into.times.merge(from.times, |symbol| symbols.of(symbol));
        into.has_times |= from.has_times;
        into.has_responses |= from.has_responses;
    }

    fn finish(&self, mut state: State, closing: &Closing<'_>) -> Vec<Section> {
        state.times.settle();
        sections(&Rows::of(self, &state, closing))
    }
}

impl Urls {
    fn see_rare(&self, state: &mut State, records: &Records<'_>, symbols: &[Symbol]) {
        let mut see = |wanted: &dyn Fn(Value) -> bool, field, add: &dyn Fn(&mut Rare, usize)| {
            let values = records.column(field).unwrap_or_default();
            let rows = symbols.iter().zip(values).enumerate();
            for (row, (symbol, _)) in
                rows.filter(|(_, (symbol, value))| wanted(**value) && **symbol != Symbol::ABSENT)
            {
                add(state.rare.entry(*symbol).or_default(), row);
            }
        };
        let is_ok = |row| records.number(Field::CLASS, row) == Some(Label::OK.number());
        see(&Value::is_absent, Field::DURATION, &|rare, row| {
            rare.untimed[0] += 1;
            rare.untimed[1] += u64::from(is_ok(row));
        });
        if self.are_paths {
            see(&Value::is_absent, Field::T_RESPONSE, &|rare, _| rare.unanswered += 1);
            let not_found = |status: Value| status.number() == Some(404);
            see(&not_found, Field::STATUS, &|rare, _| rare.not_found += 1);
        }
    }
}

//! What was asked for and who asked, with the time that it took: what halog prints with `-u` and its kin and with `-ic`.
//!
//! A path or a client has one line of the cache: the records of each class, bytes, the time of all and that of the good
//! ones. (halog calls everything good whose timers all came, a 503 among it; here good is what is of class ok.) The
//! percentiles of paths are counted beside it ([`PerKey`]). [`super::url_tables`] has the sections.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::super::breakdown::Fold;
use super::super::{Closing, Needs, Renumberings, Report};
use super::url_tables::{Rows, sections};
use crate::document::Section;
use crate::record::block::ROWS;
use crate::record::{Field, Label, Records, Symbol, Value};
use crate::tally::{PerKey, PerSymbol};

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
#[repr(align(64))]
pub(super) struct Spent {
    /// By number of the class; 0 for those that have none.
    pub(super) classes: [u64; 4],
    pub(super) bytes: u64,
    /// In microseconds: of all, of those of class ok, of the one that took longest.
    pub(super) time: u64,
    pub(super) ok_time: u64,
    pub(super) longest: u64,
}

const OK: usize = 1;

impl Spent {
    #[inline]
    fn add(&mut self, class: usize, bytes: u64, micros: u64) {
        self.classes[class & 3] += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.time = self.time.saturating_add(micros);
        self.ok_time = self.ok_time.saturating_add(if class == OK { micros } else { 0 });
        self.longest = self.longest.max(micros);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.classes.iter_mut().zip(other.classes).for_each(|(own, more)| *own += more);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.time = self.time.saturating_add(other.time);
        self.ok_time = self.ok_time.saturating_add(other.ok_time);
        self.longest = self.longest.max(other.longest);
    }

    pub(super) fn count(&self) -> u64 {
        self.classes.iter().sum()
    }

    pub(super) fn class(&self, class: Label) -> u64 {
        self.classes[class.number() as usize & 3]
    }
}

/// What only few records have, so that it stands apart.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Rare {
    /// Answered with 404.
    pub(super) not_found: u64,
    /// Without a time: of all, and of those of class ok.
    pub(super) untimed: [u64; 2],
}

impl Rare {
    pub(super) fn merge(&mut self, other: &Self) {
        self.not_found += other.not_found;
        self.untimed.iter_mut().zip(other.untimed).for_each(|(own, more)| *own += more);
    }
}

/// What was counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in super::super) struct State {
    pub(super) spent: PerSymbol<Spent>,
    pub(super) rare: HashMap<Symbol, Rare, RandomState>,
    /// Of paths.
    pub(super) times: PerKey,
}

impl Report for Urls {
    type State = State;

    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn needs(&self) -> Needs {
        let used = [Field::CLASS, Field::BYTES, Field::DURATION];
        let needs = Needs::required(&[self.field]).optional(&used).by_symbol(&[self.field]);
        if self.are_paths { needs.optional(&[Field::STATUS]) } else { needs }
    }

    fn start(&self) -> State {
        State::default()
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let Some(symbols) = records.symbols(self.field) else { return };
        let never = [Value::ABSENT; ROWS];
        let column = |field| records.column(field).unwrap_or(&never[..records.len()]);
        let (classes, sizes) = (column(Field::CLASS), column(Field::BYTES));
        let durations = column(Field::DURATION);
        for (row, symbol) in symbols.iter().enumerate() {
            let class = classes[row].number_or(0) as usize;
            let bytes = sizes[row].number_or(0).max(0) as u64;
            let micros = durations[row].number_or(0).max(0) as u64;
            state.spent.at(*symbol).add(class, bytes, micros);
        }
        self.see_rare(state, records, symbols, durations);
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
        into.spent.merge(from.spent, symbols, |own, more| own.merge(&more));
        for (symbol, rare) in from.rare {
            into.rare.entry(symbols.of(symbol)).or_default().merge(&rare);
        }
        into.times.merge(from.times, |symbol| symbols.of(symbol));
    }

    fn finish(&self, mut state: State, closing: &Closing<'_>) -> Vec<Section> {
        state.times.settle();
        sections(&Rows::of(self, &state, closing))
    }
}

impl Urls {
    fn see_rare(
        &self,
        state: &mut State,
        records: &Records<'_>,
        symbols: &[Symbol],
        durations: &[Value],
    ) {
        for (row, _) in durations.iter().enumerate().filter(|(_, value)| value.is_absent()) {
            let rare = state.rare.entry(symbols[row]).or_default();
            rare.untimed[0] += 1;
            rare.untimed[1] +=
                u64::from(records.number(Field::CLASS, row) == Some(Label::OK.number()));
        }
        let statuses = records.column(Field::STATUS).filter(|_| self.are_paths).unwrap_or_default();
        for (symbol, _) in
            symbols.iter().zip(statuses).filter(|(_, status)| status.number() == Some(404))
        {
            state.rare.entry(*symbol).or_default().not_found += 1;
        }
    }
}

//! Visitors: different pairs of client and agent, day by day.
//!
//! The same person from the same browser counts once a day, as web log analyzers have counted since their first days.
//! The count is exact. Sections: `visitors` (facts) and `visitors_by_day`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::outcome;
use super::traffic::date;
use super::{Closing, Needs, Renumberings, Report};
use crate::document::{Cell, Column, Fact, Note, Role, Section, Table};
use crate::record::block::ROWS;
use crate::record::time::DAY;
use crate::record::{Field, Fields, Records, Symbol, Value, Zone};
use crate::tally::{PerSymbol, Set};
use crate::units;

/// Bounds of what is kept: with more days or more visitors than that the count is given up, and said to be. A visitor
/// takes 11 to 21 bytes, a day at least a kilobyte.
const MOST_DAYS: usize = 4_000;
const MOST_VISITORS: usize = 1 << 24;

/// The report.
#[derive(Debug)]
pub(super) struct Visitors {
    sizes: Vec<Field>,
    zone: Zone,
}

impl Visitors {
    /// With days of a zone.
    pub(super) fn new(supplied: Fields, zone: Zone) -> Self {
        Self { sizes: outcome::size_fields(supplied), zone }
    }
}

/// What was counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    days: BTreeMap<i64, Day>,
    visitors: usize,
    too_many: bool,
    /// By client: the day and the agent of its record before, which mostly are those of the next one too.
    #[serde(skip)]
    latest: PerSymbol<u64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Day {
    records: u64,
    bytes: u64,
    visitors: Set,
}

impl Report for Visitors {
    type State = State;

    fn name(&self) -> String {
        "visitors".to_owned()
    }

    fn needs(&self) -> Needs {
        Needs::required(&[Field::TIME, Field::CLIENT, Field::AGENT])
            .optional(&self.sizes)
            .by_symbol(&[Field::CLIENT, Field::AGENT])
    }

    fn start(&self) -> State {
        State::default()
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let (Some(times), Some(clients), Some(agents)) = (
            records.column(Field::TIME),
            records.symbols(Field::CLIENT),
            records.symbols(Field::AGENT),
        ) else {
            return;
        };
        let sizes = outcome::sizes(records);
        let mut start = 0;
        while start < times.len() {
            let (day, end) = self.run(times, start);
            if let Some(day) = day {
                let bytes =
                    sizes[start..end].iter().fold(0, |sum: u64, size| sum.saturating_add(*size));
                let mut pairs = [0; ROWS];
                let fresh = state.fresh(day, &clients[start..end], &agents[start..end], &mut pairs);
                state.add(day, (end - start) as u64, bytes, fresh);
            }
            start = end;
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let (clients, agents) = (renumberings.of(Field::CLIENT), renumberings.of(Field::AGENT));
        into.too_many |= from.too_many;
        for (number, day) in from.days {
            let renumber = |found: u64| {
                let (client, agent) = parts(found);
                pair(clients.of(client), agents.of(agent))
            };
            let pairs: Vec<u64> = day.visitors.iter().map(renumber).collect();
            into.add(number, day.records, day.bytes, &pairs);
        }
        into.bound();
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        if state.too_many {
            let most = units::count(MOST_VISITORS as u64);
            let note = format!(
                "visitors are not counted: there are more than {most}, or more than {MOST_DAYS} days"
            );
            let mut section = Section::facts("visitors", "Visitors", Vec::new());
            section.notes.push(Note::warning(note));
            return vec![section];
        }
        if state.days.is_empty() {
            return Vec::new();
        }
        vec![facts(&state, closing), by_day(&state, closing)]
    }
}

impl Visitors {
    /// The day of a row, and where the rows of that day end.
    fn run(&self, times: &[Value], start: usize) -> (Option<i64>, usize) {
        let Some(time) = times[start].number() else { return (None, start + 1) };
        let day = self.zone.step(time, DAY);
        let same = |value: &&Value| value.number().is_some_and(|time| day.instants.contains(&time));
        let same = times[start..].iter().take_while(same).count();
        (Some(day.wall.div_euclid(DAY)), start + same.max(1))
    }
}

impl State {
    /// The visitors of some records of a day, without those whose client had the same day and agent before.
    fn fresh<'p>(
        &mut self,
        day: i64,
        clients: &[Symbol],
        agents: &[Symbol],
        pairs: &'p mut [u64; ROWS],
    ) -> &'p [u64] {
        let day = 1 << 63 | (day as u64 & 0x7FFF_FFFF) << 32;
        let mut len = 0;
        for (client, agent) in clients.iter().zip(agents) {
            let visit = day | u64::from(agent.0);
            let before = std::mem::replace(self.latest.at(*client), visit);
            pairs[len] = pair(*client, *agent);
            len += usize::from(before != visit);
        }
        &pairs[..len]
    }

    fn add(&mut self, day: i64, records: u64, bytes: u64, pairs: &[u64]) {
        if self.too_many {
            return;
        }
        let day = self.days.entry(day).or_default();
        day.records += records;
        day.bytes = day.bytes.saturating_add(bytes);
        let before = day.visitors.len();
        day.visitors.insert_all(pairs);
        self.visitors += day.visitors.len() - before;
        self.bound();
    }

    /// More than allowed, in whatever order they come, and nothing is kept.
    fn bound(&mut self) {
        if self.too_many || self.days.len() > MOST_DAYS || self.visitors > MOST_VISITORS {
            *self = Self { too_many: true, ..Self::default() };
        }
    }
}

/// A visitor as a number other than 0; 0 without a client.
fn pair(client: Symbol, agent: Symbol) -> u64 {
    match client {
        Symbol::ABSENT => 0,
        _ => u64::from(client.0) << 32 | u64::from(agent.0),
    }
}

fn parts(pair: u64) -> (Symbol, Symbol) {
    (Symbol((pair >> 32) as u32), Symbol(pair as u32))
}

fn facts(state: &State, closing: &Closing<'_>) -> Section {
    let counts = || state.days.values().map(|day| day.visitors.len() as u64);
    let visitors: u64 = counts().sum();
    let days = state.days.len() as u64;
    let facts = vec![
        Fact::new("visitors", Cell::Count(visitors)),
        Fact::new("days", Cell::Count(days)),
        Fact::new("visitors_a_day", Cell::Real(visitors as f64 / days as f64)),
        Fact::new("most_on_a_day", Cell::Count(counts().max().unwrap_or(0))),
    ];
    let mut section = Section::facts("visitors", "Visitors", facts);
    let about = "a visitor is a client with an agent on a day";
    section.notes.push(Note::info(about));
    section.notes.extend(limit(closing));
    section
}

/// Clients that did not fit into memory are one client to the report, and so are agents.
fn limit(closing: &Closing<'_>) -> Option<Note> {
    let is_full = |field| closing.dictionaries.of(field).is_some_and(|texts| texts.refused() > 0);
    (is_full(Field::CLIENT) || is_full(Field::AGENT)).then(|| {
        Note::warning("more visitors: clients or agents that did not fit into memory count as one")
    })
}

/// The latest days, in their order.
fn by_day(state: &State, closing: &Closing<'_>) -> Section {
    let limit = closing.options.limit;
    let most = if limit == 0 { state.days.len() } else { limit.max(31) };
    let rows = state.days.iter().skip(state.days.len().saturating_sub(most)).map(|(day, sum)| {
        let visitors = sum.visitors.len() as u64;
        let a_visitor = sum.records as f64 / visitors.max(1) as f64;
        vec![
            Cell::text(date(*day)),
            Cell::Count(visitors),
            Cell::Count(sum.records),
            Cell::Real(a_visitor),
            Cell::Bytes(sum.bytes),
        ]
    });
    let mut columns = vec![Column::new("day", Role::Key), Column::new("visitors", Role::Main)];
    let values = ["records", "records_a_visitor", "bytes"];
    columns.extend(values.map(|name| Column::new(name, Role::Value)));
    let table = Table { columns, rows: rows.collect(), total_rows: state.days.len() as u64 };
    Section::table("visitors_by_day", "Visitors by day", table)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_merging, column, requests, sections};
    use super::super::{AnyReport, Options};
    use super::*;
    use crate::format::Family;
    use std::collections::BTreeSet;

    fn report() -> Box<dyn AnyReport> {
        Box::new(Visitors::new(Field::all_known().collect(), Zone::default()))
    }

    #[test]
    fn merging_changes_nothing() {
        check_merging(&*report(), Family::Web, &Options::default(), &requests(6_000, 8));
    }

    #[test]
    fn counts_as_a_plain_set_does() {
        let records = requests(5_000, 2);
        let mut plain = BTreeSet::new();
        for record in &records {
            let get = |wanted| record.iter().find(|(field, _)| *field == wanted).map(|(_, v)| v);
            if let Some(client) = get(Field::CLIENT) {
                let day = get(Field::TIME).unwrap().parse::<i64>().unwrap() / DAY;
                plain.insert((day, client.clone(), get(Field::AGENT).cloned()));
            }
        }
        let found = sections(&*report(), Family::Web, &Options::default(), &records);
        assert_eq!(found[0].fact("visitors"), Some(&Cell::Count(plain.len() as u64)));
        let days: BTreeSet<i64> = plain.iter().map(|(day, ..)| *day).collect();
        assert_eq!(column(&found, "visitors_by_day", "day").len(), days.len());
    }
}

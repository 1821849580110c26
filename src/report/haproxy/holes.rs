//! Holes in the stream of HAProxy's sessions: stretches of time in which none came, and how many came right after.
//!
//! Section `accept_holes`, the longest ones. A hole with many sessions right behind it tells of a process that stood still,
//! or of a network that did; one with few behind it is only a quiet time.
//!
//! Times are whole instants with their date, so that two days are not laid over each other. The first and the last
//! session of every second are kept: a hole that contains no beginning of a second is not seen. A log of more than three
//! days or so is kept in wider slots, and the note says in which.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::super::{Closing, Needs, Renumberings, Report};
use crate::document::{Cell, Column, Note, Role, Section, Table};
use crate::record::{Field, Records, Symbol};
use crate::tally::{Timeline, keep_largest};

/// The report.
#[derive(Debug)]
pub(in super::super) struct Holes;

/// Some three days of seconds.
const MOST_SLOTS: usize = 1 << 18;
/// Shorter holes are none, in microseconds.
const SHORTEST: i64 = 100_000;

/// The sessions of a slot of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Come {
    count: u64,
    first: i64,
    last: i64,
}

impl Default for Come {
    fn default() -> Self {
        Self { count: 0, first: i64::MAX, last: i64::MIN }
    }
}

impl AddAssign<&Self> for Come {
    fn add_assign(&mut self, other: &Self) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// What was counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct State {
    come: Timeline<Come>,
    /// Up to two different ones: more are told apart from one alone, and not counted.
    hosts: Vec<Symbol>,
}

impl State {
    fn see_host(&mut self, host: Symbol) {
        if self.hosts.len() < 2 && host != Symbol::ABSENT && !self.hosts.contains(&host) {
            self.hosts.push(host);
        }
    }
}

impl Report for Holes {
    type State = State;

    fn name(&self) -> String {
        "accept_holes".to_owned()
    }

    fn needs(&self) -> Needs {
        Needs::required(&[Field::TIME, Field::STATE])
            .optional(&[Field::LOGHOST])
            .by_symbol(&[Field::LOGHOST])
    }

    fn start(&self) -> State {
        State { come: Timeline::new(MOST_SLOTS), hosts: Vec::new() }
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let columns = [Field::TIME, Field::STATE].map(|field| records.column(field));
        let [Some(times), Some(states)] = columns else { return };
        if let Some(hosts) = records.symbols(Field::LOGHOST) {
            hosts.iter().for_each(|host| state.see_host(*host));
        }
        for (time, _) in times.iter().zip(states).filter(|(_, state)| !state.is_absent()) {
            if let Some(time) = time.number() {
                let come = state.come.at(time);
                come.count += 1;
                come.first = come.first.min(time);
                come.last = come.last.max(time);
            }
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let hosts = renumberings.of(Field::LOGHOST);
        from.hosts.iter().for_each(|host| into.see_host(hosts.of(*host)));
        into.come.merge(from.come);
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        let slots = state.come.slots();
        let pairs = slots.windows(2);
        let mut holes: Vec<(i64, i64, u64)> = pairs
            .map(|pair| {
                let (before, after) = (&pair[0].1, &pair[1].1);
                (after.first.saturating_sub(before.last), before.last, after.count)
            })
            .filter(|(length, ..)| *length >= SHORTEST)
            .collect();
        if holes.is_empty() {
            return Vec::new();
        }
        let total_rows = holes.len() as u64;
        keep_largest(&mut holes, closing.options.limit, |a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let rows = holes.into_iter().map(|(length, from, after)| {
            let until = from.saturating_add(length);
            vec![
                Cell::Instant(from),
                Cell::Duration(length),
                Cell::Instant(until),
                Cell::Count(after),
            ]
        });
        let rows = rows.collect();
        let columns = vec![
            Column::new("from", Role::Key),
            Column::new("length", Role::Main),
            Column::new("until", Role::Value),
            Column::new("right_after", Role::Value),
        ];
        let table = Table { columns, rows, total_rows };
        let mut section = Section::table("accept_holes", "Holes without sessions", table);
        let seconds = state.come.width() / 1_000_000;
        section.notes.push(Note::info(format!(
            "right after: the sessions of the same {seconds} s as the first one behind the hole; holes inside such a slot are not seen"
        )));
        if state.hosts.len() > 1 {
            section.notes.push(Note::info(
                "the lines are of several hosts: when one of them stood still shows in its own lines alone, --where loghost=…",
            ));
        }
        vec![section]
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{
        Made, check_form, check_merging, column, haproxy, sections,
    };
    use super::super::super::{AnyReport, Options};
    use super::*;
    use crate::format::Family;

    fn report() -> Box<dyn AnyReport> {
        Box::new(Holes)
    }

    #[test]
    fn merging_changes_nothing() {
        let records = haproxy::sessions(3_000, 16);
        check_merging(&*report(), Family::Haproxy, &Options::default(), &records);
        sections(&*report(), Family::Haproxy, &Options::default(), &records)
            .iter()
            .for_each(check_form);
    }

    /// One proxy stands still while the other goes on.
    #[test]
    fn several_hosts_are_told_of() {
        let at = |second: i64, host: &str| -> Made {
            let time = (Field::TIME, (second * 1_000_000).to_string());
            vec![time, (Field::STATE, "--".to_owned()), (Field::LOGHOST, host.to_owned())]
        };
        let notes = |records: &[Made]| {
            let found = sections(&*report(), Family::Haproxy, &Options::default(), records);
            found[0].notes.len()
        };
        assert_eq!(notes(&[at(0, "lb1"), at(9, "lb1")]), 1);
        assert_eq!(notes(&[at(0, "lb1"), at(4, "lb2"), at(9, "lb1")]), 2);
    }

    /// halog takes the time of day alone: the third and the thirteenth of a month interleave.
    #[test]
    fn days_are_not_laid_over_each_other() {
        const DAY: i64 = 86_400_000_000;
        let at = |time: i64| -> Made {
            vec![(Field::TIME, time.to_string()), (Field::STATE, "--".to_owned())]
        };
        let records = [at(0), at(900_000), at(5_000_000), at(5_100_000), at(10 * DAY + 2_000_000)];
        let found = sections(&*report(), Family::Haproxy, &Options::default(), &records);
        let lengths = column(&found, "accept_holes", "length");
        assert_eq!(lengths, [10 * DAY - 3_100_000, 4_100_000].map(Cell::Duration));
        assert_eq!(column(&found, "accept_holes", "right_after"), [1, 2].map(Cell::Count));
    }
}

//! Clients in trouble, and the server itself: who was denied, whose connections broke off, when there were too many,
//! when the server started, stopped and crashed.
//!
//! Sections: `denied`, `aborted`, `too_many_connections`, `server_life`.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::super::{Closing, Needs, Renumberings, Report};
use crate::document::{Cell, Column, Role, Section, Table};
use crate::record::time::SECOND;
use crate::record::{Field, Label, Records, Symbol};
use crate::tally::{Timeline, keep_largest};

/// The report.
#[derive(Debug)]
pub(in super::super) struct Trouble {
    kinds: Vec<(i64, Matter)>,
}

/// What a message is to this report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Matter {
    Denied,
    Aborted,
    Crowded,
    Life,
}

const MATTERS: [(&str, Matter); 10] = [
    ("auth_fail", Matter::Denied),
    ("host_denied", Matter::Denied),
    ("host_blocked", Matter::Denied),
    ("aborted_connection", Matter::Aborted),
    ("too_many_connections", Matter::Crowded),
    ("crash", Matter::Life),
    ("crash_recovery", Matter::Life),
    ("start_fail", Matter::Life),
    ("bind", Matter::Life),
    ("lifecycle", Matter::Life),
];

/// Users and hosts that are told apart.
const MOST_PAIRS: usize = 1 << 16;
/// Messages about the life of the server that are kept.
const MOST_LIFE: usize = 4096;
/// As much of such a message.
const MOST_MESSAGE: usize = 160;
/// How far apart the refusals of one episode are at most.
const APART: i64 = 60 * SECOND;

impl Trouble {
    pub(in super::super) fn new() -> Self {
        let kinds = MATTERS.iter().map(|(word, matter)| (Label::of(word).number(), *matter));
        Self { kinds: kinds.collect() }
    }
}

/// How often and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    count: u64,
    first: i64,
    last: i64,
}

impl Seen {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// What, which kind, user, host, database or reason.
type Key = (Matter, Symbol, Symbol, Symbol, Symbol);

/// What was counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct State {
    pairs: HashMap<Key, Seen, RandomState>,
    refused: u64,
    crowded: Timeline<u64>,
    life: Vec<(i64, String, Vec<u8>)>,
    life_dropped: u64,
}

impl State {
    fn add(&mut self, key: Key, seen: Seen) {
        if let Some(known) = self.pairs.get_mut(&key) {
            known.merge(seen);
        } else if self.pairs.len() < MOST_PAIRS {
            self.pairs.insert(key, seen);
        } else {
            self.refused += seen.count;
        }
    }

    /// Keeps the first of the messages about the server.
    fn settle(&mut self, most: usize) {
        self.life.sort();
        self.life_dropped += self.life.len().saturating_sub(most) as u64;
        self.life.truncate(most);
    }
}

impl Report for Trouble {
    type State = State;

    fn name(&self) -> String {
        "clients_in_trouble".to_owned()
    }

    fn needs(&self) -> Needs {
        let symbols = [Field::USER, Field::HOST, Field::DATABASE, Field::REASON];
        Needs::required(&[Field::TIME, Field::KIND])
            .optional(&[Field::MESSAGE])
            .optional(&symbols)
            .by_symbol(&symbols)
    }

    fn start(&self) -> State {
        State {
            pairs: HashMap::default(),
            refused: 0,
            crowded: Timeline::new(1 << 14),
            life: Vec::new(),
            life_dropped: 0,
        }
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let (Some(kinds), Some(times)) = (records.column(Field::KIND), records.column(Field::TIME))
        else {
            return;
        };
        let symbols = [Field::USER, Field::HOST, Field::DATABASE, Field::REASON]
            .map(|field| records.symbols(field));
        for row in 0..records.len() {
            let kind = kinds[row].number_or(0);
            let Some((_, matter)) = self.kinds.iter().find(|(known, _)| *known == kind) else {
                continue;
            };
            let Some(time) = times[row].number() else { continue };
            let symbol = |at: usize| symbols[at].map_or(Symbol::ABSENT, |symbols| symbols[row]);
            match matter {
                Matter::Crowded => *state.crowded.at(time) += 1,
                Matter::Life => {
                    let text = records.text(Field::MESSAGE, row).unwrap_or_default();
                    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
                    let line = line[..line.len().min(MOST_MESSAGE)].to_vec();
                    let word = Label::from_number(kind).word().to_owned();
                    state.life.push((time, word, line));
                    if state.life.len() >= 2 * MOST_LIFE {
                        state.settle(MOST_LIFE);
                    }
                }
                matter => {
                    let key = (*matter, symbol(0), symbol(1), symbol(2), symbol(3));
                    state.add(key, Seen { count: 1, first: time, last: time });
                }
            }
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let [users, hosts, databases, reasons] =
            [Field::USER, Field::HOST, Field::DATABASE, Field::REASON]
                .map(|field| renumberings.of(field));
        for ((matter, user, host, database, reason), seen) in from.pairs {
            let key = (
                matter,
                users.of(user),
                hosts.of(host),
                databases.of(database),
                reasons.of(reason),
            );
            into.add(key, seen);
        }
        into.refused += from.refused;
        into.crowded.merge(from.crowded);
        into.life.extend(from.life);
        into.life_dropped += from.life_dropped;
        if into.life.len() >= 2 * MOST_LIFE {
            into.settle(MOST_LIFE);
        }
    }

    fn finish(&self, mut state: State, closing: &Closing<'_>) -> Vec<Section> {
        state.settle(MOST_LIFE);
        let mut sections = Vec::new();
        for (matter, name, title) in [
            (Matter::Denied, "denied", "Access denied"),
            (Matter::Aborted, "aborted", "Connections that broke off"),
        ] {
            sections.push(pairs(&state, matter, name, title, closing));
        }
        sections.push(episodes(&state.crowded, closing));
        sections.push(life(&state, closing));
        sections
    }
}

fn pairs(state: &State, matter: Matter, name: &str, title: &str, closing: &Closing<'_>) -> Section {
    const FIELDS: [Field; 4] = [Field::USER, Field::HOST, Field::DATABASE, Field::REASON];
    let text = |at: usize, symbol: Symbol| closing.dictionaries.text(FIELDS[at], symbol);
    let of_matter = state.pairs.iter().filter(|(key, _)| key.0 == matter);
    let mut rows: Vec<([&[u8]; 4], Seen)> = of_matter
        .map(|((_, user, host, database, reason), seen)| {
            ([text(0, *user), text(1, *host), text(2, *database), text(3, *reason)], *seen)
        })
        .collect();
    let total_rows = rows.len() as u64;
    keep_largest(&mut rows, closing.options.limit, |a, b| {
        b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(&b.0))
    });
    let rows = rows.into_iter().map(|(texts, seen)| {
        let [user, host, database, reason] = texts.map(Cell::text_if_any);
        let count = Cell::Count(seen.count);
        let (first, last) = (Cell::Instant(seen.first), Cell::Instant(seen.last));
        vec![user, count, host, database, reason, first, last]
    });
    let mut columns = vec![Column::new("user", Role::Key), Column::new("count", Role::Main)];
    let values = ["host", "database", "reason", "first", "last"];
    columns.extend(values.map(|name| Column::new(name, Role::Value)));
    Section::table(name, title, Table { columns, rows: rows.collect(), total_rows })
}

/// Stretches in which connections were refused because there were too many.
fn episodes(crowded: &Timeline<u64>, closing: &Closing<'_>) -> Section {
    let width = crowded.width();
    let mut found: Vec<(i64, i64, u64)> = Vec::new();
    for (slot, count) in crowded.slots() {
        match found.last_mut().filter(|(_, end, _)| slot - *end <= APART.max(width)) {
            Some((_, end, sum)) => (*end, *sum) = (slot + width, *sum + count),
            None => found.push((slot, slot + width, count)),
        }
    }
    let total_rows = found.len() as u64;
    keep_largest(&mut found, closing.options.limit, |a, b| {
        b.2.cmp(&a.2).then_with(|| a.0.cmp(&b.0))
    });
    let rows = found.iter().map(|(start, end, count)| {
        vec![Cell::Instant(*start), Cell::Count(*count), Cell::Duration(end - start)]
    });
    let columns = vec![
        Column::new("start", Role::Key),
        Column::new("refused", Role::Main),
        Column::new("lasting", Role::Value),
    ];
    let table = Table { columns, rows: rows.collect(), total_rows };
    Section::table("too_many_connections", "Too many connections", table)
}

/// Starts, stops and crashes in the order in which they happened.
fn life(state: &State, closing: &Closing<'_>) -> Section {
    let limit = match closing.options.limit {
        0 => usize::MAX,
        limit => 2 * limit,
    };
    // The last ones tell what is now.
    let from = state.life.len().saturating_sub(limit);
    let rows = state.life[from..].iter().map(|(time, kind, message)| {
        vec![Cell::Instant(*time), Cell::text(kind), Cell::text(message)]
    });
    let columns = vec![
        Column::new("time", Role::Key),
        Column::new("kind", Role::Value),
        Column::new("message", Role::Remark),
    ];
    let total_rows = state.life.len() as u64 + state.life_dropped;
    let table = Table { columns, rows: rows.collect(), total_rows };
    Section::table("server_life", "Starts, stops and crashes", table)
}

#[cfg(test)]
mod tests {
    use super::super::super::Options;
    use super::super::super::testing::{Dice, Made, check_form, check_merging, column, sections};
    use super::*;
    use crate::format::Family;

    fn record(second: i64, kind: &str, user: &str, host: &str) -> Made {
        vec![
            (Field::TIME, (second * SECOND).to_string()),
            (Field::KIND, kind.to_owned()),
            (Field::USER, user.to_owned()),
            (Field::HOST, host.to_owned()),
            (Field::MESSAGE, format!("{kind} of {user}")),
        ]
    }

    #[test]
    fn merging_changes_nothing() {
        let mut dice = Dice(4);
        let records: Vec<Made> = (0..2000)
            .map(|at| {
                let kind = MATTERS[dice.below(MATTERS.len())].0;
                let (user, host) = (format!("u{}", dice.below(5)), format!("h{}", dice.below(5)));
                record(at, kind, &user, &host)
            })
            .collect();
        let report = Trouble::new();
        check_merging(&report, Family::MysqlError, &Options::default(), &records);
        let found = sections(&report, Family::MysqlError, &Options::default(), &records);
        found.iter().for_each(check_form);
    }

    #[test]
    fn who_was_denied_and_when_there_were_too_many() {
        let records = [
            record(0, "auth_fail", "root", "192.0.2.1"),
            record(5, "auth_fail", "root", "192.0.2.1"),
            record(6, "auth_fail", "app", "192.0.2.2"),
            record(100, "too_many_connections", "", ""),
            record(130, "too_many_connections", "", ""),
            record(900, "too_many_connections", "", ""),
            record(901, "crash", "", ""),
        ];
        let found = sections(&Trouble::new(), Family::MysqlError, &Options::default(), &records);
        assert_eq!(column(&found, "denied", "count"), [2, 1].map(Cell::Count));
        assert_eq!(column(&found, "too_many_connections", "refused"), [2, 1].map(Cell::Count));
        assert_eq!(column(&found, "server_life", "kind"), [Cell::text("crash")]);
    }
}

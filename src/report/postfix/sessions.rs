//! Sessions of clients: how many, and how long they stayed connected.
//!
//! Sections: `sessions` (figures), `session_days` and `session_hours` (by the day and the hour at which they began, in
//! the zone that the user set), `session_clients` and `session_hosts` (those that were connected longest, by address
//! and by the name that the server found for it; names are not folded to domains, since where a domain ends cannot be
//! told from its name).
//!
//! A process of smtpd serves one client after the other, hence a session is a `connect` and the next `disconnect` of
//! one process. Both are kept until the end, since they may stand in different pieces, files and threads. When there
//! are too many, only every second process is followed, and so on by halves, which a note says.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use foldhash::fast::{FixedState, RandomState};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::traffic::date;
use super::super::{Closing, Needs, Renumberings, Report};
use super::hosts::Hosts;
use super::what::{Seen, What, Whats};
use crate::document::{Cell, Column, Fact, Note, Role, Section, Table};
use crate::record::time::SECOND;
use crate::record::{Field, Records, Symbol, Zone};
use crate::tally::{Dictionary, PerSymbol, Sparse, keep_largest};

const HOUR: i64 = 3_600 * SECOND;
/// Some 200 MB.
const MOST_ENDS: usize = 6_000_000;
/// For the names of clients, in bytes.
const MOST_NAMES: usize = 64 << 20;

/// The report.
#[derive(Debug)]
pub(in super::super) struct Sessions {
    whats: Whats,
    most: usize,
}

impl Sessions {
    pub(in super::super) fn new() -> Self {
        Self { whats: Whats::new(), most: MOST_ENDS }
    }
}

/// One end of a session. Ends of one process at one instant are sorted by client, the beginnings first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct End {
    host: Symbol,
    pid: u32,
    time: i64,
    client: Symbol,
    is_disconnect: bool,
}

/// What was seen.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in super::super) struct State {
    /// One process in two to the power of this is followed.
    level: u32,
    ends: Vec<End>,
    /// The first name in alphabetical order that each client was called by.
    names: PerSymbol<Called>,
    texts: Names,
    hosts: Hosts,
}

/// What a client is called. The hash tells that it is called so again without looking at the name.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Called {
    hash: u64,
    name: Symbol,
}

/// The names of clients.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Names(Dictionary);

impl Default for Names {
    fn default() -> Self {
        Self(Dictionary::new(MOST_NAMES))
    }
}

impl State {
    /// A client is called by a name; nearly always by the one that it was called by before.
    #[inline]
    fn call(&mut self, client: Symbol, name: &[u8]) {
        let Self { names, texts: Names(texts), .. } = self;
        let known = names.at(client);
        // The same in every process, since states are saved.
        let hash = FixedState::default().hash_one(name);
        if known.hash != hash {
            let before = texts.text(known.name);
            if known.name == Symbol::ABSENT || name < before {
                *known = Called { hash, name: texts.intern(name) };
            }
        }
    }

    fn follows(level: u32, pid: u32) -> bool {
        // Multiplicative hashing (Knuth), since neighbours in number are neighbours in time.
        let mixed = pid.wrapping_mul(0x9E37_79B1) >> 8;
        mixed & ((1 << level) - 1) == 0
    }

    #[inline]
    fn add(&mut self, end: End, most: usize) {
        if Self::follows(self.level, end.pid) {
            self.ends.push(end);
            self.thin(most);
        }
    }

    /// The final level is the first at which the union fits, whatever the order.
    fn thin(&mut self, most: usize) {
        while self.ends.len() > most && self.level < 20 {
            self.level += 1;
            self.settle();
        }
    }

    fn settle(&mut self) {
        let level = self.level;
        self.ends.retain(|end| Self::follows(level, end.pid));
    }
}

impl Report for Sessions {
    type State = State;

    fn name(&self) -> String {
        "sessions".to_owned()
    }

    fn needs(&self) -> Needs {
        Needs::required(&[Field::KIND, Field::TIME, Field::PID, Field::CLIENT])
            .optional(&[Field::LOGHOST, Field::CLIENT_NAME])
            .by_symbol(&[Field::CLIENT])
    }

    fn start(&self) -> State {
        State::default()
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let (Some(seen), Some(clients)) = (Seen::of(records), records.symbols(Field::CLIENT))
        else {
            return;
        };
        for (row, what) in self.whats.rows(seen) {
            let is_disconnect = match what {
                What::Connect => false,
                What::Disconnect => true,
                _ => continue,
            };
            let (Some(time), Some(pid)) =
                (records.number(Field::TIME, row), records.number(Field::PID, row))
            else {
                continue;
            };
            let host = state.hosts.number(records.text(Field::LOGHOST, row));
            let end = End { host, pid: pid as u32, time, client: clients[row], is_disconnect };
            state.add(end, self.most);
            if let (false, Some(name)) = (is_disconnect, records.text(Field::CLIENT_NAME, row)) {
                state.call(clients[row], name);
            }
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let hosts = into.hosts.absorb(&from.hosts);
        let clients = renumberings.of(Field::CLIENT);
        into.level = into.level.max(from.level);
        into.ends.extend(from.ends.into_iter().map(|end| End {
            host: hosts.of(end.host),
            client: clients.of(end.client),
            ..end
        }));
        into.settle();
        into.thin(self.most);
        for (client, called) in from.names.iter() {
            if called.name != Symbol::ABSENT {
                into.call(clients.of(client), from.texts.0.text(called.name));
            }
        }
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        let State { level, mut ends, names, texts: Names(texts), .. } = state;
        if ends.is_empty() {
            return Vec::new();
        }
        ends.par_sort_unstable();
        let found = Found::of(&ends, &closing.options.zone);
        let mut sections = vec![found.facts(), found.days(closing), found.hours()];
        sections.extend([found.clients(closing), found.hosts(&names, &texts, closing)]);
        if level > 0 {
            let text = format!(
                "connections did not fit into memory; one process in {} was followed",
                1_u64 << level
            );
            sections.iter_mut().for_each(|section| section.notes.push(Note::warning(&text)));
        }
        sections
    }
}

/// Sessions together.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    count: u64,
    time: u64,
    longest: u64,
}

impl Sum {
    fn add(&mut self, micros: u64) {
        self.merge(Self { count: 1, time: micros, longest: micros });
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.time = self.time.saturating_add(other.time);
        self.longest = self.longest.max(other.longest);
    }

    fn cells(self) -> [Cell; 4] {
        [
            Cell::Count(self.count),
            duration(self.time),
            duration(self.time / self.count.max(1)),
            duration(self.longest),
        ]
    }
}

fn duration(micros: u64) -> Cell {
    Cell::Duration(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// All sessions that have both ends.
#[derive(Default)]
struct Found {
    times: Sparse,
    connected: u64,
    by_hour: BTreeMap<i64, Sum>,
    /// The sum of an hour that is not in `by_hour` yet: the sessions of a process come in order of time.
    hour: (i64, Sum),
    by_client: PerSymbol<Sum>,
}

impl Found {
    /// Pairs the ends of each process.
    fn of(ends: &[End], zone: &Zone) -> Self {
        let mut found = Self::default();
        for process in ends.chunk_by(|a, b| (a.host, a.pid) == (b.host, b.pid)) {
            let mut open = None;
            for instant in process.chunk_by(|a, b| a.time == b.time) {
                found.pair(instant, &mut open, zone);
            }
        }
        found.settle_hour();
        found
    }

    /// The ends of one process at one instant of the log, which may be a whole second with several sessions in it. The
    /// one that was open ends there, if its client disconnects; the others begin and end within the instant; one may
    /// stay open.
    fn pair(&mut self, ends: &[End], open: &mut Option<End>, zone: &Zone) {
        let mut staying = Vec::new();
        for same in ends.chunk_by(|a, b| a.client == b.client) {
            let connects = same.iter().filter(|end| !end.is_disconnect).count();
            let mut disconnects = same.len() - connects;
            self.connected += connects as u64;
            if disconnects > 0
                && let Some(start) = open.take_if(|start| start.client == same[0].client)
            {
                self.add(&start, same[0].time, zone);
                disconnects -= 1;
            }
            (0..connects.min(disconnects)).for_each(|_| self.add(&same[0], same[0].time, zone));
            staying.extend((connects > disconnects).then_some(same[0]));
        }
        match staying[..] {
            [] => {}
            [one] => *open = Some(one),
            // Lines are missing, and nobody can tell which of them it is.
            _ => *open = None,
        }
    }

    fn add(&mut self, start: &End, end: i64, zone: &Zone) {
        let micros = end.saturating_sub(start.time).max(0) as u64;
        self.times.add(micros);
        let hour = zone.wall(start.time).div_euclid(HOUR);
        if hour != self.hour.0 {
            self.settle_hour();
            self.hour.0 = hour;
        }
        self.hour.1.add(micros);
        self.by_client.at(start.client).add(micros);
    }

    fn settle_hour(&mut self) {
        let sum = std::mem::take(&mut self.hour.1);
        if sum.count > 0 {
            self.by_hour.entry(self.hour.0).or_default().merge(sum);
        }
    }

    fn met(&self) -> impl Iterator<Item = (Symbol, Sum)> {
        self.by_client.iter().filter(|(_, sum)| sum.count > 0).map(|(client, sum)| (client, *sum))
    }

    fn facts(&self) -> Section {
        let quantiles = self.times.quantiles();
        let time = |name, micros| Fact::new(name, duration(micros));
        let unfinished = self.connected.saturating_sub(quantiles.count());
        let facts = vec![
            Fact::new("connections", Cell::Count(self.connected)),
            Fact::new("sessions", Cell::Count(quantiles.count())),
            Fact::new("without_end", Cell::Count(unfinished)),
            Fact::new("session_clients", Cell::Count(self.met().count() as u64)),
            time("time", quantiles.sum()),
            time("mean", quantiles.mean().round() as u64),
            time("p50", quantiles.percentile(50_000)),
            time("p95", quantiles.percentile(95_000)),
            time("p99", quantiles.percentile(99_000)),
            time("max", quantiles.max()),
        ];
        Section::facts("sessions", "Sessions", facts)
    }

    /// The latest days, as many as rows are wanted and at least a month, in their order.
    fn days(&self, closing: &Closing<'_>) -> Section {
        let mut days: BTreeMap<i64, Sum> = BTreeMap::new();
        for (hour, sum) in &self.by_hour {
            days.entry(hour.div_euclid(24)).or_default().merge(*sum);
        }
        let most = match closing.options.limit {
            0 => days.len(),
            limit => limit.max(31),
        };
        let total = days.len() as u64;
        let latest = days.iter().skip(days.len().saturating_sub(most));
        let rows = latest.map(|(day, sum)| (Cell::text(date(*day)), *sum)).collect();
        table("session_days", "Sessions by day", "day", rows, total)
    }

    fn hours(&self) -> Section {
        let mut hours = [Sum::default(); 24];
        for (hour, sum) in &self.by_hour {
            hours[hour.rem_euclid(24) as usize].merge(*sum);
        }
        let rows = hours.iter().enumerate();
        let rows = rows.map(|(hour, sum)| (Cell::text(format!("{hour:02}")), *sum)).collect();
        table("session_hours", "Sessions by hour of the day", "hour", rows, 24)
    }

    fn clients(&self, closing: &Closing<'_>) -> Section {
        let name = |symbol| closing.dictionaries.text(Field::CLIENT, symbol);
        let rows = self.met().map(|(client, sum)| (name(client), sum)).collect();
        longest(("session_clients", "Sessions by client", "client"), rows, closing)
    }

    fn hosts(
        &self,
        names: &PerSymbol<Called>,
        texts: &Dictionary,
        closing: &Closing<'_>,
    ) -> Section {
        let mut hosts: HashMap<&[u8], Sum, RandomState> = HashMap::default();
        for (client, sum) in self.met() {
            let name = names.get(client).map_or(&[][..], |called| texts.text(called.name));
            hosts.entry(if name.is_empty() { b"unknown" } else { name }).or_default().merge(sum);
        }
        let rows = hosts.into_iter().collect();
        longest(("session_hosts", "Sessions by host", "client_name"), rows, closing)
    }
}

/// Those that were connected longest.
fn longest(
    (name, title, key): (&str, &str, &str),
    mut rows: Vec<(&[u8], Sum)>,
    closing: &Closing<'_>,
) -> Section {
    let total = rows.len() as u64;
    keep_largest(&mut rows, closing.options.limit, |a, b| {
        (b.1.time, b.1.count).cmp(&(a.1.time, a.1.count)).then_with(|| a.0.cmp(b.0))
    });
    let rows = rows.into_iter().map(|(key, sum)| (Cell::text(key), sum)).collect();
    table(name, title, key, rows, total)
}

fn table(name: &str, title: &str, key: &str, rows: Vec<(Cell, Sum)>, total_rows: u64) -> Section {
    let mut columns = vec![Column::new(key, Role::Key), Column::new("sessions", Role::Main)];
    columns.extend(["time", "mean", "max"].map(|name| Column::new(name, Role::Value)));
    let rows = rows.into_iter().map(|(key, sum)| std::iter::once(key).chain(sum.cells()).collect());
    Section::table(name, title, Table { columns, rows: rows.collect(), total_rows })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Dice, Made, check_form, check_merging, column, sections};
    use super::super::super::{AnyReport, Options};
    use super::*;
    use crate::format::Family;

    fn end(second: i64, kind: &str, pid: usize, client: &str) -> Made {
        vec![
            (Field::TIME, (second * SECOND).to_string()),
            (Field::KIND, kind.to_owned()),
            (Field::PID, pid.to_string()),
            (Field::CLIENT, client.to_owned()),
        ]
    }

    #[test]
    fn a_process_serves_one_after_the_other() {
        let records = [
            end(0, "connect", 7, "192.0.2.1"),
            end(0, "connect", 8, "192.0.2.2"),
            end(9, "disconnect", 8, "192.0.2.2"),
            end(5, "disconnect", 7, "192.0.2.1"),
            // All of this within a second, and then one that stays.
            end(5, "connect", 7, "192.0.2.3"),
            end(5, "disconnect", 7, "192.0.2.3"),
            end(5, "connect", 7, "192.0.2.1"),
            end(7, "disconnect", 7, "192.0.2.1"),
            end(9, "connect", 7, "192.0.2.4"),
        ];
        let found = sections(&Sessions::new(), Family::Postfix, &Options::default(), &records);
        found.iter().for_each(check_form);
        for (name, count) in [("connections", 5), ("sessions", 4), ("without_end", 1)] {
            assert_eq!(found[0].fact(name), Some(&Cell::Count(count)), "{name}");
        }
        assert_eq!(found[0].fact("time"), Some(&Cell::Duration(16 * SECOND)));
        let clients = ["192.0.2.2", "192.0.2.1", "192.0.2.3"].map(Cell::text);
        assert_eq!(column(&found, "session_clients", "client"), clients);
        assert_eq!(column(&found, "session_hours", "sessions")[0], Cell::Count(4));
    }

    #[test]
    fn merging_changes_nothing() {
        let mut dice = Dice(3);
        let records: Vec<Made> = (0..3_000)
            .map(|at| {
                let kind = ["connect", "disconnect"][dice.below(2)];
                end(at / 3, kind, dice.below(60), &format!("192.0.2.{}", dice.below(9)))
            })
            .collect();
        for most in [MOST_ENDS, 500] {
            let report: Box<dyn AnyReport> = Box::new(Sessions { most, ..Sessions::new() });
            check_merging(&*report, Family::Postfix, &Options::default(), &records);
        }
    }
}

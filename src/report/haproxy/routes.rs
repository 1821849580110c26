//! HAProxy's sessions by the way they took: frontend, backend, server.
//!
//! A way has one set of counters and a small histogram for each timer; frontends, backends, servers and the whole are put
//! together from the ways when the report finishes, so that a session is counted once.
//!
//! Sections:
//!
//! * `servers`: sessions, statuses, failures, times to connect and to answer, retries;
//! * `stages`, `stages_by_frontend`, `stages_by_backend`, `stages_by_server`: where the time went;
//! * `timer_percentiles`: every timer from 0.1 to 100 per cent; `timer_density`: how often a timer had about which value;
//! * `timer_readings`: what the manual reads from timers, with how often and where, and how many lines were cut;
//! * `balance`, `balance_by_server`: how evenly a backend's sessions went over its servers.
//!
//! A timer that never came (-1) is in none of these. A retry is counted for the server of the line, unless the session
//! was sent on to another one (`+`): then it belongs to a server that the line does not name. Sessions that were logged
//! before their end have no time of transfer, and their total is left out of the percentiles.
//!
//! When there are too many ways, servers are no longer told apart, after them backends, and frontends last; sums stay exact.

mod balance;
mod timers;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::timers::{READINGS, reading};

use super::super::breakdown::{duration, mean};
use super::super::{Closing, Needs, Renumberings, Report};
use super::keyed::{Bounded, Coarse, Key, Merge, part};
use crate::document::{Cell, Column, Note, Role, Section, Table};
use crate::record::block::ROWS;
use crate::record::{Field, Label, Records, Symbol, Value};
use crate::tally::histogram::Quantiles;
use crate::tally::{Millis, keep_largest};
use crate::units;

/// The report.
#[derive(Debug)]
pub(in super::super) struct Routes {
    most: usize,
}

impl Routes {
    pub(in super::super) fn new() -> Self {
        Self { most: MOST_WAYS }
    }
}

/// Ways that are told apart. One takes some 5 KB where times are short, ten times as much where they last minutes.
const MOST_WAYS: usize = 1 << 13;

/// The timers in the order in which they run, and the whole.
const STAGES: [(Field, &str, &str); 6] = [
    (Field::T_REQUEST, "request", "TR: the client sends its request"),
    (Field::T_QUEUE, "queue", "Tw: waiting in queues, or in a tarpit"),
    (Field::T_CONNECT, "connect", "Tc: connecting to the server"),
    (Field::T_RESPONSE, "response", "Tr: the server thinks"),
    (Field::T_DATA, "data", "Td: transfer of the answer"),
    (Field::DURATION, "total", "Ta or Tt: all together"),
];
const CONNECT: usize = 2;
const RESPONSE: usize = 3;
const TOTAL: usize = 5;

/// What was counted for one way.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Route {
    count: u64,
    /// By the first digit of the status; 0 for those that have none.
    statuses: [u64; 6],
    /// By number of the class.
    classes: [u64; 4],
    bytes: u64,
    readings: [u64; READINGS.len()],
    retried: u64,
    retries: u64,
    redispatched: u64,
    partial: u64,
    most_sessions: i64,
    stages: [Millis; STAGES.len()],
}

impl Merge for Route {
    fn merge(&mut self, other: Self) {
        self.add(&other);
    }
}

impl Route {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        add_all(&mut self.statuses, &other.statuses);
        add_all(&mut self.classes, &other.classes);
        add_all(&mut self.readings, &other.readings);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.retried += other.retried;
        self.retries = self.retries.saturating_add(other.retries);
        self.redispatched += other.redispatched;
        self.partial += other.partial;
        self.most_sessions = self.most_sessions.max(other.most_sessions);
        self.stages.iter_mut().zip(&other.stages).for_each(|(own, more)| own.merge(more));
    }

    fn errors(&self) -> u64 {
        self.classes[Label::ERROR.number() as usize]
    }
}

fn add_all(own: &mut [u64], more: &[u64]) {
    own.iter_mut().zip(more).for_each(|(own, more)| *own += more);
}

/// Frontend, backend, server.
type Way = [Symbol; 3];

impl Key for Way {
    fn mix(&self) -> u32 {
        let [frontend, backend, server] = self.map(|symbol| symbol.0);
        server.wrapping_add(backend << 3).wrapping_add(frontend << 5)
    }
}

impl Coarse for Way {
    const LEVELS: u32 = 3;

    fn at_level(self, level: u32) -> Self {
        let [frontend, backend, server] = self;
        [part(frontend, level, 3), part(backend, level, 2), part(server, level, 1)]
    }
}

/// Backend and server.
type Place = [Symbol; 2];

impl Coarse for Place {
    const LEVELS: u32 = 1;

    fn at_level(self, level: u32) -> Self {
        self.map(|symbol| part(symbol, level, 1))
    }
}

/// What was counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct State {
    ways: Bounded<Way, Route>,
    /// Servers of which something else was logged than sessions.
    known: Bounded<Place, ()>,
}

/// The columns of a block, absent where the run has none.
struct Columns<'a> {
    state: &'a [Value],
    action: &'a [Value],
    cookie_state: &'a [Value],
    class: &'a [Value],
    status: &'a [Value],
    bytes: &'a [Value],
    retries: &'a [Value],
    redispatched: &'a [Value],
    partial: &'a [Value],
    cut: &'a [Value],
    sessions: &'a [Value],
    stages: [&'a [Value]; STAGES.len()],
}

static NEVER: [Value; ROWS] = [Value::ABSENT; ROWS];

impl<'a> Columns<'a> {
    fn of(records: &Records<'a>) -> Self {
        let column = |field| records.column(field).unwrap_or(&NEVER[..records.len()]);
        Self {
            state: column(Field::STATE),
            action: column(Field::ACTION),
            cookie_state: column(Field::COOKIE_STATE),
            class: column(Field::CLASS),
            status: column(Field::STATUS),
            bytes: column(Field::BYTES),
            retries: column(Field::RETRIES),
            redispatched: column(Field::REDISPATCHED),
            partial: column(Field::PARTIAL),
            cut: column(Field::CUT),
            sessions: column(Field::SERVER_CONNECTIONS),
            stages: STAGES.map(|(field, _, _)| column(field)),
        }
    }

    #[inline]
    fn add(&self, records: &Records<'_>, row: usize, route: &mut Route) {
        route.count += 1;
        let status = self.status[row].number_or(0);
        route.statuses[usize::try_from(status / 100).unwrap_or(0).min(5)] += 1;
        route.classes[(self.class[row].number_or(0) & 3) as usize] += 1;
        route.bytes = route.bytes.saturating_add(self.bytes[row].number_or(0).max(0) as u64);
        route.most_sessions = route.most_sessions.max(self.sessions[row].number_or(0));
        let retries = self.retries[row].number_or(0);
        let is_redispatched = self.redispatched[row].number_or(0) > 0;
        if retries > 0 && !is_redispatched {
            route.retried += 1;
            route.retries = route.retries.saturating_add(retries as u64);
        }
        route.redispatched += u64::from(is_redispatched);
        let is_partial = self.partial[row].number_or(0) > 0;
        route.partial += u64::from(is_partial);
        let timers = self.stages.map(|column| column[row]);
        // Lines of HTTP have four characters of state, those of TCP two.
        let is_http = !self.cookie_state[row].is_absent();
        let state = || records.bytes(self.state[row]).unwrap_or_default();
        timers::read(&timers, is_http, state, &mut route.readings);
        route.readings[reading::CUT_LINE] += u64::from(!self.cut[row].is_absent());
        for (stage, (timer, times)) in timers.iter().zip(&mut route.stages).enumerate() {
            if let Some(micros) = timer.number()
                && !(is_partial && stage == TOTAL)
            {
                times.add(micros.max(0) as u64);
            }
        }
    }
}

impl Report for Routes {
    type State = State;

    fn name(&self) -> String {
        "servers".to_owned()
    }

    fn needs(&self) -> Needs {
        let names = [Field::FRONTEND, Field::BACKEND, Field::SERVER];
        Needs::required(&[Field::STATE, Field::BACKEND, Field::SERVER])
            .optional(&[Field::ACTION, Field::FRONTEND, Field::CLASS, Field::STATUS, Field::BYTES])
            .optional(&[Field::RETRIES, Field::REDISPATCHED, Field::PARTIAL, Field::CUT])
            .optional(&[Field::SERVER_CONNECTIONS, Field::COOKIE_STATE])
            .optional(&STAGES.map(|(field, _, _)| field))
            .by_symbol(&names)
    }

    fn start(&self) -> State {
        State { ways: Bounded::new(self.most), known: Bounded::new(self.most) }
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let absent = [Symbol::ABSENT; ROWS];
        let [frontends, backends, servers] = [Field::FRONTEND, Field::BACKEND, Field::SERVER]
            .map(|field| records.symbols(field).unwrap_or(&absent[..records.len()]));
        let columns = Columns::of(records);
        for row in 0..records.len() {
            if !columns.state[row].is_absent() {
                let route = state.ways.at([frontends[row], backends[row], servers[row]]);
                columns.add(records, row, route);
            } else if !columns.action[row].is_absent() && servers[row] != Symbol::ABSENT {
                state.known.at([backends[row], servers[row]]);
            }
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let [frontends, backends, servers] =
            [Field::FRONTEND, Field::BACKEND, Field::SERVER].map(|field| renumberings.of(field));
        into.ways.merge(from.ways, |[frontend, backend, server]| {
            [frontends.of(frontend), backends.of(backend), servers.of(server)]
        });
        let called_here = |[backend, server]: Place| [backends.of(backend), servers.of(server)];
        into.known.merge(from.known, called_here);
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        if state.ways.rows().is_empty() {
            return Vec::new();
        }
        let by_server = grouped(&state, |way| server_name(closing, way));
        let by_backend = grouped(&state, |way| name(closing, Field::BACKEND, way[1]));
        let by_frontend = grouped(&state, |way| name(closing, Field::FRONTEND, way[0]));
        let whole = grouped(&state, |_| b"all".to_vec());
        let mut sections = vec![
            servers(&by_server, closing),
            timers::stages("stages", "Time by stage", "sessions", &whole, closing),
            timers::stages(
                "stages_by_frontend",
                "Time by stage and frontend",
                "frontend",
                &by_frontend,
                closing,
            ),
            timers::stages(
                "stages_by_backend",
                "Time by stage and backend",
                "backend",
                &by_backend,
                closing,
            ),
            timers::stages(
                "stages_by_server",
                "Time by stage and server",
                "server",
                &by_server,
                closing,
            ),
            timers::percentiles(&whole[0].1),
            timers::density(&whole[0].1),
            timers::readings(&by_server),
        ];
        match self.given_up(&state) {
            Some(note) => sections[0].notes.push(note),
            None => sections.extend(balance::sections(&state, closing)),
        }
        sections.retain(|section| !section.body.is_empty());
        sections
    }
}

impl Routes {
    /// What was given up since there were too many ways.
    fn given_up(&self, state: &State) -> Option<Note> {
        let parts = match state.ways.level() {
            0 => return None,
            1 => "servers",
            2 => "servers and backends",
            _ => "servers, backends and frontends",
        };
        let ways = state.ways.rows().iter().filter(|([_, _, server], _)| *server == Symbol::OTHER);
        let count = units::count(ways.map(|(_, route)| route.count).sum());
        Some(Note::warning(format!(
            "there are more than {} ways from a frontend to a server: {parts} are not told apart, their {count} sessions stand as (others), and their balance is unknown; sums are exact",
            units::count(self.most as u64)
        )))
    }
}

/// Ways put together under names, in the order of the names.
type Grouped = Vec<(Vec<u8>, Route)>;

fn grouped(state: &State, name: impl Fn(&Way) -> Vec<u8>) -> Grouped {
    let mut groups = BTreeMap::<Vec<u8>, Route>::new();
    for (way, route) in state.ways.rows() {
        groups.entry(name(way)).or_default().add(route);
    }
    groups.into_iter().collect()
}

/// The name of a symbol; sessions for which none was chosen have HAProxy's word for that.
pub(super) fn name(closing: &Closing<'_>, field: Field, symbol: Symbol) -> Vec<u8> {
    match symbol {
        Symbol::ABSENT => b"<NOSRV>".to_vec(),
        Symbol::OTHER => b"(others)".to_vec(),
        symbol => closing.dictionaries.text(field, symbol).to_vec(),
    }
}

/// `backend/server`.
fn server_name(closing: &Closing<'_>, way: &Way) -> Vec<u8> {
    let [backend, server] =
        [name(closing, Field::BACKEND, way[1]), name(closing, Field::SERVER, way[2])];
    [&backend[..], b"/", &server].concat()
}

fn value(name: &str) -> Column {
    Column::new(name, Role::Value)
}

/// The first groups by a measure.
fn largest<'g>(
    groups: &'g Grouped,
    closing: &Closing<'_>,
    measure: impl Fn(&Route) -> u64,
) -> Vec<&'g (Vec<u8>, Route)> {
    let mut rows: Vec<_> = groups.iter().collect();
    keep_largest(&mut rows, closing.options.limit, |a, b| {
        measure(&b.1).cmp(&measure(&a.1)).then_with(|| a.0.cmp(&b.0))
    });
    rows
}

fn servers(groups: &Grouped, closing: &Closing<'_>) -> Section {
    let all = groups.iter().map(|(_, route)| route.count).sum();
    let mut columns = vec![Column::new("server", Role::Key), Column::new("count", Role::Main)];
    columns.extend(["share", "1xx", "2xx", "3xx", "4xx", "5xx", "none"].map(value));
    columns
        .extend(["errors", "ok_share", "mean_connect", "mean_response", "p99_response"].map(value));
    columns
        .extend(["bytes", "most_sessions", "retried", "retries", "redispatched_here"].map(value));
    let rows = largest(groups, closing, |route| route.count);
    let rows = rows.into_iter().map(|(name, route)| server_cells(name, route, all)).collect();
    let table = Table { columns, rows, total_rows: groups.len() as u64 };
    let mut section = Section::table("servers", "Servers", table);
    section.notes.push(Note::info(
        "ok is what did not end in an error; retries before a redispatch belong to another server and are not counted",
    ));
    section
}

fn server_cells(name: &[u8], route: &Route, all: u64) -> Vec<Cell> {
    let [none, statuses @ ..] = route.statuses;
    let [connect, response] = [CONNECT, RESPONSE].map(|stage| route.stages[stage].quantiles());
    let mut cells = vec![Cell::text(name), Cell::Count(route.count), Cell::share(route.count, all)];
    cells.extend(statuses.map(Cell::Count));
    cells.extend([Cell::Count(none), Cell::Count(route.errors())]);
    cells.push(Cell::share(route.count - route.errors(), route.count));
    cells.extend([or_empty(&connect, mean(&connect)), or_empty(&response, mean(&response))]);
    cells.push(or_empty(&response, duration(response.percentile(99_000))));
    cells.extend([Cell::Bytes(route.bytes), Cell::Number(route.most_sessions)]);
    cells.extend([route.retried, route.retries, route.redispatched].map(Cell::Count));
    cells
}

fn or_empty(times: &Quantiles, cell: Cell) -> Cell {
    if times.count() == 0 { Cell::Empty } else { cell }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check_form, check_merging, column, haproxy, sections};
    use super::super::super::{AnyReport, Options};
    use super::*;
    use crate::format::Family;

    pub(super) fn report() -> Box<dyn AnyReport> {
        Box::new(Routes::new())
    }

    pub(super) fn finished(lines: &[&str]) -> Vec<Section> {
        let records = haproxy::lines(lines);
        sections(&*report(), Family::Haproxy, &Options::default(), &records)
    }

    #[test]
    fn merging_changes_nothing() {
        let records = haproxy::sessions(3_000, 11);
        check_merging(&*report(), Family::Haproxy, &Options::default(), &records);
        sections(&*report(), Family::Haproxy, &Options::default(), &records)
            .iter()
            .for_each(check_form);
    }

    /// Two frontends, two backends, three servers each, and now and then one of the names is missing.
    #[test]
    fn too_many_ways_are_told_less_exactly_in_any_order() {
        let records = haproxy::sessions(3_000, 11);
        let options = Options::default();
        let exact = sections(&*report(), Family::Haproxy, &options, &records);
        for (most, given_up) in [(12, "servers are"), (7, "servers and b"), (4, "servers, b")] {
            let report: Box<dyn AnyReport> = Box::new(Routes { most });
            check_merging(&*report, Family::Haproxy, &options, &records);
            let found = sections(&*report, Family::Haproxy, &options, &records);
            let note = found[0].notes.iter().find(|note| note.text.contains(given_up));
            assert!(note.is_some_and(|note| note.text.contains("more than")), "{most}");
            assert!(found.iter().all(|section| !section.name.starts_with("balance")));
            for of_all in ["stages", "timer_percentiles", "timer_density"] {
                let of = |sections: &[Section]| {
                    sections.iter().find(|section| section.name == of_all).cloned()
                };
                assert_eq!(of(&found), of(&exact), "{of_all} of {most}");
            }
        }
    }

    /// halog counts a 503 with SC as entirely good, reads the byte count of a TCP line as a status, and an error line
    /// as a server called SSL.
    #[test]
    fn ok_means_ok() {
        let found = finished(&[
            "app/s1 0/0/-1/-1/3001 503 212 SC 3",
            "app/s1 0/0/1/5/9 200 10 -- 0",
            "sql/db1 0/1/212 5000 -- 0",
        ]);
        assert_eq!(column(&found, "servers", "server"), ["app/s1", "sql/db1"].map(Cell::text));
        assert_eq!(column(&found, "servers", "5xx"), [1, 0].map(Cell::Count));
        assert_eq!(column(&found, "servers", "none"), [0, 1].map(Cell::Count));
        assert_eq!(column(&found, "servers", "ok_share"), [0.5, 1.0].map(Cell::Share));
        assert_eq!(column(&found, "servers", "retries"), [3, 0].map(Cell::Count));
        assert_eq!(column(&found, "servers", "mean_response")[1], Cell::Empty);
    }

    #[test]
    fn retries_of_a_redispatch_belong_to_another_server() {
        let found = finished(&["app/s1 0/0/1/5/9 200 10 -- +2", "app/s1 0/0/1/5/9 200 10 -- 1"]);
        assert_eq!(column(&found, "servers", "retried"), [Cell::Count(1)]);
        assert_eq!(column(&found, "servers", "retries"), [Cell::Count(1)]);
        assert_eq!(column(&found, "servers", "redispatched_here"), [Cell::Count(1)]);
    }
}

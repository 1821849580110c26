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
//! A server of which the log tells only that it went up or down takes its part in the balance of its backend: it could
//! have served. When there are too many ways, servers are no longer told apart, after them backends, and frontends last;
//! sums stay exact.

use serde::{Deserialize, Serialize};

use super::super::breakdown::{duration, mean};
use super::super::{Closing, Needs, Renumberings, Report};
use super::keyed::{Bounded, Coarse, Key, Merge, part};
use crate::document::{Cell, Column, Note, Role, Section, Table};
use crate::record::block::ROWS;
use crate::record::{Field, Label, Records, Symbol, Value};
use crate::tally::histogram::{PERCENTILES, Quantiles};
use crate::tally::{Millis, keep_largest};

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

/// What is read from the timers of a session, as the manual's sections on timers say; and from its line.
const READINGS: [(&str, &str); 8] = [
    (
        "no_request",
        "TR -1: the client never sent a whole request; `timeout http-request`, or an aborted or idle connection",
    ),
    (
        "no_queue",
        "Tw -1: the session ended before it got a place: refused, answered by HAProxy itself, or no server was up",
    ),
    (
        "left_queue",
        "Tw and no Tc: it left the queue without a server; `timeout queue`, maxconn of the servers, or the client gave up",
    ),
    (
        "no_connect",
        "Tc -1: the connection to the server could not be made; is it down, is its port filtered?",
    ),
    (
        "no_response",
        "Tr -1: the server took the connection and did not answer; `timeout server`, or the server is overloaded",
    ),
    (
        "lost_packets",
        "Tc near a multiple of 3000 ms: packets to the server were lost and sent again; look at the network, duplex and cables",
    ),
    (
        "retransmit",
        "Tc near 1000 or 7000 ms: the same with the first interval of newer kernels, one second and doubling",
    ),
    (
        "cut_line",
        "the line ends before its request does: `len` of the log line, tune.http.logurilen; paths and captures are not whole",
    ),
];

/// Places in [`READINGS`].
mod reading {
    pub(super) const NO_REQUEST: usize = 0;
    pub(super) const NO_QUEUE: usize = 1;
    pub(super) const LEFT_QUEUE: usize = 2;
    pub(super) const NO_CONNECT: usize = 3;
    pub(super) const NO_RESPONSE: usize = 4;
    pub(super) const LOST_PACKETS: usize = 5;
    pub(super) const RETRANSMIT: usize = 6;
    pub(super) const CUT_LINE: usize = 7;
}

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
        read_timers(&timers, is_http, state, &mut route.readings);
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

const MILLI: i64 = 1_000;
/// How near a multiple is near, in microseconds.
const NEAR: i64 = 150 * MILLI;

/// Counts what the timers of one session say. TCP lines have no times of request and response.
#[inline]
fn read_timers<'a>(
    timers: &[Value; STAGES.len()],
    is_http: bool,
    state: impl FnOnce() -> &'a [u8],
    readings: &mut [u64; READINGS.len()],
) {
    let [request, queue, connect, response, _, _] = *timers;
    if let Some(connect) = connect.number() {
        if connect >= 1000 * MILLI - NEAR {
            let is_near = |multiple: i64| (connect - multiple).abs() <= NEAR;
            let of_three = (connect + NEAR) / (3000 * MILLI) * (3000 * MILLI);
            let is_lost = of_three > 0 && is_near(of_three);
            let is_sent_again = is_near(1000 * MILLI) || is_near(7000 * MILLI);
            readings[reading::LOST_PACKETS] += u64::from(is_lost);
            readings[reading::RETRANSMIT] += u64::from(!is_lost && is_sent_again);
        }
        readings[reading::NO_RESPONSE] += u64::from(is_http && response.is_absent());
        return;
    }
    let has_no_request = is_http && request.is_absent();
    if let Some(reading) = unconnected(has_no_request, queue.is_absent(), state()) {
        readings[reading] += 1;
    }
}

/// What it means that no server was connected. The timers alone do not tell: a tarpit's time stands where that of the
/// queue does, so does a wait that ended by `timeout queue`, and a request that came whole and was refused has no TR.
fn unconnected(has_no_request: bool, has_no_queue: bool, state: &[u8]) -> Option<usize> {
    match (state, has_no_queue) {
        ([_, b'T'], _) => None,
        ([_, b'Q'], false) => Some(reading::LEFT_QUEUE),
        (_, false) => Some(reading::NO_CONNECT),
        ([b'P' | b'L', _], true) => Some(reading::NO_QUEUE),
        (_, true) if has_no_request => Some(reading::NO_REQUEST),
        (_, true) => Some(reading::NO_QUEUE),
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
            stages("stages", "Time by stage", "sessions", &whole, closing),
            stages(
                "stages_by_frontend",
                "Time by stage and frontend",
                "frontend",
                &by_frontend,
                closing,
            ),
            stages(
                "stages_by_backend",
                "Time by stage and backend",
                "backend",
                &by_backend,
                closing,
            ),
            stages("stages_by_server", "Time by stage and server", "server", &by_server, closing),
            percentiles(&whole[0].1),
            density(&whole[0].1),
            readings(&by_server),
        ];
        match self.given_up(&state) {
            Some(note) => sections[0].notes.push(note),
            None => sections.extend(balance(&state, closing)),
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
        let count: u64 = ways.map(|(_, route)| route.count).sum();
        Some(Note::warning(format!(
            "there are more than {} ways from a frontend to a server: {parts} are not told apart, their {count} sessions stand as (others), and their balance is unknown; sums are exact",
            self.most
        )))
    }
}

/// Ways put together under names, in the order of the names.
type Grouped = Vec<(Vec<u8>, Route)>;

fn grouped(state: &State, name: impl Fn(&Way) -> Vec<u8>) -> Grouped {
    let mut groups = std::collections::BTreeMap::<Vec<u8>, Route>::new();
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

fn stages(name: &str, title: &str, key: &str, groups: &Grouped, closing: &Closing<'_>) -> Section {
    let mut columns = vec![Column::new(key, Role::Key), Column::new("stage", Role::Key)];
    columns.extend([
        value("count"),
        Column::new("time", Role::Main),
        value("share"),
        value("mean"),
    ]);
    columns.extend(PERCENTILES.map(|(_, name)| value(name)));
    columns.extend([value("max"), Column::new("meaning", Role::Detail)]);
    let chosen = largest(groups, closing, |route| route.stages[TOTAL].sum());
    let rows = chosen.iter().flat_map(|(name, route)| stage_rows(name, route)).collect();
    let stages = groups.iter().flat_map(|(_, route)| &route.stages);
    let total_rows = stages.filter(|times| !times.is_empty()).count() as u64;
    let table = Table { columns, rows, total_rows };
    let mut section = Section::table(name, title, table);
    let partial: u64 = groups.iter().map(|(_, route)| route.partial).sum();
    if partial > 0 {
        section.notes.push(Note::info(format!(
            "{partial} sessions were logged before their end (option logasap): their transfer and total are not in here"
        )));
    }
    section
}

fn stage_rows(name: &[u8], route: &Route) -> Vec<Vec<Cell>> {
    let whole = route.stages[..TOTAL].iter().map(Millis::sum).fold(0, u64::saturating_add);
    let rows = STAGES.iter().zip(&route.stages).filter(|(_, times)| !times.is_empty());
    rows.map(|((_, stage, meaning), times)| {
        let times = times.quantiles();
        let mut cells = vec![Cell::text(name), Cell::text(stage), Cell::Count(times.count())];
        let share = match *stage {
            "total" => Cell::Empty,
            _ => Cell::share(times.sum(), whole),
        };
        cells.extend([duration(times.sum()), share, mean(&times)]);
        cells.extend(PERCENTILES.map(|(wanted, _)| duration(times.percentile(wanted))));
        cells.extend([duration(times.max()), Cell::text(meaning)]);
        cells
    })
    .collect()
}

/// The percentages of the table, in thousandths: closer together where it gets interesting.
const STEPS: [u32; 24] = [
    100, 500, 1_000, 5_000, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000, 70_000, 75_000, 80_000,
    85_000, 90_000, 95_000, 97_000, 98_000, 99_000, 99_500, 99_900, 99_990, 99_999, 100_000,
];

fn percentiles(whole: &Route) -> Section {
    let mut columns = vec![Column::new("percent", Role::Key), value("count")];
    columns.extend(STAGES.map(|(_, stage, _)| value(stage)));
    columns[1].role = Role::Main;
    let times: Vec<Quantiles> = whole.stages.iter().map(Millis::quantiles).collect();
    let count = times[TOTAL].count();
    let rows: Vec<Vec<Cell>> = STEPS
        .iter()
        .map(|step| {
            let rank = (u128::from(count) * u128::from(*step)).div_ceil(100_000) as u64;
            let mut cells = vec![Cell::Real(f64::from(*step) / 1000.0), Cell::Count(rank)];
            cells.extend(
                times.iter().map(|times| or_empty(times, duration(times.percentile(*step)))),
            );
            cells
        })
        .collect();
    let total_rows = rows.len() as u64;
    let mut section = Section::table(
        "timer_percentiles",
        "Timers by percentile",
        Table { columns, rows, total_rows },
    );
    section.notes.push(Note::info(
        "each timer for itself, over the sessions in which it came; by nearest rank",
    ));
    section
}

/// How often each timer had about which value: in steps of a sixteenth of a power of two of milliseconds.
fn density(whole: &Route) -> Section {
    let columns = vec![
        Column::new("timer", Role::Key),
        Column::new("from", Role::Key),
        Column::new("count", Role::Main),
        value("per_millisecond"),
    ];
    let mut rows = Vec::new();
    for ((_, stage, _), times) in STAGES.iter().zip(&whole.stages) {
        let mut steps = std::collections::BTreeMap::<u64, u64>::new();
        for (value, count) in times.quantiles().buckets() {
            *steps.entry(coarse(value / MILLI as u64)).or_default() += count;
        }
        rows.extend(steps.into_iter().map(|(millis, count)| {
            let density = count as f64 / width(millis) as f64;
            vec![
                Cell::text(stage),
                duration(millis.saturating_mul(MILLI as u64)),
                Cell::Count(count),
                Cell::Real(density),
            ]
        }));
    }
    let total_rows = rows.len() as u64;
    Section::table("timer_density", "Density of timers", Table { columns, rows, total_rows })
}

/// A number with all but its four highest bits cleared.
fn coarse(number: u64) -> u64 {
    number & !(width(number) - 1)
}

/// How many numbers have the same four highest bits.
fn width(number: u64) -> u64 {
    1 << (64 - number.leading_zeros()).saturating_sub(4)
}

fn readings(groups: &Grouped) -> Section {
    let mut columns = vec![Column::new("reading", Role::Key), Column::new("count", Role::Main)];
    columns.extend(["share", "mostly_at", "there"].map(value));
    columns.push(Column::new("meaning", Role::Detail));
    let all = groups.iter().map(|(_, route)| route.count).sum();
    let found = READINGS.iter().enumerate().filter_map(|(at, (reading, meaning))| {
        let count: u64 = groups.iter().map(|(_, route)| route.readings[at]).sum();
        let of = |route: &Route| route.readings[at];
        // The first of equals: the groups are in the order of their names.
        let worst = groups.iter().rev().max_by_key(|(_, route)| of(route))?;
        (count > 0).then(|| {
            vec![
                Cell::text(reading),
                Cell::Count(count),
                Cell::share(count, all),
                Cell::text(&worst.0),
                Cell::Count(of(&worst.1)),
                Cell::text(meaning),
            ]
        })
    });
    let rows: Vec<Vec<Cell>> = found.collect();
    let total_rows = rows.len() as u64;
    Section::table("timer_readings", "What the timers say", Table { columns, rows, total_rows })
}

/// The servers of one backend.
struct Pool {
    backend: Vec<u8>,
    servers: Grouped,
}

impl Pool {
    fn count(&self) -> u64 {
        self.servers.iter().map(|(_, route)| route.count).sum()
    }

    fn squares(&self) -> f64 {
        self.servers.iter().map(|(_, route)| (route.count as f64).powi(2)).sum()
    }

    /// The standard deviation of the sessions of its servers, by their mean.
    fn unevenness(&self) -> f64 {
        let servers = self.servers.len() as f64;
        let mean = self.count() as f64 / servers;
        (self.squares() / servers - mean * mean).max(0.0).sqrt() / mean
    }
}

/// By backend and server, the least even backend first and those with one server last, which cannot be uneven. What
/// never reached a server was not balanced; what reached a backend could have been served by any server that is known of it.
fn pools(state: &State, closing: &Closing<'_>) -> Vec<Pool> {
    let mut pools =
        std::collections::BTreeMap::<Vec<u8>, std::collections::BTreeMap<Vec<u8>, Route>>::new();
    for (way, route) in state.ways.rows() {
        let server = name(closing, Field::SERVER, way[2]);
        if way[2] != Symbol::ABSENT && !server.starts_with(b"<") {
            let pool = pools.entry(name(closing, Field::BACKEND, way[1])).or_default();
            pool.entry(server).or_default().add(route);
        }
    }
    let known = state.known.rows().iter().filter(|([_, server], ())| *server != Symbol::OTHER);
    for ([backend, server], ()) in known {
        if let Some(pool) = pools.get_mut(&name(closing, Field::BACKEND, *backend)) {
            pool.entry(name(closing, Field::SERVER, *server)).or_default();
        }
    }
    let pools = pools.into_iter();
    let mut pools: Vec<Pool> = pools
        .map(|(backend, servers)| Pool { backend, servers: servers.into_iter().collect() })
        .collect();
    // A stable sort: equals stay in the order of their names.
    pools.sort_by(|a, b| {
        let is_alone = |pool: &Pool| pool.servers.len() < 2;
        is_alone(a).cmp(&is_alone(b)).then(b.unevenness().total_cmp(&a.unevenness()))
    });
    pools
}

fn balance(state: &State, closing: &Closing<'_>) -> [Section; 2] {
    let pools = pools(state, closing);
    let mut columns = vec![Column::new("backend", Role::Key), Column::new("count", Role::Main)];
    columns.extend(["servers", "unevenness", "fairness", "busiest", "busiest_share"].map(value));
    columns.extend(["idlest", "idlest_share", "expected_share"].map(value));
    let rows: Vec<Vec<Cell>> = pools.iter().map(pool_cells).collect();
    let total_rows = rows.len() as u64;
    let table = Table { columns, rows, total_rows };
    let mut whole = Section::table("balance", "Balance of backends", table);
    if state.known.level() > 0 {
        whole.notes.push(Note::warning(
            "the log tells of the health of too many servers: those that served nothing are missing here",
        ));
    }
    whole.notes.push(Note::info(
        "expected is the same share for each server: the log does not tell weights; unevenness is the standard deviation by the mean, fairness Jain's index (1 is even)",
    ));
    let rows: Vec<Vec<Cell>> = pools.iter().flat_map(member_cells).collect();
    let mut columns = vec![Column::new("server", Role::Key), Column::new("count", Role::Main)];
    columns.extend(
        ["share", "expected_share", "times_expected", "bytes_share", "time_share"].map(value),
    );
    columns.push(value("most_sessions"));
    let total_rows = rows.len() as u64;
    let table = Table { columns, rows, total_rows };
    [whole, Section::table("balance_by_server", "Balance by server", table)]
}

fn pool_cells(pool: &Pool) -> Vec<Cell> {
    let (count, servers) = (pool.count(), pool.servers.len() as f64);
    let busiest = pool.servers.iter().rev().max_by_key(|(_, route)| route.count);
    let idlest = pool.servers.iter().min_by_key(|(_, route)| route.count);
    let mut cells = vec![Cell::text(&pool.backend), Cell::Count(count)];
    cells.push(Cell::Count(pool.servers.len() as u64));
    cells.push(Cell::Real(pool.unevenness()));
    cells.push(Cell::Real((count as f64).powi(2) / (servers * pool.squares())));
    for server in [busiest, idlest] {
        let (name, count_there) = server.map_or((&[][..], 0), |(name, route)| (name, route.count));
        cells.extend([Cell::text(name), Cell::share(count_there, count)]);
    }
    cells.push(Cell::Share(1.0 / servers));
    cells
}

fn member_cells(pool: &Pool) -> Vec<Vec<Cell>> {
    let sum =
        |of: &dyn Fn(&Route) -> u64| pool.servers.iter().map(|(_, route)| of(route)).sum::<u64>();
    let time = |route: &Route| route.stages[TOTAL].sum();
    let (count, bytes, whole_time) =
        (sum(&|route| route.count), sum(&|route| route.bytes), sum(&time));
    let expected = 1.0 / pool.servers.len() as f64;
    let mut members: Vec<_> = pool.servers.iter().collect();
    members.sort_by(|a, b| b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(&b.0)));
    let rows = members.into_iter().map(|(name, route)| {
        vec![
            Cell::text([&pool.backend[..], b"/", name].concat()),
            Cell::Count(route.count),
            Cell::share(route.count, count),
            Cell::Share(expected),
            Cell::Real(route.count as f64 / count as f64 / expected),
            Cell::share(route.bytes, bytes),
            Cell::share(time(route), whole_time),
            Cell::Number(route.most_sessions),
        ]
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check_form, check_merging, column, haproxy, sections};
    use super::super::super::{AnyReport, Options};
    use super::*;
    use crate::format::Family;

    fn report() -> Box<dyn AnyReport> {
        Box::new(Routes::new())
    }

    fn finished(lines: &[&str]) -> Vec<Section> {
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

    /// The servers of a backend that are only known from their health could have served as well as the others.
    #[test]
    fn a_server_that_served_nothing_counts_in_the_balance() {
        let event = |backend: &str, server: &str| {
            let fields =
                [(Field::ACTION, "up"), (Field::BACKEND, backend), (Field::SERVER, server)];
            fields.map(|(field, text)| (field, text.to_owned())).to_vec()
        };
        let mut records = vec![event("app", "b"), event("app", "a"), event("unused", "x")];
        records.extend(haproxy::lines(&["app/a 0/0/1/5/9 200 1 -- 0"]));
        check_merging(&*report(), Family::Haproxy, &Options::default(), &records);
        let found = sections(&*report(), Family::Haproxy, &Options::default(), &records);
        assert_eq!(column(&found, "balance", "backend"), [Cell::text("app")]);
        assert_eq!(column(&found, "balance", "servers"), [Cell::Count(2)]);
        assert_eq!(column(&found, "balance", "unevenness"), [Cell::Real(1.0)]);
        assert_eq!(column(&found, "balance", "idlest"), [Cell::text("b")]);
        let servers = column(&found, "balance_by_server", "server");
        assert_eq!(servers, ["app/a", "app/b"].map(Cell::text));
        assert_eq!(column(&found, "balance_by_server", "count"), [1, 0].map(Cell::Count));
        assert_eq!(
            column(&found, "balance_by_server", "expected_share"),
            [0.5, 0.5].map(Cell::Share)
        );
        assert_eq!(column(&found, "servers", "server"), [Cell::text("app/a")]);
    }

    #[test]
    fn servers_that_served_nothing_may_be_too_many() {
        let event = |server: usize| {
            let server = (Field::SERVER, format!("s{server}"));
            vec![(Field::ACTION, "up".to_owned()), (Field::BACKEND, "app".to_owned()), server]
        };
        let mut records: Vec<_> = (0..20).map(event).collect();
        records.extend(haproxy::lines(&["app/a 0/0/1/5/9 200 1 -- 0"]));
        let report: Box<dyn AnyReport> = Box::new(Routes { most: 10 });
        check_merging(&*report, Family::Haproxy, &Options::default(), &records);
        let found = sections(&*report, Family::Haproxy, &Options::default(), &records);
        assert_eq!(column(&found, "balance", "servers"), [Cell::Count(1)]);
        let balance = found.iter().find(|section| section.name == "balance").unwrap();
        assert!(balance.notes.iter().any(|note| note.text.contains("too many servers")));
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

    /// halog reads a time with a plus as 0 and prints a negative time of transfer.
    #[test]
    fn what_was_logged_too_soon_is_in_no_percentile() {
        let found = finished(&["app/s1 0/0/1/5/+33 200 +9000 -- 0"]);
        let stages = column(&found, "stages", "stage");
        assert_eq!(stages, ["request", "queue", "connect", "response"].map(Cell::text));
    }

    #[test]
    fn readings_of_the_manual() {
        let found = finished(&[
            "app/s1 0/0/3005/5/3015 200 1 -- 0",
            "app/s1 0/0/6100/5/6200 200 1 -- 0",
            "app/s1 0/0/1003/5/1015 200 1 -- 0",
            "app/s1 0/0/1500/5/1515 200 1 -- 0",
            "app/s1 0/0/-1/-1/3000 503 1 SC 3",
            "app/s1 0/0/1/-1/3000 504 1 sH 0",
            "app/<NOSRV> 0/-1/-1/-1/0 403 1 PR 0",
            "app/<NOSRV> -1/-1/-1/-1/9 400 1 CR 0",
        ]);
        let names =
            ["no_request", "no_queue", "no_connect", "no_response", "lost_packets", "retransmit"];
        assert_eq!(column(&found, "timer_readings", "reading"), names.map(Cell::text));
        assert_eq!(column(&found, "timer_readings", "count"), [1, 1, 1, 1, 2, 1].map(Cell::Count));
        assert_eq!(column(&found, "timer_readings", "mostly_at")[4], Cell::text("app/s1"));
    }

    /// What a real HAProxy 2.6 writes for a tarpit, a wait that ended by `timeout queue`, `http-request reject`, and a
    /// session of TCP that left the queue: none of them tried to connect, and all but the last had a whole request.
    #[test]
    fn only_what_tried_to_connect_could_not_connect() {
        let found = finished(&[
            "www/<NOSRV> -1/303/-1/-1/302 500 208 PT 0",
            "busy/<NOSRV> 0/501/-1/-1/501 503 217 sQ 0",
            "www/<NOSRV> -1/-1/-1/-1/0 -1 0 PR 0",
            "sql/<NOSRV> 501/-1/500 0 sQ 0",
            "hole/h1 0/0/-1/-1/601 503 217 sC 0",
        ]);
        let names = ["no_queue", "left_queue", "no_connect"];
        assert_eq!(column(&found, "timer_readings", "reading"), names.map(Cell::text));
        assert_eq!(column(&found, "timer_readings", "count"), [1, 2, 1].map(Cell::Count));
    }

    #[test]
    fn the_least_even_backend_comes_first() {
        let found = finished(&[
            "alone/a 0/0/1/5/9 200 1 -- 0",
            "even/a 0/0/1/5/9 200 1 -- 0",
            "even/b 0/0/1/5/9 200 1 -- 0",
            "uneven/a 0/0/1/5/9 200 1 -- 0",
            "uneven/a 0/0/1/5/9 200 1 -- 0",
            "uneven/b 0/0/1/5/9 200 1 -- 0",
        ]);
        assert_eq!(
            column(&found, "balance", "backend"),
            ["uneven", "even", "alone"].map(Cell::text)
        );
    }

    #[test]
    fn how_even_a_backend_is() {
        let found = finished(&[
            "app/a 0/0/1/5/9 200 1 -- 0",
            "app/a 0/0/1/5/9 200 1 -- 0",
            "app/a 0/0/1/5/9 200 1 -- 0",
            "app/b 0/0/1/5/9 200 1 -- 0",
            "app/<NOSRV> 0/-1/-1/-1/0 503 1 SC 0",
        ]);
        assert_eq!(column(&found, "balance", "count"), [Cell::Count(4)]);
        assert_eq!(column(&found, "balance", "unevenness"), [Cell::Real(0.5)]);
        assert_eq!(column(&found, "balance", "fairness"), [Cell::Real(0.8)]);
        assert_eq!(
            column(&found, "balance_by_server", "times_expected"),
            [1.5, 0.5].map(Cell::Real)
        );
    }

    #[test]
    fn densities_keep_four_bits() {
        assert_eq!(
            [0, 1, 15, 16, 17, 31, 32, 35, 1023].map(coarse),
            [0, 1, 15, 16, 16, 30, 32, 32, 960]
        );
    }
}

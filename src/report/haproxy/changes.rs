//! Servers going up and down, as HAProxy saw it.
//!
//! Sections: `server_availability`, for each server how often and how long it was down, how often it flapped, what its
//! checks said; `server_changes`, the changes themselves, the latest ones.
//!
//! A server that goes down is down until the log says that it is up or ready, or to the end of the log, or until the
//! process that saw it down has stopped: after a reload the next one takes all servers for up, and says nothing of those
//! that are. Down again within five minutes after it came up, it flaps. Lines of one second stand in no order that the
//! stamps tell: they keep that of the log, and logs that of their names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::breakdown::duration;
use super::super::{Closing, Needs, Renumberings, Report};
use super::routes::name;
use crate::document::{Cell, Column, Note, Role, Section, Table};
use crate::format::haproxy::event::action;
use crate::record::time::SECOND;
use crate::record::{Field, Records, Symbol};

/// The report.
#[derive(Debug)]
pub(in super::super) struct Changes {
    most: usize,
}

impl Changes {
    pub(in super::super) fn new() -> Self {
        Self { most: MOST }
    }
}

/// Up for less than this and down again is flapping.
const FLAP: i64 = 300 * SECOND;
/// More events are not kept: a log with as many tells of nothing else. Some 16 MB.
const MOST: usize = 1 << 18;

/// A line about a server or a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Event {
    time: i64,
    /// The file: saved answers number their inputs each for itself.
    source: Symbol,
    offset: u64,
    /// Of the process: several may know servers of one name, each with an eye of its own on them.
    host: Symbol,
    /// Zero where the log says none.
    pid: i64,
    backend: Symbol,
    server: Symbol,
    reason: Symbol,
    change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Change {
    Up,
    Down,
    Maintenance,
    Ready,
    Drain,
    Stopping,
    CheckPassed,
    CheckFailed,
    NoServer,
    /// The process lets a proxy go.
    Gone,
}

/// With their words in a log.
const CHANGES: [(Change, &str); 10] = [
    (Change::Up, action::UP),
    (Change::Down, action::DOWN),
    (Change::Maintenance, action::MAINTENANCE),
    (Change::Ready, action::READY),
    (Change::Drain, action::DRAIN),
    (Change::Stopping, action::STOPPING),
    (Change::CheckPassed, action::CHECK_PASSED),
    (Change::CheckFailed, action::CHECK_FAILED),
    (Change::NoServer, action::NO_SERVER),
    (Change::Gone, action::STOPPED),
];

impl Change {
    fn named(word: &[u8]) -> Option<Self> {
        CHANGES.iter().find(|(_, known)| known.as_bytes() == word).map(|(change, _)| *change)
    }

    fn word(self) -> &'static str {
        CHANGES[self as usize].1
    }

    fn is_check(self) -> bool {
        matches!(self, Self::CheckPassed | Self::CheckFailed)
    }
}

/// What was seen. When there are too many events, the latest are kept: all from the first instant on from which all fit,
/// which does not hang on the order in which they came.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct State {
    events: Vec<Event>,
    /// What is before this instant did not fit.
    from: i64,
    refused: u64,
}

impl State {
    /// Takes in an event; those that do not fit go when they are as many as those that do.
    fn see(&mut self, event: Event, most: usize) {
        if event.time < self.from {
            self.refused += 1;
            return;
        }
        self.events.push(event);
        if self.events.len() >= most.saturating_mul(2) {
            self.fit(most);
        }
    }

    /// Lets the earliest go if there are too many: whole instants of them, since events of one are not told apart.
    fn fit(&mut self, most: usize) {
        if let Some(too_many) = self.events.len().checked_sub(most + 1) {
            let (_, last, _) = self.events.select_nth_unstable_by_key(too_many, |event| event.time);
            self.from = self.from.max(last.time.saturating_add(1));
        }
        let all = self.events.len();
        self.events.retain(|event| event.time >= self.from);
        self.refused += (all - self.events.len()) as u64;
    }
}

impl Report for Changes {
    type State = State;

    fn name(&self) -> String {
        "server_availability".to_owned()
    }

    fn needs(&self) -> Needs {
        let names = [Field::BACKEND, Field::SERVER, Field::REASON, Field::LOGHOST];
        let names = [&names[..], &[Field::SOURCE_FILE]].concat();
        let numbers = [Field::PID];
        let needs = Needs::required(&[Field::TIME, Field::ACTION]).optional(&numbers);
        needs.optional(&names).by_symbol(&names)
    }

    fn start(&self) -> State {
        State { events: Vec::new(), from: i64::MIN, refused: 0 }
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let Some(actions) = records.column(Field::ACTION) else { return };
        let sources = records.symbols(Field::SOURCE_FILE);
        let source = sources.and_then(|sources| sources.first()).copied().unwrap_or(Symbol::ABSENT);
        for (row, value) in actions.iter().enumerate().filter(|(_, value)| !value.is_absent()) {
            let change = records.bytes(*value).and_then(Change::named);
            let time = records.number(Field::TIME, row);
            let (Some(change), Some(time)) = (change, time) else { continue };
            let [backend, server, reason, host] =
                [Field::BACKEND, Field::SERVER, Field::REASON, Field::LOGHOST]
                    .map(|field| records.symbols(field).map_or(Symbol::ABSENT, |names| names[row]));
            let offset = records.offset(row);
            let pid = records.number(Field::PID, row).unwrap_or_default();
            let event = Event { time, source, offset, host, pid, backend, server, reason, change };
            state.see(event, self.most);
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let [backends, servers, reasons, sources, hosts] =
            [Field::BACKEND, Field::SERVER, Field::REASON, Field::SOURCE_FILE, Field::LOGHOST]
                .map(|field| renumberings.of(field));
        into.events.extend(from.events.into_iter().map(|event| Event {
            source: sources.of(event.source),
            host: hosts.of(event.host),
            backend: backends.of(event.backend),
            server: servers.of(event.server),
            reason: reasons.of(event.reason),
            ..event
        }));
        into.refused += from.refused;
        into.from = into.from.max(from.from);
        into.fit(self.most);
    }

    fn finish(&self, mut state: State, closing: &Closing<'_>) -> Vec<Section> {
        state.fit(self.most);
        let mut events: Vec<(Event, Subject)> =
            state.events.iter().map(|event| (*event, Subject::of(event, closing))).collect();
        // Symbols are numbered in the order of arrival, so that names break ties and not they.
        let file = |event: &Event| closing.dictionaries.text(Field::SOURCE_FILE, event.source);
        events.sort_by(|(a, a_name), (b, b_name)| {
            (a.time, file(a), a.offset, a_name, a.change).cmp(&(
                b.time,
                file(b),
                b.offset,
                b_name,
                b.change,
            ))
        });
        forget_one_host(&mut events);
        let mut sections = vec![availability(&events, closing), changes(&events, closing)];
        if state.refused > 0 {
            let text = format!(
                "{} earlier events did not fit and are not in here: the latest {} are",
                state.refused,
                state.events.len()
            );
            sections[0].notes.push(Note::warning(text));
        }
        sections.retain(|section| !section.body.is_empty() || !section.notes.is_empty());
        sections
    }
}

/// Whose life it is: a server or a backend as one process sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    /// `backend/server`, or the backend alone.
    name: Vec<u8>,
    /// Of the process; empty where all lines are of one host.
    host: Vec<u8>,
}

impl Subject {
    fn of(event: &Event, closing: &Closing<'_>) -> Self {
        let backend = name(closing, Field::BACKEND, event.backend);
        let name = match event.server {
            Symbol::ABSENT => backend,
            server => [&backend[..], b"/", &name(closing, Field::SERVER, server)].concat(),
        };
        Self { name, host: closing.dictionaries.text(Field::LOGHOST, event.host).to_vec() }
    }

    /// The backend of a server, as the same process sees it.
    fn backend(&self) -> Self {
        let end = memchr::memchr(b'/', &self.name).unwrap_or(self.name.len());
        Self { name: self.name[..end].to_vec(), host: self.host.clone() }
    }
}

/// Drops the host where there is but one: it would stand in every row.
fn forget_one_host(events: &mut [(Event, Subject)]) {
    let mut hosts = events.iter().map(|(_, subject)| &subject.host);
    let first = hosts.next().cloned();
    if hosts.all(|host| Some(host) == first.as_ref()) {
        events.iter_mut().for_each(|(_, subject)| subject.host.clear());
    }
}

/// The keys of a subject: the host only where there are several.
fn key_columns(with_host: bool) -> Vec<Column> {
    let mut columns = vec![Column::new("server", Role::Key)];
    columns.extend(with_host.then(|| Column::new("loghost", Role::Key)));
    columns
}

fn key_cells(subject: &Subject, with_host: bool) -> Vec<Cell> {
    let mut cells = vec![Cell::text(&subject.name)];
    cells.extend(with_host.then(|| match subject.host.is_empty() {
        true => Cell::Empty,
        false => Cell::text(&subject.host),
    }));
    cells
}

fn has_hosts(events: &[(Event, Subject)]) -> bool {
    events.iter().any(|(_, subject)| !subject.host.is_empty())
}

/// The life of one server.
#[derive(Debug, Default)]
struct Life {
    downs: u64,
    ups: u64,
    flaps: u64,
    maintenances: u64,
    failed: u64,
    passed: u64,
    down_time: i64,
    longest: i64,
    down_since: Option<i64>,
    up_since: Option<i64>,
    state: &'static str,
    /// Of the process that told the state.
    pid: i64,
    reason: Vec<u8>,
}

impl Life {
    fn see(&mut self, event: &Event, closing: &Closing<'_>) {
        match event.change {
            Change::CheckFailed => self.failed += 1,
            Change::CheckPassed => self.passed += 1,
            Change::Down | Change::NoServer => self.go_down(event.time),
            Change::Up | Change::Ready => self.come_up(event.time),
            Change::Maintenance => self.maintenances += 1,
            Change::Drain | Change::Stopping | Change::Gone => {}
        }
        let is_down = matches!(event.change, Change::Down | Change::CheckFailed);
        if is_down && event.reason != Symbol::ABSENT {
            self.reason = closing.dictionaries.text(Field::REASON, event.reason).to_vec();
        }
        if !event.change.is_check() {
            self.state = event.change.word();
            self.pid = event.pid;
        }
    }

    /// Whoever has seen it last sees no more. What it was is not told by anybody then, unless it was up.
    fn lose_sight(&mut self, event: &Event) {
        if self.pid == event.pid && ![action::UP, action::READY, ""].contains(&self.state) {
            self.end_outage(event.time);
            self.state = event.change.word();
        }
    }

    fn go_down(&mut self, time: i64) {
        self.downs += 1;
        self.flaps += u64::from(self.up_since.is_some_and(|since| time - since < FLAP));
        self.down_since = self.down_since.or(Some(time));
        self.up_since = None;
    }

    fn come_up(&mut self, time: i64) {
        self.ups += 1;
        self.up_since = Some(time);
        self.end_outage(time);
    }

    fn end_outage(&mut self, time: i64) {
        if let Some(since) = self.down_since.take() {
            let lasted = time.saturating_sub(since).max(0);
            self.down_time = self.down_time.saturating_add(lasted);
            self.longest = self.longest.max(lasted);
        }
    }
}

fn lives(events: &[(Event, Subject)], closing: &Closing<'_>) -> BTreeMap<Subject, Life> {
    let mut lives = BTreeMap::<Subject, Life>::new();
    for (event, subject) in events {
        if event.change == Change::Gone {
            lose_sight(&mut lives, event, subject);
            continue;
        }
        lives.entry(subject.clone()).or_default().see(event, closing);
        if matches!(event.change, Change::Up | Change::Ready) {
            // With its first server a backend is back as well.
            if let Some(life) = lives.get_mut(&subject.backend()) {
                life.end_outage(event.time);
                life.state = Change::Up.word();
            }
        }
    }
    lives
}

/// Ends what a process has said of a backend and its servers.
fn lose_sight(lives: &mut BTreeMap<Subject, Life>, event: &Event, backend: &Subject) {
    let servers = Subject { name: [&backend.name[..], b"/"].concat(), host: Vec::new() };
    let own = lives.range_mut(servers.clone()..);
    let own = own.take_while(|(known, _)| known.name.starts_with(&servers.name));
    own.filter(|(known, _)| known.host == backend.host)
        .for_each(|(_, life)| life.lose_sight(event));
    if let Some(life) = lives.get_mut(backend) {
        life.lose_sight(event);
    }
}

fn availability(events: &[(Event, Subject)], closing: &Closing<'_>) -> Section {
    let with_host = has_hosts(events);
    let (first, last) = closing.period.unwrap_or_default();
    let period = last.saturating_sub(first).max(0) as u64;
    let mut rows: Vec<(Subject, Life)> = lives(events, closing).into_iter().collect();
    rows.iter_mut().for_each(|(_, life)| life.end_outage(last));
    rows.sort_by(|a, b| {
        b.1.down_time.cmp(&a.1.down_time).then(b.1.downs.cmp(&a.1.downs)).then(a.0.cmp(&b.0))
    });
    let total_rows = rows.len() as u64;
    let rows = rows
        .iter()
        .map(|(subject, life)| [key_cells(subject, with_host), life_cells(life, period)].concat());
    let rows = rows.collect();
    let mut columns = key_columns(with_host);
    columns.push(Column::new("down_time", Role::Main));
    columns.extend(
        ["down_share", "downs", "ups", "flaps", "longest"]
            .map(|name| Column::new(name, Role::Value)),
    );
    columns.extend(
        ["maintenances", "failed_checks", "passed_checks", "at_the_end"]
            .map(|name| Column::new(name, Role::Value)),
    );
    columns.push(Column::new("last_reason", Role::Detail));
    Section::table(
        "server_availability",
        "Availability of servers",
        Table { columns, rows, total_rows },
    )
}

fn life_cells(life: &Life, period: u64) -> Vec<Cell> {
    let mut cells = vec![Cell::Duration(life.down_time)];
    cells.push(Cell::share(life.down_time as u64, period));
    cells.extend([life.downs, life.ups, life.flaps].map(Cell::Count));
    cells.push(duration(life.longest as u64));
    cells.extend([life.maintenances, life.failed, life.passed].map(Cell::Count));
    let texts = [life.state.as_bytes(), &life.reason];
    cells.extend(texts.map(Cell::text_if_any));
    cells
}

fn changes(events: &[(Event, Subject)], closing: &Closing<'_>) -> Section {
    let with_host = has_hosts(events);
    let is_change = |event: &Event| !event.change.is_check() && event.change != Change::Gone;
    let events: Vec<_> = events.iter().filter(|(event, _)| is_change(event)).collect();
    let total_rows = events.len() as u64;
    let shown = match closing.options.limit {
        0 => events.len(),
        limit => limit,
    };
    let rows = events[events.len().saturating_sub(shown)..]
        .iter()
        .map(|(event, subject)| {
            let reason = closing.dictionaries.text(Field::REASON, event.reason);
            let mut cells = vec![Cell::Instant(event.time)];
            cells.extend(key_cells(subject, with_host));
            cells.push(Cell::text(event.change.word()));
            cells.push(Cell::text_if_any(reason));
            cells
        })
        .collect();
    let mut columns = vec![Column::new("time", Role::Key)];
    columns.extend(key_columns(with_host));
    columns.push(Column::new("change", Role::Value));
    columns.push(Column::new("reason", Role::Remark));
    Section::table(
        "server_changes",
        "Latest changes of servers",
        Table { columns, rows, total_rows },
    )
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
        Box::new(Changes::new())
    }

    fn event(second: i64, server: &str, action: &str) -> Made {
        vec![
            (Field::TIME, (second * SECOND).to_string()),
            (Field::BACKEND, "app".to_owned()),
            (Field::SERVER, server.to_owned()),
            (Field::ACTION, action.to_owned()),
            (Field::REASON, "Layer4 timeout".to_owned()),
        ]
    }

    #[test]
    fn merging_changes_nothing() {
        let records = haproxy::sessions(3_000, 13);
        check_merging(&*report(), Family::Haproxy, &Options::default(), &records);
        sections(&*report(), Family::Haproxy, &Options::default(), &records)
            .iter()
            .for_each(check_form);
    }

    #[test]
    fn of_too_many_events_the_latest_are_kept_in_any_order() {
        let records = haproxy::sessions(6_000, 13);
        let report: Box<dyn AnyReport> = Box::new(Changes { most: 40 });
        check_merging(&*report, Family::Haproxy, &Options::default(), &records);
        // The instants of 9 have room, those of 8 have not: there are four.
        let events: Vec<Made> = (0..40).map(|at| event(at / 4, "a", "up")).collect();
        let report: Box<dyn AnyReport> = Box::new(Changes { most: 7 });
        check_merging(&*report, Family::Haproxy, &Options::default(), &events);
        let found = sections(&*report, Family::Haproxy, &Options::default(), &events);
        assert_eq!(column(&found, "server_availability", "ups"), [Cell::Count(4)]);
        assert!(found[0].notes[0].text.starts_with("36 earlier events did not fit"));
        let of_one_instant = vec![event(1, "a", "up"); 8];
        let found = sections(&*report, Family::Haproxy, &Options::default(), &of_one_instant);
        assert!(found[0].notes[0].text.starts_with("8 earlier events did not fit"));
    }

    /// Two proxies check the same servers: what one sees is nothing that the other's view could end.
    #[test]
    fn each_process_has_its_own_view_of_a_server() {
        let from = |host: &str, second: i64, action: &str| {
            let mut made = event(second, "a", action);
            made.push((Field::LOGHOST, host.to_owned()));
            made
        };
        let records = [
            from("lb1", 0, "down"),
            from("lb2", 0, "down"),
            from("lb2", 10, "up"),
            from("lb1", 100, "check_failed"),
        ];
        let found = sections(&*report(), Family::Haproxy, &Options::default(), &records);
        let of = |name: &str| column(&found, "server_availability", name);
        assert_eq!(of("loghost"), ["lb1", "lb2"].map(Cell::text));
        assert_eq!(of("downs"), [1, 1].map(Cell::Count));
        assert_eq!(of("down_time"), [100, 10].map(|seconds| Cell::Duration(seconds * SECOND)));
        assert_eq!(of("at_the_end"), ["down", "up"].map(Cell::text));
        let of_one = [from("lb1", 0, "down"), from("lb1", 9, "up")];
        let found = sections(&*report(), Family::Haproxy, &Options::default(), &of_one);
        let crate::document::Body::Table(table) = &found[0].body else { panic!("no table") };
        assert!(table.columns.iter().all(|column| column.name != "loghost"));
    }

    /// After a reload a server may be up again without a word: the new process takes all for up.
    #[test]
    fn an_outage_ends_with_the_process_that_saw_it() {
        let by = |pid: i64, second: i64, server: &str, action: &str| {
            let mut made = event(second, server, action);
            made.retain(|(field, _)| *field != Field::SERVER || !server.is_empty());
            made.push((Field::PID, pid.to_string()));
            made
        };
        let records = [
            by(1, 0, "a", "down"),
            by(1, 5, "b", "maintenance"),
            by(1, 5, "c", "up"),
            by(1, 10, "d", "down"),
            by(1, 10, "", "no_server"),
            by(2, 20, "d", "down"),
            by(1, 30, "", "stopped"),
            by(2, 100, "c", "check_failed"),
        ];
        let found = sections(&*report(), Family::Haproxy, &Options::default(), &records);
        let of = |name: &str| column(&found, "server_availability", name);
        assert_eq!(of("server"), ["app/d", "app/a", "app", "app/b", "app/c"].map(Cell::text));
        let down = [90, 30, 20, 0, 0].map(|seconds| Cell::Duration(seconds * SECOND));
        assert_eq!(of("down_time"), down);
        let last = ["down", "stopped", "stopped", "stopped", "up"];
        assert_eq!(of("at_the_end"), last.map(Cell::text));
        assert_eq!(column(&found, "server_changes", "change").len(), 6);
        let one = [by(1, 0, "", "stopped")];
        assert!(sections(&*report(), Family::Haproxy, &Options::default(), &one).is_empty());
    }

    #[test]
    fn time_down_and_flaps() {
        let mut gone = event(500, "", "no_server");
        gone.remove(2);
        let records = [
            event(0, "a", "down"),
            event(60, "a", "up"),
            event(100, "a", "down"),
            event(500, "b", "down"),
            gone,
            event(700, "b", "up"),
            event(1_100, "b", "check_failed"),
        ];
        let found = sections(&*report(), Family::Haproxy, &Options::default(), &records);
        assert_eq!(
            column(&found, "server_availability", "server"),
            ["app/a", "app", "app/b"].map(Cell::text)
        );
        let down = [1_060, 200, 200].map(|seconds| Cell::Duration(seconds * SECOND));
        assert_eq!(column(&found, "server_availability", "down_time"), down);
        assert_eq!(column(&found, "server_availability", "flaps"), [1, 0, 0].map(Cell::Count));
        assert_eq!(
            column(&found, "server_availability", "at_the_end"),
            ["down", "up", "up"].map(Cell::text)
        );
        assert_eq!(column(&found, "server_changes", "change").len(), 6);
    }
}

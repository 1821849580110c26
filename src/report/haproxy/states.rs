//! How HAProxy's sessions ended: the characters of their states in words, and the setting they point at.
//!
//! Sections: `states`, `states_by_server` (all but the normal end), `cookie_states`. How long the sessions of a state took
//! tells the timeout that ended them: those of `sH` all take a little more than `timeout server`.
//!
//! When there are too many servers they are no longer told apart, and after them backends; the states are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::breakdown::duration;
use super::super::{Closing, Needs, Renumberings, Report};
use super::keyed::{self, Bounded, Coarse, Merge, part};
use super::routes::name;
use crate::document::{Cell, Column, Note, Role, Section, Table};
use crate::record::block::ROWS;
use crate::record::{Field, Records, Symbol, Value};
use crate::tally::{Sparse, keep_largest};
use crate::units;

/// The report.
#[derive(Debug)]
pub(in super::super) struct States {
    most: usize,
}

impl States {
    pub(in super::super) fn new() -> Self {
        Self { most: MOST_KEYS }
    }
}

/// States at servers: 10 MB, and two bytes for each session that did not end normally.
const MOST_KEYS: usize = 1 << 16;

/// State, cookie state, backend, server. The characters as they stand in the log; zeros where there are none.
type Key = ([u8; 2], [u8; 2], Symbol, Symbol);

/// What was counted for one key.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ended {
    count: u64,
    first: i64,
    last: i64,
    times: Sparse,
}

impl Default for Ended {
    fn default() -> Self {
        Self { count: 0, first: i64::MAX, last: i64::MIN, times: Sparse::default() }
    }
}

impl Merge for Ended {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.times.merge(other.times);
    }
}

impl keyed::Key for Key {
    fn mix(&self) -> u32 {
        let (state, cookie, backend, server) = *self;
        let letters = [state[0], state[1], cookie[0], cookie[1]].map(u32::from).into_iter();
        let letters = letters.fold(0_u32, |mix, letter| mix.wrapping_mul(37) ^ letter);
        letters.wrapping_add(server.0.wrapping_add(backend.0 << 3).wrapping_mul(29))
    }
}

impl Coarse for Key {
    const LEVELS: u32 = 2;

    fn at_level(self, level: u32) -> Self {
        let (state, cookie, backend, server) = self;
        (state, cookie, part(backend, level, 2), part(server, level, 1))
    }
}

/// What was counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct State(Bounded<Key, Ended>);

const NORMAL: [u8; 2] = *b"--";

impl Report for States {
    type State = State;

    fn name(&self) -> String {
        "states".to_owned()
    }

    fn needs(&self) -> Needs {
        let names = [Field::BACKEND, Field::SERVER];
        Needs::required(&[Field::STATE])
            .optional(&[Field::COOKIE_STATE, Field::TIME, Field::DURATION])
            .optional(&names)
            .by_symbol(&names)
    }

    fn start(&self) -> State {
        State(Bounded::new(self.most))
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let (never, absent) = ([Value::ABSENT; ROWS], [Symbol::ABSENT; ROWS]);
        let column = |field| records.column(field).unwrap_or(&never[..records.len()]);
        let names = |field| records.symbols(field).unwrap_or(&absent[..records.len()]);
        let [states, cookies] = [Field::STATE, Field::COOKIE_STATE].map(column);
        let [times, durations] = [Field::TIME, Field::DURATION].map(column);
        let [backends, servers] = [Field::BACKEND, Field::SERVER].map(names);
        for row in 0..records.len() {
            let Some(ended) = two(records, states[row]) else { continue };
            let cookie = two(records, cookies[row]).unwrap_or_default();
            let known = state.0.at((ended, cookie, backends[row], servers[row]));
            known.count += 1;
            if let Some(time) = times[row].number() {
                known.first = known.first.min(time);
                known.last = known.last.max(time);
            }
            if let Some(micros) = durations[row].number().filter(|_| ended != NORMAL) {
                known.times.add(micros.max(0) as u64);
            }
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let names = [Field::BACKEND, Field::SERVER].map(|field| renumberings.of(field));
        into.0.merge(from.0, |(state, cookie, backend, server)| {
            (state, cookie, names[0].of(backend), names[1].of(server))
        });
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        let mut sections = vec![states(&state), by_server(&state, closing), cookies(&state)];
        if state.0.level() > 0 {
            let given_up = if state.0.level() == 1 { "servers" } else { "servers and backends" };
            sections[1].notes.push(Note::warning(format!(
                "there are more than {} states of servers: {given_up} are not told apart here and stand as (others)",
                units::count(self.most as u64)
            )));
        }
        sections.retain(|section| !section.body.is_empty());
        sections
    }
}

#[inline]
fn two(records: &Records<'_>, value: Value) -> Option<[u8; 2]> {
    records.bytes(value)?.try_into().ok()
}

/// Put together by something of the key, in its order.
fn grouped<K: Ord>(state: &State, key: impl Fn(&Key) -> Option<K>) -> BTreeMap<K, Ended> {
    let mut groups = BTreeMap::<K, Ended>::new();
    for (known, ended) in state.0.rows() {
        if let Some(key) = key(known) {
            groups.entry(key).or_default().merge(ended.clone());
        }
    }
    groups
}

/// The groups, the largest first.
fn sorted<K: Ord + Clone>(groups: BTreeMap<K, Ended>, limit: usize) -> Vec<(K, Ended)> {
    let mut rows: Vec<(K, Ended)> = groups.into_iter().collect();
    keep_largest(&mut rows, limit, |a, b| b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(&b.0)));
    rows
}

fn columns(keys: &[&str]) -> Vec<Column> {
    let mut columns: Vec<Column> = keys.iter().map(|key| Column::new(*key, Role::Key)).collect();
    columns.push(Column::new("count", Role::Main));
    let values = ["share", "p50", "max", "first", "last"];
    columns.extend(values.map(|name| Column::new(name, Role::Value)));
    columns.push(Column::new("meaning", Role::Remark));
    columns.push(Column::new("setting", Role::Detail));
    columns
}

fn cells(ended: &Ended, all: u64, (meaning, setting): Words) -> Vec<Cell> {
    let mut cells = vec![Cell::Count(ended.count), Cell::share(ended.count, all)];
    if ended.times.is_empty() {
        cells.extend([Cell::Empty, Cell::Empty]);
    } else {
        let times = ended.times.quantiles();
        cells.extend([duration(times.percentile(50_000)), duration(times.max())]);
    }
    cells.extend(instants(ended));
    cells.push(Cell::text(meaning));
    cells.push(Cell::text_if_any(setting));
    cells
}

fn instants(ended: &Ended) -> [Cell; 2] {
    match ended.first <= ended.last {
        true => [Cell::Instant(ended.first), Cell::Instant(ended.last)],
        false => [Cell::Empty, Cell::Empty],
    }
}

/// All of them, whatever the limit: they are few, and the rare ones are those that matter.
fn states(state: &State) -> Section {
    let rows = sorted(grouped(state, |key| Some(key.0)), 0);
    let all = rows.iter().map(|(_, ended)| ended.count).sum();
    let rows: Vec<Vec<Cell>> = rows
        .iter()
        .map(|(state, ended)| [vec![Cell::text(state)], cells(ended, all, words(*state))].concat())
        .collect();
    let total_rows = rows.len() as u64;
    let table = Table { columns: columns(&["state"]), rows, total_rows };
    Section::table("states", "Ends of sessions", table)
}

fn by_server(state: &State, closing: &Closing<'_>) -> Section {
    let of_server = |(ended, _, backend, server): &Key| {
        let (backend, server) =
            (name(closing, Field::BACKEND, *backend), name(closing, Field::SERVER, *server));
        ([&backend[..], b"/", &server].concat(), *ended)
    };
    let servers = grouped(state, |key| Some(of_server(key).0));
    let unusual = grouped(state, |key| (key.0 != NORMAL).then(|| of_server(key)));
    let total_rows = unusual.len() as u64;
    let rows = sorted(unusual, closing.options.limit);
    let rows = rows
        .iter()
        .map(|((server, state), ended)| {
            let own = servers.get(server).map_or(0, |server| server.count);
            let words = words_at(server, *state);
            [vec![Cell::text(server), Cell::text(state)], cells(ended, own, words)].concat()
        })
        .collect();
    let table = Table { columns: columns(&["server", "state"]), rows, total_rows };
    let mut section = Section::table("states_by_server", "Unusual ends by server", table);
    section.notes.push(Note::info("share of the server's own sessions; p50 near a timeout of the configuration names that timeout"));
    section
}

fn cookies(state: &State) -> Section {
    let rows = sorted(grouped(state, |key| (key.1 != [0; 2]).then_some(key.1)), 0);
    let all = rows.iter().map(|(_, ended)| ended.count).sum();
    let rows: Vec<Vec<Cell>> = rows
        .iter()
        .map(|(cookie, ended)| {
            let mut cells = vec![Cell::text(cookie), Cell::Count(ended.count)];
            cells.push(Cell::share(ended.count, all));
            cells.extend(instants(ended));
            cells.push(Cell::text(cookie_words(*cookie)));
            cells
        })
        .collect();
    let mut columns =
        vec![Column::new("cookie_state", Role::Key), Column::new("count", Role::Main)];
    columns.extend(["share", "first", "last"].map(|name| Column::new(name, Role::Value)));
    columns.push(Column::new("meaning", Role::Remark));
    let total_rows = rows.len() as u64;
    Section::table("cookie_states", "Cookies of persistence", Table { columns, rows, total_rows })
}

/// What a state says, and the setting to look at.
type Words = (String, &'static str);

/// The same at a server: who came to none was refused by none.
fn words_at(server: &[u8], state: [u8; 2]) -> Words {
    match state == *b"SC" && server.ends_with(b"/<NOSRV>") {
        true => ("no server of the backend was up".to_owned(), "the checks of its servers"),
        false => words(state),
    }
}

/// The words of a state: the pairs that the manual names, or else its two characters.
fn words([who, phase]: [u8; 2]) -> Words {
    let known = match &[who, phase] {
        b"--" => Some(("ended normally on both sides", "")),
        b"CC" => Some((
            "the client gave up before the connection to the server stood",
            "retries, timeout connect",
        )),
        b"CD" => Some((
            "the client went away during the transfer",
            "timeout client, or the client's own patience",
        )),
        b"cD" => Some((
            "the client sent and took nothing for too long during the transfer",
            "timeout client",
        )),
        b"CH" => Some((
            "the client gave up while the server was thinking",
            "timeout server; a slow server, or option abortonclose",
        )),
        b"cH" => Some((
            "the client stalled while it was to send the body of its request",
            "timeout client, timeout http-request",
        )),
        b"CQ" => Some((
            "the client gave up while it waited in the queue",
            "maxconn of the servers, timeout queue",
        )),
        b"CR" => Some((
            "the client went away before its request was whole",
            "option http-ignore-probes for browsers that connect ahead",
        )),
        b"cR" => Some((
            "the client did not send its request in time",
            "timeout http-request, timeout client",
        )),
        b"CT" => Some(("the client went away while it was tarpitted", "timeout tarpit")),
        b"LC" | b"LH" => Some((
            "HAProxy answered in the server's place",
            "redir of the server, http-response return",
        )),
        b"LR" => Some((
            "HAProxy answered itself: a redirect, a cache, statistics, a fixed answer",
            "http-request redirect, return, stats",
        )),
        b"SC" => Some((
            "the server, or something before it, refused the connection; or no server was up",
            "check, the server's address and port, retries",
        )),
        b"sC" => {
            Some(("the connection to the server did not come about in time", "timeout connect"))
        }
        b"SD" => {
            Some(("the server broke off during the transfer", "the server's own log; its timeouts"))
        }
        b"sD" => Some((
            "the server sent and took nothing for too long during the transfer",
            "timeout server",
        )),
        b"SH" => Some((
            "the server broke off before its headers were whole",
            "the server's own log: a crash, or its limit",
        )),
        b"sH" => Some(("the server did not answer in time", "timeout server")),
        b"sQ" => Some((
            "the request waited too long for a place at a server",
            "timeout queue, maxconn of the servers",
        )),
        b"PC" => Some((
            "HAProxy could not open a connection: out of sockets or ports",
            "maxconn, ulimit-n, source ports",
        )),
        b"PD" => Some((
            "HAProxy broke off a transfer that was not well formed",
            "the server's or client's chunks; tune.bufsize",
        )),
        b"PH" => Some((
            "HAProxy blocked the server's answer",
            "http-response deny, tune.bufsize; accept-invalid-http-response (accept-unsafe-violations-in-http-response)",
        )),
        b"PR" => Some((
            "HAProxy blocked the request: denied, or not well formed",
            "http-request deny, reject and the like, tcp-request content reject, tune.bufsize; accept-invalid-http-request (accept-unsafe-violations-in-http-request)",
        )),
        b"PT" => {
            Some(("HAProxy held the client in its tarpit", "http-request tarpit, timeout tarpit"))
        }
        b"RC" => Some((
            "HAProxy had no resources left for the connection",
            "maxconn, memory, ports, ulimit-n",
        )),
        _ => None,
    };
    match known {
        Some((meaning, setting)) => (meaning.to_owned(), setting),
        None => (format!("{} {}", who_words(who), phase_words(phase)), who_setting(who)),
    }
}

fn who_words(who: u8) -> &'static str {
    match who {
        b'-' => "ended",
        b'C' => "the client went away",
        b'c' => "the client was silent for too long",
        b'S' => "the server broke off",
        b's' => "the server was silent for too long",
        b'P' => "HAProxy broke off",
        b'L' => "HAProxy answered itself",
        b'R' => "HAProxy had no resources left",
        b'I' => "HAProxy met an internal error",
        b'D' => "HAProxy ended it, since the server was marked down,",
        b'U' => "HAProxy ended it at a backup, since an active server was back,",
        b'K' => "an administrator ended it",
        _ => "ended in an unknown way",
    }
}

/// Where to look when the phase says nothing of its own.
fn who_setting(who: u8) -> &'static str {
    match who {
        b'R' => "maxconn, memory, ulimit-n",
        b'I' => "HAProxy's own log, its version",
        b'D' => "on-marked-down shutdown-sessions; the server's checks",
        b'U' => "on-marked-up shutdown-backup-sessions",
        b'K' => "shutdown session on the stats socket",
        _ => "",
    }
}

fn phase_words(phase: u8) -> &'static str {
    match phase {
        b'-' => "at the end",
        b'R' => "before the request was whole",
        b'Q' => "in the queue",
        b'C' => "while the server was being connected",
        b'H' => "before the server's headers",
        b'D' => "during the transfer",
        b'L' => "while the last data went to the client",
        b'T' => "in the tarpit",
        _ => "in an unknown phase",
    }
}

fn cookie_words([client, server]: [u8; 2]) -> String {
    let client = match client {
        b'N' => "the client sent no cookie",
        b'I' => "the client sent a cookie of no known server",
        b'D' => "the client's cookie named a server that was down",
        b'V' => "the client's cookie was good and its server took the request",
        b'E' => "the client's cookie had expired",
        b'O' => "the client's cookie was too old",
        b'U' => "the client's cookie was good and was not used",
        _ => "no cookie is looked for",
    };
    let server = match server {
        b'N' => "none was in the answer",
        b'I' => "HAProxy inserted one",
        b'U' => "HAProxy updated it",
        b'P' => "the server's own was passed on",
        b'R' => "HAProxy rewrote the server's",
        b'D' => "HAProxy took the server's out",
        _ => return client.to_owned(),
    };
    format!("{client}; {server}")
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check_form, check_merging, column, haproxy, sections};
    use super::super::super::{AnyReport, Options};
    use super::*;
    use crate::format::Family;

    fn report() -> Box<dyn AnyReport> {
        Box::new(States::new())
    }

    #[test]
    fn too_many_servers_are_not_told_apart_in_any_order() {
        let records = haproxy::sessions(3_000, 12);
        let options = Options::default();
        let exact = sections(&*report(), Family::Haproxy, &options, &records);
        for (most, given_up) in [(140, "servers are"), (70, "servers and backends are")] {
            let report: Box<dyn AnyReport> = Box::new(States { most });
            check_merging(&*report, Family::Haproxy, &options, &records);
            let found = sections(&*report, Family::Haproxy, &options, &records);
            assert!(found[1].notes[1].text.contains(given_up), "{:?}", found[1].notes);
            assert_eq!([&found[0], &found[2]], [&exact[0], &exact[2]]);
        }
    }

    #[test]
    fn merging_changes_nothing() {
        let records = haproxy::sessions(3_000, 12);
        check_merging(&*report(), Family::Haproxy, &Options::default(), &records);
        sections(&*report(), Family::Haproxy, &Options::default(), &records)
            .iter()
            .for_each(check_form);
    }

    #[test]
    fn every_pair_has_words() {
        for who in b"-CcSsPLRIDUK?" {
            for phase in b"-RQCHDLT?" {
                assert!(words([*who, *phase]).0.len() > 10);
            }
        }
        assert_eq!(words(*b"sH").1, "timeout server");
        assert_eq!(words(*b"DH").1, "on-marked-down shutdown-sessions; the server's checks");
        assert_eq!(words(*b"UH").1, "on-marked-up shutdown-backup-sessions");
        assert_eq!(
            words(*b"DD").0,
            "HAProxy ended it, since the server was marked down, during the transfer"
        );
    }

    #[test]
    fn without_a_server_nobody_refused() {
        let records = haproxy::lines(&["app/<NOSRV> 0/-1/-1/-1/0 503 217 SC 0"]);
        let found = sections(&*report(), Family::Haproxy, &Options::default(), &records);
        let none_was_up = [Cell::text("no server of the backend was up")];
        assert_eq!(column(&found, "states_by_server", "meaning"), none_was_up);
    }

    #[test]
    fn by_server_and_how_long_they_took() {
        let lines = ["app/s1 0/0/0/-1/50001 504 10 sH 0", "app/s1 0/0/0/3/9 200 10 -- 0"];
        let records = haproxy::lines(&lines);
        let found = sections(&*report(), Family::Haproxy, &Options::default(), &records);
        assert_eq!(column(&found, "states", "state"), ["--", "sH"].map(Cell::text));
        assert_eq!(column(&found, "states_by_server", "server"), [Cell::text("app/s1")]);
        assert_eq!(column(&found, "states_by_server", "share"), [Cell::Share(0.5)]);
        assert_eq!(column(&found, "states_by_server", "max"), [Cell::Duration(50_001_000)]);
    }
}

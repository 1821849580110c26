//! Whether HAProxy's sessions stay with their server when a cookie should hold them.
//!
//! Sections: `persistence`, what became of the cookies that clients sent; `moved_sessions`, those that were served by
//! more than one server although their cookie was good each time.
//!
//! Only records whose client sent a good cookie are looked at. A session is told by the cookie that was captured, or else
//! by the address of the client, behind which several may stand.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::super::{Closing, Needs, Renumberings, Report};
use super::routes::name;
use crate::document::{Cell, Column, Fact, Note, Role, Section, Table};
use crate::record::{Field, Records, Symbol};
use crate::tally::keep_largest;

/// The report.
#[derive(Debug)]
pub(in super::super) struct Sticky;

/// More sessions than this are not told apart.
const MOST: usize = 1 << 19;
/// More servers of one session are not told apart.
const SERVERS: usize = 4;

/// Backend, and the captured cookie (true) or the client.
type Key = (Symbol, bool, Symbol);

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Visits {
    count: u64,
    /// Absent ones at the end.
    servers: [Option<Symbol>; SERVERS],
}

impl Visits {
    fn see(&mut self, server: Symbol) {
        for place in &mut self.servers {
            match place {
                Some(known) if *known != server => {}
                _ => {
                    *place = Some(server);
                    return;
                }
            }
        }
    }

    fn servers(&self) -> u64 {
        self.servers.iter().flatten().count() as u64
    }
}

/// What was counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in super::super) struct State {
    /// Good, of a server that is down, of no known server, expired or too old, none sent.
    cookies: [u64; 5],
    /// Sessions with a good cookie that were sent on to another server after all.
    redispatched: u64,
    sessions: HashMap<Key, Visits, RandomState>,
    refused: u64,
}

impl Report for Sticky {
    type State = State;

    fn name(&self) -> String {
        "persistence".to_owned()
    }

    fn needs(&self) -> Needs {
        let names = [Field::BACKEND, Field::SERVER, Field::CLIENT, Field::REQUEST_COOKIE];
        Needs::required(&[Field::COOKIE_STATE, Field::BACKEND, Field::SERVER])
            .optional(&[Field::REDISPATCHED, Field::CLIENT, Field::REQUEST_COOKIE])
            .by_symbol(&names)
    }

    fn start(&self) -> State {
        State::default()
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let Some(cookies) = records.column(Field::COOKIE_STATE) else { return };
        for (row, value) in cookies.iter().enumerate() {
            let place = match records.bytes(*value).and_then(|cookie| cookie.first()) {
                Some(b'V') => 0,
                Some(b'D') => 1,
                Some(b'I') => 2,
                Some(b'E' | b'O') => 3,
                Some(b'N') => 4,
                _ => continue,
            };
            state.cookies[place] += 1;
            if place == 0 {
                state.redispatched +=
                    u64::from(records.number(Field::REDISPATCHED, row) == Some(1));
                state.see(records, row);
            }
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        into.cookies.iter_mut().zip(from.cookies).for_each(|(own, more)| *own += more);
        into.redispatched += from.redispatched;
        into.refused += from.refused;
        let [backends, servers, clients, cookies] =
            [Field::BACKEND, Field::SERVER, Field::CLIENT, Field::REQUEST_COOKIE]
                .map(|field| renumberings.of(field));
        for ((backend, is_cookie, session), visits) in from.sessions {
            let sessions = if is_cookie { cookies } else { clients };
            let key = (backends.of(backend), is_cookie, sessions.of(session));
            let own = into.sessions.entry(key).or_default();
            own.count += visits.count;
            visits.servers.iter().flatten().for_each(|server| own.see(servers.of(*server)));
        }
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        let [good, down, unknown, old, none] = state.cookies;
        if good + down + unknown + old == 0 {
            return Vec::new();
        }
        let moved = state.sessions.iter().filter(|(_, visits)| visits.servers() > 1).count() as u64;
        let facts = vec![
            Fact::new("good_cookies", Cell::Count(good)),
            Fact::new("cookies_of_a_server_that_was_down", Cell::Count(down)),
            Fact::new("cookies_of_no_known_server", Cell::Count(unknown)),
            Fact::new("cookies_too_old", Cell::Count(old)),
            Fact::new("requests_without_cookie", Cell::Count(none)),
            Fact::new("sessions", Cell::Count(state.sessions.len() as u64)),
            Fact::new("sessions_that_moved", Cell::Count(moved)),
            Fact::new("redispatched_with_a_good_cookie", Cell::Count(state.redispatched)),
        ];
        let mut section = Section::facts("persistence", "Persistence by cookie", facts);
        if state.refused > 0 {
            let text = format!("{} requests were of sessions that did not fit", state.refused);
            section.notes.push(Note::warning(text));
        }
        let mut sections = vec![section];
        sections.extend((moved > 0).then(|| moved_sessions(&state, closing)));
        sections
    }
}

impl State {
    fn see(&mut self, records: &Records<'_>, row: usize) {
        let symbol = |field| records.symbols(field).map_or(Symbol::ABSENT, |names| names[row]);
        let (cookie, server) = (symbol(Field::REQUEST_COOKIE), symbol(Field::SERVER));
        let key = match cookie {
            Symbol::ABSENT => (symbol(Field::BACKEND), false, symbol(Field::CLIENT)),
            cookie => (symbol(Field::BACKEND), true, cookie),
        };
        if server == Symbol::ABSENT {
            return;
        }
        if self.sessions.len() >= MOST && !self.sessions.contains_key(&key) {
            self.refused += 1;
            return;
        }
        let visits = self.sessions.entry(key).or_default();
        visits.count += 1;
        visits.see(server);
    }
}

fn moved_sessions(state: &State, closing: &Closing<'_>) -> Section {
    let moved = state.sessions.iter().filter(|(_, visits)| visits.servers() > 1);
    let mut rows: Vec<(Vec<u8>, Vec<u8>, Visits)> = moved
        .map(|((backend, is_cookie, session), visits)| {
            let field = if *is_cookie { Field::REQUEST_COOKIE } else { Field::CLIENT };
            (
                closing.dictionaries.text(field, *session).to_vec(),
                name(closing, Field::BACKEND, *backend),
                *visits,
            )
        })
        .collect();
    let total_rows = rows.len() as u64;
    keep_largest(&mut rows, closing.options.limit, |a, b| {
        let order = (b.2.servers(), b.2.count).cmp(&(a.2.servers(), a.2.count));
        order.then_with(|| (&a.0, &a.1).cmp(&(&b.0, &b.1)))
    });
    let rows = rows
        .into_iter()
        .map(|(session, backend, visits)| {
            let servers = Cell::Count(visits.servers());
            vec![Cell::text(session), Cell::text(backend), servers, Cell::Count(visits.count)]
        })
        .collect();
    let columns = vec![
        Column::new("session", Role::Key),
        Column::new("backend", Role::Key),
        Column::new("servers", Role::Main),
        Column::new("count", Role::Value),
    ];
    let table = Table { columns, rows, total_rows };
    let mut section = Section::table("moved_sessions", "Sessions that moved", table);
    section.notes.push(Note::info(format!("servers are counted up to {SERVERS}")));
    section
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
        Box::new(Sticky)
    }

    #[test]
    fn merging_changes_nothing() {
        let records = haproxy::sessions(3_000, 15);
        check_merging(&*report(), Family::Haproxy, &Options::default(), &records);
        sections(&*report(), Family::Haproxy, &Options::default(), &records)
            .iter()
            .for_each(check_form);
    }

    #[test]
    fn a_good_cookie_with_two_servers_is_a_move() {
        let record = |client: &str, server: &str, cookie: &str| -> Made {
            vec![
                (Field::BACKEND, "app".to_owned()),
                (Field::SERVER, server.to_owned()),
                (Field::CLIENT, client.to_owned()),
                (Field::COOKIE_STATE, cookie.to_owned()),
            ]
        };
        let records = [
            record("a", "s1", "VN"),
            record("a", "s2", "VN"),
            record("b", "s1", "VN"),
            record("b", "s2", "NI"),
            record("c", "s2", "DI"),
        ];
        let found = sections(&*report(), Family::Haproxy, &Options::default(), &records);
        assert_eq!(found[0].fact("sessions"), Some(&Cell::Count(2)));
        assert_eq!(found[0].fact("sessions_that_moved"), Some(&Cell::Count(1)));
        assert_eq!(found[0].fact("cookies_of_a_server_that_was_down"), Some(&Cell::Count(1)));
        assert_eq!(column(&found, "moved_sessions", "session"), [Cell::text("a")]);
    }
}

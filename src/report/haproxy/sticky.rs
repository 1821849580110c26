//! Whether HAProxy's sessions stay with their server when a cookie should hold them.
//!
//! Sections: `persistence`, what became of the cookies that clients sent; `moved_sessions`, those that were served by
//! more than one server although their cookie was good each time.
//!
//! Only records whose client sent a good cookie are looked at. A session is told by the cookie that was captured, or else
//! by the address of the client, behind which several may stand.

use serde::{Deserialize, Serialize};

use super::super::{Closing, Needs, Renumberings, Report};
use super::keyed::{Key, Keyed};
use super::routes::name;
use crate::document::{Cell, Column, Fact, Note, Role, Section, Table};
use crate::record::block::ROWS;
use crate::record::{Field, Records, Symbol, Value};
use crate::tally::{Multiset, keep_largest};
use crate::units;

/// The report.
#[derive(Debug)]
pub(in super::super) struct Sticky;

/// More pairs of a session and a server are not kept: 32 MB.
const MOST: usize = 1 << 21;

/// Backend and server.
type Place = [Symbol; 2];

impl Key for Place {
    fn mix(&self) -> u32 {
        self[1].0.wrapping_add(self[0].0 << 3)
    }
}

/// A visit is a number: that of the place in the lowest bits, above it the symbol of the session, above that a bit that
/// says whether it is the symbol of a cookie. There are a million places at most.
const PLACE_BITS: u32 = 20;
const COOKIE: u64 = 1 << 63;

fn session_of(visit: u64) -> (bool, Symbol) {
    (visit & COOKIE != 0, Symbol(((visit & !COOKIE) >> PLACE_BITS) as u32))
}

fn place_of(visit: u64) -> usize {
    visit as usize & ((1 << PLACE_BITS) - 1)
}

fn visit(is_cookie: bool, session: Symbol, place: usize) -> u64 {
    u64::from(is_cookie) << 63 | u64::from(session.0) << PLACE_BITS | place as u64
}

/// What was counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in super::super) struct State {
    /// Good, of a server that is down, of no known server, expired or too old, none sent.
    cookies: [u64; 5],
    /// Sessions with a good cookie that were sent on to another server after all.
    redispatched: u64,
    places: Keyed<Place, ()>,
    visits: Multiset,
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
        let absent = [Symbol::ABSENT; ROWS];
        let names = |field| records.symbols(field).unwrap_or(&absent[..records.len()]);
        let [backends, servers, clients, captured] =
            [Field::BACKEND, Field::SERVER, Field::CLIENT, Field::REQUEST_COOKIE].map(names);
        let redispatched = records.column(Field::REDISPATCHED);
        for (row, value) in cookies.iter().enumerate() {
            let Some(cookie) = told(records, *value) else { continue };
            state.cookies[cookie] += 1;
            if cookie != GOOD {
                continue;
            }
            state.redispatched +=
                u64::from(redispatched.is_some_and(|column| column[row].number() == Some(1)));
            if servers[row] != Symbol::ABSENT {
                let (is_cookie, session) = match captured[row] {
                    Symbol::ABSENT => (false, clients[row]),
                    cookie => (true, cookie),
                };
                state.see(is_cookie, session, [backends[row], servers[row]]);
            }
        }
    }

    fn merge(&self, into: &mut State, mut from: State, renumberings: &Renumberings) {
        into.cookies.iter_mut().zip(from.cookies).for_each(|(own, more)| *own += more);
        into.redispatched += from.redispatched;
        into.refused += from.refused;
        let [backends, servers, clients, cookies] =
            [Field::BACKEND, Field::SERVER, Field::CLIENT, Field::REQUEST_COOKIE]
                .map(|field| renumberings.of(field));
        let places = from.places.rows().iter();
        let places: Vec<usize> = places
            .map(|([backend, server], ())| {
                into.places.place([backends.of(*backend), servers.of(*server)])
            })
            .collect();
        from.visits.rename(|known| {
            let (is_cookie, session) = session_of(known);
            let session = if is_cookie { cookies.of(session) } else { clients.of(session) };
            let place = places.get(place_of(known)).copied().unwrap_or(0);
            visit(is_cookie, session, place.min((1 << PLACE_BITS) - 1))
        });
        into.visits.merge(from.visits);
        into.fit();
    }

    fn finish(&self, mut state: State, closing: &Closing<'_>) -> Vec<Section> {
        let [good, down, unknown, old, none] = state.cookies;
        if good + down + unknown + old == 0 {
            return Vec::new();
        }
        state.fit();
        let sessions = Sessions::of(&state, closing);
        let facts = vec![
            Fact::new("good_cookies", Cell::Count(good)),
            Fact::new("cookies_of_a_server_that_was_down", Cell::Count(down)),
            Fact::new("cookies_of_no_known_server", Cell::Count(unknown)),
            Fact::new("cookies_too_old", Cell::Count(old)),
            Fact::new("requests_without_cookie", Cell::Count(none)),
            Fact::new("sessions", Cell::Count(sessions.count)),
            Fact::new("sessions_that_moved", Cell::Count(sessions.moved.len() as u64)),
            Fact::new("redispatched_with_a_good_cookie", Cell::Count(state.redispatched)),
        ];
        let mut section = Section::facts("persistence", "Persistence by cookie", facts);
        if state.refused > 0 {
            let text = format!(
                "{} requests were of sessions that did not fit and are in neither figure",
                units::count(state.refused)
            );
            section.notes.push(Note::warning(text));
        }
        if sessions.are_servers {
            section.notes.push(Note::warning(
                "the captured cookies are as few as the servers: they seem to name servers and not sessions, so that no session could be seen to move; capture the application's own cookie",
            ));
        }
        let mut sections = vec![section];
        sections.extend((!sessions.moved.is_empty()).then(|| sessions.section(closing)));
        sections
    }
}

const GOOD: usize = 0;

/// What the first character of the state of a cookie says.
#[inline]
fn told(records: &Records<'_>, value: Value) -> Option<usize> {
    match records.bytes(value)?.first()? {
        b'V' => Some(GOOD),
        b'D' => Some(1),
        b'I' => Some(2),
        b'E' | b'O' => Some(3),
        b'N' => Some(4),
        _ => None,
    }
}

impl State {
    #[inline]
    fn see(&mut self, is_cookie: bool, session: Symbol, place: Place) {
        let place = self.places.place(place);
        if place >> PLACE_BITS != 0 {
            self.refused += 1;
        } else if self.visits.add(visit(is_cookie, session, place)) {
            self.fit();
        }
    }

    fn fit(&mut self) {
        self.visits.settle();
        self.refused += self.visits.truncate(MOST);
    }
}

/// A session and the backend that it went to.
struct Moved {
    session: Vec<u8>,
    backend: Vec<u8>,
    servers: u64,
    count: u64,
}

/// What became of the sessions.
struct Sessions {
    count: u64,
    moved: Vec<Moved>,
    /// Each captured cookie went to a server of its own, and there were many visits: `capture cookie` with the very cookie
    /// that holds the session tells nothing of sessions.
    are_servers: bool,
}

/// Fewer visits than this for each cookie may be of a small log.
const FEW_VISITS: u64 = 10;

impl Sessions {
    fn of(state: &State, closing: &Closing<'_>) -> Self {
        let mut sessions = Self { count: 0, moved: Vec::new(), are_servers: false };
        let visits = state.visits.counts();
        let mut seen: Vec<(Place, u64)> = Vec::new();
        for visits in visits.chunk_by(|a, b| session_of(a.0) == session_of(b.0)) {
            let place = |visit| state.places.rows().get(place_of(visit)).map(|(place, ())| *place);
            seen.clear();
            seen.extend(visits.iter().filter_map(|(visit, count)| Some((place(*visit)?, *count))));
            seen.sort_unstable();
            for seen in seen.chunk_by(|a, b| a.0[0] == b.0[0]) {
                sessions.see(session_of(visits[0].0), seen, closing);
            }
        }
        let all: u64 = visits.iter().map(|(_, count)| count).sum();
        sessions.are_servers = sessions.count > 0
            && visits.iter().all(|(visit, _)| session_of(*visit).0)
            && sessions.moved.is_empty()
            && sessions.count <= state.places.rows().len() as u64
            && all >= sessions.count * FEW_VISITS;
        sessions
    }

    /// Takes in the visits of a session to the servers of one backend.
    fn see(&mut self, session: (bool, Symbol), visits: &[(Place, u64)], closing: &Closing<'_>) {
        self.count += 1;
        if visits.len() > 1 {
            let (is_cookie, symbol) = session;
            let field = if is_cookie { Field::REQUEST_COOKIE } else { Field::CLIENT };
            self.moved.push(Moved {
                session: closing.dictionaries.text(field, symbol).to_vec(),
                backend: name(closing, Field::BACKEND, visits[0].0[0]),
                servers: visits.len() as u64,
                count: visits.iter().map(|(_, count)| count).sum(),
            });
        }
    }

    /// Those that moved, the most travelled first.
    fn section(mut self, closing: &Closing<'_>) -> Section {
        let total_rows = self.moved.len() as u64;
        keep_largest(&mut self.moved, closing.options.limit, |a, b| {
            let order = (b.servers, b.count).cmp(&(a.servers, a.count));
            order.then_with(|| (&a.session, &a.backend).cmp(&(&b.session, &b.backend)))
        });
        let rows = self.moved.into_iter().map(|moved| {
            let names = [moved.session, moved.backend].map(Cell::text).into_iter();
            names.chain([moved.servers, moved.count].map(Cell::Count)).collect()
        });
        let rows = rows.collect();
        let columns = vec![
            Column::new("session", Role::Key),
            Column::new("backend", Role::Key),
            Column::new("servers", Role::Main),
            Column::new("count", Role::Value),
        ];
        let table = Table { columns, rows, total_rows };
        Section::table("moved_sessions", "Sessions that moved", table)
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

    /// `capture cookie SERVERID` beside `cookie SERVERID insert`: the captured texts are names of servers.
    #[test]
    fn a_captured_cookie_that_names_the_server_tells_no_sessions() {
        let record = |at: usize, cookie: &str| -> Made {
            vec![
                (Field::BACKEND, "app".to_owned()),
                (Field::SERVER, format!("s{}", at % 2)),
                (Field::CLIENT, format!("192.0.2.{at}")),
                (Field::REQUEST_COOKIE, cookie.to_owned()),
                (Field::COOKIE_STATE, "VN".to_owned()),
            ]
        };
        let notes = |cookie: &dyn Fn(usize) -> String| {
            let records: Vec<Made> = (0..30).map(|at| record(at, &cookie(at))).collect();
            let found = sections(&*report(), Family::Haproxy, &Options::default(), &records);
            found[0].notes.len()
        };
        assert_eq!(notes(&|at| format!("SERVERID=s{}", at % 2)), 1);
        assert_eq!(notes(&|at| format!("session={}", at % 10)), 0);
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

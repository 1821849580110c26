//! How evenly a backend's sessions went over its servers.
//!
//! A server of which the log tells only that it went up or down has its part in it: it could have served.

use std::collections::BTreeMap;

use super::{Grouped, Route, State, TOTAL, name, value};
use crate::document::{Cell, Column, Note, Role, Section, Table};
use crate::record::{Field, Symbol};
use crate::report::Closing;

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
    let mut pools = BTreeMap::<Vec<u8>, BTreeMap<Vec<u8>, Route>>::new();
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

pub(super) fn sections(state: &State, closing: &Closing<'_>) -> [Section; 2] {
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
    use super::super::Routes;
    use super::super::tests::{finished, report};
    use super::*;
    use crate::format::Family;
    use crate::report::testing::{check_merging, column, haproxy, sections};
    use crate::report::{AnyReport, Options};

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
}

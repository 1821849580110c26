//! What in the queries looks like an attack: section `suspicions`, the strongest of each kind first.
//!
//! * `random_labels`: a domain under which many different names were asked for, nearly each of them once, or a few times
//!   (for both kinds of addresses, and again) while little else is asked there: an attack on its servers through resolvers
//!   (water torture), a tunnel, or a block list, which asks in the same way;
//! * `any_amplification`: a client that mostly asks for all records over UDP, without proof that the address is its own: its
//!   address may be forged, and the answers go to a victim;
//! * `same_question`: a client that asks for one name over and over: a forged address as well, or a client in a loop;
//! * `many_names`: a client with a great part of all different names, and many times those of the usual client: a scan, a
//!   crawler, a tunnel, or a resolver for many;
//! * `reverse_scan`: the same under the reverse tree.
//!
//! These are suspicions by numbers alone. The columns give the numbers and where to look.

use super::names::{Found, Row, Seldom, State, spread};
use super::what::{Trouble, troubled};
use crate::document::{Cell, Column, Note, Role, Section, Table};
use crate::record::{Field, Symbol};

/// Fewer different names, or queries, are no attack.
const LEAST: u64 = 100;
/// So many times the names of the usual client are many.
const UNUSUAL: u64 = 5;
/// How many of each kind are shown.
const SHOWN: usize = 5;

/// A suspicion.
struct Suspicion<'a> {
    kind: &'static str,
    subject: &'a [u8],
    detail: &'a [u8],
    queries: u64,
    names: u64,
    failed: u64,
    advice: &'static str,
}

/// The section; `None` when nothing looks like an attack.
pub(super) fn section(state: &State, found: &Found<'_>, domains: &[Row<'_>]) -> Option<Section> {
    let mut rows = random_labels(domains);
    rows.extend(of_clients(state, found));
    if rows.is_empty() {
        return None;
    }
    let total_rows = rows.len() as u64;
    let cells = rows.into_iter().map(|row| {
        vec![
            Cell::text(row.kind),
            Cell::text(row.subject),
            Cell::Count(row.queries),
            Cell::share(row.queries, found.queries),
            if row.names == 0 { Cell::Empty } else { Cell::Count(row.names) },
            Cell::Count(row.failed),
            Cell::text_if_any(row.detail),
            Cell::text(row.advice),
        ]
    });
    let mut columns = ["suspicion", "subject"].map(|name| Column::new(name, Role::Key)).to_vec();
    columns.push(Column::new("queries", Role::Main));
    columns.extend(["share", "names", "failed", "name"].map(|name| Column::new(name, Role::Value)));
    columns.push(Column::new("look_at", Role::Remark));
    let table = Table { columns, rows: cells.collect(), total_rows };
    let mut section = Section::table("suspicions", "What looks like an attack", table);
    section.notes.push(Note::info(
        "told by numbers alone: block lists, crawlers, monitoring and resolvers for many look alike",
    ));
    Some(section)
}

/// The strongest few.
fn strongest<'a>(mut rows: Vec<(u64, Suspicion<'a>)>) -> impl Iterator<Item = Suspicion<'a>> {
    rows.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.subject.cmp(b.1.subject)));
    rows.truncate(SHOWN);
    rows.into_iter().map(|(_, row)| row)
}

fn failed(row: &Row<'_>) -> u64 {
    troubled(&row.lanes, Trouble::Nxdomain) + troubled(&row.lanes, Trouble::Servfail)
}

/// Many names of which nine in ten were asked for once; or nineteen in twenty a few times, with four fifths of the
/// queries: the few hosts of a domain that everybody asks for take more than that in ordinary traffic.
fn is_wide(row: &Row<'_>) -> bool {
    let Seldom { once, names, queries } = row.seldom;
    let is_seldom = names * 20 >= row.names * 19 && queries * 5 >= row.queries * 4;
    row.names >= LEAST && (once * 10 >= row.names * 9 || is_seldom)
}

/// Domains with many names that were asked for seldom.
fn random_labels<'a>(domains: &[Row<'a>]) -> Vec<Suspicion<'a>> {
    let (reverse, forward): (Vec<&Row<'_>>, Vec<&Row<'_>>) =
        domains.iter().filter(|row| is_wide(row)).partition(|row| row.key.ends_with(b".arpa"));
    let told = |rows: Vec<&Row<'a>>, kind, advice| {
        let rows = rows.into_iter().map(|row| {
            let told = Suspicion {
                kind,
                subject: row.key,
                detail: b"",
                queries: row.queries,
                names: row.names,
                failed: failed(row),
                advice,
            };
            (row.names, told)
        });
        strongest(rows.collect())
    };
    let forward = told(
        forward,
        "random_labels",
        "who asks (top client --where domain=…); fetches-per-zone, fetches-per-server, rate-limit",
    );
    let reverse = told(
        reverse,
        "reverse_scan",
        "who asks: mail servers and log analysers do it, scanners too",
    );
    forward.chain(reverse).collect()
}

/// What is told of clients, from what was counted for them.
struct Clients<'s, 'a> {
    state: &'s State,
    found: &'s Found<'a>,
}

fn of_clients<'a>(state: &State, found: &Found<'a>) -> Vec<Suspicion<'a>> {
    let clients = Clients { state, found };
    let kinds = [clients.any(), clients.same_question(), clients.many_names()];
    kinds.into_iter().flat_map(strongest).collect()
}

impl<'a> Clients<'_, 'a> {
    fn text(&self, field: Field, symbol: Symbol) -> &'a [u8] {
        self.found.closing.dictionaries.text(field, symbol)
    }

    fn queries(&self, client: Symbol) -> u64 {
        self.state.clients.queries.get(client).copied().unwrap_or(0)
    }

    fn told(&self, kind: &'static str, client: Symbol, advice: &'static str) -> Suspicion<'a> {
        let lanes = self.state.clients.lanes.get(client).copied().unwrap_or_default();
        Suspicion {
            kind,
            subject: self.text(Field::CLIENT, client),
            detail: b"",
            queries: self.queries(client),
            names: 0,
            failed: troubled(&lanes, Trouble::Nxdomain) + troubled(&lanes, Trouble::Servfail),
            advice,
        }
    }

    /// Clients of which every second query is one for all records, over UDP and without a cookie.
    fn any(&self) -> Vec<(u64, Suspicion<'a>)> {
        const ADVICE: &str = "the address may be forged: minimal-any, rate-limit, who may ask (allow-query, allow-recursion)";
        let counted = self.state.clients.any.iter().filter(|(symbol, _)| symbol.index() > 1);
        let counted = counted.map(|(client, count)| (u64::from(*count), client));
        let many =
            counted.filter(|(count, client)| *count >= LEAST && count * 2 >= self.queries(*client));
        many.map(|(count, client)| (count, self.told("any_amplification", client, ADVICE)))
            .collect()
    }

    /// Clients of which nine in ten queries are for one name.
    fn same_question(&self) -> Vec<(u64, Suspicion<'a>)> {
        const ADVICE: &str =
            "the address may be forged, or the client loops: rate-limit, its source ports";
        let pairs = self.state.pairs.iter();
        let pairs = pairs
            .filter(|pair| pair.count >= LEAST && pair.count * 10 >= self.queries(pair.left) * 9);
        let told = pairs.map(|pair| {
            let detail = self.text(Field::NAME, pair.right);
            let told = self.told("same_question", pair.left, ADVICE);
            (pair.count, Suspicion { detail, names: 1, ..told })
        });
        told.collect()
    }

    /// Clients that asked for a tenth of all different names and for many times those of the usual client: with a few
    /// clients each of them asks for more than a tenth.
    fn many_names(&self) -> Vec<(u64, Suspicion<'a>)> {
        const ADVICE: &str =
            "which names (top domain --where client=…): a scan, a tunnel, or a resolver for many";
        let all = self.found.names.len() as u64;
        let mut spread = spread(self.state);
        spread.retain(|(_, client)| client.index() > 1);
        let mut counts: Vec<u64> = spread.iter().map(|(names, _)| *names).collect();
        counts.sort_unstable();
        let usual = counts.get(counts.len().saturating_sub(1) / 2).copied().unwrap_or(0);
        let wide = spread.into_iter().filter(|(names, _)| {
            *names >= LEAST && *names * 10 >= all && *names >= usual.saturating_mul(UNUSUAL)
        });
        let told = wide.map(|(names, client)| {
            (names, Suspicion { names, ..self.told("many_names", client, ADVICE) })
        });
        told.collect()
    }
}

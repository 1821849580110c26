//! The tables of reasons: keys taken apart again, what they are about told from their words.

use std::collections::BTreeMap;

use super::topic::{self, Extra, TOPICS, Topic};
use super::{BETWEEN, Seen};
use crate::document::{Cell, Column, Role, Section, Table};
use crate::record::{Field, Symbol};
use crate::report::Closing;
use crate::report::postfix::reason::{category, refusal};
use crate::tally::{PerSymbol, keep_largest};

/// A key without its topic, and how often it was met.
pub(super) type Row<'s> = (&'s [u8], Seen);

/// The text of a client.
pub(super) fn client_of<'c>(closing: &Closing<'c>, client: Symbol) -> &'c [u8] {
    match client {
        Symbol::OTHER => b"(did not fit into memory)",
        client => closing.dictionaries.text(Field::CLIENT, client),
    }
}

/// The parts of a key, as many as there are columns.
fn parts<'s>(topic: &Topic, key: &'s [u8]) -> Vec<&'s [u8]> {
    // The key begins with what stands between parts.
    let key = key.get(1..).unwrap_or_default();
    let parts = key.splitn(topic.columns.len(), |byte| *byte == BETWEEN);
    parts.chain(std::iter::repeat(&[][..])).take(topic.columns.len()).collect()
}

/// What refusals are about, in common: `reject_kinds`.
pub(super) fn refusals(rows: &[Vec<Row<'_>>], closing: &Closing<'_>) -> Option<Section> {
    let mut kinds = BTreeMap::<(&str, &str), Seen>::new();
    let of = |topic: u8| &rows[usize::from(topic)];
    for (key, seen) in of(topic::REJECTS) {
        let parts = parts(&TOPICS[usize::from(topic::REJECTS)], key);
        let [stage, reply, reason] = parts[..] else { continue };
        let class = match reply.first() {
            Some(b'4') => "4xx",
            Some(b'5') => "5xx",
            _ => "content",
        };
        kinds.entry((refusal(stage, reason), class)).or_default().merge(*seen);
    }
    for (key, seen) in of(topic::POLICIES) {
        let parts = parts(&TOPICS[usize::from(topic::POLICIES)], key);
        let [action, stage, reason] = parts[..] else { continue };
        if action == b"reject_warning" {
            kinds.entry((refusal(stage, reason), "warning")).or_default().merge(*seen);
        }
    }
    let rows = kinds
        .into_iter()
        .map(|((category, class), seen)| (vec![Cell::text(category), Cell::text(class)], seen));
    let rows: Vec<_> = rows.collect();
    let keys = ["category", "replies"].map(|name| Column::new(name, Role::Key)).to_vec();
    (!rows.is_empty()).then(|| table("reject_kinds", "Rejects by kind", keys, rows, closing))
}

pub(super) fn refused_clients(clients: &PerSymbol<Seen>, closing: &Closing<'_>) -> Option<Section> {
    let met = clients.iter().filter(|(_, seen)| seen.count > 0);
    let text = |client| Cell::text(client_of(closing, client));
    let rows: Vec<_> = met.map(|(client, seen)| (vec![text(client)], *seen)).collect();
    let (name, title) = ("rejected_clients", "Clients that were refused");
    let keys = vec![Column::new("client", Role::Key)];
    (!rows.is_empty()).then(|| table(name, title, keys, rows, closing))
}

/// A table whose rows have their keys already, ordered by count.
fn table(
    name: &str,
    title: &str,
    mut columns: Vec<Column>,
    mut rows: Vec<(Vec<Cell>, Seen)>,
    closing: &Closing<'_>,
) -> Section {
    let (total_rows, whole) = (rows.len() as u64, rows.iter().map(|(_, seen)| seen.count).sum());
    let words = |cells: &[Cell]| -> Vec<Vec<u8>> {
        let text = |cell: &Cell| match cell {
            Cell::Text(text) => text.clone(),
            _ => Vec::new(),
        };
        cells.iter().map(text).collect()
    };
    keep_largest(&mut rows, closing.options.limit, |a, b| {
        b.1.count.cmp(&a.1.count).then_with(|| words(&a.0).cmp(&words(&b.0)))
    });
    columns.extend(measures());
    let rows = rows.into_iter().map(|(mut cells, seen)| {
        cells.extend(measured(seen, whole));
        cells
    });
    Section::table(name, title, Table { columns, rows: rows.collect(), total_rows })
}

fn measures() -> Vec<Column> {
    let mut columns = vec![Column::new("count", Role::Main)];
    columns.extend(["share", "first", "last"].map(|name| Column::new(name, Role::Value)));
    columns
}

fn measured(seen: Seen, whole: u64) -> [Cell; 4] {
    let [first, last] = match seen.first <= seen.last {
        true => [Cell::Instant(seen.first), Cell::Instant(seen.last)],
        false => [Cell::Empty, Cell::Empty],
    };
    [Cell::Count(seen.count), Cell::share(seen.count, whole), first, last]
}

pub(super) fn section(topic: &Topic, mut rows: Vec<Row<'_>>, closing: &Closing<'_>) -> Section {
    let total_rows = rows.len() as u64;
    let whole = rows.iter().map(|(_, seen)| seen.count).sum();
    keep_largest(&mut rows, closing.options.limit, |a, b| {
        let main = |seen: &Seen| (seen.most, seen.count);
        main(&b.1).cmp(&main(&a.1)).then_with(|| a.0.cmp(b.0))
    });
    let mut columns: Vec<Column> =
        topic.columns.iter().map(|name| Column::new(*name, Role::Key)).collect();
    match topic.extra {
        Extra::Nothing => {}
        Extra::Category | Extra::Refusal => {
            columns.insert(columns.len() - 1, Column::new("category", Role::Key));
        }
        Extra::Most => columns.push(Column::new("most", Role::Main)),
    }
    columns.extend(measures());
    if topic.extra == Extra::Most {
        let second = columns.iter_mut().find(|column| column.name == "count");
        second.into_iter().for_each(|column| column.role = Role::Value);
    }
    let rows = rows.into_iter().map(|(key, seen)| cells(topic, key, seen, whole)).collect();
    Section::table(topic.name, topic.title, Table { columns, rows, total_rows })
}

fn cells(topic: &Topic, key: &[u8], seen: Seen, whole: u64) -> Vec<Cell> {
    let parts = parts(topic, key);
    let text = |part: &&[u8]| Cell::text_if_any(part);
    let mut cells: Vec<Cell> = parts.iter().map(text).collect();
    let before_last = cells.len() - 1;
    match (topic.extra, &parts[..]) {
        (Extra::Category, [.., reason]) => cells.insert(before_last, Cell::text(category(reason))),
        (Extra::Refusal, [stage, .., reason]) => {
            cells.insert(before_last, Cell::text(refusal(stage, reason)));
        }
        (Extra::Most, _) => cells.push(Cell::Count(seen.most)),
        _ => {}
    }
    cells.extend(measured(seen, whole));
    cells
}

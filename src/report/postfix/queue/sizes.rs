//! Who sent and who got how much. A message counts once for its sender, however often it was tried, and once for each
//! recipient that it was delivered to.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::Story;
use super::event::Step;
use super::tables::domain;
use crate::document::{Cell, Column, Role, Section, Table};
use crate::record::{Field, Symbol};
use crate::tally::keep_largest;

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    messages: u64,
    bytes: u64,
    deferrals: u64,
    bounces: u64,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.deferrals += other.deferrals;
        self.bounces += other.bounces;
    }
}

type Sums<K> = HashMap<K, Sum, RandomState>;

/// Senders and recipients, whole addresses and domains, each by number and by size.
pub(super) fn sections(story: &Story<'_>) -> Vec<Section> {
    let (mut senders, mut recipients) = (Sums::default(), Sums::default());
    for life in &story.lives {
        let bytes = life.size.unwrap_or(0);
        if life.size.is_some() {
            let sum = Sum { messages: 1, bytes, ..Sum::default() };
            senders.entry(life.sender).or_default().add(sum);
        }
        for event in story.events_of(life) {
            let sum = match event.step {
                Step::Sent => Sum { messages: 1, bytes, ..Sum::default() },
                Step::Deferred => Sum { deferrals: 1, ..Sum::default() },
                Step::Bounced => Sum { bounces: 1, ..Sum::default() },
                _ => continue,
            };
            recipients.entry(event.who).or_default().add(sum);
        }
    }
    let mut sections = Vec::new();
    for (field, sums, addresses, domains) in [
        (Field::SENDER, &senders, ("senders", "Senders"), ("sender_domains", "Domains of senders")),
        (
            Field::RECIPIENT,
            &recipients,
            ("recipients", "Recipients"),
            ("recipient_domains", "Domains of recipients"),
        ),
    ] {
        let (whole, folded) = texts(story, field, sums);
        sections.extend(tables(story, field, addresses, whole));
        let field =
            if field == Field::SENDER { Field::SENDER_DOMAIN } else { Field::RECIPIENT_DOMAIN };
        sections.extend(tables(story, field, domains, folded));
    }
    sections
}

/// The sums by text, and by the domain of the text.
fn texts(story: &Story<'_>, field: Field, sums: &Sums<Symbol>) -> (Sums<Vec<u8>>, Sums<Vec<u8>>) {
    let (mut whole, mut domains) = (Sums::default(), Sums::default());
    for (symbol, sum) in sums {
        let address = match *symbol {
            Symbol::OTHER => b"(did not fit into memory)",
            symbol => story.text(field, symbol),
        };
        let name = if address.is_empty() { b"<>" } else { address };
        whole.entry(name.to_vec()).or_insert_with(Sum::default).add(*sum);
        domains.entry(domain(name)).or_insert_with(Sum::default).add(*sum);
    }
    (whole, domains)
}

fn tables(
    story: &Story<'_>,
    field: Field,
    (name, title): (&str, &str),
    sums: Sums<Vec<u8>>,
) -> Vec<Section> {
    let by_size = (format!("{name}_size"), format!("{title} by size"));
    let mut rows: Vec<(Vec<u8>, Sum)> = sums.into_iter().collect();
    rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let has_failures = field == Field::RECIPIENT || field == Field::RECIPIENT_DOMAIN;
    [(name.to_owned(), title.to_owned(), false), (by_size.0, by_size.1, true)]
        .into_iter()
        .filter(|_| !rows.is_empty())
        .map(|(name, title, is_by_size)| {
            let measure = |sum: &Sum| if is_by_size { sum.bytes } else { sum.messages };
            let mut largest: Vec<&(Vec<u8>, Sum)> = rows.iter().collect();
            keep_largest(&mut largest, story.closing.options.limit, |a, b| {
                measure(&b.1).cmp(&measure(&a.1)).then_with(|| a.0.cmp(&b.0))
            });
            let total_rows = rows.len() as u64;
            let cells =
                largest.into_iter().map(|(key, sum)| cells(key, sum, is_by_size, has_failures));
            let rows = cells.collect();
            let columns = columns(field, is_by_size, has_failures);
            Section::table(name, title, Table { columns, rows, total_rows })
        })
        .collect()
}

fn columns(field: Field, is_by_size: bool, has_failures: bool) -> Vec<Column> {
    let measures = if is_by_size { ["bytes", "messages"] } else { ["messages", "bytes"] };
    let mut columns = vec![Column::new(field.name(), Role::Key)];
    columns.push(Column::new(measures[0], Role::Main));
    columns.push(Column::new(measures[1], Role::Value));
    if has_failures {
        columns.extend(["deferrals", "bounces"].map(|name| Column::new(name, Role::Value)));
    }
    columns
}

fn cells(key: &[u8], sum: &Sum, is_by_size: bool, has_failures: bool) -> Vec<Cell> {
    let mut measures = [Cell::Count(sum.messages), Cell::Bytes(sum.bytes)];
    if is_by_size {
        measures.reverse();
    }
    let mut cells = vec![Cell::text(key)];
    cells.extend(measures);
    if has_failures {
        cells.extend([Cell::Count(sum.deferrals), Cell::Count(sum.bounces)]);
    }
    cells
}

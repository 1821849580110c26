//! Who sent and who got how much, and which programs delivered it. A message counts once for its sender, however often
//! it was tried, and once for each recipient that it was delivered to.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;
use rayon::prelude::*;

use super::event::{Outcome, Step};
use super::tables::domain;
use super::{Story, Told};
use crate::document::{Cell, Column, Role, Section, Table};
use crate::record::{Field, Symbol};
use crate::tally::{PerSymbol, Renumbering, keep_largest};

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

    fn is_nothing(&self) -> bool {
        self.messages + self.deferrals + self.bounces == 0
    }
}

/// The sums by symbol.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums {
    senders: PerSymbol<Sum>,
    recipients: PerSymbol<Sum>,
    programs: PerSymbol<Sum>,
}

impl Sums {
    /// Counts a message.
    pub(super) fn add(&mut self, told: Told<'_>) {
        let life = told.life;
        let bytes = life.size.unwrap_or(0);
        if life.size.is_some() {
            self.senders.at(life.sender).add(Sum { messages: 1, bytes, ..Sum::default() });
        }
        if life.deliveries == [0; 3] {
            return;
        }
        for event in told.events {
            let sum = match event.step {
                Step::Sent => Sum { messages: 1, bytes, ..Sum::default() },
                Step::Deferred => Sum { deferrals: 1, ..Sum::default() },
                Step::Bounced => Sum { bounces: 1, ..Sum::default() },
                _ => continue,
            };
            self.recipients.at(event.who).add(sum);
            self.programs.at(Outcome::of(event).program).add(sum);
        }
    }

    /// Adds others, whose symbols are the same.
    pub(super) fn merge(&mut self, other: Self) {
        let same = Renumbering::default();
        self.senders.merge(other.senders, &same, Sum::add);
        self.recipients.merge(other.recipients, &same, Sum::add);
        self.programs.merge(other.programs, &same, Sum::add);
    }
}

/// What a table is about.
struct Topic<'s> {
    field: Field,
    name: &'s str,
    title: &'s str,
}

const SENDERS: Topic<'_> = Topic { field: Field::SENDER, name: "senders", title: "Senders" };
const SENDER_DOMAINS: Topic<'_> =
    Topic { field: Field::SENDER_DOMAIN, name: "sender_domains", title: "Domains of senders" };
const RECIPIENTS: Topic<'_> =
    Topic { field: Field::RECIPIENT, name: "recipients", title: "Recipients" };
const RECIPIENT_DOMAINS: Topic<'_> = Topic {
    field: Field::RECIPIENT_DOMAIN,
    name: "recipient_domains",
    title: "Domains of recipients",
};
const PROGRAMS: Topic<'_> =
    Topic { field: Field::PROGRAM, name: "delivery_programs", title: "Deliveries by program" };

/// Programs; senders and recipients, whole addresses and domains, each by number and by size.
pub(super) fn sections(story: &Story<'_>, sums: &Sums) -> Vec<Section> {
    let tables: [(&PerSymbol<Sum>, Field, &Topic<'_>, bool); 5] = [
        (&sums.programs, Field::PROGRAM, &PROGRAMS, false),
        (&sums.senders, Field::SENDER, &SENDERS, false),
        (&sums.senders, Field::SENDER, &SENDER_DOMAINS, true),
        (&sums.recipients, Field::RECIPIENT, &RECIPIENTS, false),
        (&sums.recipients, Field::RECIPIENT, &RECIPIENT_DOMAINS, true),
    ];
    let made = tables.into_par_iter().map(|(sums, field, topic, is_folded)| {
        let texts = sums.iter().filter(|(_, sum)| !sum.is_nothing()).map(|(symbol, sum)| {
            let address = match symbol {
                Symbol::OTHER => b"(did not fit into memory)",
                symbol => story.text(field, symbol),
            };
            (if address.is_empty() { b"<>" } else { address }, *sum)
        });
        match is_folded {
            true => tables_of(story, topic, by_key(texts.map(|(text, sum)| (domain(text), sum)))),
            false => tables_of(story, topic, by_key(texts)),
        }
    });
    made.collect::<Vec<_>>().into_iter().flatten().collect()
}

/// The sums of equal keys together.
fn by_key<K: Hash + Eq>(texts: impl Iterator<Item = (K, Sum)>) -> Vec<(K, Sum)> {
    let mut sums: HashMap<K, Sum, RandomState> = HashMap::default();
    texts.for_each(|(key, sum)| sums.entry(key).or_default().add(sum));
    sums.into_iter().collect()
}

fn tables_of<K: AsRef<[u8]>>(
    story: &Story<'_>,
    topic: &Topic<'_>,
    rows: Vec<(K, Sum)>,
) -> Vec<Section> {
    let has_failures = !matches!(topic.field, Field::SENDER | Field::SENDER_DOMAIN);
    let by_number = (topic.name.to_owned(), topic.title.to_owned(), false);
    let by_size = (format!("{}_size", topic.name), format!("{} by size", topic.title), true);
    let has_both = topic.field != Field::PROGRAM;
    [Some(by_number), has_both.then_some(by_size)]
        .into_iter()
        .flatten()
        .filter(|_| !rows.is_empty())
        .map(|(name, title, is_by_size)| {
            let measure = |sum: &Sum| if is_by_size { sum.bytes } else { sum.messages };
            let mut largest: Vec<&(K, Sum)> = rows.iter().collect();
            keep_largest(&mut largest, story.closing.options.limit, |a, b| {
                measure(&b.1).cmp(&measure(&a.1)).then_with(|| a.0.as_ref().cmp(b.0.as_ref()))
            });
            let total_rows = rows.len() as u64;
            let cells = largest
                .into_iter()
                .map(|(key, sum)| cells(key.as_ref(), sum, is_by_size, has_failures));
            let rows = cells.collect();
            let columns = columns(topic.field, is_by_size, has_failures);
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

//! What is told of lives: figures, the shape of the queue at an instant, the longest, those without a size.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Event, Outcome, Step};
use super::gather::{Gathered, Stays};
use super::{Story, Told};
use crate::document::{Cell, Column, Fact, Role, Section, Table};
use crate::record::time::SECOND;
use crate::record::{Field, Symbol};
use crate::tally::{Sparse, keep_largest};

/// The figures.
pub(super) fn facts(gathered: &Gathered<'_>, peak: Option<(i64, u64)>) -> Section {
    let figures = &gathered.figures;
    let [sent, deferred, bounced] = figures.deliveries;
    let counts = [
        ("messages", figures.messages),
        ("received", figures.received),
        ("resubmitted", figures.were_before),
        ("never_queued", figures.never_queued),
        ("from_before", figures.from_before),
        ("notifications", figures.notifications),
        ("removed", figures.removed),
        ("left", figures.left),
        ("held", figures.held),
        ("deferred_messages", figures.deferred_messages),
        ("bounced_messages", figures.bounced_messages),
        ("expired_messages", figures.expired_messages),
        ("deliveries", sent),
        ("deferrals", deferred),
        ("bounces", bounced),
        ("activations", figures.activations),
    ];
    let mut facts: Vec<Fact> =
        counts.iter().map(|(name, number)| Fact::new(name, Cell::Count(*number))).collect();
    facts.extend([
        Fact::new("bytes_received", Cell::Bytes(figures.bytes_received)),
        Fact::new("bytes_delivered", Cell::Bytes(figures.bytes_delivered)),
        Fact::new("delivered_without_size", Cell::Count(figures.delivered_without_size)),
    ]);
    facts.extend(times(&gathered.times));
    if let Some((at, depth)) = peak {
        facts.push(Fact::new("peak", Cell::Count(depth)));
        facts.push(Fact::new("peak_at", Cell::Instant(at)));
    }
    Section::facts("queue", "The queue", facts)
}

fn times(times: &Sparse) -> Vec<Fact> {
    if times.is_empty() {
        return Vec::new();
    }
    let quantiles = times.quantiles();
    let duration = |name, micros: u64| Fact::new(name, Cell::Duration(micros as i64));
    vec![
        duration("time_mean", quantiles.mean().round() as u64),
        duration("time_p50", quantiles.percentile(50_000)),
        duration("time_p90", quantiles.percentile(90_000)),
        duration("time_p95", quantiles.percentile(95_000)),
        duration("time_p99", quantiles.percentile(99_000)),
        duration("time_max", quantiles.max()),
    ]
}

/// The bounds of ages in minutes, as `qshape` has them, and their columns.
const AGES: [(i64, &str); 9] = [
    (5, "5m"),
    (10, "10m"),
    (20, "20m"),
    (40, "40m"),
    (80, "80m"),
    (160, "160m"),
    (320, "320m"),
    (640, "640m"),
    (1280, "1280m"),
];

/// What is there for one destination.
#[derive(Debug, Clone, Default)]
struct Destination {
    recipients: u64,
    ages: [u64; AGES.len() + 1],
    attempts: u64,
    held: u64,
    /// The age of the oldest.
    oldest: i64,
    /// The latest reason of the oldest that has one, and its age.
    reason: (i64, Vec<u8>),
}

/// The queue at an instant, by destination.
pub(super) fn shape(
    story: &Story<'_>,
    name: &'static str,
    title: &'static str,
    at: i64,
) -> Option<Section> {
    let mut destinations: BTreeMap<Vec<u8>, Destination> = BTreeMap::new();
    for told in story.told() {
        let stay = told.life.stay(story.period);
        if stay.is_some_and(|(start, end)| start <= at && at < end) {
            add(story, told, at, &mut destinations);
        }
    }
    let mut rows: Vec<(Vec<u8>, Destination)> = destinations.into_iter().collect();
    if rows.is_empty() {
        return None;
    }
    let total_rows = rows.len() as u64;
    keep_largest(&mut rows, story.closing.options.limit, |a, b| {
        b.1.recipients.cmp(&a.1.recipients).then_with(|| a.0.cmp(&b.0))
    });
    let mut columns = vec![Column::new("recipient_domain", Role::Key)];
    columns.push(Column::new("recipients", Role::Main));
    columns.push(Column::new("oldest", Role::Value));
    columns.extend(AGES.map(|(_, name)| Column::new(name, Role::Value)));
    columns.push(Column::new("older", Role::Value));
    columns.extend(["held", "attempts"].map(|name| Column::new(name, Role::Value)));
    columns.push(Column::new("reason", Role::Detail));
    let rows = rows.into_iter().map(|(domain, found)| cells(domain, found)).collect();
    Some(Section::table(name, title, Table { columns, rows, total_rows }))
}

fn cells(domain: Vec<u8>, found: Destination) -> Vec<Cell> {
    let mut cells = vec![Cell::Text(domain), Cell::Count(found.recipients)];
    cells.push(Cell::Duration(found.oldest));
    cells.extend(found.ages.map(Cell::Count));
    cells.extend([Cell::Count(found.held), Cell::Count(found.attempts)]);
    cells.push(match found.reason.1.is_empty() {
        true => Cell::Empty,
        false => Cell::Text(found.reason.1),
    });
    cells
}

/// Adds what a message waits for: the recipients whose last delivery was put off. Where none was tried yet nobody
/// knows them.
fn add(
    story: &Story<'_>,
    Told { life, events }: Told<'_>,
    at: i64,
    destinations: &mut BTreeMap<Vec<u8>, Destination>,
) {
    let until = events.partition_point(|event| event.time <= at);
    let mut last: BTreeMap<Symbol, (&Event, u64)> = BTreeMap::new();
    let mut held: Option<BTreeSet<Symbol>> = None;
    for event in &events[..until] {
        match event.step {
            Step::Held => _ = held.get_or_insert_default().insert(event.who),
            Step::Released | Step::Active => held = None,
            Step::Sent | Step::Deferred | Step::Bounced => {
                let (latest, attempts) = last.entry(event.who).or_insert((event, 0));
                (*latest, *attempts) = (event, *attempts + 1);
            }
            _ => {}
        }
    }
    let waits = |event: &Event| event.step == Step::Deferred;
    let age = at.saturating_sub(life.arrived);
    let (is_held, mut is_known) = (held.is_some(), false);
    for (event, attempts) in last.values().filter(|(event, _)| waits(event)) {
        let address = story.text(Field::RECIPIENT, event.who);
        let reason = story.reasons.text(Outcome::of(event).reason);
        let destination = destinations.entry(domain(address)).or_default();
        destination.add(age, *attempts, is_held, reason);
        is_known = true;
    }
    if !is_known {
        for name in untried(story, held) {
            destinations.entry(name).or_default().add(age, 0, is_held, b"");
        }
    }
}

/// What is said for the recipients of a message that nobody tried to deliver: where it goes, if a rule that put it on
/// hold named them.
fn untried(story: &Story<'_>, held: Option<BTreeSet<Symbol>>) -> Vec<Vec<u8>> {
    let Some(mut held) = held else { return vec![b"(not tried yet)".to_vec()] };
    held.remove(&Symbol::ABSENT);
    if held.is_empty() {
        return vec![b"(on hold)".to_vec()];
    }
    held.into_iter().map(|who| domain(story.text(Field::RECIPIENT, who))).collect()
}

impl Destination {
    fn add(&mut self, age: i64, attempts: u64, is_held: bool, reason: &[u8]) {
        self.recipients += 1;
        self.attempts += attempts;
        self.held += u64::from(is_held);
        let bucket = AGES.iter().position(|(minutes, _)| age <= minutes * 60 * SECOND);
        self.ages[bucket.unwrap_or(AGES.len())] += 1;
        self.oldest = self.oldest.max(age);
        let known = (self.reason.0, std::cmp::Reverse(&self.reason.1[..]));
        let is_first = self.reason.1.is_empty();
        if !reason.is_empty() && (is_first || (age, std::cmp::Reverse(reason)) > known) {
            self.reason = (age, reason.to_vec());
        }
    }
}

/// The domain of an address in lower case: names are the same in any case.
pub(in super::super) fn domain(address: &[u8]) -> Vec<u8> {
    let at = memchr::memrchr(b'@', address).map_or(0, |at| at + 1);
    address[at..].to_ascii_lowercase()
}

/// The messages that were longest in the queue.
pub(super) fn longest(story: &Story<'_>, stays: &Stays<'_>) -> Section {
    let mut columns = vec![Column::new("queue_id", Role::Key), Column::new("time", Role::Main)];
    columns.extend(
        ["host", "arrived", "removed", "activations", "sent", "deferred", "bounced", "size"]
            .map(|name| Column::new(name, Role::Value)),
    );
    columns.push(Column::new("sender", Role::Detail));
    columns.push(Column::new("reason", Role::Remark));
    let rows = stays.longest.iter().map(|(time, told)| long_life(story, *time, *told)).collect();
    let table = Table { columns, rows, total_rows: stays.total };
    Section::table("queue_longest", "Longest in the queue", table)
}

fn long_life(story: &Story<'_>, time: i64, told: Told<'_>) -> Vec<Cell> {
    let life = told.life;
    let mut cells = vec![Cell::text(life.id.text()), Cell::Duration(time)];
    cells.push(Cell::text_if_any(story.host(life)));
    cells.push(if life.has_arrival() { Cell::Instant(life.arrived) } else { Cell::Empty });
    cells.push(life.removed.map_or(Cell::Empty, Cell::Instant));
    cells.push(Cell::Count(u64::from(life.activations)));
    cells.extend(life.deliveries.map(|number| Cell::Count(u64::from(number))));
    cells.push(life.size.map_or(Cell::Empty, Cell::Bytes));
    cells.push(Cell::text_if_any(story.text(Field::SENDER, life.sender)));
    cells.push(Cell::text_if_any(latest_reason(story, told)));
    cells
}

/// Why the latest delivery of a message that failed did so. Of failures at one instant the texts decide, since numbers
/// of texts are different in every run.
pub(super) fn latest_reason<'s>(story: &'s Story<'_>, told: Told<'_>) -> &'s [u8] {
    let failed = |event: &&Event| matches!(event.step, Step::Deferred | Step::Bounced);
    let failures = told.events.iter().filter(failed);
    let reasons = failures.map(|event| (event.time, story.reasons.text(Outcome::of(event).reason)));
    reasons.max().map_or(&[], |(_, text)| text)
}

/// The messages that were delivered though the log does not say how large they are: it does not have the beginning of
/// their lives.
pub(super) fn without_size(story: &Story<'_>, told: &[Told<'_>]) -> Option<Section> {
    let mut rows: Vec<Told<'_>> = told.to_vec();
    let total_rows = rows.len() as u64;
    keep_largest(&mut rows, story.closing.options.limit, |a, b| {
        (a.life.first, a.life.id)
            .cmp(&(b.life.first, b.life.id))
            .then_with(|| story.host(a.life).cmp(story.host(b.life)))
    });
    let mut columns = vec![Column::new("queue_id", Role::Key), Column::new("sent", Role::Main)];
    columns.extend(["host", "first"].map(|name| Column::new(name, Role::Value)));
    let rows = rows.iter().map(|Told { life, .. }| {
        vec![
            Cell::text(life.id.text()),
            Cell::Count(u64::from(life.deliveries[0])),
            Cell::text_if_any(story.host(life)),
            Cell::Instant(life.first),
        ]
    });
    let table = Table { columns, rows: rows.collect(), total_rows };
    (total_rows > 0).then(|| Section::table("without_size", "Delivered without a size", table))
}

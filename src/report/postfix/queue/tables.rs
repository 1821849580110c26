//! What is told of lives: figures, the shape of the queue at an instant, the longest, the notifications.

use std::collections::BTreeMap;

use super::Story;
use super::event::{Event, Notice, Step};
use super::life::Life;
use crate::document::{Cell, Column, Fact, Role, Section, Table};
use crate::record::time::SECOND;
use crate::record::{Field, Symbol};
use crate::tally::{Sparse, keep_largest};

/// The figures.
pub(super) fn facts(story: &Story<'_>, peak: Option<(i64, u64)>) -> Section {
    let lives = &story.lives;
    let number = |is: fn(&Life) -> bool| lives.iter().filter(|life| is(life)).count() as u64;
    let sum = |of: fn(&Life) -> u64| lives.iter().map(of).sum::<u64>();
    let count = |name, number| Fact::new(name, Cell::Count(number));
    let mut facts = vec![
        count("messages", number(|life| life.queued.is_some())),
        count("received", number(|life| life.is_received)),
        count("never_queued", number(|life| life.queued.is_none() && life.notice.is_none())),
        count("from_before", number(|life| life.is_from_before && life.queued.is_some())),
        count("notifications", number(|life| life.notice.is_some())),
        count("removed", number(|life| life.removed.is_some())),
        count("left", number(|life| life.removed.is_none() && life.queued.is_some())),
        count("held", number(|life| life.was_held)),
        count("deferred_messages", number(|life| life.deliveries[1] > 0)),
        count("bounced_messages", number(|life| life.deliveries[2] > 0)),
        count("expired_messages", number(|life| life.is_expired)),
        count("deliveries", sum(|life| life.deliveries[0])),
        count("deferrals", sum(|life| life.deliveries[1])),
        count("bounces", sum(|life| life.deliveries[2])),
        count("activations", sum(|life| life.activations)),
        Fact::new(
            "bytes_received",
            Cell::Bytes(sum(|life| life.size.filter(|_| life.is_received).unwrap_or(0))),
        ),
        Fact::new(
            "bytes_delivered",
            Cell::Bytes(sum(|life| life.size.unwrap_or(0).saturating_mul(life.deliveries[0]))),
        ),
        count(
            "delivered_without_size",
            sum(|life| match life.size {
                None => life.deliveries[0],
                Some(_) => 0,
            }),
        ),
    ];
    facts.extend(times(story));
    if let Some((at, depth)) = peak {
        facts.push(Fact::new("peak", Cell::Count(depth)));
        facts.push(Fact::new("peak_at", Cell::Instant(at)));
    }
    Section::facts("queue", "The queue", facts)
}

fn times(story: &Story<'_>) -> Vec<Fact> {
    let mut times = Sparse::default();
    let known = story.lives.iter().filter_map(Life::time_in_queue);
    known.for_each(|micros| times.add(micros.max(0) as u64));
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
    /// The age of the oldest, and its latest reason.
    oldest: (i64, Vec<u8>),
}

/// The queue at an instant, by destination.
pub(super) fn shape(
    story: &Story<'_>,
    name: &'static str,
    title: &'static str,
    at: i64,
) -> Option<Section> {
    let mut destinations: BTreeMap<Vec<u8>, Destination> = BTreeMap::new();
    for life in &story.lives {
        let is_there = life.stay(story.period).is_some_and(|(start, end)| start <= at && at < end);
        if is_there {
            add(story, life, at, &mut destinations);
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
    cells.push(Cell::Duration(found.oldest.0));
    cells.extend(found.ages.map(Cell::Count));
    cells.extend([Cell::Count(found.held), Cell::Count(found.attempts)]);
    cells.push(match found.oldest.1.is_empty() {
        true => Cell::Empty,
        false => Cell::Text(found.oldest.1),
    });
    cells
}

/// Adds what a message waits for: the recipients whose last delivery was put off. Where none was tried yet nobody
/// knows them.
fn add(story: &Story<'_>, life: &Life, at: i64, destinations: &mut BTreeMap<Vec<u8>, Destination>) {
    let events = story.events_of(life);
    let until = events.partition_point(|event| event.time <= at);
    let mut last: BTreeMap<Symbol, (&Event, u64)> = BTreeMap::new();
    let mut is_held = false;
    for event in &events[..until] {
        match event.step {
            Step::Held => is_held = true,
            Step::Released | Step::Active => is_held = false,
            Step::Sent | Step::Deferred | Step::Bounced => {
                let (latest, attempts) = last.entry(event.who).or_insert((event, 0));
                (*latest, *attempts) = (event, *attempts + 1);
            }
            _ => {}
        }
    }
    let waits = |event: &Event| event.step == Step::Deferred;
    let age = at.saturating_sub(life.first);
    let mut is_known = false;
    for (event, attempts) in last.values().filter(|(event, _)| waits(event)) {
        let address = story.text(Field::RECIPIENT, event.who);
        let reason = story.reasons.text(Symbol(event.amount as u32));
        let destination = destinations.entry(domain(address)).or_default();
        destination.add(age, *attempts, is_held, reason);
        is_known = true;
    }
    if !is_known {
        let unknown = if is_held { "(on hold)" } else { "(not tried yet)" };
        let destination = destinations.entry(unknown.as_bytes().to_vec()).or_default();
        destination.add(age, 0, is_held, b"");
    }
}

impl Destination {
    fn add(&mut self, age: i64, attempts: u64, is_held: bool, reason: &[u8]) {
        self.recipients += 1;
        self.attempts += attempts;
        self.held += u64::from(is_held);
        let bucket = AGES.iter().position(|(minutes, _)| age <= minutes * 60 * SECOND);
        self.ages[bucket.unwrap_or(AGES.len())] += 1;
        let known = (self.oldest.0, std::cmp::Reverse(&self.oldest.1[..]));
        if self.recipients == 1 || (age, std::cmp::Reverse(reason)) > known {
            self.oldest = (age, reason.to_vec());
        }
    }
}

/// The domain of an address in lower case: names are the same in any case.
pub(in super::super) fn domain(address: &[u8]) -> Vec<u8> {
    let at = memchr::memrchr(b'@', address).map_or(0, |at| at + 1);
    address[at..].to_ascii_lowercase()
}

/// The messages that were longest in the queue.
pub(super) fn longest(story: &Story<'_>) -> Section {
    let stays = story.lives.iter().filter_map(|life| Some((life.stay(story.period)?, life)));
    let mut rows: Vec<(i64, &Life)> = stays
        .map(|((start, end), life)| (end.min(story.period.1).saturating_sub(start), life))
        .collect();
    let total_rows = rows.len() as u64;
    keep_largest(&mut rows, story.closing.options.limit.max(1), |a, b| {
        let host = |life: &Life| story.text(Field::LOGHOST, life.host);
        b.0.cmp(&a.0)
            .then_with(|| (a.1.first, a.1.id).cmp(&(b.1.first, b.1.id)))
            .then_with(|| host(a.1).cmp(host(b.1)))
    });
    let mut columns = vec![Column::new("queue_id", Role::Key), Column::new("time", Role::Main)];
    columns.extend(
        ["host", "arrived", "removed", "activations", "sent", "deferred", "bounced", "size"]
            .map(|name| Column::new(name, Role::Value)),
    );
    columns.extend(["sender", "reason"].map(|name| Column::new(name, Role::Detail)));
    let rows = rows.into_iter().map(|(time, life)| long_life(story, time, life)).collect();
    Section::table("queue_longest", "Longest in the queue", Table { columns, rows, total_rows })
}

fn long_life(story: &Story<'_>, time: i64, life: &Life) -> Vec<Cell> {
    let failed = |event: &&Event| matches!(event.step, Step::Deferred | Step::Bounced);
    let failures = story.events_of(life).iter().filter(failed);
    // Of failures at one instant the texts decide, since numbers of texts are different in every run.
    let reason = failures
        .map(|event| (event.time, story.reasons.text(Symbol(event.amount as u32))))
        .max()
        .map(|(_, text)| text);
    let text = |text: &[u8]| if text.is_empty() { Cell::Empty } else { Cell::text(text) };
    let mut cells = vec![Cell::text(life.id.text()), Cell::Duration(time)];
    cells.push(text(story.text(Field::LOGHOST, life.host)));
    cells.push(if life.is_from_before { Cell::Empty } else { Cell::Instant(life.first) });
    cells.push(life.removed.map_or(Cell::Empty, Cell::Instant));
    cells.push(Cell::Count(life.activations));
    cells.extend(life.deliveries.map(Cell::Count));
    cells.push(life.size.map_or(Cell::Empty, Cell::Bytes));
    cells.push(text(story.text(Field::SENDER, life.sender)));
    cells.push(reason.map_or(Cell::Empty, text));
    cells
}

const NOTICES: [(Notice, &str); 4] = [
    (Notice::Failure, "non-delivery, to the sender"),
    (Notice::Delay, "delay, to the sender"),
    (Notice::Success, "delivery, to the sender"),
    (Notice::Postmaster, "to the postmaster"),
];

/// Messages about messages, and what became of them: a bounce that bounces is one that nobody reads.
pub(super) fn notifications(story: &Story<'_>) -> Option<Section> {
    let columns = ["notification", "count", "delivered", "deferred", "bounced", "left"];
    let mut rows = Vec::new();
    for (notice, name) in NOTICES {
        let made = || story.lives.iter().filter(|life| life.notice == Some(notice));
        let number =
            |is: fn(&Life) -> bool| Cell::Count(made().filter(|life| is(life)).count() as u64);
        if made().next().is_some() {
            rows.push(vec![
                Cell::text(name),
                number(|_| true),
                number(|life| life.deliveries[0] > 0),
                number(|life| life.deliveries[1] > 0),
                number(|life| life.deliveries[2] > 0),
                number(|life| life.removed.is_none()),
            ]);
        }
    }
    let roles = [Role::Key, Role::Main].into_iter().chain(std::iter::repeat(Role::Value));
    let columns = columns.into_iter().zip(roles).map(|(name, role)| Column::new(name, role));
    let total_rows = rows.len() as u64;
    let table = Table { columns: columns.collect(), rows, total_rows };
    (total_rows > 0).then(|| Section::table("notifications", "Notifications", table))
}

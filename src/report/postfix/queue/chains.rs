//! Notifications: messages about messages, and what became of them. One that bounces is one that nobody reads.

use super::event::{Id, Notice, Step, part};
use super::life::Life;
use super::tables::latest_reason;
use super::{Story, Told};
use crate::document::{Cell, Column, Role, Section, Table};
use crate::record::{Field, Symbol};
use crate::tally::keep_largest;

const NOTICES: [(Notice, &str); 4] = [
    (Notice::Failure, "non-delivery, to the sender"),
    (Notice::Delay, "delay, to the sender"),
    (Notice::Success, "delivery, to the sender"),
    (Notice::Postmaster, "to the postmaster"),
];

/// The sums, and the single ones: those first that did not arrive.
pub(super) fn sections(story: &Story<'_>, notices: &[Told<'_>]) -> Vec<Section> {
    if notices.is_empty() {
        return Vec::new();
    }
    vec![sums(notices), chains(story, notices)]
}

fn sums(notices: &[Told<'_>]) -> Section {
    let columns = ["notification", "count", "delivered", "deferred", "bounced", "left"];
    let mut rows = Vec::new();
    for (notice, name) in NOTICES {
        let made = || notices.iter().filter(|told| told.life.notice == Some(notice));
        let number =
            |is: fn(&Life) -> bool| Cell::Count(made().filter(|told| is(told.life)).count() as u64);
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
    Section::table("notifications", "Notifications", table)
}

/// What became of a notification, the worst first.
fn outcome(life: &Life) -> &'static str {
    match (life.deliveries, life.removed) {
        ([_, _, bounced], _) if bounced > 0 => "bounced",
        ([_, deferred, _], None) if deferred > 0 => "deferred",
        ([sent, ..], _) if sent > 0 => "delivered",
        (_, None) => "left",
        (_, Some(_)) => "removed",
    }
}

fn rank(life: &Life) -> usize {
    let worst_first = ["bounced", "deferred", "left", "removed", "delivered"];
    worst_first.iter().position(|word| *word == outcome(life)).unwrap_or(worst_first.len())
}

fn chains(story: &Story<'_>, notices: &[Told<'_>]) -> Section {
    let mut rows: Vec<Told<'_>> = notices.to_vec();
    let total_rows = rows.len() as u64;
    keep_largest(&mut rows, story.closing.options.limit, |a, b| {
        let key = |life: &Life| (rank(life), life.first, life.id);
        key(a.life).cmp(&key(b.life)).then_with(|| story.host(a.life).cmp(story.host(b.life)))
    });
    let mut columns = vec![Column::new("queue_id", Role::Key), Column::new("time", Role::Main)];
    columns.extend(["about", "notification", "outcome"].map(|name| Column::new(name, Role::Value)));
    columns.extend(["sender", "reason", "own_reason"].map(|name| Column::new(name, Role::Detail)));
    let rows = rows.into_iter().map(|told| row(story, told)).collect();
    let table = Table { columns, rows, total_rows };
    Section::table("notification_chains", "Notifications one by one", table)
}

/// The notification, the message that it is about with its sender and what befell it, and what befell itself.
fn row(story: &Story<'_>, told: Told<'_>) -> Vec<Cell> {
    let made = told.events.iter().find(|event| matches!(event.step, Step::Notice(_)));
    let about = made.map_or(Symbol::ABSENT, |event| Symbol(event.amount as u32));
    let about = story.parents.text(about);
    let parent = Id::of(about).and_then(|id| living(story, id, told.life));
    let name = NOTICES.iter().find(|(notice, _)| told.life.notice == Some(*notice));
    vec![
        Cell::text(told.life.id.text()),
        Cell::Instant(told.life.first),
        Cell::text_if_any(about),
        Cell::text(name.map_or("", |(_, name)| name)),
        Cell::text(outcome(told.life)),
        parent.map_or(Cell::Empty, |told| {
            Cell::text_if_any(story.text(Field::SENDER, told.life.sender))
        }),
        parent.map_or(Cell::Empty, |told| Cell::text_if_any(latest_reason(story, told))),
        Cell::text_if_any(latest_reason(story, told)),
    ]
}

/// The message of that id that lived when a notification was made.
fn living<'s>(story: &'s Story<'_>, id: Id, notice: &Life) -> Option<Told<'s>> {
    let part = story.parts.get(part(id))?;
    let own = |told: &Told<'_>| told.life.id == id && told.life.host == notice.host;
    let start = part.lives.partition_point(|life| life.id < id);
    let lives = part.told().skip(start).take_while(|told| told.life.id == id).filter(own);
    lives.take_while(|told| told.life.first <= notice.first).last()
}

//! Every step of every message, where there are few of them: the story of one that was asked for by its id.

use super::event::{Event, Notice, Outcome, Step};
use super::{Story, Told};
use crate::document::{Cell, Column, Role, Section, Table};
use crate::record::{Field, Symbol};

/// The section `message_detail`; `None` where there are more messages than rows of a table.
pub(super) fn section(story: &Story<'_>) -> Option<Section> {
    /// A message with thousands of recipients is not told to its end.
    const STEPS: usize = 100;
    let limit = story.closing.options.limit;
    let count = story.parts.iter().map(|part| part.lives.len()).sum::<usize>();
    if limit > 0 && count > limit {
        return None;
    }
    let mut lives: Vec<Told<'_>> = story.told().collect();
    lives.sort_unstable_by(|a, b| {
        let key = |told: &Told<'_>| (told.life.first, told.life.id);
        key(a).cmp(&key(b)).then_with(|| story.host(a.life).cmp(story.host(b.life)))
    });
    let steps = lives.into_iter().flat_map(|told| steps(story, told));
    let mut rows: Vec<Vec<Cell>> = steps.collect();
    let total_rows = rows.len() as u64;
    if limit > 0 {
        rows.truncate(limit.saturating_mul(STEPS));
    }
    let mut columns = vec![Column::new("queue_id", Role::Key), Column::new("time", Role::Main)];
    columns.extend(
        ["host", "step", "who", "size", "program"].map(|name| Column::new(name, Role::Value)),
    );
    columns.push(Column::new("reason", Role::Remark));
    Some(Section::table(
        "message_detail",
        "Messages step by step",
        Table { columns, rows, total_rows },
    ))
}

/// The steps of a message in their order; of those at one instant texts decide, not numbers of texts.
fn steps(story: &Story<'_>, told: Told<'_>) -> Vec<Vec<Cell>> {
    let mut steps: Vec<(i64, Step, [&[u8]; 3], u64)> = (told.events.iter())
        .map(|event| (event.time, event.step, texts(story, event), event.amount))
        .collect();
    steps.sort_unstable_by(|a, b| {
        let size = |step: &(i64, Step, [&[u8]; 3], u64)| size(step.1, step.3);
        (a.0, a.1, a.2, size(a)).cmp(&(b.0, b.1, b.2, size(b)))
    });
    let rows = steps.into_iter().map(|(time, step, [who, program, reason], amount)| {
        vec![
            Cell::text(told.life.id.text()),
            Cell::Instant(time),
            Cell::text_if_any(story.host(told.life)),
            Cell::text(word(step)),
            Cell::text_if_any(who),
            size(step, amount).map_or(Cell::Empty, Cell::Bytes),
            Cell::text_if_any(program),
            Cell::text_if_any(reason),
        ]
    });
    rows.collect()
}

fn size(step: Step, amount: u64) -> Option<u64> {
    if step == Step::Active { amount.checked_sub(1) } else { None }
}

/// Who a step is about, the program that did it, and why.
fn texts<'s>(story: &'s Story<'_>, event: &Event) -> [&'s [u8]; 3] {
    match event.step {
        Step::Active => [name(story.text(Field::SENDER, event.who)), b"", b""],
        Step::Held => [story.text(Field::RECIPIENT, event.who), b"", b""],
        Step::Notice(_) => [story.parents.text(Symbol(event.amount as u32)), b"", b""],
        Step::Sent | Step::Deferred | Step::Bounced => {
            let Outcome { program, reason } = Outcome::of(event);
            let program = story.text(Field::PROGRAM, program);
            [name(story.text(Field::RECIPIENT, event.who)), program, story.reasons.text(reason)]
        }
        _ => [b"", b"", b""],
    }
}

fn name(address: &[u8]) -> &[u8] {
    if address.is_empty() { b"<>" } else { address }
}

fn word(step: Step) -> &'static str {
    match step {
        Step::Received => "received",
        Step::Notice(Notice::Failure) => "made: non-delivery of",
        Step::Notice(Notice::Delay) => "made: delay of",
        Step::Notice(Notice::Success) => "made: delivery of",
        Step::Notice(Notice::Postmaster) => "made: notice to the postmaster of",
        Step::Held => "held",
        Step::Released => "released",
        Step::Active => "active",
        Step::Sent => "sent",
        Step::Deferred => "deferred",
        Step::Bounced => "bounced",
        Step::Expired => "expired",
        Step::Requeued => "requeued",
        Step::Removed => "removed",
    }
}

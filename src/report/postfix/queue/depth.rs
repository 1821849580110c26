//! How many messages stood in the queue when, and how old the oldest was.

use super::Story;
use super::event::Step;
use super::life::Life;
use crate::document::{Cell, Column, Role, Section, Series};
use crate::record::time::SECOND;
use crate::report::traffic::LENGTHS;

/// The steps that are shown.
const MOST_STEPS: i64 = 120;

/// The first instant at which the queue was fullest, and how many stood in it.
pub(super) fn peak(story: &Story<'_>) -> Option<(i64, u64)> {
    let stays = story.lives.iter().filter_map(|life| life.stay(story.period));
    let mut changes: Vec<(i64, i64)> =
        stays.flat_map(|(start, end)| [(start, 1), (end, -1)]).collect();
    // Of changes at one instant the departures come first.
    changes.sort_unstable();
    let (mut depth, mut peak) = (0_i64, None::<(i64, i64)>);
    for (at, change) in changes {
        depth += change;
        if depth > peak.map_or(0, |(_, most)| most) {
            peak = Some((at, depth));
        }
    }
    peak.map(|(at, depth)| (at, depth as u64))
}

/// Steps of equal length over the time of the log.
struct Steps {
    start: i64,
    step: i64,
    count: usize,
}

impl Steps {
    fn of(first: i64, last: i64) -> Option<Self> {
        let longer = (0..11).map(|zeros| 86_400_i64.saturating_mul(10_i64.pow(zeros + 3)));
        let lengths = LENGTHS.into_iter().chain(longer);
        let mut steps = lengths.map(|seconds| seconds.saturating_mul(SECOND));
        let number = |instant: i64, step: i64| instant.div_euclid(step);
        let step = steps.find(|step| number(last, *step) - number(first, *step) < MOST_STEPS)?;
        let start = number(first, step);
        let count = (number(last, step) - start) as usize + 1;
        Some(Self { start: start.saturating_mul(step), step, count })
    }

    /// The steps at whose ends something is there that comes at `start` and goes at `end`.
    fn within(&self, start: i64, end: i64) -> std::ops::Range<usize> {
        let number = |instant: i64| {
            let number = instant.saturating_sub(self.start).div_euclid(self.step);
            number.clamp(0, self.count as i64) as usize
        };
        number(start)..number(end)
    }

    /// The end of a step.
    fn end(&self, step: usize) -> i64 {
        self.start.saturating_add(self.step.saturating_mul(step as i64 + 1))
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    arrived: u64,
    left: u64,
    depth: i64,
    deferred: i64,
    held: i64,
    oldest: Option<i64>,
}

/// The series `queue_over_time`.
pub(super) fn over_time(story: &Story<'_>) -> Option<Section> {
    let (first, last) = story.period;
    let steps = Steps::of(first, last)?;
    let mut slots = vec![Slot::default(); steps.count];
    let mut lives: Vec<(i64, i64, &Life)> = (story.lives.iter())
        .filter_map(|life| life.stay(story.period).map(|(start, end)| (start, end, life)))
        .collect();
    lives.sort_unstable_by_key(|(start, end, _)| (*start, *end));
    for (start, end, life) in &lives {
        // What is left at the end is there at the end of the last step.
        let end = if life.removed.is_some() { *end } else { i64::MAX };
        count(&mut slots, &steps, life, *start, end);
        waits(&mut slots, &steps, story, life, end);
    }
    Some(Section::series("queue_over_time", "The queue over time", series(&steps, &slots)))
}

/// Arrival, departure and the steps between. Lives come in order of their arrival: the first that covers a step is the
/// oldest there.
fn count(slots: &mut [Slot], steps: &Steps, life: &Life, start: i64, end: i64) {
    let within = steps.within(start, end);
    if !life.is_from_before
        && let Some(slot) = slots.get_mut(within.start)
    {
        slot.arrived += 1;
    }
    if life.removed.is_some()
        && let Some(slot) = slots.get_mut(within.end)
    {
        slot.left += 1;
    }
    for slot in &mut slots[within] {
        slot.depth += 1;
        slot.oldest = slot.oldest.or(Some(start));
    }
}

/// The times from a deferral to the next activation, and those on hold.
fn waits(slots: &mut [Slot], steps: &Steps, story: &Story<'_>, life: &Life, end: i64) {
    let (mut deferred, mut held) = (None, None);
    for event in story.events_of(life) {
        match event.step {
            Step::Deferred => deferred = deferred.or(Some(event.time)),
            Step::Held => held = held.or(Some(event.time)),
            Step::Active | Step::Removed | Step::Requeued | Step::Released => {
                let waited = deferred.take().map(|from| steps.within(from, event.time));
                slots[waited.unwrap_or_default()].iter_mut().for_each(|slot| slot.deferred += 1);
                let waited = held.take().map(|from| steps.within(from, event.time));
                slots[waited.unwrap_or_default()].iter_mut().for_each(|slot| slot.held += 1);
            }
            _ => {}
        }
    }
    let waited = deferred.map(|from| steps.within(from, end)).unwrap_or_default();
    slots[waited].iter_mut().for_each(|slot| slot.deferred += 1);
    let waited = held.map(|from| steps.within(from, end)).unwrap_or_default();
    slots[waited].iter_mut().for_each(|slot| slot.held += 1);
}

fn series(steps: &Steps, slots: &[Slot]) -> Series {
    let mut columns = vec![Column::new("depth", Role::Main)];
    columns.extend(
        ["deferred", "held", "arrived", "left", "oldest"]
            .map(|name| Column::new(name, Role::Value)),
    );
    let amount = |number: i64| Cell::Count(number.max(0) as u64);
    let points = slots.iter().enumerate().map(|(step, slot)| {
        let age = slot.oldest.map(|start| steps.end(step).saturating_sub(start));
        vec![
            amount(slot.depth),
            amount(slot.deferred),
            amount(slot.held),
            Cell::Count(slot.arrived),
            Cell::Count(slot.left),
            age.map_or(Cell::Empty, Cell::Duration),
        ]
    });
    Series { start: steps.start, step: steps.step, columns, points: points.collect() }
}

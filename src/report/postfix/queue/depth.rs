//! How many messages stood in the queue when, and how old the oldest was.

use super::Told;
use super::event::Step;
use crate::document::{Cell, Column, Role, Section, Series};
use crate::record::time::SECOND;
use crate::report::traffic::LENGTHS;

/// The steps that are shown.
const MOST_STEPS: i64 = 120;

/// Steps of equal length over the time of the log.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    start: i64,
    step: i64,
    rows: Vec<Row>,
}

/// What changes with a step, and what is the oldest at its end.
#[derive(Debug, Clone, Copy)]
struct Row {
    arrived: u64,
    left: u64,
    depth: i64,
    deferred: i64,
    held: i64,
    oldest: i64,
}

impl Row {
    const NOTHING: Self =
        Self { arrived: 0, left: 0, depth: 0, deferred: 0, held: 0, oldest: i64::MAX };
}

impl Steps {
    /// Steps for a log of that period.
    pub(super) fn of((first, last): (i64, i64)) -> Option<Self> {
        let longer = (0..11).map(|zeros| 86_400_i64.saturating_mul(10_i64.pow(zeros + 3)));
        let lengths = LENGTHS.into_iter().chain(longer);
        let mut steps = lengths.map(|seconds| seconds.saturating_mul(SECOND));
        let number = |instant: i64, step: i64| instant.div_euclid(step);
        let step = steps.find(|step| number(last, *step) - number(first, *step) < MOST_STEPS)?;
        let start = number(first, step);
        let count = (number(last, step) - start) as usize + 1;
        // One more for what changes behind the last step.
        let rows = vec![Row::NOTHING; count + 1];
        Some(Self { start: start.saturating_mul(step), step, rows })
    }

    fn shown(&self) -> usize {
        self.rows.len() - 1
    }

    /// The steps at whose ends something is there that comes at `start` and goes at `end`.
    fn within(&self, start: i64, end: i64) -> std::ops::Range<usize> {
        let number = |instant: i64| {
            let number = instant.saturating_sub(self.start).div_euclid(self.step);
            number.clamp(0, self.shown() as i64) as usize
        };
        number(start)..number(end)
    }

    /// The end of a step.
    fn end(&self, step: usize) -> i64 {
        self.start.saturating_add(self.step.saturating_mul(step as i64 + 1))
    }

    /// Counts a stay.
    pub(super) fn add(&mut self, told: Told<'_>, start: i64, end: i64) {
        let life = told.life;
        // What is left at the end is there at the end of the last step.
        let end = if life.removed.is_some() { end } else { i64::MAX };
        let within = self.within(start, end);
        if within.start < self.shown() {
            self.rows[within.start].arrived += u64::from(!life.is_from_before);
        }
        if within.end < self.shown() {
            self.rows[within.end].left += u64::from(life.removed.is_some());
        }
        self.change(within.clone(), |row| &mut row.depth);
        for row in &mut self.rows[within] {
            row.oldest = row.oldest.min(start.min(life.arrived));
        }
        if life.deliveries[1] > 0 || life.was_held {
            self.waits(told, end);
        }
    }

    /// The times from a deferral to the next activation, and those on hold.
    fn waits(&mut self, told: Told<'_>, end: i64) {
        let (mut deferred, mut held) = (None, None);
        for event in told.events {
            match event.step {
                Step::Deferred => deferred = deferred.or(Some(event.time)),
                Step::Held => held = held.or(Some(event.time)),
                Step::Active | Step::Removed | Step::Requeued | Step::Released => {
                    self.wait(deferred.take(), held.take(), event.time);
                }
                _ => {}
            }
        }
        self.wait(deferred, held, end);
    }

    fn wait(&mut self, deferred: Option<i64>, held: Option<i64>, end: i64) {
        if let Some(from) = deferred {
            self.change(self.within(from, end), |row| &mut row.deferred);
        }
        if let Some(from) = held {
            self.change(self.within(from, end), |row| &mut row.held);
        }
    }

    /// One more from a step on, one less from another on.
    fn change(&mut self, within: std::ops::Range<usize>, of: fn(&mut Row) -> &mut i64) {
        if !within.is_empty() {
            *of(&mut self.rows[within.start]) += 1;
            *of(&mut self.rows[within.end]) -= 1;
        }
    }

    /// Adds what was counted over the same steps.
    pub(super) fn merge(&mut self, other: &Self) {
        for (own, more) in self.rows.iter_mut().zip(&other.rows) {
            own.arrived += more.arrived;
            own.left += more.left;
            own.depth += more.depth;
            own.deferred += more.deferred;
            own.held += more.held;
            own.oldest = own.oldest.min(more.oldest);
        }
    }
}

/// The series `queue_over_time`.
pub(super) fn section(steps: &Steps) -> Section {
    let mut columns = vec![Column::new("depth", Role::Main)];
    columns.extend(
        ["deferred", "held", "arrived", "left", "oldest"]
            .map(|name| Column::new(name, Role::Value)),
    );
    let amount = |number: i64| Cell::Count(number.max(0) as u64);
    let mut sums = (0, 0, 0);
    let points = steps.rows[..steps.shown()].iter().enumerate().map(|(step, row)| {
        sums = (sums.0 + row.depth, sums.1 + row.deferred, sums.2 + row.held);
        let age = steps.end(step).saturating_sub(row.oldest);
        vec![
            amount(sums.0),
            amount(sums.1),
            amount(sums.2),
            Cell::Count(row.arrived),
            Cell::Count(row.left),
            if row.oldest == i64::MAX { Cell::Empty } else { Cell::Duration(age) },
        ]
    });
    let points = points.collect();
    let series = Series { start: steps.start, step: steps.step, columns, points };
    Section::series("queue_over_time", "The queue over time", series)
}

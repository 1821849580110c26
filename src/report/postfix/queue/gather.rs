//! One pass over all lives, several parts side by side: what the sections are made from.

use rayon::prelude::*;

use super::depth::Steps;
use super::life::Life;
use super::sizes::Sums;
use super::{Part, Story, Told};
use crate::tally::{Sparse, keep_largest};

/// Numbers of messages and of what happened to them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Figures {
    pub(super) messages: u64,
    pub(super) received: u64,
    pub(super) were_before: u64,
    pub(super) never_queued: u64,
    pub(super) from_before: u64,
    pub(super) notifications: u64,
    pub(super) removed: u64,
    pub(super) left: u64,
    pub(super) held: u64,
    pub(super) deferred_messages: u64,
    pub(super) bounced_messages: u64,
    pub(super) expired_messages: u64,
    /// Sent, deferred, bounced.
    pub(super) deliveries: [u64; 3],
    pub(super) activations: u64,
    pub(super) bytes_received: u64,
    pub(super) bytes_delivered: u64,
    pub(super) delivered_without_size: u64,
}

impl Figures {
    fn add(&mut self, life: &Life) {
        let one = u64::from;
        let [sent, deferred, bounced] = life.deliveries.map(u64::from);
        self.messages += one(life.is_queued);
        self.received += one(life.is_received);
        self.were_before += one(life.was_before);
        self.never_queued += one(!life.is_queued && life.notice.is_none());
        self.from_before += one(life.is_from_before && life.is_queued);
        self.notifications += one(life.notice.is_some());
        self.removed += one(life.removed.is_some());
        self.left += one(life.is_left());
        self.held += one(life.was_held);
        self.deferred_messages += one(deferred > 0);
        self.bounced_messages += one(bounced > 0);
        self.expired_messages += one(life.is_expired);
        for (own, more) in self.deliveries.iter_mut().zip([sent, deferred, bounced]) {
            *own += more;
        }
        self.activations += u64::from(life.activations);
        match life.size {
            Some(size) => {
                let received = if life.is_received { size } else { 0 };
                self.bytes_received = self.bytes_received.saturating_add(received);
                let delivered = size.saturating_mul(sent);
                self.bytes_delivered = self.bytes_delivered.saturating_add(delivered);
            }
            None => self.delivered_without_size += sent,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.messages += other.messages;
        self.received += other.received;
        self.were_before += other.were_before;
        self.never_queued += other.never_queued;
        self.from_before += other.from_before;
        self.notifications += other.notifications;
        self.removed += other.removed;
        self.left += other.left;
        self.held += other.held;
        self.deferred_messages += other.deferred_messages;
        self.bounced_messages += other.bounced_messages;
        self.expired_messages += other.expired_messages;
        self.deliveries.iter_mut().zip(other.deliveries).for_each(|(own, more)| *own += more);
        self.activations += other.activations;
        self.bytes_received = self.bytes_received.saturating_add(other.bytes_received);
        self.bytes_delivered = self.bytes_delivered.saturating_add(other.bytes_delivered);
        self.delivered_without_size += other.delivered_without_size;
    }
}

/// What came of the pass.
pub(super) struct Gathered<'s> {
    pub(super) figures: Figures,
    /// Times in the queue, of those whose beginning and end the log tells.
    pub(super) times: Sparse,
    pub(super) steps: Option<Steps>,
    pub(super) sums: Sums,
    /// The longest stays, ordered; with how many there were.
    pub(super) stays: Stays<'s>,
    pub(super) notices: Vec<Told<'s>>,
    pub(super) without_size: Vec<Told<'s>>,
    /// The first instant at which the queue was fullest, and how many stood in it.
    pub(super) peak: Option<(i64, u64)>,
    changes: Vec<i64>,
}

/// Stays in the queue with their lengths: the longest of them, as many as are wanted.
#[derive(Default)]
pub(super) struct Stays<'s> {
    pub(super) longest: Vec<(i64, Told<'s>)>,
    pub(super) total: u64,
}

impl<'s> Stays<'s> {
    fn add(&mut self, story: &Story<'_>, micros: i64, told: Told<'s>) {
        /// So seldom are the longest selected that it costs nothing.
        const ROOM: usize = 4_096;
        self.total += 1;
        self.longest.push((micros, told));
        let most = story.closing.options.limit;
        if most > 0 && self.longest.len() > most.saturating_add(ROOM) {
            self.select(story);
        }
    }

    fn select(&mut self, story: &Story<'_>) {
        keep_largest(&mut self.longest, story.closing.options.limit, |a, b| {
            b.0.cmp(&a.0)
                .then_with(|| (a.1.life.first, a.1.life.id).cmp(&(b.1.life.first, b.1.life.id)))
                .then_with(|| story.host(a.1.life).cmp(story.host(b.1.life)))
        });
    }
}

impl<'s> Gathered<'s> {
    /// Looks at all lives once.
    pub(super) fn of(story: &'s Story<'_>) -> Self {
        let share = story.parts.len().div_ceil(rayon::current_num_threads()).max(1);
        let shares = story.parts.par_chunks(share).map(|parts| Self::of_parts(story, parts));
        let mut all = shares.reduce_with(Self::merge).unwrap_or_else(|| Self::nothing(story));
        all.stays.select(story);
        all.peak = peak(std::mem::take(&mut all.changes));
        all
    }

    fn nothing(story: &Story<'_>) -> Self {
        Self {
            figures: Figures::default(),
            times: Sparse::default(),
            steps: Steps::of(story.period),
            sums: Sums::default(),
            stays: Stays::default(),
            notices: Vec::new(),
            without_size: Vec::new(),
            peak: None,
            changes: Vec::new(),
        }
    }

    fn of_parts(story: &'s Story<'_>, parts: &'s [Part]) -> Self {
        let mut gathered = Self::nothing(story);
        for told in parts.iter().flat_map(Part::told) {
            gathered.add(story, told);
        }
        gathered
    }

    fn add(&mut self, story: &Story<'_>, told: Told<'s>) {
        let life = told.life;
        self.figures.add(life);
        if let Some(micros) = life.time_in_queue() {
            self.times.add(micros.max(0) as u64);
        }
        if let Some((start, end)) = life.stay(story.period) {
            self.changes.extend([change(start, true), change(end, false)]);
            let since = start.min(life.arrived);
            self.stays.add(story, end.min(story.period.1).saturating_sub(since), told);
            if let Some(steps) = &mut self.steps {
                steps.add(told, start, end);
            }
        }
        if life.notice.is_some() {
            self.notices.push(told);
        }
        if life.size.is_none() && life.deliveries[0] > 0 {
            self.without_size.push(told);
        }
        self.sums.add(told);
    }

    fn merge(mut self, mut other: Self) -> Self {
        self.figures.merge(&other.figures);
        self.times.merge(other.times);
        if let (Some(own), Some(more)) = (&mut self.steps, &other.steps) {
            own.merge(more);
        }
        self.sums.merge(other.sums);
        self.stays.longest.append(&mut other.stays.longest);
        self.stays.total += other.stays.total;
        self.notices.append(&mut other.notices);
        self.without_size.append(&mut other.without_size);
        self.changes.append(&mut other.changes);
        self
    }
}

/// An arrival or a departure as a number that sorts by time, departures first.
fn change(at: i64, is_arrival: bool) -> i64 {
    at.saturating_mul(2).saturating_add(i64::from(is_arrival))
}

fn peak(mut changes: Vec<i64>) -> Option<(i64, u64)> {
    changes.par_sort_unstable();
    let (mut depth, mut peak) = (0_i64, None::<(i64, i64)>);
    for change in changes {
        depth += (change & 1) * 2 - 1;
        if depth > peak.map_or(0, |(_, most)| most) {
            peak = Some((change >> 1, depth));
        }
    }
    peak.map(|(at, depth)| (at, depth as u64))
}

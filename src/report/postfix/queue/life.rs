//! The lives of messages, from the events of each.
//!
//! Short queue ids come again, within hours on a busy host. A life ends where the message is removed, or where an
//! event follows that only begins one, or after a silence that no queue keeps.
//!
//! A log of today begins with messages of yesterday in the queue. When these came is told by their deliveries: the delay
//! in a delivery line counts from the arrival, over all attempts, and over `postsuper -r` as well.

use std::ops::Range;

use super::event::{Event, Id, Notice, Step};
use crate::record::Symbol;
use crate::record::time::{DAY, SECOND};

/// Longer than a message is kept by default (`maximal_queue_lifetime` is five days).
const LONGEST_SILENCE: i64 = 7 * DAY;

/// One message.
#[derive(Debug, Clone)]
pub(super) struct Life {
    /// Its id.
    pub(super) id: Id,
    /// The host.
    pub(super) host: Symbol,
    /// Where its events stand.
    pub(super) events: Range<u32>,
    /// Its first event.
    pub(super) first: i64,
    /// When it came, as far as anything tells: its first event, or what its deliveries say.
    pub(super) arrived: i64,
    /// True when the log does not have its beginning.
    pub(super) is_from_before: bool,
    /// True when it came in from a client or a program of the host.
    pub(super) is_received: bool,
    /// True when it had another id before: a content filter gave it back, or an administrator sent it round again.
    pub(super) was_before: bool,
    /// Made as a notification.
    pub(super) notice: Option<Notice>,
    /// Whether it entered the queue: a message that the client did not finish never does.
    pub(super) is_queued: bool,
    /// When it left.
    pub(super) removed: Option<i64>,
    /// Whether it is on hold at the end.
    pub(super) is_held: bool,
    /// Whether it was ever on hold.
    pub(super) was_held: bool,
    /// How often it entered the active queue.
    pub(super) activations: u32,
    /// Deliveries to recipients: sent, deferred, bounced.
    pub(super) deliveries: [u32; 3],
    /// Given up after too long a time.
    pub(super) is_expired: bool,
    /// The envelope sender.
    pub(super) sender: Symbol,
    /// Its size.
    pub(super) size: Option<u64>,
}

impl Life {
    fn new(event: &Event, at: usize) -> Self {
        Self {
            id: event.id,
            host: event.host,
            events: at as u32..at as u32,
            first: event.time,
            arrived: event.time,
            is_from_before: !matches!(event.step, Step::Received | Step::Notice(_) | Step::Active),
            is_received: false,
            was_before: false,
            notice: None,
            is_queued: false,
            removed: None,
            is_held: false,
            was_held: false,
            activations: 0,
            deliveries: [0; 3],
            is_expired: false,
            sender: Symbol::ABSENT,
            size: None,
        }
    }

    fn add(&mut self, event: &Event) {
        match event.step {
            Step::Received => {
                self.is_received = true;
                self.was_before |= event.was_before();
            }
            Step::Notice(notice) => self.notice = Some(notice),
            Step::Held => (self.is_held, self.was_held) = (true, true),
            Step::Released => self.is_held = false,
            Step::Active => self.activate(event),
            Step::Sent => self.deliver(0, event),
            Step::Deferred => self.deliver(1, event),
            Step::Bounced => self.deliver(2, event),
            Step::Expired => self.is_expired = true,
            Step::Requeued | Step::Removed => self.removed = Some(event.time),
        }
        self.is_queued |= !matches!(event.step, Step::Received | Step::Notice(_));
        self.events.end += 1;
    }

    fn deliver(&mut self, outcome: usize, event: &Event) {
        /// Stamps are cut to seconds, and delays rounded to two digits.
        const UNSHARP: i64 = 2 * SECOND;
        self.deliveries[outcome] += 1;
        let arrived = event.time.saturating_sub(i64::from(event.age) * SECOND);
        let is_born_here = self.notice.is_some() || (self.is_received && !self.was_before);
        if !is_born_here && arrived < self.arrived.saturating_sub(UNSHARP) {
            self.arrived = arrived;
            self.is_from_before |= !self.is_received;
        }
    }

    fn activate(&mut self, event: &Event) {
        self.activations += 1;
        self.is_held = false;
        if self.size.is_none() {
            self.size = event.amount.checked_sub(1);
            self.sender = event.who;
        }
    }

    /// True when the event cannot be of this life.
    fn ends_before(&self, event: &Event, last: &Event) -> bool {
        let is_beginning = matches!(event.step, Step::Received);
        let is_said_twice = last.step == Step::Requeued && event.step == Step::Requeued;
        (self.removed.is_some() && !is_said_twice)
            || (event.id, event.host) != (self.id, self.host)
            || (is_beginning && self.is_queued)
            || (event.time.saturating_sub(last.time) > LONGEST_SILENCE && !self.is_held)
    }

    /// From when to when it is in the queue, in a log of that period; `None` when it never was.
    pub(super) fn stay(&self, (begin, end): (i64, i64)) -> Option<(i64, i64)> {
        if !self.is_queued {
            return None;
        }
        let start = match (self.is_from_before, self.has_arrival()) {
            (true, true) => self.arrived.max(begin),
            (true, false) => begin,
            (false, _) => self.first,
        };
        Some((start, self.removed.unwrap_or(end.saturating_add(1))))
    }

    /// True when the log says when it came.
    pub(super) fn has_arrival(&self) -> bool {
        !self.is_from_before || self.arrived < self.first
    }

    /// True when it is in the queue, and nothing says that it left.
    pub(super) fn is_left(&self) -> bool {
        self.is_queued && self.removed.is_none()
    }

    /// How long it was in the queue, when the log tells its beginning and its end.
    pub(super) fn time_in_queue(&self) -> Option<i64> {
        let removed = self.removed.filter(|_| self.has_arrival())?;
        Some(removed.saturating_sub(self.arrived))
    }
}

/// All lives, from events that stand in their order.
pub(super) fn of(events: &[Event]) -> Vec<Life> {
    let mut lives: Vec<Life> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        match lives.last_mut() {
            Some(life) if !life.ends_before(event, &events[at - 1]) => life.add(event),
            _ => {
                let mut life = Life::new(event, at);
                life.add(event);
                lives.push(life);
            }
        }
    }
    lives
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, second: i64, step: Step) -> Event {
        let (host, who) = (Symbol::ABSENT, Symbol::ABSENT);
        let id = Id::of(id.as_bytes()).unwrap();
        Event { id, host, time: second * SECOND, step, who, amount: 8, age: 0 }
    }

    fn lives(mut events: Vec<Event>) -> Vec<Life> {
        events.sort_unstable();
        of(&events)
    }

    #[test]
    fn a_life_with_a_retry() {
        let lives = lives(vec![
            event("AAAAAA", 9, Step::Removed),
            event("AAAAAA", 0, Step::Received),
            event("AAAAAA", 0, Step::Active),
            event("AAAAAA", 1, Step::Deferred),
            event("AAAAAA", 8, Step::Active),
            event("AAAAAA", 9, Step::Sent),
        ]);
        assert_eq!(lives.len(), 1);
        assert_eq!((lives[0].activations, lives[0].deliveries), (2, [1, 1, 0]));
        assert_eq!((lives[0].size, lives[0].time_in_queue()), (Some(7), Some(9 * SECOND)));
    }

    #[test]
    fn trap_20_an_id_that_comes_again_is_another_message() {
        let again = lives(vec![
            event("AAAAAA", 0, Step::Received),
            event("AAAAAA", 1, Step::Active),
            event("AAAAAA", 2, Step::Removed),
            event("AAAAAA", 50, Step::Received),
            event("AAAAAA", 51, Step::Active),
        ]);
        assert_eq!(again.len(), 2);
        assert_eq!((again[0].removed.is_some(), again[1].removed.is_some()), (true, false));
        // The end of the first one is missing, or nothing was heard of it for a week.
        let lost = [event("AAAAAA", 0, Step::Active), event("AAAAAA", 9, Step::Received)];
        assert_eq!(lives(lost.to_vec()).len(), 2);
        let silent = [event("AAAAAA", 0, Step::Active), event("AAAAAA", 800_000, Step::Active)];
        assert_eq!(lives(silent.to_vec()).len(), 2);
    }

    #[test]
    fn hosts_have_queues_of_their_own() {
        let other = Event { host: Symbol(3), ..event("AAAAAA", 1, Step::Removed) };
        let lives = lives(vec![event("AAAAAA", 0, Step::Active), other]);
        assert_eq!(lives.len(), 2);
        assert!(lives[1].is_from_before);
    }

    #[test]
    fn what_a_client_did_not_finish_never_was_in_the_queue() {
        let lives = lives(vec![event("AAAAAA", 0, Step::Received)]);
        assert_eq!(lives[0].stay((0, 99)), None);
    }
}

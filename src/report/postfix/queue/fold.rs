//! The hour that a change of clocks repeats, in logs whose stamps have no zone.
//!
//! A stamp of that hour is read as one of its first pass. So what happened to a message right after the clocks were set
//! back seems to lie an hour before its arrival: the end of a life comes first, and its beginning is left over, a message
//! that never leaves the queue. Here such ends are put where they belong. A life that begins and ends in the second
//! pass stays an hour early, and one that begins in the first and ends later in the second seems shorter than it was:
//! nothing in the lines tells.

use super::event::{Event, Step};
use super::life::Life;
use crate::record::Zone;
use crate::record::time::DAY;

/// A stretch of instants whose wall clock comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fold {
    start: i64,
    end: i64,
}

/// The folds of a zone in some period.
#[derive(Debug, Default)]
pub(super) struct Folds(Vec<Fold>);

impl Folds {
    /// Those of a zone: where its clocks are set back.
    pub(super) fn of(zone: &Zone, (first, last): (i64, i64)) -> Self {
        let changes = zone.changes(first.saturating_sub(DAY)..last.saturating_add(2 * DAY));
        let folds = changes.filter_map(|(before, change)| {
            let length = before - change.offset;
            (length > 0).then_some(Fold { start: change.at - length, end: change.at })
        });
        Self(folds.collect())
    }

    /// How much later it may have been at an instant.
    fn shift(&self, at: i64) -> Option<i64> {
        let fold = self.0.iter().find(|fold| (fold.start..fold.end).contains(&at))?;
        Some(fold.end - fold.start)
    }

    /// Moves the ends of lives that were torn apart behind their beginnings. The events stand in their order, before and
    /// after; `of` tells the lives in them.
    pub(super) fn mend(&self, events: &mut [Event], of: fn(&[Event]) -> Vec<Life>) {
        if self.0.is_empty() || !events.iter().any(|event| self.shift(event.time).is_some()) {
            return;
        }
        let mut is_torn = false;
        for pair in of(events).windows(2) {
            let [early, late] = [&pair[0], &pair[1]].map(|life| {
                let range = &life.events;
                range.start as usize..range.end as usize
            });
            if let Some(shift) = self.tears(&events[early.clone()], &events[late]) {
                events[early].iter_mut().for_each(|event| event.time += shift);
                is_torn = true;
            }
        }
        if is_torn {
            events.sort_unstable();
        }
    }

    /// By how much the first of two lives has to be moved, if it is the end of the second.
    fn tears(&self, early: &[Event], late: &[Event]) -> Option<i64> {
        let (first, next) = (early.first()?, late.first()?);
        let begins = |event: &Event| matches!(event.step, Step::Received | Step::Notice(_));
        let is_same = (first.id, first.host) == (next.id, next.host);
        let has_left = |events: &[Event]| {
            events.iter().any(|event| matches!(event.step, Step::Removed | Step::Requeued))
        };
        let is_torn = begins(next) && !early.iter().any(begins);
        let is_resumed = next.step == Step::Active && first.step > Step::Active;
        let is_one = is_same && (is_torn || is_resumed) && !(has_left(early) && has_left(late));
        let shift = self.shift(first.time)?;
        let is_near = next.time.saturating_sub(first.time) <= shift;
        let all_fold = early.iter().all(|event| self.shift(event.time).is_some());
        (is_one && is_near && all_fold).then_some(shift)
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::Id;
    use super::super::life;
    use super::*;
    use crate::record::Symbol;
    use crate::record::time::SECOND;

    /// 2026-10-25 00:00 UTC, an hour before the clocks of Berlin go back.
    const HOUR_BEFORE: i64 = 1_792_886_400;

    fn utc(second: i64) -> i64 {
        (HOUR_BEFORE + second) * SECOND
    }

    fn event(second: i64, step: Step) -> Event {
        let (host, who) = (Symbol::ABSENT, Symbol::ABSENT);
        let id = Id::of(b"A710A9AE097").unwrap();
        Event { id, host, time: utc(second), step, who, amount: 0, age: 0 }
    }

    fn folds(zone: &str, (first, last): (i64, i64)) -> Folds {
        Folds::of(&Zone::new(zone.parse().unwrap()), (utc(first), utc(last)))
    }

    fn mended(zone: &str, mut events: Vec<Event>) -> Vec<Life> {
        events.sort_unstable();
        folds(zone, (-9 * 3600, 9 * 3600)).mend(&mut events, life::of);
        assert!(events.is_sorted());
        life::of(&events)
    }

    #[test]
    fn the_folds_of_zones() {
        let (day, spring) = ((0, 86_400), (-220 * 86_400, -200 * 86_400));
        let back = Fold { start: utc(0), end: utc(3600) };
        assert_eq!(folds("Europe/Berlin", day).0, [back]);
        assert_eq!(folds("Europe/Berlin", spring).0, []);
        assert_eq!(folds("UTC", day).0, []);
    }

    /// Arrived at 02:59:58 of the first pass, removed at 02:00:03 of the second.
    #[test]
    fn trap_40_an_end_after_the_clocks_went_back_belongs_to_its_beginning() {
        let events = || {
            vec![
                event(3598, Step::Received),
                event(3599, Step::Active),
                event(2, Step::Sent),
                event(3, Step::Removed),
            ]
        };
        let lives = mended("Europe/Berlin", events());
        assert_eq!(lives.len(), 1);
        assert_eq!(lives[0].time_in_queue(), Some(5 * SECOND));
        assert_eq!(lives[0].deliveries, [1, 0, 0]);
        // Without a zone that folds there, these are two messages.
        assert_eq!(mended("UTC", events()).len(), 2);
    }

    /// The queue manager wrote first after the change, and a retry came an hour later.
    #[test]
    fn trap_40_a_message_may_be_put_off_over_the_fold() {
        let lives = mended(
            "Europe/Berlin",
            vec![
                event(3599, Step::Received),
                event(0, Step::Active),
                event(1, Step::Deferred),
                event(3900, Step::Active),
                event(3901, Step::Sent),
                event(3901, Step::Removed),
            ],
        );
        let whole = lives.iter().find(|life| life.is_received).unwrap();
        assert_eq!(lives.len(), 1, "{lives:?}");
        assert_eq!((whole.activations, whole.time_in_queue()), (2, Some(302 * SECOND)));
    }

    #[test]
    fn an_id_that_comes_again_in_that_hour_stays_another_message() {
        let lives = mended(
            "Europe/Berlin",
            vec![
                event(10, Step::Received),
                event(11, Step::Active),
                event(12, Step::Removed),
                event(1800, Step::Received),
                event(1801, Step::Active),
                event(1802, Step::Removed),
            ],
        );
        assert_eq!(lives.len(), 2);
        assert!(lives.iter().all(|life| life.time_in_queue() == Some(2 * SECOND)));
    }
}

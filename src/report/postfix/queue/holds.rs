//! Messages that a rule of smtpd put on hold before they had an id.
//!
//! `NOQUEUE: hold: RCPT from …` names no message, and what it holds never becomes active, so that nothing else says that
//! it is in the queue. But a process serves one session at a time: the next message that it takes is the one.

use std::collections::BTreeMap;

use super::event::{Event, Id, Step};
use crate::record::Symbol;
use crate::record::time::SECOND;

/// A message has its id as soon as its first recipient is taken.
const SOON: i64 = 60 * SECOND;

/// Splits off the holds from events that stand in their order, and gives each to its message. Events stay in order.
/// Of holds at one instant the texts decide, since numbers of texts are different in every run.
pub(super) fn settle<'t>(parts: &mut [Vec<Event>], text: impl Fn(Symbol) -> &'t [u8]) {
    let holds: Vec<Event> = parts.iter_mut().flat_map(split).collect();
    if holds.is_empty() {
        return;
    }
    let mut waiting = candidates(parts, &holds);
    let mut found = holds;
    found.sort_unstable_by_key(|hold| (hold.time, hold.id, hold.host, text(hold.who)));
    for hold in found {
        let Some(times) = waiting.get_mut(&(hold.host, hold.id)) else { continue };
        let soon =
            (hold.time, Id::default(), 0)..(hold.time.saturating_add(SOON), Id::default(), 0);
        let Some(next) = times.range(soon).next().copied() else { continue };
        times.remove(&next);
        let (time, id, part) = next;
        parts[part].push(Event { id, time, ..hold });
    }
    parts.iter_mut().for_each(|part| part.sort_unstable());
}

/// Those of processes stand behind those of messages.
fn split(part: &mut Vec<Event>) -> Vec<Event> {
    part.split_off(part.partition_point(|event| !event.id.is_process()))
}

/// Messages that were taken and never became active, by the process that took them. Ids begin with their instant within the
/// second, so that they stand in their order.
type Waiting = BTreeMap<(Symbol, Id), std::collections::BTreeSet<(i64, Id, usize)>>;

fn candidates(parts: &[Vec<Event>], holds: &[Event]) -> Waiting {
    let mut waiting = Waiting::new();
    for hold in holds {
        waiting.entry((hold.host, hold.id)).or_default();
    }
    for (number, part) in parts.iter().enumerate() {
        for (at, event) in part.iter().enumerate() {
            let Some(process) = event.process() else { continue };
            let next =
                part.get(at + 1).filter(|next| (next.id, next.host) == (event.id, event.host));
            if next.is_none_or(|next| !follows_activity(next.step))
                && let Some(times) = waiting.get_mut(&(event.host, process))
            {
                times.insert((event.time, event.id, number));
            }
        }
    }
    waiting
}

fn follows_activity(step: Step) -> bool {
    matches!(step, Step::Active | Step::Held | Step::Sent | Step::Deferred | Step::Bounced)
}

//! The queue: every message from its arrival to its removal, joined by queue id, and what stood in the queue when.
//!
//! Sections:
//!
//! * `queue`: messages, how long they stayed, how often they were tried, the fullest moment;
//! * `queue_over_time`: at the end of each step how many were in the queue, how many of them waited after a deferral,
//!   and how old the oldest was;
//! * `queue_peak` and `queue_left`: what stood there at the fullest moment and stands there at the end, by destination
//!   and age (what `qshape` shows of a queue that is still there), with the latest reason;
//! * `queue_longest`: the messages that took longest, or are still there;
//! * `notifications`: messages about messages, and what became of them; `notification_chains`: which was about which;
//! * `delivery_programs`: messages and bytes by the program that delivered them;
//! * `without_size`: messages that were delivered though the log does not say their size;
//! * `senders`, `sender_domains`, `recipients`, `recipient_domains`: by number and size. Sizes belong to messages, and
//!   the log repeats them at every attempt: here each counts once;
//! * `message_detail`: every step of every message, where there are no more of them than rows of a table: one that was
//!   asked for by its id, for instance.
//!
//! The events of one life may come from different pieces, files and threads. They are kept as [`event::Event`]s, and
//! sorted and joined at the end. What does not fit is let go by whole messages, which a note says.
//!
//! `postsuper -r ALL` names no message. But where pickup takes one up that had another id, that one has left.
//! `postsuper -d ALL` names none either, and nothing else tells: a note says how many.
//!
//! A queue is told by the host alone and not by the instance: services of one instance have names of their own choice
//! (`-o syslog_name=…`), and ids come from numbers of files, which two instances on one file system do not share.

mod chains;
mod depth;
mod detail;
mod event;
mod fold;
mod gather;
mod holds;
mod life;
mod sizes;
mod tables;
mod unnamed;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub(super) use self::tables::domain;

use self::event::{Event, Events, Id, Notice, Outcome, Step};
use self::fold::Folds;
use self::gather::Gathered;
use self::life::Life;
use self::unnamed::Unnamed;
use super::super::{Closing, Needs, Renumberings, Report};
use super::hosts::Hosts;
use super::reason;
use super::what::{self, Seen, What, Whats};
use crate::document::{Note, Section};
use crate::record::time::SECOND;
use crate::record::{Field, Records, Symbol, Value};
use crate::tally::Dictionary;
use crate::units;

/// Some 250 MB: the events of two million messages.
const MOST_EVENTS: usize = 6_000_000;
/// For the texts of reasons, in bytes.
const MOST_REASONS: usize = 4 << 20;
/// For the ids of messages that notifications are about, in bytes.
const MOST_PARENTS: usize = 64 << 20;

/// The report.
#[derive(Debug)]
pub(in super::super) struct Queue {
    whats: Whats,
    most: usize,
}

impl Queue {
    /// With the bound of a full run.
    pub(in super::super) fn new() -> Self {
        Self { whats: Whats::new(), most: MOST_EVENTS }
    }
}

/// What was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct State {
    events: Events,
    reasons: Dictionary,
    /// The ids of messages that notifications are about.
    parents: Dictionary,
    hosts: Hosts,
    unnamed: Unnamed,
}

impl Report for Queue {
    type State = State;

    fn name(&self) -> String {
        "queue".to_owned()
    }

    fn needs(&self) -> Needs {
        let symbols = [Field::SENDER, Field::RECIPIENT, Field::PROGRAM];
        Needs::required(&[Field::TIME, Field::KIND, Field::QUEUE_ID])
            .optional(&what::FIELDS)
            .optional(&[Field::ACTION, Field::BYTES, Field::REASON, Field::NEW_QUEUE_ID])
            .optional(&[
                Field::LOGHOST,
                Field::ORIGINAL_QUEUE_ID,
                Field::DURATION,
                Field::PID,
                Field::MESSAGE,
            ])
            .optional(&symbols)
            .by_symbol(&symbols)
    }

    fn start(&self) -> State {
        State {
            events: Events::new(self.most),
            reasons: Dictionary::new(MOST_REASONS),
            parents: Dictionary::new(MOST_PARENTS),
            hosts: Hosts::default(),
            unnamed: Unnamed::default(),
        }
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let columns = Columns::of(records);
        let Some(seen) = Seen::of(records) else { return };
        let mut room = Vec::new();
        for (row, what) in self.whats.rows(seen) {
            if what == What::Notification {
                Self::notice(state, records, &columns, row);
            }
            if what == What::QueueAdmin || what == What::Removed {
                state.unnamed.observe(records, row);
            }
            let Some(step) = Self::step(what, records, row) else { continue };
            let Some(id) = columns.id(records, row, step) else { continue };
            let Some(mut event) = columns.event(&mut state.hosts, records, id, row, step) else {
                continue;
            };
            match step {
                Step::Active => {
                    event.who = columns.senders[row];
                    let size = records.number(Field::BYTES, row);
                    event.amount = size.map_or(0, |size| (size.max(0) as u64).saturating_add(1));
                }
                Step::Received => {
                    let before = records.text(Field::ORIGINAL_QUEUE_ID, row);
                    if let Some(id) = before.and_then(Id::of)
                        && records.text(Field::PROGRAM, row) == Some(b"pickup")
                    {
                        state.events.add(Event { id, step: Step::Requeued, ..event });
                    }
                    event.amount = Event::arrival(process(records, row), before.is_some());
                }
                Step::Sent | Step::Deferred | Step::Bounced => {
                    event.who = columns.recipients[row];
                    let reason = match step {
                        Step::Sent => Symbol::ABSENT,
                        _ => reason_of(state, records, row, &mut room),
                    };
                    event.amount = Outcome { program: columns.programs[row], reason }.amount();
                    event.age = records.number(Field::DURATION, row).map_or(0, seconds);
                }
                Step::Held => event.who = columns.recipients[row],
                _ => {}
            }
            state.events.add(event);
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let [senders, recipients, programs] =
            [Field::SENDER, Field::RECIPIENT, Field::PROGRAM].map(|field| renumberings.of(field));
        into.unnamed.merge(&from.unnamed);
        let hosts = into.hosts.absorb(&from.hosts);
        let reasons = into.reasons.absorb(&from.reasons);
        let parents = into.parents.absorb(&from.parents);
        into.events.merge(from.events, |event| {
            event.host = hosts.of(event.host);
            match event.step {
                Step::Active => event.who = senders.of(event.who),
                Step::Held => event.who = recipients.of(event.who),
                Step::Notice(_) => {
                    event.amount = u64::from(parents.of(Symbol(event.amount as u32)).0);
                }
                Step::Sent | Step::Deferred | Step::Bounced => {
                    event.who = recipients.of(event.who);
                    let Outcome { program, reason } = Outcome::of(event);
                    let (program, reason) = (programs.of(program), reasons.of(reason));
                    event.amount = Outcome { program, reason }.amount();
                }
                _ => {}
            }
        });
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        let State { events, reasons, parents, hosts, unnamed } = state;
        let (seen, one_in) = events.extent();
        let zone = &closing.options.zone;
        let folds = closing.period.map(|period| Folds::of(zone, period)).unwrap_or_default();
        let mut parts = events.into_sorted();
        holds::settle(&mut parts, |who| closing.dictionaries.text(Field::RECIPIENT, who));
        let parts = parts.into_par_iter();
        let parts: Vec<Part> = parts.map(|events| Part::of(events, &folds)).collect();
        let is_empty = parts.iter().all(|part| part.lives.is_empty());
        let (Some(period), false) = (closing.period, is_empty) else { return Vec::new() };
        let story = Story { parts, reasons, parents, hosts, period, closing };
        let mut sections = story.sections();
        unnamed.say(&mut sections);
        if one_in > 1 {
            let (seen, one_in) = (units::count(seen), units::count(one_in));
            let text = format!(
                "{seen} events of messages did not fit into memory; one message in {one_in} was followed, chosen by its id"
            );
            sections.iter_mut().for_each(|section| section.notes.push(Note::warning(&text)));
        }
        sections
    }
}

impl Queue {
    /// What a record is in the life of its message.
    #[inline]
    fn step(what: What, records: &Records<'_>, row: usize) -> Option<Step> {
        match what {
            What::Received => Some(Step::Received),
            What::Active => Some(Step::Active),
            What::Removed => Some(Step::Removed),
            What::Sent => Some(Step::Sent),
            What::Deferred => Some(Step::Deferred),
            What::Bounced => Some(Step::Bounced),
            What::Expired => Some(Step::Expired),
            What::QueueAdmin | What::Policy => by_action(records.text(Field::ACTION, row)?),
            _ => None,
        }
    }

    /// A notification is a message of its own: its first event is that it was made.
    fn notice(state: &mut State, records: &Records<'_>, columns: &Columns<'_>, row: usize) {
        let notice = match records.text(Field::ACTION, row) {
            Some(b"sender non-delivery") => Notice::Failure,
            Some(b"sender delay") => Notice::Delay,
            Some(b"sender delivery status") => Notice::Success,
            _ => Notice::Postmaster,
        };
        let Some(id) = records.text(Field::NEW_QUEUE_ID, row) else { return };
        let Some(id) = Id::of(id) else { return };
        let step = Step::Notice(notice);
        if let Some(mut event) = columns.event(&mut state.hosts, records, id, row, step) {
            let about = records.text(Field::QUEUE_ID, row).map(|id| state.parents.intern(id));
            event.amount = u64::from(about.unwrap_or(Symbol::ABSENT).0);
            state.events.add(event);
        }
    }
}

/// What an administrator or a rule does to a message in the queue.
fn by_action(action: &[u8]) -> Option<Step> {
    match action {
        b"hold" | b"milter-hold" | b"milter-quarantine" | b"placed on hold" => Some(Step::Held),
        b"released from hold" => Some(Step::Released),
        b"requeued" => Some(Step::Requeued),
        _ => None,
    }
}

/// The reason of a delivery that failed, in common words.
fn reason_of(state: &mut State, records: &Records<'_>, row: usize, room: &mut Vec<u8>) -> Symbol {
    let Some(text) = records.text(Field::REASON, row) else { return Symbol::ABSENT };
    room.clear();
    reason::normalise(text, room);
    state.reasons.intern(room)
}

/// The process that wrote a record; 0 where it is not known.
fn process(records: &Records<'_>, row: usize) -> u64 {
    records.number(Field::PID, row).map_or(0, |number| number.max(0) as u64)
}

/// Whole seconds.
fn seconds(micros: i64) -> u32 {
    u32::try_from(micros / SECOND).unwrap_or(0)
}

/// The columns that nearly every event reads.
struct Columns<'a> {
    ids: &'a [Value],
    times: &'a [Value],
    hosts: &'a [Value],
    senders: &'a [Symbol],
    recipients: &'a [Symbol],
    programs: &'a [Symbol],
}

const NOBODY: [Symbol; crate::record::block::ROWS] = [Symbol::ABSENT; crate::record::block::ROWS];

impl<'a> Columns<'a> {
    fn of(records: &Records<'a>) -> Self {
        let [ids, times, hosts] = [Field::QUEUE_ID, Field::TIME, Field::LOGHOST]
            .map(|field| records.column(field).unwrap_or_default());
        let [senders, recipients, programs] = [Field::SENDER, Field::RECIPIENT, Field::PROGRAM]
            .map(|field| records.symbols(field).unwrap_or(&NOBODY));
        Self { ids, times, hosts, senders, recipients, programs }
    }

    /// Whose event it is: that of a message, or of the process that puts a message on hold which has no id yet.
    #[inline(always)] // See `Id`.
    fn id(&self, records: &Records<'a>, row: usize, step: Step) -> Option<Id> {
        match self.ids.get(row).and_then(|id| records.bytes(*id)) {
            Some(id) => Id::of(id),
            None if step == Step::Held => Some(Id::of_process(process(records, row))),
            None => None,
        }
    }

    /// An event of the message of that id.
    #[inline(always)] // See `Id`.
    fn event(
        &self,
        hosts: &mut Hosts,
        records: &Records<'a>,
        id: Id,
        row: usize,
        step: Step,
    ) -> Option<Event> {
        let time = self.times.get(row)?.number()?;
        let host = hosts.number(self.hosts.get(row).and_then(|host| records.bytes(*host)));
        Some(Event { id, host, time, step, who: Symbol::ABSENT, amount: 0, age: 0 })
    }
}

/// The events of some messages in their order, and the lives that they tell.
struct Part {
    events: Vec<Event>,
    lives: Vec<Life>,
}

impl Part {
    fn of(mut events: Vec<Event>, folds: &Folds) -> Self {
        folds.mend(&mut events, life::of);
        Self { lives: life::of(&events), events }
    }

    fn told(&self) -> impl Iterator<Item = Told<'_>> {
        self.lives.iter().map(|life| {
            let events = &self.events[life.events.start as usize..life.events.end as usize];
            Told { life, events }
        })
    }
}

/// All lives, and what is needed to tell of them.
struct Story<'a> {
    parts: Vec<Part>,
    reasons: Dictionary,
    parents: Dictionary,
    hosts: Hosts,
    /// The first and the last instant of the log.
    period: (i64, i64),
    closing: &'a Closing<'a>,
}

/// One life, with its events.
#[derive(Clone, Copy)]
struct Told<'s> {
    life: &'s Life,
    events: &'s [Event],
}

impl Story<'_> {
    fn sections(&self) -> Vec<Section> {
        let gathered = Gathered::of(self);
        let peak = gathered.peak;
        let mut sections = vec![tables::facts(&gathered, peak)];
        sections.extend(gathered.steps.as_ref().map(depth::section));
        if let Some((at, _)) = peak {
            sections.extend(tables::shape(self, "queue_peak", "The queue at its fullest", at));
        }
        sections.extend(tables::shape(self, "queue_left", "Left in the queue", self.period.1));
        sections.push(tables::longest(self, &gathered.stays));
        sections.extend(chains::sections(self, &gathered.notices));
        sections.extend(sizes::sections(self, &gathered.sums));
        sections.extend(tables::without_size(self, &gathered.without_size));
        sections.extend(detail::section(self));
        sections
    }

    fn text(&self, field: Field, symbol: Symbol) -> &[u8] {
        self.closing.dictionaries.text(field, symbol)
    }

    fn host(&self, life: &Life) -> &[u8] {
        self.hosts.text(life.host)
    }

    fn told(&self) -> impl Iterator<Item = Told<'_>> {
        self.parts.iter().flat_map(Part::told)
    }
}

#[cfg(test)]
mod tests;

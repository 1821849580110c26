//! What happened to a message, in 48 bytes, and a store of them that is bounded.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::record::Symbol;

/// A queue id of up to twenty letters and digits, six bits each. Two numbers and not an array: they are made in
/// registers, and stored once. Through memory they cost 80 ns an event, since what was stored by halves was loaded whole.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub(super) struct Id {
    front: u64,
    back: u64,
}

const PER_WORD: usize = 10;
/// Marks a process.
const PROCESS: u64 = 1 << 63;

/// Letters and digits as numbers from 1 on; 0 for what no queue id has.
static CODES: [u8; 256] = codes();

const fn codes() -> [u8; 256] {
    let mut codes = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let letter = byte as u8;
        codes[byte] = match letter {
            b'0'..=b'9' => letter - b'0' + 1,
            b'A'..=b'Z' => letter - b'A' + 11,
            b'a'..=b'z' => letter - b'a' + 37,
            _ => 0,
        };
        byte += 1;
    }
    codes
}

/// Up to ten letters in one number; `None` for what no queue id has.
#[inline(always)] // See `Id`.
fn pack(letters: &[u8]) -> Option<u64> {
    let (mut word, mut is_id) = (0, true);
    for letter in letters {
        let code = CODES[usize::from(*letter)];
        is_id &= code > 0;
        word = word << 6 | u64::from(code);
    }
    is_id.then(|| word << (6 * (PER_WORD - letters.len())))
}

impl Id {
    /// From its text; `None` for what no queue id is.
    #[inline(always)] // See above.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > 2 * PER_WORD {
            return None;
        }
        let (front, back) = text.split_at(text.len().min(PER_WORD));
        Some(Self { front: pack(front)?, back: pack(back)? })
    }

    /// What stands for a message that has no id yet: the process that takes it. Behind all ids of messages, which leave
    /// the highest bits free.
    pub(super) fn of_process(number: u64) -> Self {
        Self { front: PROCESS | (number & !PROCESS), back: 0 }
    }

    pub(super) fn is_process(self) -> bool {
        self.front & PROCESS != 0
    }

    /// Its text.
    pub(super) fn text(self) -> String {
        let codes = [self.front, self.back].into_iter().flat_map(|word| {
            (0..PER_WORD).map(move |at| (word >> (6 * (PER_WORD - 1 - at)) & 63) as u8)
        });
        let letters = codes.take_while(|code| *code > 0).map(|code| match code {
            1..=10 => b'0' + code - 1,
            11..=36 => b'A' + code - 11,
            _ => b'a' + code - 37,
        });
        letters.map(char::from).collect()
    }

    /// A number that has nothing to do with how ids are given out (the finalizer of MurmurHash3).
    fn mixed(self) -> u64 {
        let mut number = self.front ^ self.back.rotate_left(31);
        for factor in [0xFF51_AFD7_ED55_8CCD, 0xC4CE_B9FE_1A85_EC53] {
            number = (number ^ (number >> 33)).wrapping_mul(factor);
        }
        number ^ (number >> 33)
    }
}

/// A step in the life of a message. Of steps at one instant the earlier variant came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Step {
    /// Came in by SMTP or from this host.
    Received,
    /// Made as a notification of that kind.
    Notice(Notice),
    /// Put on hold.
    Held,
    /// Released from hold.
    Released,
    /// Entered the active queue.
    Active,
    /// Delivered to a recipient.
    Sent,
    /// Not delivered to a recipient for now.
    Deferred,
    /// Not delivered to a recipient for ever.
    Bounced,
    /// Given up after too long a time.
    Expired,
    /// Taken out to come back under another id.
    Requeued,
    /// The end.
    Removed,
}

/// What a notification tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Notice {
    /// To the sender: it cannot be delivered.
    Failure,
    /// To the sender: it is late.
    Delay,
    /// To the sender: it was delivered.
    Success,
    /// To the postmaster.
    Postmaster,
}

/// What happened to one message at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Event {
    /// The message.
    pub(super) id: Id,
    /// The host whose queue it is in.
    pub(super) host: Symbol,
    /// When.
    pub(super) time: i64,
    /// What.
    pub(super) step: Step,
    /// The sender of an activation, the recipient of a delivery or of what a rule put on hold.
    pub(super) who: Symbol,
    /// [`Event::arrival`]; the message that a notification is about; the size
    /// at an activation plus one; the [`Outcome`] of a delivery. 0 for nothing.
    pub(super) amount: u64,
    /// How old the message was at a delivery, in seconds: the log tells it even where it does not have the beginning.
    pub(super) age: u32,
}

impl Event {
    /// The amount of an arrival: the process that took the message, and whether it was in a queue before.
    pub(super) fn arrival(process: u64, was_before: bool) -> u64 {
        process.saturating_mul(2) | u64::from(was_before)
    }

    /// True for the arrival of a message that was in a queue before.
    pub(super) fn was_before(&self) -> bool {
        self.step == Step::Received && self.amount & 1 == 1
    }

    /// The process that took a message.
    pub(super) fn process(&self) -> Option<Id> {
        let is_known = self.step == Step::Received && self.amount > 1;
        is_known.then(|| Id::of_process(self.amount / 2))
    }
}

/// What is known of a delivery beside its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The program that delivered.
    pub(super) program: Symbol,
    /// Why it failed.
    pub(super) reason: Symbol,
}

impl Outcome {
    /// As the amount of an event.
    pub(super) fn amount(self) -> u64 {
        u64::from(self.program.0) << 32 | u64::from(self.reason.0)
    }

    /// From the amount of an event.
    pub(super) fn of(event: &Event) -> Self {
        let Event { amount, .. } = *event;
        Self { program: Symbol((amount >> 32) as u32), reason: Symbol(amount as u32) }
    }
}

/// Events are kept by parts, all of one message in the same, so that parts can be joined, sorted and told side by side,
/// each small enough for a cache.
const PARTS: usize = 128;

/// Events, at most so many. When there are more, every second message is let go, chosen by a hash of its id, and so on
/// by halves. Which messages stay depends on the union of all events and not on their order, and whoever stays keeps
/// all its events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Events {
    most: usize,
    /// One message in two to the power of this is followed.
    level: u32,
    parts: Vec<Vec<Event>>,
    kept: usize,
    seen: u64,
}

impl Events {
    pub(super) fn new(most: usize) -> Self {
        Self { most, level: 0, parts: vec![Vec::new(); PARTS], kept: 0, seen: 0 }
    }

    /// Takes in one.
    #[inline(always)] // An event is stored once, from registers.
    pub(super) fn add(&mut self, event: Event) {
        self.seen += 1;
        let mixed = event.id.mixed();
        if is_followed(mixed, self.level) {
            self.parts[part_of(mixed)].push(event);
            self.kept += 1;
            if self.kept > self.most {
                self.thin();
            }
        }
    }

    /// The last level follows one message in a million: a log that is too large for that has no end.
    #[cold]
    fn thin(&mut self) {
        while self.kept > self.most && self.level < 20 {
            self.level += 1;
            let level = self.level;
            self.parts.par_iter_mut().for_each(|part| follow(part, level));
            self.kept = self.parts.iter().map(Vec::len).sum();
        }
    }

    /// Takes in those of another, whose symbols are called differently here.
    pub(super) fn merge(&mut self, mut other: Self, rename: impl Fn(&mut Event) + Sync) {
        self.seen += other.seen;
        // A state that someone forged may have fewer, or more.
        self.parts.resize(PARTS, Vec::new());
        other.parts.resize(PARTS, Vec::new());
        let level = self.level.max(other.level);
        let is_higher = level > self.level;
        self.level = level;
        let pairs = self.parts.par_iter_mut().zip(other.parts);
        pairs.for_each(|(own, mut more)| {
            if is_higher {
                follow(own, level);
            }
            follow(&mut more, level);
            more.iter_mut().for_each(&rename);
            own.append(&mut more);
        });
        self.kept = self.parts.iter().map(Vec::len).sum();
        self.thin();
    }

    /// How many were seen, and of how many messages one was followed.
    pub(super) fn extent(&self) -> (u64, u64) {
        (self.seen, 1 << self.level)
    }

    /// All that were kept, by parts: those of one message together, in order of time.
    pub(super) fn into_sorted(mut self) -> Vec<Vec<Event>> {
        self.parts.par_iter_mut().for_each(|part| part.sort_unstable());
        self.parts
    }
}

/// Where in [`Events`] a message is kept.
fn part_of(mixed: u64) -> usize {
    (mixed >> (u64::BITS - PARTS.ilog2())) as usize
}

/// The number of the part that holds a message.
pub(super) fn part(id: Id) -> usize {
    part_of(id.mixed())
}

#[inline]
fn is_followed(mixed: u64, level: u32) -> bool {
    mixed & ((1 << level) - 1) == 0
}

fn follow(part: &mut Vec<Event>, level: u32) {
    if level > 0 {
        part.retain(|event| is_followed(event.id.mixed(), level));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back() {
        for text in ["4jY1dn64fBz1TVNV", "A710A9AE097", "Z", "zzzzzzzzzzZZZZZZZZZZ", "WORD500000"] {
            assert_eq!(Id::of(text.as_bytes()).unwrap().text(), text);
        }
        for text in ["", "a-b", "zzzzzzzzzzZZZZZZZZZZ0"] {
            assert_eq!(Id::of(text.as_bytes()), None);
        }
    }

    #[test]
    fn an_event_is_small() {
        assert!(size_of::<Event>() <= 48);
    }

    fn event(number: u64) -> Event {
        let id = Id::of(format!("{number:011X}").as_bytes()).unwrap();
        let (host, who) = (Symbol::ABSENT, Symbol::ABSENT);
        Event { id, host, time: number as i64 % 7, step: Step::Active, who, amount: number, age: 0 }
    }

    #[test]
    fn what_is_let_go_does_not_depend_on_the_order() {
        let numbers: Vec<u64> = (0..3_000).map(|n| n * 7_919 % 1_000).collect();
        let counted = |numbers: &[u64]| {
            let mut events = Events::new(500);
            numbers.iter().for_each(|number| events.add(event(*number)));
            events
        };
        let whole = counted(&numbers);
        let (mut joined, mut turned) = (counted(&numbers[2_900..]), counted(&numbers[..700]));
        joined.merge(counted(&numbers[..2_900]), |_| {});
        turned.merge(counted(&numbers[700..]), |_| {});
        assert_eq!(whole.extent(), joined.extent());
        assert!(whole.extent().1 > 1);
        let whole = whole.into_sorted();
        assert_eq!(whole.iter().map(Vec::len).sum::<usize>() % 3, 0);
        assert_eq!(whole, joined.into_sorted());
        assert_eq!(whole, turned.into_sorted());
    }
}

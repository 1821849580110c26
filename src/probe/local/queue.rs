//! The mail queue of this machine's Postfix, as `postqueue -j` lists it: how much waits, since when, where to and why.
//!
//! ```text
//! {"queue_name": "deferred", "queue_id": "77EB499804D", "arrival_time": 1795402298, "message_size": 311,
//!  "sender": "alice@lab.test", "recipients": [{"address": "u@slow.test", "delay_reason": "timed out"}]}
//! ```
//!
//! Nothing is flushed, held or removed.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::command::{NotDone, run};
use crate::document::{Cell, Column, Role, Section, Table};
use crate::probe::class::Class;
use crate::probe::escape::escaped;
use crate::probe::net::{Answer, Deadline, Failure};
use crate::probe::trace::{Halt, Trace};

/// Seconds after which mail that still waits is worth a look: what greylisting delays is gone by then.
const OLD: i64 = 4 * 3600;

/// The most destinations and reasons that are shown.
const SHOWN: usize = 20;

/// The most bytes of a reason that make it another one.
const REASON: usize = 160;

/// Looks at the queue, or at what was saved of it.
pub(super) fn check(trace: &mut Trace<'_>, file: Option<&Path>) -> std::result::Result<(), Halt> {
    let asked = match file {
        Some(file) => file.display().to_string(),
        None => "postqueue -j".to_owned(),
    };
    let listed = trace.step("queue", asked.as_str(), |deadline| match file {
        Some(file) => std::fs::read(file).map_err(|error| {
            Failure::new(Class::BadTarget, format!("{}: {error}", file.display()))
        }),
        None => of_this_machine(deadline),
    })?;
    let now = trace.run().now.div_euclid(1_000_000);
    let queue = Queue::read(&listed, now);
    if queue.unread > 0 {
        let came = format!("{} lines that are none", queue.unread);
        return Err(trace.halt(Class::Malformed, "lines of postqueue -j", came));
    }
    for (name, count) in &queue.names {
        trace.fact(name, Cell::Count(*count));
    }
    let messages: u64 = queue.names.values().sum();
    trace.fact("messages", Cell::Count(messages));
    trace.measure("messages", messages as f64, "");
    trace.measure("oldest", queue.oldest as f64, "s");
    trace.summary(match messages {
        0 => "the queue is empty".to_owned(),
        _ => format!("{messages} messages wait, the oldest for {} min", queue.oldest / 60),
    });
    if queue.oldest > OLD {
        let came =
            format!("the oldest waits for {} h: {}", queue.oldest / 3600, queue.main_reason());
        trace.fault(Class::MailWaits, format!("no mail older than {} h", OLD / 3600), came);
    }
    trace.section(queue.table());
    Ok(())
}

fn of_this_machine(deadline: Deadline) -> Answer<Vec<u8>> {
    match run("postqueue", &["-j"], deadline) {
        Ok(done) if done.code == Some(0) => Ok(done.output),
        Ok(done) => {
            let said = escaped(done.output.trim_ascii(), 300);
            let class = match said.to_ascii_lowercase().contains("permission denied") {
                true => Class::NotPermitted,
                false => Class::CheckerFailed,
            };
            Err(Failure::new(class, said))
        }
        Err(NotDone::Missing) => Err(Failure::new(Class::NotInstalled, "there is no postqueue")),
        Err(NotDone::TooSlow) => Err(Failure::new(Class::CheckerFailed, "it did not end in time")),
        Err(NotDone::NotStarted(why)) => Err(Failure::new(Class::CheckerFailed, why)),
    }
}

/// What waits.
#[derive(Debug, Default)]
struct Queue {
    /// Messages of each queue: `active`, `deferred`, `hold`, `incoming`.
    names: BTreeMap<&'static str, u64>,
    /// Seconds since the first of them came.
    oldest: i64,
    /// Recipients by their domain and the reason why they wait.
    waiting: BTreeMap<(String, String), Waiting>,
    /// Lines that are no messages.
    unread: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Waiting {
    recipients: u64,
    oldest: i64,
}

/// The queues that Postfix has.
const NAMES: [&str; 5] = ["incoming", "active", "deferred", "hold", "maildrop"];

impl Queue {
    fn read(listed: &[u8], now: i64) -> Self {
        let mut queue = Self::default();
        let lines = listed.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        for line in lines.filter(|line| !line.is_empty()) {
            if queue.add(line, now).is_none() {
                queue.unread += 1;
            }
        }
        queue
    }

    fn add(&mut self, line: &[u8], now: i64) -> Option<()> {
        let message: Value = serde_json::from_slice(line).ok()?;
        let name = message.get("queue_name")?.as_str()?;
        let arrived = message.get("arrival_time")?.as_i64()?;
        let age = now.saturating_sub(arrived).max(0);
        let name = NAMES.iter().find(|known| **known == name).unwrap_or(&"other");
        *self.names.entry(name).or_default() += 1;
        self.oldest = self.oldest.max(age);
        let recipients = message.get("recipients").and_then(Value::as_array);
        for recipient in recipients.into_iter().flatten() {
            let text = |name: &str| recipient.get(name).and_then(Value::as_str).unwrap_or_default();
            let domain = text("address").rsplit_once('@').map_or("", |(_, domain)| domain);
            let key = (escaped(domain.as_bytes(), 255), reason(text("delay_reason")));
            let waiting = self.waiting.entry(key).or_default();
            waiting.recipients += 1;
            waiting.oldest = waiting.oldest.max(age);
        }
        Some(())
    }

    /// Domains and reasons, those with the most recipients first.
    fn ranked(&self) -> Vec<(&(String, String), &Waiting)> {
        let mut all: Vec<_> = self.waiting.iter().collect();
        all.sort_by_key(|(key, waiting)| (std::cmp::Reverse(waiting.recipients), *key));
        all
    }

    fn main_reason(&self) -> String {
        match self.ranked().first() {
            Some(((domain, reason), waiting)) => {
                format!("{} recipients at {domain}, {reason}", waiting.recipients)
            }
            None => "nobody waits for it".to_owned(),
        }
    }

    fn table(&self) -> Section {
        let columns = [
            ("domain", Role::Key),
            ("recipients", Role::Main),
            ("oldest", Role::Value),
            ("reason", Role::Detail),
        ];
        let columns = columns.into_iter().map(|(name, role)| Column::new(name, role)).collect();
        let row = |((domain, reason), waiting): (&(String, String), &Waiting)| {
            vec![
                Cell::text(domain),
                Cell::Count(waiting.recipients),
                Cell::Duration(waiting.oldest.saturating_mul(1_000_000)),
                Cell::text(reason),
            ]
        };
        let rows: Vec<_> = self.ranked().into_iter().take(SHOWN).map(row).collect();
        let table = Table { columns, total_rows: self.waiting.len() as u64, rows };
        Section::table("waiting", "Where mail waits to go", table)
    }
}

/// The reason without what makes each of them another: addresses in brackets, ports and times stay.
fn reason(text: &str) -> String {
    let text = if text.is_empty() { "not tried yet" } else { text };
    escaped(text.as_bytes(), REASON)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LISTED: &str = concat!(
        "{\"queue_name\": \"deferred\", \"queue_id\": \"A\", \"arrival_time\": 1000, \"recipients\": ",
        "[{\"address\": \"u@slow.test\", \"delay_reason\": \"timed out\"}, {\"address\": \"v@slow.test\", \"delay_reason\": \"timed out\"}]}\n",
        "{\"queue_name\": \"active\", \"queue_id\": \"B\", \"arrival_time\": 4000, \"recipients\": [{\"address\": \"root\"}]}\n\n"
    );

    #[test]
    fn counts_by_domain_and_reason() {
        let queue = Queue::read(LISTED.as_bytes(), 5000);
        assert_eq!((queue.names["deferred"], queue.names["active"], queue.oldest), (1, 1, 4000));
        assert_eq!(queue.main_reason(), "2 recipients at slow.test, timed out");
        assert_eq!((queue.waiting.len(), queue.unread), (2, 0));
        assert_eq!(Queue::read(b"Mail queue is empty\n", 0).unread, 1);
        assert_eq!(Queue::read(b"", 0).main_reason(), "nobody waits for it");
    }

    proptest! {
        #[test]
        fn any_bytes(line in proptest::collection::vec(any::<u8>(), 0..80), at in 0_usize..200, byte: u8) {
            let _ = Queue::read(&line, 0);
            let mut listed = LISTED.as_bytes().to_vec();
            listed[at] = byte;
            let _ = Queue::read(&listed, i64::MIN);
        }
    }
}

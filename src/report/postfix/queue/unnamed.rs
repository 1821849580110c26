//! What an administrator did to messages without naming them: `postsuper -d ALL` writes how many, and no ids.
//!
//! Where ids were given, each has a line of its own before the sum, so that the difference is what has none.

use serde::{Deserialize, Serialize};

use crate::document::{Note, Section};
use crate::record::{Field, Records};
use crate::units;

/// What is done, as the sum calls it and as the line of a message calls it, and what to say.
const DEEDS: [(&[u8], &[u8], &str); 3] = [
    (b"Deleted", b"removed", "deleted"),
    (b"Placed on hold", b"placed on hold", "put on hold"),
    (b"Released from hold", b"released from hold", "released from hold"),
];

/// By [`DEEDS`], how many messages the sums tell, and how many lines name one.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Unnamed {
    sums: [u64; DEEDS.len()],
    named: [u64; DEEDS.len()],
}

impl Unnamed {
    /// Looks at a record of `postsuper`; at others too, which it does not count.
    pub(super) fn observe(&mut self, records: &Records<'_>, row: usize) {
        if records.text(Field::PROGRAM, row) != Some(b"postsuper") {
            return;
        }
        let Some(message) = records.text(Field::MESSAGE, row) else { return };
        for (at, (sum, one, _)) in DEEDS.iter().enumerate() {
            if let Some(rest) = message.strip_prefix(*sum).and_then(|rest| rest.strip_prefix(b": "))
            {
                self.sums[at] = self.sums[at].saturating_add(number(rest));
            } else if message.ends_with(one) {
                self.named[at] += 1;
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for at in 0..DEEDS.len() {
            self.sums[at] = self.sums[at].saturating_add(other.sums[at]);
            self.named[at] += other.named[at];
        }
    }

    /// Says it where the sections depend on it.
    pub(super) fn say(&self, sections: &mut [Section]) {
        const WHERE: [&str; 4] = ["queue", "queue_over_time", "queue_left", "queue_longest"];
        for (at, (_, _, done)) in DEEDS.iter().enumerate() {
            let number = self.sums[at].saturating_sub(self.named[at]);
            if number == 0 {
                continue;
            }
            let messages = units::count(number);
            let text = format!(
                "an administrator had {messages} messages {done} without naming them (postsuper with ALL): the log does not say which, and here they are as they were"
            );
            let told = sections.iter_mut().filter(|section| WHERE.contains(&&*section.name));
            told.for_each(|section| section.notes.push(Note::warning(&text)));
        }
    }
}

/// The number in front.
fn number(text: &[u8]) -> u64 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |sum: u64, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

//! What a reader of lines writes on: the row, and where the fields stand in it.

use super::kinds::{Kind, Labels, Severity};
use crate::format::Line;
use crate::record::number::{eight, scaled};
use crate::record::{Label, Row, Slot, dname};

slots! {
    time TIME, class CLASS, kind KIND, level LEVEL, category CATEGORY, loghost LOGHOST, pid PID,
    client CLIENT, client_port CLIENT_PORT, key KEY, view VIEW, qname QNAME, name NAME,
    domain DOMAIN, qclass QCLASS, qtype QTYPE, flags FLAGS, rcode RCODE, answers ANSWERS,
    authorities AUTHORITIES, additionals ADDITIONALS, local_address LOCAL_ADDRESS, port PORT,
    ecs ECS, zone ZONE, reason REASON, action ACTION, rule RULE, upstream UPSTREAM, bytes BYTES,
    duration DURATION, message MESSAGE,
}

/// The row of a record, with the line whose parts are written into it.
#[derive(Debug)]
pub(super) struct Sheet<'s, 'b> {
    pub(super) line: Line<'s>,
    pub(super) row: &'s mut Row<'b>,
    pub(super) slots: &'s Slots,
    pub(super) labels: &'s Labels,
    pub(super) severity: Option<Severity>,
    /// What the record is about, as far as it is known yet.
    pub(super) about: Kind,
}

/// The longest name whose lower case is made: 255 bytes of which each may be an escape of four.
const LONGEST_NAME: usize = 1020;

impl Sheet<'_, '_> {
    /// Writes a part of the line.
    #[inline(always)] // A store or two, in every reader.
    pub(super) fn text(&mut self, slot: Slot, part: &[u8]) {
        self.line.write(self.row, slot, part);
    }

    /// Writes a part of the line, if it is there.
    #[inline]
    pub(super) fn some(&mut self, slot: Slot, part: Option<&[u8]>) {
        self.line.write_some(self.row, slot, part);
    }

    /// Writes digits as a number.
    #[inline]
    pub(super) fn digits(&mut self, slot: Slot, digits: &[u8]) {
        self.row.digits(slot, digits);
    }

    /// Writes a duration in seconds.
    pub(super) fn seconds(&mut self, slot: Slot, text: &[u8]) {
        if let Some(micros) = scaled(text, 6) {
            self.row.number(slot, micros);
        }
    }

    /// Says what the record is about, and with that whether it is good or bad.
    #[inline]
    pub(super) fn kind(&mut self, kind: Kind) {
        self.row.label(self.slots.kind, self.labels.of(kind));
        self.row.label(self.slots.class, kind.class(self.severity));
        self.about = kind;
    }

    /// Looks at the words of a message that has no severity, and of which the kind says not whether it is bad.
    pub(super) fn judge(&mut self, text: &[u8]) {
        let is_open = self.severity.is_none() && self.about.is_told_by_words();
        if is_open && super::kinds::sounds_failed(text) {
            self.row.label(self.slots.class, Label::ERROR);
        }
    }

    /// The name that the record is about: as it stands, in lower case, and its domain.
    #[inline]
    pub(super) fn name(&mut self, name: &[u8]) {
        let slots = self.slots;
        self.text(slots.qname, name);
        if !slots.name.is_wanted() && !slots.domain.is_wanted() {
            return;
        }
        match has_upper_case(name) && name.len() <= LONGEST_NAME {
            true => self.folded(name),
            false => {
                self.text(slots.name, name);
                if slots.domain.is_wanted() {
                    self.text(slots.domain, dname::registrable(name));
                }
            }
        }
    }

    /// Resolvers ask in mixed case, to make answers hard to forge.
    fn folded(&mut self, name: &[u8]) {
        let mut room = [0; LONGEST_NAME];
        let lower = &mut room[..name.len()];
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        let at = self.row.store(lower);
        self.row.span(self.slots.name, at, lower.len());
        if self.slots.domain.is_wanted() {
            let domain = dname::registrable(lower);
            self.row.span(self.slots.domain, at + lower.len() - domain.len(), domain.len());
        }
    }

    /// Name, type and class, as `N/T/C`, `N/C/T` or `N/T`.
    pub(super) fn question(&mut self, name: &[u8], qtype: Option<&[u8]>, qclass: Option<&[u8]>) {
        self.name(name);
        self.some(self.slots.qtype, qtype);
        self.some(self.slots.qclass, qclass);
    }
}

/// Most names have none. Eight bytes at a time, the last eight once more where the length is no multiple of it.
#[inline]
fn has_upper_case(text: &[u8]) -> bool {
    let (chunks, rest) = text.as_chunks();
    let word = |bytes: &[u8; 8]| upper_case(u64::from_le_bytes(*bytes));
    let found = chunks.iter().fold(0, |found, bytes| found | word(bytes));
    match text.last_chunk() {
        Some(last) => found | word(last) != 0,
        None => rest.iter().any(u8::is_ascii_uppercase),
    }
}

/// The highest bit of each byte that is a capital letter.
#[inline]
fn upper_case(word: u64) -> u64 {
    let low = word & eight(0x7F);
    let (from_a, behind_z) = (low + eight(0x80 - b'A'), low + eight(0x7F - b'Z'));
    from_a & !behind_z & !word & eight(0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_are_found_wherever_they_stand() {
        for len in 0..20 {
            for at in 0..len {
                for byte in 0..=u8::MAX {
                    let mut text = vec![b'a'; len];
                    text[at] = byte;
                    assert_eq!(
                        has_upper_case(&text),
                        byte.is_ascii_uppercase(),
                        "{byte} at {at} of {len}"
                    );
                }
            }
        }
    }
}

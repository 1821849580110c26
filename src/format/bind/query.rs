//! Queries and responses: the lines of which a log mostly consists.
//!
//! ```text
//! query: NAME CLASS TYPE FLAGS (LOCAL)[ [ECS ADDRESS/SOURCE/SCOPE]]
//! response: NAME CLASS TYPE RCODE ANSWERS AUTHORITIES ADDITIONALS FLAGS (LOCAL)[ [ECS …]]
//! ```

use super::kinds::{self, Kind};
use super::parts;
use super::sheet::Sheet;
use super::words::Words;
use crate::ledger::Reason;

/// Reads on behind `query: `.
#[inline]
pub(super) fn query(sheet: &mut Sheet<'_, '_>, words: &mut Words<'_>) -> Result<(), Reason> {
    question(sheet, words);
    sheet.kind(Kind::Query);
    flags(sheet, words)
}

/// Reads on behind `response: `.
#[inline]
pub(super) fn response(sheet: &mut Sheet<'_, '_>, words: &mut Words<'_>) -> Result<(), Reason> {
    let slots = sheet.slots;
    question(sheet, words);
    let rcode = words.next();
    sheet.text(slots.rcode, rcode);
    sheet.kind(kinds::of_answer(rcode));
    for slot in [slots.answers, slots.authorities, slots.additionals] {
        let count = words.next();
        if count.is_empty() || !count.iter().all(u8::is_ascii_digit) {
            return Err(Reason::Truncated);
        }
        sheet.digits(slot, count);
    }
    flags(sheet, words)
}

#[inline]
fn question(sheet: &mut Sheet<'_, '_>, words: &mut Words<'_>) {
    let slots = sheet.slots;
    let name = words.next();
    sheet.name(name);
    let class = words.next();
    sheet.text(slots.qclass, class);
    let kind = words.next();
    sheet.text(slots.qtype, kind);
}

/// The flags and what follows them. No line is shorter than that.
#[inline]
fn flags(sheet: &mut Sheet<'_, '_>, words: &mut Words<'_>) -> Result<(), Reason> {
    let slots = sheet.slots;
    let flags = words.next();
    match flags {
        [b'+' | b'-', rest @ ..] if rest.iter().all(|byte| is_of_flags(*byte)) => {}
        _ => return Err(Reason::Truncated),
    }
    sheet.text(slots.flags, flags);
    match words.rest() {
        [] => Ok(()),
        [b'(', local @ .., b')'] => {
            self::local(sheet, local);
            Ok(())
        }
        [b'(', ..] => local_and_subnet(sheet, words),
        _ => Err(Reason::Malformed),
    }
}

#[inline]
fn is_of_flags(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'(' | b')')
}

/// The address that was asked; newer versions write its port as well.
#[inline]
fn local(sheet: &mut Sheet<'_, '_>, local: &[u8]) {
    let slots = sheet.slots;
    match local.iter().rposition(|byte| *byte == b'#') {
        None => sheet.text(slots.local_address, local),
        Some(hash) => {
            sheet.text(slots.local_address, &local[..hash]);
            sheet.digits(slots.port, &local[hash + 1..]);
        }
    }
}

/// The rarer tails: with a client subnet, or with lines of a dump behind.
#[cold]
fn local_and_subnet(sheet: &mut Sheet<'_, '_>, words: &mut Words<'_>) -> Result<(), Reason> {
    let rest = words.rest();
    let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
    let (local, subnet) = parts::word(line.trim_ascii_end());
    let [b'(', local @ .., b')'] = local else { return Err(Reason::Truncated) };
    self::local(sheet, local);
    match subnet {
        [] => Ok(()),
        [b'[', b'E', b'C', b'S', b' ', subnet @ .., b']'] => {
            sheet.text(sheet.slots.ecs, subnet);
            Ok(())
        }
        [b'[', ..] => Err(Reason::Truncated),
        _ => Err(Reason::Malformed),
    }
}

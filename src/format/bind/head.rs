//! What stands in front of a line of BIND: stamp, category and severity, each of which may be switched off, and a
//! syslog envelope around them.
//!
//! The switches are independent and the order is fixed, so that each part is taken where it is there. A line that has
//! none of them is told by what it says (see [`super::event`]).

use super::kinds::{CATEGORIES, Severity};
use crate::format::envelope::{Peeled, Stamps};
use crate::record::minute::Minute;
use crate::record::time::{self, Clock};

/// The parts of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Head<'a> {
    /// When, if the line says it; not a possible time when it is `Some(None)`.
    pub(super) time: Option<Option<i64>>,
    pub(super) category: Option<&'a [u8]>,
    pub(super) severity: Option<Severity>,
    /// What BIND says.
    pub(super) text: &'a [u8],
}

/// Reads the stamps of lines.
#[derive(Debug)]
pub(super) struct Heads {
    clock: Clock,
    minute: Minute,
    stamps: Stamps,
}

/// `07-Mar-2024 09:15:02.418`
const LOCAL: usize = 24;
/// `2024-03-07T09:15:02.418`
const ISO: usize = 23;

impl Heads {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock: clock.clone(), minute: Minute::default(), stamps: Stamps::new(clock) }
    }

    /// The head of a line of BIND's own.
    #[inline]
    pub(super) fn read<'a>(&mut self, line: &'a [u8]) -> Head<'a> {
        let (time, rest) = match stamp(line) {
            None => (None, line),
            Some(Stamp::Local) => {
                let (stamp, rest) = (&line[..LOCAL], &line[LOCAL + 1..]);
                let clock = &mut self.clock;
                let read = || Some(clock.instant(time::day_month_year(stamp, b'-', b' ')?));
                (Some(self.minute.instant(&stamp[..18], &stamp[18..], b"", read)), rest)
            }
            Some(Stamp::Iso(zone)) => {
                let (stamp, rest) = (&line[..ISO + zone], &line[ISO + zone + 1..]);
                let clock = &mut self.clock;
                let read = || Some(clock.iso(time::iso(stamp)?));
                (
                    Some(self.minute.instant(&stamp[..17], &stamp[17..ISO], &stamp[ISO..], read)),
                    rest,
                )
            }
        };
        let (category, rest) = category(rest);
        let (severity, text) = severity(rest);
        Head { time, category, severity, text }
    }

    /// The head of a line in an envelope. BIND's own stamp is finer than that of syslog.
    pub(super) fn peeled<'a>(&mut self, peeled: &Peeled<'a>) -> Head<'a> {
        let mut head = self.read(peeled.message);
        if head.time.is_none() {
            head.time = peeled.stamp.map(|stamp| self.stamps.instant(stamp));
        }
        head
    }
}

/// The spelling of a stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stamp {
    Local,
    /// With a zone of so many bytes behind it.
    Iso(usize),
}

/// Looks whether a line begins with a stamp of BIND; what it says is read later.
#[inline]
fn stamp(line: &[u8]) -> Option<Stamp> {
    let start = line.first_chunk::<{ LOCAL + 1 }>()?;
    if [start[2], start[6], start[11], start[14], start[17], start[20], start[24]] == *b"-- ::. " {
        return Some(Stamp::Local);
    }
    if [start[4], start[7], start[10], start[13], start[16], start[19]] != *b"--T::." {
        return None;
    }
    match line[ISO..] {
        [b' ', ..] => Some(Stamp::Iso(0)),
        [b'Z', b' ', ..] => Some(Stamp::Iso(1)),
        [b'+' | b'-', _, _, b':', _, _, b' ', ..] => Some(Stamp::Iso(6)),
        _ => None,
    }
}

/// A category and what follows it.
#[inline]
fn category(text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    if let Some(rest) = text.strip_prefix(b"queries: ") {
        return (Some(&text[..7]), rest);
    }
    other_category(text).map_or((None, text), |(word, rest)| (Some(word), rest))
}

fn other_category(text: &[u8]) -> Option<(&[u8], &[u8])> {
    /// `trust-anchor-telemetry`
    const LONGEST: usize = 22;
    let end = text.iter().take(LONGEST + 1).position(|byte| !matches!(byte, b'a'..=b'z' | b'-'))?;
    let (word, rest) = text.split_at(end);
    let rest = rest.strip_prefix(b": ")?;
    CATEGORIES.contains(&word).then_some((word, rest))
}

/// A severity and what follows it.
#[inline]
fn severity(text: &[u8]) -> (Option<Severity>, &[u8]) {
    if let Some(rest) = text.strip_prefix(b"info: ") {
        return (Some(Severity::Info), rest);
    }
    other_severity(text).map_or((None, text), |(severity, rest)| (Some(severity), rest))
}

fn other_severity(text: &[u8]) -> Option<(Severity, &[u8])> {
    const LONGEST: usize = 8;
    let end = text.iter().take(LONGEST + 1).position(|byte| !byte.is_ascii_lowercase())?;
    let (word, mut rest) = text.split_at(end);
    let severity = Severity::named(word)?;
    if severity == Severity::Debug
        && let [b' ', level @ ..] = rest
    {
        let digits = level.iter().take_while(|byte| byte.is_ascii_digit()).count();
        rest = &level[digits..];
    }
    Some((severity, rest.strip_prefix(b": ")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::envelope::peel;

    fn heads() -> Heads {
        Heads::new(Clock::new(chrono_tz::UTC, 1_735_603_200_000_000))
    }

    const AT: i64 = 1_709_802_902_418_000;

    #[test]
    fn trap_29_every_setting_of_the_switches() {
        for (stamp, time) in [
            ("", None),
            ("07-Mar-2024 09:15:02.418 ", Some(Some(AT))),
            ("2024-03-07T09:15:02.418 ", Some(Some(AT))),
            ("2024-03-07T09:15:02.418Z ", Some(Some(AT))),
            ("2024-03-07T10:15:02.418+01:00 ", Some(Some(AT))),
            ("30-Feb-2024 09:15:02.418 ", Some(None)),
        ] {
            for (category, word) in [("", None), ("rate-limit: ", Some(&b"rate-limit"[..]))] {
                for (text, severity) in [
                    ("", None),
                    ("info: ", Some(Severity::Info)),
                    ("debug 3: ", Some(Severity::Debug)),
                    ("critical: ", Some(Severity::Critical)),
                ] {
                    let line = format!("{stamp}{category}{text}client 192.0.2.7#53: x");
                    let text = &b"client 192.0.2.7#53: x"[..];
                    let expected = Head { time, category: word, severity, text };
                    assert_eq!(heads().read(line.as_bytes()), expected, "{line}");
                }
            }
        }
    }

    #[test]
    fn trap_29_the_inner_stamp_is_the_better_one() {
        let line = b"Mar  7 09:15:03 ns1 named[77]: 07-Mar-2024 09:15:02.418 queries: client x";
        assert_eq!(heads().peeled(&peel(line)).time, Some(Some(AT)));
        let line = b"Mar  7 09:15:03 ns1 named[77]: queries: client x";
        let head = heads().peeled(&peel(line));
        assert_eq!(head.time, Some(Some(AT + 582_000)));
        assert_eq!((head.category, head.text), (Some(&b"queries"[..]), &b"client x"[..]));
    }

    #[test]
    fn words_that_only_look_like_prefixes_belong_to_the_text() {
        for line in ["zone: x", "debug: x", "info x", "queries:x", "debugger: x", "rpz"] {
            let head = heads().read(line.as_bytes());
            assert_eq!(head.category, None, "{line}");
        }
        assert_eq!(heads().read(b"debugger: x").severity, None);
    }
}

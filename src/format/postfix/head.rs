//! What stands in front of a line of Postfix: stamp, host, tag and process, and whether it is one of Postfix at all.
//!
//! Nearly every line has one of two envelopes, the traditional one of syslog or rsyslog's with an ISO stamp, and those
//! are read here in one pass. `envelope::peel` reads all others; the two agree on the lines that both can read.

use super::parts;
use crate::format::Line;
use crate::format::envelope::{Peeled, Stamps};
use crate::record::minute::Minute;
use crate::record::number::integer;
use crate::record::time::{self, Clock};

/// The parts of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Head<'a> {
    /// When, if the envelope says it; not a possible time when it is `Some(None)`.
    pub(super) time: Option<Option<i64>>,
    /// The host that wrote the line.
    pub(super) host: Option<&'a [u8]>,
    /// `postfix/submission/smtpd`
    pub(super) tag: &'a [u8],
    /// The process.
    pub(super) pid: Option<i64>,
    /// What Postfix says.
    pub(super) message: &'a [u8],
    /// Where the spaces of the message are, as positions in the piece; there may be some behind it.
    pub(super) spaces: &'a [u32],
}

/// Reads the stamps of lines.
#[derive(Debug)]
pub(super) struct Heads {
    clock: Clock,
    minute: Minute,
    stamps: Stamps,
}

/// `Mar  7 09:15:02`
const STAMP: usize = 15;

impl Heads {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock: clock.clone(), minute: Minute::default(), stamps: Stamps::new(clock) }
    }

    /// The head of a line in one of the two usual envelopes. `None` for all others, and for what stands in more than
    /// one envelope.
    #[inline]
    pub(super) fn usual<'a>(&mut self, line: Line<'a>) -> Option<Head<'a>> {
        let bytes = line.bytes;
        let start = bytes.first_chunk::<{ STAMP + 1 }>()?;
        if [start[3], start[6], start[9], start[12], start[15]] == *b"  :: " {
            // The day may be padded with a space.
            let spaces = if start[4] == b' ' { 4 } else { 3 };
            let mut head = names(line, STAMP, spaces)?;
            head.time = Some(self.yearless(&bytes[..STAMP]));
            return Some(head);
        }
        if [start[4], start[7], start[10], start[13]] == *b"--T:" {
            let end = line.mark(0)?;
            let mut head = names(line, end, 1)?;
            head.time = Some(self.iso(&bytes[..end])?);
            return Some(head);
        }
        None
    }

    #[inline]
    fn yearless(&mut self, stamp: &[u8]) -> Option<i64> {
        let clock = &mut self.clock;
        let read = || clock.yearless(time::syslog(stamp)?);
        self.minute.instant(&stamp[..13], &stamp[13..], b"", read)
    }

    /// An ISO stamp with a zone; `None` for one that is written in another way.
    #[inline]
    fn iso(&mut self, stamp: &[u8]) -> Option<Option<i64>> {
        let zone = match stamp {
            [.., b'Z'] => stamp.len() - 1,
            [.., b'+' | b'-', _, _, b':', _, _] => stamp.len() - 6,
            _ => return None,
        };
        let (wall, zone) = stamp.split_at(zone);
        let (minute, seconds) = wall.split_at_checked(17)?;
        let clock = &mut self.clock;
        let read = || Some(clock.iso(time::iso(stamp)?));
        Some(self.minute.instant(minute, seconds, zone, read))
    }

    /// The head that [`crate::format::envelope::peel`] found in a line; `None` without a tag.
    pub(super) fn peeled<'a>(&mut self, peeled: &Peeled<'a>, line: Line<'a>) -> Option<Head<'a>> {
        let time = peeled.stamp.map(|stamp| self.stamps.instant(stamp));
        let Peeled { host, pid, message, .. } = *peeled;
        let message = message.trim_ascii_start();
        let place = line.place(message);
        let before = line.marks.partition_point(|space| (*space as usize) < place);
        let spaces = &line.marks[before..];
        Some(Head { time, host, tag: peeled.tag?, pid, message, spaces })
    }
}

/// `mx1 postfix/smtpd[991]: …` behind the space at `stamp`, which with those before makes so many.
#[inline]
fn names(line: Line<'_>, stamp: usize, spaces: usize) -> Option<Head<'_>> {
    let (host_end, tag_end) = (line.mark(spaces)?, line.mark(spaces + 1)?);
    let bytes = line.bytes;
    let host = bytes.get(stamp + 1..host_end)?;
    let tag = bytes.get(host_end + 1..tag_end)?.strip_suffix(b"]:")?;
    let open = tag.iter().rposition(|byte| *byte == b'[')?;
    let message = &bytes[tag_end + 1..];
    if open == 0 || is_wrapped(message, &tag[..open]) {
        return None;
    }
    let (tag, pid) = (&tag[..open], integer(&tag[open + 1..]));
    let spaces = &line.marks[spaces + 2..];
    Some(Head { time: None, host: Some(host), tag, pid, message, spaces })
}

/// True when a message may be an envelope once more, or is one that a relay folded.
#[inline]
fn is_wrapped(message: &[u8], tag: &[u8]) -> bool {
    match message.first() {
        Some(b'a'..=b'l' | b'n' | b'o' | b'q'..=b'z' | b'A'..=b'Z') => false,
        Some(b'0'..=b'9') => message.get(4) == Some(&b'-'),
        Some(b'm') => message.starts_with(b"message repeated "),
        Some(b'p') => message.starts_with(tag),
        _ => true,
    }
}

/// The programs that Postfix consists of.
const PROGRAMS: [&[u8]; 37] = [
    b"smtpd",
    b"smtp",
    b"qmgr",
    b"cleanup",
    b"lmtp",
    b"local",
    b"virtual",
    b"pipe",
    b"bounce",
    b"pickup",
    b"error",
    b"discard",
    b"anvil",
    b"scache",
    b"verify",
    b"trivial-rewrite",
    b"tlsmgr",
    b"tlsproxy",
    b"postscreen",
    b"dnsblog",
    b"proxymap",
    b"proxywrite",
    b"master",
    b"postlogd",
    b"postlog",
    b"postfix-script",
    b"sendmail",
    b"postdrop",
    b"postsuper",
    b"postqueue",
    b"postcat",
    b"postmap",
    b"postalias",
    b"flush",
    b"showq",
    b"spawn",
    b"qmqpd",
];

impl<'a> Head<'a> {
    /// What stands before the last slash of the tag, or the whole tag, and what stands after. Some relays cut the tag at
    /// the slash; then nobody knows the program.
    #[inline]
    pub(super) fn instance_and_program(&self) -> (&'a [u8], Option<&'a [u8]>) {
        match self.tag.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&self.tag[..slash], Some(&self.tag[slash + 1..])),
            None => (self.tag, None),
        }
    }

    /// True for a line of Postfix. An instance may have any name; then the program tells, or what it says.
    #[inline]
    pub(super) fn is_postfix(&self) -> bool {
        self.tag.starts_with(b"postfix") || self.is_of_other_instance()
    }

    #[cold]
    fn is_of_other_instance(&self) -> bool {
        match self.instance_and_program() {
            (_, Some(program)) => {
                PROGRAMS.contains(&program) || matches!(program, b"oqmgr" | b"nqmgr")
            }
            (_, None) => speaks_as_postfix(self.message),
        }
    }
}

/// True for what only Postfix says.
fn speaks_as_postfix(message: &[u8]) -> bool {
    if message.starts_with(b"NOQUEUE: ") {
        return true;
    }
    let has = |text: &[u8], part: &str| memchr::memmem::find(text, part.as_bytes()).is_some();
    parts::queue_id(message).is_some_and(|(_, text)| {
        text.ends_with(b"(queue active)")
            || text.starts_with(b"client=") && text.ends_with(b"]")
            || text.starts_with(b"to=<") && has(text, ", relay=") && has(text, ", status=")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::envelope::peel;

    fn spaces(line: &str) -> Vec<u32> {
        memchr::memchr_iter(b' ', line.as_bytes()).map(|at| at as u32).collect()
    }

    fn whole<'a>(line: &'a str, marks: &'a [u32]) -> Line<'a> {
        Line { bytes: line.as_bytes(), at: 0, marks }
    }

    fn heads() -> Heads {
        Heads::new(Clock::new(chrono_tz::UTC, 1_735_603_200_000_000))
    }

    #[test]
    fn the_short_way_reads_what_the_long_way_reads() {
        for line in [
            "Mar  7 09:15:02 mx1 postfix/smtpd[991]: connect from a[192.0.2.7]",
            "Mar 17 09:15:02 mx1 postfix/smtpd[991]: connect from a[192.0.2.7]",
            "Mar  7 09:15:02 mx1 postfix/smtpd[991]: 4F9D195432D: client=a[192.0.2.7]",
            "2024-03-07T09:15:02.418123+01:00 mx1 postfix/qmgr[1]: A710A9AE097: removed",
            "2024-03-07T09:15:02Z mx1 postfix/qmgr[1]: A710A9AE097: removed",
            "Mar 32 09:15:02 mx1 postfix/smtpd[991]: connect from a[192.0.2.7]",
        ] {
            let marks = spaces(line);
            let short = heads().usual(whole(line, &marks));
            assert!(short.is_some(), "{line}");
            let long = heads().peeled(&peel(line.as_bytes()), whole(line, &marks));
            assert_eq!(short, long, "{line}");
        }
    }

    #[test]
    fn what_is_folded_doubled_or_odd_goes_the_long_way() {
        for line in [
            "Mar  7 09:15:02 mx1 postfix/smtpd[1]: message repeated 2 times: [ connect from a[1]]",
            "Mar  7 09:15:02 mx1 postfix/smtpd[1]: postfix/smtpd[1]: connect from a[1]",
            "Mar  7 09:15:02 mx1 postfix/smtpd[1]: [ID 1 mail.info] connect from a[1]",
            "Mar  7 09:15:02 mx1 postfix/smtpd: connect from a[1]",
            "<22>Mar  7 09:15:02 mx1 postfix/smtpd[1]: connect from a[1]",
            "2024-03-07T09:15:02 mx1 postfix/smtpd[1]: connect from a[1]",
            "Mar  7",
        ] {
            assert_eq!(heads().usual(whole(line, &spaces(line))), None, "{line}");
        }
    }

    #[test]
    fn instances_of_any_name() {
        let is = |line: &str| {
            let marks = spaces(line);
            let head = heads().peeled(&peel(line.as_bytes()), whole(line, &marks));
            head.is_some_and(|head| head.is_postfix())
        };
        assert!(is("Mar  7 09:15:02 mx1 outbound/smtp[1]: connect to a[192.0.2.7]:25: x"));
        assert!(is("Mar  7 09:15:02 mx1 mail-in[1]: NOQUEUE: reject: x"));
        assert!(is(
            "Mar  7 09:15:02 mx1 mail-in[1]: A710A9AE097: from=<>, size=1, nrcpt=1 (queue active)"
        ));
        assert!(!is("Mar  7 09:15:02 mx1 sshd[1]: Accepted"));
        assert!(!is("Mar  7 09:15:02 mx1 systemd/other[1]: x"));
    }
}

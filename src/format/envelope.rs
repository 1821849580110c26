//! What stands around a server's own line: syslog in its spellings, container wrappers, a relay's repetitions.
//!
//! ```text
//! Mar  7 09:15:02 web1 nginx[77]: 2024/03/07 09:15:02 [error] …                      (RFC 3164, as files have it)
//! Mar 07 09:15:02.418123 web1 nginx[77]: 2024/03/07 …                                (journalctl -o short-precise)
//! Thu 2024-03-07 09:15:02 CET web1 nginx[77]: 2024/03/07 …                           (journalctl -o short-full)
//! Mar  7 09:15:02 web1 local7.err nginx[77]: 2024/03/07 …                             (BusyBox, and many a template)
//! Mar  7 09:15:02 <local7.err> web1 nginx[77]: 2024/03/07 …                           (FreeBSD, syslogd -v)
//! <187>Mar  7 09:15:02 web1 nginx: 2024/03/07 …                                      (the same, raw)
//! 2024-03-07T09:15:02.418123+01:00 mail postfix/smtpd[991]: connect from …           (rsyslog's own spelling)
//! <134>1 2024-03-07T08:15:02Z lb haproxy 77 - - 192.0.2.7:51004 …                    (RFC 5424)
//! 2024-03-07T08:15:02.418123456Z stdout F 2024/03/07 …                               (CRI)
//! web-1  | 2024/03/07 …                                                              (compose)
//! haproxy[77]: 192.0.2.7:51004 …                                                      (what collectors leave)
//! ```
//!
//! [`peel`] takes these layers off, several if need be: relays put syslog into syslog, and containers anything into
//! anything. The innermost layer says the host and the tag, and also the time, unless it has none. A line without an
//! envelope comes back whole, after a look at its first bytes only.
//!
//! What is peeled must be there for certain: a line in a server's own spelling never loses its beginning, even if
//! that means that an odd envelope stays on. In doubt the stamps decide: BIND and MySQL write their own lines with
//! ISO stamps too, so those count as an envelope only with a zone, a host and a tag behind them.
//!
//! Grammars: RFC 3164 and RFC 5424; rsyslog's templates `RSYSLOG_FileFormat` and `RSYSLOG_TraditionalFileFormat`;
//! the logging format of Kubernetes' container runtime interface. What a container runtime tore into parts (CRI's `P`) was
//! joined while reading.

#[cfg(test)]
mod tests;
mod words;

pub use self::words::repeats_before;
use self::words::{
    Named, Zone, begins_a_line_of_a_log, host_and_tag, is_of_container_name, is_remark,
    past_message_id, past_stream_of_container, past_structured_data, said, severity_by_name,
    shape_of_iso, without_nul, word,
};
use crate::record::minute::Minute;
use crate::record::number::{integer, scaled};
use crate::record::time::{self, Clock};

/// A line and what stood around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peeled<'a> {
    /// When the envelope says it was written.
    pub stamp: Option<Stamp<'a>>,
    /// The host that wrote it.
    pub host: Option<&'a [u8]>,
    /// The program with its instance: `nginx`, `postfix/submission/smtpd`.
    pub tag: Option<&'a [u8]>,
    /// The process.
    pub pid: Option<i64>,
    /// The severity of syslog, 0 (emergency) to 7 (debug).
    pub severity: Option<u8>,
    /// How many records the line stands for: more than one when a relay folded equal lines.
    pub repeat: u32,
    /// True for a line about the log itself, by a log daemon: a mark, a rotation, a repetition of the line before.
    pub is_noise: bool,
    /// The server's own line.
    pub message: &'a [u8],
}

/// The time of an envelope, not read yet: see [`Stamps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp<'a> {
    text: &'a [u8],
    spelling: Spelling,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// `Mar  7 09:15:02`
    Yearless,
    /// `2024-03-07T09:15:02.418+01:00`
    Iso,
    /// `2024 Mar 07 09:15:02.418`
    YearFirst,
}

/// Reads the stamps of envelopes; one for each parser.
#[derive(Debug, Clone)]
pub struct Stamps {
    clock: Clock,
    minute: Minute,
}

impl Stamps {
    /// Reads them by that clock.
    pub fn new(clock: Clock) -> Self {
        Self { clock, minute: Minute::default() }
    }

    /// The instant of a stamp; `None` when it names no possible time.
    #[inline]
    pub fn instant(&mut self, stamp: Stamp<'_>) -> Option<i64> {
        let (text, clock) = (stamp.text, &mut self.clock);
        match stamp.spelling {
            Spelling::Yearless => {
                let (stamp, seconds) = (text.get(..15)?, text.get(13..)?);
                let micros = |text: &[u8]| scaled(text, 6);
                let read = || {
                    let instant = clock.yearless(time::syslog(stamp)?)?;
                    Some(instant + micros(seconds)? - micros(&seconds[..2])?)
                };
                self.minute.instant(text.get(..13)?, text.get(13..)?, b"", read)
            }
            Spelling::Iso => {
                let zone = text.iter().rposition(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-'));
                let zone = zone.filter(|at| *at >= 19).unwrap_or(text.len());
                let (stamp, tail) = text.split_at(zone);
                let read = || Some(clock.iso(time::iso(text)?));
                self.minute.instant(stamp.get(..17)?, stamp.get(17..)?, tail, read)
            }
            Spelling::YearFirst => {
                let read = || Some(clock.instant(time::year_month_day(text)?));
                self.minute.instant(text.get(..18)?, text.get(18..)?, b"", read)
            }
        }
    }
}

/// No sane relay nests deeper.
const MOST_LAYERS: usize = 6;

/// Takes off what stands around a server's own line. The parts of the answer are parts of `line`.
#[inline]
pub fn peel(line: &[u8]) -> Peeled<'_> {
    let mut peeled = Peeled::plain(line);
    if is_suspect(line) {
        peeled.peel_layers();
    }
    peeled
}

/// False when the first bytes already say that no envelope begins here.
#[inline]
fn is_suspect(line: &[u8]) -> bool {
    let Some((first, Some(fourth))) = line.first().map(|first| (first, line.get(4))) else {
        return false;
    };
    match first {
        b'<' | b'-' | b'a'..=b'z' => true,
        // A server's own `2024/…` and the addresses of access lines leave here.
        b'0'..=b'9' => matches!(fourth, b'-' | b' ' | b'<') || line[1..4].contains(&b' '),
        b'A'..=b'Z' => line[3] == b' ',
        _ => false,
    }
}

impl<'a> Peeled<'a> {
    fn plain(message: &'a [u8]) -> Self {
        Self {
            stamp: None,
            host: None,
            tag: None,
            pid: None,
            severity: None,
            repeat: 1,
            is_noise: false,
            message,
        }
    }

    /// The last part of the tag: `smtpd` of `postfix/submission/smtpd`.
    pub fn program(&self) -> Option<&'a [u8]> {
        self.tag.map(|tag| &tag[memchr::memrchr(b'/', tag).map_or(0, |at| at + 1)..])
    }

    /// The tag without the program: `postfix/submission` of `postfix/submission/smtpd`.
    pub fn instance(&self) -> Option<&'a [u8]> {
        let tag = self.tag?;
        Some(&tag[..memchr::memrchr(b'/', tag)?])
    }

    fn peel_layers(&mut self) {
        for _ in 0..MOST_LAYERS {
            if !self.peel_layer() {
                break;
            }
            self.peel_repetition();
        }
        self.peel_doubled_tag();
        self.is_noise = self.is_noise || self.is_about_the_log();
    }

    /// Takes off the outermost layer; false when there is none.
    fn peel_layer(&mut self) -> bool {
        let done = match self.message.first() {
            Some(b'<') => self.peel_priority(),
            Some(b'A'..=b'Z') => self.peel_yearless().or_else(|| self.peel_weekday()),
            Some(b'0'..=b'9') => self
                .peel_iso(Spoken::Plainly)
                .or_else(|| self.peel_year_first())
                .or_else(|| self.peel_frame_length()),
            Some(b'a'..=b'z') => self.peel_compose().or_else(|| self.peel_lone_tag()),
            _ => None,
        };
        done.is_some()
    }

    /// `<134>` and what it announces.
    fn peel_priority(&mut self) -> Option<()> {
        let digits = self.message.iter().skip(1).take(4).take_while(|byte| byte.is_ascii_digit());
        let end = digits.count() + 1;
        if self.message.get(end) != Some(&b'>') {
            return None;
        }
        let priority = integer(&self.message[1..end]).filter(|priority| *priority <= 191)?;
        self.severity = Some(priority as u8 & 7);
        self.message = without_nul(&self.message[end + 1..]);
        let _ = self
            .peel_structured()
            .or_else(|| self.peel_yearless())
            .or_else(|| self.peel_iso(Spoken::AfterPriority))
            .or_else(|| self.peel_bare_tag());
        Some(())
    }

    /// Takes a stamp with its zone off where nothing else says that it is an envelope: for servers that write no such
    /// stamps themselves.
    pub fn without_stamp(mut self) -> Option<Self> {
        if self.message.get(4) != Some(&b'-') {
            return None;
        }
        let (text, rest) = word(self.message)?;
        if self.stamp.is_some() || shape_of_iso(text)? == Zone::None {
            return None;
        }
        self.stamp = Some(Stamp { text, spelling: Spelling::Iso });
        self.message = rest;
        Some(self)
    }

    /// `1 2024-03-07T08:15:02Z host app 77 id [data] message`, after the priority.
    fn peel_structured(&mut self) -> Option<()> {
        let rest = self.message.strip_prefix(b"1 ")?;
        let (stamp, rest) = word(rest)?;
        if stamp != b"-" {
            shape_of_iso(stamp)?;
            self.stamp = Some(Stamp { text: stamp, spelling: Spelling::Iso });
        }
        let (host, rest) = word(rest)?;
        let (tag, rest) = word(rest)?;
        let (pid, rest) = word(rest)?;
        let (_, rest) = word(rest)?;
        let rest = past_structured_data(rest)?;
        // rsyslog keeps the space between the tag and the message of a client that speaks RFC 3164, and its template for
        // RFC 5424 puts one more in front.
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        self.name(said(host), said(tag), integer(pid));
        self.message = rest.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(rest);
        Some(())
    }

    /// `Mar  7 09:15:02 host tag[77]: `.
    fn peel_yearless(&mut self) -> Option<()> {
        const LEN: usize = 15;
        let text = self.message;
        let stamp = text.get(..LEN)?;
        let shape = [stamp[3], stamp[6], stamp[9], stamp[12]];
        if shape != *b"  ::" {
            return None;
        }
        let fraction = text[LEN..].iter().take_while(|byte| matches!(byte, b'.' | b'0'..=b'9'));
        let len = LEN + fraction.count();
        if text.get(len) != Some(&b' ') || (len > LEN && text[LEN] != b'.') {
            return None;
        }
        self.stamp = Some(Stamp { text: &text[..len], spelling: Spelling::Yearless });
        self.peel_names(&text[len + 1..]);
        Some(())
    }

    /// `Thu 2024-03-07 09:15:02 CET host tag[77]: `. The name of a zone says nothing certain: the stamp is read in the
    /// run's.
    fn peel_weekday(&mut self) -> Option<()> {
        const STAMP: std::ops::Range<usize> = 4..23;
        let text = self.message;
        let stamp = text.get(STAMP)?;
        let shape = [text[3], stamp[4], stamp[7], stamp[10], stamp[13], stamp[16]];
        if shape != *b" -- ::" || text.get(STAMP.end) != Some(&b' ') {
            return None;
        }
        let (_zone, rest) = word(&text[STAMP.end + 1..])?;
        let named = host_and_tag(rest).filter(|named| named.host.is_some())?;
        self.stamp = Some(Stamp { text: stamp, spelling: Spelling::Iso });
        self.name(named.host, Some(named.tag), named.pid);
        self.message = named.message;
        Some(())
    }

    /// `2024 Mar 07 09:15:02.418 host tag[77]: `.
    fn peel_year_first(&mut self) -> Option<()> {
        let text = self.message;
        let shape = [*text.get(4)?, *text.get(8)?, *text.get(11)?, *text.get(14)?, *text.get(17)?];
        if shape != *b"   ::" {
            return None;
        }
        let len = 12 + word(&text[12..])?.0.len();
        self.stamp = Some(Stamp { text: &text[..len], spelling: Spelling::YearFirst });
        self.peel_names(&text[len + 1..]);
        Some(())
    }

    /// `2024-03-07T09:15:02.418123+01:00 host tag[77]: `, and the wrappers of container runtimes that begin alike.
    fn peel_iso(&mut self, spoken: Spoken) -> Option<()> {
        let (text, rest) = word(self.message)?;
        let zone = shape_of_iso(text)?;
        let stamp = Stamp { text, spelling: Spelling::Iso };
        if let Some(rest) = past_stream_of_container(text, rest) {
            self.stamp = Some(stamp);
            self.message = rest;
            return Some(());
        }
        if spoken == Spoken::AfterPriority {
            self.stamp = Some(stamp);
            self.peel_names(rest);
            return Some(());
        }
        let named = host_and_tag(rest).or_else(|| self.named_beside_priority(rest));
        let named = named.filter(|named| named.host.is_some())?;
        let is_sure = match zone {
            Zone::None => false,
            Zone::Utc => named.pid.is_some(),
            Zone::Offset => true,
        };
        is_sure.then(|| {
            self.stamp = Some(stamp);
            self.name(named.host, Some(named.tag), named.pid);
            self.message = named.message;
        })
    }

    /// Host, tag and process behind a stamp. Without a tag the first word is the host: so do log daemons write their
    /// own remarks.
    fn peel_names(&mut self, rest: &'a [u8]) {
        match host_and_tag(rest).or_else(|| self.named_beside_priority(rest)) {
            Some(named) => {
                self.name(named.host, Some(named.tag), named.pid);
                self.message = past_message_id(named.message);
            }
            None if is_remark(rest) => {
                self.message = rest;
            }
            None => {
                let (host, rest) = word(rest).unwrap_or((rest, &[]));
                self.name(Some(host), None, None);
                self.message = rest;
            }
        }
    }

    /// `host mail.info tag[77]: ` or `<mail.info> host tag[77]: `.
    #[cold]
    fn named_beside_priority(&mut self, rest: &'a [u8]) -> Option<Named<'a>> {
        let (first, rest) = word(rest)?;
        if let Some(priority) = first.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">")) {
            let severity = severity_by_name(priority)?;
            let named = host_and_tag(rest)?;
            self.severity = Some(severity);
            return Some(named);
        }
        let (second, rest) = word(rest)?;
        let severity = severity_by_name(second)?;
        let named = host_and_tag(rest).filter(|named| named.host.is_none())?;
        self.severity = Some(severity);
        Some(Named { host: Some(first), ..named })
    }

    /// `tag: ` or `tag[77]: ` with nothing in front, after a priority.
    fn peel_bare_tag(&mut self) -> Option<()> {
        let named = host_and_tag(self.message).filter(|named| named.host.is_none())?;
        self.name(None, Some(named.tag), named.pid);
        self.message = named.message;
        Some(())
    }

    /// `tag[77]: ` with nothing at all in front, as collectors leave it that keep stamps and hosts elsewhere. The process is
    /// asked for, because a word and a colon stand in many a line.
    fn peel_lone_tag(&mut self) -> Option<()> {
        let named = host_and_tag(self.message).filter(|named| named.host.is_none());
        let named = named.filter(|named| named.pid.is_some() && self.tag.is_none())?;
        self.name(None, Some(named.tag), named.pid);
        self.message = named.message;
        Some(())
    }

    fn name(&mut self, host: Option<&'a [u8]>, tag: Option<&'a [u8]>, pid: Option<i64>) {
        self.host = host.or(self.host);
        if tag.is_some() {
            (self.tag, self.pid) = (tag, pid);
        }
    }

    /// `123 ` in front of `<34>…`: the length of a frame of syslog over TCP.
    fn peel_frame_length(&mut self) -> Option<()> {
        let (length, rest) = word(self.message).filter(|(length, _)| length.len() <= 6)?;
        integer(length)?;
        if rest.first() != Some(&b'<') {
            return None;
        }
        self.message = rest;
        self.peel_priority()
    }

    /// `name-1  | `. The number at the end is asked for, because a bar alone stands in many a line; a container that was
    /// given a name of its own may have none, and then what follows must begin as only lines of logs do.
    fn peel_compose(&mut self) -> Option<()> {
        const LONGEST: usize = 64;
        let name =
            self.message.iter().take(LONGEST).take_while(|byte| is_of_container_name(**byte));
        let (name, rest) = self.message.split_at(name.count());
        let bar = rest.iter().take(LONGEST).take_while(|byte| **byte == b' ').count();
        match &rest[bar..] {
            [b'|', b' ', message @ ..]
                if bar > 0
                    && (name.last()?.is_ascii_digit() || begins_a_line_of_a_log(message)) =>
            {
                self.host = Some(name);
                self.message = message;
                Some(())
            }
            _ => None,
        }
    }

    /// `message repeated 3 times: [ … ]`.
    fn peel_repetition(&mut self) {
        let Some(rest) = self.message.strip_prefix(b"message repeated ") else { return };
        let Some((times, rest)) = word(rest) else { return };
        let Some(rest) = rest.strip_prefix(b"times: [") else { return };
        let Some(times) = integer(times) else { return };
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        let times = times.clamp(1, i64::from(MOST_REPEATS)) as u32;
        self.repeat = self.repeat.saturating_mul(times).min(MOST_REPEATS);
        self.message = rest.strip_suffix(b"]").unwrap_or(rest);
    }

    /// `host tag: ` or `tag: ` once more, of a relay that put a header in front of a line that had one.
    fn peel_doubled_tag(&mut self) {
        let Some(tag) = self.tag else { return };
        let text = self.message;
        let doubled = text.starts_with(tag)
            || memchr::memchr(b' ', text).is_some_and(|at| text[at + 1..].starts_with(tag));
        if !doubled {
            return;
        }
        if let Some(named) = host_and_tag(text).filter(|named| named.tag == tag) {
            self.name(named.host, Some(tag), named.pid.or(self.pid));
            self.message = named.message;
        }
    }

    fn is_about_the_log(&self) -> bool {
        const DAEMONS: [&[u8]; 6] = [
            b"rsyslogd",
            b"syslogd",
            b"syslog-ng",
            b"newsyslog",
            b"systemd-journald",
            b"systemd-journal",
        ];
        match self.tag {
            None => is_remark(self.message),
            Some(tag) if matches!(tag.first(), Some(b'r' | b's' | b'n')) => {
                DAEMONS.contains(&tag) || (tag == b"syslog" && is_remark(self.message))
            }
            Some(_) => false,
        }
    }
}

/// The most records that one folded line may stand for: a hostile number must not fill the blocks for hours.
pub const MOST_REPEATS: u32 = 100_000;

/// What came before a stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoken {
    /// Nothing that says that this is syslog.
    Plainly,
    /// A priority.
    AfterPriority,
}

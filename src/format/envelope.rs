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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    None,
    Utc,
    Offset,
}

/// Looks whether a word has the shape of an ISO stamp; what it says is read later.
fn shape_of_iso(text: &[u8]) -> Option<Zone> {
    let shape = [*text.get(4)?, *text.get(7)?, *text.get(10)?, *text.get(13)?, *text.get(16)?];
    if shape != *b"--T::" || text.len() < 19 || text.len() > 35 || !text[0].is_ascii_digit() {
        return None;
    }
    let fraction = text[19..].iter().take_while(|byte| matches!(byte, b'.' | b',' | b'0'..=b'9'));
    match text[19 + fraction.count()..] {
        [] => Some(Zone::None),
        [b'Z'] => Some(Zone::Utc),
        [b'+' | b'-', _, _, _, _] | [b'+' | b'-', _, _, b':', _, _] => Some(Zone::Offset),
        _ => None,
    }
}

/// What follows `stdout F ` (CRI), or a stamp with nanoseconds, which only container runtimes write.
fn past_stream_of_container<'a>(stamp: &[u8], rest: &'a [u8]) -> Option<&'a [u8]> {
    const NANOSECONDS: usize = b"2024-03-07T08:15:02.418123456Z".len();
    match rest {
        [b's', b't', b'd', b'o', b'u', b't', b' ', b'F' | b'P', b' ', rest @ ..] => Some(rest),
        [b's', b't', b'd', b'e', b'r', b'r', b' ', b'F' | b'P', b' ', rest @ ..] => Some(rest),
        _ if stamp.len() == NANOSECONDS && stamp.ends_with(b"Z") => Some(rest),
        _ => None,
    }
}

struct Named<'a> {
    host: Option<&'a [u8]>,
    tag: &'a [u8],
    pid: Option<i64>,
    message: &'a [u8],
}

/// `host tag[77]: message` or `tag[77]: message`.
fn host_and_tag(text: &[u8]) -> Option<Named<'_>> {
    let (first, rest) = word(text).unwrap_or((text, &[]));
    if let Some((tag, pid)) = tag_and_pid(first) {
        return Some(Named { host: None, tag, pid, message: rest });
    }
    let (second, message) = word(rest).unwrap_or((rest, &[]));
    let (tag, pid) = tag_and_pid(second)?;
    Some(Named { host: Some(first), tag, pid, message })
}

/// `tag:` or `tag[77]:`.
fn tag_and_pid(word: &[u8]) -> Option<(&[u8], Option<i64>)> {
    let name = word.strip_suffix(b":")?;
    let (name, pid) = match name.strip_suffix(b"]") {
        Some(open) => {
            let at = memchr::memrchr(b'[', open)?;
            (&open[..at], integer(&open[at + 1..]))
        }
        None => (name, None),
    };
    (name.first()?.is_ascii_graphic() && name[0] != b'[').then_some((name, pid))
}

/// The severity of `mail.info`, a facility and a severity by their names.
fn severity_by_name(word: &[u8]) -> Option<u8> {
    const FACILITIES: [&[u8]; 17] = [
        b"kern",
        b"user",
        b"mail",
        b"daemon",
        b"auth",
        b"syslog",
        b"lpr",
        b"news",
        b"uucp",
        b"cron",
        b"authpriv",
        b"ftp",
        b"ntp",
        b"security",
        b"console",
        b"audit",
        b"local",
    ];
    const SEVERITIES: [(&[u8], u8); 11] = [
        (b"emerg", 0),
        (b"panic", 0),
        (b"alert", 1),
        (b"crit", 2),
        (b"err", 3),
        (b"error", 3),
        (b"warn", 4),
        (b"warning", 4),
        (b"notice", 5),
        (b"info", 6),
        (b"debug", 7),
    ];
    let (facility, severity) = word.split_at(memchr::memchr(b'.', word)?);
    let facility = match facility {
        [local @ .., b'0'..=b'7'] if local == b"local" => local,
        _ => facility,
    };
    let found = SEVERITIES.iter().find(|(name, _)| *name == &severity[1..])?;
    FACILITIES.contains(&facility).then_some(found.1)
}

/// Steps over Solaris' `[ID 197553 mail.info] `.
fn past_message_id(text: &[u8]) -> &[u8] {
    if !text.starts_with(b"[ID ") {
        return text;
    }
    match memchr::memchr(b']', text) {
        Some(end) => text[end + 1..].strip_prefix(b" ").unwrap_or(&text[end + 1..]),
        None => text,
    }
}

/// What follows `-` or `[id name="value" …][…]`. In a value, a backslash protects what follows it.
fn past_structured_data(text: &[u8]) -> Option<&[u8]> {
    let mut rest = match text {
        [b'-', rest @ ..] => rest,
        _ => {
            let mut rest = text;
            while let [b'[', element @ ..] = rest {
                rest = past_element(element)?;
            }
            rest
        }
    };
    if let [b' ', message @ ..] = rest {
        rest = message;
    }
    Some(rest)
}

fn past_element(text: &[u8]) -> Option<&[u8]> {
    let (mut at, mut in_value) = (0, false);
    loop {
        at += memchr::memchr3(b'"', b'\\', b']', text.get(at..)?)?;
        match text[at] {
            b'"' => in_value = !in_value,
            b'\\' if in_value => at += 1,
            b']' if !in_value => return Some(&text[at + 1..]),
            _ => {}
        }
        at += 1;
    }
}

/// Lines that log daemons and journald write about the log.
fn is_remark(text: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 6] = [
        b"-- MARK --",
        b"-- Logs begin at ",
        b"-- Journal begins at ",
        b"-- Reboot --",
        b"-- Boot ",
        b"-- No entries --",
    ];
    match text.first() {
        Some(b'-') => BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)),
        Some(b'l') => repeats_before(text).is_some(),
        _ => false,
    }
}

/// How often the line before happened again, when a message says so: `last message repeated 3 times`. Which line that
/// was only the order in the file tells, so that a format that wants to count it has to frame both as one record.
pub fn repeats_before(message: &[u8]) -> Option<u32> {
    let rest = message.strip_prefix(b"last message repeated ")?;
    let (times, rest) = word(rest)?;
    rest.starts_with(b"time").then_some(())?;
    u32::try_from(integer(times)?).ok()
}

/// The bytes up to a space, and those after it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b' ', text)?;
    Some((&text[..end], &text[end + 1..]))
}

/// RFC 5424's spelling of nothing.
fn said(word: &[u8]) -> Option<&[u8]> {
    (word != b"-").then_some(word)
}

fn without_nul(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\0").unwrap_or(text)
}

/// True for `<134>…`, `[warning] …`, `2024-03-07…`, `2024/03/07…`, `07/Mar/2024…`, `192.0.2.7 …`, `Mar  7 09:15:02 …`.
fn begins_a_line_of_a_log(text: &[u8]) -> bool {
    let Some(begin) = text.get(..15) else { return false };
    let separators = |byte: u8| begin.iter().filter(|found| **found == byte).count();
    match begin[0] {
        b'<' => begin[1].is_ascii_digit() && begin[..6].contains(&b'>'),
        b'[' => begin[1].is_ascii_alphanumeric() && text.contains(&b']'),
        b'0'..=b'9' => {
            begin[1].is_ascii_digit()
                && [b'-', b'/', b'.'].into_iter().any(|byte| separators(byte) >= 2)
        }
        b'A'..=b'Z' => [begin[3], begin[6], begin[9], begin[12]] == *b"  ::",
        _ => false,
    }
}

fn is_of_container_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MESSAGE: &[u8] = b"2024/03/07 09:15:02 [error] 7#7: *9 oops";

    fn utc(text: &str) -> i64 {
        chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    fn instant(peeled: Peeled<'_>) -> Option<i64> {
        let clock = Clock::new(chrono_tz::UTC, utc("2024-06-01T00:00:00Z"));
        Stamps::new(clock).instant(peeled.stamp?)
    }

    /// Peels `around` with the message in place of `@` and checks that exactly the message is left.
    fn check<'a>(around: &str, room: &'a mut Vec<u8>) -> Peeled<'a> {
        let message = std::str::from_utf8(MESSAGE).unwrap();
        *room = around.replace('@', message).into_bytes();
        let peeled = peel(room);
        assert_eq!(peeled.message, MESSAGE, "{around}");
        peeled
    }

    #[test]
    fn tags_with_nothing_in_front() {
        let mut room = Vec::new();
        for (line, tag, pid) in [
            ("haproxy[77]: @", "haproxy", 77),
            ("postfix/smtpd[991]: @", "postfix/smtpd", 991),
            ("nginx[7]: message repeated 2 times: [ @]", "nginx", 7),
        ] {
            let peeled = check(line, &mut room);
            assert_eq!((peeled.tag, peeled.pid), (Some(tag.as_bytes()), Some(pid)), "{line}");
            assert_eq!((peeled.host, peeled.stamp), (None, None), "{line}");
        }
        for line in ["haproxy: x", "a b[7]: x", "backend[7] x", "b[x]: y"] {
            assert_eq!(peel(line.as_bytes()).message, line.as_bytes(), "{line}");
        }
        // What a program says in brackets behind its tag is its own.
        let inner = peel(b"Mar  7 09:15:02 lb haproxy[77]: backend[9]: x");
        assert_eq!((inner.tag, inner.message), (Some(&b"haproxy"[..]), &b"backend[9]: x"[..]));
    }

    #[test]
    fn files_of_syslog_daemons() {
        let mut room = Vec::new();
        for (line, host, tag, pid) in [
            ("Mar  7 09:15:02 web1 nginx[77]: @", Some("web1"), "nginx", Some(77)),
            ("Mar  7 09:15:02 nginx[77]: @", None, "nginx", Some(77)),
            ("Mar  7 09:15:02 2001:db8::7 nginx: @", Some("2001:db8::7"), "nginx", None),
            ("Mar  7 09:15:02 a/b hapee-lb[1]: @", Some("a/b"), "hapee-lb", Some(1)),
            ("Mar  7 09:15:02 h x[7]: [ID 197553 mail.info] @", Some("h"), "x", Some(7)),
            ("2024-03-07T09:15:02.000000+00:00 web1 nginx: @", Some("web1"), "nginx", None),
            ("2024-03-07T09:15:02+0000 web1 nginx[77]: @", Some("web1"), "nginx", Some(77)),
            ("2024-03-07T09:15:02Z web1 nginx[77]: @", Some("web1"), "nginx", Some(77)),
            ("2024 Mar 07 09:15:02.000 web1 nginx[77]: @", Some("web1"), "nginx", Some(77)),
            ("Mar  7 09:15:02 web1 local7.err nginx[77]: @", Some("web1"), "nginx", Some(77)),
            ("Mar  7 09:15:02 web1 daemon.info nginx: @", Some("web1"), "nginx", None),
            ("Mar  7 09:15:02 <local7.err> web1 nginx[77]: @", Some("web1"), "nginx", Some(77)),
            ("2024-03-07T09:15:02+00:00 web1 user.notice nginx: @", Some("web1"), "nginx", None),
        ] {
            let peeled = check(line, &mut room);
            assert_eq!(peeled.host, host.map(str::as_bytes), "{line}");
            assert_eq!((peeled.tag, peeled.pid), (Some(tag.as_bytes()), pid), "{line}");
            assert_eq!(instant(peeled), Some(utc("2024-03-07T09:15:02Z")), "{line}");
            assert_eq!((peeled.repeat, peeled.is_noise), (1, false), "{line}");
        }
    }

    /// `RSYSLOG_SyslogProtocol23Format` of a client that speaks RFC 3164. What is indented stays so.
    #[test]
    fn a_template_may_put_a_second_space_before_the_message() {
        for (spaces, message) in [(" ", "x"), ("  ", "x"), ("    ", "  x")] {
            let line = format!("<134>1 2024-03-07T09:15:02Z lb1 haproxy 77 - -{spaces}x");
            assert_eq!(peel(line.as_bytes()).message, message.as_bytes(), "{line}");
        }
    }

    #[test]
    fn raw_syslog_says_its_severity() {
        let mut room = Vec::new();
        for line in [
            "<187>Mar  7 09:15:02 web1 nginx: @",
            "<187>Mar  7 09:15:02 nginx: @",
            "<187>Mar  7 09:15:02 nginx: @\0",
            "96 <187>Mar  7 09:15:02 web1 nginx: @",
            "1234 <187>nginx: @",
            "<187>2024-03-07T09:15:02Z nginx[3]: @",
            "<187>nginx: @",
            "<187>@",
            "<187>1 2024-03-07T09:15:02.5Z web1 nginx 77 - - @",
            "<187>1 - - nginx - - [a@1 b=\"\\\"]\" c=\"x\"][d] \u{feff}@",
        ] {
            let line = line.replace("[a@1", "[a\u{1}1");
            let peeled = check(&line, &mut room);
            assert_eq!(peeled.severity, Some(3), "{line}");
            let says_tag = line.contains("nginx");
            assert_eq!(peeled.tag, says_tag.then_some(&b"nginx"[..]), "{line}");
        }
        let line = b"<134>1 2024-03-07T09:15:02.5+01:00 lb1 haproxy 77 - - x";
        let peeled = peel(line);
        assert_eq!((peeled.host, peeled.pid), (Some(&b"lb1"[..]), Some(77)));
        assert_eq!(instant(peeled), Some(utc("2024-03-07T08:15:02.5Z")));
        assert_eq!(peel(b"<192>x").severity, None);
        for line in
            ["Mar  7 09:15:02 web1 local7.err nginx: @", "Mar  7 09:15:02 <mail.err> web1 nginx: @"]
        {
            assert_eq!(check(line, &mut room).severity, Some(3), "{line}");
        }
    }

    #[test]
    fn wrappers_of_containers() {
        let mut room = Vec::new();
        for line in [
            "2024-03-07T08:15:02.418123456Z stdout F @",
            "2024-03-07T08:15:02.4181Z stderr P @",
            "2024-03-07T08:15:02.418123456Z @",
            "web-1  | @",
            "nginx       | @",
            "lb          | <13>Mar  7 09:15:02 web1 nginx: @",
            "shop_web_1 | <13>Mar  7 09:15:02 web1 nginx: @",
        ] {
            check(line, &mut room);
        }
    }

    #[test]
    fn doubled_envelopes_say_the_inner_host() {
        let mut room = Vec::new();
        let peeled = check("Mar  7 09:15:02 relay nginx[77]: web1 nginx: @", &mut room);
        assert_eq!((peeled.host, peeled.pid), (Some(&b"web1"[..]), Some(77)));
        check("Mar  7 09:15:02 web1 nginx: nginx: @", &mut room);
        let line = "<190>Mar  7 09:15:02 relay Mar  7 09:15:01 web1 nginx: @";
        let peeled = check(line, &mut room);
        assert_eq!(peeled.host, Some(&b"web1"[..]));
        assert_eq!(instant(peeled), Some(utc("2024-03-07T09:15:01Z")));
    }

    #[test]
    fn folded_lines_stand_for_several() {
        let mut room = Vec::new();
        let line = "Mar  7 09:15:02 web1 nginx: message repeated 3 times: [ @]";
        assert_eq!(check(line, &mut room).repeat, 3);
        let line = "Mar  7 09:15:02 web1 nginx: message repeated 99999999999 times: [@]";
        assert_eq!(check(line, &mut room).repeat, MOST_REPEATS);
        let line = "Mar  7 09:15:02 web1 nginx: message repeated 0 times: [@]";
        assert_eq!(check(line, &mut room).repeat, 1);
        assert_eq!(repeats_before(b"last message repeated 3 times"), Some(3));
        assert_eq!(repeats_before(b"last message repeated x times"), None);
    }

    #[test]
    fn the_instance_is_told_from_the_program() {
        let peeled = peel(b"Mar  7 09:15:02 mx postfix/submission/smtpd[9911]: connect from x");
        assert_eq!(peeled.program(), Some(&b"smtpd"[..]));
        assert_eq!(peeled.instance(), Some(&b"postfix/submission"[..]));
        let peeled = peel(b"Mar  7 09:15:02 mx nginx: x");
        assert_eq!((peeled.program(), peeled.instance()), (Some(&b"nginx"[..]), None));
    }

    #[test]
    fn lines_about_the_log() {
        for line in [
            &b"Mar  7 09:15:02 web1 last message repeated 3 times"[..],
            b"Mar  7 09:15:02 last message repeated 3 times",
            b"Mar  7 09:15:02 web1 -- MARK --",
            b"Mar  7 00:00:00 web1 newsyslog[99]: logfile turned over due to size>100K",
            b"Mar  7 00:00:00 web1 rsyslogd: [origin software=\"rsyslogd\"] start",
            b"-- Logs begin at Thu 2024-03-07 09:15:02 UTC. --",
            b"-- Reboot --",
            b"-- Boot 3f2a --",
        ] {
            assert!(peel(line).is_noise, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn the_servers_own_lines_stay_whole() {
        for line in [
            MESSAGE,
            b"",
            b"203.0.113.9 - - [07/Mar/2024:09:15:02 +0100] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"",
            b"[Thu Mar 07 09:15:02 2024] [error] x",
            b"nginx: [emerg] bind() to 0.0.0.0:80 failed",
            b"Stack trace:",
            b"select a | b",
            b"flags | 2 and other.bits",
            b"flags | [x",
            b"2024-03-07T08:15:02.418123Z 0 [Note] InnoDB: x: y",
            b"2024-03-07T08:15:02.418123+01:00 0 [Note] x: y",
            b"2024-03-07T08:15:02.418123Z\t    5 Query\tselect 1",
            b"2024-03-07T09:15:02.418 queries: info: client 192.0.2.7#53: query: a IN A",
            b"2024-03-07T09:15:02.418 client 192.0.2.7#53: query: a IN A",
            b"2024-03-07T08:15:02.418Z zone example.org/IN: loaded serial 3",
            b"2024-03-07  9:15:02 5 [Warning] Aborted connection",
            b"07-Mar-2024 09:15:02.418 queries: info: x",
            b"-- a comment",
            b"<html>",
        ] {
            assert_eq!(peel(line), Peeled::plain(line), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn an_impossible_stamp_is_told_when_it_is_read() {
        assert_eq!(instant(peel(b"Feb 30 09:15:02 web1 nginx: x")), None);
        assert_eq!(instant(peel(b"Mar  7 09:75:02 web1 nginx: x")), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(parts in proptest::collection::vec(
            prop_oneof!["<[0-9]{0,4}>", "[\\[\\]a-z \"\\\\:-]{0,9}", ".{0,9}", prop_oneof![
                "1 ", "Mar  7 09:15:02 ", "2024-03-07T09:15:02Z ", "web1 ", "nginx[7]: ",
            ]], 0..8,
        )) {
            let line = parts.concat();
            let peeled = peel(line.as_bytes());
            let _ = (peeled.program(), peeled.instance(), instant(peeled));
            prop_assert!(line.len() >= peeled.message.len());
        }
    }

    /// `journalctl -o short-precise` and `-o short-full` left their stamps on the line.
    #[test]
    fn stamps_of_journalctl() {
        let mut room = Vec::new();
        let peeled = check("Mar 07 09:15:02.418123 web1 nginx[77]: @", &mut room);
        assert_eq!((peeled.host, peeled.pid), (Some(&b"web1"[..]), Some(77)));
        assert_eq!(instant(peeled), Some(utc("2024-03-07T09:15:02.418123Z")));
        let mut stamps = Stamps::new(Clock::new(chrono_tz::UTC, utc("2024-06-01T00:00:00Z")));
        for (text, wanted) in [
            ("Mar 07 09:15:02.5", 2_500_000),
            ("Mar 07 09:15:03", 3_000_000),
            ("Mar 07 09:15:02.25", 2_250_000),
        ] {
            let stamp = Stamp { text: text.as_bytes(), spelling: Spelling::Yearless };
            assert_eq!(stamps.instant(stamp), Some(utc("2024-03-07T09:15:00Z") + wanted), "{text}");
        }
        let peeled = check("Thu 2024-03-07 09:15:02 CET web1 nginx[77]: @", &mut room);
        assert_eq!((peeled.host, peeled.pid), (Some(&b"web1"[..]), Some(77)));
        assert_eq!(instant(peeled), Some(utc("2024-03-07T09:15:02Z")));
    }
}

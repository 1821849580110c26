//! Error logs of MySQL, Percona Server and MariaDB, all versions, and the JSON lines of MySQL 8.
//!
//! ```text
//! 2024-03-07T08:15:05.000003Z 9 [Note] [MY-010914] [Server] Aborted connection 9 to db: 'shop' user: 'app' host: '192.0.2.7' (…)
//! 2026-11-23 10:16:16 12 [Warning] Access denied for user 'app'@'app1.shop.example' (using password: YES)
//! 240307  9:15:02 [Note] /usr/sbin/mysqld: ready for connections.
//! ```
//!
//! A record begins at a line with a stamp (or a crash report, or an envelope) and takes what follows without one:
//! dumps of deadlocks, the statements in messages, crash reports. [`head`] reads what stands in front of a message,
//! [`kinds`] says what it is about, [`detail`] whom. Descriptions:
//! <https://dev.mysql.com/doc/refman/8.0/en/error-log-format.html>,
//! <https://mariadb.com/docs/server/server-management/server-monitoring-logs/error-log>.

mod detail;
mod head;
mod json;
mod kinds;

use self::detail::Detail;
use self::head::{Head, Spelling};
use self::kinds::{Kind, Kinds};
use super::envelope::{self, Peeled, Stamps};
use super::frame::certain_lines;
use super::{Line, Parser, trouble};
use crate::input::Framing;
use crate::ledger::Reason;
use crate::record::minute::Minute;
use crate::record::time::{self, Clock};
use crate::record::{Label, Layout, Row, Slot};

frame! { MysqlError "mysql-error" Errors, claims |sample| certain_lines(sample, |line| is_certain(line)) }

slots! {
    time TIME, class CLASS, kind KIND, level LEVEL, module MODULE, code CODE, message MESSAGE,
    thread_id THREAD_ID, connection CONNECTION, user USER, host HOST, database DATABASE,
    reason REASON, errno ERRNO, file FILE, loghost LOGHOST, program PROGRAM,
}

/// The parser.
#[derive(Debug)]
struct Errors {
    slots: Slots,
    clock: Clock,
    minute: Minute,
    stamps: Stamps,
    kinds: Kinds,
    levels: [Label; head::LEVELS.len()],
    wants_details: bool,
}

impl Parser for Errors {
    /// No byte is of use for all records; this one is rare, so that its list stays empty.
    const MARK: u8 = 0;

    const FRAMING: Framing = Framing::Opens(opens);

    fn parse(&mut self, line: Line<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        if self.own_line(&line, line.bytes, row)? {
            return Ok(());
        }
        self.other_line(&line, row)
    }
}

/// True where a record begins.
fn opens(line: &[u8]) -> bool {
    match line.first() {
        None | Some(b' ' | b'\t' | b'*' | b'=' | b'-') => false,
        Some(0) => true,
        Some(b'{') => json::is_line(line),
        // The slow log in the same place: no rest of an error.
        Some(b'#') => line.starts_with(b"# Time: ") || line.starts_with(b"# User@Host: "),
        Some(b'0'..=b'9') if is_own(line) => true,
        Some(b'0'..=b'9' | b'<' | b'A'..=b'Z' | b'a'..=b'z') => {
            let peeled = envelope::peel(line);
            match peeled.is_noise {
                true => envelope::repeats_before(peeled.message).is_none(),
                false => match peeled.tag {
                    Some(tag) => !is_server(tag) || !head::follows(peeled.message),
                    None => is_own_inside(line, peeled.message) || is_of_web(peeled.message),
                },
            }
        }
        Some(_) => false,
    }
}

fn is_own_inside(line: &[u8], message: &[u8]) -> bool {
    message.len() < line.len() && is_own(message)
}

/// True for a line of a web server's logs, which a container may write to the same place: no rest of an error.
#[cold]
fn is_of_web(line: &[u8]) -> bool {
    trouble::is_access_line(line) || line.get(4) == Some(&b'/') && trouble::is_stamped(line)
}

/// True for a line with a stamp and a head of the server's own, or a crash report.
#[inline]
fn is_own(line: &[u8]) -> bool {
    match head::stamp(line) {
        Some((_, _, rest)) => {
            head::behind_stamp(rest).is_some() || rest.starts_with(b"UTC - mysqld got ")
        }
        None => head::crash(line).is_some(),
    }
}

/// True for a line that only an error log of MySQL or MariaDB has.
fn is_certain(line: &[u8]) -> bool {
    if line.starts_with(b"{") {
        return json::is_line(line);
    }
    let peeled = envelope::peel(line);
    is_own(line) || is_own(peeled.message) || peeled.tag.is_some_and(is_server)
}

/// True for the programs whose lines in a shared log are meant.
fn is_server(tag: &[u8]) -> bool {
    tag.starts_with(b"mysqld")
        || tag.starts_with(b"mariadbd")
        || tag == b"mysql"
        || tag == b"mariadb"
}

impl Errors {
    fn new(layout: &Layout, clock: Clock) -> Self {
        let slots = Slots::new(layout);
        let details = [
            slots.user,
            slots.host,
            slots.database,
            slots.reason,
            slots.connection,
            slots.file,
            slots.errno,
        ];
        Self {
            slots,
            clock: clock.clone(),
            minute: Minute::default(),
            stamps: Stamps::new(clock),
            kinds: Kinds::new(),
            levels: head::LEVELS.map(Label::of),
            wants_details: details.iter().any(|slot| slot.is_wanted()),
        }
    }

    /// A line with the server's own head; false when it is none.
    fn own_line(
        &mut self,
        line: &Line<'_>,
        text: &[u8],
        row: &mut Row<'_>,
    ) -> Result<bool, Reason> {
        let Some((spelling, stamp, rest)) = head::stamp(text) else {
            let Some(message) = head::crash(text) else { return Ok(false) };
            self.record(line, &Head { message, ..Head::default() }, row);
            return Ok(true);
        };
        let head = match head::behind_stamp(rest) {
            Some(head) => head,
            None if rest.starts_with(b"UTC - mysqld got ") => {
                Head { message: &rest[6..], ..Head::default() }
            }
            None => return Ok(false),
        };
        let instant = self.instant(spelling, stamp).ok_or(Reason::BadTime)?;
        row.number(self.slots.time, instant);
        self.record(line, &head, row);
        Ok(true)
    }

    #[inline]
    fn instant(&mut self, spelling: Spelling, stamp: &[u8]) -> Option<i64> {
        let clock = &mut self.clock;
        if spelling == Spelling::Short {
            let read = || Some(clock.instant(time::short_year(stamp)?));
            return self.minute.instant(stamp.get(..13)?, stamp.get(13..)?, b"", read);
        }
        let (minute, rest) = stamp.split_at_checked(17)?;
        let digits = rest.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'.')).count();
        let (seconds, zone) = rest.split_at(digits);
        self.minute.instant(minute, seconds, zone, || Some(clock.iso(time::iso(stamp)?)))
    }

    /// A line that begins in another way: JSON, an envelope, or none of the server's.
    #[cold]
    fn other_line(&mut self, line: &Line<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        let text = line.bytes;
        match text.first() {
            Some(0) => return Err(Reason::Binary),
            Some(b'{') if json::is_line(text) => return self.json(text, row),
            _ if text.iter().all(u8::is_ascii_whitespace) => return Err(Reason::Blank),
            _ => {}
        }
        let peeled = envelope::peel(text);
        if peeled.is_noise {
            return Err(Reason::Banner);
        }
        self.envelope(line, &peeled, row);
        if peeled.repeat > 1 {
            row.repeat(peeled.repeat);
        }
        if peeled.message.len() == text.len() {
            return Err(Reason::Orphan);
        }
        if self.own_line(line, peeled.message, row)? {
            return Ok(());
        }
        if !peeled.tag.is_some_and(is_server) {
            return Err(Reason::OtherProgram);
        }
        let plain = Head { message: peeled.message, ..Head::default() };
        let head = head::bare(peeled.message).unwrap_or(plain);
        self.record(line, &head, row);
        Ok(())
    }

    fn envelope(&mut self, line: &Line<'_>, peeled: &Peeled<'_>, row: &mut Row<'_>) {
        if let Some(instant) = peeled.stamp.and_then(|stamp| self.stamps.instant(stamp)) {
            row.number(self.slots.time, instant);
        }
        some(row, self.slots.loghost, line, peeled.host);
        some(row, self.slots.program, line, peeled.tag);
    }

    /// A line of the JSON sink. Its texts are unescaped and kept beside the piece.
    fn json(&mut self, text: &[u8], row: &mut Row<'_>) -> Result<(), Reason> {
        let said = json::read(text).ok_or(Reason::Malformed)?;
        let stamp = said.time.as_bytes();
        let instant = time::iso(stamp).map(|stamp| self.clock.iso(stamp)).ok_or(Reason::BadTime)?;
        row.number(self.slots.time, instant);
        if let Some(number) = said.err_code {
            row.made(self.slots.code, format!("MY-{number:06}").as_bytes());
        }
        row.made(self.slots.module, said.subsystem.as_bytes());
        let message = said.msg.as_bytes();
        let start = row.store(message);
        let stored = Line { bytes: message, at: start, marks: &[] };
        let head = Head { thread: said.thread, level: said.level(), message, ..Head::default() };
        self.record(&stored, &head, row);
        Ok(())
    }

    #[inline]
    fn record(&self, line: &Line<'_>, head: &Head<'_>, row: &mut Row<'_>) {
        let slots = &self.slots;
        let kind = self.kinds.of(head.message);
        row.label(slots.kind, self.kinds.label(kind));
        row.label(slots.class, kinds::class(kind, head.level, head.message));
        if let Some(level) = head.level {
            row.label(slots.level, self.levels[usize::from(level)]);
        }
        if let Some(thread) = head.thread {
            row.number(slots.thread_id, thread);
        }
        some(row, slots.code, line, head.code);
        some(row, slots.module, line, head.module);
        let message = head.message.trim_ascii_end();
        some(row, slots.message, line, Some(message));
        if self.wants_details {
            self.details(line, kind, message, row);
        }
    }

    fn details(&self, line: &Line<'_>, kind: Kind, message: &[u8], row: &mut Row<'_>) {
        let said =
            message.strip_prefix(b"mysqld: ").or_else(|| message.strip_prefix(b"mariadbd: "));
        let said = said.unwrap_or(message);
        let detail = match kind {
            Kind::AuthFail => detail::denied(said),
            Kind::AbortedConnection | Kind::TooManyConnections => detail::aborted(said),
            Kind::HostBlocked | Kind::HostDenied | Kind::ResolveNoise => detail::host(said),
            Kind::Disk | Kind::Corruption | Kind::LockFile => detail::file(said),
            _ => None,
        };
        if matches!(kind, Kind::Disk | Kind::LockFile | Kind::Bind)
            && let Some(errno) = detail::errno(message)
        {
            row.number(self.slots.errno, errno);
        }
        let Some(Detail { user, host, database, reason, connection, file }) = detail else {
            return;
        };
        let slots = &self.slots;
        for (slot, part) in [
            (slots.user, user),
            (slots.host, host),
            (slots.database, database),
            (slots.reason, reason),
            (slots.connection, connection),
            (slots.file, file),
        ] {
            some(row, slot, line, part);
        }
    }
}

#[inline]
fn some(row: &mut Row<'_>, slot: Slot, line: &Line<'_>, part: Option<&[u8]>) {
    line.write_some(row, slot, part.filter(|part| !part.is_empty()));
}

#[cfg(test)]
mod tests;

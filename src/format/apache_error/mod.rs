//! Apache error logs, of 2.4 and of 2.2.
//!
//! ```text
//! [Thu Mar 07 09:15:02.418123 2024] [proxy:error] [pid 812:tid 139872345216768] (111)Connection refused: AH00957: HTTP: attempt to connect to 192.0.2.20:8080 (192.0.2.20) failed
//! [Thu Mar 07 09:15:02 2024] [error] [client 203.0.113.9] File does not exist: /srv/www/favicon.ico, referer: http://shop.example/
//! AH00558: apache2: Could not determine the server's fully qualified domain name
//! ```
//!
//! A record is a line: Apache writes line feeds as `\n`. [`head`] reads what stands in front of a message, [`kinds`]
//! says what it is about. Lines without any head come from CGI programs, children and libraries that write on stderr;
//! they are records of kind `raw_stderr` without a time, but no reason to take a file for an error log of Apache.
//! Description: <https://httpd.apache.org/docs/2.4/mod/core.html#errorlogformat>.

mod detail;
mod head;
mod kinds;

use memchr::memmem::Finder;

use self::head::Head;
use super::envelope::{self, Peeled, Stamps};
use super::frame::certain_lines;
use super::trouble::{self, Kind, Labels, Levels};
use super::{Line, Parser};
use crate::ledger::Reason;
use crate::record::minute::Minute;
use crate::record::time::{self, Clock};
use crate::record::{Label, Layout, Row};

frame! { ApacheError "apache-error" Errors, claims |sample| certain_lines(sample, |line| is_certain(line)) }

slots! {
    time TIME, class CLASS, kind KIND, level LEVEL, module MODULE, code CODE, message MESSAGE,
    pid PID, tid TID, client CLIENT, client_port CLIENT_PORT, errno ERRNO, reason REASON,
    referer REFERER, upstream UPSTREAM, file FILE, path PATH, user USER, host HOST, rule RULE,
    server_name SERVER_NAME, request_id REQUEST_ID, connection CONNECTION, loghost LOGHOST,
    program PROGRAM,
}

/// The parser.
#[derive(Debug)]
struct Errors {
    slots: Slots,
    clock: Clock,
    minute: Minute,
    stamps: Stamps,
    labels: Labels,
    levels: Levels,
    referer: Finder<'static>,
    plain_referer: Finder<'static>,
    wants_details: bool,
}

impl Parser for Errors {
    /// No byte is of use for all lines; this one is rare, so that its list stays empty.
    const MARK: u8 = 0;

    fn parse(&mut self, line: Line<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        if head::has_stamp(line.bytes) {
            return self.stamped(line, line.bytes, row);
        }
        self.other_line(line, row)
    }
}

impl Errors {
    fn new(layout: &Layout, clock: Clock) -> Self {
        let slots = Slots::new(layout);
        let details = [
            slots.upstream,
            slots.file,
            slots.path,
            slots.user,
            slots.host,
            slots.rule,
            slots.reason,
            slots.server_name,
            slots.code,
            slots.request_id,
        ];
        Self {
            slots,
            clock: clock.clone(),
            minute: Minute::default(),
            stamps: Stamps::new(clock),
            labels: Labels::new(),
            levels: Levels::new(),
            referer: Finder::new(REFERER),
            plain_referer: Finder::new(PLAIN_REFERER),
            wants_details: details.iter().any(|slot| slot.is_wanted()),
        }
    }

    /// A line with Apache's own stamp.
    fn stamped(&mut self, line: Line<'_>, text: &[u8], row: &mut Row<'_>) -> Result<(), Reason> {
        let head = head::stamped(text)?;
        let instant = head.stamp.and_then(|stamp| self.instant(stamp)).ok_or(Reason::BadTime)?;
        row.number(self.slots.time, instant);
        self.record(&line, &head, row);
        Ok(())
    }

    /// `Thu Mar 07 09:15:02.418123 2024`, `2024-03-07 09:15:02.418123 +0100`.
    #[inline]
    fn instant(&mut self, stamp: &[u8]) -> Option<i64> {
        let clock = &mut self.clock;
        if stamp.get(4) == Some(&b'-') {
            return Some(clock.iso(time::iso(stamp)?));
        }
        let (wall, year) = stamp.split_at_checked(stamp.len().checked_sub(5)?)?;
        let (minute, seconds) = wall.split_at_checked(17)?;
        let read = || Some(clock.instant(time::ctime(stamp)?));
        self.minute.instant(minute, seconds, year, read)
    }

    /// A line that begins in another way.
    #[cold]
    fn other_line(&mut self, line: Line<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        let text = line.bytes;
        match text.first() {
            Some(0) => return Err(Reason::Binary),
            _ if text.iter().all(u8::is_ascii_whitespace) => return Err(Reason::Blank),
            _ => {}
        }
        let peeled = envelope::peel(text);
        if peeled.is_noise {
            return Err(Reason::Banner);
        }
        self.envelope(&line, &peeled, row);
        if peeled.repeat > 1 {
            row.repeat(peeled.repeat);
        }
        let message = peeled.message;
        if head::has_stamp(message) {
            return self.stamped(line, message, row);
        }
        let head = head::bare(message).or_else(|| {
            head::unstamped(message).filter(|head| peeled.tag.is_some() || head.pid.is_some())
        });
        if let Some(head) = head {
            self.record(&line, &head, row);
        } else if let Some(at) = glued(message) {
            return self.stamped(line, &message[at..], row);
        } else if trouble::is_access_line(message) {
            return Err(Reason::Malformed);
        } else if peeled.tag.is_none_or(is_apache) {
            self.raw(&line, message, row);
        } else {
            return Err(Reason::OtherProgram);
        }
        Ok(())
    }

    fn envelope(&mut self, line: &Line<'_>, peeled: &Peeled<'_>, row: &mut Row<'_>) {
        if let Some(instant) = peeled.stamp.and_then(|stamp| self.stamps.instant(stamp)) {
            row.number(self.slots.time, instant);
        }
        line.write_some(row, self.slots.loghost, peeled.host);
        line.write_some(row, self.slots.program, peeled.tag);
    }

    /// What a program wrote on the server's stderr.
    fn raw(&self, line: &Line<'_>, message: &[u8], row: &mut Row<'_>) {
        row.label(self.slots.kind, self.labels.of(Kind::RawStderr));
        row.label(self.slots.class, trouble::class(Kind::RawStderr, Label::WARN));
        line.write_some(row, self.slots.message, Some(message));
    }

    fn record(&self, line: &Line<'_>, head: &Head<'_>, row: &mut Row<'_>) {
        let slots = &self.slots;
        let kind = kinds::of(head);
        let by_level = head.level.map_or(Label::WARN, trouble::class_of_level);
        row.label(slots.kind, self.labels.of(kind));
        row.label(slots.class, trouble::class(kind, by_level));
        if let Some(level) = head.level {
            row.label(slots.level, self.levels.of(level));
        }
        for (slot, number) in [(slots.pid, head.pid), (slots.errno, head.errno)] {
            if let Some(number) = number {
                row.number(slot, number);
            }
        }
        for (slot, part) in [
            (slots.module, head.module),
            (slots.tid, head.tid),
            (slots.code, head.code),
            (slots.reason, head.strerror),
            (slots.upstream, head.remote.filter(|_| head.wsgi_client().is_none())),
            (slots.request_id, head.request_id),
            (slots.connection, head.connection),
        ] {
            line.write_some(row, slot, part);
        }
        let mut message = head.message;
        if let Some(client) = head.client.or(head.wsgi_client()) {
            self.client(line, head, client, row);
            message = self.without_referer(line, message, row);
        }
        line.write_some(row, slots.message, Some(message));
        if self.wants_details {
            self.details(line, kind, message, row);
        }
    }

    /// Since 2.4, which names the module, the client has a port.
    #[inline]
    fn client(&self, line: &Line<'_>, head: &Head<'_>, client: &[u8], row: &mut Row<'_>) {
        let (address, port) = match head.module {
            Some(_) => head::address_and_port(client),
            None => (client, None),
        };
        line.write_some(row, self.slots.client, Some(address));
        if let Some(port) = port {
            row.number(self.slots.client_port, port);
        }
    }

    /// The referer is the last thing on a line that has a client. The client chooses it, and the path in front of it.
    #[inline]
    fn without_referer<'a>(
        &self,
        line: &Line<'_>,
        message: &'a [u8],
        row: &mut Row<'_>,
    ) -> &'a [u8] {
        let mut last = None;
        while let Some(found) = self.referer.find(&message[last.map_or(0, |at| at + 1)..]) {
            last = Some(last.map_or(0, |at| at + 1) + found);
        }
        let (at, referer) = match last {
            Some(at) => (at, at + REFERER.len()),
            None => match self.plain_referer.find(message) {
                Some(at) => (at, at + PLAIN_REFERER.len() - b"http".len()),
                None => return message,
            },
        };
        line.write_some(row, self.slots.referer, Some(&message[referer..]));
        &message[..at]
    }

    /// What only messages of some kinds say.
    fn details(&self, line: &Line<'_>, kind: Kind, message: &[u8], row: &mut Row<'_>) {
        let slots = &self.slots;
        match kind {
            Kind::UpstreamRefused
            | Kind::UpstreamUnreachable
            | Kind::UpstreamConnectTimeout
            | Kind::UpstreamTimeout
            | Kind::UpstreamClosed
            | Kind::UpstreamReset
            | Kind::UpstreamSocket
            | Kind::UpstreamDisabled
            | Kind::BodyTransfer => line.write_some(row, slots.upstream, detail::upstream(message)),
            Kind::UpstreamFailed => {
                line.write_some(row, slots.upstream, detail::upstream(message));
                line.write_some(row, slots.path, detail::returned_path(message));
            }
            Kind::UpstreamProtocol | Kind::UpstreamTls | Kind::Resolver => {
                line.write_some(row, slots.path, detail::returned_path(message));
            }
            Kind::NotFound | Kind::Forbidden | Kind::BadRequest => {
                line.write_some(row, slots.file, detail::file(message));
                line.write_some(row, slots.path, detail::denied_path(message));
            }
            Kind::AuthFail => {
                let (user, path) = detail::user(message).unzip();
                line.write_some(row, slots.user, user);
                line.write_some(row, slots.path, path);
            }
            Kind::FastcgiStderr | Kind::Script => {
                line.write_some(row, slots.reason, detail::first_words(message));
            }
            Kind::TlsDetail => {
                let (reason, alert) = detail::tls(message).unzip();
                line.write_some(row, slots.reason, reason);
                line.write_some(row, slots.code, alert.flatten());
            }
            Kind::TlsHandshake | Kind::TlsConnection => {
                let server = detail::between(message, "(server ", ")");
                line.write_some(row, slots.server_name, server);
            }
            Kind::Firewall => self.firewall(line, message, row),
            _ => {}
        }
    }

    /// The pairs that ModSecurity appends.
    fn firewall(&self, line: &Line<'_>, message: &[u8], row: &mut Row<'_>) {
        let slots = &self.slots;
        for (slot, before) in [
            (slots.rule, "[id \""),
            (slots.reason, "[msg \""),
            (slots.host, "[hostname \""),
            (slots.path, "[uri \""),
            (slots.request_id, "[unique_id \""),
        ] {
            line.write_some(row, slot, detail::pair(message, before));
        }
    }
}

const REFERER: &[u8] = b", referer: ";
/// The same as the format for threads in Apache's manual writes it.
const PLAIN_REFERER: &[u8] = b", referer http";

/// Where a record begins behind what a program wrote on stderr without a line end: the record counts, and what stands
/// before it only in the raw line.
#[cold]
fn glued(message: &[u8]) -> Option<usize> {
    let begins = |at: &usize| {
        let text = &message[*at..];
        head::has_stamp(text) && head::stamped(text).is_ok_and(|head| head.level.is_some())
    };
    memchr::memchr_iter(b'[', message).skip_while(|at| *at == 0).find(begins)
}

fn is_apache(tag: &[u8]) -> bool {
    [&b"apache"[..], b"httpd"].iter().any(|name| tag.starts_with(name))
}

/// True for a line that only an error log of Apache has.
fn is_certain(line: &[u8]) -> bool {
    let message = envelope::peel(line).message;
    let head = match head::has_stamp(message) {
        true => head::stamped(message).ok().filter(|head| head.level.is_some()),
        false => head::bare(message).or_else(|| head::unstamped(message)),
    };
    head.is_some()
}

#[cfg(test)]
mod tests;

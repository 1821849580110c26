//! BIND's logs: queries and responses, failures, refusals, zones, transfers and what else `named` tells.
//!
//! ```text
//! 07-Mar-2024 09:15:02.418 queries: info: client @0x7f9186 192.0.2.7#51004 (www.example.org): view inside: query: www.example.org IN A +E(0)K (192.0.2.53)
//! 07-Mar-2024 09:15:02.419 query-errors: info: client @0x7f9186 192.0.2.7#51004 (www.example.org): query failed (SERVFAIL) for www.example.org/IN/A at query.c:7094
//! 07-Mar-2024 09:15:03.001 zoneload: error: zone example.org/IN: not loaded due to errors.
//! ```
//!
//! [`head`] reads the prefixes, each of which may be switched off, [`client`] who it is about, [`query`] the lines of
//! which a log mostly consists, [`event`] and [`zone`] the rest. All versions from 9.4 on are read: flags as a set,
//! four generations of the client's part, the local address with and without port.
//!
//! A record is a line, together with the lines of a dump that follow it (messages of debugging levels), which begin
//! with a semicolon or white space or hold tabs. A line without any prefix is a record only if it says what BIND says.
//!
//! See `doc/arm/logging-categories.inc.rst` of BIND 9, and its `lib/ns/client.c`, `lib/ns/query.c`, `lib/dns/zone.c`,
//! `lib/dns/xfrin.c`, `lib/dns/resolver.c`, `lib/dns/rrl.c`.

mod client;
mod event;
mod head;
mod kinds;
mod parts;
mod query;
mod sheet;
mod words;
mod zone;

use self::head::{Head, Heads};
use self::kinds::{Kind, Labels, Severities};
use self::sheet::{FIELDS, Sheet, Slots};
use self::words::Words;
use super::envelope::{self, Peeled};
use super::frame::certain_lines;
use super::{Line, Parser};
use crate::input::Framing;
use crate::ledger::Reason;
use crate::record::time::Clock;
use crate::record::{Fields, Layout, Row};

frame! { Bind "bind" Named, claims certain }

/// True for a line that begins a record: every one that is not part of a dump.
#[inline]
fn opens(line: &[u8]) -> bool {
    match line.first() {
        Some(b'0'..=b'9')
            if matches!((line.get(2), line.get(4)), (Some(b'-'), _) | (_, Some(b'-'))) =>
        {
            true
        }
        Some(b'c') if line.starts_with(b"client ") => true,
        _ => !is_of_dump(line),
    }
}

/// True for a line of a message that BIND shows whole: comments, records with tabs between their parts, blank lines.
fn is_of_dump(line: &[u8]) -> bool {
    match line.first() {
        None | Some(b';' | b' ' | b'\t' | b'\r') => true,
        // Back traces.
        Some(b'#') => matches!(line.get(1), Some(b'0'..=b'9')),
        Some(b'<' | b'{') => false,
        _ => memchr::memchr(b'\t', line).is_some(),
    }
}

/// How many lines of a sample are certainly of BIND. Other servers begin their lines with the same stamp, and words such
/// as `running` are anybody's: only lines with a category, a client, a tag or a message of BIND count.
fn certain(sample: &[u8]) -> u64 {
    let mut named =
        Named::new(&Layout::new(Fields::NONE, Fields::NONE), Clock::new(chrono_tz::UTC, 0));
    certain_lines(sample, |line| named.is_certain(line))
}

/// The parser.
#[derive(Debug)]
struct Named {
    slots: Slots,
    heads: Heads,
    labels: Labels,
    severities: Severities,
}

impl Parser for Named {
    /// No part of a query line holds spaces, so that its words stand between them.
    const MARK: u8 = b' ';
    const FRAMING: Framing = Framing::Opens(opens);

    fn parse(&mut self, line: Line<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        let head = self.heads.read(line.bytes);
        match head.time.is_some() || head.text.starts_with(b"client ") {
            true => self.record(line, &head, row),
            false => self.unusual(line, head, row),
        }
    }
}

impl Named {
    fn new(layout: &Layout, clock: Clock) -> Self {
        let (slots, heads) = (Slots::new(layout), Heads::new(clock));
        Self { slots, heads, labels: Labels::new(), severities: Severities::new() }
    }

    /// A line in an envelope, or without a stamp, or not one of BIND.
    #[cold]
    fn unusual(&mut self, line: Line<'_>, head: Head<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        match line.bytes.first() {
            None => return Err(Reason::Blank),
            Some(0) => return Err(Reason::Binary),
            Some(_) if line.bytes.iter().all(u8::is_ascii_whitespace) => return Err(Reason::Blank),
            Some(_) if is_of_dump(line.bytes) => return Err(Reason::Orphan),
            Some(_) => {}
        }
        let peeled = envelope::peel(line.bytes);
        if peeled.is_noise {
            return Err(Reason::Banner);
        }
        if peeled.message.len() == line.bytes.len() {
            return match head.category.is_some() || head.severity.is_some() {
                true => self.record(line, &head, row),
                false => self.bare(line, &head, row),
            };
        }
        self.enveloped(line, &peeled, row)
    }

    /// A line that has no prefix at all.
    fn bare(&mut self, line: Line<'_>, head: &Head<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        let mut sheet = self.sheet(line, head, row);
        sheet.text(sheet.slots.message, head.text);
        match event::read(&mut sheet, head.text) {
            true => {
                sheet.judge(head.text);
                Ok(())
            }
            false => Err(Reason::Malformed),
        }
    }

    fn enveloped(
        &mut self,
        line: Line<'_>,
        peeled: &Peeled<'_>,
        row: &mut Row<'_>,
    ) -> Result<(), Reason> {
        let head = self.heads.peeled(peeled);
        if !is_named(peeled) && head.category.is_none() && !head.text.starts_with(b"client ") {
            return Err(if peeled.tag.is_some() {
                Reason::OtherProgram
            } else {
                Reason::Malformed
            });
        }
        if peeled.repeat > 1 {
            row.repeat(peeled.repeat);
        }
        let host = peeled.host.map(|host| (line.place(host), host.len()));
        if let Some((at, len)) = host {
            row.span(self.slots.loghost, at, len);
        }
        if let Some(pid) = peeled.pid {
            row.number(self.slots.pid, pid);
        }
        // What a relay put behind the message is no part of the line.
        let end = line.place(head.text) - line.at + head.text.len();
        let line = Line { bytes: &line.bytes[..end], ..line };
        self.record(line, &head, row)
    }

    fn sheet<'s, 'b>(
        &'s self,
        line: Line<'s>,
        head: &Head<'_>,
        row: &'s mut Row<'b>,
    ) -> Sheet<'s, 'b> {
        Sheet {
            line,
            row,
            slots: &self.slots,
            labels: &self.labels,
            severity: head.severity,
            about: Kind::Other,
        }
    }

    #[inline]
    fn record(&self, line: Line<'_>, head: &Head<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        if let Some(time) = head.time {
            row.number(self.slots.time, time.ok_or(Reason::BadTime)?);
        }
        let mut sheet = self.sheet(line, head, row);
        sheet.some(sheet.slots.category, head.category);
        if let Some(severity) = head.severity {
            sheet.row.label(sheet.slots.level, self.severities.of(severity));
        }
        if head.text.starts_with(b"client ") {
            let mut words = Words::new(line.bytes, line.marks, line.at, head.text);
            words.next();
            if let Some(client) = client::read(&mut words) {
                client.write(&mut sheet);
                return self.of_client(&mut sheet, words, &client, head);
            }
        }
        self.event(&mut sheet, head.text, head)
    }

    #[inline]
    fn of_client(
        &self,
        sheet: &mut Sheet<'_, '_>,
        mut words: Words<'_>,
        client: &client::Client<'_>,
        head: &Head<'_>,
    ) -> Result<(), Reason> {
        let text = words.rest();
        if text.starts_with(b"query: ") {
            words.next();
            return query::query(sheet, &mut words);
        }
        if text.starts_with(b"response: ") {
            words.next();
            return query::response(sheet, &mut words);
        }
        if let Some(name) = client.name {
            sheet.name(name);
        }
        self.event(sheet, text, head)
    }

    fn event(&self, sheet: &mut Sheet<'_, '_>, text: &[u8], head: &Head<'_>) -> Result<(), Reason> {
        sheet.text(sheet.slots.message, text);
        if !event::read(sheet, text) {
            event::unknown(sheet, head.category);
        }
        sheet.judge(text);
        Ok(())
    }

    /// True for a line that nobody else writes.
    fn is_certain(&mut self, line: &[u8]) -> bool {
        let own = self.heads.read(line);
        let head = match own.time {
            Some(_) => own,
            None => {
                let peeled = envelope::peel(line);
                if peeled.message.len() < line.len() && is_named(&peeled) {
                    return true;
                }
                self.heads.peeled(&peeled)
            }
        };
        // `07-Mar-2024 09:15:02.418 info: `
        let is_of_its_own =
            own.time.is_some() && line.get(2) == Some(&b'-') && own.severity.is_some();
        is_of_its_own || head.category.is_some() || is_of_client(head.text) || is_of_zone(head.text)
    }
}

/// The tag under which BIND writes to syslog; an instance may carry more behind it.
fn is_named(peeled: &Peeled<'_>) -> bool {
    peeled.tag.is_some_and(|tag| tag.starts_with(b"named") || tag.starts_with(b"bind9"))
}

/// `client 192.0.2.7#51004`, with or without a pointer between.
fn is_of_client(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"client ") else { return false };
    let rest = if rest.starts_with(b"@0x") { parts::word(rest).1 } else { rest };
    rest.starts_with(b"(no-peer)") || parts::peer(parts::word(rest).0).is_some()
}

/// `zone shop.example/IN: `, or what is said of resolving and of transfers.
fn is_of_zone(text: &[u8]) -> bool {
    let zone = text.strip_prefix(b"zone ").map(|rest| parts::word(rest).0);
    let zone = zone.map(|zone| zone.strip_suffix(b":").unwrap_or(zone));
    zone.is_some_and(|zone| parts::zone(zone).class.is_some())
        || text.starts_with(b"transfer of '")
        || text.starts_with(b"managed-keys-zone")
        || parts::around(text, " resolving '").is_some()
}

#[cfg(test)]
mod tests;

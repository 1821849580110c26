//! Slow query logs of MySQL from 5.0 on, Percona Server and MariaDB.
//!
//! ```text
//! # Time: 2024-03-07T08:15:02.418123Z
//! # User@Host: app[app] @ web1.shop.example [10.20.1.11]  Id: 90210
//! # Query_time: 1.234567  Lock_time: 0.000004 Rows_sent: 20  Rows_examined: 120345
//! use shop;
//! SET timestamp=1709799301;
//! SELECT * FROM orders WHERE customer_id = 4711;
//! ```
//!
//! [`boundary`] says where records begin, [`header`] what their lines say, [`attributes`] reads the pairs, [`lexer`] and [`fingerprint`] the
//! statement, [`class`] judges. [`table`] is the same log as a table of the server. Servers up to MySQL 5.6 and MariaDB write `# Time` only when the second changes: then
//! `SET timestamp` is the time, which has no zone to be wrong about. They print `use` only when the database changes, so the
//! database is handed on from record to record and from piece to piece; `Schema`, where it stands, holds over it.
//!
//! Descriptions: <https://dev.mysql.com/doc/refman/8.0/en/slow-query-log.html>,
//! <https://docs.percona.com/percona-server/8.0/slow-extended.html>,
//! <https://mariadb.com/docs/server/server-management/server-monitoring-logs/slow-query-log>.

mod account;
mod attributes;
mod boundary;
mod class;
mod fingerprint;
mod header;
mod lexer;
mod outline;
pub mod table;

use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;

use self::attributes::{Attributes, Telling};
use self::boundary::{AROUND, Record};
use self::class::Kind;
use self::header::{Header, Says, is_command};
use self::outline::Fingerprints;
use super::{Family, Format, Line, Parser, Scan};
use crate::input::Framing;
use crate::ledger::Reason;
use crate::record::minute::Minute;
use crate::record::time::{self, Clock, SECOND};
use crate::record::{self, Field, Fields, Layout, Row, Slot};
use crate::scan;

/// The format, with the attributes of a log.
#[derive(Debug, Clone)]
pub struct MysqlSlow {
    fields: Fields,
}

impl MysqlSlow {
    /// The format with the attributes that all servers write.
    pub fn usual() -> Self {
        let own = Fields::of(FIELDS).union(attributes::known());
        Self { fields: own.union(query_size().into_iter().chain(started()).collect()) }
    }
}

/// When the statement began.
fn started() -> Option<Field> {
    Field::custom("started", record::Kind::Instant).ok()
}

/// How long the statement is.
fn query_size() -> Option<Field> {
    Field::custom("query_size", record::Kind::Bytes).ok()
}

impl Format for MysqlSlow {
    fn name(&self) -> &str {
        "mysql-slow"
    }

    fn family(&self) -> Family {
        Family::MysqlSlow
    }

    fn fields(&self) -> Fields {
        self.fields
    }

    fn claims(&self, sample: &[u8]) -> Option<u64> {
        Some(headers(sample).count() as u64)
    }

    fn fitted(&self, sample: &[u8]) -> Option<Arc<dyn Format>> {
        memmem::find(sample, b"# Query_time: ")?;
        let seen = attributes::seen(headers(sample));
        let found = seen.iter().filter_map(|(key, value)| attributes::field(key, value));
        Some(Arc::new(Self { fields: self.fields.union(found.collect()) }))
    }

    fn parser(&self, layout: &Layout, clock: Clock) -> Box<dyn Scan> {
        Box::new(Queries::new(layout, clock))
    }
}

/// The headers of the records of a text.
fn headers(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    let records = std::iter::from_fn(move || {
        let start = at;
        (start < text.len()).then(|| {
            let record = boundary::Record::at(text, start, None, &[]);
            at = record.end.max(start + 1);
            record.head.map(|head| &text[start..head.body])
        })
    });
    records.flatten()
}

slots! {
    time TIME, class CLASS, kind KIND, user USER, host HOST, client CLIENT, database DATABASE,
    thread_id THREAD_ID, statement STATEMENT, fingerprint FINGERPRINT,
}

/// What the line of the account begins with.
const ACCOUNT: &[u8] = b"# User@Host: ";

/// The parser.
#[derive(Debug)]
struct Queries {
    slots: Slots,
    query_size: Slot,
    started: Slot,
    clock: Clock,
    minute: Minute,
    labels: class::Labels,
    attributes: Attributes,
    fingerprints: Fingerprints,
    duration: Slot,
    /// The header of the record whose end was last asked for, by its place in the piece.
    head: Option<Header>,
    /// That of the record behind it, if it was read already.
    next: Option<Header>,
    /// How many lines of the piece stand before that record.
    lines: usize,
    /// The database that was last selected.
    database: Vec<u8>,
    /// The last stamp, for records without any.
    second: Option<i64>,
}

/// What a header says beside its attributes.
#[derive(Debug, Default)]
struct Told {
    stamp: Option<i64>,
    /// Whether the stamp names a zone or a fraction, as those of MySQL since 5.7 do.
    is_precise: bool,
    /// `SET timestamp`, in microseconds.
    set: Option<i64>,
    attributes: Telling,
}

impl Parser for Queries {
    const FRAMING: Framing = Framing::Around(&AROUND);

    fn begin(&mut self, left: Option<&[u8]>) {
        self.database.clear();
        self.database.extend_from_slice(left.unwrap_or_default());
        self.second = None;
    }

    fn end(&mut self, text: &[u8], line_ends: &[u32], start: usize) -> usize {
        // A piece begins anew; in it each record follows the one before.
        if start == 0 {
            (self.next, self.lines) = (None, 0);
        }
        let ends = line_ends.get(self.lines..).unwrap_or_default();
        let record = Record::at(text, start, self.next.take(), ends);
        (self.head, self.next) = (record.head, record.next);
        self.lines = line_ends.len() - record.ends.len();
        record.end
    }

    fn parse(&mut self, line: Line<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        let Some(head) = self.head else { return Err(self.refusal(line.bytes)) };
        let body = (head.body - line.at).min(line.bytes.len());
        let mut told = Told::default();
        self.attributes.begin();
        for (start, end, says) in head.lines(line.bytes, body) {
            let is_returned = line.bytes[start..end].ends_with(b"\r");
            let range = start..end - usize::from(is_returned);
            self.header_line(&line, range, says, &mut told, row);
        }
        if let Some(instant) = self.instant(&told) {
            row.number(self.slots.time, instant);
            self.started(instant, &told.attributes, row);
        }
        let database = self.slots.database;
        if !told.attributes.has_schema && !self.database.is_empty() && database.is_wanted() {
            row.made(database, &self.database);
        }
        self.statement(&line, body, &told.attributes, row);
        Ok(())
    }
}

impl Queries {
    fn new(layout: &Layout, clock: Clock) -> Self {
        let slots = Slots::new(layout);
        let [query_size, started] = [query_size(), started()]
            .map(|field| field.map_or(Slot::UNWANTED, |field| layout.slot(field)));
        let telling = [slots.class, slots.kind, started];
        let tells_class = telling.iter().any(|slot| slot.is_wanted());
        Self {
            slots,
            query_size,
            started,
            clock,
            minute: Minute::default(),
            labels: class::Labels::new(),
            attributes: Attributes::new(layout, tells_class),
            fingerprints: Fingerprints::new(),
            duration: layout.slot(Field::DURATION),
            head: None,
            next: None,
            lines: 0,
            database: Vec::new(),
            second: None,
        }
    }

    /// Why what has no header is no record.
    #[cold]
    fn refusal(&mut self, text: &[u8]) -> Reason {
        if text.iter().all(u8::is_ascii_whitespace) {
            return Reason::Blank;
        }
        if boundary::is_banner(text, 0) || text.starts_with(b"Tcp port: ") {
            self.database.clear();
            self.second = None;
            return Reason::Banner;
        }
        match text.first() {
            Some(0) => Reason::Binary,
            Some(b'#') => Reason::Truncated,
            _ => Reason::Orphan,
        }
    }

    #[inline]
    fn header_line(
        &mut self,
        line: &Line<'_>,
        range: Range<usize>,
        says: Says,
        told: &mut Told,
        row: &mut Row<'_>,
    ) {
        let text = &line.bytes[range.clone()];
        match says {
            Says::Account => {
                let start = range.start + ACCOUNT.len();
                self.account(line, &line.bytes[start..], range.end - start, row);
            }
            Says::Time => self.time(line, &text[b"# Time: ".len()..], told, row),
            Says::Database => {
                self.database.clear();
                self.database.extend_from_slice(&boundary::name(&text[b"use ".len()..]));
            }
            Says::Set => told.set = timestamp(text),
            Says::Pairs => self.attributes.read(line, range, &mut told.attributes, row),
            Says::Plan => {}
        }
    }

    fn time(&mut self, line: &Line<'_>, text: &[u8], told: &mut Told, row: &mut Row<'_>) {
        // One server in a thousand writes both on one line.
        let sign = scan::find(b'#', text, 0, text.len()).unwrap_or(text.len());
        let account = text[sign..].strip_prefix(ACCOUNT);
        let stamp = if account.is_some() { &text[..sign] } else { text };
        self.stamp(stamp.trim_ascii(), told);
        if let Some(account) = account {
            self.account(line, account, account.len(), row);
        }
    }

    /// `070301  9:15:02`, `2024-03-07T08:15:02.418123Z`, `…+01:00`.
    fn stamp(&mut self, stamp: &[u8], told: &mut Told) {
        if stamp.get(4) != Some(&b'-') {
            told.stamp = time::short_year(stamp).map(|wall| self.clock.instant(wall));
            return;
        }
        told.is_precise = true;
        let clock = &mut self.clock;
        let mut read = || Some(clock.iso(time::iso(stamp)?));
        let Some((minute, rest)) = stamp.split_at_checked(17) else { return };
        let digits = rest.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'.')).count();
        let (seconds, zone) = rest.split_at(digits);
        told.stamp = self.minute.instant(minute, seconds, zone, &mut read);
    }

    /// When it happened. A stamp without zone counts less than `SET timestamp` beside it, unless the session had set that
    /// to another day.
    fn instant(&mut self, told: &Told) -> Option<i64> {
        let instant = match (told.stamp, told.set) {
            (Some(stamp), Some(set))
                if !told.is_precise && (stamp - set).abs() < 26 * 3600 * SECOND =>
            {
                set
            }
            (Some(stamp), _) => stamp,
            (None, Some(set)) => set,
            (None, None) => self.second?,
        };
        self.second = Some(instant);
        Some(instant)
    }

    /// MariaDB stamps the beginning of a statement, all others its end.
    #[inline]
    fn started(&self, instant: i64, told: &Telling, row: &mut Row<'_>) {
        if !self.started.is_wanted() {
            return;
        }
        let before = if told.is_mariadb { Some(0) } else { told.duration };
        if let Some(before) = before {
            row.number(self.started, instant - before);
        }
    }

    fn account(&self, line: &Line<'_>, text: &[u8], len: usize, row: &mut Row<'_>) {
        let Some(account) = account::read(text, len) else { return };
        let slots = &self.slots;
        account.write([slots.user, slots.host, slots.client], line, row);
        if let Some(id) = account.id {
            row.number(slots.thread_id, id);
        }
    }

    fn statement(&mut self, line: &Line<'_>, body: usize, told: &Telling, row: &mut Row<'_>) {
        let text = line.bytes[body..].trim_ascii();
        let text = text.strip_suffix(b";").unwrap_or(text);
        let (kind, class) = class::judge(told, text, is_command(text));
        if kind == Kind::Throttle {
            row.set(self.duration, record::Value::ABSENT);
        }
        row.label(self.slots.kind, self.labels.of(kind));
        row.label(self.slots.class, class);
        if text.is_empty() {
            return;
        }
        row.span(self.slots.statement, line.place(text), text.len());
        row.number(self.query_size, text.len() as i64);
        if self.slots.fingerprint.is_wanted() {
            row.made(self.slots.fingerprint, self.fingerprints.of(text));
        }
    }
}

/// The number in `SET last_insert_id=3,insert_id=4,timestamp=1172740502;`, in microseconds. Percona Server may write a
/// fraction.
fn timestamp(text: &[u8]) -> Option<i64> {
    let number = match text.strip_prefix(b"SET timestamp=") {
        Some(number) => number,
        None => &text[memmem::find(text, b"timestamp=")? + b"timestamp=".len()..],
    };
    if let Some(seconds) = number.strip_suffix(b";").and_then(record::number::integer) {
        return seconds.checked_mul(SECOND);
    }
    let digits = number.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'.')).count();
    record::number::scaled(&number[..digits], 6)
}

#[cfg(test)]
mod tests;

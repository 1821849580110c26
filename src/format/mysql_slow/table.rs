//! The slow log as a table (`log_output=TABLE`): rows of `mysql.slow_log`.
//!
//! ```text
//! "2026-11-30 17:30:59.181736","app[app] @ app1.shop.example [203.0.113.9]","00:00:00.301294","00:00:00.000000",1,0,"shop",0,0,1,"SELECT SLEEP(0.3)",5,0
//! ```
//!
//! Three ways of writing a row are read: the file of the CSV engine (`slow_log.CSV`), what `INTO OUTFILE … ENCLOSED BY
//! '"'` and other exports make of the table, and the columns with tabs between them that the command line client prints.
//! Quotes within a text have a backslash in front of them, or are doubled. Only the first way and the last escape line
//! feeds too; in the second a statement lasts as many lines as it had.
//!
//! A record begins at a line that opens with a stamp, in quotes, or with a tab behind it in a log whose first row has one.
//! No statement can imitate that: its own quotes are never bare, and a bare quote that ends a text has a comma behind it
//! and no year; between tabs a statement has no line feed of its own.
//!
//! The columns: start_time, user_host, query_time, lock_time, rows_sent, rows_examined, db, last_insert_id, insert_id,
//! server_id, sql_text, since 5.6 thread_id, in MariaDB rows_affected. In spite of its name the stamp is in MySQL when
//! the row was written; in MariaDB, told by its last column, when the statement began. It has the zone of the server.
//! Commands of administrators stand as their bare names. There are no further attributes.
//!
//! Descriptions: <https://dev.mysql.com/doc/refman/8.0/en/log-destinations.html>,
//! <https://mariadb.com/docs/server/reference/system-tables/the-mysql-database-tables/mysql-slow_log-table>.

mod cells;

use std::sync::Arc;

use memchr::memchr;

use self::cells::{Cell, Cells};
use super::attributes::Telling;
use super::class::{self, Kind};
use super::outline::Fingerprints;
use super::{account, query_size, started};
use crate::format::{Family, Format, Line, Parser, Scan};
use crate::input::Framing;
use crate::ledger::Reason;
use crate::record::minute::{Minute, seconds};
use crate::record::number::{integer, no_digits, two};
use crate::record::time::{self, Clock};
use crate::record::{self, Field, Fields, Layout, Row, Slot};

/// The format.
#[derive(Debug, Clone, Copy, Default)]
pub struct MysqlSlowTable {
    /// Whether tabs stand between the columns.
    has_tabs: bool,
}

impl Format for MysqlSlowTable {
    fn name(&self) -> &str {
        "mysql-slow-table"
    }

    fn family(&self) -> Family {
        Family::MysqlSlow
    }

    fn fields(&self) -> Fields {
        let more = more().into_iter().flatten();
        Fields::of(FIELDS).union(more.collect())
    }

    fn fitted(&self, sample: &[u8]) -> Option<Arc<dyn Format>> {
        let mut lines = sample.split(|byte| *byte == b'\n');
        let has_tabs =
            lines.find_map(|line| match (opens::<true>(line), opens::<false>(line)) {
                (false, false) => None,
                (has_tabs, _) => Some(has_tabs),
            })?;
        Some(Arc::new(Self { has_tabs }))
    }

    fn parser(&self, layout: &Layout, clock: Clock) -> Box<dyn Scan> {
        match self.has_tabs {
            true => Box::new(Rows::<true>::new(layout, clock)),
            false => Box::new(Rows::<false>::new(layout, clock)),
        }
    }
}

/// The fields beside those that other families have too.
fn more() -> [Option<Field>; 5] {
    let number = |name| Field::custom(name, record::Kind::Number).ok();
    let ids = ["last_insert_id", "insert_id", "server_id"].map(number);
    let [last_insert_id, insert_id, server_id] = ids;
    [query_size(), started(), last_insert_id, insert_id, server_id]
}

slots! {
    time TIME, class CLASS, kind KIND, user USER, host HOST, client CLIENT, database DATABASE,
    thread_id THREAD_ID, duration DURATION, lock_time LOCK_TIME, rows_sent ROWS_SENT,
    rows_examined ROWS_EXAMINED, rows_affected ROWS_AFFECTED, statement STATEMENT,
    fingerprint FINGERPRINT,
}

type Read = Result<(), Reason>;

/// The fewest columns: those of MySQL 5.1.
const FEWEST: usize = 11;

/// The parser, of rows with tabs or of those with quotes.
#[derive(Debug)]
struct Rows<const TABS: bool> {
    slots: Slots,
    /// In the order of [`more`].
    more: [Slot; 5],
    clock: Clock,
    minute: Minute,
    labels: class::Labels,
    fingerprints: Fingerprints,
    /// A text that is being unescaped; kept for its room.
    plain: Vec<u8>,
}

impl<const TABS: bool> Parser for Rows<TABS> {
    /// No byte is of use for all columns; this one is rare, so that its list stays empty.
    const MARK: u8 = 0;

    const FRAMING: Framing = Framing::Opens(opens::<TABS>);

    fn parse(&mut self, line: Line<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        if !opens::<TABS>(line.bytes) {
            return Err(refusal(line.bytes));
        }
        let mut cells = Cells::of(line.bytes.trim_ascii_end(), TABS);
        let mut found = [Cell::default(); 13];
        let mut count = 0;
        for cell in found.iter_mut() {
            let Some(next) = cells.next()? else { break };
            (*cell, count) = (next, count + 1);
        }
        if count < FEWEST {
            return Err(Reason::Truncated);
        }
        self.row(&line, &found, row)
    }
}

/// True where a row begins.
fn opens<const TABS: bool>(line: &[u8]) -> bool {
    let stamp = if TABS { Some(line) } else { line.strip_prefix(b"\"") };
    let behind = stamp.and_then(|stamp| stamp.get(end_of_stamp(stamp)?..));
    behind.is_some_and(|behind| behind.starts_with(if TABS { b"\t" } else { b"\"," }))
}

/// Where a stamp at the front ends: `2026-11-30 17:30:59`, with or without a fraction.
#[inline]
fn end_of_stamp(text: &[u8]) -> Option<usize> {
    let (stamp, rest) = text.split_first_chunk::<19>()?;
    const SHAPES: [Shape; 3] =
        [Shape::of(b"0000-00-"), Shape::of(b"00 00:00"), Shape::of(b"00:00:00")];
    let parts = [stamp.first_chunk()?, stamp[8..].first_chunk()?, stamp.last_chunk()?];
    if !SHAPES.iter().zip(parts).all(|(shape, part)| shape.fits(part)) {
        return None;
    }
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some(rest.strip_prefix(b".").map_or(19, |rest| 20 + digits(rest)))
}

/// Eight bytes of a stamp: digits where a zero stands, and what stands between them.
struct Shape {
    bytes: u64,
    between: u64,
}

impl Shape {
    const fn of(bytes: &[u8; 8]) -> Self {
        let (mut between, mut at) = ([0; 8], 0);
        while at < bytes.len() {
            between[at] = if bytes[at] == b'0' { 0 } else { 0xFF };
            at += 1;
        }
        Self { bytes: u64::from_le_bytes(*bytes), between: u64::from_le_bytes(between) }
    }

    #[inline]
    fn fits(&self, part: &[u8; 8]) -> bool {
        let differing = u64::from_le_bytes(*part) ^ self.bytes;
        no_digits(differing) == 0 && differing & self.between == 0
    }
}

/// Why what does not open with a stamp is no row.
#[cold]
fn refusal(text: &[u8]) -> Reason {
    if text.iter().all(u8::is_ascii_whitespace) {
        return Reason::Blank;
    }
    let head = text.strip_prefix(b"\"").unwrap_or(text);
    match head.starts_with(b"start_time") {
        true => Reason::Banner,
        false if text[0] == 0 => Reason::Binary,
        false => Reason::Orphan,
    }
}

impl<const TABS: bool> Rows<TABS> {
    fn new(layout: &Layout, clock: Clock) -> Self {
        Self {
            slots: Slots::new(layout),
            more: more().map(|field| field.map_or(Slot::UNWANTED, |field| layout.slot(field))),
            clock,
            minute: Minute::default(),
            labels: class::Labels::new(),
            fingerprints: Fingerprints::new(),
            plain: Vec::new(),
        }
    }

    fn row(&mut self, line: &Line<'_>, cells: &[Cell<'_>; 13], row: &mut Row<'_>) -> Read {
        let [stamp, account, duration, locked, sent, examined, database, ..] = cells;
        let [.., statement, _, affected] = cells;
        let instant = self.instant(stamp.text).ok_or(Reason::BadTime)?;
        let told = Telling {
            duration: Some(duration_of(duration.text).ok_or(Reason::Malformed)?),
            lock_time: duration_of(locked.text),
            rows_sent: integer(sent.text),
            rows_examined: integer(examined.text),
            ..Telling::default()
        };
        let is_mariadb = integer(affected.text).is_some();
        let before = told.duration.filter(|_| !is_mariadb);
        let [_, started, ..] = self.more;
        row.number(self.slots.time, instant);
        row.number(started, instant - before.unwrap_or(0));
        self.numbers(cells, &told, row);
        self.account(line, *account, row);
        self.database(line, *database, row);
        self.statement(line, *statement, &told, row);
        Ok(())
    }

    fn numbers(&self, cells: &[Cell<'_>; 13], told: &Telling, row: &mut Row<'_>) {
        let [.., last_insert_id, insert_id, server_id, _, thread, affected] = cells;
        let slots = &self.slots;
        let [_, _, ids @ ..] = self.more;
        // No id is zero.
        let id = |cell: &Cell<'_>| integer(cell.text).filter(|id| *id > 0);
        for (slot, number) in [
            (slots.duration, told.duration),
            (slots.lock_time, told.lock_time),
            (slots.rows_sent, told.rows_sent),
            (slots.rows_examined, told.rows_examined),
            (slots.rows_affected, integer(affected.text)),
            (slots.thread_id, integer(thread.text)),
            (ids[0], id(last_insert_id)),
            (ids[1], id(insert_id)),
            (ids[2], integer(server_id.text)),
        ] {
            if let Some(number) = number {
                row.number(slot, number);
            }
        }
    }

    fn instant(&mut self, stamp: &[u8]) -> Option<i64> {
        let (minute, seconds) = stamp.split_at_checked(17)?;
        let clock = &mut self.clock;
        self.minute.instant(minute, seconds, b"", || Some(clock.iso(time::iso(stamp)?)))
    }

    fn account(&mut self, line: &Line<'_>, cell: Cell<'_>, row: &mut Row<'_>) {
        let slots = [self.slots.user, self.slots.host, self.slots.client];
        let ahead = cell.with_what_follows(line);
        let line = cell.unescaped(line, &mut self.plain, row);
        if let Some(account) = account::read(ahead.unwrap_or(line.bytes), line.bytes.len()) {
            account.write(slots, &line, row);
        }
    }

    fn database(&mut self, line: &Line<'_>, cell: Cell<'_>, row: &mut Row<'_>) {
        let name = cell.unescaped(line, &mut self.plain, row);
        if !name.bytes.is_empty() {
            row.span(self.slots.database, name.at, name.bytes.len());
        }
    }

    fn statement(&mut self, line: &Line<'_>, cell: Cell<'_>, told: &Telling, row: &mut Row<'_>) {
        let (slots, [query_size, ..]) = (&self.slots, self.more);
        let is_command = COMMANDS.contains(&cell.text);
        let (kind, class) = class::judge(told, cell.text, is_command);
        row.label(slots.kind, self.labels.of(kind));
        row.label(slots.class, class);
        if kind == Kind::Throttle {
            row.set(slots.duration, record::Value::ABSENT);
        }
        let is_wanted =
            [slots.statement, slots.fingerprint, query_size].iter().any(|slot| slot.is_wanted());
        if !is_wanted || cell.text.is_empty() {
            return;
        }
        let text = cell.unescaped(line, &mut self.plain, row);
        let statement = text.bytes.trim_ascii();
        row.span(slots.statement, text.place(statement), statement.len());
        row.number(query_size, statement.len() as i64);
        if slots.fingerprint.is_wanted() {
            match is_command {
                true => row.made(slots.fingerprint, &[COMMAND, statement].concat()),
                false => row.made(slots.fingerprint, self.fingerprints.of(statement)),
            }
        }
    }
}

/// `HH:MM:SS`, with or without a fraction, in microseconds. There may be more hours than two digits say.
fn duration_of(text: &[u8]) -> Option<i64> {
    let (hours, rest) = match text {
        [a, b, b':', rest @ ..] => (i64::from(two(&[*a, *b])?), rest),
        _ => {
            let colon = memchr(b':', text)?;
            (integer(&text[..colon])?, &text[colon + 1..])
        }
    };
    let (minutes, seconds) = (i64::from(two(rest.get(..2)?)?), seconds(rest.get(3..)?)?);
    let is_time = hours < 840 && minutes < 60 && rest[2] == b':';
    is_time.then_some((hours * 60 + minutes) * 60 * time::SECOND + seconds)
}

/// What a file has in front of the name of a command.
const COMMAND: &[u8] = b"administrator command: ";

/// What is no SQL. A row has the bare name.
const COMMANDS: [&[u8]; 28] = [
    b"Quit",
    b"Ping",
    b"Prepare",
    b"Execute",
    b"Fetch",
    b"Close stmt",
    b"Reset stmt",
    b"Init DB",
    b"Field List",
    b"Refresh",
    b"Statistics",
    b"Processlist",
    b"Shutdown",
    b"Change user",
    b"Binlog Dump",
    b"Connect",
    b"Debug",
    b"Set option",
    b"Daemon",
    b"Error",
    b"Sleep",
    b"Table Dump",
    b"Long Data",
    b"Register Slave",
    b"Kill",
    b"Time",
    b"Drop DB",
    b"Create DB",
];

#[cfg(test)]
mod tests;

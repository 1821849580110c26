//! The attributes of a record: `Key: value` in its header, under one name in all servers.
//!
//! Those that several families know have a field of their own; all others become fields under the server's name in
//! lower case. Which of them a log has is seen in its first records.

use std::collections::BTreeMap;

use memchr::memchr;

use crate::record::number::{integer, scaled};
use crate::record::{Field, Fields, Kind, Layout, Row, Slot};

/// What is read out of every record, wanted or not, because its class depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Telling {
    pub(super) duration: Option<i64>,
    pub(super) lock_time: Option<i64>,
    pub(super) rows_sent: Option<i64>,
    pub(super) rows_examined: Option<i64>,
    pub(super) errno: i64,
    pub(super) killed: i64,
    pub(super) full_scan: bool,
    pub(super) full_join: bool,
    pub(super) on_disk: bool,
    pub(super) has_schema: bool,
    /// Only MariaDB writes the hits of its cache of queries in this spelling.
    pub(super) is_mariadb: bool,
}

/// The part of [`Telling`] that a key feeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tells {
    Nothing,
    Duration,
    LockTime,
    RowsSent,
    RowsExamined,
    Errno,
    Killed,
    FullScan,
    FullJoin,
    OnDisk,
    Schema,
    CacheHit,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Seconds,
    Millis,
    Whole,
    Text,
}

/// The keys that have a field of their own, or whose unit their name does not tell.
const KNOWN: &[(&str, &str, Kind)] = &[
    ("Query_time", "duration", Kind::Duration),
    ("Lock_time", "lock_time", Kind::Duration),
    ("Rows_sent", "rows_sent", Kind::Number),
    ("Rows_examined", "rows_examined", Kind::Number),
    ("Rows_affected", "rows_affected", Kind::Number),
    ("Thread_id", "thread_id", Kind::Number),
    ("Id", "thread_id", Kind::Number),
    ("Schema", "database", Kind::Text),
    ("Bytes_sent", "bytes", Kind::Bytes),
    ("Bytes_received", "bytes_in", Kind::Bytes),
    ("Errno", "errno", Kind::Number),
    ("Last_errno", "errno", Kind::Number),
    ("Tmp_table_sizes", "tmp_table_sizes", Kind::Bytes),
    ("InnoDB_IO_r_bytes", "innodb_io_r_bytes", Kind::Bytes),
    ("InnoDB_IO_r_wait", "innodb_io_r_wait", Kind::Duration),
    ("InnoDB_rec_lock_wait", "innodb_rec_lock_wait", Kind::Duration),
    ("InnoDB_queue_wait", "innodb_queue_wait", Kind::Duration),
    ("InnoDB_trx_id", "innodb_trx_id", Kind::Text),
    ("Log_slow_rate_type", "log_slow_rate_type", Kind::Text),
    ("Log_slow_rate_limit", "log_slow_rate_limit", Kind::Number),
    ("Stored_routine", "stored_routine", Kind::Text),
    ("QC_hit", "qc_hit", Kind::Text),
    ("Full_scan", "full_scan", Kind::Text),
    ("Full_join", "full_join", Kind::Text),
    ("Tmp_table_on_disk", "tmp_table_on_disk", Kind::Text),
    ("Killed", "killed", Kind::Number),
    ("Start", "start", Kind::Text),
    ("End", "end", Kind::Text),
];

/// The engine's times of MariaDB, in milliseconds.
const MILLIS: [&str; 2] = ["pages_read_time", "engine_time"];

/// The fields of the keys that have one of their own.
pub(super) fn known() -> Fields {
    let named = KNOWN.iter().filter_map(|(_, name, _)| Field::named(name));
    named.filter(|field| Field::all_known().any(|known| known == *field)).collect()
}

/// The keys of the headers of a sample, each with the first value that is not empty.
pub(super) fn seen<'s>(headers: impl Iterator<Item = &'s [u8]>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut seen = BTreeMap::new();
    for header in headers {
        for line in header.split(|byte| *byte == b'\n').filter(|line| is_pairs(line)) {
            for (key, value) in (Pairs { rest: line }) {
                if seen.len() < MOST && !value.is_empty() && is_word(key) {
                    seen.entry(key.to_vec()).or_insert_with(|| value.to_vec());
                }
            }
        }
    }
    seen
}

/// As many attributes a log may have.
const MOST: usize = 200;

/// True for a line of pairs, as opposed to the stamp, the user, a plan, and other remarks.
pub(super) fn is_pairs(line: &[u8]) -> bool {
    let others = [&b"# Time: "[..], b"# User@Host: ", b"# explain:", b"# administrator command"];
    line.starts_with(b"#") && !others.iter().any(|other| line.starts_with(other))
}

fn is_word(key: &[u8]) -> bool {
    key.len() <= 64 && key.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The field of a key, made if need be; `None` when there are too many.
pub(super) fn field(key: &[u8], value: &[u8]) -> Option<Field> {
    let key = std::str::from_utf8(key).ok()?;
    if let Some((_, name, kind)) = KNOWN.iter().find(|(known, ..)| *known == key) {
        return Field::custom(name, *kind).ok();
    }
    let name = key.to_ascii_lowercase();
    Field::custom(&name, kind(&name, value)).ok()
}

/// What an attribute is that this page does not know, by its name and a value of it.
fn kind(name: &str, value: &[u8]) -> Kind {
    let is_time =
        name.ends_with("_time") || name.ends_with("_wait") || name.starts_with("profile_");
    match value {
        value if integer(value).is_some() && name.ends_with("_bytes") => Kind::Bytes,
        value if integer(value).is_some() && !is_time => Kind::Number,
        value if scaled(value, 6).is_some() => Kind::Duration,
        _ => Kind::Text,
    }
}

/// What to do with the value of a key.
#[derive(Debug, Clone)]
struct Action {
    key: Vec<u8>,
    slot: Slot,
    written: Written,
    tells: Tells,
}

/// Reads the pairs of headers. Headers of a log have the same keys in nearly the same order, so the action of a key is
/// looked for behind that of the key before.
#[derive(Debug)]
pub(super) struct Attributes {
    actions: Vec<Action>,
    next: usize,
    tells_class: bool,
}

impl Attributes {
    /// For the fields of a layout. `tells_class` says that the class or the kind is wanted.
    pub(super) fn new(layout: &Layout, tells_class: bool) -> Self {
        let mut reader = Self { actions: Vec::new(), next: 0, tells_class };
        for (key, ..) in KNOWN {
            reader.add(layout, key.as_bytes().to_vec());
        }
        for field in layout.wanted() {
            let is_own = Field::all_known().any(|known| known == *field);
            if !is_own && !KNOWN.iter().any(|(_, name, _)| *name == field.name()) {
                // The server's spelling is not known before it is met; keys compare without case.
                reader.add(layout, field.name().as_bytes().to_vec());
            }
        }
        reader
    }

    fn add(&mut self, layout: &Layout, key: Vec<u8>) {
        let Some(field) = field(&key, b"").or_else(|| Field::named(&String::from_utf8_lossy(&key)))
        else {
            return;
        };
        let written = match field.kind() {
            Kind::Duration if MILLIS.contains(&field.name()) => Written::Millis,
            Kind::Duration => Written::Seconds,
            Kind::Number | Kind::Bytes => Written::Whole,
            _ => Written::Text,
        };
        let tells = tells(&key);
        self.actions.push(Action { key, slot: layout.slot(field), written, tells });
    }

    /// The next header begins.
    pub(super) fn begin(&mut self) {
        self.next = 0;
    }

    /// Reads the pairs of a line into the row; `place` is that of the line in the piece.
    pub(super) fn read(
        &mut self,
        line: &[u8],
        place: usize,
        told: &mut Telling,
        row: &mut Row<'_>,
    ) {
        for (key, value) in (Pairs { rest: line }) {
            let Some(number) = self.find(key) else { continue };
            let action = &self.actions[number];
            let is_read =
                action.slot.is_wanted() || (self.tells_class && action.tells != Tells::Nothing);
            if !is_read && action.tells != Tells::Schema {
                continue;
            }
            match action.written {
                Written::Text => {
                    if action.tells == Tells::Schema {
                        told.has_schema = true;
                    }
                    if action.tells == Tells::CacheHit {
                        told.is_mariadb = key == b"QC_hit";
                    }
                    told.flag(action.tells, value);
                    if !value.is_empty() {
                        let at = value.as_ptr().addr() - line.as_ptr().addr();
                        row.span(action.slot, place + at, value.len());
                    }
                }
                written => {
                    if let Some(value) = number_of(value, written) {
                        told.number(action.tells, value);
                        row.number(action.slot, value);
                    }
                }
            }
        }
    }

    /// The action of a key: the next one, or one behind it where this header lacks some.
    #[inline]
    fn find(&mut self, key: &[u8]) -> Option<usize> {
        let mut behind = self.actions[self.next..].iter();
        let found = match behind.position(|action| action.key == key) {
            Some(skipped) => self.next + skipped,
            None => self.search(key)?,
        };
        self.next = found + 1;
        Some(found)
    }

    /// Looks for a key that does not stand behind the one before: in another spelling, or not in that order yet, or one
    /// that nobody wants. Its action is moved to where the key stands in headers.
    #[cold]
    fn search(&mut self, key: &[u8]) -> Option<usize> {
        let known = self.actions.iter().position(|action| action.key.eq_ignore_ascii_case(key));
        let Some(found) = known else {
            let unwanted = Action {
                key: key.to_vec(),
                slot: Slot::UNWANTED,
                written: Written::Text,
                tells: Tells::Nothing,
            };
            let fits = self.actions.len() < MOST && is_word(key);
            return fits.then(|| {
                self.actions.insert(self.next, unwanted);
                self.next
            });
        };
        if found < self.next {
            return Some(found);
        }
        let mut action = self.actions.remove(found);
        action.key = key.to_vec();
        self.actions.insert(self.next, action);
        Some(self.next)
    }
}

fn tells(key: &[u8]) -> Tells {
    match &key.to_ascii_lowercase()[..] {
        b"query_time" => Tells::Duration,
        b"lock_time" => Tells::LockTime,
        b"rows_sent" => Tells::RowsSent,
        b"rows_examined" => Tells::RowsExamined,
        b"errno" | b"last_errno" => Tells::Errno,
        b"killed" => Tells::Killed,
        b"full_scan" => Tells::FullScan,
        b"full_join" => Tells::FullJoin,
        b"tmp_table_on_disk" => Tells::OnDisk,
        b"schema" => Tells::Schema,
        b"qc_hit" => Tells::CacheHit,
        _ => Tells::Nothing,
    }
}

/// More than ten years is no duration but a number that wrapped around.
const LONGEST: i64 = 10 * 366 * 86_400 * 1_000_000;

#[inline]
fn number_of(value: &[u8], written: Written) -> Option<i64> {
    match written {
        Written::Seconds => scaled(value, 6).filter(|micros| (0..LONGEST).contains(micros)),
        Written::Millis => scaled(value, 3).filter(|micros| (0..LONGEST).contains(micros)),
        _ => integer(value),
    }
}

impl Telling {
    #[inline]
    fn number(&mut self, tells: Tells, value: i64) {
        match tells {
            Tells::Duration => self.duration = Some(value),
            Tells::LockTime => self.lock_time = Some(value),
            Tells::RowsSent => self.rows_sent = Some(value),
            Tells::RowsExamined => self.rows_examined = Some(value),
            Tells::Errno => self.errno = value,
            Tells::Killed => self.killed = value,
            _ => {}
        }
    }

    #[inline]
    fn flag(&mut self, tells: Tells, value: &[u8]) {
        let yes = value == b"Yes";
        match tells {
            Tells::FullScan => self.full_scan = yes,
            Tells::FullJoin => self.full_join = yes,
            Tells::OnDisk => self.on_disk = yes,
            _ => {}
        }
    }
}

/// The pairs of a line. A value may be empty, and may hold spaces: it ends where another key follows.
struct Pairs<'l> {
    rest: &'l [u8],
}

impl<'l> Iterator for Pairs<'l> {
    type Item = (&'l [u8], &'l [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (key, rest) = next_key(self.rest)?;
        let end = end_of_value(rest);
        self.rest = &rest[end..];
        Some((key, rest[..end].trim_ascii()))
    }
}

/// The next word with a colon behind it, and what follows the colon.
#[inline]
fn next_key(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', text)?;
    let word = text[..colon].iter().rposition(|byte| matches!(byte, b' ' | b'#' | b'\t'));
    Some((&text[word.map_or(0, |at| at + 1)..colon], &text[colon + 1..]))
}

/// Where the value at the front ends. It ends at a blank behind which a key begins.
#[inline]
fn end_of_value(text: &[u8]) -> usize {
    let lead = text.iter().take_while(|byte| **byte == b' ').count();
    if lead > 1 && is_key_next(&text[lead..]) {
        return lead;
    }
    let mut at = lead;
    loop {
        let Some(blank) = memchr(b' ', &text[at..]) else { return text.len() };
        at += blank;
        let next = at + text[at..].iter().take_while(|byte| **byte == b' ').count();
        if is_key_next(&text[next..]) || next == text.len() {
            return at;
        }
        at = next;
    }
}

/// Whether a key begins here: a word with a colon and a blank, or the end, behind it.
#[inline]
fn is_key_next(text: &[u8]) -> bool {
    let word =
        text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    word > 0
        && text.get(word) == Some(&b':')
        && matches!(text.get(word + 1), None | Some(b' ' | b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(line: &str) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (Pairs { rest: line.as_bytes() }).map(|(key, value)| (text(key), text(value))).collect()
    }

    #[test]
    fn pairs_with_one_blank_or_two() {
        for (line, expected) in [
            (
                "# Query_time: 1.5  Lock_time: 0.1 Rows_sent: 1",
                "Query_time=1.5 Lock_time=0.1 Rows_sent=1",
            ),
            (
                "#   InnoDB_IO_r_ops: 2  InnoDB_IO_r_bytes: 3",
                "InnoDB_IO_r_ops=2 InnoDB_IO_r_bytes=3",
            ),
            ("# Schema:   Last_errno: 0  Killed: 0", "Schema= Last_errno=0 Killed=0"),
            ("# Schema: odd db  QC_hit: No", "Schema=odd db QC_hit=No"),
            ("# Start: 2024-03-07T08:15:00Z End: ", "Start=2024-03-07T08:15:00Z End="),
            ("# Schema: ", "Schema="),
            ("# No InnoDB statistics available for this query", ""),
            ("#", ""),
        ] {
            let found: Vec<String> =
                pairs(line).iter().map(|(key, value)| format!("{key}={value}")).collect();
            assert_eq!(found.join(" "), expected, "{line}");
        }
    }

    #[test]
    fn what_wrapped_around_is_no_duration() {
        assert_eq!(number_of(b"18446744073709.551", Written::Seconds), None);
        assert_eq!(number_of(b"1.000002.000003", Written::Seconds), None);
        assert_eq!(number_of(b"12", Written::Seconds), Some(12_000_000));
        assert_eq!(number_of(b"0.3656", Written::Millis), Some(365));
    }
}

//! The attributes of a record: `Key: value` in its header, under one name in all servers.
//!
//! Those that several families know have a field of their own; all others become fields under the server's name in
//! lower case. Which of them a log has is seen in its first records.

use std::collections::BTreeMap;
use std::ops::Range;

use memchr::memchr;

use super::header::is_warnings;
use crate::format::Line;
use crate::record::number::{integer, leading, scaled};
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
        let lines = header.split(|byte| *byte == b'\n').take_while(|line| !is_warnings(line));
        for line in lines.filter(|line| is_pairs(line)) {
            for (key, value) in pairs(line) {
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
    key: Key,
    slot: Slot,
    written: Written,
    tells: Tells,
    /// The action of the key that last stood behind this one.
    then: usize,
}

impl Action {
    fn new(key: &[u8], slot: Slot, written: Written, tells: Tells) -> Self {
        Self { key: Key::of([key, b": "].concat()), slot, written, tells, then: 0 }
    }
}

/// A key with the colon and the blank behind it, as they stand in a line.
#[derive(Debug, Clone)]
struct Key {
    text: Vec<u8>,
    /// Its first bytes, and which bits of sixteen bytes they take.
    word: u128,
    mask: u128,
}

impl Key {
    fn of(text: Vec<u8>) -> Self {
        let mut first = [0; 16];
        let len = text.len().min(16);
        first[..len].copy_from_slice(&text[..len]);
        Self { text, word: u128::from_le_bytes(first), mask: u128::MAX >> (128 - 8 * len) }
    }

    /// What no line begins with.
    fn none() -> Self {
        Self::of(b"\n".to_vec())
    }

    fn name(&self) -> &[u8] {
        self.text.strip_suffix(b": ").unwrap_or_default()
    }

    /// Whether a text begins with it.
    #[inline(always)] // Two loads and a comparison, for each pair.
    fn begins(&self, text: &[u8]) -> bool {
        match text.first_chunk() {
            Some(sixteen) => {
                let differing = (u128::from_le_bytes(*sixteen) ^ self.word) & self.mask;
                differing == 0 && (self.text.len() <= 16 || text.starts_with(&self.text))
            }
            None => text.starts_with(&self.text),
        }
    }
}

/// Reads the pairs of headers. Headers of a log have the same keys in the same order, so that behind a key the one is
/// looked for that stood there in the header before.
#[derive(Debug)]
pub(super) struct Attributes {
    /// The first is none: it stands for the beginning of a header.
    actions: Vec<Action>,
    latest: usize,
    tells_class: bool,
}

impl Attributes {
    /// For the fields of a layout. `tells_class` says that the class or the kind is wanted.
    pub(super) fn new(layout: &Layout, tells_class: bool) -> Self {
        let mut beginning = Action::new(b"", Slot::UNWANTED, Written::Text, Tells::Nothing);
        beginning.key = Key::none();
        let mut reader = Self { actions: vec![beginning], latest: 0, tells_class };
        for (key, ..) in KNOWN {
            reader.add(layout, key.as_bytes());
        }
        for field in layout.wanted() {
            let is_own = Field::all_known().any(|known| known == *field);
            if !is_own && !KNOWN.iter().any(|(_, name, _)| *name == field.name()) {
                // The server's spelling is not known before it is met; keys compare without case.
                reader.add(layout, field.name().as_bytes());
            }
        }
        reader
    }

    fn add(&mut self, layout: &Layout, key: &[u8]) {
        let Some(field) = field(key, b"").or_else(|| Field::named(&String::from_utf8_lossy(key)))
        else {
            return;
        };
        let written = match field.kind() {
            Kind::Duration if MILLIS.contains(&field.name()) => Written::Millis,
            Kind::Duration => Written::Seconds,
            Kind::Number | Kind::Bytes => Written::Whole,
            _ => Written::Text,
        };
        self.actions.push(Action::new(key, layout.slot(field), written, tells(key)));
    }

    /// The next header begins.
    pub(super) fn begin(&mut self) {
        self.latest = 0;
    }

    /// Reads the pairs of a line of the record's header into the row.
    pub(super) fn read(
        &mut self,
        record: &Line<'_>,
        line: Range<usize>,
        told: &mut Telling,
        row: &mut Row<'_>,
    ) {
        let mark = if record.bytes[line.clone()].starts_with(b"# ") { 2 } else { 0 };
        let at = self.usual(record.bytes, line.start + mark..line.end, told, row);
        if at < line.end {
            self.others(record, at..line.end, told, row);
        }
    }

    /// Reads the pairs that stand where they stood in the header before and are plain numbers; says where others begin.
    #[inline]
    fn usual(
        &mut self,
        text: &[u8],
        line: Range<usize>,
        told: &mut Telling,
        row: &mut Row<'_>,
    ) -> usize {
        let (mut at, mut then) = (line.start, self.actions[self.latest].then);
        if !self.actions[then].key.begins(&text[line.clone()]) {
            return at;
        }
        loop {
            let action = &self.actions[then];
            let number = at + action.key.text.len();
            let Some((value, end)) = plain(text, number, action.written) else { return at };
            let next = end + blanks(&text[end..]);
            let is_followed = self.actions[action.then].key.begins(&text[next..]);
            if next != line.end && !is_followed {
                return at;
            }
            if action.slot.is_wanted() {
                row.number(action.slot, value);
            }
            told.number(action.tells, value);
            self.latest = then;
            if next == line.end {
                return next;
            }
            (at, then) = (next, action.then);
        }
    }

    /// Reads pairs of any kind.
    fn others(
        &mut self,
        record: &Line<'_>,
        line: Range<usize>,
        told: &mut Telling,
        row: &mut Row<'_>,
    ) {
        let tells_class = self.tells_class;
        let mut ahead = Ahead { rest: &record.bytes[line], is_expected: false };
        while let Some((action, value)) = self.next(&mut ahead) {
            let is_read =
                action.slot.is_wanted() || (tells_class && action.tells != Tells::Nothing);
            if !is_read && action.tells != Tells::Schema {
                continue;
            }
            match action.written {
                Written::Text => {
                    told.text(action, value);
                    if !value.is_empty() {
                        record.write(row, action.slot, value);
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

    /// The next pair, which is taken off.
    #[inline]
    fn next<'l>(&mut self, ahead: &mut Ahead<'l>) -> Option<(&Action, &'l [u8])> {
        loop {
            let then = self.actions[self.latest].then;
            let expected = &self.actions[then].key;
            let (number, behind) = if ahead.is_expected || expected.begins(ahead.rest) {
                (Some(then), &ahead.rest[expected.text.len()..])
            } else if ahead.rest.is_empty() {
                return None;
            } else {
                let (key, behind) = next_key(ahead.rest)?;
                (self.find(key), behind)
            };
            self.latest = number.unwrap_or(self.latest);
            let expected = &self.actions[self.actions[self.latest].then].key;
            let value = ahead.take_value(behind, expected);
            if let Some(number) = number {
                return Some((&self.actions[number], value));
            }
        }
    }

    /// The action of a key that is not the one that was expected.
    #[cold]
    fn find(&mut self, key: &[u8]) -> Option<usize> {
        let is_known = |action: &Action| action.key.name().eq_ignore_ascii_case(key);
        let known = self.actions[1..].iter().position(is_known).map(|at| at + 1);
        let number = match known {
            Some(known) => known,
            None if self.actions.len() < MOST && is_word(key) => {
                self.actions.push(Action::new(key, Slot::UNWANTED, Written::Text, Tells::Nothing));
                self.actions.len() - 1
            }
            None => return None,
        };
        self.actions[number].key = Key::of([key, b": "].concat());
        self.actions[self.latest].then = number;
        Some(number)
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

/// The number at `at`, as servers write nearly all: few digits, or seconds with six places. Says where it ends.
#[inline(always)] // A load and some multiplications, for each pair.
fn plain(text: &[u8], at: usize, written: Written) -> Option<(i64, usize)> {
    let (whole, len) = leading(text.get(at..)?)?;
    let end = at + len;
    match written {
        Written::Whole => Some((whole, end)),
        Written::Seconds if text.get(end) == Some(&b'.') => {
            let (micros, len) = leading(&text[end + 1..])?;
            (len == 6).then_some((whole * 1_000_000 + micros, end + 1 + len))
        }
        _ => None,
    }
}

/// How many blanks stand in front, of two.
#[inline]
fn blanks(text: &[u8]) -> usize {
    match text {
        [b' ', b' ', ..] => 2,
        [b' ', ..] => 1,
        _ => 0,
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
    fn text(&mut self, action: &Action, value: &[u8]) {
        let yes = value == b"Yes";
        match action.tells {
            Tells::Schema => self.has_schema = true,
            Tells::CacheHit => self.is_mariadb = action.key.name() == b"QC_hit",
            Tells::FullScan => self.full_scan = yes,
            Tells::FullJoin => self.full_join = yes,
            Tells::OnDisk => self.on_disk = yes,
            _ => {}
        }
    }
}

/// The pairs of a line.
fn pairs(line: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let (mut ahead, none) = (Ahead { rest: line, is_expected: false }, Key::none());
    std::iter::from_fn(move || {
        let (key, behind) = next_key(ahead.rest)?;
        Some((key, ahead.take_value(behind, &none)))
    })
}

/// The next word with a colon behind it, and what follows the colon.
#[inline]
fn next_key(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', text)?;
    let word = text[..colon].iter().rposition(|byte| matches!(byte, b' ' | b'#' | b'\t'));
    Some((&text[word.map_or(0, |at| at + 1)..colon], &text[colon + 1..]))
}

/// What is left of a line.
struct Ahead<'l> {
    rest: &'l [u8],
    /// Whether it is known to begin with the key that was expected there.
    is_expected: bool,
}

impl<'l> Ahead<'l> {
    /// The value at the front of `text`. It may be empty, and may hold blanks: it ends where another key follows, which
    /// mostly is the expected one.
    #[inline]
    fn take_value(&mut self, text: &'l [u8], expected: &Key) -> &'l [u8] {
        let (mut end, mut next) = (0, past(text, 0, |byte| byte == b' '));
        let mut has_end = next > 1 && self.begins_key(&text[next..], expected);
        while !has_end {
            end = past(text, next, |byte| byte != b' ');
            next = past(text, end, |byte| byte == b' ');
            has_end = self.begins_key(&text[next..], expected) || next == text.len();
        }
        self.rest = &text[next..];
        text[..end].trim_ascii()
    }

    /// Whether a key begins here: a word with a colon and a blank, or the end, behind it.
    #[inline]
    fn begins_key(&mut self, text: &[u8], expected: &Key) -> bool {
        self.is_expected = expected.begins(text);
        let after = |word: usize| matches!(text.get(word + 1), None | Some(b' ' | b'\r'));
        self.is_expected || {
            let word = past(text, 0, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
            word > 0 && text.get(word) == Some(&b':') && after(word)
        }
    }
}

/// The next place whose byte is another; values and the gaps between them are short.
#[inline]
fn past(text: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
    at + text[at..].iter().take_while(|byte| is(**byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(line: &str) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        super::pairs(line.as_bytes()).map(|(key, value)| (text(key), text(value))).collect()
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

//! What real servers wrote is read as `fixtures/*/cases.toml` says: in one piece, in pieces of several sizes, and packed.
//!
//! `fixtures/README.md` describes the form of the cases. Files of families that no format reads yet are named on
//! standard error and left out; everything else has to fit exactly.

#![allow(clippy::print_stderr)] // A test that leaves something out has to say so.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logmill::format::detect::{self, HEAD_BYTES};
use logmill::format::{self, FORMATS, Family, Format, Room};
use logmill::input::{Feed, FeedOptions, Framing, Hand, Input, Source};
use logmill::ledger::{Account, Reason};
use logmill::record::time::Clock;
use logmill::record::{Block, Datum, Field, Fields, Kind, Layout, Origin, Records};
use toml::{Table, Value};

/// About how long the pieces are, in bytes: about a line, some lines, and all at once.
const PIECES: [usize; 4] = [100, 700, 5_000, 512 << 10];

#[test]
fn every_case_holds() {
    let (mut files, mut cases, mut problems) = (0, 0, Vec::new());
    for folder in folders() {
        let text = fs::read_to_string(folder.join("cases.toml")).expect("cases are readable");
        let table: Table = text.parse().expect("cases are TOML");
        for file in tables(&table, "file") {
            let of_file = |case: &&Table| case["file"] == file["name"];
            let own: Vec<&Table> = tables(&table, "case").filter(of_file).collect();
            match Subject::new(&folder, file) {
                Ok(subject) => {
                    (files, cases) = (files + 1, cases + own.len());
                    problems.extend(subject.check(file, &own));
                }
                Err(why) => {
                    eprintln!("left out: {}/{}: {why}", folder.display(), string(file, "name"))
                }
            }
        }
    }
    eprintln!("{files} files, {cases} cases");
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    assert!(files >= 20, "the fixtures of the web family at least are there");
}

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let entries = fs::read_dir(root).expect("the fixtures are there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut folders: Vec<PathBuf> = paths.filter(|path| path.join("cases.toml").exists()).collect();
    folders.sort();
    folders
}

fn tables<'t>(table: &'t Table, name: &str) -> impl Iterator<Item = &'t Table> {
    let list = table.get(name).and_then(Value::as_array);
    list.into_iter().flatten().map(|value| value.as_table().expect("a table"))
}

fn string<'t>(table: &'t Table, name: &str) -> &'t str {
    table[name].as_str().expect("a text")
}

/// The families that a word in `cases.toml` stands for.
fn family(word: &str) -> Family {
    match word {
        "nginx-access" | "apache-access" | "access" => Family::Web,
        "nginx-error" => Family::NginxError,
        "apache-error" => Family::ApacheError,
        "haproxy" => Family::Haproxy,
        "postfix" => Family::Postfix,
        "bind" => Family::Bind,
        "mysql-slow" => Family::MysqlSlow,
        "mysql-error" => Family::MysqlError,
        other => panic!("'{other}' is no family"),
    }
}

/// A file, and how it is to be read.
struct Subject {
    path: PathBuf,
    text: Vec<u8>,
    format: Arc<dyn Format>,
    clock: Clock,
}

impl Subject {
    /// Opens a file and tells its format; says why if that cannot be done yet.
    fn new(folder: &Path, file: &Table) -> Result<Self, String> {
        let family = family(string(file, "format"));
        if !FORMATS.iter().any(|entry| entry.make().family() == family) {
            return Err(format!("no format of {} yet", family.title()));
        }
        let path = folder.join(string(file, "name"));
        let clock = clock(file.get("year").and_then(Value::as_integer));
        let text = pieces(open(&path), Framing::Lines, 1 << 20).concat();
        let format = match file.get("log_format").and_then(Value::as_str) {
            Some(definition) => {
                format::from_definition("own", definition).map_err(|error| error.to_string())?
            }
            None => detected(&text, &clock, family)
                .unwrap_or_else(|why| panic!("{}: {why}", path.display())),
        };
        Ok(Self { path, text, format, clock })
    }

    fn check(&self, file: &Table, cases: &[&Table]) -> Vec<String> {
        let whole = self.read(&[&self.text]);
        let mut problems = Vec::from_iter(self.check_counts(file, &whole));
        for case in cases {
            problems.extend(self.check_case(case, &whole));
        }
        for (way, pieces) in self.ways() {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            if self.read(&pieces) != whole {
                problems.push(self.says(0, &format!("{way} gives other records")));
            }
        }
        problems
    }

    fn says(&self, line: i64, what: &str) -> String {
        format!("{} line {line} ({}): {what}", self.path.display(), self.format.name())
    }

    /// The same text in other pieces, and how each came to be.
    fn ways(&self) -> Vec<(String, Vec<Vec<u8>>)> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&self.text).expect("a vector takes all");
        let packed = packed.finish().expect("a vector takes all");
        let (framing, mut ways) = (self.format.framing(), Vec::new());
        for size in PIECES {
            let plain = pieces(open(&self.path), framing, size);
            ways.push((format!("cut at {size} bytes"), plain));
            let input = Input::from_reader("packed", std::io::Cursor::new(packed.clone()));
            let input = input.expect("gzip is known");
            let unpacked = pieces(input, framing, size);
            ways.push((format!("packed and cut at {size} bytes"), unpacked));
        }
        ways
    }

    fn read(&self, pieces: &[&[u8]]) -> Found {
        let layout = Layout::new(self.format.fields(), Fields::NONE);
        let mut parser = self.format.parser(&layout, self.clock.clone());
        let mut room = Room::new(layout);
        let mut found = Found::default();
        let mut offset = 0;
        for text in pieces {
            let Found { records, account } = &mut found;
            let mut sink = |block: &mut Block, account: &mut Account| {
                account.counted.records += block.accounted();
                account.counted.bytes += block.bytes();
                keep(&block.records(text), records);
            };
            parser.scan(text, Origin { input: 0, offset }, &mut room, account, &mut sink);
            offset += text.len() as u64;
        }
        assert!(found.account.balances(), "{}: {:?}", self.path.display(), found.account);
        found
    }

    fn check_counts(&self, file: &Table, found: &Found) -> Option<String> {
        let other = found.account.refused(Reason::OtherProgram);
        let other = other.map_or(0, |refused| refused.amount.records);
        let (account, rejected) = (&found.account, found.account.rejected().records);
        let counts = [account.counted.records, rejected, other].map(|count| count as i64);
        let wanted = ["records", "rejected", "other"];
        let wanted = wanted.map(|name| file.get(name).and_then(Value::as_integer).unwrap_or(0));
        let samples: Vec<_> = account.reasons().collect();
        (counts != wanted).then(|| {
            let what = "records, rejected, other";
            self.says(0, &format!("{what} are {counts:?}, not {wanted:?}: {samples:?}"))
        })
    }

    fn check_case(&self, case: &Table, found: &Found) -> Vec<String> {
        let line = case["line"].as_integer().expect("a line");
        let Some(record) = found.at(&self.text, line) else {
            return vec![self.says(line, "no record begins here")];
        };
        let mut problems = Vec::new();
        for (name, wanted) in case["fields"].as_table().expect("fields") {
            let is = record.get(field(name).name());
            if is != Some(&datum(field(name), wanted)) {
                problems.push(self.says(line, &format!("{name} is {is:?}, not {wanted:?}")));
            }
        }
        let absent = case.get("absent").and_then(Value::as_array);
        for name in absent.into_iter().flatten().map(|name| name.as_str().expect("a name")) {
            if let Some(is) = record.get(field(name).name()) {
                problems.push(self.says(line, &format!("{name} is {is:?} and should be absent")));
            }
        }
        problems
    }
}

fn field(name: &str) -> Field {
    Field::named(name).unwrap_or_else(|| panic!("'{name}' is no field"))
}

/// A clock of a file whose first stamp, if it lacks a year, is of that one.
fn clock(year: Option<i64>) -> Clock {
    let written = format!("{:04}-03-01T00:00:00Z", year.unwrap_or(2026) + 1);
    let written = chrono::DateTime::parse_from_rfc3339(&written).expect("a date");
    Clock::new(chrono_tz::UTC, written.timestamp_micros())
}

fn detected(text: &[u8], clock: &Clock, family: Family) -> Result<Arc<dyn Format>, String> {
    let head = &text[..text.len().min(HEAD_BYTES)];
    let found = detect::detect(head, head.len() == text.len(), clock);
    let format = found.map_err(|_| "is in no format".to_owned())?.format;
    match format.family() == family {
        true => Ok(format),
        false => Err(format!("is taken for {}", format.name())),
    }
}

fn open(path: &Path) -> Input {
    Input::open(&Source::path(path).expect("a file")).expect("opens")
}

/// All that a feed hands out, piece by piece.
fn pieces(input: Input, framing: Framing, piece_bytes: usize) -> Vec<Vec<u8>> {
    let options = FeedOptions { piece_bytes, ..FeedOptions::default() };
    let feed = Feed::new(vec![(input, framing)], options);
    let (mut hand, mut pieces) = (Hand::default(), Vec::new());
    while let Some(piece) = feed.next(&mut hand) {
        pieces.push(piece.bytes().to_vec());
    }
    assert!(feed.into_accounts()[0].is_whole(), "all was handed out");
    pieces
}

/// What came of a file: each record's fields by name, under the place at which it begins.
#[derive(Debug, Default, PartialEq)]
struct Found {
    records: BTreeMap<u64, BTreeMap<&'static str, Owned>>,
    account: Account,
}

/// A value on its own.
#[derive(PartialEq)]
enum Owned {
    Text(Vec<u8>),
    Number(i64),
}

impl std::fmt::Debug for Owned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{:?}", String::from_utf8_lossy(text)),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl Found {
    /// The record that begins in a line.
    fn at(&self, text: &[u8], line: i64) -> Option<&BTreeMap<&'static str, Owned>> {
        let mut lines = text.split_inclusive(|byte| *byte == b'\n');
        let before: usize = lines.by_ref().take(line as usize - 1).map(<[u8]>::len).sum();
        let end = before + lines.next()?.len();
        self.records.range(before as u64..end as u64).next().map(|(_, record)| record)
    }
}

fn keep(records: &Records<'_>, into: &mut BTreeMap<u64, BTreeMap<&'static str, Owned>>) {
    for row in 0..records.len() {
        let mut values = BTreeMap::new();
        for field in Field::all_known().chain(customs()) {
            let owned = match records.get(field, row) {
                Some(Datum::Text(text)) => Owned::Text(text.to_vec()),
                Some(Datum::Label(label)) => Owned::Text(label.word().into()),
                Some(Datum::Number(number)) => Owned::Number(number),
                None => continue,
            };
            values.insert(field.name(), owned);
        }
        into.insert(records.offset(row), values);
    }
}

/// The fields of logs' own definitions that cases name.
fn customs() -> impl Iterator<Item = Field> {
    ["pipe", "arg_a", "cookie_session", "started", "query_size", "server_id"]
        .into_iter()
        .filter_map(Field::named)
}

/// A value of `cases.toml` as one of a field.
fn datum(field: Field, value: &Value) -> Owned {
    match (field.kind(), value) {
        (Kind::Instant, Value::String(text)) => {
            let time = chrono::DateTime::parse_from_rfc3339(text).expect("an instant");
            Owned::Number(time.timestamp_micros())
        }
        (Kind::Text | Kind::Label, Value::Integer(number)) => {
            Owned::Text(number.to_string().into_bytes())
        }
        (_, Value::Integer(number)) => Owned::Number(*number),
        (_, Value::String(text)) => Owned::Text(text.clone().into_bytes()),
        (_, other) => panic!("{field} cannot be {other:?}"),
    }
}

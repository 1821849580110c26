//! Laws of the parsers of web logs: no bytes panic, every byte is accounted for, wanting less changes nothing, and the
//! compiled definitions read what a plain regular expression reads.

use logmill::format::detect::{self, HEAD_BYTES};
use logmill::format::{Family, Format, Room};
use logmill::generate::{self, Spec, find, write};
use logmill::ledger::Account;
use logmill::record::number::scaled;
use logmill::record::time::{Clock, iso};
use logmill::record::{Block, Datum, Field, Fields, Layout, Origin};
use proptest::prelude::*;
use regex_automata::meta::{Config, Regex};
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;
use std::sync::{Arc, OnceLock};

/// A value on its own, as text.
type Row = Vec<(&'static str, Vec<u8>)>;

fn clock() -> Clock {
    Clock::new(chrono_tz::UTC, 0)
}

/// All records of a text with the fields that are wanted and there, and the account.
fn read(format: &dyn Format, text: &[u8], wanted: Fields) -> (Vec<Row>, Account) {
    let layout = Layout::new(wanted, Fields::NONE);
    let mut parser = format.parser(&layout, clock());
    let (mut rows, mut account) = (Vec::new(), Account::default());
    let mut sink = |block: &mut Block, account: &mut Account| {
        account.counted.records += block.len() as u64;
        account.counted.bytes += block.bytes();
        let records = block.records(text);
        for row in 0..records.len() {
            let value = |field: Field| Some((field.name(), plain(records.get(field, row)?)));
            rows.push(wanted.iter().filter_map(value).collect());
        }
    };
    parser.scan(text, Origin::default(), &mut Room::new(layout), &mut account, &mut sink);
    (rows, account)
}

fn plain(datum: Datum<'_>) -> Vec<u8> {
    match datum {
        Datum::Text(text) => text.to_vec(),
        Datum::Label(label) => label.word().into(),
        Datum::Number(number) => number.to_string().into(),
    }
}

fn made(name: &str, records: u64, seed: u64) -> Vec<u8> {
    let mut spec = Spec::new(find(name).expect("a format of that name"));
    (spec.clients, spec.paths, spec.records) = (300, 200, Some(records));
    (spec.bursts, spec.seed) = (0, seed);
    let mut log = Vec::new();
    write(&spec, 1, &mut log).expect("a vector takes all");
    log
}

fn detected(text: &[u8]) -> Arc<dyn Format> {
    let head = &text[..text.len().min(HEAD_BYTES)];
    detect::detect(head, head.len() == text.len(), &clock()).expect("a known format").format
}

/// The web formats that can be made up.
fn names() -> impl Iterator<Item = &'static str> {
    let web = |format: &&generate::Format| {
        ["nginx-", "apache-"].iter().any(|server| format.name.starts_with(server))
            && !format.name.contains("error")
    };
    generate::FORMATS.iter().filter(web).map(|format| format.name)
}

#[test]
fn every_made_up_log_is_detected_and_read_whole() {
    for name in names() {
        let text = made(name, 3_000, 1);
        let format = detected(&text);
        assert_eq!(format.family(), Family::Web, "{name}");
        let (rows, account) = read(&*format, &text, format.fields());
        assert_eq!((rows.len(), account.rejected().records), (3_000, 0), "{name}: {account:?}");
        assert!(account.balances(), "{name}");
    }
}

#[test]
fn wanting_fewer_fields_changes_nothing_else() {
    for name in names() {
        let mut text = made(name, 300, 2);
        text.extend(
            b"\njunk\n{\"a\":1}\n::1 - - [30/Feb/2024:09:15:02 +0100] \"GET / HTTP/1.1\" 200 5\n",
        );
        let format = detected(&text);
        let (whole, account) = read(&*format, &text, format.fields());
        let mut subsets = vec![Fields::NONE];
        subsets.extend(format.fields().iter().map(|field| Fields::of(&[field])));
        for wanted in subsets {
            let (rows, less) = read(&*format, &text, wanted);
            assert!(less == account, "{name} {wanted:?}");
            let kept = |row: &Row| -> Row {
                let is_wanted = |(name, _): &&(&str, _)| wanted.iter().any(|f| f.name() == *name);
                row.iter().filter(is_wanted).cloned().collect()
            };
            assert!(
                rows.iter().eq(whole.iter().map(kept).collect::<Vec<_>>().iter()),
                "{name} {wanted:?}"
            );
        }
    }
}

/// A few lines of each format, and the format.
fn few() -> &'static [(&'static str, Vec<u8>, Arc<dyn Format>)] {
    #[allow(clippy::type_complexity)] // A table of cases, read once.
    static FEW: OnceLock<Vec<(&str, Vec<u8>, Arc<dyn Format>)>> = OnceLock::new();
    FEW.get_or_init(|| {
        let few = names().map(|name| (name, made(name, 12, 3)));
        few.map(|(name, text)| (name, text.clone(), detected(&text))).collect()
    })
}

proptest! {
    // Each case goes through every format twice.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn changed_bytes_never_panic_and_are_accounted_for(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<Change>()), 1..60),
    ) {
        for (name, text, format) in few() {
            let mut text = text.clone();
            for (at, change) in &changes {
                change.apply(&mut text, at);
            }
            let (rows, account) = read(&**format, &text, format.fields());
            prop_assert!(account.balances(), "{name}: {account:?}");
            let (fewer, less) = read(&**format, &text, Fields::of(&[Field::CLASS]));
            prop_assert!(less == account && rows.len() == fewer.len(), "{name}");
        }
    }
}

/// What happens to a text in one place.
#[derive(Debug, Clone)]
enum Change {
    Set(u8),
    Insert(u8),
    Remove(u8),
    Repeat(u8),
}

impl Arbitrary for Change {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        // Bytes that mean something somewhere, and any others.
        let telling = prop::sample::select(b"\"\\ \t\n\r\0:,-[]{}0".to_vec());
        let byte = prop_oneof![3 => telling, 1 => any::<u8>()];
        prop_oneof![
            byte.clone().prop_map(Self::Set),
            byte.prop_map(Self::Insert),
            any::<u8>().prop_map(Self::Remove),
            any::<u8>().prop_map(Self::Repeat),
        ]
        .boxed()
    }
}

impl Change {
    fn apply(&self, text: &mut Vec<u8>, at: &prop::sample::Index) {
        if text.is_empty() {
            return;
        }
        let at = at.index(text.len());
        let end = |len: u8| (at + usize::from(len)).min(text.len());
        match *self {
            Self::Set(byte) => text[at] = byte,
            Self::Insert(byte) => text.insert(at, byte),
            Self::Remove(len) => drop(text.drain(at..end(len))),
            Self::Repeat(len) => {
                let again = text[at..end(len)].to_vec();
                text.splice(at..at, again);
            }
        }
    }
}

/// A line of a made-up log by a plain pattern, whose groups are named like fields.
struct Twin {
    pattern: Regex,
    names: &'static [&'static str],
}

const CLIENT: &str = r"(\S+) - (.+?) \[([^\]]+)\] ";
/// Request line, whole or in parts. Nothing in a made-up log holds a raw quote but Apache's escaped ones.
const REQUEST: &str = r#""((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)"#;
const QUOTED: &str = r#" "((?:[^"\\]|\\.)*)""#;
const ALL: &[&str] = &["client", "user", "time", "request", "status", "bytes", "referer", "agent"];
const HOST_AND_ALL: &[&str] =
    &["host", "port", "client", "user", "time", "request", "status", "bytes", "referer", "agent"];

impl Twin {
    fn of(name: &str) -> Option<Self> {
        let combined = format!("{CLIENT}{REQUEST}{QUOTED}{QUOTED}");
        let with = |more: &str| format!("{combined}{more}");
        let (pattern, names): (String, &'static [&'static str]) = match name {
            "nginx-combined" | "apache-combined" => (combined, ALL),
            "nginx-main" => (
                with(QUOTED),
                &[
                    "client",
                    "user",
                    "time",
                    "request",
                    "status",
                    "bytes",
                    "referer",
                    "agent",
                    "forwarded",
                ],
            ),
            "nginx-timed" => (
                with(r" (\S+) (.+) ([0-9.:, -]+?) [0-9, -]+"),
                &[
                    "client", "user", "time", "request", "status", "bytes", "referer", "agent",
                    "duration",
                ],
            ),
            "nginx-vhost" | "apache-vhost" => (format!(r"(\S+):(\d+) {combined}"), HOST_AND_ALL),
            "nginx-ingress" => (
                with(r" (\d+) (\S+) \[(\S*)\] .*? (\w+)"),
                &[
                    "client",
                    "user",
                    "time",
                    "request",
                    "status",
                    "bytes",
                    "referer",
                    "agent",
                    "bytes_in",
                    "duration",
                    "backend",
                    "request_id",
                ],
            ),
            "apache-common" => (format!("{CLIENT}{REQUEST}"), &ALL[..6]),
            "apache-combinedio" => (
                with(r" (\d+) (\d+)"),
                &[
                    "client",
                    "user",
                    "time",
                    "request",
                    "status",
                    "body_bytes",
                    "referer",
                    "agent",
                    "bytes_in",
                    "bytes",
                ],
            ),
            _ => return None,
        };
        let any_bytes = syntax::Config::new().utf8(false).unicode(false);
        let mut builder = Regex::builder();
        builder.configure(Config::new().utf8_empty(false)).syntax(any_bytes);
        let pattern = builder.build(&format!(r"\A{pattern}\z")).expect("a pattern that is right");
        Some(Self { pattern, names })
    }

    /// The fields that it knows of a line.
    fn read(&self, line: &[u8]) -> Row {
        let mut found: Captures = self.pattern.create_captures();
        self.pattern.captures(line, &mut found);
        assert!(found.is_match(), "{}", String::from_utf8_lossy(line));
        let mut row = Row::new();
        for (at, name) in self.names.iter().enumerate() {
            let text = &line[found.get_group(at + 1).expect("a group").range()];
            if text == b"-" {
                continue;
            }
            match *name {
                "time" => row.push((name, time(text).into())),
                "duration" => row.push((name, scaled(text, 6).unwrap().to_string().into())),
                "status" => row.push((name, text.strip_prefix(b"00").unwrap_or(text).to_vec())),
                "request" => push_request(&mut row, text),
                name => row.push((name, text.to_vec())),
            }
        }
        row.sort();
        row
    }
}

/// `05/Jan/2026:00:00:00 +0000` in microseconds.
fn time(text: &[u8]) -> String {
    let text = std::str::from_utf8(text).unwrap();
    let time = chrono::DateTime::parse_from_str(text, "%d/%b/%Y:%H:%M:%S %z").unwrap();
    time.timestamp_micros().to_string()
}

/// The parts of a request line that consists of three words.
fn push_request(row: &mut Row, text: &[u8]) {
    row.push(("request", text.to_vec()));
    let words: Vec<&[u8]> = text.split(|byte| *byte == b' ').collect();
    let [method, target, protocol] = words[..] else { return };
    if !protocol.starts_with(b"HTTP/") || !method.iter().all(u8::is_ascii_alphabetic) {
        return;
    }
    row.push(("method", method.to_vec()));
    row.push(("target", target.to_vec()));
    row.push(("protocol", protocol.to_vec()));
    if target.starts_with(b"/") {
        let mut halves = target.splitn(2, |byte| *byte == b'?');
        row.push(("path", halves.next().unwrap_or_default().to_vec()));
        row.extend(halves.next().map(|query| ("query", query.to_vec())));
    }
}

#[test]
fn definitions_read_what_a_plain_pattern_reads() {
    let mut compared = 0;
    for name in names() {
        let Some(twin) = Twin::of(name) else { continue };
        let text = made(name, 2_000, 5);
        let format = detected(&text);
        let (rows, _) = read(&*format, &text, format.fields());
        for (line, row) in text.split(|byte| *byte == b'\n').zip(rows) {
            let plain = twin.read(line);
            let known = ["method", "target", "protocol", "path", "query"];
            let is_known =
                |(name, _): &(&str, Vec<u8>)| twin.names.contains(name) || known.contains(name);
            let mut row: Row = row.into_iter().filter(is_known).collect();
            row.sort();
            let whole_target = row.iter().any(|(name, _)| *name == "path")
                == plain.iter().any(|(name, _)| *name == "path");
            assert!(
                row == plain || !whole_target,
                "{name} {}: {row:?} {plain:?}",
                String::from_utf8_lossy(line)
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 18_000);
}

#[test]
fn json_and_labels_read_what_a_plain_reader_reads() {
    for name in ["nginx-json", "nginx-ltsv"] {
        let text = made(name, 2_000, 6);
        let format = detected(&text);
        let (rows, _) = read(&*format, &text, format.fields());
        for (line, row) in std::str::from_utf8(&text).unwrap().lines().zip(rows) {
            let get =
                |field: &str| row.iter().find(|(name, _)| *name == field).map(|(_, v)| &v[..]);
            let (client, agent, status, stamp) = match name {
                "nginx-json" => json_parts(line),
                _ => label_parts(line),
            };
            assert_eq!(get("client"), Some(client.as_bytes()), "{line}");
            assert_eq!(
                get("agent"),
                Some(agent.as_bytes()).filter(|text| ![&b""[..], b"-"].contains(text)),
                "{line}"
            );
            assert_eq!(
                get("status").map(|text| scaled(text, 0)),
                Some(scaled(status.as_bytes(), 0)),
                "{line}"
            );
            assert_eq!(get("time"), Some(stamp.as_bytes()), "{line}");
        }
    }
}

fn json_parts(line: &str) -> (String, String, String, String) {
    let value: serde_json::Value = serde_json::from_str(line).expect("valid JSON");
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let stamp = iso(text("time_iso8601").as_bytes()).expect("a stamp");
    let stamp = stamp.wall - stamp.zone.unwrap_or(0);
    (text("remote_addr"), text("http_user_agent"), value["status"].to_string(), stamp.to_string())
}

fn label_parts(line: &str) -> (String, String, String, String) {
    let part = |label: &str| {
        let mut parts = line.split('\t').filter_map(|part| part.split_once(':'));
        parts.find(|(name, _)| *name == label).expect("a label").1.to_owned()
    };
    let stamp = part("time");
    (part("host"), part("ua"), part("status"), time(stamp.trim_matches(['[', ']']).as_bytes()))
}

//! JSON, version 1: a contract. Names and units below stay; new names may come, so readers should ignore unknown ones.
//!
//! ```text
//! { "logmill": {"version": 1, "program": "0.1.0"},
//!   "mode": "report", "title": "…",
//!   "notes": [{"weight": "info|warning|problem", "text": "…"}, …],
//!   "sections": [
//!     { "name": "summary", "group": "", "title": "Summary", "kind": "facts", "notes": [],
//!       "columns": [{"name": "requests", "label": "requests", "role": "value", "kind": "count", "unit": null}, …],
//!       "values": {"requests": 48213, …} },
//!     { …, "kind": "table", "columns": […], "total_rows": 1237,
//!       "rows": [{"client": "203.0.113.7", "requests": 12034, …}, …] },
//!     { …, "kind": "series", "columns": […], "step": 300000000,
//!       "points": [{"time": "2026-11-23T00:00:00Z", "requests": 12, …}, …] } ] }
//! ```
//!
//! All three kinds describe their values in `columns` and hold them by name, so that
//! `jq '.sections[] | select(.name == "clients") | .rows[] | .client'` works without counting places. A group is what
//! sections belong to when one answer holds several; `role` is `key`, `main`, `value`, `remark` or `detail`; `step` is in
//! microseconds. Each row and point is one line of the output, so that two answers can be compared by lines.
//!
//! A column's `kind` says how to read its values, all exact:
//!
//! | kind | value | unit |
//! | --- | --- | --- |
//! | `count`, `number`, `real` | a number, the first two whole | `null` |
//! | `bytes` | a whole number | `bytes` |
//! | `byte_rate`, `rate` | a number | `bytes per second`, `per second` |
//! | `duration` | a whole number | `microseconds` |
//! | `share` | a number, 0 to 1 | `fraction` |
//! | `instant` | RFC 3339 in UTC, with microseconds where there are any | `null` |
//! | `text` | a string, or `{"escaped": "…"}` | `null` |
//! | `level` | `"ok"`, `"warning"`, `"critical"` or `"unknown"` | `null` |
//! | `list` | an array; the column's `of` is the kind of what is in it | `null` |
//! | `mixed` | `{"kind": "duration", "unit": "microseconds", "value": 850}`: each value says it for itself | `null` |
//! | `empty` | `null` alone | `null` |
//!
//! What is absent is `null` in every kind, as is a number that is not finite.
//!
//! Text is a plain string, backslashes and all, when the log had valid UTF-8. Bytes that are not come as an object instead:
//! in `{"escaped": "caf\\xe9"}` each invalid byte is `\xHH` and each backslash `\\`, so the bytes can be had back and
//! nothing is mistaken for them. Control characters and those that turn the direction of text are written `\u001b`,
//! `\u202e`, never raw; to a JSON reader that is the same string.

mod lines;

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::kind::Kind;
use super::{Look, Render, escape, figure, sections, shape};
use crate::document::{Body, Cell, Column, Document, Fact, Note, Role, Section, Series, Table};
use lines::Lines;

/// The version of the contract.
const VERSION: u32 = 1;

/// The renderer for programs.
pub(super) struct Json {
    look: Look,
}

impl Json {
    pub(super) fn new(look: &Look) -> Self {
        Self { look: look.clone() }
    }
}

impl Render for Json {
    fn render(&self, document: &Document, out: &mut dyn Write) -> io::Result<()> {
        let answer = Answer { document, look: &self.look };
        let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Lines::default());
        answer.serialize(&mut serializer)?;
        writeln!(out)
    }
}

/// A cell as one line of JSON: for the formats that have no lists of their own, and for records.
pub(crate) fn line(cell: &Cell) -> Vec<u8> {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, Lines::none());
    let (kind, of) = kinds([cell]);
    Value { cell, kind, of }.serialize(&mut serializer).expect("a Vec takes everything");
    out
}

struct Answer<'a> {
    document: &'a Document,
    look: &'a Look,
}

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("logmill", &Program)?;
        map.serialize_entry("mode", self.document.mode)?;
        map.serialize_entry("title", &self.document.title)?;
        map.serialize_entry("notes", &each(|| self.document.notes.iter().map(Remark)))?;
        map.serialize_entry("sections", &each(|| sections(self.document, self.look).map(Part)))?;
        map.end()
    }
}

struct Program;

impl Serialize for Program {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", &VERSION)?;
        map.serialize_entry("program", env!("CARGO_PKG_VERSION"))?;
        map.end()
    }
}

struct Remark<'a>(&'a Note);

impl Serialize for Remark<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("weight", self.0.weight.name())?;
        map.serialize_entry("text", &self.0.text)?;
        map.end()
    }
}

struct Part<'a>(&'a Section);

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.0.name)?;
        map.serialize_entry("group", &self.0.group)?;
        map.serialize_entry("title", &self.0.title)?;
        map.serialize_entry("kind", shape(&self.0.body))?;
        map.serialize_entry("notes", &each(|| self.0.notes.iter().map(Remark)))?;
        match &self.0.body {
            Body::Facts(facts) => put_facts(facts, &mut map)?,
            Body::Table(table) => put_table(table, &mut map)?,
            Body::Series(series) => put_series(series, &mut map)?,
        }
        map.end()
    }
}

fn put_facts<M: SerializeMap>(facts: &[Fact], map: &mut M) -> Result<(), M::Error> {
    let meta = |fact| Meta::of_fact(fact);
    map.serialize_entry("columns", &each(|| facts.iter().map(meta)))?;
    map.serialize_entry("values", &Facts(facts))
}

fn put_table<M: SerializeMap>(table: &Table, map: &mut M) -> Result<(), M::Error> {
    let metas = metas(&table.columns, &table.rows);
    map.serialize_entry("columns", &metas)?;
    map.serialize_entry("total_rows", &table.total_rows)?;
    map.serialize_entry(
        "rows",
        &each(|| table.rows.iter().map(|row| Row { time: None, metas: &metas, row })),
    )
}

fn put_series<'a, M: SerializeMap>(series: &'a Series, map: &mut M) -> Result<(), M::Error> {
    let metas = metas(&series.columns, &series.points);
    let point = |(index, row): (usize, &'a Vec<Cell>)| {
        let time = series.at(index);
        Row { time: Some(time), metas: &metas, row }
    };
    map.serialize_entry("columns", &metas)?;
    map.serialize_entry("step", &series.step)?;
    map.serialize_entry("points", &each(|| series.points.iter().enumerate().map(point)))
}

/// What is said about the values of a column.
struct Meta<'a> {
    name: &'a str,
    label: &'a str,
    role: Role,
    kind: Kind,
    /// For lists: the kind of what they hold.
    of: Option<Kind>,
}

impl<'a> Meta<'a> {
    fn of_fact(fact: &'a Fact) -> Self {
        let (kind, of) = kinds([&fact.value]);
        Self { name: fact.name, label: &fact.label, role: Role::Value, kind, of }
    }

    fn of_column(column: &'a Column, cells: impl Iterator<Item = &'a Cell> + Clone) -> Self {
        let (kind, of) = kinds(cells);
        Self { name: &column.name, label: &column.label, role: column.role, kind, of }
    }
}

fn metas<'a>(columns: &'a [Column], rows: &'a [Vec<Cell>]) -> Vec<Meta<'a>> {
    let meta = |(index, column)| {
        Meta::of_column(column, rows.iter().filter_map(move |row: &Vec<Cell>| row.get(index)))
    };
    columns.iter().enumerate().map(meta).collect()
}

/// The kind of the cells and, where all are lists, of what is in them. Lists in lists speak for themselves.
fn kinds<'c, I>(cells: I) -> (Kind, Option<Kind>)
where
    I: IntoIterator<Item = &'c Cell>,
    I::IntoIter: Clone,
{
    let cells = cells.into_iter();
    match Kind::common(cells.clone()) {
        Kind::List => match Kind::common(cells.flat_map(items)) {
            Kind::List => (Kind::List, Some(Kind::Mixed)),
            of => (Kind::List, Some(of)),
        },
        kind => (kind, None),
    }
}

fn items(cell: &Cell) -> &[Cell] {
    match cell {
        Cell::List(items) => items,
        _ => &[],
    }
}

impl Serialize for Meta<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", self.name)?;
        map.serialize_entry("label", self.label)?;
        map.serialize_entry("role", role(self.role))?;
        put_kind(self.kind, self.of, &mut map)?;
        map.end()
    }
}

/// The kind, what a list holds, and the unit of the values, in lists too.
fn put_kind<M: SerializeMap>(kind: Kind, of: Option<Kind>, map: &mut M) -> Result<(), M::Error> {
    map.serialize_entry("kind", kind.name())?;
    if let Some(of) = of {
        map.serialize_entry("of", of.name())?;
    }
    map.serialize_entry("unit", &of.unwrap_or(kind).unit())
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Key => "key",
        Role::Main => "main",
        Role::Value => "value",
        Role::Remark => "remark",
        Role::Detail => "detail",
    }
}

struct Facts<'a>(&'a [Fact]);

impl Serialize for Facts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|fact| {
            let (kind, of) = kinds([&fact.value]);
            (fact.name, Value { cell: &fact.value, kind, of })
        }))
    }
}

/// The cells of a row by the names of their columns; a point has its time before them.
struct Row<'a> {
    time: Option<i64>,
    metas: &'a [Meta<'a>],
    row: &'a [Cell],
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(time) = self.time {
            map.serialize_entry("time", &figure::rfc3339(time))?;
        }
        for (meta, cell) in self.metas.iter().zip(self.row) {
            map.serialize_entry(meta.name, &Value { cell, kind: meta.kind, of: meta.of })?;
        }
        map.end()
    }
}

/// A cell, under what its column says of it.
struct Value<'a> {
    cell: &'a Cell,
    kind: Kind,
    of: Option<Kind>,
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.kind == Kind::Mixed && *self.cell != Cell::Empty {
            return Tagged(self.cell).serialize(serializer);
        }
        match self.cell {
            Cell::Empty => serializer.serialize_unit(),
            Cell::Count(value) | Cell::Bytes(value) => serializer.serialize_u64(*value),
            Cell::Number(value) | Cell::Duration(value) => serializer.serialize_i64(*value),
            Cell::Real(value) | Cell::ByteRate(value) | Cell::Rate(value) | Cell::Share(value) => {
                serializer.serialize_f64(*value)
            }
            Cell::Instant(micros) => figure::rfc3339(*micros).serialize(serializer),
            Cell::Text(text) => Text(text).serialize(serializer),
            Cell::Level(level) => serializer.serialize_str(level.name()),
            Cell::List(cells) => {
                let kind = self.of.unwrap_or(Kind::Mixed);
                serializer.collect_seq(cells.iter().map(|cell| Value { cell, kind, of: None }))
            }
        }
    }
}

/// A cell that says its own kind.
struct Tagged<'a>(&'a Cell);

impl Serialize for Tagged<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, of) = kinds([self.0]);
        let mut map = serializer.serialize_map(None)?;
        put_kind(kind, of, &mut map)?;
        map.serialize_entry("value", &Value { cell: self.0, kind, of })?;
        map.end()
    }
}

struct Text<'a>(&'a [u8]);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.collect_map([("escaped", escape::exact(self.0))]),
        }
    }
}

/// An array written item by item from an iterator that can be had anew.
struct Each<F>(F);

fn each<I: Iterator, F: Fn() -> I>(items: F) -> Each<F> {
    Each(items)
}

impl<I: Iterator<Item: Serialize>, F: Fn() -> I> Serialize for Each<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use proptest::prelude::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    /// The contract as a reader would write it down; a field that is not in it fails the test.
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ReadAnswer {
        logmill: ReadProgram,
        mode: String,
        title: String,
        notes: Vec<ReadNote>,
        sections: Vec<ReadSection>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ReadProgram {
        version: u32,
        program: String,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct ReadNote {
        weight: String,
        text: String,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "a field that is only read still has to be there")]
    #[serde(deny_unknown_fields, tag = "kind", rename_all = "snake_case")]
    enum ReadSection {
        Facts {
            name: String,
            group: String,
            title: String,
            notes: Vec<ReadNote>,
            columns: Vec<ReadColumn>,
            values: ReadRow,
        },
        Table {
            name: String,
            group: String,
            title: String,
            notes: Vec<ReadNote>,
            columns: Vec<ReadColumn>,
            total_rows: u64,
            rows: Vec<ReadRow>,
        },
        Series {
            name: String,
            group: String,
            title: String,
            notes: Vec<ReadNote>,
            columns: Vec<ReadColumn>,
            step: i64,
            points: Vec<ReadRow>,
        },
    }

    type ReadRow = BTreeMap<String, serde_json::Value>;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct ReadColumn {
        name: String,
        label: String,
        role: String,
        kind: String,
        #[serde(default)]
        of: Option<String>,
        unit: Option<String>,
    }

    fn rendered(document: &Document) -> String {
        let mut out = Vec::new();
        Json::new(&Look::default()).render(document, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn value(cell: &Cell) -> String {
        String::from_utf8(line(cell)).unwrap()
    }

    #[test]
    fn reads_back_with_no_field_unknown() {
        let answer: ReadAnswer = serde_json::from_str(&rendered(&sample::document())).unwrap();
        assert_eq!(
            (answer.logmill.version, &*answer.logmill.program),
            (1, env!("CARGO_PKG_VERSION"))
        );
        assert_eq!((&*answer.mode, answer.title.is_empty()), ("report", false));
        assert_eq!(answer.notes[1].weight, "warning");
        assert_eq!(answer.sections.len(), 4);
        for section in &answer.sections {
            match section {
                ReadSection::Facts { name, columns, values, .. } => {
                    assert_eq!((&**name, columns.len()), ("summary", values.len()));
                    assert_eq!(values["slowest"], 125_000_000);
                }
                ReadSection::Table { group, rows, columns, total_rows, .. } => {
                    assert_eq!(group, "web");
                    assert!(*total_rows >= rows.len() as u64);
                    assert!(
                        rows.iter().all(|row| columns.iter().all(|c| row.contains_key(&c.name)))
                    );
                }
                ReadSection::Series { points, step, .. } => {
                    assert_eq!((points.len(), *step), (96, 300_000_000));
                    assert_eq!(points[1]["time"], "2026-11-23T00:05:00Z");
                }
            }
        }
    }

    #[test]
    fn each_row_is_one_line() {
        let text = rendered(&sample::document());
        let row =
            r#"        {"count": 4, "kind": {"escaped": "caf\\xe9\u001b[31m"}, "example": null}"#;
        assert!(text.lines().any(|line| line == row), "{text}");
        let column = r#"        {"name": "p99_duration", "label": "p99", "role": "value", "kind": "duration", "unit": "microseconds"},"#;
        assert!(text.lines().any(|line| line == column), "{text}");
    }

    #[test]
    fn an_empty_document_is_whole() {
        let answer: ReadAnswer = serde_json::from_str(&rendered(&Document::default())).unwrap();
        assert!(answer.sections.is_empty() && answer.notes.is_empty());
    }

    #[test]
    fn values_of_several_kinds_say_which() {
        let list = |cells| Cell::List(cells);
        for (cell, expected) in [
            (list(vec![Cell::Count(1), Cell::Empty]), "[1, null]"),
            (
                list(vec![Cell::Duration(850), Cell::text("x")]),
                r#"[{"kind": "duration", "unit": "microseconds", "value": 850}, {"kind": "text", "unit": null, "value": "x"}]"#,
            ),
            (
                list(vec![list(vec![Cell::Bytes(1)])]),
                r#"[{"kind": "list", "of": "bytes", "unit": "bytes", "value": [1]}]"#,
            ),
            (list(vec![]), "[]"),
            (Cell::Real(f64::NAN), "null"),
            (Cell::Count(u64::MAX), "18446744073709551615"),
        ] {
            assert_eq!(value(&cell), expected);
        }
    }

    #[test]
    fn text_keeps_its_backslashes_and_shows_its_bytes() {
        for (text, expected) in [
            (&b"plain"[..], r#""plain""#),
            (br"\x16\x03", r#""\\x16\\x03""#),
            (b"caf\xe9\\", r#"{"escaped": "caf\\xe9\\\\"}"#),
            ("\u{202e}\u{7f}\u{9b}\u{e0041}".as_bytes(), r#""\u202e\u007f\u009b\udb40\udc41""#),
        ] {
            assert_eq!(value(&Cell::text(text)), expected);
        }
    }

    proptest! {
        #[test]
        fn any_text_reads_back(text: String) {
            let read: String = serde_json::from_slice(&line(&Cell::text(&text))).unwrap();
            prop_assert_eq!(read, text);
        }
    }
}

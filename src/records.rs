//! Parsed records as NDJSON, CSV or TSV: chosen fields, one line a record.
//!
//! Values are those of the JSON contract (`render::json`) and of its CSV: durations as whole microseconds, sizes in
//! bytes, instants as RFC 3339 in UTC with microseconds where there are any, labels as their words. Seconds with a
//! fraction would look more familiar, but this way nothing is rounded and two outputs of the program never disagree.
//! What the log does not say is `null`, and empty in CSV and TSV. Text is escaped as in the answers: bytes that are no
//! UTF-8 become `{"escaped": "…"}` in NDJSON, and are made visible in the other two, which write them as they are only
//! when asked to.
//!
//! A record is text in, text out, so this is the one renderer whose speed matters: plain ASCII and numbers have their
//! own short ways, everything else goes the way of the answers.
//!
//! ```
//! use logmill::plan::{Plan, Question, Request};
//! use logmill::records::{Style, Writer};
//!
//! # fn main() -> logmill::Result<()> {
//! let question = Question::Records { fields: Some("client,status".into()) };
//! let mut request = Request::new(question, ["fixtures/nginx/combined.log"]);
//! request.asked.filters = vec!["status=502".into()];
//! let plan = Plan::new(request)?;
//! let writer = Writer::new(plan.chosen().to_vec(), Style::Csv);
//! let mut out = Vec::new();
//! writer.header(&mut out);
//! let answer = plan.stream(
//!     &|records, bytes| writer.write_block(records, bytes),
//!     &mut |bytes| {
//!         out.extend_from_slice(bytes);
//!         true // There is room for more.
//!     },
//!     &|_read, _whole| {},
//! )?;
//! assert_eq!(answer.account().counted.records, 11);
//! assert!(out.starts_with(b"client,status\n203.0.113."));
//! # Ok(())
//! # }
//! ```

use std::borrow::Cow;

use crate::document::Cell;
use crate::error::{Error, Result};
use crate::names;
use crate::record::time::{DAY, SECOND};
use crate::record::{Field, Fields, Kind, Label, Records, Value};
use crate::render::{json_line, visible};

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// An object a line.
    Ndjson,
    /// RFC 4180, with a line feed at the end of a line.
    Csv,
    /// Never quoted: a tab, line feed, carriage return or backslash in a text is `\t`, `\n`, `\r`, `\\`.
    Tsv,
}

impl Style {
    /// The style of that name: `ndjson` (or `json`), `csv`, `tsv`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "ndjson" | "json" => Some(Self::Ndjson),
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            _ => None,
        }
    }
}

/// Writes chosen fields of records.
#[derive(Debug, Clone)]
pub struct Writer {
    columns: Vec<Column>,
    style: Style,
    raw: bool,
    sources: Vec<String>,
}

/// One field, with what would otherwise be looked up for each value.
#[derive(Debug, Clone)]
struct Column {
    field: Field,
    kind: Kind,
    /// What stands before each value: in NDJSON the name too.
    lead: Vec<u8>,
}

/// Reads names of fields with commas between them. Beside those that the logs supply there are `source`, `offset` and
/// `raw`: where a record stands, and all of it.
///
/// # Errors
/// A usage error that says what was probably meant; or that a field is there twice, or none is.
pub fn fields(text: &str, supplied: Fields) -> Result<Vec<Field>> {
    let supplied = supplied.union(Fields::of(&[Field::SOURCE_FILE]));
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let mut fields = Vec::new();
    for name in names {
        let field = names::field(name, supplied)?;
        if fields.contains(&field) {
            return Err(Error::usage(format!("'{field}' is there twice")));
        }
        fields.push(field);
    }
    if fields.is_empty() {
        let error = Error::usage("no field to write");
        return Err(error.advise("name some with commas between: 'time,client,path,status'"));
    }
    Ok(fields)
}

impl Writer {
    /// Writes these fields, in this order.
    pub fn new(fields: Vec<Field>, style: Style) -> Self {
        let columns = fields.into_iter().enumerate().map(|(at, field)| {
            let lead = lead(at, field, style);
            Column { field, kind: field.kind(), lead }
        });
        Self { columns: columns.collect(), style, raw: false, sources: Vec::new() }
    }

    /// Lets text leave as the bytes it was in CSV and TSV, borders of TSV excepted. For pipes and files only: on a
    /// terminal such text can do as it likes.
    #[must_use]
    pub fn raw(mut self, raw: bool) -> Self {
        self.raw = raw;
        self
    }

    /// The names of the inputs by their numbers, for the field `source`.
    #[must_use]
    pub fn sources(mut self, names: Vec<String>) -> Self {
        self.sources = names;
        self
    }

    /// The columns that it reads.
    pub fn fields(&self) -> Fields {
        let fields: Fields = self.columns.iter().map(|column| column.field).collect();
        fields.without(names::of_every_record())
    }

    /// Appends what stands before the first record: the names in CSV and TSV, nothing in NDJSON.
    pub fn header(&self, out: &mut Vec<u8>) {
        if self.style == Style::Ndjson {
            return;
        }
        for Column { field, lead, .. } in &self.columns {
            out.extend_from_slice(lead);
            self.text(field.name().as_bytes(), out);
        }
        out.push(b'\n');
    }

    /// Appends the records of a block, a line each.
    pub fn write_block(&self, records: &Records<'_>, out: &mut Vec<u8>) {
        let values: Vec<Option<&[Value]>> =
            self.columns.iter().map(|column| records.column(column.field)).collect();
        let mut clock = Clock::default();
        for row in 0..records.len() {
            let begin = out.len();
            for (column, values) in self.columns.iter().zip(&values) {
                out.extend_from_slice(&column.lead);
                let value = values.map_or(Value::ABSENT, |values| values[row]);
                self.value(column, value, (records, row), &mut clock, out);
            }
            self.end(begin, out);
        }
    }

    fn end(&self, begin: usize, out: &mut Vec<u8>) {
        match self.style {
            Style::Ndjson => out.extend_from_slice(b"}\n"),
            // An empty line would be no record to most readers.
            Style::Csv if out.len() == begin => out.extend_from_slice(b"\"\"\n"),
            Style::Csv | Style::Tsv => out.push(b'\n'),
        }
    }

    #[inline]
    fn value(
        &self,
        column: &Column,
        value: Value,
        (records, row): (&Records<'_>, usize),
        clock: &mut Clock,
        out: &mut Vec<u8>,
    ) {
        match column.field {
            Field::RAW => return self.text(without_line_end(records.whole(row)), out),
            Field::OFFSET => return integer(records.offset(row) as i64, out),
            Field::SOURCE_FILE => return self.source(records.origin().input, out),
            _ if value.is_absent() => return self.absent(out),
            _ => {}
        }
        let number = value.number_or(0);
        match column.kind {
            Kind::Text => self.text(records.bytes(value).unwrap_or_default(), out),
            Kind::Label => self.text(Label::from_number(number).word().as_bytes(), out),
            Kind::Instant => self.instant(number, clock, out),
            Kind::Number | Kind::Bytes | Kind::Duration => integer(number, out),
        }
    }

    fn absent(&self, out: &mut Vec<u8>) {
        if self.style == Style::Ndjson {
            out.extend_from_slice(b"null");
        }
    }

    fn source(&self, input: u32, out: &mut Vec<u8>) {
        match self.sources.get(input as usize) {
            Some(name) => self.text(name.as_bytes(), out),
            None => self.absent(out),
        }
    }

    fn instant(&self, micros: i64, clock: &mut Clock, out: &mut Vec<u8>) {
        let quote: &[u8] = if self.style == Style::Ndjson { b"\"" } else { b"" };
        let begin = out.len();
        out.extend_from_slice(quote);
        if !clock.write(micros, out) {
            out.truncate(begin);
            return self.absent(out);
        }
        out.extend_from_slice(quote);
    }

    fn text(&self, text: &[u8], out: &mut Vec<u8>) {
        match self.style {
            Style::Ndjson => json_text(text, out),
            Style::Csv => quoted(&self.shown(text), out),
            Style::Tsv if self.raw => unbordered(text, out),
            Style::Tsv => out.extend_from_slice(&self.shown(text)),
        }
    }

    fn shown<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let is_edge = |byte: Option<&u8>| byte == Some(&b' ');
        let is_plain = || !has(text, |byte| !(b' '..0x7f).contains(&byte));
        match self.raw || (is_plain() && !is_edge(text.first()) && !is_edge(text.last())) {
            true => Cow::Borrowed(text),
            false => Cow::Owned(visible(text).into_bytes()),
        }
    }
}

fn lead(at: usize, field: Field, style: Style) -> Vec<u8> {
    let border = match (style, at) {
        (Style::Ndjson, 0) => "{",
        (_, 0) => "",
        (Style::Ndjson | Style::Csv, _) => ",",
        (Style::Tsv, _) => "\t",
    };
    let mut lead = border.as_bytes().to_vec();
    if style == Style::Ndjson {
        json_text(field.name().as_bytes(), &mut lead);
        lead.push(b':');
    }
    lead
}

fn without_line_end(whole: &[u8]) -> &[u8] {
    let line = whole.strip_suffix(b"\n").unwrap_or(whole);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// True when one of the bytes is such a one. Looks at all of them without stopping, which for texts as short as those of
/// logs is faster, since the compiler then takes many at once.
#[inline]
fn has(text: &[u8], is_such: impl Fn(u8) -> bool) -> bool {
    text.iter().fold(false, |has, byte| has | is_such(*byte))
}

fn integer(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// A JSON string; an object for bytes that are no UTF-8.
fn json_text(text: &[u8], out: &mut Vec<u8>) {
    if has(text, |byte| !(b' '..0x7f).contains(&byte)) {
        return out.extend_from_slice(&json_line(&Cell::text(text)));
    }
    out.push(b'"');
    match has(text, |byte| matches!(byte, b'"' | b'\\')) {
        true => escaped(text, out),
        false => out.extend_from_slice(text),
    }
    out.push(b'"');
}

fn escaped(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr2(b'"', b'\\', text) {
        out.extend_from_slice(&text[..at]);
        out.extend_from_slice(&[b'\\', text[at]]);
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
}

/// As RFC 4180 has it.
fn quoted(text: &[u8], out: &mut Vec<u8>) {
    if !has(text, |byte| matches!(byte, b'"' | b',' | b'\n' | b'\r')) {
        return out.extend_from_slice(text);
    }
    out.push(b'"');
    for (at, part) in text.split(|byte| *byte == b'"').enumerate() {
        out.extend_from_slice(if at == 0 { b"" } else { b"\"\"" });
        out.extend_from_slice(part);
    }
    out.push(b'"');
}

/// Without the bytes that are borders in TSV.
fn unbordered(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'\t' => out.extend_from_slice(br"\t"),
            b'\n' => out.extend_from_slice(br"\n"),
            b'\r' => out.extend_from_slice(br"\r"),
            b'\\' => out.extend_from_slice(br"\\"),
            byte => out.push(*byte),
        }
    }
}

/// Prints instants; remembers the day, since the next record mostly has the same one.
#[derive(Debug)]
struct Clock {
    day: i64,
    date: Vec<u8>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { day: i64::MIN, date: Vec::new() }
    }
}

impl Clock {
    /// Appends an instant. False, and nothing, for years that no calendar has.
    fn write(&mut self, micros: i64, out: &mut Vec<u8>) -> bool {
        let day = micros.div_euclid(DAY);
        if day != self.day {
            let Some(time) = chrono::DateTime::from_timestamp_micros(micros) else { return false };
            (self.day, self.date) = (day, time.format("%F").to_string().into_bytes());
        }
        let second = micros.rem_euclid(DAY) / SECOND;
        let [hour, minute, second] = [second / 3600, second / 60 % 60, second % 60].map(two);
        out.extend_from_slice(&self.date);
        out.extend_from_slice(&[b'T', hour[0], hour[1], b':', minute[0], minute[1], b':']);
        out.extend_from_slice(&second);
        fraction(micros.rem_euclid(SECOND), out);
        out.push(b'Z');
        true
    }
}

fn two(number: i64) -> [u8; 2] {
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]
}

fn fraction(micros: i64, out: &mut Vec<u8>) {
    if micros != 0 {
        let pairs = [micros / 10_000, micros / 100 % 100, micros % 100].map(two);
        out.push(b'.');
        out.extend_from_slice(pairs.as_flattened());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Block, Layout, Origin};
    use proptest::prelude::*;

    const FIELDS: [Field; 5] =
        [Field::TIME, Field::CLIENT, Field::STATUS, Field::DURATION, Field::CLASS];

    fn written(text: &[u8], style: Style, raw: bool) -> String {
        let fields = [&FIELDS[..], &[Field::SOURCE_FILE, Field::OFFSET]].concat();
        let writer = Writer::new(fields, style).raw(raw).sources(vec!["a, b".to_owned()]);
        let mut block = Block::new(Layout::new(writer.fields(), Fields::NONE));
        block.set_origin(Origin { input: 0, offset: 70 });
        let slots = FIELDS.map(|field| block.layout().slot(field));
        let mut row = block.row();
        row.number(slots[0], 1_795_425_302_000_250);
        row.made(slots[1], text);
        row.number(slots[2], -1);
        row.number(slots[3], 1_500_000);
        row.label(slots[4], Label::ERROR);
        row.keep(7, 1);
        block.row().keep(8, 1);
        let mut out = Vec::new();
        writer.header(&mut out);
        writer.write_block(&block.records(&[b'x'; 20]), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn ndjson() {
        assert_eq!(
            written(b"a \"b\"", Style::Ndjson, false),
            concat!(
                r#"{"time":"2026-11-23T09:15:02.000250Z","client":"a \"b\"","status":-1,"#,
                r#""duration":1500000,"class":"error","source":"a, b","offset":77}"#,
                "\n",
                r#"{"time":null,"client":null,"status":null,"#,
                r#""duration":null,"class":null,"source":"a, b","offset":78}"#,
                "\n"
            )
        );
    }

    #[test]
    fn csv_and_tsv() {
        assert_eq!(
            written(b"\"b\"\n", Style::Csv, false),
            "time,client,status,duration,class,source,offset\n\
             2026-11-23T09:15:02.000250Z,\"\"\"b\"\"\\n\",-1,1500000,error,\"a, b\",77\n\
             ,,,,,\"a, b\",78\n"
        );
        assert!(written(b"b\n", Style::Csv, true).contains(",\"b\n\",-1"));
        assert!(written(b"b\t\\ ", Style::Tsv, false).contains("\tb\\t\\\\x20\t-1"));
        assert!(written(b"b\t\\ ", Style::Tsv, true).contains("\tb\\t\\\\ \t-1"));
    }

    #[test]
    fn a_lone_empty_value_is_a_record() {
        let writer = Writer::new(vec![Field::CLIENT], Style::Csv);
        let mut block = Block::new(Layout::new(writer.fields(), Fields::NONE));
        block.row().keep(0, 0);
        let mut out = Vec::new();
        writer.write_block(&block.records(b""), &mut out);
        assert_eq!(out, b"\"\"\n");
    }

    #[test]
    fn the_whole_record() {
        let writer = Writer::new(vec![Field::RAW], Style::Ndjson);
        assert_eq!(writer.fields(), Fields::NONE);
        let mut block = Block::new(Layout::new(Fields::NONE, Fields::NONE));
        block.row().keep(0, 4);
        let mut out = Vec::new();
        writer.write_block(&block.records(b"a\\\r\n"), &mut out);
        assert_eq!(out, b"{\"raw\":\"a\\\\\"}\n");
    }

    #[test]
    fn names_of_fields() {
        let supplied = Fields::of(&FIELDS);
        let found = fields("time, client,raw,source", supplied).unwrap();
        assert_eq!(found, [Field::TIME, Field::CLIENT, Field::RAW, Field::SOURCE_FILE]);
        for (text, said) in [
            (" ,", "no field to write"),
            ("time,time", "'time' is there twice"),
            ("stat", "there is no field 'stat'"),
        ] {
            assert_eq!(fields(text, supplied).unwrap_err().to_string(), said);
        }
    }

    proptest! {
        #[test]
        fn short_ways_lead_where_the_long_ones_do(
            text: Vec<u8>, ascii in "[ -~\t\n]{0,20}", micros in any::<i64>().prop_map(|n| n / 9),
        ) {
            for text in [&text[..], ascii.as_bytes()] {
                let mut out = Vec::new();
                json_text(text, &mut out);
                prop_assert_eq!(out, json_line(&Cell::text(text)));
                let writer = Writer::new(Vec::new(), Style::Tsv);
                let shown = writer.shown(text).into_owned();
                prop_assert_eq!(shown, visible(text).into_bytes());
            }
            for micros in [micros, micros / SECOND * SECOND, micros.saturating_mul(9)] {
                let mut out = Vec::new();
                Writer::new(Vec::new(), Style::Ndjson).instant(micros, &mut Clock::default(), &mut out);
                prop_assert_eq!(out, json_line(&Cell::Instant(micros)));
            }
        }

        #[test]
        fn csv_reads_back(texts in prop::collection::vec(any::<Vec<u8>>(), 1..4)) {
            let mut out = Vec::new();
            for (at, text) in texts.iter().enumerate() {
                out.extend_from_slice(if at == 0 { b"" } else { b"," });
                quoted(text, &mut out);
            }
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&out[..]);
            let read = reader.byte_records().next().map(|record| record.unwrap());
            let read: Vec<&[u8]> = read.iter().flatten().collect();
            let is_nothing = texts.len() == 1 && texts[0].is_empty();
            prop_assert!(is_nothing || read == texts);
        }
    }
}

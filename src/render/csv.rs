//! CSV and TSV: exact values for spreadsheets, `cut`, `awk` and databases.
//!
//! One section alone is one table with a header row. Several come one after another, an empty line between them, each with a
//! header row of its own whose first column is `section`; tools that know such blocks read all (`mlr --icsvlite`), and a
//! line can be told by its first value everywhere else. Facts are a table of `name`, `value`, `kind` and `unit`; a series
//! has `time` before its measures.
//!
//! Values are those of the JSON contract: durations in microseconds, sizes in bytes, shares 0 to 1, instants in RFC 3339,
//! nothing for what is absent; lists are JSON arrays. CSV is quoted as RFC 4180 has it, with a line feed at the end of a
//! line. TSV is never quoted: tab, line feed, carriage return and backslash in text are `\t`, `\n`, `\r` and `\\`, so that
//! every tab and line feed is a border.
//!
//! Text is made visible as on a terminal; with `Look::raw` it leaves as the bytes it was. A spreadsheet may take text that
//! begins with `=`, `+`, `-` or `@` for a formula: import it as text. Changing it here would make it another text.

use std::borrow::Cow;
use std::io::{self, Write};

use csv::{QuoteStyle, Writer, WriterBuilder};

use super::kind::Kind;
use super::{Look, Render, escape, figure, json, sections};
use crate::document::{Body, Cell, Column, Document, Fact, Section, Series};

/// The renderer for spreadsheets.
pub(super) struct Csv {
    look: Look,
    dialect: Dialect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Comma,
    Tab,
}

impl Csv {
    pub(super) fn comma(look: &Look) -> Self {
        Self { look: look.clone(), dialect: Dialect::Comma }
    }

    pub(super) fn tab(look: &Look) -> Self {
        Self { look: look.clone(), dialect: Dialect::Tab }
    }
}

impl Render for Csv {
    fn render(&self, document: &Document, out: &mut dyn Write) -> io::Result<()> {
        let wanted: Vec<_> = sections(document, &self.look).collect();
        let is_alone = wanted.len() == 1;
        for (index, section) in wanted.into_iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            let path = section.path();
            let lead = if is_alone { None } else { Some(path.as_str()) };
            Block { lead, raw: self.look.raw, dialect: self.dialect, out: self.writer(out) }
                .write(section)?;
        }
        Ok(())
    }
}

impl Csv {
    fn writer<'o>(&self, out: &'o mut dyn Write) -> Writer<&'o mut dyn Write> {
        let mut builder = WriterBuilder::new();
        match self.dialect {
            Dialect::Comma => builder.delimiter(b','),
            Dialect::Tab => builder.delimiter(b'\t').quote_style(QuoteStyle::Never),
        };
        // Rows are as long as their table says; a short one is the report's fault and no reason to stop.
        builder.flexible(true).from_writer(out)
    }
}

/// The table that a section becomes.
struct Block<'a> {
    /// The first value of every row, where there is one.
    lead: Option<&'a str>,
    raw: bool,
    dialect: Dialect,
    out: Writer<&'a mut dyn Write>,
}

impl Block<'_> {
    fn write(mut self, section: &Section) -> io::Result<()> {
        match &section.body {
            Body::Facts(facts) => self.facts(facts)?,
            Body::Table(table) => {
                self.header(&table.columns, &[])?;
                table.rows.iter().try_for_each(|row| self.row(row, None))?;
            }
            Body::Series(series) => self.series(series)?,
        }
        self.out.flush()
    }

    fn facts(&mut self, facts: &[Fact]) -> io::Result<()> {
        self.header(&[], &["name", "value", "kind", "unit"])?;
        for fact in facts {
            let kind = Kind::of(&fact.value);
            let word = |word: &str| Cell::text(word);
            let unit = kind.unit().map_or(Cell::Empty, word);
            self.row(&[word(fact.name), fact.value.clone(), word(kind.name()), unit], None)?;
        }
        Ok(())
    }

    fn series(&mut self, series: &Series) -> io::Result<()> {
        self.header(&series.columns, &["time"])?;
        for (step, point) in series.points.iter().enumerate() {
            self.row(point, Some(Cell::Instant(series.at(step))))?;
        }
        Ok(())
    }

    fn header(&mut self, columns: &[Column], before: &[&str]) -> io::Result<()> {
        let lead = self.lead.map(|_| "section");
        let names = columns.iter().map(|column| column.name.as_str());
        for name in lead.into_iter().chain(before.iter().copied()).chain(names) {
            let name = self.text(name.as_bytes()).into_owned();
            self.out.write_field(name)?;
        }
        self.end_row()
    }

    fn row(&mut self, cells: &[Cell], time: Option<Cell>) -> io::Result<()> {
        if let Some(lead) = self.lead {
            let lead = self.text(lead.as_bytes()).into_owned();
            self.out.write_field(lead)?;
        }
        for cell in time.iter().chain(cells) {
            let value = exact(cell);
            let value = match cell {
                Cell::Text(_) | Cell::List(_) => self.text(&value),
                _ => value,
            };
            self.out.write_field(value)?;
        }
        self.end_row()
    }

    fn end_row(&mut self) -> io::Result<()> {
        Ok(self.out.write_record(None::<&[u8]>)?)
    }

    /// Text as this block may write it.
    fn text<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        match (self.raw, self.dialect) {
            (false, _) => escape::visible(text).into_bytes().into(),
            (true, Dialect::Comma) => text.into(),
            (true, Dialect::Tab) => unbordered(text).into(),
        }
    }
}

/// Text without the bytes that are borders in TSV.
fn unbordered(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'\t' => out.extend(br"\t"),
            b'\n' => out.extend(br"\n"),
            b'\r' => out.extend(br"\r"),
            b'\\' => out.extend(br"\\"),
            byte => out.push(*byte),
        }
    }
    out
}

/// The exact value; text as its bytes.
pub(super) fn exact(cell: &Cell) -> Cow<'_, [u8]> {
    let text = match cell {
        Cell::Text(text) => return text.as_slice().into(),
        Cell::List(_) => return json::line(cell).into(),
        Cell::Empty => String::new(),
        Cell::Count(value) | Cell::Bytes(value) => value.to_string(),
        Cell::Number(value) | Cell::Duration(value) => value.to_string(),
        Cell::Real(value) | Cell::ByteRate(value) | Cell::Rate(value) | Cell::Share(value) => {
            finite(*value)
        }
        Cell::Instant(micros) => figure::rfc3339(*micros).unwrap_or_default(),
        Cell::Level(level) => level.name().to_string(),
    };
    text.into_bytes().into()
}

/// The shortest digits that read back as the same number.
fn finite(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Role, Table};
    use crate::render::sample;
    use proptest::prelude::*;

    fn rendered(render: &Csv, document: &Document) -> Vec<u8> {
        let mut out = Vec::new();
        render.render(document, &mut out).unwrap();
        out
    }

    fn section(name: &str) -> Look {
        Look { section: Some(name.into()), ..Look::default() }
    }

    fn check(render: Csv, expected: &str) {
        let text = String::from_utf8(rendered(&render, &sample::document())).unwrap();
        assert_eq!(text, expected);
    }

    #[test]
    fn writes_exact_values() {
        check(
            Csv::comma(&section("clients")),
            "client,requests,share,bytes,p99_duration,last_seen,level\n\
             203.0.113.7,12034,0.24960073009354322,120000000,850,2026-11-23T09:20:01Z,ok\n\
             2001:db8:85a3::8a2e:370:7334,8001,0.16595109202912078,9000,12345,2026-11-23T09:20:01Z,warning\n\
             198.51.100.23,7,0.000145189056893369,0,1200000,2026-11-23T09:20:01Z,critical\n",
        );
        check(
            Csv::tab(&section("summary")),
            "name\tvalue\tkind\tunit\n\
             requests\t48213\tcount\t\n\
             first\t2026-11-23T00:00:00.000250Z\tinstant\t\n\
             bytes_sent\t1300000000\tbytes\tbytes\n\
             exit_code\t-9\tnumber\t\n\
             mean_tries\t1.25\treal\t\n\
             throughput\t15046.3\tbyte_rate\tbytes per second\n\
             request_rate\t0.558\trate\tper second\n\
             slowest\t125000000\tduration\tmicroseconds\n\
             rejected\t0.0002\tshare\tfraction\n\
             verdict\twarning\tlevel\t\n\
             addresses\t[\"192.0.2.1\", \"2001:db8::1\"]\tlist\t\n\
             user\t\tempty\t\n",
        );
    }

    #[test]
    fn parts_sections_by_an_empty_line_and_names_them() {
        let out = rendered(&Csv::comma(&Look::default()), &sample::document());
        let text = String::from_utf8(out).unwrap();
        let blocks: Vec<_> = text.split("\n\n").collect();
        assert_eq!(blocks.len(), 4);
        assert!(blocks[1].starts_with("section,client,requests,"), "{}", blocks[1]);
        assert!(blocks[1].lines().skip(1).all(|line| line.starts_with("web/clients,")));
        assert!(blocks[3].starts_with("section,time,requests,errors,p99_duration\nrequests_over_time,2026-11-23T00:00:00Z,0,0,12000\n"));
    }

    fn keys(keys: &[Vec<u8>]) -> Document {
        let columns = vec![Column::new("key", Role::Key), Column::new("count", Role::Main)];
        let rows = keys.iter().map(|key| vec![Cell::text(key), Cell::Count(1)]).collect();
        let table = Table { columns, rows, total_rows: keys.len() as u64 };
        Document { sections: vec![Section::table("top", "Top", table)], ..Document::default() }
    }

    proptest! {
        #[test]
        fn raw_text_reads_back(text: Vec<Vec<u8>>) {
            let look = Look { raw: true, ..Look::default() };
            let out = rendered(&Csv::comma(&look), &keys(&text));
            let mut reader = csv::Reader::from_reader(&out[..]);
            let read: Vec<_> = reader.byte_records().map(|record| record.unwrap()[0].to_vec()).collect();
            prop_assert_eq!(read, text);
        }

        #[test]
        fn every_tab_and_line_feed_of_tsv_is_a_border(text: Vec<Vec<u8>>, raw: bool) {
            let look = Look { raw, ..Look::default() };
            let out = rendered(&Csv::tab(&look), &keys(&text));
            let lines: Vec<_> = out.split(|byte| *byte == b'\n').collect();
            prop_assert_eq!(lines.len(), text.len() + 2);
            for line in &lines[..=text.len()] {
                prop_assert_eq!(line.iter().filter(|byte| **byte == b'\t').count(), 1);
            }
        }
    }
}

//! The layout of `uniq -c`: the count right-aligned in seven columns, a blank, the key. For scripts that replace a pipeline.
//!
//! The count is the main column of the first table that has one; the key is every key column, a blank between them. Text is
//! made visible; with `Look::raw` it leaves as the bytes it was, as it would from `uniq`.

use std::borrow::Cow;
use std::io::{self, Write};

use super::{Look, Render, csv, escape, sections};
use crate::document::{Body, Cell, Column, Document, Role, Table};

/// The renderer for scripts.
pub(super) struct Uniq {
    look: Look,
}

impl Uniq {
    pub(super) fn new(look: &Look) -> Self {
        Self { look: look.clone() }
    }

    fn key(&self, cells: &mut dyn Iterator<Item = &Cell>) -> Vec<u8> {
        let keys: Vec<_> = cells.map(part).collect();
        let key = keys.join(&b' ');
        if self.look.raw { key } else { escape::visible(&key).into_bytes() }
    }
}

/// One part of a key; what is absent is the `-` that the log itself would have.
fn part(cell: &Cell) -> Cow<'_, [u8]> {
    match cell {
        Cell::Empty => Cow::Borrowed(b"-"),
        cell => csv::exact(cell),
    }
}

impl Render for Uniq {
    fn render(&self, document: &Document, out: &mut dyn Write) -> io::Result<()> {
        let tables = sections(document, &self.look).filter_map(|section| match &section.body {
            Body::Table(table) => Some(table),
            Body::Facts(_) | Body::Series(_) => None,
        });
        let Some((table, main)) = tables.filter_map(|table| Some((table, main(table)?))).next()
        else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the answer has no table of keys and counts; 'uniq' can show nothing else",
            ));
        };
        let is_key = |column: &Column| column.role == Role::Key;
        for row in &table.rows {
            let count = row.get(main).map(csv::exact).unwrap_or_default();
            let mut keys = row
                .iter()
                .zip(&table.columns)
                .filter(|(_, column)| is_key(column))
                .map(|(cell, _)| cell);
            write!(out, "{:>7} ", String::from_utf8_lossy(&count))?;
            out.write_all(&self.key(&mut keys))?;
            writeln!(out)?;
        }
        Ok(())
    }
}

/// Where the counts of a table are, if it has any beside its keys.
fn main(table: &Table) -> Option<usize> {
    let has_key = table.columns.iter().any(|column| column.role == Role::Key);
    table.columns.iter().position(|column| column.role == Role::Main).filter(|_| has_key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Section;

    fn rendered(document: &Document, look: Look) -> Vec<u8> {
        let mut out = Vec::new();
        Uniq::new(&look).render(document, &mut out).unwrap();
        out
    }

    #[test]
    fn looks_as_uniq_does() {
        let columns = vec![
            Column::new("client", Role::Key),
            Column::new("status", Role::Key),
            Column::new("requests", Role::Main),
            Column::new("bytes", Role::Value),
        ];
        let row = |client: &str, count| {
            vec![Cell::text(client), Cell::Number(200), Cell::Count(count), Cell::Bytes(1)]
        };
        let absent = vec![Cell::Empty, Cell::Empty, Cell::Count(2), Cell::Bytes(1)];
        let rows = vec![row("10.0.0.1", 12_345_678), absent, row("a\tb", 3)];
        let table = Table { columns, rows, total_rows: 3 };
        let document =
            Document { sections: vec![Section::table("top", "Top", table)], ..Document::default() };
        assert_eq!(
            rendered(&document, Look::default()),
            b"12345678 10.0.0.1 200\n      2 - -\n      3 a\\tb 200\n"
        );
        let raw = Look { raw: true, ..Look::default() };
        assert!(rendered(&document, raw).ends_with(b"      3 a\tb 200\n"));
    }

    #[test]
    fn says_when_there_is_nothing_to_show() {
        let error =
            Uniq::new(&Look::default()).render(&Document::default(), &mut io::sink()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}

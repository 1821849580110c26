//! `logmill formats`: the formats, and the fields with their types and units.

use std::io::{self, BufWriter, Write};

use super::outcome::Outcome;
use super::output::quiet;
use crate::document::{Cell, Column, Document, Role, Section, Table};
use crate::error::Result;
use crate::format::FORMATS;
use crate::record::Field;
use crate::render::{self, Look};

/// The formats, their fields with type and unit, and how each is recognised.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show the fields of this format alone.
    #[arg(value_name = "FORMAT")]
    format: Option<String>,

    /// The layout: text, json, csv, tsv, html.
    #[arg(long, short, value_name = "LAYOUT", default_value = "text")]
    output: String,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let (title, sections) = match &args.format {
        Some(name) => {
            let format = crate::format::named(name)?;
            (format!("the fields of {name}"), vec![fields(format.fields().iter())])
        }
        None => {
            let title = "an input is of the format that accepts most of its first records";
            (title.to_owned(), vec![formats(), fields(Field::all_known())])
        }
    };
    let document = Document { mode: "formats", title, sections, notes: Vec::new() };
    let look = Look { raw: true, ..Look::default() };
    let mut out = BufWriter::new(io::stdout().lock());
    let render = render::make(&args.output, &look)?;
    quiet(render.render(&document, &mut out).and_then(|()| out.flush()))?;
    Ok(Outcome::Answered)
}

fn formats() -> Section {
    let rows = FORMATS.iter().map(|entry| {
        let family = entry.make().family().name();
        vec![Cell::text(entry.name), Cell::text(family), Cell::text(entry.about)]
    });
    table("formats", "Formats", &["format", "family", "about"], rows.collect())
}

fn fields(fields: impl Iterator<Item = Field>) -> Section {
    let rows = fields.map(|field| {
        vec![Cell::text(field.name()), Cell::text(field.kind().name()), Cell::text(field.about())]
    });
    table("fields", "Fields", &["field", "kind", "about"], rows.collect())
}

fn table(name: &str, title: &str, columns: &[&str], rows: Vec<Vec<Cell>>) -> Section {
    let role = |at| if at == 0 { Role::Key } else { Role::Value };
    let columns = columns.iter().enumerate().map(|(at, name)| Column::new(*name, role(at)));
    let total_rows = rows.len() as u64;
    Section::table(name, title, Table { columns: columns.collect(), rows, total_rows })
}

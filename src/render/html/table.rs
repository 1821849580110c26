//! Tables of a page: sortable by their heads, with a bar beside the main column.

use std::io::{self, Write};

use super::{cell, element, text};
use crate::document::{Cell, Column, Role, Table};
use crate::render::Look;
use crate::render::kind::{self, Kind, measure};
use crate::units;

pub(super) fn write(table: &Table, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let classes: Vec<_> = (0..table.columns.len()).map(|index| class(table, index)).collect();
    let bars = kind::bars(table);
    writeln!(out, "<div class=\"scroll\"><table>\n<thead><tr>")?;
    for (column, class) in table.columns.iter().zip(&classes) {
        head(column, class, !bars.is_empty(), table.rows.len() > 1, out)?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for (index, row) in table.rows.iter().enumerate() {
        let bar = bars.get(index).copied();
        write!(out, "<tr>")?;
        for ((value, column), class) in row.iter().zip(&table.columns).zip(&classes) {
            data(value, class, look, out)?;
            bar_cell(bar.filter(|_| column.role == Role::Main), out)?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody></table></div>")?;
    more(table, out)
}

/// The class of a column: how its cells are set.
fn class(table: &Table, index: usize) -> &'static str {
    let kind = Kind::common(table.rows.iter().filter_map(|row| row.get(index)));
    match table.columns[index].role {
        _ if kind.is_measure() => "n",
        Role::Key => "key",
        Role::Remark | Role::Detail => "detail",
        Role::Main | Role::Value => "",
    }
}

fn head(
    column: &Column,
    class: &str,
    has_bar: bool,
    is_sortable: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let number = if class == "n" { " class=\"n\"" } else { "" };
    write!(out, "<th scope=\"col\"{number}>")?;
    match is_sortable {
        true => element("button", "", &column.label, out)?,
        false => text(&column.label, out)?,
    }
    let bar = if has_bar && column.role == Role::Main { "<th></th>" } else { "" };
    write!(out, "</th>{bar}")
}

/// A cell; a measure has its exact value with it, to be sorted by.
pub(super) fn data(value: &Cell, class: &str, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "<td")?;
    if !class.is_empty() {
        write!(out, " class=\"{class}\"")?;
    }
    match measure(value) {
        Some(exact) => write!(out, " data-v=\"{exact}\">")?,
        None if *value == Cell::Empty => write!(out, " data-v=\"-1\">")?,
        None => write!(out, ">")?,
    }
    cell(value, look, out)?;
    write!(out, "</td>")
}

fn bar_cell(part: Option<f64>, out: &mut dyn Write) -> io::Result<()> {
    let Some(part) = part else { return Ok(()) };
    // What is not nothing shows.
    let width = if part > 0.0 { (part * 100.0).clamp(0.7, 100.0) } else { 0.0 };
    write!(
        out,
        "<td class=\"bar\"><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect width=\"{width:.1}\" height=\"10\"/></svg></td>"
    )
}

fn more(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    match table.total_rows.saturating_sub(table.rows.len() as u64) {
        0 => Ok(()),
        more => writeln!(out, "<p class=\"more\">… and {} more</p>", units::count(more)),
    }
}

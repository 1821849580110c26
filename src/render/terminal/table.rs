//! A table: its rows as columns of text, and how many rows the limit left out.

use std::io::{self, Write};

use super::grid::{Grid, Head};
use super::shown::Shown;
use super::{Look, ellipsis, remark};
use crate::document::{Cell, Table};
use crate::render::kind::{self, Kind};
use crate::units;

pub(super) fn show(table: &Table, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let heads = table.columns.iter().enumerate().map(|(index, column)| {
        let cells = || table.rows.iter().filter_map(|row| row.get(index));
        let head = Head::new(column, Kind::common(cells()).is_measure(), look);
        head.with_idleness(cells().all(Cell::is_nothing))
    });
    let rows = table.rows.iter().map(|row| row.iter().map(|cell| Shown::of(cell, look)).collect());
    Grid::new(heads.collect(), rows.collect()).with_bars(kind::bars(table)).write(look, out)?;
    let more = table.total_rows.saturating_sub(table.rows.len() as u64);
    match more {
        0 => Ok(()),
        more => remark(&format!("{} and {} more", ellipsis(look), units::count(more)), look, out),
    }
}

//! A series: one row for each measure, with its curve, its peak and when that was, and its last value.
//!
//! A curve has no more marks than there is room. Where several steps share a mark, counts and sizes are averaged, since an
//! average keeps their sum in sight and a last mark of fewer steps does not fall; of all else the largest is taken, since
//! an average of percentiles means nothing. A step in which nothing happened is a gap, never the lowest mark.

use std::io::{self, Write};

use chrono::{DateTime, FixedOffset};

use super::grid::{Grid, Head};
use super::shown::Shown;
use super::{DIM, GAP, GOOD, INDENT, Look, PLAIN, line::Line, room};
use crate::document::{Cell, Column, Role, Series};
use crate::render::figure;
use crate::render::kind::{Kind, measure};
use crate::units::Micros;

/// The marks of a curve where there is no terminal to fit.
const MARKS: usize = 60;
/// The fewest marks that still make a curve; columns are left out before it shrinks below.
const FEWEST: usize = 16;

pub(super) fn show(series: &Series, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    if series.points.is_empty() {
        let mut line = Line::new(look);
        line.skip(INDENT);
        return line.wrapped("none", DIM, out);
    }
    let heads = |curve: &str| {
        let column = |label: &str, role| Column::new(label, role);
        let right = |label| Head::new(&column(label, Role::Value), true, look);
        let left = |label, role| Head::new(&column(label, role), false, look);
        vec![
            left("", Role::Key),
            left(curve, Role::Value),
            right("peak"),
            left("at", Role::Value),
            right("last"),
        ]
    };
    let mut rows: Vec<_> =
        (0..series.columns.len()).map(|index| row(series, index, look)).collect();
    let marks = marks(&Grid::new(heads(""), rows.clone()), series.points.len(), look);
    let share = series.points.len().div_ceil(marks);
    for (index, row) in rows.iter_mut().enumerate() {
        row[1] = Shown::new(spark(&resampled(series, index, share), look), GOOD);
    }
    let axis = axis(series, share, look);
    Grid::new(heads(&axis), rows).write(look, out)
}

/// The span and the step, for the side of the heading.
pub(super) fn span(series: &Series, look: &Look) -> String {
    let end = series.at(series.points.len());
    let (first, last) = (figure::local(series.start, look.offset), figure::local(end, look.offset));
    let (Some(first), Some(last)) = (first, last) else { return String::new() };
    let clock = clock(series);
    let day = if same(first, last, "%F") { "" } else { "%F " };
    let first = first.format(&format!("%F {clock}")).to_string();
    let last = last.format(&format!("{day}{clock}")).to_string();
    format!("{first} to {last} by {}", Micros(series.step))
}

/// The room that the other columns leave for the curve.
fn marks(others: &Grid, points: usize, look: &Look) -> usize {
    let Some(room) = room(look) else { return points.min(MARKS) };
    let taken: usize = others.wishes().iter().map(|wish| wish.width + GAP).sum();
    (room + GAP).saturating_sub(taken).max(FEWEST).min(points)
}

/// Name, a place for the curve, peak, its time, last value.
fn row(series: &Series, index: usize, look: &Look) -> Vec<Shown> {
    let cell = |point: usize| series.points[point].get(index).unwrap_or(&Cell::Empty);
    let size = |point: usize| measure(cell(point)).unwrap_or(f64::NEG_INFINITY);
    let last = series.points.len() - 1;
    // The first of equal peaks: max_by keeps the last.
    let peak = (0..=last).rev().max_by(|a, b| size(*a).total_cmp(&size(*b))).unwrap_or(0);
    let label = super::clean(&series.columns[index].label, look);
    let when = match size(peak) > 0.0 {
        true => Shown::new(stamp(series.at(peak), series, look), PLAIN),
        false => Shown::of(&Cell::Empty, look),
    };
    vec![
        Shown::new(label, PLAIN),
        Shown::new(String::new(), PLAIN),
        Shown::of(cell(peak), look),
        when,
        Shown::of(cell(last), look),
    ]
}

/// One value for every `share` steps; nothing where none of them has one.
fn resampled(series: &Series, index: usize, share: usize) -> Vec<Option<f64>> {
    let kind = Kind::common(series.points.iter().filter_map(|point| point.get(index)));
    let is_sum = matches!(kind, Kind::Count | Kind::Bytes);
    let mark = |points: &[Vec<Cell>]| {
        let values = points.iter().filter_map(|point| measure(point.get(index)?));
        match is_sum {
            true => Some(values.sum::<f64>() / points.len() as f64),
            false => values.reduce(f64::max),
        }
    };
    series.points.chunks(share).map(mark).collect()
}

/// The curve: eight heights, or seven shades where the terminal has ASCII alone.
fn spark(values: &[Option<f64>], look: &Look) -> String {
    const HEIGHTS: &[char] = &['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const SHADES: &[char] = &['.', ':', '-', '=', '+', '*', '#'];
    let marks = if look.unicode { HEIGHTS } else { SHADES };
    let top = values.iter().flatten().copied().fold(0.0, f64::max);
    let mark = |value: &Option<f64>| match value {
        Some(value) if *value > 0.0 => {
            let height = (value / top * marks.len() as f64).ceil() as usize;
            marks[height.clamp(1, marks.len()) - 1]
        }
        _ => ' ',
    };
    values.iter().map(mark).collect()
}

/// The times under the curve, as its head: the first mark's on the left, the middle one's, and the last one's on the right.
fn axis(series: &Series, share: usize, look: &Look) -> String {
    let marks = series.points.len().div_ceil(share);
    let label = |mark: usize| stamp(series.at(mark * share), series, look);
    let (first, middle, last) = (label(0), label(marks / 2), label(marks - 1));
    let sides = first.len() + last.len();
    if marks < sides + 1 {
        return String::new();
    }
    let mut axis = format!("{first}{}{last}", " ".repeat(marks - sides));
    let range = marks / 2..marks / 2 + middle.len();
    if range.start > first.len() && range.end + last.len() < marks {
        axis.replace_range(range, &middle);
    }
    axis
}

/// An instant as short as the series allows: no date within one day, no year within one year.
fn stamp(micros: i64, series: &Series, look: &Look) -> String {
    let local = |micros| figure::local(micros, look.offset);
    let end = series.at(series.points.len()).saturating_sub(1);
    let (Some(time), Some(first), Some(last)) = (local(micros), local(series.start), local(end))
    else {
        return String::new();
    };
    let day = match (same(first, last, "%F"), same(first, last, "%Y")) {
        (true, _) => "",
        (false, true) => "%m-%d ",
        (false, false) => "%F ",
    };
    time.format(&format!("{day}{}", clock(series))).to_string()
}

/// The time of day; without seconds where all steps are whole minutes.
fn clock(series: &Series) -> &'static str {
    let is_minutes = series.step % 60_000_000 == 0 && series.start % 60_000_000 == 0;
    if is_minutes { "%H:%M" } else { "%H:%M:%S" }
}

fn same(a: DateTime<FixedOffset>, b: DateTime<FixedOffset>, pattern: &str) -> bool {
    a.format(pattern).to_string() == b.format(pattern).to_string()
}

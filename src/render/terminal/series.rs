//! A series: one row for each measure, with its curve, its peak and when that was, and its last value.
//!
//! A curve has no more marks than there is room. A step in which nothing happened is a gap, never the lowest mark.

use std::io::{self, Write};

use super::grid::{Grid, Head};
use super::shown::Shown;
use super::{CURVE, GAP, Look, PLAIN, room};
use crate::document::{Cell, Column, Role, Series};
use crate::render::curve;

/// The marks of a curve where there is no terminal to fit.
const MARKS: usize = 60;
/// The fewest marks that still make a curve; columns are left out before it shrinks below.
const FEWEST: usize = 16;

pub(super) fn show(series: &Series, look: &Look, out: &mut dyn Write) -> io::Result<()> {
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
        row[1] = Shown::new(spark(&curve::marks(series, index, share), look), CURVE);
    }
    let axis = axis(series, share, look);
    Grid::new(heads(&axis), rows).write(look, out)
}

/// The room that the other columns leave for the curve.
fn marks(others: &Grid, points: usize, look: &Look) -> usize {
    let Some(room) = room(look) else { return points.min(MARKS) };
    let taken: usize = others.wishes().iter().map(|wish| wish.width + GAP).sum();
    (room + GAP).saturating_sub(taken).max(FEWEST).min(points)
}

/// Name, a place for the curve, peak, its time, last value.
fn row(series: &Series, index: usize, look: &Look) -> Vec<Shown> {
    let value = |step| Shown::of(curve::value(series, step, index), look);
    let peak = curve::peak(series, index);
    let when = peak.map(|peak| Shown::new(curve::stamp(series, peak, look.zone), PLAIN));
    vec![
        Shown::new(super::clean(&series.columns[index].label, look), PLAIN),
        Shown::new(String::new(), PLAIN),
        value(peak.unwrap_or(0)),
        when.unwrap_or_else(|| Shown::of(&Cell::Empty, look)),
        value(series.points.len() - 1),
    ]
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
    let label = |mark: usize| curve::stamp(series, mark * share, look.zone);
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

//! Series of a page: a curve for each measure, and the values below for those who want them.

use std::io::{self, Write};

use super::{cell, element, table};
use crate::document::{Cell, Series};
use crate::render::{Look, curve};

/// The most marks of a curve; more are not seen on a screen.
const MARKS: usize = 600;
/// The most steps that are also written as a table: a day by minutes is not read as numbers, and would double the page.
const VALUES: usize = 400;
/// The box that curves are drawn in; the page stretches it.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 100.0;

pub(super) fn write(series: &Series, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let share = series.points.len().div_ceil(MARKS);
    for index in 0..series.columns.len() {
        writeln!(out, "<figure>")?;
        caption(series, index, look, out)?;
        let path = path(&curve::marks(series, index, share));
        writeln!(
            out,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path d=\"{path}\"/></svg>"
        )?;
        axis(series, look, out)?;
        writeln!(out, "</figure>")?;
    }
    if series.points.len() <= VALUES { values(series, look, out) } else { Ok(()) }
}

/// The name, the peak and when, the last value.
fn caption(series: &Series, index: usize, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "<figcaption>")?;
    element("b", "", &series.columns[index].label, out)?;
    if let Some(peak) = curve::peak(series, index) {
        write!(out, "<span>peak ")?;
        cell(curve::value(series, peak, index), look, out)?;
        write!(out, " at {}</span>", curve::stamp(series, peak, look.zone))?;
    }
    write!(out, "<span>last ")?;
    cell(curve::value(series, series.points.len() - 1, index), look, out)?;
    writeln!(out, "</span></figcaption>")
}

/// An area from the ground up, each mark a stair, since a step is a stretch of time and not a moment.
fn path(marks: &[Option<f64>]) -> String {
    let top = marks.iter().flatten().copied().fold(0.0, f64::max);
    let wide = WIDTH / marks.len() as f64;
    let mut path = format!("M0 {HEIGHT}");
    for (index, mark) in marks.iter().enumerate() {
        let part = if top > 0.0 { (mark.unwrap_or(0.0) / top).clamp(0.0, 1.0) } else { 0.0 };
        let height = HEIGHT * (1.0 - part * 0.97);
        path.push_str(&format!("V{height:.1}H{:.1}", wide * (index + 1) as f64));
    }
    path.push_str(&format!("V{HEIGHT}Z"));
    path
}

/// The times of the first step, the quarters and the last.
fn axis(series: &Series, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let last = series.points.len() - 1;
    let parts = last.min(4);
    write!(out, "<div class=\"axis\">")?;
    for part in 0..=parts {
        let step = last * part / parts.max(1);
        write!(out, "<span>{}</span>", curve::stamp(series, step, look.zone))?;
    }
    writeln!(out, "</div>")
}

fn values(series: &Series, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<details><summary>{} values</summary>", series.points.len())?;
    writeln!(out, "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">time</th>")?;
    for column in &series.columns {
        write!(out, "<th scope=\"col\" class=\"n\">")?;
        element("button", "", &column.label, out)?;
        write!(out, "</th>")?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for (step, point) in series.points.iter().enumerate() {
        write!(out, "<tr>")?;
        table::data(&Cell::Instant(series.at(step)), "", look, out)?;
        point.iter().try_for_each(|value| table::data(value, "n", look, out))?;
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody></table></div></details>")
}

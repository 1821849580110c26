//! A cell as a terminal shows it: clean text, its unit in a fainter hand, its width known.

use anstyle::Style;

use super::{BAD, DIM, GOOD, Look, PLAIN, WARN, clean, ellipsis, line::Line};
use crate::document::{Cell, Level};
use crate::render::escape;
use crate::render::figure::{self, Figure};

/// What stands in one cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown {
    pub(super) text: String,
    unit: &'static str,
    style: Style,
    pub(super) width: usize,
}

impl Shown {
    pub(super) fn new(text: String, style: Style) -> Self {
        let width = escape::width(&text);
        Self { text, unit: "", style, width }
    }

    pub(super) fn of(cell: &Cell, look: &Look) -> Self {
        match cell {
            Cell::Text(text) if text.is_empty() => Self::new("\"\"".into(), DIM),
            Cell::Level(level) => Self::new(level.name().into(), level_style(*level)),
            Cell::Text(_) | Cell::List(_) => Self::new(words(cell, look), PLAIN),
            measure => match figure::of(measure, look.zone) {
                Some(figure) => Self::figure(figure, look),
                None => Self::new(absent(look).into(), DIM),
            },
        }
    }

    fn figure(figure: Figure, look: &Look) -> Self {
        let unit = if look.unicode { figure.unit } else { ascii_unit(figure.unit) };
        let mut shown = Self::new(figure.number, PLAIN);
        (shown.unit, shown.width) = (unit, shown.width + gap(unit) + escape::width(unit));
        shown
    }

    /// Gives it up to `room` columns. Only text is ever cut; a number without its end would be another number.
    pub(super) fn cut(&mut self, room: usize, look: &Look) {
        if self.width > room && self.unit.is_empty() {
            self.text = escape::cut(&self.text, room, ellipsis(look));
            self.width = escape::width(&self.text);
        }
    }

    pub(super) fn put(&self, line: &mut Line) {
        line.put(&self.text, self.style);
        line.skip(gap(self.unit));
        line.put(self.unit, DIM);
    }

    /// The whole as one text, and its style.
    pub(super) fn whole(&self) -> (String, Style) {
        let blank = if self.unit.is_empty() { "" } else { " " };
        (format!("{}{blank}{}", self.text, self.unit), self.style)
    }
}

/// The blank between a number and its unit.
fn gap(unit: &str) -> usize {
    usize::from(!unit.is_empty())
}

fn ascii_unit(unit: &'static str) -> &'static str {
    if unit == "µs" { "us" } else { unit }
}

/// What stands for a value that is not there.
fn absent(look: &Look) -> &'static str {
    if look.unicode { "–" } else { "-" }
}

fn level_style(level: Level) -> Style {
    match level {
        Level::Ok => GOOD,
        Level::Warning => WARN,
        Level::Critical => BAD,
        Level::Unknown => DIM,
    }
}

/// Text as it is shown; a list as its items.
fn words(cell: &Cell, look: &Look) -> String {
    match cell {
        Cell::Text(text) => clean(text, look),
        Cell::List(cells) => {
            cells.iter().map(|cell| words(cell, look)).collect::<Vec<_>>().join(", ")
        }
        other => Shown::of(other, look).whole().0,
    }
}

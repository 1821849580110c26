//! Aligned columns: heads, rows, and a bar behind the main column where there is room.

use std::io::{self, Write};

use super::line::Line;
use super::plan::{Plan, Wish, plan};
use super::shown::Shown;
use super::{DIM, GAP, INDENT, Look, clean, ellipsis, remark, room};
use crate::document::{Column, Role};
use crate::render::escape;

/// A table ready to be laid out.
pub(super) struct Grid {
    heads: Vec<Head>,
    rows: Vec<Vec<Shown>>,
    /// For each row, how much of its bar is filled, 0 to 1; empty where no bar is wanted.
    bars: Vec<f64>,
}

/// What stands over a column, and how it is aligned.
pub(super) struct Head {
    label: String,
    role: Role,
    is_right: bool,
    /// There is nothing in the column.
    is_idle: bool,
}

impl Head {
    pub(super) fn new(column: &Column, is_right: bool, look: &Look) -> Self {
        Self { label: clean(&column.label, look), role: column.role, is_right, is_idle: false }
    }

    #[must_use]
    pub(super) fn with_idleness(self, is_idle: bool) -> Self {
        Self { is_idle, ..self }
    }
}

impl Grid {
    pub(super) fn new(heads: Vec<Head>, rows: Vec<Vec<Shown>>) -> Self {
        Self { heads, rows, bars: Vec::new() }
    }

    #[must_use]
    pub(super) fn with_bars(mut self, bars: Vec<f64>) -> Self {
        self.bars = bars;
        self
    }

    /// The width that each column would like to have.
    pub(super) fn wishes(&self) -> Vec<Wish> {
        let mut wishes: Vec<_> = self.heads.iter().map(Head::wish).collect();
        for row in &self.rows {
            for (wish, shown) in wishes.iter_mut().zip(row) {
                wish.width = wish.width.max(shown.width);
            }
        }
        wishes
    }

    /// Writes heads and rows, and names the columns that found no room.
    pub(super) fn write(mut self, look: &Look, out: &mut dyn Write) -> io::Result<()> {
        let plan = plan(&self.wishes(), !self.bars.is_empty(), room(look));
        self.write_heads(&plan, look, out)?;
        for (index, mut row) in std::mem::take(&mut self.rows).into_iter().enumerate() {
            for (shown, width) in row.iter_mut().zip(&plan.widths) {
                shown.cut(width.unwrap_or(usize::MAX), look);
            }
            let bar = self.bars.get(index).map_or(String::new(), |part| bar(*part, plan.bar, look));
            self.write_row(&row, &bar, &plan, look, out)?;
        }
        self.write_dropped(&plan, look, out)
    }

    fn write_heads(&self, plan: &Plan, look: &Look, out: &mut dyn Write) -> io::Result<()> {
        if self.heads.iter().all(|head| head.label.is_empty()) {
            return Ok(());
        }
        let head = |(head, width): (&Head, &Option<usize>)| {
            let room = width.unwrap_or(usize::MAX);
            Shown::new(escape::cut(&head.label, room, ellipsis(look)), DIM)
        };
        let heads: Vec<_> = self.heads.iter().zip(&plan.widths).map(head).collect();
        self.write_row(&heads, "", plan, look, out)
    }

    fn write_row(
        &self,
        row: &[Shown],
        bar: &str,
        plan: &Plan,
        look: &Look,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut line = Line::new(look);
        line.skip(INDENT);
        for ((shown, head), width) in row.iter().zip(&self.heads).zip(&plan.widths) {
            let Some(width) = width else { continue };
            let blank = width.saturating_sub(shown.width);
            line.skip(if head.is_right { blank } else { 0 });
            shown.put(&mut line);
            line.skip(if head.is_right { GAP } else { blank + GAP });
            if head.role == Role::Main && plan.bar > 0 {
                line.put(bar, DIM);
                line.skip(plan.bar - escape::width(bar) + GAP);
            }
        }
        line.end(out)
    }

    fn write_dropped(&self, plan: &Plan, look: &Look, out: &mut dyn Write) -> io::Result<()> {
        let dropped = self.heads.iter().zip(&plan.widths).filter(|(_, width)| width.is_none());
        let (idle, others): (Vec<_>, Vec<_>) =
            dropped.map(|(head, _)| head).partition(|head| head.is_idle);
        for (what, heads) in [("nothing in", idle), ("no room for", others)] {
            let labels: Vec<_> = heads.iter().map(|head| head.label.as_str()).collect();
            if !labels.is_empty() {
                remark(&format!("{what}: {}", labels.join(", ")), look, out)?;
            }
        }
        Ok(())
    }
}

impl Head {
    fn wish(&self) -> Wish {
        let Self { role, is_idle, .. } = *self;
        Wish { width: escape::width(&self.label), role, is_idle }
    }
}

/// A bar filled to `part` of `room` columns, in eighths where the terminal has them; what is not nothing shows.
fn bar(part: f64, room: usize, look: &Look) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let part = part.clamp(0.0, 1.0);
    let steps = if look.unicode { 8 } else { 1 };
    let filled = (part * (room * steps) as f64).round() as usize;
    let filled = filled.max(usize::from(part > 0.0 && room > 0));
    match look.unicode {
        true => format!("{}{}", "█".repeat(filled / 8), EIGHTHS[filled % 8]),
        false => "#".repeat(filled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_part() {
        let mut look = Look::default();
        for (part, drawn) in [(0.0, ""), (1e-9, "▏"), (0.5, "██"), (0.66, "██▋"), (1.0, "████")]
        {
            assert_eq!(bar(part, 4, &look), drawn);
        }
        look.unicode = false;
        assert_eq!((bar(0.001, 4, &look), bar(1.0, 4, &look)), ("#".into(), "####".into()));
        assert_eq!(bar(1.0, 0, &look), "");
    }
}

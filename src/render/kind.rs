//! What kind of value stands in a cell, or in all cells of a column: for alignment, and for the meta data of JSON.

use crate::document::{Cell, Role, Table};

/// The kind of a value, or of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No value at all.
    Empty,
    Count,
    Number,
    Real,
    Bytes,
    ByteRate,
    Rate,
    Duration,
    Share,
    Instant,
    Text,
    Level,
    List,
    /// Values of several kinds.
    Mixed,
}

impl Kind {
    pub(super) fn of(cell: &Cell) -> Self {
        match cell {
            Cell::Empty => Self::Empty,
            Cell::Count(_) => Self::Count,
            Cell::Number(_) => Self::Number,
            Cell::Real(_) => Self::Real,
            Cell::Bytes(_) => Self::Bytes,
            Cell::ByteRate(_) => Self::ByteRate,
            Cell::Rate(_) => Self::Rate,
            Cell::Duration(_) => Self::Duration,
            Cell::Share(_) => Self::Share,
            Cell::Instant(_) => Self::Instant,
            Cell::Text(_) => Self::Text,
            Cell::Level(_) => Self::Level,
            Cell::List(_) => Self::List,
        }
    }

    /// The kind that all cells share, empty ones aside.
    pub(super) fn common<'c>(cells: impl IntoIterator<Item = &'c Cell>) -> Self {
        let mut kinds = cells.into_iter().map(Self::of).filter(|kind| *kind != Self::Empty);
        let first = kinds.next().unwrap_or(Self::Empty);
        if kinds.all(|kind| kind == first) { first } else { Self::Mixed }
    }

    /// The word in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Count => "count",
            Self::Number => "number",
            Self::Real => "real",
            Self::Bytes => "bytes",
            Self::ByteRate => "byte_rate",
            Self::Rate => "rate",
            Self::Duration => "duration",
            Self::Share => "share",
            Self::Instant => "instant",
            Self::Text => "text",
            Self::Level => "level",
            Self::List => "list",
            Self::Mixed => "mixed",
        }
    }

    /// The unit of the exact value, where it is not plain from the kind.
    pub(super) fn unit(self) -> Option<&'static str> {
        match self {
            Self::Bytes => Some("bytes"),
            Self::ByteRate => Some("bytes per second"),
            Self::Rate => Some("per second"),
            Self::Duration => Some("microseconds"),
            Self::Share => Some("fraction"),
            _ => None,
        }
    }

    /// Whether the values are measures, whose digits should stand under one another.
    pub(super) fn is_measure(self) -> bool {
        !matches!(self, Self::Instant | Self::Text | Self::Level | Self::List | Self::Mixed)
    }
}

/// The size of a measure, for bars and curves; nothing for what is none.
pub(super) fn measure(cell: &Cell) -> Option<f64> {
    let value = match cell {
        Cell::Count(value) | Cell::Bytes(value) => *value as f64,
        Cell::Number(value) | Cell::Duration(value) => *value as f64,
        Cell::Real(value) | Cell::ByteRate(value) | Cell::Rate(value) | Cell::Share(value) => {
            *value
        }
        Cell::Empty | Cell::Instant(_) | Cell::Text(_) | Cell::Level(_) | Cell::List(_) => {
            return None;
        }
    };
    value.is_finite().then_some(value)
}

/// Each row's main measure against the largest, for bars; none where there is nothing to compare.
pub(super) fn bars(table: &Table) -> Vec<f64> {
    let Some(main) = table.columns.iter().position(|column| column.role == Role::Main) else {
        return Vec::new();
    };
    let value = |row: &Vec<_>| row.get(main).and_then(measure).unwrap_or(0.0);
    let values: Vec<_> = table.rows.iter().map(value).collect();
    let largest = values.iter().copied().fold(0.0, f64::max);
    if values.len() < 2 || largest <= 0.0 {
        return Vec::new();
    }
    values.into_iter().map(|value| value / largest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_cells_do_not_make_a_column_mixed() {
        let column = [Cell::Empty, Cell::Count(1), Cell::Empty, Cell::Count(2)];
        assert_eq!(Kind::common(&column), Kind::Count);
        assert_eq!(Kind::common(&column[..1]), Kind::Empty);
        assert_eq!(Kind::common([&Cell::Count(1), &Cell::Bytes(1)]), Kind::Mixed);
    }

    #[test]
    fn what_is_not_finite_is_no_measure() {
        assert_eq!(measure(&Cell::Real(f64::NAN)), None);
        assert_eq!(measure(&Cell::Duration(-3)), Some(-3.0));
    }
}

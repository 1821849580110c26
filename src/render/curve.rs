//! A series as a curve: few marks for many steps, where its peak is, and short words for its times.
//!
//! Where several steps share a mark, counts and sizes are averaged, since an average keeps their sum in sight and a last mark
//! of fewer steps does not fall; of all else the largest is taken, since an average of percentiles means nothing.

use chrono::{DateTime, FixedOffset};
use chrono_tz::Tz;

use super::figure;
use super::kind::{Kind, measure};
use crate::document::{Cell, Series};
use crate::units::Micros;

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1_440 * MINUTE;

/// One value for every `share` steps; nothing where none of them has one.
pub(super) fn marks(series: &Series, index: usize, share: usize) -> Vec<Option<f64>> {
    let kind = Kind::common(series.points.iter().filter_map(|point| point.get(index)));
    let is_sum = matches!(kind, Kind::Count | Kind::Bytes);
    let mark = |points: &[Vec<Cell>]| {
        let values = points.iter().filter_map(|point| measure(point.get(index)?));
        match is_sum {
            true => Some(values.sum::<f64>() / points.len() as f64),
            false => values.reduce(f64::max),
        }
    };
    series.points.chunks(share.max(1)).map(mark).collect()
}

/// The step with the largest value, the first of equals; nothing where no value is above zero.
pub(super) fn peak(series: &Series, index: usize) -> Option<usize> {
    let size = |step: usize| series.points[step].get(index).and_then(measure).unwrap_or(0.0);
    // Backwards, because of equals max_by keeps the last.
    let peak = (0..series.points.len()).rev().max_by(|a, b| size(*a).total_cmp(&size(*b)))?;
    (size(peak) > 0.0).then_some(peak)
}

/// The value of a measure in a step.
pub(super) fn value(series: &Series, step: usize, index: usize) -> &Cell {
    series.points.get(step).and_then(|point| point.get(index)).unwrap_or(&Cell::Empty)
}

/// From when to when, and by which step.
pub(super) fn span(series: &Series, zone: Tz) -> String {
    let end = series.at(series.points.len());
    let (Some(first), Some(last)) = (local(series, series.start, zone), local(series, end, zone))
    else {
        return String::new();
    };
    let clock = clock(series, zone);
    let day = if same(first, last, "%F") && !clock.is_empty() { "" } else { "%F" };
    let (first, last) = (printed(first, "%F", clock), printed(last, day, clock));
    format!("{first} to {last} by {}", Micros(series.step))
}

/// The start of a step, as short as the series allows: no date within one day, no year within one year, no time of day where
/// steps are days.
pub(super) fn stamp(series: &Series, step: usize, zone: Tz) -> String {
    let local = |micros| local(series, micros, zone);
    let end = series.at(series.points.len()).saturating_sub(1);
    let times = (local(series.at(step)), local(series.start), local(end));
    let (Some(time), Some(first), Some(last)) = times else { return String::new() };
    let clock = clock(series, zone);
    let day = match (same(first, last, "%F"), same(first, last, "%Y")) {
        (true, _) if !clock.is_empty() => "",
        (_, true) => "%m-%d",
        (_, false) => "%F",
    };
    printed(time, day, clock)
}

/// How the time of day is told: to the minute, to the second, or not at all, as the steps need it.
fn clock(series: &Series, zone: Tz) -> &'static str {
    let shift = figure::offset(series.start, zone).map_or(0, |offset| offset.local_minus_utc());
    let shift = i64::from(shift) * 1_000_000;
    let is_whole = |unit| series.step % unit == 0 && series.start.saturating_add(shift) % unit == 0;
    match (is_whole(DAY), is_whole(MINUTE)) {
        (true, _) => "",
        (false, true) => "%H:%M",
        (false, false) => "%H:%M:%S",
    }
}

/// The calendar's view of an instant of a series. Steps are equally long: those of days are told by the clock that the
/// first began with, or behind a change of the clocks each would seem to begin on another day.
fn local(series: &Series, micros: i64, zone: Tz) -> Option<DateTime<FixedOffset>> {
    let at = if series.step % DAY == 0 { series.start } else { micros };
    figure::shifted(micros, figure::offset(at, zone)?)
}

fn printed(time: DateTime<FixedOffset>, day: &str, clock: &str) -> String {
    time.format(format!("{day} {clock}").trim()).to_string()
}

fn same(a: DateTime<FixedOffset>, b: DateTime<FixedOffset>, pattern: &str) -> bool {
    a.format(pattern).to_string() == b.format(pattern).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Column, Role};
    use crate::render::sample::MIDNIGHT;

    const SECOND: i64 = 1_000_000;

    fn series(step: i64, points: Vec<Cell>) -> Series {
        let points = points.into_iter().map(|cell| vec![cell]).collect();
        Series { start: MIDNIGHT, step, columns: vec![Column::new("n", Role::Main)], points }
    }

    fn counts(counts: &[u64]) -> Vec<Cell> {
        counts.iter().map(|count| Cell::Count(*count)).collect()
    }

    #[test]
    fn averages_counts_and_keeps_the_largest_of_all_else() {
        let requests = series(SECOND, counts(&[1, 3, 0, 0, 8]));
        assert_eq!(marks(&requests, 0, 2), [Some(2.0), Some(0.0), Some(8.0)]);
        let slow = [Cell::Duration(5), Cell::Duration(9), Cell::Empty, Cell::Empty];
        assert_eq!(marks(&series(SECOND, slow.to_vec()), 0, 2), [Some(9.0), None]);
    }

    #[test]
    fn a_peak_is_the_first_and_above_nothing() {
        assert_eq!(peak(&series(SECOND, counts(&[0, 7, 2, 7])), 0), Some(1));
        assert_eq!(peak(&series(SECOND, counts(&[0, 0])), 0), None);
        assert_eq!(peak(&series(SECOND, vec![]), 0), None);
    }

    #[test]
    fn times_are_as_short_as_they_can_be() {
        let (utc, east) = (Tz::UTC, Tz::Europe__Berlin);
        for (seconds, steps, offset, first, spanned) in [
            (1, 9, utc, "00:00:01", "2026-11-23 00:00:00 to 00:00:09 by 1s"),
            (300, 9, utc, "00:05", "2026-11-23 00:00 to 00:45 by 5m"),
            (3_600, 30, utc, "11-23 01:00", "2026-11-23 00:00 to 2026-11-24 06:00 by 1h"),
            (86_400, 3, utc, "11-24", "2026-11-23 to 2026-11-26 by 1d"),
            (86_400, 3, east, "11-24 01:00", "2026-11-23 01:00 to 2026-11-26 01:00 by 1d"),
            (86_400, 60, utc, "2026-11-24", "2026-11-23 to 2027-01-22 by 1d"),
        ] {
            let series = series(seconds * SECOND, counts(&vec![1; steps]));
            assert_eq!(stamp(&series, 1, offset), first);
            assert_eq!(span(&series, offset), spanned);
        }
    }
}

//! Values in the words of people: rounded to three digits, with a unit that suits the size.
//!
//! Exact values are for machines; here `1,234,567` requests took `850 µs` or `2 m 05 s` each and moved `1.21 GiB`. A share
//! that is not nothing is never shown as nothing (`<0.1 %`), and one that is not all never as all (`>99.9 %`).

use std::fmt;

use chrono::{DateTime, FixedOffset, Offset, TimeZone, Timelike};
use chrono_tz::Tz;

use crate::document::Cell;
use crate::units::count;

/// A number in words, and its unit apart so that it can be set in a fainter hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Figure {
    pub(super) number: String,
    /// Empty where there is none.
    pub(super) unit: &'static str,
}

impl Figure {
    fn new(number: impl Into<String>, unit: &'static str) -> Self {
        Self { number: number.into(), unit }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.number)?;
        match self.unit {
            "" => Ok(()),
            unit => write!(f, " {unit}"),
        }
    }
}

/// The words for a measure, an instant or a level; nothing for text, lists and what is not there.
pub(super) fn of(cell: &Cell, zone: Tz) -> Option<Figure> {
    let figure = match cell {
        Cell::Count(value) => Figure::new(count(*value), ""),
        Cell::Number(value) => Figure::new(value.to_string(), ""),
        Cell::Real(value) => {
            Figure::new(below_a_hundred(*value).unwrap_or_else(|| real(*value)), "")
        }
        Cell::Bytes(value) => bytes(*value),
        Cell::ByteRate(value) => byte_rate(*value),
        Cell::Rate(value) => rate(*value),
        Cell::Duration(value) => duration(*value),
        Cell::Share(value) => share(*value),
        Cell::Instant(micros) => Figure::new(instant(*micros, zone), ""),
        Cell::Level(level) => Figure::new(level.name(), ""),
        Cell::Empty | Cell::Text(_) | Cell::List(_) => return None,
    };
    (!figure.number.is_empty()).then_some(figure)
}

/// Three significant digits at most, and no more than six places; thousands are separated.
pub(super) fn real(value: f64) -> String {
    if !value.is_finite() {
        return String::new();
    }
    let size = value.abs();
    let sign = if value < 0.0 { "-" } else { "" };
    match size {
        0.0 => "0".to_string(),
        // A float to u64 saturates, so sizes past 64 bits need the long way.
        999.5..1e15 => format!("{sign}{}", count(size.round() as u64)),
        1e15.. => format!("{value:.2e}"),
        _ => format!("{value:.*}", places(size)),
    }
}

/// The nines of 99.99: a percentage that is not all of it must not look so.
fn below_a_hundred(value: f64) -> Option<String> {
    (99.95..99.999_5).contains(&value).then(|| {
        let digits = format!("{value:.3}");
        digits.trim_end_matches('0').to_owned()
    })
}

/// How many places three significant digits need, below a thousand.
fn places(size: f64) -> usize {
    match size {
        99.95.. => 0,
        9.995.. => 1,
        0.9995.. => 2,
        0.09995.. => 3,
        0.009995.. => 4,
        0.0009995.. => 5,
        _ => 6,
    }
}

/// `value` brought below `base` by the first prefix that does it; what would round up to `base` goes on to the next.
fn scaled(value: f64, base: f64, units: &[&'static str]) -> Figure {
    let mut size = value;
    for unit in &units[..units.len() - 1] {
        if size.abs() < base - 0.5 {
            return Figure::new(real(size), unit);
        }
        size /= base;
    }
    Figure::new(real(size), units[units.len() - 1])
}

/// Bytes in powers of 1024: `512 B`, `1.21 GiB`.
pub(super) fn bytes(value: u64) -> Figure {
    scaled(value as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
}

/// Bytes per second: `1.21 MiB/s`.
pub(super) fn byte_rate(value: f64) -> Figure {
    scaled(value, 1024.0, &["B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s", "PiB/s"])
}

/// Events per second: `0.020 /s`, `1.20 k/s`.
pub(super) fn rate(value: f64) -> Figure {
    scaled(value, 1000.0, &["/s", "k/s", "M/s", "G/s"])
}

/// A share of a whole: `12.3 %`.
pub(super) fn share(value: f64) -> Figure {
    let percent = value * 100.0;
    let number = match percent {
        0.0 => "0".to_string(),
        100.0 => "100".to_string(),
        _ if percent > 0.0 && percent < 0.05 => "<0.1".to_string(),
        _ if (99.95..100.0).contains(&percent) => ">99.9".to_string(),
        _ if percent.is_finite() => format!("{percent:.1}"),
        _ => String::new(),
    };
    Figure::new(number, "%")
}

/// Microseconds as `850 µs`, `12.3 ms`, `1.20 s`, `2 m 05 s`, `1 h 02 m`, `2 d 03 h`.
pub(super) fn duration(micros: i64) -> Figure {
    let size = micros.unsigned_abs();
    let sign = if micros < 0 { "-" } else { "" };
    match size {
        0 => Figure::new("0", "s"),
        1..1_000 => Figure::new(format!("{sign}{size}"), "µs"),
        1_000..999_500 => Figure::new(format!("{sign}{}", real(size as f64 / 1e3)), "ms"),
        999_500..59_950_000 => Figure::new(format!("{sign}{}", real(size as f64 / 1e6)), "s"),
        _ => Figure::new(format!("{sign}{}", long(size)), ""),
    }
}

/// A minute and more, in the two largest units.
fn long(micros: u64) -> String {
    let round = |unit: u64| micros / unit + u64::from(micros % unit * 2 >= unit);
    let (seconds, minutes, hours) = (round(1_000_000), round(60_000_000), round(3_600_000_000));
    match (seconds, minutes) {
        (..3_600, _) => format!("{} m {:02} s", seconds / 60, seconds % 60),
        (_, ..1_440) => format!("{} h {:02} m", minutes / 60, minutes % 60),
        _ => format!("{} d {:02} h", hours / 24, hours % 24),
    }
}

/// An instant to the second, as a clock in that zone shows it: `2026-11-23 09:20:01`. Nothing for years that no calendar
/// has.
pub(super) fn instant(micros: i64, zone: Tz) -> String {
    local(micros, zone).map(|time| time.format("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
}

/// An instant for machines: RFC 3339 in UTC, with microseconds where there are any.
pub(super) fn rfc3339(micros: i64) -> Option<String> {
    let time = DateTime::from_timestamp_micros(micros)?;
    let pattern = if time.nanosecond() == 0 { "%FT%TZ" } else { "%FT%T%.6fZ" };
    Some(time.format(pattern).to_string())
}

/// The calendar's view of an instant, as the clocks of the zone show it then.
pub(super) fn local(micros: i64, zone: Tz) -> Option<DateTime<FixedOffset>> {
    shifted(micros, offset(micros, zone)?)
}

/// The calendar's view of an instant, as clocks so far from Greenwich show it.
pub(super) fn shifted(micros: i64, offset: FixedOffset) -> Option<DateTime<FixedOffset>> {
    let utc = DateTime::from_timestamp_micros(micros)?;
    // The shift itself can leave the calendar at its ends, where chrono would panic when printing.
    utc.naive_utc().checked_add_offset(offset)?;
    Some(utc.with_timezone(&offset))
}

/// How far the clocks of a zone stand from Greenwich at an instant.
pub(super) fn offset(micros: i64, zone: Tz) -> Option<FixedOffset> {
    let utc = DateTime::from_timestamp_micros(micros)?.naive_utc();
    Some(zone.offset_from_utc_datetime(&utc).fix())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separates_thousands() {
        for (value, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(value), text);
        }
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn percentages_just_below_a_hundred_keep_their_nines() {
        let shown = |value| of(&Cell::Real(value), Tz::UTC).unwrap().number;
        assert_eq!([99.9, 99.99, 99.999, 100.0].map(shown), ["99.9", "99.99", "99.999", "100"]);
    }

    #[test]
    fn rounds_reals_to_three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1.234_56, "1.23"),
            (-12.345, "-12.3"),
            (9.996, "10.0"),
            (999.6, "1,000"),
            (12_345.6, "12,346"),
            (0.012_34, "0.0123"),
            (1e30, "1.00e30"),
            (f64::NAN, ""),
        ] {
            assert_eq!(real(value), text);
        }
    }

    #[test]
    fn chooses_the_unit_of_a_size() {
        for (value, text) in [
            (0, "0 B"),
            (1023, "1,023 B"),
            (1536, "1.50 KiB"),
            (1_048_575, "1.00 MiB"),
            (1_300_000_000, "1.21 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(value).to_string(), text);
        }
        assert_eq!(byte_rate(1_300_000.0).to_string(), "1.24 MiB/s");
    }

    #[test]
    fn chooses_the_unit_of_a_duration() {
        for (micros, text) in [
            (0, "0 s"),
            (850, "850 µs"),
            (12_345, "12.3 ms"),
            (999_499, "999 ms"),
            (999_500, "1.00 s"),
            (-1_200_000, "-1.20 s"),
            (59_949_999, "59.9 s"),
            (59_950_000, "1 m 00 s"),
            (125_000_000, "2 m 05 s"),
            (3_599_500_000, "1 h 00 m"),
            (183_600_000_000, "2 d 03 h"),
        ] {
            assert_eq!(duration(micros).to_string(), text);
        }
        assert!(!duration(i64::MIN).to_string().is_empty());
    }

    #[test]
    fn never_rounds_a_share_to_nothing_or_all() {
        for (value, text) in [
            (0.0, "0 %"),
            (0.000_4, "<0.1 %"),
            (0.123, "12.3 %"),
            (0.999_6, ">99.9 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(share(value).to_string(), text);
        }
    }

    #[test]
    fn chooses_the_unit_of_a_rate() {
        for (value, text) in
            [(0.0, "0 /s"), (0.02, "0.0200 /s"), (12.3, "12.3 /s"), (1_200.0, "1.20 k/s")]
        {
            assert_eq!(rate(value).to_string(), text);
        }
    }

    #[test]
    fn prints_instants_in_a_zone_and_for_machines() {
        let east = Tz::Europe__Helsinki;
        let micros = 1_795_425_601_000_000;
        assert_eq!(instant(micros, Tz::UTC), "2026-11-23 09:20:01");
        assert_eq!(instant(micros, east), "2026-11-23 11:20:01");
        assert_eq!(rfc3339(micros).unwrap(), "2026-11-23T09:20:01Z");
        assert_eq!(rfc3339(micros + 250).unwrap(), "2026-11-23T09:20:01.000250Z");
        // In summer the same zone is an hour further.
        let half_a_year = 183 * 86_400_000_000;
        assert_eq!(instant(micros + half_a_year, east), "2027-05-25 12:20:01");
        assert_eq!(instant(i64::MAX, east), "");
    }
}

//! Threshold ranges in the notation of the monitoring plugins.
//!
//! `10` is 0 to 10, `10:` ten and more, `~:10` ten and less, `10:20` between, `@10:20` *alarm inside* instead of
//! outside. Bounds belong to the range. A number may carry a unit: `200ms`, `1.5s`, `2m`, `1h`, `21d` in seconds,
//! `4KiB`, `10MiB` in bytes, `80%` as written.

use std::fmt;

use crate::error::{Error, Result};

/// A range of good values, or of bad ones after `@`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The lowest value inside; negative infinity for `~`.
    start: f64,
    /// The highest value inside.
    end: f64,
    /// Alarm inside the range rather than outside.
    inside: bool,
}

impl Range {
    /// Reads a range as the plugins write it.
    pub fn parse(text: &str) -> Result<Self> {
        Self::read(text).ok_or_else(|| {
            Error::usage(format!("'{text}' is not a threshold range")).advise(
                "write 10 (0 to 10), 10: (10 or more), ~:10, 10:20, or @10:20 for alarm inside",
            )
        })
    }

    fn read(text: &str) -> Option<Self> {
        let (inside, bounds) = match text.strip_prefix('@') {
            Some(bounds) => (true, bounds),
            None => (false, text),
        };
        let (start, end) = match bounds.split_once(':') {
            None => (0.0, number(bounds)?),
            Some(("~", end)) => (f64::NEG_INFINITY, bound(end)?),
            Some(("", end)) => (0.0, bound(end)?),
            Some((start, end)) => (number(start)?, bound(end)?),
        };
        (start <= end).then_some(Self { start, end, inside })
    }

    /// True when the value calls for the alarm.
    pub fn alarms(self, value: f64) -> bool {
        let within = self.start <= value && value <= self.end;
        within == self.inside
    }
}

/// The upper bound: nothing means without limit.
fn bound(text: &str) -> Option<f64> {
    if text.is_empty() { Some(f64::INFINITY) } else { number(text) }
}

/// What one of each unit is worth in the base unit of its kind.
const UNITS: [(&str, f64); 10] = [
    ("us", 1e-6),
    ("ms", 1e-3),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
    ("d", 86_400.0),
    ("B", 1.0),
    ("%", 1.0),
];

/// A finite number with or without a unit.
fn number(text: &str) -> Option<f64> {
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let (digits, worth) =
        unit.map_or((text, 1.0), |(unit, worth)| (&text[..text.len() - unit.len()], *worth));
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
    let value: f64 = digits.parse().ok().filter(|_| plain)?;
    value.is_finite().then_some(value * worth)
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.inside {
            f.write_str("@")?;
        }
        match self.start {
            f64::NEG_INFINITY => f.write_str("~:")?,
            0.0 if self.end.is_finite() => {}
            start => write!(f, "{start}:")?,
        }
        if self.end.is_finite() { write!(f, "{}", self.end) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn alarms(text: &str, values: &[f64]) -> Vec<bool> {
        let range = Range::parse(text).unwrap();
        values.iter().map(|value| range.alarms(*value)).collect()
    }

    #[test]
    fn means_what_the_plugins_mean() {
        assert_eq!(alarms("10", &[-1.0, 0.0, 10.0, 10.1]), [true, false, false, true]);
        assert_eq!(alarms("10:", &[9.9, 10.0, 1e9]), [true, false, false]);
        assert_eq!(alarms("~:10", &[-1e9, 10.0, 10.1]), [false, false, true]);
        assert_eq!(alarms("10:20", &[9.0, 10.0, 20.0, 21.0]), [true, false, false, true]);
        assert_eq!(alarms("@10:20", &[9.0, 10.0, 20.0, 21.0]), [false, true, true, false]);
    }

    #[test]
    fn units_reach_the_base_unit() {
        assert_eq!(Range::parse("200ms").unwrap(), Range::parse("0.2").unwrap());
        assert_eq!(Range::parse("1KiB:2MiB").unwrap(), Range::parse("1024:2097152").unwrap());
        assert_eq!(Range::parse("21d:").unwrap(), Range::parse("1814400:").unwrap());
    }

    #[test]
    fn refuses_what_is_no_range() {
        for text in ["", "@", "20:10", "a", "1:2:3", "~", "nan", "inf", "1e3", ":"] {
            let taken = Range::parse(text).is_ok();
            assert_eq!(taken, text == ":", "{text}");
        }
    }

    proptest! {
        #[test]
        fn prints_itself_back(start in -1000i32..1000, width in 0i32..1000, inside: bool, open: bool) {
            let at = if inside { "@" } else { "" };
            let end = if open { String::new() } else { (start + width).to_string() };
            let range = Range::parse(&format!("{at}{start}:{end}")).unwrap();
            prop_assert_eq!(Range::parse(&range.to_string()).unwrap(), range);
        }

        #[test]
        fn never_panics(text in ".{0,20}") {
            let _ = Range::parse(&text);
        }
    }
}

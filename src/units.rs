//! Sizes, durations, shares and counts as a person types them, and back to the same words.
//!
//! Flags and filters read their values here, so that `--last 1h30m`, `bytes>10MiB` and `--max-rejected 0.1%` follow one
//! grammar. What is printed parses back to the same value: [`Bytes`] and [`Micros`] are exact, never rounded. Rounded
//! figures for reading are the renderers' (`render::figure`).
//!
//! ```
//! use logmill::units::{Bytes, Micros, parse_bytes, parse_duration, parse_share};
//!
//! assert_eq!(parse_bytes("10MiB")?, 10 * 1024 * 1024);
//! assert_eq!(parse_duration("1h30m")?, 5_400_000_000);
//! assert_eq!(parse_share("0.1%")?, 0.001);
//! assert_eq!(Bytes(1536).to_string(), "1536B");
//! assert_eq!(Micros(1_500_000).to_string(), "1s500ms");
//! # Ok::<(), logmill::Error>(())
//! ```

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// A word for a unit and how many of the smallest it holds.
type Unit = (&'static str, u64);

/// `k`, `M` and `G` alone are powers of 1024, as in the configuration of the servers whose logs are read; with a `B` and
/// no `i` they are powers of 1000. Compared without regard to case.
const SIZES: &[Unit] = &[
    ("tib", 1 << 40),
    ("gib", 1 << 30),
    ("mib", 1 << 20),
    ("kib", 1 << 10),
    ("tb", 1_000_000_000_000),
    ("gb", 1_000_000_000),
    ("mb", 1_000_000),
    ("kb", 1_000),
    ("t", 1 << 40),
    ("g", 1 << 30),
    ("m", 1 << 20),
    ("k", 1 << 10),
    ("bytes", 1),
    ("b", 1),
    ("", 1),
];

/// The words of the long forms are accepted because people type them; the micro sign exists twice in Unicode.
const DURATIONS: &[Unit] = &[
    ("w", 604_800_000_000),
    ("week", 604_800_000_000),
    ("weeks", 604_800_000_000),
    ("d", 86_400_000_000),
    ("day", 86_400_000_000),
    ("days", 86_400_000_000),
    ("h", 3_600_000_000),
    ("hour", 3_600_000_000),
    ("hours", 3_600_000_000),
    ("min", 60_000_000),
    ("minute", 60_000_000),
    ("minutes", 60_000_000),
    ("m", 60_000_000),
    ("sec", 1_000_000),
    ("second", 1_000_000),
    ("seconds", 1_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
    ("\u{b5}s", 1),
    ("\u{3bc}s", 1),
];

const COUNTS: &[Unit] = &[("g", 1_000_000_000), ("m", 1_000_000), ("k", 1_000), ("", 1)];

const SIZE_ADVICE: &str = "a size is a number and a unit: '4096', '512k', '10MiB' (powers of 1024), '10MB' (powers of 1000)";
const DURATION_ADVICE: &str =
    "a duration is a number and a unit, or several: '850us', '200ms', '1.5s', '1h30m', '2d'";
const SHARE_ADVICE: &str = "a share is a percentage or a part of one: '0.1%', '0.001'";
const COUNT_ADVICE: &str = "a count is a whole number: '500', '10k', '2.5M'";

/// A size in bytes that prints as it can be typed: in the largest unit that divides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

/// A duration in microseconds that prints as it can be typed: `1h30m`, `1s500ms`, `-20us`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

/// Reads a size: `4096`, `512k`, `1.5GiB`, `10MB`. A fraction of a byte is rounded.
///
/// # Errors
///
/// A usage error with advice when the text is no size or larger than 64 bits hold.
pub fn parse_bytes(text: &str) -> Result<u64> {
    single(text, SIZES).ok_or_else(|| wrong("size", text, SIZE_ADVICE))
}

/// Reads a duration into microseconds: `850us`, `1.5s`, `2d`, `1h30m`, `1 h 30 m`; a leading `-` makes it negative, and
/// `0` needs no unit. A fraction of a microsecond is rounded.
///
/// # Errors
///
/// A usage error with advice when the text is no duration, a unit is missing, or it is longer than 64 bits hold.
pub fn parse_duration(text: &str) -> Result<i64> {
    signed_duration(text.trim()).ok_or_else(|| wrong("duration", text, DURATION_ADVICE))
}

/// Reads a share of a whole, 0 to 1: `0.1%` or `0.001`.
///
/// # Errors
///
/// A usage error with advice when the text is no share or outside 0 to 1.
pub fn parse_share(text: &str) -> Result<f64> {
    let trimmed = text.trim();
    let (number, whole) = match trimmed.strip_suffix('%') {
        Some(number) => (number.trim_end(), 100.0),
        None => (trimmed, 1.0),
    };
    let share = plain_real(number).map(|value| value / whole);
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| wrong("share", text, SHARE_ADVICE))
}

/// Reads a count: `500`, `10k`, `2.5M`, in powers of 1000.
///
/// # Errors
///
/// A usage error with advice when the text is no count or larger than 64 bits hold.
pub fn parse_count(text: &str) -> Result<u64> {
    single(text, COUNTS).ok_or_else(|| wrong("count", text, COUNT_ADVICE))
}

#[cold]
fn wrong(what: &str, text: &str, advice: &str) -> Error {
    Error::usage(format!("'{}' is not a {what}", text.escape_debug())).advise(advice)
}

/// One number and one unit with nothing after it.
fn single(text: &str, units: &[Unit]) -> Option<u64> {
    let (value, rest) = part(text.trim(), units)?;
    if rest.is_empty() { u64::try_from(value).ok() } else { None }
}

fn signed_duration(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    i64::try_from(sign * parts(text)?).ok()
}

/// The sum of several numbers with units; `0` alone is the same in every unit.
fn parts(text: &str) -> Option<i128> {
    if text == "0" {
        return Some(0);
    }
    let (mut sum, mut rest) = part(text, DURATIONS)?;
    while !rest.is_empty() {
        let (value, after) = part(rest, DURATIONS)?;
        (sum, rest) = (sum.checked_add(value)?, after);
    }
    Some(sum)
}

/// The first number and unit of `text`, multiplied, and what follows them. Exact: the fraction is never a float.
fn part<'t>(text: &'t str, units: &[Unit]) -> Option<(i128, &'t str)> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    let (word, after) = word_of(rest.strip_prefix(' ').unwrap_or(rest));
    let word = word.to_lowercase();
    let unit = units.iter().find(|(name, _)| *name == word)?.1;
    Some((scaled(whole, fraction, unit)?, after.trim_start()))
}

/// The word at the start of `text`, up to a digit or a blank.
fn word_of(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| c.is_ascii_digit() || c == ' ').unwrap_or(text.len()))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// `whole.fraction` times `unit`, rounded half up. Twelve digits of a fraction are more than any unit can use.
fn scaled(whole: &str, fraction: &str, unit: u64) -> Option<i128> {
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let fraction = &fraction[..fraction.len().min(12)];
    let tenths = 10_i128.pow(fraction.len() as u32);
    let (unit, whole) = (i128::from(unit), number(whole)?);
    let remainder = (number(fraction)? * unit * 2 + tenths) / (tenths * 2);
    whole.checked_mul(unit)?.checked_add(remainder)
}

/// Digits as a number; none are zero.
fn number(digits: &str) -> Option<i128> {
    if digits.is_empty() { Some(0) } else { digits.parse::<u64>().ok().map(i128::from) }
}

/// A real number of digits and at most one point: no sign, no exponent, no `inf`.
fn plain_real(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain { text.parse().ok() } else { None }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: [(&str, u64); 7] = [
            ("TiB", 1 << 40),
            ("GiB", 1 << 30),
            ("MiB", 1 << 20),
            ("KiB", 1 << 10),
            ("GB", 1_000_000_000),
            ("MB", 1_000_000),
            ("kB", 1_000),
        ];
        let divides = |unit: u64| self.0 != 0 && self.0.is_multiple_of(unit);
        let (word, unit) = SHOWN.into_iter().find(|(_, unit)| divides(*unit)).unwrap_or(("B", 1));
        write!(f, "{}{word}", self.0 / unit)
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: [&str; 6] = ["d", "h", "m", "s", "ms", "us"];
        if self.0 == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let mut left = self.0.unsigned_abs();
        for (word, unit) in DURATIONS.iter().filter(|(word, _)| SHOWN.contains(word)) {
            if left >= *unit {
                write!(f, "{}{word}", left / unit)?;
            }
            left %= unit;
        }
        Ok(())
    }
}

impl FromStr for Bytes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse_bytes(text).map(Self)
    }
}

impl FromStr for Micros {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse_duration(text).map(Self)
    }
}

/// A count for people, its digits in groups of three: `1,234,567`.
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("4096B", 4096),
            ("512k", 512 << 10),
            ("512 KiB", 512 << 10),
            ("10MiB", 10 << 20),
            ("10MB", 10_000_000),
            ("1.5g", 3 << 29),
            (".5k", 512),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_bytes(text).ok(), Some(bytes), "{text}");
        }
    }

    #[test]
    fn reads_durations() {
        for (text, micros) in [
            ("0", 0),
            ("850us", 850),
            ("850µs", 850),
            ("850μs", 850),
            ("200ms", 200_000),
            ("1.5s", 1_500_000),
            ("0.0000005s", 1),
            ("1h30m", 5_400_000_000),
            ("1 h 30 m", 5_400_000_000),
            ("2d", 172_800_000_000),
            ("1w", 604_800_000_000),
            ("-20ms", -20_000),
        ] {
            assert_eq!(parse_duration(text).ok(), Some(micros), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_none_and_says_what_is() {
        for text in ["", "-", "90", "1.2.3s", "h", "1h30", "1parsec", "1e9s", "99999999999999d"] {
            let error = parse_duration(text).unwrap_err();
            assert!(error.is_usage() && error.advice().is_some(), "{text}");
        }
        for text in ["", "ten", "-1", "10 MiB 3", "10XB", "1.5.5k", "18446744073709551616"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
        let error = parse_bytes("ten\u{1b}[31m").unwrap_err();
        assert_eq!(error.to_string(), "'ten\\u{1b}[31m' is not a size");
    }

    #[test]
    fn reads_shares_and_counts() {
        assert_eq!(parse_share("0.1%").unwrap(), 0.001);
        assert_eq!(parse_share("5 %").unwrap(), 0.05);
        assert_eq!(parse_share("1").unwrap(), 1.0);
        for text in ["", "%", "101%", "1.5", "-1%", "nan", "1e-3"] {
            assert!(parse_share(text).is_err(), "{text}");
        }
        assert_eq!(parse_count("2.5M").unwrap(), 2_500_000);
        assert!(parse_count("2.5MiB").is_err());
    }

    #[test]
    fn prints_the_shortest_exact_words() {
        for (bytes, text) in [(0, "0B"), (10 << 20, "10MiB"), (10_000_000, "10MB"), (1537, "1537B")]
        {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
        for (micros, text) in [(0, "0s"), (5_400_000_000, "1h30m"), (-1_000_020, "-1s20us")] {
            assert_eq!(Micros(micros).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(bytes: u64, micros: i64, scale in 0_u32..40) {
            let (bytes, micros) = (bytes >> scale, micros >> scale);
            prop_assert_eq!(Bytes(bytes).to_string().parse::<Bytes>().unwrap(), Bytes(bytes));
            prop_assert_eq!(Micros(micros).to_string().parse::<Micros>().unwrap(), Micros(micros));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = (parse_bytes(&text), parse_duration(&text), parse_share(&text));
        }
    }
}

//! Moments as a person types them: `2026-11-23`, `09:15`, `2h ago`.
//!
//! A moment is as long as it was told: a date is the whole day, `09:15` the whole minute, `09:15:02` the whole second,
//! and only what carries a fraction is one microsecond. `time=2026-11-23` is then every record of that day, and
//! `--since` and `--until` take its beginning. Where no zone is typed the run's zone holds. The clock is never read
//! here: who calls says what is now.

use chrono_tz::Tz;

use crate::error::{Error, Result};
use crate::record::number::{integer, two_padded};
use crate::record::time::{self, Clf, Clock, DAY, Iso, SECOND};
use crate::units::parse_duration;

const MINUTE: i64 = 60 * SECOND;

/// The years 0000 to 9999: what four digits can tell.
const EARLIEST: i64 = -719_528 * DAY;
const LATEST: i64 = 2_932_897 * DAY - 1;

const ADVICE: &str = "a moment is '2026-11-23', '2026-11-23 09:15', '2026-11-23T09:15:02Z', '09:15' (today), \
                      'today', 'yesterday', '2h ago', '-2h', '@1795424400' or a stamp as in the log";

/// What typed moments are read against.
#[derive(Debug, Clone, Copy)]
pub struct Calendar {
    /// The zone of moments without one.
    pub zone: Tz,
    /// Now, in microseconds since 1970 UTC.
    pub now: i64,
}

/// A stretch of time: its first and its last microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The first instant that belongs to it.
    pub first: i64,
    /// The last instant that belongs to it.
    pub last: i64,
}

impl Moment {
    fn exact(instant: i64) -> Self {
        Self { first: instant, last: instant }
    }
}

impl Calendar {
    /// Reads a moment.
    ///
    /// # Errors
    /// A usage error with advice when the text names no possible moment.
    pub fn moment(&self, text: &str) -> Result<Moment> {
        let trimmed = text.trim();
        self.relative(trimmed)
            .or_else(|| epoch(trimmed))
            .or_else(|| logged(trimmed))
            .or_else(|| self.logged_without_zone(trimmed))
            .or_else(|| self.dated(trimmed))
            .or_else(|| self.of_today(trimmed))
            .filter(|moment| moment.first >= EARLIEST && moment.last <= LATEST)
            .ok_or_else(|| wrong(text))
    }

    /// The beginning of the stretch that `--last` names: so long before now. Not before the last record: on a live log
    /// both are the same, and on an old one "the last hour" of a person is still the hour before now, which is then
    /// empty and is said to be.
    ///
    /// # Errors
    /// A usage error with advice when the text is no duration above zero.
    pub fn last(&self, text: &str) -> Result<i64> {
        let back = parse_duration(text)?;
        if back <= 0 {
            let what = format!("'{}' is no time back from now", text.escape_debug());
            return Err(Error::usage(what).advise("a duration above zero, such as '1h'"));
        }
        Ok(self.now.saturating_sub(back))
    }

    /// `now`, `today`, `yesterday`, `-2h`, `2h ago`.
    fn relative(&self, text: &str) -> Option<Moment> {
        let lower = text.to_lowercase();
        let back = match lower.as_str() {
            "now" => return Some(Moment::exact(self.now)),
            "today" => return Some(self.day(self.today())),
            "yesterday" => return Some(self.day(self.today() - DAY)),
            // Two signs would lead into the future.
            other => other.strip_suffix("ago").or_else(|| other.strip_prefix('-'))?.trim(),
        };
        let micros = parse_duration(back).ok().filter(|micros| *micros >= 0)?;
        Some(Moment::exact(self.now.checked_sub(micros)?))
    }

    /// A date, or a date and a time, with or without a zone.
    fn dated(&self, text: &str) -> Option<Moment> {
        let bytes = text.as_bytes();
        if bytes.len() == 10 {
            return Some(self.day(time::iso(format!("{text} 00:00:00").as_bytes())?.wall));
        }
        // The shortest of all: hours and minutes. Seconds are put in for the parser of the logs' stamps.
        let minute_ends = bytes.get(16).is_none_or(|byte| !matches!(byte, b':' | b'.' | b','));
        if minute_ends && text.is_char_boundary(16) && bytes.len() >= 16 {
            let (minute, zone) = text.split_at(16);
            let stamp = time::iso(format!("{minute}:00{zone}").as_bytes())?;
            return Some(self.stretch(stamp, MINUTE));
        }
        let stamp = time::iso(bytes)?;
        let has_fraction = matches!(bytes.get(19), Some(b'.' | b','));
        Some(self.stretch(stamp, if has_fraction { 1 } else { SECOND }))
    }

    /// `07/Mar/2024`, `07/Mar/2024:09:15` and `07/Mar/2024:09:15:02`: a stamp of an access log that was not copied whole.
    fn logged_without_zone(&self, text: &str) -> Option<Moment> {
        const WHOLE: &str = "00/Jan/2000:00:00:00 +0000";
        let length = match text.len() {
            11 => DAY,
            17 => MINUTE,
            20 => SECOND,
            _ => return None,
        };
        let whole = [text.as_bytes(), &WHOLE.as_bytes()[text.len()..]].concat();
        let wall = Clf::default().parse(whole.as_slice().try_into().ok()?)?;
        Some(self.stretch(Iso { wall, zone: None }, length))
    }

    /// `9:15`, `09:15` or `09:15:02` of today.
    fn of_today(&self, text: &str) -> Option<Moment> {
        let mut parts = text.split(':');
        let hour = format!("{:>2}", parts.next()?);
        let minute = parts.next().filter(|minute| minute.len() == 2)?;
        let (second, length) = match parts.next() {
            Some(second) => (second, SECOND),
            None => ("00", MINUTE),
        };
        let hour = two_padded(hour.as_bytes()).filter(|hour| *hour < 24)?;
        let stamp = time::iso(format!("1970-01-01 {hour:02}:{minute}:{second}").as_bytes())?;
        let is_whole = parts.next().is_none() && stamp.zone.is_none() && second.len() == 2;
        let wall = self.today() + stamp.wall;
        is_whole.then(|| self.stretch(Iso { wall, zone: None }, length))
    }

    /// The wall clock at which today began.
    fn today(&self) -> i64 {
        use chrono::{Offset, TimeZone};
        let now = chrono::DateTime::from_timestamp_micros(self.now).unwrap_or_default();
        let offset = self.zone.offset_from_utc_datetime(&now.naive_utc()).fix();
        (self.now + i64::from(offset.local_minus_utc()) * SECOND).div_euclid(DAY) * DAY
    }

    fn day(&self, wall: i64) -> Moment {
        self.stretch(Iso { wall, zone: None }, DAY)
    }

    /// `length` of the wall clock from a stamp on; a day with a change of clocks has 23 or 25 hours.
    fn stretch(&self, stamp: Iso, length: i64) -> Moment {
        let mut clock = Clock::new(self.zone, self.now);
        let first = clock.iso(stamp);
        let after = clock.iso(Iso { wall: stamp.wall + length, ..stamp });
        // A minute that the clocks skipped would otherwise end before it begins.
        Moment { first, last: (after - 1).max(first) }
    }
}

/// `@1795424400`, with a fraction if need be, or nine digits and more without the sign: seconds since 1970.
fn epoch(text: &str) -> Option<Moment> {
    let digits = text.strip_prefix('@').or_else(|| (text.len() >= 9).then_some(text))?;
    match digits.split_once('.') {
        Some(_) => time_in_micros(digits).map(Moment::exact),
        None => {
            let first = integer(digits.as_bytes())?.checked_mul(SECOND)?;
            Some(Moment { first, last: first.checked_add(SECOND - 1)? })
        }
    }
}

fn time_in_micros(text: &str) -> Option<i64> {
    crate::record::number::scaled(text.as_bytes(), 6)
}

/// The stamp of an access log, with or without its brackets, as it is copied from one.
fn logged(text: &str) -> Option<Moment> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let first = Clf::default().parse(bare.as_bytes().try_into().ok()?)?;
    Some(Moment { first, last: first + SECOND - 1 })
}

#[cold]
fn wrong(text: &str) -> Error {
    let error = Error::usage(format!("'{}' is not a moment", text.escape_debug()));
    match parse_duration(text) {
        Ok(_) => error.advise(format!("did you mean '{text} ago', or --last {text}?")),
        Err(_) => error.advise(ADVICE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn utc(text: &str) -> i64 {
        chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    fn berlin() -> Calendar {
        Calendar { zone: chrono_tz::Europe::Berlin, now: utc("2026-11-23T23:30:00Z") }
    }

    fn check(text: &str, first: &str, last: &str) {
        let moment = berlin().moment(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(moment, Moment { first: utc(first), last: utc(last) }, "{text}");
    }

    #[test]
    fn a_moment_is_as_long_as_it_was_told() {
        check("2026-11-23", "2026-11-22T23:00:00Z", "2026-11-23T22:59:59.999999Z");
        check("2026-11-23 09:15", "2026-11-23T08:15:00Z", "2026-11-23T08:15:59.999999Z");
        check("2026-11-23T09:15Z", "2026-11-23T09:15:00Z", "2026-11-23T09:15:59.999999Z");
        check("2026-11-23T09:15:02+01:00", "2026-11-23T08:15:02Z", "2026-11-23T08:15:02.999999Z");
        check("2026-11-23T09:15:02.5Z", "2026-11-23T09:15:02.5Z", "2026-11-23T09:15:02.5Z");
        check("23/Nov/2026:09:15:02 +0000", "2026-11-23T09:15:02Z", "2026-11-23T09:15:02.999999Z");
        check(" @1795424400 ", "2026-11-23T09:00:00Z", "2026-11-23T09:00:00.999999Z");
        check("1795424400.25", "2026-11-23T09:00:00.25Z", "2026-11-23T09:00:00.25Z");
    }

    #[test]
    fn near_now() {
        check("now", "2026-11-23T23:30:00Z", "2026-11-23T23:30:00Z");
        check("-2h", "2026-11-23T21:30:00Z", "2026-11-23T21:30:00Z");
        check("1h30m ago", "2026-11-23T22:00:00Z", "2026-11-23T22:00:00Z");
        // In Berlin the 24th has begun.
        check("today", "2026-11-23T23:00:00Z", "2026-11-24T22:59:59.999999Z");
        check("Yesterday", "2026-11-22T23:00:00Z", "2026-11-23T22:59:59.999999Z");
        check("9:15", "2026-11-24T08:15:00Z", "2026-11-24T08:15:59.999999Z");
        check("09:15:02", "2026-11-24T08:15:02Z", "2026-11-24T08:15:02.999999Z");
        assert_eq!(berlin().last("1h").unwrap(), utc("2026-11-23T22:30:00Z"));
    }

    #[test]
    fn a_day_with_a_change_of_clocks() {
        check("2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T22:59:59.999999Z");
        check("2026-03-29 02:59", "2026-03-29T01:59:00Z", "2026-03-29T01:59:00Z");
    }

    #[test]
    fn refuses_what_is_none() {
        for text in [
            "",
            "-",
            "ago",
            "tomorrow",
            "2026",
            "2026-13-01",
            "2026-02-30",
            "2026-11-23T",
            "24:00",
            "9:5",
            "9:15:2",
            "9:15:02:00",
            "--2h",
            "-2h ago",
            "1d from now",
            "2026-11-23 09:15:",
            "2026-11-23 09",
            "@",
            "@x",
            "99999999999999999999",
            "2026-11-23T09:15:02 CET",
            "äöüäöüäöüäöüäöü",
        ] {
            let error = berlin().moment(text).expect_err(text);
            assert!(error.is_usage() && error.advice().is_some());
        }
        for text in ["", "0", "-1h", "soon"] {
            assert!(berlin().last(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String, digits in "[-@0-9:TZ. ]{0,30}") {
            let _ = (berlin().moment(&text), berlin().moment(&digits), berlin().last(&text));
        }
    }
}

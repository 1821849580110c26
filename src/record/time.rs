//! Instants, and the parsers for the stamps that logs use.
//!
//! An instant is an integer count of microseconds since 1970 UTC. A stamp is read into the wall clock that it names
//! (also microseconds, as if that clock were UTC); where it carries a zone the zone is taken off at once, where it
//! does not the [`Clock`] of the run supplies one, and the year if that is missing as well. Impossible dates
//! (30 February) are no stamps. A leap second counts as the second after it.

use chrono::{NaiveDateTime, Offset, TimeZone};

use super::number::{fraction, integer, two, two_padded};

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in a day.
pub const DAY: i64 = 86_400 * SECOND;

/// The days from 1970-01-01 to a date of the Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms"). `None` for a date that does not exist.
pub fn days(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > length {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year =
        (153 * (i64::from(month) + if month > 2 { -3 } else { 9 }) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Microseconds since midnight; `None` for what no clock shows. 23:59:60 is shown in a leap second.
fn of_day(hour: u32, minute: u32, second: u32) -> Option<i64> {
    let possible = hour < 24 && minute < 60 && second <= 60;
    possible.then(|| i64::from(hour * 3600 + minute * 60 + second) * SECOND)
}

/// `hh:mm:ss`, the hour with a zero or a space in front.
fn clock_time(text: &[u8]) -> Option<i64> {
    let [hours @ .., b':', m1, m2, b':', s1, s2] = text else { return None };
    of_day(two_padded(hours)?, two(&[*m1, *m2])?, two(&[*s1, *s2])?)
}

/// An English month name of three letters, in any case.
pub fn month(text: &[u8]) -> Option<u32> {
    const NAMES: &[u8; 36] = b"janfebmaraprmayjunjulaugsepoctnovdec";
    let lower = [*text.first()? | 32, *text.get(1)? | 32, *text.get(2)? | 32];
    let at = NAMES.chunks_exact(3).position(|name| name == lower)?;
    (text.len() == 3).then_some(at as u32 + 1)
}

/// `+hhmm`, `+hh:mm` or `Z` as microseconds east of Greenwich.
pub fn zone(text: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match text {
        b"Z" | b"z" => return Some(0),
        [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => (sign, [*h1, *h2], [*m1, *m2]),
        _ => return None,
    };
    let minutes = i64::from(two(&hours)? * 60 + two(&minutes)?);
    match sign {
        b'+' => Some(minutes * 60 * SECOND),
        b'-' => Some(-minutes * 60 * SECOND),
        _ => None,
    }
}

/// The stamp of access logs, `07/Mar/2024:09:15:02 +0100`: 26 bytes. Keeps the last minute that it read, since the next
/// line mostly stands in the same one.
#[derive(Debug, Clone, Default)]
pub struct Clf {
    minute: [u8; 17],
    zone: [u8; 6],
    base: i64,
}

impl Clf {
    /// The length of such a stamp.
    pub const LEN: usize = 26;

    /// The instant, or `None` when it is no such stamp or names no possible time.
    #[inline]
    pub fn parse(&mut self, text: &[u8; Self::LEN]) -> Option<i64> {
        if text[..17] != self.minute || text[20..] != self.zone {
            self.read_minute(text)?;
        }
        let second = two(&text[18..20])?;
        (text[17] == b':' && second <= 60).then(|| self.base + i64::from(second) * SECOND)
    }

    #[cold]
    fn read_minute(&mut self, text: &[u8; Self::LEN]) -> Option<i64> {
        let date = date_slashed(&text[..11])?;
        let hour_and_minute = [text[12], text[13], text[14], text[15], text[16], b':', b'0', b'0'];
        let time = clock_time(&hour_and_minute)?;
        if text[11] != b':' || text[20] != b' ' || text[12] == b' ' {
            return None;
        }
        self.base = date + time - zone(&text[21..])?;
        self.minute.copy_from_slice(&text[..17]);
        self.zone.copy_from_slice(&text[20..]);
        Some(self.base)
    }
}

/// `07/Mar/2024` as the midnight that begins it.
fn date_slashed(text: &[u8]) -> Option<i64> {
    let [d1, d2, b'/', name @ .., b'/', y1, y2, y3, y4] = text else { return None };
    let year = integer(&[*y1, *y2, *y3, *y4])?;
    Some(days(year, month(name)?, two(&[*d1, *d2])?)? * DAY)
}

/// `07/Mar/2024:09:15:02.418` (HAProxy) and `07-Mar-2024 09:15:02.418` (BIND): the wall clock, with as many digits of
/// the fraction as there are. The separators are the caller's.
pub fn day_month_year(text: &[u8], in_date: u8, before_time: u8) -> Option<i64> {
    let (date, time) = (text.get(..11)?, text.get(12..)?);
    if text[11] != before_time || date[2] != in_date || date[6] != in_date {
        return None;
    }
    let midnight = days(integer(&date[7..])?, month(&date[3..6])?, two(&date[..2])?)? * DAY;
    Some(midnight + time_with_fraction(time)?)
}

/// `hh:mm:ss` with an optional `.` or `,` and digits.
fn time_with_fraction(text: &[u8]) -> Option<i64> {
    let whole = clock_time(text.get(..8)?)?;
    match &text[8..] {
        [] => Some(whole),
        [b'.' | b',', digits @ ..] if !digits.is_empty() => Some(whole + fraction(digits, 6)?),
        _ => None,
    }
}

/// `2024/03/07 09:15:02` (Nginx error log): the wall clock.
pub fn slashed(text: &[u8]) -> Option<i64> {
    year_first(text, b'/').filter(|_| text.len() == 19 && text[10] == b' ')
}

/// `YYYY?MM?DD` + one separator + time with fraction.
fn year_first(text: &[u8], in_date: u8) -> Option<i64> {
    let [y1, y2, y3, y4, s1, m1, m2, s2, d1, d2, _, time @ ..] = text else { return None };
    if *s1 != in_date || *s2 != in_date {
        return None;
    }
    let year = integer(&[*y1, *y2, *y3, *y4])?;
    Some(days(year, two(&[*m1, *m2])?, two(&[*d1, *d2])?)? * DAY + time_with_fraction(time)?)
}

/// `2024 Mar 07 09:15:02.418` (a template that relays use): the wall clock.
pub fn year_month_day(text: &[u8]) -> Option<i64> {
    let [y1, y2, y3, y4, b' ', m1, m2, m3, b' ', d1, d2, b' ', time @ ..] = text else {
        return None;
    };
    let year = integer(&[*y1, *y2, *y3, *y4])?;
    let midnight = days(year, month(&[*m1, *m2, *m3])?, two_padded(&[*d1, *d2])?)? * DAY;
    Some(midnight + time_with_fraction(time)?)
}

/// A stamp with year first, `T` or a space in its middle, an optional fraction and an optional zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Iso {
    /// Microseconds of the wall clock.
    pub wall: i64,
    /// Microseconds east of Greenwich, where the stamp says it.
    pub zone: Option<i64>,
}

/// ISO 8601 in the spellings of servers: `2024-03-07T09:15:02.418123+01:00`, `…Z`, `…+0100`, `2024-03-07 09:15:02`,
/// MariaDB's `2024-03-07  9:15:02`, and `2024-03-07 09:15:02.418123 +0100`.
pub fn iso(text: &[u8]) -> Option<Iso> {
    if !matches!(text.get(10), Some(b'T' | b't' | b' ')) {
        return None;
    }
    let end = text[11..].iter().position(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-'));
    let (stamp, zone_text) = text.split_at(end.map_or(text.len(), |end| end + 11));
    let wall = year_first(stamp.trim_ascii_end(), b'-')?;
    let zone = match zone_text {
        [] => None,
        zone_text => Some(zone(zone_text)?),
    };
    Some(Iso { wall, zone })
}

/// `Thu Mar 07 09:15:02.418123 2024` (Apache error log), with or without the fraction, the day padded with a zero or
/// a space: the wall clock.
pub fn ctime(text: &[u8]) -> Option<i64> {
    let [_, _, _, b' ', m1, m2, m3, b' ', d1, d2, b' ', time @ .., b' ', y1, y2, y3, y4] = text
    else {
        return None;
    };
    let year = integer(&[*y1, *y2, *y3, *y4])?;
    let midnight = days(year, month(&[*m1, *m2, *m3])?, two_padded(&[*d1, *d2])?)? * DAY;
    Some(midnight + time_with_fraction(time)?)
}

/// A stamp without a year: month, day and time of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Yearless {
    month: u32,
    day: u32,
    of_day: i64,
}

/// `Mar  7 09:15:02` (syslog, RFC 3164), 15 bytes.
pub fn syslog(text: &[u8]) -> Option<Yearless> {
    let [m1, m2, m3, b' ', d1, d2, b' ', time @ ..] = text else { return None };
    let (month, day) = (month(&[*m1, *m2, *m3])?, two_padded(&[*d1, *d2])?);
    days(2024, month, day)?;
    Some(Yearless { month, day, of_day: clock_time(time)? })
}

/// `240307  9:15:02` (MySQL to 5.6 and MariaDB), the year in two digits: the wall clock.
pub fn short_year(text: &[u8]) -> Option<i64> {
    let [y1, y2, m1, m2, d1, d2, b' ', time @ ..] = text else { return None };
    let year = match two(&[*y1, *y2])? {
        year @ 70.. => 1900 + year,
        year => 2000 + year,
    };
    let midnight = days(i64::from(year), two(&[*m1, *m2])?, two(&[*d1, *d2])?)? * DAY;
    Some(midnight + clock_time(time)?)
}

/// What a run knows about time that a stamp does not say: the zone, and when the file was last written.
#[derive(Debug, Clone)]
pub struct Clock {
    zone: chrono_tz::Tz,
    written: i64,
    hour: i64,
    offset: i64,
}

impl Clock {
    /// A clock for one file. `written` is an instant at or after its last line: the file's time of modification, or now
    /// for a stream.
    pub fn new(zone: chrono_tz::Tz, written: i64) -> Self {
        Self { zone, written, hour: i64::MIN, offset: 0 }
    }

    /// The instant of a wall clock of the run's zone. In the hour that a change of clocks repeats it takes the first;
    /// a time that the clocks skipped is read as if they had not changed yet.
    #[inline]
    pub fn instant(&mut self, wall: i64) -> i64 {
        let hour = wall.div_euclid(3600 * SECOND);
        if hour != self.hour {
            (self.hour, self.offset) = (hour, self.offset_at(wall));
        }
        wall - self.offset
    }

    /// The instant of a stamp that may carry its own zone.
    pub fn iso(&mut self, stamp: Iso) -> i64 {
        match stamp.zone {
            Some(zone) => stamp.wall - zone,
            None => self.instant(stamp.wall),
        }
    }

    /// The instant of a stamp without a year: the last one that is not more than a day after the file was written.
    pub fn yearless(&mut self, stamp: Yearless) -> Option<i64> {
        let latest = self.written.saturating_add(DAY);
        let year = year_of(latest) + 1;
        let mut found = None;
        for year in (year - 9..=year).rev() {
            let Some(day) = days(year, stamp.month, stamp.day) else { continue };
            let instant = self.instant(day * DAY + stamp.of_day);
            found = Some(instant);
            if instant <= latest {
                break;
            }
        }
        found
    }

    #[cold]
    fn offset_at(&self, wall: i64) -> i64 {
        let Some(naive) = naive(wall) else { return 0 };
        let offset = match self.zone.offset_from_local_datetime(&naive).earliest() {
            Some(offset) => offset,
            // A skipped hour: the offset that held before it.
            None => match naive.checked_sub_signed(chrono::TimeDelta::hours(3)) {
                Some(before) => self.zone.offset_from_utc_datetime(&before),
                None => return 0,
            },
        };
        i64::from(offset.fix().local_minus_utc()) * SECOND
    }
}

fn naive(micros: i64) -> Option<NaiveDateTime> {
    chrono::DateTime::from_timestamp_micros(micros).map(|time| time.naive_utc())
}

fn year_of(instant: i64) -> i64 {
    use chrono::Datelike;
    naive(instant).map_or(1970, |time| i64::from(time.year()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> i64 {
        chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    fn clf(text: &[u8]) -> Option<i64> {
        Clf::default().parse(text.try_into().ok()?)
    }

    #[test]
    fn access_log_stamps() {
        assert_eq!(clf(b"07/Mar/2024:09:15:02 +0100"), Some(utc("2024-03-07T08:15:02Z")));
        assert_eq!(clf(b"29/Feb/2024:23:59:60 -0930"), Some(utc("2024-03-01T09:30:00Z")));
        assert_eq!(clf(b"30/Feb/2026:00:00:00 +0000"), None);
        assert_eq!(clf(b"07/Mar/2024:24:15:02 +0100"), None);
        assert_eq!(clf(b"07/Mar/2024 09:15:02 +0100"), None);
        assert_eq!(clf(b"07/Mar/2024: 9:15:02 +0100"), None);
    }

    #[test]
    fn a_remembered_minute_changes_nothing() {
        let mut reader = Clf::default();
        for stamp in [
            b"07/Mar/2024:09:15:02 +0100",
            b"07/Mar/2024:09:15:59 +0100",
            b"07/Mar/2024:09:15:59 +0200",
        ] {
            assert_eq!(reader.parse(stamp), clf(stamp));
        }
        assert_eq!(reader.parse(b"07/Mar/2024:09:15 59 +0200"), None);
    }

    #[test]
    fn every_day_of_four_centuries() {
        let mut expected = days(1900, 1, 1).unwrap();
        let mut day = chrono::NaiveDate::from_ymd_opt(1900, 1, 1).unwrap();
        for _ in 0..146_097 {
            use chrono::Datelike;
            assert_eq!(days(i64::from(day.year()), day.month(), day.day()), Some(expected));
            (day, expected) = (day.succ_opt().unwrap(), expected + 1);
        }
    }

    #[test]
    fn wall_clocks_of_other_servers() {
        let wall = utc("2024-03-07T09:15:02Z");
        let millis = wall + 418_000;
        assert_eq!(slashed(b"2024/03/07 09:15:02"), Some(wall));
        assert_eq!(ctime(b"Thu Mar 07 09:15:02.418 2024"), Some(millis));
        assert_eq!(ctime(b"Thu Mar  7 09:15:02 2024"), Some(wall));
        assert_eq!(day_month_year(b"07/Mar/2024:09:15:02.418", b'/', b':'), Some(millis));
        assert_eq!(day_month_year(b"07-Mar-2024 09:15:02.418", b'-', b' '), Some(millis));
        assert_eq!(year_month_day(b"2024 Mar 07 09:15:02.418"), Some(millis));
        assert_eq!(short_year(b"240307  9:15:02"), Some(wall));
        assert_eq!(short_year(b"700101  0:00:00"), Some(0));
        assert_eq!(iso(b"2024-03-07  9:15:02"), Some(Iso { wall, zone: None }));
        assert_eq!(iso(b"2024-03-07T09:15:02.418Z"), Some(Iso { wall: millis, zone: Some(0) }));
        let zone = Some(3600 * SECOND);
        assert_eq!(iso(b"2024-03-07T09:15:02+01:00"), Some(Iso { wall, zone }));
        assert_eq!(iso(b"2024-03-07 09:15:02.418000 +0100"), Some(Iso { wall: millis, zone }));
        assert_eq!(iso(b"2024-03-07T09:15:02 GMT"), None);
    }

    #[test]
    fn the_year_comes_from_the_file() {
        let mut clock = Clock::new(chrono_tz::UTC, utc("2026-01-02T00:00:00Z"));
        let mut year = |text: &[u8]| clock.yearless(syslog(text).unwrap());
        assert_eq!(year(b"Dec 31 23:59:59"), Some(utc("2025-12-31T23:59:59Z")));
        assert_eq!(year(b"Jan  2 12:00:00"), Some(utc("2026-01-02T12:00:00Z")));
        assert_eq!(year(b"Feb 29 00:00:00"), Some(utc("2024-02-29T00:00:00Z")));
        assert_eq!(syslog(b"Feb 30 00:00:00"), None);
    }

    #[test]
    fn changes_of_clocks() {
        let mut clock = Clock::new(chrono_tz::Europe::Berlin, 0);
        assert_eq!(clock.instant(utc("2024-10-27T02:30:00Z")), utc("2024-10-27T00:30:00Z"));
        assert_eq!(clock.instant(utc("2024-03-31T02:30:00Z")), utc("2024-03-31T01:30:00Z"));
        assert_eq!(clock.instant(utc("2024-07-01T12:00:00Z")), utc("2024-07-01T10:00:00Z"));
    }
}

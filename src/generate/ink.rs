//! Small writers into a byte buffer: numbers, seconds, stamps, and the three ways in which web servers escape.

use chrono::{DateTime, Datelike, Timelike, Utc};

use super::clock::SECOND;

/// Appends a number in decimal.
#[inline]
pub(super) fn number(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a number with leading zeros up to `width` digits.
pub(super) fn padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut digits = itoa::Buffer::new();
    let text = digits.format(value);
    for _ in text.len()..width {
        out.push(b'0');
    }
    out.extend_from_slice(text.as_bytes());
}

/// Appends seconds with three decimals, cut and not rounded, as nginx prints its times.
#[inline]
pub(super) fn seconds(out: &mut Vec<u8>, micros: u64) {
    let millis = micros / 1000;
    number(out, millis / 1000);
    out.push(b'.');
    thousandths(out, (millis % 1000) as u32);
}

/// Appends three digits.
#[inline]
pub(super) fn thousandths(out: &mut Vec<u8>, value: u32) {
    let digit = |unit: u32| b'0' + (value / unit % 10) as u8;
    out.extend_from_slice(&[digit(100), digit(10), digit(1)]);
}

/// Appends lower-case hexadecimal digits, the highest first.
pub(super) fn hex(out: &mut Vec<u8>, value: u64, digits: u32) {
    for place in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(value >> (4 * place) & 15) as usize]);
    }
}

/// The English months, as logs shorten them.
pub(super) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Appends the microseconds of an instant, six digits.
pub(super) fn micros(out: &mut Vec<u8>, time: i64) {
    padded(out, time.rem_euclid(SECOND) as u64, 6);
}

/// Appends the milliseconds of an instant, three digits.
pub(super) fn millis(out: &mut Vec<u8>, time: i64) {
    thousandths(out, (time.rem_euclid(SECOND) / 1000) as u32);
}

/// Writes stamps to the second. A spelling is made once a second and then copied; a few are kept, since stamps that
/// tell the start of a request go back and forth.
#[derive(Debug)]
pub(super) struct Stamps {
    spell: fn(&DateTime<Utc>, &mut Vec<u8>),
    slots: Vec<Slot>,
}

#[derive(Debug, Clone)]
struct Slot {
    second: i64,
    text: Vec<u8>,
}

/// How many seconds are remembered: a power of two.
const SLOTS: usize = 16;

impl Stamps {
    /// Stamps in the spelling that `spell` appends.
    pub(super) fn new(spell: fn(&DateTime<Utc>, &mut Vec<u8>)) -> Self {
        Self { spell, slots: vec![Slot { second: i64::MIN, text: Vec::new() }; SLOTS] }
    }

    /// Appends the stamp of an instant (microseconds since 1970 UTC).
    #[inline]
    pub(super) fn write(&mut self, out: &mut Vec<u8>, time: i64) {
        let second = time.div_euclid(SECOND);
        let slot = &mut self.slots[second as usize % SLOTS];
        if slot.second != second {
            slot.second = second;
            slot.text.clear();
            (self.spell)(&DateTime::from_timestamp(second, 0).unwrap_or_default(), &mut slot.text);
        }
        out.extend_from_slice(&slot.text);
    }
}

/// `07/Mar/2024:09:15:02 +0000`
pub(super) fn clf(date: &DateTime<Utc>, out: &mut Vec<u8>) {
    slashed(date, out);
    out.extend_from_slice(b" +0000");
}

/// `07/Mar/2024:09:15:02`
pub(super) fn slashed(date: &DateTime<Utc>, out: &mut Vec<u8>) {
    padded(out, date.day().into(), 2);
    out.push(b'/');
    out.extend_from_slice(month(date).as_bytes());
    out.push(b'/');
    padded(out, date.year().unsigned_abs().into(), 4);
    out.push(b':');
    clock(date, out);
}

/// `2024-03-07T09:15:02+00:00`
pub(super) fn iso(date: &DateTime<Utc>, out: &mut Vec<u8>) {
    iso_local(date, out);
    out.extend_from_slice(b"+00:00");
}

/// `2024-03-07T09:15:02`
pub(super) fn iso_local(date: &DateTime<Utc>, out: &mut Vec<u8>) {
    day(date, b'-', out);
    out.push(b'T');
    clock(date, out);
}

/// `2024-03-07 09:15:02`
pub(super) fn sql(date: &DateTime<Utc>, out: &mut Vec<u8>) {
    day(date, b'-', out);
    out.push(b' ');
    clock(date, out);
}

/// `2024/03/07 09:15:02`
pub(super) fn nginx_error(date: &DateTime<Utc>, out: &mut Vec<u8>) {
    day(date, b'/', out);
    out.push(b' ');
    clock(date, out);
}

/// `Thu Mar 07 09:15:02`
pub(super) fn ctime(date: &DateTime<Utc>, out: &mut Vec<u8>) {
    let weekday = WEEKDAYS[date.weekday().num_days_from_monday() as usize];
    for part in [weekday, " ", month(date), " "] {
        out.extend_from_slice(part.as_bytes());
    }
    padded(out, date.day().into(), 2);
    out.push(b' ');
    clock(date, out);
}

/// `Mar  7 09:15:02`, as RFC 3164 has it.
pub(super) fn syslog(date: &DateTime<Utc>, out: &mut Vec<u8>) {
    out.extend_from_slice(month(date).as_bytes());
    out.extend_from_slice(if date.day() < 10 { b"  " } else { b" " });
    number(out, date.day().into());
    out.push(b' ');
    clock(date, out);
}

/// `07-Mar-2024 09:15:02`
pub(super) fn named(date: &DateTime<Utc>, out: &mut Vec<u8>) {
    padded(out, date.day().into(), 2);
    out.push(b'-');
    out.extend_from_slice(month(date).as_bytes());
    out.push(b'-');
    padded(out, date.year().unsigned_abs().into(), 4);
    out.push(b' ');
    clock(date, out);
}

/// `240307  9:15:02`, as MySQL wrote it once and MariaDB still does.
pub(super) fn mariadb(date: &DateTime<Utc>, out: &mut Vec<u8>) {
    padded(out, u64::from(date.year().unsigned_abs() % 100), 2);
    padded(out, date.month().into(), 2);
    padded(out, date.day().into(), 2);
    out.extend_from_slice(if date.hour() < 10 { b"  " } else { b" " });
    number(out, date.hour().into());
    out.push(b':');
    padded(out, date.minute().into(), 2);
    out.push(b':');
    padded(out, date.second().into(), 2);
}

/// `2024-03-07` with the separator of choice.
pub(super) fn day(date: &DateTime<Utc>, separator: u8, out: &mut Vec<u8>) {
    padded(out, date.year().unsigned_abs().into(), 4);
    out.push(separator);
    padded(out, date.month().into(), 2);
    out.push(separator);
    padded(out, date.day().into(), 2);
}

/// `09:15:02`
pub(super) fn clock(date: &DateTime<Utc>, out: &mut Vec<u8>) {
    padded(out, date.hour().into(), 2);
    out.push(b':');
    padded(out, date.minute().into(), 2);
    out.push(b':');
    padded(out, date.second().into(), 2);
}

/// `Mar`
pub(super) fn month(date: &DateTime<Utc>) -> &'static str {
    MONTHS[date.month0() as usize]
}

/// How a server makes a value from outside harmless in its access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// nginx, `escape=default`: `\xHH` in upper case for quotes, backslashes, control and high bytes.
    Nginx,
    /// nginx, `escape=json`: JSON's escapes; high bytes stay.
    Json,
    /// Apache: a backslash before quotes and backslashes, C escapes, else `\xhh` in lower case.
    Apache,
    /// Apache's error log: the same, but quotes stay.
    ApacheError,
    /// HAProxy: `#HH` for quotes, hashes, control and high bytes.
    Haproxy,
    /// As sent: nginx's error log.
    Raw,
}

impl Escape {
    /// Appends `raw` as that server would log it.
    pub(super) fn write(self, raw: &[u8], out: &mut Vec<u8>) {
        for &byte in raw {
            match self {
                Self::Nginx => nginx(byte, out),
                Self::Json => json(byte, out),
                Self::ApacheError if byte == b'"' => out.push(byte),
                Self::Apache | Self::ApacheError => apache(byte, out),
                Self::Haproxy => haproxy(byte, out),
                Self::Raw => out.push(byte),
            }
        }
    }
}

fn nginx(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' | b'\\' | 0..=0x1f | 0x7f.. => {
            out.extend_from_slice(format!("\\x{byte:02X}").as_bytes());
        }
        _ => out.push(byte),
    }
}

fn json(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0c => out.extend_from_slice(b"\\f"),
        0..=0x1f => out.extend_from_slice(format!("\\u{byte:04X}").as_bytes()),
        _ => out.push(byte),
    }
}

fn apache(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        0x08 => out.extend_from_slice(b"\\b"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0x0b => out.extend_from_slice(b"\\v"),
        0..=0x1f | 0x7f.. => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        _ => out.push(byte),
    }
}

fn haproxy(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' | b'#' | 0..=0x1f | 0x7f.. => {
            out.extend_from_slice(format!("#{byte:02X}").as_bytes());
        }
        _ => out.push(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn numbers_and_seconds() {
        assert_eq!(written(|out| padded(out, 7, 3)), "007");
        assert_eq!(written(|out| seconds(out, 1_002_999)), "1.002");
        assert_eq!(written(|out| hex(out, 0xc0ffee, 8)), "00c0ffee");
    }

    #[test]
    fn stamps() {
        let time = 1_709_799_302 * SECOND + 999_999;
        let spelt = |spell| written(|out| Stamps::new(spell).write(out, time));
        assert_eq!(spelt(clf), "07/Mar/2024:08:15:02 +0000");
        assert_eq!(spelt(iso), "2024-03-07T08:15:02+00:00");
        assert_eq!(spelt(nginx_error), "2024/03/07 08:15:02");
        assert_eq!(spelt(ctime), "Thu Mar 07 08:15:02");
        assert_eq!(spelt(syslog), "Mar  7 08:15:02");
        assert_eq!(spelt(named), "07-Mar-2024 08:15:02");
        assert_eq!(spelt(mariadb), "240307  8:15:02");
    }

    #[test]
    fn each_server_escapes_in_its_own_way() {
        let raw = b"a\"\\\n\x16\xfc";
        assert_eq!(written(|out| Escape::Nginx.write(raw, out)), "a\\x22\\x5C\\x0A\\x16\\xFC");
        assert_eq!(written(|out| Escape::Apache.write(raw, out)), "a\\\"\\\\\\n\\x16\\xfc");
        assert_eq!(written(|out| Escape::ApacheError.write(raw, out)), "a\"\\\\\\n\\x16\\xfc");
        assert_eq!(written(|out| Escape::Haproxy.write(raw, out)), "a#22\\#0A#16#FC");
        assert_eq!(written(|out| Escape::Json.write(&raw[..5], out)), "a\\\"\\\\\\n\\u0016");
    }
}

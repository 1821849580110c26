//! What envelopes are made of: hosts and tags, severities by name, shapes of stamps, what stands for nothing.
//!
//! Nothing here knows in which order the layers come.

use crate::record::number::integer;

/// What an ISO stamp says of its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    None,
    Utc,
    Offset,
}

/// Looks whether a word has the shape of an ISO stamp; what it says is read later.
pub(super) fn shape_of_iso(text: &[u8]) -> Option<Zone> {
    let shape = [*text.get(4)?, *text.get(7)?, *text.get(10)?, *text.get(13)?, *text.get(16)?];
    if shape != *b"--T::" || text.len() < 19 || text.len() > 35 || !text[0].is_ascii_digit() {
        return None;
    }
    let fraction = text[19..].iter().take_while(|byte| matches!(byte, b'.' | b',' | b'0'..=b'9'));
    match text[19 + fraction.count()..] {
        [] => Some(Zone::None),
        [b'Z'] => Some(Zone::Utc),
        [b'+' | b'-', _, _, _, _] | [b'+' | b'-', _, _, b':', _, _] => Some(Zone::Offset),
        _ => None,
    }
}

/// What follows `stdout F ` (CRI), or a stamp with nanoseconds, which only container runtimes write.
pub(super) fn past_stream_of_container<'a>(stamp: &[u8], rest: &'a [u8]) -> Option<&'a [u8]> {
    const NANOSECONDS: usize = b"2024-03-07T08:15:02.418123456Z".len();
    match rest {
        [b's', b't', b'd', b'o', b'u', b't', b' ', b'F' | b'P', b' ', rest @ ..] => Some(rest),
        [b's', b't', b'd', b'e', b'r', b'r', b' ', b'F' | b'P', b' ', rest @ ..] => Some(rest),
        _ if stamp.len() == NANOSECONDS && stamp.ends_with(b"Z") => Some(rest),
        _ => None,
    }
}

/// A message with the names in front of it.
pub(super) struct Named<'a> {
    pub(super) host: Option<&'a [u8]>,
    pub(super) tag: &'a [u8],
    pub(super) pid: Option<i64>,
    pub(super) message: &'a [u8],
}

/// `host tag[77]: message` or `tag[77]: message`.
pub(super) fn host_and_tag(text: &[u8]) -> Option<Named<'_>> {
    let (first, rest) = word(text).unwrap_or((text, &[]));
    if let Some((tag, pid)) = tag_and_pid(first) {
        return Some(Named { host: None, tag, pid, message: rest });
    }
    let (second, message) = word(rest).unwrap_or((rest, &[]));
    let (tag, pid) = tag_and_pid(second)?;
    Some(Named { host: Some(first), tag, pid, message })
}

/// `tag:` or `tag[77]:`.
fn tag_and_pid(word: &[u8]) -> Option<(&[u8], Option<i64>)> {
    let name = word.strip_suffix(b":")?;
    let (name, pid) = match name.strip_suffix(b"]") {
        Some(open) => {
            let at = memchr::memrchr(b'[', open)?;
            (&open[..at], integer(&open[at + 1..]))
        }
        None => (name, None),
    };
    (name.first()?.is_ascii_graphic() && name[0] != b'[').then_some((name, pid))
}

/// The severity of `mail.info`, a facility and a severity by their names.
pub(super) fn severity_by_name(word: &[u8]) -> Option<u8> {
    const FACILITIES: [&[u8]; 17] = [
        b"kern",
        b"user",
        b"mail",
        b"daemon",
        b"auth",
        b"syslog",
        b"lpr",
        b"news",
        b"uucp",
        b"cron",
        b"authpriv",
        b"ftp",
        b"ntp",
        b"security",
        b"console",
        b"audit",
        b"local",
    ];
    const SEVERITIES: [(&[u8], u8); 11] = [
        (b"emerg", 0),
        (b"panic", 0),
        (b"alert", 1),
        (b"crit", 2),
        (b"err", 3),
        (b"error", 3),
        (b"warn", 4),
        (b"warning", 4),
        (b"notice", 5),
        (b"info", 6),
        (b"debug", 7),
    ];
    let (facility, severity) = word.split_at(memchr::memchr(b'.', word)?);
    let facility = match facility {
        [local @ .., b'0'..=b'7'] if local == b"local" => local,
        _ => facility,
    };
    let found = SEVERITIES.iter().find(|(name, _)| *name == &severity[1..])?;
    FACILITIES.contains(&facility).then_some(found.1)
}

/// Steps over Solaris' `[ID 197553 mail.info] `.
pub(super) fn past_message_id(text: &[u8]) -> &[u8] {
    if !text.starts_with(b"[ID ") {
        return text;
    }
    match memchr::memchr(b']', text) {
        Some(end) => text[end + 1..].strip_prefix(b" ").unwrap_or(&text[end + 1..]),
        None => text,
    }
}

/// What follows `-` or `[id name="value" …][…]`. In a value, a backslash protects what follows it.
pub(super) fn past_structured_data(text: &[u8]) -> Option<&[u8]> {
    let mut rest = match text {
        [b'-', rest @ ..] => rest,
        _ => {
            let mut rest = text;
            while let [b'[', element @ ..] = rest {
                rest = past_element(element)?;
            }
            rest
        }
    };
    if let [b' ', message @ ..] = rest {
        rest = message;
    }
    Some(rest)
}

fn past_element(text: &[u8]) -> Option<&[u8]> {
    let (mut at, mut in_value) = (0, false);
    loop {
        at += memchr::memchr3(b'"', b'\\', b']', text.get(at..)?)?;
        match text[at] {
            b'"' => in_value = !in_value,
            b'\\' if in_value => at += 1,
            b']' if !in_value => return Some(&text[at + 1..]),
            _ => {}
        }
        at += 1;
    }
}

/// Lines that log daemons and journald write about the log.
pub(super) fn is_remark(text: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 6] = [
        b"-- MARK --",
        b"-- Logs begin at ",
        b"-- Journal begins at ",
        b"-- Reboot --",
        b"-- Boot ",
        b"-- No entries --",
    ];
    match text.first() {
        Some(b'-') => BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)),
        Some(b'l') => repeats_before(text).is_some(),
        _ => false,
    }
}

/// How often the line before happened again, when a message says so: `last message repeated 3 times`. Which line that
/// was only the order in the file tells, so that a format that wants to count it has to frame both as one record.
pub fn repeats_before(message: &[u8]) -> Option<u32> {
    let rest = message.strip_prefix(b"last message repeated ")?;
    let (times, rest) = word(rest)?;
    rest.starts_with(b"time").then_some(())?;
    u32::try_from(integer(times)?).ok()
}

/// The bytes up to a space, and those after it.
pub(super) fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b' ', text)?;
    Some((&text[..end], &text[end + 1..]))
}

/// RFC 5424's spelling of nothing.
pub(super) fn said(word: &[u8]) -> Option<&[u8]> {
    (word != b"-").then_some(word)
}

pub(super) fn without_nul(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\0").unwrap_or(text)
}

/// True for `<134>…`, `[warning] …`, `2024-03-07…`, `2024/03/07…`, `07/Mar/2024…`, `192.0.2.7 …`, `Mar  7 09:15:02 …`.
pub(super) fn begins_a_line_of_a_log(text: &[u8]) -> bool {
    let Some(begin) = text.get(..15) else { return false };
    let separators = |byte: u8| begin.iter().filter(|found| **found == byte).count();
    match begin[0] {
        b'<' => begin[1].is_ascii_digit() && begin[..6].contains(&b'>'),
        b'[' => begin[1].is_ascii_alphanumeric() && text.contains(&b']'),
        b'0'..=b'9' => {
            begin[1].is_ascii_digit()
                && [b'-', b'/', b'.'].into_iter().any(|byte| separators(byte) >= 2)
        }
        b'A'..=b'Z' => [begin[3], begin[6], begin[9], begin[12]] == *b"  ::",
        _ => false,
    }
}

pub(super) fn is_of_container_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

//! `last message repeated 3 times`: the line before came again, as a log daemon says in a line of its own.
//!
//! ```text
//! Mar  7 09:15:06 mx1 postfix/smtpd[9]: lost connection after AUTH from unknown[203.0.113.24]
//! Mar  7 09:15:36 mx1 last message repeated 3 times
//! ```
//!
//! Only the order in the file tells which line that was. Hence such a line opens no record: it belongs to the one before
//! it, wherever the file is cut. (`message repeated 3 times: [ … ]` has its message with it and is read as an envelope.)

use memchr::memchr;

use crate::format::envelope::{self, MOST_REPEATS};

/// True where a record begins.
pub(super) fn opens(line: &[u8]) -> bool {
    !may_end(line) || times(line).is_none()
}

/// False when a line certainly is no repetition, by its last bytes.
#[inline]
pub(super) fn may_end(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.last_chunk().is_some_and(|end| matches!(end, b"times" | b" time" | b"s ---" | b"e ---"))
}

/// How often a line says that the one before it came again.
#[cold]
fn times(line: &[u8]) -> Option<u32> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let said =
        |message: &[u8]| envelope::repeats_before(message.strip_prefix(b"--- ").unwrap_or(message));
    // An ISO stamp without a tag behind it is no envelope for certain; here the words behind it make it one.
    let behind_host = || line.splitn(3, |byte| *byte == b' ').nth(2).and_then(said);
    said(envelope::peel(line).message).or_else(behind_host)
}

/// The line that a record begins with, and how often those behind it say that it came again.
pub(super) fn split(record: &[u8]) -> (&[u8], u32) {
    let Some(end) = memchr(b'\n', record) else { return (record, 0) };
    let (first, rest) = (&record[..end], &record[end + 1..]);
    let again = rest.split(|byte| *byte == b'\n').filter_map(times);
    let again = again.fold(0, u32::saturating_add).min(MOST_REPEATS);
    (first.strip_suffix(b"\r").unwrap_or(first), again)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPETITION: &[u8] = b"Mar  7 09:15:36 mx1 last message repeated 3 times";

    #[test]
    fn repetitions_open_no_record() {
        assert!(!opens(REPETITION));
        for line in [
            "2026-11-23T09:59:58.421518+00:00 mx1 last message repeated 1 time",
            "Mar  7 09:15:36 mx1 --- last message repeated 2 times ---",
            "<46>Mar  7 09:15:36 mx1 syslogd: last message repeated 2 times\r",
        ] {
            assert!(!opens(line.as_bytes()), "{line}");
        }
        for line in [
            "Mar  7 09:15:36 mx1 postfix/smtpd[9]: said so three times",
            "Mar  7 09:15:36 mx1 postfix/smtpd[9]: last message repeated 3 times, perhaps",
            "",
        ] {
            assert!(opens(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn repetitions_add_up() {
        let record = [b"a line\r\n", REPETITION, b"\n", REPETITION].concat();
        assert_eq!(split(&record), (&b"a line"[..], 6));
        assert_eq!(split(b"a line"), (&b"a line"[..], 0));
    }
}

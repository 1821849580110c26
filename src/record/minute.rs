//! The minute in which the last stamp stood, so that the next one costs no more than its seconds.
//!
//! The lines of a log stand close together: mostly the date, the hour, the minute and the zone of a stamp are the
//! bytes of the stamp before. Whoever reads stamps without looking them over each time keeps one of these beside his
//! [`Clock`](super::time::Clock).

use super::number::{fraction, two};
use super::time::SECOND;

/// How many bytes of a stamp are remembered; longer ones are read anew each time.
const ROOM: usize = 32;

/// A remembered minute. It belongs to one clock: instants of another must not come through it.
#[derive(Debug, Clone, Default)]
pub struct Minute {
    bytes: [u8; ROOM],
    head: usize,
    len: usize,
    start: i64,
}

impl Minute {
    /// The instant of a stamp in three parts: what stands before the seconds, the seconds with their fraction, and
    /// what stands after (a zone, a year). `read` reads the whole stamp; it is asked when the first or the last part
    /// is another than last time.
    #[inline]
    pub fn instant(
        &mut self,
        head: &[u8],
        seconds: &[u8],
        tail: &[u8],
        read: impl FnOnce() -> Option<i64>,
    ) -> Option<i64> {
        let within = self::seconds(seconds)?;
        if self.is_same(head, tail) {
            return Some(self.start + within);
        }
        self.start = read()? - within;
        self.remember(head, tail);
        Some(self.start + within)
    }

    #[inline]
    fn is_same(&self, head: &[u8], tail: &[u8]) -> bool {
        self.head == head.len()
            && self.len == head.len() + tail.len()
            && self.len > 0
            && self.bytes[..self.head] == *head
            && self.bytes[self.head..self.len] == *tail
    }

    #[cold]
    fn remember(&mut self, head: &[u8], tail: &[u8]) {
        let len = head.len() + tail.len();
        if len > ROOM {
            self.len = 0;
            return;
        }
        self.bytes[..head.len()].copy_from_slice(head);
        self.bytes[head.len()..len].copy_from_slice(tail);
        (self.head, self.len) = (head.len(), len);
    }
}

/// `02`, `02.418123` or `02,418` as microseconds; up to 60, for leap seconds.
#[inline]
pub fn seconds(text: &[u8]) -> Option<i64> {
    let (whole, rest) = text.split_at_checked(2)?;
    let whole = i64::from(two(whole).filter(|seconds| *seconds <= 60)?) * SECOND;
    match rest {
        [] => Some(whole),
        [b'.' | b',', digits @ ..] if !digits.is_empty() => Some(whole + fraction(digits, 6)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::time::slashed;

    fn read(minute: &mut Minute, text: &[u8]) -> Option<i64> {
        minute.instant(&text[..17], &text[17..], b"", || slashed(text))
    }

    #[test]
    fn a_remembered_minute_changes_nothing() {
        let mut minute = Minute::default();
        for stamp in [
            &b"2024/03/07 09:15:02"[..],
            b"2024/03/07 09:15:59",
            b"2024/03/07 09:16:00",
            b"2024/03/07 09:15:61",
            b"2024/13/07 09:15:01",
            b"2024/03/07 09:15:01",
        ] {
            assert_eq!(read(&mut minute, stamp), slashed(stamp));
        }
    }

    #[test]
    fn fractions_and_tails() {
        let mut minute = Minute::default();
        let mut read = |tail: &[u8], whole| minute.instant(b"10:", b"02.5", tail, || whole);
        assert_eq!(read(b" 2024", Some(12_500_000)), Some(12_500_000));
        assert_eq!(read(b" 2024", None), Some(12_500_000));
        assert_eq!(read(b" 2025", None), None);
        assert_eq!(read(&[b'x'; 99], Some(7)), Some(7));
        assert_eq!(read(&[b'x'; 99], Some(8)), Some(8));
        assert_eq!(seconds(b"02."), None);
        assert_eq!(seconds(b"2"), None);
    }
}

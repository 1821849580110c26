//! The numbers of a session line: joined by slashes, below zero for what never came, with a plus for what goes on.
//!
//! Most are plain, with one digit or five, and a loop over digits guesses wrong at nearly every one: [`number`] and
//! [`joined`] read eight bytes at once and mask out what is no digit of the figure. What they do not read is left to
//! [`single`] and [`Figures`].

use crate::record::number::{eight, no_digits, of_digits};

/// Stands for a figure that the line does not have.
pub(super) const UNSAID: i64 = i64::MIN;

/// More digits than this are no figure; so many always fit, also a thousand times larger.
const MOST_DIGITS: usize = 15;

/// A figure as logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Figure {
    /// The number; below zero for what never came.
    pub(super) value: i64,
    /// A plus stands before it.
    pub(super) is_plus: bool,
}

/// Reads the figure at the beginning of a text and says how long it is.
#[inline(always)] // Fifteen times a line.
pub(super) fn leading(text: &[u8]) -> Option<(Figure, usize)> {
    let (is_minus, is_plus) = match text.first()? {
        b'-' => (true, false),
        b'+' => (false, true),
        _ => (false, false),
    };
    let start = usize::from(is_minus || is_plus);
    let (mut value, mut at) = (0_i64, start);
    while let Some(byte) = text.get(at) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        // Wraps only for texts that are refused below.
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        at += 1;
    }
    if at == start || at - start > MOST_DIGITS {
        return None;
    }
    let value = if is_minus { -value } else { value };
    Some((Figure { value, is_plus }, at))
}

/// The whole text as a figure.
#[inline]
pub(super) fn single(text: &[u8]) -> Option<Figure> {
    leading(text).filter(|(_, len)| *len == text.len()).map(|(figure, _)| figure)
}

/// Figures joined by slashes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    values: [i64; 5],
    count: usize,
    /// A bit for each that has a plus.
    pluses: u8,
}

impl Figures {
    /// Reads the whole text: one to five figures.
    #[inline]
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut figures = Self { values: [UNSAID; 5], count: 0, pluses: 0 };
        let mut rest = text;
        loop {
            let (figure, len) = leading(rest)?;
            *figures.values.get_mut(figures.count)? = figure.value;
            figures.pluses |= u8::from(figure.is_plus) << figures.count;
            figures.count += 1;
            match rest.get(len) {
                None => return Some(figures),
                Some(b'/') => rest = &rest[len + 1..],
                Some(_) => return None,
            }
        }
    }

    /// All of them, when there are so many.
    #[inline]
    pub(super) fn all<const N: usize>(&self) -> Option<[i64; N]> {
        if self.count == N { self.values[..N].try_into().ok() } else { None }
    }

    /// True when the last of them has a plus.
    #[inline]
    pub(super) fn last_is_plus(&self) -> bool {
        self.pluses >> (self.count - 1) & 1 == 1
    }
}

/// Where something stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Part {
    pub(super) fn of<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

/// The highest bit of each byte that is this one.
#[inline(always)]
fn equal(word: u64, byte: u8) -> u64 {
    let differing = word ^ eight(byte);
    let low = (differing & eight(0x7F)) + eight(0x7F);
    !(low | differing | eight(0x7F))
}

/// Where the last colon among the eight bytes before `end` stands.
#[inline(always)]
pub(super) fn last_colon(text: &[u8], end: usize) -> Option<usize> {
    let before = text.get(end.wrapping_sub(8)..end)?.first_chunk()?;
    let colons = equal(u64::from_le_bytes(*before), b':');
    let colon = (end - 1).checked_sub(colons.leading_zeros() as usize / 8)?;
    (colons != 0 && colon > 0).then_some(colon)
}

/// The figure that stands there, if it has one to eight digits and nothing else, and as many bytes stand before its end.
#[inline(always)] // Twelve times a line.
pub(super) fn number(text: &[u8], part: Part) -> Option<i64> {
    let Part { start, end } = part;
    let len = end.wrapping_sub(start);
    if !(1..=8).contains(&len) {
        return None;
    }
    let last = text.get(end.wrapping_sub(8)..end)?.first_chunk()?;
    let digits = (u64::from_le_bytes(*last) ^ eight(b'0')) & (u64::MAX << (64 - 8 * len));
    if no_digits(digits) != 0 {
        return None;
    }
    Some(of_digits(digits))
}

/// So many figures with slashes between them, as [`number`] reads them, in at most sixteen bytes.
#[inline(always)]
pub(super) fn joined<const N: usize>(text: &[u8], part: Part) -> Option<[i64; N]> {
    let len = part.end.wrapping_sub(part.start);
    let first = part.end.wrapping_sub(16);
    let sixteen: &[u8; 16] = text.get(first..part.end)?.first_chunk()?;
    if len > 16 {
        return None;
    }
    let (low, high) = (sixteen.first_chunk()?, sixteen.last_chunk()?);
    let mask = |word: &[u8; 8]| {
        (equal(u64::from_le_bytes(*word), b'/') >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    };
    let mut slashes = (mask(low) | mask(high) << 8) >> (16 - len) << (16 - len);
    let (mut values, mut start) = ([0; N], part.start);
    for value in &mut values[..N - 1] {
        let slash = first + slashes.trailing_zeros() as usize;
        *value = number(text, Part { start, end: slash })?;
        start = slash + 1;
        slashes &= slashes.wrapping_sub(1);
    }
    values[N - 1] = number(text, Part { start, end: part.end })?;
    (slashes == 0).then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_every_length() {
        let text = b"xxxxxxxx12345678/9";
        for start in 8..16 {
            let plain = std::str::from_utf8(&text[start..16]).unwrap().parse().unwrap();
            assert_eq!(number(text, Part { start, end: 16 }), Some(plain));
        }
        assert_eq!(number(text, Part { start: 16, end: 16 }), None);
        assert_eq!(number(text, Part { start: 7, end: 16 }), None);
        for wrong in [&b"12345/78"[..], b"1234 678", b"\xB12345678", b"12:45678", b"1234567-"] {
            assert_eq!(number(wrong, Part { start: 0, end: 8 }), None);
            let last = number(wrong, Part { start: 7, end: 8 });
            assert_eq!(last.is_some(), wrong[7].is_ascii_digit());
        }
    }

    #[test]
    fn so_many_figures() {
        fn read<const N: usize>(text: &str) -> Option<[i64; N]> {
            let text = format!("......../1/2/3/4{text}");
            joined(text.as_bytes(), Part { start: 16, end: text.len() })
        }
        assert_eq!(read("0/1/22/333/4444"), Some([0, 1, 22, 333, 4444]));
        assert_eq!(read("7/65/40019"), Some([7, 65, 40019]));
        assert_eq!(read("0/0"), Some([0, 0]));
        assert_eq!(read::<5>("100/100/100/100/"), None);
        for wrong in ["0/1/2/3", "0/1/2/3/4/5", "-1/1/2/3/4", "0/1//3/4", "1/2/3/4/+5", "", "/////"]
        {
            assert_eq!(read::<5>(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn figures() {
        assert_eq!(single(b"-1"), Some(Figure { value: -1, is_plus: false }));
        assert_eq!(single(b"+385"), Some(Figure { value: 385, is_plus: true }));
        for text in ["", "-", "+", "1x", "1/", "1234567890123456"] {
            assert_eq!(single(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn joined_by_slashes() {
        let figures = Figures::parse(b"0/-1/3/4/+5").unwrap();
        assert_eq!(figures.all(), Some([0, -1, 3, 4, 5]));
        assert_eq!(figures.all::<3>(), None);
        assert!(figures.last_is_plus());
        for text in ["", "1/", "/1", "1//2", "1/2/3/4/5/6", "0/0/x"] {
            assert!(Figures::parse(text.as_bytes()).is_none(), "{text}");
        }
    }
}

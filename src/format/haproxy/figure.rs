//! The numbers of a session line: joined by slashes, below zero for what never came, with a plus for what goes on.

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

#[cfg(test)]
mod tests {
    use super::*;

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

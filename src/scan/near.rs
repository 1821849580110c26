//! Single bytes in short texts: a field of a line is mostly over before a call to a search routine has begun.
//!
//! One vector of sixteen bytes a step, inlined into the caller. The vector units used here are those that every processor of
//! the architecture has, so nothing is chosen at run time.

#[cfg(target_arch = "aarch64")]
use super::neon::{equal_bits, within_bits};
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use super::scalar::{equal_bits, within_bits};
#[cfg(target_arch = "x86_64")]
use super::x86::{equal_bits, within_bits};

/// Where `byte` first stands in `text[start..end]`, as a position in the text. What stands behind `end` is looked at
/// and does not count. A stretch that the text does not have holds nothing.
#[inline(always)] // A load, a comparison and a count of zeros, mostly.
pub fn find(byte: u8, text: &[u8], start: usize, end: usize) -> Option<usize> {
    let mut at = start;
    while at < end {
        let Some(sixteen) = text.get(at..)?.first_chunk() else {
            let found = at + text.get(at..end)?.iter().position(|other| *other == byte)?;
            return Some(found);
        };
        let equal = equal_bits(sixteen, byte);
        if equal != 0 {
            let found = at + equal.trailing_zeros() as usize;
            return (found < end).then_some(found);
        }
        at += 16;
    }
    None
}

/// Where one of `bytes` first stands in `text[start..]`, as a position in the text.
#[inline(always)] // As above, with a comparison a byte.
pub fn find_any<const N: usize>(bytes: [u8; N], text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let rest = text.get(at..)?;
        let Some(sixteen) = rest.first_chunk() else {
            let found = rest.iter().position(|byte| bytes.contains(byte))?;
            return Some(at + found);
        };
        match bytes.iter().fold(0, |bits, byte| bits | equal_bits(sixteen, *byte)) {
            0 => at += 16,
            bits => return Some(at + bits.trailing_zeros() as usize),
        }
    }
}

/// Where a byte first stands in `text[start..]` that lies in one of `ranges`, as a position in the text.
#[inline(always)] // As above, with two comparisons a range.
pub fn find_in<const N: usize>(ranges: [(u8, u8); N], text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let rest = text.get(at..)?;
        let Some(sixteen) = rest.first_chunk() else {
            let is_inside =
                |byte: &u8| ranges.iter().any(|(low, high)| (*low..=*high).contains(byte));
            return Some(at + rest.iter().position(is_inside)?);
        };
        match bits_within(&ranges, sixteen) {
            0 => at += 16,
            bits => return Some(at + bits.trailing_zeros() as usize),
        }
    }
}

/// The bytes that lie in one of `ranges`, as bits.
#[inline(always)]
fn bits_within<const N: usize>(ranges: &[(u8, u8); N], sixteen: &[u8; 16]) -> u32 {
    ranges.iter().fold(0, |bits, (low, high)| bits | within_bits(sixteen, *low, *high))
}

/// Where `byte` stands among 64, a bit a place.
#[inline(always)] // Four loads and comparisons.
pub fn places(byte: u8, text: &[u8; 64]) -> u64 {
    let (sixteens, _) = text.as_chunks::<16>();
    let bits = sixteens.iter().map(|sixteen| u64::from(equal_bits(sixteen, byte)));
    bits.rev().fold(0, |places, bits| places << 16 | bits)
}

/// Where the run of bytes that lie in one of `ranges` ends which begins at `start`.
#[inline(always)] // As above, with two comparisons a range.
pub fn end_of_run<const N: usize>(ranges: [(u8, u8); N], text: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(sixteen) = rest.first_chunk() else {
            let is_outside =
                |byte: &u8| !ranges.iter().any(|(low, high)| (*low..=*high).contains(byte));
            return at + rest.iter().position(is_outside).unwrap_or(rest.len());
        };
        match bits_within(&ranges, sixteen) {
            0xFFFF => at += 16,
            bits => return at + bits.trailing_ones() as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scalar;
    use super::*;

    #[test]
    fn finds_any_that_a_loop_finds() {
        let text: Vec<u8> =
            (0..80_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 26) as u8).collect();
        for start in 0..=text.len() {
            for bytes in [[7, 9, 60], [255, 254, 253], [text[79]; 3]] {
                let position = text[start..].iter().position(|byte| bytes.contains(byte));
                assert_eq!(find_any(bytes, &text, start), position.map(|at| start + at));
            }
        }
    }

    #[test]
    fn finds_what_a_loop_finds() {
        let text: Vec<u8> = (0..80_u32)
            .map(|at| if at.wrapping_mul(2_654_435_761) >> 28 == 0 { b' ' } else { 0xA0 })
            .collect();
        for start in 0..text.len() {
            for end in start..=text.len() {
                let position = text[start..end].iter().position(|byte| *byte == b' ');
                assert_eq!(find(b' ', &text, start, end), position.map(|at| start + at));
            }
        }
    }

    #[test]
    fn runs_end_where_a_loop_ends_them() {
        let text: Vec<u8> =
            (0..90_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x20).collect();
        for start in 0..=text.len() + 1 {
            for ranges in
                [[(0, 255), (7, 7)], [(0x20, 0xF0), (0xF1, 0xF1)], [(b'a', b'z'), (0x80, 0xFF)]]
            {
                let is_in =
                    |byte: &&u8| ranges.iter().any(|(low, high)| (*low..=*high).contains(byte));
                let len = text.get(start..).map_or(0, |rest| rest.iter().take_while(is_in).count());
                assert_eq!(end_of_run(ranges, &text, start), start + len);
                let first =
                    text.get(start..).and_then(|rest| rest.iter().position(|byte| is_in(&byte)));
                assert_eq!(find_in(ranges, &text, start), first.map(|first| start + first));
            }
        }
    }

    #[test]
    fn places_are_those_of_a_loop() {
        let text: [u8; 64] =
            std::array::from_fn(|at| (at as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3] & 3);
        for byte in 0..5 {
            let expected =
                text.iter().rev().fold(0, |bits, own| bits << 1 | u64::from(*own == byte));
            assert_eq!(places(byte, &text), expected);
        }
    }

    /// A line with another number of quotes than the definition has places of one that stood in another piece.
    #[test]
    fn finds_nothing_behind_the_text() {
        for (start, end) in [(160, 170), (130, 170), (100, 170), (125, 126)] {
            assert_eq!(find(b' ', &[b'x'; 125], start, end), None);
        }
    }

    #[test]
    fn the_vector_equals_its_twin() {
        for text in (0..=255_u8)
            .map(|byte| [byte, 0, b' ', b'x', byte, 9, 9, 0x80, 1, 2, 3, 4, 5, 6, 7, byte])
        {
            for byte in [0, b' ', 0x80, text[0]] {
                assert_eq!(equal_bits(&text, byte), scalar::equal_bits(&text, byte));
            }
            for (low, high) in [(0, 255), (b'0', b'9'), (0x80, 0xFF), (text[0], text[0]), (9, 0)] {
                assert_eq!(within_bits(&text, low, high), scalar::within_bits(&text, low, high));
            }
        }
    }
}

//! The plain twin of the vector kernels: what it finds is the truth.

use super::Marks;

/// Appends the positions of `\n` and of `mark` in `text`.
pub fn find(text: &[u8], mark: u8, marks: &mut Marks) {
    find_from(text, 0, mark, marks);
}

/// The same for a text that begins at `base` of a longer one: the tail that does not fill a vector.
pub(super) fn find_from(text: &[u8], base: u32, mark: u8, marks: &mut Marks) {
    for (position, byte) in (base..).zip(text) {
        if *byte == b'\n' {
            marks.newlines.push(position);
        } else if *byte == mark {
            marks.others.push(position);
        }
    }
}

/// A bit for each of the bytes that equal `byte`, the first the lowest.
#[cfg_attr(any(target_arch = "x86_64", target_arch = "aarch64"), allow(dead_code))]
pub(super) fn equal_bits(bytes: &[u8; 16], byte: u8) -> u32 {
    (0..).zip(bytes).fold(0, |bits, (at, other)| bits | u32::from(*other == byte) << at)
}

/// A bit for each of the bytes that is none below `low` and none above `high`, the first the lowest.
#[cfg_attr(any(target_arch = "x86_64", target_arch = "aarch64"), allow(dead_code))]
pub(super) fn within_bits(bytes: &[u8; 16], low: u8, high: u8) -> u32 {
    let is_within = |byte: &u8| (low..=high).contains(byte);
    (0..).zip(bytes).fold(0, |bits, (at, byte)| bits | u32::from(is_within(byte)) << at)
}

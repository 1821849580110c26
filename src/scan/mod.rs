//! Where the structure is: the positions of line feeds and of one other byte in a stretch of text.
//!
//! Parsers read along these positions instead of searching for each delimiter anew; what they still search for within a
//! field they [`find`] without a call. The kernel is chosen once, when
//! it is first used, by what the processor can do; [`scalar`] is the plain twin that the others have to equal.
//! The vector kernels are one of the two places of the crate with `unsafe`.
//!
//! The idea of finding structure in blocks first and reading along it afterwards is that of simdjson (Langdale and
//! Lemire, "Parsing Gigabytes of JSON per Second", 2019); there is no quote state here, because logs escape quotes in
//! ways that the format's parser knows better.

mod near;
#[cfg(target_arch = "aarch64")]
mod neon;
pub mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use self::near::{end_of_run, find, find_any, find_in, places};
use std::ops::Deref;
use std::sync::OnceLock;

/// What a kernel does: appends the positions of `\n` to one list and those of `mark` to the other, both ascending.
/// The text is at most `u32::MAX` bytes long.
type Kernel = fn(text: &[u8], mark: u8, marks: &mut Marks);

/// The positions that a kernel found.
#[derive(Debug, Default)]
pub struct Marks {
    /// Where the line feeds are.
    pub newlines: Positions,
    /// Where the other byte is.
    pub others: Positions,
}

/// Ascending positions. The room behind them stays initialised from text to text, so that writing some more than are
/// meant costs neither a branch nor a copy.
#[derive(Debug, Default)]
pub struct Positions {
    room: Vec<u32>,
    len: usize,
}

/// How many positions are written at most that are not meant.
const SURPLUS: usize = MARKS + 8;
/// How many line feeds and how many marks 64 bytes of a log mostly have at most.
const LINES: usize = 1;
const MARKS: usize = 4;

impl Positions {
    /// Forgets them.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds one.
    pub fn push(&mut self, position: u32) {
        self.make_room(1);
        self.room[self.len] = position;
        self.len += 1;
    }

    /// Adds those of the set bits of `mask`, each plus `base`. The first `USUAL` are written whether they are there or
    /// not, so that a text with no more of them in 64 bytes takes no branch. There has to be [room](Self::make_room).
    #[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code))]
    #[inline(always)] // The only work of the vector kernels beside a load and two comparisons.
    fn push_bits<const USUAL: usize>(&mut self, mut mask: u64, base: u32) {
        let Some(room) = self.room.get_mut(self.len..) else { return };
        self.len += mask.count_ones() as usize;
        let Some((usual, mut room)) = room.split_first_chunk_mut::<USUAL>() else { return };
        for position in usual {
            *position = base.wrapping_add(mask.trailing_zeros());
            mask &= mask.wrapping_sub(1);
        }
        while let (true, Some((eight, rest))) = (mask != 0, room.split_first_chunk_mut::<8>()) {
            for position in eight {
                *position = base.wrapping_add(mask.trailing_zeros());
                mask &= mask.wrapping_sub(1);
            }
            room = rest;
        }
    }

    /// Room for all positions that a text of that many bytes can have. Memory that is never written is never taken.
    fn make_room(&mut self, bytes: usize) {
        let room = self.len + bytes + SURPLUS;
        if self.room.len() < room {
            let known = std::mem::replace(&mut self.room, vec![0; room]);
            self.room[..self.len].copy_from_slice(&known[..self.len]);
        }
    }
}

impl Deref for Positions {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.room[..self.len]
    }
}

impl Marks {
    /// Room for the positions of a text, before they are written.
    fn make_room(&mut self, text: &[u8]) {
        self.newlines.make_room(text.len());
        self.others.make_room(text.len());
    }

    /// Finds the positions of `\n` and of `mark` in `text` and forgets those of before.
    ///
    /// # Panics
    /// When `text` is longer than `u32::MAX` bytes: pieces are far smaller.
    pub fn find(&mut self, text: &[u8], mark: u8) {
        assert!(u32::try_from(text.len()).is_ok(), "a piece of text is smaller than 4 GiB");
        self.newlines.clear();
        self.others.clear();
        kernel()(text, mark, self);
    }
}

/// The kernel for this processor. `LOGMILL_KERNEL=scalar` (or `avx2`) forces a lesser one, for comparisons.
fn kernel() -> Kernel {
    static CHOSEN: OnceLock<Kernel> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let wish = std::env::var("LOGMILL_KERNEL").ok();
        let kernels = available();
        let wished = kernels.iter().find(|(name, _)| Some(*name) == wish.as_deref());
        wished.or(kernels.first()).map_or(scalar::find as Kernel, |(_, kernel)| *kernel)
    })
}

/// The kernels that this processor can run, the best first, the scalar twin last.
pub fn available() -> Vec<(&'static str, Kernel)> {
    let mut kernels: Vec<(&'static str, Kernel)> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    kernels.extend(x86::available());
    #[cfg(target_arch = "aarch64")]
    kernels.extend(neon::available());
    kernels.push(("scalar", scalar::find));
    kernels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8]) {
        let mut expected = Marks::default();
        scalar::find(text, b'"', &mut expected);
        for (name, kernel) in available() {
            let mut found = Marks::default();
            kernel(text, b'"', &mut found);
            assert_eq!(*found.newlines, *expected.newlines, "{name}");
            assert_eq!(*found.others, *expected.others, "{name}");
        }
    }

    #[test]
    fn every_kernel_equals_its_twin_at_every_length_and_offset() {
        let text: Vec<u8> = (0..400_u32)
            .map(|at| match at.wrapping_mul(2_654_435_761) >> 28 {
                0..=2 => b'\n',
                3..=6 => b'"',
                7 => 0x8A, // Line feed with the top bit set: comparisons must not lose it.
                _ => b'x',
            })
            .collect();
        for start in 0..70 {
            for end in start..text.len() {
                check(&text[start..end]);
            }
        }
    }

    #[test]
    fn dense_and_empty_texts() {
        check(b"");
        check(&[b'\n'; 1000]);
        check(&[b'"'; 129]);
        check(&[b' '; 65]);
    }

    #[test]
    fn forgets_the_text_before() {
        let mut marks = Marks::default();
        marks.find(b"a\nb\n", b'"');
        marks.find(b"\"\n", b'"');
        assert_eq!((&*marks.newlines, &*marks.others), (&[1][..], &[0][..]));
    }
}

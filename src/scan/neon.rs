//! Vector kernel for aarch64: NEON, 64 bytes a step. Every aarch64 processor that Rust targets by default has it.
#![allow(unsafe_code)]

use std::arch::aarch64::{
    uint8x16_t, vaddv_u8, vandq_u8, vceqq_u8, vcgeq_u8, vcleq_u8, vdupq_n_u8, vget_high_u8,
    vget_low_u8, vld1q_u8,
};

use super::{Kernel, LINES, MARKS, Marks, scalar};

/// The kernels that this processor can run.
pub(super) fn available() -> Vec<(&'static str, Kernel)> {
    match std::arch::is_aarch64_feature_detected!("neon") {
        true => vec![("neon", neon)],
        false => Vec::new(),
    }
}

fn neon(text: &[u8], mark: u8, marks: &mut Marks) {
    // SAFETY: `available` hands this function out only where the processor has NEON.
    unsafe { find_neon(text, mark, marks) }
}

/// # Safety
/// The processor has NEON. Nothing else: every load lies within a chunk of the slice.
#[target_feature(enable = "neon")]
unsafe fn find_neon(text: &[u8], mark: u8, marks: &mut Marks) {
    marks.make_room(text);
    let (chunks, tail) = text.as_chunks::<64>();
    let (newline, other) = (vdupq_n_u8(b'\n'), vdupq_n_u8(mark));
    let mut base = 0;
    for chunk in chunks {
        let (mut newlines, mut others) = (0_u64, 0_u64);
        for (at, sixteen) in chunk.as_chunks::<16>().0.iter().enumerate() {
            // SAFETY: 16 readable bytes; the load asks for no alignment.
            let bytes = unsafe { vld1q_u8(sixteen.as_ptr()) };
            newlines |= bits(vceqq_u8(bytes, newline)) << (16 * at);
            others |= bits(vceqq_u8(bytes, other)) << (16 * at);
        }
        marks.newlines.push_bits::<LINES>(newlines, base);
        marks.others.push_bits::<MARKS>(others, base);
        base += 64;
    }
    scalar::find_from(tail, base, mark, marks);
}

/// One bit a byte that is all ones.
#[target_feature(enable = "neon")]
fn bits(equal: uint8x16_t) -> u64 {
    const WEIGHTS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    // SAFETY: 16 readable bytes of a constant.
    let weights = unsafe { vld1q_u8(WEIGHTS.as_ptr()) };
    let weighed = vandq_u8(equal, weights);
    let (low, high) = (vaddv_u8(vget_low_u8(weighed)), vaddv_u8(vget_high_u8(weighed)));
    u64::from(high) << 8 | u64::from(low)
}

/// A bit for each of the bytes that equal `byte`, the first the lowest.
#[cfg(target_feature = "neon")]
#[inline(always)] // A few instructions.
pub(super) fn equal_bits(bytes: &[u8; 16], byte: u8) -> u32 {
    // SAFETY: 16 readable bytes, and the load asks for no alignment. The build is for processors with NEON.
    unsafe { bits(vceqq_u8(vld1q_u8(bytes.as_ptr()), vdupq_n_u8(byte))) as u32 }
}

/// A bit for each of the bytes that is none below `low` and none above `high`, the first the lowest.
#[cfg(target_feature = "neon")]
#[inline(always)] // A few instructions.
pub(super) fn within_bits(bytes: &[u8; 16], low: u8, high: u8) -> u32 {
    // SAFETY: as above.
    unsafe {
        let bytes = vld1q_u8(bytes.as_ptr());
        let (is_low, is_high) =
            (vcgeq_u8(bytes, vdupq_n_u8(low)), vcleq_u8(bytes, vdupq_n_u8(high)));
        bits(vandq_u8(is_low, is_high)) as u32
    }
}

#[cfg(not(target_feature = "neon"))]
pub(super) use super::scalar::{equal_bits, within_bits};

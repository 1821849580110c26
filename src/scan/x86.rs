//! Vector kernels for x86-64: AVX-512 and AVX2, 64 bytes a step.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256i, _mm_and_si128, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_max_epu8, _mm_min_epu8,
    _mm_movemask_epi8, _mm_set1_epi8, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8,
    _mm256_set1_epi8, _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_set1_epi8,
};

use super::{Kernel, LINES, MARKS, Marks, scalar};

/// The kernels that this processor can run, the best first.
pub(super) fn available() -> Vec<(&'static str, Kernel)> {
    let mut kernels: Vec<(&'static str, Kernel)> = Vec::new();
    if std::is_x86_feature_detected!("avx512bw") && std::is_x86_feature_detected!("bmi2") {
        kernels.push(("avx512", avx512));
    }
    if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("bmi2") {
        kernels.push(("avx2", avx2));
    }
    kernels
}

fn avx512(text: &[u8], mark: u8, marks: &mut Marks) {
    // SAFETY: `available` hands this function out only where the processor has avx512bw, bmi1 (with bmi2) and popcnt.
    unsafe { find_avx512(text, mark, marks) }
}

fn avx2(text: &[u8], mark: u8, marks: &mut Marks) {
    // SAFETY: `available` hands this function out only where the processor has avx2, bmi1 (with bmi2) and popcnt.
    unsafe { find_avx2(text, mark, marks) }
}

/// # Safety
/// The processor has the named features. Nothing else: every load lies within a chunk of the slice.
#[target_feature(enable = "avx512f,avx512bw,bmi1,bmi2,popcnt")]
unsafe fn find_avx512(text: &[u8], mark: u8, marks: &mut Marks) {
    marks.make_room(text);
    let (chunks, tail) = text.as_chunks::<64>();
    let (newline, other) = (_mm512_set1_epi8(b'\n' as i8), _mm512_set1_epi8(mark as i8));
    let mut base = 0;
    for chunk in chunks {
        // SAFETY: the chunk is 64 readable bytes; the load asks for no alignment.
        let bytes = unsafe { _mm512_loadu_si512(chunk.as_ptr().cast()) };
        marks.newlines.push_bits::<LINES>(_mm512_cmpeq_epi8_mask(bytes, newline), base);
        marks.others.push_bits::<MARKS>(_mm512_cmpeq_epi8_mask(bytes, other), base);
        base += 64;
    }
    scalar::find_from(tail, base, mark, marks);
}

/// # Safety
/// The processor has the named features. Nothing else: every load lies within a chunk of the slice.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
unsafe fn find_avx2(text: &[u8], mark: u8, marks: &mut Marks) {
    marks.make_room(text);
    let (chunks, tail) = text.as_chunks::<64>();
    let (newline, other) = (_mm256_set1_epi8(b'\n' as i8), _mm256_set1_epi8(mark as i8));
    let mut base = 0;
    for chunk in chunks {
        // SAFETY: both halves of the chunk are 32 readable bytes; the loads ask for no alignment.
        let (low, high) = unsafe {
            let start: *const __m256i = chunk.as_ptr().cast();
            (_mm256_loadu_si256(start), _mm256_loadu_si256(start.add(1)))
        };
        let equal = |wanted: __m256i| -> u64 {
            let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)) as u32;
            let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)) as u32;
            u64::from(high) << 32 | u64::from(low)
        };
        marks.newlines.push_bits::<LINES>(equal(newline), base);
        marks.others.push_bits::<MARKS>(equal(other), base);
        base += 64;
    }
    scalar::find_from(tail, base, mark, marks);
}

/// A bit for each of the bytes that equal `byte`, the first the lowest.
#[inline(always)] // Four instructions.
pub(super) fn equal_bits(bytes: &[u8; 16], byte: u8) -> u32 {
    // SAFETY: 16 readable bytes, and the load asks for no alignment. Every x86-64 has SSE2.
    unsafe {
        let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
        _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8))) as u32
    }
}

/// A bit for each of the bytes that is none below `low` and none above `high`, the first the lowest.
#[inline(always)] // Six instructions.
pub(super) fn within_bits(bytes: &[u8; 16], low: u8, high: u8) -> u32 {
    // SAFETY: as above.
    unsafe {
        let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
        let is_low = _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8(low as i8)), bytes);
        let is_high = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(high as i8)), bytes);
        _mm_movemask_epi8(_mm_and_si128(is_low, is_high)) as u32
    }
}

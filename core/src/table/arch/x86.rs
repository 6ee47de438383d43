//! What the kernels for x86 share: single cells come in fours, a row of one cell is half a register, and rows are stored whole.
//!
//! Stores are assembly, because other threads may be reading the rows. Rust has no atomic store of a register of lanes;
//! assembly has: it means, to the compiler, relaxed atomic stores of the lanes, and that is what the CPU makes of it.

use core::arch::asm;
use core::arch::x86_64::*;

use zerocopy::byteorder::little_endian::{U32, U64};

use crate::stamp::Version;
use crate::table::row::Row1;
use crate::wire::Rows;

/// A frame's rows in fours: their slots, ages and values. The last three at most are left over.
#[inline(always)]
pub(super) fn fours<'a>(rows: &Rows<'a>) -> impl Iterator<Item = (&'a [U32; 4], &'a [U32; 4], &'a [U64; 4])> {
    let (slots, ages, values) =
        (rows.slots.as_chunks().0, rows.ages.as_chunks().0, rows.values.as_chunks().0);
    slots.iter().zip(ages).zip(values).map(|((slots, ages), values)| (slots, ages, values))
}

/// The rows from `at` on.
pub(super) fn from<'a>(rows: &Rows<'a>, at: usize) -> Rows<'a> {
    Rows { slots: &rows.slots[at..], ages: &rows.ages[at..], values: &rows.values[at..] }
}

/// Whether every slot is less than `len`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn within(slots: &[U32], len: usize) -> bool {
    let (eights, rest) = slots.as_chunks::<8>();
    let mut greatest = _mm256_setzero_si256();
    for eight in eights {
        // SAFETY: eight slots are 32 readable bytes; the load needs no alignment.
        let eight = unsafe { _mm256_loadu_si256(eight.as_ptr().cast()) };
        greatest = _mm256_max_epu32(greatest, eight);
    }
    let Some(last) = len.checked_sub(1) else { return slots.is_empty() };
    let last = _mm256_set1_epi32(last as i32);
    let beyond = _mm256_xor_si256(_mm256_max_epu32(greatest, last), last);
    _mm256_testz_si256(beyond, beyond) == 1 && rest.iter().all(|slot| (slot.get() as usize) < len)
}

/// The ages of four rows, without their reserved bits, as part of a version.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_ages(ages: &[U32; 4]) -> __m256i {
    // SAFETY: four ages are 16 readable bytes; the load needs no alignment.
    let ages = unsafe { _mm_loadu_si128(ages.as_ptr().cast()) };
    let ages = _mm256_cvtepu32_epi64(_mm_and_si128(ages, _mm_set1_epi32(Rows::AGE_MAX as i32)));
    _mm256_slli_epi64::<{ Version::SHIFT as i32 }>(ages)
}

/// The values of four rows.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_values(values: &[U64; 4]) -> __m256i {
    // SAFETY: four values are 32 readable bytes; the load needs no alignment.
    unsafe { _mm256_loadu_si256(values.as_ptr().cast()) }
}

/// The 64 bytes of a row's versions, or of an entry's values, in two registers.
///
/// # Safety
/// No other thread writes to them.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn load_halves<T, const N: usize>(lanes: &[T; N]) -> (__m256i, __m256i) {
    #[cfg(not(loom))]
    const {
        assert!(size_of::<[T; N]>() == 64)
    };
    let half = lanes.as_ptr().cast::<__m256i>();
    // SAFETY: the lanes are 64 readable bytes that nobody writes meanwhile; the loads need no alignment.
    unsafe { (_mm256_loadu_si256(half), _mm256_loadu_si256(half.add(1))) }
}

/// Two rows in one register: `low` in its lower half, `high` in its upper.
///
/// # Safety
/// Both are readable, aligned to 16 bytes, and not written by another thread.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn load_pair(low: *const Row1, high: *const Row1) -> __m256i {
    // SAFETY: as the caller promises.
    let (low, high) = unsafe { (_mm_load_si128(low.cast()), _mm_load_si128(high.cast())) };
    _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high)
}

/// Stores a row whole.
///
/// # Safety
/// `row` is a row of a table that only this thread writes to, aligned to 16 bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn store_row(row: *const Row1, cell: __m128i) {
    // SAFETY: a row's bytes are atomics, which may change behind a shared reference. The assembly stores to them
    // and does nothing else; it stands for the three steps of the row's protocol, of which a reader can only see
    // the last: a CPU with AVX makes an aligned store of 16 bytes at once (SDM 3A, 10.1.1; AMD says the same).
    unsafe {
        asm!("vmovdqa [{row}], {cell}", row = in(reg) row, cell = in(xmm_reg) cell, options(nostack, preserves_flags))
    }
}

/// Stores a row in the three steps of its protocol: locked versions, values, versions.
///
/// # Safety
/// `row` is a row of 128 bytes of a table that only this thread writes to, aligned to as many.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn store_blended<R>(
    row: &R,
    locked: (__m256i, __m256i),
    values: (__m256i, __m256i),
    versions: (__m256i, __m256i),
) {
    #[cfg(not(loom))]
    const {
        assert!(size_of::<R>() == 128)
    };
    // SAFETY: a row's bytes are atomics, which may change behind a shared reference. The assembly stores to them
    // and does nothing else. It stands for relaxed atomic stores of the lanes, with release fences between the
    // steps: x86 tears no lane that lies in one cache line, and makes stores visible in their order (SDM 3A,
    // 10.2.2).
    unsafe {
        asm!(
            "vmovdqa [{row}], {locked_lo}",
            "vmovdqa [{row} + 32], {locked_hi}",
            "vmovdqa [{row} + 64], {value_lo}",
            "vmovdqa [{row} + 96], {value_hi}",
            "vmovdqa [{row}], {version_lo}",
            "vmovdqa [{row} + 32], {version_hi}",
            row = in(reg) row,
            locked_lo = in(ymm_reg) locked.0,
            locked_hi = in(ymm_reg) locked.1,
            value_lo = in(ymm_reg) values.0,
            value_hi = in(ymm_reg) values.1,
            version_lo = in(ymm_reg) versions.0,
            version_hi = in(ymm_reg) versions.1,
            options(nostack, preserves_flags),
        );
    }
}

//! What the kernels for x86 share: single cells come in fours, and a row of one cell is half a register.

use core::arch::asm;
use core::arch::x86_64::*;

use zerocopy::byteorder::little_endian::{U32, U64};

use crate::table::row::Row1;
use crate::wire::Rows;

/// Four neighbouring entries of a frame of rows.
pub(super) struct Four<'a> {
    pub(super) slots: &'a [U32; 4],
    pub(super) ages: &'a [U32; 4],
    pub(super) values: &'a [U64; 4],
}

impl<'a> Four<'a> {
    /// Takes four entries off the front of `rows`.
    #[inline(always)]
    pub(super) fn split_off(rows: &mut Rows<'a>) -> Option<Self> {
        let (slots, more_slots) = rows.slots.split_first_chunk()?;
        let (ages, more_ages) = rows.ages.split_first_chunk()?;
        let (values, more_values) = rows.values.split_first_chunk()?;
        *rows = Rows { slots: more_slots, ages: more_ages, values: more_values };
        Some(Self { slots, ages, values })
    }

    /// As a frame of four entries.
    pub(super) fn rows(&self) -> Rows<'a> {
        Rows { slots: self.slots, ages: self.ages, values: self.values }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn load_slots(&self) -> __m128i {
        // SAFETY: four slots are 16 readable bytes; the load needs no alignment.
        unsafe { _mm_loadu_si128(self.slots.as_ptr().cast()) }
    }

    /// The ages, without their reserved bits.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn load_ages(&self) -> __m128i {
        // SAFETY: four ages are 16 readable bytes; the load needs no alignment.
        let ages = unsafe { _mm_loadu_si128(self.ages.as_ptr().cast()) };
        _mm_and_si128(ages, _mm_set1_epi32(Rows::AGE_MAX as i32))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn load_values(&self) -> __m256i {
        // SAFETY: four values are 32 readable bytes; the load needs no alignment.
        unsafe { _mm256_loadu_si256(self.values.as_ptr().cast()) }
    }
}

/// The 64 bytes of a row's versions, or of an entry's values, in two registers.
///
/// # Safety
/// No other thread writes to them.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn load_halves<T, const N: usize>(lanes: &[T; N]) -> (__m256i, __m256i) {
    const { assert!(size_of::<[T; N]>() == 64) };
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

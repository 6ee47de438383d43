//! Four lanes, in the 256-bit registers of AVX2 and FMA.

use core::arch::asm;
use core::arch::x86_64::*;

use super::lanes::{Block, LANES_MAX, Lanes};
use crate::lanes::entry::Entry;
use crate::lanes::job::Job;
use crate::lanes::table::Base;
use crate::lanes::{decide, fma, order};

cpufeatures::new!(cpu, "avx", "avx2", "fma", "bmi2");

/// The proof that this CPU has what this file needs.
#[derive(Clone, Copy)]
pub(in crate::lanes) struct Avx2(());

impl Avx2 {
    pub(in crate::lanes) fn detect() -> Option<Self> {
        cpu::get().then_some(Self(()))
    }

    /// Decides up to [`LOT_MAX`](crate::lanes::job::LOT_MAX) signatures.
    pub(in crate::lanes) fn check(self, base: Base<'_>, jobs: &[Job<'_>], verdicts: &mut [bool]) {
        // SAFETY: `self` exists, so `detect` found all features that `check` enables.
        unsafe { check(self, base, jobs, verdicts) }
    }

    /// Decides which of these points, of which `tables` hold 0 to 8 times, have order L.
    pub(in crate::lanes) fn check_order(self, tables: &[&[Entry]], verdicts: &mut [bool]) {
        // SAFETY: as above, of `check_order`.
        unsafe { check_order(self, tables, verdicts) }
    }

    /// The same for jobs whose tables are one short window.
    pub(in crate::lanes) fn check_short(self, base: Base<'_>, jobs: &[Job<'_>], verdicts: &mut [bool]) {
        // SAFETY: as above, of `check_short`.
        unsafe { check_short(self, base, jobs, verdicts) }
    }
}

#[target_feature(enable = "avx,avx2,fma,bmi2")]
fn check(lanes: Avx2, base: Base<'_>, jobs: &[Job<'_>], verdicts: &mut [bool]) {
    decide::check(lanes, fma::Fma(lanes), base, jobs, verdicts);
}

#[target_feature(enable = "avx,avx2,fma,bmi2")]
fn check_short(lanes: Avx2, base: Base<'_>, jobs: &[Job<'_>], verdicts: &mut [bool]) {
    decide::decide::<_, _, true>(lanes, fma::Fma(lanes), base, jobs, verdicts);
}

#[target_feature(enable = "avx,avx2,fma,bmi2")]
fn check_order(lanes: Avx2, tables: &[&[Entry]], verdicts: &mut [bool]) {
    order::check::<Avx2, _>(fma::Fma(lanes), tables, verdicts);
}

/// Each operation is intrinsics of features that `detect` found.
macro_rules! proven {
    ($call:expr) => {
        // SAFETY: an `Avx2` exists, so this CPU has the features that the intrinsics need.
        unsafe { $call }
    };
}

impl Lanes for Avx2 {
    const COUNT: usize = 4;
    type Ints = __m256i;
    type Floats = __m256d;

    #[inline(always)]
    fn ints(self, all: u64) -> __m256i {
        proven!(_mm256_set1_epi64x(all as i64))
    }
    #[inline(always)]
    fn floats(self, all: f64) -> __m256d {
        proven!(_mm256_set1_pd(all))
    }
    #[inline(always)]
    fn store(self, from: __m256i, to: &mut [u64; LANES_MAX]) {
        // SAFETY: the array has more than 32 writable bytes, and the CPU has the feature.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), from) }
    }

    #[inline(always)]
    fn add(self, a: __m256i, b: __m256i) -> __m256i {
        proven!(_mm256_add_epi64(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m256i, b: __m256i) -> __m256i {
        proven!(_mm256_sub_epi64(a, b))
    }
    #[inline(always)]
    fn xor3(self, a: __m256i, b: __m256i, c: __m256i) -> __m256i {
        proven!(_mm256_xor_si256(_mm256_xor_si256(a, b), c))
    }
    #[inline(always)]
    fn and_or(self, a: __m256i, mask: __m256i, bits: __m256i) -> __m256i {
        proven!(_mm256_or_si256(_mm256_and_si256(a, mask), bits))
    }
    #[inline(always)]
    fn shift_right<const BITS: u32>(self, a: __m256i) -> __m256i {
        proven!(_mm256_srl_epi64(a, _mm_cvtsi32_si128(BITS as i32)))
    }
    #[inline(always)]
    fn shift_left<const BITS: u32>(self, a: __m256i) -> __m256i {
        proven!(_mm256_sll_epi64(a, _mm_cvtsi32_si128(BITS as i32)))
    }
    #[inline(always)]
    fn rotate_right<const BITS: u32>(self, a: __m256i) -> __m256i {
        proven!(rotate(a, BITS as i32))
    }
    #[inline(always)]
    fn choose(self, a: __m256i, b: __m256i, c: __m256i) -> __m256i {
        proven!(_mm256_xor_si256(_mm256_and_si256(_mm256_xor_si256(b, c), a), c))
    }
    #[inline(always)]
    fn majority(self, a: __m256i, b: __m256i, c: __m256i) -> __m256i {
        proven!(_mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(c, _mm256_or_si256(a, b))))
    }
    #[inline(always)]
    fn times_19(self, a: __m256i) -> __m256i {
        let (two, sixteen) = (self.add(a, a), self.shift_left::<4>(a));
        // SAFETY: the CPU has the feature.
        let (two, sixteen) = unsafe { (opaque(two), opaque(sixteen)) };
        self.add(self.add(sixteen, two), a)
    }
    #[inline(always)]
    fn blend(self, bits: u8, a: __m256i, b: __m256i) -> __m256i {
        proven!(_mm256_blendv_epi8(a, b, spread(bits)))
    }

    #[inline(always)]
    fn add_floats(self, a: __m256d, b: __m256d) -> __m256d {
        proven!(_mm256_add_pd(a, b))
    }
    #[inline(always)]
    fn sub_floats(self, a: __m256d, b: __m256d) -> __m256d {
        proven!(_mm256_sub_pd(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: __m256d, b: __m256d, c: __m256d) -> __m256d {
        proven!(_mm256_fmadd_pd(a, b, c))
    }
    #[inline(always)]
    fn blend_floats(self, bits: u8, a: __m256d, b: __m256d) -> __m256d {
        proven!(_mm256_blendv_pd(a, b, _mm256_castsi256_pd(spread(bits))))
    }
    #[inline(always)]
    fn negate_floats(self, bits: u8, a: __m256d) -> __m256d {
        proven!(_mm256_xor_pd(a, _mm256_and_pd(_mm256_castsi256_pd(spread(bits)), _mm256_set1_pd(-0.0))))
    }

    #[inline(always)]
    fn to_bits(self, a: __m256d) -> __m256i {
        proven!(_mm256_castpd_si256(a))
    }
    #[inline(always)]
    fn of_bits(self, a: __m256i) -> __m256d {
        proven!(_mm256_castsi256_pd(a))
    }

    #[inline(always)]
    fn transpose(self, from: &[&Entry; LANES_MAX]) -> [__m256i; 16] {
        let mut words = [self.ints(0); 16];
        for quarter in 0..4 {
            let mut rows = [self.ints(0); 4];
            for (row, entry) in rows.iter_mut().zip(from) {
                // SAFETY: an entry is 128 readable bytes, of which this is one quarter.
                *row = unsafe { _mm256_loadu_si256(entry.0.as_ptr().add(4 * quarter).cast()) };
            }
            words[4 * quarter..4 * quarter + 4].copy_from_slice(&proven!(transpose4(rows)));
        }
        words
    }

    #[inline(always)]
    fn transpose_big_endian(self, from: &[Block; LANES_MAX]) -> [__m256i; 16] {
        let mut words = [self.ints(0); 16];
        for quarter in 0..4 {
            let mut rows = [self.ints(0); 4];
            for (row, block) in rows.iter_mut().zip(from) {
                // SAFETY: a block is 128 readable bytes, of which this is one quarter.
                *row = unsafe { _mm256_loadu_si256(block.0.as_ptr().add(32 * quarter).cast()) };
                *row = proven!(swap_bytes(*row));
            }
            words[4 * quarter..4 * quarter + 4].copy_from_slice(&proven!(transpose4(rows)));
        }
        words
    }
}

/// The same lanes, and the compiler does not know: it would make 19 a out of 16 a + 2 a + a, and multiply.
#[inline]
#[target_feature(enable = "avx")]
fn opaque(mut lanes: __m256i) -> __m256i {
    // SAFETY: no instruction at all.
    unsafe { asm!("/* {0} */", inout(ymm_reg) lanes, options(pure, nomem, nostack, preserves_flags)) };
    lanes
}

#[inline]
#[target_feature(enable = "avx2")]
fn rotate(a: __m256i, bits: i32) -> __m256i {
    let (right, left) = (_mm_cvtsi32_si128(bits), _mm_cvtsi32_si128(64 - bits));
    _mm256_or_si256(_mm256_srl_epi64(a, right), _mm256_sll_epi64(a, left))
}

/// Ones in the lanes whose bit is set.
#[inline]
#[target_feature(enable = "avx2")]
fn spread(bits: u8) -> __m256i {
    let each = _mm256_setr_epi64x(1, 2, 4, 8);
    _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(bits.into()), each), each)
}

#[inline]
#[target_feature(enable = "avx2")]
fn swap_bytes(a: __m256i) -> __m256i {
    let (low, high) = (0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f);
    _mm256_shuffle_epi8(a, _mm256_setr_epi64x(low, high, low, high))
}

/// Rows to columns.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose4(r: [__m256i; 4]) -> [__m256i; 4] {
    let (a0, a1) = (_mm256_unpacklo_epi64(r[0], r[1]), _mm256_unpackhi_epi64(r[0], r[1]));
    let (b0, b1) = (_mm256_unpacklo_epi64(r[2], r[3]), _mm256_unpackhi_epi64(r[2], r[3]));
    [
        _mm256_permute2x128_si256::<0x20>(a0, b0),
        _mm256_permute2x128_si256::<0x20>(a1, b1),
        _mm256_permute2x128_si256::<0x31>(a0, b0),
        _mm256_permute2x128_si256::<0x31>(a1, b1),
    ]
}

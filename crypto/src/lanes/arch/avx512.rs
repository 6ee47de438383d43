//! Eight lanes, in the 512-bit registers of AVX-512 F, BW, DQ and VL.

use core::arch::asm;
use core::arch::x86_64::*;

use super::lanes::{Block, LANES_MAX, Lanes};
use crate::lanes::entry::Entry;
use crate::lanes::job::Job;
use crate::lanes::table::Base;
use crate::lanes::{decide, fma, order};

cpufeatures::new!(cpu, "avx512f", "avx512bw", "avx512dq", "avx512vl", "fma", "bmi2");

/// The proof that this CPU has what this file needs.
#[derive(Clone, Copy)]
pub(in crate::lanes) struct Avx512(());

impl Avx512 {
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

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma,bmi2")]
fn check(lanes: Avx512, base: Base<'_>, jobs: &[Job<'_>], verdicts: &mut [bool]) {
    decide::check(lanes, fma::Fma(lanes), base, jobs, verdicts);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma,bmi2")]
fn check_short(lanes: Avx512, base: Base<'_>, jobs: &[Job<'_>], verdicts: &mut [bool]) {
    decide::decide::<_, _, true>(lanes, fma::Fma(lanes), base, jobs, verdicts);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma,bmi2")]
fn check_order(lanes: Avx512, tables: &[&[Entry]], verdicts: &mut [bool]) {
    order::check::<Avx512, _>(fma::Fma(lanes), tables, verdicts);
}

/// Each operation is one intrinsic of a feature that `detect` found.
macro_rules! proven {
    ($call:expr) => {
        // SAFETY: an `Avx512` exists, so this CPU has the features that the intrinsic needs.
        unsafe { $call }
    };
}

impl Lanes for Avx512 {
    const COUNT: usize = 8;
    type Ints = __m512i;
    type Floats = __m512d;

    #[inline(always)]
    fn ints(self, all: u64) -> __m512i {
        proven!(_mm512_set1_epi64(all as i64))
    }
    #[inline(always)]
    fn floats(self, all: f64) -> __m512d {
        proven!(_mm512_set1_pd(all))
    }
    #[inline(always)]
    fn store(self, from: __m512i, to: &mut [u64; LANES_MAX]) {
        // SAFETY: the array is 64 writable bytes, and the CPU has the feature.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), from) }
    }

    #[inline(always)]
    fn add(self, a: __m512i, b: __m512i) -> __m512i {
        proven!(_mm512_add_epi64(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512i, b: __m512i) -> __m512i {
        proven!(_mm512_sub_epi64(a, b))
    }
    #[inline(always)]
    fn xor3(self, a: __m512i, b: __m512i, c: __m512i) -> __m512i {
        proven!(_mm512_ternarylogic_epi64::<0b1001_0110>(a, b, c))
    }
    #[inline(always)]
    fn and_or(self, a: __m512i, mask: __m512i, bits: __m512i) -> __m512i {
        proven!(_mm512_ternarylogic_epi64::<0b1110_1010>(a, mask, bits))
    }
    #[inline(always)]
    fn shift_right<const BITS: u32>(self, a: __m512i) -> __m512i {
        proven!(_mm512_srli_epi64::<BITS>(a))
    }
    #[inline(always)]
    fn shift_left<const BITS: u32>(self, a: __m512i) -> __m512i {
        proven!(_mm512_slli_epi64::<BITS>(a))
    }
    #[inline(always)]
    fn rotate_right<const BITS: u32>(self, a: __m512i) -> __m512i {
        proven!(rotate(a, BITS as i64))
    }
    #[inline(always)]
    fn choose(self, a: __m512i, b: __m512i, c: __m512i) -> __m512i {
        proven!(_mm512_ternarylogic_epi64::<0b1100_1010>(a, b, c))
    }
    #[inline(always)]
    fn majority(self, a: __m512i, b: __m512i, c: __m512i) -> __m512i {
        proven!(_mm512_ternarylogic_epi64::<0b1110_1000>(a, b, c))
    }
    #[inline(always)]
    fn times_19(self, a: __m512i) -> __m512i {
        let (two, sixteen) = (self.add(a, a), self.shift_left::<4>(a));
        // SAFETY: the CPU has the feature.
        let (two, sixteen) = unsafe { (opaque(two), opaque(sixteen)) };
        self.add(self.add(sixteen, two), a)
    }
    #[inline(always)]
    fn blend(self, bits: u8, a: __m512i, b: __m512i) -> __m512i {
        proven!(_mm512_mask_blend_epi64(bits, a, b))
    }

    #[inline(always)]
    fn add_floats(self, a: __m512d, b: __m512d) -> __m512d {
        proven!(_mm512_add_pd(a, b))
    }
    #[inline(always)]
    fn sub_floats(self, a: __m512d, b: __m512d) -> __m512d {
        proven!(_mm512_sub_pd(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: __m512d, b: __m512d, c: __m512d) -> __m512d {
        proven!(_mm512_fmadd_pd(a, b, c))
    }
    #[inline(always)]
    fn blend_floats(self, bits: u8, a: __m512d, b: __m512d) -> __m512d {
        proven!(_mm512_mask_blend_pd(bits, a, b))
    }
    #[inline(always)]
    fn negate_floats(self, bits: u8, a: __m512d) -> __m512d {
        let sign = self.ints(1 << 63);
        let a = self.to_bits(a);
        self.of_bits(proven!(_mm512_mask_xor_epi64(a, bits, a, sign)))
    }

    #[inline(always)]
    fn to_bits(self, a: __m512d) -> __m512i {
        proven!(_mm512_castpd_si512(a))
    }
    #[inline(always)]
    fn of_bits(self, a: __m512i) -> __m512d {
        proven!(_mm512_castsi512_pd(a))
    }

    #[inline(always)]
    fn transpose(self, from: &[&Entry; LANES_MAX]) -> [__m512i; 16] {
        let mut rows = [[self.ints(0); 8]; 2];
        for (lane, entry) in from.iter().enumerate() {
            let words = entry.0.as_ptr();
            // SAFETY: an entry is 128 readable bytes, of which these are the two halves.
            (rows[0][lane], rows[1][lane]) =
                unsafe { (_mm512_loadu_si512(words.cast()), _mm512_loadu_si512(words.add(8).cast())) };
        }
        let (low, high) = proven!((transpose8(rows[0]), transpose8(rows[1])));
        [
            low[0], low[1], low[2], low[3], low[4], low[5], low[6], low[7], high[0], high[1], high[2],
            high[3], high[4], high[5], high[6], high[7],
        ]
    }

    #[inline(always)]
    fn transpose_big_endian(self, from: &[Block; LANES_MAX]) -> [__m512i; 16] {
        let mut rows = [[self.ints(0); 8]; 2];
        for (lane, block) in from.iter().enumerate() {
            let bytes = block.0.as_ptr();
            // SAFETY: a block is 128 readable bytes, of which these are the two halves.
            (rows[0][lane], rows[1][lane]) =
                unsafe { (_mm512_loadu_si512(bytes.cast()), _mm512_loadu_si512(bytes.add(64).cast())) };
            (rows[0][lane], rows[1][lane]) = proven!((swap_bytes(rows[0][lane]), swap_bytes(rows[1][lane])));
        }
        let (low, high) = proven!((transpose8(rows[0]), transpose8(rows[1])));
        [
            low[0], low[1], low[2], low[3], low[4], low[5], low[6], low[7], high[0], high[1], high[2],
            high[3], high[4], high[5], high[6], high[7],
        ]
    }
}

/// The same lanes, and the compiler does not know: it would make 19 a out of 16 a + 2 a + a, and multiply.
#[inline]
#[target_feature(enable = "avx512f")]
fn opaque(mut lanes: __m512i) -> __m512i {
    // SAFETY: no instruction at all.
    unsafe { asm!("/* {0} */", inout(zmm_reg) lanes, options(pure, nomem, nostack, preserves_flags)) };
    lanes
}

#[inline]
#[target_feature(enable = "avx512f")]
fn rotate(a: __m512i, bits: i64) -> __m512i {
    _mm512_rorv_epi64(a, _mm512_set1_epi64(bits))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn swap_bytes(a: __m512i) -> __m512i {
    let order = _mm512_set4_epi64(
        0x0809_0a0b_0c0d_0e0f,
        0x0001_0203_0405_0607,
        0x0809_0a0b_0c0d_0e0f,
        0x0001_0203_0405_0607,
    );
    _mm512_shuffle_epi8(a, order)
}

/// Rows to columns.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose8(r: [__m512i; 8]) -> [__m512i; 8] {
    // Pairs of words, then pairs of 128 bits, then of 256.
    let even = |a, b| _mm512_unpacklo_epi64(a, b);
    let odd = |a, b| _mm512_unpackhi_epi64(a, b);
    let (a0, a1) = (even(r[0], r[1]), odd(r[0], r[1]));
    let (b0, b1) = (even(r[2], r[3]), odd(r[2], r[3]));
    let (c0, c1) = (even(r[4], r[5]), odd(r[4], r[5]));
    let (d0, d1) = (even(r[6], r[7]), odd(r[6], r[7]));
    let quad = |a, b, c, d| {
        // Words 0 and 4 of lanes a, b; words 2 and 6.
        let (ab04, ab26) =
            (_mm512_shuffle_i64x2::<0b10_00_10_00>(a, b), _mm512_shuffle_i64x2::<0b11_01_11_01>(a, b));
        let (cd04, cd26) =
            (_mm512_shuffle_i64x2::<0b10_00_10_00>(c, d), _mm512_shuffle_i64x2::<0b11_01_11_01>(c, d));
        [
            _mm512_shuffle_i64x2::<0b10_00_10_00>(ab04, cd04),
            _mm512_shuffle_i64x2::<0b10_00_10_00>(ab26, cd26),
            _mm512_shuffle_i64x2::<0b11_01_11_01>(ab04, cd04),
            _mm512_shuffle_i64x2::<0b11_01_11_01>(ab26, cd26),
        ]
    };
    let [w0, w2, w4, w6] = quad(a0, b0, c0, d0);
    let [w1, w3, w5, w7] = quad(a1, b1, c1, d1);
    [w0, w1, w2, w3, w4, w5, w6, w7]
}

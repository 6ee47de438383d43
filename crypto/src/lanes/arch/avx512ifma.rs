//! The lanes of AVX-512 with its 52-bit integer multiply-add, IFMA.

use core::arch::x86_64::*;

use super::avx512::Avx512;
use super::lanes::MulAdd52;
use crate::lanes::entry::Entry;
use crate::lanes::job::Job;
use crate::lanes::table::Base;
use crate::lanes::{decide, ifma, order};

cpufeatures::new!(cpu, "avx512f", "avx512ifma");

/// The proof that this CPU has what this file needs.
#[derive(Clone, Copy)]
pub(in crate::lanes) struct Avx512Ifma(Avx512);

impl Avx512Ifma {
    pub(in crate::lanes) fn detect() -> Option<Self> {
        Avx512::detect().filter(|_| cpu::get()).map(Self)
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

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512ifma,fma,bmi2")]
fn check(lanes: Avx512Ifma, base: Base<'_>, jobs: &[Job<'_>], verdicts: &mut [bool]) {
    decide::check(lanes.0, ifma::Ifma(lanes), base, jobs, verdicts);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512ifma,fma,bmi2")]
fn check_short(lanes: Avx512Ifma, base: Base<'_>, jobs: &[Job<'_>], verdicts: &mut [bool]) {
    decide::decide::<_, _, true>(lanes.0, ifma::Ifma(lanes), base, jobs, verdicts);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512ifma,fma,bmi2")]
fn check_order(lanes: Avx512Ifma, tables: &[&[Entry]], verdicts: &mut [bool]) {
    order::check::<Avx512, _>(ifma::Ifma(lanes), tables, verdicts);
}

impl MulAdd52 for Avx512Ifma {
    type Lanes = Avx512;

    #[inline(always)]
    fn lanes(self) -> Avx512 {
        self.0
    }
    #[inline(always)]
    fn add_low(self, sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: an `Avx512Ifma` exists, so this CPU has the feature.
        unsafe { _mm512_madd52lo_epu64(sum, a, b) }
    }
    #[inline(always)]
    fn add_high(self, sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_madd52hi_epu64(sum, a, b) }
    }
}

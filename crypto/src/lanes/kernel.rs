//! Which instructions verify: chosen once, printable, forcible.

use alloc::sync::Arc;
use core::fmt;
use core::ops::Range;
use core::str::FromStr;

#[cfg(target_arch = "x86_64")]
use super::arch::{Lanes, avx2::Avx2, avx512::Avx512, avx512ifma::Avx512Ifma};
use super::digits::Windows;
use super::entry::{Entry, Form};
use super::job::Job;
use super::portable;
use super::table::BaseTable;

/// A way to verify. All give the same verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kernel {
    /// ed25519-dalek's `verify_strict`, one by one, no tables: the floor under everything, and what every other
    /// kernel falls back to.
    Dalek,
    /// Tables of known keys, plain code for any machine.
    Portable,
    /// The same, four signatures at a time in the lanes of AVX2 and FMA.
    Avx2,
    /// The same, eight signatures at a time in the lanes of AVX-512 F, BW, DQ and VL.
    Avx512,
    /// The same with IFMA, the 52-bit multiply-add of integers.
    Avx512Ifma,
}

impl Kernel {
    /// All of them, slowest first.
    pub const ALL: [Self; 5] = [Self::Dalek, Self::Portable, Self::Avx2, Self::Avx512, Self::Avx512Ifma];

    /// The best one that this CPU runs.
    pub fn detect() -> Self {
        Self::all_available().last().expect("the portable kernel runs everywhere")
    }

    /// Whether this CPU, and the system on it, run it.
    pub fn available(self) -> bool {
        match self {
            Self::Dalek => true,
            kernel => With::new(kernel).is_some(),
        }
    }

    /// Those that this CPU runs, slowest first.
    pub fn all_available() -> impl DoubleEndedIterator<Item = Self> {
        Self::ALL.into_iter().filter(|kernel| kernel.available())
    }

    /// Its name in settings and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dalek => "dalek",
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Ifma => "avx512ifma",
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKernel;

impl fmt::Display for UnknownKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a kernel is one of dalek, portable, avx2, avx512, avx512ifma")
    }
}

impl core::error::Error for UnknownKernel {}

impl FromStr for Kernel {
    type Err = UnknownKernel;

    fn from_str(name: &str) -> Result<Self, UnknownKernel> {
        Self::ALL.into_iter().find(|kernel| kernel.name() == name).ok_or(UnknownKernel)
    }
}

/// A kernel that was found to run on this CPU, with the base point's table in the form that it reads.
#[derive(Clone)]
pub(super) struct Ready {
    with: With,
    base: Arc<BaseTable>,
}

#[derive(Clone, Copy)]
enum With {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx512Ifma(Avx512Ifma),
}

impl Ready {
    /// Nothing for [`Kernel::Dalek`], which needs no tables, and for what this CPU does not run.
    pub(super) fn new(kernel: Kernel, base: Windows) -> Option<Self> {
        let with = With::new(kernel)?;
        Some(Self { with, base: BaseTable::shared(base, with.form()) })
    }

    /// How the tables of keys are to be written.
    pub(super) fn form(&self) -> Form {
        self.with.form()
    }

    /// Where the base point's table is.
    pub(super) fn base_memory(&self) -> Range<*const u8> {
        self.base.memory()
    }

    /// Decides up to [`LOT_MAX`](super::job::LOT_MAX) signatures, each by itself.
    #[inline]
    pub(super) fn check(&self, jobs: &[Job<'_>], verdicts: &mut [bool]) {
        match self.with {
            With::Portable => portable::check(Form::Words, self.base.base().long(), jobs, verdicts),
            #[cfg(target_arch = "x86_64")]
            With::Avx2(lanes) => lanes.check(self.base.base(), jobs, verdicts),
            #[cfg(target_arch = "x86_64")]
            With::Avx512(lanes) => lanes.check(self.base.base(), jobs, verdicts),
            #[cfg(target_arch = "x86_64")]
            With::Avx512Ifma(lanes) => lanes.check(self.base.base(), jobs, verdicts),
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl Ready {
    /// How many signatures the kernel decides side by side; nothing if it does not.
    pub(super) fn lanes(&self) -> Option<usize> {
        match self.with {
            With::Portable => None,
            With::Avx2(_) => Some(Avx2::COUNT),
            With::Avx512(_) | With::Avx512Ifma(_) => Some(Avx512::COUNT),
        }
    }

    /// Decides for each of `tables`, which are one short window each, whether its point has order L.
    ///
    /// # Panics
    /// When the kernel has no lanes.
    pub(super) fn check_order(&self, tables: &[&[Entry]], verdicts: &mut [bool]) {
        match self.with {
            With::Portable => unreachable!("who has no lanes is not asked"),
            With::Avx2(lanes) => lanes.check_order(tables, verdicts),
            With::Avx512(lanes) => lanes.check_order(tables, verdicts),
            With::Avx512Ifma(lanes) => lanes.check_order(tables, verdicts),
        }
    }

    /// Decides up to [`LOT_MAX`](super::job::LOT_MAX) signatures whose tables are one short window.
    ///
    /// # Panics
    /// When the kernel has no lanes.
    #[inline]
    pub(super) fn check_short(&self, jobs: &[Job<'_>], verdicts: &mut [bool]) {
        match self.with {
            With::Portable => unreachable!("who has no lanes is not asked"),
            With::Avx2(lanes) => lanes.check_short(self.base.base(), jobs, verdicts),
            With::Avx512(lanes) => lanes.check_short(self.base.base(), jobs, verdicts),
            With::Avx512Ifma(lanes) => lanes.check_short(self.base.base(), jobs, verdicts),
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Ready {
    /// No kernel there has lanes.
    pub(super) fn lanes(&self) -> Option<usize> {
        None
    }

    pub(super) fn check_short(&self, _: &[Job<'_>], _: &mut [bool]) {
        unreachable!("who has no lanes is not asked")
    }

    pub(super) fn check_order(&self, _: &[&[Entry]], _: &mut [bool]) {
        unreachable!("who has no lanes is not asked")
    }
}

impl With {
    fn new(kernel: Kernel) -> Option<Self> {
        match kernel {
            Kernel::Dalek => None,
            Kernel::Portable => Some(Self::Portable),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => Avx2::detect().map(Self::Avx2),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => Avx512::detect().map(Self::Avx512),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512Ifma => Avx512Ifma::detect().map(Self::Avx512Ifma),
            #[cfg(not(target_arch = "x86_64"))]
            Kernel::Avx2 | Kernel::Avx512 | Kernel::Avx512Ifma => None,
        }
    }

    fn form(self) -> Form {
        match self {
            Self::Portable => Form::Words,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Ifma(_) => Form::Words,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) | Self::Avx512(_) => Form::Floats,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn names_lead_back_to_kernels() {
        for kernel in Kernel::ALL {
            assert_eq!(kernel.to_string().parse(), Ok(kernel));
            assert!(UnknownKernel.to_string().contains(kernel.name()));
        }
        assert_eq!("best".parse::<Kernel>(), Err(UnknownKernel));
    }
}

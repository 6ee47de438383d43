//! Which instructions merge: chosen once, printable, forcible.

use core::fmt;
use core::str::FromStr;

#[cfg(target_arch = "x86_64")]
use super::arch::{avx2::Avx2, avx512::Avx512};

/// A way to merge. All give the same tables, counts and reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kernel {
    /// Plain code for any machine: the specification.
    Portable,
    /// AVX2.
    Avx2,
    /// AVX-512 F, BW, DQ and VL, on 256-bit registers: 512-bit ones lower the clock of many CPUs.
    Avx512,
}

impl Kernel {
    /// All of them, slowest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// The best one that this CPU runs.
    pub fn detect() -> Self {
        Self::all_available().last().expect("the portable kernel runs everywhere")
    }

    /// Whether this CPU, and the system on it, run it.
    pub fn available(self) -> bool {
        Proven::new(self).is_some()
    }

    /// Those that this CPU runs, slowest first.
    pub fn all_available() -> impl DoubleEndedIterator<Item = Self> {
        Self::ALL.into_iter().filter(|kernel| kernel.available())
    }

    /// Its name in settings and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512vl",
        }
    }
}

const _: () = {
    let mut i = 0;
    while i < Kernel::ALL.len() {
        assert!(Kernel::ALL[i] as usize == i, "the slowest first, and each once");
        i += 1;
    }
};

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
        f.write_str("a kernel is one of portable, avx2, avx512vl")
    }
}

impl core::error::Error for UnknownKernel {}

impl FromStr for Kernel {
    type Err = UnknownKernel;

    fn from_str(name: &str) -> Result<Self, UnknownKernel> {
        Self::ALL.into_iter().find(|kernel| kernel.name() == name).ok_or(UnknownKernel)
    }
}

/// A kernel that was found to run on this CPU. Calling it needs no further thought: no other value exists.
#[derive(Clone, Copy)]
pub(super) enum Proven {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Proven {
    pub(super) fn new(kernel: Kernel) -> Option<Self> {
        match kernel {
            Kernel::Portable => Some(Self::Portable),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => Avx2::detect().map(Self::Avx2),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => Avx512::detect().map(Self::Avx512),
            #[cfg(not(target_arch = "x86_64"))]
            Kernel::Avx2 | Kernel::Avx512 => None,
        }
    }

    /// The kernel that a table was told to use.
    ///
    /// # Panics
    /// When this CPU does not run it: whoever lets a person choose asks [`Kernel::available`] first.
    pub(super) fn expect(kernel: Kernel) -> Self {
        let proven = Self::new(kernel).unwrap_or_else(|| panic!("this CPU does not run the {kernel} kernel"));
        assert!(proven.kernel() == kernel, "asked for {kernel}, and got {}", proven.kernel());
        proven
    }

    pub(super) fn kernel(self) -> Kernel {
        match self {
            Self::Portable => Kernel::Portable,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => Kernel::Avx2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => Kernel::Avx512,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_name_read_back_is_the_same_kernel() {
        for kernel in Kernel::ALL {
            assert_eq!(kernel.to_string().parse(), Ok(kernel));
        }
        assert_eq!("sse9".parse::<Kernel>(), Err(UnknownKernel));
        assert!(Kernel::ALL.iter().all(|kernel| UnknownKernel.to_string().contains(kernel.name())));
    }

    #[test]
    fn the_detected_kernel_is_available() {
        assert!(Kernel::Portable.available() && Kernel::detect().available());
    }
}

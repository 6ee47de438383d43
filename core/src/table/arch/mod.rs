//! The merge kernels: [`portable`] says what they do, the others do the same faster.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
pub(super) mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

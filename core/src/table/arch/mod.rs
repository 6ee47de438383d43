//! The merge kernels: [`portable`] says what they do, the others do the same faster.

pub(super) mod portable;

/// Asks for both lines of a row of 128 bytes. The address need not lie in a table.
#[inline(always)]
pub(super) fn prefetch_row<R>(row: *const R) {
    prefetch(row.cast());
    prefetch(row.wrapping_byte_add(64).cast());
}

/// Asks for the line of an address, which need not lie anywhere.
#[inline(always)]
pub(super) fn prefetch(address: *const i8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing that the program could see, and does not fault whatever the address.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

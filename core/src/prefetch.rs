//! Asks the CPU for a cache line before it is needed.

#![allow(unsafe_code)]

/// Begins to bring the line that holds the first byte of `place` into the first-level cache. A hint: nothing
/// waits for it, and it changes nothing that a program can read. Does nothing on CPUs without the instruction.
#[inline(always)]
pub fn prefetch<T: ?Sized>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: SSE is part of every x86-64; a prefetch never faults, whatever the address, and `place` is
        // a valid one.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(place).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

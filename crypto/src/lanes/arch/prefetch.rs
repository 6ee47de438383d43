//! Asking for memory before it is needed.

use crate::lanes::entry::Entry;

/// Asks for an entry to be brought near. On CPUs other than x86-64, nothing.
#[inline(always)]
pub(in crate::lanes) fn prefetch(entry: &Entry) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let words = entry.0.as_ptr();
        // SAFETY: a prefetch is a hint about any address, and every x86-64 has it; these are an entry's two lines.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(words.cast());
            _mm_prefetch::<_MM_HINT_T0>(words.add(8).cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = entry;
}

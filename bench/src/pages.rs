//! Memory for tables as a node would have it: in huge pages.

use octick_core::table::Region;

/// A region of `len` bytes, in huge pages where the system gives any.
pub fn region(len: usize) -> Region {
    let region = Region::heap(len.next_multiple_of(Region::ALIGN));
    // SAFETY: the range is the region's own, page-aligned memory; collapsing moves it to other frames of physical
    // memory and changes nothing that a program can read. Refusal costs time, not correctness.
    unsafe { libc::madvise(region.base().as_ptr().cast(), region.len(), libc::MADV_COLLAPSE) };
    region
}

/// Asks for huge pages under memory that nothing has touched yet.
pub fn advise(memory: std::ops::Range<*const u8>) {
    let len = memory.end.addr() - memory.start.addr();
    // SAFETY: the range is whole pages of one live allocation, and the advice changes nothing that a program can read.
    unsafe { libc::madvise(memory.start.cast_mut().cast(), len, libc::MADV_HUGEPAGE) };
}

//! Memory for tables as a node would have it: in huge pages.

/// Asks for huge pages under memory that nothing has touched yet.
pub fn advise(memory: std::ops::Range<*const u8>) {
    let len = memory.end.addr() - memory.start.addr();
    // SAFETY: the range is whole pages of one live allocation, and the advice changes nothing that a program can read.
    unsafe { libc::madvise(memory.start.cast_mut().cast(), len, libc::MADV_HUGEPAGE) };
}

//! Big mappings: tables and buffers that live in 2 MiB pages where the kernel has them.

#![allow(unsafe_code)]

use std::io;
use std::ptr::{self, NonNull};

use octick_core::table::Region;

/// The huge page this asks for, bytes. Where the kernel has none, ordinary pages serve, two to three times slower
/// on tables that leave the cache.
const HUGE_PAGE: usize = 2 << 20;

/// An ordinary page, bytes.
const PAGE: usize = 4096;

fn too_long() -> io::Error {
    io::ErrorKind::OutOfMemory.into()
}

/// Anonymous private memory, zeroed, unmapped on drop.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread, and this handle reads and writes nothing itself.
unsafe impl Send for Mapping {}
// SAFETY: as above; `start` and `len` never change.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// At least `len` bytes in whole 2 MiB pages, aligned to them, asked to be huge before the first touch.
    pub(crate) fn huge(len: usize) -> io::Result<Self> {
        let len = len.max(1).checked_next_multiple_of(HUGE_PAGE).ok_or_else(too_long)?;
        Self::aligned(len)
    }

    /// The same, but for a tail of less than a quarter of such a page, which lies in ordinary pages: a pool of 64 buffers is 16 KiB
    /// longer than 4 MiB, and takes no 6 for that.
    pub(crate) fn mostly_huge(len: usize) -> io::Result<Self> {
        if len < HUGE_PAGE || len % HUGE_PAGE >= HUGE_PAGE / 4 {
            return Self::huge(len);
        }
        Self::aligned(len.checked_next_multiple_of(PAGE).ok_or_else(too_long)?)
    }

    /// `len` bytes, whole ordinary pages, of which the whole huge ones are asked to be huge.
    fn aligned(len: usize) -> io::Result<Self> {
        // A mapping starts at any page: one more huge page has room for the alignment.
        let wide = Self::pages(len.checked_add(HUGE_PAGE).ok_or_else(too_long)?)?;
        let before = wide.start.as_ptr().addr().wrapping_neg() % HUGE_PAGE;
        let mapping = wide.trim(before, len);
        let huge = mapping.len / HUGE_PAGE * HUGE_PAGE;
        // SAFETY: `huge <= mapping.len`, so only pages of this mapping; the advice changes no content. Its refusal (no huge
        // pages in this kernel) leaves ordinary pages, which is what the type promises at least.
        unsafe { libc::madvise(mapping.start.as_ptr().cast(), huge, libc::MADV_HUGEPAGE) };
        Ok(mapping)
    }

    /// At least `len` bytes of ordinary pages.
    pub(crate) fn pages(len: usize) -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory that exists.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, access, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).expect("the kernel never maps page zero unasked");
        Ok(Self { start, len })
    }

    /// First byte.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Brings every page in now, so that the hot path never faults.
    pub(crate) fn populate(&self) {
        for at in (0..self.len).step_by(PAGE) {
            // SAFETY: `at` is inside the mapping; nobody else has the address yet, and zero is what is there.
            unsafe { self.start.add(at).write_volatile(0) };
        }
    }

    /// Keeps `len` bytes from `before` on and gives the rest back.
    fn trim(self, before: usize, len: usize) -> Self {
        let wide = std::mem::ManuallyDrop::new(self);
        assert!(before + len <= wide.len);
        // SAFETY: `before + len <= wide.len`, so both cuts lie inside the mapping, which nobody refers to yet;
        // `before` and `len` are multiples of the ordinary page.
        let start = unsafe {
            let start = wide.start.add(before);
            if before > 0 {
                libc::munmap(wide.start.as_ptr().cast(), before);
            }
            let after = wide.len - before - len;
            if after > 0 {
                libc::munmap(start.add(len).as_ptr().cast(), after);
            }
            start
        };
        Self { start, len }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly the pages this value owns; whoever handed out pointers into it keeps it alive.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Has the kernel write no core dump of this process, and lets no other process of the same user look into its memory: keys are in it.
///
/// # Errors
/// The kernel does not do so.
pub fn forbid_core_dumps() -> io::Result<()> {
    // SAFETY: takes no pointers, and changes no memory.
    match unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Asks for huge pages under memory that nothing has touched yet, such as
/// [`Verifier::table_memory`](octick_crypto::Verifier::table_memory).
pub fn advise_huge(memory: std::ops::Range<*const u8>) {
    let len = memory.end.addr() - memory.start.addr();
    // SAFETY: advice changes no content, whatever the range; its refusal leaves ordinary pages.
    unsafe { libc::madvise(memory.start.cast_mut().cast(), len, libc::MADV_HUGEPAGE) };
}

/// Asks for memory that is in use already to be moved into huge pages, where the kernel can (Linux 6.1), such as
/// [`Verifier::base_memory`](octick_crypto::Verifier::base_memory).
pub fn collapse_huge(memory: std::ops::Range<*const u8>) {
    advise_huge(memory.clone());
    let len = memory.end.addr() - memory.start.addr();
    // SAFETY: as above; the content stays what it is.
    unsafe { libc::madvise(memory.start.cast_mut().cast(), len, libc::MADV_COLLAPSE) };
}

/// Memory for a table, in huge pages where the kernel has them.
///
/// # Errors
/// The kernel has no more memory.
pub fn huge_region(len: usize) -> io::Result<Region> {
    let mapping = Mapping::huge(len)?;
    let (start, mapped) = (mapping.start, mapping.len);
    std::mem::forget(mapping);
    // SAFETY: a fresh mapping of `mapped` zeroed bytes, aligned to a huge page, whose only owner was just forgotten.
    Ok(unsafe { Region::from_raw(start, mapped, unmap) })
}

/// # Safety
/// `start` and `len` are those of a whole mapping that nobody uses any more.
unsafe fn unmap(start: NonNull<u8>, len: usize) {
    drop(Mapping { start, len });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_mappings_are_aligned_zeroed_and_writable() {
        for len in [1, 4096, HUGE_PAGE - 1, HUGE_PAGE, 3 * HUGE_PAGE + 5] {
            let mapping = Mapping::huge(len).expect("memory");
            assert_eq!(mapping.start().as_ptr().addr() % HUGE_PAGE, 0);
            assert!(mapping.len >= len && mapping.len.is_multiple_of(HUGE_PAGE));
            // SAFETY: the mapping is alive, ours alone and at least `len` long.
            let bytes = unsafe { std::slice::from_raw_parts_mut(mapping.start().as_ptr(), len) };
            assert!(bytes.iter().all(|&byte| byte == 0));
            bytes.fill(7);
        }
    }

    #[test]
    fn a_short_tail_takes_no_huge_page() {
        let quarter = HUGE_PAGE / 4;
        for (len, takes) in [
            (1, HUGE_PAGE),
            (2 * HUGE_PAGE, 2 * HUGE_PAGE),
            (2 * HUGE_PAGE + 1, 2 * HUGE_PAGE + PAGE),
            (2 * HUGE_PAGE + quarter - 1, 2 * HUGE_PAGE + quarter),
            (2 * HUGE_PAGE + quarter, 3 * HUGE_PAGE),
        ] {
            let mapping = Mapping::mostly_huge(len).expect("memory");
            assert_eq!((mapping.start().as_ptr().addr() % HUGE_PAGE, mapping.len), (0, takes), "{len}");
            mapping.populate();
        }
    }
}

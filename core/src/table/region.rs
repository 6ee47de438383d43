//! Where a table's memory comes from.

use alloc::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use core::fmt;
use core::ptr::NonNull;

/// Zeroed memory, aligned to a huge page, owned until dropped.
///
/// A table walks its memory at random, and with pages of 4 KiB each step would also miss the TLB. So whoever can
/// ask the system for huge pages makes the mapping and hands it over by [`Region::from_raw`]; [`Region::heap`]
/// serves tests, and systems without any.
pub struct Region {
    base: NonNull<u8>,
    len: usize,
    release: unsafe fn(NonNull<u8>, usize),
}

impl Region {
    /// Alignment of every region, bytes: a huge page, 2 MiB.
    pub const ALIGN: usize = 2 << 20;

    /// Takes over a mapping.
    ///
    /// # Safety
    /// `base` is aligned to [`Region::ALIGN`]; the `len` bytes from it are zero, readable and writable, and
    /// nobody else touches them until `release(base, len)` is called, once, on some thread.
    ///
    /// # Panics
    /// When `base` is not aligned.
    pub unsafe fn from_raw(base: NonNull<u8>, len: usize, release: unsafe fn(NonNull<u8>, usize)) -> Self {
        assert!(base.addr().get().is_multiple_of(Self::ALIGN), "a region begins at a huge page");
        Self { base, len, release }
    }

    /// `len` bytes of the heap.
    pub fn heap(len: usize) -> Self {
        let layout = heap_layout(len);
        assert!(layout.size() >= len.max(1) && layout.align() == Self::ALIGN);
        // SAFETY: the layout is not empty: `heap_layout` asks for at least one byte.
        let base = unsafe { alloc_zeroed(layout) };
        let Some(base) = NonNull::new(base) else { handle_alloc_error(layout) };
        // SAFETY: just allocated: zeroed, aligned and ours alone, until `release_heap` frees it with this layout.
        unsafe { Self::from_raw(base, len, release_heap) }
    }

    /// Where it begins.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// How long it is, bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no byte in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

fn heap_layout(len: usize) -> Layout {
    Layout::from_size_align(len.max(1), Region::ALIGN).expect("a region fits the address space")
}

/// Frees what [`Region::heap`] allocated.
unsafe fn release_heap(base: NonNull<u8>, len: usize) {
    // SAFETY: `heap` allocated it with this very layout, and gave `from_raw` this function to free it once.
    unsafe { dealloc(base.as_ptr(), heap_layout(len)) }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: `from_raw` was promised that this may be called once, and a drop happens once.
        unsafe { (self.release)(self.base, self.len) }
    }
}

// SAFETY: a region is the only owner of its memory, and its release may happen on any thread.
unsafe impl Send for Region {}
// SAFETY: a shared region yields only an address and a length.
unsafe impl Sync for Region {}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heap_memory_is_zeroed_and_aligned() {
        for len in [0, 1, 4096, Region::ALIGN + 1] {
            let region = Region::heap(len);
            assert!(region.base().addr().get().is_multiple_of(Region::ALIGN));
            assert_eq!((region.len(), region.is_empty()), (len, len == 0));
            // SAFETY: the region owns `len` initialised bytes, and nobody writes them here.
            let bytes = unsafe { core::slice::from_raw_parts(region.base().as_ptr(), len) };
            assert!(bytes.iter().all(|byte| *byte == 0));
        }
    }
}

//! Zeroed memory for tables, aligned so that it can live in huge pages.

use alloc::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use core::ops::Range;
use core::ptr::NonNull;
use core::slice;

use crate::lanes::entry::Entry;

/// Entries that begin at a huge page. Nothing is touched until it is written, so an arena takes up only what is used.
pub(in crate::lanes) struct Arena {
    allocated: NonNull<u8>,
    entries: NonNull<Entry>,
    len: usize,
}

/// Bytes of a huge page.
const HUGE: usize = 2 << 20;

impl Arena {
    pub(in crate::lanes) fn new(len: usize) -> Self {
        let layout = layout(len);
        // SAFETY: the layout is not empty: it has a huge page more than the entries.
        let allocated = unsafe { alloc_zeroed(layout) };
        let Some(allocated) = NonNull::new(allocated) else { handle_alloc_error(layout) };
        let skip = allocated.as_ptr().addr().wrapping_neg() % HUGE;
        // SAFETY: `skip` is less than a huge page, which is how much the layout has before or after the entries.
        let entries = unsafe { allocated.add(skip) }.cast();
        Self { allocated, entries, len }
    }

    pub(in crate::lanes) fn entries(&self) -> &[Entry] {
        // SAFETY: from `entries` on, at an aligned address, the allocation has room for `len` entries; they were
        // zeroed, which is an entry; they are freed only on drop, and `&self` forbids writing meanwhile.
        unsafe { slice::from_raw_parts(self.entries.as_ptr(), self.len) }
    }

    pub(in crate::lanes) fn entries_mut(&mut self) -> &mut [Entry] {
        // SAFETY: as in `entries`, and `&mut self` makes this the only view.
        unsafe { slice::from_raw_parts_mut(self.entries.as_ptr(), self.len) }
    }

    /// Where the entries lie, in whole huge pages.
    pub(in crate::lanes) fn span(&self) -> Range<*const u8> {
        let start = self.entries.as_ptr().cast_const().cast::<u8>();
        start..start.wrapping_add(bytes(self.len))
    }
}

/// The entries' bytes, in whole huge pages.
fn bytes(len: usize) -> usize {
    let bytes = len.checked_mul(size_of::<Entry>()).and_then(|bytes| bytes.checked_next_multiple_of(HUGE));
    bytes.expect("tables fit the address space")
}

/// A huge page more than needed, so that the entries can begin at one. The allocation itself is aligned by little:
/// zeroed memory of larger alignment would be written by the allocator, and so be touched.
fn layout(len: usize) -> Layout {
    Layout::from_size_align(bytes(len) + HUGE, 16).expect("tables fit the address space")
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: `new` allocated it with this very layout, and a drop happens once.
        unsafe { dealloc(self.allocated.as_ptr(), layout(self.len)) }
    }
}

// SAFETY: an arena is the only owner of its memory, which is plain words.
unsafe impl Send for Arena {}
// SAFETY: a shared arena is only read.
unsafe impl Sync for Arena {}

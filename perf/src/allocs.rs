//! An allocator that counts, to show that the hot path never asks it for anything.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// The system's allocator, and how often it was asked for memory.
pub(crate) struct Counting {
    asked: AtomicU64,
}

impl Counting {
    /// Nothing counted yet.
    pub(crate) const fn new() -> Self {
        Self { asked: AtomicU64::new(0) }
    }

    /// How often `work` asks for memory, on any thread of the process.
    pub(crate) fn count(&self, work: impl FnOnce()) -> u64 {
        let before = self.asked.load(Relaxed);
        work();
        self.asked.load(Relaxed) - before
    }
}

// SAFETY: every call is passed on to the system's allocator as it came, and its answer is returned as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.asked.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.asked.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the same here.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        self.asked.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`, which is the same here.
        unsafe { System.realloc(place, layout, len) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, which is the same here.
        unsafe { System.dealloc(place, layout) }
    }
}

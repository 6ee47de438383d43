//! A row in memory, and how it is read while it is written.
//!
//! The lowest bit of a version is a lock. The one writer of a table changes cells of a row in three steps, each
//! visible before the next:
//!
//! 1. their versions become the new version with the lock bit set,
//! 2. their values are stored,
//! 3. their versions become the new version.
//!
//! A reader takes versions, values and versions again, and keeps what it saw if no lock was set and no version
//! changed. Versions never return to an earlier number, so between its two looks all those cells were as it saw
//! them: a row of eight is a snapshot, not eight readings. (A cell at fault takes another value under the same
//! version; a reader then sees one or the other.) This is a seqlock (Boehm, "Can seqlocks get along with
//! programming language memory models?", 2012) whose sequence number is the version. It costs the writer one
//! store a row, and the reader another try when it meets the writer, which is inside for some ten ticks (or until the
//! system lets it go on, if it takes the writer's core away just then: pin the writer).

use core::array;

use zerocopy::byteorder::little_endian::{U32, U64};

use crate::stamp::Version;
use crate::sync::{AtomicU32, AtomicU64, FromZeros, Ordering, fence, spin_loop};

/// What a reader sees of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell<V = u64> {
    /// When it was written, and by whom.
    pub version: Version,
    /// What was written.
    pub value: V,
}

/// Neighbouring cells as they stood at one moment. Those never written have [`Version::NEVER`] and zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot<V, const N: usize> {
    /// When each was written, and by whom.
    pub versions: [Version; N],
    /// What was written.
    pub values: [V; N],
}

/// An integer that a row is made of: a version, or a value of the same width.
pub(super) trait Word: Copy + Ord + Default {
    /// Where it lies in a table.
    type Atomic: FromZeros;
    /// How it lies in a frame.
    type Wire: Copy;

    fn load(atomic: &Self::Atomic, order: Ordering) -> Self;
    fn store(self, atomic: &Self::Atomic, order: Ordering);
    fn of(wire: Self::Wire) -> Self;
    /// The version while a writer is inside the cell.
    fn locked(self) -> Self;
}

macro_rules! word {
    ($word:ty, $atomic:ty, $wire:ty) => {
        impl Word for $word {
            type Atomic = $atomic;
            type Wire = $wire;

            #[inline(always)]
            fn load(atomic: &$atomic, order: Ordering) -> Self {
                atomic.load(order)
            }

            #[inline(always)]
            fn store(self, atomic: &$atomic, order: Ordering) {
                atomic.store(self, order);
            }

            #[inline(always)]
            fn of(wire: $wire) -> Self {
                wire.get()
            }

            #[inline(always)]
            fn locked(self) -> Self {
                self | 1
            }
        }
    };
}

word!(u64, AtomicU64, U64);
word!(u32, AtomicU32, U32);

/// Neighbouring cells of a table.
#[cfg_attr(not(loom), derive(FromZeros))]
#[repr(C)]
pub(super) struct Row<W: Word, const N: usize> {
    pub(super) versions: [W::Atomic; N],
    pub(super) values: [W::Atomic; N],
}

/// Eight cells of eight bytes.
pub(super) type Row8 = Row<u64, 8>;
/// Sixteen cells of four bytes.
pub(super) type Row16 = Row<u32, 16>;
/// A cell of eight bytes.
pub(super) type Row1 = Row<u64, 1>;

#[cfg(not(loom))]
const _: () = assert!(size_of::<Row8>() == 128 && size_of::<Row16>() == 128 && size_of::<Row1>() == 16);

#[cfg(loom)]
impl<W: Word, const N: usize> FromZeros for Row<W, N> {
    fn new_zeroed() -> Self {
        let zeros = || array::from_fn(|_| W::Atomic::new_zeroed());
        Self { versions: zeros(), values: zeros() }
    }
}

impl<W: Word, const N: usize> Row<W, N> {
    /// One cell, at one moment.
    pub(super) fn read_cell(&self, lane: usize) -> (W, W) {
        loop {
            let version = W::load(&self.versions[lane], Ordering::Acquire);
            let value = W::load(&self.values[lane], Ordering::Relaxed);
            // A value of a later write was stored after that write's lock: then the second look finds the lock.
            fence(Ordering::Acquire);
            if version != version.locked() && W::load(&self.versions[lane], Ordering::Relaxed) == version {
                return (version, value);
            }
            spin_loop();
        }
    }

    /// All cells, at one moment.
    pub(super) fn read(&self) -> ([W; N], [W; N]) {
        loop {
            let versions = self.versions.each_ref().map(|version| W::load(version, Ordering::Acquire));
            let values = self.values.each_ref().map(|value| W::load(value, Ordering::Relaxed));
            fence(Ordering::Acquire);
            let again: [W; N] = array::from_fn(|lane| W::load(&self.versions[lane], Ordering::Relaxed));
            if versions == again && versions.iter().all(|version| *version != version.locked()) {
                return (versions, values);
            }
            spin_loop();
        }
    }
}

#[cfg(all(test, loom))]
mod models;

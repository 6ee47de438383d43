//! Cells of eight bytes, eight neighbours a row: the table of dense updates.

use alloc::sync::Arc;
use alloc::vec::Vec;

use octick_crypto::Hash;

use super::arch::portable;
use super::clear::clear;
use super::kernel::Proven;
use super::plane::Plane;
use super::ranges::{RANGE_LEN, ROWS_PER_RANGE, Ranges};
use super::row::Row8;
use super::{Cell, Kernel, Merged, Region, Sink, Snapshot};
use crate::limits::SLOTS_MAX;
use crate::prefetch::prefetch;
use crate::stamp::{Run, Slot, Version};
use crate::wire::Block8;

/// Versions and values of eight neighbours at a time, 128 bytes a row: two cache lines, and one comparison and
/// two stores of a SIMD kernel merge them.
pub struct Blocks8 {
    plane: Arc<Plane<Row8>>,
    ranges: Ranges,
    kernel: Proven,
    slots: u32,
}

/// Reads a [`Blocks8`] from any thread, without slowing its writer.
#[derive(Clone)]
pub struct Blocks8Reader {
    plane: Arc<Plane<Row8>>,
}

impl Blocks8 {
    /// Length of a region for `slots` slots, bytes.
    pub fn bytes_needed(slots: u32) -> usize {
        range_count(slots) * RANGE_LEN
    }

    /// An empty table in `region`, of `slots` slots rounded up to a multiple of eight.
    ///
    /// # Panics
    /// When there are more than [`SLOTS_MAX`] slots, the region is shorter than [`Blocks8::bytes_needed`], or
    /// this CPU does not run the kernel.
    pub fn new(slots: u32, region: Region, kernel: Kernel) -> Self {
        assert!(slots <= SLOTS_MAX, "{slots} slots in a table of at most {SLOTS_MAX}");
        let ranges = range_count(slots);
        assert!(ranges * ROWS_PER_RANGE * 8 >= slots as usize, "{ranges} ranges for {slots} slots");
        Self {
            plane: Arc::new(Plane::new(ranges * ROWS_PER_RANGE, region)),
            ranges: Ranges::new(ranges),
            kernel: Proven::expect(kernel),
            slots: slots.next_multiple_of(8),
        }
    }

    /// Number of slots.
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// The kernel that merges.
    pub fn kernel(&self) -> Kernel {
        self.kernel.kernel()
    }

    /// Brings the rows of `entries` towards this core. Done for the next frame before merging this one, it hides
    /// most of the way to memory.
    #[inline]
    pub fn prefetch(&self, entries: &[Block8]) {
        for entry in entries {
            if let Some(row) = self.plane.rows().get(entry.index.get() as usize) {
                prefetch(&row.versions);
                prefetch(&row.values);
            }
        }
    }

    /// Merges the entries of one frame whose header says `version`. Entries past the table's end are passed over.
    ///
    /// # Panics
    /// When no header may say `version`: it is less than [`Version::MIN_WIRE`], or odd.
    #[inline]
    pub fn merge<S: Sink>(&mut self, version: Version, entries: &[Block8], sink: &mut S) -> Merged {
        assert!(version >= Version::MIN_WIRE && version.0 & 1 == 0, "{version:?} is not of the wire");
        let rows = &self.plane.rows()[..self.slots as usize / 8];
        let dirty = self.ranges.dirty();
        match self.kernel {
            Proven::Portable => portable::merge8(rows, dirty, version, entries, sink),
            #[cfg(target_arch = "x86_64")]
            Proven::Avx2(kernel) => kernel.merge8(rows, dirty, version, entries, sink),
            #[cfg(target_arch = "x86_64")]
            Proven::Avx512(kernel) => kernel.merge8(rows, dirty, version, entries, sink),
        }
    }

    /// Takes all cells of a run back to never written, and tells `sink` of those that were.
    pub fn clear<S: Sink>(&mut self, run: Run, sink: &mut S) {
        let (rows, within) = (self.plane.rows(), (run.first.0 as usize / 8, run.end() as usize / 8));
        clear(&rows[..self.slots as usize / 8], &mut self.ranges, ROWS_PER_RANGE, within, sink);
    }

    /// The cell of a slot; none if it was never written, or is past the end.
    pub fn cell(&self, slot: Slot) -> Option<Cell> {
        cell(&self.plane, slot)
    }

    /// A reader for other threads.
    pub fn reader(&self) -> Blocks8Reader {
        Blocks8Reader { plane: Arc::clone(&self.plane) }
    }

    /// A hash of all cells: tables agree on it exactly if they agree on every cell. It costs a pass over the
    /// ranges of 8 KiB in which something was merged since it was last asked for.
    pub fn digest(&mut self) -> Hash {
        let rows = self.plane.rows();
        self.ranges.digest("blocks8", |range, bytes| content(rows, range, bytes))
    }

    /// How many ranges of 8 KiB it has.
    pub fn ranges(&self) -> usize {
        self.ranges.len()
    }

    /// The hash of a range, unless something was merged there since it was made; zeros where nothing was written.
    pub fn range_hash(&self, range: usize) -> Option<Hash> {
        self.ranges.hash(range)
    }

    /// Hashes ranges in which something was merged, from number `from` on, at most `most`. Returns where to go on.
    pub fn freshen(&mut self, from: usize, most: usize) -> usize {
        let rows = self.plane.rows();
        self.ranges.freshen(from, most, |range, bytes| content(rows, range, bytes))
    }
}

impl Blocks8Reader {
    /// The cell of a slot; none if it was never written, or is past the end.
    pub fn cell(&self, slot: Slot) -> Option<Cell> {
        cell(&self.plane, slot)
    }

    /// Slots `8 * index` to `8 * index + 7` as they stood at one moment; none past the end.
    pub fn block(&self, index: u32) -> Option<Snapshot<u64, 8>> {
        let (versions, values) = self.plane.rows().get(index as usize)?.read();
        Some(Snapshot { versions: versions.map(Version), values })
    }
}

/// Appends the bytes of a range, the same for the same cells whatever the machine.
fn content(rows: &[Row8], range: usize, bytes: &mut Vec<u8>) {
    for row in &rows[range * ROWS_PER_RANGE..][..ROWS_PER_RANGE] {
        let (versions, values) = row.read();
        versions.iter().chain(&values).for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
    }
}

fn cell(plane: &Plane<Row8>, slot: Slot) -> Option<Cell> {
    let (version, value) = plane.rows().get(slot.0 as usize / 8)?.read_cell(slot.0 as usize % 8);
    debug_assert!(version & 1 == 0, "a reader kept a cell that the writer was in");
    (version != 0).then_some(Cell { version: Version(version), value })
}

fn range_count(slots: u32) -> usize {
    (slots as usize).div_ceil(8 * ROWS_PER_RANGE)
}

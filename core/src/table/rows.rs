//! Single cells of eight bytes: the table of sparse updates.

use alloc::sync::Arc;
use alloc::vec::Vec;

use octick_crypto::Hash;

use super::arch::portable;
use super::clear::clear;
use super::kernel::Proven;
use super::plane::Plane;
use super::ranges::{CELLS_PER_RANGE, RANGE_LEN, Ranges};
use super::row::Row1;
use super::{Cell, Kernel, Merged, Region, Sink};
use crate::limits::SLOTS_MAX;
use crate::prefetch::prefetch;
use crate::stamp::{Run, Slot, Version};
use crate::wire::Rows;

/// A version beside a value, 16 bytes: a sparse update touches one cache line.
pub struct RowTable {
    plane: Arc<Plane<Row1>>,
    ranges: Ranges,
    kernel: Proven,
    slots: u32,
}

/// Reads a [`RowTable`] from any thread, without slowing its writer.
#[derive(Clone)]
pub struct RowTableReader {
    plane: Arc<Plane<Row1>>,
}

impl RowTable {
    /// Length of a region for `slots` slots, bytes.
    pub fn bytes_needed(slots: u32) -> usize {
        range_count(slots) * RANGE_LEN
    }

    /// An empty table in `region`.
    ///
    /// # Panics
    /// When there are more than [`SLOTS_MAX`] slots, the region is shorter than [`RowTable::bytes_needed`], or
    /// this CPU does not run the kernel.
    pub fn new(slots: u32, region: Region, kernel: Kernel) -> Self {
        assert!(slots <= SLOTS_MAX, "{slots} slots in a table of at most {SLOTS_MAX}");
        let ranges = range_count(slots);
        assert!(ranges * CELLS_PER_RANGE >= slots as usize, "{ranges} ranges for {slots} slots");
        Self {
            plane: Arc::new(Plane::new(ranges * CELLS_PER_RANGE, region)),
            ranges: Ranges::new(ranges),
            kernel: Proven::expect(kernel),
            slots,
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

    /// Brings the cells of `rows` towards this core. Done for the next frame before merging this one, it hides
    /// most of the way to memory.
    #[inline]
    pub fn prefetch(&self, rows: &Rows<'_>) {
        for slot in rows.slots {
            if let Some(row) = self.plane.rows().get(slot.get() as usize) {
                prefetch(row);
            }
        }
    }

    /// Merges the rows of one frame whose header says `version`. Slots past the table's end are passed over.
    ///
    /// Slots rise strictly, as in every frame that was checked. If they do not, every cell still ends as one of
    /// those offered or held, but which may depend on the kernel.
    ///
    /// # Panics
    /// When no header may say `version`: it is less than [`Version::MIN_WIRE`], or odd. When the columns of
    /// `rows` differ in length.
    #[inline]
    pub fn merge<S: Sink>(&mut self, version: Version, rows: &Rows<'_>, sink: &mut S) -> Merged {
        assert!(version >= Version::MIN_WIRE && version.0 & 1 == 0, "{version:?} is not of the wire");
        assert!(rows.ages.len() == rows.len() && rows.values.len() == rows.len(), "columns of equal length");
        let table = &self.plane.rows()[..self.slots as usize];
        let dirty = self.ranges.dirty();
        match self.kernel {
            Proven::Portable => portable::merge1(table, dirty, version, rows, sink),
            #[cfg(target_arch = "x86_64")]
            Proven::Avx2(kernel) => kernel.merge1(table, dirty, version, rows, sink),
            #[cfg(target_arch = "x86_64")]
            Proven::Avx512(kernel) => kernel.merge1(table, dirty, version, rows, sink),
        }
    }

    /// Takes all cells of a run back to never written, and tells `sink` of those that were.
    pub fn clear<S: Sink>(&mut self, run: Run, sink: &mut S) {
        let (rows, within) = (self.plane.rows(), (run.first.0 as usize, run.end() as usize));
        clear(&rows[..self.slots as usize], &mut self.ranges, CELLS_PER_RANGE, within, sink);
    }

    /// The cell of a slot; none if it was never written, or is past the end.
    pub fn cell(&self, slot: Slot) -> Option<Cell> {
        cell(&self.plane, slot)
    }

    /// A reader for other threads.
    pub fn reader(&self) -> RowTableReader {
        RowTableReader { plane: Arc::clone(&self.plane) }
    }

    /// A hash of all cells: tables agree on it exactly if they agree on every cell. It costs a pass over the
    /// ranges of 8 KiB in which something was merged since it was last asked for.
    pub fn digest(&mut self) -> Hash {
        let table = self.plane.rows();
        self.ranges.digest("rows", |range, bytes| content(table, range, bytes))
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
        let table = self.plane.rows();
        self.ranges.freshen(from, most, |range, bytes| content(table, range, bytes))
    }
}

impl RowTableReader {
    /// The cell of a slot; none if it was never written, or is past the end.
    pub fn cell(&self, slot: Slot) -> Option<Cell> {
        cell(&self.plane, slot)
    }
}

/// Appends the bytes of a range, the same for the same cells whatever the machine.
fn content(table: &[Row1], range: usize, bytes: &mut Vec<u8>) {
    for row in &table[range * CELLS_PER_RANGE..][..CELLS_PER_RANGE] {
        let (version, value) = row.read_cell(0);
        bytes.extend_from_slice(&version.to_le_bytes());
        bytes.extend_from_slice(&value.to_le_bytes());
    }
}

fn cell(plane: &Plane<Row1>, slot: Slot) -> Option<Cell> {
    let (version, value) = plane.rows().get(slot.0 as usize)?.read_cell(0);
    debug_assert!(version & 1 == 0, "a reader kept a cell that the writer was in");
    (version != 0).then_some(Cell { version: Version(version), value })
}

fn range_count(slots: u32) -> usize {
    (slots as usize).div_ceil(CELLS_PER_RANGE)
}

//! Cells of four bytes, sixteen neighbours a row, on a clock of 32 bits.
//!
//! # The clock, honestly
//! A row of 128 bytes has room for sixteen versions of 32 bits. So this table counts time in units of 1,024
//! microseconds from an epoch, shifted left once for the lock bit: 31 bits of units, 25.4 days. What follows:
//!
//! - The origin's tag and the last 1,023 microseconds are dropped. An origin that writes a cell twice in one unit
//!   looks like one at fault, so publishers of these blocks send a cell at most once in a unit.
//! - Frames older than the epoch cannot be merged: ask [`Blocks16::horizon_ok`] first, and reject them.
//! - A frame newer than the clock's end moves the epoch, by multiples of [`Blocks16::EPOCH_STEP`]: one pass over
//!   the table (a millisecond or two a million cells), every 12.7 days. So cells keep at least 12.7 days of
//!   exact age; those older than the new epoch are all taken to be one unit younger than it, and lose only to what
//!   is newer, as they should.
//! - Epochs are multiples of the step everywhere, so nodes that have seen the same newest frame agree on them, and
//!   on the digest. Around a move, nodes that have not moved yet differ on cells 12.7 days old until they do.

use alloc::sync::Arc;
use alloc::vec::Vec;

use octick_crypto::Hash;

use super::arch::portable;
use super::clear::clear;
use super::kernel::Proven;
use super::plane::Plane;
use super::ranges::{RANGE_LEN, ROWS_PER_RANGE, Ranges};
use super::row::{Row, Row16};
use super::{Cell, Kernel, Merged, Region, Sink, Snapshot};
use crate::limits::SLOTS_MAX;
use crate::prefetch::prefetch;
use crate::stamp::{Run, Slot, Version};
use crate::sync::{AtomicU64, Ordering, fence, spin_loop};
use crate::wire::Block16;

/// Microseconds in a unit of the clock, as a power of two.
const UNIT_SHIFT: u32 = 10;
/// Units that the clock can tell apart.
const SPAN: u64 = 1 << 31;
/// The greatest age of an entry, units.
const AGE_MAX: u64 = u16::MAX as u64;

// A clock and its lock bit are a cell's 32 bits; after an epoch has moved, the newest entry's age still lies behind it.
const _: () = assert!((SPAN - 1) << 1 <= u32::MAX as u64 && AGE_MAX < Blocks16::EPOCH_STEP);
// Whatever age the earliest version of the wire has, it is later than the first epoch.
const _: () = assert!(Version::MIN_WIRE.micros() >> UNIT_SHIFT > AGE_MAX);

/// Versions and values of sixteen neighbours at a time, 128 bytes a row: half of what a [`Blocks8`] costs a cell.
///
/// [`Blocks8`]: super::Blocks8
pub struct Blocks16 {
    shared: Arc<Shared<16>>,
    ranges: Ranges,
    kernel: Proven,
    slots: u32,
    epoch_units: u64,
}

/// Reads a [`Blocks16`] from any thread, without slowing its writer.
#[derive(Clone)]
pub struct Blocks16Reader {
    shared: Arc<Shared<16>>,
}

/// What writer and readers have in common. A row has sixteen cells; the models make do with fewer.
struct Shared<const N: usize> {
    plane: Plane<Row<u32, N>>,
    /// Twice the epoch, plus one while it moves: the seqlock of the whole table.
    epoch: AtomicU64,
}

impl Blocks16 {
    /// Epochs are multiples of this many units: half of what the clock spans, 12.7 days.
    pub const EPOCH_STEP: u64 = SPAN / 2;

    /// Length of a region for `slots` slots, bytes.
    pub fn bytes_needed(slots: u32) -> usize {
        range_count(slots) * RANGE_LEN
    }

    /// The epoch to begin with at `now_micros`: between 12.7 and 25.4 days ago.
    pub fn epoch_units_for(now_micros: u64) -> u64 {
        let steps = (now_micros >> UNIT_SHIFT) / Self::EPOCH_STEP;
        steps.saturating_sub(1) * Self::EPOCH_STEP
    }

    /// An empty table in `region`, of `slots` slots rounded up to a multiple of sixteen, whose clock begins at
    /// `epoch_units` (of 1,024 microseconds since 1970).
    ///
    /// # Panics
    /// When there are more than [`SLOTS_MAX`] slots, the region is shorter than [`Blocks16::bytes_needed`], this
    /// CPU does not run the kernel, or the epoch is not a multiple of [`Blocks16::EPOCH_STEP`].
    pub fn new(slots: u32, region: Region, kernel: Kernel, epoch_units: u64) -> Self {
        assert!(slots <= SLOTS_MAX, "{slots} slots in a table of at most {SLOTS_MAX}");
        assert!(epoch_units.is_multiple_of(Self::EPOCH_STEP), "epoch {epoch_units} is between two steps");
        let ranges = range_count(slots);
        assert!(ranges * ROWS_PER_RANGE * 16 >= slots as usize, "{ranges} ranges for {slots} slots");
        let plane = Plane::new(ranges * ROWS_PER_RANGE, region);
        Self {
            shared: Arc::new(Shared { plane, epoch: AtomicU64::new(epoch_units << 1) }),
            ranges: Ranges::new(ranges),
            kernel: Proven::expect(kernel),
            slots: slots.next_multiple_of(16),
            epoch_units,
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

    /// Where the clock begins, units since 1970.
    pub fn epoch_units(&self) -> u64 {
        self.epoch_units
    }

    /// Whether entries of any age under a header that says `version` are later than the epoch. If not, the frame
    /// cannot be merged.
    #[inline]
    pub fn horizon_ok(&self, version: Version) -> bool {
        units(version) > self.epoch_units + AGE_MAX
    }

    /// Brings the rows of `entries` towards this core. Done for the next frame before merging this one, it hides
    /// most of the way to memory.
    #[inline]
    pub fn prefetch(&self, entries: &[Block16]) {
        for entry in entries {
            if let Some(row) = self.shared.plane.rows().get(entry.index.get() as usize) {
                prefetch(&row.versions);
                prefetch(&row.values);
            }
        }
    }

    /// Merges the entries of one frame whose header says `version`. Entries past the table's end are passed over.
    /// A version past the clock's end moves the epoch first; that it is not nonsense is for the caller to know,
    /// who knows the time.
    ///
    /// # Panics
    /// When `version` is not [`Blocks16::horizon_ok`].
    #[inline]
    pub fn merge<S: Sink>(&mut self, version: Version, entries: &[Block16], sink: &mut S) -> Merged {
        assert!(self.horizon_ok(version), "{version:?} is before the epoch, {} units", self.epoch_units);
        if units(version) - self.epoch_units >= SPAN {
            self.rebase(Self::epoch_units_for(version.micros()));
        }
        debug_assert!((AGE_MAX + 1..SPAN).contains(&(units(version) - self.epoch_units)), "{version:?}");
        let clock = ((units(version) - self.epoch_units) as u32) << 1;
        let rows = &self.shared.plane.rows()[..self.slots as usize / 16];
        let dirty = self.ranges.dirty();
        match self.kernel {
            Proven::Portable => portable::merge16(rows, dirty, version, clock, entries, sink),
            #[cfg(target_arch = "x86_64")]
            Proven::Avx2(kernel) => kernel.merge16(rows, dirty, version, clock, entries, sink),
            #[cfg(target_arch = "x86_64")]
            Proven::Avx512(kernel) => kernel.merge16(rows, dirty, version, clock, entries, sink),
        }
    }

    /// Takes all cells of a run back to never written, and tells `sink` of those that were.
    pub fn clear<S: Sink>(&mut self, run: Run, sink: &mut S) {
        let (rows, within) = (self.shared.plane.rows(), (run.first.0 as usize / 16, run.end() as usize / 16));
        clear(&rows[..self.slots as usize / 16], &mut self.ranges, ROWS_PER_RANGE, within, sink);
    }

    /// Moves the epoch later. Cells from before it become one unit later than it, the oldest there is.
    #[cold]
    fn rebase(&mut self, epoch_units: u64) {
        assert!(epoch_units.is_multiple_of(Self::EPOCH_STEP), "epoch {epoch_units} is between two steps");
        self.shared.rebase(self.epoch_units, epoch_units, self.ranges.dirty());
        self.epoch_units = epoch_units;
    }

    /// The cell of a slot; none if it was never written, or is past the end. Its version has the clock's
    /// precision, and no origin.
    pub fn cell(&self, slot: Slot) -> Option<Cell<u32>> {
        self.shared.cell(slot)
    }

    /// A reader for other threads.
    pub fn reader(&self) -> Blocks16Reader {
        Blocks16Reader { shared: Arc::clone(&self.shared) }
    }

    /// A hash of all cells: tables agree on it exactly if they agree on every cell. It costs a pass over the
    /// ranges of 8 KiB in which something was merged since it was last asked for.
    pub fn digest(&mut self) -> Hash {
        let (rows, epoch_units) = (self.shared.plane.rows(), self.epoch_units);
        self.ranges.digest("blocks16", |range, bytes| content(rows, epoch_units, range, bytes))
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
        let (rows, epoch_units) = (self.shared.plane.rows(), self.epoch_units);
        self.ranges.freshen(from, most, |range, bytes| content(rows, epoch_units, range, bytes))
    }
}

impl Blocks16Reader {
    /// The cell of a slot; none if it was never written, or is past the end. Its version has the clock's
    /// precision, and no origin.
    pub fn cell(&self, slot: Slot) -> Option<Cell<u32>> {
        self.shared.cell(slot)
    }

    /// Slots `16 * index` to `16 * index + 15` as they stood at one moment; none past the end.
    pub fn block(&self, index: u32) -> Option<Snapshot<u32, 16>> {
        let row = self.shared.plane.rows().get(index as usize)?;
        let ((clocks, values), epoch_units) = self.shared.in_one_epoch(|| row.read());
        Some(Snapshot { versions: clocks.map(|clock| version_of(clock, epoch_units)), values })
    }
}

impl<const N: usize> Shared<N> {
    /// Moves every cell from the epoch `from` to `to`, and marks the ranges in which a cell means another time then.
    fn rebase(&self, from: u64, to: u64, dirty: &mut [u8]) {
        assert!(from < to, "an epoch moves from {from} to {to}: cells would come from the future");
        assert!(dirty.len() * ROWS_PER_RANGE >= self.plane.rows().len(), "a mark for each range");
        let back = (to - from) << 1;
        self.epoch.store(to << 1 | 1, Ordering::Relaxed);
        fence(Ordering::Release);
        for (i, row) in self.plane.rows().iter().enumerate() {
            for version in &row.versions {
                let old = version.load(Ordering::Relaxed);
                let new = u64::from(old).saturating_sub(back).max(2) as u32;
                if old != 0 {
                    version.store(new, Ordering::Relaxed);
                    if u64::from(old) < back + 2 {
                        dirty[i / ROWS_PER_RANGE] = 1;
                    }
                }
            }
        }
        self.epoch.store(to << 1, Ordering::Release);
    }

    fn cell(&self, slot: Slot) -> Option<Cell<u32>> {
        let row = self.plane.rows().get(slot.0 as usize / N)?;
        let ((clock, value), epoch_units) = self.in_one_epoch(|| row.read_cell(slot.0 as usize % N));
        (clock != 0).then_some(Cell { version: version_of(clock, epoch_units), value })
    }

    /// What `read` saw, and the epoch that held from its beginning to its end.
    fn in_one_epoch<T>(&self, read: impl Fn() -> T) -> (T, u64) {
        loop {
            let before = self.epoch.load(Ordering::Acquire);
            let seen = read();
            fence(Ordering::Acquire); // of the epoch
            if before & 1 == 0 && self.epoch.load(Ordering::Relaxed) == before {
                return (seen, before >> 1);
            }
            spin_loop();
        }
    }
}

/// Appends the bytes of a range, the same for the same cells whatever the machine.
fn content(rows: &[Row16], epoch_units: u64, range: usize, bytes: &mut Vec<u8>) {
    for row in &rows[range * ROWS_PER_RANGE..][..ROWS_PER_RANGE] {
        let (clocks, values) = row.read();
        for (clock, value) in clocks.into_iter().zip(values) {
            bytes.extend_from_slice(&version_of(clock, epoch_units).0.to_le_bytes());
            bytes.extend_from_slice(&value.to_le_bytes());
        }
    }
}

/// Time of a version, in units of the clock since 1970.
#[inline(always)]
fn units(version: Version) -> u64 {
    version.micros() >> UNIT_SHIFT
}

/// The version that a cell's clock means.
fn version_of(clock: u32, epoch_units: u64) -> Version {
    debug_assert!(clock & 1 == 0, "a reader kept a cell that the writer was in");
    match u64::from(clock >> 1) {
        0 => Version::NEVER,
        units => Version((epoch_units + units) << UNIT_SHIFT << Version::SHIFT),
    }
}

fn range_count(slots: u32) -> usize {
    (slots as usize).div_ceil(16 * ROWS_PER_RANGE)
}

#[cfg(all(test, loom))]
mod models;

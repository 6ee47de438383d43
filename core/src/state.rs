//! All tables of a node, and which of them a frame belongs to.

use core::fmt;

use octick_crypto::Hash;

use crate::limits::RUN_ALIGN;
use crate::reject::Reject;
use crate::stamp::{Run, Slot};
use crate::table::{
    Blocks8, Blocks8Reader, Blocks16, Blocks16Reader, Cell, Kernel, Merged, Region, RowTable, RowTableReader,
    Sink, Snapshot,
};
use crate::wire::{Entries, Frame, Kind};

/// Which tables a node keeps, over one count of slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Slots in each table, a multiple of [`RUN_ALIGN`].
    pub slots: u32,
    /// Dense cells of eight bytes: 16 bytes of memory a slot.
    pub cells8: bool,
    /// Dense cells of four bytes: 8 bytes of memory a slot.
    pub cells4: bool,
    /// Sparse cells of eight bytes: 16 bytes of memory a slot.
    pub rows: bool,
}

impl Layout {
    /// Whether there is such a table.
    pub const fn has(&self, table: TableKind) -> bool {
        match table {
            TableKind::Cells8 => self.cells8,
            TableKind::Cells4 => self.cells4,
            TableKind::Rows => self.rows,
        }
    }
}

/// One of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TableKind {
    /// Dense cells of eight bytes, in blocks of eight.
    Cells8,
    /// Dense cells of four bytes, in blocks of sixteen.
    Cells4,
    /// Sparse cells of eight bytes.
    Rows,
}

impl TableKind {
    /// Every table, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Cells8, Self::Cells4, Self::Rows];

    /// Slots in one of its ranges of 8 KiB.
    pub const fn range_len(self) -> u32 {
        match self {
            Self::Cells8 | Self::Rows => 512,
            Self::Cells4 => 1_024,
        }
    }

    /// Slots in one of its blocks; rows stand alone.
    pub const fn block_len(self) -> u32 {
        match self {
            Self::Cells8 => 8,
            Self::Cells4 => 16,
            Self::Rows => 1,
        }
    }
}

const _: () = {
    let mut i = 0;
    while i < TableKind::ALL.len() {
        let table = TableKind::ALL[i];
        assert!(table as usize == i, "tables are found by their numbers");
        // Ranges are whole blocks, and a run of slots is whole blocks of every table.
        assert!(
            table.range_len().is_multiple_of(table.block_len())
                && RUN_ALIGN.is_multiple_of(table.block_len())
        );
        i += 1;
    }
    assert!(TableKind::Cells8.range_len() * 16 == 8 << 10 && TableKind::Cells4.range_len() * 8 == 8 << 10);
};

impl fmt::Display for TableKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cells8 => "cells8",
            Self::Cells4 => "cells4",
            Self::Rows => "rows",
        })
    }
}

/// Memory for the tables, one region each; `Some` where the layout has the table.
pub struct Regions {
    /// For cells of eight bytes: [`Blocks8::bytes_needed`].
    pub cells8: Option<Region>,
    /// For cells of four bytes: [`Blocks16::bytes_needed`].
    pub cells4: Option<Region>,
    /// For rows: [`RowTable::bytes_needed`].
    pub rows: Option<Region>,
}

impl Regions {
    /// Takes a region for each table of `layout` from `take`, which is told how many bytes.
    ///
    /// # Errors
    /// The first that `take` returns.
    pub fn take<E>(layout: &Layout, mut take: impl FnMut(usize) -> Result<Region, E>) -> Result<Self, E> {
        let slots = layout.slots;
        Ok(Self {
            cells8: layout.cells8.then(|| take(Blocks8::bytes_needed(slots))).transpose()?,
            cells4: layout.cells4.then(|| take(Blocks16::bytes_needed(slots))).transpose()?,
            rows: layout.rows.then(|| take(RowTable::bytes_needed(slots))).transpose()?,
        })
    }
}

/// The tables, in the hands of the thread that merges.
pub struct State {
    layout: Layout,
    cells8: Option<Blocks8>,
    cells4: Option<Blocks16>,
    rows: Option<RowTable>,
}

impl State {
    /// Empty tables in `regions`. `now_micros` places the clock of the four-byte cells.
    pub fn new(layout: Layout, regions: Regions, kernel: Kernel, now_micros: u64) -> Self {
        let there = [regions.cells8.is_some(), regions.cells4.is_some(), regions.rows.is_some()];
        assert!(
            there == TableKind::ALL.map(|table| layout.has(table)),
            "memory for other tables: {layout:?}"
        );
        let (slots, epoch) = (layout.slots, Blocks16::epoch_units_for(now_micros));
        Self {
            layout,
            cells8: regions.cells8.map(|region| Blocks8::new(slots, region, kernel)),
            cells4: regions.cells4.map(|region| Blocks16::new(slots, region, kernel, epoch)),
            rows: regions.rows.map(|region| RowTable::new(slots, region, kernel)),
        }
    }

    /// Which tables there are.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The table that a data frame belongs to.
    ///
    /// # Panics
    /// When the frame carries no cells.
    #[inline]
    pub fn table_of(frame: &Frame<'_>) -> TableKind {
        match frame.kind() {
            Kind::Block8 => TableKind::Cells8,
            Kind::Block16 => TableKind::Cells4,
            Kind::Rows => TableKind::Rows,
            Kind::StatsQuery | Kind::StatsReply | Kind::Control => {
                unreachable!("frames without cells are not merged")
            }
        }
    }

    /// Has the rows that `frame` will touch brought near.
    #[inline]
    pub fn prefetch(&self, frame: &Frame<'_>) {
        match (frame.entries(), &self.cells8, &self.cells4, &self.rows) {
            (Entries::Block8(blocks), Some(table), _, _) => table.prefetch(blocks),
            (Entries::Block16(blocks), _, Some(table), _) => table.prefetch(blocks),
            (Entries::Rows(rows), _, _, Some(table)) => table.prefetch(&rows),
            _ => {}
        }
    }

    /// Whether the clock of the frame's table can hold its version.
    ///
    /// # Errors
    /// [`Reject::Horizon`].
    #[inline]
    pub fn check_horizon(&self, frame: &Frame<'_>) -> Result<(), Reject> {
        match (frame.kind(), &self.cells4) {
            (Kind::Block16, Some(table)) if !table.horizon_ok(frame.header().version()) => {
                Err(Reject::Horizon)
            }
            _ => Ok(()),
        }
    }

    /// Merges a frame's cells; a frame whose table is not there changes nothing.
    #[inline]
    pub fn merge<S: Sink>(&mut self, frame: &Frame<'_>, sink: &mut S) -> Merged {
        let version = frame.header().version();
        match (frame.entries(), &mut self.cells8, &mut self.cells4, &mut self.rows) {
            (Entries::Block8(blocks), Some(table), _, _) => table.merge(version, blocks, sink),
            (Entries::Block16(blocks), _, Some(table), _) => table.merge(version, blocks, sink),
            (Entries::Rows(rows), _, _, Some(table)) => table.merge(version, &rows, sink),
            _ => Merged::default(),
        }
    }

    /// Takes all cells of a run in one table back to never written: they are nobody's any more. Tells `sink` of those that were written.
    pub fn clear<S: Sink>(&mut self, table: TableKind, run: Run, sink: &mut S) {
        match table {
            TableKind::Cells8 => self.cells8.iter_mut().for_each(|table| table.clear(run, sink)),
            TableKind::Cells4 => self.cells4.iter_mut().for_each(|table| table.clear(run, sink)),
            TableKind::Rows => self.rows.iter_mut().for_each(|table| table.clear(run, sink)),
        }
    }

    /// A hash of every cell of every table: the same cells give the same hash on every node and kernel.
    pub fn digest(&mut self) -> Hash {
        let parts = [
            self.cells8.as_mut().map(Blocks8::digest),
            self.cells4.as_mut().map(Blocks16::digest),
            self.rows.as_mut().map(RowTable::digest),
        ];
        const { assert!(TableKind::ALL.len() * 32 == 96) };
        let mut bytes = [0; 96];
        for (place, part) in bytes.chunks_exact_mut(32).zip(parts) {
            place.copy_from_slice(&part.unwrap_or(Hash([0; 32])).0);
        }
        Hash::of(&bytes)
    }

    /// How many ranges of 8 KiB a table has; none if it is not there.
    pub fn ranges(&self, table: TableKind) -> usize {
        match table {
            TableKind::Cells8 => self.cells8.as_ref().map_or(0, Blocks8::ranges),
            TableKind::Cells4 => self.cells4.as_ref().map_or(0, Blocks16::ranges),
            TableKind::Rows => self.rows.as_ref().map_or(0, RowTable::ranges),
        }
    }

    /// The hash of a range of a table, unless something was merged there since it was made, or there is no such range;
    /// zeros where nothing was ever written.
    pub fn range_hash(&self, table: TableKind, range: usize) -> Option<Hash> {
        if range >= self.ranges(table) {
            return None;
        }
        match table {
            TableKind::Cells8 => self.cells8.as_ref()?.range_hash(range),
            TableKind::Cells4 => self.cells4.as_ref()?.range_hash(range),
            TableKind::Rows => self.rows.as_ref()?.range_hash(range),
        }
    }

    /// Hashes ranges of a table in which something was merged, from number `from` on, at most `most`: some five
    /// microseconds each. Returns where to go on.
    pub fn freshen(&mut self, table: TableKind, from: usize, most: usize) -> usize {
        match table {
            TableKind::Cells8 => self.cells8.as_mut().map_or(0, |table| table.freshen(from, most)),
            TableKind::Cells4 => self.cells4.as_mut().map_or(0, |table| table.freshen(from, most)),
            TableKind::Rows => self.rows.as_mut().map_or(0, |table| table.freshen(from, most)),
        }
    }

    /// A view for other threads.
    pub fn reader(&self) -> StateReader {
        StateReader {
            layout: self.layout,
            cells8: self.cells8.as_ref().map(Blocks8::reader),
            cells4: self.cells4.as_ref().map(Blocks16::reader),
            rows: self.rows.as_ref().map(RowTable::reader),
        }
    }
}

/// Reads the tables from any thread, without a lock, while the engine merges.
#[derive(Clone)]
pub struct StateReader {
    layout: Layout,
    cells8: Option<Blocks8Reader>,
    cells4: Option<Blocks16Reader>,
    rows: Option<RowTableReader>,
}

impl StateReader {
    /// Which tables there are.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// A cell of eight bytes; nothing if it was never written, lies past the end, or there is no such table.
    pub fn cell8(&self, slot: Slot) -> Option<Cell> {
        self.cells8.as_ref()?.cell(slot)
    }

    /// Eight neighbouring cells at one instant: slots `8 * index` to `8 * index + 7`.
    pub fn block8(&self, index: u32) -> Option<Snapshot<u64, 8>> {
        self.cells8.as_ref()?.block(index)
    }

    /// A cell of four bytes; nothing as for [`StateReader::cell8`].
    pub fn cell4(&self, slot: Slot) -> Option<Cell<u32>> {
        self.cells4.as_ref()?.cell(slot)
    }

    /// Sixteen neighbouring cells at one instant: slots `16 * index` to `16 * index + 15`.
    pub fn block4(&self, index: u32) -> Option<Snapshot<u32, 16>> {
        self.cells4.as_ref()?.block(index)
    }

    /// A sparse cell; nothing as for [`StateReader::cell8`].
    pub fn row(&self, slot: Slot) -> Option<Cell> {
        self.rows.as_ref()?.cell(slot)
    }
}

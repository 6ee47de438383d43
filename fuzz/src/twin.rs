//! The dull twin of the three tables: maps from slot to cell, and the merge rule written out.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use octick_core::stamp::{Slot, Version};
use octick_core::state::TableKind;
use octick_core::table::{Cell, Merged};
use octick_core::wire::Entries;

/// A block, or a row, that took newer cells: index, mask, version.
pub type Changed = (u32, u16, Version);

/// Cells by slot, each a (version, value).
type Cells<T, V> = BTreeMap<u64, (T, V)>;

/// Three tables of `slots` slots.
#[derive(Clone, Debug)]
pub struct Twin {
    slots: u64,
    epoch_units: u64,
    cells8: Cells<Version, u64>,
    /// Versions in whole units of 1,024 microseconds.
    cells4: Cells<u64, u32>,
    rows: Cells<Version, u64>,
}

/// Units that the clock of the four-byte cells can tell apart.
const SPAN: u64 = 1 << 31;
/// Epochs are multiples of this.
const STEP: u64 = SPAN / 2;

impl Twin {
    /// Empty tables, whose clock for four-byte cells is placed for `now_micros`.
    pub fn new(slots: u32, now_micros: u64) -> Self {
        Self {
            slots: slots.into(),
            epoch_units: epoch_for(now_micros >> 10),
            cells8: BTreeMap::new(),
            cells4: BTreeMap::new(),
            rows: BTreeMap::new(),
        }
    }

    /// Where the clock of the four-byte cells begins.
    pub fn epoch_units(&self) -> u64 {
        self.epoch_units
    }

    /// Whether the clock can hold every entry of a frame of this version.
    pub fn horizon_ok(&self, version: Version) -> bool {
        version.micros() >> 10 > self.epoch_units + u64::from(u16::MAX)
    }

    /// Merges one frame; says what became of its cells, and what changed, in order.
    pub fn merge(&mut self, version: Version, entries: &Entries<'_>) -> (Merged, Vec<Changed>) {
        let mut merged = Merged::default();
        let mut changes = Vec::new();
        let mut note = |index, mask, version| {
            if mask != 0 {
                changes.push((index, mask, version));
            }
        };
        match entries {
            Entries::Block8(blocks) => {
                for block in *blocks {
                    let (index, aged) = (block.index.get(), version.aged(block.age.get().into()));
                    let mut mask = 0;
                    for lane in (0..8).filter(|lane| block.mask >> lane & 1 == 1) {
                        let slot = u64::from(index) * 8 + lane;
                        let offered = (aged, block.values[lane as usize].get());
                        if slot < self.slots.next_multiple_of(8)
                            && offer(&mut self.cells8, slot, offered, &mut merged)
                        {
                            mask |= 1 << lane;
                        }
                    }
                    note(index, mask, aged);
                }
            }
            Entries::Block16(blocks) => {
                let units = version.micros() >> 10;
                self.make_room(units);
                for block in *blocks {
                    let (index, age) = (block.index.get(), block.age.get());
                    let mut mask = 0;
                    for lane in (0..16).filter(|lane| block.mask.get() >> lane & 1 == 1) {
                        let slot = u64::from(index) * 16 + lane;
                        let offered = (units - u64::from(age), block.values[lane as usize].get());
                        if slot < self.slots.next_multiple_of(16)
                            && offer(&mut self.cells4, slot, offered, &mut merged)
                        {
                            mask |= 1 << lane;
                        }
                    }
                    note(index, mask, version.aged(u32::from(age) << 10));
                }
            }
            Entries::Rows(rows) => {
                for i in 0..rows.len() {
                    let (slot, aged) = (rows.slots[i].get(), version.aged(rows.ages[i].get()));
                    let offered = (aged, rows.values[i].get());
                    let changed = u64::from(slot) < self.slots
                        && offer(&mut self.rows, slot.into(), offered, &mut merged);
                    note(slot, changed.into(), aged);
                }
            }
            Entries::Stats(_) | Entries::Control(_) => {}
        }
        (merged, changes)
    }

    /// Moves the epoch if `units` is past the clock's end. What is older than the new one becomes its first unit.
    fn make_room(&mut self, units: u64) {
        if units - self.epoch_units >= SPAN {
            self.epoch_units = epoch_for(units);
            for (version, _) in self.cells4.values_mut() {
                *version = (*version).max(self.epoch_units + 1);
            }
        }
    }

    /// The dense cell of eight bytes at `slot`.
    pub fn cell8(&self, slot: Slot) -> Option<Cell> {
        self.cells8.get(&slot.0.into()).map(|&(version, value)| Cell { version, value })
    }

    /// The dense cell of four bytes at `slot`.
    pub fn cell4(&self, slot: Slot) -> Option<Cell<u32>> {
        let cell = |&(units, value): &(u64, u32)| Cell { version: Version(units << 10 << 12), value };
        self.cells4.get(&slot.0.into()).map(cell)
    }

    /// The sparse cell at `slot`.
    pub fn row(&self, slot: Slot) -> Option<Cell> {
        self.rows.get(&slot.0.into()).map(|&(version, value)| Cell { version, value })
    }

    /// Number of cells written in a table.
    pub fn written(&self, table: TableKind) -> usize {
        match table {
            TableKind::Cells8 => self.cells8.len(),
            TableKind::Cells4 => self.cells4.len(),
            TableKind::Rows => self.rows.len(),
        }
    }
}

/// The rule: the later version stays; of one version, the greater value. Says whether the cell changed.
fn offer<T: Ord + Copy, V: Ord + Copy>(
    cells: &mut Cells<T, V>,
    slot: u64,
    offered: (T, V),
    merged: &mut Merged,
) -> bool {
    let held = match cells.entry(slot) {
        Entry::Vacant(vacant) => {
            vacant.insert(offered);
            merged.won += 1;
            return true;
        }
        Entry::Occupied(occupied) => occupied.into_mut(),
    };
    match (offered.0.cmp(&held.0).is_eq(), offered > *held) {
        (false, true) => merged.won += 1,
        (true, _) if offered.1 != held.1 => merged.faults += 1,
        _ => merged.stale += 1,
    }
    let changed = offered > *held;
    *held = offered.max(*held);
    changed
}

/// The epoch to take at a time: the last multiple of the step but one.
fn epoch_for(units: u64) -> u64 {
    (units / STEP).saturating_sub(1) * STEP
}

//! Merging in plain code: what the other kernels equal, and where they send what they do not handle.
//!
//! The naive version: for each entry, for each cell in its mask, compare the versions, and if the cell wins, lock
//! it, store it, unlock it. The one departure: all of an entry's cells are judged, then locked, stored and
//! unlocked together, so that a reader of the whole row sees the entry merged or not, never half.

use core::sync::atomic::{Ordering, fence};

use crate::stamp::Version;
use crate::table::ranges::{CELLS_PER_RANGE, ROWS_PER_RANGE};
use crate::table::row::{Row, Row1, Row8, Row16, Word};
use crate::table::rule::{Verdict, judge};
use crate::table::{Merged, Sink};
use crate::wire::{Block8, Block16, Rows};

/// Merges blocks of eight; `version` is their frame's.
pub(in crate::table) fn merge8<S: Sink>(
    rows: &[Row8],
    dirty: &mut [u8],
    version: Version,
    entries: &[Block8],
    sink: &mut S,
) -> Merged {
    let mut merged = Merged::default();
    for entry in entries {
        let index = entry.index.get();
        let Some(row) = rows.get(index as usize) else { continue };
        let aged = version.aged(entry.age.get().into());
        let changed = merge_row(row, entry.mask.into(), aged.0, &entry.values, &mut merged);
        dirty[index as usize / ROWS_PER_RANGE] = 1;
        if changed != 0 {
            sink.changed(index, changed, aged);
        }
    }
    merged
}

/// Merges blocks of sixteen; `clock` is their frame's version by the table's clock.
pub(in crate::table) fn merge16<S: Sink>(
    rows: &[Row16],
    dirty: &mut [u8],
    version: Version,
    clock: u32,
    entries: &[Block16],
    sink: &mut S,
) -> Merged {
    let mut merged = Merged::default();
    for entry in entries {
        let index = entry.index.get();
        let Some(row) = rows.get(index as usize) else { continue };
        let aged = clock - (u32::from(entry.age.get()) << 1);
        let changed = merge_row(row, entry.mask.get(), aged, &entry.values, &mut merged);
        dirty[index as usize / ROWS_PER_RANGE] = 1;
        if changed != 0 {
            sink.changed(index, changed, version.aged(u32::from(entry.age.get()) << 10));
        }
    }
    merged
}

/// Merges single cells; `version` is their frame's.
pub(in crate::table) fn merge1<S: Sink>(
    table: &[Row1],
    dirty: &mut [u8],
    version: Version,
    rows: &Rows<'_>,
    sink: &mut S,
) -> Merged {
    let mut merged = Merged::default();
    for ((slot, age), value) in rows.slots.iter().zip(rows.ages).zip(rows.values) {
        let slot = slot.get();
        let Some(row) = table.get(slot as usize) else { continue };
        let aged = version.aged(age.get() & Rows::AGE_MAX);
        let changed = merge_row(row, 1, aged.0, &[*value], &mut merged);
        dirty[slot as usize / CELLS_PER_RANGE] = 1;
        if changed != 0 {
            sink.changed(slot, 1, aged);
        }
    }
    merged
}

/// Merges one entry into its row, and returns the mask of the cells that changed.
#[inline(always)]
fn merge_row<W: Word, const N: usize>(
    row: &Row<W, N>,
    mask: u16,
    version: W,
    values: &[W::Wire; N],
    merged: &mut Merged,
) -> u16 {
    let mut changed = 0;
    for lane in bits::<N>(mask) {
        let held =
            (W::load(&row.versions[lane], Ordering::Relaxed), W::load(&row.values[lane], Ordering::Relaxed));
        match judge(held, (version, W::of(values[lane]))) {
            Verdict::Won => {
                merged.won += 1;
                changed |= 1 << lane;
            }
            Verdict::Stale => merged.stale += 1,
            Verdict::Fault { stored } => {
                merged.faults += 1;
                changed |= u16::from(stored) << lane;
            }
        }
    }
    if changed != 0 {
        bits::<N>(changed).for_each(|lane| version.locked().store(&row.versions[lane], Ordering::Relaxed));
        fence(Ordering::Release);
        bits::<N>(changed).for_each(|lane| W::of(values[lane]).store(&row.values[lane], Ordering::Relaxed));
        bits::<N>(changed).for_each(|lane| version.store(&row.versions[lane], Ordering::Release));
    }
    changed
}

/// The numbers of the bits set among the lowest `N`.
#[inline(always)]
fn bits<const N: usize>(mask: u16) -> impl Iterator<Item = usize> {
    (0..N).filter(move |lane| mask >> lane & 1 != 0)
}

//! Merging in plain code: what the other kernels equal, and where they send what they do not handle.
//!
//! The naive version: for each entry, for each cell in its mask, judge by the rule, and if the cell wins, lock it,
//! store it, unlock it. Departures from it:
//!
//! 1. An entry's cells are judged, then locked, stored and unlocked together, so that a reader of the whole row sees
//!    the entry merged or not, never half.
//! 2. Versions alone decide, but for ties, which are faults or replays and rare: only those are judged by the rule as
//!    it is written.
//! 3. Every cell of the row is stored, to what it was or to what won: a branch on who wins would be mispredicted as
//!    often as winners and losers mix, and each time cost as much as merging two cells. The compiler would turn a plain
//!    choice before a store back into that branch.

use core::hint::select_unpredictable;

use crate::stamp::Version;
use crate::sync::{Ordering, fence};
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
pub(in crate::table) fn merge_row<W: Word, const N: usize>(
    row: &Row<W, N>,
    mask: u16,
    version: W,
    values: &[W::Wire; N],
    merged: &mut Merged,
) -> u16 {
    let held = row.versions.each_ref().map(|version| W::load(version, Ordering::Relaxed));
    let (mut newer, mut same) = (0, 0);
    for (lane, held) in held.iter().enumerate() {
        newer |= u16::from(version > *held) << lane;
        same |= u16::from(version == *held) << lane;
    }
    if same & mask != 0 {
        return merge_tied(row, mask, version, values, merged);
    }
    debug_assert!(version != version.locked(), "a version that reads as a lock");
    debug_assert!(newer & same == 0, "newer than what is there, and the same");
    let won = newer & mask;
    merged.won += won.count_ones();
    merged.stale += (mask & !won).count_ones();
    store(row, won, version, values, held);
    won
}

/// Stores an entry's cells where `won` has a bit: lock, values, unlock. The others get back what they `held`.
#[inline(always)]
fn store<W: Word, const N: usize>(
    row: &Row<W, N>,
    won: u16,
    version: W,
    values: &[W::Wire; N],
    held: [W; N],
) {
    let choose = |lane: usize, new: W, old: W| select_unpredictable(won >> lane & 1 != 0, new, old);
    for (lane, place) in row.versions.iter().enumerate() {
        choose(lane, version.locked(), held[lane]).store(place, Ordering::Release);
    }
    fence(Ordering::Release);
    for (lane, place) in row.values.iter().enumerate() {
        choose(lane, W::of(values[lane]), W::load(place, Ordering::Relaxed)).store(place, Ordering::Relaxed);
    }
    for (lane, place) in row.versions.iter().enumerate() {
        choose(lane, version, held[lane]).store(place, Ordering::Release);
    }
}

/// As [`merge_row`], cell by cell, for entries of which a cell has the very version that is offered.
#[cold]
#[inline(never)]
fn merge_tied<W: Word, const N: usize>(
    row: &Row<W, N>,
    mask: u16,
    version: W,
    values: &[W::Wire; N],
    merged: &mut Merged,
) -> u16 {
    let held = row.versions.each_ref().map(|version| W::load(version, Ordering::Relaxed));
    let mut changed = 0;
    for lane in (0..N).filter(|lane| mask >> lane & 1 != 0) {
        let value = W::load(&row.values[lane], Ordering::Relaxed);
        let stored = match judge((held[lane], value), (version, W::of(values[lane]))) {
            Verdict::Won => {
                merged.won += 1;
                true
            }
            Verdict::Stale => {
                merged.stale += 1;
                false
            }
            Verdict::Fault { stored } => {
                merged.faults += 1;
                stored
            }
        };
        changed |= u16::from(stored) << lane;
    }
    debug_assert!(changed & !mask == 0, "cells that nobody offered");
    store(row, changed, version, values, held);
    changed
}

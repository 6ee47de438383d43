//! Merging with AVX-512 masks on 256-bit registers: 512-bit ones lower the clock of many CPUs by more than they
//! save here.
//!
//! The naive version is [`portable`]: cell by cell, compare, lock, store, unlock. Departures from it:
//!
//! 1. The lanes of a register are the cells. One comparison under the entry's mask tells which cells win: no branch
//!    depends on who wins.
//! 2. No masked stores, which some CPUs (Zen 4) take longer over than over blending what they would leave alone, and storing
//!    all: the others get back what they had; no reader can tell, since nobody else writes.
//! 3. A tie of versions is a fault or a replay, and a place outside the table is a mistake: so rare that the rest of
//!    the frame goes back to [`portable`].
//! 4. Single cells are merged four at a time. A row of version and value is half a register, so two rows share
//!    one, and the four versions and values of the frame are interleaved to match. The winner is stored whole:
//!    one aligned store of 16 bytes, which needs no lock since it is seen at once or not at all.

use core::arch::x86_64::*;

use super::portable;
use super::x86::{
    fours, from, load_ages, load_halves, load_pair, load_values, store_blended, store_row, within,
};
use crate::stamp::Version;
use crate::table::ranges::{CELLS_PER_RANGE, ROWS_PER_RANGE};
use crate::table::row::{Row1, Row8, Row16};
use crate::table::{Merged, Sink};
use crate::wire::{Block8, Block16, Rows};

cpufeatures::new!(cpu, "avx2", "avx512f", "avx512bw", "avx512dq", "avx512vl", "bmi1", "bmi2", "popcnt");

/// The proof that this CPU has what the kernels of this file need.
#[derive(Clone, Copy)]
pub(in crate::table) struct Avx512(());

impl Avx512 {
    pub(in crate::table) fn detect() -> Option<Self> {
        cpu::get().then_some(Self(()))
    }

    /// As [`portable::merge8`].
    #[inline(always)]
    pub(in crate::table) fn merge8<S: Sink>(
        self,
        rows: &[Row8],
        dirty: &mut [u8],
        version: Version,
        entries: &[Block8],
        sink: &mut S,
    ) -> Merged {
        // SAFETY: `self` exists, so `detect` found all features that `merge8` enables.
        unsafe { merge8(rows, dirty, version, entries, sink) }
    }

    /// As [`portable::merge16`].
    #[inline(always)]
    pub(in crate::table) fn merge16<S: Sink>(
        self,
        rows: &[Row16],
        dirty: &mut [u8],
        version: Version,
        clock: u32,
        entries: &[Block16],
        sink: &mut S,
    ) -> Merged {
        // SAFETY: `self` exists, so `detect` found all features that `merge16` enables.
        unsafe { merge16(rows, dirty, version, clock, entries, sink) }
    }

    /// As [`portable::merge1`].
    #[inline(always)]
    pub(in crate::table) fn merge1<S: Sink>(
        self,
        table: &[Row1],
        dirty: &mut [u8],
        version: Version,
        rows: &Rows<'_>,
        sink: &mut S,
    ) -> Merged {
        // SAFETY: `self` exists, so `detect` found all features that `merge1` enables.
        unsafe { merge1(table, dirty, version, rows, sink) }
    }
}

#[target_feature(enable = "avx2,avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt")]
fn merge8<S: Sink>(
    rows: &[Row8],
    dirty: &mut [u8],
    version: Version,
    entries: &[Block8],
    sink: &mut S,
) -> Merged {
    assert!(rows.len() <= dirty.len() * ROWS_PER_RANGE && rows.as_ptr().addr().is_multiple_of(128));
    let (mut done, mut offered, mut won) = (0, 0, 0);
    for entry in entries {
        let index = entry.index.get();
        let Some(row) = rows.get(index as usize) else { break };
        let aged = version.aged(entry.age.get().into());
        let new = _mm256_set1_epi64x(aged.0 as i64);
        let (mask_lo, mask_hi) = (entry.mask & 0xF, entry.mask >> 4);
        // SAFETY: only this thread writes to the row.
        let ((held_lo, held_hi), (kept_lo, kept_hi), (value_lo, value_hi)) =
            unsafe { (load_halves(&row.versions), load_halves(&row.values), load_halves(&entry.values)) };
        let tie_lo = _mm256_mask_cmpeq_epi64_mask(mask_lo, new, held_lo);
        let tie_hi = _mm256_mask_cmpeq_epi64_mask(mask_hi, new, held_hi);
        if tie_lo | tie_hi != 0 {
            break;
        }
        let win_lo = _mm256_mask_cmpgt_epu64_mask(mask_lo, new, held_lo);
        let win_hi = _mm256_mask_cmpgt_epu64_mask(mask_hi, new, held_hi);
        let lock = _mm256_or_si256(new, _mm256_set1_epi64x(1));
        let choose = |old, win, new| _mm256_mask_mov_epi64(old, win, new);
        let locked = (choose(held_lo, win_lo, lock), choose(held_hi, win_hi, lock));
        let values = (choose(kept_lo, win_lo, value_lo), choose(kept_hi, win_hi, value_hi));
        let versions = (choose(held_lo, win_lo, new), choose(held_hi, win_hi, new));
        // SAFETY: the row is one of the table, which only this thread writes to.
        unsafe { store_blended(row, locked, values, versions) };
        let win = u16::from(win_lo) | u16::from(win_hi) << 4;
        // SAFETY: the row is one of the table, and the table not longer than its ranges.
        unsafe { *dirty.get_unchecked_mut(index as usize / ROWS_PER_RANGE) = 1 };
        done += 1;
        offered += u32::from(entry.mask).count_ones();
        won += win.count_ones();
        if win != 0 {
            sink.changed(index, win, aged);
        }
    }
    let mut merged = Merged { won, stale: offered - won, faults: 0 };
    merged += portable::merge8(rows, dirty, version, &entries[done..], sink);
    merged
}

#[target_feature(enable = "avx2,avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt")]
fn merge16<S: Sink>(
    rows: &[Row16],
    dirty: &mut [u8],
    version: Version,
    clock: u32,
    entries: &[Block16],
    sink: &mut S,
) -> Merged {
    assert!(rows.len() <= dirty.len() * ROWS_PER_RANGE && rows.as_ptr().addr().is_multiple_of(128));
    let (mut done, mut offered, mut won) = (0, 0, 0);
    for entry in entries {
        let index = entry.index.get();
        let Some(row) = rows.get(index as usize) else { break };
        let age = u32::from(entry.age.get());
        let new = _mm256_set1_epi32((clock - (age << 1)) as i32);
        let (mask_lo, mask_hi) = (entry.mask.get() as u8, (entry.mask.get() >> 8) as u8);
        // SAFETY: only this thread writes to the row.
        let ((held_lo, held_hi), (kept_lo, kept_hi), (value_lo, value_hi)) =
            unsafe { (load_halves(&row.versions), load_halves(&row.values), load_halves(&entry.values)) };
        let tie_lo = _mm256_mask_cmpeq_epi32_mask(mask_lo, new, held_lo);
        let tie_hi = _mm256_mask_cmpeq_epi32_mask(mask_hi, new, held_hi);
        if tie_lo | tie_hi != 0 {
            break;
        }
        let win_lo = _mm256_mask_cmpgt_epu32_mask(mask_lo, new, held_lo);
        let win_hi = _mm256_mask_cmpgt_epu32_mask(mask_hi, new, held_hi);
        let lock = _mm256_or_si256(new, _mm256_set1_epi32(1));
        let choose = |old, win, new| _mm256_mask_mov_epi32(old, win, new);
        let locked = (choose(held_lo, win_lo, lock), choose(held_hi, win_hi, lock));
        let values = (choose(kept_lo, win_lo, value_lo), choose(kept_hi, win_hi, value_hi));
        let versions = (choose(held_lo, win_lo, new), choose(held_hi, win_hi, new));
        // SAFETY: the row is one of the table, which only this thread writes to.
        unsafe { store_blended(row, locked, values, versions) };
        let win = u16::from(win_lo) | u16::from(win_hi) << 8;
        // SAFETY: the row is one of the table, and the table not longer than its ranges.
        unsafe { *dirty.get_unchecked_mut(index as usize / ROWS_PER_RANGE) = 1 };
        done += 1;
        offered += u32::from(entry.mask.get()).count_ones();
        won += win.count_ones();
        if win != 0 {
            sink.changed(index, win, version.aged(age << 10));
        }
    }
    let mut merged = Merged { won, stale: offered - won, faults: 0 };
    merged += portable::merge16(rows, dirty, version, clock, &entries[done..], sink);
    merged
}

#[target_feature(enable = "avx2,avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt")]
fn merge1<S: Sink>(
    table: &[Row1],
    dirty: &mut [u8],
    version: Version,
    rows: &Rows<'_>,
    sink: &mut S,
) -> Merged {
    assert!(table.len() <= dirty.len() * CELLS_PER_RANGE && table.as_ptr().addr().is_multiple_of(16));
    if !within(rows.slots, table.len()) {
        return portable::merge1(table, dirty, version, rows, sink);
    }
    let frame = _mm256_set1_epi64x(version.0 as i64);
    let (mut done, mut won) = (0, 0);
    for (slots, ages, values) in fours(rows) {
        // SAFETY: all slots are less than the table's length.
        let places = slots.each_ref().map(|slot| unsafe { table.as_ptr().add(slot.get() as usize) });
        // Rows 0 and 2 share a register, 1 and 3 another: that is how interleaving places the frame's columns.
        // SAFETY: all four are rows of the table, which only this thread writes to.
        let (held_even, held_odd) =
            unsafe { (load_pair(places[0], places[2]), load_pair(places[1], places[3])) };
        let aged = _mm256_sub_epi64(frame, load_ages(ages));
        // The four versions held, in the order of the frame.
        let held = _mm256_unpacklo_epi64(held_even, held_odd);
        if _mm256_cmpeq_epi64_mask(aged, held) != 0 {
            break;
        }
        // Unequal, so the greater of both is the new one exactly where it is newer.
        let newer = _mm256_cmpeq_epi64(_mm256_max_epu64(aged, held), aged);
        let values = load_values(values);
        let (new_even, new_odd) = (_mm256_unpacklo_epi64(aged, values), _mm256_unpackhi_epi64(aged, values));
        let even = choose(_mm256_unpacklo_epi64(newer, newer), new_even, held_even);
        let odd = choose(_mm256_unpackhi_epi64(newer, newer), new_odd, held_odd);
        // SAFETY: all four are rows of the table, which only this thread writes to.
        unsafe {
            store_row(places[0], _mm256_castsi256_si128(even));
            store_row(places[1], _mm256_castsi256_si128(odd));
            store_row(places[2], _mm256_extracti128_si256::<1>(even));
            store_row(places[3], _mm256_extracti128_si256::<1>(odd));
        }
        for slot in slots {
            // SAFETY: the slot is less than the table's length, and the table not longer than its ranges.
            unsafe { *dirty.get_unchecked_mut(slot.get() as usize / CELLS_PER_RANGE) = 1 };
        }
        let win = _mm256_movemask_pd(_mm256_castsi256_pd(newer));
        done += 4;
        won += win.count_ones();
        for i in 0..4 {
            if win >> i & 1 != 0 {
                sink.changed(slots[i].get(), 1, version.aged(ages[i].get() & Rows::AGE_MAX));
            }
        }
    }
    let mut merged = Merged { won, stale: done as u32 - won, faults: 0 };
    merged += portable::merge1(table, dirty, version, &from(rows, done), sink);
    merged
}

/// Of each lane `new` where `win` is all ones, `old` where it is all zeros.
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl")]
fn choose(win: __m256i, new: __m256i, old: __m256i) -> __m256i {
    // The truth table of `win ? new : old`, in one instruction.
    _mm256_ternarylogic_epi64::<0xCA>(win, new, old)
}

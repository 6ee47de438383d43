//! The 32-bit clock of blocks of 16: what it can hold, and what happens when time goes on.

use octick_core::stamp::{Slot, Version};
use octick_core::table::{Blocks16, Kernel, NoSink, Region};
use octick_core::wire::Block16;

const SLOTS: u32 = 2_048;
const STEP: u64 = Blocks16::EPOCH_STEP;
/// An epoch as of today, units.
const EPOCH: u64 = 1637 * STEP;

fn table(epoch_units: u64) -> Blocks16 {
    Blocks16::new(SLOTS, Region::heap(Blocks16::bytes_needed(SLOTS)), Kernel::detect(), epoch_units)
}

fn at(units: u64) -> Version {
    Version(units << 10 << 12 | 0x246)
}

fn write(table: &mut Blocks16, index: u32, units: u64, value: u32) {
    assert_eq!(table.merge(at(units), &[Block16::new(index, 1, 0, [value; 16])], &mut NoSink).offered(), 1);
}

fn units(table: &Blocks16, index: u32) -> Option<u64> {
    table.cell(Slot(16 * index)).map(|cell| cell.version.micros() >> 10)
}

#[test]
fn the_first_epoch_leaves_at_least_half_of_the_clock_on_both_sides() {
    for now in [0, STEP - 1, STEP, 2 * STEP - 1, 2 * STEP, EPOCH + 12_345] {
        let epoch = Blocks16::epoch_units_for(now << 10);
        assert!(epoch <= now && now - epoch < 2 * STEP, "{now}");
        assert!(epoch == 0 || now - epoch >= STEP, "{now}");
    }
}

#[test]
fn versions_that_ages_could_take_before_the_epoch_are_refused() {
    let table = table(EPOCH);
    assert!(!table.horizon_ok(at(EPOCH - 1)));
    assert!(!table.horizon_ok(at(EPOCH + 0xFFFF)));
    assert!(table.horizon_ok(at(EPOCH + 0x1_0000)));
    assert!(table.horizon_ok(at(EPOCH + 100 * STEP)));
}

#[test]
#[should_panic(expected = "is before the epoch")]
fn merging_what_was_to_be_refused_is_a_bug_of_the_caller() {
    write(&mut table(EPOCH), 0, EPOCH, 1);
}

#[test]
fn the_oldest_cell_that_may_be_merged_is_not_taken_for_none() {
    let mut table = table(EPOCH);
    let oldest = Block16::new(0, 1, u16::MAX, [9; 16]);
    table.merge(at(EPOCH + 0x1_0000), &[oldest], &mut NoSink);
    assert_eq!(units(&table, 0), Some(EPOCH + 1));
}

#[test]
fn the_epoch_moves_by_itself_and_young_cells_keep_their_times() {
    let mut table = table(EPOCH);
    let (young, old) = (EPOCH + STEP + 5, EPOCH + STEP - 5);
    write(&mut table, 0, young, 1);
    write(&mut table, 1, old, 2);
    write(&mut table, 2, EPOCH + 2 * STEP - 1, 3);
    assert_eq!(table.epoch_units(), EPOCH, "the clock still holds that");
    write(&mut table, 3, EPOCH + 2 * STEP, 4);
    assert_eq!(table.epoch_units(), EPOCH + STEP);
    assert_eq!(units(&table, 0), Some(young));
    assert_eq!(units(&table, 1), Some(EPOCH + STEP + 1), "the oldest that there is");
    assert_eq!(units(&table, 2), Some(EPOCH + 2 * STEP - 1));
    assert_eq!(units(&table, 3), Some(EPOCH + 2 * STEP));
    assert_eq!(table.cell(Slot(16)).unwrap().value, 2);
    assert_eq!(table.cell(Slot(17)), None, "what was never written stays so");
}

#[test]
fn after_a_long_silence_old_cells_lose_to_new_ones() {
    let mut table = table(EPOCH);
    write(&mut table, 0, EPOCH + STEP, 1);
    let later = EPOCH + 1000 * STEP;
    write(&mut table, 1, later, 2);
    assert_eq!(table.epoch_units(), later - STEP);
    write(&mut table, 0, later - STEP + 0x1_0000, 3);
    assert_eq!(table.cell(Slot(0)).unwrap().value, 3);
}

#[test]
fn tables_that_began_in_different_epochs_agree_on_what_both_can_hold() {
    let (mut early, mut late) = (table(EPOCH), table(EPOCH + STEP));
    for table in [&mut early, &mut late] {
        write(table, 0, EPOCH + STEP + 70_000, 1);
        write(table, 1, EPOCH + STEP + 80_000, 2);
    }
    assert_eq!(early.digest(), late.digest());
}

#[test]
fn moving_the_epoch_changes_the_digest_only_of_what_it_made_younger() {
    let (mut moved, mut fresh) = (table(EPOCH), table(EPOCH + STEP));
    write(&mut moved, 0, EPOCH + STEP + 70_000, 1);
    moved.digest();
    write(&mut moved, 1, EPOCH + 2 * STEP, 2);
    write(&mut fresh, 1, EPOCH + 2 * STEP, 2);
    write(&mut fresh, 0, EPOCH + STEP + 70_000, 1);
    assert_eq!(moved.digest(), fresh.digest());
    let mut old = table(EPOCH);
    write(&mut old, 0, EPOCH + 70_000, 1);
    let before = old.digest();
    write(&mut old, 1, EPOCH + 2 * STEP, 2);
    let both = old.digest();
    assert!(before != both && both != moved.digest());
}

#[test]
fn a_cell_of_the_very_moment_that_becomes_the_epoch_is_made_younger_too() {
    let (mut moved, mut fresh) = (table(EPOCH), table(EPOCH + STEP));
    write(&mut moved, 0, EPOCH + STEP, 1);
    moved.digest();
    fresh.merge(at(EPOCH + STEP + 0x1_0000), &[Block16::new(0, 1, u16::MAX, [1; 16])], &mut NoSink);
    for table in [&mut moved, &mut fresh] {
        // In another range, so that only the move itself can mark the cell's.
        write(table, 100, EPOCH + 2 * STEP, 2);
        assert_eq!(units(table, 0), Some(EPOCH + STEP + 1));
    }
    assert_eq!(moved.digest(), fresh.digest());
}

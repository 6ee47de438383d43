//! The digest tells tables apart by their cells, and by nothing else.

use octick_core::crypto::Hash;
use octick_core::stamp::Version;
use octick_core::table::{Blocks8, Blocks16, Kernel, NoSink, Region, RowTable};
use octick_core::wire::{Block8, Block16, Rows};
use zerocopy::byteorder::little_endian::{U32, U64};

const NOW: u64 = 1_800_000_000_000_000;

fn version(n: u64) -> Version {
    Version((NOW + n) << 12)
}

fn table(slots: u32) -> Blocks8 {
    Blocks8::new(slots, Region::heap(Blocks8::bytes_needed(slots)), Kernel::detect())
}

fn write(table: &mut Blocks8, n: u64, index: u32, value: u64) {
    table.merge(version(n), &[Block8::new(index, 1, 0, [value; 8])], &mut NoSink);
}

#[test]
fn it_does_not_depend_on_capacity() {
    let (mut small, mut large) = (table(1_000), table(100_000));
    assert_eq!(small.digest(), large.digest());
    for index in [0, 64, 124] {
        write(&mut small, 1, index, 5);
        write(&mut large, 1, index, 5);
    }
    assert_eq!(small.digest(), large.digest());
    write(&mut large, 1, 10_000, 5);
    assert_ne!(small.digest(), large.digest());
}

#[test]
fn it_depends_on_place_value_and_version() {
    let digest = |n, index, value| {
        let mut table = table(4_096);
        write(&mut table, n, index, value);
        table.digest()
    };
    let one = digest(1, 7, 9);
    assert_eq!(one, digest(1, 7, 9));
    assert!(
        [digest(2, 7, 9), digest(1, 8, 9), digest(1, 7, 8), digest(1, 71, 9)]
            .iter()
            .all(|other| *other != one)
    );
}

#[test]
fn a_stale_merge_leaves_it_as_it_was() {
    let mut table = table(64);
    write(&mut table, 5, 0, 1);
    let before = table.digest();
    write(&mut table, 4, 0, 2);
    write(&mut table, 5, 0, 1);
    assert_eq!(table.digest(), before);
}

#[test]
fn an_entry_without_cells_leaves_it_as_it_was() {
    let mut touched = table(1_000);
    touched.merge(version(1), &[Block8::new(3, 0, 0, [7; 8])], &mut NoSink);
    assert_eq!(touched.digest(), table(1_000).digest());
}

#[test]
fn tables_of_different_kinds_differ_even_when_empty() {
    let kernel = Kernel::Portable;
    let mut rows = RowTable::new(64, Region::heap(RowTable::bytes_needed(64)), kernel);
    let mut blocks16 = Blocks16::new(64, Region::heap(Blocks16::bytes_needed(64)), kernel, 0);
    let digests: [Hash; 3] = [table(64).digest(), rows.digest(), blocks16.digest()];
    assert!(digests[0] != digests[1] && digests[1] != digests[2] && digests[0] != digests[2]);
}

#[test]
fn every_kernel_gives_the_same_one() {
    let digests = |kernel| {
        let slots = 40_000;
        let mut blocks8 = Blocks8::new(slots, Region::heap(Blocks8::bytes_needed(slots)), kernel);
        let mut rows = RowTable::new(slots, Region::heap(RowTable::bytes_needed(slots)), kernel);
        let epoch = Blocks16::epoch_units_for(NOW);
        let mut blocks16 = Blocks16::new(slots, Region::heap(Blocks16::bytes_needed(slots)), kernel, epoch);
        for i in 0..2_000u32 {
            let (index, mask) = (i.wrapping_mul(2_654_435_761) % (slots / 16), i as u16 | 1);
            let version = version(u64::from(i) * 2_048 % 1_000_000);
            blocks8.merge(version, &[Block8::new(index, mask as u8, 3, [i.into(); 8])], &mut NoSink);
            blocks16.merge(version, &[Block16::new(index, mask, 3, [i; 16])], &mut NoSink);
            // Each in a range of its own, so that a range that a kernel forgets to mark shows.
            let slots: Vec<U32> = (0..9).map(|j| U32::new(index % 4_000 + j * 4_000)).collect();
            let columns = Rows { slots: &slots, ages: &[U32::new(3); 9], values: &[U64::new(i.into()); 9] };
            rows.merge(version, &columns, &mut NoSink);
        }
        (blocks8.digest(), blocks16.digest(), rows.digest())
    };
    let portable = digests(Kernel::Portable);
    assert!(Kernel::all_available().all(|kernel| digests(kernel) == portable));
}

#[test]
fn ranges_are_hashed_a_few_at_a_time_and_in_order() {
    let (kernel, slots) = (Kernel::detect(), 5 * 1_024);
    let mut blocks8 = Blocks8::new(slots, Region::heap(Blocks8::bytes_needed(slots)), kernel);
    let mut blocks16 = Blocks16::new(slots, Region::heap(Blocks16::bytes_needed(slots)), kernel, 0);
    let mut rows = RowTable::new(slots, Region::heap(RowTable::bytes_needed(slots)), kernel);
    assert_eq!((blocks8.ranges(), blocks16.ranges(), rows.ranges()), (10, 5, 10));
    assert_eq!((blocks8.slots(), blocks16.slots(), rows.slots()), (slots, slots, slots));
    let early = Version((1 << 40) << 12);
    for range in 0..4 {
        blocks8.merge(early, &[Block8::new(64 * range, 1, 0, [7; 8])], &mut NoSink);
        blocks16.merge(early, &[Block16::new(64 * range, 1, 0, [7; 16])], &mut NoSink);
        let (slots, ages, values) = ([U32::new(512 * range)], [U32::ZERO], [U64::new(7)]);
        rows.merge(early, &Rows { slots: &slots, ages: &ages, values: &values }, &mut NoSink);
    }
    // Two of the four that changed; where to go on; the other two, and then all of it.
    assert_eq!((blocks8.freshen(0, 2), blocks16.freshen(0, 2), rows.freshen(0, 2)), (2, 2, 2));
    let hashed = |range| [blocks8.range_hash(range), blocks16.range_hash(range), rows.range_hash(range)];
    assert!((0..2).all(|range| hashed(range).iter().all(|hash| hash.is_some_and(|hash| hash.0 != [0; 32]))));
    assert!((2..4).all(|range| hashed(range) == [None; 3]), "still to be hashed");
    assert_eq!(hashed(4), [Some(Hash([0; 32])); 3], "nothing was written there");
    assert_eq!((blocks8.freshen(2, 2), blocks16.freshen(2, 2), rows.freshen(2, 2)), (10, 5, 10));
    let hashed = |range| [blocks8.range_hash(range), blocks16.range_hash(range), rows.range_hash(range)];
    assert!((0..4).all(|range| hashed(range).iter().all(Option::is_some)));
}

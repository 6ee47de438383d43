//! Every kernel of every table does what a map of cells does, whatever arrives.

use std::collections::BTreeMap;

use octick_core::stamp::{Slot, Version};
use octick_core::table::{Blocks8, Blocks16, Kernel, Merged, Region, RowTable, Sink};
use octick_core::wire::{Block8, Block16, Rows};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use zerocopy::byteorder::little_endian::{U32, U64};

/// Slots in each table; some entries point past them.
const SLOTS: u32 = 160;

/// The dull twin: cells by slot, merged one by one by the greater (version, value).
#[derive(Default)]
struct Twin {
    cells: BTreeMap<u32, (u64, u64)>,
}

/// What a sink hears.
#[derive(Debug, Default, PartialEq)]
struct Log(Vec<(u32, u16, Version)>);

impl Sink for Log {
    fn changed(&mut self, index: u32, mask: u16, version: Version) {
        self.0.push((index, mask, version));
    }
}

impl Twin {
    /// Merges neighbouring cells from `first` on, and returns the mask of those that changed.
    fn merge(&mut self, first: u32, mask: u16, version: u64, values: &[u64], merged: &mut Merged) -> u16 {
        let mut changed = 0;
        for lane in (0..values.len()).filter(|lane| mask >> lane & 1 == 1) {
            let (slot, offered) = (first + lane as u32, (version, values[lane]));
            let held = self.cells.get(&slot).copied().unwrap_or((0, 0));
            if offered.0 > held.0 {
                merged.won += 1;
            } else if offered.0 == held.0 && offered.1 != held.1 {
                merged.faults += 1;
            } else {
                merged.stale += 1;
            }
            if offered > held {
                self.cells.insert(slot, offered);
                changed |= 1 << lane;
            }
        }
        changed
    }
}

/// Versions of headers: few, so that ties are common, and the extremes.
fn versions() -> impl Strategy<Value = Version> {
    let near = |micros: u64| (0..4u64).prop_map(move |i| Version((micros + i) << 12 | 0x246));
    prop_oneof![
        4 => near(1_800_000_000_000_000),
        1 => Just(Version::MIN_WIRE),
        // Where a signed comparison would take the later one for the earlier.
        1 => near((1 << 51) - 2),
        1 => near((1 << 52) - 4),
        1 => Just(Version(u64::MAX - 1)),
    ]
}

/// Values: few, so that the same cell comes again, and the extremes.
fn values() -> impl Strategy<Value = u64> {
    prop_oneof![0..3u64, Just(u64::MAX), Just(1 << 63), any::<u64>()]
}

fn blocks8() -> impl Strategy<Value = Vec<Block8>> {
    let index = prop_oneof![9 => 0..SLOTS / 8, 1 => prop_oneof![SLOTS / 8..SLOTS / 4, Just(u32::MAX)]];
    let age = prop_oneof![0..3u16, Just(u16::MAX)];
    let entry = (any::<u8>(), age, vec(values(), 8));
    (btree_set(index, 1..8), vec(entry, 8)).prop_map(|(indices, entries)| {
        let block = |(index, (mask, age, values)): (u32, (u8, u16, Vec<u64>))| {
            Block8::new(index, mask, age, values.try_into().unwrap())
        };
        indices.into_iter().zip(entries).map(block).collect()
    })
}

fn blocks16() -> impl Strategy<Value = Vec<Block16>> {
    let index = prop_oneof![9 => 0..SLOTS / 16, 1 => prop_oneof![SLOTS / 16..SLOTS / 8, Just(u32::MAX)]];
    let age = prop_oneof![0..3u16, Just(u16::MAX)];
    let value = prop_oneof![0..3u32, Just(u32::MAX), Just(1 << 31), any::<u32>()];
    let entry = (any::<u16>(), age, vec(value, 16));
    (btree_set(index, 1..8), vec(entry, 8)).prop_map(|(indices, entries)| {
        let block = |(index, (mask, age, values)): (u32, (u16, u16, Vec<u32>))| {
            Block16::new(index, mask, age, values.try_into().unwrap())
        };
        indices.into_iter().zip(entries).map(block).collect()
    })
}

/// The columns of a frame of rows.
type Columns = (Vec<U32>, Vec<U32>, Vec<U64>);

fn rows() -> impl Strategy<Value = Columns> {
    let beyond = prop_oneof![SLOTS..2 * SLOTS, Just(u32::MAX), Just(1 << 31)];
    let slots = prop_oneof![
        3 => btree_set(0..SLOTS, 1..58),
        1 => (btree_set(0..SLOTS, 1..50), btree_set(beyond, 1..4)).prop_map(|(mut slots, mut beyond)| {
            slots.append(&mut beyond);
            slots
        }),
    ];
    let age = prop_oneof![0..3u32, Just(Rows::AGE_MAX), any::<u32>()];
    (slots, vec((age, values()), 58)).prop_map(|(slots, rest)| {
        let (ages, values): (Vec<_>, Vec<_>) = rest.into_iter().take(slots.len()).unzip();
        (
            slots.into_iter().map(U32::new).collect(),
            ages.into_iter().map(U32::new).collect(),
            values.into_iter().map(U64::new).collect(),
        )
    })
}

fn view(columns: &Columns) -> Rows<'_> {
    Rows { slots: &columns.0, ages: &columns.1, values: &columns.2 }
}

fn table8(kernel: Kernel) -> Blocks8 {
    Blocks8::new(SLOTS, Region::heap(Blocks8::bytes_needed(SLOTS)), kernel)
}

fn table16(kernel: Kernel) -> Blocks16 {
    Blocks16::new(SLOTS, Region::heap(Blocks16::bytes_needed(SLOTS)), kernel, 0)
}

fn row_table(kernel: Kernel) -> RowTable {
    RowTable::new(SLOTS, Region::heap(RowTable::bytes_needed(SLOTS)), kernel)
}

/// Versions that a clock that begins in 1970 can hold.
fn versions16() -> impl Strategy<Value = Version> {
    let unit = prop_oneof![4 => 70_000..70_004u64, 1 => Just(65_536u64), 1 => (1u64 << 31) - 4..1 << 31];
    (unit, 0..1024u64).prop_map(|(unit, rest)| Version((unit << 10 | rest) << 12 | 0x246))
}

/// A quarter of the cases that proptest would take: each is many frames, merged by each kernel.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases / 4, ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn blocks8_are_a_map_of_cells(frames in vec((versions(), blocks8()), 1..8)) {
        for kernel in Kernel::all_available() {
            let (mut table, mut twin) = (table8(kernel), Twin::default());
            for (version, blocks) in &frames {
                let (mut log, mut expected_log) = (Log::default(), Log::default());
                let mut expected = Merged::default();
                for block in blocks.iter().filter(|block| block.index.get() < SLOTS / 8) {
                    let aged = version.aged(block.age.get().into());
                    let values = block.values.map(|value| value.get());
                    let first = 8 * block.index.get();
                    let changed = twin.merge(first, block.mask.into(), aged.0, &values, &mut expected);
                    if changed != 0 {
                        expected_log.changed(block.index.get(), changed, aged);
                    }
                }
                table.prefetch(blocks);
                prop_assert_eq!(table.merge(*version, blocks, &mut log), expected, "{}", kernel);
                prop_assert_eq!(&log, &expected_log, "{}", kernel);
            }
            for slot in 0..SLOTS {
                let cell = table.cell(Slot(slot)).map(|cell| (cell.version.0, cell.value));
                prop_assert_eq!(cell, twin.cells.get(&slot).copied(), "slot {} of {}", slot, kernel);
            }
            prop_assert_eq!(table.cell(Slot(SLOTS)), None);
        }
    }

    #[test]
    fn blocks16_are_a_map_of_cells(frames in vec((versions16(), blocks16()), 1..6)) {
        for kernel in Kernel::all_available() {
            let (mut table, mut twin) = (table16(kernel), Twin::default());
            for (version, blocks) in &frames {
                let (mut log, mut expected_log) = (Log::default(), Log::default());
                let mut expected = Merged::default();
                for block in blocks.iter().filter(|block| block.index.get() < SLOTS / 16) {
                    let units = (version.micros() >> 10) - u64::from(block.age.get());
                    let values = block.values.map(|value| value.get().into());
                    let first = 16 * block.index.get();
                    let changed = twin.merge(first, block.mask.get(), units, &values, &mut expected);
                    if changed != 0 {
                        let aged = version.aged(u32::from(block.age.get()) << 10);
                        expected_log.changed(block.index.get(), changed, aged);
                    }
                }
                table.prefetch(blocks);
                prop_assert!(table.horizon_ok(*version));
                prop_assert_eq!(table.merge(*version, blocks, &mut log), expected, "{}", kernel);
                prop_assert_eq!(&log, &expected_log, "{}", kernel);
            }
            for slot in 0..SLOTS {
                let cell = table.cell(Slot(slot)).map(|cell| (cell.version.micros() >> 10, cell.value.into()));
                prop_assert_eq!(cell, twin.cells.get(&slot).copied(), "slot {} of {}", slot, kernel);
            }
            prop_assert_eq!(table.cell(Slot(SLOTS)), None);
        }
    }

    #[test]
    fn rows_are_a_map_of_cells(frames in vec((versions(), rows()), 1..8)) {
        for kernel in Kernel::all_available() {
            let (mut table, mut twin) = (row_table(kernel), Twin::default());
            for (version, columns) in &frames {
                let (mut log, mut expected_log) = (Log::default(), Log::default());
                let mut expected = Merged::default();
                for ((slot, age), value) in columns.0.iter().zip(&columns.1).zip(&columns.2) {
                    if slot.get() < SLOTS {
                        let aged = version.aged(age.get() & Rows::AGE_MAX);
                        if twin.merge(slot.get(), 1, aged.0, &[value.get()], &mut expected) != 0 {
                            expected_log.changed(slot.get(), 1, aged);
                        }
                    }
                }
                table.prefetch(&view(columns));
                prop_assert_eq!(table.merge(*version, &view(columns), &mut log), expected, "{}", kernel);
                prop_assert_eq!(&log, &expected_log, "{}", kernel);
            }
            for slot in 0..SLOTS {
                let cell = table.cell(Slot(slot)).map(|cell| (cell.version.0, cell.value));
                prop_assert_eq!(cell, twin.cells.get(&slot).copied(), "slot {} of {}", slot, kernel);
            }
            prop_assert_eq!(table.cell(Slot(SLOTS)), None);
        }
    }

    #[test]
    fn any_order_and_any_repetition_converge(
        frames in vec((versions(), blocks8(), versions(), rows(), versions16(), blocks16()), 1..6),
        picks in vec(any::<prop::sample::Index>(), 0..8),
        seed in any::<u64>(),
    ) {
        let mut digests = Vec::new();
        for (i, kernel) in Kernel::all_available().chain(Kernel::all_available()).enumerate() {
            let (mut blocks8, mut rows, mut blocks16) = (table8(kernel), row_table(kernel), table16(kernel));
            // Every frame at least once, some again, in an order of its own.
            let mut order: Vec<usize> = (0..frames.len()).collect();
            order.extend(picks.iter().map(|pick| pick.index(frames.len())));
            order.sort_by_key(|frame| (*frame as u64 + 1).wrapping_mul(seed | 1).rotate_left(7 * i as u32));
            for (j, frame) in order.into_iter().enumerate() {
                let (version8, entries8, version1, columns, version16, entries16) = &frames[frame];
                blocks8.merge(*version8, entries8, &mut Log::default());
                rows.merge(*version1, &view(columns), &mut Log::default());
                blocks16.merge(*version16, entries16, &mut Log::default());
                if j % 3 == i {
                    // Asking in between changes nothing.
                    let _ = (blocks8.digest(), rows.digest(), blocks16.digest());
                }
            }
            digests.push((blocks8.digest(), rows.digest(), blocks16.digest()));
        }
        prop_assert!(digests.iter().all(|digest| *digest == digests[0]), "{:?}", digests);
    }

    #[test]
    fn a_lost_frame_shows_in_the_digest_exactly_if_it_mattered(
        frames in vec((versions(), blocks8()), 2..8),
        lost in any::<prop::sample::Index>(),
    ) {
        let kernel = Kernel::detect();
        let (mut all, mut some) = (table8(kernel), table8(kernel));
        let lost = lost.index(frames.len());
        for (i, (version, blocks)) in frames.iter().enumerate() {
            all.merge(*version, blocks, &mut Log::default());
            if i != lost {
                some.merge(*version, blocks, &mut Log::default());
            }
        }
        let same = (0..SLOTS).all(|slot| all.cell(Slot(slot)) == some.cell(Slot(slot)));
        prop_assert_eq!(all.digest() == some.digest(), same);
        some.merge(frames[lost].0, &frames[lost].1, &mut Log::default());
        prop_assert_eq!(all.digest(), some.digest());
    }
}

#[test]
#[should_panic(expected = "is not of the wire")]
fn an_odd_version_is_a_bug_of_the_caller() {
    table8(Kernel::Portable).merge(Version(Version::MIN_WIRE.0 | 1), &[], &mut Log::default());
}

#[test]
#[should_panic(expected = "is not of the wire")]
fn a_version_that_ages_could_take_below_zero_is_a_bug_of_the_caller() {
    let columns = (vec![], vec![], vec![]);
    row_table(Kernel::Portable).merge(Version(Version::MIN_WIRE.0 - 2), &view(&columns), &mut Log::default());
}

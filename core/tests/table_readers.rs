//! Readers on other threads see each cell whole, and each block at one moment, while the writer merges.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use octick_core::stamp::{Slot, Version};
use octick_core::table::{Blocks8, Blocks16, Kernel, NoSink, Region, RowTable};
use octick_core::wire::{Block8, Block16, Rows};
use zerocopy::byteorder::little_endian::{U32, U64};

const SLOTS: u32 = 16;
/// Optimised, a writer is inside a row for some ten ticks only: enough writes that leaving out its lock shows.
const WRITES: u64 = if cfg!(debug_assertions) { 50_000 } else { 3_000_000 };

/// The version of write `n`, and what a cell of that version holds.
fn version(n: u64) -> Version {
    Version((1_800_000_000_000_000 + n * 1024) << 12)
}

fn value(version: Version) -> u64 {
    version.0.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Tells the readers to stop, even if the writer panics.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Readers beside the writer.
const READERS: usize = 2;

/// Runs one writer and two readers until the writer is done, and every reader has seen something: on a busy machine the
/// writer may be done before they begin. `look` says whether it saw anything but the beginning.
fn stress(mut write: impl FnMut(u64) + Send, look: impl Fn() -> bool + Sync) {
    let (stop, seeing) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|threads| {
        let readers = [(); READERS].map(|()| {
            threads.spawn(|| {
                let mut looks = 0u64;
                while !stop.load(Ordering::Relaxed) {
                    let saw = look();
                    if saw && looks == 0 {
                        seeing.fetch_add(1, Ordering::Relaxed);
                    }
                    looks += u64::from(saw);
                }
                looks
            })
        });
        let writer = StopOnDrop(&stop);
        let blind = || seeing.load(Ordering::Relaxed) < READERS;
        (1..=1_000 * WRITES).take_while(|n| *n <= WRITES || blind()).for_each(&mut write);
        drop(writer);
        for reader in readers {
            assert!(reader.join().expect("a reader saw a torn cell") > 0, "a reader never saw anything");
        }
    });
}

#[test]
fn a_block_of_eight_is_one_moment() {
    for kernel in Kernel::all_available() {
        let mut table = Blocks8::new(SLOTS, Region::heap(Blocks8::bytes_needed(SLOTS)), kernel);
        let reader = table.reader();
        table.merge(version(0), &[Block8::new(1, 0xFF, 0, [value(version(0)); 8])], &mut NoSink);
        let write = |n| {
            // Odd lanes follow one write behind: masks, and two versions in a row.
            let mask = if n % 2 == 0 { 0b0101_0101 } else { 0b1010_1010 };
            table.merge(version(n), &[Block8::new(1, mask, 0, [value(version(n)); 8])], &mut NoSink);
        };
        stress(write, || {
            let block = reader.block(1).unwrap();
            let (even, odd) = (block.versions[0], block.versions[1]);
            for lane in 0..8 {
                let expected = if lane % 2 == 0 { even } else { odd };
                assert_eq!(block.versions[lane], expected, "{kernel}: half an entry");
                assert_eq!(block.values[lane], value(expected), "{kernel}: another version's value");
            }
            assert!(even.0.abs_diff(odd.0) <= version(1).0 - version(0).0, "{kernel}: two moments");
            let cell = reader.cell(Slot(8 + 5)).unwrap();
            assert_eq!(cell.value, value(cell.version), "{kernel}");
            even > version(0)
        });
    }
}

#[test]
fn a_block_of_sixteen_is_one_moment() {
    let value = |version: Version| value(Version(version.0 >> 22 << 22)) as u32;
    for kernel in Kernel::all_available() {
        let epoch = Blocks16::epoch_units_for(version(0).micros());
        let mut table = Blocks16::new(SLOTS, Region::heap(Blocks16::bytes_needed(SLOTS)), kernel, epoch);
        let reader = table.reader();
        table.merge(version(0), &[Block16::new(0, 0xFFFF, 0, [value(version(0)); 16])], &mut NoSink);
        let write = |n| {
            let mask = if n % 2 == 0 { 0x5555 } else { 0xAAAA };
            table.merge(version(n), &[Block16::new(0, mask, 0, [value(version(n)); 16])], &mut NoSink);
        };
        stress(write, || {
            let block = reader.block(0).unwrap();
            let (even, odd) = (block.versions[0], block.versions[1]);
            for lane in 0..16 {
                let expected = if lane % 2 == 0 { even } else { odd };
                assert_eq!(block.versions[lane], expected, "{kernel}: half an entry");
                assert_eq!(block.values[lane], value(expected), "{kernel}: another version's value");
            }
            let cell = reader.cell(Slot(11)).unwrap();
            assert_eq!(cell.value, value(cell.version), "{kernel}");
            even.micros() > version(1).micros()
        });
    }
}

#[test]
fn a_row_is_one_moment() {
    for kernel in Kernel::all_available() {
        let mut table = RowTable::new(SLOTS, Region::heap(RowTable::bytes_needed(SLOTS)), kernel);
        let reader = table.reader();
        let slots: Vec<U32> = (0..7).map(U32::new).collect();
        let write = |n| {
            let (ages, values) = ([U32::ZERO; 7], [U64::new(value(version(n))); 7]);
            let rows = Rows { slots: &slots, ages: &ages, values: &values };
            table.merge(version(n), &rows, &mut NoSink);
        };
        stress(write, || {
            // Slots 0 to 3 are merged as four, 6 by the portable kernel.
            [0, 3, 6].into_iter().all(|slot| match reader.cell(Slot(slot)) {
                Some(cell) => {
                    assert_eq!(cell.value, value(cell.version), "{kernel}: another version's value");
                    true
                }
                None => false,
            })
        });
    }
}

#[test]
fn a_reader_outlives_its_table() {
    let mut table = Blocks8::new(SLOTS, Region::heap(Blocks8::bytes_needed(SLOTS)), Kernel::detect());
    let reader = table.reader();
    table.merge(version(1), &[Block8::new(0, 1, 0, [7; 8])], &mut NoSink);
    drop(table);
    assert_eq!(reader.cell(Slot(0)).unwrap().value, 7);
    assert_eq!(reader.cell(Slot(1)), None);
}

#[test]
fn readers_of_a_clock_that_moves_its_epoch_see_the_same_times() {
    let step = Blocks16::EPOCH_STEP;
    let kernel = Kernel::detect();
    let mut table = Blocks16::new(SLOTS, Region::heap(Blocks16::bytes_needed(SLOTS)), kernel, 0);
    let at = |units: u64| Version(units << 10 << 12);
    let reader = table.reader();
    let mut units = step;
    table.merge(at(units), &[Block16::new(0, 0xFFFF, 0, [units as u32; 16])], &mut NoSink);
    let write = |n| {
        // All the epochs that there are until a version's end, which later writes repeat.
        units += if n <= WRITES { 4_000 * step / WRITES } else { 0 };
        table.merge(at(units), &[Block16::new(0, 0xFFFF, 0, [units as u32; 16])], &mut NoSink);
    };
    stress(write, || {
        let cell = reader.cell(Slot(3)).unwrap();
        assert_eq!((cell.version.micros() >> 10) as u32, cell.value);
        cell.version > at(step)
    });
}

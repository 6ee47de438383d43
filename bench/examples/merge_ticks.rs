//! Ticks a cell of parse, window and merge, as a table: `cargo run --release -p octick-bench --example merge_ticks`.
//!
//! A batch of 64 full frames to random places is parsed, asked for and noted in the origin's window, and merged; the
//! next frame's rows are prefetched while one is merged. The counter is read before and after each batch. Shown are
//! the least and the median of many batches, and the least of parse and of merge alone. Words on the command line choose
//! the rows that contain them all.

use std::arch::x86_64::{_mm_lfence, _rdtsc};
use std::hint::black_box;

use octick_bench::load::Shape;
use octick_bench::table::{Table, pipeline};
use octick_core::data::Windows;
use octick_core::table::{Kernel, Merged};
use octick_core::wire::{Frame, Kind};

const TABLES: [(Kind, &str, u16, u32); 10] = [
    (Kind::Block8, "blocks of 8, full", 0xFF, 100),
    (Kind::Block8, "blocks of 8, half full", 0x55, 100),
    (Kind::Block8, "blocks of 8, quarter full", 0x11, 100),
    (Kind::Block8, "blocks of 8, nothing newer", 0xFF, 0),
    (Kind::Block16, "blocks of 16, full", 0xFFFF, 100),
    (Kind::Block16, "blocks of 16, half full", 0x5555, 100),
    (Kind::Block16, "blocks of 16, nothing newer", 0xFFFF, 0),
    (Kind::Rows, "rows, 100 % winners", 1, 100),
    (Kind::Rows, "rows, 50 % winners", 1, 50),
    (Kind::Rows, "rows, 0 % winners", 1, 0),
];

/// Batches of each measurement.
const BATCHES: usize = 500;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    println!("| load | cells | kernel | least | median | parse alone | merge alone |");
    println!("|---|---|---|---|---|---|---|");
    for (kind, name, mask, winners) in TABLES {
        for (slots, size) in [(1 << 16, "64k"), (1 << 20, "1M"), (1 << 23, "8M")] {
            for kernel in Kernel::all_available().rev() {
                let row = format!("| {name} | {size} | {kernel} |");
                if wanted.iter().all(|word| row.contains(word.as_str())) {
                    let Figures { least, median, parse, merge } = measure(kind, slots, mask, winners, kernel);
                    println!("{row} {least:.2} | {median:.2} | {parse:.2} | {merge:.2} |");
                }
            }
        }
    }
}

/// Ticks a cell.
struct Figures {
    least: f64,
    median: f64,
    /// Least of the checks alone.
    parse: f64,
    /// Least of the merge alone, prefetch included.
    merge: f64,
}

fn measure(kind: Kind, slots: u32, mask: u16, winners: u32, kernel: Kernel) -> Figures {
    let (mut table, mut load) = Table::filled(Shape { kind, slots, winners, mask }, kernel);
    let mut windows = Windows::new(1);
    let (mut whole, mut parse, mut merge) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..BATCHES {
        load.next_batch();
        let mut merged = Merged::default();
        whole.push(timed(|| merged = pipeline(&load, &mut table, &mut windows)));
        check(&merged, winners);
        load.next_batch();
        parse.push(timed(|| {
            let sound = load.frames().iter().filter(|frame| Frame::parse(black_box(frame)).is_ok()).count();
            assert_eq!(sound, load.frames().len());
        }));
        let frames: Vec<_> = load.frames().iter().map(|frame| Frame::parse(frame).expect("frames")).collect();
        merge.push(timed(|| {
            table.prefetch(&frames[0]);
            for (i, frame) in frames.iter().enumerate() {
                if let Some(next) = frames.get(i + 1) {
                    table.prefetch(next);
                }
                table.merge(frame);
            }
        }));
    }
    whole.sort_unstable();
    let a_cell = |ticks: Option<&u64>| *ticks.expect("some batches") as f64 / load.cells() as f64;
    Figures {
        least: a_cell(whole.first()),
        median: a_cell(whole.get(BATCHES / 2)),
        parse: a_cell(parse.iter().min()),
        merge: a_cell(merge.iter().min()),
    }
}

/// A figure means something only if as many cells won as it says.
fn check(merged: &Merged, winners: u32) {
    let percent = 100 * merged.won / merged.offered();
    let wanted = match winners {
        50 => 45..=55,
        all_or_none => all_or_none..=all_or_none,
    };
    assert!(wanted.contains(&percent) && merged.faults == 0, "{percent} % won: {merged:?}");
}

fn timed(work: impl FnOnce()) -> u64 {
    // SAFETY: every x86-64 has both instructions.
    let read = || unsafe {
        _mm_lfence();
        let ticks = _rdtsc();
        _mm_lfence();
        ticks
    };
    let start = read();
    work();
    read() - start
}

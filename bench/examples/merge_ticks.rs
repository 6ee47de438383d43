//! Ticks a cell of parse, window and merge, as a table: `cargo run --release -p octick-bench --example merge_ticks`.
//!
//! A batch of 64 full frames to random places is parsed, asked for and noted in the origin's window, and merged; the
//! next frame's rows are prefetched while one is merged. The counter is read before and after each batch. Shown are
//! the least and the median of many batches, and the least of the merge alone (frames parsed before).

use std::arch::x86_64::{_mm_lfence, _rdtsc};

use octick_bench::load::{Load, Winners};
use octick_bench::pages;
use octick_core::data::Windows;
use octick_core::stamp::OriginIndex;
use octick_core::table::{Blocks8, Blocks16, Kernel, Merged, NoSink, RowTable};
use octick_core::wire::{Entries, Frame, Kind};

const TABLES: [(Kind, &str, u16, Winners); 10] = [
    (Kind::Block8, "blocks of 8, full", 0xFF, Winners::All),
    (Kind::Block8, "blocks of 8, half full", 0x55, Winners::All),
    (Kind::Block8, "blocks of 8, quarter full", 0x11, Winners::All),
    (Kind::Block8, "blocks of 8, nothing newer", 0xFF, Winners::No),
    (Kind::Block16, "blocks of 16, full", 0xFFFF, Winners::All),
    (Kind::Block16, "blocks of 16, half full", 0x5555, Winners::All),
    (Kind::Block16, "blocks of 16, nothing newer", 0xFFFF, Winners::No),
    (Kind::Rows, "rows, 100 % winners", 1, Winners::All),
    (Kind::Rows, "rows, 50 % winners", 1, Winners::Half),
    (Kind::Rows, "rows, 0 % winners", 1, Winners::No),
];

enum Table {
    Blocks8(Blocks8),
    Blocks16(Blocks16),
    Rows(RowTable),
}

impl Table {
    fn new(kind: Kind, slots: u32, kernel: Kernel) -> Self {
        match kind {
            Kind::Block8 => {
                Self::Blocks8(Blocks8::new(slots, pages::region(Blocks8::bytes_needed(slots)), kernel))
            }
            Kind::Block16 => {
                let epoch = Blocks16::epoch_units_for(1_800_000_000_000_000);
                Self::Blocks16(Blocks16::new(
                    slots,
                    pages::region(Blocks16::bytes_needed(slots)),
                    kernel,
                    epoch,
                ))
            }
            _ => Self::Rows(RowTable::new(slots, pages::region(RowTable::bytes_needed(slots)), kernel)),
        }
    }

    #[inline(always)]
    fn prefetch(&self, frame: &Frame<'_>) {
        match (self, frame.entries()) {
            (Self::Blocks8(table), Entries::Block8(entries)) => table.prefetch(entries),
            (Self::Blocks16(table), Entries::Block16(entries)) => table.prefetch(entries),
            (Self::Rows(table), Entries::Rows(rows)) => table.prefetch(&rows),
            _ => unreachable!("the load is of the table's kind"),
        }
    }

    #[inline(always)]
    fn merge(&mut self, frame: &Frame<'_>) -> Merged {
        let version = frame.header().version();
        match (self, frame.entries()) {
            (Self::Blocks8(table), Entries::Block8(entries)) => table.merge(version, entries, &mut NoSink),
            (Self::Blocks16(table), Entries::Block16(entries)) => table.merge(version, entries, &mut NoSink),
            (Self::Rows(table), Entries::Rows(rows)) => table.merge(version, &rows, &mut NoSink),
            _ => unreachable!("the load is of the table's kind"),
        }
    }
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    println!("| load | cells | kernel | least | median | merge alone |");
    println!("|---|---|---|---|---|---|");
    for (kind, name, mask, winners) in TABLES {
        for (slots, size) in [(1 << 10, "1k"), (1 << 16, "64k"), (1 << 20, "1M"), (1 << 23, "8M")] {
            for kernel in Kernel::all_available().rev() {
                let row = format!("| {name} | {size} | {kernel} |");
                if wanted.iter().all(|word| row.contains(word.as_str())) {
                    let (least, median, merge) = measure(kind, slots, mask, winners, kernel);
                    println!("{row} {least:.2} | {median:.2} | {merge:.2} |");
                }
            }
        }
    }
}

fn measure(kind: Kind, slots: u32, mask: u16, winners: Winners, kernel: Kernel) -> (f64, f64, f64) {
    let mut table = Table::new(kind, slots, kernel);
    let mut windows = Windows::new(1);
    // Every cell is written before the clock runs, newer than a load without winners will be.
    let mut fill = Load::new(kind, slots, if kind == Kind::Block8 { 0xFF } else { 0xFFFF }, Winners::All);
    for _ in 0..4 * slots as usize / fill.cells() + 1 {
        fill.next();
        fill.frames().iter().for_each(|frame| {
            table.merge(&Frame::parse(frame).expect("a load is of frames"));
        });
    }
    let mut load = Load::new(kind, slots, mask, winners);
    load.begin_after(if winners == Winners::No { None } else { Some(&fill) });
    let cells = load.cells() as f64;
    let batches = 400;
    let mut whole: Vec<u64> = (0..batches)
        .map(|_| {
            load.next();
            timed(|| pipeline(&load, &mut table, &mut windows))
        })
        .collect();
    let merge = (0..batches).map(|_| {
        load.next();
        let frames: Vec<_> = load.frames().iter().map(|frame| Frame::parse(frame).expect("frames")).collect();
        timed(|| {
            table.prefetch(&frames[0]);
            for (i, frame) in frames.iter().enumerate() {
                if let Some(next) = frames.get(i + 1) {
                    table.prefetch(next);
                }
                table.merge(frame);
            }
        })
    });
    let merge = merge.min().expect("some batches");
    whole.sort_unstable();
    (whole[0] as f64 / cells, whole[batches / 2] as f64 / cells, merge as f64 / cells)
}

/// What a thread does with a batch before and after the signatures, which are another budget.
fn pipeline(load: &Load, table: &mut Table, windows: &mut Windows) {
    let mut next = None;
    let (view, origin) = (windows.view(), OriginIndex(0));
    for bytes in load.frames().iter().map(Some).chain([None]) {
        let parsed = bytes.map(|bytes| Frame::parse(bytes).expect("a load is of frames"));
        if let Some(frame) = &parsed {
            table.prefetch(frame);
            view.ask(origin, frame.header().incarnation(), frame.header().seq());
        }
        if let Some(frame) = std::mem::replace(&mut next, parsed) {
            let header = frame.header();
            windows.insert(origin, header.incarnation(), header.seq()).expect("each frame is new");
            table.merge(&frame);
        }
    }
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

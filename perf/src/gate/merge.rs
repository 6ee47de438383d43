//! Parse + window + merge, ticks a cell, by table, size and kernel.

use octick_bench::load::{Crowd, Frames, Shape};
use octick_core::limits::BATCH_MAX;
use octick_core::table::Kernel;
use octick_core::wire::Kind;

use super::gate::{Gate, kernel_name};
use crate::pipeline::Pipeline;
use crate::report::{Bar, Row};
use crate::sample::sample;

const UNIT: &str = "ticks/cell";
/// Origins whose frames arrive interleaved.
const ORIGINS: usize = 1_000;

/// Slots, and whether the table fits the second-level cache: only such timings hold still enough to be gated.
const SIZES: [(&str, u32, bool); 3] =
    [("64k", 1 << 16, true), ("1m", 1 << 20, false), ("8m", 1 << 23, false)];

/// Rows of one kind of table: its name, its frames, and the suffix that says how many updates win.
const LOADS: [(&str, Kind, u32, &str); 5] = [
    ("block8", Kind::Block8, 100, ""),
    ("block16", Kind::Block16, 100, ""),
    ("row16", Kind::Rows, 0, ".win0"),
    ("row16", Kind::Rows, 50, ".win50"),
    ("row16", Kind::Rows, 100, ".win100"),
];

pub(super) fn rows(gate: &mut Gate<'_>) {
    for (size, slots, resident) in SIZES {
        let mut crowd = Crowd::new(ORIGINS, slots);
        for (load, kind, winners, suffix) in LOADS {
            for kernel in Kernel::ALL.into_iter().rev() {
                let name = format!("merge.{load}.{size}.{}{suffix}", kernel_name(kernel));
                if !kernel.available() {
                    gate.report.push(Row::skipped(name, UNIT, "this CPU does not run the kernel"));
                } else if gate.options.quick && !resident {
                    gate.report.push(Row::skipped(name, UNIT, "--quick measures cache-resident tables only"));
                } else {
                    let shape = Shape { winners, ..Shape::full(kind, slots) };
                    row(gate, &name, &shape, kernel, resident, &mut crowd);
                }
            }
        }
    }
}

/// What one measurement works with.
struct Bench<'a> {
    pipeline: Pipeline,
    frames: Frames,
    crowd: &'a mut Crowd,
}

fn row(gate: &mut Gate<'_>, name: &str, shape: &Shape, kernel: Kernel, resident: bool, crowd: &mut Crowd) {
    let mut pipeline = Pipeline::new(shape.kind, shape.slots, kernel, &crowd.directory);
    let mut frames = Frames::new();
    frames.fill(shape, crowd, |datagrams| {
        pipeline.take_unsigned(datagrams);
    });
    let (batches, cells) = (gate.options.batches(), BATCH_MAX * shape.cells());
    let mut bench = Bench { pipeline, frames, crowd };
    gate.timing(name, UNIT, bar(shape, kernel), resident, || {
        let next = |bench: &mut Bench<'_>| bench.frames.next(shape, bench.crowd);
        let take = |bench: &mut Bench<'_>| {
            let absorbed = bench.pipeline.take_unsigned(&bench.frames.datagrams());
            assert_eq!(absorbed.cells as usize, cells, "every frame of a load is merged");
        };
        sample(batches, &mut bench, next, take).per(cells)
    });
}

/// The budget, ticks a cell. Tables beyond the caches, and the portable kernel on them, are reported.
fn bar(shape: &Shape, kernel: Kernel) -> Option<Bar> {
    let most = match (shape.kind, shape.slots, kernel) {
        (Kind::Block8, 0x1_0000, Kernel::Avx512) => 3.0,
        (Kind::Block8, 0x1_0000, Kernel::Avx2) => 4.0,
        (Kind::Block8, 0x1_0000, Kernel::Portable) => 10.0,
        (Kind::Block8, 0x10_0000, Kernel::Avx512) => 8.0,
        (Kind::Block8, 0x10_0000, Kernel::Avx2) => 9.0,
        (_, _, Kernel::Portable) => return None,
        (Kind::Block16, 0x1_0000, _) => 2.0,
        (Kind::Block16, 0x10_0000, _) => 5.0,
        (Kind::Rows, 0x1_0000, _) => 8.0,
        _ => return None,
    };
    Some(Bar::AtMost(most))
}

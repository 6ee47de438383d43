//! What the hot path must never do: allocate, call the system, lock.

use octick_core::limits::BATCH_MAX;
use octick_core::table::Kernel;
use octick_core::wire::Kind;

use super::Gate;
use crate::ALLOCATOR;
use crate::load::{Crowd, Frames, Shape};
use crate::pipeline::Pipeline;
use crate::report::{Bar, Row};
use crate::step;

const ORIGINS: usize = 100;
const SLOTS: u32 = 1 << 16;
const BATCHES: usize = 100;

pub(super) fn rows(gate: &mut Gate<'_>) {
    let mut crowd = Crowd::new(ORIGINS);
    let shape = Shape { kind: Kind::Block8, slots: SLOTS, winners: 100 };
    let mut pipeline = Pipeline::new(&shape, Kernel::detect(), &crowd.directory);
    let mut frames = Frames::new();
    let mut some = |batches: usize| {
        for _ in 0..batches {
            frames.next(&shape, &mut crowd);
            pipeline.take(&frames.datagrams());
        }
    };
    some(10);
    let never = |name, unit, count: u64, batches: usize| {
        Row::value(name, unit, count as f64 / (batches * BATCH_MAX) as f64).bar(Bar::AtMost(0.0))
    };
    let allocs = ALLOCATOR.count(|| some(BATCHES));
    gate.report.push(never("hot.allocs_per_frame", "allocations/frame", allocs, BATCHES));
    let (name, unit) = ("hot.syscalls_per_frame", "system calls/frame");
    gate.report.push(match step::system_calls(|| some(BATCHES)) {
        Ok(calls) => never(name, unit, calls, BATCHES),
        Err(error) => Row::skipped(name, unit, error.to_string()),
    });
    let (name, unit) = ("hot.locks_per_frame", "locked instructions/frame");
    gate.report.push(match step::instructions(|| some(1)) {
        Ok(steps) => never(name, unit, steps.locked, 1),
        Err(error) => Row::skipped(name, unit, error.to_string()),
    });
}

//! Instructions a cell of parse + window + merge: exact, the same on every run, so this is the gate that counts.

use octick_bench::load::{Crowd, Frames, Shape};
use octick_core::limits::BATCH_MAX;
use octick_core::table::Kernel;
use octick_core::wire::Kind;

use super::gate::{Gate, SLACK_INSN, kernel_name};
use crate::pipeline::Pipeline;
use crate::report::{Bar, Row};
use crate::step;

const UNIT: &str = "instructions/cell";
const ORIGINS: usize = 100;
const SLOTS: u32 = 1 << 16;

const LOADS: [(&str, Kind); 3] =
    [("block8", Kind::Block8), ("block16", Kind::Block16), ("row16", Kind::Rows)];

/// A row for each table and kernel, and before them one for each table with the kernel that this machine chooses.
pub(super) fn rows(gate: &mut Gate<'_>) {
    let mut crowd = Crowd::new(ORIGINS, SLOTS);
    for (load, kind) in LOADS {
        let shape = Shape::full(kind, SLOTS);
        let mut row =
            |kernel| row(gate, &format!("insn.{load}.{}", kernel_name(kernel)), &shape, kernel, &mut crowd);
        let rows = Kernel::ALL.map(|kernel| (kernel, row(kernel)));
        let (best, chosen) =
            rows.iter().rfind(|(kernel, _)| kernel.available()).expect("one runs everywhere");
        let note = format!("kernel {}", kernel_name(*best));
        gate.report.push(Row { name: format!("insn.{load}"), ..chosen.clone() }.note(note));
        rows.into_iter().rev().for_each(|(_, row)| gate.report.push(row));
    }
}

fn row(gate: &mut Gate<'_>, name: &str, shape: &Shape, kernel: Kernel, crowd: &mut Crowd) -> Row {
    if !kernel.available() {
        return Row::skipped(name, UNIT, "this CPU does not run the kernel");
    }
    let instructions = match step::instructions(batch(shape, kernel, crowd)) {
        Ok(instructions) => instructions,
        Err(error) => return Row::skipped(name, UNIT, error.to_string()),
    };
    let a_cell = instructions as f64 / (BATCH_MAX * shape.cells()) as f64;
    let rustc = env!("OCTICK_RUSTC");
    if gate.options.record {
        gate.counts.set(rustc, name, a_cell);
        return Row::value(name, UNIT, a_cell);
    }
    match gate.counts.get(rustc, name) {
        Some(record) => Row::value(name, UNIT, a_cell).bar(Bar::AtMost(record * SLACK_INSN)),
        None => Row::value(name, UNIT, a_cell).note(format!("not gated: no record for rustc {rustc}")),
    }
}

/// One batch, all of it winning, on a table that holds older cells.
fn batch<'a>(shape: &Shape, kernel: Kernel, crowd: &'a mut Crowd) -> impl FnOnce() + use<'a> {
    let mut pipeline = Pipeline::new(shape.kind, shape.slots, kernel, &crowd.directory);
    let mut frames = Frames::new();
    frames.fill(shape, crowd, |datagrams| {
        pipeline.take_unsigned(datagrams);
    });
    frames.next(shape, crowd);
    move || {
        pipeline.take_unsigned(&frames.datagrams());
    }
}

//! `octick-perf gate`: holds the hot path to its budget.
//!
//! | module | rows |
//! |---|---|
//! | [`merge`] | `merge.*`: parse + window + merge, ticks a cell |
//! | [`dup`] | `dup.10k`: a duplicate found and refused, ticks a frame |
//! | [`insn`] | `insn.*`: instructions a cell, exactly |
//! | [`hot`] | `hot.*`: allocations, system calls and locked instructions a frame |

mod dup;
mod hot;
mod insn;
mod merge;

use std::time::Duration;

use clap::Args;
use octick_core::table::Kernel;

use crate::record::{Record, RecordError};
use crate::report::{Bar, Report, Row};
use crate::sample::{Sample, best_of};

/// How to run the gate.
#[derive(Args)]
pub(crate) struct Options {
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Fewer batches, and no tables beyond the caches.
    #[arg(long)]
    quick: bool,
    /// Only the rows whose names begin with this.
    #[arg(long, value_name = "GROUP", value_parser = GROUPS.map(|(name, _)| name))]
    only: Option<String>,
    /// Keep this run's figures in bench/record, for later runs to be held against.
    #[arg(long)]
    record: bool,
}

impl Options {
    fn batches(&self) -> usize {
        if self.quick { 50 } else { 300 }
    }

    /// How long a row may be measured until it clears its bars. On shared machines somebody else's work slows a core
    /// for seconds on end; a row that never clears in this time is slow by itself.
    fn patience(&self) -> Duration {
        Duration::from_secs(match (self.record, self.quick) {
            (true, _) | (false, true) => 2,
            (false, false) => 12,
        })
    }
}

/// A timing may be this much above its record.
const SLACK_TIMING: f64 = 1.10;
/// An instruction count may be this much above its record.
const SLACK_INSN: f64 = 1.05;

/// Measures rows and adds them.
type Rows = fn(&mut Gate<'_>);

/// Rows by the first word of their names.
const GROUPS: [(&str, Rows); 4] =
    [("merge", merge::rows), ("dup", dup::rows), ("insn", insn::rows), ("hot", hot::rows)];

const INSN_FILE: &str = "insn.json";

/// A run of the gate: what is asked for, what is known from earlier runs, and where rows go.
struct Gate<'a> {
    options: &'a Options,
    report: &'a mut Report,
    /// Timings by CPU model.
    timings: Record,
    /// Instruction counts by compiler.
    counts: Record,
}

/// Adds the gate's rows to `report`.
///
/// # Errors
/// When a record cannot be read, or written.
pub(crate) fn run(options: &Options, report: &mut Report) -> Result<(), RecordError> {
    let timing_file = format!("gate-{}.json", report.machine().model);
    let (timings, counts) = (Record::read(&timing_file)?, Record::read(INSN_FILE)?);
    let mut gate = Gate { options, report, timings, counts };
    for (name, rows) in GROUPS {
        if options.only.as_deref().is_none_or(|only| only == name) {
            rows(&mut gate);
        }
    }
    if options.record {
        gate.timings.write(&timing_file)?;
        gate.counts.write(INSN_FILE)?;
    }
    Ok(())
}

/// The name of a kernel in rows and records.
pub(crate) fn kernel_name(kernel: Kernel) -> &'static str {
    match kernel {
        Kernel::Portable => "portable",
        Kernel::Avx2 => "avx2",
        Kernel::Avx512 => "avx512",
    }
}

impl Gate<'_> {
    /// One timing: its row in ticks, and where it is `held` its row as a ratio to the calibration loop against the
    /// record of this CPU model. A failing row is measured again for a while, and the least counts.
    fn timing(
        &mut self,
        name: &str,
        unit: &'static str,
        bar: Option<Bar>,
        held: bool,
        measure: impl FnMut() -> Sample,
    ) {
        const STEPS: &str = "calibration steps";
        let record = self.options.record;
        let model = self.report.machine().model.clone();
        let recorded = self.timings.get(&model, name).filter(|_| held && !record);
        let ratio_bar = recorded.map(|ratio| Bar::AtMost(ratio * SLACK_TIMING));
        // What is recorded should be the best that the machine can do, so recording uses all its time.
        let best = best_of(self.options.patience(), measure, |sample| {
            !record && clears(bar, sample.least) && clears(ratio_bar, sample.ratio)
        });
        let note = format!("p50 {:.2}", best.median);
        self.report.push(Row::value(name, unit, best.least).bar(bar).note(note));
        if !held {
            return;
        }
        let ratio_name = format!("{name}.ratio");
        if record {
            self.timings.set(&model, name, best.ratio);
        }
        self.report.push(match (record, ratio_bar) {
            (false, None) => Row::skipped(ratio_name, STEPS, format!("no record for {model}")),
            (_, bar) => Row::value(ratio_name, STEPS, best.ratio).bar(bar),
        });
    }
}

fn clears(bar: Option<Bar>, value: f64) -> bool {
    bar.is_none_or(|bar| bar.allows(value))
}

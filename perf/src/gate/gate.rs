//! A run of the gate: how a timing is taken, and held to its bar and to its record.

use octick_core::table::Kernel;

use super::options::Options;
use crate::record::Record;
use crate::report::{Bar, Report, Row};
use crate::sample::{Sample, best_of};

/// A timing may be this much above its record.
const SLACK_TIMING: f64 = 1.10;
/// An instruction count may be this much above its record.
pub(super) const SLACK_INSN: f64 = 1.05;

/// A run of the gate: what is asked for, what is known from earlier runs, and where rows go.
pub(super) struct Gate<'a> {
    pub(super) options: &'a Options,
    pub(super) report: &'a mut Report,
    /// Timings by CPU model.
    pub(super) timings: Record,
    /// Instruction counts by compiler.
    pub(super) counts: Record,
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
    pub(super) fn timing(
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

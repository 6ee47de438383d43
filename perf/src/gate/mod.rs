//! `octick-perf gate`: holds the hot path to its budget.
//!
//! | module | rows |
//! |---|---|
//! | [`merge`] | `merge.*`: parse + window + merge, ticks a cell |
//! | [`dup`] | `dup.10k`: a duplicate found and refused, ticks a frame |
//! | [`insn`] | `insn.*`: instructions a cell, exactly |
//! | [`hot`] | `hot.*`: allocations, system calls and locked instructions a frame |

mod dup;
#[allow(clippy::module_inception, reason = "the run bears the name of its folder")]
mod gate;
mod hot;
mod insn;
mod merge;
mod options;

use crate::record::{Record, RecordError};
use crate::report::Report;
use gate::Gate;
pub(crate) use gate::kernel_name;
use options::Group;
pub(crate) use options::Options;

/// Measures rows and adds them.
type Rows = fn(&mut Gate<'_>);

/// The rows of a group.
fn rows_of(group: Group) -> Rows {
    match group {
        Group::Merge => merge::rows,
        Group::Dup => dup::rows,
        Group::Insn => insn::rows,
        Group::Hot => hot::rows,
    }
}

const INSN_FILE: &str = "insn.json";

/// Adds the gate's rows to `report`.
///
/// # Errors
/// When a record cannot be read, or written.
pub(crate) fn run(options: &Options, report: &mut Report) -> Result<(), RecordError> {
    let timing_file = format!("gate-{}.json", report.machine().model);
    let (timings, counts) = (Record::read(&timing_file)?, Record::read(INSN_FILE)?);
    let mut gate = Gate { options, report, timings, counts };
    for group in options.groups() {
        rows_of(group)(&mut gate);
    }
    if options.record {
        gate.timings.write(&timing_file)?;
        gate.counts.write(INSN_FILE)?;
    }
    Ok(())
}

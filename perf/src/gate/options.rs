//! What may be chosen about the gate.

use std::time::Duration;

use clap::{Args, ValueEnum};

/// Rows by the first word of their names, in the order in which they are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    Merge,
    Dup,
    Insn,
    Hot,
}

/// How to run the gate.
#[derive(Args)]
pub(crate) struct Options {
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Fewer batches, and no tables beyond the caches.
    #[arg(long)]
    pub(super) quick: bool,
    /// Only the rows whose names begin with this.
    #[arg(long, value_enum, value_name = "GROUP")]
    only: Option<Group>,
    /// Keep this run's figures in bench/record, for later runs to be held against.
    #[arg(long)]
    pub(super) record: bool,
}

impl Options {
    pub(super) fn batches(&self) -> usize {
        if self.quick { 50 } else { 300 }
    }

    /// How long a row may be measured until it clears its bars. On shared machines somebody else's work slows a core
    /// for seconds on end; a row that never clears in this time is slow by itself.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(match (self.record, self.quick) {
            (true, _) | (false, true) => 2,
            (false, false) => 12,
        })
    }

    /// The groups asked for, in their order.
    pub(super) fn groups(&self) -> impl Iterator<Item = Group> {
        let only = self.only;
        Group::value_variants().iter().copied().filter(move |group| only.is_none_or(|only| only == *group))
    }
}

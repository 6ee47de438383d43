//! What may be chosen about the comparison.

use std::time::Duration;

use clap::{Args, ValueEnum};

/// Rows that are measured together, in the order in which they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    Udp,
    Node,
    Ingest,
    Flood,
    Hostile,
    Latency,
    Await,
    Verify,
    Signature,
    Train,
}

/// How to run the comparison.
#[derive(Args)]
pub(crate) struct Options {
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Shorter runs.
    #[arg(long)]
    pub(super) quick: bool,
    /// Only one group of rows.
    #[arg(long, value_enum, value_name = "GROUP")]
    only: Option<Group>,
}

impl Options {
    pub(super) fn batches(&self) -> usize {
        if self.quick { 10 } else { 50 }
    }

    /// How long a row may be measured until it clears its bar: see the gate's.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(if self.quick { 2 } else { 12 })
    }

    /// The groups asked for, in their order.
    pub(super) fn groups(&self) -> impl Iterator<Item = Group> {
        let only = self.only;
        Group::value_variants().iter().copied().filter(move |group| only.is_none_or(|only| only == *group))
    }
}

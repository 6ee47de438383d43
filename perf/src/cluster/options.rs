//! What may be chosen about a cluster.

use clap::Args;

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Nodes, each a process
    #[arg(long, default_value_t = 32)]
    pub(super) nodes: usize,
    /// Seconds of rest over which traffic is counted
    #[arg(long, default_value_t = 20)]
    pub(super) idle_secs: u64,
    /// Nodes that are killed, one after the other
    #[arg(long, default_value_t = 3)]
    pub(super) kills: usize,
    /// Instead: rounds in which half of the nodes are stopped for three seconds and continued
    #[arg(long, conflicts_with = "cut_secs")]
    pub(super) stops: Option<u32>,
    /// Without local health, confirmations and the word to the suspected: plain SWIM, for comparison
    #[arg(long)]
    pub(super) plain_swim: bool,
    /// Instead: seconds for which two halves in network namespaces are cut from each other; needs root
    #[arg(long)]
    pub(super) cut_secs: Option<u64>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

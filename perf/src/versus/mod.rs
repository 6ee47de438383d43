//! `octick-perf versus`: Octick against the obvious way, in one run, so that the ratios hold on any machine.
//!
//! | module | rows |
//! |---|---|
//! | [`udp`] | `recv.*`, `send.*`: the UDP edge against a tokio loop |
//! | [`node`] | `node.*`: a whole node against its naive twin |
//! | [`verify`] | `verify.*`: what a signature costs, alone and by trains |

mod node;
mod verify;

use clap::Args;

use crate::report::Report;
use crate::udp;

/// How to run the comparison.
#[derive(Args)]
pub(crate) struct Options {
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Shorter runs.
    #[arg(long)]
    quick: bool,
}

/// Adds the comparison's rows to `report`.
pub(crate) fn run(options: &Options, report: &mut Report) {
    udp::rows(options.quick).into_iter().for_each(|row| report.push(row));
    node::rows(options, report);
    verify::rows(options, report);
}

//! `octick-perf versus`: Octick against the obvious way, in one run, so that the ratios hold on any machine.
//!
//! | module | rows |
//! |---|---|
//! | [`udp`] | `recv.*`, `send.*`: the UDP edge against a tokio loop |
//! | [`node`] | `node.*`, `ingest.*`: a whole node against its naive twin, by trains and frame by frame |
//! | [`train`] | `train.*`: a fully verified cell |
//! | [`signature`] | `verify.{known,unknown,all_bad}.*`: a signature against ed25519-dalek's own ways |
//! | [`flood`] | `flood.*`: what garbage leaves of a node's throughput |
//! | [`hostile`] | `hostile.*`: genuine frames beside datagrams that no node sends |
//! | [`latency`] | `latency.*`: from the wire to the state, quiet and busy |
//! | [`waiting`] | `await.*`: from a write on one node to whoever waits for it on another |
//! | [`verify`] | `verify.*`: what a signature costs, alone and by trains |

mod flood;
mod hostile;
mod latency;
mod node;
mod signature;
mod train;
mod verify;
mod waiting;

use std::time::Duration;

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
    /// Only one group of rows.
    #[arg(long, value_name = "GROUP", value_parser = GROUPS.map(|(name, _)| name))]
    only: Option<String>,
}

impl Options {
    fn batches(&self) -> usize {
        if self.quick { 10 } else { 50 }
    }

    /// How long a row may be measured until it clears its bar: see the gate's.
    fn patience(&self) -> Duration {
        Duration::from_secs(if self.quick { 2 } else { 12 })
    }
}

/// Measures rows and adds them.
type Rows = fn(&Options, &mut Report);

/// Rows by group.
const GROUPS: [(&str, Rows); 10] = [
    ("udp", udp_rows),
    ("node", node::rows),
    ("ingest", node::ingest_rows),
    ("flood", flood::rows),
    ("hostile", hostile::rows),
    ("latency", latency::rows),
    ("await", waiting::rows),
    ("verify", verify::rows),
    ("signature", signature::rows),
    ("train", train::rows),
];

fn udp_rows(options: &Options, report: &mut Report) {
    udp::rows(options.quick).into_iter().for_each(|row| report.push(row));
}

/// Adds the comparison's rows to `report`.
pub(crate) fn run(options: &Options, report: &mut Report) {
    for (name, rows) in GROUPS {
        if options.only.as_deref().is_none_or(|only| only == name) {
            rows(options, report);
        }
    }
}

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
mod options;
mod signature;
mod train;
mod verify;
mod waiting;

use crate::report::Report;
use crate::udp;
use options::Group;
pub(crate) use options::Options;

/// Measures rows and adds them.
type Rows = fn(&Options, &mut Report);

/// The rows of a group.
fn rows_of(group: Group) -> Rows {
    match group {
        Group::Udp => udp_rows,
        Group::Node => node::rows,
        Group::Ingest => node::ingest_rows,
        Group::Flood => flood::rows,
        Group::Hostile => hostile::rows,
        Group::Latency => latency::rows,
        Group::Await => waiting::rows,
        Group::Verify => verify::rows,
        Group::Signature => signature::rows,
        Group::Train => train::rows,
    }
}

fn udp_rows(options: &Options, report: &mut Report) {
    udp::rows(options.quick).into_iter().for_each(|row| report.push(row));
}

/// Adds the comparison's rows to `report`.
pub(crate) fn run(options: &Options, report: &mut Report) {
    for group in options.groups() {
        rows_of(group)(options, report);
    }
}

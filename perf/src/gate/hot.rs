//! What the hot path must never do: allocate, call the system, lock.
//!
//! Signed trains go through the very `Ingress` and `Engine` of a node, signature checks included. Receiving and sending
//! are what a node does besides; they have a test of their own over real sockets. The control plane has rows of its own: meshes of
//! nodes that have settled, one in which all are neighbours, and one in which updates find their way along trees.

use octick_bench::load::EPOCH_MICROS;
use octick_core::data::Directory;
use octick_core::limits::BATCH_MAX;
use octick_core::table::Kernel;
use octick_core::wire::Kind;

use super::gate::Gate;
use crate::mesh::Mesh;
use crate::pipeline::Pipeline;
use crate::report::{Bar, Outcome, Row};
use crate::signers::Signers;
use crate::{ALLOCATOR, step};

const SLOTS: u32 = 1 << 16;
const SIGNERS: usize = 8;
const TRAINS: usize = 50;
/// Nodes of the meshes: as few as have somebody to ask for help, and more than a node has neighbours.
const MESHES: [usize; 2] = [3, 20];
/// How long a mesh settles, and for how long its allocations are counted, microseconds of its own clock: each audits its tables
/// every half second, probes somebody every 0.7 s, and confirms its links once a minute.
const SETTLE: u64 = 10_000_000;
const COUNT: u64 = 10_000_000;

pub(super) fn rows(gate: &mut Gate<'_>) {
    let mut signers = Signers::new(SIGNERS, SLOTS, EPOCH_MICROS);
    let directory =
        Directory::new(signers.roster(), [5, 6]).expect("signers share the table without overlap");
    let mut node = Pipeline::new(Kind::Block8, SLOTS, Kernel::detect(), &directory);
    let mut take = |datagrams: &[&[u8]]| {
        let fresh = node.take(datagrams).fresh.count_ones();
        assert_eq!(fresh as usize, datagrams.len(), "every frame is new and genuine");
    };
    let mut trains = Vec::new();
    for _ in 0..2 * TRAINS + 2 {
        let (_, train) = signers.train(BATCH_MAX);
        trains.push(train.frames().map(<[u8]>::to_vec).collect::<Vec<_>>());
    }
    let trains: Vec<Vec<&[u8]>> =
        trains.iter().map(|train| train.iter().map(Vec::as_slice).collect()).collect();
    let (warm_up, rest) = trains.split_at(1);
    let (allocating, rest) = rest.split_at(TRAINS);
    let (calling, locking) = rest.split_at(TRAINS);
    take(&warm_up[0]);
    let frames = TRAINS * BATCH_MAX;

    let (name, unit) = ("hot.allocs_per_frame", "allocations/frame");
    let count = ALLOCATOR.count(|| allocating.iter().for_each(|train| take(train)));
    gate.report.push(never(name, unit, Outcome::Value(count as f64), frames));

    for nodes in MESHES {
        let (name, unit) = (format!("hot.allocs_per_frame.mesh{nodes}"), "allocations/frame");
        let (mut mesh, mut frames) = (Mesh::new(nodes), 0);
        mesh.run(SETTLE);
        assert!(mesh.is_met(), "{nodes} nodes know each other by then");
        let count = ALLOCATOR.count(|| frames = mesh.run(COUNT));
        gate.report.push(never(&name, unit, Outcome::Value(count as f64), frames as usize));
    }

    let (name, unit) = ("hot.syscalls_per_frame", "system calls/frame");
    let count = step::system_calls(|| calling.iter().for_each(|train| take(train)));
    gate.report.push(never(name, unit, outcome(count), frames));

    // A signature takes some 300,000 steps, so the first half of the train pays for it before the stepping begins.
    let (first, second) = locking[0].split_at(BATCH_MAX / 2);
    take(first);
    let (name, unit) = ("hot.locks_per_frame", "locked instructions/frame");
    let count = step::locked_instructions(|| take(second));
    gate.report.push(never(name, unit, outcome(count), second.len()));
}

fn outcome(count: std::io::Result<u64>) -> Outcome {
    count.map_or_else(|error| Outcome::Skipped(error.to_string()), |count| Outcome::Value(count as f64))
}

/// A count that must be zero, as a row a frame.
fn never(name: &str, unit: &'static str, count: Outcome, frames: usize) -> Row {
    match count {
        Outcome::Value(count) => Row::value(name, unit, count / frames as f64).bar(Bar::AtMost(0.0)),
        Outcome::Skipped(why) => Row::skipped(name, unit, why),
    }
}

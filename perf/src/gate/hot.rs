//! What the hot path must never do: allocate, call the system, lock.
//!
//! Signed trains go through the very `Ingress` and `Engine` of a node, signature checks included. Receiving and sending
//! are what a node does besides; they have a test of their own over real sockets.

use octick_core::counters::Counters;
use octick_core::crypto::{Identity, MeshKeys};
use octick_core::data::accept::Terms;
use octick_core::data::{Directory, Ingress};
use octick_core::engine::{Engine, Parts};
use octick_core::limits::BATCH_MAX;
use octick_core::state::{Layout, Regions, State};
use octick_core::table::Kernel;

use super::Gate;
use crate::load::EPOCH_MICROS;
use crate::pipeline::{LIFE, region};
use crate::report::{Bar, Outcome, Row};
use crate::signers::{MESH, Signers};
use crate::{ALLOCATOR, step, ticks};

const LAYOUT: Layout = Layout { slots: 1 << 16, cells8: true, cells4: false, rows: false };
const SIGNERS: usize = 16;
const TRAINS: usize = 50;

pub(super) fn rows(gate: &mut Gate<'_>) {
    let mut signers = Signers::new(SIGNERS, LAYOUT.slots, EPOCH_MICROS);
    let mut node = Node::new(&signers);
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
    node.take(&warm_up[0]);
    let frames = TRAINS * BATCH_MAX;

    let (name, unit) = ("hot.allocs_per_frame", "allocations/frame");
    let count = ALLOCATOR.count(|| allocating.iter().for_each(|train| node.take(train)));
    gate.report.push(never(name, unit, Outcome::Value(count as f64), frames));

    let (name, unit) = ("hot.syscalls_per_frame", "system calls/frame");
    let count = step::system_calls(|| calling.iter().for_each(|train| node.take(train)));
    gate.report.push(never(name, unit, outcome(count), frames));

    // A signature takes some 300,000 steps, so the first half of the train pays for it before the stepping begins.
    let (first, second) = locking[0].split_at(BATCH_MAX / 2);
    node.take(first);
    let (name, unit) = ("hot.locks_per_frame", "locked instructions/frame");
    let count = step::locked_instructions(|| node.take(second));
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

/// A node without sockets.
struct Node {
    ingress: Ingress,
    engine: Engine,
}

impl Node {
    fn new(signers: &Signers) -> Self {
        let keys = MeshKeys::derive(MESH);
        let directory =
            Directory::new(signers.roster(), [5, 6]).expect("signers share the table without overlap");
        let counters = Counters::default();
        let Ok(regions) = Regions::take(&LAYOUT, |len| Ok::<_, std::convert::Infallible>(region(len)));
        let engine = Engine::new(Parts {
            identity: Identity::from_seed(&[0xFF; 32]),
            keys: keys.clone(),
            incarnation: LIFE,
            directory: directory.clone(),
            runs: Vec::new(),
            state: State::new(LAYOUT, regions, Kernel::detect(), EPOCH_MICROS),
            changes: 1 << 10,
            counters: counters.clone(),
            ticks: ticks::now,
        });
        let terms = Terms { layout: LAYOUT, skew_micros_max: 10_000_000 };
        let ingress = Ingress::new(directory, engine.windows(), terms, keys, counters, ticks::now);
        Self { ingress, engine }
    }

    fn take(&mut self, datagrams: &[&[u8]]) {
        let batch = self.ingress.check(datagrams, EPOCH_MICROS);
        let absorbed = self.engine.absorb(&batch);
        assert_eq!(absorbed.fresh.count_ones() as usize, datagrams.len(), "every frame is new and genuine");
    }
}

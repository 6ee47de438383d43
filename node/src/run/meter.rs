//! Reads a running node: what it counted, and its latencies since the last reading.

use hdrhistogram::Histogram;
use octick::{Handle, Tally};

use crate::report::{About, Buckets, Numbers, Sample};

/// Reads one node again and again.
pub(super) struct Meter {
    /// All latencies up to the last reading.
    wire_ns: Histogram<u64>,
}

/// What a node counted since it started; latencies since the last reading.
pub(super) struct Reading {
    pub(super) tally: Tally,
    pub(super) kernel_drops: u64,
    pub(super) wire_ns: Histogram<u64>,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self { wire_ns: octick::Latencies::default().wire_ns }
    }

    pub(super) fn read(&mut self, node: &Handle) -> Reading {
        let stats = node.stats();
        let mut since = stats.latencies.wire_ns.clone();
        since.subtract(&self.wire_ns).expect("a node's histogram only grows");
        self.wire_ns = stats.latencies.wire_ns;
        Reading { tally: stats.tally, kernel_drops: stats.socket.kernel_drops, wire_ns: since }
    }
}

impl Reading {
    pub(super) fn sample(&self) -> Sample {
        Sample {
            numbers: Numbers::from(&self.tally),
            kernel_drops: self.kernel_drops,
            wire_ns: Buckets::from(&self.wire_ns),
        }
    }
}

/// What stays true of a node while it runs.
pub(super) fn about(node: &Handle) -> About {
    let about = node.about();
    About {
        id: node.id().to_string(),
        listen: node.local_addr().to_string(),
        kernel: about.kernel.to_string(),
        backend: about.backend.to_string(),
        why: about.why.to_string(),
        timer_floor_ns: octick::clock::timer_floor_ns(),
    }
}

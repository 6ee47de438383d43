//! Reads a running node: what it counted, and its latencies since the last reading.

use octick::{Handle, Stats};

use crate::report::{About, Reading, Sockets};

/// Reads one node again and again.
#[derive(Default)]
pub(super) struct Meter {
    /// Everything up to the last reading.
    last: Reading,
}

impl Meter {
    /// What has come since the last reading.
    pub(super) fn read(&mut self, node: &Handle) -> Reading {
        let now = reading(node.stats());
        let since = now.since(&self.last);
        self.last = now;
        since
    }
}

/// What a node has done since its start.
pub(super) fn reading(stats: Stats) -> Reading {
    Reading { tally: stats.tally, sockets: Sockets::from(&stats.socket), latencies: stats.latencies }
}

/// What stays true of a node while it runs.
pub(super) fn about(node: &Handle) -> About {
    let about = node.about();
    About {
        id: node.id().to_string(),
        listen: node.local_addr().to_string(),
        kernel: about.kernel.to_string(),
        verify: about.verify.to_string(),
        backend: about.backend.to_string(),
        why: about.why.to_string(),
        timer_floor_ns: octick::clock::timer_floor_ns(),
    }
}

//! What a node did over some time. Readings of neighbouring times, and of several nodes, add up.

use hdrhistogram::Histogram;
use octick::{Latencies, Tally, socket};
use serde::{Deserialize, Serialize};

/// Counts and distributions of some time.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Counters and rejects.
    pub tally: Tally,
    /// What the sockets lost.
    pub lost: Lost,
    /// Latencies from the kernel's receive stamp to the merged state, and prices of a merged cell.
    pub latencies: Latencies,
}

impl Reading {
    /// Adds another time's, or another node's.
    pub fn add(&mut self, other: &Self) {
        self.tally = self.tally.plus(&other.tally);
        self.lost = self.lost.zip(&other.lost, u64::wrapping_add);
        self.latencies.add(&other.latencies);
    }

    /// What has come since `earlier`.
    ///
    /// # Panics
    /// When `earlier` is no earlier reading of the same node.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let rest = |now: &Histogram<u64>, then: &Histogram<u64>| {
            let mut rest = now.clone();
            rest.subtract(then).expect("a node's histograms only grow");
            rest
        };
        let (now, then) = (&self.latencies, &earlier.latencies);
        Self {
            tally: self.tally.since(&earlier.tally),
            lost: self.lost.zip(&earlier.lost, u64::wrapping_sub),
            latencies: Latencies {
                wire_ns: rest(&now.wire_ns, &then.wire_ns),
                origin_us: rest(&now.origin_us, &then.origin_us),
                centiticks: rest(&now.centiticks, &then.centiticks),
            },
        }
    }
}

/// Datagrams that did not reach the node's own code, or never left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Dropped by the kernel, because the socket's buffer was full. A train that travels as one counts once.
    pub kernel_buffer: u64,
    /// Longer than a receive buffer.
    pub cut: u64,
    /// Without a byte.
    pub empty: u64,
    /// Frames that the kernel refused to send.
    pub send_refused: u64,
}

impl From<&socket::Counters> for Lost {
    fn from(counters: &socket::Counters) -> Self {
        Self {
            kernel_buffer: counters.kernel_drops,
            cut: counters.truncated,
            empty: counters.empty_datagrams,
            send_refused: counters.send_errors,
        }
    }
}

impl Lost {
    /// Each by its name.
    pub fn named(&self) -> [(&'static str, u64); 4] {
        let Self { kernel_buffer, cut, empty, send_refused } = *self;
        [("kernel_buffer", kernel_buffer), ("cut", cut), ("empty", empty), ("send_refused", send_refused)]
    }

    fn zip(&self, other: &Self, op: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            kernel_buffer: op(self.kernel_buffer, other.kernel_buffer),
            cut: op(self.cut, other.cut),
            empty: op(self.empty, other.empty),
            send_refused: op(self.send_refused, other.send_refused),
        }
    }
}

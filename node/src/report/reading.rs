//! What a node did over some time. Readings of neighbouring times, and of several nodes, add up.

use hdrhistogram::Histogram;
use octick::{Latencies, Tally, socket};
use serde::{Deserialize, Serialize};

/// Counts and distributions of some time.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Counters and rejects.
    pub tally: Tally,
    /// What the sockets lost and ran short of.
    pub sockets: Sockets,
    /// Latencies from the kernel's receive stamp to the merged state, and prices of a merged cell.
    pub latencies: Latencies,
}

impl Reading {
    /// Adds another time's, or another node's.
    pub fn add(&mut self, other: &Self) {
        self.tally = self.tally.plus(&other.tally);
        self.sockets = self.sockets.zip(&other.sockets, u64::wrapping_add);
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
            sockets: self.sockets.zip(&earlier.sockets, u64::wrapping_sub),
            latencies: Latencies {
                wire_ns: rest(&now.wire_ns, &then.wire_ns),
                origin_us: rest(&now.origin_us, &then.origin_us),
                centiticks: rest(&now.centiticks, &then.centiticks),
            },
        }
    }
}

/// Names and meanings.
type Named<const N: usize> = [(&'static str, &'static str); N];

const LOST: Named<5> = [
    ("kernel_drops", "Datagrams that the kernel dropped because the socket's buffer was full."),
    (
        "filtered",
        "Datagrams that the kernel dropped because no frame is that short or that long, or for a wrong checksum.",
    ),
    ("wrong_length", "Datagrams that came through though no frame is that short or that long."),
    ("truncated", "Datagrams longer than a receive buffer, or with more than 64 in one."),
    ("send_errors", "Frames that the kernel refused to send: no route, a firewall."),
];
const SHORT: Named<5> = [
    ("no_buffers", "Receives that ended because every receive buffer was in use."),
    ("multishot_ended", "Receives that had to be armed again."),
    ("cq_overflow", "Completions beyond what the ring holds; the kernel kept them."),
    ("send_again", "Sends that the full socket put off."),
    ("gso_fallbacks", "Trains that went out frame by frame because the device cannot cut them."),
];

/// What a node's sockets lost, and what they ran short of. The names are those of [`socket::Counters`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sockets {
    lost: [u64; LOST.len()],
    short: [u64; SHORT.len()],
}

impl Sockets {
    /// Datagrams and frames that did not arrive, or did not leave.
    pub fn lost(&self) -> impl Iterator<Item = (&'static str, u64)> {
        LOST.into_iter().map(|(name, _)| name).zip(self.lost)
    }

    /// What had to be done again, or in a slower way.
    pub fn short(&self) -> impl Iterator<Item = (&'static str, u64)> {
        SHORT.into_iter().map(|(name, _)| name).zip(self.short)
    }

    /// What the counter of this name counts.
    pub fn meaning(name: &str) -> &'static str {
        let named = LOST.into_iter().chain(SHORT).find(|(other, _)| *other == name);
        named.map_or("", |(_, meaning)| meaning)
    }

    fn zip(&self, other: &Self, op: impl Fn(u64, u64) -> u64) -> Self {
        let op = &op;
        Self {
            lost: std::array::from_fn(|i| op(self.lost[i], other.lost[i])),
            short: std::array::from_fn(|i| op(self.short[i], other.short[i])),
        }
    }
}

impl From<&socket::Counters> for Sockets {
    fn from(counters: &socket::Counters) -> Self {
        let socket::Counters { kernel_drops, filtered, wrong_length, truncated, send_errors, .. } = *counters;
        let socket::Counters { no_buffers, multishot_ended, cq_overflow, send_again, gso_fallbacks, .. } =
            *counters;
        Self {
            lost: [kernel_drops, filtered, wrong_length, truncated, send_errors],
            short: [no_buffers, multishot_ended, cq_overflow, send_again, gso_fallbacks],
        }
    }
}

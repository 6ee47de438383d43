//! How old news is when it is merged, and what merging it took.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Longest latency that is told apart; what takes longer counts as this.
const LONGEST: Duration = Duration::from_secs(60);

/// Histograms that one thread fills and others may copy.
#[derive(Clone, Debug)]
pub struct Latencies {
    /// From the kernel's receive stamp to the merged state, once a datagram; ns.
    pub wire_ns: Histogram<u64>,
    /// From a frame's version to the merged state, once a datagram; µs, and only as good as the nodes' clocks agree.
    pub origin_us: Histogram<u64>,
    /// Hundredths of a tick for each merged cell, once a batch: parse, window and merge, its duplicates included.
    /// The median is what the code costs; the tail is what the machine's other work does to it.
    pub centiticks: Histogram<u64>,
}

impl Default for Latencies {
    /// Empty, at 1 % resolution: 60 KiB together.
    fn default() -> Self {
        let histogram = |longest: u128| {
            Histogram::new_with_bounds(1, longest as u64, 2)
                .expect("the bounds are those that the library wants")
        };
        Self {
            wire_ns: histogram(LONGEST.as_nanos()),
            origin_us: histogram(LONGEST.as_micros()),
            centiticks: histogram(1 << 32),
        }
    }
}

impl Latencies {
    pub(in crate::runtime) fn record_wire(&mut self, ns: u64) {
        self.wire_ns.saturating_record(ns.max(1));
    }

    pub(in crate::runtime) fn record_origin(&mut self, micros: u64) {
        self.origin_us.saturating_record(micros.max(1));
    }

    pub(in crate::runtime) fn record_centiticks(&mut self, centiticks: u64) {
        self.centiticks.saturating_record(centiticks.max(1));
    }

    /// Adds what `other` holds.
    pub fn add(&mut self, other: &Self) {
        let same = "both have the same bounds";
        self.wire_ns.add(&other.wire_ns).expect(same);
        self.origin_us.add(&other.origin_us).expect(same);
        self.centiticks.add(&other.centiticks).expect(same);
    }

    /// Moves what `other` holds into this one.
    pub(in crate::runtime) fn drain(&mut self, other: &mut Self) {
        self.add(other);
        other.wire_ns.reset();
        other.origin_us.reset();
        other.centiticks.reset();
    }
}

//! One node's numbers at one time, as they travel from a demo's node to its parent.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use octick::Latencies;
use octick_core::Reject;
use octick_core::control::Refusal;
use octick_core::counters::{Counter, Tally};
use serde::{Deserialize, Serialize};

use super::reading::{Reading, Sockets};

/// What stays true while a node runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The node, 32 hex digits.
    pub id: String,
    /// Where it listens.
    pub listen: String,
    /// Which merge kernel runs.
    pub kernel: String,
    /// Which verification kernel was chosen.
    pub verify: String,
    /// Which socket backend runs.
    pub backend: String,
    /// Why that one.
    pub why: String,
    /// The least that a latency can be told from zero, nanoseconds.
    pub timer_floor_ns: u64,
}

/// A [`Reading`] of one node, since its last sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Counters and rejects.
    numbers: Numbers,
    /// What the socket lost and ran short of.
    sockets: Sockets,
    /// Latencies from the kernel's receive stamp to the merged state, nanoseconds.
    wire_ns: Buckets,
    /// Prices of a merged cell, hundredths of a tick.
    centiticks: Buckets,
}

impl From<&Reading> for Sample {
    fn from(reading: &Reading) -> Self {
        Self {
            numbers: Numbers::from(&reading.tally),
            sockets: reading.sockets,
            wire_ns: Buckets::from(&reading.latencies.wire_ns),
            centiticks: Buckets::from(&reading.latencies.centiticks),
        }
    }
}

impl From<&Sample> for Reading {
    fn from(sample: &Sample) -> Self {
        let mut reading = Self {
            tally: Tally::from(&sample.numbers),
            sockets: sample.sockets,
            latencies: Latencies::default(),
        };
        sample.wire_ns.add_to(&mut reading.latencies.wire_ns);
        sample.centiticks.add_to(&mut reading.latencies.centiticks);
        reading
    }
}

/// A tally by name, without the zeroes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Numbers {
    counters: BTreeMap<String, u64>,
    rejects: BTreeMap<String, u64>,
}

impl From<&Tally> for Numbers {
    fn from(tally: &Tally) -> Self {
        let named = |name: &str, n: u64| (n > 0).then(|| (name.to_owned(), n));
        let rejects = tally.rejects().map(|(reason, n)| (reason.metric(), n));
        let refusals = tally.refusals().map(|(reason, n)| (reason.metric(), n));
        Self {
            counters: Counter::ALL.iter().filter_map(|&c| named(c.metric(), tally.get(c))).collect(),
            rejects: rejects.chain(refusals).filter_map(|(name, n)| named(name, n)).collect(),
        }
    }
}

impl From<&Numbers> for Tally {
    fn from(numbers: &Numbers) -> Self {
        let mut tally = Self::default();
        for counter in Counter::ALL {
            tally.set(counter, numbers.counters.get(counter.metric()).copied().unwrap_or(0));
        }
        for reason in Reject::ALL {
            tally.set_rejected(reason, numbers.rejects.get(reason.metric()).copied().unwrap_or(0));
        }
        for reason in Refusal::ALL {
            tally.set_refused(reason, numbers.rejects.get(reason.metric()).copied().unwrap_or(0));
        }
        tally
    }
}

/// A histogram as (value, count), so that a parent can add those of many nodes: percentiles do not add.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Buckets(Vec<(u64, u64)>);

impl From<&Histogram<u64>> for Buckets {
    fn from(histogram: &Histogram<u64>) -> Self {
        Self(
            histogram.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect(),
        )
    }
}

impl Buckets {
    /// Adds every value to `histogram`; one that it cannot hold counts as its greatest.
    fn add_to(&self, histogram: &mut Histogram<u64>) {
        self.0.iter().for_each(|&(value, count)| histogram.saturating_record_n(value, count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_survives_its_names() {
        let mut tally = Tally::default();
        tally.set(Counter::CellsWon, 5);
        tally.set_rejected(Reject::Future, 7);
        assert_eq!(Tally::from(&Numbers::from(&tally)), tally);
    }

    #[test]
    fn a_histogram_survives_its_buckets() {
        let mut one = Histogram::<u64>::new_with_bounds(1, 1_000_000_000, 3).unwrap();
        (1..10_000).for_each(|i| one.record(i * i).unwrap());
        let mut other = Histogram::new_with_bounds(1, 1_000_000_000, 3).unwrap();
        Buckets::from(&one).add_to(&mut other);
        assert_eq!(one, other);
    }
}

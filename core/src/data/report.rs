//! The numbers of a pong: the token, then counters, then latencies.
//!
//! A number keeps its meaning for ever: counters are only ever appended to, and an asker that meets a number it does
//! not know passes over it.

use crate::counters::{Counter, Tally};
use crate::limits::ROWS_MAX;
use crate::refusal::Refusal;
use crate::reject::Reject;
use crate::wire::Stat;

/// First number of the counters.
const COUNTERS: u32 = 1;
/// First number of the rejects.
const REJECTS: u32 = 1_000;
/// First number of the gauges.
const GAUGES: u32 = 2_000;

/// First number of what the control plane refused. These come last: an answer that they would make too long ends before.
const REFUSALS: u32 = 3_000;

/// What an answer carries besides counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Gauge {
    /// Datagrams that the kernel dropped because the socket's buffer was full.
    KernelDrops,
    /// Median latency from the kernel's receive stamp to the merged state, nanoseconds.
    WireP50,
    /// 99th percentile of the same.
    WireP99,
    /// 99.9th percentile of the same.
    WireP999,
    /// Median latency from a frame's version to the merged state, microseconds; the clocks of both nodes count.
    OriginP50,
    /// 99th percentile of the same.
    OriginP99,
    /// 99.9th percentile of the same.
    OriginP999,
    /// Greatest of the same.
    OriginMax,
}

impl Gauge {
    /// Every gauge, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::KernelDrops,
        Self::WireP50,
        Self::WireP99,
        Self::WireP999,
        Self::OriginP50,
        Self::OriginP99,
        Self::OriginP999,
        Self::OriginMax,
    ];
}

const _: () = assert!(1 + Counter::ALL.len() + Reject::ALL.len() + Gauge::ALL.len() <= ROWS_MAX);

/// What a node tells an asker about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What it counted since it started.
    pub tally: Tally,
    /// Its gauges, by number.
    pub gauges: [u64; Gauge::ALL.len()],
}

impl Report {
    /// One gauge.
    pub fn gauge(&self, gauge: Gauge) -> u64 {
        self.gauges[gauge as usize]
    }

    /// The values that are not zero, as they go on the wire after the token.
    pub fn stats(&self) -> impl Iterator<Item = Stat> + '_ {
        let counters =
            Counter::ALL.iter().map(|&counter| (COUNTERS + counter as u32, self.tally.get(counter)));
        let rejects =
            Reject::ALL.iter().map(|&reject| (REJECTS + reject as u32, self.tally.rejected(reject)));
        let gauges = Gauge::ALL.iter().map(|&gauge| (GAUGES + gauge as u32, self.gauge(gauge)));
        let refusals =
            Refusal::ALL.iter().map(|&refusal| (REFUSALS + refusal as u32, self.tally.refused(refusal)));
        counters
            .chain(rejects)
            .chain(gauges)
            .chain(refusals)
            .filter(|&(_, value)| value > 0)
            .map(|(id, value)| Stat::new(id, value))
    }

    /// Reads what another node sent.
    pub fn from_stats(stats: &[Stat]) -> Self {
        let mut report = Self::default();
        for stat in stats {
            let (id, value) = (stat.id.get(), stat.value.get());
            let among =
                |first: u32, len: usize| id.checked_sub(first).map(|i| i as usize).filter(|&i| i < len);
            if let Some(i) = among(COUNTERS, Counter::ALL.len()) {
                report.tally.set(Counter::ALL[i], value);
            } else if let Some(i) = among(REJECTS, Reject::ALL.len()) {
                report.tally.set_rejected(Reject::ALL[i], value);
            } else if let Some(i) = among(GAUGES, Gauge::ALL.len()) {
                report.gauges[i] = value;
            } else if let Some(i) = among(REFUSALS, Refusal::ALL.len()) {
                report.tally.set_refused(Refusal::ALL[i], value);
            }
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn a_report_survives_the_wire() {
        let mut report = Report::default();
        report.tally.set(Counter::CellsWon, 7);
        report.tally.set_rejected(Reject::StaleQuery, 9);
        report.gauges[Gauge::OriginMax as usize] = u64::MAX;
        report.tally.set_refused(Refusal::SendQueueFull, 5);
        let stats: Vec<Stat> = report.stats().collect();
        assert_eq!(stats.len(), 4);
        assert!(
            stats.windows(2).all(|pair| pair[0].id.get() < pair[1].id.get()),
            "numbers rise, as frames want"
        );
        assert_eq!(Report::from_stats(&stats), report);
    }

    #[test]
    fn unknown_numbers_are_passed_over() {
        let stats = [Stat::new(Stat::TOKEN, 5), Stat::new(999, 1), Stat::new(u32::MAX, 1)];
        assert_eq!(Report::from_stats(&stats), Report::default());
    }
}

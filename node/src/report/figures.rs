//! Rates and percentiles of one stretch of time, of one node or of many.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use octick_core::Reject;
use octick_core::counters::{Counter, Tally};
use octick_core::refusal::Refusal;
use serde::Serialize;

use super::{Reading, count, nanos};

/// What parse, window and merge of one cell may cost.
pub const TICKS_BUDGET: f64 = 8.0;

/// One line of a report.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Seconds since the start.
    pub secs: f64,
    /// Nodes that answered.
    pub nodes: usize,
    /// Cells that a merge stored.
    pub cells_merged_per_s: f64,
    /// Frames taken from the sockets.
    pub frames_in_per_s: f64,
    /// Frames handed to the sockets, one for each peer.
    pub frames_out_per_s: f64,
    /// Frames dropped because they were accepted before.
    pub duplicates_per_s: f64,
    /// What else was dropped, by reason.
    pub drops: Named,
    /// What the sockets ran short of; nothing is lost by that, and a line of text passes over it.
    pub shortages: Named,
    /// Parse, window and merge; nothing while nothing was merged.
    pub ticks_per_cell: Option<Price>,
    /// What they may cost.
    pub ticks_per_cell_budget: f64,
    /// From the kernel's receive stamp to the merged state; nothing while nothing was merged.
    pub wire_to_state_ns: Option<Percentiles>,
    /// The least that a latency can be told from zero.
    pub timer_floor_ns: u64,
    /// Which merge kernels run.
    pub kernel: String,
    /// Which verification kernels were chosen.
    pub verify: String,
    /// Threads on which one of them gave a wrong verdict and was taken out of use: ed25519-dalek serves there.
    pub verify_disabled: u64,
    /// Which socket backends run.
    pub backend: String,
}

impl Figures {
    /// The figures of what came in `over`. What names the node is left empty.
    pub fn of(reading: &Reading, over: Duration) -> Self {
        let tally = &reading.tally;
        let per_s = |n: u64| n as f64 / over.as_secs_f64().max(1e-9);
        Self {
            secs: 0.0,
            nodes: 1,
            cells_merged_per_s: per_s(tally.get(Counter::CellsWon)),
            frames_in_per_s: per_s(tally.get(Counter::FramesIn)),
            frames_out_per_s: per_s(tally.get(Counter::FramesOut)),
            duplicates_per_s: per_s(tally.rejected(Reject::Duplicate)),
            drops: Named::drops(reading),
            shortages: Named::shortages(reading),
            ticks_per_cell: Price::of(reading),
            ticks_per_cell_budget: TICKS_BUDGET,
            wire_to_state_ns: Percentiles::of(&reading.latencies.wire_ns),
            timer_floor_ns: 0,
            kernel: String::new(),
            verify: String::new(),
            verify_disabled: tally.get(Counter::VerifyDisabled),
            backend: String::new(),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>4.0}s  merged {} cells/s", self.secs, count(self.cells_merged_per_s))?;
        write!(f, "  frames in {} out {} /s", count(self.frames_in_per_s), count(self.frames_out_per_s))?;
        write!(f, "  dup {} /s  drops {}", count(self.duplicates_per_s), self.drops)?;
        match self.ticks_per_cell {
            Some(price) => write!(f, "  {price}")?,
            None => write!(f, "  - of {TICKS_BUDGET:.0} ticks/cell")?,
        }
        if let Some(wire) = &self.wire_to_state_ns {
            write!(f, "  wire>state {wire} (timer {})", nanos(self.timer_floor_ns as f64))?;
        }
        write!(f, "  {} {} {}", self.kernel, self.verify, self.backend)?;
        if self.verify_disabled > 0 {
            write!(
                f,
                "  WRONG VERDICT: {} is out of use on {} threads, dalek serves",
                self.verify, self.verify_disabled
            )?;
        }
        Ok(())
    }
}

/// What parse, window and merge of a cell cost, ticks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Price {
    /// Of half of the batches at most.
    pub p50: f64,
    /// Over all of them. Includes what the machine did meanwhile, when it has more threads to run than cores.
    pub mean: f64,
}

impl Price {
    /// Nothing while nothing was merged.
    pub fn of(reading: &Reading) -> Option<Self> {
        let timed = reading.tally.get(Counter::TimedCells);
        (timed > 0).then(|| Self {
            p50: reading.latencies.centiticks.value_at_quantile(0.5) as f64 / 100.0,
            mean: reading.tally.get(Counter::TimedTicks) as f64 / timed as f64,
        })
    }
}

impl Price {
    /// The median for a column of six characters.
    pub fn short(&self) -> String {
        if self.p50 < 1_000.0 { format!("{:.1}", self.p50) } else { count(self.p50).to_string() }
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} of {TICKS_BUDGET:.0} ticks/cell (mean {:.1})", self.p50, self.mean)
    }
}

/// Three points of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half lie below.
    pub p50: u64,
    /// 99 of 100 lie below.
    pub p99: u64,
    /// 999 of 1,000 lie below.
    pub p999: u64,
}

impl Percentiles {
    /// Nothing for an empty histogram.
    pub fn of(histogram: &Histogram<u64>) -> Option<Self> {
        (!histogram.is_empty()).then(|| Self {
            p50: histogram.value_at_quantile(0.5),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
        })
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, p999] = [self.p50, self.p99, self.p999].map(|ns| nanos(ns as f64));
        write!(f, "p50 {p50} p99 {p99} p99.9 {p999}")
    }
}

/// Counts by name, without the zeroes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named(Vec<(&'static str, u64)>);

impl Serialize for Named {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

impl FromIterator<(&'static str, u64)> for Named {
    fn from_iter<I: IntoIterator<Item = (&'static str, u64)>>(counts: I) -> Self {
        Self(counts.into_iter().filter(|(_, n)| *n > 0).collect())
    }
}

impl Named {
    /// Everything that did not reach the state, or did not leave: rejects, full queues, and what sockets lost.
    /// Duplicates are no loss, and stand elsewhere; nor is what a member says before it has shown its address, or who it is: it is
    /// asked to, and says it again, whenever somebody joins.
    pub fn drops(reading: &Reading) -> Self {
        let inside = Self::inside(&reading.tally).0.into_iter();
        let no_loss = [Reject::Duplicate.metric(), Refusal::Unproven.metric(), Refusal::Stranger.metric()];
        inside.filter(|(reason, _)| !no_loss.contains(reason)).chain(reading.sockets.lost()).collect()
    }

    /// Everything that a node's own code dropped, duplicates among it.
    pub fn inside(tally: &Tally) -> Self {
        let full =
            [Counter::RingFull, Counter::EgressFull].map(|counter| (counter.metric(), tally.get(counter)));
        let refusals = tally.refusals().map(|(reason, n)| (reason.metric(), n));
        tally.rejects().map(|(reason, n)| (reason.metric(), n)).chain(refusals).chain(full).collect()
    }

    /// What the sockets ran short of.
    pub fn shortages(reading: &Reading) -> Self {
        reading.sockets.short().collect()
    }

    /// One of them.
    pub fn get(&self, name: &str) -> u64 {
        self.0.iter().find(|(other, _)| *other == name).map_or(0, |(_, n)| *n)
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(_, n)| n).sum()
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (i, (reason, n)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{reason} {}", count(*n as f64))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Sockets;
    use octick::socket::Counters;

    #[test]
    fn a_second_is_one_readable_line() {
        let mut reading = Reading::default();
        for (counter, n) in [
            (Counter::CellsWon, 1_920_000),
            (Counter::FramesIn, 61_200),
            (Counter::FramesOut, 122_000),
            (Counter::TimedCells, 1_000),
            (Counter::TimedTicks, 4_100),
        ] {
            reading.tally.set(counter, n);
        }
        reading.tally.set_rejected(Reject::Duplicate, 44_100);
        reading.tally.set_rejected(Reject::Future, 3);
        let mut counters = Counters::default();
        (counters.kernel_drops, counters.multishot_ended) = (12, 4);
        reading.sockets = Sockets::from(&counters);
        reading.latencies.wire_ns.record_n(41_000, 1_000).unwrap();
        reading.latencies.wire_ns.record_n(212_000, 9).unwrap();
        reading.latencies.centiticks.record(290).unwrap();
        let mut figures = Figures::of(&reading, Duration::from_secs(1));
        figures.secs = 3.0;
        figures.timer_floor_ns = 52;
        figures.kernel = "avx512vl".into();
        figures.verify = "avx512".into();
        figures.backend = "io_uring".into();
        assert_eq!(
            figures.to_string(),
            "   3s  merged 1.92M cells/s  frames in 61.2k out 122k /s  dup 44.1k /s  \
             drops future 3, kernel_drops 12  2.9 of 8 ticks/cell (mean 4.1)  \
             wire>state p50 41.2us p99 41.2us p99.9 213us (timer 52ns)  avx512vl avx512 io_uring"
        );
    }

    #[test]
    fn a_silent_second_divides_by_nothing() {
        assert_eq!(
            Figures::of(&Reading::default(), Duration::ZERO).to_string(),
            "   0s  merged 0 cells/s  frames in 0 out 0 /s  dup 0 /s  drops none  - of 8 ticks/cell    "
        );
    }
}

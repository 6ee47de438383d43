//! The numbers of an answer to a statistics query: the token, then counters, latencies, and what the control plane refused.
//!
//! A number keeps its meaning for ever: counters are only ever appended to, and an asker that meets a number it does
//! not know passes over it. What one frame has no room for stands in further ones, each with the token and with which of how
//! many it is; no number that is not zero is ever left out.

use crate::counters::{Counter, Tally};
use crate::limits::ROWS_MAX;
use crate::refusal::Refusal;
use crate::reject::Reject;
use crate::wire::Stat;

use octick_crypto::train::TRAIN_MAX;

/// First number of the counters.
const COUNTERS: u32 = 1;
/// First number of the rejects.
const REJECTS: u32 = 1_000;
/// First number of the gauges.
const GAUGES: u32 = 2_000;

/// First number of what the control plane refused.
const REFUSALS: u32 = 3_000;
/// The number that says which of several frames this is: its index and, from bit 8 on, how many there are.
const PAGE: u32 = 4_000;

/// Every number at most.
const NUMBERS: usize = Counter::ALL.len() + Reject::ALL.len() + Gauge::ALL.len() + Refusal::ALL.len();
/// Numbers in a frame: beside the token, and beside the page, too, where there are several.
const ALONE: usize = ROWS_MAX - 1;
const SHARED: usize = ROWS_MAX - 2;
/// Frames of an answer at most.
const PAGES_MAX: usize = NUMBERS.div_ceil(SHARED);

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

const _: () = assert!(PAGES_MAX <= TRAIN_MAX && PAGES_MAX < 1 << 8, "an answer is one train");
const _: () = {
    // A number means one thing, however many more are appended.
    assert!(Stat::TOKEN < COUNTERS && COUNTERS + Counter::ALL.len() as u32 <= REJECTS);
    assert!(REJECTS + Reject::ALL.len() as u32 <= GAUGES && GAUGES + Gauge::ALL.len() as u32 <= REFUSALS);
    assert!(REFUSALS + Refusal::ALL.len() as u32 <= PAGE);
    let mut i = 0;
    while i < Gauge::ALL.len() {
        assert!(Gauge::ALL[i] as usize == i, "gauges are found by their numbers");
        i += 1;
    }
};

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

    /// Frames that it takes, one at least.
    pub fn pages(&self) -> usize {
        let numbers = self.stats().count();
        if numbers <= ALONE { 1 } else { numbers.div_ceil(SHARED) }
    }

    /// What stands in frame `page` of them, after the token.
    pub fn page(&self, page: usize) -> impl Iterator<Item = Stat> + '_ {
        let pages = self.pages();
        let room = if pages == 1 { ALONE } else { SHARED };
        let which = Stat::new(PAGE, page as u64 | (pages as u64) << 8);
        self.stats().skip(page * room).take(room).chain((pages > 1).then_some(which))
    }

    /// Takes over what stands in one frame of another node's report.
    fn take(&mut self, stats: &[Stat]) {
        let report = self;
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
    }
}

/// Puts a report together from its frames, in whatever order and however often they come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pages {
    report: Report,
    /// A bit for each that was seen.
    seen: u128,
}

impl Pages {
    /// Takes the stats of one frame; returns the report once it is whole. A frame that contradicts itself is passed over.
    pub fn take(&mut self, stats: &[Stat]) -> Option<Report> {
        let which = stats.iter().find(|stat| stat.id.get() == PAGE).map(|stat| stat.value.get());
        let (page, pages) = which.map_or((0, 1), |which| (which & 0xFF, which >> 8));
        if page >= pages || pages > u64::from(u128::BITS) {
            return None;
        }
        self.report.take(stats);
        self.seen |= 1 << page;
        (u64::from(self.seen.count_ones()) >= pages).then_some(self.report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn frames(report: &Report) -> Vec<Vec<Stat>> {
        (0..report.pages()).map(|page| report.page(page).collect()).collect()
    }

    #[test]
    fn a_report_survives_the_wire() {
        let mut report = Report::default();
        report.tally.set(Counter::CellsWon, 7);
        report.tally.set_rejected(Reject::StaleQuery, 9);
        report.gauges[Gauge::OriginMax as usize] = u64::MAX;
        report.tally.set_refused(Refusal::SendQueueFull, 5);
        let frames = frames(&report);
        assert_eq!((frames.len(), frames[0].len()), (1, 4), "few numbers are one frame, without more ado");
        assert_eq!(Pages::default().take(&frames[0]), Some(report));
    }

    #[test]
    fn no_number_is_cut_however_many_there_are() {
        let mut report = Report::default();
        for value in 0..NUMBERS as u64 {
            assert_eq!(report.stats().count() as u64, value, "one number more each time");
            let mut pages = Pages::default();
            // Backwards, and each of them twice.
            let frames = frames(&report);
            for (i, frame) in frames.iter().enumerate().rev() {
                assert!(frame.len() < ROWS_MAX, "the token has room");
                assert!(frame.windows(2).all(|pair| pair[0].id.get() < pair[1].id.get()), "numbers rise");
                let whole = (i == 0).then_some(report);
                assert_eq!([pages.take(frame), pages.take(frame)], [whole; 2]);
            }
            set(&mut report, value as usize);
        }
        assert_eq!(frames(&report).len(), PAGES_MAX);
    }

    /// Sets the next number, the last ones first: refusals, gauges, rejects, counters.
    fn set(report: &mut Report, i: usize) {
        let value = 1_000 + i as u64;
        let (refusals, gauges) = (Refusal::ALL.len(), Gauge::ALL.len());
        match i {
            i if i < refusals => report.tally.set_refused(Refusal::ALL[i], value),
            i if i < refusals + gauges => report.gauges[i - refusals] = value,
            i if i < refusals + gauges + Reject::ALL.len() => {
                report.tally.set_rejected(Reject::ALL[i - refusals - gauges], value);
            }
            i => report.tally.set(Counter::ALL[i - refusals - gauges - Reject::ALL.len()], value),
        }
    }

    #[test]
    fn unknown_numbers_and_frames_that_contradict_themselves_are_passed_over() {
        let stats = [Stat::new(Stat::TOKEN, 5), Stat::new(999, 1), Stat::new(u32::MAX, 1)];
        assert_eq!(Pages::default().take(&stats), Some(Report::default()));
        for which in [0, 0x0101, 0x0201 + 1, 129 << 8, u64::MAX] {
            let mut pages = Pages::default();
            assert_eq!(pages.take(&[Stat::new(COUNTERS, 7), Stat::new(PAGE, which)]), None, "{which:#x}");
            assert_eq!(pages.take(&stats), Some(Report::default()), "{which:#x} has left nothing behind");
        }
    }
}

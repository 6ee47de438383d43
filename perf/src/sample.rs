//! Timing that holds still: the least of many batches, beside a calibration loop of the same moment.
//!
//! Another process, an interrupt or a lower clock can only make a batch slower, so the minimum is what the code costs.
//! The calibration loop runs between the batches; the ratio of the two minimums is the figure that survives a
//! change of the core's clock.

use std::time::{Duration, Instant};

use crate::ticks::{self, CALIBRATION_STEPS};

/// What many runs of one piece of work took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Ticks of the fastest batch.
    pub(crate) least: f64,
    /// Ticks of the batch in the middle.
    pub(crate) median: f64,
    /// The least, in steps of the calibration loop, each at its fastest among these batches.
    pub(crate) ratio: f64,
}

impl Sample {
    /// The same, for each of `parts` equal parts of a batch.
    pub(crate) fn per(self, parts: usize) -> Self {
        let parts = parts as f64;
        Self { least: self.least / parts, median: self.median / parts, ratio: self.ratio / parts }
    }

    /// The better of two samples of the same work, figure by figure: noise only ever adds.
    fn better(self, other: Self) -> Self {
        Self {
            least: self.least.min(other.least),
            median: self.median.min(other.median),
            ratio: self.ratio.min(other.ratio),
        }
    }
}

/// Times `run` over `batches` batches. `prepare` comes before each, untimed; both get the number of the batch.
pub(crate) fn sample<S>(
    batches: usize,
    state: &mut S,
    mut prepare: impl FnMut(&mut S),
    mut run: impl FnMut(&mut S),
) -> Sample {
    let mut taken = Vec::with_capacity(batches);
    let mut calibration = u64::MAX;
    for _ in 0..batches {
        let start = ticks::now();
        ticks::calibration();
        calibration = calibration.min(ticks::now() - start);
        prepare(state);
        let start = ticks::now();
        run(state);
        taken.push(ticks::now() - start);
    }
    taken.sort_unstable();
    let least = taken[0] as f64;
    let step = calibration as f64 / f64::from(CALIBRATION_STEPS);
    Sample { least, median: taken[batches / 2] as f64, ratio: least / step }
}

/// Measures for up to `patience` and keeps the best; stops as soon as that is `enough`.
pub(crate) fn best_of(
    patience: Duration,
    mut measure: impl FnMut() -> Sample,
    enough: impl Fn(Sample) -> bool,
) -> Sample {
    let began = Instant::now();
    let mut best = measure();
    while !enough(best) && began.elapsed() < patience {
        best = best.better(measure());
    }
    best
}

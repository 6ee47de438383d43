//! Timing that holds still: the least of many batches, beside a calibration loop of the same moment.
//!
//! Another process, an interrupt or a lower clock can only make a batch slower, so the minimum is what the code costs.
//! The calibration loop runs between the batches; the ratio of the two minimums is the figure that survives a
//! change of the core's clock.

use crate::ticks::{self, CALIBRATION_STEPS};

/// What many runs of one piece of work took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Ticks of the fastest batch.
    pub(crate) least: f64,
    /// Ticks of the batch in the middle.
    pub(crate) median: f64,
    /// Ticks of one calibration step, at its fastest among these batches.
    pub(crate) calibration: f64,
}

impl Sample {
    /// The same, for each of `parts` equal parts of a batch.
    pub(crate) fn per(self, parts: usize) -> Self {
        let parts = parts as f64;
        Self { least: self.least / parts, median: self.median / parts, ..self }
    }

    /// The least, in steps of the calibration loop.
    pub(crate) fn ratio(self) -> f64 {
        self.least / self.calibration
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
    Sample {
        least: taken[0] as f64,
        median: taken[batches / 2] as f64,
        calibration: calibration as f64 / f64::from(CALIBRATION_STEPS),
    }
}

/// Measures up to `tries` times and keeps the sample with the least ticks; stops at the first that is `enough`.
pub(crate) fn best_of(
    tries: usize,
    mut measure: impl FnMut() -> Sample,
    enough: impl Fn(Sample) -> bool,
) -> Sample {
    let mut best = measure();
    for _ in 1..tries {
        if enough(best) {
            break;
        }
        let again = measure();
        if again.least < best.least {
            best = again;
        }
    }
    best
}

//! How sure one may be that a leader is gone: the phi-accrual detector (Hayashibara et al., 2004).
//!
//! In go heartbeats, out comes phi: at 1 the leader would be declared gone wrongly once in ten times, at 8 once in a
//! hundred million, if its heartbeats keep coming as they came so far. The caller decides how sure it must be.
//!
//! Intervals are taken as normal; its tail is approximated by a logistic function (Bowling et al., 2009), which is
//! within 1.4e-4 in the middle and errs towards patience far out. Arithmetic is integers and IEEE basics, so every
//! machine computes the same phi.

/// Intervals that are remembered: a minute of heartbeats a second.
const WINDOW: usize = 64;
/// Longest interval that is believed, microseconds: beyond, a leader was away, and that says nothing about its pace.
const INTERVAL_MAX: u64 = 60_000_000;

/// What to expect of heartbeats, microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The interval that leaders are asked to keep; stands for the first ones.
    pub interval: u32,
    /// Least deviation: regular heartbeats must not make the detector nervous.
    pub deviation_min: u32,
    /// A pause that is forgiven: collection of garbage, a stopped process.
    pub pause: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { interval: 1_000_000, deviation_min: 100_000, pause: 0 }
    }
}

/// Listens to one leader's heartbeats.
#[derive(Clone, Debug)]
pub struct Phi {
    pace: Pace,
    intervals: [u32; WINDOW],
    /// How many were taken in; the next goes to this modulo [`WINDOW`].
    taken: usize,
    sum: u64,
    squares: u128,
    last: u64,
}

impl Phi {
    /// Begins to listen. Until a heartbeat came, the expected pace is taken, with a quarter of it as deviation.
    pub fn new(pace: Pace, now: u64) -> Self {
        let mut phi = Self { pace, intervals: [0; WINDOW], taken: 0, sum: 0, squares: 0, last: now };
        assert!(u64::from(pace.interval) <= INTERVAL_MAX && pace.interval > 0, "{pace:?}");
        phi.take(pace.interval - pace.interval / 4);
        phi.take(pace.interval + pace.interval / 4);
        phi
    }

    /// Takes in a heartbeat.
    pub fn heartbeat(&mut self, now: u64) {
        let interval = now.saturating_sub(self.last);
        self.last = self.last.max(now);
        if interval <= INTERVAL_MAX {
            self.take(interval as u32);
        }
    }

    /// How sure one may be that the leader is gone.
    pub fn phi(&self, now: u64) -> f64 {
        let count = self.taken.min(WINDOW) as u64;
        assert!(count >= 2, "two intervals are known from the beginning");
        let mean = self.sum / count;
        let variance = (self.squares / u128::from(count)) as u64;
        let deviation =
            variance.saturating_sub(mean * mean).isqrt().max(u64::from(self.pace.deviation_min).max(1));
        let silent = now.saturating_sub(self.last) as f64 - (mean + u64::from(self.pace.pause)) as f64;
        let y = silent / deviation as f64;
        log10_of_one_plus_exp(y * (1.5976 + 0.070_566 * y * y))
    }

    /// When phi will reach `threshold` if nothing comes: what a timer needs. Found by halving, to a millisecond.
    pub fn reaches(&self, threshold: f64) -> u64 {
        let (mut early, mut late) = (self.last, self.last + 4 * INTERVAL_MAX);
        while late - early > 1_000 {
            let middle = early + (late - early) / 2;
            assert!(early < middle && middle < late, "halving goes on");
            if self.phi(middle) < threshold {
                early = middle;
            } else {
                late = middle;
            }
        }
        late
    }

    fn take(&mut self, interval: u32) {
        let slot = &mut self.intervals[self.taken % WINDOW];
        let old = core::mem::replace(slot, interval);
        self.taken += 1;
        self.sum = self.sum + u64::from(interval) - u64::from(old);
        self.squares = self.squares + u128::from(interval).pow(2) - u128::from(old).pow(2);
        assert!(self.sum <= WINDOW as u64 * INTERVAL_MAX * 2, "a sum of {} us", self.sum);
        debug_assert_eq!(self.sum, self.intervals.iter().map(|interval| u64::from(*interval)).sum());
    }
}

/// log10(1 + e^z), to seven digits.
fn log10_of_one_plus_exp(z: f64) -> f64 {
    const LOG10_E: f64 = core::f64::consts::LOG10_E;
    // ln(1 + e^z) = max(z, 0) + ln(1 + e^-|z|), and then no power overflows.
    let small = exp_of_negative(if z < 0.0 { z } else { -z });
    // ln(1 + x) = 2 artanh(x / (2 + x)), whose argument is at most a third.
    debug_assert!((0.0..=1.0).contains(&small), "e to {z}");
    let t = small / (2.0 + small);
    let (mut power, mut series) = (t, 0.0);
    for odd in [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0] {
        series += power / odd;
        power *= t * t;
    }
    (if z > 0.0 { z } else { 0.0 } + 2.0 * series) * LOG10_E
}

/// e^z for z at most zero: Taylor's series of a 1,024th part, squared ten times.
fn exp_of_negative(z: f64) -> f64 {
    if z < -40.0 {
        return 0.0;
    }
    let part = z / 1_024.0;
    let mut value = 1.0 + part * (1.0 + part / 2.0 * (1.0 + part / 3.0 * (1.0 + part / 4.0)));
    for _ in 0..10 {
        value *= value;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Random;

    const S: u64 = 1_000_000;

    fn listened(random: &mut Random, jitter: u64) -> (Phi, u64) {
        let mut now = 0;
        let mut phi = Phi::new(Pace::default(), 0);
        for _ in 0..100 {
            now += S - jitter / 2 + random.below(jitter.max(1));
            phi.heartbeat(now);
        }
        (phi, now)
    }

    #[test]
    fn phi_rises_with_silence_and_falls_with_a_heartbeat() {
        let (mut phi, now) = listened(&mut Random::new(1), S / 5);
        let waits: std::vec::Vec<f64> = (0..40).map(|i| phi.phi(now + i * S / 10)).collect();
        assert!(waits.is_sorted() && waits[5] < 0.1 && waits[39] > 8.0, "{waits:?}");
        phi.heartbeat(now + 4 * S);
        assert!(phi.phi(now + 4 * S) < 0.1);
    }

    #[test]
    fn an_irregular_leader_is_given_more_time() {
        let (regular, now) = listened(&mut Random::new(2), 0);
        let (irregular, then) = listened(&mut Random::new(2), S);
        let patience = |phi: &Phi, now: u64| phi.reaches(8.0) - now;
        assert!(patience(&irregular, then) > patience(&regular, now) + S / 4);
        assert!(patience(&irregular, then) < 3 * S && patience(&regular, now) > S);
    }

    #[test]
    fn a_leader_that_comes_back_after_an_hour_is_judged_by_its_pace_before() {
        let (mut phi, now) = listened(&mut Random::new(3), S / 5);
        let before = phi.phi(now + 2 * S);
        phi.heartbeat(now + 3_600 * S);
        assert_eq!(phi.phi(now + 3_602 * S), before);
    }

    #[test]
    fn the_logarithm_is_what_std_computes() {
        for i in -4_000..4_000 {
            let z = f64::from(i) / 100.0;
            let expected = (1.0 + z.exp()).log10();
            let found = log10_of_one_plus_exp(z);
            assert!((found - expected).abs() < 1e-6 * (1.0 + expected), "{z}: {found} {expected}");
        }
        assert!((log10_of_one_plus_exp(1e6) - 1e6 * core::f64::consts::LOG10_E).abs() < 1.0);
    }

    #[test]
    fn clocks_that_stand_still_or_jump_do_no_harm() {
        let mut phi = Phi::new(Pace { deviation_min: 0, ..Pace::default() }, 5);
        (0..200).for_each(|_| phi.heartbeat(5));
        assert!(phi.phi(0).is_finite() && phi.phi(u64::MAX / 2) > 8.0);
    }

    #[test]
    fn powers_of_e_are_those_of_the_mathematicians() {
        for i in 0..4_000 {
            let z = -f64::from(i) / 100.0;
            let (ours, theirs) = (exp_of_negative(z), std::primitive::f64::exp(z));
            assert!((ours - theirs).abs() <= 1e-6 * theirs, "e to {z}: {ours}, not {theirs}");
        }
    }

    /// The detector in words: mean and deviation of the last 64 intervals, and a logistic tail.
    fn twin(pace: Pace, intervals: &[u64], silent: u64) -> f64 {
        let last = &intervals[intervals.len().saturating_sub(64)..];
        let count = last.len() as u64;
        let mean = last.iter().sum::<u64>() / count;
        let squares: u128 = last.iter().map(|interval| u128::from(*interval).pow(2)).sum();
        let variance = (squares / u128::from(count)) as f64 - (mean as f64).powi(2);
        let deviation = variance.max(0.0).sqrt().floor().max(f64::from(pace.deviation_min));
        let y = (silent as f64 - mean as f64 - f64::from(pace.pause)) / deviation;
        let z = y * (1.5976 + 0.070_566 * y * y);
        (1.0 + z.exp()).log10()
    }

    #[test]
    fn phi_is_the_tail_of_the_last_intervals_whatever_they_are() {
        let paces = [
            Pace::default(),
            Pace { interval: 200_000, deviation_min: 20_000, pause: 300_000 },
            Pace { interval: 800_000, deviation_min: 1, pause: 0 },
        ];
        for pace in paces {
            let interval = u64::from(pace.interval);
            let (mut phi, mut random, mut now) = (Phi::new(pace, 5 * S), Random::new(7), 5 * S);
            let mut intervals = std::vec![interval - interval / 4, interval + interval / 4];
            for beat in 0..200 {
                for tenths in [0, 8, 10, 13, 17] {
                    let silent = interval * tenths / 10;
                    let (ours, twin) = (phi.phi(now + silent), twin(pace, &intervals, silent));
                    assert!((ours - twin).abs() <= 1e-4 * (1.0 + twin), "beat {beat}: {ours}, not {twin}");
                }
                intervals.push(interval / 2 + random.below(interval));
                now += intervals[intervals.len() - 1];
                phi.heartbeat(now);
            }
        }
    }

    #[test]
    fn an_interval_of_a_minute_is_believed_and_a_longer_one_is_an_absence() {
        let after = |interval| {
            let (mut phi, now) = listened(&mut Random::new(4), 0);
            phi.heartbeat(now + interval);
            phi.phi(now + interval + 3 * S)
        };
        let unmoved = after(INTERVAL_MAX + 1);
        assert!(unmoved > 8.0 && after(INTERVAL_MAX) < 1.0, "{unmoved}");
    }

    #[test]
    fn a_timer_set_for_a_threshold_goes_off_when_it_is_reached_and_within_a_millisecond() {
        let (phi, now) = listened(&mut Random::new(5), S / 5);
        for threshold in [0.5, 1.0, 3.0, 8.0] {
            let at = phi.reaches(threshold);
            assert!(phi.phi(at) >= threshold && phi.phi(at - 1_001) < threshold, "{threshold} at {at}");
        }
        let never = phi.reaches(f64::INFINITY);
        assert_eq!(never, now + 4 * INTERVAL_MAX, "four minutes are for ever");
    }
}

//! What may be caused in a second, and what that makes of a price.

use crate::limits::{BATCH_MAX, CHECKS_PER_SEC_MAX, WAVE_MAX};

/// What may be caused in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Signature checks, were all of them good.
    pub checks_per_sec: u32,
    /// Signatures that do not hold, were there nothing else. A bad one costs as much as
    /// `checks_per_sec / bad_per_sec` good ones.
    pub bad_per_sec: u32,
}

impl Rate {
    /// Whether both are at least one, no more bad ones than checks, and no more checks than
    /// [`CHECKS_PER_SEC_MAX`].
    pub const fn is_sound(&self) -> bool {
        1 <= self.bad_per_sec
            && self.bad_per_sec <= self.checks_per_sec
            && self.checks_per_sec <= CHECKS_PER_SEC_MAX
    }
}

/// What senders may cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Each peer. Default: 200,000 checks, more than a core can do, and 1,000 bad ones.
    pub peer: Rate,
    /// All other addresses together. Default: 50,000 checks and 400 bad ones. One of them alone is held to a quarter
    /// of the bad ones.
    pub strangers: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            peer: Rate { checks_per_sec: 200_000, bad_per_sec: 1_000 },
            strangers: Rate { checks_per_sec: 50_000, bad_per_sec: 400 },
        }
    }
}

/// What share of all strangers' bad signatures one of them may send.
pub(super) const STRANGERS_SHARE: i64 = 4;
/// How long an account fills until it is full, microseconds: a burst after a stall is not mistaken for a flood.
pub(super) const FILL_MICROS: i64 = 250_000;
/// Longest time that is made good at once, microseconds: 19 hours.
pub(super) const ABSENCE_MICROS_MAX: u64 = 1 << 36;
/// One check, in tokens: so that a microsecond brings as many tokens as a second has checks.
pub(super) const CHECK: i64 = 1_000_000;
/// Hashing a frame of a known root.
pub(super) const HASH: i64 = CHECK / 16;
/// Admitting a key that is not known yet, and one signature by it: no table helps.
const UNKNOWN: i64 = 64 * CHECK;

// The dearest price: one check a second may be bad, and a stranger alone pays its share. Neither a wave's debt nor
// the longest absence comes near the end of the numbers.
const _: () = {
    let dearest = CHECK * CHECKS_PER_SEC_MAX as i64 * STRANGERS_SHARE;
    assert!((WAVE_MAX * BATCH_MAX) as i64 * dearest < i64::MAX / 4);
    assert!(ABSENCE_MICROS_MAX as i64 * (CHECKS_PER_SEC_MAX as i64) < i64::MAX / 4);
    // Hashing costs less than a check and more than nothing, and the longest absence fills any account.
    assert!(0 < HASH && HASH < CHECK && CHECK < UNKNOWN && FILL_MICROS as u64 <= ABSENCE_MICROS_MAX);
};

/// How an account fills, and what it pays.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prices {
    /// Tokens that a microsecond brings.
    pub(super) refill: i64,
    /// Tokens that a full account holds.
    pub(super) full: i64,
    pub(super) hash: i64,
    pub(super) check: i64,
    pub(super) unknown: i64,
    pub(super) bad: i64,
}

impl Prices {
    /// Everything is free, and an account that holds one token keeps it.
    pub(super) const FREE: Self = Self { refill: 0, full: 1, hash: 0, check: 0, unknown: 0, bad: 0 };

    pub(super) fn new(rate: Rate) -> Self {
        assert!(rate.is_sound(), "the edge checks rates: {rate:?}");
        let (checks, bad) = (i64::from(rate.checks_per_sec), i64::from(rate.bad_per_sec));
        let (full, bad) = (checks * FILL_MICROS, CHECK * checks / bad);
        assert!(full > 0 && bad >= CHECK, "a bad signature costs no less than a good one: {rate:?}");
        Self { refill: checks, full, hash: HASH, check: CHECK, unknown: UNKNOWN, bad }
    }

    pub(super) fn of_frame(&self, checked: bool, good: bool) -> i64 {
        self.hash + if checked { self.check } else { 0 } + if good { 0 } else { self.bad }
    }
}

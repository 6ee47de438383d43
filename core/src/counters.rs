//! Counters that one thread bumps and any thread reads, at no cost to the one that bumps.
//!
//! A bump is a plain load and store on a line that its thread owns. Readers see each counter whole, but not all of
//! them at one instant.

use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::listed::listed;
use crate::refusal::{Refusal, Refusals};
use crate::reject::Reject;

listed! {
    /// What a thread of the data plane counts, besides the rejects.
    Counter;

    /// Datagrams' frames taken from the socket, good or bad.
    FramesIn = "frames_in",
    /// Bytes of those.
    BytesIn = "bytes_in",
    /// Frames accepted and merged, of other origins.
    FramesFresh = "frames_fresh",
    /// Frames handed to the socket, own and relayed, once for each peer.
    FramesOut = "frames_out",
    /// Bytes of those.
    BytesOut = "bytes_out",
    /// Frames of this node's own making.
    FramesMade = "frames_made",
    /// Cells that a merge stored.
    CellsWon = "cells_won",
    /// Cells that were older than, or the same as, what the table held.
    CellsStale = "cells_stale",
    /// Cells with the table's version and another value: proof of a faulty origin.
    CellsFaulty = "cells_faulty",
    /// Signatures checked, one for each train.
    Signatures = "signatures",
    /// Frames whose train's root was verified before: they cost hashing only.
    RootsKnown = "roots_known",
    /// Cells parsed, asked about and merged while the stages were timed.
    TimedCells = "timed_cells",
    /// Ticks that those took, without verification.
    TimedTicks = "timed_ticks",
    /// Ticks spent on verification.
    VerifyTicks = "verify_ticks",
    /// Frames that a peer's full socket or this node's full egress queue dropped.
    EgressFull = "egress_full",
    /// Datagrams that a full ring between threads dropped.
    RingFull = "ring_full",
    /// Questions answered.
    Answers = "answers",
    /// Verification kernels that gave a wrong verdict and were taken out of use; ed25519-dalek serves instead.
    VerifyDisabled = "verify_disabled",
    /// Control frames of the control plane that this node signed and sent.
    ControlFramesMade = "control_frames_made",
    /// Frames that a member wanted, or that should have gone on, and that had been overwritten in the frame cache by then.
    CacheMisses = "cache_misses",
    /// Origins that made room in a full directory: gone, or never heard, or known by no right.
    OriginsEvicted = "origins_evicted",
    /// Members that found no room in a full directory, for nobody in it was worth less.
    OriginsRefused = "origins_refused",
}

const REJECTS: usize = Reject::ALL.len();
const COUNTERS: usize = Counter::ALL.len();
const REFUSALS: usize = Refusal::ALL.len();
const NUMBERS: usize = REJECTS + COUNTERS + REFUSALS;

const _: () = {
    // Names find their places by number: first the rejects, then the counters, then the refusals.
    assert!(REJECTS <= u8::MAX as usize);
    assert!(COUNTERS <= u8::MAX as usize);
    assert!(REFUSALS <= u8::MAX as usize);
    let mut i = 0;
    while i < COUNTERS {
        assert!(Counter::ALL[i] as usize == i);
        i += 1;
    }
    let mut i = 0;
    while i < REJECTS {
        assert!(Reject::ALL[i] as usize == i);
        i += 1;
    }
};

/// One thread's counters. Clones share the same numbers.
#[derive(Clone)]
pub struct Counters {
    numbers: Arc<[AtomicU64; NUMBERS]>,
}

impl Default for Counters {
    fn default() -> Self {
        Self { numbers: Arc::new([const { AtomicU64::new(0) }; NUMBERS]) }
    }
}

impl Counters {
    /// Adds `n`. Only the thread that owns the counters may call it: two callers would lose counts.
    #[inline]
    pub fn add(&self, counter: Counter, n: u64) {
        self.bump(REJECTS + counter as usize, n);
    }

    /// Counts one dropped frame. Only for the owning thread.
    #[inline]
    pub fn reject(&self, reason: Reject) {
        self.bump(reason as usize, 1);
    }

    /// Counts `n` dropped frames. Only for the owning thread.
    #[inline]
    pub fn reject_many(&self, reason: Reject, n: u64) {
        self.bump(reason as usize, n);
    }

    /// Shows what the control plane has refused so far. Only for the owning thread.
    pub fn show_refusals(&self, refusals: &Refusals) {
        for (refusal, count) in refusals.iter() {
            self.numbers[REJECTS + COUNTERS + refusal as usize].store(count, Ordering::Relaxed);
        }
    }

    /// What one of them stands at.
    pub fn read(&self, counter: Counter) -> u64 {
        self.numbers[REJECTS + counter as usize].load(Ordering::Relaxed)
    }

    /// All numbers as they stand.
    pub fn snapshot(&self) -> Tally {
        let read = |i: usize| self.numbers[i].load(Ordering::Relaxed);
        Tally {
            rejects: core::array::from_fn(read),
            counters: core::array::from_fn(|i| read(REJECTS + i)),
            refusals: core::array::from_fn(|i| read(REJECTS + COUNTERS + i)),
        }
    }

    #[inline]
    fn bump(&self, i: usize, n: u64) {
        let number = &self.numbers[i];
        number.store(number.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.snapshot(), f)
    }
}

/// Counters at one time, or the sum of several threads'.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    rejects: [u64; REJECTS],
    counters: [u64; COUNTERS],
    refusals: [u64; REFUSALS],
}

impl Default for Tally {
    fn default() -> Self {
        Self { rejects: [0; REJECTS], counters: [0; COUNTERS], refusals: [0; REFUSALS] }
    }
}

impl Tally {
    /// One counter.
    pub fn get(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }

    /// Frames dropped for one reason.
    pub fn rejected(&self, reason: Reject) -> u64 {
        self.rejects[reason as usize]
    }

    /// Sets one counter: a tally that came over the wire.
    pub fn set(&mut self, counter: Counter, value: u64) {
        self.counters[counter as usize] = value;
    }

    /// Sets one reject's count.
    pub fn set_rejected(&mut self, reason: Reject, value: u64) {
        self.rejects[reason as usize] = value;
    }

    /// The reasons for which frames were dropped, with how many.
    pub fn rejects(&self) -> impl Iterator<Item = (Reject, u64)> + '_ {
        Reject::ALL.iter().copied().zip(self.rejects).filter(|&(_, count)| count > 0)
    }

    /// What the control plane refused for one reason.
    pub fn refused(&self, reason: Refusal) -> u64 {
        self.refusals[reason as usize]
    }

    /// Sets one refusal's count.
    pub fn set_refused(&mut self, reason: Refusal, value: u64) {
        self.refusals[reason as usize] = value;
    }

    /// The reasons for which the control plane refused something, with how often.
    pub fn refusals(&self) -> impl Iterator<Item = (Refusal, u64)> + '_ {
        Refusal::ALL.iter().copied().zip(self.refusals).filter(|&(_, count)| count > 0)
    }

    /// Adds another thread's counters.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        self.zip(other, u64::wrapping_add);
        self
    }

    /// What has come since `earlier`.
    #[must_use]
    pub fn since(mut self, earlier: &Self) -> Self {
        self.zip(earlier, u64::wrapping_sub);
        self
    }

    fn zip(&mut self, other: &Self, op: impl Fn(u64, u64) -> u64) {
        let theirs = other.rejects.iter().chain(&other.counters).chain(&other.refusals);
        for (mine, theirs) in
            self.rejects.iter_mut().chain(&mut self.counters).chain(&mut self.refusals).zip(theirs)
        {
            *mine = op(*mine, *theirs);
        }
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counters = Counter::ALL.iter().map(|&c| (c.metric(), self.get(c))).filter(|&(_, n)| n > 0);
        let rejects = self.rejects().map(|(r, n)| (r.metric(), n));
        let refusals = self.refusals().map(|(r, n)| (r.metric(), n));
        f.debug_map().entries(counters).entries(rejects).entries(refusals).finish()
    }
}

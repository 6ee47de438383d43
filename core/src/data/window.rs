//! Which sequence numbers of an origin were accepted before: one cache line an origin.
//!
//! In goes (origin, incarnation, sequence) of a frame; out comes whether it is new. [`Windows`] belongs to the one
//! thread that accepts frames and is told only of frames whose signature held. [`WindowsView`] lets other threads
//! ask before they pay for a signature check. A duplicate is refused for certain by the owner's
//! [`Windows::insert`]; a view may at worst let it through to the check. What can never happen: a view refusing a
//! frame that the owner would accept.
//!
//! # Why a view that races with the owner never hides a new frame
//!
//! A line holds the incarnation `incarnation`, the highest accepted sequence `top`, and bit `s mod 384` for each `s` in
//! `(top - 384, top]`. All are atomics with one writer. A view reads `incarnation`, `top` and the bit in this order, the
//! first two with acquire. For a frame (i, s) it can refuse for three reasons:
//!
//! 1. **i < incarnation.** Lives only rise, so the owner refuses it too. (But for an index that is [given back](Windows::forget): the
//!    one for whom it stands next becomes known to a view only after that.)
//! 2. **i = incarnation, s <= top - 384.** Within an incarnation `top` only rises. The owner empties the bits and zeroes `top`
//!    *before* it publishes a new incarnation (release), so who has read that incarnation reads a `top` of that incarnation, or of a
//!    later one, and then the owner refuses the frame as one of an old incarnation.
//! 3. **i = incarnation, top - 384 < s <= top, bit set.** The bit's writer meant s, or s - 384, or s + 384, and so on, in
//!    this incarnation or a later one. If s: a true duplicate. If a later number or incarnation: the owner refuses s as behind
//!    its window, or as one of an old incarnation. An *earlier* number is what must not be: before the owner raises `top`
//!    to or past s (release), it has cleared the bits of all numbers that it skips and set that of the new top, so
//!    who has read `top >= s` reads the bit of s after that. The same goes for bits of an earlier incarnation, by 2.
//!
//! In the other direction a view may read a bit or a top that is behind, and call a duplicate new: that costs one
//! needless signature check.

use alloc::sync::Arc;

use crate::limits::WINDOW;
use crate::prefetch::prefetch;
use crate::reject::Reject;
use crate::stamp::{Incarnation, OriginIndex, Seq};
use crate::sync::AtomicU64;
use crate::sync::Ordering::{Acquire, Relaxed, Release};

const WORDS: u64 = WINDOW / 64;

/// What is known of one origin's numbers.
#[derive(Debug, Default)]
#[repr(C, align(64))]
struct Line {
    /// Bit `s mod WINDOW` says that s was accepted, for the `WINDOW` numbers up to `top`.
    accepted: [AtomicU64; WORDS as usize],
    /// The highest number accepted in this incarnation; 0 at first.
    top: AtomicU64,
    /// The incarnation that the rest is about.
    incarnation: AtomicU64,
}

const _: () = assert!(WINDOW.is_multiple_of(64));
// No sum of a number and the window overflows.
const _: () = assert!(Seq::MAX.0 < u64::MAX - WINDOW);
#[cfg(not(loom))]
const _: () = assert!(size_of::<Line>() == 64, "a cache line an origin");

/// What a view says of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seen {
    /// Not accepted so far, as far as the view can tell.
    New,
    /// Accepted before.
    Duplicate,
    /// Too far below the highest accepted number for the window to tell.
    Behind,
    /// Of an earlier incarnation of its origin.
    OldIncarnation,
}

/// The accepted numbers of every origin, in the hands of the thread that accepts frames.
#[derive(Debug)]
pub struct Windows {
    lines: Arc<[Line]>,
}

/// The same numbers, to be asked from any thread while their owner goes on.
#[derive(Clone, Debug)]
pub struct WindowsView {
    lines: Arc<[Line]>,
}

impl Windows {
    /// Empty windows for `origins` origins: 64 bytes each, all taken here.
    pub fn new(origins: usize) -> Self {
        Self { lines: (0..origins).map(|_| Line::default()).collect() }
    }

    /// A view for another thread.
    pub fn view(&self) -> WindowsView {
        WindowsView { lines: Arc::clone(&self.lines) }
    }

    /// Accepts a frame whose signature held: from now on it is a duplicate. A newer incarnation forgets the
    /// numbers of the older one.
    ///
    /// # Errors
    /// [`Reject::OldIncarnation`], [`Reject::BehindWindow`] or [`Reject::Duplicate`]; nothing has changed then.
    ///
    /// # Panics
    /// When there is no such origin.
    #[inline]
    pub fn insert(&mut self, origin: OriginIndex, incarnation: Incarnation, seq: Seq) -> Result<(), Reject> {
        let line = &self.lines[origin.0 as usize];
        match line.ask(incarnation, seq) {
            Seen::New => line.accept(incarnation, seq),
            Seen::Duplicate => return Err(Reject::Duplicate),
            Seen::Behind => return Err(Reject::BehindWindow),
            Seen::OldIncarnation => return Err(Reject::OldIncarnation),
        }
        Ok(())
    }

    /// Whether anything of this origin was accepted.
    pub fn is_used(&self, origin: OriginIndex) -> bool {
        self.lines[origin.0 as usize].incarnation.load(Relaxed) > 0
    }

    /// Forgets all numbers of an origin whose index is given back. Whoever learns for whom it stands next must do so after this: what a
    /// view says of the index before is of no use, and of no harm, for the owner takes nothing more of the old origin.
    ///
    /// # Panics
    /// When there is no such origin.
    pub fn forget(&mut self, origin: OriginIndex) {
        let line = &self.lines[origin.0 as usize];
        line.begin(Incarnation(0));
        assert!(!self.is_used(origin));
    }

    /// Begins to fetch an origin's line; call it a batch ahead of [`Windows::insert`].
    #[inline]
    pub fn prefetch(&self, origin: OriginIndex) {
        prefetch(&self.lines[origin.0 as usize]);
    }
}

impl WindowsView {
    /// Whether the owner has accepted this frame before. Anything but [`Seen::New`] is certain.
    ///
    /// # Panics
    /// When there is no such origin.
    #[inline]
    pub fn ask(&self, origin: OriginIndex, incarnation: Incarnation, seq: Seq) -> Seen {
        self.lines[origin.0 as usize].ask(incarnation, seq)
    }

    /// Begins to fetch an origin's line; call it a batch ahead of [`WindowsView::ask`].
    #[inline]
    pub fn prefetch(&self, origin: OriginIndex) {
        prefetch(&self.lines[origin.0 as usize]);
    }
}

impl Line {
    #[inline]
    fn ask(&self, incarnation: Incarnation, seq: Seq) -> Seen {
        let known = self.incarnation.load(Acquire);
        let top = self.top.load(Acquire);
        if u64::from(incarnation.0) != known {
            return if u64::from(incarnation.0) > known { Seen::New } else { Seen::OldIncarnation };
        }
        // Numbers past the top wrap around to far more than any window: one comparison for both ends.
        let below = top.wrapping_sub(seq.0);
        if below >= WINDOW {
            return if seq.0 > top { Seen::New } else { Seen::Behind };
        }
        let (word, bit) = place(seq.0);
        if self.accepted[word].load(Relaxed) & bit != 0 { Seen::Duplicate } else { Seen::New }
    }

    /// Only for the owner, and only for what `ask` calls new. The order of the stores is what views rely on.
    #[inline]
    fn accept(&self, incarnation: Incarnation, seq: Seq) {
        if u64::from(incarnation.0) != self.incarnation.load(Relaxed) {
            self.begin(incarnation);
        }
        let top = self.top.load(Relaxed);
        if seq.0 > top + 1 {
            self.skip(top + 1, seq.0);
        }
        let (word, bit) = place(seq.0);
        self.accepted[word].store(self.accepted[word].load(Relaxed) | bit, Relaxed);
        if seq.0 > top {
            self.top.store(seq.0, Release);
        }
    }

    /// Empties the line, then publishes the new incarnation.
    #[cold]
    fn begin(&self, incarnation: Incarnation) {
        self.accepted.iter().for_each(|word| word.store(0, Relaxed));
        self.top.store(0, Relaxed);
        self.incarnation.store(incarnation.0.into(), Release);
    }

    /// Clears the bits of `from..to`, which stand for numbers that leave the window.
    #[cold]
    fn skip(&self, from: u64, to: u64) {
        debug_assert!(from < to, "{from}..{to} skips nothing");
        let mut at = from.max(to.saturating_sub(WINDOW));
        while at < to {
            let (word, bit) = place(at);
            // All bits of this word from `bit` up, unless `to` lies in the same word.
            let past = (at | 63) + 1;
            let below = if past <= to { 0 } else { u64::MAX << (to & 63) };
            let cleared = bit.wrapping_neg() & !below;
            debug_assert!(
                cleared.count_ones() as u64 == past.min(to) - at,
                "clears {at} and its followers only"
            );
            self.accepted[word].store(self.accepted[word].load(Relaxed) & !cleared, Relaxed);
            at = past;
        }
    }
}

/// Word and bit of a number.
#[inline]
fn place(seq: u64) -> (usize, u64) {
    debug_assert!(seq <= Seq::MAX.0, "{seq} is no number of the wire");
    ((seq / 64 % WORDS) as usize, 1 << (seq % 64))
}

#[cfg(all(test, loom))]
mod models;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use core::sync::atomic::{AtomicBool, fence};
    use proptest::prelude::*;
    use std::sync::Barrier;
    use std::thread;

    const ORIGIN: OriginIndex = OriginIndex(0);

    /// The dull twin: every accepted number of the current incarnation.
    #[derive(Default)]
    struct Twin {
        incarnation: u32,
        accepted: BTreeSet<u64>,
    }

    impl Twin {
        fn insert(&mut self, incarnation: u32, seq: u64) -> Result<(), Reject> {
            if incarnation < self.incarnation {
                return Err(Reject::OldIncarnation);
            }
            if incarnation > self.incarnation {
                *self = Self { incarnation, accepted: BTreeSet::new() };
            }
            if self.accepted.last().is_some_and(|top| seq + WINDOW <= *top) {
                return Err(Reject::BehindWindow);
            }
            if !self.accepted.insert(seq) { Err(Reject::Duplicate) } else { Ok(()) }
        }
    }

    /// Numbers near each other, near the window's edge, and far ahead.
    fn step() -> impl Strategy<Value = (bool, i64)> {
        let distance = prop_oneof![
            8 => -20..20_i64,
            4 => -800..800_i64,
            2 => prop::sample::select(alloc::vec![-385, -384, -383, 63, 64, 65, 383, 384, 385]),
            1 => 0..100_000_i64,
        ];
        (prop::bool::weighted(0.02), distance)
    }

    proptest! {
        #[test]
        fn window_equals_the_dull_twin(steps in prop::collection::vec(step(), 1..400)) {
            let (mut windows, mut twin) = (Windows::new(1), Twin::default());
            let (mut incarnation, mut near) = (0_u32, 1_000_i64);
            for (restart, distance) in steps {
                incarnation += u32::from(restart);
                let seq = (near + distance).max(1) as u64;
                let expected = twin.insert(incarnation, seq);
                let asked = windows.view().ask(ORIGIN, Incarnation(incarnation), Seq(seq));
                prop_assert_eq!(asked == Seen::New, expected.is_ok());
                prop_assert_eq!(windows.insert(ORIGIN, Incarnation(incarnation), Seq(seq)), expected);
                if expected.is_ok() {
                    near = near.max(seq as i64);
                }
            }
        }
    }

    /// Which bits a jump clears depends on where in a word it starts and ends, and on whether it leaves the window.
    #[test]
    fn a_jump_forgets_what_it_leaves_behind_and_nothing_else() {
        let jumps = (1..=130).chain(250..=260).chain(380..=390).chain([447, 448, 449, 767, 768, 769, 10_000]);
        for (top, jump) in (WINDOW..WINDOW + 64).flat_map(|top| jumps.clone().map(move |jump| (top, jump))) {
            let mut windows = Windows::new(1);
            for seq in 1..=top {
                windows.insert(ORIGIN, Incarnation(1), Seq(seq)).unwrap();
            }
            windows.insert(ORIGIN, Incarnation(1), Seq(top + jump)).unwrap();
            let view = windows.view();
            for seq in top + jump - WINDOW + 1..top + jump {
                let expected = if seq <= top { Seen::Duplicate } else { Seen::New };
                let seen = view.ask(ORIGIN, Incarnation(1), Seq(seq));
                assert_eq!(seen, expected, "{seq} after {top} and {jump} more");
            }
        }
    }

    #[test]
    fn an_old_life_is_refused_and_a_new_one_begins_afresh() {
        let mut windows = Windows::new(1);
        assert_eq!(windows.insert(ORIGIN, Incarnation(2), Seq(500)), Ok(()));
        assert_eq!(windows.insert(ORIGIN, Incarnation(1), Seq(501)), Err(Reject::OldIncarnation));
        assert_eq!(windows.insert(ORIGIN, Incarnation(3), Seq(500)), Ok(()));
        assert_eq!(windows.insert(ORIGIN, Incarnation(3), Seq(116)), Err(Reject::BehindWindow));
        assert_eq!(windows.insert(ORIGIN, Incarnation(3), Seq(117)), Ok(()));
    }

    #[test]
    fn the_highest_number_of_the_wire_fits() {
        let mut windows = Windows::new(1);
        assert_eq!(windows.insert(ORIGIN, Incarnation(u32::MAX), Seq::MAX), Ok(()));
        assert_eq!(windows.insert(ORIGIN, Incarnation(u32::MAX), Seq::MAX), Err(Reject::Duplicate));
    }

    #[test]
    fn a_racing_view_never_hides_a_new_frame() {
        race(300_000, 4_096);
    }

    #[test]
    fn a_racing_view_never_takes_numbers_of_an_old_life_for_those_of_a_new_one() {
        race(600_000, 2);
    }

    /// In incarnation n the owner accepts only numbers that are n modulo 5. So a view that refuses another number before
    /// the origin has moved on has hidden a frame that the owner would accept. (5 does not divide the window, so
    /// every bit is used.) One number in 256 jumps by 400.
    fn race(numbers: u64, numbers_an_incarnation: u64) {
        let mut windows = Windows::new(1);
        let view = windows.view();
        // The incarnation and number that the owner is about to accept: incarnation << 32 | number.
        let (announced, done) = (AtomicU64::new(0), AtomicBool::new(false));
        let both_are_there = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                both_are_there.wait();
                for i in 1..=numbers {
                    let (incarnation, count) = (i / numbers_an_incarnation, i % numbers_an_incarnation);
                    let seq = 200 + 5 * (count + 80 * (count >> 8)) + incarnation % 5;
                    announced.store(incarnation << 32 | seq, Relaxed);
                    fence(Release);
                    windows.insert(ORIGIN, Incarnation(incarnation as u32), Seq(seq)).unwrap();
                }
                done.store(true, Release);
            });
            both_are_there.wait();
            let mut is_over = false;
            while !is_over {
                is_over = done.load(Acquire);
                let now = announced.load(Acquire);
                let (incarnation, near) = (now >> 32, now & 0xFFFF_FFFF);
                let reach = numbers_an_incarnation.min(400);
                for seq in (near.saturating_sub(reach)..near + reach).filter(|seq| seq % 5 != incarnation % 5)
                {
                    if view.ask(ORIGIN, Incarnation(incarnation as u32), Seq(seq)) == Seen::New {
                        continue;
                    }
                    fence(Acquire);
                    let later = announced.load(Relaxed);
                    let moved_on = later >> 32 > incarnation || (later & 0xFFFF_FFFF) >= seq + WINDOW;
                    assert!(
                        moved_on,
                        "incarnation {incarnation}: {seq} hidden near {near}, owner at {later:#x}"
                    );
                }
            }
        });
    }
}

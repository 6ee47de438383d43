//! A duplicate: its origin found in the directory, its number in the window, ticks a frame.

use octick_bench::load::{Crowd, Dice, LIFE};
use octick_core::crypto::NodeId;
use octick_core::data::{Seen, Windows, WindowsView};
use octick_core::limits::BATCH_MAX;
use octick_core::stamp::{OriginIndex, Seq};

use super::gate::Gate;
use crate::report::Bar;
use crate::sample::sample;

const UNIT: &str = "ticks/frame";
const ORIGINS: usize = 10_000;
/// Frames accepted of each origin: a full window and more.
const ACCEPTED: u64 = 500;
/// Batches that one reading of the counter spans; each is short.
const BATCHES: usize = 32;

/// The frames' names: what the headers of parsed frames say.
struct Duplicates {
    crowd: Crowd,
    windows: WindowsView,
    ids: Vec<NodeId>,
    seqs: Vec<Seq>,
    rng: Dice,
}

pub(super) fn rows(gate: &mut Gate<'_>) {
    let crowd = Crowd::new(ORIGINS, 1 << 16);
    let mut windows = Windows::new(ORIGINS);
    for origin in 0..ORIGINS {
        for seq in 1..=ACCEPTED {
            windows.insert(OriginIndex(origin as u32), LIFE, Seq(seq)).expect("numbers rise");
        }
    }
    let frames = BATCH_MAX * BATCHES;
    let mut state = Duplicates {
        crowd,
        windows: windows.view(),
        ids: vec![NodeId([0; 16]); frames],
        seqs: vec![Seq(0); frames],
        rng: Dice::new(2),
    };
    let batches = gate.options.batches();
    let mut row = |name, bar, refuse: fn(&mut Duplicates) -> usize| {
        gate.timing(name, UNIT, bar, true, || {
            let run = |state: &mut Duplicates| assert_eq!(refuse(state), frames, "all are duplicates");
            sample(batches, &mut state, Duplicates::draw, run).per(frames)
        });
    };
    row("dup.10k", Some(Bar::AtMost(16.0)), Duplicates::refuse);
    row("dup.10k.window", None, Duplicates::refuse_found);
}

impl Duplicates {
    /// Other frames: random origins, and numbers of which the window knows.
    fn draw(&mut self) {
        for (id, seq) in self.ids.iter_mut().zip(&mut self.seqs) {
            *id = self.crowd.ids[self.rng.below(ORIGINS as u32) as usize];
            *seq = Seq(ACCEPTED - u64::from(self.rng.below(300)));
        }
    }

    /// The whole way of a duplicate after parsing: find, then ask.
    fn refuse(&mut self) -> usize {
        let mut refused = 0;
        for (ids, seqs) in self.ids.chunks(BATCH_MAX).zip(self.seqs.chunks(BATCH_MAX)) {
            let mut found = [None; BATCH_MAX];
            self.crowd.directory.find_many(ids, &mut found, |origin| self.windows.prefetch(origin));
            for (origin, seq) in found.iter().zip(seqs) {
                refused += usize::from(origin.is_some_and(|origin| self.is_duplicate(origin, *seq)));
            }
        }
        refused
    }

    /// The window alone, for origins that were found before; their places come from the ids' order.
    fn refuse_found(&mut self) -> usize {
        let mut refused = 0;
        for (ids, seqs) in self.ids.chunks(BATCH_MAX).zip(self.seqs.chunks(BATCH_MAX)) {
            // Any spread of origins does; the id's own bits are one that costs nothing.
            let mut origins = [OriginIndex(0); BATCH_MAX];
            for (origin, id) in origins.iter_mut().zip(ids) {
                let [a, b, c, d, ..] = id.0;
                let spread = u64::from(u32::from_le_bytes([a, b, c, d]));
                *origin = OriginIndex(((spread * ORIGINS as u64) >> 32) as u32);
                self.windows.prefetch(*origin);
            }
            for (origin, seq) in origins.iter().zip(seqs) {
                refused += usize::from(self.is_duplicate(*origin, *seq));
            }
        }
        refused
    }

    #[inline]
    fn is_duplicate(&self, origin: OriginIndex, seq: Seq) -> bool {
        self.windows.ask(origin, LIFE, seq) == Seen::Duplicate
    }
}

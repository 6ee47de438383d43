//! Origins that sign: trains of full frames, each over its own run of slots, as honest nodes send them.

use octick_bench::load::{Dice, LIFE};
use octick_core::crypto::{Identity, MeshKeys};
use octick_core::data::{Origin, Run};
use octick_core::limits::{BATCH_MAX, BLOCKS_MAX, RUN_ALIGN};
use octick_core::stamp::{OriginIndex, Seq, Slot, Version};
use octick_core::wire::{Block8, Block16, Kind, Sealer, Stamp};

use crate::pipeline::MESH;

/// Cells in a full frame of dense cells of eight bytes.
pub(crate) const CELLS: usize = 8 * BLOCKS_MAX;

/// Nodes that share out a table's slots evenly and write dense cells.
pub(crate) struct Signers {
    kind: Kind,
    identities: Vec<Identity>,
    next_seqs: Vec<u64>,
    keys: MeshKeys,
    slots_each: u32,
    micros: u64,
    train: Sealer,
    rng: Dice,
    /// A run's blocks in random order: a train takes them from the front.
    blocks: Vec<u32>,
}

impl Signers {
    /// `count` nodes for a table of `slots` slots. Their clock begins at `micros`.
    pub(crate) fn new(count: usize, slots: u32, micros: u64) -> Self {
        Self::of(Kind::Block8, count, slots, micros)
    }

    /// The same, writing blocks of `kind`.
    pub(crate) fn of(kind: Kind, count: usize, slots: u32, micros: u64) -> Self {
        let slots_each = slots / count as u32;
        assert!(slots_each.is_multiple_of(RUN_ALIGN), "each has whole runs");
        let blocks = (slots_each / width(kind)) as usize;
        assert!(blocks >= BATCH_MAX * BLOCKS_MAX, "an honest train has each cell once");
        let seed = |i| std::array::from_fn(|at| if at == 0 { i as u8 } else { at as u8 });
        Self {
            kind,
            identities: (0..count).map(|i| Identity::from_seed(&seed(i))).collect(),
            next_seqs: vec![1; count],
            keys: MeshKeys::derive(MESH),
            slots_each,
            micros,
            train: Sealer::new(),
            rng: Dice::new(3),
            blocks: (0..blocks as u32).collect(),
        }
    }

    /// The nodes, in their order, each with its run.
    pub(crate) fn roster(&self) -> Vec<Origin> {
        let origin = |(i, identity): (usize, &Identity)| {
            let run = Run { first: Slot(i as u32 * self.slots_each), len: self.slots_each };
            Origin { key: identity.public().clone(), runs: vec![run], revoked: false }
        };
        self.identities.iter().enumerate().map(origin).collect()
    }

    /// A train of `len` full frames by a random node: who, and the bytes.
    pub(crate) fn train(&mut self, len: usize) -> (OriginIndex, &Sealer) {
        let who = self.rng.below(self.identities.len() as u32);
        let width = width(self.kind);
        let first = who * self.slots_each / width;
        self.rng.shuffle(&mut self.blocks);
        let mut frames = self.blocks.chunks_exact_mut(BLOCKS_MAX);
        self.train.clear();
        for _ in 0..len {
            let blocks = frames.next().expect("a run has blocks for the longest train");
            blocks.sort_unstable();
            let (rng, kind) = (&mut self.rng, self.kind);
            self.train.frame(kind, |draft| {
                for block in blocks {
                    let (block, value) = (first + *block, rng.roll());
                    let fits = match kind {
                        Kind::Block8 => draft.block8(&Block8::new(block, 0xFF, 0, [value; 8])),
                        _ => draft.block16(&Block16::new(block, 0xFFFF, 0, [value as u32; 16])),
                    };
                    fits.expect("as many blocks as fit");
                }
            });
        }
        // A version for each train, by the clock of its table, so that all of it wins.
        self.micros += if self.kind == Kind::Block16 { 1_024 } else { 1 };
        let identity = &self.identities[who as usize];
        let first_seq = Seq(self.next_seqs[who as usize]);
        self.next_seqs[who as usize] += len as u64;
        let version = Version::new(self.micros, identity.id());
        self.train.seal(identity, &self.keys, &Stamp { incarnation: LIFE, first_seq, version });
        (OriginIndex(who), &self.train)
    }
}

/// Cells in a block.
pub(crate) fn width(kind: Kind) -> u32 {
    match kind {
        Kind::Block8 => 8,
        Kind::Block16 => 16,
        _ => panic!("{kind:?} has no blocks"),
    }
}

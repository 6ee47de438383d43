//! Origins that sign: trains of full frames, each over its own run of slots, as honest nodes send them.

use octick_core::crypto::{Identity, MeshKeys};
use octick_core::data::{Origin, Run};
use octick_core::limits::{BLOCKS_MAX, RUN_ALIGN};
use octick_core::stamp::{OriginIndex, Seq, Slot, Version};
use octick_core::wire::{Block8, Kind, Sealer, Stamp};

use crate::load::Dice;
use crate::pipeline::{LIFE, MESH};

/// Cells in a full frame of dense cells.
pub(crate) const CELLS: usize = 8 * BLOCKS_MAX;

/// Nodes that share out a table's slots evenly and write dense cells.
pub(crate) struct Signers {
    identities: Vec<Identity>,
    next_seqs: Vec<u64>,
    keys: MeshKeys,
    slots_each: u32,
    micros: u64,
    train: Sealer,
    dice: Dice,
}

impl Signers {
    /// `count` nodes for a table of `slots` slots. Their clock begins at `micros`.
    pub(crate) fn new(count: usize, slots: u32, micros: u64) -> Self {
        let slots_each = slots / count as u32;
        assert!(slots_each.is_multiple_of(RUN_ALIGN) && slots_each as usize >= CELLS, "each has whole runs");
        let seed = |i| std::array::from_fn(|at| if at == 0 { i as u8 } else { at as u8 });
        Self {
            identities: (0..count).map(|i| Identity::from_seed(&seed(i))).collect(),
            next_seqs: vec![1; count],
            keys: MeshKeys::derive(MESH),
            slots_each,
            micros,
            train: Sealer::new(),
            dice: Dice::new(3),
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
        let who = self.dice.below(self.identities.len() as u32);
        let first = who * self.slots_each / 8;
        self.train.clear();
        for _ in 0..len {
            let mut blocks = [0; BLOCKS_MAX];
            self.dice.rising(&mut blocks, first, self.slots_each / 8);
            let dice = &mut self.dice;
            self.train.frame(Kind::Block8, |draft| {
                for block in blocks {
                    let block = Block8::new(block, 0xFF, 0, [dice.roll(); 8]);
                    draft.block8(&block).expect("as many blocks as fit");
                }
            });
        }
        // A version for each train, so that all of it wins.
        self.micros += 1;
        let identity = &self.identities[who as usize];
        let first_seq = Seq(self.next_seqs[who as usize]);
        self.next_seqs[who as usize] += len as u64;
        let version = Version::new(self.micros, identity.id());
        self.train.seal(identity, &self.keys, &Stamp { incarnation: LIFE, first_seq, version });
        (OriginIndex(who), &self.train)
    }
}

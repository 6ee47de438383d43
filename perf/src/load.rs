//! Synthetic frames: what a mesh of many origins sends to a node, in the memory where the node would receive it.
//!
//! Entries are uniformly random: the hardest case for caches. Signatures are left zero, because nothing that is
//! measured here looks at them.

use octick_core::crypto::{Identity, NodeId};
use octick_core::data::{Directory, Origin};
use octick_core::limits::{BATCH_MAX, BLOCKS_MAX, FRAME_MAX, HEADER_LEN, ROWS_MAX};
use octick_core::stamp::Version;
use octick_core::wire::{Block8, Block16, Draft, Frame, Kind};

/// Microseconds since 1970 at which the tables begin; the year 2030, so that nobody mistakes it for a clock.
pub(crate) const EPOCH_MICROS: u64 = 1_893_456_000_000_000;
/// Microseconds from one batch to the next: newer even in units of 1,024.
const BATCH_MICROS: u64 = 2_048;
/// Age of an update that must lose, microseconds: older than the first fill, whatever batch it is in.
const AGE_STALE: u32 = 15_000_000;

/// The order of a well-mixed sequence (Steele, Lea and Flood 2014: SplitMix64), the same in every run.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The sequence behind `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        (((self.roll() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// Numbers below `bound`, strictly increasing, as many as `rising` is long.
    pub(crate) fn rising(&mut self, rising: &mut [u32], bound: u32) {
        loop {
            rising.iter_mut().for_each(|number| *number = self.below(bound));
            rising.sort_unstable();
            if rising.is_sorted_by(|a, b| a < b) {
                return;
            }
        }
    }
}

/// The origins of a mesh, and the next sequence number of each.
pub(crate) struct Crowd {
    /// All of them; they own no slots.
    pub(crate) directory: Directory,
    ids: Vec<NodeId>,
    next_seq: Vec<u64>,
}

impl Crowd {
    /// `count` origins with keys of their own.
    pub(crate) fn new(count: usize) -> Self {
        let origins = (0..count as u64).map(|i| {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&i.to_le_bytes());
            Origin { key: Identity::from_seed(&seed).public().clone(), runs: Vec::new(), revoked: false }
        });
        let directory = Directory::new(origins.collect(), [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344])
            .expect("keys of different seeds differ, and there are no runs");
        let ids = directory.origins().iter().map(|origin| origin.key.id()).collect();
        Self { directory, ids, next_seq: vec![1; count] }
    }

    fn next(&mut self, dice: &mut Dice) -> (NodeId, u64) {
        let who = dice.below(self.ids.len() as u32) as usize;
        let seq = self.next_seq[who];
        self.next_seq[who] += 1;
        (self.ids[who], seq)
    }
}

/// What the frames of a load carry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Which entries.
    pub(crate) kind: Kind,
    /// Slots that they fall into, uniformly.
    pub(crate) slots: u32,
    /// Percentage of updates that are newer than the table, chosen at random; only rows choose one by one.
    pub(crate) winners: u32,
}

impl Shape {
    /// Cells in a full frame.
    pub(crate) fn cells(&self) -> usize {
        match self.kind {
            Kind::Block8 => 8 * BLOCKS_MAX,
            Kind::Block16 => 16 * BLOCKS_MAX,
            _ => ROWS_MAX,
        }
    }
}

/// The memory of one batch of frames, used again for the next, as a receive ring would.
pub(crate) struct Frames {
    memory: Box<[[u8; FRAME_MAX]]>,
    lens: [usize; BATCH_MAX],
    dice: Dice,
    batches: u64,
}

impl Frames {
    /// No frames yet.
    pub(crate) fn new() -> Self {
        Self {
            memory: vec![[0; FRAME_MAX]; BATCH_MAX].into_boxed_slice(),
            lens: [0; BATCH_MAX],
            dice: Dice::new(1),
            batches: 0,
        }
    }

    /// The datagrams of a full batch.
    pub(crate) fn datagrams(&self) -> [&[u8]; BATCH_MAX] {
        std::array::from_fn(|i| &self.memory[i][..self.lens[i]])
    }

    /// The next batch: full frames of random origins and entries, newer than all before.
    pub(crate) fn next(&mut self, shape: &Shape, crowd: &mut Crowd) {
        self.batches += 1;
        for i in 0..BATCH_MAX {
            let mut numbers = [0; ROWS_MAX];
            let dice = &mut self.dice;
            self.lens[i] = write(&mut self.memory[i], shape.kind, |draft| match shape.kind {
                Kind::Block8 => {
                    dice.rising(&mut numbers[..BLOCKS_MAX], shape.slots / 8);
                    blocks8(draft, &numbers[..BLOCKS_MAX], dice);
                }
                Kind::Block16 => {
                    dice.rising(&mut numbers[..BLOCKS_MAX], shape.slots / 16);
                    blocks16(draft, &numbers[..BLOCKS_MAX], dice);
                }
                _ => {
                    dice.rising(&mut numbers, shape.slots);
                    rows(draft, &numbers, shape.winners, dice);
                }
            });
            self.stamp(i, crowd);
        }
    }

    /// Batches that together write every cell of a table once, in order.
    pub(crate) fn fill(&mut self, shape: &Shape, crowd: &mut Crowd, mut each: impl FnMut(&[&[u8]])) {
        let entries = shape.slots / (shape.cells() / shape.kind.count_max()) as u32;
        let numbers: Vec<u32> = (0..entries).collect();
        for batch in numbers.chunks(BATCH_MAX * shape.kind.count_max()) {
            let frames = batch.chunks(shape.kind.count_max());
            let count = frames.len();
            for (i, numbers) in frames.enumerate() {
                let dice = &mut self.dice;
                self.lens[i] = write(&mut self.memory[i], shape.kind, |draft| match shape.kind {
                    Kind::Block8 => blocks8(draft, numbers, dice),
                    Kind::Block16 => blocks16(draft, numbers, dice),
                    _ => rows(draft, numbers, 100, dice),
                });
                self.stamp(i, crowd);
            }
            each(&self.datagrams()[..count]);
        }
    }

    /// Writes into a frame what its sealer would: who, which number, when. Offsets as in `docs/wire.md`.
    fn stamp(&mut self, i: usize, crowd: &mut Crowd) {
        let (id, seq) = crowd.next(&mut self.dice);
        let version = Version::new(EPOCH_MICROS + self.batches * BATCH_MICROS, id);
        let header = &mut self.memory[i][..HEADER_LEN];
        header[4..20].copy_from_slice(&id.0);
        header[20..24].copy_from_slice(&1_u32.to_le_bytes());
        header[24..32].copy_from_slice(&(seq | 1 << 56).to_le_bytes());
        header[32..40].copy_from_slice(&version.0.to_le_bytes());
        debug_assert!(Frame::parse(&self.memory[i][..self.lens[i]]).is_ok());
    }
}

/// Writes one frame but for its stamp; returns its length.
fn write(buffer: &mut [u8; FRAME_MAX], kind: Kind, entries: impl FnOnce(&mut Draft<'_>)) -> usize {
    let mut draft = Draft::begin(buffer, kind);
    entries(&mut draft);
    draft.finish() + octick_core::crypto::SIGNATURE_LEN
}

fn blocks8(draft: &mut Draft<'_>, numbers: &[u32], dice: &mut Dice) {
    for number in numbers {
        draft.block8(&Block8::new(*number, 0xFF, 0, [dice.roll(); 8])).expect("as many blocks as fit");
    }
}

fn blocks16(draft: &mut Draft<'_>, numbers: &[u32], dice: &mut Dice) {
    for number in numbers {
        let block = Block16::new(*number, 0xFFFF, 0, [dice.roll() as u32; 16]);
        draft.block16(&block).expect("as many blocks as fit");
    }
}

fn rows(draft: &mut Draft<'_>, numbers: &[u32], winners: u32, dice: &mut Dice) {
    let mut rows = [(0, 0, 0); ROWS_MAX];
    for (row, slot) in rows.iter_mut().zip(numbers) {
        let age = if dice.below(100) < winners { 0 } else { AGE_STALE };
        *row = (*slot, age, dice.roll());
    }
    draft.rows(&rows[..numbers.len()]);
}

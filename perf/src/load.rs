//! Synthetic frames: what a mesh of many origins sends to a node, in the memory where the node would receive it.
//!
//! Entries are uniformly random: the hardest case for caches. Signatures are left zero, because nothing that is
//! measured with these frames looks at them; `signers` makes those that hold.

use octick_core::crypto::{Identity, NodeId, SIGNATURE_LEN};
use octick_core::data::{Directory, Origin, Run};
use octick_core::limits::{BATCH_MAX, BLOCKS_MAX, FRAME_MAX, HEADER_LEN, ROWS_MAX};
use octick_core::stamp::{Slot, Version};
use octick_core::wire::{Block8, Block16, Draft, Frame, Kind};

use crate::pipeline::{EPOCH_MICROS, LIFE};

/// Age of an update that must lose, microseconds: more than all frames of a load are apart.
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

    /// Puts `numbers` in random order (Fisher and Yates; Durstenfeld, 1964).
    pub(crate) fn shuffle(&mut self, numbers: &mut [u32]) {
        for i in (1..numbers.len()).rev() {
            numbers.swap(i, self.below(i as u32 + 1) as usize);
        }
    }

    /// As many numbers as `rising` is long, from `first` on and below `first + bound`, strictly increasing.
    pub(crate) fn rising(&mut self, rising: &mut [u32], first: u32, bound: u32) {
        loop {
            rising.iter_mut().for_each(|number| *number = first + self.below(bound));
            rising.sort_unstable();
            if rising.is_sorted_by(|a, b| a < b) {
                return;
            }
        }
    }
}

/// The origins of a mesh. The first few share the slots of a table and send; the others only stand by.
pub(crate) struct Crowd {
    /// All of them.
    pub(crate) directory: Directory,
    /// Their names, in the directory's order.
    pub(crate) ids: Vec<NodeId>,
    next_seqs: Vec<u64>,
    slots_each: u32,
}

impl Crowd {
    /// Origins that send.
    const SENDERS: usize = 16;

    /// `count` origins, whose senders share `slots` slots.
    pub(crate) fn new(count: usize, slots: u32) -> Self {
        let slots_each = slots / Self::SENDERS as u32;
        let origin = |i: usize| {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&i.to_le_bytes());
            let run = Run { first: Slot(i as u32 * slots_each), len: slots_each };
            let runs = if i < Self::SENDERS { vec![run] } else { Vec::new() };
            Origin { key: Identity::from_seed(&seed).public().clone(), runs, revoked: false }
        };
        let directory =
            Directory::new((0..count).map(origin).collect(), [0x243F_6A88_85A3_08D3, 0x1319_8A2E])
                .expect("keys of different seeds differ, and the senders share without overlap");
        let ids = directory.origins().iter().map(|origin| origin.key.id()).collect();
        Self { directory, ids, next_seqs: vec![1; Self::SENDERS], slots_each }
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
    /// Slots that an entry covers.
    fn width(&self) -> u32 {
        match self.kind {
            Kind::Block8 => 8,
            Kind::Block16 => 16,
            _ => 1,
        }
    }

    /// Entries of a full frame.
    fn entries(&self) -> usize {
        if self.width() == 1 { ROWS_MAX } else { BLOCKS_MAX }
    }

    /// Microseconds from one frame to the next, so that its table tells all versions apart: a tie is a fault.
    fn step_micros(&self) -> u64 {
        if self.kind == Kind::Block16 { 1_024 } else { 1 }
    }

    /// Cells of a full frame.
    pub(crate) fn cells(&self) -> usize {
        self.entries() * self.width() as usize
    }
}

/// The memory of one batch of frames, used again for the next, as a receive ring would.
pub(crate) struct Frames {
    memory: Box<[[u8; FRAME_MAX]]>,
    lens: [usize; BATCH_MAX],
    dice: Dice,
    micros: u64,
}

impl Frames {
    /// No frames yet.
    pub(crate) fn new() -> Self {
        Self {
            memory: vec![[0; FRAME_MAX]; BATCH_MAX].into_boxed_slice(),
            lens: [0; BATCH_MAX],
            dice: Dice::new(1),
            micros: EPOCH_MICROS,
        }
    }

    /// The datagrams of a full batch.
    pub(crate) fn datagrams(&self) -> [&[u8]; BATCH_MAX] {
        std::array::from_fn(|i| &self.memory[i][..self.lens[i]])
    }

    /// The next batch: full frames of random senders and entries, newer than all before.
    pub(crate) fn next(&mut self, shape: &Shape, crowd: &mut Crowd) {
        let entries_each = crowd.slots_each / shape.width();
        let mut numbers = [0; ROWS_MAX];
        let numbers = &mut numbers[..shape.entries()];
        for i in 0..BATCH_MAX {
            let sender = self.dice.below(Crowd::SENDERS as u32);
            self.dice.rising(numbers, sender * entries_each, entries_each);
            self.write(i, shape, shape.winners, numbers, sender as usize, crowd);
        }
    }

    /// Batches that together write every cell of a table once, in order.
    pub(crate) fn fill(&mut self, shape: &Shape, crowd: &mut Crowd, mut each: impl FnMut(&[&[u8]])) {
        let entries_each = crowd.slots_each / shape.width();
        let numbers: Vec<u32> = (0..shape.slots / shape.width()).collect();
        let frames: Vec<(usize, &[u32])> = numbers
            .chunks(entries_each as usize)
            .enumerate()
            .flat_map(|(sender, numbers)| numbers.chunks(shape.entries()).map(move |frame| (sender, frame)))
            .collect();
        for batch in frames.chunks(BATCH_MAX) {
            for (i, (sender, numbers)) in batch.iter().enumerate() {
                self.write(i, shape, 100, numbers, *sender, crowd);
            }
            each(&self.datagrams()[..batch.len()]);
        }
    }

    /// Writes one frame: entries, and what its sealer would add. Offsets as in `docs/wire.md`.
    fn write(
        &mut self,
        i: usize,
        shape: &Shape,
        winners: u32,
        numbers: &[u32],
        sender: usize,
        crowd: &mut Crowd,
    ) {
        let (buffer, dice) = (&mut self.memory[i], &mut self.dice);
        let mut draft = Draft::begin(buffer, shape.kind);
        match shape.kind {
            Kind::Block8 => blocks8(&mut draft, numbers, dice),
            Kind::Block16 => blocks16(&mut draft, numbers, dice),
            _ => rows(&mut draft, numbers, winners, dice),
        }
        self.lens[i] = draft.finish() + SIGNATURE_LEN;
        let (id, seq) = (crowd.ids[sender], crowd.next_seqs[sender]);
        crowd.next_seqs[sender] += 1;
        self.micros += shape.step_micros();
        let version = Version::new(self.micros, id);
        let header = &mut buffer[..HEADER_LEN];
        header[4..20].copy_from_slice(&id.0);
        header[20..24].copy_from_slice(&LIFE.0.to_le_bytes());
        // A train of one: length 1 in the highest byte.
        header[24..32].copy_from_slice(&(seq | 1 << 56).to_le_bytes());
        header[32..40].copy_from_slice(&version.0.to_le_bytes());
        debug_assert!(Frame::parse(&buffer[..self.lens[i]]).is_ok());
    }
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

//! Synthetic frames: what a mesh of many origins sends to a node, in the memory where the node would receive it.
//!
//! Entries are uniformly random: the hardest case for caches. Signatures are left zero, because nothing that is
//! measured with these frames looks at them. The one generator of the criterion benches and of `octick-perf`, so that
//! figures of both are of the same load.

use octick_core::crypto::{Identity, NodeId, SIGNATURE_LEN};
use octick_core::data::{Directory, Origin, Run};
use octick_core::limits::{BATCH_MAX, BLOCKS_MAX, FRAME_MAX, HEADER_LEN, ROWS_MAX};
use octick_core::stamp::{Incarnation, Slot, Version};
use octick_core::wire::{Block8, Block16, Draft, Frame, Kind};

/// Microseconds since 1970 at which every load begins: the year 2030, so that nobody mistakes it for a clock.
pub const EPOCH_MICROS: u64 = 1_893_456_000_000_000;
/// The life of every origin of a load.
pub const LIFE: Incarnation = Incarnation(1);

/// Age of a row that must lose, microseconds: more than all frames of rows are apart.
const AGE_STALE: u32 = 15_000_000;
/// How far behind its load's clock a frame of blocks is that must lose, microseconds: more than an age can say, and
/// more than all frames of a load are apart.
const BEHIND_MICROS: u64 = 3_600_000_000;

/// The order of a well-mixed sequence (Steele, Lea and Flood 2014: SplitMix64), the same in every run.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The sequence behind `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u32) -> u32 {
        (((self.roll() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// Puts `numbers` in random order (Fisher and Yates; Durstenfeld, 1964).
    pub fn shuffle(&mut self, numbers: &mut [u32]) {
        for i in (1..numbers.len()).rev() {
            numbers.swap(i, self.below(i as u32 + 1) as usize);
        }
    }

    /// As many numbers as `rising` is long, from `first` on and below `first + bound`, strictly increasing.
    pub fn rising(&mut self, rising: &mut [u32], first: u32, bound: u32) {
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
pub struct Crowd {
    /// All of them.
    pub directory: Directory,
    /// Their names, in the directory's order.
    pub ids: Vec<NodeId>,
    next_seqs: Vec<u64>,
    slots_each: u32,
}

impl Crowd {
    /// Origins that send.
    const SENDERS: usize = 16;

    /// `count` origins, whose senders share `slots` slots.
    pub fn new(count: usize, slots: u32) -> Self {
        Self::of(count, Self::SENDERS, slots)
    }

    /// One origin, to which all `slots` slots belong.
    pub fn alone(slots: u32) -> Self {
        Self::of(1, 1, slots)
    }

    fn of(count: usize, senders: usize, slots: u32) -> Self {
        let slots_each = slots / senders as u32;
        let origin = |i: usize| {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&i.to_le_bytes());
            let run = Run { first: Slot(i as u32 * slots_each), len: slots_each };
            let runs = if i < senders { vec![run] } else { Vec::new() };
            Origin { key: Identity::from_seed(&seed).public().clone(), runs, revoked: false }
        };
        let directory =
            Directory::new((0..count).map(origin).collect(), [0x243F_6A88_85A3_08D3, 0x1319_8A2E])
                .expect("keys of different seeds differ, and the senders share without overlap");
        let ids = directory.origins().map(|origin| origin.key.id()).collect();
        Self { directory, ids, next_seqs: vec![1; senders], slots_each }
    }
}

/// What the frames of a load carry.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Which entries.
    pub kind: Kind,
    /// Slots that they fall into, uniformly.
    pub slots: u32,
    /// Percentage of updates that are newer than the table, chosen at random. Blocks do not choose: all or none.
    pub winners: u32,
    /// Which cells of a block are there.
    pub mask: u16,
}

impl Shape {
    /// Full frames of `kind`, all of whose updates win.
    pub fn full(kind: Kind, slots: u32) -> Self {
        Self { kind, slots, winners: 100, mask: u16::MAX }
    }

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
    pub fn cells(&self) -> usize {
        let of_a_block = u32::from(self.mask) & ((1 << self.width()) - 1);
        self.entries() * if self.width() == 1 { 1 } else { of_a_block.count_ones() as usize }
    }
}

/// The memory of one batch of frames, used again for the next, as a receive ring would.
pub struct Frames {
    memory: Box<[[u8; FRAME_MAX]]>,
    lens: [usize; BATCH_MAX],
    rng: Dice,
    micros: u64,
}

impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

impl Frames {
    /// No frames yet.
    pub fn new() -> Self {
        Self {
            memory: vec![[0; FRAME_MAX]; BATCH_MAX].into_boxed_slice(),
            lens: [0; BATCH_MAX],
            rng: Dice::new(1),
            micros: EPOCH_MICROS,
        }
    }

    /// The datagrams of a full batch.
    pub fn datagrams(&self) -> [&[u8]; BATCH_MAX] {
        std::array::from_fn(|i| &self.memory[i][..self.lens[i]])
    }

    /// The next batch: full frames of random senders and entries, newer than all before.
    pub fn next(&mut self, shape: &Shape, crowd: &mut Crowd) {
        let entries_each = crowd.slots_each / shape.width();
        let mut numbers = [0; ROWS_MAX];
        let numbers = &mut numbers[..shape.entries()];
        for i in 0..BATCH_MAX {
            let sender = self.rng.below(crowd.next_seqs.len() as u32);
            self.rng.rising(numbers, sender * entries_each, entries_each);
            self.write(i, shape, numbers, sender as usize, crowd);
        }
    }

    /// Batches that together write every cell of a table once, in order.
    pub fn fill(&mut self, shape: &Shape, crowd: &mut Crowd, mut each: impl FnMut(&[&[u8]])) {
        let shape = &Shape::full(shape.kind, shape.slots);
        let entries_each = crowd.slots_each / shape.width();
        let numbers: Vec<u32> = (0..shape.slots / shape.width()).collect();
        let frames: Vec<(usize, &[u32])> = numbers
            .chunks(entries_each as usize)
            .enumerate()
            .flat_map(|(sender, numbers)| numbers.chunks(shape.entries()).map(move |frame| (sender, frame)))
            .collect();
        for batch in frames.chunks(BATCH_MAX) {
            for (i, (sender, numbers)) in batch.iter().enumerate() {
                self.write(i, shape, numbers, *sender, crowd);
            }
            each(&self.datagrams()[..batch.len()]);
        }
    }

    /// Writes one frame: entries, and what its sealer would add. Offsets as in `docs/wire.md`.
    fn write(&mut self, i: usize, shape: &Shape, numbers: &[u32], sender: usize, crowd: &mut Crowd) {
        let (buffer, rng) = (&mut self.memory[i], &mut self.rng);
        let mut draft = Draft::begin(buffer, shape.kind);
        match shape.kind {
            Kind::Block8 => blocks8(&mut draft, shape.mask as u8, numbers, rng),
            Kind::Block16 => blocks16(&mut draft, shape.mask, numbers, rng),
            _ => rows(&mut draft, shape.winners, numbers, rng),
        }
        self.lens[i] = draft.finish() + SIGNATURE_LEN;
        let (id, seq) = (crowd.ids[sender], crowd.next_seqs[sender]);
        crowd.next_seqs[sender] += 1;
        self.micros += shape.step_micros();
        let loses = shape.width() > 1 && shape.winners == 0;
        let version = Version::new(self.micros - if loses { BEHIND_MICROS } else { 0 }, id);
        let header = &mut buffer[..HEADER_LEN];
        header[4..20].copy_from_slice(&id.0);
        header[20..24].copy_from_slice(&LIFE.0.to_le_bytes());
        // A train of one: length 1 in the highest byte.
        header[24..32].copy_from_slice(&(seq | 1 << 56).to_le_bytes());
        header[32..40].copy_from_slice(&version.0.to_le_bytes());
        debug_assert!(Frame::parse(&buffer[..self.lens[i]]).is_ok());
    }
}

fn blocks8(draft: &mut Draft<'_>, mask: u8, numbers: &[u32], rng: &mut Dice) {
    for number in numbers {
        draft.block8(&Block8::new(*number, mask, 0, [rng.roll(); 8])).expect("as many blocks as fit");
    }
}

fn blocks16(draft: &mut Draft<'_>, mask: u16, numbers: &[u32], rng: &mut Dice) {
    for number in numbers {
        let block = Block16::new(*number, mask, 0, [rng.roll() as u32; 16]);
        draft.block16(&block).expect("as many blocks as fit");
    }
}

fn rows(draft: &mut Draft<'_>, winners: u32, numbers: &[u32], rng: &mut Dice) {
    let mut rows = [(0, 0, 0); ROWS_MAX];
    for (row, slot) in rows.iter_mut().zip(numbers) {
        let age = if rng.below(100) < winners { 0 } else { AGE_STALE };
        *row = (*slot, age, rng.roll());
    }
    draft.rows(&rows[..numbers.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use octick_core::wire::Entries;

    #[test]
    fn every_frame_holds_and_carries_the_cells_that_its_shape_says() {
        for (kind, mask, winners) in [
            (Kind::Block8, 0xFF, 100),
            (Kind::Block8, 0x11, 100),
            (Kind::Block8, 0xFF, 0),
            (Kind::Block16, 0x5555, 100),
            (Kind::Rows, 0xFFFF, 50),
        ] {
            let shape = Shape { mask, winners, ..Shape::full(kind, 1 << 16) };
            let (mut frames, mut crowd) = (Frames::new(), Crowd::alone(1 << 16));
            frames.next(&shape, &mut crowd);
            for bytes in frames.datagrams() {
                let frame = Frame::parse(bytes).expect("a load is of frames");
                let cells: u32 = match frame.entries() {
                    Entries::Block8(blocks) => blocks.iter().map(|block| block.mask.count_ones()).sum(),
                    Entries::Block16(blocks) => {
                        blocks.iter().map(|block| block.mask.get().count_ones()).sum()
                    }
                    Entries::Rows(rows) => rows.len() as u32,
                    Entries::Stats(_) | Entries::Control(_) => unreachable!("a load is of cells"),
                };
                assert_eq!(cells as usize, shape.cells(), "{shape:?}");
                let behind = frame.header().version() < Version::new(EPOCH_MICROS, crowd.ids[0]);
                assert_eq!(behind, winners == 0, "{shape:?}");
            }
        }
    }
}

//! Frames of cells in endless supply: one batch of buffers, sealed once and then rewritten in place, as a receive
//! ring would be. Benches parse and merge, but do not verify, so the signature need not hold.

use octick_core::crypto::{Identity, MeshKeys};
use octick_core::limits::{BATCH_MAX, BLOCKS_MAX, HEADER_LEN, ROWS_MAX};
use octick_core::stamp::{Incarnation, Seq, Version};
use octick_core::wire::{Block8, Block16, Kind, Rows, Sealer, Stamp};

/// What share of the cells is newer than what the table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Winners {
    /// None.
    No,
    /// Half, at random.
    Half,
    /// All.
    All,
}

/// A batch of frames over a table, to uniformly random places.
pub struct Load {
    kind: Kind,
    slots: u32,
    winners: Winners,
    frames: Vec<Vec<u8>>,
    version: Version,
    seq: u64,
    random: u64,
    /// The next place, if places are taken in order.
    sweep: Option<u32>,
}

impl Load {
    /// Full frames of `kind` over `slots` slots. `mask` is that of every block.
    pub fn new(kind: Kind, slots: u32, mask: u16, winners: Winners) -> Self {
        let identity = Identity::from_seed(&[7; 32]);
        let mut train = Sealer::new();
        for _ in 0..BATCH_MAX {
            train.frame(kind, |draft| match kind {
                Kind::Block8 => (0..BLOCKS_MAX as u32).for_each(|i| {
                    draft.block8(&Block8::new(i, mask as u8, 0, [0; 8])).expect("a frame holds BLOCKS_MAX");
                }),
                Kind::Block16 => (0..BLOCKS_MAX as u32).for_each(|i| {
                    draft.block16(&Block16::new(i, mask, 0, [0; 16])).expect("a frame holds BLOCKS_MAX");
                }),
                Kind::Rows => {
                    draft.rows(&std::array::from_fn::<_, ROWS_MAX, _>(|i| (i as u32, 0, 0)));
                }
                Kind::Ping | Kind::Pong | Kind::Control => panic!("{kind:?} carries no cells"),
            });
        }
        let version = Version::new(1_800_000_000_000_000, identity.id());
        let stamp = Stamp { incarnation: Incarnation(1), first_seq: Seq(1), version };
        train.seal(&identity, &MeshKeys::derive("bench"), &stamp);
        let frames = train.frames().map(|frame| frame.to_vec()).collect();
        Self { kind, slots, winners, frames, version, seq: BATCH_MAX as u64, random: 1, sweep: None }
    }

    /// Full frames of `kind` that go through all `slots` slots in order.
    pub fn sweep(kind: Kind, slots: u32) -> Self {
        let full = if kind == Kind::Block8 { 0xFF } else { 0xFFFF };
        Self { sweep: Some(0), ..Self::new(kind, slots, full, Winners::All) }
    }

    /// Cells in a batch.
    pub fn cells(&self) -> usize {
        let entries = self.frames.len() * usize::from(self.frames[0][3]);
        match self.kind {
            Kind::Rows => entries,
            _ => entries * self.mask().count_ones() as usize,
        }
    }

    /// Goes on from where the load that filled a table stands: newer, or older by an hour if nothing is to win.
    pub fn begin_after(&mut self, fill: &Load) {
        self.version = match self.winners {
            Winners::No => Version(fill.version.0 - (3_600_000_000 << Version::SHIFT)),
            Winners::Half | Winners::All => fill.version,
        };
    }

    /// The frames of the batch.
    pub fn frames(&self) -> &[Vec<u8>] {
        &self.frames
    }

    /// Makes the next batch: other places, other values, the next sequence numbers, and versions as `winners` says.
    pub fn next_batch(&mut self) {
        // Each frame is later than the one before, by what its table's clock can tell apart.
        let step = match self.kind {
            Kind::Block16 => 1_024,
            _ => 1,
        };
        if self.winners != Winners::No {
            self.version = Version(self.version.0 + ((self.frames.len() as u64 * step) << Version::SHIFT));
        }
        let places = match self.kind {
            Kind::Block8 => self.slots / 8,
            Kind::Block16 => self.slots / 16,
            _ => self.slots,
        };
        for i in 0..self.frames.len() {
            self.seq += 1;
            let mut frame = std::mem::take(&mut self.frames[i]);
            let place = u64::from_le_bytes(frame[24..32].try_into().expect("eight bytes"));
            frame[24..32].copy_from_slice(&(place >> 48 << 48 | self.seq).to_le_bytes());
            let version = self.version.0 + ((i as u64 * step) << Version::SHIFT);
            frame[32..40].copy_from_slice(&version.to_le_bytes());
            let count = usize::from(frame[3]);
            let chosen = self.places(count, places);
            let (stride, first_value, width) = match self.kind {
                Kind::Rows => (4, 8 * count, 8),
                _ => (72, 8, 72),
            };
            for (entry, place) in chosen.into_iter().enumerate() {
                frame[HEADER_LEN + entry * stride..][..4].copy_from_slice(&place.to_le_bytes());
                let value = self.roll();
                frame[HEADER_LEN + first_value + entry * width..][..8].copy_from_slice(&value.to_le_bytes());
                let loses = match self.winners {
                    Winners::No => true,
                    Winners::Half => self.roll() & 1 != 0,
                    Winners::All => false,
                };
                self.set_age(&mut frame, count, entry, loses);
            }
            self.frames[i] = frame;
        }
    }

    /// What is to lose is older than whatever the table still holds, as far as its kind's ages can say.
    fn set_age(&mut self, frame: &mut [u8], count: usize, entry: usize, loses: bool) {
        match self.kind {
            Kind::Rows => {
                let age = if loses { Rows::AGE_MAX } else { 0 };
                frame[HEADER_LEN + 4 * count + 4 * entry..][..4].copy_from_slice(&age.to_le_bytes());
            }
            _ => {
                let age = if loses { u16::MAX } else { 0 };
                frame[HEADER_LEN + 72 * entry + 6..][..2].copy_from_slice(&age.to_le_bytes());
            }
        }
    }

    fn mask(&self) -> u16 {
        match self.kind {
            Kind::Block8 => self.frames[0][HEADER_LEN + 4].into(),
            _ => u16::from_le_bytes([self.frames[0][HEADER_LEN + 4], self.frames[0][HEADER_LEN + 5]]),
        }
    }

    /// `count` different places below `end`, rising.
    fn places(&mut self, count: usize, end: u32) -> Vec<u32> {
        if let Some(next) = &mut self.sweep {
            let first = (*next).min(end - count as u32);
            *next = (first + count as u32) % end;
            return (first..first + count as u32).collect();
        }
        let mut chosen = Vec::with_capacity(count);
        while chosen.len() < count {
            let place = ((u128::from(self.roll()) * u128::from(end)) >> 64) as u32;
            if !chosen.contains(&place) {
                chosen.push(place);
            }
        }
        chosen.sort_unstable();
        chosen
    }

    /// Steele et al., SplitMix64, 2014.
    fn roll(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.random ^ self.random >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }
}

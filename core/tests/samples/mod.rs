//! Frames made with a fixed key, for the tests of the wire.

#![allow(dead_code, reason = "each test file takes what it needs")]

use octick_core::crypto::{Identity, MeshKeys};
use octick_core::stamp::{Incarnation, Seq, Version};
use octick_core::wire::{Block8, Block16, ControlFrame, Kind, Sealer, Stamp, Stat};

/// The first entries of one frame, rising from `first`, with recognisable values.
pub(crate) fn fill(train: &mut Sealer, kind: Kind, first: u32, count: usize) {
    let numbers = (first..).step_by(3).take(count);
    train.frame(kind, |draft| match kind {
        Kind::Block8 => numbers.for_each(|n| {
            draft.block8(&Block8::new(n, n as u8 | 1, n as u16, [u64::from(n) << 8; 8])).unwrap()
        }),
        Kind::Block16 => numbers
            .for_each(|n| draft.block16(&Block16::new(n, n as u16 | 1, n as u16, [n << 8; 16])).unwrap()),
        Kind::Rows => {
            let rows: Vec<(u32, u32, u64)> = numbers.map(|n| (n, n & 0xFF_FFFF, u64::from(n) << 8)).collect();
            assert_eq!(draft.rows(&rows), count);
        }
        Kind::Control => {
            // One message for each unit of 16 bytes: a head of four, and a body of twelve, or of eight behind the recipient's mark.
            let mut control_frame = ControlFrame::new();
            for (n, len) in numbers.zip([8].into_iter().chain(std::iter::repeat(12))) {
                assert!(control_frame.push(n as u8 | 1, &[n as u8; 12][..len]));
            }
            draft.control_frame(&control_frame);
        }
        Kind::StatsQuery | Kind::StatsReply => {
            numbers.for_each(|n| draft.stat(&Stat::new(n, u64::from(n) << 8)).unwrap());
        }
    });
}

/// Who signs the samples.
pub(crate) fn identity() -> Identity {
    Identity::from_seed(&[1; 32])
}

/// Where the samples are at home.
pub(crate) fn mesh() -> MeshKeys {
    MeshKeys::derive("samples")
}

/// The stamp of the samples.
pub(crate) fn stamp() -> Stamp {
    let version = Version::new(1_700_000_000_000_000, identity().id());
    Stamp { incarnation: Incarnation(7), first_seq: Seq(1_000), version }
}

/// A sealed train of `len` frames, each with `count` entries of `kind`.
pub(crate) fn train(kind: Kind, count: usize, len: usize) -> Sealer {
    let mut train = Sealer::new();
    (0..len).for_each(|i| fill(&mut train, kind, i as u32 * 1_000, count));
    train.seal(&identity(), &mesh(), &stamp());
    train
}

/// A sealed frame alone.
pub(crate) fn frame(kind: Kind, count: usize) -> Vec<u8> {
    train(kind, count, 1).frames().next().unwrap().to_vec()
}

/// The same, with entries that rise from `first`.
pub(crate) fn train_of_one(kind: Kind, first: u32, count: usize) -> Vec<u8> {
    let mut train = Sealer::new();
    fill(&mut train, kind, first, count);
    train.seal(&identity(), &mesh(), &stamp());
    train.frames().next().unwrap().to_vec()
}

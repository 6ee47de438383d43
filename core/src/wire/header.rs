//! The 40 bytes in front of every frame.

use octick_crypto::NodeId;
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::limits::{
    BLOCK_LEN, BLOCKS_MAX, CONTROL_FRAME_MAX, CONTROL_FRAME_UNIT, ENTRIES_MAX, HEADER_LEN, ROW_LEN, ROWS_MAX,
};
use crate::stamp::{Incarnation, Seq, Version};

/// First byte of every frame.
pub const MAGIC: u8 = 0x4F;
/// The wire version that this code speaks (low four bits of the second byte; the high four are reserved, zero).
pub const WIRE_VERSION: u8 = 1;

/// What the entries of a frame are. The numbers are the message kinds of the mesh; 0x08 to 0x0F are the data plane's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A question that wants a [`Kind::Pong`]: one [`Stat`](super::Stat) with a token.
    Ping = 0x05,
    /// The answer: the token, then counters.
    Pong = 0x06,
    /// Blocks of eight neighbouring cells of eight bytes.
    Block8 = 0x08,
    /// Blocks of sixteen neighbouring cells of four bytes.
    Block16 = 0x09,
    /// Single cells of eight bytes, in columns.
    Rows = 0x0A,
    /// A [control frame](super::control frame) from control plane to control plane, in units of 16 bytes.
    Control = 0x0B,
}

impl Kind {
    /// Every kind that this node knows.
    pub const ALL: [Self; 6] =
        [Self::Ping, Self::Pong, Self::Block8, Self::Block16, Self::Rows, Self::Control];

    /// The kind that a header byte means.
    #[inline]
    pub const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            0x05 => Self::Ping,
            0x06 => Self::Pong,
            0x08 => Self::Block8,
            0x09 => Self::Block16,
            0x0A => Self::Rows,
            0x0B => Self::Control,
            _ => return None,
        })
    }

    /// Length of one entry, bytes.
    #[inline]
    pub const fn entry_len(self) -> usize {
        match self {
            Self::Block8 | Self::Block16 => BLOCK_LEN,
            Self::Rows | Self::Ping | Self::Pong => ROW_LEN,
            Self::Control => CONTROL_FRAME_UNIT,
        }
    }

    /// Most entries that a frame of this kind holds; the fewest is one.
    #[inline]
    pub const fn count_max(self) -> usize {
        match self {
            Self::Block8 | Self::Block16 => BLOCKS_MAX,
            Self::Rows | Self::Pong => ROWS_MAX,
            Self::Ping => 1,
            Self::Control => CONTROL_FRAME_MAX / CONTROL_FRAME_UNIT,
        }
    }

    /// Whether frames of this kind carry cells, are relayed and live in their origin's sequence.
    #[inline]
    pub const fn is_data(self) -> bool {
        matches!(self, Self::Block8 | Self::Block16 | Self::Rows)
    }
}

const _: () = {
    assert!(size_of::<Header>() == HEADER_LEN);
    let mut i = 0;
    while i < Kind::ALL.len() {
        assert!(Kind::ALL[i].entry_len() * Kind::ALL[i].count_max() <= ENTRIES_MAX);
        i += 1;
    }
};

/// The header as it stands in a datagram. All numbers are little-endian.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Header {
    pub(super) magic: u8,
    pub(super) wire_version: u8,
    pub(super) kind: u8,
    pub(super) count: u8,
    pub(super) origin: [u8; 16],
    pub(super) incarnation: U32,
    /// Sequence in the low 48 bits, then the index in the train, then the train's length.
    pub(super) place: U64,
    pub(super) version: U64,
}

impl Header {
    /// Who made and signed the frame.
    #[inline]
    pub fn origin(&self) -> NodeId {
        NodeId(self.origin)
    }

    /// The origin's incarnation in which it was made.
    #[inline]
    pub fn incarnation(&self) -> Incarnation {
        Incarnation(self.incarnation.get())
    }

    /// Its number in that incarnation.
    #[inline]
    pub fn seq(&self) -> Seq {
        Seq(self.place.get() & Seq::MAX.0)
    }

    /// Its index in its train, from 0.
    #[inline]
    pub fn train_index(&self) -> usize {
        usize::from((self.place.get() >> 48) as u8)
    }

    /// Frames in its train; 1 for a frame alone.
    #[inline]
    pub fn train_len(&self) -> usize {
        usize::from((self.place.get() >> 56) as u8)
    }

    /// The version that its entries' ages count back from.
    #[inline]
    pub fn version(&self) -> Version {
        Version(self.version.get())
    }

    /// Number of entries.
    #[inline]
    pub fn count(&self) -> usize {
        usize::from(self.count)
    }

    pub(super) fn set_place(&mut self, seq: Seq, index: usize, len: usize) {
        debug_assert!(seq <= Seq::MAX && index < len && len <= usize::from(u8::MAX));
        self.place.set(seq.0 | (index as u64) << 48 | (len as u64) << 56);
    }
}

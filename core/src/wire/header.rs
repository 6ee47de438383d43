//! The 40 bytes in front of every frame.

use octick_crypto::NodeId;
use octick_crypto::train::TRAIN_MAX;
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::limits::HEADER_LEN;
use crate::stamp::{Incarnation, Seq, Version};

/// First byte of every frame.
pub const MAGIC: u8 = 0x4F;
/// The wire version that this code speaks (low four bits of the second byte; the high four are reserved, zero).
///
/// Version 2 gave frame kinds a table of their own: queries and replies for statistics left the bytes that messages of
/// control planes use as well.
pub const WIRE_VERSION: u8 = 2;

const _: () = assert!(size_of::<Header>() == HEADER_LEN && WIRE_VERSION < 16);
// Sequence, index and length of a train share one word.
const _: () = assert!(Seq::MAX.0 == (1 << 48) - 1 && TRAIN_MAX <= u8::MAX as usize);

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
        assert!(seq <= Seq::MAX && index < len && len <= TRAIN_MAX, "{seq:?}, frame {index} of {len}");
        self.place.set(seq.0 | (index as u64) << 48 | (len as u64) << 56);
        debug_assert!(self.seq() == seq && self.train_index() == index && self.train_len() == len);
    }
}

//! A numbered value: what pings and pongs carry.

use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::limits::ROW_LEN;

/// One numbered value. Number 0 is the asker's token; the others are the answerer's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Stat {
    /// Which value; strictly increasing within a frame.
    pub id: U32,
    pub(super) reserved: U32,
    /// The value.
    pub value: U64,
}

impl Stat {
    /// The number of the token that a pong returns.
    pub const TOKEN: u32 = 0;

    /// A numbered value as it goes on the wire.
    pub fn new(id: u32, value: u64) -> Self {
        Self { id: U32::new(id), reserved: U32::ZERO, value: U64::new(value) }
    }
}

const _: () = assert!(size_of::<Stat>() == ROW_LEN);

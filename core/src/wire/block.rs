//! Dense entries: neighbouring cells that share an age.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::limits::BLOCK_LEN;

/// Eight neighbouring cells of eight bytes: slots `8 * index` to `8 * index + 7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Block8 {
    /// Which block of eight slots.
    pub index: U32,
    /// Bit i says that cell i is present; at least one is.
    pub mask: u8,
    pub(super) reserved: u8,
    /// How much older than their frame the cells are, microseconds.
    pub age: U16,
    /// The cells' values; those outside the mask mean nothing.
    pub values: [U64; 8],
}

impl Block8 {
    /// A block as it goes on the wire.
    pub fn new(index: u32, mask: u8, age_micros: u16, values: [u64; 8]) -> Self {
        Self {
            index: U32::new(index),
            mask,
            reserved: 0,
            age: U16::new(age_micros),
            values: values.map(U64::new),
        }
    }
}

/// Sixteen neighbouring cells of four bytes: slots `16 * index` to `16 * index + 15`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Block16 {
    /// Which block of sixteen slots.
    pub index: U32,
    /// Bit i says that cell i is present; at least one is.
    pub mask: U16,
    /// How much older than their frame the cells are, units of 1,024 microseconds (the table's clock).
    pub age: U16,
    /// The cells' values; those outside the mask mean nothing.
    pub values: [U32; 16],
}

impl Block16 {
    /// A block as it goes on the wire.
    pub fn new(index: u32, mask: u16, age_units: u16, values: [u32; 16]) -> Self {
        Self {
            index: U32::new(index),
            mask: U16::new(mask),
            age: U16::new(age_units),
            values: values.map(U32::new),
        }
    }
}

const _: () = assert!(size_of::<Block8>() == BLOCK_LEN && size_of::<Block16>() == BLOCK_LEN);

//! A coded symbol: the sum of the names that walk through it, the sum of their hashes, and how many there are.
//!
//! On the wire: the name's bytes, four of the hash, and the count less what the set's size lets expect, as a signed
//! varint: 1.1 bytes mostly, where the plain count takes two or three. Four bytes of check let a sum of several names
//! pass for one name in one of 2^32 cases, and then it must also walk through that very symbol.

use alloc::vec::Vec;

use super::key::Name;

/// Bytes of the check on the wire.
pub const CHECK_LEN: usize = 4;

/// One coded symbol, or the difference of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Symbol<N> {
    /// All names, added without carry.
    pub sum: N,
    /// The low halves of their hashes, added without carry.
    pub check: u32,
    /// How many they are; in a difference, theirs less ours.
    pub count: i32,
}

impl<N: Name> Symbol<N> {
    /// Most bytes on the wire.
    pub const LEN_MAX: usize = N::LEN + CHECK_LEN + 5;

    /// Puts a name in, or with a `sign` of -1 takes it out.
    #[inline]
    pub fn add(&mut self, name: N, hash: u64, sign: i32) {
        self.sum ^= name;
        self.check ^= hash as u32;
        self.count = self.count.wrapping_add(sign);
    }

    /// What remains of it without `other`.
    #[inline]
    #[must_use]
    pub fn minus(mut self, other: &Self) -> Self {
        self.sum ^= other.sum;
        self.check ^= other.check;
        self.count = self.count.wrapping_sub(other.count);
        self
    }

    /// Whether nothing is in it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Appends it, number `index` of a set of `size` names.
    pub fn write(&self, index: u32, size: u32, out: &mut Vec<u8>) {
        let at = out.len();
        out.resize(at + N::LEN, 0);
        self.sum.put(&mut out[at..]);
        out.extend_from_slice(&self.check.to_le_bytes());
        let excess = self.count.wrapping_sub(expected(index, size));
        write_varint(out, (excess << 1 ^ excess >> 31) as u32);
        assert!(out.len() - at <= Self::LEN_MAX, "a symbol of {} bytes", out.len() - at);
        debug_assert_eq!(
            Self::read(index, size, &mut &out[at..]),
            Some(*self),
            "what is written can be read"
        );
    }

    /// Takes it off the front of `bytes`; nothing if they are cut short, or no varint.
    pub fn read(index: u32, size: u32, bytes: &mut &[u8]) -> Option<Self> {
        let (head, mut rest) = bytes.split_at_checked(N::LEN + CHECK_LEN)?;
        let check = u32::from_le_bytes(*head.last_chunk()?);
        let excess = read_varint(&mut rest)?;
        let excess = (excess >> 1) as i32 ^ -((excess & 1) as i32);
        *bytes = rest;
        Some(Self { sum: N::take(head), check, count: expected(index, size).wrapping_add(excess) })
    }
}

/// How many of `size` names are expected in symbol `index`.
fn expected(index: u32, size: u32) -> i32 {
    (u64::from(size) * 2 / (2 + u64::from(index))) as i32
}

/// Appends seven bits a byte, the lowest first (LEB128).
pub(super) fn write_varint(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    debug_assert!(number < 0x80, "the last byte says that none follows");
    out.push(number as u8);
}

/// Takes a varint off the front, unless it is cut short, longer than it need be, or past 32 bits.
pub(super) fn read_varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        let bits = u64::from(byte & 0x7F) << shift;
        number |= bits;
        if byte & 0x80 == 0 {
            *bytes = rest;
            return u32::try_from(number).ok().filter(|_| bits != 0 || shift == 0);
        }
        *bytes = rest;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_symbol_is_read_as_it_was_written(sum in any::<u128>(), check in any::<u32>(), count in any::<i32>(), index in any::<u32>(), size in any::<u32>()) {
            let symbol = Symbol { sum, check, count };
            let mut bytes = Vec::new();
            symbol.write(index, size, &mut bytes);
            prop_assert!(bytes.len() <= Symbol::<u128>::LEN_MAX);
            for cut in 0..bytes.len() {
                prop_assert_eq!(Symbol::<u128>::read(index, size, &mut &bytes[..cut]), None);
            }
            let mut rest = &bytes[..];
            prop_assert_eq!(Symbol::read(index, size, &mut rest), Some(symbol));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_one_number_or_none(bytes in prop::collection::vec(any::<u8>(), 0..8)) {
            let mut rest = &bytes[..];
            if let Some(number) = read_varint(&mut rest) {
                let mut again = Vec::new();
                write_varint(&mut again, number);
                prop_assert_eq!(&again[..], &bytes[..bytes.len() - rest.len()]);
            }
        }
    }
}

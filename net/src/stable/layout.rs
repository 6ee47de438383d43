//! The file, byte by byte.
//!
//! ```text
//!  0       8                24          28     32         40                 56
//! +-------+----------------+-----------+------+----------+------------------+
//! | magic | node id        |incarnation| zero | reserved | checksum of all  |
//! |       |                | u32       |      | u64, us  | before: BLAKE3   |
//! +-------+----------------+-----------+------+----------+------------------+
//! ```
//!
//! Numbers are little-endian. Any other byte anywhere is noticed.

use octick_core::stamp::Incarnation;
use octick_core::time::Wall;
use octick_crypto::{Hash, NodeId};

use super::store::{Damage, StableState};

/// What a file begins with; the last byte counts layouts.
const MAGIC: &[u8; 8] = b"octick\0\x01";
/// Bytes before the checksum.
const CHECKED: usize = 40;
/// Bytes of a file.
pub(super) const LEN: usize = CHECKED + 16;

/// The file of node `of`.
pub(super) fn encode(of: NodeId, state: &StableState) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..24].copy_from_slice(&of.0);
    bytes[24..28].copy_from_slice(&state.incarnation.0.to_le_bytes());
    bytes[32..40].copy_from_slice(&state.reserved.0.to_le_bytes());
    let checksum = checksum(&bytes);
    bytes[CHECKED..].copy_from_slice(&checksum);
    bytes
}

/// Whose file it is, and what it says.
pub(super) fn decode(bytes: &[u8]) -> Result<(NodeId, StableState), Damage> {
    let Ok(bytes) = <&[u8; LEN]>::try_from(bytes) else {
        return Err(Damage::Length { found: bytes.len(), wanted: LEN });
    };
    if bytes[..8] != MAGIC[..] {
        return Err(Damage::Magic);
    }
    if bytes[CHECKED..] != checksum(bytes) {
        return Err(Damage::Checksum);
    }
    let part = |at: usize| -> [u8; 8] { bytes[at..at + 8].try_into().expect("eight bytes") };
    let mut id = [0; 16];
    id.copy_from_slice(&bytes[8..24]);
    let incarnation = Incarnation(u64::from_le_bytes(part(24)) as u32);
    let reserved = Wall(u64::from_le_bytes(part(32)));
    Ok((NodeId(id), StableState { incarnation, reserved }))
}

fn checksum(bytes: &[u8; LEN]) -> [u8; 16] {
    *Hash::of(&bytes[..CHECKED]).0.first_chunk().expect("a hash is longer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_any_other_byte_or_length_is_damaged() {
        let (id, state) =
            (NodeId([7; 16]), StableState { incarnation: Incarnation(9), reserved: Wall(1 << 50) });
        let whole = encode(id, &state);
        assert_eq!(decode(&whole), Ok((id, state)));
        for at in 0..LEN {
            for flip in [1, 0x80, 0xFF] {
                let mut bytes = whole;
                bytes[at] ^= flip;
                let damage = if at < 8 { Damage::Magic } else { Damage::Checksum };
                assert_eq!(decode(&bytes), Err(damage), "byte {at} ^ {flip:#x}");
            }
            assert_eq!(decode(&whole[..at]), Err(Damage::Length { found: at, wanted: LEN }));
        }
        let longer = [&whole[..], &[0]].concat();
        assert_eq!(decode(&longer), Err(Damage::Length { found: LEN + 1, wanted: LEN }));
        assert_eq!(decode(&[0; LEN]), Err(Damage::Magic), "as a file is that was never written");
    }
}

//! A member's signed word that another one is gone for good: it turns who has failed into who has left.
//!
//! ```text
//!  0  public key of who says so, 32      64  version u64: when it was said
//! 32  member, 16                         72  flags u8: 1 forget it entirely; others zero
//! 48  incarnation u32, 52  four zeros    73  seven zeros
//! 56  version u64: the last announcement 80  signature, 64
//!     of the member that it concerns
//! ```
//!
//! It is held against announcements up to (incarnation, version), so whoever lives after all outdoes it by announcing itself
//! anew. Today any member on record may say so; nobody is believed dead for it, only gone who was found dead already.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use octick_crypto::{Identity, Item, NodeId, PublicKey, SIGNATURE_LEN, verify_many};

use crate::control::id::Rank;
use crate::control::message::announcement::Unsound;
use crate::stamp::{Incarnation, Version};
use crate::wire::control_frame::BODY_MAX;

const SAID: usize = 80;
/// Bytes of a force-leave.
pub const FORCE_LEAVE_LEN: usize = SAID + SIGNATURE_LEN;

const PRUNE: u8 = 1;
const DOMAIN: &[u8; 31] = b"octick v1 member's force-leave!";

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Who is gone.
    pub id: NodeId,
    /// The announcement that it would have to outdo.
    pub rank: Rank,
    /// When it was said, by the clock of who says so.
    pub version: Version,
    /// Whether it is to be shown to nobody any more, and its slots are free.
    pub prune: bool,
}

const _: () = assert!(FORCE_LEAVE_LEN == 80 + SIGNATURE_LEN && FORCE_LEAVE_LEN <= BODY_MAX);

/// A force-leave that was checked: whole, and signed by who says so.
#[derive(Clone)]
pub struct ForceLeave {
    by: NodeId,
    removal: Removal,
    bytes: Box<[u8]>,
}

/// Whether a force-leave wants the member forgotten, before anything of it is proven.
pub fn prunes(bytes: &[u8]) -> bool {
    decode(bytes).is_ok_and(|(_, removal)| removal.prune)
}

/// Whom a force-leave is about, and which announcement it concerns, before anything of it is proven.
pub fn peek_removal(bytes: &[u8]) -> Option<(NodeId, Rank)> {
    let removal = decode(bytes).ok()?.1;
    Some((removal.id, removal.rank))
}

impl ForceLeave {
    /// Says that a member is gone.
    pub fn sign(identity: &Identity, mesh: &[u8; 32], removal: &Removal) -> Self {
        let mut bytes = Vec::with_capacity(FORCE_LEAVE_LEN);
        bytes.extend_from_slice(identity.public().as_bytes());
        bytes.extend_from_slice(&removal.id.0);
        bytes.extend_from_slice(&removal.rank.0.0.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&removal.rank.1.0.to_le_bytes());
        bytes.extend_from_slice(&removal.version.0.to_le_bytes());
        bytes.extend_from_slice(&[if removal.prune { PRUNE } else { 0 }, 0, 0, 0, 0, 0, 0, 0]);
        let signature = identity.sign(&message(mesh, &bytes));
        bytes.extend_from_slice(&signature);
        assert!(bytes.len() == FORCE_LEAVE_LEN, "a force-leave of {} bytes", bytes.len());
        Self { by: identity.id(), removal: *removal, bytes: bytes.into_boxed_slice() }
    }

    /// Reads a force-leave and verifies its signature.
    ///
    /// # Errors
    /// The first rule that the bytes break.
    pub fn verify(bytes: &[u8], mesh: &[u8; 32]) -> Result<Self, Unsound> {
        let (key, removal) = decode(bytes)?;
        let key = PublicKey::admit(&key).map_err(|_| Unsound::Key)?;
        let (said, signature) = bytes.split_last_chunk::<SIGNATURE_LEN>().ok_or(Unsound::Length)?;
        let mut verdict = [false];
        verify_many(&[Item { key: &key, message: &message(mesh, said), signature }], &mut verdict);
        if !verdict[0] {
            return Err(Unsound::Signature);
        }
        Ok(Self { by: key.id(), removal, bytes: bytes.into() })
    }

    /// Who says so.
    pub fn by(&self) -> NodeId {
        self.by
    }

    /// What is said.
    pub fn removal(&self) -> &Removal {
        &self.removal
    }

    /// The bytes that prove it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for ForceLeave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForceLeave").field("by", &self.by).field("removal", &self.removal).finish()
    }
}

/// What is signed: 31 bytes that no other signature of this project begins with, the layout, and a keyed hash.
fn message(mesh: &[u8; 32], said: &[u8]) -> [u8; 64] {
    let mut message = [1; 64];
    message[..31].copy_from_slice(DOMAIN);
    message[32..].copy_from_slice(blake3::keyed_hash(mesh, said).as_bytes());
    message
}

fn decode(bytes: &[u8]) -> Result<([u8; 32], Removal), Unsound> {
    let bytes: &[u8; FORCE_LEAVE_LEN] = bytes.try_into().map_err(|_| Unsound::Length)?;
    let word = |at: usize| u64::from_le_bytes(core::array::from_fn(|i| bytes[at + i]));
    let key: [u8; 32] = core::array::from_fn(|i| bytes[i]);
    let id = NodeId(core::array::from_fn(|i| bytes[32 + i]));
    let reserved = bytes[52..56].iter().chain(&bytes[73..80]).any(|byte| *byte != 0);
    let incarnation = word(48) as u32;
    if reserved || bytes[72] & !PRUNE != 0 || incarnation == u32::MAX {
        return Err(Unsound::Reserved);
    }
    let (rank, version) = ((Incarnation(incarnation), Version(word(56))), Version(word(64)));
    if !rank.1.is_of(id) || !version.is_of(NodeId::of(&key)) {
        return Err(Unsound::Version);
    }
    Ok((key, Removal { id, rank, version, prune: bytes[72] & PRUNE != 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::message::announcement::mesh_key;

    fn said(prune: bool) -> (ForceLeave, [u8; 32]) {
        let (by, of) = (Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32]).id());
        let removal = Removal {
            id: of,
            rank: (Incarnation(7), Version::new(1_700_000_000_000_000, of)),
            version: Version::new(1_700_000_009_000_000, by.id()),
            prune,
        };
        (ForceLeave::sign(&by, &mesh_key("t"), &removal), mesh_key("t"))
    }

    #[test]
    fn it_is_read_as_it_was_said_and_in_its_own_mesh_only() {
        for prune in [false, true] {
            let (said, mesh) = said(prune);
            let read = ForceLeave::verify(said.bytes(), &mesh).unwrap();
            assert_eq!((read.by(), read.removal()), (Identity::from_seed(&[1; 32]).id(), said.removal()));
            assert_eq!(peek_removal(said.bytes()), Some((said.removal().id, said.removal().rank)));
            assert_eq!((prunes(said.bytes()), prunes(&said.bytes()[1..])), (prune, false));
            let elsewhere = ForceLeave::verify(said.bytes(), &mesh_key("u"));
            assert_eq!(elsewhere.unwrap_err(), Unsound::Signature);
        }
    }

    #[test]
    fn no_bit_of_it_can_be_another() {
        let (said, mesh) = said(false);
        for bit in 0..8 * FORCE_LEAVE_LEN {
            let mut bytes = said.bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(ForceLeave::verify(&bytes, &mesh).is_err(), "bit {bit}");
        }
        for len in 0..FORCE_LEAVE_LEN {
            assert_eq!(ForceLeave::verify(&said.bytes()[..len], &mesh).unwrap_err(), Unsound::Length);
        }
    }
}

//! What one member says of another that does not answer: that it is suspected, or failed.
//!
//! ```text
//!  0  member, 16                          24  version u64: the announcement that it would have to outdo
//! 16  incarnation u32                     32  who noticed, 16
//! 20  state u8, three zeros               48  signature of who noticed, 64; or nothing
//! ```
//!
//! It is the opinion of one member: of who noticed, if that one signed it, or else of whoever brings it. So opinions that others
//! pass on count as much as those that come from their authors, and nobody makes up another's.

use octick_crypto::{Identity, Item, NodeId, PublicKey, SIGNATURE_LEN, verify_many};

use crate::control::id::{PeerState, Rank};
use crate::control::message::malformed::Malformed;
use crate::stamp::{Incarnation, Version};
use crate::wire::control_frame::BODY_MAX;

/// Says that a member, as announced, is suspected or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accusation {
    /// The member.
    pub id: NodeId,
    /// The announcement that the member would have to outdo.
    pub rank: Rank,
    /// What it is said to be.
    pub state: PeerState,
    /// Who noticed.
    pub by: NodeId,
    /// That it says so, signed; without it only the frame that brings the accusation says so.
    pub signature: Option<[u8; SIGNATURE_LEN]>,
}

const SAID: usize = 48;
const DOMAIN: &[u8; 31] = b"octick v1 member's accusation!!";
const _: () = assert!(SAID + SIGNATURE_LEN <= BODY_MAX);

impl Accusation {
    /// Bytes of an accusation with a signature.
    pub const LEN_MAX: usize = SAID + SIGNATURE_LEN;

    /// The same, signed by who noticed.
    ///
    /// # Panics
    /// When that is another.
    pub fn sign(&self, identity: &Identity, mesh: &[u8; 32]) -> Self {
        assert_eq!(self.by, identity.id(), "an opinion is one's own");
        Self { signature: Some(identity.sign(&message(mesh, &self.said()))), ..*self }
    }

    /// Whether who noticed has signed it, of whom `key` is the key.
    pub fn is_signed(&self, key: &PublicKey, mesh: &[u8; 32]) -> bool {
        let Some(signature) = self.signature.filter(|_| key.id() == self.by) else { return false };
        let mut holds = [false];
        let message = message(mesh, &self.said());
        verify_many(&[Item { key, message: &message, signature: &signature }], &mut holds);
        holds[0]
    }

    /// The body, in parts: what is said, and the signature or nothing.
    pub fn parts(&self) -> ([u8; SAID], &[u8]) {
        (self.said(), self.signature.as_ref().map_or(&[], |signature| signature))
    }

    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let (said, signature) = body.split_first_chunk::<SAID>().ok_or(Malformed::Length)?;
        let signature = match signature.len() {
            0 => None,
            _ => Some(signature.try_into().map_err(|_| Malformed::Length)?),
        };
        let word = |at: usize| u64::from_le_bytes(core::array::from_fn(|i| said[at + i]));
        let name = |at: usize| NodeId(core::array::from_fn(|i| said[at + i]));
        let state = match said[20..24] {
            [1, 0, 0, 0] => PeerState::Suspected,
            [2, 0, 0, 0] => PeerState::Failed,
            _ => return Err(Malformed::Value),
        };
        let rank = (Incarnation(word(16) as u32), Version(word(24)));
        Ok(Self { id: name(0), rank, state, by: name(32), signature })
    }

    fn said(&self) -> [u8; SAID] {
        debug_assert!(
            matches!(self.state, PeerState::Suspected | PeerState::Failed),
            "{:?} is no accusation",
            self.state
        );
        let mut said = [0; SAID];
        said[..16].copy_from_slice(&self.id.0);
        said[16..20].copy_from_slice(&self.rank.0.0.to_le_bytes());
        said[20] = self.state as u8;
        said[24..32].copy_from_slice(&self.rank.1.0.to_le_bytes());
        said[32..].copy_from_slice(&self.by.0);
        said
    }
}

/// What is signed: 31 bytes that no other signature of this project begins with, the layout, and a keyed hash.
fn message(mesh: &[u8; 32], said: &[u8]) -> [u8; 64] {
    let mut message = [1; 64];
    message[..31].copy_from_slice(DOMAIN);
    message[32..].copy_from_slice(blake3::keyed_hash(mesh, said).as_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opinion_is_its_authors_about_one_announcement_in_one_mesh() {
        let (by, other) = (Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32]));
        let rank = (Incarnation(7), Version::new(1_700_000_000_000_000, other.id()));
        let said =
            Accusation { id: other.id(), rank, state: PeerState::Suspected, by: by.id(), signature: None };
        assert!(!said.is_signed(by.public(), &[3; 32]), "nobody signed it");
        let signed = said.sign(&by, &[3; 32]);
        assert!(signed.is_signed(by.public(), &[3; 32]) && !signed.is_signed(by.public(), &[4; 32]));
        assert!(!Accusation { by: other.id(), ..signed }.is_signed(other.public(), &[3; 32]));
        let (said, signature) = signed.parts();
        let body = [&said[..], signature].concat();
        assert_eq!(Accusation::decode(&body), Ok(signed));
        for bit in 0..8 * body.len() {
            let mut bent = body.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            let holds = Accusation::decode(&bent).is_ok_and(|bent| bent.is_signed(by.public(), &[3; 32]));
            assert!(!holds, "bit {bit}");
        }
        assert_eq!(Accusation::decode(&body[..100]), Err(Malformed::Length));
        assert_eq!(Accusation::decode(&body[..40]), Err(Malformed::Length));
    }
}

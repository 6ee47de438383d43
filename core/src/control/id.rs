//! The ground floor: what names a member, an update, a region, and what a member is believed to be.
//!
//! Numbers and small enums without behaviour of their own. Every folder of the control plane may import this file; it
//! imports none of them.

use octick_crypto::NodeId;

use crate::stamp::{Incarnation, Seq, Version};

/// Which of two announcements of one member counts: the greater.
pub type Rank = (Incarnation, Version);

/// What a member is believed to be; of one announcement the later state holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PeerState {
    /// Heard from, or announced and not accused.
    Alive = 0,
    /// Did not answer, and may still say that it is there.
    Suspected = 1,
    /// Did not answer, nor say so in time.
    Failed = 2,
    /// Said goodbye.
    Left = 3,
}

impl PeerState {
    /// Whether the member counts as present.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Alive | Self::Suspected)
    }
}

/// Where a member's record lies; good until the member is forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct MemberIndex(pub u32);

/// Where a node is at home: members of one region watch each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Region(pub u16);

/// Names one update: half a BLAKE3 half-block over who issued it, in which incarnation, and its number, keyed by the mesh.
///
/// Eight bytes, because announcements of ids are most of what dissemination costs. Two updates of one origin may be
/// made to share an id by trying 2^32 numbers, which hides one of them from its own neighbours; to hide another
/// origin's takes 2^64 trials, and reconciliation finds what was hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct UpdateId(pub u64);

impl UpdateId {
    /// Bytes on the wire.
    pub const LEN: usize = 8;

    /// The name of an update in the mesh whose key is `mesh`.
    pub fn of(mesh: &[u8; 32], origin: NodeId, incarnation: Incarnation, seq: Seq) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(mesh);
        hasher.update(&origin.0);
        hasher.update(&incarnation.0.to_le_bytes());
        hasher.update(&seq.0.to_le_bytes());
        let hash = hasher.finalize();
        Self(u64::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has eight bytes")))
    }
}

/// Where the caller has laid an update's bytes; of two, the lesser was laid first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FrameRef(pub u64);

/// Bytes of a return-address token.
pub const TOKEN_LEN: usize = 16;
/// A proof of having received something at an address.
pub type Token = [u8; TOKEN_LEN];

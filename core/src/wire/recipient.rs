//! Whom a control frame is for: signed with the frame, and not carried by it but for four bytes.
//!
//! A control frame is for one node, or for whoever is at the address that it goes to. Its first four bytes are a
//! [`RecipientMark`]: enough to refuse what is for another before anything is verified. The whole name is in what is signed: the
//! root that the signature covers is hashed with it once more. So who passes a control frame on to others, or to a node whose name
//! begins alike, passes on a bad signature; and a name costs no bytes of a ping.

use core::fmt;

use octick_crypto::{Hash, MeshKeys, NodeId};

/// What a control frame shows of its recipient's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecipientMark(u32);

impl RecipientMark {
    /// Bytes of it.
    pub const LEN: usize = 4;
    /// For whoever is at the address.
    pub const ANYONE: Self = Self(0);

    /// That of a node: the first four bytes of its name, their lowest bit set, so that it is never [`RecipientMark::ANYONE`].
    pub const fn of(id: NodeId) -> Self {
        let [a, b, c, d, ..] = id.0;
        Self(u32::from_le_bytes([a | 1, b, c, d]))
    }

    /// That of a node, or of anyone.
    pub const fn of_any(id: Option<NodeId>) -> Self {
        match id {
            Some(id) => Self::of(id),
            None => Self::ANYONE,
        }
    }

    /// As it stands in a control frame.
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        self.0.to_le_bytes()
    }

    /// As it came. Anything can be one; of no node's name if it is neither zero nor odd.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(u32::from_le_bytes(bytes))
    }

    /// Whether the frame names a recipient.
    pub const fn is_somebody(self) -> bool {
        self.0 != 0
    }

    /// Whether node `id` may take the frame, as far as this tells.
    pub fn admits(self, id: NodeId) -> bool {
        self == Self::ANYONE || self == Self::of(id)
    }
}

impl fmt::Display for RecipientMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The root that is signed of a control frame for `recipient`: that of its train, under its name. For anyone, and of frames
/// of other kinds, the train's root itself.
pub fn root_for(keys: &MeshKeys, root: Hash, recipient: Option<NodeId>) -> Hash {
    let Some(id) = recipient else { return root };
    let mut name = [0; 32];
    name[..16].copy_from_slice(&id.0);
    keys.node(&root, &Hash(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_its_node_and_of_no_other_and_never_of_anyone() {
        let (nobody, other) = (NodeId([0; 16]), NodeId([7; 16]));
        assert!(RecipientMark::of(nobody).is_somebody() && !RecipientMark::ANYONE.is_somebody());
        assert!(RecipientMark::of(nobody).admits(nobody) && !RecipientMark::of(nobody).admits(other));
        assert!(RecipientMark::ANYONE.admits(other) && RecipientMark::of_any(None) == RecipientMark::ANYONE);
        let mark = RecipientMark::of(other);
        assert_eq!(
            (RecipientMark::from_bytes(mark.to_bytes()), mark),
            (mark, RecipientMark::of_any(Some(other)))
        );
    }

    #[test]
    fn the_whole_name_is_signed() {
        let (keys, root) = (MeshKeys::derive("test"), Hash([3; 32]));
        let (one, mut alike) = (NodeId([7; 16]), NodeId([7; 16]));
        alike.0[15] = 8;
        assert_eq!(RecipientMark::of(one), RecipientMark::of(alike));
        assert_ne!(root_for(&keys, root, Some(one)), root_for(&keys, root, Some(alike)));
        assert_ne!(root_for(&keys, root, Some(one)), root_for(&keys, root, None));
        assert_eq!(root_for(&keys, root, None), root);
    }
}

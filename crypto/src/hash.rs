//! BLAKE3, keyed so that leaf, node and mesh never mix.

use core::fmt;

/// A BLAKE3 hash, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The plain BLAKE3 hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// The two hash keys of a mesh, derived from its name. Frames of another mesh hash differently, so their
/// signatures do not hold here; a leaf can never pass for a node of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshKeys {
    leaf: [u8; 32],
    node: [u8; 32],
}

impl MeshKeys {
    /// Derives the keys of the mesh called `name` (any bytes; an empty name is a name like any other).
    pub fn derive(name: &str) -> Self {
        Self {
            leaf: blake3::derive_key("octick v1 frame leaf", name.as_bytes()),
            node: blake3::derive_key("octick v1 train node", name.as_bytes()),
        }
    }

    /// Hash of one frame's signed part (header and entries). Up to 1,024 bytes are one BLAKE3 chunk.
    pub fn leaf(&self, signed_part: &[u8]) -> Hash {
        Hash(*blake3::keyed_hash(&self.leaf, signed_part).as_bytes())
    }

    /// Hash of an inner node of a train's tree.
    pub fn node(&self, left: &Hash, right: &Hash) -> Hash {
        let mut both = [0; 64];
        both[..32].copy_from_slice(&left.0);
        both[32..].copy_from_slice(&right.0);
        Hash(*blake3::keyed_hash(&self.node, &both).as_bytes())
    }
}

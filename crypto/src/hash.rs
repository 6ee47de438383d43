//! BLAKE3, keyed so that leaf, node and mesh never mix.

use core::fmt;

use crate::hash_many::{self, BLOCK, CHUNK, LANES};

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

    /// Hash of one frame's signed part (header and entries, at most 1,024 bytes), zeros added up to a whole number
    /// of blocks of 64 bytes. The header says how long the part is, so the zeros are no second meaning.
    ///
    /// # Panics
    /// When the part is empty or longer than 1,024 bytes.
    pub fn leaf(&self, signed_part: &[u8]) -> Hash {
        assert!((1..=CHUNK).contains(&signed_part.len()), "a signed part has 1 to {CHUNK} bytes");
        // Only the last block may need its zeros; the others are hashed where they lie.
        let whole = (signed_part.len() - 1) / BLOCK;
        let (blocks, rest) = signed_part.split_at(whole * BLOCK);
        let mut last = [0; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        hash_many::keyed_one(&self.leaf, blocks.as_chunks().0, &last)
    }

    /// [`MeshKeys::leaf`] of each part, those of equal length side by side: 400 ticks each in lanes of AVX-512
    /// instead of 2,000.
    ///
    /// # Panics
    /// As [`MeshKeys::leaf`], and when the slices differ in length.
    pub fn leaves(&self, signed_parts: &[&[u8]], hashes: &mut [Hash]) {
        assert_eq!(signed_parts.len(), hashes.len(), "one hash a part");
        if let ([part], [hash]) = (signed_parts, &mut *hashes) {
            // Lanes and their memory would only cost.
            *hash = self.leaf(part);
            return;
        }
        let blocks = |part: &[u8]| part.len().div_ceil(BLOCK);
        let mut padded = [[0; CHUNK]; LANES];
        let mut at = 0;
        while at < signed_parts.len() {
            let rest = &signed_parts[at..];
            let height = blocks(rest[0]);
            let alike = rest.iter().take(LANES).take_while(|part| blocks(part) == height).count();
            for (lane, part) in padded.iter_mut().zip(&rest[..alike]) {
                lane[..part.len()].copy_from_slice(part);
                lane[part.len()..height * BLOCK].fill(0);
            }
            hash_many::keyed(&self.leaf, &padded[..alike], height, &mut hashes[at..at + alike]);
            at += alike;
        }
    }

    /// Hash of an inner node of a train's tree.
    pub fn node(&self, left: &Hash, right: &Hash) -> Hash {
        let mut both = [0; BLOCK];
        both[..32].copy_from_slice(&left.0);
        both[32..].copy_from_slice(&right.0);
        hash_many::keyed_one(&self.node, &[], &both)
    }

    /// [`MeshKeys::node`] of up to 64 pairs, in lanes: `hashes[i]` becomes the parent of `pairs[i]`.
    ///
    /// # Panics
    /// When the slices differ in length.
    pub fn nodes(&self, pairs: &[(Hash, Hash)], hashes: &mut [Hash]) {
        assert_eq!(pairs.len(), hashes.len(), "one hash a pair");
        let mut both = [[0; BLOCK]; LANES];
        for (pairs, hashes) in pairs.chunks(LANES).zip(hashes.chunks_mut(LANES)) {
            for (lane, (left, right)) in both.iter_mut().zip(pairs) {
                lane[..32].copy_from_slice(&left.0);
                lane[32..].copy_from_slice(&right.0);
            }
            hash_many::keyed_blocks(&self.node, &both[..pairs.len()], hashes);
        }
    }
}

//! Trains: one signature over the Merkle root of up to 64 frames.
//!
//! The tree is complete: `len` leaves are padded with [`ABSENT`] to the next power of two, so that every frame of a
//! train carries a path of the same length, [`depth`]`(len)`. A frame alone is a train of one: its root is its leaf.
//! Index and length stand in the header that the leaf hashes, and the length again in the signed
//! [`message`], so a path cannot be read at another place or another height.

use crate::{Hash, MeshKeys};

/// Frames in the longest train.
pub const TRAIN_MAX: usize = 64;
/// Hashes in the longest path: log2 of [`TRAIN_MAX`].
pub const DEPTH_MAX: usize = TRAIN_MAX.ilog2() as usize;
/// Stands for a leaf past the end of a train. Nobody knows bytes that hash to it.
pub const ABSENT: Hash = Hash([0; 32]);
/// Length of the signed [`message`], bytes.
pub const MESSAGE_LEN: usize = 64;

const DOMAIN: &[u8; 31] = b"octick v1 signed root of frames";

/// Length of the path of each frame in a train of `len` frames: the smallest d with `len <= 2^d`.
pub const fn depth(len: usize) -> usize {
    len.next_power_of_two().ilog2() as usize
}

/// The bytes that an origin signs for a train of `len` frames with this `root`.
pub fn message(len: usize, root: &Hash) -> [u8; MESSAGE_LEN] {
    debug_assert!((1..=TRAIN_MAX).contains(&len));
    let mut message = [0; MESSAGE_LEN];
    message[..31].copy_from_slice(DOMAIN);
    message[31] = len as u8;
    message[32..].copy_from_slice(&root.0);
    message
}

/// The root that a frame claims: its leaf hashed up along its path.
///
/// # Panics
/// When `path` is not [`depth`]`(len)` long; the frame's validation has checked it.
pub fn root_of(keys: &MeshKeys, leaf: Hash, index: usize, len: usize, path: &[[u8; 32]]) -> Hash {
    assert_eq!(path.len(), depth(len), "path length follows from the train's length");
    let climb =
        |(at, node): (usize, Hash), sibling: &[u8; 32]| (at >> 1, parent_of(keys, at, &node, sibling));
    path.iter().fold((index, leaf), climb).1
}

/// The parent of the node at place `at` of its level, counted from the left, and its `sibling`.
pub fn parent_of(keys: &MeshKeys, at: usize, node: &Hash, sibling: &[u8; 32]) -> Hash {
    let sibling = &Hash(*sibling);
    if at & 1 == 0 { keys.node(node, sibling) } else { keys.node(sibling, node) }
}

/// A frame on its way up to its train's root.
#[derive(Clone, Copy, Debug)]
pub struct Climb<'a> {
    /// The frame's leaf.
    pub leaf: Hash,
    /// Its index in the train.
    pub index: usize,
    /// Frames in the train.
    pub len: usize,
    /// Its siblings, lowest first; [`depth`]`(len)` of them.
    pub path: &'a [[u8; 32]],
}

/// [`root_of`] for up to [`TRAIN_MAX`] frames at once: `roots[i]` becomes the root that `climbs[i]` claims.
///
/// Level by level, and in lanes. Neighbours of one train share their parents, so each pair of nodes is hashed once
/// for a run of frames that have it in common: a whole train costs 63 hashes of nodes, not 384. Where all are neighbours
/// in one train, as trains arrive, siblings are compared instead of paired anew.
///
/// # Panics
/// When a path's length does not follow from its train's, the slices differ in length, or there are more than
/// [`TRAIN_MAX`].
pub fn roots_of(keys: &MeshKeys, climbs: &[Climb<'_>], roots: &mut [Hash]) {
    assert!(climbs.len() == roots.len() && climbs.len() <= TRAIN_MAX, "one root a climb, 64 at most");
    for (root, climb) in roots.iter_mut().zip(climbs) {
        assert_eq!(climb.path.len(), depth(climb.len), "path length follows from the train's length");
        *root = climb.leaf;
    }
    if let Some(root) = root_of_neighbours(keys, climbs) {
        return roots.fill(root);
    }
    let highest = climbs.iter().map(|climb| climb.path.len()).max().unwrap_or(0);
    let mut pairs = [(ABSENT, ABSENT); TRAIN_MAX];
    let mut parents = [ABSENT; TRAIN_MAX];
    for height in 0..highest {
        // Which pair each frame takes its parent from.
        let mut taken = [0_u8; TRAIN_MAX];
        let mut count = 0;
        for (i, (climb, node)) in climbs.iter().zip(&*roots).enumerate() {
            let Some(sibling) = climb.path.get(height) else { continue };
            let is_left = climb.index >> height & 1 == 0;
            let (left, right) = if is_left { (&node.0, sibling) } else { (sibling, &node.0) };
            // Neighbours have it in common, or nobody has: pairs are copied only when they differ.
            if count == 0 || pairs[count - 1].0.0 != *left || pairs[count - 1].1.0 != *right {
                pairs[count] = (Hash(*left), Hash(*right));
                count += 1;
            }
            taken[i] = (count - 1) as u8;
        }
        keys.nodes(&pairs[..count], &mut parents[..count]);
        for ((root, climb), taken) in roots.iter_mut().zip(climbs).zip(taken) {
            if height < climb.path.len() {
                *root = parents[usize::from(taken)];
            }
        }
    }
}

/// The root that all `climbs` claim, if they are frames of one train in its order, without a gap, and agree about every node
/// that they share.
fn root_of_neighbours(keys: &MeshKeys, climbs: &[Climb<'_>]) -> Option<Hash> {
    let (head, tail) = (climbs.first()?, climbs.last()?);
    let (mut first, mut last) = (head.index, tail.index);
    let follows = |(i, climb): (usize, &Climb<'_>)| climb.len == head.len && climb.index == first + i;
    if !climbs.iter().enumerate().all(follows) {
        return None;
    }
    // The nodes of this level that are above a frame: from place `first` to `last`.
    let mut nodes = [ABSENT; TRAIN_MAX];
    nodes.iter_mut().zip(climbs).for_each(|(node, climb)| *node = climb.leaf);
    let mut pairs = [(ABSENT, ABSENT); TRAIN_MAX];
    for height in 0..head.path.len() {
        // A node at either end may have its sibling outside, known from a path alone.
        let node = |at: usize| match at {
            before if before < first => &head.path[height],
            after if after > last => &tail.path[height],
            at => &nodes[at - first].0,
        };
        if climbs.iter().any(|climb| climb.path[height] != *node(climb.index >> height ^ 1)) {
            return None;
        }
        let (left, right) = (first >> 1, last >> 1);
        for (pair, at) in pairs.iter_mut().zip(left..=right) {
            *pair = (Hash(*node(2 * at)), Hash(*node(2 * at + 1)));
        }
        (first, last) = (left, right);
        let count = last - first + 1;
        keys.nodes(&pairs[..count], &mut nodes[..count]);
    }
    Some(nodes[0])
}

/// The tree of one train, laid out like a heap: the root at 1, the children of node i at 2i and 2i + 1, the leaves
/// from `width` on. A value of 4 KiB, so that building one takes no memory.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: [Hash; 2 * TRAIN_MAX],
    width: usize,
}

impl Tree {
    /// Hashes `leaves` (1 to [`TRAIN_MAX`]) up to the root.
    ///
    /// # Panics
    /// When there is no leaf, or more than [`TRAIN_MAX`].
    pub fn build(keys: &MeshKeys, leaves: &[Hash]) -> Self {
        assert!((1..=TRAIN_MAX).contains(&leaves.len()), "a train has 1 to {TRAIN_MAX} frames");
        let width = leaves.len().next_power_of_two();
        let mut nodes = [ABSENT; 2 * TRAIN_MAX];
        nodes[width..width + leaves.len()].copy_from_slice(leaves);
        let mut level = width;
        while level > 1 {
            let pairs: [(Hash, Hash); TRAIN_MAX / 2] = core::array::from_fn(|i| {
                if i < level / 2 {
                    (nodes[level + 2 * i], nodes[level + 2 * i + 1])
                } else {
                    (ABSENT, ABSENT)
                }
            });
            keys.nodes(&pairs[..level / 2], &mut nodes[level / 2..level]);
            level /= 2;
        }
        Self { nodes, width }
    }

    /// What the origin signs, through [`message`].
    pub fn root(&self) -> Hash {
        self.nodes[1]
    }

    /// The siblings from leaf `index` up to the root, lowest first.
    ///
    /// # Panics
    /// When there is no such leaf.
    pub fn path(&self, index: usize) -> impl Iterator<Item = Hash> + '_ {
        assert!(index < self.width, "leaf {index} of {}", self.width);
        let place = self.width + index;
        (0..self.width.ilog2()).map(move |height| self.nodes[(place >> height) ^ 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::iter;

    #[test]
    fn every_frame_of_every_train_proves_the_same_root() {
        let keys = MeshKeys::derive("test");
        for len in 1..=TRAIN_MAX {
            let leaves: Vec<Hash> = (0..len).map(|i| keys.leaf(&[i as u8])).collect();
            let tree = Tree::build(&keys, &leaves);
            for (index, leaf) in leaves.iter().enumerate() {
                let path: Vec<[u8; 32]> = tree.path(index).map(|hash| hash.0).collect();
                assert_eq!(root_of(&keys, *leaf, index, len, &path), tree.root(), "frame {index} of {len}");
            }
        }
    }

    #[test]
    fn roots_taken_together_equal_roots_taken_alone() {
        let keys = MeshKeys::derive("test");
        for len in [1, 2, 3, 7, 8, 33, 64] {
            let leaves: Vec<Hash> = (0..len).map(|i| keys.leaf(&[i as u8; 100])).collect();
            let tree = Tree::build(&keys, &leaves);
            let mut paths: Vec<Vec<[u8; 32]>> =
                (0..len).map(|i| tree.path(i).map(|hash| hash.0).collect()).collect();
            // One frame lies about a sibling: its root differs, its neighbours' do not.
            if let Some(sibling) = paths[len / 2].last_mut() {
                sibling[0] ^= 1;
            }
            // Out of order, with a gap, and with frames of a train of one among them.
            let order = (0..len).rev().chain([0]).filter(|i| len < 4 || i % 5 != 3);
            let mut climbs: Vec<Climb<'_>> = order
                .map(|i| Climb { leaf: leaves[i], index: i, len, path: &paths[i] })
                .take(TRAIN_MAX - 1)
                .collect();
            climbs.insert(climbs.len() / 2, Climb { leaf: leaves[0], index: 0, len: 1, path: &[] });
            let mut roots = [ABSENT; TRAIN_MAX];
            roots_of(&keys, &climbs, &mut roots[..climbs.len()]);
            for (climb, root) in climbs.iter().zip(roots) {
                let alone = root_of(&keys, climb.leaf, climb.index, climb.len, climb.path);
                assert_eq!(root, alone, "frame {} of {}", climb.index, climb.len);
            }
        }
    }

    #[test]
    fn neighbours_claim_the_roots_that_each_claims_alone() {
        let keys = MeshKeys::derive("test");
        for len in [1, 2, 5, 8, 64] {
            let leaves: Vec<Hash> = (0..len).map(|i| keys.leaf(&[i as u8; 100])).collect();
            let tree = Tree::build(&keys, &leaves);
            let honest: Vec<Vec<[u8; 32]>> =
                (0..len).map(|i| tree.path(i).map(|hash| hash.0).collect()).collect();
            let runs = (0..len).flat_map(|from| (from + 1..=len).map(move |to| from..to));
            for run in runs.filter(|run| len < 64 || run.start % 7 == run.end % 9) {
                // All honest, and then one frame after the other lies about one sibling after the other.
                let liars = run.clone().filter(|i| len < 64 || i % 5 == 0);
                let lies = liars.flat_map(|i| (0..depth(len)).map(move |height| Some((i, height))));
                for lie in iter::once(None).chain(lies) {
                    let mut paths = honest.clone();
                    if let Some((i, height)) = lie {
                        paths[i][height][31] ^= 0x80;
                    }
                    let climbs: Vec<Climb<'_>> = run
                        .clone()
                        .map(|i| Climb { leaf: leaves[i], index: i, len, path: &paths[i] })
                        .collect();
                    assert!(lie.is_some() || root_of_neighbours(&keys, &climbs) == Some(tree.root()));
                    let mut roots = [ABSENT; TRAIN_MAX];
                    roots_of(&keys, &climbs, &mut roots[..climbs.len()]);
                    for (climb, root) in climbs.iter().zip(roots) {
                        let alone = root_of(&keys, climb.leaf, climb.index, climb.len, climb.path);
                        assert_eq!(root, alone, "frame {} of {len}, run {run:?}, lie {lie:?}", climb.index);
                    }
                }
            }
        }
    }

    #[test]
    fn a_frame_alone_is_its_own_root() {
        let keys = MeshKeys::derive("test");
        let leaf = keys.leaf(b"alone");
        assert_eq!(Tree::build(&keys, &[leaf]).root(), leaf);
        assert_eq!(depth(1), 0);
    }

    #[test]
    fn another_mesh_another_length_or_another_place_gives_another_message() {
        let (here, there) = (MeshKeys::derive("here"), MeshKeys::derive("there"));
        assert_ne!(here.leaf(b"frame"), there.leaf(b"frame"));
        let root = here.leaf(b"frame");
        assert_ne!(message(1, &root), message(2, &root));
        let path = [[7; 32]];
        assert_ne!(root_of(&here, root, 0, 2, &path), root_of(&here, root, 1, 2, &path));
    }
}

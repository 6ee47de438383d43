//! What is proven of the trees of recent trains, so that their other frames need not climb to the root again.
//!
//! In come the frames that arrive by themselves; out comes whether a frame hangs on a node that an earlier frame of its
//! train has proven, or else all nodes up to the root that it claims. What can never happen: a frame passes whose
//! climb to the root would end elsewhere.
//!
//! The naive version is [`root_of`](octick_crypto::train::root_of) for every frame: six hashes, one after the other, as much
//! as half of the hash of a full frame. But the path of a frame that was verified proves every hash in it: with each
//! node that is known, its sibling is, and all of its ancestors with theirs. So a later frame of the train climbs only
//! until it meets a known node, one hash a frame on average instead of six. The rest of its path is compared, not
//! hashed, with what is known: nothing of a frame that passes is left unlooked at, or later nodes would refuse what this
//! one sends on.

use alloc::boxed::Box;
use alloc::vec;

use octick_crypto::train::{ABSENT, Climb, DEPTH_MAX, TRAIN_MAX, parent_of};
use octick_crypto::{Hash, MeshKeys, SIGNATURE_LEN};

use crate::limits::PROVEN_TREES_MAX;
use crate::stamp::OriginIndex;

/// Whose train, and the signature over its root, which stands in every frame of it.
#[derive(Clone, Copy)]
pub(super) struct Train<'a> {
    pub(super) origin: OriginIndex,
    pub(super) signature: &'a [u8; SIGNATURE_LEN],
}

/// The nodes of a climb that went to the root that the frame claims: leaf first. None of one that ended at a node that was
/// proven before, and so was the rest of the path.
type Climbed = Option<[Hash; DEPTH_MAX + 1]>;

/// The trees. All memory is taken at construction.
pub(super) struct Trees {
    trees: Box<[Tree]>,
}

/// One train's, laid out like a heap: the root at 1, the children of node i at 2i and 2i + 1.
#[derive(Clone)]
struct Tree {
    origin: OriginIndex,
    len: usize,
    signature: [u8; SIGNATURE_LEN],
    /// A bit for each node that is proven.
    proven: u128,
    nodes: [Hash; 2 * TRAIN_MAX],
}

const _: () = assert!(2 * TRAIN_MAX == u128::BITS as usize);

impl Tree {
    /// Of no train: trains have frames.
    const NONE: Self = Self {
        origin: OriginIndex(0),
        len: 0,
        signature: [0; SIGNATURE_LEN],
        proven: 0,
        nodes: [ABSENT; 2 * TRAIN_MAX],
    };

    fn is_of(&self, train: &Train<'_>, len: usize) -> bool {
        self.len == len && self.origin == train.origin && self.signature == *train.signature
    }

    fn is_proven(&self, place: usize) -> bool {
        self.proven >> place & 1 == 1
    }

    /// Whether these are the hashes of the node at `place` and of the siblings from there up. All are known, because
    /// the node is.
    fn agrees(&self, place: usize, node: &Hash, path: &[[u8; 32]]) -> bool {
        let agrees = |(height, sibling): (usize, &[u8; 32])| self.nodes[(place >> height) ^ 1].0 == *sibling;
        self.nodes[place] == *node && path.iter().enumerate().all(agrees)
    }

    fn prove(&mut self, place: usize, node: Hash) {
        self.nodes[place] = node;
        self.proven |= 1 << place;
    }
}

impl Trees {
    /// Of no trains.
    pub(super) fn new() -> Self {
        Self { trees: vec![Tree::NONE; PROVEN_TREES_MAX].into_boxed_slice() }
    }

    /// Forgets all of them.
    pub(super) fn forget(&mut self) {
        self.trees.iter_mut().for_each(|tree| tree.len = 0);
    }

    /// Climbs from a frame's leaf to the first node that is proven, or to the root.
    ///
    /// # Panics
    /// When the path's length does not follow from the train's; the frame's validation has checked it.
    pub(super) fn climb(&mut self, keys: &MeshKeys, train: &Train<'_>, climb: &Climb<'_>) -> Climbed {
        let (leaf, depth) = place_of_leaf(climb);
        let mut tree = Some(&self.trees[place(train)]).filter(|tree| tree.is_of(train, climb.len));
        let mut nodes = [climb.leaf; DEPTH_MAX + 1];
        for height in 0..=depth {
            let at = leaf >> height;
            if let Some(known) = tree
                && known.is_proven(at)
            {
                if known.agrees(at, &nodes[height], &climb.path[height..]) {
                    self.learn(train, climb, &nodes[..height]);
                    return None;
                }
                // A lie somewhere: climb to the end, which is not this train's root.
                tree = None;
            }
            if let Some(sibling) = climb.path.get(height) {
                nodes[height + 1] = parent_of(keys, climb.index >> height, &nodes[height], sibling);
            }
        }
        Some(nodes)
    }

    /// Remembers what a frame has proven whose root holds: its `nodes` from the leaf up, and the sibling of each that has one.
    /// Those that it leaves out were proven before.
    pub(super) fn learn(&mut self, train: &Train<'_>, climb: &Climb<'_>, nodes: &[Hash]) {
        let tree = &mut self.trees[place(train)];
        if !tree.is_of(train, climb.len) {
            (tree.origin, tree.len) = (train.origin, climb.len);
            (tree.signature, tree.proven) = (*train.signature, 0);
        }
        let (leaf, _) = place_of_leaf(climb);
        for (height, node) in nodes.iter().enumerate() {
            let at = leaf >> height;
            tree.prove(at, *node);
            if let Some(sibling) = climb.path.get(height) {
                tree.prove(at ^ 1, Hash(*sibling));
            }
        }
    }
}

/// Where a frame's leaf is in its tree, and how far it is to the root.
fn place_of_leaf(climb: &Climb<'_>) -> (usize, usize) {
    let width = climb.len.next_power_of_two();
    let depth = width.ilog2() as usize;
    assert!(climb.path.len() == depth && climb.index < width, "path length follows from the train's length");
    (width + climb.index, depth)
}

/// Where a train is remembered. Whoever grinds signatures into one place only makes what is theirs, or of those who share
/// it, as dear as without.
fn place(train: &Train<'_>) -> usize {
    usize::from(train.signature[0]) % PROVEN_TREES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use octick_crypto::train::{Tree as Whole, root_of};
    use proptest::prelude::*;

    const ORIGIN: OriginIndex = OriginIndex(3);

    /// Leaves of a train, and the path of each.
    fn train(keys: &MeshKeys, len: usize, salt: u8) -> (Vec<Hash>, Vec<Vec<[u8; 32]>>, Hash) {
        let leaves: Vec<Hash> = (0..len).map(|i| keys.leaf(&[i as u8, salt])).collect();
        let tree = Whole::build(keys, &leaves);
        let paths = (0..len).map(|i| tree.path(i).map(|hash| hash.0).collect()).collect();
        (leaves, paths, tree.root())
    }

    /// What a node does: climbs, and learns if the root is the one that its signature is known to cover.
    fn holds(trees: &mut Trees, keys: &MeshKeys, train: &Train<'_>, climb: &Climb<'_>, root: Hash) -> bool {
        match trees.climb(keys, train, climb) {
            None => true,
            Some(nodes) => {
                let holds = nodes[climb.path.len()] == root;
                if holds {
                    trees.learn(train, climb, &nodes[..=climb.path.len()]);
                }
                holds
            }
        }
    }

    proptest! {
        /// Frames in any order, some of two trains whose place is the same, some with a bit of leaf or path turned.
        #[test]
        fn a_frame_holds_exactly_if_its_own_climb_ends_at_the_root(
            len in prop::sample::select(vec![1_usize, 2, 3, 5, 8, 33, 64]),
            frames in prop::collection::vec((0..64_usize, 0..2_u8, prop::option::weighted(0.3, (0..8_usize, 0..256_usize))), 1..60),
        ) {
            let keys = MeshKeys::derive("test");
            let signatures = [[7; SIGNATURE_LEN], { let mut other = [7; SIGNATURE_LEN]; other[63] = 8; other }];
            let trains = [train(&keys, len, 0), train(&keys, len, 1)];
            let mut trees = Trees::new();
            for (index, which, lie) in frames {
                let (leaves, paths, root) = &trains[usize::from(which)];
                let index = index % len;
                let (mut leaf, mut path) = (leaves[index], paths[index].clone());
                if let Some((part, bit)) = lie {
                    let of = path.get_mut(part).unwrap_or(&mut leaf.0);
                    of[bit / 8] ^= 1 << (bit % 8);
                }
                let climb = Climb { leaf, index, len, path: &path };
                let train = Train { origin: ORIGIN, signature: &signatures[usize::from(which)] };
                let expected = root_of(&keys, leaf, index, len, &path) == *root;
                prop_assert_eq!(expected, lie.is_none());
                prop_assert_eq!(holds(&mut trees, &keys, &train, &climb, *root), expected);
            }
        }
    }

    #[test]
    fn the_third_frame_of_a_train_meets_what_the_second_proved() {
        let keys = MeshKeys::derive("test");
        let (leaves, paths, root) = train(&keys, 64, 0);
        let (mut trees, signature) = (Trees::new(), [7; SIGNATURE_LEN]);
        let train = Train { origin: ORIGIN, signature: &signature };
        let climb = |index: usize| Climb { leaf: leaves[index], index, len: 64, path: &paths[index] };
        assert!(trees.climb(&keys, &train, &climb(5)).is_some());
        assert!(holds(&mut trees, &keys, &train, &climb(5), root));
        for index in 0..64 {
            assert!(trees.climb(&keys, &train, &climb(index)).is_none(), "frame {index}");
        }
        // Of another origin, of another length, or after a new directory, nothing is proven.
        let other = Train { origin: OriginIndex(4), ..train };
        assert!(trees.climb(&keys, &other, &climb(6)).is_some());
        assert!(trees.climb(&keys, &train, &Climb { len: 63, ..climb(6) }).is_some());
        trees.forget();
        assert!(trees.climb(&keys, &train, &climb(6)).is_some());
    }
}

//! A frame of a train proves itself at its own place, and nothing else proves itself anywhere.

use octick_crypto::train::{ABSENT, TRAIN_MAX, Tree, depth, message, root_of};
use octick_crypto::{Hash, Identity, Item, MeshKeys, SIGNATURE_LEN, verify_many};
use proptest::prelude::*;

/// One train, signed.
struct Train {
    identity: Identity,
    keys: MeshKeys,
    frames: Vec<Vec<u8>>,
    tree: Tree,
    signature: [u8; SIGNATURE_LEN],
}

/// What one frame carries besides its bytes.
#[derive(Clone)]
struct Proof {
    index: usize,
    len: usize,
    path: Vec<[u8; 32]>,
}

impl Train {
    fn new(len: usize) -> Self {
        let (identity, keys) = (Identity::from_seed(&[1; 32]), MeshKeys::derive("here"));
        let frames: Vec<Vec<u8>> = (0..len).map(|i| format!("frame {i} of {len}").into_bytes()).collect();
        let leaves: Vec<Hash> = frames.iter().map(|frame| keys.leaf(frame)).collect();
        let tree = Tree::build(&keys, &leaves);
        let signature = identity.sign(&message(len, &tree.root()));
        Self { identity, keys, frames, tree, signature }
    }

    fn proof(&self, index: usize) -> Proof {
        Proof { index, len: self.frames.len(), path: self.tree.path(index).map(|hash| hash.0).collect() }
    }

    /// Whether a receiver in the mesh of `keys` believes `frame`.
    fn convinces(&self, keys: &MeshKeys, frame: &[u8], proof: &Proof) -> bool {
        let root = root_of(keys, keys.leaf(frame), proof.index, proof.len, &proof.path);
        let message = message(proof.len, &root);
        let mut verdict = [false];
        let item = Item { key: self.identity.public(), message: &message, signature: &self.signature };
        verify_many(&[item], &mut verdict);
        verdict[0]
    }

    fn holds(&self, frame: &[u8], proof: &Proof) -> bool {
        self.convinces(&self.keys, frame, proof)
    }
}

#[test]
fn each_frame_holds_at_its_own_place_and_no_other() {
    for len in [1, 2, 3, 5, 8] {
        let train = Train::new(len);
        for (i, frame) in train.frames.iter().enumerate() {
            for place in 0..len.next_power_of_two() {
                let proof = Proof { index: place, ..train.proof(i) };
                assert_eq!(train.holds(frame, &proof), place == i, "frame {i} of {len} at {place}");
            }
        }
    }
}

#[test]
fn a_frame_does_not_hold_with_the_path_of_another() {
    let train = Train::new(6);
    for (i, frame) in train.frames.iter().enumerate() {
        for j in (0..6).filter(|j| *j != i) {
            assert!(!train.holds(frame, &train.proof(j)), "frame {i} at the place of {j}");
            assert!(!train.holds(frame, &Proof { path: train.proof(j).path, ..train.proof(i) }));
        }
    }
}

#[test]
fn the_length_of_the_train_is_signed() {
    // Trains of 5 to 8 have paths of equal length, so only the signed length tells them apart.
    let train = Train::new(5);
    for len in [6, 7, 8] {
        assert!(!train.holds(&train.frames[2], &Proof { len, ..train.proof(2) }));
    }
}

#[test]
fn swapped_siblings_do_not_hold() {
    let train = Train::new(8);
    for i in 0..8 {
        let proof = train.proof(i);
        for (low, high) in [(0, 1), (1, 2), (0, 2)] {
            let mut swapped = proof.clone();
            swapped.path.swap(low, high);
            assert!(!train.holds(&train.frames[i], &swapped), "frame {i}: levels {low} and {high}");
        }
    }
}

#[test]
fn an_inner_node_is_not_a_leaf() {
    // The classic second preimage: two leaves in a row, presented as one frame of a train half as long.
    let train = Train::new(4);
    let leaves: Vec<Hash> = train.frames.iter().map(|frame| train.keys.leaf(frame)).collect();
    let forged = [leaves[0].0, leaves[1].0].concat();
    let upper = train.proof(0).path[1..].to_vec();
    assert!(!train.holds(&forged, &Proof { index: 0, len: 2, path: upper.clone() }));
    // Not even when the length were not signed: the leaf's hash key is not the node's.
    assert_ne!(train.keys.leaf(&forged), train.keys.node(&leaves[0], &leaves[1]));
    assert_ne!(root_of(&train.keys, train.keys.leaf(&forged), 0, 2, &upper), train.tree.root());
}

#[test]
fn a_shorter_or_taller_tree_over_the_same_root_does_not_hold() {
    let train = Train::new(4);
    let root_as_frame = train.tree.root().0;
    assert!(!train.holds(&root_as_frame, &Proof { index: 0, len: 1, path: vec![] }));
    let mut taller = train.proof(0);
    taller.path.insert(0, ABSENT.0);
    taller.len = 8;
    assert!(!train.holds(&train.frames[0], &taller));
}

#[test]
fn the_padding_is_nobodys_frame() {
    let train = Train::new(5);
    for index in 5..8 {
        let path: Vec<[u8; 32]> = train.tree.path(index).map(|hash| hash.0).collect();
        assert_eq!(
            root_of(&train.keys, ABSENT, index, 5, &path),
            train.tree.root(),
            "the path itself is right"
        );
        for frame in [&[0][..], &ABSENT.0] {
            assert!(!train.holds(frame, &Proof { index, len: 5, path: path.clone() }));
        }
    }
}

#[test]
fn a_train_of_another_mesh_does_not_hold() {
    let (train, there) = (Train::new(3), MeshKeys::derive("there"));
    for (i, frame) in train.frames.iter().enumerate() {
        assert!(train.holds(frame, &train.proof(i)));
        assert!(!train.convinces(&there, frame, &train.proof(i)));
    }
}

#[test]
fn the_path_grows_with_the_logarithm_of_the_train() {
    for len in 1..=TRAIN_MAX {
        let expected = (0..).find(|d| 1 << d >= len).unwrap();
        assert_eq!(depth(len), expected, "{len}");
        assert_eq!(Train::new(len).proof(len - 1).path.len(), expected, "{len}");
    }
}

#[test]
#[should_panic(expected = "path length follows")]
fn a_path_of_the_wrong_length_is_a_bug() {
    let keys = MeshKeys::derive("here");
    root_of(&keys, keys.leaf(b"frame"), 0, 2, &[]);
}

#[test]
#[should_panic(expected = "1 to 64 frames")]
fn a_train_of_nothing_is_a_bug() {
    Tree::build(&MeshKeys::derive("here"), &[]);
}

#[test]
#[should_panic(expected = "1 to 64 frames")]
fn a_train_too_long_is_a_bug() {
    Tree::build(&MeshKeys::derive("here"), &[ABSENT; TRAIN_MAX + 1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_wrong_bit_anywhere_spoils_the_proof(
        len in 2..=TRAIN_MAX,
        which in any::<prop::sample::Index>(),
        level in any::<prop::sample::Index>(),
        bit in 0_usize..256,
    ) {
        let train = Train::new(len);
        let index = which.index(len);
        let honest = train.proof(index);
        prop_assert!(train.holds(&train.frames[index], &honest));

        let mut proof = honest.clone();
        let level = level.index(proof.path.len());
        proof.path[level][bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!train.holds(&train.frames[index], &proof));

        let mut frame = train.frames[index].clone();
        let byte = bit / 8 % frame.len();
        frame[byte] ^= 1 << (bit % 8);
        prop_assert!(!train.holds(&frame, &honest));
    }
}

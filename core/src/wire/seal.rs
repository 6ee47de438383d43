//! Puts origin, place and authentication on finished drafts: one signature for up to 64 frames.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use octick_crypto::train::{ABSENT, TRAIN_MAX, Tree, message};
use octick_crypto::{Hash, Identity, MeshKeys, NodeId, SIGNATURE_LEN};
use zerocopy::FromBytes;

use super::recipient::root_for;
use super::{Draft, Header, Kind};
use crate::limits::{FRAME_MAX, FRAME_MIN};
use crate::stamp::{Incarnation, Seq, Version};

/// What all frames of a train have in common.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The origin's incarnation.
    pub incarnation: Incarnation,
    /// Number of the train's first frame; the others follow.
    pub first_seq: Seq,
    /// The version that the entries' ages count back from.
    pub version: Version,
}

/// Collects frames into a train and seals them. All memory is taken at construction.
///
/// Frames lie at a stride of [`FRAME_MAX`]; their length is known when the train is sealed, because the path's
/// length follows from the number of frames.
pub struct Sealer {
    buffers: Box<[[u8; FRAME_MAX]]>,
    /// Length of each draft's signed part, then of each sealed frame.
    lens: Vec<usize>,
    /// Hash of each signed part; empty until the train is sealed.
    leaves: Vec<Hash>,
    /// Whom the one control frame is for, if it names somebody.
    recipient: Option<NodeId>,
}

impl Default for Sealer {
    fn default() -> Self {
        Self::new()
    }
}

impl Sealer {
    /// An empty train: 78,848 bytes of buffers.
    pub fn new() -> Self {
        Self {
            buffers: vec![[0; FRAME_MAX]; TRAIN_MAX].into_boxed_slice(),
            lens: Vec::with_capacity(TRAIN_MAX),
            leaves: Vec::with_capacity(TRAIN_MAX),
            recipient: None,
        }
    }

    /// Whether another frame would not fit.
    pub fn is_full(&self) -> bool {
        self.lens.len() == TRAIN_MAX
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.lens.len()
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.lens.is_empty()
    }

    /// Forgets all frames.
    pub fn clear(&mut self) {
        self.lens.clear();
        self.leaves.clear();
        self.recipient = None;
    }

    /// Adds one frame of `kind`, whose entries `fill` writes.
    ///
    /// # Panics
    /// When the train is full or sealed, or `fill` adds no entry.
    pub fn frame(&mut self, kind: Kind, fill: impl FnOnce(&mut Draft<'_>)) {
        assert!(!self.is_full(), "a train has at most {TRAIN_MAX} frames");
        assert!(self.leaves.is_empty(), "a sealed train is cleared before the next begins");
        let mut draft = Draft::begin(&mut self.buffers[self.lens.len()], kind);
        fill(&mut draft);
        self.recipient = self.recipient.or(draft.recipient());
        self.lens.push(draft.finish());
    }

    /// Stamps and signs all frames; afterwards [`Sealer::frames`] yields them. About 50,000 ticks for the
    /// signature and 500 a frame for its hash.
    ///
    /// # Panics
    /// When there is no frame, the train is sealed already, the stamp's version does not carry the identity's tag, the
    /// numbers run past [`Seq::MAX`], or a control frame with a recipient is not alone.
    pub fn seal(&mut self, identity: &Identity, keys: &MeshKeys, stamp: &Stamp) {
        assert!(stamp.version.is_of(identity.id()), "a version carries its origin's tag");
        assert!(self.leaves.is_empty(), "a train is sealed once");
        let count = self.lens.len();
        assert!(count > 0, "a train has a frame");
        assert!(
            stamp.first_seq.0.saturating_add(count as u64) <= Seq::MAX.0 + 1,
            "an incarnation has 2^48 - 1 frames"
        );
        assert!(self.recipient.is_none() || count == 1, "what is for one node is a train by itself");
        let mut parts = [&[][..]; TRAIN_MAX];
        for (index, (buffer, len)) in self.buffers.iter_mut().zip(&self.lens).enumerate() {
            let (header, _) = Header::mut_from_prefix(buffer).expect("a buffer holds a header");
            header.origin = identity.id().0;
            header.incarnation.set(stamp.incarnation.0);
            header.set_place(Seq(stamp.first_seq.0 + index as u64), index, count);
            header.version.set(stamp.version.0);
            parts[index] = &buffer[..*len];
        }
        self.leaves.resize(count, ABSENT);
        keys.leaves(&parts[..count], &mut self.leaves);
        assert!(self.leaves.iter().all(|leaf| *leaf != ABSENT), "a frame without a leaf would go unsigned");
        let tree = Tree::build(keys, &self.leaves);
        let signature = identity.sign(&message(count, &root_for(keys, tree.root(), self.recipient)));
        for (index, (buffer, len)) in self.buffers.iter_mut().zip(&mut self.lens).enumerate() {
            buffer[*len..][..SIGNATURE_LEN].copy_from_slice(&signature);
            *len += SIGNATURE_LEN;
            for sibling in tree.path(index) {
                buffer[*len..][..32].copy_from_slice(&sibling.0);
                *len += 32;
            }
            assert!(*len <= FRAME_MAX && *len >= FRAME_MIN, "a frame of {len} bytes");
        }
    }

    /// The sealed frames, in the order of the train.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = &[u8]> + '_ {
        self.buffers.iter().zip(&self.lens).map(|(buffer, len)| &buffer[..*len])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Block8, Entries, Frame};
    use octick_crypto::train::{MESSAGE_LEN, root_of};
    use octick_crypto::{Item, verify_many};

    #[test]
    fn every_frame_of_a_train_parses_and_proves_itself() {
        let identity = Identity::from_seed(&[1; 32]);
        let keys = MeshKeys::derive("test");
        for count in [1, 2, 3, 8, 64] {
            let mut train = Sealer::new();
            for i in 0..count {
                train.frame(Kind::Block8, |draft| {
                    for j in 0..13 {
                        draft.block8(&Block8::new(i * 13 + j, 0xFF, 0, [j.into(); 8])).unwrap();
                    }
                });
            }
            let version = Version::new(1_000_000_000_000, identity.id());
            let stamp = Stamp { incarnation: Incarnation(1), first_seq: Seq(10), version };
            train.seal(&identity, &keys, &stamp);
            for (i, bytes) in train.frames().enumerate() {
                let frame = Frame::parse(bytes).unwrap();
                let header = frame.header();
                assert_eq!(header.seq(), Seq(10 + i as u64));
                assert_eq!((header.train_index(), header.train_len()), (i, count as usize));
                assert!(matches!(frame.entries(), Entries::Block8(blocks) if blocks.len() == 13));
                let leaf = keys.leaf(frame.signed_part());
                let root = root_of(&keys, leaf, i, count as usize, frame.path());
                let message: [u8; MESSAGE_LEN] = message(count as usize, &root);
                let mut verdict = [false];
                let item = Item { key: identity.public(), message: &message, signature: frame.signature() };
                verify_many(&[item], &mut verdict);
                assert!(verdict[0], "frame {i} of {count}");
            }
        }
    }
}

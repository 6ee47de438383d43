//! Whose frames are they really? Leaves, paths and roots, then the signatures that are still needed.
//!
//! In come frames that are new as far as the windows know; out comes a bit for each that proved itself. A train's
//! root that was verified before, with the very same signature, costs hashing only; a different signature over a
//! known root is checked like any other, so that no relay can swap it for one that later nodes refuse.

use alloc::boxed::Box;
use alloc::vec;

use octick_crypto::lanes::Settings;
use octick_crypto::train::{ABSENT, Climb, MESSAGE_LEN, message, roots_of};
use octick_crypto::{Hash, Item, MeshKeys, SIGNATURE_LEN, Verifier as Signatures};

use super::batch::Batch;
use super::directory::Directory;
use crate::counters::{Counter, Counters};
use crate::limits::BATCH_MAX;
use crate::reject::Reject;
use crate::stamp::OriginIndex;

/// Verified roots remembered: trains of some seconds, 112 bytes each.
const ROOTS: usize = 1 << 12;

/// Checks batches of frames, and remembers the roots that held.
pub struct Verifier {
    keys: MeshKeys,
    /// Made when first needed, unless it was given: making one runs the kernel.
    signatures: Option<Signatures>,
    known: Box<[Option<Root>]>,
    pending: Box<[Pending; BATCH_MAX]>,
    verdicts: [bool; BATCH_MAX],
}

/// What one signature covers: a train of one origin.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Root {
    hash: Hash,
    origin: OriginIndex,
    len: u8,
    signature: [u8; SIGNATURE_LEN],
}

/// A root to be verified in this batch, and the frames that hang on it.
#[derive(Clone, Copy)]
struct Pending {
    root: Root,
    message: [u8; MESSAGE_LEN],
    frames: u64,
}

impl Verifier {
    /// A verifier for the mesh that `keys` stand for, which knows no roots, and checks signatures as the
    /// default settings say, unless told otherwise.
    pub fn new(keys: MeshKeys) -> Self {
        let nothing =
            Root { hash: Hash([0; 32]), origin: OriginIndex(0), len: 0, signature: [0; SIGNATURE_LEN] };
        let pending = Pending { root: nothing, message: [0; MESSAGE_LEN], frames: 0 };
        Self {
            keys,
            signatures: None,
            known: vec![None; ROOTS].into_boxed_slice(),
            pending: Box::new([pending; BATCH_MAX]),
            verdicts: [false; BATCH_MAX],
        }
    }

    /// Forgets every verified root: origins may have moved in the directory.
    pub fn forget(&mut self) {
        self.known.fill(None);
    }

    /// What decides signatures, once it was needed: its kernel, its tables, and whether it had to be replaced.
    pub fn signatures(&self) -> Option<&Signatures> {
        self.signatures.as_ref()
    }

    /// Lets `signatures` decide from now on.
    pub fn set_signatures(&mut self, signatures: Signatures) {
        self.signatures = Some(signatures);
    }

    /// Works for some 30 microseconds on what makes later checks faster. False when there is nothing to do.
    pub fn build_step(&mut self) -> bool {
        self.signatures.as_mut().is_some_and(Signatures::build_step)
    }

    /// Drops from `batch` every live frame whose signature does not hold. Returns a bit for each frame that made a
    /// signature be checked, the first of its train; and for each frame without cells, since no window stops its being
    /// sent again and again, only its price.
    pub fn check(&mut self, batch: &mut Batch<'_>, directory: &Directory, counters: &Counters) -> u64 {
        let (waiting, checked) = self.gather(batch, counters);
        if waiting == 0 {
            return checked;
        }
        self.decide(waiting, directory, counters);
        counters.add(Counter::Signatures, waiting as u64);
        for (pending, holds) in self.pending[..waiting].iter().zip(&self.verdicts) {
            if *holds {
                self.known[place(&pending.root.hash)] = Some(pending.root);
            } else {
                batch.drop_all(pending.frames, |_| counters.reject(Reject::BadSignature));
            }
        }
        checked
    }

    /// Computes each live frame's root; returns how many roots need their signature checked, and the frames that
    /// stand for a check.
    fn gather(&mut self, batch: &Batch<'_>, counters: &Counters) -> (usize, u64) {
        let roots = self.roots(batch);
        let (mut waiting, mut checked_frames) = (0, 0);
        for ((i, checked), hash) in batch.live().zip(roots) {
            let (frame, len) = (checked.frame, checked.frame.header().train_len());
            let root = Root { hash, origin: checked.origin, len: len as u8, signature: *frame.signature() };
            if self.known[place(&root.hash)].as_ref() == Some(&root) {
                counters.add(Counter::RootsKnown, 1);
                checked_frames |= u64::from(!frame.kind().is_data()) << i;
                continue;
            }
            // Trains arrive together, so the last pending root is nearly always the one.
            match self.pending[..waiting].iter_mut().rev().find(|pending| pending.root == root) {
                Some(pending) => pending.frames |= 1 << i,
                None => {
                    let message = message(len, &root.hash);
                    self.pending[waiting] = Pending { root, message, frames: 1 << i };
                    waiting += 1;
                    checked_frames |= 1 << i;
                }
            }
        }
        (waiting, checked_frames)
    }

    /// The root that each live frame claims, in order: leaves side by side in lanes, then the trees level by level.
    fn roots(&self, batch: &Batch<'_>) -> [Hash; BATCH_MAX] {
        let mut parts = [&[][..]; BATCH_MAX];
        let mut count = 0;
        for (_, checked) in batch.live() {
            parts[count] = checked.frame.signed_part();
            count += 1;
        }
        let mut leaves = [ABSENT; BATCH_MAX];
        self.keys.leaves(&parts[..count], &mut leaves[..count]);
        let mut climbs = [Climb { leaf: ABSENT, index: 0, len: 1, path: &[] }; BATCH_MAX];
        for ((climb, leaf), (_, checked)) in climbs.iter_mut().zip(leaves).zip(batch.live()) {
            let header = checked.frame.header();
            let (index, len) = (header.train_index(), header.train_len());
            *climb = Climb { leaf, index, len, path: checked.frame.path() };
        }
        let mut roots = [ABSENT; BATCH_MAX];
        roots_of(&self.keys, &climbs[..count], &mut roots[..count]);
        roots
    }

    fn decide(&mut self, waiting: usize, directory: &Directory, counters: &Counters) {
        let pending = &self.pending;
        let items: [Item<'_>; BATCH_MAX] = core::array::from_fn(|i| {
            let pending = &pending[if i < waiting { i } else { 0 }];
            Item {
                key: &directory.origin(pending.root.origin).key,
                message: &pending.message,
                signature: &pending.root.signature,
            }
        });
        let signatures = self.signatures.get_or_insert_with(|| Signatures::new(Settings::default()));
        let sound = signatures.failure().is_none();
        signatures.verify(&items[..waiting], &mut self.verdicts[..waiting]);
        if sound && signatures.failure().is_some() {
            counters.add(Counter::VerifyDisabled, 1);
        }
    }
}

/// Where a root is remembered. Whoever grinds two roots into one place only makes their own trains dearer.
fn place(root: &Hash) -> usize {
    usize::from(u16::from_le_bytes([root.0[0], root.0[1]])) % ROOTS
}

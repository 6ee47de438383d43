//! Whose frames are they really? Leaves, paths and roots, then the signatures that are still needed.
//!
//! In come frames that are new as far as the windows know; out comes a bit for each that proved itself. A train's
//! root that was verified before, with the very same signature, costs hashing only; a different signature over a
//! known root is checked like any other, so that no relay can swap it for one that later nodes refuse. A frame that comes by
//! itself climbs no further than to what others of its train have proven (`proven`).

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use octick_crypto::lanes::Settings;
use octick_crypto::train::{ABSENT, Climb, MESSAGE_LEN, message, root_of, roots_of};
use octick_crypto::{Hash, Item, MeshKeys, NodeId, SIGNATURE_LEN, Verifier as Signatures};

use super::batch::{Batch, Checked, bits};
use super::directory::Directory;
use super::proven::{Train, Trees};
use crate::counters::{Counter, Counters};
use crate::limits::{BATCH_MAX, ROOTS_MAX, WAVE_MAX, WAVE_ROOTS_MAX};
use crate::reject::Reject;
use crate::stamp::OriginIndex;
use crate::wire::recipient::root_for;
use crate::wire::{Frame, Kind};

/// Checks waves of frames, and remembers the roots that held. All memory is taken at construction, some 900 KB.
pub struct Verifier {
    keys: MeshKeys,
    /// Whom control frames with a recipient are for, if they are for this node.
    me: NodeId,
    /// Made when first needed, unless it was given: making one runs the kernel.
    signatures: Option<Signatures>,
    known: Box<[Option<Root>]>,
    /// What frames that came by themselves have proven of their trains.
    trees: Trees,
    /// Roots of this wave that are not known, each once.
    pending: Vec<Root>,
    index: Index,
    verdicts: Box<[bool; WAVE_ROOTS_MAX]>,
    /// Which of the pending roots each frame hangs on, or [`KNOWN`].
    hangs_on: Box<[[u16; BATCH_MAX]; WAVE_MAX]>,
}

/// Of a frame whose root was verified before.
const KNOWN: u16 = u16::MAX;

/// What one signature covers: a train of one origin.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Root {
    hash: Hash,
    origin: OriginIndex,
    len: u8,
    signature: [u8; SIGNATURE_LEN],
}

impl Verifier {
    /// A verifier for the mesh that `keys` stand for, which knows no roots, and checks signatures as the
    /// default settings say, unless told otherwise.
    pub fn new(keys: MeshKeys) -> Self {
        Self {
            keys,
            me: NodeId([0; 16]),
            signatures: None,
            known: vec![None; ROOTS_MAX].into_boxed_slice(),
            trees: Trees::new(),
            pending: Vec::with_capacity(WAVE_ROOTS_MAX),
            index: Index::new(),
            verdicts: Box::new([false; WAVE_ROOTS_MAX]),
            hangs_on: Box::new([[KNOWN; BATCH_MAX]; WAVE_MAX]),
        }
    }

    /// The same, for the control frames that are for node `me`.
    pub fn for_node(mut self, me: NodeId) -> Self {
        self.me = me;
        self
    }

    /// Forgets every verified root: origins may have moved in the directory.
    pub fn forget(&mut self) {
        self.known.fill(None);
        self.trees.forget();
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

    /// Drops from each of `wave` every live frame whose signature does not hold. Returns, for each batch, a bit for each
    /// frame that made a signature be checked, the first of its train; and for each frame without cells, since no
    /// window stops its being sent again and again, only its price.
    ///
    /// # Panics
    /// When there are more than [`WAVE_MAX`] batches.
    pub fn check(
        &mut self,
        wave: &mut [Batch<'_>],
        directory: &Directory,
        counters: &Counters,
    ) -> [u64; WAVE_MAX] {
        assert!(wave.len() <= WAVE_MAX, "a wave has at most {WAVE_MAX} batches");
        let mut checked = [0; WAVE_MAX];
        self.pending.clear();
        self.index.clear();
        for (b, batch) in wave.iter().enumerate() {
            checked[b] = self.gather(b, batch, counters);
        }
        if self.pending.is_empty() {
            return checked;
        }
        assert!(self.pending.len() <= WAVE_ROOTS_MAX, "{} roots in a wave", self.pending.len());
        self.decide(directory, counters);
        counters.add(Counter::Signatures, self.pending.len() as u64);
        for (root, holds) in self.pending.iter().zip(&*self.verdicts) {
            if *holds {
                self.known[place(&root.hash)] = Some(*root);
            }
        }
        for (batch, hangs_on) in wave.iter_mut().zip(&*self.hangs_on) {
            let forged = |i: &usize| hangs_on[*i] != KNOWN && !self.verdicts[usize::from(hangs_on[*i])];
            let forged = bits(batch.mask()).filter(forged).fold(0, |mask, i| mask | 1 << i);
            batch.drop_all(forged, |_| counters.reject(Reject::BadSignature));
            debug_assert!(batch.mask() & forged == 0);
        }
        checked
    }

    /// Computes the root of each live frame of batch `b`, and enters those whose signature must be checked. Returns
    /// the frames that stand for a check.
    fn gather(&mut self, b: usize, batch: &Batch<'_>, counters: &Counters) -> u64 {
        if batch.mask().is_power_of_two() {
            // A frame by itself: nothing is shared, and the memory for sharing need not be touched.
            let (i, checked) = batch.live().next().expect("one bit is set");
            return u64::from(self.enter_alone(b, i, checked, counters)) << i;
        }
        let roots = self.roots(batch);
        batch.live().zip(roots).fold(0, |checked_frames, ((i, checked), hash)| {
            checked_frames | u64::from(self.enter(b, i, checked, hash, counters)) << i
        })
    }

    /// [`enter`](Self::enter) for a frame that came by itself: its path is short where other frames of its train came before.
    fn enter_alone(&mut self, b: usize, i: usize, checked: &Checked<'_>, counters: &Counters) -> bool {
        let (frame, header) = (checked.frame, checked.frame.header());
        let (index, len) = (header.train_index(), header.train_len());
        let climb = Climb { leaf: self.keys.leaf(frame.signed_part()), index, len, path: frame.path() };
        if frame.kind() == Kind::Control {
            let root = root_of(&self.keys, climb.leaf, index, len, climb.path);
            return self.enter(b, i, checked, self.root_for_me(&frame, root), counters);
        }
        let train = Train { origin: checked.origin, signature: frame.signature() };
        let Some(nodes) = self.trees.climb(&self.keys, &train, &climb) else {
            counters.add(Counter::RootsKnown, 1);
            self.hangs_on[b][i] = KNOWN;
            return !frame.kind().is_data();
        };
        let stands_for_a_check = self.enter(b, i, checked, nodes[climb.path.len()], counters);
        if self.hangs_on[b][i] == KNOWN {
            self.trees.learn(&train, &climb, &nodes[..=climb.path.len()]);
        }
        stands_for_a_check
    }

    /// Notes what frame `i` of batch `b` hangs on; whether it stands for a check.
    #[inline]
    fn enter(&mut self, b: usize, i: usize, checked: &Checked<'_>, hash: Hash, counters: &Counters) -> bool {
        let (frame, len) = (checked.frame, checked.frame.header().train_len());
        let root = Root { hash, origin: checked.origin, len: len as u8, signature: *frame.signature() };
        if self.known[place(&root.hash)].as_ref() == Some(&root) {
            counters.add(Counter::RootsKnown, 1);
            self.hangs_on[b][i] = KNOWN;
            return !frame.kind().is_data();
        }
        let (at, is_new) = self.index.enter(&root, &mut self.pending);
        debug_assert!(self.pending[usize::from(at)] == root && at != KNOWN);
        self.hangs_on[b][i] = at;
        is_new
    }

    /// The root that each live frame claims, in order: leaves side by side in lanes, then the trees level by level.
    fn roots(&self, batch: &Batch<'_>) -> [Hash; BATCH_MAX] {
        let mut parts = [&[][..]; BATCH_MAX];
        let mut count = 0;
        for (_, checked) in batch.live() {
            parts[count] = checked.frame.signed_part();
            count += 1;
        }
        debug_assert_eq!(count, batch.mask().count_ones() as usize);
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
        for (root, (_, checked)) in roots.iter_mut().zip(batch.live()) {
            if checked.frame.kind() == Kind::Control {
                *root = self.root_for_me(&checked.frame, *root);
            }
        }
        roots
    }

    /// What a control frame's origin has signed if it is for this node, or for anyone.
    fn root_for_me(&self, frame: &Frame<'_>, root: Hash) -> Hash {
        root_for(&self.keys, root, frame.recipient().is_somebody().then_some(self.me))
    }

    /// Decides all pending roots, a batch's worth at a time.
    fn decide(&mut self, directory: &Directory, counters: &Counters) {
        let signatures = self.signatures.get_or_insert_with(|| Signatures::new(Settings::default()));
        let sound = signatures.failure().is_none();
        assert!(!self.pending.is_empty() && self.pending.len() <= self.verdicts.len(), "a verdict a root");
        for (roots, verdicts) in self.pending.chunks(BATCH_MAX).zip(self.verdicts.chunks_mut(BATCH_MAX)) {
            let mut messages = [[0; MESSAGE_LEN]; BATCH_MAX];
            for (to, root) in messages.iter_mut().zip(roots) {
                *to = message(root.len.into(), &root.hash);
            }
            let items: [Item<'_>; BATCH_MAX] = core::array::from_fn(|i| {
                let i = if i < roots.len() { i } else { 0 };
                let key = &directory.origin(roots[i].origin).key;
                Item { key, message: &messages[i], signature: &roots[i].signature }
            });
            signatures.verify(&items[..roots.len()], &mut verdicts[..roots.len()]);
        }
        if sound && signatures.failure().is_some() {
            counters.add(Counter::VerifyDisabled, 1);
        }
    }
}

/// Finds a root among the pending ones: open addressing, at most half full.
struct Index {
    places: Box<[u16; 2 * WAVE_ROOTS_MAX]>,
}

impl Index {
    const FREE: u16 = u16::MAX;

    fn new() -> Self {
        Self { places: Box::new([Self::FREE; 2 * WAVE_ROOTS_MAX]) }
    }

    fn clear(&mut self) {
        self.places.fill(Self::FREE);
    }

    /// Where `root` stands among `pending`, and whether it was added just now. Trains arrive together, so the last one
    /// is nearly always the one.
    #[inline]
    fn enter(&mut self, root: &Root, pending: &mut Vec<Root>) -> (u16, bool) {
        if pending.last() == Some(root) {
            return ((pending.len() - 1) as u16, false);
        }
        // Whoever grinds hashes into one place makes at most its own wave dearer: all places together are 1,024.
        let mut at = place(&root.hash) % self.places.len();
        while self.places[at] != Self::FREE {
            if pending[usize::from(self.places[at])] == *root {
                return (self.places[at], false);
            }
            at = (at + 1) % self.places.len();
        }
        debug_assert!(pending.len() < WAVE_ROOTS_MAX, "a wave has no more frames than places");
        self.places[at] = pending.len() as u16;
        pending.push(*root);
        (self.places[at], true)
    }
}

const _: () = assert!(WAVE_ROOTS_MAX < Index::FREE as usize && ROOTS_MAX.is_multiple_of(2 * WAVE_ROOTS_MAX));

/// Where a root is remembered. Whoever grinds two roots into one place only makes their own trains dearer.
fn place(root: &Hash) -> usize {
    usize::from(u16::from_le_bytes([root.0[0], root.0[1]])) % ROOTS_MAX
}

//! Who may speak, and for which slots: an immutable snapshot of the known origins.
//!
//! In go the origins that an operator (or the control plane) knows; out come answers to two questions of the hot
//! path: at which index does this node id stand, and does that origin speak for these slots. What can never happen:
//! two live origins that speak for one slot, or an index that stands for another origin before the first was
//! [forgotten](Directory::without).
//!
//! **Finding, in words**: a hash map from id to index. Departures from it: (1) The table is a flat array of 4-byte
//! entries in pairs, at most a sixth full, each a tag of 15 bits and an index. Both entries of a pair are looked at
//! without a branch, so a stranger's id costs one line, and a member's two: the pair, and half a line with its id
//! and what it owns. (2) [`Directory::find_many`] walks a batch in three passes, each of which only prefetches what
//! the next one reads, so that a batch waits for memory about once. (3) The hash is a 64 x 64 to 128-bit
//! multiplication folded onto itself (as in wyhash and foldhash), keyed by a secret seed: it is weak as hashes
//! go, but who does not know the seed cannot aim ids at one place.
//!
//! **Changing, in words**: a new snapshot of the whole list. Departures: what a successor does not change it shares with the
//! snapshot before it (keys and runs, in chunks) or copies as plain bytes, and only runs that change are held against
//! those of others. So a change among 4,000 origins costs two to four copies of 50 to 130 KB, and no look at any other origin.
//!
//! Budget: 10 ticks an id in batches, among 10,000.

mod successor;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use octick_crypto::NodeId;

use super::roster::{self, DirectoryError, Origin};
use crate::limits::{BATCH_MAX, ORIGINS_MAX, RUNS_MAX};
use crate::prefetch::prefetch;
use crate::stamp::{OriginIndex, Slot};

/// The known origins, each at its index. Clones share one allocation; a successor keeps every [`OriginIndex`] of those that it
/// does not forget.
#[derive(Clone, Debug)]
pub struct Directory {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Keys and runs by index; nothing where an origin was forgotten.
    origins: Vec<Arc<Chunk>>,
    /// What the hot path wants to know of `origins`, close together.
    members: Box<[Member]>,
    /// Hash table, a power of two long, and never full. An entry is a tag in the high 16 bits and an index in the
    /// others, or [`EMPTY`].
    pairs: Arc<[Pair]>,
    seed: [u64; 2],
    /// The runs past the lowest of every origin, those of one origin together and rising; between them those that are no longer.
    spans: Vec<Span>,
    /// Which slots are spoken for, rising.
    held: Vec<Held>,
    /// Indices that stand for nobody.
    vacant: Vec<u32>,
}

/// Origins whose memory snapshots share until one of them changes.
const CHUNK: usize = 64;
type Chunk = [Option<Arc<Origin>>; CHUNK];

/// What becomes of the origins at some indices: nothing for those that are forgotten.
type Plan = BTreeMap<u32, Option<Origin>>;

/// One origin in half a cache line: its name, and what it owns.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
struct Member {
    id: NodeId,
    /// Its first run, inline, for most have but one. Without any: a span that holds nothing.
    lowest: Span,
    /// Where its other runs begin in `spans`.
    others: u32,
    others_len: u8,
    revoked: bool,
    vacant: bool,
}

const _: () = assert!(size_of::<Member>() == 32 && RUNS_MAX <= u8::MAX as usize);
// All runs of all origins together still have numbers, and as many that are no longer.
const _: () = assert!(2 * (ORIGINS_MAX as u64) * (RUNS_MAX as u64) <= u32::MAX as u64);

impl Member {
    /// At an index that stands for nobody.
    const VACANT: Self = Self {
        id: NodeId([0; 16]),
        lowest: Span::NONE,
        others: 0,
        others_len: 0,
        revoked: false,
        vacant: true,
    };
}

/// A run as its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u32,
    /// The last slot in it.
    last: u32,
}

/// A run, and the index of who speaks for it.
#[derive(Clone, Copy, Debug)]
struct Held {
    first: u32,
    last: u32,
    owner: u32,
}

impl Directory {
    /// A snapshot of `origins`, each at its place in the list. `seed` should be random and secret; it decides nothing but where ids
    /// fall in memory.
    ///
    /// # Errors
    /// The first rule that the list breaks; see [`DirectoryError`].
    pub fn new(origins: Vec<Origin>, seed: [u64; 2]) -> Result<Self, DirectoryError> {
        roster::check(&origins)?;
        let count = origins.len();
        let plan: Plan = (0..).zip(origins.into_iter().map(Some)).collect();
        let inner = Inner::empty(seed).after(plan)?;
        assert!(inner.members.len() == count && inner.vacant.is_empty(), "a place for each origin");
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The snapshot that follows when `changed` take the places of their namesakes, or free ones: every index of this one stays
    /// true.
    ///
    /// # Errors
    /// The first rule that the new list breaks.
    pub fn with(&self, changed: impl IntoIterator<Item = Origin>) -> Result<Self, DirectoryError> {
        let (mut plan, mut added) = (Plan::new(), BTreeMap::new());
        let places = self.inner.members.len() as u32;
        let mut free = self.inner.vacant.iter().copied().chain(places..);
        for origin in changed {
            roster::check_runs(&origin)?;
            let id = origin.key.id();
            let known = self.find(&id).map(|index| index.0).or_else(|| added.get(&id).copied());
            let place = known.unwrap_or_else(|| free.next().expect("places without end"));
            if known.is_none() {
                added.insert(id, place);
            }
            plan.insert(place, Some(origin));
        }
        let given = self.len() + added.len();
        if given > ORIGINS_MAX {
            return Err(DirectoryError::TooManyOrigins { given });
        }
        let after = Self { inner: Arc::new(self.inner.after(plan)?) };
        debug_assert!(after.keeps_indices_of(self), "every index of this one stays true");
        Ok(after)
    }

    /// The snapshot that follows when `forgotten` are known no more, and their indices free for others.
    ///
    /// # Panics
    /// When one of them is of another directory.
    pub fn without(&self, forgotten: impl IntoIterator<Item = OriginIndex>) -> Self {
        let plan: Plan = forgotten.into_iter().map(|origin| (origin.0, None)).collect();
        assert!(plan.keys().all(|place| self.inner.get(*place).is_some()), "who is forgotten was known");
        let inner = self.inner.after(plan).expect("what held without change holds with less");
        Self { inner: Arc::new(inner) }
    }

    /// Number of origins, revoked ones included.
    pub fn len(&self) -> usize {
        self.places() - self.inner.vacant.len()
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Indices that are in use, or were: each is below this number.
    pub fn places(&self) -> usize {
        self.inner.members.len()
    }

    /// Indices of `before` that do not stand for the same origin here: what was remembered by them is to be forgotten.
    pub fn replaced_since(&self, before: &Self) -> impl Iterator<Item = OriginIndex> {
        let after = self.inner.members.iter().map(Some).chain(core::iter::repeat(None));
        let both = (0..).zip(before.inner.members.iter().zip(after));
        let differ = |(before, after): (&Member, Option<&Member>)| {
            !before.vacant && after.is_none_or(|after| after.vacant || after.id != before.id)
        };
        both.filter(move |(_, both)| differ(*both)).map(|(index, _)| OriginIndex(index))
    }

    /// Whether every index of `before` stands for the same origin here.
    pub fn keeps_indices_of(&self, before: &Self) -> bool {
        self.replaced_since(before).next().is_none()
    }

    /// All origins, by rising index.
    pub fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.indexed().map(|(_, origin)| origin)
    }

    /// All origins and their indices, which rise.
    pub fn indexed(&self) -> impl Iterator<Item = (OriginIndex, &Origin)> {
        let all = self.inner.origins.iter().flat_map(|chunk| chunk.iter());
        (0..).zip(all).filter_map(|(index, origin)| Some((OriginIndex(index), &**origin.as_ref()?)))
    }

    /// The origin at an index.
    ///
    /// # Panics
    /// When the index is of another directory, past the end of this one, or stands for nobody.
    #[inline]
    pub fn origin(&self, index: OriginIndex) -> &Origin {
        self.inner.get(index.0).expect("an index of this directory")
    }

    /// Where the origin called `id` stands.
    #[inline]
    pub fn find(&self, id: &NodeId) -> Option<OriginIndex> {
        self.inner.find(id)
    }

    /// [`Directory::find`] for a batch: `found[i]` becomes where `ids[i]` stands. Calls `likely` with every origin
    /// that is about to be found (it may name one that is not), so that the caller can prefetch what it keeps of it.
    ///
    /// # Panics
    /// When the slices differ in length, or hold more than [`BATCH_MAX`].
    #[inline]
    pub fn find_many(
        &self,
        ids: &[NodeId],
        found: &mut [Option<OriginIndex>],
        mut likely: impl FnMut(OriginIndex),
    ) {
        assert!(ids.len() == found.len() && ids.len() <= BATCH_MAX, "one answer an id, one batch at most");
        let inner = &*self.inner;
        let (pairs, members) = (&*inner.pairs, &*inner.members);
        let mut hashes = [0; BATCH_MAX];
        for (hash, id) in hashes.iter_mut().zip(ids) {
            *hash = inner.hash(id);
            prefetch(&pairs[home(*hash, pairs)]);
        }
        // An index past the last member stands for none: one comparison tells all there is to tell.
        let mut nearest = [0; BATCH_MAX];
        for (index, hash) in nearest.iter_mut().zip(&hashes[..ids.len()]) {
            *index = at_home(*hash, pairs);
            if *index as usize >= members.len() {
                *index = elsewhere(*hash, pairs);
            }
            if let Some(member) = members.get(*index as usize) {
                prefetch(member);
                likely(OriginIndex(*index));
            }
        }
        for ((found, id), index) in found.iter_mut().zip(ids).zip(&nearest) {
            *found = match members.get(*index as usize) {
                Some(member) if member.id == *id => Some(OriginIndex(*index)),
                Some(_) => inner.find(id),
                None => None,
            };
        }
    }

    /// Whether the right of `origin` to speak was taken back.
    ///
    /// # Panics
    /// When there is no such origin.
    #[inline]
    pub fn is_revoked(&self, origin: OriginIndex) -> bool {
        self.inner.members[origin.0 as usize].revoked
    }

    /// Whether `origin` speaks for all slots from `first` to `last`: one of its runs holds both. Always false for a
    /// revoked origin.
    ///
    /// # Panics
    /// When there is no such origin.
    #[inline]
    pub fn owns(&self, origin: OriginIndex, first: Slot, last: Slot) -> bool {
        let member = &self.inner.members[origin.0 as usize];
        member.lowest.holds(first, last) || (member.others_len > 0 && self.owns_other(member, first, last))
    }

    #[cold]
    fn owns_other(&self, member: &Member, first: Slot, last: Slot) -> bool {
        let spans = &self.inner.spans[member.others as usize..][..member.others_len.into()];
        let after = spans.partition_point(|span| span.first <= first.0);
        after > 0 && spans[after - 1].holds(first, last)
    }
}

impl Inner {
    fn empty(seed: [u64; 2]) -> Self {
        Self {
            origins: Vec::new(),
            members: Box::new([]),
            pairs: Arc::new([[EMPTY; 2]]),
            seed,
            spans: Vec::new(),
            held: Vec::new(),
            vacant: Vec::new(),
        }
    }

    fn get(&self, place: u32) -> Option<&Origin> {
        let chunk = self.origins.get(place as usize / CHUNK)?;
        chunk[place as usize % CHUNK].as_deref()
    }

    #[inline]
    fn find(&self, id: &NodeId) -> Option<OriginIndex> {
        let hash = self.hash(id);
        matches(hash, &self.pairs).find(|origin| self.members[origin.0 as usize].id == *id)
    }

    #[inline]
    fn hash(&self, id: &NodeId) -> u64 {
        hash(self.seed, id)
    }
}

#[inline]
fn hash(seed: [u64; 2], id: &NodeId) -> u64 {
    let number = u128::from_le_bytes(id.0);
    let (low, high) = (number as u64 ^ seed[0], (number >> 64) as u64 ^ seed[1]);
    let product = u128::from(low) * u128::from(high);
    product as u64 ^ (product >> 64) as u64
}

/// Two entries side by side, looked at as one.
type Pair = [u32; 2];
/// An entry that holds no origin.
const EMPTY: u32 = 0;
/// Bits of an entry that hold an index; those above hold the tag.
const INDEX_BITS: u32 = ORIGINS_MAX.ilog2();
// An index fits below the tag, whose highest bit is set in every entry that is taken.
const _: () = assert!(ORIGINS_MAX.is_power_of_two() && INDEX_BITS < u32::BITS - 1);

/// What an entry holds besides the index: a part of the hash that does not decide its home, and a bit that no empty
/// entry has.
#[inline]
fn tag(hash: u64) -> u32 {
    ((hash >> 32) as u32 | 1 << 31) & (!0 << INDEX_BITS)
}

/// Where probing begins: by the hash's low bits, which the tag does not hold.
#[inline]
fn home(hash: u64, pairs: &[Pair]) -> usize {
    debug_assert!(pairs.len().is_power_of_two());
    hash as usize & (pairs.len() - 1)
}

/// The places to look at, each once.
fn probe(hash: u64, pairs: &[Pair]) -> impl Iterator<Item = usize> {
    let (home, len) = (home(hash, pairs), pairs.len());
    (home..len).chain(0..home)
}

/// Origins whose tag is that of `hash`, in the order of probing.
fn matches(hash: u64, pairs: &[Pair]) -> impl Iterator<Item = OriginIndex> {
    let taken = probe(hash, pairs).flat_map(|at| pairs[at]).take_while(|entry| *entry != EMPTY);
    taken.map(move |entry| entry ^ tag(hash)).filter(|index| index >> INDEX_BITS == 0).map(OriginIndex)
}

/// The index of an origin at home whose tag is that of `hash`: almost always the only one. Without any, a number
/// larger than every index: where tags differ, bits above all of an index's are left.
#[inline]
fn at_home(hash: u64, pairs: &[Pair]) -> u32 {
    // Both at once, without a branch that depends on which.
    let [one, other] = pairs[home(hash, pairs)].map(|entry| entry ^ tag(hash));
    one.min(other)
}

/// The same past its home.
#[cold]
fn elsewhere(hash: u64, pairs: &[Pair]) -> u32 {
    matches(hash, pairs).next().map_or(u32::MAX, |origin| origin.0)
}

impl Span {
    /// No slot is at or past the number u32::MAX and at or before 0.
    const NONE: Self = Self { first: u32::MAX, last: 0 };

    #[inline]
    fn holds(self, first: Slot, last: Slot) -> bool {
        self.first <= first.0 && last.0 <= self.last && first.0 <= last.0
    }
}

#[cfg(test)]
mod tests;

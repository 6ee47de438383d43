//! Who may speak, and for which slots: an immutable snapshot of the known origins.
//!
//! In go the origins that an operator (or the control plane) knows; out come answers to two questions of the hot
//! path: at which index does this node id stand, and does that origin speak for these slots. What can never happen:
//! two live origins that speak for one slot.
//!
//! **Finding, in words**: a hash map from id to index. Departures from it: (1) The table is a flat array of 4-byte
//! entries in pairs, at most a sixth full, each a tag of 15 bits and an index. Both entries of a pair are looked at
//! without a branch, so a stranger's id costs one line, and a member's two: the pair, and half a line with its id
//! and what it owns. (2) [`Directory::find_many`] walks a batch in three passes, each of which only prefetches what
//! the next one reads, so that a batch waits for memory about once. (3) The hash is a 64 x 64 to 128-bit
//! multiplication folded onto itself (as in wyhash and foldhash), keyed by a secret seed: it is weak as hashes
//! go, but who does not know the seed cannot aim ids at one place.
//!
//! Budget: 10 ticks an id in batches, among 10,000.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use octick_crypto::NodeId;

use super::roster::{self, DirectoryError, Origin};
use crate::limits::{BATCH_MAX, ORIGINS_MAX, RUNS_MAX};
use crate::prefetch::prefetch;
use crate::stamp::{OriginIndex, Slot};

/// The known origins, each at the index where it stood in the list. Clones share one allocation; a successor that
/// keeps the order (and appends) keeps every [`OriginIndex`].
#[derive(Clone, Debug)]
pub struct Directory {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    origins: Vec<Origin>,
    /// What the hot path wants to know of `origins`, close together.
    members: Box<[Member]>,
    /// Hash table, a power of two long, and never full. An entry is a tag in the high 16 bits and an index in the
    /// others, or [`EMPTY`].
    pairs: Box<[Pair]>,
    seed: [u64; 2],
    /// The runs past the lowest of every origin, those of one origin together and rising.
    spans: Box<[Span]>,
}

/// One origin in half a cache line: its name, and what it owns.
#[derive(Debug)]
#[repr(C, align(32))]
struct Member {
    id: NodeId,
    /// Its first run, inline, for most have but one. Without any: a span that holds nothing.
    lowest: Span,
    /// Where its other runs begin in `spans`.
    others: u32,
    others_len: u8,
    revoked: bool,
}

const _: () = assert!(size_of::<Member>() == 32 && RUNS_MAX <= u8::MAX as usize);
// All runs of all origins together still have numbers.
const _: () = assert!((ORIGINS_MAX as u64) * (RUNS_MAX as u64) <= u32::MAX as u64);

/// A run as its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u32,
    /// The last slot in it.
    last: u32,
}

impl Directory {
    /// A snapshot of `origins`. `seed` should be random and secret; it decides nothing but where ids fall in
    /// memory.
    ///
    /// # Errors
    /// The first rule that the list breaks; see [`DirectoryError`].
    pub fn new(origins: Vec<Origin>, seed: [u64; 2]) -> Result<Self, DirectoryError> {
        roster::check(&origins)?;
        let (members, spans) = lay_out(&origins);
        let pairs = vec![[EMPTY; 2]; (3 * origins.len()).next_power_of_two()].into_boxed_slice();
        let mut inner = Inner { origins, members, pairs, seed, spans };
        inner.fill()?;
        assert!(inner.members.len() == inner.origins.len(), "a place for each origin");
        assert!(inner.pairs.len() >= 3 * inner.origins.len(), "at most a sixth full, so that probing ends");
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The snapshot that follows when `changed` take the places of their namesakes, or the next free ones: every
    /// index of this one stays true. Costs in proportion to all origins, so changes are best taken together.
    ///
    /// # Errors
    /// The first rule that the new list breaks.
    pub fn with(&self, changed: impl IntoIterator<Item = Origin>) -> Result<Self, DirectoryError> {
        let mut origins = self.inner.origins.clone();
        let mut added = BTreeMap::new();
        for origin in changed {
            let id = origin.key.id();
            match self.find(&id).map(|index| index.0 as usize).or_else(|| added.get(&id).copied()) {
                Some(place) => origins[place] = origin,
                None => {
                    added.insert(id, origins.len());
                    origins.push(origin);
                }
            }
        }
        assert!(origins.len() == self.len() + added.len(), "every index of this one stays true");
        Self::new(origins, self.inner.seed)
    }

    /// Number of origins, revoked ones included.
    pub fn len(&self) -> usize {
        self.inner.origins.len()
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.inner.origins.is_empty()
    }

    /// All origins, each at its index.
    pub fn origins(&self) -> &[Origin] {
        &self.inner.origins
    }

    /// The origin at an index.
    ///
    /// # Panics
    /// When the index is of another directory, and past the end of this one.
    #[inline]
    pub fn origin(&self, index: OriginIndex) -> &Origin {
        &self.inner.origins[index.0 as usize]
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
    /// Enters every id into the hash table.
    fn fill(&mut self) -> Result<(), DirectoryError> {
        for (index, Member { id, .. }) in self.members.iter().enumerate() {
            if let Some(first) = self.find(id) {
                return Err(DirectoryError::SameKey { id: *id, first: first.0 as usize, second: index });
            }
            let hash = self.hash(id);
            let free = probe(hash, &self.pairs).find_map(|at| {
                let side = self.pairs[at].iter().position(|entry| *entry == EMPTY)?;
                Some((at, side))
            });
            let (at, side) = free.expect("the table is never full");
            debug_assert!(
                index >> INDEX_BITS == 0 && tag(hash) != EMPTY,
                "origin {index} would read as none"
            );
            self.pairs[at][side] = tag(hash) | index as u32;
        }
        Ok(())
    }

    #[inline]
    fn find(&self, id: &NodeId) -> Option<OriginIndex> {
        let hash = self.hash(id);
        matches(hash, &self.pairs).find(|origin| self.members[origin.0 as usize].id == *id)
    }

    #[inline]
    fn hash(&self, id: &NodeId) -> u64 {
        let number = u128::from_le_bytes(id.0);
        let (low, high) = (number as u64 ^ self.seed[0], (number >> 64) as u64 ^ self.seed[1]);
        let product = u128::from(low) * u128::from(high);
        product as u64 ^ (product >> 64) as u64
    }
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
    #[inline]
    fn holds(self, first: Slot, last: Slot) -> bool {
        self.first <= first.0 && last.0 <= self.last && first.0 <= last.0
    }
}

/// Every origin as the hot path sees it, and the runs past the first of each.
fn lay_out(origins: &[Origin]) -> (Box<[Member]>, Box<[Span]>) {
    let mut spans = Vec::new();
    let members = origins.iter().map(|origin| {
        let live = if origin.revoked { &[][..] } else { &origin.runs[..] };
        let mut rising: Vec<Span> =
            live.iter().map(|run| Span { first: run.first.0, last: run.last() }).collect();
        rising.sort_by_key(|span| span.first);
        assert!(rising.is_sorted_by(|a, b| a.last < b.first), "runs of one origin overlap: {rising:?}");
        // No slot is at or past the number u32::MAX and at or before 0.
        let lowest = rising.first().copied().unwrap_or(Span { first: u32::MAX, last: 0 });
        let (others, runs) = (spans.len(), rising.len());
        spans.extend(rising.into_iter().skip(1));
        assert!(
            spans.len() - others == runs.saturating_sub(1) && runs <= RUNS_MAX,
            "{runs} runs of one origin"
        );
        Member {
            id: origin.key.id(),
            lowest,
            others: others as u32,
            others_len: (spans.len() - others) as u8,
            revoked: origin.revoked,
        }
    });
    (members.collect(), spans.into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Identity, PublicKey};
    use crate::data::Run;
    use crate::limits::SLOTS_MAX;
    use proptest::prelude::*;
    use std::string::ToString;
    use std::sync::OnceLock;

    /// A hundred admitted keys.
    fn keys() -> &'static [PublicKey] {
        static KEYS: OnceLock<Vec<PublicKey>> = OnceLock::new();
        KEYS.get_or_init(|| (0..100).map(|i| Identity::from_seed(&[i; 32]).public().clone()).collect())
    }

    fn origin(key: usize, runs: &[(u32, u32)]) -> Origin {
        let runs = runs.iter().map(|&(first, len)| Run { first: Slot(first), len }).collect();
        Origin { key: keys()[key].clone(), runs, revoked: false }
    }

    fn directory(origins: Vec<Origin>) -> Result<Directory, DirectoryError> {
        Directory::new(origins, [3, 5])
    }

    fn refused(origins: Vec<Origin>) -> DirectoryError {
        directory(origins).expect_err("the list breaks a rule")
    }

    #[test]
    fn members_are_found_alone_and_in_batches_and_strangers_are_not() {
        for seed in [[0, 0], [1, 2], [u64::MAX, 0x9E37_79B9_7F4A_7C15]] {
            let members = Directory::new((0..80).map(|key| origin(key, &[])).collect(), seed).unwrap();
            let ids: Vec<NodeId> = keys().iter().map(PublicKey::id).collect();
            let expected = |key: usize| (key < 80).then_some(OriginIndex(key as u32));
            for (key, id) in ids.iter().enumerate() {
                assert_eq!(members.find(id), expected(key));
            }
            for from in [0, 36] {
                let mut found = [None; BATCH_MAX];
                let mut likely = Vec::new();
                members.find_many(&ids[from..from + BATCH_MAX], &mut found, |origin| likely.push(origin));
                for (i, found) in found.into_iter().enumerate() {
                    assert_eq!(found, expected(from + i));
                    assert!(found.is_none_or(|origin| likely.contains(&origin)));
                }
            }
        }
    }

    #[test]
    fn a_successor_keeps_every_index_and_takes_what_changed() {
        let before = directory(alloc::vec![origin(0, &[(0, 16)]), origin(1, &[(16, 16)])]).unwrap();
        let changed = [origin(2, &[(0, 16)]), origin(0, &[(32, 16)]), origin(2, &[(0, 32)])];
        let gone = Origin { revoked: true, ..origin(1, &[(16, 16)]) };
        let after = before.with(changed.into_iter().chain([gone])).unwrap();
        assert_eq!(after.len(), 3);
        for key in 0..3 {
            assert_eq!(after.find(&keys()[key].id()), Some(OriginIndex(key as u32)));
        }
        assert!(after.owns(OriginIndex(2), Slot(0), Slot(31)), "the last word on an origin counts");
        assert!(after.owns(OriginIndex(0), Slot(32), Slot(47)) && after.is_revoked(OriginIndex(1)));
        let overlap = after.with([origin(3, &[(0, 16)])]);
        assert!(matches!(overlap, Err(DirectoryError::Overlap { .. })), "{overlap:?}");
    }

    #[test]
    fn nobody_is_found_in_an_empty_directory() {
        let empty = directory(Vec::new()).unwrap();
        assert!(empty.is_empty());
        assert_eq!(empty.find(&keys()[0].id()), None);
    }

    /// Two ids whose whole hashes are equal: the tag cannot tell them apart, the id must.
    #[test]
    fn ids_with_one_hash_stay_apart() {
        let (id, seed) = (keys()[0].id(), [7, 11]);
        let number = u128::from_le_bytes(id.0);
        // The hash multiplies the two seeded halves, so swapping those leaves it as it is.
        let (low, high) = (number as u64 ^ seed[0], (number >> 64) as u64 ^ seed[1]);
        let twin = NodeId((u128::from(high ^ seed[0]) | u128::from(low ^ seed[1]) << 64).to_le_bytes());
        let members = Directory::new(vec![origin(0, &[])], seed).unwrap();
        assert_eq!(members.inner.hash(&id), members.inner.hash(&twin));
        let mut found = [None; 2];
        members.find_many(&[twin, id], &mut found, |_| ());
        assert_eq!((members.find(&twin), found), (None, [None, Some(OriginIndex(0))]));
    }

    #[test]
    fn a_revoked_origin_is_found_and_owns_nothing() {
        let revoked = Origin { revoked: true, ..origin(0, &[(0, 64)]) };
        let heir = origin(1, &[(32, 64)]);
        let members = directory(vec![revoked, heir]).unwrap();
        let (revoked, heir) = (OriginIndex(0), OriginIndex(1));
        assert_eq!(members.find(&keys()[0].id()), Some(revoked));
        assert!(members.is_revoked(revoked) && !members.is_revoked(heir));
        assert!(!members.owns(revoked, Slot(0), Slot(1)));
        assert!(members.owns(heir, Slot(32), Slot(95)));
        assert!(!members.owns(heir, Slot(31), Slot(95)));
    }

    #[test]
    fn neighbouring_runs_of_one_origin_do_not_join() {
        let members = directory(vec![origin(0, &[(64, 16), (48, 16)])]).unwrap();
        assert!(members.owns(OriginIndex(0), Slot(48), Slot(63)));
        assert!(members.owns(OriginIndex(0), Slot(64), Slot(79)));
        assert!(!members.owns(OriginIndex(0), Slot(63), Slot(64)));
    }

    #[test]
    fn each_broken_rule_names_its_operands() {
        let (a, b) = (keys()[0].id(), keys()[1].id());
        let run = |first, len| Run { first: Slot(first), len };
        let many: Vec<(u32, u32)> = (0..65).map(|i| (i * 16, 16)).collect();
        let cases = [
            (vec![origin(0, &many)], DirectoryError::TooManyRuns { id: a, given: 65 }),
            (vec![origin(0, &[(16, 0)])], DirectoryError::EmptyRun { id: a, run: run(16, 0) }),
            (vec![origin(0, &[(8, 16)])], DirectoryError::UnalignedRun { id: a, run: run(8, 16) }),
            (vec![origin(0, &[(16, 24)])], DirectoryError::UnalignedRun { id: a, run: run(16, 24) }),
            (
                vec![origin(0, &[(SLOTS_MAX - 16, 32)])],
                DirectoryError::PastTheEnd { id: a, run: run(SLOTS_MAX - 16, 32) },
            ),
            (vec![origin(0, &[(!15, !15)])], DirectoryError::PastTheEnd { id: a, run: run(!15, !15) }),
            (
                vec![origin(0, &[(64, 16)]), origin(1, &[(0, 80)])],
                DirectoryError::Overlap { id: b, run: run(0, 80), other: a, other_run: run(64, 16) },
            ),
            (
                vec![origin(0, &[]), origin(1, &[]), origin(0, &[])],
                DirectoryError::SameKey { id: a, first: 0, second: 2 },
            ),
        ];
        for (list, error) in cases {
            assert_eq!(refused(list), error, "{error}");
        }
        let crowd = vec![origin(0, &[]); ORIGINS_MAX + 1];
        assert_eq!(refused(crowd).to_string(), "65537 origins, where at most 65536 fit");
    }

    proptest! {
        /// The dull twin asks every run of every live origin.
        #[test]
        fn ownership_equals_the_dull_twin(
            lens in prop::collection::vec((0..6_u32, 0..3_u32, 0..4_usize), 1..40),
            asks in prop::collection::vec((0..4_u32, 0..800_u32, 0..40_u32), 100),
        ) {
            let mut origins: Vec<Origin> = (0..4).map(|key| origin(key, &[])).collect();
            let mut at = 0;
            for (len, gap, owner) in lens {
                if len > 0 {
                    origins[owner].runs.push(Run { first: Slot(at * 16), len: len * 16 });
                }
                at += len + gap;
            }
            origins[3].revoked = true;
            origins[0].runs.reverse();
            let members = directory(origins.clone()).unwrap();
            for (owner, first, more) in asks {
                let last = first + more;
                let expected = owner != 3 && origins[owner as usize].runs.iter().any(|run| {
                    (first..=last).all(|slot| (run.first.0..run.first.0 + run.len).contains(&slot))
                });
                prop_assert_eq!(members.owns(OriginIndex(owner), Slot(first), Slot(last)), expected);
            }
        }
    }
}

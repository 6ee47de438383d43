//! The snapshot that follows: what changes is laid out and checked, everything else is shared or copied as it is.
//!
//! In comes a plan, an origin or nothing for each index that changes; out comes a snapshot, or the rule that it would break, and
//! then nothing has happened.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::{CHUNK, EMPTY, Held, INDEX_BITS, Inner, Member, Pair, Plan, Span, hash, matches, probe, tag};
use crate::data::roster::{DirectoryError, Origin};
use crate::limits::RUNS_MAX;
use crate::stamp::{Run, Slot};

impl Inner {
    /// What follows when `plan` becomes of the origins at its indices.
    pub(super) fn after(&self, plan: Plan) -> Result<Self, DirectoryError> {
        let places = plan.keys().next_back().map_or(0, |last| *last as usize + 1).max(self.members.len());
        let mut members = Vec::with_capacity(places);
        members.extend_from_slice(&self.members);
        members.resize(places, Member::VACANT);
        let mut spans = self.spans.clone();
        for (place, origin) in &plan {
            members[*place as usize] =
                origin.as_ref().map_or(Member::VACANT, |origin| lay_out(origin, &mut spans));
        }
        assert!(places >= self.members.len() && members.len() == places, "{places} places");
        let held = self.held_after(&plan, &members)?;
        let mut origins = self.origins.clone();
        origins.resize_with(places.div_ceil(CHUNK), || Arc::new([const { None }; CHUNK]));
        let (mut added, mut forgets) = (Vec::new(), false);
        for (place, origin) in plan {
            let at = &mut Arc::make_mut(&mut origins[place as usize / CHUNK])[place as usize % CHUNK];
            if at.is_none() {
                added.push(place);
            }
            forgets |= origin.is_none();
            *at = origin.map(Arc::new);
        }
        let vacant = match added.is_empty() && !forgets && places == self.members.len() {
            true => self.vacant.clone(),
            false => {
                (0..).zip(&members).filter(|(_, member)| member.vacant).map(|(place, _)| place).collect()
            }
        };
        let (members, seed) = (members.into_boxed_slice(), self.seed);
        let mut after = Self { origins, members, pairs: self.pairs.clone(), seed, spans, held, vacant };
        after.enter(&added, forgets)?;
        after.compact();
        assert!(
            after.pairs.len() >= 3 * (places - after.vacant.len()),
            "at most a sixth full, so that probing ends"
        );
        Ok(after)
    }

    /// Which slots are spoken for after `plan`, whose origins `members` has at their places.
    fn held_after(&self, plan: &Plan, members: &[Member]) -> Result<Vec<Held>, DirectoryError> {
        let changed: Vec<u32> = plan.keys().copied().collect();
        let stays = |held: &&Held| changed.binary_search(&held.owner).is_err();
        let mut held: Vec<Held> = self.held.iter().filter(stays).copied().collect();
        let stayed = held.len();
        debug_assert!(held.is_sorted_by_key(|held| held.first), "runs rise");
        for (owner, origin) in plan {
            let Some(origin) = origin.as_ref().filter(|origin| !origin.revoked) else { continue };
            let run = |run: &Run| Held { first: run.first.0, last: run.last(), owner: *owner };
            held.extend(origin.runs.iter().map(run));
        }
        if held.len() == stayed {
            return Ok(held);
        }
        // Two sorted parts, mostly: the stable sort merges them in one pass.
        held[stayed..].sort_unstable_by_key(|held| held.first);
        held.sort_by_key(|held| held.first);
        match held.windows(2).find(|pair| pair[0].last >= pair[1].first) {
            Some(&[lower, other]) => {
                let id = |held: Held| members[held.owner as usize].id;
                let run = |held: Held| Run { first: Slot(held.first), len: held.last - held.first + 1 };
                let (run, other_run) = (run(lower), run(other));
                Err(DirectoryError::Overlap { id: id(lower), run, other: id(other), other_run })
            }
            _ => Ok(held),
        }
    }

    /// Enters the ids at `added` into the hash table; all, if it must grow, or is to lose some.
    fn enter(&mut self, added: &[u32], forgets: bool) -> Result<(), DirectoryError> {
        let known = self.members.len() - self.vacant.len();
        if forgets || 3 * known > self.pairs.len() {
            let len = (3 * known).next_power_of_two().max(self.pairs.len());
            let mut pairs = vec![[EMPTY; 2]; len];
            let all = (0..).zip(&self.members).filter(|(_, member)| !member.vacant);
            let fresh = |place: &u32| added.binary_search(place).is_ok();
            for (place, member) in all.filter(|(place, _)| !fresh(place)) {
                put(&mut pairs, self.hash(&member.id), place);
            }
            self.pairs = pairs.into();
        }
        if added.is_empty() {
            return Ok(());
        }
        assert!(self.pairs.len().is_power_of_two() && 3 * known <= self.pairs.len(), "{known} ids find room");
        let pairs = Arc::make_mut(&mut self.pairs);
        for place in added.iter().filter(|place| !self.members[**place as usize].vacant) {
            let id = self.members[*place as usize].id;
            let hash = hash(self.seed, &id);
            let same = matches(hash, pairs).find(|origin| self.members[origin.0 as usize].id == id);
            if let Some(first) = same {
                return Err(DirectoryError::SameKey { id, first: first.0 as usize, second: *place as usize });
            }
            put(pairs, hash, *place);
        }
        Ok(())
    }

    /// Lays the spans of all origins together again, where more than half of them are no longer.
    fn compact(&mut self) {
        let live: usize = self.members.iter().map(|member| usize::from(member.others_len)).sum();
        if self.spans.len() <= 2 * live + CHUNK {
            return;
        }
        let before = core::mem::take(&mut self.spans);
        for member in &mut self.members {
            let own = &before[member.others as usize..][..member.others_len.into()];
            member.others = self.spans.len() as u32;
            self.spans.extend_from_slice(own);
        }
        assert!(self.spans.len() == live, "{} spans of {live}", self.spans.len());
    }
}

/// Enters an index under a hash.
fn put(pairs: &mut [Pair], hash: u64, place: u32) {
    let free = probe(hash, pairs).find_map(|at| {
        let side = pairs[at].iter().position(|entry| *entry == EMPTY)?;
        Some((at, side))
    });
    let (at, side) = free.expect("the table is never full");
    debug_assert!(place >> INDEX_BITS == 0 && tag(hash) != EMPTY, "origin {place} would read as none");
    pairs[at][side] = tag(hash) | place;
}

/// An origin as the hot path sees it; its runs past the first go behind `spans`.
fn lay_out(origin: &Origin, spans: &mut Vec<Span>) -> Member {
    let live = if origin.revoked { &[][..] } else { &origin.runs[..] };
    let mut rising: Vec<Span> =
        live.iter().map(|run| Span { first: run.first.0, last: run.last() }).collect();
    rising.sort_by_key(|span| span.first);
    let lowest = rising.first().copied().unwrap_or(Span::NONE);
    let (others, runs) = (spans.len(), rising.len());
    spans.extend(rising.into_iter().skip(1));
    let others_len = spans.len() - others;
    assert!(others_len == runs.saturating_sub(1) && runs <= RUNS_MAX, "{runs} runs of one origin");
    Member {
        id: origin.key.id(),
        lowest,
        others: others as u32,
        others_len: others_len as u8,
        revoked: origin.revoked,
        vacant: false,
    }
}

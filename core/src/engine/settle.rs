//! Members' rights into the directory: who is taken in, who is let go, and who makes room.
//!
//! In come members that changed or were forgotten, from the control plane; out come a directory, where to write to whom, and
//! origins that found no room, each counted and told. What can never happen: an index that stands for another origin while anything is
//! remembered of the one before, or an origin of the configuration that gives way to a member.
//!
//! A full directory lets go of a sixteenth of its places at once, so that newcomers without end do not cost a search each. First go
//! members that nobody knows by right, of these those that are gone or were never heard, of these those that did not count, the longest
//! unchanged before others. Who is there and was heard stays, but that whoever is known by right outdoes whoever is not.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::SocketAddr;

use octick_crypto::NodeId;

use crate::control::membership::worth::Worth;
use crate::counters::Counter;
use crate::data::roster::{DirectoryError, Origin};
use crate::engine::router::{MeshEvent, Settled};
use crate::engine::{Engine, NotLearnt};
use crate::limits::{EVICTED_AT_ONCE, EVICTION_GAP_MS};
use crate::stamp::{OriginIndex, Version};
use crate::time::MS;

/// Where to write to an origin from now on, if anywhere.
type Aim = (OriginIndex, Option<SocketAddr>);

impl Engine {
    /// Takes members whose rights changed into the directory, and lets go of those that were forgotten. Returns where to write to
    /// them, nothing if there were none; ingress must then be given the new directory.
    pub fn settle_members(&mut self) -> Option<Vec<Aim>> {
        self.mesh.as_ref().filter(|mesh| mesh.has_news())?;
        self.clear_convicted();
        let mesh = self.mesh.as_mut()?;
        let (mut changed, aims) = (core::mem::take(&mut mesh.changed), core::mem::take(&mut mesh.aims));
        let mut forgotten = core::mem::take(&mut mesh.forgotten);
        // Whoever is revoked stays on record, and known as such.
        let members = mesh.control.members();
        forgotten.retain(|id| members.find(*id).is_none());
        let forgotten: Vec<OriginIndex> = forgotten.iter().filter_map(|id| self.directory.find(id)).collect();
        self.let_go(forgotten.into_iter().collect());
        // A member that is suspected, or no longer, keeps its rights: only others make a new directory. Of one that was gone before it
        // was known, and holds nothing, nothing will come.
        changed.retain(|Settled { origin, is_live }| {
            let known = self.directory.find(&origin.key.id()).map(|index| self.directory.origin(index));
            let matters = *is_live || origin.revoked || !origin.runs.is_empty();
            known.map_or(matters, |known| known.revoked != origin.revoked || known.runs != origin.runs)
        });
        let changed: Vec<Origin> = changed.into_iter().map(|settled| settled.origin).collect();
        self.take_in(changed);
        let mesh = self.mesh.as_mut().expect("it was there");
        assert!(mesh.changed.is_empty() && mesh.aims.is_empty(), "nothing was told meanwhile");
        // First whoever was let go, for its index may be another's by now; origins of the configuration are aimed at by whoever
        // named them.
        let vacated =
            core::mem::take(&mut mesh.vacated).into_iter().filter(|index| !self.pinned[index.0 as usize]);
        let aim = |(id, address): &(NodeId, Option<SocketAddr>)| Some((self.directory.find(id)?, *address));
        Some(vacated.map(|index| (index, None)).chain(aims.iter().filter_map(aim)).collect())
    }

    /// Takes in whoever finds room; the others are counted, and named.
    fn take_in(&mut self, mut changed: Vec<Origin>) {
        let is_new = |engine: &Self, origin: &Origin| engine.directory.find(&origin.key.id()).is_none();
        let new: BTreeSet<NodeId> =
            changed.iter().filter(|origin| is_new(self, origin)).map(|origin| origin.key.id()).collect();
        if new.len() > self.room() {
            let by_right: BTreeSet<NodeId> =
                new.iter().copied().filter(|id| self.worth(*id).by_right).collect();
            self.make_room(new.len() - self.room(), by_right.len());
            let room = self.room();
            if new.len() > room {
                let first = by_right.iter().chain(new.difference(&by_right));
                let refused: BTreeSet<NodeId> = first.skip(room).copied().collect();
                assert!(refused.len() == new.len() - room, "as many as do not fit");
                self.refuse(&refused);
                changed.retain(|origin| !refused.contains(&origin.key.id()));
            }
        }
        if !changed.is_empty() && self.replace(changed.iter().cloned()).is_err() {
            // One spoils it for all; the others are taken, and that one is named.
            changed.into_iter().for_each(|origin| self.take_in_alone(origin));
        }
    }

    fn refuse(&mut self, refused: &BTreeSet<NodeId>) {
        let max = self.last_queries.len();
        self.counters.add(Counter::OriginsRefused, refused.len() as u64);
        let Some(mesh) = &mut self.mesh else { return };
        for id in refused {
            mesh.tell(MeshEvent::NotLearnt {
                id: *id,
                why: NotLearnt::Full { origins: max + refused.len(), max },
            });
        }
    }

    /// A member whose slots cannot be, because a peer of the configuration has them, is known without any.
    fn take_in_alone(&mut self, origin: Origin) {
        let id = origin.key.id();
        if let Err(why) = self.replace([origin.clone()]) {
            let known = self.replace([Origin { runs: Vec::new(), ..origin }]);
            let full = |error: &NotLearnt| {
                matches!(
                    error,
                    NotLearnt::Full { .. } | NotLearnt::Rule(DirectoryError::TooManyOrigins { .. })
                )
            };
            assert!(known.as_ref().err().is_none_or(full), "a key without slots breaks no rule: {known:?}");
            if let Some(mesh) = &mut self.mesh {
                mesh.tell(MeshEvent::NotLearnt { id, why });
            }
        }
    }

    /// Origins that still fit.
    pub(super) fn room(&self) -> usize {
        self.last_queries.len().saturating_sub(self.directory.len())
    }

    /// What a member is worth keeping for, as this node knows it.
    fn worth(&self, id: NodeId) -> Worth {
        let used = self.directory.find(&id).is_some_and(|index| self.windows.is_used(index));
        self.mesh.as_ref().map_or(Worth::default(), |mesh| mesh.control.worth(id, used))
    }

    /// Lets go of those that are worth least, so that `wanted` fit, of whom `by_right` are known by right; or of fewer, if the others
    /// are worth more.
    pub(super) fn make_room(&mut self, wanted: usize, by_right: usize) {
        assert!(wanted > 0 && self.pinned.len() == self.last_queries.len(), "room for {wanted}");
        let by_right = by_right.min(wanted);
        let Some(mesh) = &mut self.mesh else { return };
        if by_right == 0 && mesh.now < mesh.barren_until {
            return;
        }
        let stays = |index: OriginIndex| Some(index) == self.own || self.pinned[index.0 as usize];
        let mut known: Vec<(Worth, OriginIndex)> = (self.directory.indexed())
            .filter(|(index, _)| !stays(*index))
            .map(|(index, origin)| (self.worth(origin.key.id()), index))
            .collect();
        known.sort_unstable_by_key(|(worth, index)| (*worth, index.0));
        let at_once = wanted.max(self.last_queries.len() / EVICTED_AT_ONCE);
        let idle = known.iter().filter(|(worth, _)| !worth.is_there).take(at_once);
        let mut gone: BTreeSet<OriginIndex> = idle.map(|(_, index)| *index).collect();
        let lacking = by_right.saturating_sub(gone.len());
        let outdone = known.iter().filter(|(worth, _)| worth.is_there && !worth.by_right).take(lacking);
        gone.extend(outdone.map(|(_, index)| *index));
        assert!(gone.len() <= at_once && lacking <= by_right, "{} make room for {wanted}", gone.len());
        self.counters.add(Counter::OriginsEvicted, gone.len() as u64);
        if let Some(mesh) = self.mesh.as_mut().filter(|_| gone.len() < wanted) {
            mesh.barren_until = mesh.now + EVICTION_GAP_MS * MS;
        }
        self.let_go(gone);
    }

    /// Forgets origins, and all that is remembered by their indices. Those of the configuration stay.
    fn let_go(&mut self, mut gone: BTreeSet<OriginIndex>) {
        gone.retain(|index| Some(*index) != self.own && !self.pinned[index.0 as usize]);
        if gone.is_empty() {
            return;
        }
        let known = self.directory.len();
        self.directory = self.directory.without(gone.iter().copied());
        assert!(self.directory.len() + gone.len() == known, "{} of {known} were let go", gone.len());
        debug_assert!(self.own.is_none_or(|own| self.directory.find(&self.identity.id()) == Some(own)));
        for index in &gone {
            self.windows.forget(*index);
            self.last_queries[index.0 as usize] = Version::NEVER;
        }
        if let Some(mesh) = &mut self.mesh {
            mesh.vacated.extend(gone);
        }
    }
}

//! Where agents' writes enter: checked here, on the caller's thread, and queued for the engine's.
//!
//! A write that is taken is a store into a queue; the engine signs and sends. What is refused says why, and has changed
//! nothing. In steady state nothing is allocated: groups of writes travel in lists that come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam::queue::ArrayQueue;
use octick_core::data::{Run, Update};
use octick_core::state::Layout;
use octick_crypto::NodeId;

use crate::error::{QuorumError, WriteError};
pub use crate::limits::{GROUP_MAX, GROUPS_MAX};
use crate::mesh::Quorum;
use crate::runtime::{PeerSnapshot, Urgency, Waker, What, Write};
use crate::status::{Refusal, Status};

/// Writes a node's own cells, from any thread. Clones share the queue.
#[derive(Clone)]
pub struct Writer {
    pub(crate) runs: Arc<[Run]>,
    pub(crate) layout: Layout,
    pub(crate) writes: Arc<ArrayQueue<Write>>,
    pub(crate) groups: Groups,
    pub(crate) waker: Waker,
    pub(crate) quorum: Quorum,
    pub(crate) status: Status,
    pub(crate) peers: PeerSnapshot,
}

impl Writer {
    /// Queues a write. The engine takes it within its flush time, sends it, and makes it readable here, too.
    ///
    /// # Errors
    /// [`WriteError`], and nothing was queued.
    #[inline]
    pub fn write(&self, update: Update) -> Result<(), WriteError> {
        self.check(&update)?;
        self.queue(What::One(update), Urgency::Normal)
    }

    /// Queues all of `updates`, or none. Those to cells of one block are merged together, here and on every other node, so
    /// that who reads the block ([`StateReader::block8`](crate::StateReader::block8)) sees all of them or none. Of two to
    /// one cell the later counts.
    ///
    /// # Errors
    /// [`WriteError`] of the first that is refused, [`WriteError::TooMany`] above [`GROUP_MAX`], [`WriteError::Full`] also while
    /// [`GROUPS_MAX`] groups wait; nothing was queued.
    pub fn write_all(&self, updates: &[Update]) -> Result<(), WriteError> {
        if updates.len() > GROUP_MAX {
            return Err(WriteError::TooMany { given: updates.len() });
        }
        updates.iter().try_for_each(|update| self.check(update))?;
        if updates.is_empty() {
            return Ok(());
        }
        let mut group = self.groups.take().ok_or(WriteError::Full)?;
        group.extend_from_slice(updates);
        self.queue(What::All(group), Urgency::Normal)
    }

    /// [`Writer::write`], of what cannot wait: it leaves at once, with whatever else is pending, to more neighbours than other
    /// updates, who hear of it without delay; and straight `to` the member that it concerns, if one is named.
    ///
    /// # Errors
    /// [`WriteError`], [`WriteError::Unreachable`] where `to` is nobody that this node can send to; nothing was queued.
    pub fn write_critical(&self, update: Update, to: Option<NodeId>) -> Result<(), WriteError> {
        self.check(&update)?;
        if let Some(to) = to {
            self.check_reachable(to)?;
        }
        self.queue(What::One(update), Urgency::Critical(to))
    }

    /// [`Writer::write`], but only while this node reaches a quorum of the members it knows, n - f with f < n/3: what is
    /// written on the smaller side of a cut may have been decided otherwise on the larger one. A node without membership
    /// knows of no cut.
    ///
    /// # Errors
    /// [`QuorumError`], and nothing was queued.
    pub fn write_with_quorum(&self, update: Update) -> Result<(), QuorumError> {
        match self.quorum.lacks() {
            Some((reachable, required)) => Err(QuorumError::Partitioned { reachable, required }),
            None => self.write(update).map_err(QuorumError::Write),
        }
    }

    #[inline]
    fn check(&self, update: &Update) -> Result<(), WriteError> {
        let (table, slot) = update.place();
        match self.status.refuses(slot) {
            None => {}
            Some(Refusal::Stopped) => return Err(WriteError::Gone),
            Some(Refusal::LostTo(to)) => return Err(WriteError::SlotsLost { slot, to }),
            Some(Refusal::NotReserved(why)) => return Err(WriteError::NotReserved { why }),
        }
        let ours = self.runs.iter().any(|run| slot.0.wrapping_sub(run.first.0) < run.len);
        if ours && self.layout.has(table) { Ok(()) } else { Err(self.refusal(update)) }
    }

    #[cold]
    fn refusal(&self, update: &Update) -> WriteError {
        let (table, slot) = update.place();
        if !self.layout.has(table) {
            WriteError::NoTable { table }
        } else if slot.0 >= self.layout.slots {
            WriteError::OutOfRange { slot, slots: self.layout.slots }
        } else {
            WriteError::NotOwned { slot, key: "runs" }
        }
    }

    fn check_reachable(&self, to: NodeId) -> Result<(), WriteError> {
        match self.peers.reaches(to) {
            Some(true) => Ok(()),
            found => Err(WriteError::Unreachable { to, known: found.is_some() }),
        }
    }

    #[inline]
    fn queue(&self, what: What, urgency: Urgency) -> Result<(), WriteError> {
        if let Err(Write { what, .. }) = self.writes.push(Write { what, urgency }) {
            if let What::All(group) = what {
                self.groups.give_back(group);
            }
            return Err(WriteError::Full);
        }
        // Fences: either the engine's last look at the queue finds the write, or the next line sees that it was stopped.
        self.waker.ring();
        if self.status.is_stopped() { Err(WriteError::Gone) } else { Ok(()) }
    }
}

/// Lists for groups of writes, so that those who write groups allocate nothing once they are warm. Clones share them.
#[derive(Clone)]
pub(crate) struct Groups(Arc<Lists>);

struct Lists {
    empty: ArrayQueue<Vec<Update>>,
    /// Lists that may still be made.
    unmade: AtomicUsize,
}

impl Default for Groups {
    fn default() -> Self {
        let empty = ArrayQueue::new(GROUPS_MAX);
        Self(Arc::new(Lists { empty, unmade: AtomicUsize::new(GROUPS_MAX) }))
    }
}

impl Groups {
    /// An empty list, if not all of them wait for the engine.
    fn take(&self) -> Option<Vec<Update>> {
        self.0.empty.pop().or_else(|| {
            let unmade = &self.0.unmade;
            let made =
                unmade.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |unmade| unmade.checked_sub(1));
            made.ok().map(|_| Vec::new())
        })
    }

    /// Makes a list free for the next group.
    pub(crate) fn give_back(&self, mut group: Vec<Update>) {
        group.clear();
        let kept = self.0.empty.push(group);
        debug_assert!(kept.is_ok(), "there are no more lists than places");
    }
}

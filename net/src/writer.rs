//! Where agents' writes enter: checked here, on the caller's thread, and queued for the engine's.

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;
use octick_core::data::{NotOurs, Run, Update};
use octick_core::state::Layout;
use octick_crypto::NodeId;

use crate::error::{QuorumError, WriteError};
use crate::mesh::Quorum;
use crate::runtime::{Urgency, Waker, Write};

/// Writes a node's own cells.
#[derive(Clone)]
pub struct Writer {
    pub(crate) runs: Arc<[Run]>,
    pub(crate) layout: Layout,
    pub(crate) writes: Arc<ArrayQueue<Write>>,
    pub(crate) waker: Waker,
    pub(crate) quorum: Quorum,
}

impl Writer {
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

    /// Queues a write. The engine takes it within its flush time, sends it, and makes it readable here, too.
    ///
    /// # Errors
    /// [`WriteError`], and nothing was queued.
    #[inline]
    pub fn write(&self, update: Update) -> Result<(), WriteError> {
        self.queue(update, Urgency::Normal)
    }

    /// [`Writer::write`], of what cannot wait: it leaves at once, with whatever else is pending, to more neighbours than other
    /// updates, who hear of it without delay; and straight `to` the member that it concerns, if one is named.
    ///
    /// # Errors
    /// [`WriteError`], and nothing was queued.
    pub fn write_critical(&self, update: Update, to: Option<NodeId>) -> Result<(), WriteError> {
        self.queue(update, Urgency::Critical(to))
    }

    #[inline]
    fn queue(&self, update: Update, urgency: Urgency) -> Result<(), WriteError> {
        let (table, slot) = update.place();
        let ours = self.runs.iter().any(|run| slot.0.wrapping_sub(run.first.0) < run.len);
        if !ours || !self.layout.has(table) {
            return Err(WriteError::NotOurs(NotOurs(update)));
        }
        self.writes.push(Write { update, urgency }).map_err(|full| WriteError::Full(full.update))?;
        self.waker.ring();
        Ok(())
    }
}

//! Says in the log how many members a quorum counts and how many of them may be missing, whenever that changes: before one is.
//!
//! In comes that something became of a member; out goes a line once things have rested, so that a mesh that starts together
//! says it once. A node to which nothing happens is not asked.

use std::time::{Duration, Instant};

use octick::{Handle, QuorumView};
use tracing::info;

/// How long a change may wait for others: a mesh that starts together has met by then.
const REST: Duration = Duration::from_secs(2);

/// What was said last.
pub(super) struct QuorumNote {
    told: Option<(usize, usize)>,
    look_at: Option<Instant>,
}

impl QuorumNote {
    /// To be said a little after the start.
    pub(super) fn new(now: Instant) -> Self {
        Self { told: None, look_at: Some(now + REST) }
    }

    /// Something became of a member.
    pub(super) fn stir(&mut self, now: Instant) {
        self.look_at.get_or_insert(now + REST);
    }

    /// Logs what is due, if it is another number than before.
    pub(super) fn look(&mut self, node: &Handle, now: Instant) {
        if self.look_at.is_none_or(|at| now < at) {
            return;
        }
        self.look_at = None;
        // Without membership there is no quorum, and a node that has ended says so elsewhere.
        let Ok(mesh) = node.mesh() else { return };
        let QuorumView { members: counted, may_fail, required, .. } = mesh.quorum;
        if self.told.replace((counted, required)) == Some((counted, required)) {
            return;
        }
        match may_fail {
            0 if counted > 1 => info!(
                counted,
                required,
                may_fail,
                "quorum: it takes every member, so the first that fails stops writes that need a quorum; of four members one may \
                 fail"
            ),
            _ => info!(counted, required, may_fail, "quorum"),
        }
    }
}

//! Whether this node still sees enough of the mesh to speak for it.
//!
//! Of n members, up to f, less than a third, may fail; a node that reaches fewer than n - f is cut off, or has lost more
//! than the mesh can bear, and cannot tell which. It goes on reading and refuses writes that need a quorum.

use crate::control::output::Partition;
use crate::time::S;

/// How long enough members must have been reachable again.
const RECOVERY: u64 = 2 * S;

/// Keeps the status.
#[derive(Debug, Default)]
pub struct QuorumWatch {
    status: Partition,
    since: u64,
}

impl QuorumWatch {
    /// The status.
    pub fn status(&self) -> Partition {
        self.status
    }

    /// Looks at how many members are reachable, this node among them, and how many are missing. Returns the status
    /// if it is another one, or other numbers, than before.
    pub fn look(&mut self, reachable: usize, missing: usize, now: u64) -> Option<Partition> {
        let all = reachable + missing;
        let required = all - (all - 1) / 3;
        let status = match self.status {
            _ if reachable < required => Partition::Partitioned { reachable, required },
            Partition::Partitioned { .. } => Partition::Recovering,
            Partition::Recovering if now < self.since + RECOVERY => Partition::Recovering,
            _ => Partition::Healthy,
        };
        if core::mem::discriminant(&status) != core::mem::discriminant(&self.status) {
            self.since = now;
        }
        let changed = status != self.status;
        self.status = status;
        changed.then_some(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_cut_off_below_the_quorum_and_recovers_after_a_while() {
        let mut watch = QuorumWatch::default();
        assert_eq!(watch.look(1, 0, 0), None, "alone is not cut off");
        assert_eq!(watch.look(7, 3, 1), None);
        let cut = Partition::Partitioned { reachable: 6, required: 7 };
        assert_eq!(watch.look(6, 4, 2), Some(cut));
        assert_eq!(watch.look(6, 4, 3), None);
        assert_eq!(watch.look(8, 2, S), Some(Partition::Recovering));
        assert_eq!((watch.look(8, 2, 2 * S), watch.look(8, 2, 3 * S)), (None, Some(Partition::Healthy)));
    }
}

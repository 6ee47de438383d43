//! Whether this node still sees enough of the mesh to speak for it.
//!
//! Of n members, up to f, less than a third, may fail; a node that reaches fewer than n - f is cut off, or has lost more
//! than the mesh can bear, and cannot tell which. It goes on reading and refuses writes that need a quorum. Of two sets of
//! n - f members each, at least one is in both, so both halves of a cut never have one, as long as both count the same n: who
//! failed counts until it comes back, says goodbye, or is made to leave. Time changes nothing.

use crate::control::output::{Partition, Quorum};
use crate::time::S;

/// How long enough members must have been reachable again.
const RECOVERY: u64 = 2 * S;

/// Keeps the status.
#[derive(Debug)]
pub struct QuorumWatch {
    status: Partition,
    since: u64,
}

impl QuorumWatch {
    /// Of a node that was told where to begin, and so knows that there are others, or of one that was not.
    pub fn new(told: bool) -> Self {
        Self { status: if told { Partition::Joining } else { Partition::Healthy }, since: 0 }
    }

    /// The status.
    pub fn status(&self) -> Partition {
        self.status
    }

    /// Looks at how many members are reachable, this node among them, and how many are missing; `joined` once it has
    /// compared that with others. Returns the status if it is another one, or other numbers, than before.
    pub fn look(&mut self, quorum: Quorum, joined: bool, now: u64) -> Option<Partition> {
        let Quorum { members, reachable, required, .. } = quorum;
        assert!(reachable <= members && required <= members, "more than there are: {quorum:?}");
        assert!(now >= self.since, "at {now}, before {}", self.since);
        let status = match self.status {
            Partition::Joining if !joined => Partition::Joining,
            _ if !quorum.is_there() => Partition::Partitioned { reachable, required },
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
        let mut watch = QuorumWatch::new(false);
        let mut look = |reachable, missing, now| watch.look(Quorum::of(reachable, missing), true, now);
        assert_eq!(look(1, 0, 0), None, "alone is not cut off");
        assert_eq!(look(7, 3, 1), None);
        let cut = Partition::Partitioned { reachable: 6, required: 7 };
        assert_eq!(look(6, 4, 2), Some(cut));
        assert_eq!(look(6, 4, 3), None);
        assert_eq!(look(8, 2, S), Some(Partition::Recovering));
        assert_eq!((look(8, 2, 2 * S), look(8, 2, 3 * S)), (None, Some(Partition::Healthy)));
    }

    #[test]
    fn who_was_told_where_to_begin_has_no_quorum_before_it_knows_who_is_there() {
        let mut watch = QuorumWatch::new(true);
        assert_eq!(watch.status(), Partition::Joining);
        assert_eq!(watch.look(Quorum::of(2, 0), false, S), None);
        assert_eq!(watch.look(Quorum::of(2, 0), true, 2 * S), Some(Partition::Healthy));
    }

    #[test]
    fn of_three_none_may_fail_and_of_four_one() {
        let of = |n| (Quorum::of(n, 0).may_fail, Quorum::of(n, 0).required);
        assert_eq!(
            [of(0), of(1), of(2), of(3), of(4), of(7)],
            [(0, 0), (0, 1), (0, 2), (0, 3), (1, 3), (2, 5)]
        );
        // Any two quorums of n members have one in common.
        assert!((1..1_000).all(|n| 2 * of(n).1 > n));
    }
}

//! What members are worth keeping where room is short.
//!
//! The members of other regions whom nobody here watches, and the places of the directory, are bounded; where they are full, those
//! that are worth least make room. In come records; out come an order, and members to forget. What can never happen: a member that
//! is there and was heard is forgotten for one that nobody has heard.

use alloc::vec::Vec;

use octick_crypto::NodeId;

use crate::control::effects::Effects;
use crate::control::id::{MemberIndex, PeerState};
use crate::control::membership::membership::Membership;
use crate::control::membership::table::{Applied, Member, Members};
use crate::limits::EVICTED_AT_ONCE;

/// What a member is worth: the greater, the longer it is kept. A member that is not on record is worth least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Worth {
    /// Whether this node's configuration lists it, or it lives by a credential.
    pub by_right: bool,
    /// Whether it is believed live, and was heard itself.
    pub is_there: bool,
    /// Whether it was here long enough to count.
    pub is_established: bool,
    /// When it came, or went, microseconds.
    pub since: u64,
}

impl Membership {
    /// What a member is worth; `spoke` if it was heard elsewhere than here.
    pub(in crate::control) fn worth(&self, id: NodeId, spoke: bool) -> Worth {
        let place = self.members.find(id).filter(|place| !self.members.get(*place).is_pruned());
        place.map_or(Worth::default(), |place| self.worth_at(place, spoke))
    }

    fn worth_at(&self, place: MemberIndex, spoke: bool) -> Worth {
        let member = self.members.get(place);
        Worth {
            by_right: self.admission.lists(member.id()) || member.announcement().credential().is_some(),
            is_there: member.state().is_live() && (spoke || member.has_written() || member.proven),
            is_established: member.is_established(),
            since: member.changed_at,
        }
    }

    /// Forgets members of other regions that are worth least, if there are any that nobody has heard: a part of them at once, so
    /// that newcomers without end do not cost a search each.
    pub(super) fn make_room_for_remote(&mut self, now: u64, out: &mut Effects) {
        let remote = |(place, member): &(MemberIndex, &Member)| {
            *place != Members::ME && member.region() != self.statement.region && member.state().is_live()
        };
        let mut silent: Vec<(Worth, MemberIndex)> = (self.members.iter().filter(remote))
            .map(|(place, _)| (self.worth_at(place, false), place))
            .filter(|(worth, _)| !worth.is_there)
            .collect();
        silent.sort_unstable();
        debug_assert!(silent.iter().all(|(worth, _)| !worth.is_there), "who is there and was heard stays");
        for (_, place) in silent.into_iter().take((self.settings.remote_max / EVICTED_AT_ONCE).max(1)) {
            let rank = self.members.get(place).rank();
            let applied = self.members.report_at(place, rank, PeerState::Failed, now);
            assert!(matches!(applied, Applied::Changed(..)), "{place:?} was believed live: {applied:?}");
            self.forget(place, out);
        }
    }
}

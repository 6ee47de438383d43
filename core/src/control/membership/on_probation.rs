//! Whether a member counts yet: when it comes, when it answers, and when another misses it.

use crate::control::effects::Effects;
use crate::control::id::{MemberIndex, PeerState};
use crate::control::membership::membership::{MemberChange, Membership};
use crate::control::membership::table::Members;
use crate::limits::PROBATION_CHECKS_MAX;

impl Membership {
    /// A member announced itself, or what the mesh's rule makes of it changed; `is_new` if it was not on record.
    pub(super) fn admit_to_count(&mut self, place: MemberIndex, is_new: bool, now: u64) {
        assert!(place != Members::ME, "this node was never new to itself");
        let counts_at_once = self.probation.is_new_itself(now);
        if self.members.get(place).state().is_live() {
            self.probation.meet(now);
        }
        if is_new && !counts_at_once {
            self.members.set_established(place, false);
        }
        let member = self.members.get(place);
        if member.state().is_live() && member.may_count() && !member.is_established() {
            self.probation.begin(place, now);
        }
    }

    /// A member answered at its address: it counts from now on, if it was here long enough.
    pub(super) fn count_if_due(&mut self, place: MemberIndex, now: u64) {
        if self.probation.is_over(place, now) {
            self.count_in(place);
        }
    }

    /// Asks members that were here long enough whether they still are.
    pub(super) fn check_probation(&mut self, now: u64) {
        for _ in 0..PROBATION_CHECKS_MAX {
            let Some(place) = self.probation.take_due(now) else { return };
            let member = self.members.get(place);
            debug_assert!(member.state().is_live(), "who is gone is on no probation");
            let is_heard = member.has_written() || member.proven;
            if member.region() == self.statement.region {
                self.prober.probe(place, now, &self.settings);
            } else if is_heard {
                // Nobody here watches it.
                self.count_in(place);
            }
        }
    }

    /// A member counts from now on.
    pub(super) fn count_in(&mut self, place: MemberIndex) {
        self.probation.end(place);
        if self.members.set_established(place, true) {
            self.follow(MemberChange::Changed(place));
        }
        assert!(self.members.get(place).is_established());
    }

    /// Whether this node counts somebody who was not here, because a member misses it.
    pub(super) fn misses_as(&mut self, teller: MemberIndex, now: u64) -> bool {
        self.probation.is_new_itself(now)
            || (self.members.get(teller).counts() && self.probation.take_word_of(teller))
    }

    /// Counts a member that failed here before it counted, because another misses it.
    pub(super) fn miss_known(
        &mut self,
        place: MemberIndex,
        teller: MemberIndex,
        now: u64,
        out: &mut Effects,
    ) {
        debug_assert!(self.members.get(place).state() == PeerState::Failed, "only who failed is missed");
        let may = self.members.get(place).may_count();
        if may && self.misses_as(teller, now) {
            self.count_in(place);
            self.changed(place, out);
            self.look_at = self.look_at.min(now);
        }
    }
}

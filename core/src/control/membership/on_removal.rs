//! The way of words about who is gone: members that others miss, and those that an operator had leave.
//!
//! A member that failed counts for the quorum until it comes back or leaves, so whoever joins has to hear of it: its
//! announcement comes as [`Missing`](MembershipMsg::Missing), and it is on record as failed without ever having been live
//! here. A **force-leave** turns it into one that left. It is kept with the member as long as that is on record, so that
//! whoever misses the member still is told; of a live member it opens a suspicion, and waits for what comes of it. What can
//! never happen: a member that is called live, or left, on the word of another alone.

use alloc::sync::Arc;

use octick_crypto::NodeId;

use crate::control::effects::Effects;
use crate::control::id::{MemberIndex, PeerState};
use crate::control::membership::membership::{Membership, accusation};
use crate::control::membership::table::{Applied, Members};
use crate::control::membership::verified::Ahead;
use crate::control::message::announcement::{Announcement, peek};
use crate::control::message::force_leave::{ForceLeave, Removal, peek_removal, prunes};
use crate::control::message::membership::{Accusation, Announced, MembershipMsg};
use crate::control::output::Expelled;
use crate::refusal::Refusal;

impl Membership {
    /// An operator knows that a member is gone for good; `prune` if nobody should see it any more.
    pub(in crate::control) fn expel(
        &mut self,
        now: u64,
        id: NodeId,
        prune: bool,
        out: &mut Effects,
    ) -> Expelled {
        let Some(place) = self.members.find(id) else { return Expelled::Unknown };
        if place == Members::ME {
            return Expelled::Itself;
        }
        let member = self.members.get(place);
        if member.state() == PeerState::Left && (!prune || member.pruned) {
            return Expelled::Left;
        }
        let (rank, was_live) = (member.rank(), member.state().is_live());
        let version = self.next_version(now);
        let said = self.signer.force_leave(&Removal { id, rank, version, prune });
        self.remove(now, place, said, out);
        if was_live { Expelled::Suspected } else { Expelled::Left }
    }

    /// Somebody says that a member is gone for good.
    pub(super) fn handle_force_leave(
        &mut self,
        now: u64,
        from: MemberIndex,
        bytes: &[u8],
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let (id, rank) = peek_removal(bytes).ok_or(Refusal::Unsound)?;
        let by = self.members.get(from).id();
        if id == self.me().id() {
            // It lives.
            let said = Accusation { id, rank, state: PeerState::Failed, by, signature: None };
            return self.refute(now, from, &said, out);
        }
        let place = self.members.find(id).ok_or(Refusal::Unheard)?;
        let member = self.members.get(place);
        if rank > member.rank() {
            return Err(Refusal::Unheard);
        }
        if rank < member.rank() {
            self.say_word_of(place, from, out);
            return Ok(());
        }
        let known = self.force_leaves.get(&place).map(|known| known.removal().prune);
        if known == Some(true) || known.is_some() && !prunes(bytes) {
            return Ok(());
        }
        let said = self.signer.read_force_leave(bytes).map_err(|_| Refusal::Unsound)?;
        let by = self.members.find(said.by()).ok_or(Refusal::Unheard)?;
        if !self.members.get(by).counts() {
            return Err(Refusal::Unvouched);
        }
        self.remove(now, place, said, out);
        Ok(())
    }

    /// Does what a force-leave that holds says.
    fn remove(&mut self, now: u64, place: MemberIndex, said: Arc<ForceLeave>, out: &mut Effects) {
        let member = self.members.get(place);
        debug_assert_eq!(said.removal().rank, member.rank(), "it is about this announcement");
        let accusation = Accusation { state: PeerState::Failed, ..accusation(member, said.by()) };
        let live = member.state().is_live();
        self.force_leaves.insert(place, said);
        self.spread(place, now);
        if live {
            // It has its time to say that it is there, like anybody who is accused.
            self.suspect(place, accusation, now, out);
            self.suspicions.wake_by(place);
        } else {
            self.leave_at_last(place, now, out);
        }
    }

    /// A member that is gone has left, if somebody said so with good reason. Returns whether somebody did.
    pub(super) fn leave_at_last(&mut self, place: MemberIndex, now: u64, out: &mut Effects) -> bool {
        let Some(prune) = self.force_leaves.get(&place).map(|said| said.removal().prune) else {
            return false;
        };
        let rank = self.members.get(place).rank();
        let left = self.members.report_at(place, rank, PeerState::Left, now);
        let pruned = prune && !self.members.get(place).pruned;
        if pruned {
            self.members.prune(place);
        }
        if pruned || matches!(left, Applied::Changed(..)) {
            self.changed(place, out);
            self.look_at = self.look_at.min(now);
        }
        self.changed_at = now;
        true
    }

    /// A member announced itself anew: what was said of its last announcement holds no longer.
    pub(super) fn outdo(&mut self, place: MemberIndex) {
        self.force_leaves.remove(&place);
        self.failures.remove(&place);
    }

    /// Somebody misses a member.
    pub(super) fn handle_missing(
        &mut self,
        now: u64,
        from: MemberIndex,
        announced: Announced<'_>,
        ahead: &mut Ahead,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let (id, incarnation, version) = peek(announced.announcement).ok_or(Refusal::Unsound)?;
        let rank = (incarnation, version);
        if self.check_date(version, now) == Err(Refusal::Early) {
            return Err(Refusal::Early);
        }
        let by = self.members.get(from).id();
        let said = Accusation { id, rank, state: PeerState::Failed, by, signature: None };
        self.sync.goes_on(from, now);
        let known = self.members.find(id).filter(|place| *place != Members::ME);
        match known.map(|place| (place, self.members.get(place))) {
            Some((place, member)) if rank < member.rank() => self.say_word_of(place, from, out),
            Some((place, member)) if rank == member.rank() && member.state() == PeerState::Left => {
                self.say_word_of(place, from, out);
            }
            Some((_, member)) if rank > member.rank() && member.state().is_live() => {
                self.learn(now, announced, Some(from), ahead, out)?;
                self.handle_accusation(now, from, said, out)?;
            }
            Some((_, member)) if rank > member.rank() => {
                let announcement = self.read(announced, ahead)?;
                self.miss(now, from, &announcement, out)?;
            }
            Some((place, member))
                if rank == member.rank()
                    && member.state() == PeerState::Failed
                    && !member.is_established() =>
            {
                self.miss_known(place, from, now, out);
            }
            None if id != self.me().id() => {
                let announcement = self.read(announced, ahead)?;
                self.miss(now, from, &announcement, out)?;
            }
            Some(_) | None => self.handle_accusation(now, from, said, out)?,
        }
        Ok(())
    }

    /// Takes in a member that was gone before this node heard of it, or of its last word.
    fn miss(
        &mut self,
        now: u64,
        from: MemberIndex,
        announcement: &Arc<Announcement>,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let statement = announcement.statement();
        if statement.region != self.statement.region || statement.is_ephemeral() || statement.leaves {
            // Nobody here has reason to miss it.
            return Ok(());
        }
        let right = self.judge(now, announcement)?;
        let known = self.members.find(announcement.id());
        let counted = known.is_some_and(|place| self.members.get(place).is_established());
        if !counted && !self.misses_as(from, now) {
            return Err(Refusal::Unvouched);
        }
        let mut applied = self.members.announce_as(announcement, PeerState::Failed, now);
        if applied == Applied::Full
            && let Some(place) = self.members.gone_before(u64::MAX)
        {
            self.forget(place, out);
            applied = self.members.announce_as(announcement, PeerState::Failed, now);
        }
        match applied {
            Applied::New(place) | Applied::Changed(place, _) => {
                self.members.set_standing(place, right);
                self.count_in(place);
                self.outdo(place);
                self.changed(place, out);
                self.look_at = self.look_at.min(now);
                self.changed_at = now;
                Ok(())
            }
            Applied::Full => Err(Refusal::Full),
            Applied::Old(_) | Applied::Ahead(_) | Applied::Unknown => Ok(()),
        }
    }

    /// Passes on the last word about a member: its own or, if it failed or had to leave, that of whoever says so.
    pub(super) fn say_word_of(&self, place: MemberIndex, to: MemberIndex, out: &mut Effects) {
        let member = self.members.get(place);
        let announced = Announced::of(member.announcement());
        let message = match (member.state(), self.force_leaves.get(&place)) {
            (PeerState::Left, Some(said)) => MembershipMsg::ForceLeave(said.bytes()),
            (PeerState::Failed, _) => MembershipMsg::Missing(announced),
            _ => MembershipMsg::Announce(announced),
        };
        self.send_to(to, &message, out);
    }
}

//! The way of an accusation: a suspicion is opened, confirmed, refuted by its subject, or comes true.

use crate::control::effects::Effects;
use crate::control::id::{MemberIndex, PeerState};
use crate::control::membership::membership::{Membership, accusation};
use crate::control::membership::suspicion::terms;
use crate::control::membership::table::{Applied, Members};
use crate::control::message::membership::{Accusation, MembershipMsg};
use crate::control::output::PacketInfo;
use crate::control::send_queue::Recipient;
use crate::refusal::Refusal;
use crate::time::{MS, micros};

/// Least time between two refutations, microseconds: each is a signature, and news for everybody.
const REFUTE_GAP: u64 = 200 * MS;
/// Members that look for themselves when somebody is suspected.
const WITNESSES: u64 = 5;

impl Membership {
    /// Somebody says that a member is suspected, or failed.
    pub(super) fn handle_accusation(
        &mut self,
        now: u64,
        from: MemberIndex,
        said: Accusation,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        if said.id == self.me().id() {
            return self.refute(now, from, &said, out);
        }
        let place = self.members.find(said.id).ok_or(Refusal::Unheard)?;
        let member = self.members.get(place);
        if said.rank > member.rank() {
            return Err(Refusal::Unheard);
        }
        if said.rank < member.rank() {
            // Who says so has not heard the latest.
            if member.state().is_live() {
                self.say_word_of(place, from, out);
            }
            return Ok(());
        }
        let heard = member.heard_at > 0 && now < member.heard_at + micros(self.settings.probe_interval);
        match member.state() {
            PeerState::Left if self.force_leaves.contains_key(&place) => {
                self.say_word_of(place, from, out);
                return Ok(());
            }
            PeerState::Failed | PeerState::Left => return Ok(()),
            PeerState::Alive if heard && self.settings.lifeguard => {
                // It was just here. Whoever else may think otherwise, it had better say so itself.
                let note = MembershipMsg::Accuse(said);
                self.send_to(place, &note, out);
                return Ok(());
            }
            PeerState::Alive => self.suspect(place, said, now, out),
            PeerState::Suspected => {
                if self.suspicions.confirm(place, said.by) {
                    self.spread(place, now);
                }
            }
        }
        if said.state == PeerState::Failed && self.settings.lifeguard {
            // Nobody is declared dead on another's word alone; but there is no need to wait for more opinions.
            self.suspicions.wake_by(place);
        } else if said.state == PeerState::Failed {
            self.fail(place, now, out);
        }
        Ok(())
    }

    /// Opens a suspicion, tells it, and perhaps looks for itself.
    pub(super) fn suspect(&mut self, place: MemberIndex, said: Accusation, now: u64, out: &mut Effects) {
        let applied = self.members.report_at(place, said.rank, PeerState::Suspected, now);
        if !matches!(applied, Applied::Changed(..)) {
            return;
        }
        let live = self.members.live().len();
        let terms = terms(&self.settings, live, self.suspicions.len());
        self.suspicions.open(place, said.by, terms, now);
        self.changed(place, out);
        self.spread(place, now);
        // Where fewer live than should look, all do; this node may be the only one there is.
        let live = live as u64;
        let witness = said.by != self.me().id() && (live <= WITNESSES || self.random.below(live) < WITNESSES);
        if witness && self.settings.lifeguard {
            self.prober.probe(place, now, &self.settings);
        }
    }

    /// A suspicion proves unfounded.
    pub(super) fn clear_suspicion(&mut self, place: MemberIndex, now: u64, out: &mut Effects) {
        if self.members.clear_suspicion(place, now) {
            self.suspicions.close(place);
            self.broadcasts.stop(&mut self.members, place);
            self.changed(place, out);
        }
    }

    /// A member is gone, as far as this node is concerned.
    pub(super) fn fail(&mut self, place: MemberIndex, now: u64, out: &mut Effects) {
        let rank = self.members.get(place).rank();
        self.suspicions.close(place);
        if let Applied::Changed(..) = self.members.report_at(place, rank, PeerState::Failed, now) {
            self.changed(place, out);
            self.leave_at_last(place, now, out);
            self.spread(place, now);
            self.look_at = self.look_at.min(now);
        }
    }

    /// This node is said to be gone, and says that it is not.
    pub(super) fn refute(
        &mut self,
        now: u64,
        from: MemberIndex,
        said: &Accusation,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let rank = self.members.get(Members::ME).rank();
        if said.rank > rank {
            if said.rank.0 > rank.0 {
                // Anybody may say so. Whoever has the announcement that it speaks of sends it to one who is behind it.
                self.say_word_of(Members::ME, from, out);
            }
            return Err(Refusal::Unheard);
        }
        if said.rank == rank && self.refute_now(now, out) {
            self.prober.adjust_health(&self.settings, 1);
        }
        // Whoever said so may be on the far side of a cut, where no broadcast of this node arrives.
        self.say_word_of(Members::ME, from, out);
        Ok(())
    }

    /// Announces this node anew, so that whatever was said about its last announcement no longer holds; not too often.
    pub(super) fn refute_now(&mut self, now: u64, out: &mut Effects) -> bool {
        let may = !self.statement.leaves && now >= self.refuted_at + REFUTE_GAP;
        if may {
            self.refuted_at = now;
            self.restate(now, |_| (), out);
        }
        may
    }

    /// Who writes, lives; and is told if others may think otherwise, so that it can say so to all.
    pub(super) fn tell_state(
        &mut self,
        place: MemberIndex,
        packet: &PacketInfo,
        now: u64,
        out: &mut Effects,
    ) {
        let state = self.members.get(place).state();
        if state == PeerState::Alive {
            return;
        }
        let note = MembershipMsg::Accuse(accusation(self.members.get(place), self.me().id()));
        let from = Recipient::node(self.members.get(place).id(), packet.from);
        match state {
            // Only what names this node shows that its sender is there: the rest may have been said to another, and be passed on.
            PeerState::Suspected if packet.to.is_none() => {}
            PeerState::Suspected if self.settings.lifeguard => {
                out.send_queue.write(from, Some(place), &note);
                self.clear_suspicion(place, now, out);
            }
            PeerState::Failed => out.send_queue.write(from, None, &note),
            PeerState::Left => {
                if let Some(said) = self.force_leaves.get(&place) {
                    // It lives after all, and can say so.
                    out.send_queue.write(from, None, &MembershipMsg::ForceLeave(said.bytes()));
                }
            }
            _ => {}
        }
    }
}

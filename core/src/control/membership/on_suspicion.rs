//! The way of an accusation: a suspicion is opened, confirmed, refuted by its subject, or comes true.

use core::net::SocketAddr;

use crate::control::control::{Control, Output, accusation};
use crate::control::id::{MemberIndex, PeerState};
use crate::control::membership::suspicion::terms;
use crate::control::membership::table::{Applied, Members};
use crate::control::message::membership::{Accusation, MembershipMsg};
use crate::control::message::refusal::Refusal;
use crate::time::MS;

/// Least time between two refutations, microseconds: each is a signature, and news for everybody.
const REFUTE_GAP: u64 = 200 * MS;
/// Members that look for themselves when somebody is suspected.
const WITNESSES: u64 = 5;

impl Control {
    /// Somebody says that a member is suspected, or failed.
    pub(in crate::control) fn handle(
        &mut self,
        now: u64,
        from: MemberIndex,
        said: Accusation,
    ) -> Result<(), Refusal> {
        if said.id == self.me().id() {
            return self.refute(now, from, &said);
        }
        let place = self.members.find(said.id).ok_or(Refusal::Unheard)?;
        let member = self.members.get(place);
        if said.rank > member.rank() {
            return Err(Refusal::Unheard);
        }
        if said.rank < member.rank() {
            // Who says so has not heard the latest.
            if member.state().is_live() {
                self.say_word_of(place, from);
            }
            return Ok(());
        }
        let heard = member.heard_at > 0 && now < member.heard_at + self.settings.probe_interval;
        match member.state() {
            PeerState::Failed | PeerState::Left => return Ok(()),
            PeerState::Alive if heard && self.settings.lifeguard => {
                // It was just here. Whoever else may think otherwise, it had better say so itself.
                let note = MembershipMsg::Accuse(said);
                self.send_to(place, &note);
                return Ok(());
            }
            PeerState::Alive => self.suspect(place, said, now),
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
            self.fail(place, now);
        }
        Ok(())
    }

    /// Opens a suspicion, tells it, and perhaps looks for itself.
    pub(in crate::control) fn suspect(&mut self, place: MemberIndex, said: Accusation, now: u64) {
        let applied = self.members.report_at(place, said.rank, PeerState::Suspected, now);
        if !matches!(applied, Applied::Changed(..)) {
            return;
        }
        let live = self.members.live().len();
        let terms = terms(&self.settings, live, self.suspicions.len());
        self.suspicions.open(place, said.by, terms, now);
        self.changed(now, place);
        self.spread(place, now);
        let witness = said.by != self.me().id() && self.random.below(live as u64) < WITNESSES;
        if witness && self.settings.lifeguard {
            self.prober.probe(place, now, &self.settings, &mut self.acts);
        }
    }

    /// A suspicion proves unfounded.
    pub(in crate::control) fn clear_suspicion(&mut self, place: MemberIndex, now: u64) {
        if self.members.clear_suspicion(place, now) {
            self.suspicions.close(place);
            self.broadcasts.stop(&mut self.members, place);
            self.changed(now, place);
        }
    }

    /// A member is gone, as far as this node is concerned.
    pub(in crate::control) fn fail(&mut self, place: MemberIndex, now: u64) {
        let rank = self.members.get(place).rank();
        self.suspicions.close(place);
        if let Applied::Changed(..) = self.members.report_at(place, rank, PeerState::Failed, now) {
            self.changed(now, place);
            self.spread(place, now);
            self.look_at = self.look_at.min(now);
        }
    }

    /// This node is said to be gone, and says that it is not.
    fn refute(&mut self, now: u64, from: MemberIndex, said: &Accusation) -> Result<(), Refusal> {
        let rank = self.members.get(Members::ME).rank();
        if said.rank > rank {
            if said.rank.0 > rank.0 {
                self.want(Output::Outlived(said.rank.0));
            }
            return Err(Refusal::Unheard);
        }
        if said.rank == rank && self.refute_now(now) {
            self.prober.adjust_health(&self.settings, 1);
        }
        // Whoever said so may be on the far side of a cut, where no broadcast of this node arrives.
        self.say_word_of(Members::ME, from);
        Ok(())
    }

    /// Announces this node anew, so that whatever was said about its last announcement no longer holds; not too often.
    pub(in crate::control) fn refute_now(&mut self, now: u64) -> bool {
        let may = !self.statement.leaves && now >= self.refuted_at + REFUTE_GAP;
        if may {
            self.refuted_at = now;
            self.restate(now, |_| ());
        }
        may
    }

    /// Who writes, lives; and is told if others may think otherwise, so that it can say so to all.
    pub(in crate::control) fn tell_state(&mut self, place: MemberIndex, from: SocketAddr, now: u64) {
        let state = self.members.get(place).state();
        if state == PeerState::Alive {
            return;
        }
        let note = MembershipMsg::Accuse(accusation(self.members.get(place), self.me().id()));
        match state {
            PeerState::Suspected if self.settings.lifeguard => {
                self.send_queue.write(from, Some(place), &note);
                self.clear_suspicion(place, now);
            }
            PeerState::Failed => self.send_queue.write(from, None, &note),
            _ => {}
        }
    }
}

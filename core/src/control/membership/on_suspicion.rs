//! The way of an accusation: a suspicion is opened, confirmed, refuted by its subject, or comes true.

use crate::control::effects::Effects;
use crate::control::id::{MemberIndex, PeerState};
use crate::control::membership::accusers::Charge;
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
            if member.state().is_live() && self.accusers.charge(from, Charge::Answer, now) {
                self.say_word_of(place, from, out);
            }
            return Ok(());
        }
        let heard = member.heard_at > 0 && now < member.heard_at + micros(self.settings.probe_interval);
        match member.state() {
            PeerState::Left if self.force_leaves.contains_key(&place) => {
                if self.accusers.charge(from, Charge::Answer, now) {
                    self.say_word_of(place, from, out);
                }
                return Ok(());
            }
            PeerState::Failed | PeerState::Left => return Ok(()),
            PeerState::Alive if heard && self.settings.lifeguard => {
                // It was just here. Whoever else may think otherwise, it had better say so itself.
                if said.signature.is_some() && self.accusers.charge(from, Charge::Answer, now) {
                    self.send_to(place, &MembershipMsg::Accuse(said), out);
                }
                return Ok(());
            }
            // This node thought so once, and has heard of it since.
            PeerState::Alive if said.by == self.me().id() => {}
            PeerState::Alive => {
                let (author, said) = self.author_of(from, said)?;
                self.charge_accusation(author, now)?;
                self.suspect(place, said, now, out);
            }
            PeerState::Suspected => self.hear_opinion(now, from, place, said)?,
        }
        if said.state == PeerState::Failed && !self.settings.lifeguard {
            self.fail(place, now, out);
        }
        Ok(())
    }

    /// Another word on a suspected member, *failed* included: nobody is declared dead on it, and a suspicion is shorter only for the
    /// opinion of one more member. What is merely passed on without its author's signature is no opinion.
    fn hear_opinion(
        &mut self,
        now: u64,
        from: MemberIndex,
        place: MemberIndex,
        said: Accusation,
    ) -> Result<(), Refusal> {
        let own = said.by == self.members.get(from).id();
        if (own || said.signature.is_some()) && self.suspicions.wants(place, said.by) {
            let author = if own { Some(from) } else { self.members.find(said.by) };
            if author.is_some_and(|author| !self.members.get(author).is_witness()) {
                return Err(Refusal::Unvouched);
            }
            let (author, said) = self.author_of(from, said)?;
            self.charge_accusation(author, now)?;
            if self.suspicions.confirm(place, &said) {
                self.spread(place, now);
            }
        }
        Ok(())
    }

    /// Whose opinion an accusation is: that of the member that signed it, or of who brings it.
    fn author_of(
        &mut self,
        from: MemberIndex,
        said: Accusation,
    ) -> Result<(MemberIndex, Accusation), Refusal> {
        if said.signature.is_none() {
            return Ok((from, Accusation { by: self.members.get(from).id(), ..said }));
        }
        let author = self.members.find(said.by).ok_or(Refusal::Unheard)?;
        let announcement = self.members.get(author).announcement().clone();
        if !self.signer.is_accused(&said, announcement.key()) {
            return Err(Refusal::Unsound);
        }
        assert_eq!(announcement.id(), said.by, "who signed is on record");
        Ok((author, said))
    }

    /// Only who is there has an opinion.
    fn charge_accusation(&mut self, author: MemberIndex, now: u64) -> Result<(), Refusal> {
        if !self.members.get(author).state().is_live() {
            return Err(Refusal::Unheard);
        }
        let may = author == Members::ME || self.accusers.charge(author, Charge::Accusation, now);
        if may { Ok(()) } else { Err(Refusal::AccuserSpent) }
    }

    /// Opens a suspicion, tells it, and perhaps looks for itself.
    pub(super) fn suspect(&mut self, place: MemberIndex, said: Accusation, now: u64, out: &mut Effects) {
        let applied = self.members.report_at(place, said.rank, PeerState::Suspected, now);
        if !matches!(applied, Applied::Changed(..)) {
            return;
        }
        let live = self.members.live().len();
        let terms = terms(&self.settings, live, self.suspicions.len());
        self.suspicions.open(place, &said, terms, now);
        self.changed(place, out);
        self.spread(place, now);
        // Where fewer live than should look, all do; this node may be the only one there is.
        let live = live as u64;
        let witness = said.by != self.me().id() && (live <= WITNESSES || self.random.below(live) < WITNESSES);
        if witness && self.settings.lifeguard {
            self.prober.probe(place, now, &self.settings);
        }
    }

    /// That a member failed, signed by this node, once: who hears of it may pass it on to the member, far away perhaps.
    pub(super) fn signed_failure(&mut self, place: MemberIndex) -> Accusation {
        let said = accusation(self.members.get(place), self.me().id());
        debug_assert!(said.state == PeerState::Failed, "{:?} is no failure", said.state);
        if let Some(known) = self.failures.get(&place).filter(|known| known.rank == said.rank) {
            return *known;
        }
        let said = self.signer.accuse(&said);
        self.failures.insert(place, said);
        said
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
        for author in self.suspicions.authors(place) {
            // It was right, as far as this node can tell.
            if let Some(author) = self.members.find(author) {
                self.accusers.give_back(author);
            }
        }
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
            if said.rank.0 > rank.0 && self.accusers.charge(from, Charge::Answer, now) {
                // Anybody may say so. Whoever has the announcement that it speaks of sends it to one who is behind it.
                self.say_word_of(Members::ME, from, out);
            }
            return Err(Refusal::Unheard);
        }
        let refuted = match said.rank == rank {
            true => self.refute_accuser(now, from, said, out),
            false => Ok(()),
        };
        // Whoever said so may be on the far side of a cut, where no broadcast of this node arrives.
        if self.accusers.charge(from, Charge::Answer, now) {
            self.say_word_of(Members::ME, from, out);
        }
        refuted
    }

    /// Announces this node anew at the expense of its accuser. Who has accused it too often is answered, and nobody else need hear of
    /// it: what others believe, they say themselves.
    fn refute_accuser(
        &mut self,
        now: u64,
        from: MemberIndex,
        said: &Accusation,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        if self.statement.leaves || now < self.refuted_at + REFUTE_GAP {
            return Ok(());
        }
        let own = said.by == self.members.get(from).id();
        if !own && said.signature.is_none() {
            // Somebody is said to have said so. Who believes it says it itself.
            return Ok(());
        }
        let (author, _) = self.author_of(from, *said)?;
        let members = self.members.live().len();
        if !self.accusers.charge(author, Charge::Refutation { members }, now) {
            return Err(Refusal::AccuserSpent);
        }
        if self.refute_now(now, out) {
            self.prober.adjust_health(&self.settings, 1);
        }
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

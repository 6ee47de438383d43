//! An announcement comes: of a member that is new, that has a later word, or that was known; or in this node's own name.

use crate::control::effects::Effects;
use crate::control::id::{MemberIndex, PeerState};
use crate::control::membership::membership::Membership;
use crate::control::membership::table::{Applied, Members};
use crate::control::membership::verified::Ahead;
use crate::control::message::announcement::peek;
use crate::control::message::membership::{Announced, MembershipMsg};
use crate::control::send_queue::Recipient;
use crate::refusal::Refusal;

impl Membership {
    /// An announcement, told by `teller`, or by the member itself.
    pub(super) fn learn(
        &mut self,
        now: u64,
        announced: Announced<'_>,
        teller: Option<MemberIndex>,
        ahead: &mut Ahead,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let (id, incarnation, version) = peek(announced.announcement).ok_or(Refusal::Unsound)?;
        if id == self.me().id() {
            return self.handle_own_announcement(now, announced, ahead, out);
        }
        let known = self.members.find(id);
        if let Some(place) = known
            && (incarnation, version) <= self.members.get(place).rank()
        {
            return self.handle_known(now, place, announced, teller, ahead, out);
        }
        self.check_date(version, now)?;
        let announcement = self.read(announced, ahead)?;
        let right = self.judge(now, &announcement)?;
        if let Some(place) = known
            && !self.members.get(place).announcement().claims_like(&announcement)
            && !self.claims.may_change(place, now)
        {
            return Err(Refusal::Budget);
        }
        let is_local = announcement.statement().region == self.statement.region;
        if !is_local && known.is_none() && self.members.remote_len() >= self.settings.remote_max {
            self.make_room_for_remote(now, out);
            if self.members.remote_len() >= self.settings.remote_max {
                return Err(Refusal::Full);
            }
        }
        let twice = known.map(|place| self.members.get(place).announcement().clone()).filter(|before| {
            // At one address there is one process: it was started again, sooner than incarnations are told apart.
            let (before, now) = (before.statement(), announcement.statement());
            before.incarnation == incarnation && before.boot != now.boot && before.addresses != now.addresses
        });
        let comes_back = known.is_some_and(|place| !self.members.get(place).state().is_live());
        let mut applied = self.members.announce(&announcement, now);
        if applied == Applied::Full
            && let Some(place) = self.members.gone_before(u64::MAX)
        {
            self.forget(place, out);
            applied = self.members.announce(&announcement, now);
        }

        let place = match applied {
            Applied::New(place) | Applied::Changed(place, _) => place,
            Applied::Full => return Err(Refusal::Full),
            Applied::Old(_) | Applied::Ahead(_) | Applied::Unknown => return Ok(()),
        };
        self.members.set_standing(place, right);
        if comes_back {
            // It was not there to be told.
            self.teach_proofs(place, out);
        }
        self.admit_to_count(place, known.is_none(), now);
        if let Some(before) = twice {
            // Both number their frames alike, so they hear nothing of each other unless they are told.
            let at = before.statement().addresses.first().copied();
            self.conflict(place, at, now, out);
            if let Some(at) = at.filter(|_| self.address_prover.may_challenge(now)) {
                // Who writes, first: it may have met nobody yet.
                let at = Recipient::node(id, at);
                out.send_queue.write(at, None, &MembershipMsg::Announce(Announced::of(self.me())));
                out.send_queue.write(at, None, &MembershipMsg::Announce(Announced::of(&announcement)));
            }
        }
        self.suspicions.close(place);
        self.outdo(place);
        self.changed(place, out);
        if self.members.live() == [place] {
            self.sync.unsettle(now);
        }
        // What a newcomer is taught is no news to others; whom it meets itself is.
        if is_local {
            self.newcomers.hear(place, now);
            let taught = teller.is_some_and(|teller| teller != place && self.sync.is_join_peer(teller, now));
            let itself = teller.is_none_or(|teller| teller == place);
            match () {
                () if taught => {}
                () if itself && known.is_none() => self.mention(place, now),
                () => self.spread(place, now),
            }
        }
        self.changed_at = now;
        Ok(())
    }

    /// An announcement that is known, or older than what is.
    fn handle_known(
        &mut self,
        now: u64,
        place: MemberIndex,
        announced: Announced<'_>,
        teller: Option<MemberIndex>,
        ahead: &mut Ahead,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let bytes = announced.announcement;
        let Some((_, incarnation, version)) = peek(bytes) else { return Ok(()) };
        let member = self.members.get(place);
        let (known, state) = (member.rank(), member.state());
        let equivocates = (incarnation, version) == known && member.announcement().bytes() != bytes;
        if equivocates || (incarnation < known.0 && version > known.1) {
            // Only a word that the member signed is held against it.
            let other = self.read(announced, ahead)?;
            let address = other.statement().addresses.first().copied();
            self.conflict(place, address, now, out);
            return Ok(());
        }
        if let Some(teller) = teller
            && (incarnation, version) == known
        {
            match state {
                PeerState::Failed => {
                    let note = MembershipMsg::Accuse(self.signed_failure(place));
                    self.send_to(teller, &note, out);
                }
                PeerState::Left if self.force_leaves.contains_key(&place) => {
                    self.say_word_of(place, teller, out)
                }
                PeerState::Alive | PeerState::Suspected | PeerState::Left => {}
            }
        }
        Ok(())
    }

    /// An announcement in this node's own name that it did not make: by another process, or by itself in another incarnation.
    pub(super) fn handle_own_announcement(
        &mut self,
        now: u64,
        announced: Announced<'_>,
        ahead: &mut Ahead,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let bytes = announced.announcement;
        let known = self.members.get(Members::ME).rank();
        let Some((_, incarnation, version)) = peek(bytes) else { return Err(Refusal::Unsound) };
        if bytes == self.me().bytes() || (incarnation, version) < known && version < self.born() {
            return Ok(());
        }
        let other = self.read(announced, ahead)?;
        if other.statement().boot == self.statement.boot {
            return Ok(());
        }
        if version > self.born() && !self.hears_first {
            let other = other.statement();
            let superseded = (incarnation, other.boot) > (self.statement.incarnation, self.statement.boot);
            self.handle_double(now, incarnation, superseded, other.addresses.first().copied(), out);
        } else if incarnation >= self.statement.incarnation {
            self.outlived(incarnation, version, out);
        }
        Ok(())
    }
}

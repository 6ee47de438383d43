//! A comparison of tables, said by control frames: what is asked and answered, and at which price.

use crate::control::effects::Effects;
use crate::control::id::{MemberIndex, PeerState};
use crate::control::membership::delivery::{Delivery, Handled};
use crate::control::membership::membership::Membership;
use crate::control::membership::sync;
use crate::control::message::membership::{BUCKETS, MembershipMsg};
use crate::control::send_queue::Recipient;
use crate::limits::CONTROL_FRAME_MAX;
use crate::refusal::Refusal;

impl Membership {
    /// A member's digest came: ask it if the tables differ and nothing is on its way.
    pub(super) fn compare(&mut self, now: u64, from: MemberIndex, digest: u32, out: &mut Effects) {
        let same = digest == self.members.digest();
        let is_local = self.members.get(from).region() == self.statement.region;
        if is_local && self.sync.compare(from, same, self.changed_at, now, &self.settings) {
            self.ask_for_all(from, 0, out);
        }
    }

    pub(super) fn answer(
        &mut self,
        now: u64,
        delivery: &Delivery,
        cursor: u8,
        digests: Option<&[[u8; 4]; BUCKETS]>,
        out: &mut Effects,
    ) -> Result<Handled, Refusal> {
        let (from, address) = (delivery.from, delivery.address);
        self.check_proven(now, delivery, out)?;
        self.check_budget(now, from)?;
        self.members.index_buckets();
        if self.members.get(from).region() != self.statement.region {
            return Ok(Handled::RemoteAsks(digests.is_none()));
        }
        self.newcomers.asked_by(from, digests.is_none(), now);
        if digests.is_none() {
            self.teach_proofs(from, out);
        }
        let asker = Recipient::node(self.members.get(from).id(), address);
        let say = |message: &MembershipMsg<'_>| out.send_queue.write(asker, Some(from), message);
        let bytes = sync::answer(&self.members, cursor, digests, say);
        self.paid(now, from, bytes);
        Ok(Handled::Done)
    }

    /// An answer of a comparison ended.
    pub(super) fn handle_sync_done(
        &mut self,
        now: u64,
        delivery: &Delivery,
        next: u8,
        digest: u32,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let from = delivery.from;
        let same = digest == self.members.digest();
        let was_asked = self.sync.take_owed(from, now) || self.joiner.expects(delivery.address, now);
        if !self.sync.asked(from) {
            // Members of other regions are asked by the scout, one question at a time.
            let remote = self.members.get(from).region() != self.statement.region;
            return if remote || was_asked { Ok(()) } else { Err(Refusal::Unasked) };
        }
        if let Some(cursor) = self.sync.done(from, next, same, now) {
            self.ask_for_all(from, cursor, out);
        }
        Ok(())
    }

    /// Answers a member of another region, to whom `delegates` of this one are named.
    pub(in crate::control) fn answer_remote(
        &mut self,
        now: u64,
        delivery: &Delivery,
        everything: bool,
        delegates: &[MemberIndex],
        out: &mut Effects,
    ) {
        let (from, address) = (delivery.from, delivery.address);
        let asker = Recipient::node(self.members.get(from).id(), address);
        let say = |message: &MembershipMsg<'_>| out.send_queue.write(asker, Some(from), message);
        let bytes = sync::answer_remote(&self.members, from, everything, delegates, say);
        self.paid(now, from, bytes);
    }

    /// Whoever asks too much waits, and so do all when too many ask.
    pub(super) fn check_budget(&mut self, now: u64, from: MemberIndex) -> Result<(), Refusal> {
        let may = self.members.get(from).may_be_answered(now) && self.sync.may_answer(now);
        if may { Ok(()) } else { Err(Refusal::Budget) }
    }

    pub(super) fn paid(&mut self, now: u64, from: MemberIndex, bytes: usize) {
        let control_frames = (bytes / CONTROL_FRAME_MAX) as u64;
        self.members.get_mut(from).answered(control_frames, now);
        self.sync.answered(control_frames);
    }

    /// What a comparison found is said to the member that was asked.
    pub(super) fn hold_against(
        &mut self,
        from: MemberIndex,
        bucket: u8,
        found: sync::Differences,
        out: &mut Effects,
    ) {
        if !found.wanted.is_empty() {
            self.send_to(from, &MembershipMsg::SyncWant { bucket, names: &found.wanted }, out);
        }
        for place in found.accused {
            if self.members.get(place).state() == PeerState::Failed {
                let note = MembershipMsg::Accuse(self.signed_failure(place));
                self.send_to(from, &note, out);
            } else {
                self.say_word_of(place, from, out);
            }
        }
        if self.members.get(from).proven {
            found.offered.into_iter().for_each(|place| self.say_word_of(place, from, out));
        }
    }

    /// Asks a member what this node does not know, from a bucket on.
    pub(in crate::control) fn ask_for_all(&self, to: MemberIndex, cursor: u8, out: &mut Effects) {
        let digests = self.members.digests();
        let digests = (self.members.live().len() > 1).then_some(&digests);
        self.send_to(to, &MembershipMsg::SyncAsk { cursor, digests }, out);
    }
}

//! A message about members, to the machine that it is for; whether its sender answers, and receives at its address.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::control::effects::Effects;
use crate::control::id::{MemberIndex, PeerState, Token};
use crate::control::membership::delivery::{Delivery, Handled};
use crate::control::membership::membership::{Membership, accusation};
use crate::control::membership::sync;
use crate::control::message::announcement::peek;
use crate::control::message::membership::{Announced, MembershipMsg};
use crate::control::send_queue::Recipient;
use crate::refusal::Refusal;

impl Membership {
    /// A message about members.
    pub(in crate::control) fn handle_message(
        &mut self,
        now: u64,
        delivery: &mut Delivery,
        message: MembershipMsg<'_>,
        out: &mut Effects,
    ) -> Result<Handled, Refusal> {
        let (from, address) = (delivery.from, delivery.address);
        let sender = Recipient::node(self.members.get(from).id(), address);
        match message {
            MembershipMsg::Hello => {
                out.send_queue.write(sender, None, &MembershipMsg::Announce(Announced::of(self.me())));
            }
            MembershipMsg::Announce(announced) => {
                let whose = peek(announced.announcement).map(|(id, ..)| id);
                delivery.announced |= whose == Some(self.members.get(from).id());
                self.sync.goes_on(from, now);
                self.learn(now, announced, Some(from), &mut delivery.ahead, out)?;
            }
            MembershipMsg::Missing(announced) => {
                self.handle_missing(now, from, announced, &mut delivery.ahead, out)?
            }
            MembershipMsg::DecisionsAsk(known) => self.answer_decisions(now, delivery, known, out)?,
            MembershipMsg::Decision(bytes) => self.handle_decision(now, from, bytes, out)?,
            MembershipMsg::Proof(piece) => self.handle_piece(now, from, &piece, out)?,
            MembershipMsg::ForceLeave(bytes) => self.handle_force_leave(now, from, bytes, out)?,
            MembershipMsg::Accuse(accusation) => self.handle_accusation(now, from, accusation, out)?,
            MembershipMsg::Ping { nonce, digest } => {
                let ack = MembershipMsg::Ack { nonce, digest: self.members.digest() };
                out.send_queue.write(sender, Some(from), &ack);
                self.compare(now, from, digest, out);
            }
            MembershipMsg::Ack { nonce, digest } => self.handle_ack(now, from, nonce, digest, out)?,
            MembershipMsg::PingReq { nonce, target } => {
                let target = self.members.find(target).ok_or(Refusal::Unheard)?;
                self.prober.help(from, nonce, target, now, &self.settings);
            }
            MembershipMsg::Nack { nonce } => self.prober.nacked(nonce, from),
            MembershipMsg::Challenge { token, seen_at } => {
                return self.handle_challenge(now, delivery, token, seen_at, out);
            }
            MembershipMsg::Response(token) => self.handle_response(now, delivery, &token)?,
            MembershipMsg::SyncAsk { cursor, digests } => {
                return self.answer(now, delivery, cursor, digests, out);
            }
            MembershipMsg::SyncList { bucket, entries } => {
                if !self.sync.asked(from) {
                    // A greeting asks as well, at an address of which it is not known who is there.
                    let asked = self.sync.is_owed(from, now) || self.joiner.expects(address, now);
                    return if asked { Ok(Handled::Done) } else { Err(Refusal::Unasked) };
                }
                self.sync.goes_on(from, now);
                self.members.index_buckets();
                let found = sync::differences(&self.members, bucket, entries);
                self.hold_against(from, bucket, found, out);
            }
            MembershipMsg::SyncWant { bucket, names } => {
                self.check_proven(now, delivery, out)?;
                self.members.index_buckets();
                let places: Vec<MemberIndex> = sync::wanted(&self.members, bucket, names).collect();
                self.check_budget(now, from)?;
                self.paid(now, from, 160 * places.len());
                places.into_iter().for_each(|place| self.say_word_of(place, from, out));
            }
            MembershipMsg::SyncDone { next, digest } => {
                self.handle_sync_done(now, delivery, next, digest, out)?
            }
        }
        Ok(Handled::Done)
    }

    /// A token came back: the sender receives what is sent to its address.
    fn handle_response(&mut self, now: u64, delivery: &mut Delivery, token: &Token) -> Result<(), Refusal> {
        let member = self.members.get_mut(delivery.from);
        if !self.address_prover.recognises(token, member.id(), delivery.address, now) {
            return Err(Refusal::Unproven);
        }
        member.proven |= member.address() == Some(delivery.address);
        delivery.proven = true;
        Ok(())
    }

    fn handle_ack(
        &mut self,
        now: u64,
        from: MemberIndex,
        nonce: u32,
        digest: u32,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let acked = self.prober.acked(now, nonce, from, &self.settings);
        let (target, trip) = acked.ok_or(Refusal::Unasked)?;
        if let Some(trip) = trip {
            let member = self.members.get_mut(target);
            member.proven = true;
            member.rtt.sample(trip);
            self.count_if_due(target, now);
        }
        if self.members.get(target).state() == PeerState::Suspected {
            let note = MembershipMsg::Accuse(accusation(self.members.get(target), self.me().id()));
            self.send_to(target, &note, out);
            self.clear_suspicion(target, now, out);
        }
        self.compare(now, from, digest, out);
        Ok(())
    }

    fn handle_challenge(
        &mut self,
        now: u64,
        delivery: &Delivery,
        token: Token,
        seen_at: SocketAddr,
        out: &mut Effects,
    ) -> Result<Handled, Refusal> {
        let from = delivery.from;
        let sender = Recipient::node(self.members.get(from).id(), delivery.address);
        if !self.address_prover.may_challenge(now) {
            return Err(Refusal::Budget);
        }
        if self.statement.addresses.is_empty() {
            self.restate(now, |statement| statement.addresses.push(seen_at), out);
        }
        if !delivery.announced {
            // It did not introduce itself, so it knows this node, and only wants the proof; if for an answer, the question
            // is lost, and asked again.
            out.send_queue.write(sender, Some(from), &MembershipMsg::Response(token));
            if self.sync.asked(from) {
                self.sync.note_question(from, now);
                self.ask_for_all(from, 0, out);
            }
            return Ok(Handled::ProofSent);
        }
        let me = self.me().clone();
        // The announcement comes first: whoever challenges may not know this node.
        out.send_queue.write(sender, None, &MembershipMsg::Announce(Announced::of(&me)));
        out.send_queue.write(sender, None, &MembershipMsg::Response(token));
        out.send_queue.write(sender, None, &MembershipMsg::Hello);
        let is_local = self.members.get(from).region() == self.statement.region;
        if self.sync.greet(from, is_local, now) {
            let digests = self.members.digests();
            let digests = (self.members.live().len() > 1).then_some(&digests);
            out.send_queue.write(sender, None, &MembershipMsg::SyncAsk { cursor: 0, digests });
        }
        Ok(Handled::Done)
    }

    /// Nothing much is sent to an address that nobody has shown to receive it.
    pub(in crate::control) fn check_proven(
        &mut self,
        now: u64,
        delivery: &Delivery,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let member = self.members.get(delivery.from);
        if delivery.proven || (member.proven && member.address() == Some(delivery.address)) {
            return Ok(());
        }
        let (id, knows) = (member.id(), member.has_written() && member.state().is_live());
        self.challenge(delivery.address, id, !knows, now, out);
        Err(Refusal::Unproven)
    }

    /// A neighbour shows that it receives what is sent to its address before it asks for anything.
    pub(in crate::control) fn get_proof_of(&self, now: u64, place: MemberIndex, out: &mut Effects) {
        let member = self.members.get(place);
        if let Some(address) = member.address().filter(|_| !member.proven) {
            let token = self.address_prover.token(member.id(), address, now);
            self.send_to(place, &MembershipMsg::Challenge { token, seen_at: address }, out);
        }
    }
}

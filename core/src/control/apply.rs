//! The way of updates through the machines: what was merged goes on, and what others say of it is handled.

use core::net::SocketAddr;

use alloc::vec::Vec;

use octick_crypto::NodeId;

use crate::control::control::{Control, Output};
use crate::control::dissemination::dissemination::{Dissemination, SOMEBODY, Taken};
use crate::control::dissemination::spread::SpreadAction;
use crate::control::id::FrameRef;
use crate::control::id::MemberIndex;
use crate::control::id::UpdateId;
use crate::control::message::gossip::{Gossip, LinkOp};
use crate::control::message::membership::MembershipMsg;
use crate::control::message::refusal::Refusal;
use crate::stamp::{Incarnation, Seq};
use crate::wire::Message;

/// A frame that was merged, or that this node issued.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// Who issued it.
    pub origin: NodeId,
    /// In which incarnation.
    pub incarnation: Incarnation,
    /// Its number among that incarnation's frames.
    pub seq: Seq,
    /// Where its bytes are.
    pub frame_ref: FrameRef,
    /// Where it came from; nowhere if this node issued it.
    pub from: Option<SocketAddr>,
    /// Whether it should hurry: it goes to more neighbours at once, and is announced to the others at once.
    pub critical: bool,
}

impl Control {
    /// Whether anybody is there to be told of updates.
    pub fn has_company(&self) -> bool {
        !self.members.live().is_empty() || self.members.remote_len() > 0
    }

    /// An update was merged, or issued: it goes on its way. Returns its name.
    pub fn handle_update(&mut self, now: u64, update: &Update) -> UpdateId {
        let id = UpdateId::of(&self.mesh, update.origin, update.incarnation, update.seq);
        let from = update.from.map(|from| self.neighbour_at(from));
        let origin = self.members.find(update.origin);
        let taken = Taken { id, frame_ref: update.frame_ref, origin, from, critical: update.critical };
        self.dissemination.take(now, &self.members, &taken, &mut self.actions);
        self.fulfil(now);
        self.wake_by(now);
        id
    }

    /// A further copy of a frame came. Nobody need have verified it: whoever sends the like in another's name makes that one
    /// wait for an announcement now and then.
    pub fn handle_duplicate(&mut self, now: u64, update: &Update) {
        let from = update.from.map_or(SOMEBODY, |from| self.neighbour_at(from));
        if from != SOMEBODY {
            let id = UpdateId::of(&self.mesh, update.origin, update.incarnation, update.seq);
            self.dissemination.duplicate(now, id, from);
            self.wake_by(now);
        }
    }

    /// Sends an update straight to a member that it concerns, besides its way to everybody. Returns whether there is such
    /// a member and the update is here.
    pub fn send_update(&mut self, now: u64, id: UpdateId, to: NodeId) -> bool {
        let Some(place) = self.members.find(to) else { return false };
        self.dissemination.send(id, place, &mut self.actions);
        let sent = !self.actions.spread.is_empty();
        self.fulfil(now);
        sent
    }

    /// A live member to compare with: any of this region, now and then one of another.
    pub fn draw_partner(&mut self) -> Option<NodeId> {
        let place = self.dissemination.draw_partner(&self.members)?;
        Some(self.members.get(place).id())
    }

    /// How updates travel.
    pub fn dissemination(&self) -> &Dissemination {
        &self.dissemination
    }

    /// A message of a member about updates or links.
    pub(in crate::control) fn handle_gossip(
        &mut self,
        now: u64,
        from: MemberIndex,
        address: SocketAddr,
        Message { kind, body }: Message<'_>,
    ) -> Result<(), Refusal> {
        if kind == crate::control::reconcile::message::KIND {
            return self.handle_reconcile(now, from, address, body);
        }
        let gossip = match Gossip::decode(kind, body) {
            Some(Ok(gossip)) => gossip,
            Some(Err(_)) => return Err(Refusal::Garbled),
            None => {
                self.check_proven(now, from, address)?;
                let from = self.members.get(from).id();
                self.want(Output::Deliver { from, kind, body: body.into() });
                return Ok(());
            }
        };
        if matches!(gossip, Gossip::Pull(_) | Gossip::Offer(_)) {
            // What it asks for is much more than it takes to ask.
            self.check_proven(now, from, address)?;
        }
        match gossip {
            Gossip::Shuffle { answer, descriptors } => self.handle_shuffle(now, from, answer, &descriptors),
            Gossip::Heartbeat(_) => self.handle_heartbeat(now, from),
            gossip => {
                self.dissemination.handle(now, from, &gossip, &mut self.actions);
                self.fulfil(now);
            }
        }
        Ok(())
    }

    /// A member has come, gone or changed.
    pub(in crate::control) fn follow(&mut self, now: u64, place: MemberIndex) {
        if self.members.get(place).region() != self.statement.region {
            self.scout.wake(now);
        }
        self.dissemination.follow(now, &self.members, place, &mut self.actions);
        self.fulfil(now);
    }

    /// Says and sends what the dissemination wants.
    pub(in crate::control) fn fulfil(&mut self, now: u64) {
        let mut actions = core::mem::take(&mut self.actions);
        for place in actions.behind.drain(..) {
            self.catch_up(now, place);
        }
        for (to, op) in actions.links.drain(..) {
            self.gossip_to(to, &Gossip::Link(op));
            if op != LinkOp::Disconnect {
                self.get_proof_of(now, to);
            }
        }
        for act in actions.spread.drain(..) {
            match act {
                SpreadAction::Forward { frame_ref, to, .. } => self.forward(frame_ref, to),
                SpreadAction::Announce { to, ids } => self.gossip_to(to, &Gossip::Ids(ids)),
                SpreadAction::Pull { to, ids } => self.gossip_to(to, &Gossip::Pull(ids)),
                SpreadAction::Offer { to, ids } => self.gossip_to(to, &Gossip::Offer(ids)),
                SpreadAction::Prune { to, ids } => self.gossip_to(to, &Gossip::Prune(ids)),
                // Bytes make room for others by themselves.
                SpreadAction::Forget(_) => {}
            }
        }
        self.actions = actions;
    }

    /// A neighbour shows that it receives what is sent to its address before it asks for anything.
    fn get_proof_of(&mut self, now: u64, place: MemberIndex) {
        let member = self.members.get(place);
        if let Some(address) = member.address().filter(|_| !member.proven) {
            let token = self.address_prover.token(member.id(), address, now);
            self.send_to(place, &MembershipMsg::Challenge { token, seen_at: address });
        }
    }

    /// What an update makes due is due at `now` at the earliest: else it would look as if this node had been stopped.
    fn wake_by(&mut self, now: u64) {
        self.due = self.due.min(self.dissemination.next_due().max(now));
    }

    fn forward(&mut self, frame_ref: FrameRef, to: MemberIndex) {
        let member = self.members.get(to);
        if let Some(to) = member.address().filter(|_| member.state().is_live()) {
            self.want(Output::Forward { frame_ref, to });
        }
    }

    pub(in crate::control) fn gossip_to(&mut self, to: MemberIndex, gossip: &Gossip) {
        let mut body = Vec::with_capacity(64);
        gossip.encode(&mut body);
        self.send_to(to, &MembershipMsg::Other(Message { kind: gossip.kind(), body: &body }));
    }

    fn neighbour_at(&self, address: SocketAddr) -> MemberIndex {
        let mut neighbours = self.dissemination.neighbours();
        let found = neighbours.find(|place| self.members.get(*place).address() == Some(address));
        found.unwrap_or(SOMEBODY)
    }
}

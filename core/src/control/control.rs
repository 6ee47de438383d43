//! The control plane of one node: routes control frames to its machines, and what they want to the embedder.
//!
//! In come control frames that were verified, time, and what the operator wants; out come [`Output`]s. The embedder signs
//! and sends control frames, keeps its directory of origins in step with [`Output::Member`], and calls
//! [`Control::tick`] no later than [`Control::next_due`]. Nothing here decides anything, reads a clock, sends, or blocks.
//!
//! ```text
//!                ┌─ members ───> membership ──── changes ──┐
//! control frame ─┼─ updates ───> dissemination <───────────┤   actions   ┌> send queue ─┐
//!                ├─ regions ───> cross_region  <───────────┘ ──────────> ┤              ├─> poll ─> Output
//!                └─ sessions ──> reconciler                              └> outputs ────┘
//! ```
//!
//! An unknown origin is [introduced](Control::introduce) first: its announcement has the key that its frame is verified with.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::net::SocketAddr;

use octick_crypto::NodeId;

use super::reconcile::session::{self, Reconciler, SessionSettings};
use crate::admission::log::Appended;
use crate::admission::{Admission, Credential, SignedDecision};
use crate::control::config::{Config, Settings};
use crate::control::cross_region::cyclon::Sampling;
use crate::control::cross_region::scout::Scout;
use crate::control::dissemination::dissemination::Dissemination;
use crate::control::effects::Effects;
use crate::control::id::MemberIndex;
use crate::control::membership::delivery::Delivery;
use crate::control::membership::membership::Membership;
use crate::control::membership::proofs::Proofs;
use crate::control::membership::signer::Signer;
use crate::control::membership::table::Members;
use crate::control::membership::worth::Worth;
use crate::control::message::announcement::Announcement;
use crate::control::message::control_msg::ControlMsg;
use crate::control::message::equivocation::Proof;
use crate::control::message::gossip::Gossip;
use crate::control::message::kind::{Addressing, MessageKind};
use crate::control::message::malformed::Malformed;
use crate::control::output::{Expelled, NodeInit, Output, PacketInfo, Partition, Quorum, Rights};
use crate::random::{Nonces, Random};
use crate::refusal::{Refusal, Refusals};
use crate::stamp::{Incarnation, Run};
use crate::time::S;
use crate::wire::{ControlFrame, Message, Messages};

/// The control plane of one node.
pub struct Control {
    pub(super) mesh: [u8; 32],
    pub(super) membership: Membership,
    pub(super) dissemination: Dissemination,
    pub(super) cross_region: Scout,
    pub(super) reconciler: Reconciler<MemberIndex, u64>,
    pub(super) effects: Effects,
    refusals: Refusals,
    pub(super) due: u64,
}

impl Control {
    /// A node that knows nobody but itself.
    pub fn new(settings: Settings, init: NodeInit, signer: Box<dyn Signer>) -> Self {
        let Config { membership, spread, selection } = settings.into_config();
        let (now, mut random) = (init.now, Random::new(init.seed));
        let mut effects = Effects::default();
        // Two members may have two sessions with each other, and offers are answered besides: together no more in a second than
        // one is sent, or what is refused would be lacking when a session is over.
        let batch = usize::from(spread.served_max) * 4 / 5;
        let sessions = SessionSettings { batch: batch.max(1), batch_gap: S, ..SessionSettings::default() };
        let membership = Membership::new(membership, &init, signer, &mut random, &mut effects);
        let me = (init.id, init.region);
        let mut control = Self {
            membership,
            dissemination: Dissemination::new((spread, selection), init.mesh, me, random.fork(), now),
            cross_region: Scout::new(Sampling::new(init.id, random.fork()), random.fork()),
            reconciler: Reconciler::new(sessions, Nonces::new(&init.secret, random.u64(), "sessions")),
            mesh: init.mesh,
            effects,
            refusals: Refusals::default(),
            due: now,
        };
        control.apply(now);
        assert!(control.members().get(Members::ME).id() == init.id, "the first member is this node");
        control
    }

    /// Everybody on record.
    pub fn members(&self) -> &Members {
        self.membership.members()
    }

    /// This node's last word about itself.
    pub fn me(&self) -> &Arc<Announcement> {
        self.membership.me()
    }

    /// Whether enough of the mesh is reachable.
    pub fn partition(&self) -> Partition {
        self.membership.partition()
    }

    /// What a quorum is counted from.
    pub fn quorum(&self) -> Quorum {
        self.membership.quorum()
    }

    /// Whether no seed answers.
    pub fn is_alone(&self) -> bool {
        self.membership.is_alone()
    }

    /// Whether a newcomer's first comparisons are over.
    pub fn is_settled(&self) -> bool {
        self.membership.is_settled()
    }

    /// The slots that this node claims and does not hold, and who does.
    pub fn slots_lost(&self) -> impl Iterator<Item = (Run, NodeId)> + '_ {
        self.membership.slots_lost()
    }

    /// How this node feels: 0 is well; worse, it asks slower and waits longer.
    pub fn health(&self) -> u32 {
        self.membership.health()
    }

    /// Whether anybody is there to be told of updates.
    pub fn has_company(&self) -> bool {
        !self.members().live().is_empty() || self.members().remote_len() > 0
    }

    /// How updates travel.
    pub fn dissemination(&self) -> &Dissemination {
        &self.dissemination
    }

    /// How this node keeps in touch with other regions.
    pub fn scout(&self) -> &Scout {
        &self.cross_region
    }

    /// Sessions about updates that are under way.
    pub fn sessions(&self) -> usize {
        self.reconciler.len()
    }

    /// What was refused so far, and why, by all machines.
    pub fn refusals(&self) -> Refusals {
        let mut all = self.refusals;
        for (refused, count) in session::SessionRefusal::ALL.into_iter().zip(self.reconciler.refused()) {
            all.set(refused.refusal(), *count);
        }
        let spread = self.dissemination.counts();
        all.set(Refusal::IdsRefused, spread.ids_refused.into());
        all.set(Refusal::PullsRefused, spread.pulls_refused.into());
        all.set(Refusal::PullsUnknown, spread.pulls_unknown.into());
        let samples = self.cross_region.sampling().refused;
        all.set(Refusal::SamplesOversized, samples.oversized.into());
        all.set(Refusal::SamplesUnasked, samples.unasked.into());
        all.set(Refusal::SamplesMisdated, samples.misdated.into());
        all.set(Refusal::SendQueueFull, self.effects.send_queue.dropped());
        all
    }

    /// Who a control frame of an unknown origin comes from: its announcement, whose key the frame is to be verified with
    /// before [`Control::handle_introduced`] gets both. For a known origin, that one's; costs nothing then.
    ///
    /// # Errors
    /// Why nothing more should be done about the frame. A stranger that does not announce itself is asked to, and one
    /// that announces itself while many do is asked to show that it receives what is sent to its address.
    pub fn introduce(
        &mut self,
        now: u64,
        from: SocketAddr,
        origin: NodeId,
        messages: Messages<'_>,
    ) -> Result<Arc<Announcement>, Refusal> {
        let introduced = self.membership.introduce(now, from, origin, messages, &mut self.effects);
        introduced.inspect_err(|refusal| self.refusals.count(*refusal))
    }

    /// Takes in a control frame whose frame was verified.
    ///
    /// # Errors
    /// Why the control frame, or the rest of it, was not handled; it is counted.
    pub fn handle_control_frame(
        &mut self,
        now: u64,
        packet: &PacketInfo,
        messages: Messages<'_>,
    ) -> Result<(), Refusal> {
        self.handle_verified(now, packet, messages, None)
    }

    /// The same of a stranger, whose frame was verified with the key that [`Control::introduce`] found.
    ///
    /// # Errors
    /// Why the control frame, or the rest of it, was not handled; it is counted.
    pub fn handle_introduced(
        &mut self,
        now: u64,
        packet: &PacketInfo,
        announcement: Arc<Announcement>,
        messages: Messages<'_>,
    ) -> Result<(), Refusal> {
        self.handle_verified(now, packet, messages, Some(announcement))
    }

    fn handle_verified(
        &mut self,
        now: u64,
        packet: &PacketInfo,
        messages: Messages<'_>,
        introduced: Option<Arc<Announcement>>,
    ) -> Result<(), Refusal> {
        self.wake(now);
        let outcome = self.handle_messages(now, packet, messages, introduced);
        self.finish(now);
        outcome
    }

    /// Message by message. Each refusal is counted; the last of them is returned.
    fn handle_messages(
        &mut self,
        now: u64,
        packet: &PacketInfo,
        messages: Messages<'_>,
        introduced: Option<Arc<Announcement>>,
    ) -> Result<(), Refusal> {
        let opened = self.membership.open(now, packet, messages.clone(), introduced, &mut self.effects);
        self.apply(now);
        let mut delivery = opened.inspect_err(|refusal| self.refusals.count(*refusal))?;
        let mut outcome = Ok(());
        for message in messages {
            let handled = match ControlMsg::decode(message, self.dissemination.lists()) {
                Ok(_) if packet.to.is_none() && !may_be_for_anyone(message) => Err(Refusal::Unaddressed),
                Ok(message) => self.handle_message(now, &mut delivery, message),
                // Newer nodes may say more than this one understands.
                Err(Malformed::Kind) => Err(Refusal::Kind),
                Err(_) => Err(Refusal::Malformed),
            };
            self.apply(now);
            if let Err(refusal) = handled {
                self.refusals.count(refusal);
                outcome = handled;
                // One signature checked in vain a control frame, which its sender has paid for; not six. And who writes
                // one message wrong may have written all of them wrong.
                if matches!(refusal, Refusal::Unsound | Refusal::Malformed) {
                    break;
                }
            }
        }
        outcome
    }

    /// To the machine that a message is for.
    fn handle_message(
        &mut self,
        now: u64,
        delivery: &mut Delivery,
        message: ControlMsg<'_>,
    ) -> Result<(), Refusal> {
        let out = &mut self.effects;
        match message {
            ControlMsg::Membership(message) => {
                let handled = self.membership.handle_message(now, delivery, message, out)?;
                self.handle_rest(now, delivery, handled);
            }
            ControlMsg::Dissemination(gossip) => {
                // What these ask for is much more than it takes to ask.
                let checked = match gossip {
                    Gossip::Pull(_) | Gossip::Offer(_) => self.membership.check_proven(now, delivery, out),
                    _ => Ok(()),
                };
                if checked.is_ok() {
                    self.dissemination.handle(now, delivery.from, &gossip);
                }
                gossip.give_back(self.dissemination.lists());
                return checked;
            }
            ControlMsg::CrossRegion(gossip) => self.handle_cross_region(now, delivery.from, gossip),
            ControlMsg::Reconcile(body) => {
                self.membership.check_proven(now, delivery, out)?;
                return self.handle_session(now, delivery.from, body);
            }
            ControlMsg::Other(kind, body) => {
                self.membership.check_proven(now, delivery, out)?;
                let from = self.membership.members().get(delivery.from).id();
                let mut message = out.send_queue.control_frame();
                let fits = message.push(kind as u8, body);
                debug_assert!(fits, "a message that came in a control frame fits one");
                out.want(Output::Deliver { from, message });
            }
        }
        Ok(())
    }

    /// Does what is due.
    pub fn tick(&mut self, now: u64) {
        self.wake(now);
        self.membership.tick(now, &mut self.effects);
        self.apply(now);
        if self.cross_region.next_due() <= now {
            self.look_remote(now);
        }
        if self.reconciler.next_due() <= now {
            self.reconciler.tick(now);
        }
        self.apply(now);
        if self.is_settled() {
            self.dissemination.settle_in(now);
        }
        let wall = self.membership.wall(now);
        self.dissemination.tick(now, wall, self.membership.members());
        self.apply(now);
        self.finish(now);
    }

    /// When [`Control::tick`] should be called at the latest.
    pub fn next_due(&self) -> u64 {
        self.due
    }

    /// The next thing to be done. To be called until there is nothing, after every other call.
    pub fn poll(&mut self) -> Option<Output> {
        if let Some(output) = self.effects.outputs.pop_front() {
            return Some(output);
        }
        while let Some(mut sent) = self.effects.send_queue.take() {
            if let Some(member) = sent.member {
                self.membership.fill(member, &mut sent.control_frame);
            }
            if !sent.control_frame.is_empty() {
                return Some(Output::Send { to: sent.to, control_frame: sent.control_frame });
            }
            self.give_back(sent.control_frame);
        }
        None
    }

    /// Takes the memory that a busy node needs at once, some 120 KiB, instead of when it first needs it.
    pub fn reserve(&mut self) {
        self.effects.send_queue.reserve();
        self.dissemination.reserve();
    }

    /// Takes back the control frame of an [`Output`] that was dealt with: the next one is written into it.
    pub fn give_back(&mut self, control_frame: Box<ControlFrame>) {
        self.effects.send_queue.give_back(control_frame);
    }

    /// Writes a message of another machine to a member. Returns whether there is such a live member and the message
    /// fits a control frame.
    pub fn write(&mut self, to: NodeId, message: Message<'_>) -> bool {
        let Some(place) = self.members().find(to) else { return false };
        let member = self.members().get(place);
        let fits = message.body.len() <= crate::wire::control_frame::BODY_MAX;
        match member.recipient() {
            Some(recipient) if fits && member.state().is_live() => {
                self.effects.send_queue.write(recipient, Some(place), &message);
                true
            }
            _ => false,
        }
    }

    /// Greets whoever is at `address`, so that the two meshes become one.
    pub fn join(&mut self, now: u64, address: SocketAddr) {
        self.membership.join(now, address, &mut self.effects);
        self.due = now;
    }

    /// Has an announcement in this node's own name that it did not make count as its own of an earlier start, however late it is
    /// dated: the mesh may remember more of this node than it does, and its clock may have stepped back.
    pub fn hear_first(&mut self) {
        self.membership.hears_first = true;
    }

    /// Has been told all of that: whoever else speaks with this node's key from now on is another process.
    pub fn end_hearing(&mut self) {
        self.membership.hears_first = false;
    }

    /// Goes on as a later incarnation.
    pub fn begin_again(&mut self, now: u64, incarnation: Incarnation) {
        self.membership.begin_again(now, incarnation, &mut self.effects);
        self.apply(now);
        self.due = self.due.min(self.membership.next_due().max(now));
    }

    /// This node says goodbye. It should go on until what [`Control::poll`] gives is sent.
    pub fn leave(&mut self, now: u64) {
        self.membership.leave(now, &mut self.effects);
        self.apply(now);
        self.due = self.due.min(self.membership.next_due().max(now));
    }

    /// Whether what this node said last of itself, its goodbye say, was told as often as news is told.
    pub fn is_own_word_told(&self) -> bool {
        self.membership.is_told(Members::ME)
    }

    /// An operator knows that a member is gone for good; `prune` if nobody should see it any more.
    pub fn expel(&mut self, now: u64, id: NodeId, prune: bool) -> Expelled {
        let expelled = self.membership.expel(now, id, prune, &mut self.effects);
        self.apply(now);
        self.due = self.due.min(self.membership.next_due().max(now));
        expelled
    }

    /// The mesh's authority decided something, as this node's operator knows; it is passed on.
    pub fn decide(&mut self, now: u64, decision: SignedDecision) -> Appended {
        let appended = self.membership.decide(now, decision, &mut self.effects);
        self.apply(now);
        appended
    }

    /// Two frames that contradict each other, as this node received them: their origin is convicted if it signed both.
    ///
    /// # Errors
    /// Why nothing came of it.
    pub fn convict(&mut self, now: u64, proof: Proof) -> Result<(), Refusal> {
        let convicted = self.membership.convict(now, proof, &mut self.effects);
        self.apply(now);
        self.due = self.due.min(self.membership.next_due().max(now));
        convicted.inspect_err(|refusal| self.refusals.count(*refusal))
    }

    /// Who was convicted of equivocation, and by what.
    pub fn proofs(&self) -> &Proofs {
        self.membership.proofs()
    }

    /// This node's operator knows better of a member than a proof. Returns whether there was one that counted. The member comes back when it
    /// announces itself, to this node.
    pub fn pardon(&mut self, id: NodeId) -> bool {
        self.membership.pardon(id)
    }

    /// This node lives by another credential from now on.
    ///
    /// # Panics
    /// When it is another node's.
    pub fn renew(&mut self, now: u64, credential: Arc<Credential>) {
        self.membership.renew(now, credential, &mut self.effects);
        self.apply(now);
    }

    /// What this node may do in its mesh, by its own reckoning.
    pub fn rights(&self) -> Rights {
        self.membership.rights
    }

    /// What a member is worth keeping where room is short; `spoke` if it was heard elsewhere than here.
    pub fn worth(&self, id: NodeId, spoke: bool) -> Worth {
        self.membership.worth(id, spoke)
    }

    /// Says again what is known of a member, if it is on record, for whoever may not have kept that.
    pub fn tell_again(&mut self, id: NodeId) {
        if let Some(place) = self.members().find(id) {
            self.membership.tell(place, &mut self.effects);
        }
    }

    /// Who may be a member.
    pub fn admission(&self) -> &Admission {
        self.membership.admission()
    }

    fn wake(&mut self, now: u64) {
        if self.membership.wake(now, self.due) {
            self.due = now;
        }
    }

    /// What the prober found is last; then all is done that can be done now.
    fn finish(&mut self, now: u64) {
        self.membership.poll_prober(now, &mut self.effects);
        self.apply(now);
        let machines = [
            self.membership.next_due(),
            self.dissemination.next_due(),
            self.cross_region.next_due(),
            self.reconciler.next_due(),
        ];
        self.due = machines.into_iter().fold(u64::MAX, u64::min).max(now);
    }
}

/// Whether a message may come in a control frame that names no recipient.
fn may_be_for_anyone(message: Message<'_>) -> bool {
    MessageKind::of(message.kind).is_some_and(|kind| kind.addressing() == Addressing::Anyone)
}

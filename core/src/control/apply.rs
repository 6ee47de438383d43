//! What the machines want, carried out: changes of members to those that follow them, and actions into control frames.
//!
//! In come the queues of the machines, emptied; out go messages into the send queue and [`Output`]s. Nothing is decided here:
//! each action has one destination.

use alloc::vec::Vec;
use core::net::SocketAddr;

use octick_crypto::NodeId;

use crate::control::control::Control;
use crate::control::cross_region::scout::{RegionView, ScoutAction};
use crate::control::dissemination::action::{DisseminationAction, Taken};
use crate::control::dissemination::dissemination::SOMEBODY;
use crate::control::dissemination::spread::SpreadAction;
use crate::control::id::{FrameRef, MemberIndex, UpdateId};
use crate::control::membership::delivery::{Delivery, Handled};
use crate::control::membership::membership::MemberChange;
use crate::control::membership::table::Members;
use crate::control::message::gossip::{Gossip, LinkOp};
use crate::control::message::kind::MessageKind;
use crate::control::message::membership::MembershipMsg;
use crate::control::output::{Output, UpdateInfo};
use crate::control::reconcile::message::still_wanted;
use crate::control::reconcile::session;
use crate::refusal::Refusal;
use crate::wire::Message;

/// The set that sessions compare: updates that are kept for those who ask.
const UPDATES: u8 = 0;

impl Control {
    /// An update was merged, or issued: it goes on its way. Returns its name.
    pub fn handle_update(&mut self, now: u64, update: &UpdateInfo) -> UpdateId {
        let id = UpdateId::of(&self.mesh, update.origin, update.incarnation, update.seq);
        let from = update.from.map(|from| self.neighbour_at(from));
        let origin = self.members().find(update.origin);
        let taken = Taken { id, frame_ref: update.frame_ref, origin, from, critical: update.critical };
        self.dissemination.handle_update(now, self.membership.members(), &taken);
        self.apply(now);
        self.wake_by(now);
        id
    }

    /// The bytes of updates that were laid down before this reference are gone: what cannot be served is not named to anybody
    /// as what can.
    pub fn forget_bytes(&mut self, before: FrameRef) {
        self.dissemination.forget_bytes(before);
    }

    /// A further copy of a frame came. Nobody need have verified it: whoever sends the like in another's name makes that one
    /// wait for an announcement now and then.
    pub fn handle_duplicate(&mut self, now: u64, update: &UpdateInfo) {
        let from = update.from.map_or(SOMEBODY, |from| self.neighbour_at(from));
        if from != SOMEBODY {
            let id = UpdateId::of(&self.mesh, update.origin, update.incarnation, update.seq);
            self.dissemination.duplicate(now, id, from);
            self.wake_by(now);
        }
    }

    /// Where the bytes of an update are that was merged, if they may still be there.
    pub fn frame_of(&self, update: &UpdateInfo) -> Option<FrameRef> {
        self.dissemination.frame_of(UpdateId::of(&self.mesh, update.origin, update.incarnation, update.seq))
    }

    /// Sends an update straight to a member that it concerns, besides its way to everybody. Returns whether there is such
    /// a member and the update is here.
    pub fn send_update(&mut self, now: u64, id: UpdateId, to: NodeId) -> bool {
        let Some(place) = self.members().find(to) else { return false };
        let sent = self.dissemination.send(id, place);
        self.apply(now);
        sent
    }

    /// A live member to compare with: any of this region, now and then one of another.
    pub fn draw_partner(&mut self) -> Option<NodeId> {
        let place = self.dissemination.draw_partner(self.membership.members())?;
        Some(self.members().get(place).id())
    }

    /// What a message about members leaves to do for other machines.
    pub(super) fn handle_rest(&mut self, now: u64, delivery: &Delivery, handled: Handled) {
        match handled {
            Handled::Done => {}
            Handled::ProofSent => self.dissemination.offer_again(now, delivery.from),
            Handled::RemoteAsks(everything) => {
                let delegates = self.dissemination.delegates(self.membership.members());
                self.membership.answer_remote(now, delivery, everything, &delegates, &mut self.effects);
            }
        }
    }

    /// A message about other regions.
    pub(super) fn handle_cross_region(&mut self, now: u64, from: MemberIndex, gossip: Gossip) {
        let (members, wall) = (self.membership.members(), self.membership.wall(now));
        match gossip {
            Gossip::Shuffle { answer, descriptors } => {
                self.cross_region.handle_shuffle(now, wall, from, (answer, &descriptors), members);
            }
            Gossip::Heartbeat(_) => {
                self.cross_region.handle_heartbeat(now, members.get(from).region(), from);
            }
            _ => {}
        }
    }

    /// A message of a session that compares updates.
    pub(super) fn handle_session(&mut self, now: u64, from: MemberIndex, body: &[u8]) -> Result<(), Refusal> {
        let dissemination = &self.dissemination;
        let names = |set| (set == UPDATES).then(|| dissemination.held(now).into_iter());
        self.reconciler.handle(now, from, body, names).map_err(session::SessionRefusal::refusal)
    }

    /// Lets the scout look around in other regions.
    pub(super) fn look_remote(&mut self, now: u64) {
        let members = self.membership.members();
        let lacking = self.dissemination.lacking(members);
        let (leaders, leads) = self.dissemination.leaders(members);
        let own = members.get(Members::ME).descriptor();
        let view = RegionView { members, lacking: &lacking, leaders: &leaders, leads, own };
        self.cross_region.tick(now, &view);
    }

    /// Carries out what the machines want, until none wants anything. Each may want something because of another, but none
    /// because of itself, so this ends.
    pub(super) fn apply(&mut self, now: u64) {
        loop {
            if let Some(change) = self.membership.poll_change() {
                self.apply_change(now, change);
            } else if let Some(action) = self.dissemination.poll() {
                self.apply_dissemination(now, action);
            } else if let Some(output) = self.reconciler.poll() {
                self.apply_session(now, output);
            } else if let Some(action) = self.cross_region.poll() {
                self.apply_cross_region(now, action);
            } else {
                return;
            }
        }
    }

    /// A member has come, gone or changed: to those that follow the members.
    fn apply_change(&mut self, now: u64, change: MemberChange) {
        let members = self.membership.members();
        match change {
            MemberChange::Changed(place) => {
                if members.get(place).region() != self.membership.region() {
                    self.cross_region.wake(now);
                }
                self.dissemination.follow(now, members, place);
            }
            MemberChange::Forgotten(place, id) => {
                self.cross_region.forget(place, id);
                self.reconciler.forget(place);
                self.dissemination.forget(now, members, place);
            }
        }
    }

    fn apply_dissemination(&mut self, now: u64, action: DisseminationAction) {
        match action {
            DisseminationAction::CatchUp(with) => self.open_session(now, with),
            DisseminationAction::Link(to, op) => {
                self.say(to, Gossip::Link(op));
                if op != LinkOp::Disconnect {
                    self.membership.get_proof_of(now, to, &mut self.effects);
                }
            }
            DisseminationAction::Spread(action) => match action {
                SpreadAction::Forward { frame_ref, to, .. } => self.forward(frame_ref, to),
                SpreadAction::Announce { to, ids } => self.say(to, Gossip::Ids(ids)),
                SpreadAction::Pull { to, ids } => self.say(to, Gossip::Pull(ids)),
                SpreadAction::Offer { to, ids } => self.say(to, Gossip::Offer(ids)),
                SpreadAction::Prune { to, ids } => self.say(to, Gossip::Prune(ids)),
                // Bytes make room for others by themselves.
                SpreadAction::Forget(_) => {}
            },
        }
    }

    fn apply_session(&mut self, now: u64, output: session::Output<MemberIndex, u64>) {
        match output {
            session::Output::Say { to, body } => {
                // What came while the sets were compared is here by now.
                let lacks = |name| !self.dissemination.holds(UpdateId(name));
                let Some(body) = still_wanted::<u64>(body, lacks) else { return };
                let message = Message { kind: MessageKind::Reconcile as u8, body: &body };
                self.membership.send_to(to, &message, &mut self.effects);
            }
            session::Output::Serve { to, names, .. } => {
                let ids: Vec<UpdateId> = names.into_iter().map(UpdateId).collect();
                self.dissemination.serve(now, to, &ids);
            }
            session::Output::Again { with, .. } => {
                if self.members().get(with).state().is_live() {
                    self.open_session(now, with);
                }
            }
            // What is expected was asked for; what ends otherwise has had its messages.
            session::Output::Expect { .. } | session::Output::Ended { .. } => {}
        }
    }

    fn apply_cross_region(&mut self, now: u64, action: ScoutAction) {
        match action {
            ScoutAction::Shuffle { to, answer, descriptors } => {
                self.say(to, Gossip::Shuffle { answer, descriptors });
            }
            ScoutAction::Beat(to, number) => self.say(to, Gossip::Heartbeat(number)),
            ScoutAction::Greet(address) => self.membership.join(now, address, &mut self.effects),
            ScoutAction::Ask(to) => self.membership.ask_for_all(to, 0, &mut self.effects),
            ScoutAction::Ping(to) => {
                self.membership.send_to(to, &MembershipMsg::Hello, &mut self.effects);
            }
            ScoutAction::Lost(place) => {
                if self.membership.lose(now, place, &mut self.effects) {
                    self.cross_region.forget(place, self.members().get(place).id());
                }
            }
        }
    }

    /// A member has what is mostly unknown here: compares all of it.
    fn open_session(&mut self, now: u64, with: MemberIndex) {
        let names = self.dissemination.held(now);
        self.reconciler.open(now, with, UPDATES, names.into_iter());
    }

    fn forward(&mut self, frame_ref: FrameRef, to: MemberIndex) {
        let member = self.members().get(to);
        if let Some(to) = member.address().filter(|_| member.state().is_live()) {
            self.effects.want(Output::Forward { frame_ref, to });
        }
    }

    fn say(&mut self, to: MemberIndex, gossip: Gossip) {
        debug_assert!(gossip.can_be_read(self.dissemination.lists()), "nobody understands {gossip:?}");
        self.membership.send_to(to, &gossip, &mut self.effects);
        gossip.give_back(self.dissemination.lists());
    }

    /// What an update makes due is due at `now` at the earliest: else it would look as if this node had been stopped.
    fn wake_by(&mut self, now: u64) {
        self.due = self.due.min(self.dissemination.next_due().max(now));
    }

    fn neighbour_at(&self, address: SocketAddr) -> MemberIndex {
        let mut neighbours = self.dissemination.neighbours();
        let found = neighbours.find(|place| self.members().get(*place).address() == Some(address));
        found.unwrap_or(SOMEBODY)
    }
}

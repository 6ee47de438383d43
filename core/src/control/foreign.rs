//! The way of what concerns other regions through the machines.

use alloc::vec::Vec;

use super::control::Control;
use crate::control::cross_region::scout::{RegionView, Scout, ScoutAction};
use crate::control::id::{MemberIndex, PeerState};
use crate::control::membership::table::{Applied, Members};
use crate::control::message::descriptor::Descriptor;
use crate::control::message::gossip::Gossip;
use crate::control::message::membership::MembershipMsg;

impl Control {
    /// How this node keeps in touch with other regions.
    pub fn scout(&self) -> &Scout {
        &self.scout
    }

    /// Lets the scout look around.
    pub(super) fn look_remote(&mut self, now: u64) {
        let lacking = self.dissemination.lacking(&self.members);
        let (leaders, leads) = self.dissemination.leaders(&self.members);
        let own = self.members.get(Members::ME).descriptor();
        let view = RegionView { members: &self.members, lacking: &lacking, leaders: &leaders, leads, own };
        let mut actions = Vec::new();
        self.scout.tick(now, &view, &mut actions);
        self.run(now, actions);
    }

    /// Samples of the mesh came.
    pub(super) fn handle_shuffle(
        &mut self,
        now: u64,
        from: MemberIndex,
        answer: bool,
        theirs: &[Descriptor],
    ) {
        let (wall, mut actions) = (self.wall(now), Vec::new());
        let samples = (answer, theirs);
        let reply = self.scout.handle_shuffle(now, wall, from, samples, &self.members, &mut actions);
        if let Some(descriptors) = reply {
            self.gossip_to(from, &Gossip::Shuffle { answer: true, descriptors });
        }
        self.run(now, actions);
    }

    /// A leader's heartbeat came.
    pub(super) fn handle_heartbeat(&mut self, now: u64, from: MemberIndex) {
        self.scout.handle_heartbeat(now, self.members.get(from).region(), from);
    }

    fn run(&mut self, now: u64, actions: Vec<ScoutAction>) {
        for errand in actions {
            match errand {
                ScoutAction::Shuffle(to, descriptors) => {
                    self.gossip_to(to, &Gossip::Shuffle { answer: false, descriptors });
                }
                ScoutAction::Greet(address) => {
                    self.joiner.expect(address, now);
                    self.greet_at(address);
                }
                ScoutAction::Ask(to) => self.ask_for_all(to, 0),
                ScoutAction::Ping(to) => self.send_to(to, &MembershipMsg::Hello),
                ScoutAction::Beat(to, number) => self.gossip_to(to, &Gossip::Heartbeat(number)),
                ScoutAction::Lost(place) => self.lose(now, place),
            }
        }
    }

    /// A member of another region does not answer. Its own region tells its members; here nobody need hear of it.
    fn lose(&mut self, now: u64, place: MemberIndex) {
        let rank = self.members.get(place).rank();
        if let Applied::Changed(..) = self.members.report_at(place, rank, PeerState::Failed, now) {
            self.scout.forget(place, &self.members);
            self.changed(now, place);
        }
    }
}

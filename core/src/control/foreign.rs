//! The way of what concerns other regions through the machines.

use alloc::vec::Vec;

use super::control::Control;
use crate::control::cross_region::cyclon::Descriptor;
use crate::control::cross_region::scout::{Errand, Lookout, Scout};
use crate::control::membership::table::{Applied, Members, PeerState, Place};
use crate::control::message::gossip::Gossip;
use crate::control::message::membership::Note;

impl Control {
    /// How this node keeps in touch with other regions.
    pub fn scout(&self) -> &Scout {
        &self.scout
    }

    /// Lets the scout look around.
    pub(super) fn look_abroad(&mut self, now: u64) {
        let lacking = self.dissemination.lacking(&self.members);
        let (leaders, leads) = self.dissemination.leaders(&self.members);
        let own = self.members.get(Members::ME).descriptor();
        let lookout = Lookout { members: &self.members, lacking: &lacking, leaders: &leaders, leads, own };
        let mut errands = Vec::new();
        self.scout.tick(now, &lookout, &mut errands);
        self.run(now, errands);
    }

    /// Samples of the mesh came.
    pub(super) fn take_samples(&mut self, now: u64, from: Place, answer: bool, theirs: &[Descriptor]) {
        let (wall, mut errands) = (self.wall(now), Vec::new());
        let samples = (answer, theirs);
        let reply = self.scout.take_samples(now, wall, from, samples, &self.members, &mut errands);
        if let Some(descriptors) = reply {
            self.gossip_to(from, &Gossip::Shuffle { answer: true, descriptors });
        }
        self.run(now, errands);
    }

    /// A leader's heartbeat came.
    pub(super) fn take_beat(&mut self, now: u64, from: Place) {
        self.scout.hear_beat(now, self.members.get(from).region(), from);
    }

    fn run(&mut self, now: u64, errands: Vec<Errand>) {
        for errand in errands {
            match errand {
                Errand::Shuffle(to, descriptors) => {
                    self.gossip_to(to, &Gossip::Shuffle { answer: false, descriptors });
                }
                Errand::Greet(address) => {
                    self.contact.expect(address, now);
                    self.greet_at(address);
                }
                Errand::Ask(to) => self.ask_for_all(to, 0),
                Errand::Knock(to) => self.mail_to(to, &Note::Hello),
                Errand::Beat(to, number) => self.gossip_to(to, &Gossip::Heartbeat(number)),
                Errand::Lost(place) => self.lose(now, place),
            }
        }
    }

    /// A member of another region does not answer. Its own region tells its members; here nobody need hear of it.
    fn lose(&mut self, now: u64, place: Place) {
        let rank = self.members.get(place).rank();
        if let Applied::Changed(..) = self.members.report_at(place, rank, PeerState::Failed, now) {
            self.scout.forget(place, &self.members);
            self.changed(now, place);
        }
    }
}

//! What is due by the clock, and what the prober wants done.

use crate::control::control::{Control, Output};
use crate::control::id::{MemberIndex, PeerState};
use crate::control::membership::probe::ProbeAction;
use crate::control::membership::suspicion::terms;
use crate::control::membership::table::Members;
use crate::control::message::membership::{Accusation, MembershipMsg};
use crate::time::{MS, S};

/// Broadcasts that fill a control frame, about.
const BROADCASTS_A_FRAME: usize = 8;
/// Control frames to one member in one turn.
const CONTROL_FRAMES_A_TURN: usize = 3;
/// Between two looks at how much of the mesh is reachable.
const LOOK_GAP: u64 = 500 * MS;

impl Control {
    pub(in crate::control) fn turn(&mut self, now: u64) {
        self.prober.tick(now, &self.settings, &mut self.members, &mut self.acts);
        if self.suspicions.next_due() <= now {
            let live = self.members.live().len();
            let (least, ..) = terms(&self.settings, live, self.suspicions.len());
            while let Some(place) = self.suspicions.expire(now, least) {
                self.fail(place, now);
            }
        }
        if let Some(place) = self.sync.tick(now, &self.members) {
            self.ask_for_all(place, 0);
        }
        self.tell_newcomers(now);
        self.greet(now);
        self.gossip(now);
        if self.announce_at <= now {
            self.restate(now, |_| ());
        }
        if self.look_at <= now {
            self.look(now);
        }
        if self.scout.next_due() <= now {
            self.look_remote(now);
        }
        self.tick_sessions(now);
        if self.sync.is_settled() {
            self.dissemination.settle_in(now);
        }
        let wall = self.wall(now);
        self.dissemination.tick(now, wall, &self.members, &mut self.actions);
        self.fulfil(now);
    }

    /// Tells newcomers who came after them.
    fn tell_newcomers(&mut self, now: u64) {
        for (newcomer, news) in self.newcomers.give(now) {
            news.into_iter().for_each(|place| self.say_word_of(place, newcomer));
        }
    }

    /// Says hello to whoever may be out there.
    fn greet(&mut self, now: u64) {
        for address in self.joiner.tick(now, &self.settings, &self.members) {
            self.greet_at(address);
        }
        let alone = self.is_alone();
        if alone && !self.was_alone {
            self.want(Output::Alone);
        }
        self.was_alone = alone;
    }

    pub(in crate::control) fn greet_at(&mut self, address: core::net::SocketAddr) {
        let me = self.me().clone();
        self.send_queue.write(address, None, &MembershipMsg::Announce(me.bytes()));
        self.send_queue.write(address, None, &MembershipMsg::Hello);
        if self.members.live().is_empty() {
            self.send_queue.write(address, None, &MembershipMsg::SyncAsk { cursor: 0, digests: None });
        }
    }

    /// Tells what is new to a few members, while there is anything.
    fn gossip(&mut self, now: u64) {
        if self.broadcasts.is_empty() || now < self.gossip_at || self.members.live().is_empty() {
            return;
        }
        // A few news go on quickly; many wait for each other, for each control frame is a signature.
        let few = self.broadcasts.len() <= BROADCASTS_A_FRAME;
        self.gossip_at = now + self.settings.gossip_interval / if few { 4 } else { 1 };
        let live = self.members.live();
        let chosen = self.random.choose(live.len(), self.settings.gossip_fanout);
        let chosen: alloc::vec::Vec<MemberIndex> = chosen.into_iter().map(|i| live[i]).collect();
        let control_frames = (self.broadcasts.len() / BROADCASTS_A_FRAME).clamp(1, CONTROL_FRAMES_A_TURN);
        for place in chosen {
            (0..control_frames).for_each(|_| self.blank(place));
        }
    }

    /// Looks at how much of the mesh is reachable, and forgets who has been gone for long.
    fn look(&mut self, now: u64) {
        self.look_at = now + LOOK_GAP;
        let since = now.saturating_sub(self.settings.missing_for);
        let missing = self.members.failed_since(since).count();
        if let Some(status) = self.watch.look(self.members.live().len() + 1, missing, now) {
            self.want(Output::Partition(status));
        }
        let then = now.saturating_sub(self.settings.forget_after);
        while let Some(place) = self.members.gone_before(then) {
            self.forget(now, place);
        }
        self.conflicts.retain(|_, at| now < *at + 3_600 * S);
    }

    /// Does what the prober wants.
    pub(in crate::control) fn act(&mut self, now: u64) {
        // Acts may lead to further ones: a member that is silent is suspected, and then probed by whoever hears so.
        while !self.acts.is_empty() {
            for act in core::mem::take(&mut self.acts) {
                self.act_once(now, act);
            }
        }
    }

    fn act_once(&mut self, now: u64, act: ProbeAction) {
        let digest = self.members.digest();
        match act {
            ProbeAction::Probe(target, nonce) => {
                self.send_to(target, &MembershipMsg::Probe { nonce, digest });
                let member = self.members.get(target);
                if member.state() == PeerState::Suspected && self.settings.lifeguard {
                    // The suspected member learns of it with the next question, and can say that it is there.
                    let note =
                        MembershipMsg::Accuse(crate::control::control::accusation(member, self.me().id()));
                    self.send_to(target, &note);
                }
            }
            ProbeAction::Help(helper, nonce, target) => {
                let target = self.members.get(target).id();
                self.send_to(helper, &MembershipMsg::ProbeFor { nonce, target });
            }
            ProbeAction::Nack(client, nonce) => self.send_to(client, &MembershipMsg::Nack { nonce }),
            ProbeAction::Relay(client, nonce) => self.send_to(client, &MembershipMsg::Ack { nonce, digest }),
            ProbeAction::Silent(target) => {
                let member = self.members.get(target);
                let by = self.members.get(Members::ME).id();
                let said =
                    Accusation { id: member.id(), rank: member.rank(), state: PeerState::Suspected, by };
                match member.state() {
                    PeerState::Alive => self.suspect(target, said, now),
                    PeerState::Suspected => {
                        if self.suspicions.confirm(target, by) {
                            self.spread(target, now);
                        }
                    }
                    PeerState::Failed | PeerState::Left => {}
                }
            }
        }
    }
}

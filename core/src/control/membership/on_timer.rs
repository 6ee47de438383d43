//! What is due by the clock, and what the prober wants done.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::control::effects::Effects;
use crate::control::id::{MemberIndex, PeerState};
use crate::control::membership::membership::{CONFLICT_GAP, Membership, accusation};
use crate::control::membership::probe::ProbeAction;
use crate::control::membership::suspicion::terms;
use crate::control::message::membership::{Accusation, Announced, MembershipMsg};
use crate::control::output::Output;
use crate::control::send_queue::Recipient;
use crate::time::{MS, S, micros};

/// Broadcasts that fill a control frame, about.
const BROADCASTS_A_FRAME: usize = 8;
/// Control frames to one member in one turn.
const CONTROL_FRAMES_A_TURN: usize = 3;
/// Between two looks at how much of the mesh is reachable.
const LOOK_GAP: u64 = 500 * MS;

/// After how long a node that knows only members of other regions is the first of its own.
const FIRST_AFTER: u64 = 5 * S;

impl Membership {
    /// Does what is due.
    pub(in crate::control) fn tick(&mut self, now: u64, out: &mut Effects) {
        self.prober.tick(now, &self.settings, &mut self.members);
        if self.suspicions.next_due() <= now {
            let live = self.members.live().len();
            let (least, ..) = terms(&self.settings, live, self.suspicions.len());
            while let Some(place) = self.suspicions.expire(now, least) {
                self.fail(place, now, out);
            }
        }
        if let Some(place) = self.sync.tick(now, &self.members) {
            self.ask_for_all(place, 0, out);
        }
        self.tell_newcomers(now, out);
        self.greet(now, out);
        self.gossip(now, out);
        if self.announce_at <= now {
            self.restate(now, |_| (), out);
        }
        if self.look_at <= now {
            self.look(now, out);
        }
        self.retell_proofs(now, out);
    }

    /// Tells newcomers who came after them.
    fn tell_newcomers(&mut self, now: u64, out: &mut Effects) {
        for (newcomer, news) in self.newcomers.give(now) {
            for place in news {
                // Who is gone before it counted is nobody whom a newcomer should miss.
                let member = self.members.get(place);
                if member.state() != PeerState::Failed || member.counts() {
                    self.say_word_of(place, newcomer, out);
                }
            }
        }
    }

    /// Says hello to whoever may be out there.
    fn greet(&mut self, now: u64, out: &mut Effects) {
        for address in self.joiner.tick(now, &self.settings, &self.members) {
            self.greet_at(address, out);
        }
        let alone = self.is_alone();
        if alone && !self.was_alone {
            out.want(Output::Alone);
        }
        self.was_alone = alone;
    }

    pub(super) fn greet_at(&self, address: SocketAddr, out: &mut Effects) {
        let (me, address) = (self.me().clone(), Recipient::whoever(address));
        out.send_queue.write(address, None, &MembershipMsg::Announce(Announced::of(&me)));
        out.send_queue.write(address, None, &MembershipMsg::Hello);
        if self.members.live().is_empty() {
            out.send_queue.write(address, None, &MembershipMsg::SyncAsk { cursor: 0, digests: None });
        }
    }

    /// Tells what is new to a few members, while there is anything.
    fn gossip(&mut self, now: u64, out: &mut Effects) {
        if self.broadcasts.is_empty() || now < self.gossip_at || self.members.live().is_empty() {
            return;
        }
        // A few news go on quickly; many wait for each other, for each control frame is a signature.
        let few = self.broadcasts.len() <= BROADCASTS_A_FRAME;
        self.gossip_at = now + micros(self.settings.gossip_interval) / if few { 4 } else { 1 };
        let live = self.members.live();
        let chosen = self.random.choose(live.len(), self.settings.gossip_fanout);
        let chosen: Vec<MemberIndex> = chosen.into_iter().map(|i| live[i]).collect();
        let control_frames = (self.broadcasts.len() / BROADCASTS_A_FRAME).clamp(1, CONTROL_FRAMES_A_TURN);
        for place in chosen {
            (0..control_frames).for_each(|_| self.blank(place, out));
        }
    }

    /// Looks at how much of the mesh is reachable, and forgets who has been gone for long.
    fn look(&mut self, now: u64, out: &mut Effects) {
        self.look_at = now + LOOK_GAP;
        if let Some(status) = self.watch.look(self.quorum(), self.has_joined(now), now) {
            out.want(Output::Partition(status));
        }
        self.judge_some(now, out);
        self.check_probation(now);
        let then = now.saturating_sub(micros(self.settings.forget_after));
        while let Some(place) = self.members.gone_before(then) {
            self.forget(place, out);
        }
        self.conflicts.retain(|_, at| now < *at + CONFLICT_GAP);
        self.accusers.sweep(now);
    }

    /// Whether this node knows whom its region counts: it has compared that with others there or, where there are none, has been
    /// in touch with other regions for a while.
    fn has_joined(&self, now: u64) -> bool {
        let first = self.members.live().is_empty() && self.members.remote_len() > 0;
        self.sync.is_settled() || (first && self.wall(now) >= self.born().wall().later(FIRST_AFTER))
    }

    /// Does what the prober wants. What it finds may lead to more: a member that is silent is suspected, and then probed by
    /// whoever hears so.
    pub(in crate::control) fn poll_prober(&mut self, now: u64, out: &mut Effects) {
        while let Some(action) = self.prober.poll() {
            self.act(now, action, out);
        }
    }

    fn act(&mut self, now: u64, action: ProbeAction, out: &mut Effects) {
        let digest = self.members.digest();
        match action {
            ProbeAction::Probe(target, nonce) => {
                self.send_to(target, &MembershipMsg::Ping { nonce, digest }, out);
                let member = self.members.get(target);
                if member.state() == PeerState::Suspected && self.settings.lifeguard {
                    // The suspected member learns of it with the next question, and can say that it is there.
                    let note = MembershipMsg::Accuse(accusation(member, self.me().id()));
                    self.send_to(target, &note, out);
                }
            }
            ProbeAction::Help(helper, nonce, target) => {
                let target = self.members.get(target).id();
                self.send_to(helper, &MembershipMsg::PingReq { nonce, target }, out);
            }
            ProbeAction::Nack(client, nonce) => self.send_to(client, &MembershipMsg::Nack { nonce }, out),
            ProbeAction::Relay(client, nonce) => {
                self.send_to(client, &MembershipMsg::Ack { nonce, digest }, out);
            }
            ProbeAction::Silent(target) => self.handle_silence(now, target, out),
        }
    }

    /// A member answered neither this node nor any helper.
    fn handle_silence(&mut self, now: u64, target: MemberIndex, out: &mut Effects) {
        let (member, by) = (self.members.get(target), self.me().id());
        let said = Accusation { state: PeerState::Suspected, ..accusation(member, by) };
        match member.state() {
            PeerState::Alive => {
                let said = self.signer.accuse(&said);
                self.suspect(target, said, now, out);
            }
            PeerState::Suspected if self.suspicions.wants(target, by) => {
                let said = self.signer.accuse(&said);
                self.suspicions.confirm(target, &said);
                self.spread(target, now);
            }
            PeerState::Suspected => {}
            PeerState::Failed | PeerState::Left => {}
        }
    }
}

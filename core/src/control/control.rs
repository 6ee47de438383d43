//! The control plane of one node: routes control frames to its machines, and what they want to the embedder.
//!
//! In come control frames that were verified, time, and what the operator wants; out come [`Output`]s. The embedder signs
//! and sends control frames, keeps its directory of origins in step with [`Output::Member`], and calls
//! [`Control::tick`] no later than [`Control::next_due`]. Nothing here reads a clock, sends, or blocks.
//!
//! ```text
//! frame of kind Control ─ known origin ──────────────> verify ─> handle_control_frame ─┐
//!                       └ unknown ─> introduce ─> key ─> verify ─> handle_control_frame ┤
//! time ─────────────────────────────────────────────────────────> tick ──────────┴─> poll ─> Output
//! ```

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use octick_crypto::NodeId;

use super::reconcile::session::{self, Reconciler};
use crate::control::cross_region::cyclon::Sampling;
use crate::control::cross_region::scout::Scout;
use crate::control::dissemination::dissemination::{Actions, Dissemination};
use crate::control::id::{MemberIndex, PeerState};
use crate::control::membership::address_proof::AddressProver;
use crate::control::membership::broadcasts::BroadcastQueue;
use crate::control::membership::claims::Claims;
use crate::control::membership::join::Joiner;
use crate::control::membership::newcomers::Newcomers;
use crate::control::membership::probe::{ProbeAction, Prober};
use crate::control::membership::quorum::{Partition, QuorumWatch};
use crate::control::membership::settings::Settings;
use crate::control::membership::signer::Signer;
use crate::control::membership::suspicion::Suspicions;
use crate::control::membership::sync::Sync;
use crate::control::membership::table::{Applied, Member, Members};
use crate::control::membership::verified::Ahead;
use crate::control::message::announcement::{Announcement, Claim, Statement};
use crate::control::message::membership::{Accusation, MembershipMsg};
use crate::control::message::refusal::{Refusal, Refusals};
pub use crate::control::output::{NodeInit, Output, PacketInfo};
use crate::control::send_queue::SendQueue;
use crate::random::Random;
use crate::stamp::{HybridClock, Incarnation, Run, Version};
use crate::time::MS;
use crate::wire::{ControlFrame, Message, Messages};

/// How late a tick may be before this node must have been stopped, microseconds.
const STALL: u64 = 300 * MS;
/// Conflicts that are named; who has more keys in use twice has read enough.
const CONFLICTS_MAX: usize = 64;

/// The control plane of one node.
pub struct Control {
    pub(super) settings: Settings,
    pub(super) members: Members,
    pub(super) broadcasts: BroadcastQueue,
    pub(super) prober: Prober,
    pub(super) suspicions: Suspicions,
    pub(super) sync: Sync,
    pub(super) newcomers: Newcomers,
    pub(super) joiner: Joiner,
    pub(super) address_prover: AddressProver,
    pub(super) claims: Claims,
    pub(super) watch: QuorumWatch,
    pub(super) dissemination: Dissemination,
    pub(super) scout: Scout,
    pub(super) reconciler: Reconciler<MemberIndex, u64>,
    pub(super) send_queue: SendQueue,
    pub(super) refusals: Refusals,
    pub(super) acts: Vec<ProbeAction>,
    pub(super) actions: Actions,
    pub(super) mesh: [u8; 32],
    pub(super) random: Random,
    outputs: VecDeque<Output>,
    pub(super) signer: Box<dyn Signer>,
    pub(super) statement: Statement,
    clock: HybridClock,
    /// The wall clock's lead over the monotonic one.
    wall_lead: u64,
    born: Version,
    /// What the control frame at hand announces, as far as it was read together, and before the rest of the control frame: each is taken
    /// out when the control frame comes to it.
    pub(super) ahead: Vec<Ahead>,
    pub(super) conflicts: BTreeMap<NodeId, u64>,
    pub(super) gossip_at: u64,
    pub(super) announce_at: u64,
    pub(super) look_at: u64,
    pub(super) changed_at: u64,
    pub(super) refuted_at: u64,
    pub(super) was_alone: bool,
    /// Whether the control frame at hand brought a token back.
    pub(super) proven_here: bool,
    /// Whether its sender introduced itself in it.
    pub(super) announced_here: bool,
    /// Who that is, if it was not known before.
    pub(super) met_here: Option<MemberIndex>,
    pub(super) due: u64,
}

impl Control {
    /// A node that knows nobody but itself. `settings` have been [checked](Settings::check).
    pub fn new(settings: Settings, init: NodeInit, mut signer: Box<dyn Signer>) -> Self {
        debug_assert_eq!(settings.check(), Ok(()));
        let (now, mut random) = (init.now, Random::new(init.seed));
        let mut clock = HybridClock::new(init.id);
        let born = clock.tick(init.wall);
        let claims: Vec<Claim> = init.runs.iter().map(|run| Claim { run: *run, since: init.wall }).collect();
        let statement = Statement {
            incarnation: init.incarnation,
            boot: random.u64() as u32,
            version: born,
            capabilities: init.capabilities,
            region: init.region,
            leaves: false,
            addresses: init.addresses,
            claims: sorted(claims),
        };
        let me = signer.announce(&statement);
        let mut control = Self {
            members: Members::new(me, settings.members_max, random.fork()),
            broadcasts: BroadcastQueue::default(),
            prober: Prober::new(&settings, random.fork(), now),
            suspicions: Suspicions::default(),
            sync: Sync::new(&settings, random.fork(), now),
            newcomers: Newcomers::new(&settings, now),
            joiner: Joiner::new(random.fork(), now),
            address_prover: AddressProver::new(init.secret, settings.strangers, now),
            claims: Claims::default(),
            watch: QuorumWatch::default(),
            dissemination: Dissemination::new(
                (settings.spread_settings, settings.selection),
                init.mesh,
                (init.id, init.region),
                random.fork(),
                now,
            ),
            scout: Scout::new(Sampling::new(init.id, random.fork()), random.fork()),
            reconciler: Reconciler::new(session::Settings::default(), random.fork()),
            send_queue: SendQueue::default(),
            refusals: Refusals::default(),
            acts: Vec::new(),
            actions: Actions::default(),
            mesh: init.mesh,
            random,
            outputs: VecDeque::new(),
            signer,
            statement,
            clock,
            wall_lead: init.wall.saturating_sub(now),
            born,
            ahead: Vec::new(),
            conflicts: BTreeMap::new(),
            gossip_at: now,
            announce_at: now + settings.forget_after / 3,
            look_at: now,
            changed_at: now,
            refuted_at: 0,
            was_alone: false,
            proven_here: false,
            announced_here: false,
            met_here: None,
            due: now,
            settings,
        };
        control.changed(now, Members::ME);
        control
    }

    /// Everybody on record.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// This node's last word about itself.
    pub fn me(&self) -> &Arc<Announcement> {
        self.members.get(Members::ME).announcement()
    }

    /// Whether enough of the mesh is reachable.
    pub fn partition(&self) -> Partition {
        self.watch.status()
    }

    /// Whether no seed answers.
    pub fn is_alone(&self) -> bool {
        self.joiner.is_alone() && self.members.remote_len() == 0
    }

    /// Whether a newcomer's first comparisons are over.
    pub fn is_settled(&self) -> bool {
        self.sync.is_settled()
    }

    /// How this node feels: 0 is well; worse, it asks slower and waits longer.
    pub fn health(&self) -> u32 {
        self.prober.health()
    }

    /// What was refused so far, and why.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
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
        self.wake(now);
        let outcome = self.receive(now, packet, messages);
        self.ahead.clear();
        if let Err(refusal) = outcome {
            self.refusals.count(refusal);
        }
        self.act(now);
        self.due = self.earliest().max(now);
        outcome
    }

    /// Does what is due.
    pub fn tick(&mut self, now: u64) {
        self.wake(now);
        self.turn(now);
        self.act(now);
        self.due = self.earliest().max(now);
    }

    /// When [`Control::tick`] should be called at the latest.
    pub fn next_due(&self) -> u64 {
        self.due
    }

    /// The next thing to be done. To be called until there is nothing, after every other call.
    pub fn poll(&mut self) -> Option<Output> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        while let Some(mut sent) = self.send_queue.take() {
            if sent.member.is_some_and(|place| self.members.get(place).state().is_live()) {
                let suspicions = &self.suspicions;
                self.broadcasts.fill(
                    &mut sent.control_frame,
                    &mut self.members,
                    |members, place, control_frame| news(members, suspicions, place, control_frame),
                );
            }
            if !sent.control_frame.is_empty() {
                return Some(Output::Send { to: sent.to, control_frame: sent.control_frame });
            }
        }
        None
    }

    /// Writes a message of another machine to a member. Returns whether there is such a live member and the message
    /// fits a control frame.
    pub fn write(&mut self, to: NodeId, message: Message<'_>) -> bool {
        let Some(place) = self.members.find(to) else { return false };
        let member = self.members.get(place);
        let fits = message.body.len() <= crate::wire::control_frame::BODY_MAX;
        match member.address() {
            Some(address) if fits && member.state().is_live() => {
                self.send_queue.write(address, Some(place), &MembershipMsg::Other(message));
                true
            }
            _ => false,
        }
    }

    /// Gives a message of another machine a ride in control frames to `times` members. Returns whether there is room.
    #[must_use]
    pub fn carry(&mut self, message: Message<'_>, times: u32) -> bool {
        self.broadcasts.carry(message, times)
    }

    /// This node moves.
    pub fn set_addresses(&mut self, now: u64, addresses: Vec<SocketAddr>) {
        self.restate(now, |statement| statement.addresses = addresses);
    }

    /// This node speaks for other slots. Those it spoke for before keep the age of their claim.
    pub fn set_runs(&mut self, now: u64, runs: &[Run]) {
        let wall = self.wall(now);
        let since = |run: &Run| {
            let old = self
                .statement
                .claims
                .iter()
                .find(|claim| claim.run.first <= run.first && run.end() <= claim.run.end());
            old.map_or(wall, |old| old.since)
        };
        let claims = sorted(runs.iter().map(|run| Claim { run: *run, since: since(run) }).collect());
        self.restate(now, |statement| statement.claims = claims);
    }

    /// Greets whoever is at `address`, so that the two meshes become one.
    pub fn join(&mut self, now: u64, address: SocketAddr) {
        self.joiner.expect(address, now);
        self.greet_at(address);
        self.due = now;
    }

    /// This node says goodbye. It should go on until what [`Control::poll`] gives is sent.
    pub fn leave(&mut self, now: u64) {
        self.restate(now, |statement| statement.leaves = true);
        let live = self.members.live().to_vec();
        for i in self.random.choose(live.len(), 4 * self.settings.gossip_fanout) {
            self.blank(live[i]);
        }
    }

    /// An operator knows that a member is gone for good.
    pub fn expel(&mut self, now: u64, id: NodeId) -> bool {
        let Some(place) = self.members.find(id).filter(|place| *place != Members::ME) else { return false };
        self.fail(place, now);
        true
    }

    // What the routes (`receive.rs`, `turn.rs`) share.

    pub(super) fn want(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn wall(&self, now: u64) -> u64 {
        now + self.wall_lead
    }

    pub(super) fn born(&self) -> Version {
        self.born
    }

    /// Says something new of this node itself.
    pub(super) fn restate(&mut self, now: u64, change: impl FnOnce(&mut Statement)) {
        change(&mut self.statement);
        let wall = self.wall(now);
        self.statement.version = self.clock.tick(wall);
        let announcement = self.signer.announce(&self.statement);
        let applied = self.members.announce(&announcement, now);
        debug_assert!(matches!(applied, Applied::Changed(..)), "own announcements only get later");
        self.announce_at = now + self.settings.forget_after / 3;
        self.changed(now, Members::ME);
        self.spread(Members::ME, now);
    }

    /// A member's announcement or state changed: whose slots are whose, and the embedder.
    pub(super) fn changed(&mut self, now: u64, place: MemberIndex) {
        self.follow(now, place);
        let member = self.members.get(place);
        let (announcement, gone) = (member.announcement().clone(), !member.state().is_live());
        let claims = &announcement.statement().claims;
        let affected = self.claims.set(place, announcement.id(), gone, claims);
        self.tell(place);
        for other in affected.into_iter().filter(|other| *other != place) {
            self.tell(other);
        }
        let lost: Vec<_> = self.claims.refused_to(Members::ME).collect();
        for (run, to) in lost.into_iter().filter(|(_, to)| *to == place || place == Members::ME) {
            let to = self.members.get(to).id();
            self.want(Output::SlotsLost { run, to });
        }
    }

    fn tell(&mut self, place: MemberIndex) {
        let member = self.members.get(place);
        let (announcement, state) = (member.announcement().clone(), member.state());
        let runs = self.claims.held_by(place);
        self.want(Output::Member { announcement, state, runs });
    }

    /// What is known of a member is news.
    pub(super) fn spread(&mut self, place: MemberIndex, now: u64) {
        self.gossip_soon(now);
        self.broadcasts.spread(&mut self.members, place);
        self.changed_at = now;
    }

    /// A member introduces itself that was not known. Unless it says hello, which is how one comes to a mesh, it knows others,
    /// who tell of it as well.
    pub(super) fn meet(&mut self, place: MemberIndex, now: u64) {
        self.gossip_soon(now);
        self.met_here = Some(place);
        self.broadcasts.mention(&mut self.members, place);
        self.changed_at = now;
    }

    /// There will be something to tell: a little later, for news seldom comes alone.
    fn gossip_soon(&mut self, now: u64) {
        if self.broadcasts.is_empty() {
            let later = self.random.below(self.settings.gossip_interval / 4 + 1);
            self.gossip_at = self.gossip_at.max(now + later);
        }
    }

    pub(super) fn send_to(&mut self, place: MemberIndex, note: &MembershipMsg<'_>) {
        if let Some(address) = self.members.get(place).address() {
            self.send_queue.write(address, Some(place), note);
        }
    }

    pub(super) fn blank(&mut self, place: MemberIndex) {
        if let Some(address) = self.members.get(place).address() {
            self.send_queue.blank(address, place);
        }
    }

    /// A key in use twice is named, once an hour.
    pub(super) fn conflict(&mut self, place: MemberIndex, other: Option<SocketAddr>, now: u64) {
        let member = self.members.get(place);
        let (id, winner) = (member.id(), member.announcement().clone());
        if self.may_name_conflict(id, now) {
            self.want(Output::Conflict { id, winner, other });
        }
    }

    /// A later incarnation of this node lives elsewhere; told once an hour, as any conflict.
    pub(super) fn superseded(&mut self, incarnation: Incarnation, at: Option<SocketAddr>, now: u64) {
        if self.may_name_conflict(self.me().id(), now) {
            self.want(Output::Superseded { incarnation, at });
        }
    }

    fn may_name_conflict(&mut self, id: NodeId, now: u64) -> bool {
        let named = self.conflicts.get(&id).is_some_and(|at| now < at + 3_600_000 * MS);
        let may = !named && (self.conflicts.len() < CONFLICTS_MAX || self.conflicts.contains_key(&id));
        if may {
            self.conflicts.insert(id, now);
        }
        may
    }

    /// Puts a member out of every machine, so that its place can be given to another.
    pub(super) fn forget(&mut self, now: u64, place: MemberIndex) {
        let member = self.members.get(place);
        let id = member.id();
        for other in self.claims.set(place, id, true, &[]).into_iter().filter(|other| *other != place) {
            self.tell(other);
        }
        self.broadcasts.stop(&mut self.members, place);
        self.suspicions.close(place);
        self.prober.forget(place);
        self.scout.forget(place, &self.members);
        self.sync.forget(place);
        self.newcomers.forget(place);
        self.send_queue.forget(place);
        self.dissemination.forget(now, &self.members, place, &mut self.actions);
        self.fulfil(now);
        self.members.remove(place);
        self.want(Output::Forgotten(id));
    }

    /// This node may have been stopped since it was due; what it did not hear then counts against nobody. (What a
    /// control frame makes due in the past is due now, and no sign of a stop.)
    fn wake(&mut self, now: u64) {
        let late = now.saturating_sub(self.due);
        if self.settings.lifeguard && self.due != u64::MAX && late > STALL {
            self.prober.postpone(late);
            self.prober.adjust_health(&self.settings, 1);
            self.suspicions.postpone(late);
            self.due = now;
        }
    }

    fn earliest(&self) -> u64 {
        let gossip = if self.broadcasts.is_empty() || self.members.live().is_empty() {
            u64::MAX
        } else {
            self.gossip_at
        };
        [
            gossip,
            self.prober.next_due(&self.members),
            self.suspicions.next_due(),
            self.sync.next_due(&self.members),
            self.newcomers.next_due(),
            self.joiner.next_due(&self.members),
            self.dissemination.next_due(),
            self.scout.next_due(),
            self.reconciler.next_due(),
            self.announce_at,
            self.look_at,
        ]
        .into_iter()
        .fold(u64::MAX, u64::min)
    }
}

/// What there is to say of a member: its own last word, or that it is believed gone.
pub(super) fn news(
    members: &Members,
    suspicions: &Suspicions,
    place: MemberIndex,
    control_frame: &mut ControlFrame,
) -> bool {
    let member = members.get(place);
    match member.state() {
        PeerState::Alive | PeerState::Left => {
            MembershipMsg::Announce(member.announcement().bytes()).write(control_frame)
        }
        PeerState::Suspected | PeerState::Failed => {
            let by = suspicions.author(place).unwrap_or(members.get(Members::ME).id());
            MembershipMsg::Accuse(accusation(member, by)).write(control_frame)
        }
    }
}

pub(super) fn accusation(member: &Member, by: NodeId) -> Accusation {
    Accusation { id: member.id(), rank: member.rank(), state: member.state(), by }
}

fn sorted(mut claims: Vec<Claim>) -> Vec<Claim> {
    claims.sort_by_key(|claim| claim.run);
    claims
}

//! Who is in the mesh, composed: the table of members, and the machines that keep it true.
//!
//! In come messages about members, time, and what the operator wants; out come `MemberChange`s, which the composition root
//! hands to the other machines, and [`Effects`]: messages to send, and what the embedder should know. What can never happen:
//! a member on record whose announcement was not verified, or two members that hold one slot.
//!
//! ```text
//! message ─> on_message ─┬─> table <─ probe, suspicion <─ on_timer <─ time
//!                        │     └─> broadcasts ─> fill ─> room in control frames
//!                        └─> MemberChange ─> dissemination, cross_region
//! ```

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use octick_crypto::NodeId;

use crate::admission::{Admission, Credential};
use crate::control::effects::Effects;
use crate::control::id::{MemberIndex, PeerState, Region};
use crate::control::membership::accusers::Accusers;
use crate::control::membership::address_proof::AddressProver;
use crate::control::membership::broadcasts::BroadcastQueue;
use crate::control::membership::claims::{Claims, Title};
use crate::control::membership::join::Joiner;
use crate::control::membership::newcomers::Newcomers;
use crate::control::membership::probation::Probation;
use crate::control::membership::probe::Prober;
use crate::control::membership::proofs::Proofs;
use crate::control::membership::quorum::QuorumWatch;
use crate::control::membership::settings::MembershipSettings;
use crate::control::membership::signer::Signer;
use crate::control::membership::suspicion::Suspicions;
use crate::control::membership::sync::Sync;
use crate::control::membership::table::{Applied, Counted, Member, Members};
use crate::control::message::announcement::{Announcement, Claim, Statement};
use crate::control::message::control_msg::Encode;
use crate::control::message::force_leave::ForceLeave;
use crate::control::message::membership::{Accusation, Announced, MembershipMsg};
use crate::control::output::{NodeInit, Output, Partition, Quorum, Rights};
use crate::limits::{CONFLICTS_MAX, DECISIONS_PER_SEC};
use crate::random::{Nonces, Random};
use crate::refusal::Refusal;
use crate::stamp::{HybridClock, Incarnation, Run, Version};
use crate::time::{MS, S, Wall, micros};
use crate::token_bucket::TokenBucket;
use crate::wire::ControlFrame;

/// How late a tick may be before this node must have been stopped, microseconds.
const STALL: u64 = 300 * MS;
/// How often a key in use twice is named, microseconds.
pub(super) const CONFLICT_GAP: u64 = 3_600 * S;

/// What became of a member, for the machines that follow the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum MemberChange {
    /// It came, went, or announced something else.
    Changed(MemberIndex),
    /// It is forgotten: its index may stand for another member already.
    Forgotten(MemberIndex, NodeId),
}

/// Everything that one node knows and does about members.
pub struct Membership {
    pub(super) settings: MembershipSettings,
    pub(super) members: Members,
    pub(super) broadcasts: BroadcastQueue,
    pub(super) prober: Prober,
    pub(super) suspicions: Suspicions,
    pub(super) accusers: Accusers,
    pub(super) proofs: Proofs,
    /// What this node signed of members that failed.
    pub(super) failures: BTreeMap<MemberIndex, Accusation>,
    pub(super) sync: Sync,
    pub(super) newcomers: Newcomers,
    pub(super) joiner: Joiner,
    pub(super) address_prover: AddressProver,
    pub(super) claims: Claims,
    pub(super) watch: QuorumWatch,
    pub(super) probation: Probation,
    pub(super) signer: Box<dyn Signer>,
    pub(super) statement: Statement,
    pub(super) random: Random,
    clock: HybridClock,
    /// The wall clock's lead over the monotonic one.
    wall_lead: u64,
    born: Version,
    /// Whether own announcements of any date are this node's of an earlier start.
    pub(in crate::control) hears_first: bool,
    /// Who is gone for good, as somebody signed: of members on record in the announcement that they are on record with.
    pub(super) force_leaves: BTreeMap<MemberIndex, Arc<ForceLeave>>,
    /// When a key in use twice was last named.
    pub(super) conflicts: BTreeMap<NodeId, u64>,
    changes: VecDeque<MemberChange>,
    pub(super) gossip_at: u64,
    pub(super) announce_at: u64,
    pub(super) look_at: u64,
    pub(super) changed_at: u64,
    pub(super) refuted_at: u64,
    pub(super) was_alone: bool,
    /// Who may be a member.
    pub(super) admission: Admission,
    /// The credential that this node lives by.
    pub(super) credential: Option<Arc<Credential>>,
    /// Decisions that may be verified: nobody makes this node check more.
    pub(super) decisions: TokenBucket,
    /// Up to which place the rights of members were looked at again, in this round.
    pub(super) judged_to: u32,
    /// When somebody is asked for decisions that this node missed.
    pub(super) ask_decisions_at: u64,
    /// What this node last knew of its own rights.
    pub(in crate::control) rights: Rights,
}

impl Membership {
    /// A node that knows nobody but itself.
    pub(in crate::control) fn new(
        settings: MembershipSettings,
        init: &NodeInit,
        mut signer: Box<dyn Signer>,
        random: &mut Random,
        out: &mut Effects,
    ) -> Self {
        let now = init.now;
        let mut clock = HybridClock::new(init.id);
        let born = clock.tick(init.wall);
        let claims: Vec<Claim> =
            init.runs.iter().map(|run| Claim { run: *run, since: init.wall.0 }).collect();
        let statement = Statement {
            incarnation: init.incarnation,
            boot: Nonces::new(&init.secret, random.u64(), "boot").u32(),
            version: born,
            capabilities: init.capabilities,
            region: init.region,
            leaves: false,
            addresses: init.addresses.clone(),
            claims: sorted(claims),
            serial: init.credential.as_ref().map_or(0, |credential| credential.grant().serial),
        };
        let me = announce(&mut *signer, &statement, init.credential.as_ref());
        assert!(me.id() == init.id, "the signer is another node's");
        // Somewhere else than here, that is.
        let mut told = settings.seeds.iter().chain(&settings.remembered);
        let told = told.any(|address| !statement.addresses.contains(address));
        let mut membership = Self {
            members: Members::new(me, settings.members_max, random.fork()),
            broadcasts: BroadcastQueue::default(),
            prober: Prober::new(
                &settings,
                random.fork(),
                Nonces::new(&init.secret, init.seed, "probes"),
                now,
            ),
            suspicions: Suspicions::default(),
            accusers: Accusers::default(),
            proofs: Proofs::new(now),
            failures: BTreeMap::new(),
            sync: Sync::new(&settings, random.fork(), now),
            newcomers: Newcomers::new(&settings, now),
            joiner: Joiner::new(random.fork(), now),
            address_prover: AddressProver::new(init.secret, settings.strangers, now),
            claims: Claims::default(),
            watch: QuorumWatch::new(told),
            probation: Probation::default(),
            signer,
            statement,
            random: random.fork(),
            clock,
            wall_lead: init.wall.0.saturating_sub(now),
            born,
            hears_first: false,
            force_leaves: BTreeMap::new(),
            conflicts: BTreeMap::new(),
            changes: VecDeque::new(),
            gossip_at: now,
            announce_at: now + micros(settings.forget_after) / 3,
            look_at: now,
            changed_at: now,
            refuted_at: 0,
            was_alone: false,
            admission: init.admission.clone(),
            credential: init.credential.clone(),
            decisions: TokenBucket::new(DECISIONS_PER_SEC, now),
            judged_to: 0,
            ask_decisions_at: now,
            rights: Rights::Full,
            settings,
        };
        membership.judge_member(Members::ME, now, out);
        membership.changed(Members::ME, out);
        membership
    }

    /// Everybody on record.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// This node's last word about itself.
    pub fn me(&self) -> &Arc<Announcement> {
        self.members.get(Members::ME).announcement()
    }

    /// The region of this node.
    pub fn region(&self) -> Region {
        self.statement.region
    }

    /// Whether enough of the mesh is reachable.
    pub fn partition(&self) -> Partition {
        self.watch.status()
    }

    /// What a quorum is counted from now.
    pub fn quorum(&self) -> Quorum {
        let Counted { reachable, missing } = self.members.counted();
        assert!(
            reachable + missing <= self.members.len(),
            "{reachable} and {missing} of {}",
            self.members.len()
        );
        Quorum::of(reachable, missing)
    }

    /// Whether no seed answers.
    pub fn is_alone(&self) -> bool {
        self.joiner.is_alone() && self.members.remote_len() == 0
    }

    /// The slots that this node claims and does not hold, and who does.
    pub fn slots_lost(&self) -> impl Iterator<Item = (Run, NodeId)> + '_ {
        self.claims.refused_to(Members::ME).map(|(run, to)| (run, self.members.get(to).id()))
    }

    /// Whether a newcomer's first comparisons are over.
    pub fn is_settled(&self) -> bool {
        self.sync.is_settled()
    }

    /// How this node feels: 0 is well; worse, it asks slower and waits longer.
    pub fn health(&self) -> u32 {
        self.prober.health()
    }

    /// The wall clock when the monotonic one shows `now`.
    pub(in crate::control) fn wall(&self, now: u64) -> Wall {
        Wall(now + self.wall_lead)
    }

    /// Whether an announcement is dated as it may be: not so long ago that who is gone since may be forgotten, and no further ahead
    /// than clocks may differ.
    pub(super) fn check_date(&self, version: Version, now: u64) -> Result<(), Refusal> {
        // What this node said last may be ahead of its wall clock.
        let latest = self.clock.peek(self.wall(now)).wall().later(micros(self.settings.skew_max));
        match version.wall() {
            dated if dated > latest => Err(Refusal::Early),
            dated if dated.later(micros(self.settings.forget_after)) < self.wall(now) => Err(Refusal::Stale),
            _ => Ok(()),
        }
    }

    /// When this process began, by its own hybrid clock.
    pub(super) fn born(&self) -> Version {
        self.born
    }

    /// Tells the machines that follow the members.
    pub(super) fn follow(&mut self, change: MemberChange) {
        self.changes.push_back(change);
    }

    /// The next thing that became of a member.
    pub(in crate::control) fn poll_change(&mut self) -> Option<MemberChange> {
        self.changes.pop_front()
    }

    /// Fills the room that a control frame to a member has left with what is new.
    pub(in crate::control) fn fill(&mut self, to: MemberIndex, control_frame: &mut ControlFrame) {
        if self.members.get(to).state().is_live() {
            let (suspicions, force_leaves) = (&self.suspicions, &self.force_leaves);
            self.broadcasts.fill(control_frame, &mut self.members, |members, place, control_frame| {
                match force_leaves.get(&place) {
                    Some(said) => MembershipMsg::ForceLeave(said.bytes()).write(control_frame),
                    None => news(members, suspicions, place, control_frame),
                }
            });
        }
    }

    /// Greets whoever is at `address`, who may not know this node.
    pub(in crate::control) fn join(&mut self, now: u64, address: SocketAddr, out: &mut Effects) {
        self.joiner.expect(address, now);
        self.greet_at(address, out);
    }

    /// This node says goodbye.
    pub(in crate::control) fn leave(&mut self, now: u64, out: &mut Effects) {
        self.restate(now, |statement| statement.leaves = true, out);
        let live = self.members.live().to_vec();
        for i in self.random.choose(live.len(), 4 * self.settings.gossip_fanout) {
            self.blank(live[i], out);
        }
    }

    /// A member of another region does not answer. Its own region tells its members; here nobody need hear of it.
    /// Returns whether that is news.
    pub(in crate::control) fn lose(&mut self, now: u64, place: MemberIndex, out: &mut Effects) -> bool {
        let rank = self.members.get(place).rank();
        let lost =
            matches!(self.members.report_at(place, rank, PeerState::Failed, now), Applied::Changed(..));
        if lost {
            self.changed(place, out);
        }
        lost
    }

    /// The version of something that this node says now.
    pub(super) fn next_version(&mut self, now: u64) -> Version {
        let wall = self.wall(now);
        self.clock.tick(wall)
    }

    /// Says something new of this node itself.
    pub(super) fn restate(&mut self, now: u64, change: impl FnOnce(&mut Statement), out: &mut Effects) {
        change(&mut self.statement);
        self.statement.version = self.next_version(now);
        let announcement = announce(&mut *self.signer, &self.statement, self.credential.as_ref());
        let applied = self.members.announce(&announcement, now);
        assert!(matches!(applied, Applied::Changed(..)), "own announcements only get later: {applied:?}");
        self.announce_at = now + micros(self.settings.forget_after) / 3;
        self.changed(Members::ME, out);
        self.spread(Members::ME, now);
    }

    /// This node goes on as a later incarnation, dated after all that it was told of its earlier ones.
    pub(in crate::control) fn begin_again(&mut self, now: u64, incarnation: Incarnation, out: &mut Effects) {
        self.restate(now, |statement| statement.incarnation = incarnation, out);
        self.born = self.statement.version;
    }

    /// The mesh remembers an incarnation of this node that is not before this one.
    pub(super) fn outlived(&mut self, incarnation: Incarnation, version: Version, out: &mut Effects) {
        self.clock.observe(version);
        out.want(Output::Outlived(incarnation));
    }

    /// A member's announcement or state changed: whose slots are whose, and the embedder.
    pub(super) fn changed(&mut self, place: MemberIndex, out: &mut Effects) {
        self.changes.push_back(MemberChange::Changed(place));
        let member = self.members.get(place);
        let (announcement, gone) = (member.announcement().clone(), !member.state().is_live());
        if gone {
            self.probation.end(place);
        }
        let silent = member.pruned || !member.may_write();
        let claims = if silent { &[][..] } else { &announcement.statement().claims[..] };
        let title = Title { id: announcement.id(), gone, right: self.right_of(&announcement) };
        let affected = self.claims.set(place, title, self.is_settled(), claims);
        self.tell(place, out);
        if self.members.get(place).pruned {
            out.want(Output::Forgotten(announcement.id()));
        }
        for other in affected.into_iter().filter(|other| *other != place) {
            self.tell(other, out);
        }
        let lost: Vec<_> = self.claims.refused_to(Members::ME).collect();
        for (run, to) in lost.into_iter().filter(|(_, to)| *to == place || place == Members::ME) {
            let to = self.members.get(to).id();
            out.want(Output::SlotsLost { run, to });
        }
    }

    pub(in crate::control) fn tell(&self, place: MemberIndex, out: &mut Effects) {
        let member = self.members.get(place);
        let (announcement, state) = (member.announcement().clone(), member.state());
        let runs = self.claims.held_by(place);
        assert!(!member.is_pruned() || runs.is_empty(), "who is forgotten holds nothing: {runs:?}");
        let revoked = member.is_denied();
        out.want(Output::Member { announcement, state, runs, revoked });
    }

    /// What is known of a member is news.
    pub(super) fn spread(&mut self, place: MemberIndex, now: u64) {
        self.gossip_soon(now);
        self.broadcasts.spread(&mut self.members, place);
        self.changed_at = now;
    }

    /// Whether no news of a member waits to be told.
    pub(in crate::control) fn is_told(&self, place: MemberIndex) -> bool {
        !self.broadcasts.tells_of(&self.members, place)
    }

    /// A member introduces itself that was not known: it knows others, who tell of it as well.
    pub(super) fn mention(&mut self, place: MemberIndex, now: u64) {
        self.gossip_soon(now);
        self.broadcasts.mention(&mut self.members, place);
        self.changed_at = now;
    }

    /// There will be something to tell: a little later, for news seldom comes alone.
    fn gossip_soon(&mut self, now: u64) {
        if self.broadcasts.is_empty() {
            let later = self.random.below(micros(self.settings.gossip_interval) / 4 + 1);
            self.gossip_at = self.gossip_at.max(now + later);
        }
    }

    /// Writes to a member, if it has an address.
    pub(in crate::control) fn send_to(&self, place: MemberIndex, message: &impl Encode, out: &mut Effects) {
        if let Some(recipient) = self.members.get(place).recipient() {
            out.send_queue.write(recipient, Some(place), message);
        }
    }

    /// Begins a control frame to a member that only news fill.
    pub(super) fn blank(&self, place: MemberIndex, out: &mut Effects) {
        if let Some(recipient) = self.members.get(place).recipient() {
            out.send_queue.blank(recipient, place);
        }
    }

    /// A key in use twice is named, once an hour.
    pub(super) fn conflict(
        &mut self,
        place: MemberIndex,
        other: Option<SocketAddr>,
        now: u64,
        out: &mut Effects,
    ) {
        let member = self.members.get(place);
        let (id, winner) = (member.id(), member.announcement().clone());
        if self.may_name_conflict(id, now) {
            out.want(Output::Conflict { id, winner, other });
        }
    }

    /// A later incarnation of this node lives elsewhere; told once an hour, as any conflict.
    pub(super) fn superseded(
        &mut self,
        incarnation: Incarnation,
        at: Option<SocketAddr>,
        now: u64,
        out: &mut Effects,
    ) {
        if self.may_name_conflict(self.me().id(), now) {
            out.want(Output::Superseded { incarnation, at });
        }
    }

    fn may_name_conflict(&mut self, id: NodeId, now: u64) -> bool {
        let named = self.conflicts.get(&id).is_some_and(|at| now < at + CONFLICT_GAP);
        let may = !named && (self.conflicts.len() < CONFLICTS_MAX || self.conflicts.contains_key(&id));
        if may {
            self.conflicts.insert(id, now);
        }
        may
    }

    /// Puts a member out of every machine, so that its place can be given to another.
    pub(super) fn forget(&mut self, place: MemberIndex, out: &mut Effects) {
        let id = self.members.get(place).id();
        let title = Title { id, gone: true, right: None };
        for other in self.claims.set(place, title, true, &[]).into_iter().filter(|other| *other != place) {
            self.tell(other, out);
        }
        self.claims.forget(place);
        self.broadcasts.stop(&mut self.members, place);
        self.suspicions.close(place);
        self.accusers.forget(place);
        self.proofs.forget(place);
        self.failures.remove(&place);
        self.force_leaves.remove(&place);
        self.prober.forget(place);
        self.sync.forget(place);
        self.newcomers.forget(place);
        self.probation.forget(place);
        out.send_queue.forget(place);
        self.members.remove(place);
        self.changes.push_back(MemberChange::Forgotten(place, id));
        out.want(Output::Forgotten(id));
    }

    /// This node may have been stopped since it was `due`; what it did not hear then counts against nobody. Returns
    /// whether it was. (What a control frame makes due in the past is due now, and no sign of a stop.)
    pub(in crate::control) fn wake(&mut self, now: u64, due: u64) -> bool {
        let late = now.saturating_sub(due);
        let stopped = self.settings.lifeguard && due != u64::MAX && late > STALL;
        if stopped {
            self.prober.postpone(late);
            self.prober.adjust_health(&self.settings, 1);
            self.suspicions.postpone(late);
        }
        stopped
    }

    /// When [`Membership::tick`] has something to do.
    pub(in crate::control) fn next_due(&self) -> u64 {
        let silent = self.broadcasts.is_empty() || self.members.live().is_empty();
        let gossip = if silent { u64::MAX } else { self.gossip_at };
        [
            gossip,
            self.prober.next_due(&self.members),
            self.suspicions.next_due(),
            self.sync.next_due(&self.members),
            self.newcomers.next_due(),
            self.joiner.next_due(&self.members),
            self.announce_at,
            self.look_at,
            if self.members.live().is_empty() { u64::MAX } else { self.proofs.retell_at },
        ]
        .into_iter()
        .fold(u64::MAX, u64::min)
    }
}

/// What there is to say of a member: its own last word, or that it is believed gone.
fn news(
    members: &Members,
    suspicions: &Suspicions,
    place: MemberIndex,
    control_frame: &mut ControlFrame,
) -> bool {
    let member = members.get(place);
    match member.state() {
        PeerState::Alive | PeerState::Left => {
            MembershipMsg::Announce(Announced::of(member.announcement())).write(control_frame)
        }
        PeerState::Suspected => {
            // What nobody signed is passed on as what it is: somebody else's word.
            let author = suspicions.authors(place).next().unwrap_or(members.get(Members::ME).id());
            let said = suspicions.signed(place).unwrap_or(accusation(member, author));
            MembershipMsg::Accuse(said).write(control_frame)
        }
        PeerState::Failed => {
            let me = members.get(Members::ME).id();
            MembershipMsg::Accuse(accusation(member, me)).write(control_frame)
        }
    }
}

pub(super) fn accusation(member: &Member, by: NodeId) -> Accusation {
    Accusation { id: member.id(), rank: member.rank(), state: member.state(), by, signature: None }
}

/// Signs what this node says of itself, and puts its credential to it.
fn announce(
    signer: &mut dyn Signer,
    statement: &Statement,
    credential: Option<&Arc<Credential>>,
) -> Arc<Announcement> {
    let announcement = signer.announce(statement);
    match credential.filter(|credential| credential.grant().serial == statement.serial) {
        Some(credential) => Arc::new(Arc::unwrap_or_clone(announcement).with_credential(credential.clone())),
        None => announcement,
    }
}

fn sorted(mut claims: Vec<Claim>) -> Vec<Claim> {
    claims.sort_by_key(|claim| claim.run);
    claims
}

#[cfg(test)]
mod tests;

//! The control plane of one node: routes letters to its machines, and what they want to the embedder.
//!
//! In come letters that were verified, time, and what the operator wants; out come [`Intention`]s. The embedder signs
//! and sends letters, keeps its directory of origins in step with [`Intention::Member`], and calls
//! [`Control::tick`] no later than [`Control::next_due`]. Nothing here reads a clock, sends, or blocks.
//!
//! ```text
//! frame of kind Control ─ known origin ──────────────> verify ─> handle_letter ─┐
//!                       └ unknown ─> introduce ─> key ─> verify ─> handle_letter ┤
//! time ─────────────────────────────────────────────────────────> tick ──────────┴─> poll ─> Intention
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
use crate::control::dissemination::dissemination::{Dissemination, Wishes};
use crate::control::membership::address_proof::Challenger;
use crate::control::membership::broadcasts::Rumours;
use crate::control::membership::claims::Claims;
use crate::control::membership::join::Contact;
use crate::control::membership::newcomers::Lessons;
use crate::control::membership::probe::{Act, Prober};
use crate::control::membership::quorum::{Partition, Watch};
use crate::control::membership::settings::{MS, Settings};
use crate::control::membership::signer::Notary;
use crate::control::membership::suspicion::Suspicions;
use crate::control::membership::sync::Sync;
use crate::control::membership::table::{Applied, Member, Members, PeerState, Place};
use crate::control::membership::verified::Ahead;
use crate::control::message::announcement::{Announcement, Claim, Statement};
use crate::control::message::membership::{Accusation, Note};
use crate::control::message::refusal::{Refusal, Refusals};
pub use crate::control::output::{Birth, Intention, Postmark};
use crate::control::send_queue::Mail;
use crate::random::Random;
use crate::stamp::{HybridClock, Run, Version};
use crate::wire::{Letter, Message, Messages};

/// How late a tick may be before this node must have been stopped, microseconds.
const STALL: u64 = 300 * MS;
/// Conflicts that are named; who has more keys in use twice has read enough.
const CONFLICTS_MAX: usize = 64;

/// The control plane of one node.
pub struct Control {
    pub(super) settings: Settings,
    pub(super) members: Members,
    pub(super) rumours: Rumours,
    pub(super) prober: Prober,
    pub(super) suspicions: Suspicions,
    pub(super) sync: Sync,
    pub(super) lessons: Lessons,
    pub(super) contact: Contact,
    pub(super) challenger: Challenger,
    pub(super) claims: Claims,
    pub(super) watch: Watch,
    pub(super) dissemination: Dissemination,
    pub(super) scout: Scout,
    pub(super) reconciler: Reconciler<Place, u64>,
    pub(super) mail: Mail,
    pub(super) refusals: Refusals,
    pub(super) acts: Vec<Act>,
    pub(super) wishes: Wishes,
    pub(super) mesh: [u8; 32],
    pub(super) random: Random,
    intentions: VecDeque<Intention>,
    pub(super) notary: Box<dyn Notary>,
    pub(super) statement: Statement,
    clock: HybridClock,
    /// The wall clock's lead over the monotonic one.
    wall_lead: u64,
    born: Version,
    /// What the letter at hand announces, as far as it was read together, and before the rest of the letter: each is taken
    /// out when the letter comes to it.
    pub(super) ahead: Vec<Ahead>,
    pub(super) conflicts: BTreeMap<NodeId, u64>,
    pub(super) gossip_at: u64,
    pub(super) announce_at: u64,
    pub(super) look_at: u64,
    pub(super) changed_at: u64,
    pub(super) refuted_at: u64,
    pub(super) was_alone: bool,
    /// Whether the letter at hand brought a token back.
    pub(super) proven_here: bool,
    /// Whether its sender introduced itself in it.
    pub(super) announced_here: bool,
    /// Who that is, if it was not known before.
    pub(super) met_here: Option<Place>,
    pub(super) due: u64,
}

impl Control {
    /// A node that knows nobody but itself. `settings` have been [checked](Settings::check).
    pub fn new(settings: Settings, birth: Birth, mut notary: Box<dyn Notary>) -> Self {
        debug_assert_eq!(settings.check(), Ok(()));
        let (now, mut random) = (birth.now, Random::new(birth.seed));
        let mut clock = HybridClock::new(birth.id);
        let born = clock.tick(birth.wall);
        let claims: Vec<Claim> =
            birth.runs.iter().map(|run| Claim { run: *run, since: birth.wall }).collect();
        let statement = Statement {
            incarnation: birth.incarnation,
            boot: random.u64() as u32,
            version: born,
            capabilities: birth.capabilities,
            region: birth.region,
            leaves: false,
            addresses: birth.addresses,
            claims: sorted(claims),
        };
        let me = notary.announce(&statement);
        let mut control = Self {
            members: Members::new(me, settings.members_max, random.fork()),
            rumours: Rumours::default(),
            prober: Prober::new(&settings, random.fork(), now),
            suspicions: Suspicions::default(),
            sync: Sync::new(&settings, random.fork(), now),
            lessons: Lessons::new(&settings, now),
            contact: Contact::new(random.fork(), now),
            challenger: Challenger::new(birth.secret, settings.strangers, now),
            claims: Claims::default(),
            watch: Watch::default(),
            dissemination: Dissemination::new(
                (settings.choices, settings.selection),
                birth.mesh,
                (birth.id, birth.region),
                random.fork(),
                now,
            ),
            scout: Scout::new(Sampling::new(birth.id, random.fork()), random.fork()),
            reconciler: Reconciler::new(session::Settings::default(), random.fork()),
            mail: Mail::default(),
            refusals: Refusals::default(),
            acts: Vec::new(),
            wishes: Wishes::default(),
            mesh: birth.mesh,
            random,
            intentions: VecDeque::new(),
            notary,
            statement,
            clock,
            wall_lead: birth.wall.saturating_sub(now),
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
        self.contact.is_alone() && self.members.abroad_len() == 0
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

    /// Takes in a letter whose frame was verified.
    ///
    /// # Errors
    /// Why the letter, or the rest of it, was not heeded; it is counted.
    pub fn handle_letter(
        &mut self,
        now: u64,
        postmark: &Postmark,
        messages: Messages<'_>,
    ) -> Result<(), Refusal> {
        self.wake(now);
        let outcome = self.receive(now, postmark, messages);
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
    pub fn poll(&mut self) -> Option<Intention> {
        if let Some(intention) = self.intentions.pop_front() {
            return Some(intention);
        }
        while let Some(mut sent) = self.mail.take() {
            if sent.member.is_some_and(|place| self.members.get(place).state().is_live()) {
                let suspicions = &self.suspicions;
                self.rumours.fill(&mut sent.letter, &mut self.members, |members, place, letter| {
                    news(members, suspicions, place, letter)
                });
            }
            if !sent.letter.is_empty() {
                return Some(Intention::Send { to: sent.to, letter: sent.letter });
            }
        }
        None
    }

    /// Writes a message of another machine to a member. Returns whether there is such a live member and the message
    /// fits a letter.
    pub fn write(&mut self, to: NodeId, message: Message<'_>) -> bool {
        let Some(place) = self.members.find(to) else { return false };
        let member = self.members.get(place);
        let fits = message.body.len() <= crate::wire::letter::BODY_MAX;
        match member.address() {
            Some(address) if fits && member.state().is_live() => {
                self.mail.write(address, Some(place), &Note::Other(message));
                true
            }
            _ => false,
        }
    }

    /// Gives a message of another machine a ride in letters to `times` members. Returns whether there is room.
    #[must_use]
    pub fn carry(&mut self, message: Message<'_>, times: u32) -> bool {
        self.rumours.carry(message, times)
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
        self.contact.expect(address, now);
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

    pub(super) fn want(&mut self, intention: Intention) {
        self.intentions.push_back(intention);
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
        let announcement = self.notary.announce(&self.statement);
        let applied = self.members.announce(&announcement, now);
        debug_assert!(matches!(applied, Applied::Changed(..)), "own announcements only get later");
        self.announce_at = now + self.settings.forget_after / 3;
        self.changed(now, Members::ME);
        self.spread(Members::ME, now);
    }

    /// A member's announcement or state changed: whose slots are whose, and the embedder.
    pub(super) fn changed(&mut self, now: u64, place: Place) {
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
            self.want(Intention::SlotsLost { run, to });
        }
    }

    fn tell(&mut self, place: Place) {
        let member = self.members.get(place);
        let (announcement, state) = (member.announcement().clone(), member.state());
        let runs = self.claims.held_by(place);
        self.want(Intention::Member { announcement, state, runs });
    }

    /// What is known of a member is news.
    pub(super) fn spread(&mut self, place: Place, now: u64) {
        self.gossip_soon(now);
        self.rumours.spread(&mut self.members, place);
        self.changed_at = now;
    }

    /// A member introduces itself that was not known. Unless it says hello, which is how one comes to a mesh, it knows others,
    /// who tell of it as well.
    pub(super) fn meet(&mut self, place: Place, now: u64) {
        self.gossip_soon(now);
        self.met_here = Some(place);
        self.rumours.mention(&mut self.members, place);
        self.changed_at = now;
    }

    /// There will be something to tell: a little later, for news seldom comes alone.
    fn gossip_soon(&mut self, now: u64) {
        if self.rumours.is_empty() {
            let later = self.random.below(self.settings.gossip_interval / 4 + 1);
            self.gossip_at = self.gossip_at.max(now + later);
        }
    }

    pub(super) fn mail_to(&mut self, place: Place, note: &Note<'_>) {
        if let Some(address) = self.members.get(place).address() {
            self.mail.write(address, Some(place), note);
        }
    }

    pub(super) fn blank(&mut self, place: Place) {
        if let Some(address) = self.members.get(place).address() {
            self.mail.blank(address, place);
        }
    }

    /// A key in use twice is named, once an hour.
    pub(super) fn conflict(&mut self, place: Place, other: Option<SocketAddr>, now: u64) {
        let member = self.members.get(place);
        let (id, winner) = (member.id(), member.announcement().clone());
        let named = self.conflicts.get(&id).is_some_and(|at| now < at + 3_600_000 * MS);
        if !named && (self.conflicts.len() < CONFLICTS_MAX || self.conflicts.contains_key(&id)) {
            self.conflicts.insert(id, now);
            self.want(Intention::Conflict { id, winner, other });
        }
    }

    /// Puts a member out of every machine, so that its place can be given to another.
    pub(super) fn forget(&mut self, now: u64, place: Place) {
        let member = self.members.get(place);
        let id = member.id();
        for other in self.claims.set(place, id, true, &[]).into_iter().filter(|other| *other != place) {
            self.tell(other);
        }
        self.rumours.stop(&mut self.members, place);
        self.suspicions.close(place);
        self.prober.forget(place);
        self.scout.forget(place, &self.members);
        self.sync.forget(place);
        self.lessons.forget(place);
        self.mail.forget(place);
        self.dissemination.forget(now, &self.members, place, &mut self.wishes);
        self.fulfil(now);
        self.members.remove(place);
        self.want(Intention::Forgotten(id));
    }

    /// This node may have been stopped since it was due; what it did not hear then counts against nobody. (What a
    /// letter makes due in the past is due now, and no sign of a stop.)
    fn wake(&mut self, now: u64) {
        let late = now.saturating_sub(self.due);
        if self.settings.lifeguard && self.due != u64::MAX && late > STALL {
            self.prober.postpone(late);
            self.prober.feel(&self.settings, 1);
            self.suspicions.postpone(late);
            self.due = now;
        }
    }

    fn earliest(&self) -> u64 {
        let gossip =
            if self.rumours.is_empty() || self.members.live().is_empty() { u64::MAX } else { self.gossip_at };
        [
            gossip,
            self.prober.next_due(&self.members),
            self.suspicions.next_due(),
            self.sync.next_due(&self.members),
            self.lessons.next_due(),
            self.contact.next_due(&self.members),
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
pub(super) fn news(members: &Members, suspicions: &Suspicions, place: Place, letter: &mut Letter) -> bool {
    let member = members.get(place);
    match member.state() {
        PeerState::Alive | PeerState::Left => Note::Announce(member.announcement().bytes()).write(letter),
        PeerState::Suspected | PeerState::Failed => {
            let by = suspicions.author(place).unwrap_or(members.get(Members::ME).id());
            Note::Accuse(accusation(member, by)).write(letter)
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

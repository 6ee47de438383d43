//! How updates travel, composed: the neighbours that they go to, the rounds that find what was lost, and the members of
//! other regions that a wave reaches.
//!
//! ```text
//! members come and go ─> standing ─> overlay <─ link messages      accepted ─> spread <─ ids, pulls, offers
//!                                       └─ linked, unlinked ────────────────────> │
//! time ─> rounds ─> an offer to somebody ───────────────────────────────────────> │ ─> SpreadAction
//! ```
//!
//! It follows the members and is told of updates; what is to be said or sent goes into the caller's vectors. Nothing is
//! due while there is nothing new: a mesh at rest pays for its links, which are confirmed once a minute.

use alloc::vec::Vec;

use octick_crypto::NodeId;

use crate::control::dissemination::action::{Actions, DisseminationAction, Taken};
use crate::control::dissemination::overlay::{LinkChange, Overlay, WANTED};
use crate::control::dissemination::rank::{Purpose, RINGS, Ranking, Standing};
use crate::control::dissemination::regions::{Crossing, RegionView};
use crate::control::dissemination::rounds::Rounds;
use crate::control::dissemination::select::{Candidate, Strategy, choose};
use crate::control::dissemination::spread::{Accepted, Convergence, Counts, Lane, Spread, SpreadSettings};
use crate::control::dissemination::survey::{Survey, is_seated, seated};
use crate::control::id::{FrameRef, MemberIndex, Region, UpdateId};
use crate::control::membership::table::Members;
use crate::control::message::gossip::{Gossip, OFFER_MAX};
use crate::control::message::id_lists::IdLists;
use crate::limits::OVERLAY_MAX;
use crate::list::List;
use crate::random::Random;
use crate::time::{MS, S, Wall};

/// A member who is no neighbour, or not on record: which one makes no difference.
pub(in crate::control) const SOMEBODY: MemberIndex = MemberIndex(u32::MAX);
/// How long an order of ranks holds, microseconds of the wall clock.
const EPOCH: u64 = 3_600 * S;
/// How long a node that comes to know members gathers more before it links; and while it is still learning who is there.
const GATHER: (u64, u64) = (100 * MS, S);
/// The same while it knows so few that it links to all of them: what one answer of a seed takes to come.
const GATHER_FEW: u64 = 10 * MS;
/// How long a node is a newcomer to updates, from its first neighbour on, and how often it then compares all of them with a
/// neighbour that has more than an offer can name: those of origins that it did not know yet were refused, and are older
/// now than any offer.
const NEWCOMER_FOR: u64 = S;
const NEWCOMER_GAP: u64 = 250 * MS;
/// When the ranks are looked at again after somebody was passed over.
const LOOK_AGAIN: u64 = 11 * S;

/// The dissemination of one node.
#[derive(Debug)]
pub struct Dissemination {
    spread: Spread,
    overlay: Overlay,
    rounds: Rounds,
    crossing: Crossing,
    spread_settings: SpreadSettings,
    selection: Strategy,
    mesh: [u8; 32],
    me: NodeId,
    local_region: Region,
    epoch: u64,
    standing: Standing,
    /// Members whose neighbourhood is to be looked at; `u64::MAX` when it is as it should be.
    rank_at: u64,
    /// Whether all members are to be met anew.
    anew: bool,
    /// Whether this node knows the mesh well enough to choose its neighbours.
    settled: bool,
    survey: Survey,
    /// With whom the last round was.
    partner: Option<MemberIndex>,
    /// Until when this node is a newcomer, once it has had a neighbour, and when it may compare all updates again.
    newcomer_until: Option<u64>,
    compare_at: u64,
    changes: Vec<LinkChange>,
    /// Whom a wave goes to; empty between waves.
    wave: Vec<MemberIndex>,
    actions: Actions,
    random: Random,
}

impl Dissemination {
    pub(in crate::control) fn new(
        (spread_settings, selection): (SpreadSettings, Strategy),
        mesh: [u8; 32],
        (me, local_region): (NodeId, Region),
        mut random: Random,
        now: u64,
    ) -> Self {
        Self {
            spread: Spread::new(random.fork()),
            overlay: Overlay::default(),
            rounds: Rounds::new(now),
            crossing: Crossing::default(),
            spread_settings,
            selection,
            standing: Ranking::new(&mesh, Purpose::Overlay, 0).standing(me, RINGS),
            mesh,
            me,
            local_region,
            epoch: 0,
            rank_at: u64::MAX,
            anew: true,
            settled: false,
            survey: Survey::default(),
            partner: None,
            newcomer_until: None,
            compare_at: now,
            changes: Vec::new(),
            wave: Vec::new(),
            actions: Actions::default(),
            random,
        }
    }

    /// The neighbours.
    pub fn neighbours(&self) -> impl Iterator<Item = MemberIndex> {
        self.overlay.neighbours()
    }

    /// What is known of convergence.
    pub fn convergence(&self) -> &Convergence {
        &self.spread.convergence
    }

    /// Where the bytes of an update are, if they may still be there.
    pub fn frame_of(&self, id: UpdateId) -> Option<FrameRef> {
        self.spread.frame_of(id)
    }

    /// What was counted.
    pub fn counts(&self) -> &Counts {
        &self.spread.counts
    }

    /// Rounds a second at present, in thousandths; at rest there are none.
    pub fn rounds_per_second_milli(&self, now: u64) -> u64 {
        self.rounds.per_second_milli(now)
    }

    /// Members, regions and aggregators of which updates are sent in other regions, as far as known.
    pub fn regions(&self) -> impl Iterator<Item = (Region, usize)> {
        self.survey.regions()
    }

    /// Bytes of memory that this machine takes, its own size included.
    pub fn memory(&self) -> usize {
        let parts = self.spread.memory() + self.overlay.memory() + self.survey.memory();
        debug_assert!(
            parts >= size_of::<Spread>() + size_of::<Overlay>() + size_of::<Survey>(),
            "{parts} bytes"
        );
        parts + size_of::<Self>() - size_of::<Spread>() - size_of::<Overlay>() - size_of::<Survey>()
    }

    /// What to do next: sessions first, then links, then updates.
    pub(in crate::control) fn poll(&mut self) -> Option<DisseminationAction> {
        self.actions.poll()
    }

    /// A member has come, gone or moved to another region.
    pub(in crate::control) fn follow(&mut self, now: u64, members: &Members, place: MemberIndex) {
        let member = members.get(place);
        let gather = match () {
            () if members.live().len() <= WANTED => GATHER_FEW,
            () if self.settled => GATHER.0,
            () => GATHER.1,
        };
        self.survey.follow(member.region() == self.local_region);
        let here = member.state().is_live() && member.region() == self.local_region && place != Members::ME;
        if here && !self.standing.has(place) {
            if self.standing.meet(place, member.id()) || members.live().len() <= WANTED {
                self.rank_at = self.rank_at.min(now + gather);
            }
        } else if !here && self.standing.has(place) {
            self.anew = true;
            self.rank_at = self.rank_at.min(now + gather);
        }
        if !here {
            self.overlay.gone(place, &mut self.changes);
            self.settle(now);
        }
    }

    /// A member's place is given to another.
    pub(in crate::control) fn forget(&mut self, now: u64, members: &Members, place: MemberIndex) {
        self.survey.forget();
        if self.standing.has(place) {
            self.meet_all(now, members);
        }
        self.overlay.gone(place, &mut self.changes);
        self.partner = self.partner.filter(|partner| *partner != place);
        self.spread.forget_origin(place);
        self.settle(now);
    }

    /// A further copy of an update came from a neighbour.
    pub(in crate::control) fn duplicate(&mut self, now: u64, id: UpdateId, from: MemberIndex) {
        self.spread.duplicate(now, id, from);
    }

    /// This node has learnt who is there.
    pub(in crate::control) fn settle_in(&mut self, now: u64) {
        if !core::mem::replace(&mut self.settled, true) && self.rank_at != u64::MAX {
            self.rank_at = self.rank_at.min(now);
        }
    }

    /// An update was merged, or issued.
    pub(in crate::control) fn handle_update(&mut self, now: u64, members: &Members, taken: &Taken) {
        let issued = taken.from.is_none();
        let direct = self.all_are_neighbours(members) && (issued || taken.from == taken.origin);
        let lane = match () {
            () if direct => Lane::Direct,
            () if taken.critical => Lane::Critical,
            () => Lane::Normal,
        };
        let origin = taken.origin.unwrap_or(SOMEBODY);
        let accepted = Accepted { id: taken.id, frame_ref: taken.frame_ref, origin, from: taken.from, lane };
        self.spread.accepted(now, &self.spread_settings, &accepted, &mut self.actions.spread);
        self.rounds.news(now);
        self.look(members);
        if self.survey.is_empty() {
            return;
        }
        let (views, random) = (self.survey.views(), &mut self.random);
        if issued {
            self.crossing.wave(self.local_region, views, random, &mut self.wave);
        } else if self.survey.is_aggregator() {
            let came = taken.origin.map_or(self.local_region, |origin| members.get(origin).region());
            self.crossing.reforward(self.local_region, came, views, random, &mut self.wave);
        }
        let count = self.wave.len();
        assert!(issued || count <= self.crossing.reforward, "sent on to {count} members");
        self.wave.drain(..).for_each(|place| self.spread.send(taken.id, place, &mut self.actions.spread));
    }

    /// Sends an update straight to a member that it concerns. Returns whether it is here.
    pub(in crate::control) fn send(&mut self, id: UpdateId, to: MemberIndex) -> bool {
        let before = self.actions.spread.len();
        self.spread.send(id, to, &mut self.actions.spread);
        self.actions.spread.len() > before
    }

    /// See [`Spread::forget_bytes`].
    pub(in crate::control) fn forget_bytes(&mut self, before: FrameRef) {
        self.spread.forget_bytes(before);
    }

    /// Updates that can be served, but for those that came only just.
    pub(in crate::control) fn held(&self, now: u64) -> Vec<u64> {
        self.spread.held(now, &self.spread_settings).map(|id| id.0).collect()
    }

    /// Whether an update is here.
    pub(in crate::control) fn holds(&self, id: UpdateId) -> bool {
        self.spread.holds(id)
    }

    /// Sends a member what it lacks, as far as it is here.
    pub(in crate::control) fn serve(&mut self, now: u64, to: MemberIndex, ids: &[UpdateId]) {
        self.spread.give(now, &self.spread_settings, to, ids, &mut self.actions.spread);
    }

    /// A member says something about updates or links.
    pub(in crate::control) fn handle(&mut self, now: u64, from: MemberIndex, gossip: &Gossip) {
        let spread = &mut self.actions.spread;
        match gossip {
            Gossip::Ids(ids) => self.spread.handle_ids(now, &self.spread_settings, from, ids, spread),
            Gossip::Pull(ids) => self.spread.handle_pull(now, &self.spread_settings, from, ids, spread),
            Gossip::Offer(ids) => {
                let behind = self.spread.handle_offer(now, &self.spread_settings, from, ids, spread);
                if behind || (ids.len() >= OFFER_MAX && self.compares_as_newcomer(now)) {
                    self.actions.behind.push_back(from);
                }
            }
            Gossip::Prune(ids) => self.spread.handle_prune(from, ids),
            Gossip::Link(op) => self.overlay.handle(now, from, *op, &mut self.changes),
            // Those are for the scout.
            Gossip::Shuffle { .. } | Gossip::Heartbeat(_) => {}
        }
        self.settle(now);
    }

    fn compares_as_newcomer(&mut self, now: u64) -> bool {
        let may = self.newcomer_until.is_some_and(|until| now < until) && now >= self.compare_at;
        if may {
            self.compare_at = now + NEWCOMER_GAP;
        }
        may
    }

    /// A neighbour, or the last round's partner, refused what this node said before it had shown its address; now it is
    /// shown.
    pub(in crate::control) fn offer_again(&mut self, now: u64, to: MemberIndex) {
        if self.partner == Some(to) || self.overlay.neighbours().any(|neighbour| neighbour == to) {
            self.spread.offer_recent(now, &self.spread_settings, to, &mut self.actions.spread);
        }
    }

    /// See [`Spread::reserve`].
    pub(in crate::control) fn reserve(&mut self) {
        self.spread.reserve();
    }

    /// Lists for ids that are read, and given back when they were said.
    pub(in crate::control) fn lists(&mut self) -> &mut IdLists {
        &mut self.spread.lists
    }

    /// When [`Dissemination::tick`] has something to do.
    pub(in crate::control) fn next_due(&self) -> u64 {
        self.rounds.next_due().min(self.rank_at).min(self.spread.next_due()).min(self.overlay.next_due())
    }

    /// Does what is due.
    pub(in crate::control) fn tick(&mut self, now: u64, wall: Wall, members: &Members) {
        self.spread.tick(now, &self.spread_settings, &mut self.actions.spread);
        if self.overlay.next_due() <= now && self.overlay.tick(now, &mut self.changes) {
            // Somebody does not answer: the next in rank is asked, and that one again after a while.
            (self.anew, self.rank_at) = (true, now);
        }
        if self.epoch != wall.0 / EPOCH {
            self.epoch = wall.0 / EPOCH;
            self.anew = true;
            self.survey.forget();
            self.rank_at = self.rank_at.min(now);
        }
        if self.rank_at <= now {
            self.rank_at = u64::MAX;
            if self.anew {
                self.meet_all(now, members);
            }
            if members.live().len() <= WANTED {
                // Circles of so few have the same neighbours: there is room for everybody.
                self.overlay.want(now, members.live(), &mut self.changes);
            } else {
                self.overlay.want(now, &self.standing.neighbours(), &mut self.changes);
            }
        }
        if self.rounds.tick(now) {
            self.round(members);
        }
        self.settle(now);
    }

    /// Compares what came last with somebody, now and then in other regions.
    fn round(&mut self, members: &Members) {
        self.partner = self.draw_partner(members);
        if let Some(partner) = self.partner {
            self.spread.offer(partner, &mut self.actions.spread);
        }
    }

    /// A neighbour or, every second time and while there is none, anybody of this region; now and then somebody of another.
    pub(in crate::control) fn draw_partner(&mut self, members: &Members) -> Option<MemberIndex> {
        self.look(members);
        let candidate = |place: MemberIndex| {
            let member = members.get(place);
            Candidate { place, region: member.region(), rtt: member.rtt }
        };
        let mut near: List<Candidate, OVERLAY_MAX> = self.overlay.neighbours().map(candidate).collect();
        let near = choose(self.selection, &mut near, 1, self.local_region, &mut self.random);
        let near: List<MemberIndex, 1> = near.iter().map(|neighbour| neighbour.place).collect();
        let with_anybody = Rounds::is_with_anybody(&mut self.random) || near.is_empty();
        let nearest = if with_anybody { members.live() } else { &near };
        let own = RegionView { region: self.local_region, aggregators: &[], members: nearest };
        let views = self.survey.views().chain([own]);
        self.crossing.partner(self.local_region, views, &mut self.random)
    }

    /// Whether one copy from its issuer reaches everybody.
    fn all_are_neighbours(&self, members: &Members) -> bool {
        let live = members.live().len();
        live <= WANTED && self.spread.neighbours().count() >= live
    }

    fn meet_all(&mut self, now: u64, members: &Members) {
        self.anew = false;
        self.standing = Ranking::new(&self.mesh, Purpose::Overlay, self.epoch).standing(self.me, RINGS);
        for place in members.live() {
            if self.overlay.passes_over(*place, now) {
                (self.anew, self.rank_at) = (true, self.rank_at.min(now + LOOK_AGAIN));
            } else {
                self.standing.meet(*place, members.get(*place).id());
            }
        }
    }

    /// A member each of the regions of which fewer are known than a wave should reach.
    pub(in crate::control) fn lacking(&mut self, members: &Members) -> Vec<MemberIndex> {
        self.look(members);
        self.survey.lacking(self.crossing.targets, &mut self.random)
    }

    /// The leaders of other regions, and whether this node leads its own.
    pub(in crate::control) fn leaders(&mut self, members: &Members) -> (Vec<(Region, MemberIndex)>, bool) {
        self.look(members);
        (self.survey.leaders(), is_seated(members, &self.aggregators(), 1))
    }

    /// Members of this region that another should know: its aggregators, and some at random.
    pub(in crate::control) fn delegates(&mut self, members: &Members) -> Vec<MemberIndex> {
        let live = members.live();
        let (ranking, count) = (self.aggregators(), self.crossing.aggregators);
        let mut chosen = seated(members, live.iter().copied(), &ranking, count);
        for i in self.random.choose(live.len(), self.crossing.targets) {
            if !chosen.contains(&live[i]) && chosen.len() < self.crossing.targets {
                chosen.push(live[i]);
            }
        }
        chosen
    }

    /// The order by which members of a region are its aggregators.
    fn aggregators(&self) -> Ranking {
        Ranking::new(&self.mesh, Purpose::Aggregators, self.epoch)
    }

    /// Sorts out who is in other regions, if that has changed.
    fn look(&mut self, members: &Members) {
        if !self.survey.is_fresh() {
            let ranking = self.aggregators();
            self.survey.look(members, self.local_region, &ranking, self.crossing.aggregators);
        }
    }

    /// Passes on what became of links.
    fn settle(&mut self, now: u64) {
        for change in self.changes.drain(..) {
            match change {
                LinkChange::Tell(to, op) => self.actions.links.push_back((to, op)),
                LinkChange::Linked(place) => {
                    let linked = self.spread.link(place);
                    debug_assert!(linked, "there is a place for every link of the overlay");
                    self.newcomer_until.get_or_insert(now + NEWCOMER_FOR);
                    self.spread.offer_recent(now, &self.spread_settings, place, &mut self.actions.spread);
                }
                LinkChange::Unlinked(place) => self.spread.unlink(place),
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! The machine: what is said to it, and what it wants done.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::control::dissemination::spread::action::{Accepted, Counts, Lane, SpreadAction};
use crate::control::dissemination::spread::convergence::{Convergence, QUIET};
use crate::control::dissemination::spread::links::{LINKS_MAX, Links};
use crate::control::dissemination::spread::pulls::Pulls;
use crate::control::dissemination::spread::settings::SpreadSettings;
use crate::control::dissemination::spread::trees::Trees;
use crate::control::dissemination::spread::updates::{Ordinal, State, Update, Updates};
use crate::control::id::{FrameRef, MemberIndex, UpdateId};
use crate::control::message::gossip::{IDS_MAX, OFFER_MAX, PULL_MAX};
use crate::control::message::id_lists::IdLists;
use crate::limits::UPDATES_MAX;
use crate::list::List;
use crate::random::Random;
use crate::time::{MS, S, micros};

/// Updates that a node which [reserves](Spread::reserve) keeps the memory for: two a second, each kept for half a minute.
const TRICKLE: usize = 64;

/// Neighbours known to have an update, beyond whom it is not sent on unasked.
const PASSED: u32 = 1;
/// When an update that was heard of here should be everywhere, microseconds: twice the slowest way to another region.
const SETTLED: u64 = 250 * MS;

/// Why an update is sent to one that is not known to have it. Each has a budget of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// It asked.
    Pull,
    /// Its offer, or a session, showed that it lacks it.
    Push,
}

/// Disseminates updates at one node.
#[derive(Debug)]
pub struct Spread {
    pub(in crate::control) updates: Updates,
    pub(in crate::control) links: Links,
    trees: Trees,
    pub(in crate::control) pulls: Pulls,
    /// Lists for what is said, given back by whoever has said it.
    pub lists: IdLists,
    /// Held updates that were not announced yet.
    fresh: Vec<Ordinal>,
    /// Whether memory is kept that is not in use.
    keeps: bool,
    announce_at: u64,
    /// How long announcements wait at present, and when the last ones left.
    lazy: u64,
    announced_at: u64,
    /// Whether anything was asked for since.
    served: bool,
    /// What came twice, and from where, that was not said yet.
    prunes: Vec<(MemberIndex, UpdateId)>,
    /// The first update that has not converged yet.
    unsettled: u64,
    round: u16,
    /// Bytes that were laid down before this are gone.
    bytes_from: FrameRef,
    /// The neighbour that was drawn last, and when: what comes together goes on together.
    drawn: (u64, u32),
    pub(in crate::control) random: Random,
    /// What was counted.
    pub counts: Counts,
    /// What is known of convergence.
    pub convergence: Convergence,
}

impl Spread {
    /// A node that has no neighbours and has heard of nothing.
    pub fn new(mut random: Random) -> Self {
        Self {
            updates: Updates::new(random.u64()),
            links: Links::default(),
            trees: Trees::default(),
            pulls: Pulls::default(),
            lists: IdLists::default(),
            fresh: Vec::new(),
            keeps: false,
            announce_at: u64::MAX,
            lazy: 0,
            announced_at: 0,
            served: false,
            prunes: Vec::new(),
            unsettled: 0,
            round: 0,
            bytes_from: FrameRef::default(),
            drawn: (u64::MAX, 0),
            random,
            counts: Counts::default(),
            convergence: Convergence::default(),
        }
    }

    /// Takes the memory that a busy node needs now, some 60 KiB, and keeps it: from then on it takes more only for more at once
    /// than ever before. Without, a node at rest takes less than a kilobyte, and each burst takes its memory anew.
    pub fn reserve(&mut self) {
        self.keeps = true;
        self.lists.reserve();
        self.updates.reserve(TRICKLE);
        self.pulls.reserve(IDS_MAX);
        self.fresh.reserve(IDS_MAX);
        self.prunes.reserve(IDS_MAX);
    }

    /// Makes `peer` a neighbour. Returns whether there was room for it; it is one already, or there is.
    pub fn link(&mut self, peer: MemberIndex) -> bool {
        self.links.add(peer)
    }

    /// `peer` is no neighbour any longer.
    pub fn unlink(&mut self, peer: MemberIndex) {
        let bit = self.links.remove(peer);
        if bit != 0 {
            self.trees.forget(bit);
            for update in self.updates.iter_mut() {
                (update.told, update.has, update.asked) =
                    (update.told & !bit, update.has & !bit, update.asked & !bit);
            }
        }
        assert!(self.links.bit(peer) == 0, "{peer:?} is a neighbour still");
    }

    /// The neighbours.
    pub fn neighbours(&self) -> impl Iterator<Item = MemberIndex> {
        self.links.iter().map(|(_, place)| place)
    }

    /// An update was verified and is new here.
    pub fn accepted(
        &mut self,
        now: u64,
        spread_settings: &SpreadSettings,
        accepted: &Accepted,
        actions: &mut VecDeque<SpreadAction>,
    ) {
        let Accepted { id, frame_ref, origin, from, lane } = *accepted;
        let sender = from.map_or(0, |peer| self.links.bit(peer));
        self.links.keeps_its_word(sender);
        let ordinal = match self.updates.find(id) {
            Some(ordinal) => ordinal,
            None => self.hear_of(now, spread_settings, id, actions),
        };
        let Some(update) = self.updates.get(ordinal) else { return };
        update.told |= sender;
        update.has |= sender;
        assert!(update.has & !update.told == 0, "whoever has it need not be told: {update:?}");
        update.touch(now, self.round);
        match update.state {
            State::Held => {
                self.counts.duplicates += 1;
                return;
            }
            State::Missing(_) => self.pulls.found(),
            State::GivenUp => {}
        }
        (update.state, update.frame_ref, update.origin) = (State::Held, frame_ref, origin);
        self.trees.brings_news(origin, sender);
        self.counts.accepted += 1;
        let (grafted, pruned) = if lane == Lane::Normal { self.trees.of(origin) } else { (0, 0) };
        let branches = self.links.known(grafted & !update.told);
        update.told |= branches;
        actions.extend(self.links.places(branches).map(|to| SpreadAction::Forward { id, frame_ref, to }));
        let eager = match lane {
            Lane::Direct if from.is_none() => LINKS_MAX,
            Lane::Direct => 0,
            Lane::Critical => spread_settings.eager_critical,
            // Where others have announced it already, the wave has passed: most would be sent what they have.
            Lane::Normal if branches != 0 || update.has.count_ones() > PASSED => 0,
            Lane::Normal => spread_settings.eager,
        };
        let mut favourite = if self.drawn.0 == now { self.drawn.1 & !update.told } else { 0 };
        for _ in 0..eager {
            let among = if favourite == 0 { !update.told } else { core::mem::take(&mut favourite) };
            let Some((bit, to)) = self.links.draw(among & !pruned, &mut self.random) else { break };
            assert!(update.told & bit == 0, "{to:?} was told before");
            self.drawn = (now, bit);
            if lane == Lane::Normal {
                self.trees.graft(origin, bit);
            }
            update.told |= bit;
            actions.push_back(SpreadAction::Forward { id, frame_ref, to });
        }
        if lane == Lane::Direct {
            return;
        }
        self.fresh.push(ordinal);
        let delay = match lane {
            Lane::Critical => 0,
            // Half of it by randomness: of two neighbours that got it together, one is first, and the other need not speak.
            Lane::Normal | Lane::Direct => {
                if self.lazy == 0 || now > self.announced_at + S {
                    self.lazy = micros(spread_settings.lazy_delay);
                }
                self.lazy / 2 + self.random.below(self.lazy.max(1))
            }
        };
        self.announce_at = self.announce_at.min(now + delay);
        if delay == 0 || self.fresh.len() >= IDS_MAX {
            self.announce(now, spread_settings, actions);
        }
        assert!(self.fresh.len() < IDS_MAX, "{} updates wait to be announced", self.fresh.len());
    }

    /// A further copy of an update came from `from`, who is told if that is not the first.
    pub fn duplicate(&mut self, now: u64, id: UpdateId, from: MemberIndex) {
        self.counts.duplicates += 1;
        let bit = self.links.bit(from);
        if bit == 0 {
            return;
        }
        self.links.keeps_its_word(bit);
        let Some(update) = self.updates.named(id) else { return };
        update.told |= bit;
        update.has |= bit;
        update.touch(now, self.round);
        let held = update.state == State::Held;
        if held && self.trees.repeats(update.origin, bit) && self.prunes.len() < IDS_MAX {
            self.prunes.push((from, id));
            self.announce_at = self.announce_at.min(now + self.lazy);
        }
        assert!(self.prunes.len() <= IDS_MAX, "{} repeats wait to be said", self.prunes.len());
    }

    /// `from` had these before they came from here: it gets them from elsewhere.
    pub fn handle_prune(&mut self, from: MemberIndex, ids: &[UpdateId]) {
        let bit = self.links.bit(from);
        for id in ids.iter().take(IDS_MAX).filter(|_| bit != 0) {
            if let Some(update) = self.updates.named(*id) {
                self.trees.prune(update.origin, bit);
            }
        }
    }

    /// A member's place is given to another.
    pub fn forget_origin(&mut self, origin: MemberIndex) {
        self.trees.fell(origin);
    }

    /// Sends an update that is here straight to `to`: the direct path of a critical message, and a region's wave.
    pub fn send(&mut self, id: UpdateId, to: MemberIndex, actions: &mut VecDeque<SpreadAction>) {
        if let Some(update) = self.updates.named(id)
            && update.state == State::Held
        {
            // Whoever was only told of it is sent it all the same.
            update.told |= self.links.bit(to);
            actions.push_back(SpreadAction::Forward { id, frame_ref: update.frame_ref, to });
        }
    }

    /// `from` says that it has these.
    pub fn handle_ids(
        &mut self,
        now: u64,
        spread_settings: &SpreadSettings,
        from: MemberIndex,
        ids: &[UpdateId],
        actions: &mut VecDeque<SpreadAction>,
    ) {
        let bit = self.links.bit(from);
        for id in ids.iter().take(IDS_MAX.max(OFFER_MAX)) {
            let room = self.pulls.missing() < spread_settings.missing_max && self.links.may_announce(bit);
            let (ordinal, pulls) = match self.updates.find(*id) {
                Some(ordinal) => (ordinal, 1),
                // No one of them alone may fill the room.
                None if room && self.links.may_be_first(bit, spread_settings.missing_max / 4, now) => {
                    (self.hear_of(now, spread_settings, *id, actions), spread_settings.pulls)
                }
                None => {
                    self.counts.ids_refused += 1;
                    continue;
                }
            };
            let Some(update) = self.updates.get(ordinal) else { continue };
            let news = bit == 0 || update.has & bit == 0;
            // Whoever repeats its word is asked again as well, of each update so many times in all.
            let again = !news && update.repeats < spread_settings.pulls;
            update.told |= bit;
            update.has |= bit;
            if update.state == State::Held {
                update.touch(now, self.round);
                continue;
            }
            if bit == 0 {
                update.outsider = Some(from);
            }
            if (news || again) && room && update.state == State::GivenUp {
                // Of all neighbours it is the one to ask: others had their turn.
                update.asked &= !bit;
                update.repeats += u8::from(again);
                update.state = State::Missing(pulls);
                self.pulls.miss(now + micros(spread_settings.pull_delay), ordinal);
            }
        }
    }

    /// `from` wants these.
    pub fn handle_pull(
        &mut self,
        now: u64,
        spread_settings: &SpreadSettings,
        from: MemberIndex,
        ids: &[UpdateId],
        actions: &mut VecDeque<SpreadAction>,
    ) {
        let bit = self.links.bit(from);
        for id in ids.iter().take(PULL_MAX) {
            self.serve(now, spread_settings, *id, (bit, from, Cause::Pull), actions);
            if let Some(update) = self.updates.named(*id).filter(|_| bit != 0) {
                // It has no better source.
                self.trees.graft(update.origin, bit);
                self.served = true;
            }
        }
        self.counts.pulls_refused += ids.len().saturating_sub(PULL_MAX) as u32;
    }

    /// A round: names what was taken in last to `to`, which sends what is missing here and asks for what it lacks.
    pub fn offer(&mut self, to: MemberIndex, actions: &mut VecDeque<SpreadAction>) {
        self.round = self.round.wrapping_add(1);
        let held = self.updates.iter_mut().rev().filter(|update| update.state == State::Held);
        let ids = self.lists.fill(held.take(OFFER_MAX).map(|update| update.id));
        actions.push_back(SpreadAction::Offer { to, ids });
    }

    /// What was issued or merged before a link stood went along other links, if there were any: its names go to the
    /// new neighbour, which asks for what it lacks. One control frame at most, and nothing where nothing is recent.
    pub fn offer_recent(
        &mut self,
        now: u64,
        spread_settings: &SpreadSettings,
        to: MemberIndex,
        actions: &mut VecDeque<SpreadAction>,
    ) {
        if self.updates.last_heard_at().is_some_and(|at| now < at + micros(spread_settings.keep)) {
            self.offer(to, actions);
        }
    }

    /// `from` offers these: whatever was taken in here since the oldest of them, and is not among them, `from` lacks; but
    /// what was heard of only just is on its way by itself. Returns whether more is lacking, here or there, than an offer
    /// can name or its answer bring: most of a full offer is unknown here, or `from` lacks more of what has long been
    /// everywhere than one answer brings. Who was away may be found by either sign alone: what answers to its own offers
    /// bring it first makes the next offer look known, and the gap behind them is beyond every later one.
    pub fn handle_offer(
        &mut self,
        now: u64,
        spread_settings: &SpreadSettings,
        from: MemberIndex,
        ids: &[UpdateId],
        actions: &mut VecDeque<SpreadAction>,
    ) -> bool {
        // After a rest nothing may have been forgotten yet: what others forgot in time they do not lack.
        self.forget_old(now, spread_settings, actions);
        let mut offered = self.lists.fill(ids.iter().take(OFFER_MAX).copied());
        offered.sort_unstable();
        // A full offer names only the newest, so what is older here than all of them may well be there. One of them that
        // came here late or there early says little of the others, so what is missed is looked for behind most of them.
        let (floor, most) = if offered.len() < OFFER_MAX {
            (0, 0)
        } else {
            let known = offered.iter().filter_map(|id| self.updates.find(*id)).map(|ordinal| ordinal.0);
            let mut known: List<u64, OFFER_MAX> = known.collect();
            known.sort_unstable();
            let at = |i: usize| known.get(i).copied().unwrap_or(u64::MAX);
            (at(0), at(known.len() / 2))
        };
        let (first, most) = (self.unsent_from(floor), self.unsent_from(most));
        assert!(
            offered.len() <= OFFER_MAX && first.max(most) <= self.updates.len(),
            "from {first} and {most} of {}",
            self.updates.len()
        );
        let bytes_from = self.bytes_from;
        let missed = self.updates.iter().skip(most).filter(|update| {
            update.can_be_served(bytes_from)
                && update.heard_at + SETTLED <= now
                && offered.binary_search(&update.id).is_err()
        });
        let misses_much = missed.take(PULL_MAX + 1).count() > PULL_MAX;
        let rested = |update: &&Update| update.heard_at + micros(spread_settings.pull_timeout) <= now;
        let since = self.updates.iter().skip(first).rev().filter(|update| update.can_be_served(bytes_from));
        let lacking = since.filter(rested).filter(|update| offered.binary_search(&update.id).is_err());
        let lacking = self.lists.fill(lacking.map(|update| update.id).take(PULL_MAX));
        self.give(now, spread_settings, from, &lacking, actions);
        let unknown = ids.iter().filter(|id| self.updates.find(**id).is_none()).count();
        self.handle_ids(now, spread_settings, from, ids, actions);
        let behind = misses_much || offered.len() == OFFER_MAX && unknown > OFFER_MAX / 2;
        self.lists.give_back(lacking);
        self.lists.give_back(offered);
        behind
    }

    /// What can be served, but for what was heard of only just.
    pub fn held(&self, now: u64, spread_settings: &SpreadSettings) -> impl Iterator<Item = UpdateId> {
        let rested = now.saturating_sub(micros(spread_settings.pull_timeout));
        let held = self.updates.iter().filter(move |update| update.heard_at <= rested);
        held.filter(|update| update.can_be_served(self.bytes_from)).map(|update| update.id)
    }

    /// The bytes of what was laid down before this reference are gone.
    pub fn forget_bytes(&mut self, before: FrameRef) {
        debug_assert!(self.bytes_from <= before, "bytes do not come back: {:?}, {before:?}", self.bytes_from);
        self.bytes_from = before;
    }

    /// Sends `to` what it lacks of these, as found by its offer or in a session, as far as it is here, and as much of it as a
    /// link may have in a second, whatever it asks for besides.
    pub fn give(
        &mut self,
        now: u64,
        spread_settings: &SpreadSettings,
        to: MemberIndex,
        ids: &[UpdateId],
        actions: &mut VecDeque<SpreadAction>,
    ) {
        let bit = self.links.bit(to);
        ids.iter().for_each(|id| self.serve(now, spread_settings, *id, (bit, to, Cause::Push), actions));
    }

    /// Where the bytes of an update are, if they may still be there.
    pub fn frame_of(&self, id: UpdateId) -> Option<FrameRef> {
        let update = self.updates.view(id).filter(|update| update.can_be_served(self.bytes_from))?;
        Some(update.frame_ref)
    }

    /// Whether the update was accepted not long ago.
    pub fn holds(&self, id: UpdateId) -> bool {
        self.updates.view(id).is_some_and(|update| update.state == State::Held)
    }

    /// When [`Spread::tick`] has something to do; `u64::MAX` for nothing.
    pub fn next_due(&self) -> u64 {
        self.announce_at.min(self.pulls.next_due())
    }

    /// Announces and asks for what is due. Forgets what is old; to do that in time is not urgent, and needs no timer.
    pub fn tick(&mut self, now: u64, spread_settings: &SpreadSettings, actions: &mut VecDeque<SpreadAction>) {
        if now >= self.announce_at {
            self.announce(now, spread_settings, actions);
        }
        self.pull(now, spread_settings, actions);
        self.settle(now);
        self.forget_old(now, spread_settings, actions);
    }

    /// Bytes of memory that this machine takes, its own size included.
    pub fn memory(&self) -> usize {
        size_of::<Self>()
            + self.updates.memory()
            + self.links.memory()
            + self.trees.memory()
            + self.pulls.memory()
            + self.lists.memory()
            + self.fresh.capacity() * size_of::<Ordinal>()
            + self.prunes.capacity() * size_of::<(MemberIndex, UpdateId)>()
    }

    fn hear_of(
        &mut self,
        now: u64,
        spread_settings: &SpreadSettings,
        id: UpdateId,
        actions: &mut VecDeque<SpreadAction>,
    ) -> Ordinal {
        while self.updates.len() >= spread_settings.updates_max {
            self.counts.crowded_out += 1;
            self.forget(actions);
        }
        assert!(self.updates.len() <= UPDATES_MAX, "{} updates known", self.updates.len());
        self.updates.push(Update {
            id,
            heard_at: now,
            told: 0,
            has: 0,
            asked: 0,
            asked_last: 0,
            outsider: None,
            active_for: 0,
            round: self.round,
            rounds: 0,
            repeats: 0,
            state: State::GivenUp,
            frame_ref: FrameRef::default(),
            origin: MemberIndex(u32::MAX),
        })
    }

    fn serve(
        &mut self,
        now: u64,
        spread_settings: &SpreadSettings,
        id: UpdateId,
        (bit, from, cause): (u32, MemberIndex, Cause),
        actions: &mut VecDeque<SpreadAction>,
    ) {
        let (update, most) = (self.updates.named(id), spread_settings.served_max);
        match update.filter(|update| update.state == State::Held) {
            None => self.counts.pulls_unknown += 1,
            Some(_) if cause == Cause::Pull && !self.links.may_ask(bit, most, now) => {
                self.counts.pulls_refused += 1
            }
            Some(_)
                if cause == Cause::Push && !self.links.may_be_pushed(bit, most.saturating_mul(2), now) =>
            {
                self.counts.pushes_refused += 1
            }
            Some(update) => {
                update.told |= bit;
                update.touch(now, self.round);
                actions.push_back(SpreadAction::Forward { id, frame_ref: update.frame_ref, to: from });
            }
        }
    }

    /// Tells every neighbour what is new here and not known to be there, and what need not have come from it.
    fn announce(&mut self, now: u64, spread_settings: &SpreadSettings, actions: &mut VecDeque<SpreadAction>) {
        assert!(self.announce_at <= now || self.fresh.len() >= IDS_MAX, "announced before its time");
        self.announce_at = u64::MAX;
        self.announced_at = now;
        let lazy = if core::mem::take(&mut self.served) { self.lazy / 2 } else { self.lazy * 5 / 4 };
        self.lazy = lazy.clamp(micros(spread_settings.lazy_delay), micros(spread_settings.lazy_delay_max));
        self.prunes.sort_unstable();
        for prunes in self.prunes.chunk_by(|a, b| a.0 == b.0) {
            let ids = self.lists.fill(prunes.iter().map(|(_, id)| *id));
            actions.push_back(SpreadAction::Prune { to: prunes[0].0, ids });
        }
        self.prunes.clear();
        for (bit, to) in self.links.iter() {
            let untold = self.fresh.iter().filter_map(|ordinal| {
                let update = self.updates.get(*ordinal).filter(|update| update.told & bit == 0)?;
                update.told |= bit;
                Some(update.id)
            });
            let ids = self.lists.fill(untold);
            if ids.is_empty() {
                self.lists.give_back(ids);
            } else {
                actions.push_back(SpreadAction::Announce { to, ids });
            }
        }
        self.fresh.clear();
        if !self.keeps {
            (self.fresh, self.prunes) = (Vec::new(), Vec::new());
        }
    }

    /// Takes note of what has converged.
    fn settle(&mut self, now: u64) {
        self.unsettled = self.unsettled.max(self.updates.first());
        while let Some(update) = self.updates.get(Ordinal(self.unsettled)) {
            if now < update.heard_at + u64::from(update.active_for) + QUIET {
                break;
            }
            if update.state == State::Held {
                self.convergence.record(update.active_for, update.rounds);
            }
            self.unsettled += 1;
        }
        let end = self.updates.first() + self.updates.len() as u64;
        assert!(self.unsettled <= end, "{} has converged, of {end}", self.unsettled);
    }

    fn unsent_from(&self, floor: u64) -> usize {
        (floor.saturating_sub(self.updates.first()) as usize).min(self.updates.len())
    }

    fn forget_old(
        &mut self,
        now: u64,
        spread_settings: &SpreadSettings,
        actions: &mut VecDeque<SpreadAction>,
    ) {
        while self.updates.front().is_some_and(|update| now >= update.heard_at + micros(spread_settings.keep))
        {
            self.forget(actions);
        }
    }

    fn forget(&mut self, actions: &mut VecDeque<SpreadAction>) {
        let Some(update) = self.updates.pop() else { return };
        match update.state {
            State::Held => actions.push_back(SpreadAction::Forget(update.id)),
            State::Missing(_) => self.pulls.found(),
            State::GivenUp => {}
        }
    }
}

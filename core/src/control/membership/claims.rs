//! Whose slots these are when two members claim them: the same on every node that knows the same members.
//!
//! Claims are taken in one order, and each holds unless it overlaps one that was taken before it:
//!
//! 1. claims by right, from a credential or this node's configuration, the smaller serial first;
//! 2. of the others, members that are there before those that are gone, then who holds, then who was heard claiming first. What a node
//!    learns while it is new itself counts as heard at once; there the older claim, by its own word, and then the smaller name decide.
//!
//! So a run never has two owners, a live holder never loses to a newcomer however it dates its claim, a member
//! that is gone keeps its slots until somebody who is there wants them, and whoever gives slots away announces so. Where claims are by right, all
//! nodes that know the same members agree; elsewhere, those do that heard them in one order.
//!
//! **Deciding, in words**: all claims in their order, each held unless it overlaps one that is. Departures: (1) after a change only those are
//! decided again that it can concern: the member's own, those that overlap what it held, and those that overlap what one of these takes
//! away, each later in the order than what took it away. (2) A member pays for each change, so that nobody has others decide without
//! end.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use octick_crypto::NodeId;

use crate::control::id::MemberIndex;
use crate::control::message::announcement::Claim;
use crate::limits::CLAIM_CHANGES_AT_ONCE;
use crate::stamp::Run;
use crate::time::S;

/// What a change of claims costs the member that makes it, microseconds.
const CHANGE_COST: u64 = S;

/// Who claims what, and who holds it.
#[derive(Debug, Default)]
pub struct Claims {
    claimants: BTreeMap<MemberIndex, Claimant>,
    /// First slot to end and holder, of the runs that are held.
    held: BTreeMap<u32, (u64, MemberIndex)>,
    /// Claims that do not hold: first slot, end and who claims.
    waiting: BTreeSet<(u32, u64, MemberIndex)>,
    /// No claim that waits has more slots.
    longest: u32,
    /// Counts what is heard.
    heard: u64,
    /// Whether this node was new itself when it decided last.
    decided_as_new: bool,
    /// Up to when members have paid for their changes, microseconds.
    paid: BTreeMap<MemberIndex, u64>,
}

/// Who claims, and by which right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Title {
    /// Whose name decides where nothing else does.
    pub id: NodeId,
    /// Whether it is gone.
    pub gone: bool,
    /// The serial of the credential that grants the slots, 0 for this node's configuration; nothing for claims without a right.
    pub right: Option<u64>,
}

#[derive(Debug)]
struct Claimant {
    title: Title,
    claims: Vec<Claimed>,
}

#[derive(Clone, Copy, Debug)]
struct Claimed {
    claim: Claim,
    /// When it was first heard, as a number that rises; zero if this node was new itself.
    heard: u64,
    holds: bool,
    /// Whether it held before what is being decided.
    held_before: bool,
}

/// Where a claim stands in the order: by right or not, by which, whether its member is gone, whether it waits, when it was heard and
/// by its own word; the smaller name and run where nothing else decides.
type Order = (bool, Option<u64>, (bool, bool, u64, u64), NodeId, Run);

impl Claims {
    /// The runs that a member holds, rising.
    pub fn held_by(&self, place: MemberIndex) -> Vec<Run> {
        let claims = self.claimants.get(&place).map_or(&[][..], |claimant| &claimant.claims);
        claims.iter().filter(|claimed| claimed.holds).map(|claimed| claimed.claim.run).collect()
    }

    /// The runs that a member claims and does not hold, and who does.
    pub fn refused_to(&self, place: MemberIndex) -> impl Iterator<Item = (Run, MemberIndex)> {
        let claims = self.claimants.get(&place).map_or(&[][..], |claimant| &claimant.claims);
        let refused = claims.iter().filter(|claimed| !claimed.holds).map(|claimed| claimed.claim.run);
        refused.filter_map(|run| Some((run, self.holder_of(run)?)))
    }

    /// Whether a member may claim other slots than before now: it pays a second for each change, a few of them ahead.
    pub fn may_change(&mut self, place: MemberIndex, now: u64) -> bool {
        self.paid.retain(|_, until| *until > now);
        let until = self.paid.get(&place).copied().unwrap_or(now);
        assert!(
            until >= now && until <= now + (CLAIM_CHANGES_AT_ONCE + 1) * CHANGE_COST,
            "paid up to {until} at {now}"
        );
        let may = until < now + CLAIM_CHANGES_AT_ONCE * CHANGE_COST;
        if may {
            self.paid.insert(place, until + CHANGE_COST);
        }
        may
    }

    /// Forgets what a member has paid: its place is given to another.
    pub fn forget(&mut self, place: MemberIndex) {
        debug_assert!(!self.claimants.contains_key(&place), "who is forgotten claims nothing");
        self.paid.remove(&place);
    }

    /// Takes in what a member claims now, instead of what it claimed before; `settled` unless this node is new itself. Returns the
    /// members whose slots are other ones than before.
    pub fn set(
        &mut self,
        place: MemberIndex,
        title: Title,
        settled: bool,
        claims: &[Claim],
    ) -> Vec<MemberIndex> {
        let before = self.claimants.get(&place);
        let same = match before {
            None => claims.is_empty(),
            Some(before) => {
                before.title == title && before.claims.iter().map(|claimed| &claimed.claim).eq(claims)
            }
        };
        // Claims are ordered otherwise by who is new: then all of them are decided again.
        let all = self.decided_as_new == settled;
        if same && !all {
            return Vec::new();
        }
        self.heard += 1;
        let now = if settled { self.heard } else { 0 };
        let claimed = |claim: &Claim| {
            // Who was gone and lost its slots meanwhile comes back as a newcomer.
            let before = before.filter(|before| !before.title.gone || title.gone);
            let known =
                before.and_then(|before| before.claims.iter().find(|known| known.claim.run == claim.run));
            let held = self.claimants.get(&place).and_then(|before| {
                before.claims.iter().find(|known| known.claim.run == claim.run && known.holds)
            });
            let heard = known.or(held).map_or(now, |known| known.heard);
            Claimed { claim: *claim, heard, holds: false, held_before: held.is_some() }
        };
        let claimant = Claimant { title, claims: claims.iter().map(claimed).collect() };
        let had = self.held_by(place);
        let mut open = self.withdraw(place, settled);
        for claim in &claimant.claims {
            self.wait(claim.claim.run, place);
        }
        if !claimant.claims.is_empty() {
            self.claimants.insert(place, claimant);
        }
        self.decided_as_new = !settled;
        let whose = if all { self.claimants.keys().copied().collect() } else { alloc::vec![place] };
        for place in whose {
            let count = self.claimants.get(&place).map_or(0, |claimant| claimant.claims.len());
            open.extend((0..count).map(|i| (self.order_of(place, i, settled), (place, i))));
        }
        self.decide(place, had, open, settled)
    }

    /// Takes a member's claims away. Returns those of others that waited for what it held.
    fn withdraw(&mut self, place: MemberIndex, settled: bool) -> BTreeMap<Order, (MemberIndex, usize)> {
        let mut open = BTreeMap::new();
        let Some(claimant) = self.claimants.remove(&place) else { return open };
        for Claimed { claim: Claim { run, .. }, holds, .. } in &claimant.claims {
            if *holds {
                let held = self.held.remove(&run.first.0);
                assert!(held == Some((run.end(), place)), "{place:?} held {run}, not {held:?}");
            } else {
                let waited = self.waiting.remove(&(run.first.0, run.end(), place));
                assert!(waited, "{run} was refused to nobody");
            }
        }
        for Claimed { claim, .. } in claimant.claims.iter().filter(|claimed| claimed.holds) {
            open.extend(self.waiting_for(claim.run, settled));
        }
        open
    }

    fn wait(&mut self, run: Run, place: MemberIndex) {
        if self.waiting.is_empty() {
            self.longest = 0;
        }
        self.waiting.insert((run.first.0, run.end(), place));
        self.longest = self.longest.max(run.len);
    }

    /// Claims that wait and overlap a run.
    fn waiting_for(&self, run: Run, settled: bool) -> Vec<(Order, (MemberIndex, usize))> {
        let from = run.first.0.saturating_sub(self.longest);
        let to = u32::try_from(run.end()).unwrap_or(u32::MAX);
        let near = self.waiting.range((from, 0, MemberIndex(0))..(to, 0, MemberIndex(0)));
        let overlapping = near.filter(|(_, end, _)| *end > u64::from(run.first.0));
        let named = overlapping.map(|(first, end, place)| {
            let is = |claimed: &Claimed| {
                claimed.claim.run.first.0 == *first && claimed.claim.run.end() == *end && !claimed.holds
            };
            let i = self.claimants[place].claims.iter().position(is).expect("who waits claims");
            (self.order_of(*place, i, settled), (*place, i))
        });
        named.collect()
    }

    fn order_of(&self, place: MemberIndex, i: usize, settled: bool) -> Order {
        let Claimant { title: Title { id, gone, right }, claims } = &self.claimants[&place];
        let Claimed { claim, heard, held_before, .. } = claims[i];
        let waits = settled && !held_before;
        let met = if right.is_none() { (*gone, waits, heard, claim.since) } else { Default::default() };
        (right.is_none(), *right, met, *id, claim.run)
    }

    /// Decides the `open` claims in their order, and those that this opens, which are later. `place` had `had` before.
    fn decide(
        &mut self,
        place: MemberIndex,
        had: Vec<Run>,
        mut open: BTreeMap<Order, (MemberIndex, usize)>,
        settled: bool,
    ) -> Vec<MemberIndex> {
        let mut before = BTreeMap::from([(place, had)]);
        let mut touched = BTreeSet::new();
        while let Some((order, (whose, i))) = open.pop_first() {
            let Claimed { claim: Claim { run, .. }, holds, .. } = self.claimants[&whose].claims[i];
            touched.insert((whose, i));
            if holds || self.holders_of(run, settled).any(|(other, _)| other < order) {
                continue;
            }
            let in_the_way: Vec<_> = self.holders_of(run, settled).collect();
            for (other, (holder, at)) in in_the_way {
                before.entry(holder).or_insert_with(|| self.held_by(holder));
                touched.insert((holder, at));
                let lost = &mut self.claimants.get_mut(&holder).expect("it held").claims[at];
                lost.holds = false;
                let run = lost.claim.run;
                assert!(other > order, "what is decided stays: {run} gives way to an earlier claim only");
                self.held.remove(&run.first.0);
                self.wait(run, holder);
                open.insert(other, (holder, at));
                open.extend(
                    self.waiting_for(run, settled).into_iter().filter(|(waiting, _)| *waiting > order),
                );
            }
            before.entry(whose).or_insert_with(|| self.held_by(whose));
            self.waiting.remove(&(run.first.0, run.end(), whose));
            let taken = self.held.insert(run.first.0, (run.end(), whose));
            assert!(taken.is_none(), "{run} was held by {taken:?}");
            self.claimants.get_mut(&whose).expect("it claims").claims[i].holds = true;
        }
        debug_assert!(
            self.held.len() + self.waiting.len()
                == self.claimants.values().map(|claimant| claimant.claims.len()).sum::<usize>(),
            "each claim holds or waits"
        );
        for (whose, i) in touched {
            let claimed = &mut self.claimants.get_mut(&whose).expect("it claims").claims[i];
            claimed.held_before = claimed.holds;
        }
        before.retain(|place, had| *had != self.held_by(*place));
        before.into_keys().collect()
    }

    /// The claims that hold and overlap a run.
    fn holders_of(
        &self,
        run: Run,
        settled: bool,
    ) -> impl Iterator<Item = (Order, (MemberIndex, usize))> + '_ {
        let end = u32::try_from(run.end()).unwrap_or(u32::MAX);
        let from_last = self.held.range(..end).rev();
        let overlapping = from_last.take_while(move |(_, (held_end, _))| *held_end > u64::from(run.first.0));
        overlapping.map(move |(first, (_, holder))| {
            let claims = &self.claimants[holder].claims;
            let is = |claimed: &Claimed| claimed.holds && claimed.claim.run.first.0 == *first;
            let i = claims.iter().position(is).expect("who holds claims");
            (self.order_of(*holder, i, settled), (*holder, i))
        })
    }

    /// Who holds any slot of a run: the last that begins before its end, if that does not end before it begins.
    fn holder_of(&self, run: Run) -> Option<MemberIndex> {
        let end = u32::try_from(run.end()).unwrap_or(u32::MAX);
        let (_, (held_end, holder)) = self.held.range(..end).next_back()?;
        (*held_end > u64::from(run.first.0)).then_some(*holder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Slot;
    use proptest::prelude::*;

    fn claim(first: u32, len: u32, since: u64) -> Claim {
        Claim { run: Run { first: Slot(first), len }, since }
    }

    /// A member without a right.
    fn stranger(place: u32, gone: bool) -> Title {
        Title { id: id(place), gone, right: None }
    }

    fn id(place: u32) -> NodeId {
        NodeId([place as u8; 16])
    }

    #[test]
    fn to_a_new_node_the_older_claim_holds() {
        let (old, young) = ([claim(0, 32, 5)], [claim(16, 32, 9)]);
        let mut claims = Claims::default();
        assert_eq!(claims.set(MemberIndex(1), stranger(1, false), false, &young), [MemberIndex(1)]);
        assert_eq!(
            claims.set(MemberIndex(2), stranger(2, false), false, &old),
            [MemberIndex(1), MemberIndex(2)]
        );
        assert_eq!(
            (claims.held_by(MemberIndex(1)), claims.held_by(MemberIndex(2))),
            (Vec::new(), [old[0].run].into())
        );
        assert!(claims.refused_to(MemberIndex(1)).eq([(young[0].run, MemberIndex(2))]));
    }

    #[test]
    fn slots_move_when_their_owner_lets_go() {
        let mut claims = Claims::default();
        claims.set(MemberIndex(1), stranger(1, false), false, &[claim(0, 32, 5)]);
        claims.set(MemberIndex(2), stranger(2, false), false, &[claim(0, 16, 9)]);
        assert!(claims.held_by(MemberIndex(2)).is_empty());
        assert_eq!(
            claims.set(MemberIndex(1), stranger(1, false), false, &[claim(16, 16, 5)]),
            [MemberIndex(1), MemberIndex(2)]
        );
        assert_eq!(claims.held_by(MemberIndex(2)).len(), 1);
    }

    #[test]
    fn who_is_gone_keeps_its_slots_until_somebody_wants_them() {
        let mut claims = Claims::default();
        claims.set(MemberIndex(1), stranger(1, false), false, &[claim(0, 32, 5)]);
        assert!(claims.set(MemberIndex(1), stranger(1, true), false, &[claim(0, 32, 5)]).is_empty());
        assert_eq!(claims.held_by(MemberIndex(1)).len(), 1);
        assert_eq!(
            claims.set(MemberIndex(2), stranger(2, false), false, &[claim(0, 32, 9)]),
            [MemberIndex(1), MemberIndex(2)]
        );
        assert_eq!(claims.set(MemberIndex(1), stranger(1, false), true, &[claim(0, 32, 5)]), []);
        assert!(claims.held_by(MemberIndex(1)).is_empty(), "it comes back as a newcomer");
    }

    #[test]
    fn a_live_holder_never_loses_to_a_newcomer_however_it_dates_its_claim() {
        let mut claims = Claims::default();
        claims.set(MemberIndex(1), stranger(1, false), true, &[claim(0, 32, 500)]);
        assert_eq!(claims.set(MemberIndex(2), stranger(2, false), true, &[claim(0, 16, 0)]), []);
        assert!(claims.refused_to(MemberIndex(2)).eq([(claim(0, 16, 0).run, MemberIndex(1))]));
        // Saying it again, later or of more, changes nothing.
        assert_eq!(claims.set(MemberIndex(1), stranger(1, false), true, &[claim(0, 32, 900)]), []);
        let more = [claim(0, 16, 0), claim(32, 16, 0)];
        assert_eq!(claims.set(MemberIndex(2), stranger(2, false), true, &more), [MemberIndex(2)]);
        assert_eq!(claims.held_by(MemberIndex(1)), [claim(0, 32, 0).run]);
    }

    #[test]
    fn who_has_a_right_to_slots_has_them_there_or_gone() {
        let mut claims = Claims::default();
        let by_right = |gone, serial| Title { id: id(9), gone, right: Some(serial) };
        claims.set(MemberIndex(1), stranger(1, false), true, &[claim(0, 32, 1)]);
        let both = [MemberIndex(1), MemberIndex(9)];
        assert_eq!(claims.set(MemberIndex(9), by_right(true, 7), true, &[claim(16, 16, 9)]), both);
        assert!(claims.held_by(MemberIndex(1)).is_empty());
        // Of two rights, an authority's mistake, the one that was granted first.
        let earlier = Title { id: id(3), gone: false, right: Some(6) };
        let both = [MemberIndex(3), MemberIndex(9)];
        assert_eq!(claims.set(MemberIndex(3), earlier, true, &[claim(16, 16, 9)]), both);
    }

    /// Who claims, whether it is gone, and what.
    type Step = (u32, bool, Vec<Claim>);

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let claims = prop::collection::vec((0..8_u32, 1..4_u32, 0..4_u64), 0..3).prop_map(|mut claims| {
            claims.sort_unstable();
            claims.dedup_by(|b, a| a.0 + a.1 > b.0);
            claims.into_iter().map(|(first, len, since)| claim(first * 16, len * 16, since)).collect()
        });
        prop::collection::vec((0..6_u32, any::<bool>(), claims), 1..20)
    }

    /// The dull twin: nothing is remembered but who claims what.
    fn twin(said: &BTreeMap<u32, (bool, Vec<Claim>)>) -> Vec<(u32, Run)> {
        let mut all: Vec<_> = said
            .iter()
            .flat_map(|(who, (gone, claims))| claims.iter().map(|c| (*gone, c.since, id(*who), c.run, *who)))
            .collect();
        all.sort_unstable();
        let mut held: Vec<(u32, Run)> = Vec::new();
        for (.., run, who) in all {
            let overlaps =
                |other: &Run| u64::from(other.first.0) < run.end() && u64::from(run.first.0) < other.end();
            if !held.iter().any(|(_, other)| overlaps(other)) {
                held.push((who, run));
            }
        }
        held.sort_unstable();
        held
    }

    #[test]
    fn a_member_that_changes_its_claims_again_and_again_has_to_wait() {
        let mut claims = Claims::default();
        let changes = (0..1_000).filter(|_| claims.may_change(MemberIndex(1), 5 * S)).count() as u64;
        assert_eq!(changes, CLAIM_CHANGES_AT_ONCE);
        assert!(claims.may_change(MemberIndex(2), 5 * S), "each for itself");
        assert!(claims.may_change(MemberIndex(1), 6 * S) && !claims.may_change(MemberIndex(1), 6 * S));
        claims.forget(MemberIndex(1));
        assert!(claims.may_change(MemberIndex(1), 6 * S), "another has its place");
    }

    /// All claims in their order, each held unless it overlaps one that is.
    fn dull(claims: &Claims, settled: bool) -> Vec<(MemberIndex, Run)> {
        let all = claims.claimants.iter().flat_map(|(place, claimant)| {
            (0..claimant.claims.len()).map(move |i| (claims.order_of(*place, i, settled), *place))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        let mut held: Vec<(MemberIndex, Run)> = Vec::new();
        for ((.., run), place) in all {
            let overlaps =
                |other: &Run| u64::from(other.first.0) < run.end() && u64::from(run.first.0) < other.end();
            if !held.iter().any(|(_, other)| overlaps(other)) {
                held.push((place, run));
            }
        }
        held.sort_unstable();
        held
    }

    proptest! {
        #[test]
        fn whatever_is_decided_again_the_rule_holds_for_all(
            steps in prop::collection::vec((steps(), any::<bool>(), prop::option::of(0..4_u64)), 1..6),
        ) {
            let mut claims = Claims::default();
            for (steps, settled, right) in steps {
                for (who, gone, what) in steps {
                    let before: Vec<_> = (0..6).map(|who| claims.held_by(MemberIndex(who))).collect();
                    let title = Title { right: right.filter(|right| *right < u64::from(who)), ..stranger(who, gone) };
                    let changed = claims.set(MemberIndex(who), title, settled, &what);
                    let held = |claims: &Claims| -> Vec<_> {
                        (0..6).flat_map(|who| claims.held_by(MemberIndex(who)).into_iter().map(move |run| (MemberIndex(who), run))).collect()
                    };
                    prop_assert_eq!(held(&claims), dull(&claims, settled));
                    let count: usize = claims.claimants.values().map(|claimant| claimant.claims.len()).sum();
                    prop_assert_eq!(claims.held.len() + claims.waiting.len(), count);
                    for who in (0..6).map(MemberIndex) {
                        let differs = before[who.0 as usize] != claims.held_by(who);
                        prop_assert_eq!(differs, changed.contains(&who), "{:?}", who);
                    }
                }
            }
        }

        #[test]
        fn nobody_takes_slots_from_a_live_holder(steps in steps()) {
            let (mut claims, mut live) = (Claims::default(), BTreeMap::new());
            for (who, gone, what) in steps {
                let before: Vec<_> = (0..6).map(|who| claims.held_by(MemberIndex(who))).collect();
                claims.set(MemberIndex(who), stranger(who, gone), true, &what);
                live.insert(who, !gone);
                for holder in (0..6).filter(|holder| *holder != who && live.get(holder) == Some(&true)) {
                    let now = claims.held_by(MemberIndex(holder));
                    prop_assert!(before[holder as usize].iter().all(|run| now.contains(run)));
                }
            }
        }

        #[test]
        fn whatever_the_order_the_same_members_hold_the_same_slots(steps in steps()) {
            let (mut claims, mut said) = (Claims::default(), BTreeMap::new());
            for (who, gone, what) in steps {
                let before: Vec<_> = (0..6).map(|who| claims.held_by(MemberIndex(who))).collect();
                let changed = claims.set(MemberIndex(who), stranger(who, gone), false, &what);
                said.insert(who, (gone, what));
                let held: Vec<_> = (0..6)
                    .flat_map(|who| claims.held_by(MemberIndex(who)).into_iter().map(move |run| (who, run)))
                    .collect();
                prop_assert_eq!(held, twin(&said));
                for who in 0..6 {
                    let differs = before[who as usize] != claims.held_by(MemberIndex(who));
                    prop_assert_eq!(differs, changed.contains(&MemberIndex(who)));
                }
            }
        }
    }
}

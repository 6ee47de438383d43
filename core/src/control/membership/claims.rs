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

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use octick_crypto::NodeId;

use crate::control::id::MemberIndex;
use crate::control::message::announcement::Claim;
use crate::stamp::Run;

/// Who claims what, and who holds it.
#[derive(Debug, Default)]
pub struct Claims {
    claimants: BTreeMap<MemberIndex, Claimant>,
    /// First slot to end and holder, of the runs that are held.
    held: BTreeMap<u32, (u64, MemberIndex)>,
    /// Claims that do not hold.
    refused: usize,
    /// Counts what is heard.
    heard: u64,
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
}

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
        if same {
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
            Claimed { claim: *claim, heard, holds: held.is_some() }
        };
        let claimant = Claimant { title, claims: claims.iter().map(claimed).collect() };
        let had = self.held_by(place);
        let contested = self.refused > 0;
        self.withdraw(place);
        if contested || claims.iter().any(|claim| self.holder_of(claim.run).is_some()) {
            return self.decide_all(place, had, claimant, settled);
        }
        // Nobody else is concerned.
        for claim in claims {
            let before = self.held.insert(claim.run.first.0, (claim.run.end(), place));
            assert!(before.is_none(), "{} was held by {before:?}", claim.run);
        }
        if !claims.is_empty() {
            let mut claimant = claimant;
            claimant.claims.iter_mut().for_each(|claimed| claimed.holds = true);
            self.claimants.insert(place, claimant);
        }
        if had == self.held_by(place) { Vec::new() } else { alloc::vec![place] }
    }

    fn withdraw(&mut self, place: MemberIndex) {
        let Some(claimant) = self.claimants.remove(&place) else { return };
        for Claimed { claim, holds, .. } in claimant.claims {
            if holds {
                let held = self.held.remove(&claim.run.first.0);
                assert!(held == Some((claim.run.end(), place)), "{place:?} held {}, not {held:?}", claim.run);
            } else {
                assert!(self.refused > 0, "{} was refused to nobody", claim.run);
                self.refused -= 1;
            }
        }
    }

    /// The slow way: all claims again, in their order.
    fn decide_all(
        &mut self,
        place: MemberIndex,
        had: Vec<Run>,
        claimant: Claimant,
        settled: bool,
    ) -> Vec<MemberIndex> {
        let mut before: BTreeMap<MemberIndex, Vec<Run>> =
            self.claimants.keys().map(|place| (*place, self.held_by(*place))).collect();
        before.insert(place, had);
        if !claimant.claims.is_empty() {
            self.claimants.insert(place, claimant);
        }
        let mut all = Vec::new();
        for (place, claimant) in &self.claimants {
            let Title { id, gone, right } = claimant.title;
            let order = |claimed: &Claimed| {
                let Claimed { claim, heard, holds } = claimed;
                let waits = settled && !holds;
                let met =
                    if right.is_none() { (gone, waits, *heard, claim.since) } else { Default::default() };
                (right.is_none(), right, met, id, claim.run)
            };
            let claims = claimant.claims.iter().enumerate();
            all.extend(claims.map(|(i, claimed)| (order(claimed), *place, i)));
        }
        all.sort_unstable();
        let count = all.len();
        self.held.clear();
        self.refused = 0;
        for ((.., run), place, i) in all {
            let holds = self.holder_of(run).is_none();
            if holds {
                self.held.insert(run.first.0, (run.end(), place));
            } else {
                self.refused += 1;
            }
            self.claimants.get_mut(&place).expect("its claim is being decided").claims[i].holds = holds;
        }
        assert!(self.held.len() + self.refused == count, "each claim holds or is refused");
        let refused = self.claimants.values().flat_map(|claimant| &claimant.claims);
        debug_assert_eq!(self.refused, refused.filter(|claimed| !claimed.holds).count());
        before.retain(|place, had| *had != self.held_by(*place));
        before.into_keys().collect()
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

    proptest! {
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

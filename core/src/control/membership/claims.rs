//! Whose slots these are when two members claim them: the same on every node that knows the same members.
//!
//! Claims are taken in one order, members that are there before those that are gone, then the older claim, then the
//! smaller name; each holds unless it overlaps one that was taken before it. So a run never has two owners, a member
//! that is gone keeps its slots until somebody who is there wants them, and whoever gives slots away announces so.

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
}

#[derive(Debug)]
struct Claimant {
    id: NodeId,
    gone: bool,
    claims: Vec<(Claim, bool)>,
}

impl Claimant {
    fn new(id: NodeId, gone: bool, claims: &[Claim]) -> Self {
        Self { id, gone, claims: claims.iter().map(|claim| (*claim, false)).collect() }
    }
}

impl Claims {
    /// The runs that a member holds, rising.
    pub fn held_by(&self, place: MemberIndex) -> Vec<Run> {
        let claims = self.claimants.get(&place).map_or(&[][..], |claimant| &claimant.claims);
        claims.iter().filter(|(_, holds)| *holds).map(|(claim, _)| claim.run).collect()
    }

    /// The runs that a member claims and does not hold, and who does.
    pub fn refused_to(&self, place: MemberIndex) -> impl Iterator<Item = (Run, MemberIndex)> {
        let claims = self.claimants.get(&place).map_or(&[][..], |claimant| &claimant.claims);
        let refused = claims.iter().filter(|(_, holds)| !holds).map(|(claim, _)| claim.run);
        refused.filter_map(|run| Some((run, self.holder_of(run)?)))
    }

    /// Takes in what a member claims now, instead of what it claimed before. Returns the members whose slots are other
    /// ones than before.
    pub fn set(&mut self, place: MemberIndex, id: NodeId, gone: bool, claims: &[Claim]) -> Vec<MemberIndex> {
        let before = self.claimants.get(&place);
        let same = match before {
            None => claims.is_empty(),
            Some(before) => before.gone == gone && before.claims.iter().map(|(claim, _)| claim).eq(claims),
        };
        if same {
            return Vec::new();
        }
        let had = self.held_by(place);
        let contested = self.refused > 0;
        self.withdraw(place);
        if contested || claims.iter().any(|claim| self.holder_of(claim.run).is_some()) {
            return self.decide_all(place, had, Claimant::new(id, gone, claims));
        }
        // Nobody else is concerned.
        for claim in claims {
            let before = self.held.insert(claim.run.first.0, (claim.run.end(), place));
            assert!(before.is_none(), "{} was held by {before:?}", claim.run);
        }
        if !claims.is_empty() {
            let mut claimant = Claimant::new(id, gone, claims);
            claimant.claims.iter_mut().for_each(|(_, holds)| *holds = true);
            self.claimants.insert(place, claimant);
        }
        if had == self.held_by(place) { Vec::new() } else { alloc::vec![place] }
    }

    fn withdraw(&mut self, place: MemberIndex) {
        let Some(claimant) = self.claimants.remove(&place) else { return };
        for (claim, holds) in claimant.claims {
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
    fn decide_all(&mut self, place: MemberIndex, had: Vec<Run>, claimant: Claimant) -> Vec<MemberIndex> {
        let mut before: BTreeMap<MemberIndex, Vec<Run>> =
            self.claimants.keys().map(|place| (*place, self.held_by(*place))).collect();
        before.insert(place, had);
        if !claimant.claims.is_empty() {
            self.claimants.insert(place, claimant);
        }
        let mut all = Vec::new();
        for (place, claimant) in &self.claimants {
            let order = |claim: &Claim| (claimant.gone, claim.since, claimant.id, claim.run);
            all.extend(claimant.claims.iter().enumerate().map(|(i, (claim, _))| (order(claim), *place, i)));
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
            self.claimants.get_mut(&place).expect("its claim is being decided").claims[i].1 = holds;
        }
        assert!(self.held.len() + self.refused == count, "each claim holds or is refused");
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

    fn id(place: u32) -> NodeId {
        NodeId([place as u8; 16])
    }

    #[test]
    fn the_older_claim_holds_whoever_came_first() {
        let (old, young) = ([claim(0, 32, 5)], [claim(16, 32, 9)]);
        let mut claims = Claims::default();
        assert_eq!(claims.set(MemberIndex(1), id(1), false, &young), [MemberIndex(1)]);
        assert_eq!(claims.set(MemberIndex(2), id(2), false, &old), [MemberIndex(1), MemberIndex(2)]);
        assert_eq!(
            (claims.held_by(MemberIndex(1)), claims.held_by(MemberIndex(2))),
            (Vec::new(), [old[0].run].into())
        );
        assert!(claims.refused_to(MemberIndex(1)).eq([(young[0].run, MemberIndex(2))]));
    }

    #[test]
    fn slots_move_when_their_owner_lets_go() {
        let mut claims = Claims::default();
        claims.set(MemberIndex(1), id(1), false, &[claim(0, 32, 5)]);
        claims.set(MemberIndex(2), id(2), false, &[claim(0, 16, 9)]);
        assert!(claims.held_by(MemberIndex(2)).is_empty());
        assert_eq!(
            claims.set(MemberIndex(1), id(1), false, &[claim(16, 16, 5)]),
            [MemberIndex(1), MemberIndex(2)]
        );
        assert_eq!(claims.held_by(MemberIndex(2)).len(), 1);
    }

    #[test]
    fn who_is_gone_keeps_its_slots_until_somebody_wants_them() {
        let mut claims = Claims::default();
        claims.set(MemberIndex(1), id(1), false, &[claim(0, 32, 5)]);
        assert!(claims.set(MemberIndex(1), id(1), true, &[claim(0, 32, 5)]).is_empty());
        assert_eq!(claims.held_by(MemberIndex(1)).len(), 1);
        assert_eq!(
            claims.set(MemberIndex(2), id(2), false, &[claim(0, 32, 9)]),
            [MemberIndex(1), MemberIndex(2)]
        );
        assert_eq!(
            claims.set(MemberIndex(1), id(1), false, &[claim(0, 32, 5)]),
            [MemberIndex(1), MemberIndex(2)],
            "and back"
        );
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
        fn whatever_the_order_the_same_members_hold_the_same_slots(steps in steps()) {
            let (mut claims, mut said) = (Claims::default(), BTreeMap::new());
            for (who, gone, what) in steps {
                let before: Vec<_> = (0..6).map(|who| claims.held_by(MemberIndex(who))).collect();
                let changed = claims.set(MemberIndex(who), id(who), gone, &what);
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

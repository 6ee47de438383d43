//! Who is in other regions, as far as known: their members, and those of highest rank.
//!
//! Kept until the members change, and sorted out anew only when somebody asks. In a mesh of one region there is nobody, and
//! nothing to pay.

use alloc::vec::Vec;

use crate::control::dissemination::rank::Ranking;
use crate::control::dissemination::regions::RegionView;
use crate::control::id::{MemberIndex, Region};
use crate::control::membership::table::Members;
use crate::random::Random;

/// Members of another region.
#[derive(Debug)]
struct Remote {
    region: Region,
    members: Vec<MemberIndex>,
    aggregators: Vec<MemberIndex>,
}

/// The `count` of the highest rank among `places`: of members that count, and of others only where these are too few, so that a region
/// of newcomers is heard, and none is spoken for by newcomers that others could do without.
pub(super) fn seated(
    members: &Members,
    places: impl Iterator<Item = MemberIndex> + Clone,
    ranking: &Ranking,
    count: usize,
) -> Vec<MemberIndex> {
    let of = |counting: bool| {
        let those = places.clone().filter(move |place| members.get(*place).counts() == counting);
        those.map(|place| (place, members.get(place).id()))
    };
    let mut seated = ranking.top(of(true), count);
    if seated.len() < count {
        seated.extend(ranking.top(of(false), count - seated.len()));
    }
    assert!(seated.len() <= count, "{} of {count} seats", seated.len());
    seated
}

/// Whether this node is among the `count` of its region.
pub(super) fn is_seated(members: &Members, ranking: &Ranking, count: usize) -> bool {
    let local = core::iter::once(Members::ME).chain(members.live().iter().copied());
    seated(members, local, ranking, count).contains(&Members::ME)
}

/// The other regions.
#[derive(Debug)]
pub(super) struct Survey {
    remote: Vec<Remote>,
    /// Whether `remote` and `is_aggregator` are as of now.
    is_fresh: bool,
    is_aggregator: bool,
}

impl Default for Survey {
    /// That of a node that knows nobody.
    fn default() -> Self {
        Self { remote: Vec::new(), is_fresh: true, is_aggregator: false }
    }
}

impl Survey {
    /// A member has come, gone or changed; whether it is of this region.
    pub(super) fn follow(&mut self, is_local: bool) {
        self.is_fresh &= is_local && self.remote.is_empty();
    }

    /// Whatever is known may be wrong.
    pub(super) fn forget(&mut self) {
        self.is_fresh = false;
    }

    /// Whether nothing has changed since the last look.
    pub(super) fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// Whether there is nobody in other regions.
    pub(super) fn is_empty(&self) -> bool {
        self.remote.is_empty()
    }

    /// Whether this node is an aggregator of its region, where there are others.
    pub(super) fn is_aggregator(&self) -> bool {
        self.is_aggregator
    }

    /// Sorts out who is where; `aggregators` of a region by `ranking`.
    pub(super) fn look(
        &mut self,
        members: &Members,
        local_region: Region,
        ranking: &Ranking,
        aggregators: usize,
    ) {
        self.is_fresh = true;
        self.remote.clear();
        if members.remote_len() == 0 {
            return;
        }
        for (place, member) in members.iter() {
            if !member.state().is_live() || member.region() == local_region {
                continue;
            }
            let at = self.remote.binary_search_by_key(&member.region(), |remote| remote.region);
            let at = at.unwrap_or_else(|at| {
                let remote = Remote { region: member.region(), members: Vec::new(), aggregators: Vec::new() };
                self.remote.insert(at, remote);
                at
            });
            self.remote[at].members.push(place);
        }
        for remote in &mut self.remote {
            remote.aggregators = seated(members, remote.members.iter().copied(), ranking, aggregators);
        }
        self.is_aggregator = is_seated(members, ranking, aggregators);
    }

    /// Regions, and how many members of each are known.
    pub(super) fn regions(&self) -> impl Iterator<Item = (Region, usize)> {
        self.remote.iter().map(|remote| (remote.region, remote.members.len()))
    }

    /// The regions, to draw members from.
    pub(super) fn views(&self) -> impl Iterator<Item = RegionView<'_>> + Clone {
        self.remote.iter().map(|remote| RegionView {
            region: remote.region,
            aggregators: &remote.aggregators,
            members: &remote.members,
        })
    }

    /// A member each of the regions of which fewer than `targets` are known.
    pub(super) fn lacking(&self, targets: usize, random: &mut Random) -> Vec<MemberIndex> {
        let lacking = self.remote.iter().filter(|remote| remote.members.len() < targets);
        lacking.map(|remote| remote.members[random.index(remote.members.len())]).collect()
    }

    /// The first aggregator of each region.
    pub(super) fn leaders(&self) -> Vec<(Region, MemberIndex)> {
        let leader = |remote: &Remote| Some((remote.region, *remote.aggregators.first()?));
        self.remote.iter().filter_map(leader).collect()
    }

    /// Bytes of memory that this takes, its own size included.
    pub(super) fn memory(&self) -> usize {
        let places = |remote: &Remote| {
            (remote.members.capacity() + remote.aggregators.capacity()) * size_of::<MemberIndex>()
        };
        let remote: usize = self.remote.iter().map(|remote| size_of::<Remote>() + places(remote)).sum();
        size_of::<Self>() + remote
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::dissemination::rank::Purpose;
    use crate::control::membership::samples::members;

    #[test]
    fn who_does_not_count_holds_no_seat_unless_too_few_do() {
        let mut members = members(40, 64, 0);
        let ranking = Ranking::new(&[7; 32], Purpose::Aggregators, 1);
        let places: Vec<MemberIndex> = members.live().to_vec();
        let seats = |members: &Members| seated(members, places.iter().copied(), &ranking, 6);
        let before = seats(&members);
        // Half of those that have seats are newcomers.
        before[..3].iter().for_each(|place| _ = members.set_established(*place, false));
        let after = seats(&members);
        assert!(
            after.len() == 6 && after[..3] == before[3..] && before[..3].iter().all(|p| !after.contains(p))
        );
        // All but one.
        places
            .iter()
            .filter(|place| **place != after[5])
            .for_each(|p| _ = members.set_established(*p, false));
        let few = seats(&members);
        assert_eq!((few.len(), few[0], &few[1..4]), (6, after[5], &before[..3]));
        assert!(is_seated(&members, &ranking, 2), "this node counts");
    }
}

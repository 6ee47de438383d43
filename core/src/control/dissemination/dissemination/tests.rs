//! How the neighbourhood follows the members, and by which way an update then goes.

use alloc::collections::BTreeSet;

use super::*;
use crate::control::id::{FrameRef, PeerState};
use crate::control::membership::samples::members_of;
use crate::control::message::gossip::LinkOp;

const WALL: Wall = Wall(1_700_000_000 * S);

/// One node and whom it knows.
struct Node {
    members: Members,
    machine: Dissemination,
}

impl Node {
    /// A node that has just heard of so many others; those of the local region are the first of them.
    fn new(local: u8, others: u8) -> Self {
        let members = members_of(others, 256, S, |key, statement| {
            statement.region = Region(u16::from(key > local));
        });
        let me = (members.get(Members::ME).id(), Region(0));
        let settings = (SpreadSettings::default(), Strategy::Random);
        let mut node =
            Self { members, machine: Dissemination::new(settings, [7; 32], me, Random::new(1), S) };
        // The hour of the wall clock is none of what these tests are about.
        node.machine.epoch = WALL.0 / EPOCH;
        let all: Vec<MemberIndex> = node.members.iter().map(|(place, _)| place).collect();
        all.into_iter().for_each(|place| node.machine.follow(S, &node.members, place));
        node
    }

    /// The same, linked with all that it wants.
    fn linked(local: u8, others: u8) -> Self {
        let mut node = Self::new(local, others);
        node.machine.settle_in(S);
        node.tick(2 * S);
        let asked = node.links();
        for (to, op) in asked {
            assert_eq!(op, LinkOp::Connect);
            node.machine.handle(2 * S, to, &Gossip::Link(LinkOp::Accept));
        }
        node.actions();
        node
    }

    fn tick(&mut self, now: u64) {
        self.machine.tick(now, WALL, &self.members);
    }

    fn actions(&mut self) -> Vec<DisseminationAction> {
        core::iter::from_fn(|| self.machine.poll()).collect()
    }

    fn links(&mut self) -> Vec<(MemberIndex, LinkOp)> {
        let link = |action| match action {
            DisseminationAction::Link(to, op) => Some((to, op)),
            _ => None,
        };
        self.actions().into_iter().filter_map(link).collect()
    }

    fn update(&mut self, now: u64, id: u64, origin: Option<MemberIndex>, from: Option<MemberIndex>) {
        let taken = Taken { id: UpdateId(id), frame_ref: FrameRef(id), origin, from, critical: false };
        self.machine.handle_update(now, &self.members, &taken);
    }

    /// To whom an update goes at once.
    fn forwards(&mut self) -> BTreeSet<MemberIndex> {
        let forward = |action| match action {
            DisseminationAction::Spread(crate::control::dissemination::spread::SpreadAction::Forward {
                to,
                ..
            }) => Some(to),
            _ => None,
        };
        self.actions().into_iter().filter_map(forward).collect()
    }

    fn fail(&mut self, now: u64, place: MemberIndex) {
        let (id, rank) = (self.members.get(place).id(), self.members.get(place).rank());
        self.members.report(id, rank, PeerState::Failed, now);
        self.machine.follow(now, &self.members, place);
    }

    fn neighbours(&self) -> BTreeSet<MemberIndex> {
        self.machine.neighbours().collect()
    }
}

fn offer(first: u64, count: usize) -> Gossip {
    Gossip::Offer((first..).take(count).map(UpdateId).collect())
}

#[test]
fn who_knows_few_links_to_all_of_them_at_once_and_who_knows_many_gathers_first() {
    let few = Node::new(14, 14);
    assert_eq!(few.machine.next_due(), S + 10 * MS);
    let mut many = Node::new(16, 16);
    assert_eq!(many.machine.next_due(), 2 * S, "a newcomer gathers for a second");
    many.machine.settle_in(S + 300 * MS);
    assert_eq!(many.machine.next_due(), S + 300 * MS, "it knows them now");
    many.tick(S + 300 * MS);
    assert_eq!(many.machine.rank_at, u64::MAX);
    many.machine.settle_in(S + 400 * MS);
    assert_eq!(many.machine.rank_at, u64::MAX, "that happens once");
    let place = many.links()[0].0;
    many.fail(5 * S, place);
    assert_eq!(many.machine.rank_at, 5 * S + 100 * MS, "whoever is settled gathers for a tenth");
}

#[test]
fn all_of_few_are_neighbours_and_of_many_those_next_to_it_in_rank() {
    let mut few = Node::new(5, 9);
    few.tick(2 * S);
    let asked: BTreeSet<_> = few.links().into_iter().map(|(to, _)| to).collect();
    assert_eq!(asked, few.members.live().iter().copied().collect(), "of its own region");
    let mut many = Node::new(60, 60);
    many.tick(3 * S);
    let asked: BTreeSet<_> = many.links().into_iter().map(|(to, _)| to).collect();
    let live = many.members.live().iter();
    let named: Vec<_> = live.map(|place| (*place, many.members.get(*place).id())).collect();
    let ranking = Ranking::new(&[7; 32], Purpose::Overlay, WALL.0 / EPOCH);
    let expected = ranking.neighbours(many.machine.me, named, RINGS);
    assert_eq!(asked, expected.into_iter().collect());
}

#[test]
fn who_is_gone_is_no_neighbour_and_the_next_in_rank_takes_its_place() {
    let mut node = Node::linked(60, 60);
    let before = node.neighbours();
    let gone = *before.first().unwrap();
    node.fail(3 * S, gone);
    assert!(!node.neighbours().contains(&gone));
    assert_eq!(node.machine.next_due(), 3 * S + 100 * MS);
    node.tick(3 * S + 100 * MS);
    let asked = node.links();
    assert!(!asked.is_empty() && asked.iter().all(|(to, op)| *op == LinkOp::Connect && !before.contains(to)));
    // Somebody who stands next to nobody here is no reason to look again.
    let far = node.members.live().iter().copied().find(|place| !node.machine.standing.has(*place)).unwrap();
    node.fail(4 * S, far);
    assert_eq!(node.machine.rank_at, u64::MAX);
}

#[test]
fn a_place_that_is_given_to_another_is_no_neighbour_and_no_partner() {
    let mut node = Node::linked(60, 60);
    let gone = *node.neighbours().first().unwrap();
    node.machine.partner = Some(gone);
    node.members.report(node.members.get(gone).id(), node.members.get(gone).rank(), PeerState::Failed, 3 * S);
    node.machine.forget(3 * S, &node.members, gone);
    assert!(!node.neighbours().contains(&gone) && !node.machine.standing.has(gone));
    assert_eq!(node.machine.partner, None);
    let other = *node.neighbours().first().unwrap();
    node.machine.partner = Some(other);
    let far = node.members.live().iter().copied().find(|place| !node.machine.standing.has(*place)).unwrap();
    node.machine.forget(3 * S, &node.members, far);
    assert_eq!((node.machine.partner, node.neighbours().contains(&other)), (Some(other), true));
}

#[test]
fn where_all_are_neighbours_an_update_goes_straight_to_all_and_nobody_passes_it_on() {
    let mut node = Node::linked(5, 5);
    let all: BTreeSet<_> = node.members.live().iter().copied().collect();
    assert_eq!(node.neighbours(), all);
    node.update(3 * S, 1, Some(Members::ME), None);
    assert_eq!(node.forwards(), all);
    let origin = node.members.live()[0];
    node.update(3 * S, 2, Some(origin), Some(origin));
    assert_eq!(node.forwards(), BTreeSet::new(), "whoever issued it has sent it to all");
    node.update(3 * S, 3, Some(origin), Some(node.members.live()[1]));
    assert_eq!(node.forwards().len(), 1, "it came by another way, so not all of them may have it");
    let lost = node.members.live()[4];
    node.machine.handle(3 * S, lost, &Gossip::Link(LinkOp::Disconnect));
    node.update(3 * S, 4, Some(Members::ME), None);
    assert_eq!(node.forwards().len(), 1, "one of them is no neighbour");
    let mut many = Node::linked(15, 15);
    many.update(3 * S, 1, Some(Members::ME), None);
    assert_eq!(many.forwards().len(), 1);
}

#[test]
fn an_update_issued_here_goes_to_twelve_of_another_region_and_one_that_came_through_aggregators_only() {
    let mut node = Node::linked(2, 32);
    node.update(3 * S, 1, Some(Members::ME), None);
    let abroad = |node: &Node, sent: &BTreeSet<MemberIndex>| {
        sent.iter().filter(|place| node.members.get(**place).region() != Region(0)).count()
    };
    let sent = node.forwards();
    assert_eq!(abroad(&node, &sent), 12);
    let origin = node.members.live()[0];
    node.update(3 * S, 2, Some(origin), Some(origin));
    let sent = node.forwards();
    assert_eq!(abroad(&node, &sent), 1, "one of three of a region is an aggregator");
    let remote = node.members.remote(Region(1)).next().unwrap().0;
    node.update(3 * S, 3, Some(remote), Some(remote));
    let sent = node.forwards();
    assert_eq!(abroad(&node, &sent), 0, "neither back to where it came from");
}

#[test]
fn an_hour_of_the_wall_clock_brings_other_neighbours() {
    let mut node = Node::linked(60, 60);
    let before = node.neighbours();
    let later = Wall((WALL.0 / EPOCH + 1) * EPOCH);
    node.machine.tick(3 * S, Wall(later.0 - 1), &node.members);
    assert_eq!(node.links(), [], "it is still the same hour");
    node.machine.tick(3 * S, later, &node.members);
    let asked: BTreeSet<_> = node.links().into_iter().map(|(to, _)| to).collect();
    assert!(asked.difference(&before).count() > 6, "{asked:?}");
}

#[test]
fn a_newcomer_compares_everything_where_there_is_more_than_an_offer_names_four_times_in_its_first_second() {
    let catches_up = |node: &mut Node, now, gossip: &Gossip| {
        let from = *node.neighbours().first().unwrap();
        node.machine.handle(now, from, gossip);
        node.actions().contains(&DisseminationAction::CatchUp(from))
    };
    let mut node = Node::linked(5, 5);
    // What it names is here, so that it is none of the reasons to be behind.
    (0..OFFER_MAX as u64).for_each(|id| node.update(2 * S, id, None, None));
    node.actions();
    assert!(!catches_up(&mut node, 2 * S, &offer(0, OFFER_MAX - 1)), "an offer that names all there is");
    assert!(catches_up(&mut node, 2 * S, &offer(0, OFFER_MAX)));
    assert!(!catches_up(&mut node, 2 * S + 250 * MS - 1, &offer(0, OFFER_MAX)));
    assert!(catches_up(&mut node, 2 * S + 250 * MS, &offer(0, OFFER_MAX)));
    assert!(catches_up(&mut node, 3 * S - 1, &offer(0, OFFER_MAX)));
    let mut node = Node::linked(5, 5);
    (0..OFFER_MAX as u64).for_each(|id| node.update(2 * S, id, None, None));
    node.actions();
    assert!(!catches_up(&mut node, 3 * S, &offer(0, OFFER_MAX)), "a second after its first neighbour");
    let mut lone = Node::new(5, 5);
    assert!(!lone.machine.compares_as_newcomer(2 * S), "it has had no neighbour yet");
}

#[test]
fn what_a_neighbour_refused_before_it_knew_this_nodes_address_is_offered_again() {
    let mut node = Node::linked(60, 60);
    let neighbour = *node.neighbours().first().unwrap();
    let far: Vec<MemberIndex> =
        node.members.live().iter().copied().filter(|place| !node.neighbours().contains(place)).collect();
    let offered = |node: &mut Node, now, to| {
        node.machine.offer_again(now, to);
        let is_offer = |action: &DisseminationAction| {
            use crate::control::dissemination::spread::SpreadAction;
            matches!(action, DisseminationAction::Spread(SpreadAction::Offer { to: other, .. }) if *other == to)
        };
        node.actions().iter().any(is_offer)
    };
    assert!(!offered(&mut node, 3 * S, neighbour), "nothing is recent");
    node.update(3 * S, 1, Some(Members::ME), None);
    node.actions();
    assert!(offered(&mut node, 4 * S, neighbour));
    assert!(!offered(&mut node, 4 * S, far[0]), "nothing was said to it");
    node.machine.partner = Some(far[0]);
    assert!(offered(&mut node, 4 * S, far[0]), "the last round's partner");
    assert!(!offered(&mut node, 4 * S, far[1]));
    let kept = SpreadSettings::default().keep.as_micros() as u64;
    assert!(offered(&mut node, 3 * S + kept - 1, neighbour) && !offered(&mut node, 3 * S + kept, neighbour));
}

#[test]
fn rounds_follow_an_update_half_with_neighbours_and_half_with_anybody_of_the_region() {
    let mut node = Node::linked(60, 60);
    assert_eq!(node.machine.rounds_per_second_milli(3 * S), 0);
    let (mut near, all) = (0, 2_000);
    for _ in 0..all {
        let partner = node.machine.draw_partner(&node.members).unwrap();
        near += usize::from(node.neighbours().contains(&partner));
    }
    let share = node.neighbours().len() * all / 60;
    let expected = all / 2 + share / 2;
    assert!(near.abs_diff(expected) < all / 15, "{near} of {all}, not {expected}");
    node.update(3 * S, 1, Some(Members::ME), None);
    assert!(node.machine.rounds_per_second_milli(3 * S) > 0);
    node.actions();
    let mut offers = 0;
    for tenth in 0..100 {
        node.tick(3 * S + tenth * 100 * MS);
        let is_offer = |action: &DisseminationAction| {
            use crate::control::dissemination::spread::SpreadAction;
            matches!(action, DisseminationAction::Spread(SpreadAction::Offer { .. }))
        };
        offers += node.actions().iter().filter(|action| is_offer(action)).count();
    }
    assert_eq!(offers, 8);
}

#[test]
fn delegates_are_the_regions_aggregators_and_others_drawn_and_nobody_twice() {
    let mut node = Node::linked(60, 60);
    let live: Vec<MemberIndex> = node.members.live().to_vec();
    let named = live.iter().map(|place| (*place, node.members.get(*place).id()));
    let top = node.machine.aggregators().top(named, 6);
    let mut drawn = BTreeSet::new();
    for _ in 0..20 {
        let delegates = node.machine.delegates(&node.members);
        let distinct: BTreeSet<_> = delegates.iter().copied().collect();
        assert_eq!((delegates.len(), distinct.len(), &delegates[..6]), (12, 12, &top[..]));
        drawn.extend(distinct);
    }
    assert!(drawn.len() > 30, "{} of 60", drawn.len());
    let mut few = Node::linked(3, 3);
    assert_eq!(few.machine.delegates(&few.members).len(), 3);
}

#[test]
fn the_first_in_rank_leads_its_region_and_knows_the_leaders_of_others() {
    let leads = |epoch: u64, local: u8| {
        let mut node = Node::linked(local, local + 3);
        node.machine.epoch = epoch;
        node.machine.survey.forget();
        let (others, leads) = node.machine.leaders(&node.members);
        let ranking = node.machine.aggregators();
        let mine = ranking.score(node.machine.me);
        let live = node.members.live().iter();
        let best = live.map(|place| ranking.score(node.members.get(*place).id())).max().unwrap();
        assert_eq!(leads, mine > best, "hour {epoch}");
        let remote: Vec<_> =
            node.members.remote(Region(1)).map(|(place, member)| (place, member.id())).collect();
        assert_eq!(others, [(Region(1), ranking.top(remote, 1)[0])]);
        assert_eq!(node.machine.regions().collect::<Vec<_>>(), [(Region(1), 3)]);
        let lacking = node.machine.lacking(&node.members);
        assert!(lacking.len() == 1 && node.members.get(lacking[0]).region() == Region(1), "three of twelve");
        leads
    };
    let led = (0..30).filter(|epoch| leads(*epoch, 2)).count();
    assert!((4..18).contains(&led), "one of three, and each hour another: {led} of 30");
}

#[test]
fn memory_is_that_of_the_parts_and_of_what_holds_them() {
    let empty = Node::new(0, 0).machine.memory();
    assert_eq!(empty, size_of::<Dissemination>(), "nothing is taken before there is anybody");
    let node = Node::linked(20, 40);
    let parts = node.machine.spread.memory() + node.machine.overlay.memory() + node.machine.survey.memory();
    let inside = size_of::<Spread>() + size_of::<Overlay>() + size_of::<Survey>();
    assert_eq!(node.machine.memory() - size_of::<Dissemination>(), parts - inside);
    assert!(node.machine.memory() > empty);
}

#[test]
fn who_was_passed_over_is_looked_at_again_after_eleven_seconds() {
    let mut node = Node::new(20, 20);
    node.machine.settle_in(S);
    node.tick(2 * S);
    let silent = node.links()[0].0;
    for (to, _) in
        node.machine.standing.neighbours().into_iter().map(|to| (to, ())).filter(|(to, _)| *to != silent)
    {
        node.machine.handle(2 * S, to, &Gossip::Link(LinkOp::Accept));
    }
    let given_up = 2 * S + 3_750 * MS;
    for at in [250, 750, 1_750, 3_750] {
        node.tick(2 * S + at * MS);
    }
    assert!(!node.machine.standing.has(silent), "others stand next to it meanwhile");
    assert_eq!(node.machine.rank_at, given_up + 11 * S);
    node.actions();
    node.tick(given_up + 11 * S);
    assert!(node.machine.standing.has(silent), "it has its place again");
    assert!(node.links().contains(&(silent, LinkOp::Connect)));
}

#[test]
fn a_member_of_another_region_that_is_forgotten_is_written_to_no_more() {
    let mut node = Node::linked(2, 5);
    let there = |node: &mut Node| {
        let _ = node.machine.lacking(&node.members);
        node.machine.regions().collect::<Vec<_>>()
    };
    assert_eq!(there(&mut node), [(Region(1), 3)]);
    let gone = node.members.remote(Region(1)).next().unwrap().0;
    let (id, rank) = (node.members.get(gone).id(), node.members.get(gone).rank());
    node.members.report(id, rank, PeerState::Failed, 3 * S);
    node.machine.forget(3 * S, &node.members, gone);
    assert_eq!(there(&mut node), [(Region(1), 2)]);
}

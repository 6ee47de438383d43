//! What a quorum counts, in meshes of virtual time: whoever failed until it comes back or leaves, however long that takes.

mod mesh;

use std::net::SocketAddr;
use std::time::Duration;

use mesh::{MS, Mesh, S, WALL, identity};
use octick_core::control::message::announcement::mesh_key;
use octick_core::control::message::force_leave::{ForceLeave, Removal};
use octick_core::control::message::membership::{Announced, MembershipMsg};
use octick_core::control::{
    Announcement, Expelled, PacketInfo, Partition, PeerState, Quorum, Refusal, Region, Statement,
};
use octick_core::crypto::Identity;
use octick_core::limits::PROBATION_SECS;
use octick_core::stamp::{Incarnation, Seq, Version};
use octick_core::wire::ControlFrame;

fn settled(n: usize, seed: u64) -> Mesh {
    let mut mesh = Mesh::of(n, seed);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(3 * S);
    mesh
}

fn is_healthy(mesh: &Mesh, i: usize) -> bool {
    mesh.partition(i) == Partition::Healthy
}

fn quorum(mesh: &Mesh, i: usize) -> Quorum {
    mesh.nodes[i].control.quorum()
}

/// Cuts the mesh in two: nodes below `first`, and others.
fn cut(mesh: &mut Mesh, first: usize) {
    mesh.nodes.iter_mut().enumerate().for_each(|(i, node)| node.group = u32::from(i >= first));
}

/// Runs, and fails at any moment in which nodes on both sides of a cut believe that they have a quorum. (A node notices
/// within some seconds that others are gone; so long the cut is not looked at.)
fn run_cut(mesh: &mut Mesh, micros: u64) {
    for _ in 0..micros / (500 * MS) {
        mesh.run(500 * MS);
        let believes = |group: u32| {
            (0..mesh.nodes.len())
                .any(|i| !mesh.nodes[i].dead && mesh.nodes[i].group == group && is_healthy(mesh, i))
        };
        let (left, right) = (believes(0), believes(1));
        assert!(!(left && right), "both halves believe that they have a quorum at {} ms", mesh.now / MS);
    }
}

#[test]
fn time_never_lowers_a_quorum() {
    let mut mesh = Mesh::new(1);
    mesh.settings.forget_after = Duration::from_secs(600);
    mesh.add_many(6);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(3 * S);
    cut(&mut mesh, 3);
    mesh.run(30 * S);
    // Three times as long as anything else is remembered.
    run_cut(&mut mesh, 1_800 * S);
    for i in 0..6 {
        assert_eq!(mesh.partition(i), Partition::Partitioned { reachable: 3, required: 5 }, "{i}");
    }
    cut(&mut mesh, 6);
    mesh.run_to(120 * S, Mesh::agrees);
    mesh.run_to(10 * S, |mesh| (0..6).all(|i| is_healthy(mesh, i)));
}

#[test]
fn who_starts_anew_on_one_side_of_a_cut_misses_whom_the_others_miss() {
    for seed in 0..4 {
        let mut mesh = settled(8, seed);
        cut(&mut mesh, 4);
        mesh.run(20 * S);
        // Every node of both halves is started again, without its memory, one after the other and some together.
        for round in 0..3_usize {
            for i in 0..4 {
                for i in [i, 4 + (i + round) % 4] {
                    mesh.kill(i);
                    mesh.run(if round == 1 { 0 } else { 4 * S });
                    mesh.restart(i);
                    mesh.nodes[i].group = u32::from(i >= 4);
                    run_cut(&mut mesh, if round == 2 { 0 } else { 10 * S });
                }
            }
        }
        run_cut(&mut mesh, 60 * S);
        for i in 0..4 {
            assert_eq!(
                quorum(&mesh, i),
                Quorum { members: 8, may_fail: 2, required: 6, reachable: 4 },
                "{i}, {seed}"
            );
        }
        cut(&mut mesh, 8);
        mesh.run_to(120 * S, |mesh| mesh.agrees() && (0..8).all(|i| is_healthy(mesh, i)));
    }
}

#[test]
fn a_newcomer_counts_who_failed_before_it_came() {
    let mut mesh = settled(7, 3);
    mesh.kill(5);
    mesh.kill(6);
    mesh.run_to(20 * S, |mesh| mesh.all_miss(5) && mesh.all_miss(6));
    let late = mesh.add(&[]);
    mesh.run(5 * S);
    assert_eq!(quorum(&mesh, late), Quorum { members: 8, may_fail: 2, required: 6, reachable: 6 });
    assert_eq!(mesh.state(late, 5), Some(PeerState::Failed));
    assert!((0..8).all(|i| mesh.nodes[i].dead || is_healthy(&mesh, i)));
}

#[test]
fn of_three_nodes_one_death_takes_the_quorum() {
    let mut mesh = settled(3, 4);
    assert_eq!(quorum(&mesh, 0), Quorum { members: 3, may_fail: 0, required: 3, reachable: 3 });
    mesh.kill(2);
    mesh.run_to(20 * S, |mesh| mesh.all_miss(2));
    mesh.run(S);
    let lost = Partition::Partitioned { reachable: 2, required: 3 };
    assert_eq!((mesh.partition(0), mesh.partition(1)), (lost, lost));
    assert_eq!(
        mesh.call(0, |control, now| control.expel(now, octick_core::crypto::NodeId([9; 16]), false)),
        Expelled::Unknown
    );
    let gone = mesh.nodes[2].id;
    assert_eq!(mesh.call(0, |control, now| control.expel(now, gone, false)), Expelled::Left);
    mesh.run_to(10 * S, |mesh| is_healthy(mesh, 0) && is_healthy(mesh, 1));
}

#[test]
fn a_failed_member_that_is_made_to_leave_has_left_everywhere_and_lowers_the_quorum() {
    let mut mesh = settled(20, 5);
    let gone: Vec<usize> = (12..20).collect();
    gone.iter().for_each(|i| mesh.kill(*i));
    mesh.run_to(30 * S, |mesh| gone.iter().all(|i| mesh.all_miss(*i)));
    mesh.run(S);
    assert!((0..12).all(|i| mesh.partition(i) == Partition::Partitioned { reachable: 12, required: 14 }));
    // One of those that stay sleeps through it, and learns of it afterwards.
    mesh.nodes[7].group = 9;
    for i in &gone {
        let id = mesh.nodes[*i].id;
        assert_eq!(mesh.call(3, |control, now| control.expel(now, id, false)), Expelled::Left);
    }
    let left = |mesh: &Mesh, i: usize| gone.iter().all(|of| mesh.state(i, *of) == Some(PeerState::Left));
    let took = mesh.run_to(10 * S, |mesh| (0..12).all(|i| i == 7 || left(mesh, i)));
    println!("eight members have left everywhere after {} ms", took / MS);
    assert!(took <= 2 * S, "{took}");
    mesh.nodes[7].group = 0;
    mesh.run_to(20 * S, |mesh| (0..12).all(|i| left(mesh, i) && is_healthy(mesh, i)));
    let late = mesh.add(&[]);
    mesh.run(5 * S);
    let now = Quorum { members: 13, may_fail: 4, required: 9, reachable: 13 };
    assert_eq!(quorum(&mesh, late), now);
    // To those that were here before, it is a newcomer for a while.
    mesh.run_to(20 * S, |mesh| (0..12).all(|i| quorum(mesh, i) == now));
    // Whoever was made to leave and comes back is a member like any other.
    mesh.restart(15);
    mesh.run_to(20 * S, Mesh::agrees);
    assert_eq!(quorum(&mesh, 0).members, 14);
}

#[test]
fn a_live_member_that_is_said_to_be_gone_says_that_it_is_not() {
    let mut mesh = settled(8, 6);
    for prune in [false, true] {
        let id = mesh.nodes[4].id;
        let before = mesh.nodes[4].control.me().rank();
        assert_eq!(mesh.call(1, |control, now| control.expel(now, id, prune)), Expelled::Suspected);
        for _ in 0..100 {
            mesh.run(100 * MS);
            assert!((0..8).all(|i| mesh.state(i, 4).is_some_and(PeerState::is_live)));
        }
        assert!(mesh.nodes[4].control.me().rank() > before, "it said so");
        assert!(mesh.agrees() && (0..8).all(|i| mesh.state(i, 4) == Some(PeerState::Alive)));
    }
}

#[test]
fn who_was_made_to_leave_while_it_was_only_cut_off_comes_back() {
    let mut mesh = settled(8, 7);
    cut(&mut mesh, 6);
    mesh.run(20 * S);
    for i in [6, 7] {
        let id = mesh.nodes[i].id;
        mesh.call(0, |control, now| control.expel(now, id, false));
    }
    mesh.run(5 * S);
    assert_eq!(quorum(&mesh, 3), Quorum { members: 6, may_fail: 1, required: 5, reachable: 6 });
    run_cut(&mut mesh, 30 * S);
    cut(&mut mesh, 8);
    mesh.run_to(120 * S, Mesh::agrees);
    mesh.run(5 * S);
    assert!((0..8).all(|i| is_healthy(&mesh, i) && quorum(&mesh, i).members == 8));
}

#[test]
fn a_pruned_member_is_shown_to_nobody_and_old_gossip_does_not_bring_it_back() {
    let mut mesh = settled(7, 8);
    mesh.kill(6);
    mesh.run_to(20 * S, |mesh| mesh.all_miss(6));
    let id = mesh.nodes[6].id;
    mesh.nodes[5].group = 9;
    mesh.call(0, |control, now| control.expel(now, id, true));
    mesh.run(3 * S);
    mesh.nodes[5].group = 0;
    mesh.run(30 * S);
    for i in 0..6 {
        assert!(!mesh.nodes[i].said.contains_key(&id), "{i} was told that it is forgotten");
        let members = mesh.nodes[i].control.members();
        assert!(members.find(id).is_none_or(|place| members.get(place).is_pruned()), "{i}");
        assert_eq!(quorum(&mesh, i).members, 6);
    }
}

#[test]
fn ephemeral_members_never_count() {
    let mut mesh = Mesh::new(9);
    mesh.add_many(6);
    mesh.ephemeral = true;
    mesh.add_many(60);
    mesh.run_to(10 * S, Mesh::agrees);
    mesh.run(3 * S);
    assert_eq!(quorum(&mesh, 2), Quorum { members: 6, may_fail: 1, required: 5, reachable: 6 });
    (6..66).for_each(|i| mesh.kill(i));
    for _ in 0..60 {
        mesh.run(S);
        assert!((0..6).all(|i| is_healthy(&mesh, i)), "{:?}", mesh.partition(0));
    }
    let took = mesh.run_to(600 * S, |mesh| (6..66).all(|i| mesh.all_miss(i)));
    println!("sixty of 66 are missed {} s after the first minute", took / S);
    assert!((0..6).all(|i| quorum(&mesh, i).members == 6));
}

#[test]
fn who_was_told_where_to_begin_and_finds_nobody_has_no_quorum() {
    let mut mesh = settled(4, 10);
    // Alone on its side of a cut, and without its memory.
    mesh.kill(3);
    mesh.restart(3);
    mesh.nodes[3].group = 1;
    for _ in 0..100 {
        mesh.run(100 * MS);
        assert_eq!(mesh.partition(3), Partition::Joining);
    }
    mesh.nodes[3].group = 0;
    mesh.run_to(30 * S, |mesh| (0..4).all(|i| is_healthy(mesh, i)));
}

/// A mesh in which nobody is new any more.
fn grown(n: usize, seed: u64) -> Mesh {
    let mut mesh = settled(n, seed);
    mesh.run((PROBATION_SECS + 5) * S);
    mesh
}

/// A key that nobody runs, and what it says of itself.
struct MadeUp {
    identity: Identity,
    address: SocketAddr,
    announcement: Announcement,
}

impl MadeUp {
    fn new(mesh: &Mesh, key: usize) -> Self {
        let identity = identity(9_000 + key);
        let address = SocketAddr::from(([10, 8, (key >> 8) as u8, key as u8], 7700));
        let statement = Statement {
            incarnation: Incarnation(1),
            boot: 1,
            version: Version::new(WALL + mesh.now, identity.id()),
            capabilities: 0,
            region: Region(0),
            leaves: false,
            addresses: vec![address],
            claims: Vec::new(),
            serial: 0,
        };
        let announcement = Announcement::sign(&identity, &mesh_key("test"), &statement);
        Self { identity, address, announcement }
    }

    /// Introduces itself to a node, and says something.
    fn say(&self, mesh: &mut Mesh, to: usize, seq: u64, said: &[MembershipMsg<'_>]) {
        let mut control_frame = ControlFrame::new();
        let announce = MembershipMsg::Announce(Announced::of(&self.announcement));
        assert!(announce.write(&mut control_frame) && said.iter().all(|said| said.write(&mut control_frame)));
        let packet = PacketInfo {
            from: self.address,
            to: None,
            origin: self.identity.id(),
            incarnation: Incarnation(1),
            seq: Seq(seq),
            version: Version::new(WALL + mesh.now, self.identity.id()),
        };
        mesh.deliver(to, &packet, &control_frame);
    }
}

fn refused(mesh: &Mesh, refusal: Refusal) -> u64 {
    mesh.nodes.iter().map(|node| node.control.refusals().get(refusal)).sum()
}

/// Runs, and fails at any moment in which one of the first `n` nodes has no quorum, or counts others than those.
fn run_undisturbed(mesh: &mut Mesh, n: usize, seconds: u64) {
    let ours = Quorum::of(n, 0);
    for _ in 0..2 * seconds {
        mesh.run(500 * MS);
        for i in 0..n {
            assert!(is_healthy(mesh, i), "{i}: {:?} at {} ms", mesh.partition(i), mesh.now / MS);
            assert_eq!(quorum(mesh, i), ours, "node {i} at {} ms", mesh.now / MS);
        }
    }
}

#[test]
fn strangers_that_join_and_fall_silent_count_for_nothing() {
    let mut mesh = grown(10, 11);
    for key in 0..60 {
        let stranger = MadeUp::new(&mesh, key);
        stranger.say(&mut mesh, key % 10, 1, &[MembershipMsg::Hello]);
    }
    assert!((0..10).all(|i| quorum(&mesh, i) == Quorum::of(10, 0)));
    mesh.run(S);
    assert!(mesh.live(0) > 20, "they are members: {}", mesh.live(0));
    run_undisturbed(&mut mesh, 10, 120);
    assert_eq!(mesh.live(0), 10);
}

#[test]
fn newcomers_that_crash_before_they_count_are_missed_by_nobody() {
    let mut mesh = grown(10, 12);
    mesh.add_many(60);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(3 * S);
    (10..70).for_each(|i| mesh.kill(i));
    run_undisturbed(&mut mesh, 10, 120);
    // Nor by who comes later.
    let late = mesh.add(&[]);
    mesh.run(5 * S);
    assert_eq!(quorum(&mesh, late), Quorum::of(11, 0));
}

#[test]
fn who_stays_counts_everywhere_after_its_probation_and_not_before() {
    let mut mesh = grown(10, 13);
    let before = mesh.now;
    mesh.add_many(20);
    while mesh.now < before + (PROBATION_SECS - 1) * S {
        mesh.run(100 * MS);
        assert!((0..10).all(|i| quorum(&mesh, i) == Quorum::of(10, 0)));
    }
    assert!(mesh.agrees(), "they are members all the same");
    let took = mesh.run_to(20 * S, |mesh| (0..30).all(|i| quorum(mesh, i) == Quorum::of(30, 0)));
    println!("twenty newcomers among ten count everywhere {} ms after that", took / MS);
    // From then on they count, there or not, however long that takes.
    (10..30).for_each(|i| mesh.kill(i));
    mesh.run(3_600 * S);
    assert!((0..10).all(|i| mesh.partition(i) == Partition::Partitioned { reachable: 10, required: 21 }));
}

#[test]
fn a_member_that_makes_up_whom_it_misses_is_believed_one_of_them() {
    let mut mesh = grown(10, 14);
    let made_up: Vec<MadeUp> = (0..8).map(|key| MadeUp::new(&mesh, key)).collect();
    for (i, lie) in made_up.iter().enumerate() {
        let mut control_frame = ControlFrame::new();
        assert!(MembershipMsg::Missing(Announced::of(&lie.announcement)).write(&mut control_frame));
        for to in 1..10 {
            let packet = mesh.packet(0);
            mesh.deliver(to, &packet, &control_frame);
        }
        mesh.run(S);
        assert!((1..10).all(|i| quorum(&mesh, i) == Quorum::of(10, 1)), "{i}: {:?}", quorum(&mesh, 4));
    }
    assert_eq!(refused(&mesh, Refusal::Unvouched), 7 * 9);
    mesh.run(60 * S);
    assert!((0..10).all(|i| is_healthy(&mesh, i)), "{:?}", mesh.partition(3));
}

#[test]
fn who_does_not_count_yet_makes_nobody_missed_and_nobody_leave() {
    let mut mesh = grown(10, 15);
    mesh.kill(9);
    mesh.run_to(20 * S, |mesh| mesh.all_miss(9));
    let (stranger, other) = (MadeUp::new(&mesh, 0), MadeUp::new(&mesh, 1));
    let gone = {
        let members = mesh.nodes[3].control.members();
        let nine = members.get(members.find(mesh.nodes[9].id).expect("a member"));
        Removal {
            id: nine.id(),
            rank: nine.rank(),
            version: Version::new(WALL + mesh.now, stranger.identity.id()),
            prune: true,
        }
    };
    let removal = ForceLeave::sign(&stranger.identity, &mesh_key("test"), &gone);
    for to in 0..9 {
        let missing = MembershipMsg::Missing(Announced::of(&other.announcement));
        stranger.say(&mut mesh, to, 1, &[missing]);
        stranger.say(&mut mesh, to, 2, &[MembershipMsg::ForceLeave(removal.bytes())]);
    }
    assert_eq!(refused(&mesh, Refusal::Unvouched), 2 * 9);
    for _ in 0..60 {
        mesh.run(S);
        assert!((0..9).all(|i| quorum(&mesh, i) == Quorum::of(9, 1)), "{:?}", quorum(&mesh, 2));
    }
}

#[test]
fn a_node_that_starts_again_counts_whom_the_others_count() {
    let mut mesh = grown(10, 16);
    mesh.kill(8);
    mesh.kill(9);
    mesh.run_to(20 * S, |mesh| mesh.all_miss(8) && mesh.all_miss(9));
    mesh.kill(4);
    mesh.restart(4);
    mesh.run_to(10 * S, |mesh| (0..8).all(|i| quorum(mesh, i) == Quorum::of(8, 2)));
    mesh.run(60 * S);
    assert!((0..8).all(|i| quorum(&mesh, i) == Quorum::of(8, 2) && is_healthy(&mesh, i)));
}

#[test]
fn a_member_that_has_left_can_still_be_pruned_and_is_made_to_leave_once() {
    let mut mesh = settled(5, 11);
    let id = mesh.nodes[4].id;
    mesh.call(4, |control, now| control.leave(now));
    mesh.run(2 * S);
    mesh.kill(4);
    assert!((0..4).all(|i| mesh.state(i, 4) == Some(PeerState::Left)));
    let frames = mesh.nodes[0].control_frames;
    assert_eq!(mesh.call(0, |control, now| control.expel(now, id, false)), Expelled::Left);
    assert!(mesh.nodes[0].control_frames == frames && mesh.nodes[0].said.contains_key(&id), "it had left");
    assert_eq!(mesh.call(0, |control, now| control.expel(now, id, true)), Expelled::Left);
    assert!(!mesh.nodes[0].said.contains_key(&id), "it is shown to nobody");
    mesh.run_to(10 * S, |mesh| (0..4).all(|i| !mesh.nodes[i].said.contains_key(&id)));
    assert_eq!(
        mesh.call(0, |control, now| control.expel(now, mesh::identity(99).id(), true)),
        Expelled::Unknown
    );
    let own = mesh.nodes[0].id;
    assert_eq!(mesh.call(0, |control, now| control.expel(now, own, true)), Expelled::Itself);
}

//! What a quorum counts, in meshes of virtual time: whoever failed until it comes back or leaves, however long that takes.

mod mesh;

use std::time::Duration;

use mesh::{MS, Mesh, S};
use octick_core::control::{Expelled, Partition, PeerState, Quorum};

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
    assert!((0..12).chain([late]).all(|i| quorum(&mesh, i) == now), "{:?}", quorum(&mesh, late));
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

//! What membership promises, in meshes of virtual time.

mod mesh;

use mesh::{MS, Mesh, S};
use octick_core::control::PeerState;

#[test]
fn two_nodes_meet_by_one_seed() {
    let mut mesh = Mesh::of(2, 1);
    let took = mesh.run_to(S, Mesh::agrees);
    assert!(took <= 100 * MS, "{took}");
}

#[test]
fn everyone_learns_everyone() {
    for (n, seed) in [(10, 1), (32, 2), (100, 3)] {
        let mut mesh = Mesh::of(n, seed);
        let took = mesh.run_to(5 * S, Mesh::agrees);
        println!("{n} nodes agree after {} ms", took / MS);
        assert!(took <= 1_300 * MS, "{n} nodes took {took}");
    }
}

#[test]
fn a_kill_is_seen_by_all() {
    for seed in 0..5 {
        let mut mesh = Mesh::of(100, seed);
        mesh.run_to(5 * S, Mesh::agrees);
        mesh.run(S + seed * 333 * MS);
        mesh.kill(40);
        let took = mesh.run_to(20 * S, |mesh| mesh.all_miss(40));
        println!("a kill is seen by all after {} ms", took / MS);
        assert!(took <= 5 * S, "{took}");
    }
}

#[test]
fn rest_is_cheap() {
    let mut mesh = Mesh::of(100, 1);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(10 * S);
    let (bytes, signatures) = mesh.traffic(30 * S);
    println!("{bytes:.0} bytes/s/node and {signatures:.0} of signatures");
    assert!(bytes <= 220.0, "{bytes}");
    assert!(mesh.agrees());
}

#[test]
fn many_join_at_once_through_one_seed() {
    let mut mesh = Mesh::of(256, 9);
    let took = mesh.run_to(10 * S, Mesh::agrees);
    println!("256 joined after {} ms", took / MS);
    assert!(took <= 3 * S, "{took}");
}

#[test]
fn leaving_is_no_failure() {
    let mut mesh = Mesh::of(20, 1);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(S);
    mesh.call(5, |control, now| control.leave(now));
    mesh.run(50 * MS);
    mesh.kill(5);
    let took = mesh.run_to(5 * S, |mesh| mesh.all_miss(5));
    assert!(took < S, "{took}");
    for i in (0..20).filter(|i| *i != 5) {
        assert_eq!(mesh.state(i, 5), Some(PeerState::Left));
    }
}

//! What membership promises, in meshes of virtual time.

mod mesh;

use mesh::{MS, Mesh, S};
use octick_core::control::message::announcement::mesh_key;
use octick_core::control::message::membership::{Accusation, Announced, BUCKETS, MembershipMsg};
use octick_core::control::{
    Announcement, Output, PacketInfo, Partition, PeerState, Refusal, Region, Statement,
};
use octick_core::crypto::Identity;
use octick_core::limits::CONTROL_FRAME_MAX;
use octick_core::stamp::{Incarnation, Run, Seq, Slot, Version};
use octick_core::wire::ControlFrame;

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
        let control_frames: u64 = mesh.nodes.iter().map(|node| node.control_frames).sum();
        println!("{n} nodes agree after {} ms and {control_frames} control frames", took / MS);
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
    assert!(took <= 2 * S, "{took}");
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

/// Stops half of 32 nodes for three seconds, ten times. Returns how many beliefs there were that somebody is dead, at
/// the worst and at the ends of the rounds, and how many suspicions.
fn stops(seed: u64, lifeguard: bool) -> (usize, usize, u64) {
    let mut mesh = Mesh::new(seed);
    mesh.settings.lifeguard = lifeguard;
    mesh.add_many(32);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(2 * S);
    let (mut worst, mut after) = (0, 0);
    for round in 0..10 {
        (0..32).filter(|i| (i + round) % 2 == 0).for_each(|i| mesh.stop(i, 3 * S));
        for _ in 0..60 {
            mesh.run(100 * MS);
            worst = worst.max(mesh.believed(PeerState::Failed));
        }
        after += mesh.believed(PeerState::Failed);
    }
    (worst, after, mesh.nodes.iter().map(|node| node.suspicions).sum())
}

#[test]
fn half_of_the_nodes_stop_for_three_seconds_and_nobody_is_declared_dead() {
    for seed in 0..4 {
        let (worst, after, suspicions) = stops(seed, true);
        let (plain_worst, plain_after, plain_suspicions) = stops(seed, false);
        println!(
            "seed {seed}: {suspicions} suspicions, {worst} believed dead at worst, {after} in the end; \
             without Lifeguard {plain_suspicions}, {plain_worst} and {plain_after}"
        );
        assert_eq!(after, 0, "seed {seed}");
    }
}

#[test]
fn two_halves_find_each_other_again() {
    for seed in 0..3 {
        let mut mesh = Mesh::of(20, seed);
        mesh.run_to(5 * S, Mesh::agrees);
        mesh.run(2 * S);
        (0..20).for_each(|i| mesh.nodes[i].group = i as u32 % 2);
        mesh.run(120 * S);
        assert_eq!((mesh.live(0), mesh.live(1)), (10, 10));
        let cut = |mesh: &Mesh, i| {
            matches!(mesh.partition(i), Partition::Partitioned { reachable: 10, required: 14 })
        };
        assert!((0..20).all(|i| cut(&mesh, i)), "{:?}", mesh.partition(3));
        (0..20).for_each(|i| mesh.nodes[i].group = 0);
        let took = mesh.run_to(30 * S, Mesh::agrees);
        println!("seed {seed}: whole again after {} ms", took / MS);
        assert!(took <= 5 * S, "{took}");
        mesh.run(5 * S);
        assert!((0..20).all(|i| mesh.partition(i) == Partition::Healthy), "{:?}", mesh.partition(3));
    }
}

#[test]
fn a_suspected_member_says_that_it_is_there() {
    let mut mesh = Mesh::of(12, 4);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(2 * S);
    let version = mesh.nodes[7].control.me().rank();
    // Long enough to be suspected by somebody, too short to be declared dead.
    mesh.stop(7, 1_500 * MS);
    let suspected = |mesh: &Mesh| (0..12).any(|i| mesh.state(i, 7) == Some(PeerState::Suspected));
    mesh.run_to(1_500 * MS, suspected);
    mesh.run(3_000 * MS);
    assert!((0..12).all(|i| mesh.state(i, 7) == Some(PeerState::Alive)));
    assert!(mesh.nodes[7].control.me().rank() > version, "it said something new");
    assert!(mesh.agrees());
}

#[test]
fn loss_does_not_kill() {
    let mut mesh = Mesh::of(50, 5);
    mesh.loss_permille = 50;
    mesh.run_to(10 * S, Mesh::agrees);
    let mut failed = 0;
    for _ in 0..120 {
        mesh.run(500 * MS);
        failed += mesh.believed(PeerState::Failed);
    }
    let suspicions: u64 = mesh.nodes.iter().map(|node| node.suspicions).sum();
    println!("5 % loss for 60 s among 50: {suspicions} suspicions seen, {failed} declared dead");
    assert_eq!(failed, 0);
}

#[test]
fn a_restarted_node_is_the_same_member_in_its_next_incarnation() {
    let mut mesh = Mesh::of(20, 6);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.kill(9);
    mesh.run_to(10 * S, |mesh| mesh.all_miss(9));
    mesh.restart(9);
    let took = mesh.run_to(5 * S, Mesh::agrees);
    assert!(took <= 2 * S, "{took}");
    mesh.kill(3);
    mesh.run(100 * MS);
    mesh.restart(3); // before anybody noticed
    let took = mesh.run_to(5 * S, Mesh::agrees);
    assert!(took <= 2 * S, "{took}");
    mesh.run(20 * S);
    assert!(mesh.agrees() && mesh.nodes.iter().all(|node| node.conflicts.is_empty()));
}

#[test]
fn a_node_that_starts_again_elsewhere_is_found_at_its_new_address() {
    let mut mesh = Mesh::of(12, 7);
    mesh.run_to(5 * S, Mesh::agrees);
    let there = mesh::address(77);
    mesh.kill(4);
    mesh.nodes[4].address = there;
    mesh.restart(4);
    let id = mesh.nodes[4].id;
    let known = |mesh: &Mesh, i: usize| {
        let members = mesh.nodes[i].control.members();
        members.find(id).and_then(|place| members.get(place).address()) == Some(there)
    };
    let took = mesh.run_to(5 * S, |mesh| (0..12).all(|i| known(mesh, i)));
    assert!(took <= 2 * S, "{took}");
    mesh.run(10 * S);
    assert!(mesh.agrees());
}

#[test]
fn old_gossip_brings_nobody_back() {
    let mut mesh = Mesh::new(8);
    mesh.record = Some(Vec::new());
    mesh.add_many(12);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(3 * S);
    let old = mesh.record.take().unwrap();
    mesh.kill(5);
    mesh.run_to(10 * S, |mesh| mesh.all_miss(5));
    let digests: Vec<u32> = mesh.nodes.iter().map(|node| node.control.members().digest()).collect();
    let dead = mesh.nodes[5].id;
    // Everything that was ever said, again, to everybody; and the announcement in somebody else's fresh control frame.
    for (to, packet, control_frame) in old.iter().filter(|(to, ..)| *to != 5) {
        mesh.deliver(*to, packet, control_frame);
    }
    let word = {
        let members = mesh.nodes[2].control.members();
        members.get(members.find(dead).unwrap()).announcement().bytes().to_vec()
    };
    let mut control_frame = ControlFrame::new();
    assert!(MembershipMsg::Announce(Announced::bare(&word)).write(&mut control_frame));
    for to in [0, 3, 11] {
        let packet = mesh.packet(2);
        mesh.deliver(to, &packet, &control_frame);
    }
    mesh.run(20 * S);
    assert!(mesh.all_miss(5));
    let after: Vec<u32> = mesh.nodes.iter().map(|node| node.control.members().digest()).collect();
    assert_eq!((after[0], after[11]), (digests[0], digests[11]));
}

#[test]
fn forged_news_is_refused() {
    let mut mesh = Mesh::of(6, 9);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(S);
    let digest = mesh.nodes[0].control.members().digest();
    // A join, a leave and a move that nobody signed.
    let stranger = mesh::identity(99);
    let said = |change: &dyn Fn(&mut Statement), of: &Identity, by: &Identity| {
        let mut statement = mesh.nodes[4].control.me().statement().clone();
        statement.version = Version::new(mesh::WALL + mesh.now, of.id());
        change(&mut statement);
        let mut bytes = Announcement::sign(by, &mesh_key("test"), &statement).bytes().to_vec();
        bytes[..32].copy_from_slice(of.public().as_bytes());
        bytes
    };
    let four = mesh::identity(4);
    let forged = [
        said(&|_| (), &stranger, &four),
        said(&|statement| statement.leaves = true, &four, &stranger),
        said(&|statement| statement.addresses = vec![mesh::address(66)], &four, &stranger),
        said(&|statement| statement.incarnation = Incarnation(9), &four, &stranger),
    ];
    for bytes in forged {
        let mut control_frame = ControlFrame::new();
        assert!(MembershipMsg::Announce(Announced::bare(&bytes)).write(&mut control_frame));
        let packet = mesh.packet(2);
        let now = mesh.now;
        let refused = mesh.nodes[0].control.handle_control_frame(now, &packet, control_frame.messages());
        assert_eq!(refused, Err(Refusal::Unsound));
    }
    // A member that is said to be dead has a moment to say otherwise, and does.
    let accused = Accusation {
        id: four.id(),
        rank: mesh.nodes[4].control.me().rank(),
        state: PeerState::Failed,
        by: stranger.id(),
        signature: None,
    };
    let mut control_frame = ControlFrame::new();
    assert!(MembershipMsg::Accuse(accused).write(&mut control_frame));
    for to in [0, 1, 3, 5] {
        let packet = mesh.packet(2);
        mesh.deliver(to, &packet, &control_frame);
    }
    for _ in 0..50 {
        mesh.run(100 * MS);
        assert!((0..6).all(|i| mesh.state(i, 4).unwrap().is_live()));
    }
    // Only the accused has said something new.
    assert!(mesh.agrees() && mesh.nodes[0].control.members().digest() != digest);
    // A control frame that was heeded once is not heeded twice.
    let packet = PacketInfo { to: Some(mesh.nodes[0].id), ..mesh.packet(2) };
    let now = mesh.now;
    let mut again = || mesh.nodes[0].control.handle_control_frame(now, &packet, control_frame.messages());
    assert_eq!((again().is_ok(), again()), (true, Err(Refusal::Duplicate)));
}

#[test]
fn an_accusation_where_nobody_else_lives_is_looked_into() {
    let mut mesh = Mesh::new(13);
    mesh.regions = 3;
    mesh.add_many(3);
    let knows_both = |mesh: &Mesh| mesh.nodes[0].control.members().remote_len() == 2;
    mesh.run_to(60 * S, knows_both);
    assert!(mesh.nodes[0].control.members().live().is_empty());
    mesh.kill(2);
    mesh.run(S);
    let rank = mesh.nodes[2].control.me().rank();
    let (id, by) = (mesh.nodes[2].id, mesh.nodes[1].id);
    let accused = Accusation { id, rank, state: PeerState::Suspected, by, signature: None };
    let mut control_frame = ControlFrame::new();
    assert!(MembershipMsg::Accuse(accused).write(&mut control_frame));
    let packet = mesh.packet(1);
    mesh.deliver(0, &packet, &control_frame);
    assert_eq!(mesh.state(0, 2), Some(PeerState::Suspected));
}

#[test]
fn of_two_processes_with_one_key_the_earlier_is_superseded() {
    let mut mesh = Mesh::of(8, 10);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(S);
    let later = mesh.double(3, 2);
    let took = mesh.run_to(10 * S, |mesh| !mesh.nodes[3].superseded.is_empty());
    assert!(took <= 3 * S, "{took}");
    assert_eq!(mesh.nodes[3].superseded, [(Incarnation(2), Some(mesh.nodes[later].address))]);
    mesh.kill(3);
    mesh.run(10 * S);
    assert!(mesh.nodes[later].superseded.is_empty());
    let id = mesh.nodes[3].id;
    let named = (0..8).filter(|i| *i != 3 && mesh.nodes[*i].conflicts.contains(&id)).count();
    assert!(named >= 1, "somebody else knows");
    assert!(mesh.nodes.iter().all(|node| node.conflicts.iter().all(|named| *named == id)));
    lives_everywhere(&mesh, later);
}

#[test]
fn of_two_processes_that_started_in_one_moment_one_is_superseded() {
    for seed in 20..28 {
        let mut mesh = Mesh::of(8, seed);
        mesh.run_to(5 * S, Mesh::agrees);
        mesh.run(S);
        let other = mesh.double(3, mesh.nodes[3].incarnation.0);
        let superseded = |mesh: &Mesh, i: usize| !mesh.nodes[i].superseded.is_empty();
        let took = mesh.run_to(30 * S, |mesh| superseded(mesh, 3) || superseded(mesh, other));
        assert!(took <= 10 * S, "{took}");
        let (ends, lives) = if superseded(&mesh, 3) { (3, other) } else { (other, 3) };
        mesh.kill(ends);
        mesh.run(10 * S);
        assert!(!superseded(&mesh, lives), "one of them goes on");
        lives_everywhere(&mesh, lives);
    }
}

#[test]
fn a_node_restored_from_a_copy_of_long_ago_is_told_and_begins_again_above_what_the_mesh_remembers() {
    for behind in [0, 5 * S, 3_600 * S] {
        let mut mesh = Mesh::of(8, 12);
        mesh.run_to(5 * S, Mesh::agrees);
        for _ in 0..3 {
            mesh.kill(3);
            mesh.run(S);
            mesh.restart(3);
            mesh.run(2 * S);
        }
        mesh.kill(3);
        mesh.run(S);
        mesh.restore(3, 2, behind);
        let took = mesh.run_to(10 * S, |mesh| !mesh.nodes[3].outlived.is_empty());
        assert!(took <= 3 * S, "{took}");
        let node = &mesh.nodes[3];
        assert!(node.outlived.iter().all(|told| *told == Incarnation(4)), "{:?}", node.outlived);
        assert_eq!(node.superseded, [], "it is no other process that the mesh remembers");
        let remembered = mesh.nodes[0].control.members();
        let before = remembered.get(remembered.find(node.id).unwrap()).rank();
        mesh.nodes[3].incarnation = Incarnation(5);
        mesh.call(3, |control, now| control.begin_again(now, Incarnation(5)));
        assert!(mesh.nodes[3].control.me().rank().1 > before.1, "what it says is later than what it said");
        mesh.run_to(20 * S, Mesh::agrees);
        let settled = mesh.run_to(20 * S, |mesh| mesh.nodes[3].control.is_settled());
        assert!(settled <= 10 * S, "{settled}");
        mesh.call(3, |control, _| control.end_hearing());
        mesh.run(10 * S);
        lives_everywhere(&mesh, 3);
        assert!(mesh.nodes.iter().all(|node| node.superseded.is_empty()));
    }
}

#[test]
fn a_restored_node_that_knows_nobody_learns_of_itself_from_the_first_that_answers() {
    let mut mesh = Mesh::of(2, 14);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.kill(1);
    mesh.run(S);
    mesh.restart(1);
    mesh.run(5 * S);
    mesh.kill(1);
    // Nobody looks for it any more.
    mesh.run(60 * S);
    mesh.restore(1, 1, 3_600 * S);
    let before = mesh.nodes[0].control_frames;
    mesh.run_to(5 * S, |mesh| !mesh.nodes[1].outlived.is_empty());
    assert_eq!(mesh.nodes[1].outlived, [Incarnation(2)]);
    mesh.run(5 * S);
    let answers = mesh.nodes[0].control_frames - before;
    assert!(answers < 60, "one answer a greeting, and no more: {answers}");
}

#[test]
fn no_accusation_makes_a_node_believe_that_it_was_outlived() {
    let mut mesh = Mesh::of(4, 13);
    mesh.run_to(5 * S, Mesh::agrees);
    let id = mesh.nodes[0].id;
    let later = (Incarnation(u32::MAX - 1), Version::new(u64::MAX >> 13, id));
    let accused =
        Accusation { id, rank: later, state: PeerState::Failed, by: mesh.nodes[1].id, signature: None };
    let mut control_frame = ControlFrame::new();
    assert!(MembershipMsg::Accuse(accused).write(&mut control_frame));
    let packet = mesh.packet(1);
    mesh.deliver(0, &packet, &control_frame);
    mesh.run(5 * S);
    assert_eq!(mesh.nodes[0].outlived, []);
    lives_everywhere(&mesh, 0);
}

/// Everybody believes that node `i` lives, where it does.
fn lives_everywhere(mesh: &Mesh, i: usize) {
    let node = &mesh.nodes[i];
    for other in mesh.nodes.iter().filter(|other| !other.dead) {
        let members = other.control.members();
        let member = members.get(members.find(node.id).unwrap());
        let seen = (member.state(), member.rank().0, member.address());
        assert_eq!(seen, (PeerState::Alive, node.incarnation, Some(node.address)));
    }
}

#[test]
fn slots_that_two_claim_have_one_owner_everywhere() {
    let mut mesh = Mesh::new(11);
    let run = |first| Run { first: Slot(first), len: 32 };
    mesh.add(&[run(0)]);
    mesh.add(&[run(64)]);
    mesh.run(50 * MS);
    mesh.add(&[run(80)]); // overlaps the run of the second, and is younger
    mesh.add(&[run(128)]);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(S);
    let owner = |mesh: &Mesh, of: usize| -> Vec<Vec<Run>> {
        (0..4).map(|i| mesh.nodes[i].runs.get(&mesh.nodes[of].id).cloned().unwrap_or_default()).collect()
    };
    assert_eq!(owner(&mesh, 1), vec![vec![run(64)]; 4]);
    assert_eq!(owner(&mesh, 2), vec![vec![]; 4]);
    assert_eq!(mesh.nodes[2].lost, [(run(80), mesh.nodes[1].id)], "the loser is told");
    // The owner leaves, and the slots move.
    mesh.call(1, |control, now| control.leave(now));
    mesh.run(2 * S);
    assert_eq!((owner(&mesh, 1), owner(&mesh, 2)), (vec![vec![]; 4], vec![vec![run(80)]; 4]));
}

#[test]
fn nobody_is_sent_much_before_showing_its_address() {
    let mut mesh = Mesh::of(60, 12);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.record = Some(Vec::new());
    // Somebody who signs for itself, and writes in the name of an address that is not its own.
    let stranger = mesh::identity(500);
    let victim = mesh::address(5_000);
    let mut statement = mesh.nodes[4].control.me().statement().clone();
    statement.version = Version::new(mesh::WALL + mesh.now, stranger.id());
    statement.addresses = vec![victim];
    statement.claims.clear();
    let word = Announcement::sign(&stranger, &mesh_key("test"), &statement);
    let digests = [[1; 4]; BUCKETS];
    let mut control_frame = ControlFrame::new();
    assert!(
        MembershipMsg::Announce(Announced::bare(word.bytes())).write(&mut control_frame)
            && MembershipMsg::Hello.write(&mut control_frame)
    );
    assert!(MembershipMsg::SyncAsk { cursor: 0, digests: Some(&digests) }.write(&mut control_frame));
    let mut sent = 0;
    for seq in 1..=20 {
        let packet = PacketInfo {
            from: victim,
            to: None,
            origin: stranger.id(),
            incarnation: statement.incarnation,
            seq: Seq(seq),
            version: statement.version,
        };
        let (now, control) = (mesh.now, &mut mesh.nodes[0].control);
        let messages = control_frame.messages();
        if let Ok(announcement) = control.introduce(now, victim, stranger.id(), messages.clone()) {
            let _ = control.handle_introduced(now, &packet, announcement, messages);
        }
        while let Some(output) = control.poll() {
            if let Output::Send { to, control_frame } = output
                && to == victim
            {
                sent += 104 + control_frame.padded().len();
            }
        }
    }
    let received = 20 * (104 + control_frame.padded().len());
    println!("{received} bytes brought {sent}");
    assert!(sent <= 3 * received);
}

#[test]
fn without_seeds_a_node_says_that_it_is_alone_and_joins_when_one_comes_back() {
    let mut mesh = Mesh::of(3, 13);
    mesh.kill(0);
    mesh.run(5 * S);
    assert!(mesh.nodes[1].alone && mesh.nodes[2].alone);
    mesh.restart(0);
    let took = mesh.run_to(20 * S, Mesh::agrees);
    assert!(took <= 8 * S, "{took}");
}

#[test]
fn control_frames_are_bounded_and_one_seed_is_one_run() {
    let run = |seed| {
        let mut mesh = Mesh::of(40, seed);
        mesh.loss_permille = 20;
        mesh.run(5 * S);
        mesh.kill(7);
        mesh.run(5 * S);
        assert!(mesh.largest <= CONTROL_FRAME_MAX);
        let bytes: Vec<u64> = mesh.nodes.iter().map(|node| node.bytes).collect();
        (bytes, mesh.nodes[3].control.members().digest())
    };
    assert_eq!(run(14), run(14));
    assert_ne!(run(14).0, run(15).0);
}

#[test]
fn regions_watch_themselves_and_are_found_through_a_seed_of_another() {
    let mut mesh = Mesh::new(16);
    mesh.regions = 3;
    mesh.add_many(30);
    let whole = |mesh: &Mesh| (0..30).all(|i| mesh.live(i) == 10);
    let took = mesh.run_to(10 * S, whole);
    println!("three regions of ten are whole after {} ms", took / MS);
    assert!(took <= 3 * S, "{took}");
    mesh.run(20 * S);
    assert!(whole(&mesh) && mesh.nodes.iter().all(|node| !node.alone));
    mesh.kill(4);
    mesh.run(6 * S);
    assert!((0..30).filter(|i| i % 3 == 1 && *i != 4).all(|i| mesh.live(i) == 9));
    assert!((0..30).filter(|i| i % 3 != 1).all(|i| mesh.live(i) == 10));
}

#[test]
fn coming_and_going_all_the_time_leaves_nobody_behind_and_brings_nobody_back() {
    let mut mesh = Mesh::of(100, 17);
    mesh.loss_permille = 10;
    mesh.run_to(5 * S, Mesh::agrees);
    let (mut known, mut there) = (0, 0);
    for second in 0..60 {
        let victim = 1 + (second * 37) % (mesh.nodes.len() - 1);
        mesh.kill(victim);
        mesh.add(&[]);
        for _ in 0..10 {
            mesh.run(100 * MS);
            for i in (0..mesh.nodes.len()).filter(|i| !mesh.nodes[*i].dead) {
                let live = |j: &usize| !mesh.nodes[*j].dead;
                let all = (0..mesh.nodes.len()).filter(live);
                there += mesh.nodes.iter().filter(|node| !node.dead).count();
                known += all.filter(|j| mesh.state(i, *j).is_some_and(PeerState::is_live)).count();
            }
        }
    }
    let coverage = f64::from(known as u32) / f64::from(there as u32);
    println!("1 %/s churn for a minute among 100: {:.3} % of the live are known", coverage * 100.0);
    assert!(coverage >= 0.999, "{coverage}");
    mesh.run(10 * S);
    assert!(mesh.agrees());
}

#[test]
fn who_asks_for_everything_all_the_time_waits() {
    let mut mesh = Mesh::of(60, 18);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(5 * S);
    let mut control_frame = ControlFrame::new();
    assert!(MembershipMsg::SyncAsk { cursor: 0, digests: None }.write(&mut control_frame));
    let before = mesh.nodes[0].control_frames;
    for _ in 0..1_000 {
        let packet = mesh.packet(9);
        mesh.deliver(0, &packet, &control_frame);
    }
    let brought = mesh.nodes[0].control_frames - before;
    assert!(brought < 1_200, "{brought}");
    assert!(mesh.nodes[0].control.refusals().get(Refusal::Budget) > 0);
}

#[test]
fn who_comes_one_after_another_is_known_as_soon() {
    for (n, gap) in [(32, 30 * MS), (100, 10 * MS)] {
        let mut mesh = Mesh::new(3);
        (0..n).for_each(|_| {
            mesh.add(&[]);
            mesh.run(gap);
        });
        let took = mesh.run_to(5 * S, Mesh::agrees);
        println!("{n} nodes that start {} ms apart agree {} ms after the last", gap / MS, took / MS);
        assert!(took <= 1_300 * MS, "{took}");
    }
}

#[test]
fn an_announcement_older_than_anybodys_memory_is_refused() {
    let mut mesh = Mesh::of(3, 21);
    mesh.run_to(5 * S, Mesh::agrees);
    let stranger = mesh::identity(77);
    let keeps = mesh.settings.forget_after.as_micros() as u64;
    let wall = mesh::WALL + mesh.now;
    for (micros, taken) in [(wall - keeps - 2 * S, false), (wall - keeps / 2, true)] {
        let mut statement = mesh.nodes[1].control.me().statement().clone();
        statement.version = Version::new(micros, stranger.id());
        let said = Announcement::sign(&stranger, &mesh_key("test"), &statement);
        let mut control_frame = ControlFrame::new();
        assert!(MembershipMsg::Announce(Announced::of(&said)).write(&mut control_frame));
        let (packet, now) = (mesh.packet(1), mesh.now);
        let handled = mesh.nodes[0].control.handle_control_frame(now, &packet, control_frame.messages());
        assert_eq!(handled, if taken { Ok(()) } else { Err(Refusal::Stale) });
        assert_eq!(mesh.nodes[0].control.members().find(stranger.id()).is_some(), taken);
    }
}

#[test]
fn an_announcement_dated_further_ahead_than_clocks_may_differ_is_refused() {
    let mut mesh = Mesh::of(3, 23);
    mesh.run_to(5 * S, Mesh::agrees);
    let skew = mesh.settings.skew_max.as_micros() as u64;
    let wall = mesh::WALL + mesh.now;
    let cases = [(2 * skew, false), ((1 << 52) - 1 - wall, false), (skew + S, false), (skew - S, true)];
    for (stranger, (ahead, taken)) in (77..).zip(cases) {
        let stranger = mesh::identity(stranger);
        let mut statement = mesh.nodes[1].control.me().statement().clone();
        statement.version = Version::new(wall + ahead, stranger.id());
        let said = Announcement::sign(&stranger, &mesh_key("test"), &statement);
        for message in [MembershipMsg::Announce, MembershipMsg::Missing] {
            let mut control_frame = ControlFrame::new();
            assert!(message(Announced::of(&said)).write(&mut control_frame));
            let packet = PacketInfo { to: Some(mesh.nodes[0].id), ..mesh.packet(1) };
            let now = mesh.now;
            let handled = mesh.nodes[0].control.handle_control_frame(now, &packet, control_frame.messages());
            assert_eq!(handled, if taken { Ok(()) } else { Err(Refusal::Early) }, "{ahead} us ahead");
        }
        // Nor is it let in if it comes itself.
        let from = mesh::address(40);
        let mut control_frame = ControlFrame::new();
        assert!(MembershipMsg::Announce(Announced::of(&said)).write(&mut control_frame));
        let now = mesh.now;
        let introduced =
            mesh.nodes[0].control.introduce(now, from, stranger.id(), control_frame.messages()).map(|_| ());
        assert_eq!(introduced, if taken { Ok(()) } else { Err(Refusal::Early) });
        assert_eq!(mesh.nodes[0].control.members().find(stranger.id()).is_some(), taken);
    }
}

#[test]
fn made_up_members_of_other_regions_keep_no_real_one_out() {
    let mut mesh = Mesh::new(24);
    mesh.settings.remote_max = 64;
    mesh.add_many(2);
    mesh.run_to(5 * S, Mesh::agrees);
    let said = |mesh: &Mesh, key: usize, region: u16| {
        let mut statement = mesh.nodes[1].control.me().statement().clone();
        let identity = mesh::identity(key);
        statement.version = Version::new(mesh::WALL + mesh.now, identity.id());
        (statement.region, statement.addresses) = (Region(region), vec![mesh::address(key)]);
        Announcement::sign(&identity, &mesh_key("test"), &statement)
    };
    let tell = |mesh: &mut Mesh, keys: std::ops::Range<usize>| {
        for some in keys.collect::<Vec<_>>().chunks(4) {
            let mut control_frame = ControlFrame::new();
            for key in some {
                let said = said(mesh, *key, 9);
                assert!(MembershipMsg::Announce(Announced::of(&said)).write(&mut control_frame));
            }
            let packet = mesh.packet(1);
            mesh.deliver(0, &packet, &control_frame);
        }
    };
    let remote = |mesh: &Mesh| mesh.nodes[0].control.members().remote_len();
    tell(&mut mesh, 1_000..1_200);
    assert!((60..=64).contains(&remote(&mesh)), "{}", remote(&mesh));
    let real = said(&mesh, 500, 3);
    let mut control_frame = ControlFrame::new();
    assert!(MembershipMsg::Announce(Announced::of(&real)).write(&mut control_frame));
    let packet = PacketInfo {
        from: mesh::address(500),
        to: None,
        origin: real.id(),
        incarnation: real.statement().incarnation,
        seq: Seq(1),
        version: real.statement().version,
    };
    mesh.deliver(0, &packet, &control_frame);
    let knows = |mesh: &Mesh| {
        let members = mesh.nodes[0].control.members();
        members.find(real.id()).is_some_and(|place| members.get(place).state().is_live())
    };
    assert!(knows(&mesh), "who comes itself finds room");
    tell(&mut mesh, 1_200..1_500);
    assert!(knows(&mesh) && (60..=64).contains(&remote(&mesh)), "and keeps it");
}

#[test]
fn two_words_of_one_life_at_one_time_and_an_earlier_life_that_speaks_later_are_conflicts() {
    for earlier_life in [false, true] {
        let mut mesh = Mesh::of(4, 22);
        mesh.run_to(5 * S, Mesh::agrees);
        mesh.kill(3);
        mesh.restart(3);
        mesh.run_to(30 * S, Mesh::agrees);
        let three = mesh::identity(3);
        let mut statement = mesh.nodes[3].control.me().statement().clone();
        if earlier_life {
            statement.incarnation = Incarnation(statement.incarnation.0 - 1);
            statement.version = Version::new(mesh::WALL + mesh.now, three.id());
        } else {
            statement.boot ^= 1;
        }
        let said = Announcement::sign(&three, &mesh_key("test"), &statement);
        let mut control_frame = ControlFrame::new();
        assert!(MembershipMsg::Announce(Announced::of(&said)).write(&mut control_frame));
        let packet = mesh.packet(1);
        assert!(!mesh.nodes[0].conflicts.contains(&three.id()));
        mesh.deliver(0, &packet, &control_frame);
        assert!(mesh.nodes[0].conflicts.contains(&three.id()), "an earlier life: {earlier_life}");
    }
}

#[test]
fn a_node_that_stays_alone_says_so_once() {
    let mut mesh = Mesh::of(2, 23);
    mesh.kill(0);
    let control = &mut mesh.nodes[1].control;
    let (mut now, mut alone) = (mesh.now, 0);
    for _ in 0..200 {
        now = control.next_due().max(now + MS).min(now + S);
        control.tick(now);
        while let Some(output) = control.poll() {
            alone += usize::from(matches!(output, Output::Alone));
        }
    }
    assert_eq!(alone, 1);
}

#[test]
fn a_suspected_member_that_writes_is_told_and_suspected_no_longer() {
    let mut mesh = Mesh::of(5, 24);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(2 * S);
    let rank = mesh.nodes[4].control.me().rank();
    let accused = Accusation {
        id: mesh.nodes[4].id,
        rank,
        state: PeerState::Suspected,
        by: mesh.nodes[2].id,
        signature: None,
    };
    let mut control_frame = ControlFrame::new();
    assert!(MembershipMsg::Accuse(accused).write(&mut control_frame));
    // Long enough ago that it is not known to live from what it wrote a moment ago.
    mesh.stop(4, 60 * S);
    mesh.run(mesh.settings.probe_interval.as_micros() as u64);
    let me = Some(mesh.nodes[0].id);
    let packet = PacketInfo { to: me, ..mesh.packet(2) };
    let now = mesh.now;
    _ = mesh.nodes[0].control.handle_control_frame(now, &packet, control_frame.messages());
    assert_eq!(mesh.state(0, 4), Some(PeerState::Suspected));
    while mesh.nodes[0].control.poll().is_some() {}
    let (packet, mut hello) = (PacketInfo { to: me, ..mesh.packet(4) }, ControlFrame::new());
    assert!(MembershipMsg::Hello.write(&mut hello));
    assert_eq!(mesh.nodes[0].control.handle_control_frame(now, &packet, hello.messages()), Ok(()));
    assert_eq!(mesh.state(0, 4), Some(PeerState::Alive), "whoever writes, lives");
    let to_it = mesh.nodes[4].address;
    let control = &mut mesh.nodes[0].control;
    let told = std::iter::from_fn(|| control.poll()).any(|output| match output {
        Output::Send { to, control_frame } => {
            to == to_it && control_frame.messages().any(|message| message.body.starts_with(&accused.id.0))
        }
        _ => false,
    });
    assert!(told, "so that it can say to all that it lives");
}

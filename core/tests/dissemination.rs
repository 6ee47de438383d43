//! What dissemination promises, composed with membership, in meshes of virtual time.

mod mesh;

use mesh::{MS, Mesh, S, UPDATE};
use octick_core::control::id::UpdateId;
use octick_core::control::message::announcement::mesh_key;
use octick_core::control::message::gossip::OFFER_MAX;
use octick_core::control::message::kind::MessageKind;
use octick_core::control::reconcile::message::{LIST_ENDS, ReconcileMsg, read_names, write_names};
use octick_core::crypto::NodeId;
use octick_core::refusal::Refusal;
use octick_core::stamp::{Incarnation, Seq};
use octick_core::wire::ControlFrame;

/// Nodes that know each other and stand linked.
fn settled(n: usize, seed: u64) -> Mesh {
    let mut mesh = Mesh::of(n, seed);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(3 * S);
    mesh
}

#[test]
fn two_nodes_send_each_update_once_and_say_nothing_of_it_but_in_rounds() {
    let mut mesh = settled(2, 1);
    mesh.issue(0, 1);
    mesh.run(MS);
    assert_eq!((mesh.holders(0, 1), mesh.nodes[1].copies), (2, 1));
    mesh.run(10 * S);
    assert_eq!(mesh.nodes[0].copies + mesh.nodes[1].copies, 1);
}

#[test]
fn where_all_are_neighbours_an_update_takes_one_hop_and_one_copy_a_node() {
    let mut mesh = settled(12, 2);
    for number in 0..100 {
        mesh.issue(number as usize % 12, number);
        mesh.run(10 * MS);
    }
    for number in 0..100 {
        let of = number as usize % 12;
        let issued = mesh.nodes[of].held[&(of, number)];
        let last = mesh.nodes.iter().map(|node| node.held[&(of, number)]).max().unwrap();
        assert!(last - issued <= MS, "{}", last - issued);
    }
    let copies: u64 = mesh.nodes.iter().map(|node| node.copies).sum();
    assert_eq!(copies, 11 * 100);
}

#[test]
fn in_a_larger_region_each_node_gets_about_one_copy_within_some_hops() {
    for (n, seed) in [(32, 3), (200, 4)] {
        let mut mesh = settled(n, seed);
        mesh.nodes.iter_mut().for_each(|node| node.bytes = 0);
        mesh.issue(7, 1);
        let took = mesh.run_to(5 * S, |mesh| mesh.holders(7, 1) == n);
        mesh.run(S / 10);
        let copies: u64 = mesh.nodes.iter().map(|node| node.copies).sum();
        let bytes: u64 = mesh.nodes.iter().map(|node| node.bytes).sum();
        println!("{n} nodes: {} ms, {copies} copies, {} bytes a node", took / MS, bytes / n as u64);
        assert!(took <= 100 * MS, "{took}");
        assert!(copies <= 2 * n as u64 && bytes <= 2_000 * n as u64, "{copies} {bytes}");
    }
}

#[test]
fn what_is_lost_on_the_way_is_found_in_rounds() {
    for (n, seed) in [(2, 5), (12, 6), (60, 7)] {
        let mut mesh = settled(n, seed);
        mesh.loss_permille = 200;
        for number in 0..200 {
            mesh.issue(number as usize % n, number);
            mesh.run(5 * MS);
        }
        mesh.loss_permille = 50;
        let took =
            mesh.run_to(10 * S, |mesh| (0..200).all(|number| mesh.holders(number as usize % n, number) == n));
        println!("{n} nodes have all of 200 after another {} ms", took / MS);
    }
}

#[test]
fn at_rest_an_update_costs_nothing_any_more() {
    let mut mesh = settled(50, 8);
    mesh.run(20 * S);
    let (before, _) = mesh.traffic(30 * S);
    mesh.issue(3, 1);
    mesh.run(20 * S);
    let (after, _) = mesh.traffic(30 * S);
    println!("{before:.0} bytes/s/node before, {after:.0} after");
    // A minute after they were made, links are confirmed.
    assert!((150.0..=200.0).contains(&after) && before <= 200.0, "{before} {after}");
}

#[test]
fn convergence_is_noticed() {
    let mut mesh = settled(40, 10);
    (0..20).for_each(|number| mesh.issue(0, number));
    mesh.run(3 * S);
    for node in &mesh.nodes {
        let seen = node.control.dissemination().convergence();
        assert_eq!(seen.count, 20);
    }
}

#[test]
fn who_speaks_often_gets_a_tree_of_one_copy_a_node_and_hardly_anything_is_asked_for() {
    let (n, seed) = (40, 11);
    let mut mesh = settled(n, seed);
    let say = |mesh: &mut Mesh, numbers: std::ops::Range<u64>| {
        let pulls = |mesh: &Mesh| -> u64 {
            mesh.nodes.iter().map(|node| u64::from(node.control.dissemination().counts().pulls)).sum()
        };
        let (copies, pulled) = (mesh.nodes.iter().map(|node| node.copies).sum::<u64>(), pulls(mesh));
        for number in numbers.clone() {
            (0..4).for_each(|of| mesh.issue(of, number));
            mesh.run(5 * MS);
        }
        mesh.run(200 * MS);
        let all = 4.0 * (n - 1) as f64 * numbers.count() as f64;
        let copies = mesh.nodes.iter().map(|node| node.copies).sum::<u64>() - copies;
        (copies as f64 / all, (pulls(mesh) - pulled) as f64 / all)
    };
    let first = say(&mut mesh, 0..50);
    let later = say(&mut mesh, 50..250);
    println!("copies and pulls a node and update: first {first:.2?}, later {later:.2?}");
    assert!(later.0 < 1.1 && later.1 < 0.05, "{later:?}");
    for of in 0..4 {
        assert_eq!(mesh.holders(of, 249), n);
        let late = mesh.nodes.iter().map(|node| node.held[&(of, 240)]).max().unwrap()
            - mesh.nodes[of].held[&(of, 240)];
        assert!(late < 10 * MS, "{late}");
    }
}
#[test]
fn an_update_crosses_regions_in_one_wave() {
    let mut mesh = Mesh::new(9);
    mesh.regions = 4;
    mesh.add_many(80);
    mesh.run(10 * S);
    mesh.nodes.iter_mut().for_each(|node| (node.bytes, node.copies) = (0, 0));
    mesh.issue(5, 1);
    let took = mesh.run_to(5 * S, |mesh| mesh.holders(5, 1) == 80);
    let bytes: u64 = mesh.nodes.iter().map(|node| node.bytes).sum();
    println!("80 nodes in 4 regions: {} ms, {} copies' worth of bytes", took / MS, bytes / UPDATE);
    assert!(took <= 200 * MS, "{took}");
}

/// Nodes of several regions, all of which have one node of one region for their seed.
fn regions(regions: u16, n: usize, seed: u64) -> Mesh {
    let mut mesh = Mesh::new(seed);
    mesh.regions = regions;
    mesh.add_many(n);
    mesh
}

#[test]
fn every_node_comes_to_know_enough_of_every_region() {
    let mut mesh = regions(5, 150, 12);
    let knows = |mesh: &Mesh| {
        mesh.nodes.iter().all(|node| {
            let there: Vec<usize> = node.control.dissemination().regions().map(|(_, count)| count).collect();
            there.len() == 4 && there.iter().all(|count| *count >= 12)
        })
    };
    let took = mesh.run_to(120 * S, knows);
    println!("150 nodes in 5 regions know 12 members of each after {} s", took / S);
    mesh.run(150 * S);
    let (bytes, signatures) = mesh.traffic(30 * S);
    println!("{bytes:.0} bytes/s/node and {signatures:.0} of signatures at rest");
    assert!(took <= 60 * S && bytes <= 400.0, "{took} {bytes}");
}

#[test]
fn a_leader_that_is_gone_is_missed_abroad_within_seconds() {
    let mut mesh = regions(3, 60, 13);
    mesh.run(40 * S);
    let leader_of_0 = |mesh: &Mesh| {
        let leaders = mesh.nodes.iter().filter(|node| !node.dead).flat_map(|node| {
            node.control.scout().phis(mesh.now).filter(|(region, ..)| region.0 == 0).map(|(_, place, _)| {
                let id = node.control.members().get(place).id();
                mesh.nodes.iter().position(|node| node.id == id).unwrap()
            })
        });
        leaders.collect::<Vec<_>>()
    };
    let leaders = leader_of_0(&mesh);
    assert!(leaders.len() == 2 && leaders[0] == leaders[1], "{leaders:?}");
    let gone = leaders[0];
    mesh.kill(gone);
    let took = mesh.run_to(30 * S, |mesh| {
        let now = leader_of_0(mesh);
        now.len() == 2 && now.iter().all(|leader| *leader != gone)
    });
    println!("the leader of a region is replaced after {} s", took / S);
    assert!(took <= 15 * S, "{took}");
}

#[test]
fn who_missed_more_than_offers_can_name_compares_everything() {
    for (n, seed) in [(3, 14)].into_iter().chain((15..24).map(|seed| (40, seed))) {
        let mut mesh = settled(n, seed);
        // Shorter than it takes to be given up.
        mesh.nodes[1].group = 1;
        for number in 0..600 {
            mesh.issue(0, number);
            mesh.run(2 * MS);
        }
        mesh.nodes[1].group = 0;
        // What comes next shows that something is missing; most of it would be too old for offers.
        for number in 600..620 {
            mesh.issue(0, number);
            mesh.run(20 * MS);
        }
        let took = mesh.run_to(10 * S, |mesh| (0..620).all(|number| mesh.holders(0, number) == n));
        println!("of {n} nodes one that missed 600 updates has them {} ms after the last", took / MS);
        assert!(took <= 3 * S, "{took}");
    }
}

#[test]
fn who_hears_none_of_its_neighbours_is_found_by_the_rounds_of_others() {
    for seed in 30..34 {
        let (n, victim) = (60, 7);
        let mut mesh = settled(n, seed);
        let control = &mesh.nodes[victim].control;
        let neighbours: Vec<NodeId> =
            control.dissemination().neighbours().map(|place| control.members().get(place).id()).collect();
        for id in &neighbours {
            let neighbour = mesh.nodes.iter().position(|node| node.id == *id).unwrap();
            mesh.cuts.extend([(neighbour, victim), (victim, neighbour)]);
        }
        // Others vouch for them, so they stay members, and neighbours.
        let began = mesh.now;
        for number in 0..100 {
            mesh.issue(0, number);
            mesh.run(50 * MS);
        }
        let took = mesh.run_to(2 * S, |mesh| (0..100).all(|number| mesh.holders(0, number) == n));
        let first = mesh.nodes[victim].held[&(0, 0)] - began;
        println!(
            "a node cut from {} neighbours has the first update after {} ms, all {} ms after the last",
            neighbours.len(),
            first / MS,
            took / MS
        );
        let control = &mesh.nodes[victim].control;
        let ids: Vec<NodeId> =
            control.dissemination().neighbours().map(|place| control.members().get(place).id()).collect();
        assert_eq!(ids, neighbours, "it has nobody else");
    }
}

#[test]
fn a_session_ends_with_its_member_and_not_with_the_next_at_its_place() {
    let mut mesh = Mesh::new(41);
    // Room for three: whoever comes next takes the place of one that left.
    mesh.settings.members_max = 3;
    mesh.add_many(3);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(3 * S);
    let place = mesh.nodes[0].control.members().find(mesh.nodes[2].id);
    let mut offer = ControlFrame::new();
    let ids: Vec<u8> = (1..=OFFER_MAX as u64).flat_map(u64::to_le_bytes).collect();
    assert!(offer.push(MessageKind::Offer as u8, &ids));
    let packet = mesh.packet(2);
    mesh.deliver(0, &packet, &offer);
    assert_eq!(mesh.nodes[0].control.sessions(), 1, "so much is unknown that all is compared");
    mesh.call(2, |control, now| control.leave(now));
    mesh.kill(2);
    mesh.run(100 * MS);
    let late = mesh.add(&[]);
    mesh.run_to(S, |mesh| mesh.nodes[0].control.members().find(mesh.nodes[late].id).is_some());
    assert_eq!(mesh.nodes[0].control.members().find(mesh.nodes[late].id), place, "its place is another's");
    assert_eq!(mesh.nodes[0].control.sessions(), 0);
}

/// Five nodes that start together and issue a thousand updates a second each from their first moment on, for so long.
fn busy(seed: u64, millis: u64) -> Mesh {
    let mut mesh = Mesh::new(seed);
    mesh.refuse_strangers = true;
    mesh.add_many(5);
    for number in 1..=millis {
        (0..5).for_each(|of| mesh.issue(of, number));
        mesh.run(MS);
    }
    mesh
}

#[test]
fn a_busy_mesh_in_which_nothing_is_lost_compares_nothing_once_all_know_each_other() {
    let copies = |mesh: &Mesh| mesh.nodes.iter().map(|node| node.copies).sum::<u64>();
    for seed in 50..56 {
        let mut mesh = busy(seed, 2_000);
        let (before, mut sessions) = (copies(&mesh), 0);
        for number in 2_001..=4_000 {
            (0..5).for_each(|of| mesh.issue(of, number));
            mesh.run(MS);
            sessions = mesh.nodes.iter().map(|node| node.control.sessions()).sum::<usize>().max(sessions);
        }
        let copies = (copies(&mesh) - before) as f64 / (2_000 * 5 * 4) as f64;
        let refused = |of| mesh.nodes.iter().map(|node| node.control.refusals().get(of)).sum::<u64>();
        println!("seed {seed}: {copies:.3} copies, at most {sessions} sessions at once");
        assert_eq!((sessions, refused(Refusal::PullsRefused), refused(Refusal::SessionTooSoon)), (0, 0, 0));
        assert!(copies < 1.01, "{copies}");
    }
}

#[test]
fn who_was_away_for_ten_seconds_has_what_it_missed_and_is_then_left_alone() {
    for seed in 60..66 {
        let mut mesh = settled(5, seed);
        mesh.nodes[2].group = 1;
        // Long enough to be declared dead, and to come back.
        for number in 0..1_000 {
            (0..5).for_each(|of| mesh.issue(of, number));
            mesh.run(10 * MS);
        }
        mesh.nodes[2].group = 0;
        for number in 1_000..1_400 {
            (0..5).for_each(|of| mesh.issue(of, number));
            mesh.run(10 * MS);
        }
        let all = |mesh: &Mesh| {
            let held = &mesh.nodes[2].held;
            (0..5).all(|of| (0..1_400).all(|number| held.contains_key(&(of, number))))
        };
        let took = mesh.run_to(10 * S, all);
        println!("seed {seed}: back with all of 4,000 missed {} ms after it came back", 4_000 + took / MS);
        let rests = |mesh: &Mesh| mesh.nodes.iter().all(|node| node.control.sessions() == 0);
        // What is known of updates is forgotten half a minute after the last of them came, and with it what there was to compare.
        mesh.run(45 * S);
        let refused = mesh.nodes.iter().map(|node| node.control.dissemination().counts().pushes_refused);
        assert_eq!(refused.sum::<u32>(), 0, "what is refused would not come");
        for number in 1_400..1_500 {
            (0..5).for_each(|of| mesh.issue(of, number));
            mesh.run(10 * MS);
            assert!(rests(&mesh));
        }
    }
}

#[test]
fn what_came_while_sets_were_compared_is_not_asked_for() {
    let mut mesh = settled(3, 42);
    mesh.kill(2);
    mesh.record = Some(Vec::new());
    let say = |mesh: &mut Mesh, kind: MessageKind, body: &[u8]| {
        let (packet, mut control_frame) = (mesh.packet(2), ControlFrame::new());
        assert!(control_frame.push(kind as u8, body));
        mesh.deliver(0, &packet, &control_frame);
    };
    let offer: Vec<u8> = (1..=OFFER_MAX as u64).flat_map(u64::to_le_bytes).collect();
    say(&mut mesh, MessageKind::Offer, &offer);
    // Whoever answers has taken in by then what comes here now.
    (1..=50).for_each(|number| mesh.issue(1, number));
    mesh.run(10 * MS);
    let said = |mesh: &Mesh| -> Vec<Vec<u8>> {
        let to_2 = mesh.record.iter().flatten().filter(|(to, ..)| *to == 2);
        let messages = to_2.flat_map(|(.., control_frame)| control_frame.messages());
        messages
            .filter(|message| message.kind == MessageKind::Reconcile as u8)
            .map(|m| m.body.to_vec())
            .collect()
    };
    let (topic, _) = ReconcileMsg::decode(&said(&mesh)[0]).expect("it opens a session");
    let id = |number| UpdateId::of(&mesh_key("test"), mesh.nodes[1].id, Incarnation(1), Seq(number)).0;
    let there: Vec<u64> = (1..=60).map(id).collect();
    say(&mut mesh, MessageKind::Reconcile, &ReconcileMsg::Far { share: 9, size: 60 }.encode(topic));
    let list = ReconcileMsg::List { cursor: 0, next: LIST_ENDS, names: &write_names(&there) };
    say(&mut mesh, MessageKind::Reconcile, &list.encode(topic));
    mesh.run(100 * MS);
    let wanted = said(&mesh).into_iter().flat_map(|body| match ReconcileMsg::decode(&body) {
        Some((_, ReconcileMsg::Want { names })) => read_names::<u64>(names).expect("whole names"),
        _ => Vec::new(),
    });
    assert_eq!(wanted.collect::<Vec<_>>(), there[50..]);
}

#[test]
fn a_critical_update_is_there_first_and_straight_where_it_concerns() {
    let (n, seed) = (120, 16);
    let mut mesh = settled(n, seed);
    let mut spent = [0; 2];
    for round in 0..10 {
        for (critical, spent) in [false, true].into_iter().zip(&mut spent) {
            let number = 2 * round + u64::from(critical);
            let of = round as usize * 11;
            if critical {
                let to = mesh.nodes[(of + 60) % n].id;
                mesh.issue_critical(of, number, to);
                mesh.run(MS);
                assert!(mesh.nodes[(of + 60) % n].held.contains_key(&(of, number)), "one hop");
            } else {
                mesh.issue(of, number);
            }
            let began = mesh.nodes[of].held[&(of, number)];
            mesh.run(S);
            assert_eq!(mesh.holders(of, number), n);
            let mut came: Vec<u64> = mesh.nodes.iter().map(|node| node.held[&(of, number)] - began).collect();
            came.sort_unstable();
            *spent += came[n / 2];
        }
    }
    println!(
        "half of {n} nodes have an update after {:?} us on average, a critical one second",
        spent.map(|us| us / 10)
    );
    assert!(2 * spent[1] < spent[0], "{spent:?}");
}

/// Starts `n` nodes within `spread` microseconds and lets each issue an update when it starts, another a little later and
/// a third as soon as everybody knows everybody. Returns how long after that moment everybody has all of them, and how
/// many copies came to a node.
fn first_writes(n: usize, spread: u64, seed: u64) -> (u64, f64) {
    let mut mesh = Mesh::new(seed);
    mesh.refuse_strangers = true;
    for i in 0..n {
        mesh.add(&[]);
        mesh.issue(i, 1);
        mesh.run(spread / n as u64);
        mesh.issue(i, 2);
    }
    mesh.run_to(5 * S, Mesh::agrees);
    (0..n).for_each(|i| mesh.issue(i, 3));
    let all = |mesh: &Mesh| (0..n).all(|i| (1..=3).all(|number| mesh.holders(i, number) == n));
    let took = mesh.run_to(20 * S, all);
    let copies: u64 = mesh.nodes.iter().map(|node| node.copies).sum();
    (took, copies as f64 / n as f64 / (3 * n) as f64)
}

#[test]
fn writes_made_right_after_start_arrive_at_once() {
    let (mut worst, mut copies_worst): (u64, f64) = (0, 0.0);
    for round in 0..100 {
        let n = 3 + round as usize % 3;
        let (took, copies) = first_writes(n, round * 500, round);
        (worst, copies_worst) = (worst.max(took), copies_worst.max(copies));
    }
    println!("100 rounds of 3 to 5 nodes: {} ms at worst, {copies_worst:.2} copies", worst / MS);
    assert!(worst <= 100 * MS, "{worst}");
    // And in meshes of more than one knows at once.
    for (n, spread, seed) in [(14, 0, 1), (15, 300 * MS, 2), (32, 10 * MS, 3), (100, 10 * MS, 4)] {
        let (took, copies) = first_writes(n, spread, seed);
        println!("{n} nodes that start within {} ms: {} ms, {copies:.2} copies", spread / MS, took / MS);
        // The last of very many may wait for a newcomer's next comparison.
        assert!(took <= if n > 32 { S } else { 100 * MS }, "{n} nodes: {took}");
    }
}

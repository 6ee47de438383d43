//! Nodes that find each other: real sockets, one seed.

mod patience;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use octick::{
    Config, Expelled, Handle, Identity, Layout, Membership, MeshError, Mode, NotReady, PeerState,
    QuorumError, QuorumView, Reject, Run, Slot, Update, WriteError,
};
use patience::{PATIENCE, until};

const LAYOUT: Layout = Layout { slots: 4_096, cells8: true, cells4: false, rows: false };

fn identity(n: usize) -> Identity {
    Identity::from_seed(&[n as u8 + 1; 32])
}

fn run(n: usize) -> Run {
    Run { first: Slot(64 * n as u32), len: 64 }
}

/// Node `n` of a mesh that is entered through `seed`.
fn start(n: usize, seed: Option<SocketAddr>, change: impl FnOnce(&mut Config)) -> Handle {
    let mut config = Config::new(identity(n), (Ipv4Addr::LOCALHOST, 0).into());
    config.layout = LAYOUT;
    config.runs = vec![run(n)];
    // Whatever is missed is found by comparing.
    config.push.refresh = Duration::ZERO;
    let mut membership = Membership::default();
    membership.settings.seeds = seed.into_iter().collect();
    config.membership = Some(membership);
    change(&mut config);
    octick::start(config.check().expect("the configuration holds together")).expect("the node starts")
}

fn live(node: &Handle) -> usize {
    node.mesh().expect("it looks after a mesh").live().count()
}

fn state(node: &Handle, of: usize) -> Option<PeerState> {
    let id = identity(of).id();
    let view = node.mesh().expect("it looks after a mesh");
    view.members.iter().find(|member| member.id == id).map(|member| member.state)
}

#[test]
fn nodes_that_know_one_seed_find_each_other_and_exchange_cells() {
    for mode in [Mode::Solo, Mode::Split { ingress: 1 }] {
        let seed = start(0, None, |config| config.threads.mode = mode);
        let address = seed.local_addr();
        let others = (1..6).map(|n| start(n, Some(address), |config| config.threads.mode = mode));
        let nodes: Vec<Handle> = std::iter::once(seed).chain(others).collect();
        until("everybody knows everybody", || nodes.iter().all(|node| live(node) == nodes.len()));
        for (n, node) in nodes.iter().enumerate() {
            node.writer().write(Update::Cell8(run(n).first, 100 + n as u64)).expect("its own cell");
        }
        until("every cell is everywhere", || {
            let has = |node: &Handle, n: usize| {
                node.reader().cell8(run(n).first).is_some_and(|cell| cell.value == 100 + n as u64)
            };
            nodes.iter().all(|node| (0..nodes.len()).all(|n| has(node, n)))
        });
        for node in nodes {
            let stats = node.stop().expect("it ran to the end");
            assert_eq!(stats.tally.rejected(Reject::BadSignature), 0);
            assert_eq!(stats.tally.rejected(Reject::NotOwner), 0);
        }
    }
}

#[test]
fn a_node_that_is_gone_is_noticed_and_one_that_says_goodbye_has_left() {
    let seed = start(0, None, |_| ());
    let address = seed.local_addr();
    let mut nodes: Vec<Handle> =
        std::iter::once(seed).chain((1..4).map(|n| start(n, Some(address), |_| ()))).collect();
    until("everybody knows everybody", || nodes.iter().all(|node| live(node) == 4));

    nodes[3].leave().expect("it looks after a mesh");
    until("the others know", || nodes[..3].iter().all(|node| state(node, 3) == Some(PeerState::Left)));
    drop(nodes.pop());

    // Dropped without a word.
    drop(nodes.pop());
    until("the others notice", || nodes.iter().all(|node| state(node, 2) == Some(PeerState::Failed)));
    assert!(nodes.iter().all(|node| live(node) == 2));
}

#[test]
fn a_node_that_comes_back_in_another_life_is_taken_in() {
    let seed = start(0, None, |_| ());
    let address = seed.local_addr();
    let first = start(1, Some(address), |config| config.incarnation = Some(1));
    until("they know each other", || live(&seed) == 2);
    drop(first);
    let second = start(1, Some(address), |config| config.incarnation = Some(2));
    until("the new life is known", || {
        let view = seed.mesh().expect("it looks after a mesh");
        view.live().any(|member| member.id == second.id() && member.incarnation.0 == 2)
    });
    second.writer().write(Update::Cell8(run(1).first, 9)).expect("its own cell");
    until("and heard", || seed.reader().cell8(run(1).first).is_some_and(|cell| cell.value == 9));
}

#[test]
fn two_nodes_without_seeds_meet_when_one_is_told_to_join() {
    let nodes = [0, 1].map(|n| start(n, None, |_| ()));
    nodes[0].join(nodes[1].local_addr()).expect("it looks after a mesh");
    until("they know each other", || nodes.iter().all(|node| live(node) == 2));
    let force_leave = |id| nodes[0].force_leave(id, false).expect("it looks after a mesh");
    assert_eq!(force_leave(nodes[1].id()), Expelled::Suspected);
    assert_eq!(force_leave(nodes[0].id()), Expelled::Itself);
    assert_eq!(force_leave(identity(7).id()), Expelled::Unknown);
    until("who is declared gone wrongly says so", || nodes.iter().all(|node| live(node) == 2));
}

#[test]
fn slots_that_two_claim_stay_with_who_claimed_them_first() {
    let seed = start(0, None, |_| ());
    let address = seed.local_addr();
    let first = start(1, Some(address), |_| ());
    until("they know each other", || live(&seed) == 2);
    let second = start(2, Some(address), |config| config.runs = vec![run(1)]);
    until("everybody knows everybody", || [&seed, &first, &second].iter().all(|node| live(node) == 3));
    let (writer, update) = (second.writer(), Update::Cell8(run(1).first, 666));
    let lost = WriteError::SlotsLost { slot: run(1).first, to: first.id() };
    until("the second knows", || writer.write(update) == Err(lost));
    first.writer().write(Update::Cell8(run(1).first, 7)).expect("its own cell");
    until("the first one's word counts", || {
        seed.reader().cell8(run(1).first).is_some_and(|cell| cell.value == 7)
    });
    assert_eq!(seed.reader().cell8(run(1).first).map(|cell| cell.value), Some(7));
    until("the second hears it, too", || {
        second.reader().cell8(run(1).first).is_some_and(|cell| cell.value == 7)
    });
    assert_eq!([&seed, &first, &second].map(|node| node.owner_of(run(1).first)), [Some(first.id()); 3]);
}

#[test]
fn a_node_without_membership_says_so() {
    let node = start(0, None, |config| config.membership = None);
    assert_eq!(node.mesh().unwrap_err(), MeshError::NoMembership);
    assert_eq!(node.leave().unwrap_err(), MeshError::NoMembership);
    assert_eq!(node.join(node.local_addr()).unwrap_err(), MeshError::NoMembership);
    let error = node.force_leave(identity(1).id(), false).unwrap_err();
    assert_eq!(error, MeshError::NoMembership);
    assert!(error.to_string().contains("Config::membership"), "it says what to do: {error}");
    assert_eq!(node.force_leave_failed(true).unwrap_err(), MeshError::NoMembership);
}

#[test]
fn a_node_that_has_lost_its_quorum_takes_ordinary_writes_only() {
    let quick = |config: &mut Config| {
        let settings = &mut config.membership.as_mut().expect("it has one").settings;
        (settings.probe_interval, settings.probe_timeout) =
            (Duration::from_millis(100), Duration::from_millis(40));
    };
    let seed = start(0, None, quick);
    let address = seed.local_addr();
    let others: Vec<Handle> = (1..4).map(|n| start(n, Some(address), quick)).collect();
    until("everybody knows everybody", || live(&seed) == 4 && others.iter().all(|node| live(node) == 4));
    let (writer, update) = (seed.writer(), Update::Cell8(run(0).first, 7));
    writer.write_with_quorum(update).expect("three others are there");
    // Stopped without a goodbye.
    others.into_iter().for_each(|node| _ = node.stop());
    until("the quorum is lost", || writer.write_with_quorum(update).is_err());
    until("all are missed", || live(&seed) == 1);
    until("it is not ready, and says why", || {
        seed.ready(Duration::ZERO) == Err(NotReady::Partitioned { reachable: 1, required: 3 })
    });
    until("the refusal says so", || {
        writer.write_with_quorum(update) == Err(QuorumError::Partitioned { reachable: 1, required: 3 })
    });
    writer.write(update).expect("this one needs nobody");
    let again = start(1, Some(address), quick);
    let more = start(2, Some(address), quick);
    until("two are back", || live(&seed) == 3 && live(&again) == 3 && live(&more) == 3);
    until("the quorum is there", || writer.write_with_quorum(update).is_ok());
    seed.ready(PATIENCE).expect("it is a member like any other again");
}

#[test]
fn who_failed_and_is_made_to_leave_is_not_waited_for() {
    let quick = |config: &mut Config| {
        let settings = &mut config.membership.as_mut().expect("it has one").settings;
        (settings.probe_interval, settings.probe_timeout) =
            (Duration::from_millis(100), Duration::from_millis(40));
    };
    let seed = start(0, None, quick);
    let address = seed.local_addr();
    let other = start(1, Some(address), quick);
    let short_lived = start(2, Some(address), |config| {
        quick(config);
        config.membership.as_mut().expect("it has one").ephemeral = true;
    });
    let third = start(3, Some(address), quick);
    let nodes = [&seed, &other, &short_lived, &third];
    until("everybody knows everybody", || nodes.iter().all(|node| live(node) == 4));
    let quorum = |node: &Handle| node.mesh().expect("it looks after a mesh").quorum;
    assert_eq!(quorum(&other), QuorumView { members: 3, may_fail: 0, required: 3, reachable: 3 });
    drop(short_lived);
    until("the ephemeral one is missed", || live(&seed) == 3 && live(&other) == 3);
    seed.writer().write_with_quorum(Update::Cell8(run(0).first, 1)).expect("it never counted");
    let gone = third.id();
    drop(third);
    until("of three that count, one is missed", || live(&seed) == 2 && live(&other) == 2);
    until("there is no quorum", || seed.writer().write_with_quorum(Update::Cell8(run(0).first, 2)).is_err());
    let missing: Vec<_> = other.mesh().expect("it looks after a mesh").missing().map(|m| m.id).collect();
    assert_eq!(missing, [gone]);
    assert!(other.force_leave_failed(true).expect("it looks after a mesh").contains(&gone));
    until("both count two", || [&seed, &other].iter().all(|node| quorum(node).members == 2));
    until("there is a quorum", || seed.writer().write_with_quorum(Update::Cell8(run(0).first, 3)).is_ok());
    until("nobody sees it", || {
        let view = seed.mesh().expect("it looks after a mesh");
        view.members.iter().all(|member| member.id != gone)
    });
}

#[test]
fn a_latecomer_gets_what_was_said_once_long_before_it_came() {
    let seed = start(0, None, |_| ());
    let address = seed.local_addr();
    let second = start(1, Some(address), |_| ());
    until("both are there", || live(&seed) == 2 && live(&second) == 2);
    for (n, node) in [(0, &seed), (1, &second)] {
        for i in 0..64 {
            let slot = Slot(run(n).first.0 + i);
            node.writer().write(Update::Cell8(slot, u64::from(i))).expect("its own cell");
        }
    }
    let has_all = |node: &Handle| {
        let all = (0..128).all(|slot| node.reader().cell8(Slot(slot)).is_some());
        all && node.digest().is_ok()
    };
    until("both have all", || has_all(&seed) && has_all(&second));
    let late = start(2, Some(address), |_| ());
    until("the latecomer has all", || has_all(&late));
    until("and the same", || {
        let digest = late.digest().expect("it runs");
        seed.digest() == Ok(digest) && second.digest() == Ok(digest)
    });
}

#[test]
fn a_critical_write_leaves_at_once_however_long_others_wait() {
    let patient = |config: &mut Config| config.push.flush = Duration::from_secs(3);
    let seed = start(0, None, patient);
    let other = start(1, Some(seed.local_addr()), patient);
    until("both are there", || live(&seed) == 2 && live(&other) == 2);
    let (writer, slot) = (seed.writer(), run(0).first);
    // The first after a quiet while goes at once; from then on they gather.
    writer.write(Update::Cell8(slot, 1)).expect("its own cell");
    let holds = |value: u64| other.reader().cell8(slot).is_some_and(|cell| cell.value == value);
    until("the first is there", || holds(1));
    let began = Instant::now();
    writer.write(Update::Cell8(slot, 2)).expect("its own cell");
    writer.write_critical(Update::Cell8(slot, 3), Some(other.id())).expect("its own cell");
    until("the critical one is there", || holds(3));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

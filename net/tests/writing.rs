//! What is written, refused, written together, and sent before the end: real nodes over loopback.

mod patience;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use octick::{
    Config, Handle, Identity, Layout, Membership, NotReady, PeerState, QuorumError, Run, Slot, TableKind,
    Update, WriteError, writer,
};
use patience::{PATIENCE, until};

const LAYOUT: Layout = Layout { slots: 65_536, cells8: true, cells4: true, rows: false };

fn identity(n: usize) -> Identity {
    Identity::from_seed(&[n as u8 + 1; 32])
}

fn run(n: usize) -> Run {
    Run { first: Slot(16_384 * n as u32), len: 16_384 }
}

/// Node `n` of a mesh that is entered through `seed`.
fn start(n: usize, seed: Option<SocketAddr>, change: impl FnOnce(&mut Config)) -> Handle {
    let mut config = Config::new(identity(n), (Ipv4Addr::LOCALHOST, 0).into());
    config.layout = LAYOUT;
    config.runs = vec![run(n)];
    let mut membership = Membership { capabilities: 7 + n as u32, ..Membership::default() };
    membership.settings.seeds = seed.into_iter().collect();
    config.membership = Some(membership);
    change(&mut config);
    octick::start(config.check().expect("the configuration holds together")).expect("the node starts")
}

/// Two nodes that are ready.
fn pair(change: impl Fn(&mut Config)) -> [Handle; 2] {
    let first = start(0, None, &change);
    let second = start(1, Some(first.local_addr()), &change);
    second.ready(PATIENCE).expect("it meets the first");
    until("the first has met the second", || first.mesh().expect("it runs").live().count() == 2);
    [first, second]
}

#[test]
fn a_write_that_is_refused_says_why_and_what_to_do() {
    let [node, other] = pair(|_| ());
    let (writer, nobody) = (node.writer(), identity(9).id());
    let slot = run(0).first;
    let refusals = [
        (writer.write(Update::Row(slot, 1)), WriteError::NoTable { table: TableKind::Rows }, "rows"),
        (
            writer.write(Update::Cell8(Slot(70_000), 1)),
            WriteError::OutOfRange { slot: Slot(70_000), slots: 65_536 },
            "65535",
        ),
        (
            writer.write(Update::Cell4(run(1).first, 1)),
            WriteError::NotOwned { slot: run(1).first, key: "runs" },
            "`runs`",
        ),
        (
            writer.write_critical(Update::Cell8(slot, 1), Some(nobody)),
            WriteError::Unreachable { to: nobody, known: false },
            "no node named",
        ),
        (
            writer.write_all(&vec![Update::Cell8(slot, 1); writer::GROUP_MAX + 1]),
            WriteError::TooMany { given: writer::GROUP_MAX + 1 },
            "several groups",
        ),
        (
            writer.write_all(&[Update::Cell8(slot, 1), Update::Cell8(run(1).first, 1)]),
            WriteError::NotOwned { slot: run(1).first, key: "runs" },
            "`runs`",
        ),
    ];
    for (outcome, error, says) in refusals {
        assert_eq!(outcome, Err(error));
        assert!(error.to_string().contains(says), "{error}");
    }
    writer.write_critical(Update::Cell8(slot, 5), Some(other.id())).expect("a member that is there");
    until("only what was taken is written", || {
        other.reader().cell8(slot).is_some_and(|cell| cell.value == 5)
    });
    other.shutdown(PATIENCE).expect("it ran");
    let gone = identity(1).id();
    until("a member that has left is not written to", || {
        let unreachable = WriteError::Unreachable { to: gone, known: true };
        writer.write_critical(Update::Cell8(slot, 6), Some(gone)) == Err(unreachable)
    });
}

#[test]
fn after_the_node_has_stopped_nothing_says_that_it_was_done() {
    for shut_down in [false, true] {
        let node = start(0, None, |_| ());
        let (writer, update) = (node.writer(), Update::Cell8(run(0).first, 1));
        writer.write(update).expect("it runs");
        if shut_down {
            assert!(node.shutdown(PATIENCE).expect("it ran").unsent.is_nothing());
        } else {
            node.stop().expect("it ran");
        }
        assert_eq!(writer.write(update), Err(WriteError::Gone));
        assert_eq!(writer.write_all(&[update; 3]), Err(WriteError::Gone));
        assert_eq!(writer.write_critical(update, None), Err(WriteError::Gone));
        assert_eq!(writer.write_with_quorum(update), Err(QuorumError::Write(WriteError::Gone)));
    }
}

#[test]
fn cells_of_a_block_that_are_written_together_are_read_together_everywhere() {
    let nodes = pair(|config| config.push.flush = Duration::ZERO);
    let writer = nodes[0].writer();
    let (mut round, mut seen) = (0_u32, [0_u32; 2]);
    let began = Instant::now();
    while seen.iter().any(|seen| *seen < 200) {
        assert!(began.elapsed() < PATIENCE, "{seen:?} rounds seen");
        round += 1;
        let group: Vec<Update> = (0..16)
            .flat_map(|lane| {
                let slot = Slot(32 + lane);
                [Update::Cell8(slot, round.into()), Update::Cell4(slot, round)]
            })
            .collect();
        match writer.write_all(&group) {
            Ok(()) | Err(WriteError::Full) => {}
            Err(error) => panic!("{error}"),
        }
        for (node, seen) in nodes.iter().zip(&mut seen) {
            for index in [4, 5] {
                let block = node.reader().block8(index).expect("the table is there");
                assert_eq!(block.values, [block.values[0]; 8], "torn");
                *seen += u32::from(block.values[0] as u32 > *seen);
            }
            let block = node.reader().block4(2).expect("the table is there");
            assert_eq!(block.values, [block.values[0]; 16], "torn");
        }
    }
}

#[test]
fn what_was_written_before_the_shutdown_arrives_and_the_goodbye_with_it() {
    // Writes gather for longer than anybody waits here: only the shutdown sends them.
    let [first, second] = pair(|config| config.push.flush = Duration::from_secs(10));
    let (writer, id) = (second.writer(), second.id());
    let cells: Vec<Update> = (0..8_000).map(|i| Update::Cell8(Slot(run(1).first.0 + i), 9)).collect();
    writer.write(cells[0]).expect("its own cell");
    writer.write_all(&cells).expect("its own cells");
    let ended = second.shutdown(PATIENCE).expect("it ran");
    assert!(ended.unsent.is_nothing(), "{:?}", ended.unsent);
    until("all cells arrive", || {
        cells.iter().all(|cell| first.reader().cell8(cell.place().1).is_some_and(|cell| cell.value == 9))
    });
    until("the other has left, and not failed", || {
        let view = first.mesh().expect("it runs");
        view.members.iter().any(|member| member.id == id && member.state == PeerState::Left)
    });
}

#[test]
fn a_shutdown_without_time_tells_what_it_left_undone() {
    let node = start(0, None, |config| config.push.flush = Duration::from_secs(10));
    let (writer, reader) = (node.writer(), node.reader());
    for value in [1, 2] {
        let cells: Vec<Update> = (0..8_000).map(|i| Update::Cell8(Slot(2 * i), value)).collect();
        writer.write_all(&cells).expect("its own cells");
    }
    let unsent = node.shutdown(Duration::ZERO).expect("it ran").unsent;
    let written = (0..8_000).all(|i| reader.cell8(Slot(2 * i)).is_some_and(|cell| cell.value == 2));
    assert_eq!(unsent.is_nothing(), written, "{unsent:?}");
}

#[test]
fn a_node_is_ready_once_it_knows_its_mesh() {
    let seed = start(0, None, |_| ());
    seed.ready(Duration::ZERO).expect("the first of a mesh waits for nobody");
    let nodes: Vec<Handle> = (1..4).map(|n| start(n, Some(seed.local_addr()), |_| ())).collect();
    for node in &nodes {
        node.ready(PATIENCE).expect("its seed answers");
        let view = node.mesh().expect("it runs");
        let met = view.members.iter().find(|member| member.id == seed.id()).expect("it met its seed");
        assert_eq!((met.capabilities, met.state), (7, PeerState::Alive));
    }
}

#[test]
fn a_node_that_nobody_answers_is_not_ready_and_names_its_seeds() {
    let nobody: SocketAddr = "127.0.0.1:9".parse().expect("an address");
    let node = start(0, Some(nobody), |_| ());
    let waited = Duration::from_millis(50);
    let error = node.ready(waited).expect_err("nobody is there");
    assert_eq!(error, NotReady::NoSeedAnswers { seeds: vec![nobody], waited });
    assert!(error.to_string().contains("127.0.0.1:9"), "{error}");
}

#[test]
fn every_consumer_of_events_hears_of_every_member() {
    let first = start(0, None, |_| ());
    let mut early = first.events();
    let second = start(1, Some(first.local_addr()), |_| ());
    let id = second.id();
    let joined = |events: &mut octick::Events| {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let next = events.recv(PATIENCE).expect("the node runs");
            if let octick::NextEvent::Event(octick::MeshEvent::Member { id: member, state, .. }) = next
                && (member, state) == (id, PeerState::Alive)
            {
                return true;
            }
        }
        false
    };
    assert!(joined(&mut early));
    assert!(joined(&mut first.events()), "one that comes later hears what was");
}

#[test]
fn every_slot_names_its_owner() {
    let nodes = pair(|_| ());
    for node in &nodes {
        assert_eq!(node.owner_of(run(0).first), Some(nodes[0].id()));
        assert_eq!(node.owner_of(Slot(run(1).first.0 + run(1).len - 1)), Some(nodes[1].id()));
        assert_eq!(node.owner_of(run(2).first), None);
        assert_eq!(node.owner_of(Slot(u32::MAX)), None);
    }
}

//! Whole nodes over loopback, in every layout of threads and with every backend.

mod patience;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use octick::socket::Choice;
use octick::{
    Config, Counter, Handle, Identity, Layout, LearnError, Mode, Next, Peer, QueryError, Reject, Run, Slot,
    Update, Wait, WriteError,
};
use patience::{PATIENCE, until};

const LAYOUT: Layout = Layout { slots: 4_096, cells8: true, cells4: true, rows: true };

fn identity(n: usize) -> Identity {
    Identity::from_seed(&[n as u8 + 1; 32])
}

fn run(n: usize) -> Run {
    Run { first: Slot(1_024 * n as u32), len: 1_008 }
}

/// Addresses that were free a moment ago.
fn addresses<const N: usize>() -> [SocketAddr; N] {
    let held: [UdpSocket; N] = std::array::from_fn(|_| UdpSocket::bind("127.0.0.1:0").expect("loopback"));
    held.map(|socket| socket.local_addr().expect("bound"))
}

fn config(n: usize, addresses: &[SocketAddr]) -> Config {
    let mut config = Config::new(identity(n), addresses[n]);
    config.layout = LAYOUT;
    config.runs = vec![run(n)];
    let others = (0..addresses.len()).filter(|&other| other != n);
    let peer = |n| Peer {
        key: identity(n).public().clone(),
        addr: Some(addresses[n]),
        runs: vec![run(n)],
        revoked: false,
    };
    config.peers = others.map(peer).collect();
    config
}

fn start(config: Config) -> Handle {
    octick::start(config.check().expect("the configuration holds together")).expect("the node starts")
}

fn write_all(node: &Handle, n: usize, seed: u64) {
    let writer = node.writer();
    for slot in run(n).first.0..run(n).first.0 + run(n).len {
        let value = seed << 32 | u64::from(slot);
        for update in [
            Update::Cell8(Slot(slot), value),
            Update::Cell4(Slot(slot), slot),
            Update::Row(Slot(slot), value),
        ] {
            until("the queue has room", || writer.write(update) != Err(WriteError::Full));
        }
    }
}

fn converge(change: impl Fn(&mut Config)) {
    let addresses = addresses::<3>();
    let nodes: Vec<Handle> = (0..3)
        .map(|n| {
            let mut config = config(n, &addresses);
            change(&mut config);
            start(config)
        })
        .collect();
    for seed in 0..3 {
        nodes.iter().enumerate().for_each(|(n, node)| write_all(node, n, seed));
    }
    until("all tables are equal", || {
        // What a flood lost in the sockets, a refresh brings.
        let last = |n: usize| Slot(run(n).first.0 + 1_007);
        let all = nodes
            .iter()
            .all(|node| (0..3).all(|n| node.reader().row(last(n)).is_some_and(|c| c.value >> 32 == 2)));
        let digests: Vec<_> = nodes.iter().map(|node| node.digest().expect("it runs")).collect();
        all && digests[0] == digests[1] && digests[1] == digests[2]
    });
    for node in nodes {
        let stats = node.stop().expect("it ran to the end");
        assert!(stats.tally.get(Counter::CellsWon) >= 3 * 3 * 1_008);
        assert_eq!(stats.tally.get(Counter::CellsFaulty), 0);
        assert_eq!(stats.tally.rejected(Reject::BadSignature), 0);
        assert!(!stats.latencies.wire_ns.is_empty(), "arrivals are stamped");
    }
}

#[test]
fn three_solo_nodes_converge_over_io_uring_or_what_there_is() {
    converge(|config| config.push.refresh = Duration::from_millis(300));
}

#[test]
fn three_solo_nodes_converge_over_recvmmsg() {
    converge(|config| {
        config.push.refresh = Duration::from_millis(300);
        config.socket.backend = Choice::Mmsg;
    });
}

#[test]
fn three_split_nodes_converge() {
    converge(|config| {
        config.push.refresh = Duration::from_millis(300);
        config.threads.mode = Mode::Split { ingress: 2 };
    });
}

#[test]
fn spinning_and_yielding_nodes_converge() {
    for wait in [Wait::Spin, Wait::Yield] {
        converge(|config| {
            config.push.refresh = Duration::from_millis(300);
            config.threads.wait = wait;
        });
    }
}

#[test]
fn a_frame_reaches_a_node_that_its_origin_does_not_know() {
    let addresses = addresses::<3>();
    let mut chain: Vec<Config> = (0..3).map(|n| config(n, &addresses)).collect();
    // Node 0 sends to node 1 only; node 1 relays to node 2, whose address node 0 does not have.
    chain[0].peers.iter_mut().find(|peer| peer.addr == Some(addresses[2])).expect("listed").addr = None;
    let nodes: Vec<Handle> = chain.into_iter().map(start).collect();
    nodes[0].writer().write(Update::Cell8(Slot(5), 55)).expect("its own cell");
    until("the relayed cell", || nodes[2].reader().cell8(Slot(5)).is_some_and(|cell| cell.value == 55));
    assert_eq!(nodes[0].reader().cell8(Slot(5)), nodes[2].reader().cell8(Slot(5)), "the same version, too");
}

#[test]
fn peers_that_are_learnt_while_running_exchange_cells() {
    for mode in [Mode::Solo, Mode::Split { ingress: 1 }] {
        let addresses = addresses::<2>();
        let nodes: [Handle; 2] = std::array::from_fn(|n| {
            let mut config = config(n, &addresses);
            config.threads.mode = mode;
            config.push.refresh = Duration::from_millis(100);
            config.peers.clear();
            start(config)
        });
        for n in [0, 1] {
            let slot = run(n).first;
            nodes[n].writer().write(Update::Row(slot, 7)).expect("its own cell");
            nodes[n].learn(config(n, &addresses).peers).expect("the peer breaks no rule");
        }
        until("each has the other's cell", || {
            (0..2).all(|n| nodes[n].reader().row(run(1 - n).first).is_some_and(|cell| cell.value == 7))
        });
        // A right that was taken back ends what it allowed.
        let revoked = |mut peer: Peer| {
            peer.revoked = true;
            peer
        };
        nodes[1].learn(config(1, &addresses).peers.into_iter().map(revoked).collect()).expect("no rule");
        until("its frames are refused", || nodes[1].tally().rejected(Reject::RevokedOrigin) > 0);
    }
}

#[test]
fn a_peer_that_cannot_be_is_not_learnt() {
    let addresses = addresses::<2>();
    let node = start(config(0, &addresses));
    let peer = |runs| Peer { key: identity(2).public().clone(), addr: None, runs, revoked: false };
    let beyond = Run { first: Slot(4_080), len: 32 };
    let error = node.learn(vec![peer(vec![beyond])]).expect_err("it reaches past the tables");
    assert!(error.to_string().contains("4111") && error.to_string().contains("4096"), "{error}");
    let error = node.learn(vec![peer(vec![run(1)])]).expect_err("node 1 has these slots");
    assert!(error.to_string().contains("overlaps"), "{error}");
    let own = Peer { key: identity(0).public().clone(), addr: None, runs: Vec::new(), revoked: true };
    assert_eq!(node.learn(vec![own]), Err(LearnError::Own));
}

#[test]
fn a_subscriber_sees_every_change_of_a_quiet_mesh_in_order() {
    let addresses = addresses::<2>();
    let nodes: [Handle; 2] = std::array::from_fn(|n| start(config(n, &addresses)));
    let mut changes = nodes[1].subscribe();
    for value in 1..=20 {
        nodes[0].writer().write(Update::Row(Slot(9), value)).expect("its own cell");
        let next = changes.recv(PATIENCE);
        let Ok(Next::Change(change)) = next else { panic!("nothing was missed, but {next:?}") };
        assert!(change.slots().eq([Slot(9)]));
        assert_eq!(nodes[1].reader().row(Slot(9)).map(|cell| cell.value), Some(value));
    }
}

#[test]
fn a_node_reports_to_a_peer_that_asks() {
    let addresses = addresses::<2>();
    let nodes: [Handle; 2] = std::array::from_fn(|n| start(config(n, &addresses)));
    nodes[0].writer().write(Update::Cell8(Slot(0), 1)).expect("its own cell");
    until("the cell", || nodes[1].reader().cell8(Slot(0)).is_some());
    let report = nodes[0].query_stats(addresses[1], PATIENCE).expect("an answer");
    assert_eq!(report.tally.get(Counter::CellsWon), 1);
    let nobody = "127.0.0.1:9".parse().expect("an address");
    let timeout = Duration::from_millis(20);
    assert_eq!(nodes[0].query_stats(nobody, timeout), Err(QueryError::Silent { to: nobody, timeout }));
}

#[test]
fn garbage_from_anyone_is_counted_and_changes_nothing() {
    let addresses = addresses::<2>();
    let node = start(config(0, &addresses));
    let digest = node.digest().expect("it runs");
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    for bytes in [&[][..], &[0; 1], &[0x4F; 200], &[7; 1_400]] {
        stranger.send_to(bytes, addresses[0]).expect("loopback takes it");
    }
    until("a reject, and three of no frame's length", || {
        let stats = node.stats();
        let rejects = stats.tally.rejects().map(|(_, count)| count).sum::<u64>();
        let socket = stats.socket;
        rejects == 1 && socket.filtered + socket.kernel_drops + socket.wrong_length == 3
    });
    assert_eq!(node.digest().expect("it runs"), digest);
    assert!(node.is_running());
}

#[test]
fn a_port_in_use_is_named() {
    let holder = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let taken = holder.local_addr().expect("bound");
    let error = octick::start(Config::new(identity(0), taken).check().expect("sound"))
        .err()
        .expect("the port is taken");
    assert!(error.to_string().contains(&taken.port().to_string()), "{error}");
}

#[test]
fn a_core_that_is_not_there_is_a_warning() {
    let mut config = config(0, &addresses::<1>());
    config.threads.cores = vec![4_095];
    let node = start(config);
    assert!(node.warnings()[0].contains("4095"), "{:?}", node.warnings());
    assert!(node.is_running());
}

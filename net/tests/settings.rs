//! What passes the check starts, works and stops; everything else is refused by name.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use octick::limits::{MESH_NAME_MAX, RING_DEPTH};
use octick::socket::OpenError;
use octick::{
    Config, Handle, Identity, Kernel, Layout, Limits, Membership, Mode, Peer, Push, Rate, Run, Slot,
    SocketConfig, StartError, Threads, Update, Wait,
};
use octick_crypto::lanes;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Strategy as Any;

fn identity(n: u8) -> Identity {
    Identity::from_seed(&[n; 32])
}

/// A value that is fine most of the time, else one of those at the edge of what is allowed, or beyond.
fn mostly<T: Clone + std::fmt::Debug + 'static>(fine: T, edges: Vec<T>) -> impl Any<Value = T> {
    prop_oneof![12 => Just(fine), 1 => select(edges)]
}

fn runs() -> impl Any<Value = Vec<Run>> {
    let run = |(first, len): (u32, u32)| Run { first: Slot(first), len };
    // Runs that fit side by side, and now and then some that are crooked.
    let neat = (0_u32..20).prop_map(|n| (0..n).map(|i| Run { first: Slot(32 * i), len: 16 }).collect());
    let wild = prop::collection::vec(
        (select(vec![0, 8, 16, 1_008, u32::MAX - 15]), select(vec![0, 7, 16, 1_024, u32::MAX])),
        0..3,
    )
    .prop_map(move |runs| runs.into_iter().map(run).collect());
    prop_oneof![6 => neat, 1 => wild]
}

fn addresses() -> impl Any<Value = Vec<SocketAddr>> {
    let address = select(vec![
        "127.0.0.1:9",
        "127.0.0.1:9",
        "127.0.0.1:0",
        "0.0.0.0:9",
        "10.0.0.1:9",
        "[::1]:9",
        "224.0.0.1:9",
    ]);
    mostly_list(address.prop_map(|address| address.parse().expect("an address")))
}

fn mostly_list<T: std::fmt::Debug + 'static>(
    element: impl Any<Value = T> + 'static,
) -> impl Any<Value = Vec<T>> {
    prop_oneof![6 => Just(()).prop_map(|()| Vec::new()), 1 => prop::collection::vec(element, 0..7)]
}

fn peers() -> impl Any<Value = Vec<Peer>> {
    let peer =
        (1_u8..5, addresses(), any::<bool>(), any::<bool>()).prop_map(|(n, addresses, owns, revoked)| {
            let runs =
                if owns { vec![Run { first: Slot(640 + 16 * u32::from(n)), len: 16 }] } else { Vec::new() };
            Peer { key: identity(n).public().clone(), addr: addresses.first().copied(), runs, revoked }
        });
    mostly_list(peer)
}

fn layout() -> impl Any<Value = Layout> {
    let slots = mostly(1_024, vec![0, 8, 16, 1_040, u32::MAX - 15]);
    (slots, any::<[bool; 3]>()).prop_map(|(slots, [cells8, cells4, rows])| Layout {
        slots,
        cells8,
        cells4,
        rows,
    })
}

fn push() -> impl Any<Value = Push> {
    let time = |fine| {
        mostly(
            Duration::from_millis(fine),
            vec![Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(11), Duration::MAX],
        )
    };
    let count = || mostly(1, vec![0, 70_000, usize::MAX]);
    (count(), count(), time(1), time(5_000), mostly(64, vec![0, 1, usize::MAX]))
        .prop_map(|(fanout, relay, flush, refresh, queue)| Push { fanout, relay, flush, refresh, queue })
}

fn threads() -> impl Any<Value = Threads> {
    let mode = prop_oneof![
        4 => Just(Mode::Solo),
        4 => Just(Mode::Split { ingress: 1 }),
        1 => select(vec![0, 2, 65, usize::MAX]).prop_map(|ingress| Mode::Split { ingress }),
    ];
    let cores = mostly(vec![], vec![vec![0], vec![0, 1], vec![0, 0], vec![9_999], vec![usize::MAX, 0]]);
    (mode, cores, select(vec![Wait::Spin, Wait::Yield, Wait::Park])).prop_map(|(mode, cores, wait)| Threads {
        mode,
        cores,
        wait,
    })
}

fn limits() -> impl Any<Value = Limits> {
    let rate = || {
        (mostly(1_000, vec![0, 1, u32::MAX]), mostly(10, vec![0, 1, 1_001, u32::MAX]))
            .prop_map(|(checks_per_sec, bad_per_sec)| Rate { checks_per_sec, bad_per_sec })
    };
    (rate(), rate()).prop_map(|(peer, strangers)| Limits { peer, strangers })
}

fn verify() -> impl Any<Value = lanes::Settings> {
    let kernel = mostly(None, lanes::Kernel::ALL.map(Some).to_vec());
    let bytes = mostly(1 << 20, vec![0, 1, usize::MAX]);
    let base = select(vec![lanes::Base::Short, lanes::Base::Long]);
    (kernel, bytes, select(vec![0, 1, 1_024]), select(vec![0, 1, 16]), base).prop_map(
        |(kernel, table_bytes, cross_check, table_after, base)| lanes::Settings {
            kernel,
            table_bytes,
            cross_check,
            table_after,
            base,
        },
    )
}

fn membership() -> impl Any<Value = Option<Membership>> {
    let frame_cache = mostly(1 << 16, vec![0, 1, (1 << 16) + 1, usize::MAX]);
    let time = |fine: u64| {
        let rare = [0, 1, 60_000_000, u64::MAX / 2].map(Duration::from_micros);
        mostly(Duration::from_micros(fine), [&rare[..], &[Duration::from_nanos(1), Duration::MAX]].concat())
    };
    let times = (time(200_000), time(700_000), time(100_000), time(500_000), time(5_000_000));
    let ages = (time(86_400_000_000), mostly(1_024, vec![0, 1, 2, usize::MAX]));
    let counts =
        (mostly(3, vec![0, 8, 9, usize::MAX]), mostly(1, vec![0, 1_000, u32::MAX]), mostly(2, vec![0, 8, 9]));
    let spread = (time(6_000), time(8_000), time(30_000_000), mostly(64, vec![0, 1, usize::MAX]));
    let some = (addresses(), addresses(), frame_cache, any::<bool>(), times, ages, counts, spread).prop_map(
        |(advertise, seeds, frame_cache, lifeguard, times, ages, counts, spread)| {
            let mut membership = Membership { advertise, frame_cache, ..Membership::default() };
            let settings = &mut membership.settings;
            (settings.lifeguard, settings.seeds) = (lifeguard, seeds);
            (settings.probe_timeout, settings.probe_interval, settings.gossip_interval, ..) = times;
            (_, _, _, settings.sync_interval, settings.contact_max) = times;
            (settings.forget_after, settings.members_max) = ages;
            (settings.helpers, settings.suspicion_max, settings.confirmations) = counts;
            let to = &mut membership.spread;
            (to.lazy_delay, to.pull_timeout, to.keep, to.updates_max) = spread;
            to.missing_max = to.updates_max.min(16);
            membership
        },
    );
    prop_oneof![1 => Just(None), 2 => some.prop_map(Some)]
}

fn config() -> impl Any<Value = Config> {
    let listen = mostly("127.0.0.1:0", vec!["0.0.0.0:0", "[::1]:0", "[::]:0", "224.0.0.1:0", "192.0.2.1:0"]);
    let mesh = mostly(
        "m".to_owned(),
        vec!["".into(), "a\nb".into(), "x".repeat(MESH_NAME_MAX), "x".repeat(MESH_NAME_MAX + 1)],
    );
    let socket = (
        mostly(1 << 16, vec![0, 4_096, usize::MAX]),
        mostly(RING_DEPTH.into(), vec![0, 8, 15, 33, usize::MAX]),
    );
    let kernel = mostly(None, Kernel::ALL.map(Some).to_vec());
    let sizes = (
        mostly(64, vec![0, 1, 3, usize::MAX]),
        mostly(64, vec![0, 1, 2, 3, usize::MAX]),
        mostly(64, vec![0, 1, 2, 65_536, 65_537, usize::MAX]),
        mostly(Duration::from_secs(10), vec![Duration::ZERO, Duration::from_micros(1), Duration::MAX]),
        mostly(None, vec![Some(0), Some(1), Some(u32::MAX - 1), Some(u32::MAX)]),
    );
    let parts = (layout(), runs(), peers(), push(), threads(), limits(), verify(), membership());
    (listen, mesh, socket, kernel, any::<bool>(), sizes, parts).prop_map(
        |(listen, mesh, (receive_bytes, buffers), kernel, verify_at_once, sizes, parts)| {
            let (writes_queue, changes_ring, origins_max, skew_max, incarnation) = sizes;
            let (layout, runs, peers, push, threads, limits, verify, membership) = parts;
            let new = Config::new(identity(1), listen.parse().expect("an address"));
            Config {
                mesh,
                layout,
                runs,
                peers,
                push,
                threads,
                socket: SocketConfig { receive_bytes, buffers, ..new.socket },
                kernel,
                verify,
                verify_at_once,
                limits,
                skew_max,
                writes_queue,
                changes_ring,
                origins_max,
                membership,
                incarnation,
                ..new
            }
        },
    )
}

/// Starts what the check lets through, writes where it may, and stops. What is wrong, if anything is.
fn try_out(config: Config) -> Result<(), String> {
    let Ok(settings) = config.check() else { return Ok(()) };
    let (runs, layout) = (settings.config().runs.clone(), settings.config().layout);
    let node = match octick::start(settings) {
        Ok(node) => node,
        // The machine may refuse: an address that is not its own, say.
        Err(StartError::Socket(_) | StartError::Memory(_) | StartError::Thread(_)) => return Ok(()),
        Err(other) => return Err(format!("{other} is not about the machine")),
    };
    if let Some(run) = runs.first().filter(|_| layout.cells8) {
        node.writer().write(Update::Cell8(run.first, 42)).map_err(|error| error.to_string())?;
        let (reader, began) = (node.reader(), Instant::now());
        while reader.cell8(run.first).is_none_or(|cell| cell.value != 42) {
            if began.elapsed() > Duration::from_secs(20) {
                return Err("a write was never merged".into());
            }
            thread::yield_now();
        }
    }
    node.stop().map(drop).map_err(|error| error.to_string())
}

/// [`try_out`] that does not wait for ever, and catches a panic of any thread that the node waits for.
fn try_out_in_time(config: Config) -> Result<(), String> {
    let (done, outcome) = mpsc::channel();
    thread::spawn(move || done.send(try_out(config)));
    match outcome.recv_timeout(Duration::from_secs(60)) {
        Ok(outcome) => outcome,
        Err(mpsc::RecvTimeoutError::Timeout) => Err("it neither started nor failed".into()),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err("it panicked".into()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_passes_the_check_starts_works_and_stops(config in config()) {
        prop_assert_eq!(try_out_in_time(config), Ok(()));
    }
}

fn on(at: SocketAddr, mode: Mode) -> Result<Handle, StartError> {
    let mut config = Config::new(identity(2), at);
    config.threads.mode = mode;
    octick::start(config.check().expect("sound"))
}

/// A second one used to be let in, and each lost what the kernel gave to the other.
#[test]
fn a_split_node_shares_its_port_with_no_other_node() {
    let free: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let split = Mode::Split { ingress: 2 };
    for (first, second) in
        [(split, split), (split, Mode::Solo), (Mode::Split { ingress: 1 }, split), (Mode::Solo, split)]
    {
        let node = on(free, first).expect("any free port");
        let refused = on(node.local_addr(), second).err().expect("its port is taken");
        assert!(
            matches!(refused, StartError::Socket(OpenError::Taken(_))),
            "{first:?}, {second:?}: {refused}"
        );
        node.stop().expect("it ran");
    }
}

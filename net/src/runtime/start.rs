//! Builds a node's parts from its settings, and sets them running.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel;
use crossbeam::queue::ArrayQueue;
use octick_core::control::message::announcement::{EPHEMERAL, mesh_key};
use octick_core::control::{Control, NodeInit, Signed};
use octick_core::data::accept::Terms;
use octick_core::data::{Budgets, Ingress, Run};
use octick_core::engine::{self, Engine};
use octick_core::limits::STRANGERS;
use octick_core::stamp::{Incarnation, OriginIndex};
use octick_core::state::{Regions, State};
use octick_core::table::Kernel;
use octick_crypto::{Identity, MeshKeys, lanes};

use crate::clock;
use crate::config::{Config, Mode, Settings, random_word};
use crate::events::EventLog;
use crate::handle::{About, Handle, Inner};
use crate::limits::{COMMANDS_MAX, RING};
use crate::memory;
use crate::mesh::{Membership, Quorum};
use crate::notify::Notifier;
use crate::pool::Pool;
use crate::runtime::engine::egress::{Egress, Target};
use crate::runtime::engine::engine_loop::{self, EngineLoop};
use crate::runtime::ingress::filter::IngressStage;
use crate::runtime::ingress::sender_table::Senders;
use crate::runtime::ingress::verifier_upgrade::{Warmer, warm};
use crate::runtime::shared::peer_snapshot::{News, PeerSnapshot};
use crate::runtime::shared::thread_stats::ThreadStats;
use crate::runtime::threads::receive::Receiver;
use crate::runtime::threads::solo::Solo;
use crate::runtime::threads::split::{HandOver, Merger};
use crate::runtime::threads::threads::{StartError, Threads};
use crate::runtime::threads::waker::{ParkWaiter, SocketWaiter};
use crate::socket::{Filter, Share, Socket, SocketSettings};
use crate::status::{Standing, Status};
use crate::writer::Groups;

/// How long a port is tried that is taken: by the process that this one replaces, perhaps, which was killed just now.
const BIND_PATIENCE: Duration = Duration::from_secs(1);

/// Starts a node on threads of its own.
///
/// # Errors
/// What could not be had: the port, memory, a thread. Nothing keeps running.
pub fn start(settings: Settings) -> Result<Handle, StartError> {
    let Settings { mut config, directory } = settings;
    let kernel = config.kernel.unwrap_or_else(Kernel::detect);
    let pool = Arc::new(Pool::new(config.socket.buffers).map_err(StartError::Memory)?);
    let sockets = open(&config, &pool)?;
    let local = sockets[0].local_address();
    let about = About::of(&sockets[0], kernel, config.verify.kernel.unwrap_or_else(lanes::Kernel::detect));
    let unfiltered =
        matches!(sockets[0].filter(), Filter::Refused(_)).then(|| sockets[0].filter().to_string());
    let regions = Regions::take(&config.layout, memory::huge_region).map_err(StartError::Memory)?;
    let targets = targets(&config, local);
    let keys = MeshKeys::derive(&config.mesh);
    let skew_micros_max = config.skew_max.as_micros() as u64;
    let terms = Terms { layout: config.layout, skew_micros_max };
    let incarnation = config.incarnation.unwrap_or_else(clock::incarnation);
    let runs: Arc<[Run]> = config.runs.as_slice().into();
    let identity = config.identity;
    let mut seeds = Vec::new();
    let control = config.membership.take().map(|mut membership| {
        let peers = config.peers.iter().filter(|peer| !peer.revoked);
        // Members compare their tables, and ask for what they miss.
        config.push.refresh = Duration::ZERO;
        membership.settings.seeds.extend(peers.filter_map(|peer| peer.addr).filter(|addr| *addr != local));
        seeds.clone_from(&membership.settings.seeds);
        let incarnation = Incarnation(incarnation);
        let frame_cache = membership.frame_cache;
        let signer = Identity::from_seed(&identity.seed());
        let signer = Signed::new(signer, &config.mesh, config.verify.kernel);
        (control(membership, &config.mesh, signer, incarnation, local, &runs), frame_cache)
    });

    let all_stats: Vec<ThreadStats> =
        (0..=ingress_threads(config.threads.mode)).map(|_| ThreadStats::default()).collect();
    let thread_stats = all_stats[0].clone();
    let id = identity.id();
    let engine = Engine::new(engine::Parts {
        identity,
        keys: keys.clone(),
        incarnation: Incarnation(incarnation),
        directory: directory.clone(),
        origins_max: config.origins_max,
        runs: std::mem::take(&mut config.runs),
        state: State::new(config.layout, regions, kernel, clock::wall_micros()),
        changes: config.changes_ring,
        counters: thread_stats.counters.clone(),
        ticks: clock::ticks,
    });
    let seeded = !seeds.is_empty();
    let status = Status::new(if seeded { Standing::Unmet } else { Standing::Ready });
    let engine = match control {
        Some((control, frame_cache)) => engine.with_control(control, frame_cache),
        None => engine,
    };
    let writes = Arc::new(ArrayQueue::new(config.writes_queue));
    let groups = Groups::default();
    let (notifier, events) = (Notifier::default(), EventLog::new());
    let (waiters, watched) = (notifier.waiters(), events.source());
    let quorum = Quorum::default();
    let (commands, commanded) = channel::bounded(COMMANDS_MAX);
    let (windows, reader, changes) = (engine.windows(), engine.state().reader(), engine.changes());
    let snapshot = PeerSnapshot::new(News { directory: directory.clone(), peers: targets.clone() });
    let egress =
        Egress::new(sockets[0].sender(), targets, config.push, random_word(0), thread_stats.counters.clone());
    let engine_loop = EngineLoop::new(engine_loop::Parts {
        engine,
        egress,
        snapshot: snapshot.clone(),
        changes: notifier,
        events,
        status: status.clone(),
        seeded,
        quorum: quorum.clone(),
        thread_stats: thread_stats.clone(),
        writes: writes.clone(),
        groups: groups.clone(),
        commands: commanded,
        all_stats: all_stats.clone(),
        push: config.push,
    });
    let mut warmer = Warmer::new(config.verify);
    let mut stage = |thread_stats: &ThreadStats| {
        let (signatures, promise) = if config.verify_at_once {
            (warm(config.verify), None)
        } else {
            let (signatures, promise) = warmer.promise();
            (signatures, Some(promise))
        };
        let (directory, windows, counters) =
            (directory.clone(), windows.clone(), thread_stats.counters.clone());
        let ingress = Ingress::new(directory, windows, terms, keys.clone(), counters, clock::ticks)
            .with_signatures(signatures)
            .with_budgets(Budgets::new(&config.limits, config.origins_max as u32, STRANGERS));
        IngressStage::new(
            ingress,
            promise,
            Senders::new(config.origins_max),
            snapshot.clone(),
            thread_stats.clone(),
        )
    };

    let mut threads = Threads::new(&config.threads.cores);
    let wait = config.threads.wait;
    let waker;
    match config.threads.mode {
        Mode::Solo => {
            let mut sockets = sockets;
            let socket = sockets.pop().expect("one socket is open");
            let waiter = SocketWaiter::new(socket.alarm().clone());
            waker = waiter.waker();
            let sink = Solo { engine_loop };
            let receiver = Receiver { socket, stage: stage(&thread_stats), sink, waiter, wait };
            threads.spawn("octick", move |stop| receiver.run(stop).map(drop))?;
        }
        Mode::Split { .. } => {
            let sleeper = ParkWaiter::new();
            waker = sleeper.waker();
            let mut rings = Vec::new();
            for (i, socket) in sockets.into_iter().enumerate() {
                let (ring, end) = rtrb::RingBuffer::new(RING);
                rings.push(end);
                let thread_stats = all_stats[i + 1].clone();
                let (stage, waiter) = (stage(&thread_stats), SocketWaiter::new(socket.alarm().clone()));
                let sink = HandOver { ring, waker: sleeper.waker(), thread_stats };
                let receiver = Receiver { socket, stage, sink, waiter, wait };
                threads.spawn(&format!("octick-in{i}"), move |stop| receiver.run(stop).map(drop))?;
            }
            let merger = Merger { rings, engine_loop, sleeper, wait };
            threads.spawn("octick-engine", move |stop| {
                merger.run(stop);
                Ok(())
            })?;
        }
    }
    threads.wake_to_stop(waker.clone());
    warmer.start().map_err(StartError::Thread)?;
    let warnings = threads.warnings().into_iter().chain(unfiltered).collect();
    Ok(Handle::new(Inner {
        id,
        local,
        about,
        warnings,
        threads,
        runs,
        writes,
        groups,
        commands,
        waker,
        reader,
        changes,
        waiters,
        all_stats,
        events: watched,
        quorum,
        status,
        peers: snapshot,
        seeds,
    }))
}

/// A control plane that is born now.
fn control(
    membership: Membership,
    mesh: &str,
    signer: Signed,
    incarnation: Incarnation,
    local: SocketAddr,
    runs: &[Run],
) -> Control {
    let addresses = match &membership.advertise[..] {
        [] if !local.ip().is_unspecified() => vec![local],
        advertise => advertise.to_vec(),
    };
    let secret = std::array::from_fn(|i| random_word(i as u64) as u8);
    let init = NodeInit {
        mesh: mesh_key(mesh),
        // The engine loop's clock begins with it.
        now: 0,
        wall: clock::wall_micros(),
        id: signer.id(),
        incarnation,
        region: membership.region,
        capabilities: membership.capabilities | if membership.ephemeral { EPHEMERAL } else { 0 },
        addresses,
        runs: runs.to_vec(),
        seed: random_word(u64::from(incarnation.0)),
        secret,
    };
    let settings = membership.control().check().expect("it was checked with the configuration");
    Control::new(settings, init, Box::new(signer))
}

/// One socket, or one for each ingress thread on a shared port: the first takes it, the others join.
fn open(config: &Config, pool: &Arc<Pool>) -> Result<Vec<Socket>, StartError> {
    let settings = SocketSettings {
        receive_buffer_bytes: config.socket.receive_bytes,
        backend: config.socket.backend,
        bind_patience: BIND_PATIENCE,
        ..SocketSettings::new(config.listen)
    };
    let count = config.threads.mode.sockets();
    let share = if count > 1 { Share::First } else { Share::Alone };
    let first =
        Socket::open(&SocketSettings { share, ..settings.clone() }, pool).map_err(StartError::Socket)?;
    let joins = SocketSettings { share: Share::Join, bind: first.local_address(), ..settings };
    let others = (1..count).map(|_| Socket::open(&joins, pool).map_err(StartError::Socket));
    std::iter::once(Ok(first)).chain(others).collect()
}

fn ingress_threads(mode: Mode) -> usize {
    match mode {
        Mode::Solo => 0,
        Mode::Split { ingress } => ingress,
    }
}

/// The peers that can be sent to. Their places in the directory follow this node's own.
fn targets(config: &Config, local: SocketAddr) -> Vec<Target> {
    let place = |(i, peer): (usize, &crate::config::Peer)| {
        let addr = peer.addr.filter(|addr| *addr != local && !peer.revoked)?;
        Some(Target { origin: OriginIndex(i as u32 + 1), addr })
    };
    config.peers.iter().enumerate().filter_map(place).collect()
}

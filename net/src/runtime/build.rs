//! A node's parts, made from its settings: the port is taken, memory is there, and no thread runs yet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel;
use crossbeam::queue::ArrayQueue;
use octick_core::control::message::announcement::{EPHEMERAL, mesh_key};
use octick_core::control::{Control, NodeInit, Signed};
use octick_core::data::Run;
use octick_core::data::accept::Terms;
use octick_core::engine::{self, Engine};
use octick_core::stamp::OriginIndex;
use octick_core::state::{Regions, State};
use octick_core::table::Kernel;
use octick_crypto::{Identity, MeshKeys, lanes};

use crate::clock;
use crate::config::{Config, Mode, Settings, random_word};
use crate::events::EventLog;
use crate::handle::{About, Inner};
use crate::limits::COMMANDS_MAX;
use crate::memory;
use crate::mesh::{Membership, Quorum, Rule};
use crate::notify::Notifier;
use crate::pool::Pool;
use crate::runtime::engine::egress::{Egress, Target};
use crate::runtime::engine::engine_loop::{self, EngineLoop};
use crate::runtime::ingress::stages::{self, Stages};
use crate::runtime::shared::peer_snapshot::{News, PeerSnapshot};
use crate::runtime::shared::thread_stats::ThreadStats;
use crate::runtime::threads::threads::StartError;
use crate::socket::{Share, Socket, SocketSettings};
use crate::stable::{Beginning, Keeper, MemoryStore};
use crate::status::{Standing, Status};
use crate::writer::Groups;

/// How long a port is tried that is taken: by the process that this one replaces, perhaps, which was killed just now.
const BIND_PATIENCE: Duration = Duration::from_secs(1);

/// A node that does not run yet.
pub(in crate::runtime) struct Node {
    /// What its handle holds of it.
    pub(in crate::runtime) inner: Inner,
    /// One, or one for each receiving thread.
    pub(in crate::runtime) sockets: Vec<Socket>,
    /// Makes what checks the datagrams of a receiving thread.
    pub(in crate::runtime) stages: Stages,
    /// The engine, and what it reads and writes.
    pub(in crate::runtime) engine_loop: EngineLoop,
}

/// Makes a node's parts.
///
/// # Errors
/// What could not be had: the port, or memory.
pub(in crate::runtime) fn build(settings: Settings) -> Result<Node, StartError> {
    let Settings { mut config, directory } = settings;
    let kernel = config.kernel.unwrap_or_else(Kernel::detect);
    let pool = Arc::new(Pool::new(config.socket.buffers).map_err(StartError::Memory)?);
    let sockets = open(&config, &pool)?;
    let local = sockets[0].local_address();
    let about = About::of(&sockets[0], kernel, config.verify.kernel.unwrap_or_else(lanes::Kernel::detect));
    let regions = Regions::take(&config.layout, memory::huge_region).map_err(StartError::Memory)?;
    let state = State::new(config.layout, regions, kernel, clock::wall_micros());
    let targets = targets(&config, local);
    let keys = MeshKeys::derive(&config.mesh);
    let runs: Arc<[Run]> = config.runs.as_slice().into();
    let store = std::mem::replace(&mut config.stable_store, Box::new(MemoryStore::default()));
    let (keeper, beginning) = Keeper::begin(store, config.incarnation, config.skew_max, clock::wall_ns())
        .map_err(StartError::Stable)?;
    let incarnation = beginning.incarnation;
    let (control, seeds) = match config.membership.take() {
        Some(membership) => {
            // Members compare their tables, and ask for what they miss.
            config.push.refresh = Duration::ZERO;
            let seeds = seeds(&membership, &config, local);
            (Some(control(membership, &config, seeds.clone(), beginning, local)), seeds)
        }
        None => (None, Vec::new()),
    };
    let all_stats: Vec<ThreadStats> =
        (0..=ingress_threads(config.threads.mode)).map(|_| ThreadStats::default()).collect();
    let (thread_stats, id) = (all_stats[0].clone(), config.identity.id());
    let engine = Engine::new(engine::Parts {
        identity: config.identity,
        keys: keys.clone(),
        incarnation,
        directory: directory.clone(),
        origins_max: config.origins_max,
        runs: config.runs,
        state,
        changes: config.changes_ring,
        counters: thread_stats.counters.clone(),
        ticks: clock::ticks,
    });
    let mut engine = match control {
        Some((control, frame_cache)) => engine.with_control(control, frame_cache),
        None => engine,
    };
    engine.resume_clock(beginning.clock.0);
    if beginning.hears_first && !seeds.is_empty() {
        engine.hear_first();
    }

    let status = Status::new(if seeds.is_empty() { Standing::Ready } else { Standing::Unmet });
    let writes = Arc::new(ArrayQueue::new(config.writes_queue));
    let (groups, quorum) = (Groups::default(), Quorum::default());
    let (notifier, events) = (Notifier::default(), EventLog::new());
    let (commands, commanded) = channel::bounded(COMMANDS_MAX);
    let snapshot = PeerSnapshot::new(News { directory: directory.clone(), peers: targets.clone() });
    let stages = Stages::new(stages::Parts {
        verify: config.verify,
        at_once: config.verify_at_once,
        limits: config.limits,
        origins_max: config.origins_max,
        id,
        terms: Terms { layout: config.layout, skew_micros_max: config.skew_max.as_micros() as u64 },
        directory,
        windows: engine.windows(),
        keys,
        snapshot: snapshot.clone(),
    });
    let inner = Inner {
        id,
        local,
        about,
        runs,
        writes: writes.clone(),
        groups: groups.clone(),
        commands,
        reader: engine.state().reader(),
        changes: engine.changes(),
        waiters: notifier.waiters(),
        all_stats: all_stats.clone(),
        events: events.source(),
        quorum: quorum.clone(),
        status: status.clone(),
        peers: snapshot.clone(),
        seeds,
        beginning,
        keeper,
    };
    let counters = thread_stats.counters.clone();
    let engine_loop = EngineLoop::new(engine_loop::Parts {
        engine,
        egress: Egress::new(sockets[0].sender(), targets, config.push, random_word(0), counters),
        snapshot,
        changes: notifier,
        events,
        status,
        seeded: !inner.seeds.is_empty(),
        quorum,
        thread_stats,
        writes,
        groups,
        commands: commanded,
        all_stats,
        push: config.push,
        reservation: inner.keeper.reservation(),
    });
    Ok(Node { inner, sockets, stages, engine_loop })
}
/// Where a member begins to look for its mesh: at its seeds, and at the peers that are listed.
fn seeds(membership: &Membership, config: &Config, local: SocketAddr) -> Vec<SocketAddr> {
    let peers = config.peers.iter().filter(|peer| !peer.revoked).filter_map(|peer| peer.addr);
    let seeds = membership.settings.seeds.iter().copied();
    seeds.chain(peers.filter(|addr| *addr != local)).collect()
}

/// A control plane that is born now, and the bytes of its frame cache.
fn control(
    mut membership: Membership,
    config: &Config,
    seeds: Vec<SocketAddr>,
    beginning: Beginning,
    local: SocketAddr,
) -> (Control, usize) {
    let signer = Identity::from_seed(&config.identity.seed());
    let signer = Signed::new(signer, &config.mesh, config.verify.kernel);
    membership.settings.seeds = seeds;
    membership.settings.skew_max = config.skew_max;
    let addresses = match &membership.advertise[..] {
        [] if !local.ip().is_unspecified() => vec![local],
        advertise => advertise.to_vec(),
    };
    let secret = std::array::from_fn(|i| random_word(i as u64) as u8);
    // The configuration beats whatever anybody says.
    let mut admission = std::mem::take(&mut membership.admission);
    if admission.rule() == Rule::Listed {
        // Whoever starts a node lists it.
        admission.list(signer.id(), config.runs.clone());
    }
    for peer in &config.peers {
        match peer.revoked {
            true => admission.ban(peer.key.id()),
            false => admission.list(peer.key.id(), peer.runs.clone()),
        }
    }
    let init = NodeInit {
        mesh: mesh_key(&config.mesh),
        // The engine loop's clock begins with it.
        now: 0,
        // As late as what was said before, wherever the wall clock is.
        wall: beginning.clock,
        id: signer.id(),
        incarnation: beginning.incarnation,
        region: membership.region,
        capabilities: membership.capabilities | if membership.ephemeral { EPHEMERAL } else { 0 },
        addresses,
        runs: config.runs.clone(),
        seed: random_word(u64::from(beginning.incarnation.0)),
        secret,
        admission,
        credential: membership.credential.take(),
    };
    let settings = membership.control().check().expect("it was checked with the configuration");
    (Control::new(settings, init, Box::new(signer)), membership.frame_cache)
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

/// The peers that can be sent to. Their places in the directory follow this node's own.
fn targets(config: &Config, local: SocketAddr) -> Vec<Target> {
    let place = |(i, peer): (usize, &crate::config::Peer)| {
        let addr = peer.addr.filter(|addr| *addr != local && !peer.revoked)?;
        Some(Target { origin: OriginIndex(i as u32 + 1), addr })
    };
    config.peers.iter().enumerate().filter_map(place).collect()
}

fn ingress_threads(mode: Mode) -> usize {
    match mode {
        Mode::Solo => 0,
        Mode::Split { ingress } => ingress,
    }
}

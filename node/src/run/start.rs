//! From settings to a running node: the key is read, names are resolved, the library starts.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use octick::socket::{Choice, bounds};
use octick::{
    Config, Handle, Kernel, Layout, Limits, Membership, Mode, NodeId, Peer, Push, Rate, Region, Slot,
    SocketConfig, Strategy, Threads, Wait,
};
use octick_crypto::key_file::{self, KeyFileError};
use octick_crypto::{Identity, lanes};

use crate::config::{self, PeerSettings, Settings};
use crate::discovery::remember;
use crate::failure::Failure;

/// Starts the node that `settings` describe.
///
/// # Errors
/// One line that says what to do about it. Nothing keeps running.
pub fn start(settings: &Settings) -> Result<Handle, Failure> {
    Ok(octick::start(library_config(settings)?.check()?)?)
}

fn library_config(settings: &Settings) -> Result<Config, Failure> {
    let identity = read_key(&settings.key_file)?;
    let peers = peers(settings, identity.id())?;
    let membership = settings.membership.enabled.then(|| membership(settings));
    let config::TableKeys { slots, cells8, cells4, rows } = settings.table;
    let push = &settings.push;
    Ok(Config {
        mesh: settings.mesh.clone(),
        layout: Layout { slots, cells8, cells4, rows },
        runs: runs(&settings.agents),
        peers,
        membership,
        push: Push {
            fanout: push.fanout,
            relay: push.relay,
            flush: Duration::from_micros(push.flush_micros),
            refresh: Duration::from_millis(push.refresh_millis),
            queue: push.queue,
        },
        threads: threads(&settings.threads),
        socket: SocketConfig {
            backend: match settings.socket.backend {
                config::Backend::Auto => Choice::Auto,
                config::Backend::Uring => Choice::Uring,
                config::Backend::Mmsg => Choice::Mmsg,
            },
            receive_bytes: settings.socket.rcvbuf_bytes,
            buffers: settings.socket.buffers,
        },
        kernel: match settings.kernel {
            config::Kernel::Auto => None,
            config::Kernel::Portable => Some(Kernel::Portable),
            config::Kernel::Avx2 => Some(Kernel::Avx2),
            config::Kernel::Avx512vl => Some(Kernel::Avx512),
        },
        verify: lanes::Settings {
            kernel: verify_kernel(settings.verify.kernel),
            table_bytes: settings.verify.table_bytes,
            cross_check: settings.verify.cross_check,
            ..Default::default()
        },
        verify_at_once: settings.verify.at_once,
        limits: limits(&settings.limits),
        skew_max: Duration::from_micros(settings.limits.skew_micros),
        writes_queue: settings.limits.writes_queue,
        changes_ring: settings.limits.changes_ring,
        incarnation: Some(octick::clock::incarnation_of_its_own()),
        ..Config::new(identity, settings.listen)
    })
}

/// The peers that `settings` list, their names resolved. The node `own` may not be among them.
pub(super) fn peers(settings: &Settings, own: NodeId) -> Result<Vec<Peer>, Failure> {
    let is_own = |peer: &PeerSettings| peer.key.id() == own;
    if let Some(i) = settings.peers.iter().position(is_own) {
        let key_file = settings.key_file.display();
        return Err(Failure::new(format!(
            "peers[{i}].public_key is this node's own key, that of {key_file}"
        )));
    }
    let peers = settings.peers.iter().enumerate().map(|(i, peer)| {
        let resolve = |addr: &String| resolve(&format!("peers[{i}].addr"), addr, settings.listen);
        let addr = peer.addr.as_ref().map(resolve).transpose()?;
        Ok(Peer { key: peer.key.clone(), addr, runs: runs(&peer.runs), revoked: peer.revoked })
    });
    peers.collect()
}

/// Seeds that are names are looked up later, by [`crate::discovery`]: a start waits for no name server.
fn membership(settings: &Settings) -> Membership {
    let keys = &settings.membership;
    let mut membership = Membership {
        region: Region(keys.region),
        advertise: keys.advertise.clone(),
        ..Membership::default()
    };
    membership.settings.lifeguard = keys.lifeguard;
    membership.settings.selection = match keys.selection {
        config::Selection::Random => Strategy::Random,
        config::Selection::LatencyAware => Strategy::LatencyAware,
        config::Selection::Hybrid => Strategy::Hybrid,
        config::Selection::Geographic => Strategy::Geographic,
    };
    membership.settings.seeds = keys.seeds.iter().filter_map(|seed| seed.parse().ok()).collect();
    if settings.discovery.remember {
        membership.settings.remembered = remember::read(&remember::file_of(&settings.key_file))
            .unwrap_or_else(|damage| {
                tracing::warn!("{damage}");
                Vec::new()
            });
    }
    membership
}

fn verify_kernel(kernel: config::VerifyKernel) -> Option<lanes::Kernel> {
    Some(match kernel {
        config::VerifyKernel::Auto => return None,
        config::VerifyKernel::Dalek => lanes::Kernel::Dalek,
        config::VerifyKernel::Portable => lanes::Kernel::Portable,
        config::VerifyKernel::Avx2 => lanes::Kernel::Avx2,
        config::VerifyKernel::Avx512 => lanes::Kernel::Avx512,
        config::VerifyKernel::Avx512Ifma => lanes::Kernel::Avx512Ifma,
    })
}

fn runs(runs: &[config::Run]) -> Vec<octick::Run> {
    runs.iter().map(|run| octick::Run { first: Slot(run.first), len: run.end - run.first }).collect()
}

fn limits(keys: &config::LimitKeys) -> Limits {
    let rate = |checks_per_sec, bad_per_sec| Rate { checks_per_sec, bad_per_sec };
    Limits {
        peer: rate(keys.peer_checks_per_sec, keys.peer_bad_per_sec),
        strangers: rate(keys.strangers_checks_per_sec, keys.strangers_bad_per_sec),
    }
}

fn threads(keys: &config::ThreadKeys) -> Threads {
    Threads {
        mode: match keys.mode {
            config::Mode::Solo => Mode::Solo,
            config::Mode::Split => Mode::Split { ingress: keys.ingress },
        },
        cores: keys.cores.clone(),
        wait: match keys.wait {
            config::Wait::Spin => Wait::Spin,
            config::Wait::Yield => Wait::Yield,
            config::Wait::Park => Wait::Park,
        },
    }
}

/// Reads a key file; if there is none, says how to make one.
///
/// # Errors
/// One line that says what to do.
pub fn read_key(path: &Path) -> Result<Identity, Failure> {
    key_file::read(path).map_err(|error| {
        let KeyFileError::Io { error: io_error, .. } = &error else { return error.into() };
        let at = path.display();
        match io_error.kind() {
            io::ErrorKind::NotFound => {
                Failure::new(format!("{at}: no key there; make one with: octick keygen --out {at}"))
            }
            io::ErrorKind::PermissionDenied => Failure::new(format!(
                "{at}: this user may not read the key; run as its owner, or: chown $USER {at}"
            )),
            _ => error.into(),
        }
    })
}

/// The first address of a name that a socket bound to `listen` can send to.
fn resolve(key: &str, addr: &str, listen: SocketAddr) -> Result<SocketAddr, Failure> {
    let found = addr.to_socket_addrs().map_err(|error| {
        Failure::new(format!(
            "{key} = \"{addr}\" does not resolve ({error}); correct the name, or give an IP address"
        ))
    })?;
    let found: Vec<SocketAddr> = found.collect();
    let reachable = |to: &&SocketAddr| bounds::reaches(listen, **to);
    found.iter().find(reachable).copied().ok_or_else(|| {
        let Some(&to) = found.first() else {
            return Failure::new(format!("{key} = \"{addr}\" resolves to no address; correct the name"));
        };
        let only = found.iter().map(|addr| addr.ip().to_string()).collect::<Vec<_>>().join(", ");
        Failure::new(format!("{key} = \"{addr}\" is {only} only: {}", bounds::OutOfReach { listen, to }))
    })
}

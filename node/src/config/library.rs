//! What the file's settings are to the library: the one place where keys become choices.

use std::time::Duration;

use octick::socket::Choice;
use octick::{
    Config, Identity, Kernel, Layout, Limits, Membership, Mode, Peer, Push, Rate, Region, Slot, SocketConfig,
    Strategy, Threads, Wait,
};
use octick_crypto::lanes;

use super::check::{PeerSettings, Run, Settings};
use super::keys;

impl Settings {
    /// The library's configuration. Peers and seeds whose addresses are names have none yet: they are looked up at start and
    /// by discovery, for nothing here asks anybody.
    pub fn library_config(&self, identity: Identity) -> Config {
        let keys::TableKeys { slots, cells8, cells4, rows } = self.table;
        let push = &self.push;
        Config {
            mesh: self.mesh.clone(),
            layout: Layout { slots, cells8, cells4, rows },
            runs: runs(&self.agents),
            peers: self.peers.iter().map(PeerSettings::to_library).collect(),
            membership: self.membership.enabled.then(|| self.library_membership()),
            push: Push {
                fanout: push.fanout,
                relay: push.relay,
                flush: Duration::from_micros(push.flush_micros),
                refresh: Duration::from_millis(push.refresh_millis),
                queue: push.queue,
            },
            threads: threads(&self.threads),
            socket: SocketConfig {
                backend: match self.socket.backend {
                    keys::Backend::Auto => Choice::Auto,
                    keys::Backend::Uring => Choice::Uring,
                    keys::Backend::Mmsg => Choice::Mmsg,
                },
                receive_bytes: self.socket.rcvbuf_bytes,
                buffers: self.socket.buffers,
            },
            kernel: match self.kernel {
                keys::Kernel::Auto => None,
                keys::Kernel::Portable => Some(Kernel::Portable),
                keys::Kernel::Avx2 => Some(Kernel::Avx2),
                keys::Kernel::Avx512vl => Some(Kernel::Avx512),
            },
            verify: lanes::Settings {
                kernel: verify_kernel(self.verify.kernel),
                table_bytes: self.verify.table_bytes,
                cross_check: self.verify.cross_check,
                ..Default::default()
            },
            verify_at_once: self.verify.at_once,
            limits: limits(&self.limits),
            skew_max: Duration::from_micros(self.limits.skew_micros),
            writes_queue: self.limits.writes_queue,
            changes_ring: self.limits.changes_ring,
            origins_max: self.limits.origins_max,
            ..Config::new(identity, self.listen)
        }
    }

    fn library_membership(&self) -> Membership {
        let keys = &self.membership;
        let mut membership = Membership {
            region: Region(keys.region),
            ephemeral: keys.ephemeral,
            advertise: keys.advertise.clone(),
            frame_cache: keys.frame_cache_bytes,
            ..Membership::default()
        };
        membership.settings.lifeguard = keys.lifeguard;
        membership.selection = match keys.selection {
            keys::Selection::Random => Strategy::Random,
            keys::Selection::LatencyAware => Strategy::LatencyAware,
            keys::Selection::Hybrid => Strategy::Hybrid,
            keys::Selection::Geographic => Strategy::Geographic,
        };
        membership.settings.seeds = keys.seeds.iter().filter_map(|seed| seed.parse().ok()).collect();
        membership
    }
}

impl PeerSettings {
    /// The library's peer; without an address if that is a name.
    pub fn to_library(&self) -> Peer {
        let addr = self.addr.as_ref().and_then(|addr| addr.parse().ok());
        Peer { key: self.key.clone(), addr, runs: runs(&self.runs), revoked: self.revoked }
    }
}

fn runs(runs: &[Run]) -> Vec<octick::Run> {
    runs.iter().map(|run| octick::Run { first: Slot(run.first), len: run.end - run.first }).collect()
}

fn verify_kernel(kernel: keys::VerifyKernel) -> Option<lanes::Kernel> {
    Some(match kernel {
        keys::VerifyKernel::Auto => return None,
        keys::VerifyKernel::Dalek => lanes::Kernel::Dalek,
        keys::VerifyKernel::Portable => lanes::Kernel::Portable,
        keys::VerifyKernel::Avx2 => lanes::Kernel::Avx2,
        keys::VerifyKernel::Avx512 => lanes::Kernel::Avx512,
        keys::VerifyKernel::Avx512Ifma => lanes::Kernel::Avx512Ifma,
    })
}

fn limits(keys: &keys::LimitKeys) -> Limits {
    let rate = |checks_per_sec, bad_per_sec| Rate { checks_per_sec, bad_per_sec };
    Limits {
        peer: rate(keys.peer_checks_per_sec, keys.peer_bad_per_sec),
        strangers: rate(keys.strangers_checks_per_sec, keys.strangers_bad_per_sec),
    }
}

fn threads(keys: &keys::ThreadKeys) -> Threads {
    Threads {
        mode: match keys.mode {
            keys::Mode::Solo => Mode::Solo,
            keys::Mode::Split => Mode::Split { ingress: keys.ingress },
        },
        cores: keys.cores.clone(),
        wait: match keys.wait {
            keys::Wait::Spin => Wait::Spin,
            keys::Wait::Yield => Wait::Yield,
            keys::Wait::Park => Wait::Park,
        },
    }
}

//! What an embedder may choose, and the one place where the spread_settings are checked against each other.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use octick_core::contradiction::Contradiction;
use octick_core::data::budget::{Limits, Rate};
use octick_core::data::{Directory, DirectoryError, Origin, Run};
use octick_core::limits::{CHECKS_PER_SEC_MAX, ORIGINS_MAX, RUN_ALIGN, SLOTS_MAX};
use octick_core::state::Layout;
use octick_core::table::Kernel;
use octick_crypto::{Identity, NodeId, PublicKey, lanes};

use crate::mesh::Membership;
use crate::socket::{Choice, bounds};

/// Everything that decides how a node runs. Begin with [`Config::new`] and change what differs.
#[derive(Debug)]
pub struct Config {
    /// Name of the mesh; frames of other meshes do not verify here. Default `"octick"`.
    pub mesh: String,
    /// This node's keys.
    pub identity: Identity,
    /// UDP address to receive on and send from. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The tables. Default: 65,536 slots of dense eight-byte cells, nothing else.
    pub layout: Layout,
    /// The runs of slots that this node's agents write: whole multiples of 16, inside the layout.
    pub runs: Vec<Run>,
    /// The other nodes.
    pub peers: Vec<Peer>,
    /// How updates leave this node.
    pub push: Push,
    /// Which threads do the work, and where.
    pub threads: Threads,
    /// The socket and its buffers.
    pub socket: SocketConfig,
    /// Merge kernel; `None` takes the best that this CPU has.
    pub kernel: Option<Kernel>,
    /// How signatures are checked: kernel, memory for tables of each ingress thread, rate of cross-checks.
    pub verify: lanes::Settings,
    /// Whether that is made ready before the node starts: 30 ms of a core, and some megabytes. Otherwise keys get no tables,
    /// and a signature costs some 110,000 ticks alone and 25,000 in company, until a thread has checked a thousand; then
    /// it is made ready beside it. Default false.
    pub verify_at_once: bool,
    /// What senders may cause on each receiving thread before they are refused unread.
    pub limits: Limits,
    /// How far ahead of this node's wall clock a version may lie. Default 10 s.
    pub skew_max: Duration,
    /// Writes that may wait for the engine, over all writers. Default 65,536.
    pub writes_queue: usize,
    /// Changes that a subscriber may lag behind before it misses some. Default 65,536.
    pub changes_ring: usize,
    /// Origins that the node may come to know, itself and its peers included; 72 bytes each, and 96 on each receiving
    /// thread. Default 4,096.
    pub origins_max: usize,
    /// Finds the other nodes by itself, besides the peers that are listed. Default: only those.
    pub membership: Option<Membership>,
    /// This life of the node; must rise with each restart. `None` takes it from the wall clock:
    /// [`incarnation`](crate::clock::incarnation).
    pub incarnation: Option<u32>,
}

/// Another node of the mesh.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its public key.
    pub key: PublicKey,
    /// Where it receives; `None` for an origin that is known but never sent to.
    pub addr: Option<SocketAddr>,
    /// The runs of slots that it may write.
    pub runs: Vec<Run>,
    /// Whether its right to speak was taken back: its frames are counted and dropped.
    pub revoked: bool,
}

/// How updates leave this node. With [`membership`](Config::membership) the control plane says what goes to whom and finds
/// what was missed: `fanout`, `relay` and `refresh` are for nodes without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Push {
    /// Peers that get each of this node's own trains; random ones if there are more. Default 16.
    pub fanout: usize,
    /// Random peers that get each new frame of others, passed on as received. Default 1.
    pub relay: usize,
    /// Longest time that a write waits for company; the first after a quiet while goes at once. Cells of four bytes
    /// may have to wait for the next unit of their clock, 1,024 µs at most. Below 100 µs a solo node that parks finds
    /// writes later than this; one that spins does not. Default 1 ms.
    pub flush: Duration,
    /// How often all own cells are sent again, for those who missed some. Zero: never. Default 5 s.
    pub refresh: Duration,
    /// Frames that wait for a full socket, own and relayed. Default 4,096.
    pub queue: usize,
}

/// Which threads do the work, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threads {
    /// One thread for everything, or several.
    pub mode: Mode,
    /// Cores to pin the threads to, in the order ingress 0, 1, ..., engine. Empty: not pinned.
    pub cores: Vec<usize>,
    /// What an idle thread does.
    pub wait: Wait,
}

/// How the pipeline is laid over threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The whole pipeline on one thread: lowest latency, up to some hundred thousand frames a second.
    Solo,
    /// This many threads receive and verify; one more merges and sends.
    Split {
        /// Ingress threads, each with a socket of its own on the same port.
        ingress: usize,
    },
}

impl Mode {
    /// Sockets that share the node's port: one for each thread that receives.
    pub fn sockets(self) -> usize {
        match self {
            Self::Solo => 1,
            Self::Split { ingress } => ingress,
        }
    }
}

/// What an idle thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Looks again at once: lowest latency, a whole core.
    Spin,
    /// Lets another thread run, then looks again.
    Yield,
    /// Sleeps until something arrives or a timer is due.
    Park,
}

/// The socket and its buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketConfig {
    /// Which backend. Default: io_uring where the kernel allows it, else recvmmsg.
    pub backend: Choice,
    /// Size of the kernel's receive buffer, bytes. Default 4 MiB (the kernel may grant less, and says so).
    pub receive_bytes: usize,
    /// Receive buffers of 64 KiB, each for a datagram or a whole train; at least 16 for each ingress thread. Default 64.
    pub buffers: usize,
}

impl Config {
    /// A node of its own: no peers, no cells to write, one unpinned thread that parks when idle.
    pub fn new(identity: Identity, listen: SocketAddr) -> Self {
        Self {
            mesh: "octick".into(),
            identity,
            listen,
            layout: Layout { slots: 65_536, cells8: true, cells4: false, rows: false },
            runs: Vec::new(),
            peers: Vec::new(),
            push: Push {
                fanout: 16,
                relay: 1,
                flush: Duration::from_millis(1),
                refresh: Duration::from_secs(5),
                queue: 4_096,
            },
            threads: Threads { mode: Mode::Solo, cores: Vec::new(), wait: Wait::Park },
            socket: SocketConfig { backend: Choice::Auto, receive_bytes: 4 << 20, buffers: 64 },
            kernel: None,
            verify: lanes::Settings::default(),
            verify_at_once: false,
            limits: Limits::default(),
            skew_max: Duration::from_secs(10),
            writes_queue: 65_536,
            changes_ring: 65_536,
            origins_max: 4_096,
            membership: None,
            incarnation: None,
        }
    }

    /// Checks every choice and how they fit together. Nothing is clamped.
    ///
    /// # Errors
    /// The first contradiction, with both operands.
    pub fn check(self) -> Result<Settings, ConfigError> {
        self.check_layout()?;
        self.check_threads()?;
        self.check_sizes()?;
        self.check_reach()?;
        if let Some(Membership { settings, .. }) = &self.membership {
            settings.check().map_err(ConfigError::Membership)?;
        }
        if let Some(kernel) = self.kernel.filter(|kernel| !kernel.available()) {
            return Err(ConfigError::KernelMissing { kernel });
        }
        if let Some(kernel) = self.verify.kernel.filter(|kernel| !kernel.available()) {
            return Err(ConfigError::VerifyKernelMissing { kernel });
        }
        let directory = self.directory()?;
        Ok(Settings { config: self, directory })
    }

    fn check_layout(&self) -> Result<(), ConfigError> {
        let Layout { slots, cells8, cells4, rows } = self.layout;
        if slots == 0 || slots > SLOTS_MAX || !slots.is_multiple_of(RUN_ALIGN) {
            return Err(ConfigError::Slots { slots });
        }
        if !(cells8 || cells4 || rows) {
            return Err(ConfigError::NoTable);
        }
        let own = self.runs.iter().map(|run| (self.identity.id(), *run));
        let theirs = self.peers.iter().flat_map(|peer| peer.runs.iter().map(|run| (peer.key.id(), *run)));
        for (node, run) in own.chain(theirs) {
            if u64::from(run.first.0) + u64::from(run.len) > u64::from(slots) {
                return Err(ConfigError::RunOutside { node, run, slots });
            }
        }
        Ok(())
    }

    fn check_threads(&self) -> Result<(), ConfigError> {
        let threads = match self.threads.mode {
            Mode::Solo => 1,
            Mode::Split { ingress: 0 } => return Err(ConfigError::NoIngress),
            Mode::Split { ingress } if ingress > bounds::SOCKETS_MAX => {
                let (name, value) = ("threads.mode.ingress", ingress);
                return Err(ConfigError::Size { name, value, least: 1, most: bounds::SOCKETS_MAX });
            }
            Mode::Split { ingress } => ingress + 1,
        };
        let cores = self.threads.cores.len();
        if cores != 0 && cores != threads {
            return Err(ConfigError::Cores { threads, cores });
        }
        if matches!(self.threads.mode, Mode::Split { ingress: 2.. }) && self.listen.port() == 0 {
            return Err(ConfigError::SharedPort { listen: self.listen });
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<(), ConfigError> {
        let sockets = self.threads.mode.sockets();
        if !bounds::buffers(sockets).contains(&self.socket.buffers) {
            return Err(ConfigError::Buffers { buffers: self.socket.buffers, sockets });
        }
        let sizes = [
            ("writes_queue", self.writes_queue, 1, 1 << 24),
            ("changes_ring", self.changes_ring, 2, 1 << 24),
            ("origins_max", self.origins_max, 1 + self.peers.len(), ORIGINS_MAX),
            ("push.queue", self.push.queue, 1, 1 << 20),
            ("socket.receive_bytes", self.socket.receive_bytes, 4_096, 1 << 30),
        ];
        for (name, value, least, most) in sizes {
            if !(least..=most).contains(&value) {
                return Err(ConfigError::Size { name, value, least, most });
            }
        }
        for (name, rate) in [("limits.peer", self.limits.peer), ("limits.strangers", self.limits.strangers)] {
            if !rate.is_sound() {
                return Err(ConfigError::Rate { name, rate });
            }
        }
        if self.push.flush > self.skew_max {
            return Err(ConfigError::FlushBeyondSkew { flush: self.push.flush, skew_max: self.skew_max });
        }
        Ok(())
    }

    /// Peers and seeds that the socket could never send to would only be silent.
    fn check_reach(&self) -> Result<(), ConfigError> {
        let peers = self.peers.iter().enumerate().map(|(at, peer)| ("peers", at, peer.addr));
        let seeds = self.membership.iter().flat_map(|membership| &membership.settings.seeds);
        let seeds = seeds.enumerate().map(|(at, seed)| ("membership.seeds", at, Some(*seed)));
        for (list, at, to) in peers.chain(seeds) {
            if let Some(to) = to.filter(|to| !bounds::reaches(self.listen, *to)) {
                return Err(ConfigError::OutOfReach { list, at, to, listen: self.listen });
            }
        }
        Ok(())
    }

    /// This node and its peers as origins: this node first.
    fn directory(&self) -> Result<Directory, ConfigError> {
        let own = Origin { key: self.identity.public().clone(), runs: self.runs.clone(), revoked: false };
        let theirs = self.peers.iter().map(|peer| Origin {
            key: peer.key.clone(),
            runs: peer.runs.clone(),
            revoked: peer.revoked,
        });
        let seed = std::array::from_fn(|i| random_word(i as u64));
        Directory::new(std::iter::once(own).chain(theirs).collect(), seed).map_err(ConfigError::Directory)
    }
}

/// A word that outsiders cannot guess, from the randomness that the standard library's hash maps are seeded with.
pub(crate) fn random_word(salt: u64) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(salt)
}

/// A configuration that holds together: what [`start`](crate::start) takes.
#[derive(Debug)]
pub struct Settings {
    pub(crate) config: Config,
    pub(crate) directory: Directory,
}

/// Why a configuration was refused. Nothing was started.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigError {
    /// The number of slots is zero, too large, or no multiple of 16.
    Slots {
        /// As configured.
        slots: u32,
    },
    /// Every table is switched off.
    NoTable,
    /// A run of slots ends past the tables.
    RunOutside {
        /// Whose run.
        node: NodeId,
        /// The run.
        run: Run,
        /// Slots in each table.
        slots: u32,
    },
    /// Origins contradict each other.
    Directory(DirectoryError),
    /// A split pipeline without a thread that receives.
    NoIngress,
    /// Cores are listed, but not one for each thread.
    Cores {
        /// Threads that would run.
        threads: usize,
        /// Cores listed.
        cores: usize,
    },
    /// Several sockets cannot share a port that is not known before.
    SharedPort {
        /// The address as configured.
        listen: SocketAddr,
    },
    /// Fewer receive buffers than the sockets have waiting at a time, or too many.
    Buffers {
        /// As configured.
        buffers: usize,
        /// Sockets of the node: one, or one for each ingress thread.
        sockets: usize,
    },
    /// A peer or a seed has an address that the socket cannot send to.
    OutOfReach {
        /// The list that it stands in.
        list: &'static str,
        /// Its place there, from 0.
        at: usize,
        /// Its address.
        to: SocketAddr,
        /// The node's own, as configured.
        listen: SocketAddr,
    },
    /// A size is out of its range.
    Size {
        /// Which.
        name: &'static str,
        /// As configured.
        value: usize,
        /// Least allowed.
        least: usize,
        /// Most allowed.
        most: usize,
    },
    /// A rate of signature checks is out of its range, or allows more bad ones than checks.
    Rate {
        /// Which.
        name: &'static str,
        /// As configured.
        rate: Rate,
    },
    /// Writes would wait longer than versions may lie apart.
    FlushBeyondSkew {
        /// As configured.
        flush: Duration,
        /// As configured.
        skew_max: Duration,
    },
    /// Two spread_settings about membership contradict each other.
    Membership(Contradiction),
    /// The CPU cannot run the kernel that was asked for.
    KernelMissing {
        /// As configured.
        kernel: Kernel,
    },
    /// The CPU cannot run the verification kernel that was asked for.
    VerifyKernelMissing {
        /// As configured.
        kernel: lanes::Kernel,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slots { slots } => {
                write!(f, "slots = {slots}: want a multiple of {RUN_ALIGN} from {RUN_ALIGN} to {SLOTS_MAX}")
            }
            Self::NoTable => {
                write!(f, "cells8, cells4 and rows are all off: a node keeps at least one table")
            }
            Self::RunOutside { node, run, slots } => {
                let end = u64::from(run.first.0) + u64::from(run.len);
                write!(
                    f,
                    "node {}: run of {} slots from {} ends at {end}, beyond slots = {slots}",
                    node.short(),
                    run.len,
                    run.first.0
                )
            }
            Self::Directory(error) => write!(f, "{error}"),
            Self::NoIngress => {
                write!(f, "threads: split with 0 ingress threads: want at least 1, or mode solo")
            }
            Self::Cores { threads, cores } => {
                write!(f, "threads: {cores} cores are listed for {threads} threads: list one each, or none")
            }
            Self::SharedPort { listen } => {
                write!(
                    f,
                    "listen = {listen} leaves the port open, but several ingress threads share it: name a port"
                )
            }
            Self::Buffers { buffers, sockets } => {
                let (allowed, each) = (bounds::buffers(*sockets), bounds::RING_DEPTH);
                write!(
                    f,
                    "socket.buffers = {buffers}: want {} to {}, {each} for each of {sockets} sockets at least",
                    allowed.start(),
                    allowed.end()
                )
            }
            Self::OutOfReach { list, at, to, listen } => {
                write!(f, "{list}[{at}] = {to}: {}", bounds::OutOfReach { listen: *listen, to: *to })
            }
            Self::Size { name, value, least, most } => {
                write!(f, "{name} = {value}: want {least} to {most}")
            }
            Self::Rate { name, rate: Rate { checks_per_sec, bad_per_sec } } => {
                write!(
                    f,
                    "{name}: checks_per_sec = {checks_per_sec}, bad_per_sec = {bad_per_sec}: want 1 to \
                     {CHECKS_PER_SEC_MAX} checks, and 1 to as many bad ones"
                )
            }
            Self::FlushBeyondSkew { flush, skew_max } => {
                write!(f, "push.flush = {flush:?} is longer than skew_max = {skew_max:?}")
            }
            Self::Membership(contradiction) => write!(f, "membership.{contradiction}"),
            Self::KernelMissing { kernel } => {
                let has: Vec<_> = Kernel::all_available().map(|kernel| kernel.to_string()).collect();
                write!(f, "kernel = {kernel}: this CPU has only {}", has.join(", "))
            }
            Self::VerifyKernelMissing { kernel } => {
                let has: Vec<_> = lanes::Kernel::all_available().map(|kernel| kernel.to_string()).collect();
                write!(f, "verify.kernel = {kernel}: this CPU has only {}", has.join(", "))
            }
        }
    }
}

impl std::error::Error for ConfigError {}

//! What an embedder may choose. Names in brackets are the keys of the configuration file, which errors speak of.

use std::net::SocketAddr;
use std::time::Duration;

use octick_core::data::Run;
use octick_core::data::budget::Limits;
use octick_core::state::Layout;
use octick_core::table::Kernel;
use octick_crypto::{Identity, PublicKey, lanes};

use crate::mesh::Membership;
use crate::socket::Choice;
use crate::stable::{MemoryStore, StableStore};

/// Everything that decides how a node runs. Begin with [`Config::new`] and change what differs.
#[derive(Debug)]
pub struct Config {
    /// Name of the mesh, 1 to 255 bytes; frames of other meshes do not verify here. Default `"octick"`.
    pub mesh: String,
    /// This node's keys.
    pub identity: Identity,
    /// UDP address to receive on and send from. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The tables (`table`). Default: 65,536 slots of dense eight-byte cells, nothing else.
    pub layout: Layout,
    /// The runs of slots that this node's agents write (`agents`): whole multiples of 16, inside the layout; at most 64, and
    /// with membership at most 16.
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
    /// How far ahead of this node's wall clock a version may lie (`limits.skew_micros`), 1 µs to an hour. Default 10 s.
    pub skew_max: Duration,
    /// Writes that may wait for the engine (`limits.writes_queue`), over all writers. Default 65,536.
    pub writes_queue: usize,
    /// Changes that a subscriber may lag behind before it misses some (`limits.changes_ring`), rounded up to a power of two.
    /// Default 65,536.
    pub changes_ring: usize,
    /// Origins that the node may come to know (`limits.origins_max`), itself and its peers included; 72 bytes each, and 96 on
    /// each receiving thread. Default 4,096.
    pub origins_max: usize,
    /// Finds the other nodes by itself, besides the peers that are listed. Default: only those.
    pub membership: Option<Membership>,
    /// Which start of the node this is; must rise with each. `None` takes the tenths of a second since 2021, or one more than the
    /// last that `stable_store` remembers, whichever is greater.
    pub incarnation: Option<u32>,
    /// Where the node keeps which numbers it has used (`state_file`). Default: a [`MemoryStore`] of its own, which forgets them when the
    /// process ends: then a clock that stepped back over a restart, or two starts within a tenth of a second, have other nodes
    /// refuse what this one writes. A node that keeps its key should keep a [`FileStore`](crate::FileStore).
    pub stable_store: Box<dyn StableStore>,
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
    /// How often all own cells are sent again, for those who missed some, at most a day. Zero: never. Default 5 s.
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
        /// Ingress threads, 1 to 64, each with a socket of its own on the same port.
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
    /// Receive buffers of 64 KiB, each for a datagram or a whole train; at least 16 for each thread that receives. Default 64.
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
            stable_store: Box::new(MemoryStore::default()),
        }
    }
}

/// A word that outsiders cannot guess, from the randomness that the standard library's hash maps are seeded with.
pub(crate) fn random_word(salt: u64) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(salt)
}

//! Every key of the configuration file: its type, its default, and the explanation that users read.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::section::section;
use crate::log::{Format, Level};

section! {
    /// One node of an Octick mesh. Every key may be left out: what stands here is its default, but for the lists
    /// `agents` and `peers`, which are empty by default and show an example.
    pub struct Config {
        /// Name of the mesh. Frames of a mesh of another name do not verify here.
        mesh: String = "octick".into(),
        /// The node's secret key, made by `octick keygen`. A relative path starts at this file's directory.
        key_file: PathBuf = "node.key".into(),
        /// Where this node keeps which numbers it has used, so that no restart uses them again: one small file, rewritten every few
        /// seconds, and a lock beside it. Empty is beside the key (node.key: node.state). A relative path starts at this file's directory.
        state_file: PathBuf = PathBuf::new(),
        /// UDP address to listen on. Port 0 takes any free port.
        listen: SocketAddr = (Ipv4Addr::UNSPECIFIED, 7700).into(),
        /// Which merge kernel: "auto" takes the fastest that this CPU has; "portable", "avx2" and "avx512vl"
        /// force one, and starting fails where the CPU lacks it.
        kernel: Kernel = Kernel::Auto,
        /// Who may be a member of the mesh.
        admission: AdmissionKeys = AdmissionKeys::default(),
        /// How this node finds others by itself.
        membership: MembershipKeys = MembershipKeys::default(),
        /// Where membership finds addresses to begin with, besides its seeds.
        discovery: DiscoveryKeys = DiscoveryKeys::default(),
        /// How commands and scripts of this machine reach this node.
        admin: AdminKeys = AdminKeys::default(),
        /// The tables that cells are merged into; the same on every node of a mesh.
        table: TableKeys = TableKeys::default(),
        /// How this node's frames reach others.
        push: PushKeys = PushKeys::default(),
        /// The UDP socket.
        socket: SocketKeys = SocketKeys::default(),
        /// Which threads do the work, and on which cores.
        threads: ThreadKeys = ThreadKeys::default(),
        /// How signatures are checked.
        verify: VerifyKeys = VerifyKeys::default(),
        /// What is refused or bounded.
        limits: LimitKeys = LimitKeys::default(),
        /// What `octick run` says.
        log: LogKeys = LogKeys::default(),
        /// Figures in the log.
        report: ReportKeys = ReportKeys::default(),
        /// The runs of slots that this node speaks for: its own agents. A node without any only listens and relays. One with a
        /// credential speaks for all that this grants; then only those of them that are listed here, if any are.
        agents: Vec<RunKeys> = Vec::new(),
        /// Other nodes that are known from the start. Frames of an origin that is neither listed nor a member are dropped.
        peers: Vec<PeerKeys> = Vec::new(),
    }
}

section! {
    /// It is a rule of the whole mesh, which every node applies by itself. What the authority granted this node and what it decided
    /// are files, which SIGHUP reads again. See docs/admission.md.
    pub struct AdmissionKeys {
        /// "open": anyone who knows the mesh's name. "listed": this node and the peers of its file. "issued": whoever has a credential of the mesh's
        /// authority, as `octick init` sets it up; then this node's slots come from its credential. Without membership only
        /// the peers of this file are known, whatever stands here.
        rule: Rule = Rule::Open,
        /// Who signs for the mesh, as `octick authority init` prints it: public keys, and how many of them have to sign. In an open mesh whoever
        /// shows a credential of it has its slots by right.
        authority: AuthorityKeys = AuthorityKeys::default(),
        /// What the authority granted this node. Empty is beside the key (node.key: node.credential). A relative path starts at this
        /// file's directory, as that of `decisions` does.
        credential: PathBuf = PathBuf::new(),
        /// What the authority decided, revocations say. The node writes it anew when it hears of another decision. Empty is beside the key
        /// (node.key: node.decisions); without the file nothing was decided yet.
        decisions: PathBuf = PathBuf::new(),
    }
}

/// Whose signatures count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthorityKeys {
    /// How many of the keys have to sign.
    pub threshold: usize,
    /// Public keys, 64 hex digits each; none is no authority.
    pub keys: Vec<String>,
}

impl Default for AuthorityKeys {
    fn default() -> Self {
        Self { threshold: 1, keys: Vec::new() }
    }
}

section! {
    /// It joins the mesh through a seed, learns of all members, notices who is gone, and tells the others. Peers that are
    /// listed are known besides.
    pub struct MembershipKeys {
        /// Whether it does.
        enabled: bool = false,
        /// Nodes to begin with, "host:port", or "srv:_octick._udp.example.org" for all that such SRV records name; one that
        /// answers is enough. Names are looked up again while nobody answers. A node without seeds waits for others to
        /// join it.
        seeds: Vec<String> = Vec::new(),
        /// Addresses at which others reach this node, best first, at most four. Without any it is `listen` or, if that is
        /// any address, the one that others see.
        advertise: Vec<SocketAddr> = Vec::new(),
        /// The region that this node belongs to.
        region: u16 = 0,
        /// Never count this node for a quorum, neither while it is there nor when it is gone: for nodes that come and go.
        ephemeral: bool = false,
        /// Wait longer with suspicions while this node itself is slow, while nobody confirms them, and until the suspected
        /// was told (Lifeguard). Without: plain SWIM, for comparison; the same on every node of a mesh.
        lifeguard: bool = true,
        /// Which neighbour tables and updates are compared with: "random", "latency_aware" (the nearest), "hybrid" (four
        /// of five times near, else any) or "geographic" (of this region, then the nearest).
        selection: Selection = Selection::Random,
        /// Memory for the frames that were merged last, bytes, kept for members that missed some: 65,536 to 4 GiB, rounded
        /// up to a power of two.
        frame_cache_bytes: usize = 16 << 20,
    }
}

/// How a neighbour is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// Each as likely as the next.
    Random,
    /// The nearest by round trip.
    LatencyAware,
    /// Mostly near, now and then any.
    Hybrid,
    /// Those of the own region first.
    Geographic,
}

section! {
    /// They are only hints: whoever is there proves who it is.
    pub struct DiscoveryKeys {
        /// Announce this node on the local network, to multicast group 239.77.86.76, and greet others of the mesh that do.
        lan: bool = false,
        /// The address of the network interface for that; 0.0.0.0 leaves the choice to the system.
        lan_interface: Ipv4Addr = Ipv4Addr::UNSPECIFIED,
        /// Remember up to fifty members in a file beside the key (node.key: node.peers), to begin with after a restart.
        remember: bool = true,
        /// Name servers to ask for SRV records, "address:port"; none asks those of the system.
        name_servers: Vec<SocketAddr> = Vec::new(),
    }
}

section! {
    /// It is HTTP with JSON, and what `octick members`, `info`, `get`, `counters`, `join`, `leave`, `force-leave` and `decide` use. Whoever
    /// can open the socket, or knows the token, can steer this node.
    pub struct AdminKeys {
        /// Whether there is one.
        enabled: bool = true,
        /// Unix socket to listen on; its mode, 0600, lets in the user that runs the node and nobody else. Empty is beside the
        /// key (node.key: node.sock). A relative path starts at this file's directory.
        socket: PathBuf = PathBuf::new(),
        /// TCP address to listen on besides, as in "127.0.0.1:7780"; it asks for the token. Empty is none.
        listen: String = String::new(),
        /// The token for `listen`, one line; made at the start if it is not there, mode 0600. Empty is beside the key (node.key: node.token). A
        /// relative path starts at this file's directory.
        token_file: PathBuf = PathBuf::new(),
        /// Whether `listen` may be an address that other machines reach: the token travels to it in the clear.
        allow_remote: bool = false,
    }
}

section! {
    /// There is one for each width of cell, all over the same slots.
    pub struct TableKeys {
        /// Number of slots, one an agent: a multiple of 16.
        slots: u32 = 1 << 16,
        /// Keep cells of eight bytes, sent as dense blocks of eight: 16 bytes of memory a slot.
        cells8: bool = true,
        /// Keep cells of four bytes, sent as dense blocks of sixteen: 8 bytes of memory a slot.
        cells4: bool = false,
        /// Keep cells of eight bytes that are sent one by one: 16 bytes of memory a slot.
        rows: bool = false,
    }
}

section! {
    /// With membership the mesh decides what goes to whom; `fanout`, `relay` and `refresh_millis` are for nodes without.
    pub struct PushKeys {
        /// To how many peers each of this node's own frames goes at most, random ones if there are more.
        fanout: usize = 16,
        /// To how many random peers each new frame of others is passed on, byte for byte; 0 relays nothing.
        relay: usize = 1,
        /// How long a change waits at most for company before it is signed and sent, microseconds; at most
        /// limits.skew_micros. The first one after a quiet while goes at once.
        flush_micros: u64 = 1_000,
        /// How often all own cells are sent again, for those who missed some, milliseconds; 0 never does.
        refresh_millis: u64 = 5_000,
        /// Frames that may wait for a full socket, own and relayed; more are dropped and counted.
        queue: usize = 4_096,
    }
}

section! {
    /// There is one, bound to `listen`.
    pub struct SocketKeys {
        /// "uring" and "mmsg" force io_uring or recvmmsg and sendmmsg; "auto" tries them in this order.
        backend: Backend = Backend::Auto,
        /// Receive buffer to ask the kernel for, bytes; the kernel may grant less, which is said at start.
        rcvbuf_bytes: usize = 4 << 20,
        /// Buffers of 64 KiB to receive into, each for a datagram or a whole train: 16 at least for each ingress thread,
        /// 4,096 at most.
        buffers: usize = 64,
    }
}

section! {
    /// A solo node runs socket, checks and merge on one thread. A split one has threads that receive and verify, and
    /// one that merges.
    pub struct ThreadKeys {
        /// "solo" or "split".
        mode: Mode = Mode::Solo,
        /// Threads that receive and verify; 1 if solo.
        ingress: usize = 1,
        /// Cores to pin to, the merging thread's last; empty pins nothing. As many as there are threads: 1 if
        /// solo, 1 + ingress if split.
        cores: Vec<usize> = Vec::new(),
        /// What an idle thread does: "spin" answers fastest and burns its core, "yield" lets others run, "park"
        /// sleeps in the kernel.
        wait: Wait = Wait::Park,
    }
}

section! {
    /// Every choice gives the same verdicts; they differ in speed.
    pub struct VerifyKeys {
        /// "auto" takes the fastest that this CPU has; "dalek", "portable", "avx2", "avx512" and "avx512ifma" force
        /// one, and starting fails where the CPU lacks it.
        kernel: VerifyKernel = VerifyKernel::Auto,
        /// Memory for the tables that make the signatures of busy signers cheap, bytes, of each thread that verifies:
        /// some 180 KB a signer. 0 keeps none.
        table_bytes: usize = 64 << 20,
        /// One of how many verdicts is checked against the reference, ed25519-dalek's verify_strict; 0 checks none.
        /// The first wrong one ends the kernel's use, loudly.
        cross_check: u32 = 1_024,
        /// Make it ready before the node starts, which takes 30 ms of a core; otherwise once a thread has checked a
        /// thousand signatures without tables.
        at_once: bool = false,
    }
}

section! {
    /// Whatever goes beyond is dropped and counted.
    pub struct LimitKeys {
        /// How far ahead of this node's clock a frame may be dated, microseconds.
        skew_micros: u64 = 10_000_000,
        /// Signature checks a second that one peer's address may cause on each receiving thread.
        peer_checks_per_sec: u32 = 200_000,
        /// How many of those may fail; whoever goes beyond is refused unread until time has made up for it.
        peer_bad_per_sec: u32 = 1_000,
        /// Signature checks a second that all other addresses may cause together on each receiving thread.
        strangers_checks_per_sec: u32 = 50_000,
        /// How many of those may fail; one address alone is held to a quarter of it.
        strangers_bad_per_sec: u32 = 400,
        /// Writes of this node's agents that may wait to be merged, 56 bytes each; an agent that finds no room is told.
        writes_queue: usize = 1 << 14,
        /// Changes that a subscriber may lag behind before it misses some, rounded up to a power of two.
        changes_ring: usize = 1 << 16,
        /// Nodes that this node may come to know, itself and its peers included: at most 65,536.
        origins_max: usize = 1 << 12,
    }
}

section! {
    /// It goes to standard output, a line an event, and never holds the node up: lines that the output does not take are
    /// dropped, and counted.
    pub struct LogKeys {
        /// "error", "warn", "info" (what happens in the mesh) or "debug". `octick run --log` overrides it, and SIGHUP reads
        /// it again.
        level: Level = Level::Info,
        /// "text" for people, "json" for programs. `octick run --log-format` overrides it.
        format: Format = Format::Text,
    }
}

section! {
    /// They are rates, prices and latencies since the line before; `octick demo` prints the same for a whole mesh.
    pub struct ReportKeys {
        /// Seconds between two lines; 0 logs none. `octick run --report` overrides it.
        interval_secs: u32 = 0,
    }
}

section! {
    /// A run is `count` neighbouring slots. There may be several.
    pub struct RunKeys {
        /// The first slot: a multiple of 16, so that no block belongs to two nodes.
        first: u32,
        /// Number of slots: a multiple of 16.
        count: u32,
    }
}

section! {
    /// Without membership every node of the mesh lists all others, with the slots that each may write.
    pub struct PeerKeys {
        /// Its Ed25519 public key, 64 hex digits, as `octick keygen --show` prints it.
        public_key: String,
        /// Where it listens, "host:port". Leave it out for an origin that this node only hears of through others.
        addr: Option<String>,
        /// The runs of slots that it speaks for.
        runs: Vec<RunKeys>,
        /// Whether its right to speak was taken back: its frames are then dropped and counted.
        revoked: Option<bool>,
    }
}

macro_rules! choice {
    ($(#[doc = $about:literal])+ $Name:ident { $($(#[doc = $doc:literal])+ $Choice:ident,)+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $Name { $($(#[doc = $doc])+ $Choice,)+ }
    };
}

choice! {
    /// Who may be a member.
    Rule {
        /// Anyone.
        Open,
        /// Whom the configuration lists.
        Listed,
        /// Who has a credential of the mesh's authority.
        Issued,
    }
}

choice! {
    /// Which merge kernel.
    Kernel {
        /// The fastest that the CPU has.
        Auto,
        /// The specification, in plain Rust.
        Portable,
        /// 256-bit registers.
        Avx2,
        /// Masks on 256-bit registers.
        Avx512vl,
    }
}

choice! {
    /// Which verification kernel.
    VerifyKernel {
        /// The fastest that the CPU has.
        Auto,
        /// The reference: ed25519-dalek, one signature at a time.
        Dalek,
        /// Tables, in plain Rust.
        Portable,
        /// Four signatures at a time.
        Avx2,
        /// Eight signatures at a time.
        Avx512,
        /// Eight at a time, with 52-bit multiplication.
        Avx512Ifma,
    }
}

choice! {
    /// How datagrams pass the kernel.
    Backend {
        /// io_uring where it is allowed, else recvmmsg.
        Auto,
        /// io_uring or nothing.
        Uring,
        /// recvmmsg and sendmmsg.
        Mmsg,
    }
}

choice! {
    /// How the work is divided over threads.
    Mode {
        /// Everything on one thread.
        Solo,
        /// Threads that receive and verify, one that merges.
        Split,
    }
}

choice! {
    /// What an idle thread does.
    Wait {
        /// Asks again at once.
        Spin,
        /// Lets other threads run first.
        Yield,
        /// Sleeps until woken.
        Park,
    }
}

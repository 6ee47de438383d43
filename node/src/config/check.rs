//! The relations between keys, checked once.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use octick::socket::bounds;
use octick_core::limits::{CHECKS_PER_SEC_MAX, ORIGINS_MAX, RUN_ALIGN, RUNS_MAX, SLOTS_MAX};
use octick_crypto::{NodeId, PublicKey};

use super::admin::AdminSettings;
use super::keys::{Config, Kernel, Mode, PeerKeys, PushKeys, ReportKeys, RunKeys, SocketKeys, TableKeys};
use super::keys::{DiscoveryKeys, LimitKeys, LogKeys, MembershipKeys, ThreadKeys, VerifyKeys};

/// A configuration that contradicts nothing.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the mesh.
    pub mesh: String,
    /// The secret key, relative to the configuration file.
    pub key_file: PathBuf,
    /// UDP address to listen on.
    pub listen: SocketAddr,
    /// Which merge kernel.
    pub kernel: Kernel,
    /// This node's own runs.
    pub agents: Vec<Run>,
    /// The other nodes, each once.
    pub peers: Vec<PeerSettings>,
    /// Finding others.
    pub membership: MembershipKeys,
    /// Where membership finds addresses.
    pub discovery: DiscoveryKeys,
    /// The API for commands.
    pub admin: AdminSettings,
    /// The tables.
    pub table: TableKeys,
    /// Sending.
    pub push: PushKeys,
    /// The socket.
    pub socket: SocketKeys,
    /// Threads.
    pub threads: ThreadKeys,
    /// Signatures.
    pub verify: VerifyKeys,
    /// Bounds.
    pub limits: LimitKeys,
    /// Speaking.
    pub log: LogKeys,
    /// Figures in the log.
    pub report: ReportKeys,
}

/// Another node.
#[derive(Clone, Debug)]
pub struct PeerSettings {
    /// Its key, admitted.
    pub key: PublicKey,
    /// Where it listens: host and port, to be resolved at start.
    pub addr: Option<String>,
    /// The slots that it speaks for.
    pub runs: Vec<Run>,
    /// Whether its right to speak was taken back.
    pub revoked: bool,
}

/// Slots `first..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// The first slot.
    pub first: u32,
    /// The slot after the last.
    pub end: u32,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.first, self.end)
    }
}

/// Two values that contradict each other, or one that contradicts a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The key to look at first, as in `peers[2].runs[0].first`.
    pub key: String,
    /// Both sides, with their values.
    pub message: String,
}

pub(super) type Checked<T = ()> = Result<T, Conflict>;

/// Refuses with `message` unless the relation holds.
pub(super) fn require(holds: bool, key: &str, message: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(Conflict { key: key.into(), message: message() }) }
}

impl Config {
    /// Checks every relation between keys.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn check(&self) -> Checked<Settings> {
        self.check_table()?;
        self.check_membership()?;
        let admin = AdminSettings::check(&self.admin, &self.key_file)?;
        self.check_push()?;
        self.check_threads()?;
        self.check_socket()?;
        within("verify.table_bytes", self.verify.table_bytes as u64, 0, 1 << 36)?;
        self.check_limits()?;
        let (agents, peers) = self.check_owners()?;
        Ok(Settings {
            mesh: self.mesh.clone(),
            key_file: self.key_file.clone(),
            listen: self.listen,
            kernel: self.kernel,
            agents,
            peers,
            membership: self.membership.clone(),
            discovery: self.discovery.clone(),
            admin,
            table: self.table.clone(),
            push: self.push.clone(),
            socket: self.socket.clone(),
            threads: self.threads.clone(),
            verify: self.verify.clone(),
            limits: self.limits.clone(),
            log: self.log.clone(),
            report: self.report.clone(),
        })
    }

    fn check_table(&self) -> Checked {
        let TableKeys { slots, cells8, cells4, rows } = self.table;
        within("table.slots", slots.into(), RUN_ALIGN.into(), SLOTS_MAX.into())?;
        require(slots.is_multiple_of(RUN_ALIGN), "table.slots", || {
            format!("table.slots = {slots} is not a multiple of {RUN_ALIGN}")
        })?;
        require(cells8 || cells4 || rows, "table.cells8", || {
            "table.cells8, table.cells4 and table.rows are all false: the node could keep nothing".into()
        })
    }

    fn check_membership(&self) -> Checked {
        let MembershipKeys { enabled, seeds, advertise, .. } = &self.membership;
        require(*enabled || seeds.is_empty(), "membership.seeds", || {
            format!("membership.seeds lists {}, but membership.enabled = false", counted(seeds.len(), "seed"))
        })?;
        for (i, seed) in seeds.iter().enumerate() {
            let at = format!("membership.seeds[{i}]");
            match seed.strip_prefix("srv:") {
                Some(service) => require(service.starts_with('_') && service.contains("._"), &at, || {
                    format!("{at} = \"{seed}\": want a service as in \"srv:_octick._udp.example.org\"")
                })?,
                None => require_address(&at, seed)?,
            }
            self.require_reach(&at, seed)?;
        }
        let DiscoveryKeys { lan, lan_interface, .. } = self.discovery;
        require(*enabled || !lan, "discovery.lan", || {
            "discovery.lan = true, but membership.enabled = false".into()
        })?;
        require(!lan || self.listen.is_ipv4() || self.listen.ip().is_unspecified(), "discovery.lan", || {
            format!("discovery.lan = true finds IPv4 addresses, but listen = \"{}\"", self.listen)
        })?;
        require(!lan_interface.is_multicast(), "discovery.lan_interface", || {
            format!("discovery.lan_interface = \"{lan_interface}\" is a group, not an interface")
        })?;
        within("discovery.name_servers", self.discovery.name_servers.len() as u64, 0, 8)?;
        within("membership.advertise", advertise.len() as u64, 0, 4)?;
        for (i, address) in advertise.iter().enumerate() {
            let at = format!("membership.advertise[{i}]");
            require(!address.ip().is_unspecified() && address.port() != 0, &at, || {
                format!("{at} = \"{address}\" is nowhere that others could send to")
            })?;
        }
        Ok(())
    }

    /// An address that is no name must be one that the socket can send to.
    fn require_reach(&self, at: &str, addr: &str) -> Checked {
        let Ok(to) = addr.parse::<SocketAddr>() else { return Ok(()) };
        let listen = self.listen;
        require(bounds::reaches(listen, to), at, || {
            format!("{at} = \"{addr}\": {}", bounds::OutOfReach { listen, to })
        })
    }

    fn check_push(&self) -> Checked {
        let (PushKeys { flush_micros, queue, .. }, skew_micros) = (&self.push, self.limits.skew_micros);
        within("push.queue", *queue as u64, 1, 1 << 20)?;
        require(*flush_micros <= skew_micros, "push.flush_micros", || {
            format!(
                "push.flush_micros = {flush_micros} lets changes wait longer than \
                 limits.skew_micros = {skew_micros} lets versions lie apart"
            )
        })
    }

    fn check_socket(&self) -> Checked {
        within("socket.rcvbuf_bytes", self.socket.rcvbuf_bytes as u64, 4_096, 1 << 30)?;
        let ThreadKeys { mode, ingress, .. } = self.threads;
        let sockets = if mode == Mode::Solo { 1 } else { ingress };
        let buffers = bounds::buffers(sockets);
        require(buffers.contains(&self.socket.buffers), "socket.buffers", || {
            let (least, most, each) = (buffers.start(), buffers.end(), bounds::RING_DEPTH);
            let set = self.socket.buffers;
            format!(
                "socket.buffers = {set} is not in {least} to {most}: {each} at least for each of {}",
                counted(sockets, "socket")
            )
        })
    }

    fn check_threads(&self) -> Checked {
        let ThreadKeys { mode, ingress, ref cores, .. } = self.threads;
        require(mode == Mode::Split || ingress == 1, "threads.ingress", || {
            format!("threads.mode = \"solo\" is one thread for all, but threads.ingress = {ingress}")
        })?;
        within("threads.ingress", ingress as u64, 1, bounds::SOCKETS_MAX as u64)?;
        let threads = if mode == Mode::Solo { 1 } else { 1 + ingress };
        require(cores.is_empty() || cores.len() == threads, "threads.cores", || {
            let lists = format!("but threads.cores lists {}", counted(cores.len(), "core"));
            match mode {
                Mode::Solo => format!("threads.mode = \"solo\" is one thread, {lists}"),
                Mode::Split => {
                    format!(
                        "threads.ingress = {ingress} and the merging thread want {threads} cores, {lists}"
                    )
                }
            }
        })?;
        for (i, core) in cores.iter().enumerate() {
            let twice = cores[..i].contains(core);
            require(!twice, &format!("threads.cores[{i}]"), || {
                format!("threads.cores lists core {core} twice")
            })?;
        }
        require(ingress == 1 || self.listen.port() != 0, "listen", || {
            format!(
                "listen = \"{}\" leaves the port open, but threads.ingress = {ingress} must share one",
                self.listen
            )
        })
    }

    fn check_limits(&self) -> Checked {
        let LimitKeys { skew_micros, writes_queue, changes_ring, .. } = self.limits;
        within("limits.skew_micros", skew_micros, 1, 3_600_000_000)?;
        within("limits.writes_queue", writes_queue as u64, 1, 1 << 24)?;
        within("limits.changes_ring", changes_ring as u64, 2, 1 << 24)?;
        let LimitKeys { peer_checks_per_sec, peer_bad_per_sec, .. } = self.limits;
        check_rate("peer", peer_checks_per_sec, peer_bad_per_sec)?;
        let LimitKeys { strangers_checks_per_sec, strangers_bad_per_sec, .. } = self.limits;
        check_rate("strangers", strangers_checks_per_sec, strangers_bad_per_sec)
    }

    /// Who speaks for which slots; nobody for a slot that another speaks for.
    fn check_owners(&self) -> Checked<(Vec<Run>, Vec<PeerSettings>)> {
        require(self.peers.len() < ORIGINS_MAX, "peers", || {
            format!(
                "{} peers are more than the {} that a node knows at once",
                self.peers.len(),
                ORIGINS_MAX - 1
            )
        })?;
        let agents = self.check_runs("agents", &self.agents)?;
        let mut peers: Vec<PeerSettings> = Vec::with_capacity(self.peers.len());
        let mut places: std::collections::HashMap<NodeId, usize> = std::collections::HashMap::new();
        for (i, keys) in self.peers.iter().enumerate() {
            let peer = self.check_peer(i, keys)?;
            if let Some(j) = places.insert(peer.key.id(), i) {
                let key = format!("peers[{i}].public_key");
                let message = format!("peers[{j}].public_key and {key} are the same, {}", keys.public_key);
                return Err(Conflict { key, message });
            }
            peers.push(peer);
        }
        check_overlaps(&agents, &peers)?;
        Ok((agents, peers))
    }

    fn check_peer(&self, i: usize, keys: &PeerKeys) -> Checked<PeerSettings> {
        let at = format!("peers[{i}].public_key");
        let refuse = |why: &dyn fmt::Display| Conflict {
            key: at.clone(),
            message: format!("{at} = \"{}\": {why}", keys.public_key),
        };
        let bytes = decode_hex(&keys.public_key).ok_or_else(|| refuse(&"want 64 hex digits"))?;
        let key = PublicKey::admit(&bytes).map_err(|error| refuse(&error))?;
        if let Some(addr) = &keys.addr {
            let at = format!("peers[{i}].addr");
            require_address(&at, addr)?;
            self.require_reach(&at, addr)?;
        }
        let runs = self.check_runs(&format!("peers[{i}].runs"), &keys.runs)?;
        Ok(PeerSettings { key, addr: keys.addr.clone(), runs, revoked: keys.revoked.unwrap_or(false) })
    }

    fn check_runs(&self, at: &str, runs: &[RunKeys]) -> Checked<Vec<Run>> {
        require(runs.len() <= RUNS_MAX, at, || {
            format!("{at} lists {} runs; one origin has at most {RUNS_MAX}", runs.len())
        })?;
        let mut checked = Vec::with_capacity(runs.len());
        for (i, &RunKeys { first, count }) in runs.iter().enumerate() {
            let (first_key, count_key) = (format!("{at}[{i}].first"), format!("{at}[{i}].count"));
            for (key, value) in [(&first_key, first), (&count_key, count)] {
                require(value.is_multiple_of(RUN_ALIGN), key, || {
                    format!("{key} = {value} is not a multiple of {RUN_ALIGN}")
                })?;
            }
            require(count > 0, &count_key, || format!("{count_key} = 0 is no run"))?;
            let end = u64::from(first) + u64::from(count);
            require(end <= u64::from(self.table.slots), &first_key, || {
                let slots = self.table.slots;
                format!(
                    "{first_key} = {first} + {count_key} = {count} reaches slot {}, beyond table.slots = {slots}",
                    end - 1
                )
            })?;
            checked.push(Run { first, end: first + count });
        }
        Ok(checked)
    }
}

/// Sorted by their first slot, runs that overlap have neighbours that do. A revoked peer owns nothing any more.
fn check_overlaps(agents: &[Run], peers: &[PeerSettings]) -> Checked {
    let own = agents.iter().enumerate().map(|(i, run)| (*run, None, i));
    let others = peers.iter().enumerate().filter(|(_, peer)| !peer.revoked).flat_map(|(peer, settings)| {
        settings.runs.iter().enumerate().map(move |(i, run)| (*run, Some(peer), i))
    });
    let mut runs: Vec<(Run, Option<usize>, usize)> = own.chain(others).collect();
    runs.sort();
    let name = |(run, peer, i): (Run, Option<usize>, usize)| match peer {
        None => format!("agents[{i}] (this node) {run}"),
        Some(peer) => format!("peers[{peer}].runs[{i}] ({}) {run}", peers[peer].key.id().short()),
    };
    for pair in runs.windows(2) {
        let [below, above] = [pair[0], pair[1]];
        let key = match above {
            (_, None, i) => format!("agents[{i}].first"),
            (_, Some(peer), i) => format!("peers[{peer}].runs[{i}].first"),
        };
        require(below.0.end <= above.0.first, &key, || {
            format!("runs overlap: {} and {}", name(below), name(above))
        })?;
    }
    Ok(())
}

fn check_rate(whose: &str, checks: u32, bad: u32) -> Checked {
    let (checks_key, bad_key) =
        (format!("limits.{whose}_checks_per_sec"), format!("limits.{whose}_bad_per_sec"));
    within(&checks_key, checks.into(), 1, CHECKS_PER_SEC_MAX.into())?;
    within(&bad_key, bad.into(), 1, CHECKS_PER_SEC_MAX.into())?;
    require(bad <= checks, &bad_key, || {
        format!("{bad_key} = {bad} would be more than all checks, {checks_key} = {checks}")
    })
}

/// A host and a port, which may be resolved later.
fn require_address(at: &str, addr: &str) -> Checked {
    let port = addr.rsplit_once(':').and_then(|(host, port)| {
        if host.is_empty() { None } else { port.parse::<u16>().ok().filter(|port| *port != 0) }
    });
    require(port.is_some(), at, || {
        format!("{at} = \"{addr}\" is not an address; want \"host:port\", a port from 1 to 65535")
    })
}

fn within(key: &str, value: u64, min: u64, max: u64) -> Checked {
    require(value >= min, key, || format!("{key} = {value} is below the least, {min}"))?;
    require(value <= max, key, || format!("{key} = {value} is above the most, {max}"))
}

fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn decode_hex(digits: &str) -> Option<[u8; 32]> {
    let digits = digits.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
        *byte = (high? << 4 | low?) as u8;
    }
    Some(bytes)
}

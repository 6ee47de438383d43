//! Every relation between choices, checked once, for library, command and file.
//!
//! In comes a [`Config`] in which anything may stand; out go [`Settings`] that start, or the first relation that does not
//! hold, with both operands and what to do. Nothing is clamped, and nothing passes that is then ignored.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use octick_core::admission::grant::ANY_REGION;
use octick_core::control::message::announcement::{ADDRESSES_MAX, CLAIMS_MAX, EPHEMERAL};
use octick_core::data::budget::Rate;
use octick_core::data::{Directory, DirectoryError, Origin, Run};
use octick_core::limits::{CHECKS_PER_SEC_MAX, ORIGINS_MAX, RUN_ALIGN, RUNS_MAX, SLOTS_MAX};
use octick_core::state::Layout;
use octick_core::table::Kernel;
use octick_crypto::{NodeId, lanes};

use super::config::{Config, Mode, Peer, Push, random_word};
use super::error::{ConfigError, require, within};
use super::settings::Settings;
use crate::limits::{
    CHANGES_MAX, CHANGES_MIN, EGRESS_QUEUE_MAX, FANOUT_MAX, FRAME_CACHE_MAX, FRAME_CACHE_MIN, MESH_NAME_MAX,
    RECEIVE_BYTES_MAX, RECEIVE_BYTES_MIN, REFRESH_MILLIS_MAX, RING_DEPTH, SEEDS_MAX, SKEW_MICROS_MAX,
    SKEW_MICROS_MIN, SOCKETS_MAX, VERIFY_TABLE_BYTES_MAX, WRITES_MAX,
};
use crate::mesh::{Membership, Region, Rule};
use crate::socket::bounds;

type Checked<T = ()> = Result<T, ConfigError>;

impl Config {
    /// Checks every choice and how they fit together, with each other, with the key and with this CPU.
    ///
    /// # Errors
    /// The first contradiction, with both operands.
    pub fn check(self) -> Result<Settings, ConfigError> {
        self.check_relations()?;
        self.check_kernels()?;
        let directory = self.directory()?;
        Ok(Settings { config: self, directory })
    }

    /// The part of [`check`](Self::check) that looks neither at the identity nor at the machine: for a configuration whose key
    /// is not at hand, or that is meant for another machine.
    ///
    /// # Errors
    /// The first contradiction, with both operands.
    pub fn check_relations(&self) -> Result<(), ConfigError> {
        check_mesh(&self.mesh)?;
        check_listen(self.listen)?;
        self.check_table()?;
        self.check_owners()?;
        self.check_membership()?;
        self.check_push()?;
        self.check_threads()?;
        self.check_socket()?;
        self.check_limits()
    }

    fn check_kernels(&self) -> Checked {
        if let Some(kernel) = self.kernel {
            let has: Vec<_> = Kernel::all_available().map(|kernel| kernel.to_string()).collect();
            require(kernel.available(), "kernel", || {
                format!(
                    "kernel = \"{kernel}\", but this CPU has only {}; \"auto\" takes the best",
                    has.join(", ")
                )
            })?;
        }
        if let Some(kernel) = self.verify.kernel {
            let has: Vec<_> = lanes::Kernel::all_available().map(|kernel| kernel.to_string()).collect();
            require(kernel.available(), "verify.kernel", || {
                format!(
                    "verify.kernel = \"{kernel}\", but this CPU has only {}; \"auto\" takes the best",
                    has.join(", ")
                )
            })?;
        }
        Ok(())
    }

    fn check_table(&self) -> Checked {
        let Layout { slots, cells8, cells4, rows } = self.layout;
        within("table.slots", slots.into(), RUN_ALIGN.into(), SLOTS_MAX.into())?;
        require(slots.is_multiple_of(RUN_ALIGN), "table.slots", || {
            format!(
                "table.slots = {slots} is not a multiple of {RUN_ALIGN}; want {}",
                slots.next_multiple_of(RUN_ALIGN)
            )
        })?;
        require(cells8 || cells4 || rows, "table.cells8", || {
            "table.cells8, table.cells4 and table.rows are all false: the node could keep nothing; set one to true".into()
        })
    }

    /// Who speaks for which slots; nobody for a slot that another speaks for.
    fn check_owners(&self) -> Checked {
        within("limits.origins_max", self.origins_max as u64, 1, ORIGINS_MAX as u64)?;
        require(self.peers.len() < self.origins_max, "peers", || {
            format!(
                "{} peers and this node are more than limits.origins_max = {}; raise that, to at most {ORIGINS_MAX}",
                self.peers.len(),
                self.origins_max
            )
        })?;
        check_runs("agents", &self.runs, self.layout.slots)?;
        require(self.membership.is_none() || self.runs.len() <= CLAIMS_MAX, "agents", || {
            format!(
                "agents lists {} runs, but with membership.enabled = true a node announces at most {CLAIMS_MAX}; join \
                 neighbouring runs, or spread them over several nodes",
                self.runs.len()
            )
        })?;
        let mut places: HashMap<NodeId, usize> = HashMap::new();
        let mut addresses: HashMap<SocketAddr, usize> = HashMap::new();
        for (i, peer) in self.peers.iter().enumerate() {
            if let Some(j) = places.insert(peer.key.id(), i) {
                let key = format!("peers[{i}].public_key");
                let same = hex(peer.key.as_bytes());
                let message =
                    format!("peers[{j}].public_key and {key} are the same, {same}; keep one of them");
                return Err(ConfigError { key, message });
            }
            check_runs(&format!("peers[{i}].runs"), &peer.runs, self.layout.slots)?;
            let Some(addr) = peer.addr.filter(|_| !peer.revoked) else { continue };
            let key = format!("peers[{i}].addr");
            check_reach(&key, self.listen, addr)?;
            require(addr != self.listen, &key, || {
                format!("{key} = \"{addr}\" is where this node listens itself; name the peer's address")
            })?;
            if let Some(j) = addresses.insert(addr, i) {
                let message =
                    format!("peers[{j}].addr and {key} are both \"{addr}\", but one address is one node's");
                return Err(ConfigError { key, message });
            }
        }
        check_overlaps(&self.runs, &self.peers)
    }

    fn check_membership(&self) -> Checked {
        let Some(membership) = &self.membership else { return Ok(()) };
        let Membership { advertise, capabilities, frame_cache, settings, .. } = membership;
        require(capabilities & EPHEMERAL == 0, "membership.capabilities", || {
            format!(
                "{capabilities:#010x} has the highest bit, which says ephemeral: leave it to Membership::ephemeral"
            )
        })?;
        within("membership.advertise", advertise.len() as u64, 0, ADDRESSES_MAX as u64)?;
        for (i, address) in advertise.iter().enumerate() {
            let key = format!("membership.advertise[{i}]");
            require_somewhere(&key, *address)?;
            // Who listens at one family only is not reached at an address of the other.
            let (listen, address) = (self.listen.ip().to_canonical(), address.ip().to_canonical());
            require(
                self.listen.is_ipv6() && listen.is_unspecified() || listen.is_ipv4() == address.is_ipv4(),
                &key,
                || {
                    let port = self.listen.port();
                    format!(
                        "{key} = \"{address}\" is not of the family of listen = \"{listen}\"; listen on [::]:{port} for both"
                    )
                },
            )?;
        }
        within("membership.seeds", settings.seeds.len() as u64, 0, SEEDS_MAX as u64)?;
        for (i, seed) in settings.seeds.iter().enumerate() {
            check_reach(&format!("membership.seeds[{i}]"), self.listen, *seed)?;
        }
        let (least, most) = (FRAME_CACHE_MIN as u64, FRAME_CACHE_MAX as u64);
        within("membership.frame_cache_bytes", *frame_cache as u64, least, most)?;
        // Whoever restarts takes a larger number, so the last one could never be followed.
        require(self.incarnation != Some(u32::MAX), "incarnation", || {
            format!("incarnation = {} is the last there is: no restart could follow it", u32::MAX)
        })?;
        self.check_credential(membership)?;
        membership.control().check().map(drop).map_err(|contradiction| {
            let message = format!("membership.{contradiction}");
            ConfigError { key: "membership".into(), message }
        })
    }

    fn check_credential(&self, membership: &Membership) -> Checked {
        let Some(credential) = &membership.credential else {
            return require(membership.admission.rule() != Rule::Issued, "membership.credential", || {
                "the mesh asks for a credential, and there is none: have its authority issue one for this node's key".into()
            });
        };
        let grant = credential.grant();
        let own = self.identity.id();
        require(grant.member == own, "membership.credential", || {
            format!("the credential is that of {}, and this node is {own}", grant.member)
        })?;
        let Region(region) = membership.region;
        require([ANY_REGION, region].contains(&grant.region), "membership.region", || {
            format!("region = {region}, and the credential is for region {}", grant.region)
        })?;
        let beyond = self.runs.iter().find(|run| !grant.covers(**run));
        match beyond.filter(|_| membership.admission.log().is_some()) {
            Some(run) => Err(ConfigError {
                key: "agents".into(),
                message: format!(
                    "agents: slots {run} are not among those that the credential grants; without agents the node writes all of those"
                ),
            }),
            None => Ok(()),
        }
    }

    fn check_push(&self) -> Checked {
        let Push { fanout, relay, flush, refresh, queue } = self.push;
        within("push.fanout", fanout as u64, 0, FANOUT_MAX as u64)?;
        within("push.relay", relay as u64, 0, FANOUT_MAX as u64)?;
        within("push.queue", queue as u64, 1, EGRESS_QUEUE_MAX as u64)?;
        let (refresh, most) = (refresh.as_millis(), u128::from(REFRESH_MILLIS_MAX));
        require(refresh <= most, "push.refresh_millis", || {
            format!("push.refresh_millis = {refresh} is above the most, {most}; 0 never sends again")
        })?;
        let skew = self.skew_max;
        let skew_micros = u64::try_from(skew.as_micros()).unwrap_or(u64::MAX);
        within("limits.skew_micros", skew_micros, SKEW_MICROS_MIN, SKEW_MICROS_MAX)?;
        require(flush <= skew, "push.flush_micros", || {
            format!(
                "push.flush_micros = {} lets changes wait longer than limits.skew_micros = {} lets versions lie apart",
                flush.as_micros(),
                skew.as_micros()
            )
        })
    }

    fn check_threads(&self) -> Checked {
        let cores = &self.threads.cores;
        let listed = || format!("threads.cores lists {}", counted(cores.len(), "core"));
        let threads = match self.threads.mode {
            Mode::Solo => {
                require(cores.len() <= 1, "threads.cores", || {
                    format!("threads.mode = \"solo\" is one thread, but {}", listed())
                })?;
                return Ok(());
            }
            Mode::Split { ingress } => {
                within("threads.ingress", ingress as u64, 1, SOCKETS_MAX as u64)?;
                1 + ingress
            }
        };
        require(cores.is_empty() || cores.len() == threads, "threads.cores", || {
            let ingress = threads - 1;
            format!(
                "threads.ingress = {ingress} and the merging thread want {threads} cores, but {}",
                listed()
            )
        })?;
        for (i, core) in cores.iter().enumerate() {
            let twice = cores[..i].contains(core);
            require(!twice, &format!("threads.cores[{i}]"), || {
                format!("threads.cores lists core {core} twice")
            })?;
        }
        Ok(())
    }

    fn check_socket(&self) -> Checked {
        let (receive, buffers) = (self.socket.receive_bytes as u64, self.socket.buffers);
        within("socket.rcvbuf_bytes", receive, RECEIVE_BYTES_MIN as u64, RECEIVE_BYTES_MAX as u64)?;
        let sockets = self.threads.mode.sockets();
        let allowed = bounds::buffers(sockets);
        require(allowed.contains(&buffers), "socket.buffers", || {
            let (least, most, each) = (allowed.start(), allowed.end(), RING_DEPTH);
            format!(
                "socket.buffers = {buffers} is not in {least} to {most}: {each} at least for each of {}",
                counted(sockets, "socket")
            )
        })
    }

    fn check_limits(&self) -> Checked {
        within("verify.table_bytes", self.verify.table_bytes as u64, 0, VERIFY_TABLE_BYTES_MAX as u64)?;
        within("limits.writes_queue", self.writes_queue as u64, 1, WRITES_MAX as u64)?;
        within("limits.changes_ring", self.changes_ring as u64, CHANGES_MIN as u64, CHANGES_MAX as u64)?;
        check_rate("peer", self.limits.peer)?;
        check_rate("strangers", self.limits.strangers)
    }

    /// This node and its peers as origins: this node first.
    fn directory(&self) -> Checked<Directory> {
        let own = Origin { key: self.identity.public().clone(), runs: self.runs.clone(), revoked: false };
        let theirs = self.peers.iter().map(|peer| Origin {
            key: peer.key.clone(),
            runs: peer.runs.clone(),
            revoked: peer.revoked,
        });
        let seed = std::array::from_fn(|i| random_word(i as u64));
        Directory::new(std::iter::once(own).chain(theirs).collect(), seed)
            .map_err(|error| self.misplaced(error))
    }

    /// What the relations could not see: that the key of a peer is this node's own, or that two keys share a name.
    fn misplaced(&self, error: DirectoryError) -> ConfigError {
        let own = self.peers.iter().position(|peer| peer.key.id() == self.identity.id());
        match own {
            Some(i) => {
                let key = format!("peers[{i}].public_key");
                let message = format!("{key} is this node's own key; leave this node out of its peers");
                ConfigError { key, message }
            }
            None => ConfigError { key: "peers".into(), message: format!("peers: {error}") },
        }
    }
}

fn check_mesh(mesh: &str) -> Checked {
    require(!mesh.is_empty(), "mesh", || {
        "mesh = \"\" is no name: every node that was never given one would share this mesh".into()
    })?;
    require(mesh.len() <= MESH_NAME_MAX, "mesh", || {
        format!("mesh is a name of {} bytes; want at most {MESH_NAME_MAX}", mesh.len())
    })?;
    require(!mesh.chars().any(char::is_control), "mesh", || {
        format!("mesh = {mesh:?} holds control characters, which would spoil every line that names it")
    })
}

fn check_listen(listen: SocketAddr) -> Checked {
    require(!is_group(listen.ip()), "listen", || {
        format!(
            "listen = \"{listen}\" is a group, not an address of this machine; listen on {}",
            wildcard(listen)
        )
    })
}

/// Whether one origin may have these runs in tables of so many slots.
pub(crate) fn check_runs(at: &str, runs: &[Run], slots: u32) -> Checked {
    require(runs.len() <= RUNS_MAX, at, || {
        format!("{at} lists {} runs; one origin has at most {RUNS_MAX}", runs.len())
    })?;
    for (i, run) in runs.iter().enumerate() {
        let (first, count) = (run.first.0, run.len);
        let (first_key, count_key) = (format!("{at}[{i}].first"), format!("{at}[{i}].count"));
        for (key, value) in [(&first_key, first), (&count_key, count)] {
            require(value.is_multiple_of(RUN_ALIGN), key, || {
                format!("{key} = {value} is not a multiple of {RUN_ALIGN}")
            })?;
        }
        require(count > 0, &count_key, || format!("{count_key} = 0 is no run"))?;
        let end = u64::from(first) + u64::from(count);
        require(end <= u64::from(slots), &first_key, || {
            format!(
                "{first_key} = {first} + {count_key} = {count} reaches slot {}, beyond table.slots = {slots}",
                end - 1
            )
        })?;
    }
    Ok(())
}

/// Sorted by their first slot, runs that overlap have neighbours that do. A revoked peer owns nothing any more.
fn check_overlaps(agents: &[Run], peers: &[Peer]) -> Checked {
    let own = agents.iter().enumerate().map(|(i, run)| (*run, None, i));
    let others = peers
        .iter()
        .enumerate()
        .filter(|(_, peer)| !peer.revoked)
        .flat_map(|(at, peer)| peer.runs.iter().enumerate().map(move |(i, run)| (*run, Some(at), i)));
    let mut runs: Vec<(Run, Option<usize>, usize)> = own.chain(others).collect();
    runs.sort_by_key(|(run, peer, i)| (run.first, run.end(), *peer, *i));
    let name = |(run, peer, i): (Run, Option<usize>, usize)| {
        let span = format!("{}..{}", run.first.0, run.end());
        match peer {
            None => format!("agents[{i}] (this node) {span}"),
            Some(peer) => format!("peers[{peer}].runs[{i}] ({}) {span}", peers[peer].key.id().short()),
        }
    };
    for pair in runs.windows(2) {
        let [below, above] = [pair[0], pair[1]];
        let key = match above {
            (_, None, i) => format!("agents[{i}].first"),
            (_, Some(peer), i) => format!("peers[{peer}].runs[{i}].first"),
        };
        require(below.0.end() <= u64::from(above.0.first.0), &key, || {
            format!("runs overlap: {} and {}; a slot has one owner", name(below), name(above))
        })?;
    }
    Ok(())
}

fn check_rate(whose: &str, Rate { checks_per_sec, bad_per_sec }: Rate) -> Checked {
    let (checks_key, bad_key) =
        (format!("limits.{whose}_checks_per_sec"), format!("limits.{whose}_bad_per_sec"));
    within(&checks_key, checks_per_sec.into(), 1, CHECKS_PER_SEC_MAX.into())?;
    within(&bad_key, bad_per_sec.into(), 1, CHECKS_PER_SEC_MAX.into())?;
    require(bad_per_sec <= checks_per_sec, &bad_key, || {
        format!("{bad_key} = {bad_per_sec} would be more than all checks, {checks_key} = {checks_per_sec}")
    })
}

/// Whether a datagram can go from a socket that is bound to `listen` to the address that `key` names.
///
/// # Errors
/// Why none could.
pub fn check_reach(key: &str, listen: SocketAddr, to: SocketAddr) -> Result<(), ConfigError> {
    require_somewhere(key, to)?;
    require(bounds::reaches(listen, to), key, || {
        format!("{key} = \"{to}\": {}", bounds::OutOfReach { listen, to })
    })
}

/// Whether a datagram for `to` could go anywhere at all.
fn require_somewhere(key: &str, to: SocketAddr) -> Checked {
    require(!to.ip().to_canonical().is_unspecified() && to.port() != 0, key, || {
        format!("{key} = \"{to}\" is nowhere that others could send to; name an address and a port")
    })?;
    require(!is_group(to.ip()), key, || format!("{key} = \"{to}\" is a group, not the address of one node"))
}

fn is_group(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// All addresses of the family of `listen`, on its port.
fn wildcard(listen: SocketAddr) -> SocketAddr {
    let any =
        if listen.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    SocketAddr::new(any, listen.port())
}

fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

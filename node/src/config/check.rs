//! What only the file has (names to be looked up, keys in hex, the admin API, discovery) is checked here; every relation
//! that a program which embeds the library could break as well is checked by the library, on what the file makes of it.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use octick::Identity;
use octick_crypto::PublicKey;

use super::admin::AdminSettings;
use super::admission::AdmissionSettings;
use super::conflict::{Checked, Conflict, require};
use super::hex::decode_hex;
use super::keys::{Config, Kernel, Mode, PeerKeys, PushKeys, ReportKeys, RunKeys, SocketKeys, TableKeys};
use super::keys::{DiscoveryKeys, LimitKeys, LogKeys, MembershipKeys, ThreadKeys, VerifyKeys};

/// A configuration that contradicts nothing.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the mesh.
    pub mesh: String,
    /// The secret key, relative to the configuration file.
    pub key_file: PathBuf,
    /// What the node must not forget, relative to the configuration file.
    pub state_file: PathBuf,
    /// UDP address to listen on.
    pub listen: SocketAddr,
    /// Which merge kernel.
    pub kernel: Kernel,
    /// This node's own runs.
    pub agents: Vec<Run>,
    /// The other nodes, each once.
    pub peers: Vec<PeerSettings>,
    /// Who may be a member.
    pub admission: AdmissionSettings,
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

/// Name servers that are asked: more would only make a failure slower.
const NAME_SERVERS_MAX: usize = 8;

impl Config {
    /// Checks every relation between keys. Looks neither at the key file nor at this machine.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn check(&self) -> Checked<Settings> {
        self.check_membership()?;
        let admission = AdmissionSettings::check(&self.admission, &self.key_file, self.membership.enabled)?;
        let admin = AdminSettings::check(&self.admin, &self.key_file)?;
        self.check_threads()?;
        let settings = Settings {
            mesh: self.mesh.clone(),
            key_file: self.key_file.clone(),
            state_file: match self.state_file.as_os_str() {
                empty if empty.is_empty() => self.key_file.with_extension("state"),
                _ => self.state_file.clone(),
            },
            listen: self.listen,
            kernel: self.kernel,
            agents: check_runs("agents", &self.agents)?,
            peers: self
                .peers
                .iter()
                .enumerate()
                .map(|(i, keys)| check_peer(i, keys))
                .collect::<Checked<_>>()?,
            admission,
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
        };
        // Nothing that is checked depends on whose the identity is.
        let nobody = Identity::from_seed(&[0; 32]);
        settings.library_config(nobody).check_relations()?;
        Ok(settings)
    }

    fn check_membership(&self) -> Checked {
        let MembershipKeys { enabled, seeds, advertise, .. } = &self.membership;
        require(*enabled || seeds.is_empty(), "membership.seeds", || {
            format!("membership.seeds lists {}, but membership.enabled = false", counted(seeds.len(), "seed"))
        })?;
        require(*enabled || advertise.is_empty(), "membership.advertise", || {
            let lists = counted(advertise.len(), "address");
            format!("membership.advertise lists {lists}, but membership.enabled = false")
        })?;
        for (i, seed) in seeds.iter().enumerate() {
            let at = format!("membership.seeds[{i}]");
            match seed.strip_prefix("srv:") {
                Some(service) => require(service.starts_with('_') && service.contains("._"), &at, || {
                    format!("{at} = \"{seed}\": want a service as in \"srv:_octick._udp.example.org\"")
                })?,
                None => require_address(&at, seed)?,
            }
            // The library is given those that are addresses, and would count them otherwise.
            if let Ok(address) = seed.parse() {
                octick::config::check_reach(&at, self.listen, address)?;
            }
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
        let servers = self.discovery.name_servers.len();
        require(servers <= NAME_SERVERS_MAX, "discovery.name_servers", || {
            format!("discovery.name_servers lists {servers}; want at most {NAME_SERVERS_MAX}")
        })?;
        Ok(())
    }

    fn check_threads(&self) -> Checked {
        let ThreadKeys { mode, ingress, .. } = self.threads;
        require(mode == Mode::Split || ingress == 1, "threads.ingress", || {
            format!("threads.mode = \"solo\" is one thread for all, but threads.ingress = {ingress}")
        })
    }
}

fn check_peer(i: usize, keys: &PeerKeys) -> Checked<PeerSettings> {
    let at = format!("peers[{i}].public_key");
    let refuse = |why: &dyn fmt::Display| Conflict {
        key: at.clone(),
        message: format!("{at} = \"{}\": {why}", keys.public_key),
    };
    let bytes = decode_hex(&keys.public_key).ok_or_else(|| refuse(&"want 64 hex digits"))?;
    let key = PublicKey::admit(&bytes).map_err(|error| refuse(&error))?;
    if let Some(addr) = &keys.addr {
        require_address(&format!("peers[{i}].addr"), addr)?;
    }
    let runs = check_runs(&format!("peers[{i}].runs"), &keys.runs)?;
    Ok(PeerSettings { key, addr: keys.addr.clone(), runs, revoked: keys.revoked.unwrap_or(false) })
}

/// The runs as bounds, if 32 bits hold them; whether they make sense is for the library to say.
fn check_runs(at: &str, runs: &[RunKeys]) -> Checked<Vec<Run>> {
    let bounds = |(i, &RunKeys { first, count }): (usize, &RunKeys)| {
        let key = format!("{at}[{i}].first");
        let end = first.checked_add(count).ok_or_else(|| Conflict {
            message: format!("{key} = {first} + {at}[{i}].count = {count} is more than 32 bits hold"),
            key: key.clone(),
        })?;
        Ok(Run { first, end })
    };
    runs.iter().enumerate().map(bounds).collect()
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

fn counted(n: usize, noun: &str) -> String {
    let plural = if noun.ends_with('s') { "es" } else { "s" };
    format!("{n} {noun}{}", if n == 1 { "" } else { plural })
}

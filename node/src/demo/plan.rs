//! Keys, credentials, ports and configurations for the nodes of a demo, in a directory of their own that goes away with it.

use std::fs::{self, DirBuilder};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use octick_core::admission::endorsement::authority_key;
use octick_core::admission::grant::{ANY_REGION, WRITE_CELLS};
use octick_core::admission::{Credential, Grant};
use octick_core::limits::{RUN_ALIGN, SLOTS_MAX};
use octick_core::stamp::{Run, Slot};
use octick_crypto::{Identity, NodeId, key_file};

use crate::admin::Token;
use crate::authority::document;
use crate::config::{
    AdminKeys, AdmissionKeys, AuthorityKeys, Config, LimitKeys, MembershipKeys, PushKeys, Rule, SocketKeys,
    TableKeys,
};
use crate::failure::Failure;
use crate::keygen::hex;
use crate::trust;

/// Signature checks a second that all nodes together should not go far beyond: they share this machine's cores, and
/// each check costs about 111,000 ticks.
const CHECKS_PER_S: u64 = 2_000;
/// Bounds of the time that changes are collected: a train should be worth its signature and a thread's waking up,
/// and a person should not wait for it.
const FLUSH: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// Bytes of tables that this machine is trusted to hash in a second: a tenth of what one core does.
const HASH_BYTES_PER_S: u64 = 200 << 20;
/// How long the credentials of a demo hold, seconds: a year.
const CREDENTIAL_SECS: u32 = 365 * 86_400;
/// Bytes of a slot in a demo's one table.
const SLOT_BYTES: u64 = 16;

/// The nodes to start.
pub(super) struct Plan {
    /// Holds keys and configurations until all nodes have read them, and the sockets of their admin APIs.
    directory: Directory,
    /// Each node's id.
    pub(super) ids: Vec<String>,
    /// Where the admin API of the first node listens besides, and what it asks for.
    tcp: (SocketAddr, Token),
    pub(super) pace: Pace,
}

/// What a demo's size says about how long things take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How long each node collects changes before it signs and sends them.
    pub(super) flush: Duration,
    /// How long the nodes of a slow machine take at most to hash all tables.
    pub(super) hashing: Duration,
}

impl Plan {
    /// Lays out `nodes` nodes of `agents` agents each.
    ///
    /// # Errors
    /// When files or ports cannot be had, or so many agents do not fit a table.
    pub(super) fn lay(nodes: usize, agents: u32, backend: crate::config::Backend) -> Result<Self, Failure> {
        let run = u64::from(agents).next_multiple_of(RUN_ALIGN.into());
        let slots = run * nodes as u64;
        if slots > SLOTS_MAX.into() {
            return Err(Failure::usage(format!(
                "--nodes {nodes} of --agents {agents} want {slots} slots, a table has at most {SLOTS_MAX}"
            )));
        }
        // Each train is checked by every other node.
        let checks = (nodes * (nodes - 1)) as u64;
        let flush = Duration::from_micros(checks * 1_000_000 / CHECKS_PER_S).clamp(FLUSH.0, FLUSH.1);
        let directory = Directory::new()?;
        let identities = (0..nodes).map(|_| Identity::generate()).collect::<Result<Vec<_>, _>>()?;
        let ports = free_ports(nodes)?;
        let tcp = (free_tcp_port()?, Token::read_or_create(&directory.0.join("0.token"))?);
        let mesh = format!("octick demo {}", std::process::id());
        // It signs here and now, and nobody has its secret half after that.
        let authority = Identity::generate()?;
        for (i, identity) in identities.iter().enumerate() {
            key_file::create(&directory.0.join(format!("{i}.key")), identity)?;
            let config = Config {
                mesh: mesh.clone(),
                key_file: format!("{i}.key").into(),
                listen: ports[i],
                table: TableKeys { slots: slots as u32, cells8: true, cells4: false, rows: false },
                // Relayed more than once, so that whoever missed a frame of a node that then died hears it from others.
                push: PushKeys {
                    fanout: nodes,
                    relay: 2,
                    flush_micros: flush.as_micros() as u64,
                    refresh_millis: 0,
                    ..PushKeys::default()
                },
                socket: SocketKeys { backend, ..SocketKeys::default() },
                limits: LimitKeys { changes_ring: 2, ..LimitKeys::default() },
                admission: AdmissionKeys {
                    rule: Rule::Issued,
                    authority: AuthorityKeys { threshold: 1, keys: vec![hex(authority.public().as_bytes())] },
                    ..AdmissionKeys::default()
                },
                // All that a node is told of the others is where the first one is.
                membership: MembershipKeys {
                    enabled: true,
                    seeds: if i == 0 { Vec::new() } else { vec![ports[0].to_string()] },
                    ..MembershipKeys::default()
                },
                admin: AdminKeys {
                    socket: format!("{i}.sock").into(),
                    listen: if i == 0 { tcp.0.to_string() } else { String::new() },
                    ..AdminKeys::default()
                },
                ..Config::default()
            };
            fs::write(directory.0.join(format!("{i}.toml")), toml::to_string(&config)?)?;
            let granted = Run { first: Slot(i as u32 * run as u32), len: run as u32 };
            let credential = credential(&mesh, name(i), identity.id(), granted, &authority)?;
            fs::write(directory.0.join(format!("{i}.credential")), document::credential(&credential, &mesh))?;
        }
        let ids = identities.iter().map(|identity| identity.id().to_string()).collect();
        let bytes = slots * SLOT_BYTES * nodes as u64;
        let hashing = Duration::from_millis(bytes * 1_000 / HASH_BYTES_PER_S);
        Ok(Self { directory, ids, tcp, pace: Pace { flush, hashing } })
    }

    /// What the mesh's authority calls node `i`.
    pub(super) fn name(&self, i: usize) -> String {
        name(i)
    }

    /// The configuration of node `i`.
    pub(super) fn config(&self, i: usize) -> PathBuf {
        self.directory.0.join(format!("{i}.toml"))
    }

    /// Where the admin API of node `i` listens.
    pub(super) fn admin(&self, i: usize) -> PathBuf {
        self.directory.0.join(format!("{i}.sock"))
    }

    /// The members of the mesh as the first node sees them, for a browser: the address carries its token.
    pub(super) fn url(&self) -> String {
        let (address, token) = &self.tcp;
        format!("http://{address}/api/v1/members?token={}", token.expose())
    }

    /// Removes keys, credentials and configurations, once every node has read its own: whatever ends the demo, no key stays behind.
    ///
    /// # Errors
    /// One line that names what could not be removed.
    pub(super) fn remove_keys(&self) -> Result<(), Failure> {
        let remove = |file: PathBuf| {
            fs::remove_file(&file).map_err(|error| {
                Failure::new(format!("{}: {error}; a demo's key is left there", file.display()))
            })
        };
        remove(self.directory.0.join("0.token"))?;
        for i in 0..self.ids.len() {
            let credential = self.directory.0.join(format!("{i}.credential"));
            for file in [self.directory.0.join(format!("{i}.key")), credential, self.config(i)] {
                remove(file)?;
            }
        }
        Ok(())
    }
}

fn name(i: usize) -> String {
    format!("node-{i}")
}

/// What the authority of a demo grants a node: its slots, for longer than anybody watches.
fn credential(
    mesh: &str,
    name: String,
    member: NodeId,
    granted: Run,
    authority: &Identity,
) -> Result<Credential, Failure> {
    let now =
        u32::try_from(trust::now()).map_err(|_| Failure::new("the clock of this machine is after 2106"))?;
    let grant = Grant {
        serial: 1 + u64::from(granted.first.0 / granted.len),
        member,
        from: now,
        until: now.saturating_add(CREDENTIAL_SECS),
        grace: 0,
        region: ANY_REGION,
        roles: 0,
        rights: WRITE_CELLS,
        name,
        runs: vec![granted],
    };
    Ok(Credential::issue(&grant, &authority_key(mesh), &[authority])?)
}

/// Loopback ports that nobody has just now, each another one.
fn free_ports(count: usize) -> Result<Vec<SocketAddr>, Failure> {
    let bind = |_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    // All are held until the last is found.
    let sockets = (0..count).map(bind).collect::<Result<Vec<_>, _>>()?;
    Ok(sockets.iter().map(UdpSocket::local_addr).collect::<Result<_, _>>()?)
}

/// A loopback port for TCP that nobody has just now.
fn free_tcp_port() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// A directory for this user only, removed when dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("octick-demo-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path).map_err(|error| {
            Failure::new(format!("{}: {error}; remove it, or set TMPDIR", path.display()))
        })?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        match fs::remove_dir_all(Path::new(&self.0)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                eprintln!("octick: {}: {error}; files of the demo are left there", self.0.display());
            }
            // The last node may have removed it.
            _ => {}
        }
    }
}

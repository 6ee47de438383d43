//! Seeds that are names, looked up again and again: often while nobody is met, rarely otherwise.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use octick::socket::bounds;

/// What a seed begins with whose SRV records are meant.
pub(super) const SRV: &str = "srv:";
/// Between two look-ups of a node that has met nobody, at first and at most.
const GAP: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// Between two of a node that has: names may have moved on.
const GAP_MET: Duration = Duration::from_secs(60);
/// Addresses of one look-up that are used; whoever publishes more is served by these.
const ADDRESSES: usize = 16;
/// How long a name server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The names, and when to look them up.
pub(super) struct Names {
    names: Vec<Name>,
    name_servers: Vec<SocketAddr>,
    listen: SocketAddr,
    due: Instant,
    gap: Duration,
}

struct Name {
    text: String,
    /// Whether it was said that it does not resolve: once is enough.
    failed: bool,
}

impl Names {
    /// To be looked up at once.
    pub(super) fn new(names: Vec<String>, name_servers: Vec<SocketAddr>, listen: SocketAddr) -> Self {
        let names = names.into_iter().map(|text| Name { text, failed: false }).collect();
        Self { names, name_servers, listen, due: Instant::now(), gap: GAP.0 }
    }

    /// Whether it is time.
    pub(super) fn is_due(&self) -> bool {
        !self.names.is_empty() && Instant::now() >= self.due
    }

    /// A node that lost everybody looks again soon, not in a minute.
    pub(super) fn note_alone(&mut self, alone: impl FnOnce() -> bool) {
        if !self.names.is_empty() && self.gap == GAP_MET && self.due > Instant::now() + GAP.0 && alone() {
            (self.gap, self.due) = (GAP.0, Instant::now() + GAP.0);
        }
    }

    /// Looks all of them up. A name that does not resolve is logged, and when it does again.
    pub(super) fn resolve(&mut self) -> Vec<SocketAddr> {
        let mut found = Vec::new();
        for name in &mut self.names {
            let looked_up = look_up(&name.text, &self.name_servers).map(|all| usable(all, self.listen));
            match looked_up {
                Ok(addresses) if addresses.is_empty() => {
                    name.complain(&format!("has no address that {} can send to", self.listen));
                }
                Ok(addresses) => {
                    if std::mem::take(&mut name.failed) {
                        tracing::info!(seed = name.text, "seed resolves again");
                    }
                    found.extend(addresses);
                }
                Err(why) => name.complain(&format!("does not resolve ({why})")),
            }
        }
        found.sort_unstable();
        found.dedup();
        self.gap = if found.is_empty() { (2 * self.gap).min(GAP.1) } else { GAP_MET };
        self.due = Instant::now() + self.gap;
        found
    }
}

impl Name {
    fn complain(&mut self, why: &str) {
        if !std::mem::replace(&mut self.failed, true) {
            tracing::warn!(
                seed = self.text,
                why,
                "seed in membership.seeds is no address; it is tried again"
            );
        }
    }
}

fn usable(all: Vec<SocketAddr>, listen: SocketAddr) -> Vec<SocketAddr> {
    let reachable = |to: &SocketAddr| bounds::reaches(listen, *to) && to.port() != 0;
    all.into_iter().filter(reachable).take(ADDRESSES).collect()
}

fn look_up(name: &str, name_servers: &[SocketAddr]) -> Result<Vec<SocketAddr>, String> {
    match name.strip_prefix(SRV) {
        None => Ok(name.to_socket_addrs().map_err(|error| error.to_string())?.collect()),
        Some(service) => services(service, name_servers),
    }
}

/// The targets of SRV records (RFC 2782), those of the least priority first; all are asked, since one may be down.
fn services(service: &str, name_servers: &[SocketAddr]) -> Result<Vec<SocketAddr>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let resolver = resolver(name_servers)?;
        let asked = tokio::time::timeout(PATIENCE, resolver.srv_lookup(service)).await;
        let answer = asked.map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))?;
        let answer = answer.map_err(|error| error.to_string())?;
        let mut targets: Vec<_> = answer
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some((srv.priority, srv.target.clone(), srv.port)),
                _ => None,
            })
            .collect();
        targets.sort_by_key(|(priority, ..)| *priority);
        let mut found = Vec::new();
        for (_, target, port) in targets.into_iter().take(ADDRESSES) {
            // One target that does not resolve does not spoil the others.
            if let Ok(Ok(addresses)) = tokio::time::timeout(PATIENCE, resolver.lookup_ip(target)).await {
                found.extend(addresses.iter().map(|ip| SocketAddr::new(ip, port)));
            }
        }
        Ok(found)
    })
}

/// One that asks these servers, or those of the system.
fn resolver(name_servers: &[SocketAddr]) -> Result<TokioResolver, String> {
    let builder = if name_servers.is_empty() {
        TokioResolver::builder_tokio().map_err(|error| error.to_string())?
    } else {
        let server = |address: &SocketAddr| {
            let mut server = NameServerConfig::udp_and_tcp(address.ip());
            server.connections.iter_mut().for_each(|connection| connection.port = address.port());
            server
        };
        let servers = name_servers.iter().map(server).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    builder.build().map_err(|error| error.to_string())
}

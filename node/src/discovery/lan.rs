//! Neighbours on the local network: each node says now and then, to a multicast group, on which port it receives.
//!
//! ```text
//! 0      4         5   6      8                  24
//! "OCTK" version 1  0  port   hash of the mesh's name
//! ```
//!
//! The datagram is signed by nobody, so it is only a hint: whoever hears one of its own mesh greets the address that it came from, as
//! it would greet a seed, unless it knows a member there. Forged ones make a node send one greeting to an address in a minute, and ten
//! a second in all.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use octick::{Handle, Hash};
use socket2::{Domain, Protocol, Socket, Type};

use super::met::is_met;

/// The group, and its port.
const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 77, 86, 76), 7779);
/// Routers that an announcement may pass.
const TTL: u32 = 4;
/// When a node announces itself after its start; then every ten seconds.
const FIRST: [Duration; 3] = [Duration::ZERO, Duration::from_millis(200), Duration::from_secs(1)];
const GAP: Duration = Duration::from_secs(10);
/// Within which time an address is greeted once.
const AGAIN: Duration = Duration::from_secs(60);
/// Greetings a second.
const GREETINGS: u32 = 10;
/// Addresses that are kept in mind.
const ADDRESSES: usize = 256;
/// Not everybody greets a newcomer at once: those who wait may find that it is known by then.
const WAIT_PER_MEMBER: Duration = Duration::from_millis(2);
const WAIT_MAX: Duration = Duration::from_millis(500);

/// Bytes of an announcement.
const LEN: usize = 24;

/// Announces a node, and listens to others.
pub(super) struct Lan {
    socket: UdpSocket,
    announcement: [u8; LEN],
    own: SocketAddr,
    sent: usize,
    send_at: Instant,
    /// Who was heard: when to greet it, or until when not to again.
    heard: BTreeMap<SocketAddr, Greeting>,
    /// The second that greetings are counted in, and how many.
    second: (Instant, u32),
    failed: bool,
}

#[derive(Clone, Copy)]
enum Greeting {
    Due(Instant),
    Done(Instant),
}

impl Lan {
    /// Listens on `interface`, for the mesh called `mesh`, on behalf of the node that receives at `own`.
    pub(super) fn open(interface: Ipv4Addr, mesh: &str, own: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        // Several nodes of one machine listen to one group.
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::V4(GROUP).into())?;
        socket.join_multicast_v4(GROUP.ip(), &interface)?;
        socket.set_multicast_if_v4(&interface)?;
        socket.set_multicast_ttl_v4(TTL)?;
        socket.set_multicast_loop_v4(true)?;
        let now = Instant::now();
        Ok(Self {
            socket: socket.into(),
            announcement: announcement(mesh, own.port()),
            own,
            sent: 0,
            send_at: now,
            heard: BTreeMap::new(),
            second: (now, 0),
            failed: false,
        })
    }

    /// Sends what is due, greets whom it is time to greet, and listens for `patience`.
    pub(super) fn turn(&mut self, node: &Handle, patience: Duration) {
        if Instant::now() >= self.send_at {
            self.announce();
        }
        if let Some(from) = self.listen(patience) {
            self.hear(node, from);
        }
        self.greet(node);
    }

    fn announce(&mut self) {
        let sent = self.socket.send_to(&self.announcement, GROUP);
        if let Err(error) = sent
            && !std::mem::replace(&mut self.failed, true)
        {
            tracing::warn!(%error, "discovery.lan cannot announce; it is tried again, see discovery.lan_interface");
        }
        self.sent += 1;
        let next = FIRST.get(self.sent).map_or(GAP, |at| *at - FIRST[self.sent - 1]);
        self.send_at = Instant::now() + next;
    }

    /// Where a node of this mesh receives that announced itself just now.
    fn listen(&mut self, patience: Duration) -> Option<SocketAddr> {
        // Only zero is refused, and it is none.
        self.socket.set_read_timeout(Some(patience)).ok()?;
        let mut buffer = [0; LEN + 1];
        let (len, from) = self.socket.recv_from(&mut buffer).ok()?;
        Some(SocketAddr::new(from.ip(), heard(&buffer[..len], &self.announcement)?))
    }

    fn hear(&mut self, node: &Handle, from: SocketAddr) {
        let now = Instant::now();
        self.heard.retain(|_, greeting| !matches!(greeting, Greeting::Done(until) if *until < now));
        if self.heard.contains_key(&from) || self.heard.len() >= ADDRESSES || from == self.own {
            return;
        }
        let Ok(mesh) = node.mesh() else { return };
        if is_met(node, &mesh, from) {
            return;
        }
        let others = mesh.live().count().saturating_sub(1) as u32;
        let most = (WAIT_PER_MEMBER * others).min(WAIT_MAX);
        self.heard.insert(from, Greeting::Due(now + share(node, from, most)));
    }

    fn greet(&mut self, node: &Handle) {
        let now = Instant::now();
        let due = |greeting: &Greeting| matches!(greeting, Greeting::Due(at) if *at <= now);
        let due: Vec<SocketAddr> = self.heard.iter().filter(|(_, g)| due(g)).map(|(from, _)| *from).collect();
        if due.is_empty() {
            return;
        }
        if now - self.second.0 >= Duration::from_secs(1) {
            self.second = (now, 0);
        }
        let room = GREETINGS - self.second.1;
        let Ok(mesh) = node.mesh() else { return };
        for from in due.into_iter().take(room as usize) {
            self.heard.insert(from, Greeting::Done(now + AGAIN));
            if !is_met(node, &mesh, from) {
                self.second.1 += 1;
                // A node that has ended greets nobody.
                let _ = node.join(from);
            }
        }
    }
}

/// This node's share of a wait: another one on each node, and the same each time.
fn share(node: &Handle, from: SocketAddr, most: Duration) -> Duration {
    let hash = Hash::of(format!("{} {from}", node.id()).as_bytes());
    most * u32::from(hash.0[0]) / 256
}

fn announcement(mesh: &str, port: u16) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    bytes[..4].copy_from_slice(b"OCTK");
    bytes[4] = 1;
    bytes[6..8].copy_from_slice(&port.to_be_bytes());
    bytes[8..].copy_from_slice(&Hash::of(format!("octick lan {mesh}").as_bytes()).0[..16]);
    bytes
}

/// The port in an announcement of the same mesh as `own`; nothing if it is anything else.
fn heard(bytes: &[u8], own: &[u8; LEN]) -> Option<u16> {
    let same = bytes.len() == LEN && bytes[..6] == own[..6] && bytes[8..] == own[8..];
    let port = same.then(|| u16::from_be_bytes([bytes[6], bytes[7]]))?;
    (port != 0).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_announcement_of_the_same_mesh_is_a_hint() {
        let own = announcement("one", 7700);
        assert_eq!(heard(&announcement("one", 7701), &own), Some(7701));
        assert_eq!(heard(&announcement("other", 7701), &own), None);
        assert_eq!(heard(&announcement("one", 0), &own), None);
        for len in 0..LEN {
            assert_eq!(heard(&own[..len], &own), None);
        }
        assert_eq!(heard(&[&own[..], &[0]].concat(), &own), None);
        for i in (0..6).chain(8..LEN) {
            let mut other = own;
            other[i] ^= 1;
            assert_eq!(heard(&other, &own), None, "byte {i}");
        }
    }
}

//! What settings of a socket must hold, for whoever checks settings before a socket is opened.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

pub use crate::limits::{BUFFERS_MAX, RING_DEPTH, SOCKETS_MAX};

/// How many receive buffers a node of that many sockets may have. A socket that nobody sends to keeps the buffers that it has
/// waiting, so with fewer than that for each, another one could be left without, for good.
pub const fn buffers(sockets: usize) -> RangeInclusive<usize> {
    sockets * RING_DEPTH as usize..=BUFFERS_MAX
}

/// Whether a socket that listens there can send to `to`, as far as the addresses alone tell. An IPv4 socket knows no IPv6
/// addresses, only `[::]` speaks both, and what is bound to loopback stays there.
pub fn reaches(listen: SocketAddr, to: SocketAddr) -> bool {
    let (from, to) = (listen.ip().to_canonical(), to.ip().to_canonical());
    let both = from == IpAddr::from([0; 16]);
    (both || from.is_ipv4() == to.is_ipv4()) && (!from.is_loopback() || to.is_loopback())
}

/// Why a socket cannot send somewhere, and what would let it, for an error message: `sends IPv4 only ...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfReach {
    /// Where the socket listens.
    pub listen: SocketAddr,
    /// Where it cannot send; see [`reaches`].
    pub to: SocketAddr,
}

impl fmt::Display for OutOfReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listen, to } = self;
        let (from, to) = (listen.ip().to_canonical(), to.ip().to_canonical());
        let port = listen.port();
        match (from.is_ipv4(), to.is_ipv4()) {
            (true, false) => {
                write!(f, "listen = {listen} sends to IPv4 only; listen on [::]:{port} for both")
            }
            (false, true) => {
                write!(f, "listen = {listen} sends to IPv6 only; listen on [::]:{port} for both")
            }
            _ => {
                let any = if from.is_ipv4() { "0.0.0.0" } else { "[::]" };
                write!(f, "listen = {listen} stays on this machine; listen on {any}:{port} to leave it")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn what_is_said_to_be_out_of_reach_is() {
        let listens = ["0.0.0.0:0", "127.0.0.1:0", "[::]:0", "[::1]:0"];
        let peers = ["127.0.0.1:9", "192.0.2.1:9", "[::1]:9", "[2001:db8::1]:9"];
        let expected =
            [[true, true, false, false], [true, false, false, false], [true; 4], [false, false, true, false]];
        for (listen, expected) in listens.into_iter().zip(expected) {
            let listen: SocketAddr = listen.parse().expect("an address");
            for (to, expected) in peers.into_iter().zip(expected) {
                let to: SocketAddr = to.parse().expect("an address");
                assert_eq!(reaches(listen, to), expected, "{listen} to {to}");
                let Ok(socket) = UdpSocket::bind(listen) else { continue };
                // The kernel knows no more of a route off this machine than it is told; on it, it must agree.
                if to.ip().is_loopback() && (listen.ip().is_ipv4() || to.is_ipv6()) {
                    assert_eq!(socket.send_to(b"x", to).is_ok(), expected, "{listen} to {to}");
                }
            }
        }
        let mapped = |ip: &str| format!("[::ffff:{ip}]:9").parse::<SocketAddr>().expect("an address");
        assert!(reaches(mapped("127.0.0.1"), "127.0.0.1:9".parse().expect("an address")));
        assert!(!reaches(mapped("127.0.0.1"), "[::1]:9".parse().expect("an address")));
    }
}

//! Which sender an address is: a peer by its exact address, anybody else by where it hashes to.
//!
//! What can never happen: memory that grows with the number of addresses. Strangers that hash to one place share its
//! budget; the hash is keyed, so that nobody outside can aim at another's place.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use octick_core::data::Sender;
use octick_core::data::budget::SenderScore;
use octick_core::limits::STRANGERS;

use crate::config::random_word;
use crate::runtime::engine::egress::Target;

/// How an address behaved since the node started, in frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderStats {
    /// The address. A stranger's stands for all that share its place; it is the one that was heard last.
    pub addr: SocketAddr,
    /// Whether it is a peer's.
    pub is_peer: bool,
    /// What its frames were.
    pub score: SenderScore,
}

/// An address as hashed and compared: an IPv4 address inside IPv6 is what it stands for.
type Key = (u128, u16);

/// Every address's place among the budgets.
pub(in crate::runtime) struct Senders {
    seed: [u64; 2],
    /// Hash table, a power of two long and at most a quarter full.
    peers: Box<[Option<(Key, Sender)>]>,
    /// Of each sender, peers first: the address that was heard last.
    addresses: Box<[SocketAddr]>,
    /// The first place of strangers; peers stand at the places of their origins, before it.
    strangers: u32,
}

impl Senders {
    /// Room for the peers among `origins_max` origins, none of them known yet.
    pub(in crate::runtime) fn new(origins_max: usize) -> Self {
        let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        Self {
            seed: [random_word(1), random_word(2)],
            peers: Box::new([None]),
            addresses: vec![nowhere; origins_max + STRANGERS as usize].into(),
            strangers: origins_max as u32,
        }
    }

    /// Replaces the peers. Of two at one address the first counts.
    pub(in crate::runtime) fn set_peers(&mut self, peers: &[Target]) {
        self.peers = vec![None; (4 * peers.len()).next_power_of_two()].into();
        for peer in peers {
            let key = key(peer.addr);
            let free = self.probe(key).find(|&at| self.peers[at].is_none_or(|(other, _)| other == key));
            let place = &mut self.peers[free.expect("the table is never full")];
            let (_, sender) = *place.get_or_insert((key, Sender(peer.origin.0)));
            self.addresses[sender.0 as usize] = peer.addr;
        }
    }

    /// Which sender `addr` is.
    #[inline]
    pub(in crate::runtime) fn of(&mut self, addr: SocketAddr) -> Sender {
        let key = key(addr);
        let taken = self.probe(key).map_while(|at| self.peers[at]);
        let peer = taken.into_iter().find(|(other, _)| *other == key);
        if let Some((_, sender)) = peer {
            return sender;
        }
        let sender = Sender(self.strangers + (self.hash(key) >> 32) as u32 % STRANGERS);
        self.addresses[sender.0 as usize] = addr;
        sender
    }

    /// What is to be said of a sender.
    pub(in crate::runtime) fn describe(&self, sender: Sender, score: SenderScore) -> SenderStats {
        let is_peer = sender.0 < self.strangers;
        SenderStats { addr: self.addresses[sender.0 as usize], is_peer, score }
    }

    /// The places to look at, each once.
    fn probe(&self, key: Key) -> impl Iterator<Item = usize> + use<> {
        let len = self.peers.len();
        let home = self.hash(key) as usize & (len - 1);
        (home..len).chain(0..home)
    }

    /// A multiplication folded onto itself, as in the directory: weak, but who does not know the seed cannot aim.
    #[inline]
    fn hash(&self, (ip, port): Key) -> u64 {
        let low = ip as u64 ^ self.seed[0];
        let high = (ip >> 64) as u64 ^ u64::from(port) << 48 ^ self.seed[1];
        let product = u128::from(low) * u128::from(high);
        let folded = product as u64 ^ (product >> 64) as u64;
        // Once more, so that neighbouring ports part in every bit.
        let product = u128::from(folded ^ u64::from(port)) * u128::from(self.seed[0] | 1);
        product as u64 ^ (product >> 64) as u64
    }
}

#[inline]
fn key(addr: SocketAddr) -> Key {
    let ip = match addr.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    (ip.to_bits(), addr.port())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use octick_core::stamp::OriginIndex;

    use super::*;

    fn addr(i: u32) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::from_bits(0x0A00_0000 + i / 100), 7_000 + (i % 100) as u16))
    }

    fn known(count: u32) -> Senders {
        let mut senders = Senders::new(1_000);
        let peers: Vec<Target> =
            (0..count).map(|i| Target { origin: OriginIndex(i + 1), addr: addr(i) }).collect();
        senders.set_peers(&peers);
        senders
    }

    #[test]
    fn a_peer_is_known_by_its_exact_address() {
        let mut senders = known(900);
        for i in 0..900 {
            assert_eq!(senders.of(addr(i)), Sender(i + 1));
        }
        let SocketAddr::V4(v4) = addr(7) else { panic!("an IPv4 address") };
        let mapped = SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port()));
        assert_eq!(senders.of(mapped), Sender(8), "the same address on a socket for both families");
        for i in 900..2_000 {
            let sender = senders.of(addr(i));
            assert!((1_000..1_000 + STRANGERS).contains(&sender.0), "another port is another sender");
        }
    }

    #[test]
    fn a_stranger_keeps_its_place_and_strangers_are_spread() {
        let mut senders = known(3);
        let places: HashSet<Sender> = (0..1_000).map(|i| senders.of(addr(10_000 + i))).collect();
        // Of 1,000 balls in 1,024 urns 637 urns are expected to hold one or more.
        assert!((550..720).contains(&places.len()), "{} places", places.len());
        assert_eq!(senders.of(addr(10_000)), senders.of(addr(10_000)));
        let sender = senders.of(addr(10_000));
        assert_eq!(senders.describe(sender, SenderScore::default()).addr, addr(10_000));
    }

    #[test]
    fn nobody_is_a_peer_among_none() {
        let mut senders = Senders::new(1);
        assert!(senders.of(addr(0)).0 >= 1);
        senders.set_peers(&[]);
        assert!(senders.of(addr(0)).0 >= 1);
    }

    #[test]
    fn of_two_peers_at_one_address_the_first_counts() {
        let mut senders = Senders::new(8);
        senders.set_peers(&[4, 5].map(|i| Target { origin: OriginIndex(i), addr: addr(0) }));
        assert_eq!(senders.of(addr(0)), Sender(4));
    }
}

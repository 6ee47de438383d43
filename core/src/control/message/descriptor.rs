//! Refers to a member's announcement, so that who does not know it can ask for it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use octick_crypto::NodeId;

use crate::control::message::malformed::Malformed;
use crate::list::List;
use crate::stamp::Version;

/// Refers to a member's announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Who.
    pub id: NodeId,
    /// Which announcement of it, and when that was made.
    pub version: Version,
    /// Where it can be reached, as that announcement says.
    pub address: SocketAddr,
}

impl Descriptor {
    /// Bytes on the wire: name 16, version 8, family u8 (4 or 6), zero, port u16, address 16 (zeros behind IPv4).
    pub const LEN: usize = 44;

    /// Appends it.
    pub fn encode(&self, out: &mut impl Extend<u8>) {
        let mut bytes = List::<u8, { Self::LEN }>::new();
        bytes.extend(self.id.0);
        bytes.extend(self.version.0.to_le_bytes());
        let mut ip = [0; 16];
        let family = match self.address.ip() {
            IpAddr::V4(v4) => {
                ip[..4].copy_from_slice(&v4.octets());
                4
            }
            IpAddr::V6(v6) => {
                ip = v6.octets();
                6
            }
        };
        bytes.extend([family, 0]);
        bytes.extend(self.address.port().to_le_bytes());
        bytes.extend(ip);
        assert!(bytes.len() == Self::LEN, "a descriptor of {} bytes", bytes.len());
        out.extend(bytes.iter().copied());
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`Malformed::Value`] when the address is none that could be written to, or the date is no member's.
    pub fn decode(bytes: &[u8; Self::LEN]) -> Result<Self, Malformed> {
        let (id, rest) = bytes.split_first_chunk::<16>().ok_or(Malformed::Length)?;
        let (version, rest) = rest.split_first_chunk::<8>().ok_or(Malformed::Length)?;
        let (&[family, zero, low, high], rest) = rest.split_first_chunk::<4>().ok_or(Malformed::Length)?;
        let octets: [u8; 16] = rest.try_into().map_err(|_| Malformed::Length)?;
        let ip = match (family, octets) {
            (4, [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) => IpAddr::from(Ipv4Addr::new(a, b, c, d)),
            (6, octets) => IpAddr::from(Ipv6Addr::from(octets)),
            _ => return Err(Malformed::Value),
        };
        let (id, version) = (NodeId(*id), Version(u64::from_le_bytes(*version)));
        let port = u16::from_le_bytes([low, high]);
        if zero != 0 || port == 0 || ip.is_unspecified() || ip.is_multicast() || !version.is_of(id) {
            return Err(Malformed::Value);
        }
        Ok(Self { id, version, address: SocketAddr::new(ip, port) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn addresses_that_nobody_can_be_written_to_are_refused_one_by_one() {
        let id = NodeId([1; 16]);
        let of = |ip: IpAddr, port| Descriptor {
            id,
            version: Version::new(1 << 40, id),
            address: SocketAddr::new(ip, port),
        };
        let read = |descriptor: &Descriptor, at: Option<usize>| {
            let mut bytes = Vec::new();
            descriptor.encode(&mut bytes);
            at.into_iter().for_each(|at| bytes[at] ^= 1);
            Descriptor::decode(&bytes.try_into().unwrap())
        };
        let here = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(read(&of(here, 1), None), Ok(of(here, 1)));
        for nowhere in [
            of(here, 0),
            of(IpAddr::from([0, 0, 0, 0]), 1),
            of(IpAddr::from([224, 0, 0, 1]), 1),
            of(IpAddr::from([0_u16; 8]), 1),
            of(IpAddr::from([0xFF02_u16, 0, 0, 0, 0, 0, 0, 1]), 1),
        ] {
            assert_eq!(read(&nowhere, None), Err(Malformed::Value), "{nowhere:?}");
        }
        // The reserved byte, the version's tag, and what follows an address of four bytes.
        for at in [25, 16, 43] {
            assert_eq!(read(&of(here, 1), Some(at)), Err(Malformed::Value), "byte {at}");
        }
    }
}

//! Socket addresses as the kernel lays them out, by bytes alone.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Length of `sockaddr_in`, bytes.
const V4_LEN: usize = 16;
/// Length of `sockaddr_in6`, bytes.
pub(super) const V6_LEN: usize = 28;

/// A `sockaddr_in` or `sockaddr_in6`.
#[derive(Clone, Copy, Default)]
#[repr(C, align(4))]
pub(super) struct RawAddress {
    bytes: [u8; V6_LEN],
}

/// Which addresses a socket talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) fn of(address: SocketAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    pub(super) fn domain(self) -> libc::c_int {
        match self {
            Self::V4 => libc::AF_INET,
            Self::V6 => libc::AF_INET6,
        }
    }
}

/// Lays `address` out for a socket of `family`; its length. A V6 socket reaches V4 peers by their mapped address;
/// a V4 socket is handed the V6 address as it is, and the kernel refuses it.
pub(super) fn encode(address: SocketAddr, family: Family, raw: &mut RawAddress) -> libc::socklen_t {
    let bytes = &mut raw.bytes;
    bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
    match (family, address) {
        (Family::V4, SocketAddr::V4(v4)) => {
            bytes[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
            bytes[4..8].copy_from_slice(&v4.ip().octets());
            bytes[8..V4_LEN].fill(0);
            V4_LEN as libc::socklen_t
        }
        (_, address) => {
            let (ip, flow, scope) = match address {
                SocketAddr::V4(v4) => (v4.ip().to_ipv6_mapped(), 0, 0),
                SocketAddr::V6(v6) => (*v6.ip(), v6.flowinfo(), v6.scope_id()),
            };
            bytes[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
            bytes[4..8].copy_from_slice(&flow.to_be_bytes());
            bytes[8..24].copy_from_slice(&ip.octets());
            bytes[24..28].copy_from_slice(&scope.to_ne_bytes());
            V6_LEN as libc::socklen_t
        }
    }
}

/// Reads what the kernel laid out; a mapped V4 address comes back as V4. `None` for any other family.
#[inline]
pub(super) fn decode(raw: &[u8]) -> Option<SocketAddr> {
    let family = libc::c_int::from(u16::from_ne_bytes(*raw.first_chunk()?));
    let port = u16::from_be_bytes(*raw.get(2..)?.first_chunk()?);
    if family == libc::AF_INET {
        let ip: [u8; 4] = *raw.get(4..)?.first_chunk()?;
        return Some(SocketAddrV4::new(ip.into(), port).into());
    }
    if family != libc::AF_INET6 {
        return None;
    }
    let flow = u32::from_be_bytes(*raw.get(4..)?.first_chunk()?);
    let ip: [u8; 16] = *raw.get(8..)?.first_chunk()?;
    let scope = u32::from_ne_bytes(*raw.get(24..)?.first_chunk()?);
    Some(match Ipv6Addr::from(ip).to_canonical() {
        IpAddr::V4(v4) => SocketAddrV4::new(v4, port).into(),
        IpAddr::V6(v6) => SocketAddrV6::new(v6, port, flow, scope).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_round_trip_and_mapped_ones_come_back_as_v4() {
        for text in ["1.2.3.4:5", "[2001:db8::7]:65535", "[::1]:1", "[fe80::1%3]:9"] {
            let address: SocketAddr = text.parse().expect("an address");
            for family in [Family::of(address), Family::V6] {
                let mut raw = RawAddress { bytes: [0xFF; V6_LEN] };
                let len = encode(address, family, &mut raw) as usize;
                assert_eq!(decode(&raw.bytes[..len]), Some(address), "{text} on {family:?}");
            }
        }
        assert_eq!(decode(&[0; V6_LEN]), None);
        assert_eq!(decode(&[]), None);
    }
}

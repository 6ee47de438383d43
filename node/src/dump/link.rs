//! From a captured packet to the UDP payload in it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A UDP datagram in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// Where the payload begins in the packet.
    pub at: usize,
    /// The payload as far as it was captured.
    pub payload: &'a [u8],
    /// Its length on the wire, bytes.
    pub wire_len: usize,
}

/// Why there is no datagram to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDatagram {
    /// Something other than UDP over IP.
    NotUdp,
    /// A fragment of an IP packet: the mesh never sends any.
    Fragment,
    /// A header is cut or contradicts itself.
    Malformed,
    /// A link type that this tool does not know.
    LinkType,
}

impl NoDatagram {
    /// Every reason, in the order of a summary.
    pub const ALL: [Self; 4] = [Self::NotUdp, Self::Fragment, Self::Malformed, Self::LinkType];

    /// For a summary.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotUdp => "not UDP",
            Self::Fragment => "IP fragments",
            Self::Malformed => "with broken headers",
            Self::LinkType => "of an unknown link type",
        }
    }
}

/// Bytes of a packet that are not read yet.
struct Rest<'a> {
    packet: &'a [u8],
    at: usize,
}

type Step<T> = Result<T, NoDatagram>;

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Step<[u8; N]> {
        let bytes =
            *self.packet.get(self.at..).and_then(|rest| rest.first_chunk()).ok_or(NoDatagram::Malformed)?;
        self.at += N;
        Ok(bytes)
    }

    fn u16(&mut self) -> Step<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn skip(&mut self, len: usize) -> Step<()> {
        self.at += len;
        if self.at <= self.packet.len() { Ok(()) } else { Err(NoDatagram::Malformed) }
    }
}

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86DD;
const UDP: u8 = 17;

/// Finds the UDP datagram in a packet of this link type (<https://www.tcpdump.org/linktypes.html>).
///
/// # Errors
/// [`NoDatagram`].
pub fn datagram(link_type: u16, packet: &[u8]) -> Step<Datagram<'_>> {
    let mut rest = Rest { packet, at: 0 };
    let ethertype = match link_type {
        // NULL and LOOP: an address family in the byte order of whoever captured; the IP header says the same.
        0 | 108 => rest.skip(4).map(|()| None)?,
        1 => Some(ethernet(&mut rest)?),
        12 | 14 | 101 | 228 | 229 => None,
        113 => rest.skip(14).and_then(|()| rest.u16()).map(Some)?,
        276 => {
            let protocol = rest.u16()?;
            rest.skip(18)?;
            Some(protocol)
        }
        _ => return Err(NoDatagram::LinkType),
    };
    let ip_version = packet.get(rest.at).map(|byte| byte >> 4);
    match (ip_version, ethertype) {
        (Some(4), None | Some(ETHERTYPE_IPV4)) => ipv4(rest),
        (Some(6), None | Some(ETHERTYPE_IPV6)) => ipv6(rest),
        (None, _) => Err(NoDatagram::Malformed),
        _ => Err(NoDatagram::NotUdp),
    }
}

fn ethernet(rest: &mut Rest<'_>) -> Step<u16> {
    rest.skip(12)?;
    loop {
        match rest.u16()? {
            0x8100 | 0x88A8 => rest.skip(2)?, // a VLAN tag, then the type of what it holds
            ethertype => return Ok(ethertype),
        }
    }
}

fn ipv4(mut rest: Rest<'_>) -> Step<Datagram<'_>> {
    let start = rest.at;
    let [first, _, _, _, _, _, flags, offset, _, protocol, _, _] = rest.take()?;
    let (from, to) = (Ipv4Addr::from(rest.take::<4>()?), Ipv4Addr::from(rest.take::<4>()?));
    let header_len = 4 * usize::from(first & 15);
    if header_len < 20 {
        return Err(NoDatagram::Malformed);
    }
    if protocol != UDP {
        return Err(NoDatagram::NotUdp);
    }
    // More fragments to come, or not the first: bits 13 and 0..13 of the field.
    if u16::from_be_bytes([flags, offset]) & 0x3FFF != 0 {
        return Err(NoDatagram::Fragment);
    }
    rest.at = start;
    rest.skip(header_len)?;
    udp(rest, from.into(), to.into())
}

fn ipv6(mut rest: Rest<'_>) -> Step<Datagram<'_>> {
    let [_, _, _, _, _, _, mut next, _] = rest.take()?;
    let (from, to) = (Ipv6Addr::from(rest.take::<16>()?), Ipv6Addr::from(rest.take::<16>()?));
    loop {
        match next {
            UDP => return udp(rest, from.into(), to.into()),
            // Hop-by-hop, routing and destination options: length in units of eight bytes after the first.
            0 | 43 | 60 => {
                let [following, len] = rest.take()?;
                rest.skip(6 + 8 * usize::from(len))?;
                next = following;
            }
            44 => return Err(NoDatagram::Fragment),
            _ => return Err(NoDatagram::NotUdp),
        }
    }
}

fn udp(mut rest: Rest<'_>, from: IpAddr, to: IpAddr) -> Step<Datagram<'_>> {
    let (from_port, to_port, len) = (rest.u16()?, rest.u16()?, rest.u16()?);
    rest.skip(2)?;
    let wire_len = usize::from(len).checked_sub(8).ok_or(NoDatagram::Malformed)?;
    // What lies behind the datagram is padding of the link.
    let captured = &rest.packet[rest.at..];
    let payload = &captured[..wire_len.min(captured.len())];
    let (from, to) = (SocketAddr::new(from, from_port), SocketAddr::new(to, to_port));
    Ok(Datagram { from, to, at: rest.at, payload, wire_len })
}

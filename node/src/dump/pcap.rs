//! Classic libpcap files (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>): a header, then packets.

use std::fmt;

const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;

/// A capture whose header was read.
#[derive(Clone, Debug)]
pub struct Capture<'a> {
    bytes: &'a [u8],
    at: usize,
    swapped: bool,
    nanos: bool,
    link_type: u16,
}

/// One captured packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Where its bytes begin in the file.
    pub at: usize,
    /// When it was captured, microseconds since 1970.
    pub micros: u64,
    /// Bytes that it had on the wire; more than `data` when the capture cut it.
    pub wire_len: usize,
    /// What was captured.
    pub data: &'a [u8],
}

/// Why a capture cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureError {
    /// A newer format.
    Pcapng,
    /// The file ends inside a header or a packet, which begins at this byte.
    Cut(usize),
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pcapng => f.write_str(
                "a pcapng capture; make a classic one of it: editcap -F pcap FILE OTHER, then dump OTHER",
            ),
            Self::Cut(at) => write!(f, "the capture ends inside what begins at byte {at}"),
        }
    }
}

impl std::error::Error for CaptureError {}

impl<'a> Capture<'a> {
    /// Opens a capture; `None` when the file does not begin like one.
    ///
    /// # Errors
    /// [`CaptureError`].
    pub fn open(bytes: &'a [u8]) -> Option<Result<Self, CaptureError>> {
        let magic = u32::from_le_bytes(*bytes.first_chunk()?);
        let (swapped, nanos) = match magic {
            0xA1B2_C3D4 => (false, false),
            0xA1B2_3C4D => (false, true),
            0xD4C3_B2A1 => (true, false),
            0x4D3C_B2A1 => (true, true),
            0x0A0D_0D0A => return Some(Err(CaptureError::Pcapng)),
            _ => return None,
        };
        if bytes.len() < FILE_HEADER {
            return Some(Err(CaptureError::Cut(0)));
        }
        let mut capture = Self { bytes, at: FILE_HEADER, swapped, nanos, link_type: 0 };
        // The high half may say how many bytes of checksum follow a packet; they lie behind the datagram.
        capture.link_type = capture.u32_at(20)? as u16;
        Some(Ok(capture))
    }

    /// What comes in front of the IP header; see [`link`](super::link).
    pub fn link_type(&self) -> u16 {
        self.link_type
    }

    fn u32_at(&self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.swapped { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn packet(&self) -> Option<Packet<'a>> {
        let field = |i: usize| self.u32_at(self.at + 4 * i);
        let (seconds, fraction, len, wire_len) = (field(0)?, field(1)?, field(2)?, field(3)?);
        let at = self.at + PACKET_HEADER;
        let data = self.bytes.get(at..)?.get(..len as usize)?;
        let micros =
            u64::from(seconds) * 1_000_000 + u64::from(if self.nanos { fraction / 1_000 } else { fraction });
        Some(Packet { at, micros, wire_len: wire_len as usize, data })
    }
}

impl<'a> Iterator for Capture<'a> {
    type Item = Result<Packet<'a>, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let packet = self.packet().ok_or(CaptureError::Cut(self.at));
        self.at = packet.map_or(self.bytes.len(), |packet| packet.at + packet.data.len());
        Some(packet)
    }
}

//! A frame in the making: header and entries go into the caller's buffer; the seal follows.

use octick_crypto::NodeId;
use zerocopy::IntoBytes;

use super::control_frame::ControlFrame;
use super::header::{Header, MAGIC, WIRE_VERSION};
use super::kind::Kind;
use super::{Block8, Block16, Stat};
use crate::limits::{CONTROL_FRAME_UNIT, FRAME_MAX, HEADER_LEN, ROWS_MAX};

/// Entries of one kind, collected for one frame.
///
/// The caller keeps the order of the wire: indices strictly increasing. A [`Sealer`](super::Sealer) adds the rest.
pub struct Draft<'b> {
    buffer: &'b mut [u8; FRAME_MAX],
    kind: Kind,
    count: usize,
    recipient: Option<NodeId>,
}

/// The frame holds as many entries as fit; the entry was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl<'b> Draft<'b> {
    /// Begins a frame in `buffer`, whose content is overwritten.
    pub fn begin(buffer: &'b mut [u8; FRAME_MAX], kind: Kind) -> Self {
        Self { buffer, kind, count: 0, recipient: None }
    }

    /// Adds eight cells.
    ///
    /// # Errors
    /// [`Full`].
    pub fn block8(&mut self, block: &Block8) -> Result<(), Full> {
        debug_assert_eq!(self.kind, Kind::Block8);
        self.push(block.as_bytes())
    }

    /// Adds sixteen cells.
    ///
    /// # Errors
    /// [`Full`].
    pub fn block16(&mut self, block: &Block16) -> Result<(), Full> {
        debug_assert_eq!(self.kind, Kind::Block16);
        self.push(block.as_bytes())
    }

    /// Adds a numbered value.
    ///
    /// # Errors
    /// [`Full`].
    pub fn stat(&mut self, stat: &Stat) -> Result<(), Full> {
        debug_assert!(!self.kind.is_data());
        self.push(stat.as_bytes())
    }

    /// Fills the frame with sparse cells (slot, age in microseconds, value), at most [`ROWS_MAX`]; returns how many
    /// were taken. Columns cannot grow one by one, so a second call begins again.
    pub fn rows(&mut self, rows: &[(u32, u32, u64)]) -> usize {
        debug_assert_eq!(self.kind, Kind::Rows);
        let n = rows.len().min(ROWS_MAX);
        let (slots, rest) = self.buffer[HEADER_LEN..].split_at_mut(4 * n);
        let (ages, rest) = rest.split_at_mut(4 * n);
        for (i, &(slot, age, value)) in rows[..n].iter().enumerate() {
            slots[4 * i..][..4].copy_from_slice(&slot.to_le_bytes());
            ages[4 * i..][..4].copy_from_slice(&age.to_le_bytes());
            rest[8 * i..][..8].copy_from_slice(&value.to_le_bytes());
        }
        self.count = n;
        n
    }

    /// Fills the frame with a control frame. A second call begins again.
    pub fn control_frame(&mut self, control_frame: &ControlFrame) {
        debug_assert_eq!(self.kind, Kind::Control);
        let bytes = control_frame.padded();
        assert!(bytes.len().is_multiple_of(CONTROL_FRAME_UNIT), "{} bytes are no units", bytes.len());
        self.buffer[HEADER_LEN..][..bytes.len()].copy_from_slice(bytes);
        self.count = bytes.len() / CONTROL_FRAME_UNIT;
        self.recipient = control_frame.recipient();
    }

    /// Whom the control frame in it is for, if it names somebody.
    pub fn recipient(&self) -> Option<NodeId> {
        self.recipient
    }

    /// Number of entries so far.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Ends the collection: writes what the header can know before the frame's place in a train is known.
    /// Returns the length of the signed part, bytes.
    pub fn finish(self) -> usize {
        assert!(self.count > 0, "a frame carries at least one entry");
        assert!(self.count <= self.kind.count_max(), "{} entries of {:?}", self.count, self.kind);
        let header = Header {
            magic: MAGIC,
            wire_version: WIRE_VERSION,
            kind: self.kind as u8,
            count: self.count as u8,
            origin: [0; 16],
            incarnation: 0.into(),
            place: 0.into(),
            version: 0.into(),
        };
        self.buffer[..HEADER_LEN].copy_from_slice(header.as_bytes());
        HEADER_LEN + self.count * self.kind.entry_len()
    }

    fn push(&mut self, entry: &[u8]) -> Result<(), Full> {
        if self.count == self.kind.count_max() {
            return Err(Full);
        }
        debug_assert!(entry.len() == self.kind.entry_len(), "an entry of another kind");
        let at = HEADER_LEN + self.count * entry.len();
        self.buffer[at..at + entry.len()].copy_from_slice(entry);
        self.count += 1;
        Ok(())
    }
}

//! Which rule a datagram breaks, and where.

use crate::reject::Reject;

/// Why a datagram is not a frame, and at which byte that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The rule that was broken.
    pub reject: Reject,
    /// Offset of the first byte, or of the field, that breaks it; the end of the shorter of the two where the length
    /// is wrong.
    pub at: usize,
}

//! What a kernel is given: a signature, and the table of its key.

use super::digits::Residue;
use super::entry::Entry;
use crate::SIGNATURE_LEN;

/// Most signatures that a kernel is given at a time.
pub(crate) const LOT_MAX: usize = 64;

/// One signature to be decided by a kernel.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    /// Multiples of -A.
    pub(super) table: &'a [Entry],
    /// A as published.
    pub(super) key: &'a [u8; 32],
    /// The signed bytes.
    pub(super) message: &'a [u8],
    /// R and s.
    pub(super) signature: &'a [u8; SIGNATURE_LEN],
}

impl Job<'_> {
    /// R as received.
    #[inline(always)]
    pub(super) fn r(&self) -> &[u8; 32] {
        self.signature.first_chunk().expect("the first half")
    }

    /// s, if it is below L.
    #[inline(always)]
    pub(super) fn s(&self) -> Option<Residue> {
        Residue::canonical(self.signature.last_chunk().expect("the second half"))
    }
}

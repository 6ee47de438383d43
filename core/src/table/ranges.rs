//! The digest of a table, recomputed where something changed.
//!
//! A table is a list of ranges of 8 KiB. Merging a row marks its range; asking for the digest hashes the marked
//! ranges, and then the list of hashes. A range in which nothing was ever written counts as 32 zero bytes, and
//! those at the end do not count at all, so tables of different capacity with equal content agree.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use blake3::Hasher;
use octick_crypto::Hash;

/// Length of a range, bytes of the table: some sixty rows, long enough to keep BLAKE3's lanes busy, short enough
/// that a scattered merge does not make the whole table be hashed again.
pub(super) const RANGE_LEN: usize = 8 << 10;
/// Rows of 128 bytes in a range.
pub(super) const ROWS_PER_RANGE: usize = RANGE_LEN / 128;
/// Rows of one cell in a range.
pub(super) const CELLS_PER_RANGE: usize = RANGE_LEN / 16;

/// What has changed since the last digest, and the hashes of what has not.
pub(super) struct Ranges {
    dirty: Box<[u8]>,
    hashes: Box<[Hash]>,
    /// The bytes of the range that is being hashed; empty until the first is.
    content: Vec<u8>,
}

// A row of a dense table is two cache lines, of a sparse one 16 bytes, and ranges hold whole ones.
const _: () = assert!(RANGE_LEN.is_multiple_of(128) && CELLS_PER_RANGE * 16 == ROWS_PER_RANGE * 128);

impl Ranges {
    /// Ranges of an empty table of `count` ranges.
    pub(super) fn new(count: usize) -> Self {
        Self { dirty: vec![0; count].into(), hashes: vec![Hash([0; 32]); count].into(), content: Vec::new() }
    }

    /// A byte for each range: not zero if its content may have changed.
    #[inline(always)]
    pub(super) fn dirty(&mut self) -> &mut [u8] {
        &mut self.dirty
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// The hash of a range, unless something was merged there since it was made.
    pub(super) fn hash(&self, range: usize) -> Option<Hash> {
        (self.dirty[range] == 0).then(|| self.hashes[range])
    }

    /// Hashes marked ranges from number `from` on, at most `most` of them. Returns where to go on.
    pub(super) fn freshen(
        &mut self,
        from: usize,
        most: usize,
        mut content: impl FnMut(usize, &mut Vec<u8>),
    ) -> usize {
        assert!(from <= self.hashes.len(), "range {from} of {}", self.hashes.len());
        let (bytes, mut left) = (&mut self.content, most);
        let marked = self.dirty.iter_mut().zip(&mut self.hashes).enumerate().skip(from);
        for (i, (dirty, hash)) in marked.filter(|(_, (dirty, _))| **dirty != 0) {
            if left == 0 {
                return i;
            }
            left -= 1;
            bytes.clear();
            bytes.reserve(2 * RANGE_LEN);
            content(i, bytes);
            debug_assert!(bytes.len() >= RANGE_LEN, "range {i} has {} bytes", bytes.len());
            // A range may have been marked by entries that changed nothing.
            let written = bytes.iter().any(|byte| *byte != 0);
            *hash = if written { Hash::of(bytes) } else { Hash([0; 32]) };
            *dirty = 0;
        }
        self.hashes.len()
    }

    /// The digest. `content` appends the bytes of a range, the same for the same cells whatever the machine; `kind`
    /// keeps tables of different kinds apart.
    pub(super) fn digest(&mut self, kind: &str, content: impl FnMut(usize, &mut Vec<u8>)) -> Hash {
        let fresh = self.freshen(0, usize::MAX, content);
        assert!(fresh == self.hashes.len(), "a digest of hashes that are out of date from {fresh} on");
        let used = self.hashes.iter().rposition(|hash| hash.0 != [0; 32]).map_or(0, |last| last + 1);
        let mut root = Hasher::new_derive_key("octick v1 table digest");
        root.update(kind.as_bytes());
        self.hashes[..used].iter().for_each(|hash| {
            root.update(&hash.0);
        });
        Hash(*root.finalize().as_bytes())
    }
}

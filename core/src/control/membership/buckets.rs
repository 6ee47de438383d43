//! The buckets in which tables are compared, and who is in each.

use alloc::vec::Vec;

use octick_crypto::NodeId;

use crate::control::id::MemberIndex;
use crate::control::message::membership::BUCKETS;

/// Which bucket a member is compared in.
pub(super) fn bucket_of(id: NodeId) -> usize {
    usize::from(id.0[15]) % BUCKETS
}

/// Members, those of one bucket beside each other.
#[derive(Debug)]
pub(super) struct BucketIndex {
    places: Vec<MemberIndex>,
    /// Where each bucket ends.
    ends: [u32; BUCKETS],
    made_at: u64,
}

impl Default for BucketIndex {
    fn default() -> Self {
        Self { places: Vec::new(), ends: [0; BUCKETS], made_at: u64::MAX }
    }
}

impl BucketIndex {
    /// Whether it was made at this count of changes.
    pub(super) fn is_of(&self, changes: u64) -> bool {
        self.made_at == changes
    }

    /// Sorts `places` by bucket, at this count of changes.
    pub(super) fn sort(
        &mut self,
        changes: u64,
        places: impl Iterator<Item = MemberIndex>,
        bucket_of: impl Fn(MemberIndex) -> usize,
    ) {
        self.places.clear();
        self.places.extend(places);
        self.places.sort_unstable_by_key(|place| (bucket_of(*place), *place));
        for (bucket, end) in self.ends.iter_mut().enumerate() {
            *end = self.places.partition_point(|place| bucket_of(*place) <= bucket) as u32;
        }
        assert!(self.ends[BUCKETS - 1] as usize == self.places.len(), "each member is in a bucket");
        self.made_at = changes;
    }

    /// Who is in one bucket.
    pub(super) fn bucket(&self, bucket: usize) -> &[MemberIndex] {
        let start = if bucket == 0 { 0 } else { self.ends[bucket - 1] as usize };
        assert!(start <= self.ends[bucket] as usize, "bucket {bucket} ends before it begins");
        &self.places[start..self.ends[bucket] as usize]
    }
}

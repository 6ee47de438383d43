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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_spread_over_all_buckets_by_the_last_byte_of_their_names() {
        let of = |last: u8| bucket_of(NodeId(core::array::from_fn(|i| if i == 15 { last } else { 0xAA })));
        assert_eq!([0, 1, 63, 64, 130, 255].map(of), [0, 1, 63, 0, 2, 63]);
    }

    #[test]
    fn each_member_is_found_in_its_bucket_and_in_no_other() {
        let mut index = BucketIndex::default();
        assert!(!index.is_of(0));
        let bucket = |place: MemberIndex| (place.0 as usize * 7) % BUCKETS;
        index.sort(5, (0..300).rev().map(MemberIndex), bucket);
        assert!(index.is_of(5) && !index.is_of(6));
        for of in 0..BUCKETS {
            let expected: Vec<MemberIndex> =
                (0..300).map(MemberIndex).filter(|place| bucket(*place) == of).collect();
            assert_eq!(index.bucket(of), expected);
        }
        index.sort(6, [MemberIndex(3)].into_iter(), |_| BUCKETS - 1);
        assert_eq!((index.bucket(0).len(), index.bucket(BUCKETS - 1)), (0, &[MemberIndex(3)][..]));
    }
}

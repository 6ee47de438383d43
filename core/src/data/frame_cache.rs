//! Frames that others may ask for: a ring of bytes in which the newest overwrite the oldest.
//!
//! A frame is laid down once and found again by its `FrameRef`, until as many bytes came after it as the ring holds. Nothing
//! is allocated after the start, and a reference whose frame is gone finds nothing.

use alloc::vec;
use alloc::vec::Vec;

use crate::limits::FRAME_MAX;

/// Bytes before a frame: its length.
const HEAD: usize = 2;
/// Least size of a ring.
const CAPACITY_MIN: usize = 1 << 16;
// The longest frame fits between the edges, and its length before it.
const _: () = assert!(HEAD + FRAME_MAX <= CAPACITY_MIN && FRAME_MAX < 1 << (8 * HEAD));

/// The ring. A reference counts bytes since the beginning.
#[derive(Debug)]
pub struct FrameCache {
    /// A power of two long.
    ring: Vec<u8>,
    end: u64,
}

impl FrameCache {
    /// An empty frame cache of about `capacity` bytes, 64 KiB or more. Its memory is touched when it is first used.
    pub fn new(capacity: usize) -> Self {
        let ring = vec![0; capacity.max(CAPACITY_MIN).next_power_of_two()];
        assert!(
            ring.len().is_power_of_two() && ring.len() >= capacity,
            "references are taken modulo its length"
        );
        Self { ring, end: 0 }
    }

    /// Lays a frame down and says where.
    ///
    /// # Panics
    /// When it is longer than any frame.
    pub fn put(&mut self, frame: &[u8]) -> u64 {
        assert!(frame.len() <= FRAME_MAX, "no frame is longer than a datagram");
        let (capacity, len) = (self.ring.len() as u64, (HEAD + frame.len()) as u64);
        let to_edge = capacity - (self.end & (capacity - 1));
        if len > to_edge {
            self.end += to_edge;
        }
        let frame_ref = self.end;
        self.end += len;
        let at = self.at(frame_ref);
        let (head, body) = self.ring[at..at + len as usize].split_at_mut(HEAD);
        head.copy_from_slice(&(frame.len() as u16).to_le_bytes());
        body.copy_from_slice(frame);
        debug_assert_eq!(self.get(frame_ref), Some(frame), "what was laid down is found");
        frame_ref
    }

    /// The frame at a reference, if it is still there.
    pub fn get(&self, frame_ref: u64) -> Option<&[u8]> {
        if frame_ref >= self.end || self.end - frame_ref > self.ring.len() as u64 {
            return None;
        }
        let (head, rest) = self.ring[self.at(frame_ref)..].split_first_chunk::<HEAD>()?;
        rest.get(..usize::from(u16::from_le_bytes(*head)))
    }

    /// References below this one find nothing any more.
    pub fn oldest(&self) -> u64 {
        self.end.saturating_sub(self.ring.len() as u64)
    }

    fn at(&self, frame_ref: u64) -> usize {
        (frame_ref & (self.ring.len() as u64 - 1)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_found_is_what_was_laid_there_and_the_newest_is_always_found(
            lens in prop::collection::vec(0..=FRAME_MAX, 1..400),
        ) {
            let mut frame_cache = FrameCache::new(0);
            let mut spots = Vec::new();
            for (i, len) in lens.iter().enumerate() {
                let frame = vec![i as u8; *len];
                spots.push((frame_cache.put(&frame), frame));
                let found: Vec<bool> = spots.iter().map(|(frame_ref, frame)| match frame_cache.get(*frame_ref) {
                    Some(found) => { assert_eq!(found, frame); true }
                    None => false,
                }).collect();
                for ((frame_ref, _), found) in spots.iter().zip(&found) {
                    prop_assert_eq!(*frame_ref >= frame_cache.oldest(), *found);
                }
                // Whoever is gone stays gone, and went before all that are there.
                prop_assert!(found.is_sorted() && found[i]);
                let kept: usize = spots.iter().zip(&found).filter(|(_, there)| **there).map(|((_, f), _)| f.len()).sum();
                prop_assert!(i < 40 || kept > CAPACITY_MIN / 2 - 3 * FRAME_MAX || found[0]);
            }
        }
    }

    #[test]
    fn a_spot_that_was_never_given_finds_nothing_or_some_bytes() {
        let mut frame_cache = FrameCache::new(1 << 16);
        assert_eq!(frame_cache.get(0), None);
        (0..200).for_each(|i| _ = frame_cache.put(&[i; 1_000]));
        for frame_ref in 0..=300_000 {
            let _ = frame_cache.get(frame_ref);
        }
        assert_eq!(frame_cache.get(u64::MAX), None);
    }
}

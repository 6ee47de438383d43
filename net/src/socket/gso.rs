//! How a train of frames is cut into messages that the kernel cuts into datagrams.

use super::arrival::SEGMENTS_MAX;

/// Longest message, bytes: 65,535 less the IPv4 (20) and UDP (8) headers.
const MESSAGE_MAX: usize = 65_507;

/// Length of the first of `frames` that travel as one message: frames of equal length, but that the last may be
/// shorter, [`SEGMENTS_MAX`] and [`MESSAGE_MAX`] at most. At least one, if there is one.
pub(super) fn group_len(frames: &[&[u8]]) -> usize {
    let Some(first) = frames.first() else { return 0 };
    let mut total = first.len();
    // A message without bytes is a datagram without bytes: nothing to cut.
    if total == 0 {
        return 1;
    }
    for (i, frame) in frames.iter().enumerate().take(SEGMENTS_MAX).skip(1) {
        total += frame.len();
        if frame.len() > first.len() || frame.is_empty() || total > MESSAGE_MAX {
            return i;
        }
        if frame.len() < first.len() {
            return i + 1;
        }
    }
    frames.len().min(SEGMENTS_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the kernel does to a message with `UDP_SEGMENT`.
    fn cut(message: &[u8], segment: usize) -> Vec<Vec<u8>> {
        message.chunks(segment).map(<[u8]>::to_vec).collect()
    }

    proptest! {
        #[test]
        fn the_kernel_cuts_each_group_back_into_its_frames(
            lens in prop::collection::vec(prop_oneof![Just(0), Just(8), Just(1_232), 1usize..70_000, 1usize..4], 0..200),
        ) {
            let bytes: Vec<u8> = (0..70_000_u32).map(|i| i as u8).collect();
            let frames: Vec<&[u8]> = lens.iter().map(|&len| &bytes[len % 251..][..len.min(65_507)]).collect();
            let mut next = 0;
            while next < frames.len() {
                let group = &frames[next..][..group_len(&frames[next..])];
                next += group.len();
                prop_assert!(!group.is_empty());
                let message = group.concat();
                prop_assert!(group.len() == 1 || (message.len() <= MESSAGE_MAX && group.len() <= SEGMENTS_MAX));
                if group.len() > 1 {
                    prop_assert_eq!(cut(&message, group[0].len()), group.iter().map(|f| f.to_vec()).collect::<Vec<_>>());
                }
            }
        }
    }

    #[test]
    fn a_train_of_equal_frames_is_one_group() {
        let frame = [0_u8; 1_000];
        assert_eq!(group_len(&[&frame[..]; 64]), 64);
        assert_eq!(group_len(&[&frame[..]; 65]), 64);
        let full = [0_u8; 1_232];
        assert_eq!(group_len(&[&full[..]; 64]), 53);
    }
}

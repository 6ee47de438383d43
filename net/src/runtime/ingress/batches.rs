//! From arrivals to batches: up to 64 frames, each with the place that it came from.

use octick_core::limits::BATCH_MAX;

use crate::socket::Arrival;

/// Where a frame of a batch lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::runtime) struct BatchPos {
    /// Which arrival.
    pub(in crate::runtime) arrival: usize,
    /// Which frame of it.
    pub(in crate::runtime) frame: usize,
}

/// Hands the frames of `arrivals` to `stage` in batches as full as they get, with their places. Of arrival i only
/// the frames whose bits are set in `wanted(i)`.
pub(in crate::runtime) fn for_batches<'a>(
    arrivals: &'a [Arrival],
    wanted: impl Fn(usize) -> u64,
    mut stage: impl FnMut(&[&'a [u8]], &[BatchPos]),
) {
    let (mut frames, mut places) = ([&[][..]; BATCH_MAX], [BatchPos::default(); BATCH_MAX]);
    let mut len = 0;
    for (i, arrival) in arrivals.iter().enumerate() {
        let wanted = wanted(i);
        if wanted == 0 {
            continue;
        }
        for (j, frame) in arrival.frames().enumerate().filter(|(j, _)| wanted >> j & 1 == 1) {
            (frames[len], places[len]) = (frame, BatchPos { arrival: i, frame: j });
            len += 1;
            if len == BATCH_MAX {
                stage(&frames, &places);
                len = 0;
            }
        }
    }
    if len > 0 {
        stage(&frames[..len], &places[..len]);
    }
}

//! Waiting for conditions, not for time.

use std::time::{Duration, Instant};

/// Longest wait for anything that these tests wait for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `holds`, or fails after [`PATIENCE`].
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "still not so after {PATIENCE:?}: {what}");
        std::thread::yield_now();
    }
}

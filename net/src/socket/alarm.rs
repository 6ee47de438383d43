//! Waking a thread that is parked at its socket: a counter of the kernel's that can be polled.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::sys::check;

/// A new one, at rest.
pub(crate) fn new() -> io::Result<OwnedFd> {
    // SAFETY: takes no pointers; the descriptor it returns is new and ours.
    unsafe {
        let fd = check(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Wakes whoever is parked there, or will be next.
#[cfg_attr(loom, allow(dead_code, reason = "models ring an alarm of their own"))]
pub(crate) fn ring(alarm: &OwnedFd) {
    let one = 1_u64;
    // SAFETY: reads eight bytes of `one`, which outlives the call. It fails only when the count is full, and then
    // the alarm is ringing.
    unsafe { libc::write(alarm.as_raw_fd(), (&raw const one).cast(), size_of::<u64>()) };
}

/// Ends the ringing.
pub(crate) fn drain(alarm: &OwnedFd) {
    let mut count = 0_u64;
    // SAFETY: writes eight bytes of `count`, which outlives the call. It fails only when nothing rings.
    unsafe { libc::read(alarm.as_raw_fd(), (&raw mut count).cast(), size_of::<u64>()) };
}

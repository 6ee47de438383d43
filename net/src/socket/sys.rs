//! System calls on sockets, each with its proof.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::address::{RawAddress, decode, encode};
use crate::socket::address::Family;
use std::net::SocketAddr;

/// A kernel's answer as a result.
pub(super) fn check(answer: libc::c_int) -> io::Result<libc::c_int> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

/// A new UDP socket.
///
/// It blocks, and each call says that it does not want to: io_uring arms no poll on a socket marked non-blocking,
/// it hands out EAGAIN instead.
pub(super) fn udp(family: Family) -> io::Result<OwnedFd> {
    // SAFETY: takes no pointers; the descriptor it returns is new and ours.
    unsafe {
        let fd =
            check(libc::socket(family.domain(), libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, libc::IPPROTO_UDP))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Binds to `address`.
pub(super) fn bind(fd: BorrowedFd<'_>, address: SocketAddr) -> io::Result<()> {
    let mut raw = RawAddress::default();
    let len = encode(address, Family::of(address), &mut raw);
    // SAFETY: `raw` holds an address of `len` bytes and outlives the call.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const raw).cast(), len) })?;
    Ok(())
}

/// Where it is bound.
pub(super) fn local_address(fd: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    let mut raw = [0_u8; size_of::<libc::sockaddr_in6>()];
    let mut len = raw.len() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes into `raw`, and the length into `len`.
    check(unsafe { libc::getsockname(fd.as_raw_fd(), (&raw mut raw).cast(), &raw mut len) })?;
    decode(&raw).ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
}

/// Sets an option that is an int.
pub(super) fn set_option(fd: BorrowedFd<'_>, level: i32, name: i32, value: libc::c_int) -> io::Result<()> {
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel reads `len` bytes of `value`, which outlives the call.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), len) })?;
    Ok(())
}

/// Reads an option that is an array of ints; those the kernel did not write stay 0.
pub(super) fn option<const N: usize>(fd: RawFd, level: i32, name: i32) -> io::Result<[u32; N]> {
    let mut value = [0_u32; N];
    let mut len = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes into `value`, and the length into `len`.
    check(unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &raw mut len) })?;
    Ok(value)
}

/// Sleeps until one of `fds` has something to read or `at_most` is over. Says which have.
pub(super) fn wait_readable<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    at_most: Duration,
) -> io::Result<[bool; N]> {
    let mut entries = fds.map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 });
    let time = timespec(at_most);
    // SAFETY: N entries and one time, all outliving the call; no signal mask.
    check(unsafe {
        libc::ppoll(entries.as_mut_ptr(), N as libc::nfds_t, &raw const time, std::ptr::null())
    })?;
    Ok(entries.map(|entry| entry.revents != 0))
}

/// Sleeps for `span`, or less when a signal comes.
pub(super) fn nap(span: Duration) {
    let time = timespec(span);
    // SAFETY: reads `time`, which outlives the call; what was left is not asked for.
    unsafe { libc::nanosleep(&raw const time, std::ptr::null_mut()) };
}

/// Lets this thread's timers be as exact as they can: naps of microseconds otherwise take 50 more.
pub(super) fn exact_timers() {
    // SAFETY: takes no pointers; affects only when this thread's sleeps may end.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_000_u64) };
}

fn timespec(span: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(span.as_secs()).unwrap_or(libc::time_t::MAX),
        // Below 10^9, which fits every C library's field.
        tv_nsec: span.subsec_nanos() as _,
    }
}

//! A filter in the kernel: a datagram that is too short or too long for a frame ends there, before it costs a place in
//! the socket's queue, a wake-up or a system call.
//!
//! Classic BPF (socket(7), `SO_ATTACH_FILTER`; no privilege is needed). The kernel runs it for each datagram before it
//! queues it, with the UDP header still in front. A train that GRO keeps together is one datagram to it, of the length of
//! all its frames: no upper bound holds there, and nothing tells a train from a datagram of that length. What passes is
//! held to the lengths once more by [`Arrival::read`](super::arrival::Arrival::read).

use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::sys;

/// Length of a UDP header, which counts for the filter.
const UDP_HEADER: usize = 8;

/// Has the kernel drop whatever is shorter than `lens` and, where no trains are taken as one, longer.
///
/// # Errors
/// What the kernel or a sandbox says. The socket then takes every datagram.
pub(super) fn attach(fd: BorrowedFd<'_>, lens: &RangeInclusive<usize>, gro: bool) -> io::Result<()> {
    let longest = if gro { None } else { Some(*lens.end()) };
    let mut program = program(*lens.start(), longest);
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    let len = size_of_val(&program) as libc::socklen_t;
    // SAFETY: `program` describes as many instructions as it says; the kernel copies them before it returns.
    let answer = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            len,
        )
    };
    sys::check(answer).map(drop)
}

/// Load the length; below the shortest, or above the longest, keep nothing; else keep all.
fn program(shortest: usize, longest: Option<usize>) -> [libc::sock_filter; 5] {
    let op = |code: u32, jt, jf, k: usize| libc::sock_filter { code: code as u16, jt, jf, k: k as u32 };
    let longest = longest.map_or(u32::MAX as usize, |longest| UDP_HEADER + longest);
    [
        op(libc::BPF_LD | libc::BPF_W | libc::BPF_LEN, 0, 0, 0),
        op(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 2, UDP_HEADER + shortest),
        op(libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K, 1, 0, longest),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX as usize),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    ]
}

//! What a socket had to do without, and what it cost.

/// Counts since the socket was opened. Every datagram that does not reach the caller whole is in one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Datagrams taken, a train that arrived as one counting once.
    pub arrivals: u64,
    /// Polls that could not receive because every buffer of the pool was out.
    pub no_buffers: u64,
    /// Ended multishot receives, re-armed each time: a burst longer than the ring.
    pub multishot_ended: u64,
    /// Polls that found more completions than the ring holds; the kernel kept the rest aside.
    pub cq_overflow: u64,
    /// Datagrams the kernel dropped because the socket's own buffer was full.
    pub kernel_drops: u64,
    /// Datagrams the kernel dropped because no frame is that short or that long, before they cost this node anything;
    /// and those with a wrong checksum.
    pub filtered: u64,
    /// Datagrams longer than a buffer (dropped whole) and trains of more than 64 frames (the rest is dropped).
    pub truncated: u64,
    /// Datagrams that came through though no frame is that short or that long, dropped: longer ones, which the kernel
    /// cannot tell from trains, and where it takes no filter all.
    pub wrong_length: u64,
    /// Frames handed to the kernel for sending, each peer's copy counting.
    pub frames_sent: u64,
    /// Calls that stopped early because the socket's send buffer was full; the caller has the rest.
    pub send_again: u64,
    /// Frames the kernel refused to send, dropped.
    pub send_errors: u64,
    /// Trains that had to be sent frame by frame because the kernel or the device does not cut them.
    pub gso_fallbacks: u64,
    /// System calls made to receive, send and wait.
    pub syscalls: u64,
}

impl Counters {
    /// Both taken together, for a node of several sockets.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            arrivals: self.arrivals + other.arrivals,
            no_buffers: self.no_buffers + other.no_buffers,
            multishot_ended: self.multishot_ended + other.multishot_ended,
            cq_overflow: self.cq_overflow + other.cq_overflow,
            kernel_drops: self.kernel_drops + other.kernel_drops,
            filtered: self.filtered + other.filtered,
            truncated: self.truncated + other.truncated,
            wrong_length: self.wrong_length + other.wrong_length,
            frames_sent: self.frames_sent + other.frames_sent,
            send_again: self.send_again + other.send_again,
            send_errors: self.send_errors + other.send_errors,
            gso_fallbacks: self.gso_fallbacks + other.gso_fallbacks,
            syscalls: self.syscalls + other.syscalls,
        }
    }
}

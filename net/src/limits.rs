//! Every bound of the edge: what a configuration may choose from, and what threads hand each other at a time.
//!
//! The bounds of the protocol are in [`octick_core::limits`]; both together are [`all`].

use octick_core::bounds;
pub use octick_core::limits::Bound;
use octick_core::limits::{BATCH_MAX, FRAME_MAX, ORIGINS_MAX};

/// Every bound of the protocol and of the edge.
pub fn all() -> impl Iterator<Item = &'static Bound> {
    octick_core::limits::BOUNDS.iter().chain(BOUNDS)
}

bounds! {
    /// All bounds of the edge, in the order of their declaration.
    BOUNDS;

    /// Longest name of a mesh. It is hashed, so it costs nothing; but it is printed, in one line.
    MESH_NAME_MAX: usize = 255, "bytes";
    /// Updates of one group of writes: as many as the engine takes between two looks at its sockets.
    GROUP_MAX: usize = 8_192, "updates";
    /// Groups of writes that may wait for the engine at a time, over all writers.
    GROUPS_MAX: usize = 256, "groups";
    /// Sockets of a node, one for each thread that receives: more than most network cards have queues for.
    SOCKETS_MAX: usize = 64, "sockets";
    /// Buffers that a socket of a node has waiting for datagrams.
    RING_DEPTH: u16 = 16, "buffers";
    /// The same that a socket may be opened with: a quarter of a gigabyte of buffers.
    RING_DEPTH_MAX: u16 = 4_096, "buffers";
    /// Longest payload, and length of a buffer by default: whatever UDP can carry, and the longest train that GRO hands over.
    PAYLOAD_MAX: usize = u16::MAX as usize, "bytes";
    /// Datagrams that the kernel hands over, or takes, in one piece.
    SEGMENTS_MAX: usize = 64, "datagrams";
    /// Buffers that a pool may have: the kernel numbers them by 16 bits in a ring of at most 2^15.
    POOL_BUFFERS_MAX: usize = 1 << 15, "buffers";
    /// Receive buffers of a node, 64 KiB each: 256 MiB.
    BUFFERS_MAX: usize = 4_096, "buffers";
    /// Least size of the kernel's receive buffer: the kernel itself goes no lower by much.
    RECEIVE_BYTES_MIN: usize = 4_096, "bytes";
    /// Largest size of the kernel's receive buffer: it counts in 32 bits with a sign, and doubles what it is given.
    RECEIVE_BYTES_MAX: usize = 1 << 30, "bytes";
    /// Writes that may wait for the engine: 56 bytes each, 896 MiB.
    WRITES_MAX: usize = 1 << 24, "writes";
    /// Fewest changes on the ring: with one, a reader could never find a whole one.
    CHANGES_MIN: usize = 2, "changes";
    /// Changes on the ring: 24 bytes each, 384 MiB.
    CHANGES_MAX: usize = 1 << 24, "changes";
    /// Frames that may wait for a full socket: their copies are at most 1.2 GiB.
    EGRESS_QUEUE_MAX: usize = 1 << 20, "frames";
    /// Peers that a frame is pushed or relayed to: all that a node can know.
    FANOUT_MAX: usize = ORIGINS_MAX, "peers";
    /// Shortest lead that a version may be allowed: the unit of versions.
    SKEW_MICROS_MIN: u64 = 1, "µs";
    /// Longest lead that a version may be allowed, an hour. Beyond it a clock is not ahead but wrong.
    SKEW_MICROS_MAX: u64 = 3_600_000_000, "µs";
    /// Least lead by which the clock is reserved ahead: a disk has half of it to answer.
    CLOCK_LEAD_MICROS_MIN: u64 = 100_000, "µs";
    /// Greatest lead by which the clock is reserved ahead, a minute: after a crash the clock begins that far ahead.
    CLOCK_LEAD_MICROS_MAX: u64 = 60_000_000, "µs";
    /// Longest time between two refreshes, a day; never is said by zero.
    REFRESH_MILLIS_MAX: u64 = 24 * 3_600_000, "ms";
    /// Least size of the ring of frames that others may ask for: some fifty full frames.
    FRAME_CACHE_MIN: usize = 64 << 10, "bytes";
    /// Largest size of that ring: half a minute of a gigabit a second.
    FRAME_CACHE_MAX: usize = 4 << 30, "bytes";
    /// Memory for tables of signers, of each thread: tables for more signers than a node can know.
    VERIFY_TABLE_BYTES_MAX: usize = 64 << 30, "bytes";
    /// Seeds to begin with. Three are greeted at a time.
    SEEDS_MAX: usize = 1_024, "addresses";

    /// Arrivals taken from a socket, or from all rings, at a time: one batch of single frames.
    ARRIVALS: usize = BATCH_MAX, "arrivals";
    /// Arrivals that may wait between an ingress thread and the engine.
    RING: usize = 1_024, "arrivals";
    /// Requests of handles that may wait for the engine's thread; more wait in the callers.
    COMMANDS_MAX: usize = 64, "requests";
    /// Questions of a node for others' statistics that may be open at a time; the oldest gives way.
    QUESTIONS_MAX: usize = 64, "questions";
}

const _: () = {
    assert!(RING_DEPTH.is_power_of_two() && RING_DEPTH_MAX.is_power_of_two() && RING_DEPTH <= RING_DEPTH_MAX);
    assert!(RING_DEPTH_MAX as usize <= POOL_BUFFERS_MAX && FRAME_MAX <= PAYLOAD_MAX);
    // Every number of sockets has a number of buffers that will do.
    assert!(SOCKETS_MAX * RING_DEPTH as usize <= BUFFERS_MAX && BUFFERS_MAX <= POOL_BUFFERS_MAX);
    // Each ring gets a share of what is taken at a time, and holds several times that.
    assert!(SOCKETS_MAX <= ARRIVALS && RING >= 2 * ARRIVALS);
    assert!(FRAME_CACHE_MIN >= 32 * FRAME_MAX && FRAME_CACHE_MIN.is_power_of_two());
    assert!(FRAME_CACHE_MIN <= FRAME_CACHE_MAX && RECEIVE_BYTES_MIN <= RECEIVE_BYTES_MAX);
    assert!(RECEIVE_BYTES_MAX <= (i32::MAX / 2) as usize + 1);
};

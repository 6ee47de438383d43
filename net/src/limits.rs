//! Every bound of the edge: what a configuration may choose from, and what threads hand each other at a time.

use std::time::Duration;

use octick_core::limits::{FRAME_MAX, ORIGINS_MAX};

/// Longest name of a mesh, bytes. It is hashed, so it costs nothing; but it is printed, in one line.
pub const MESH_NAME_MAX: usize = 255;
/// Sockets of a node, one for each thread that receives: more than most network cards have queues for.
pub const SOCKETS_MAX: usize = 64;
/// Buffers that a socket of a node has waiting for datagrams.
pub const RING_DEPTH: u16 = 16;
/// Receive buffers of a node, 64 KiB each: 256 MiB.
pub const BUFFERS_MAX: usize = 4_096;
/// Least size of the kernel's receive buffer, bytes: the kernel itself goes no lower by much.
pub const RECEIVE_BYTES_MIN: usize = 4_096;
/// Largest size of the kernel's receive buffer, bytes: it counts in 32 bits with a sign, and doubles what it is given.
pub const RECEIVE_BYTES_MAX: usize = 1 << 30;
/// Writes that may wait for the engine: 48 bytes each, 768 MiB.
pub const WRITES_MAX: usize = 1 << 24;
/// Fewest changes on the ring: with one, a reader could never find a whole one.
pub const CHANGES_MIN: usize = 2;
/// Changes on the ring: 24 bytes each, 384 MiB.
pub const CHANGES_MAX: usize = 1 << 24;
/// Frames that may wait for a full socket: their copies are at most 1.2 GiB.
pub const EGRESS_QUEUE_MAX: usize = 1 << 20;
/// Peers that a frame is pushed or relayed to: all that a node can know.
pub const FANOUT_MAX: usize = ORIGINS_MAX;
/// Shortest lead that a version may be allowed: the unit of versions.
pub const SKEW_MIN: Duration = Duration::from_micros(1);
/// Longest lead that a version may be allowed. Beyond it a clock is not ahead but wrong.
pub const SKEW_MAX: Duration = Duration::from_secs(3_600);
/// Longest time between two refreshes; never is said by zero.
pub const REFRESH_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Least size of the ring of frames that others may ask for, bytes: some fifty full frames.
pub const FRAME_CACHE_MIN: usize = 64 << 10;
/// Largest size of it, bytes.
pub const FRAME_CACHE_MAX: usize = 4 << 30;
/// Memory for tables of signers, bytes, of each thread: tables for more signers than a node can know.
pub const VERIFY_TABLE_BYTES_MAX: usize = 64 << 30;
/// Seeds, and peers of an earlier life, to begin with. Three are greeted at a time.
pub const SEEDS_MAX: usize = 1_024;

/// Arrivals taken from a socket, or from all rings, at a time: one batch of single frames.
pub const ARRIVALS: usize = 64;
/// Arrivals that may wait between an ingress thread and the engine.
pub const RING: usize = 1_024;
/// Requests of handles that may wait for the engine's thread; more wait in the callers.
pub const COMMANDS_MAX: usize = 64;

const _: () = {
    assert!(RING_DEPTH.is_power_of_two());
    // Every number of sockets has a number of buffers that will do.
    assert!(SOCKETS_MAX * RING_DEPTH as usize <= BUFFERS_MAX && BUFFERS_MAX <= crate::pool::BUFFERS_MAX);
    // Each ring gets a share of what is taken at a time.
    assert!(SOCKETS_MAX <= ARRIVALS);
    assert!(FRAME_CACHE_MIN >= 32 * FRAME_MAX && FRAME_CACHE_MIN.is_power_of_two());
    assert!(RECEIVE_BYTES_MAX <= (i32::MAX / 2) as usize + 1);
};

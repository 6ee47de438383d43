//! A deterministic simulator: many nodes in one process, one clock, one seed, links that delay and lose.
//!
//! The nodes are the machines of `octick-core` themselves, not models of them. The world knows nothing of what they
//! say: it carries packets, wakes whoever asked to be woken, and stops, kills and starts nodes as the scenario wants.
//! The same seed gives the same run bit for bit: nothing here reads a clock, but to say how long a run took.
//!
//! | module | idea |
//! |---|---|
//! | [`wheel`] | what happens next |
//! | [`link`] | what becomes of a packet between two nodes |
//! | [`world`] | nodes, and what happens to them |
//! | [`trace`] | what happened, for people and as one hash |
//! | [`engines`] | whole engines with tables and signatures |
//! | [`members`] | control planes: who is in the mesh |
//! | [`updates`] | dissemination: updates on their way to everybody |
//! | [`seal`] | signatures, and what stands in for them in large runs |
//! | [`scenario`] | what a run should be, from a file or a command line |
//! | [`run`] | a scenario from its beginning to its verdict |
//! | [`checkers`] | what must hold in every run |
//! | [`memory`] | what a run takes, and whether it is there |
//! | [`population`], [`role`], [`hostile`] | who the nodes are, what is true of them, and how those that lie behave |
//! | [`report`] | what a run showed |

#![forbid(unsafe_code)]

pub mod checkers;
pub mod engines;
pub mod hostile;
pub mod link;
pub mod members;
pub mod memory;
pub mod population;
pub mod report;
pub mod role;
pub mod run;
pub mod scenario;
pub mod seal;
pub mod trace;
pub mod updates;
pub mod wheel;
pub mod world;

/// Microseconds in a millisecond.
pub const MS: u64 = 1_000;
/// Microseconds in a second.
pub const S: u64 = 1_000_000;
/// What the wall clocks show when a run begins, microseconds since 1970.
pub const WALL: u64 = 1_800_000_000_000_000;

//! An embeddable gossip data plane: signed UDP frames in, merged cells out, eight ticks a cell.
//!
//! ```
//! use octick::{Config, Identity, Run, Slot, Update};
//!
//! let mut config = Config::new(Identity::generate()?, "127.0.0.1:0".parse()?);
//! config.runs = vec![Run { first: Slot(0), len: 64 }];
//! let node = octick::start(config.check()?)?;
//!
//! let mut changes = node.subscribe();
//! node.writer().write(Update::Cell8(Slot(3), 42))?;
//! while changes.poll() == octick::Next::Empty {}
//! assert_eq!(node.reader().cell8(Slot(3)).map(|cell| cell.value), Some(42));
//! node.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | idea |
//! |---|---|
//! | [`config`] | what may be chosen, checked as a whole |
//! | [`handle`] | a running node: reads, changes, figures, its part in the mesh |
//! | [`writer`] | writes in |
//! | [`error`] | why something was not done |
//! | `runtime` | the pipeline laid over threads |
//! | [`socket`] | io_uring or recvmmsg, trains in and out |
//! | [`pool`] | receive buffers that travel by index |
//! | [`mesh`] | membership: who is there, found by the node itself |
//! | [`memory`] | tables in huge pages |
//! | [`clock`] | wall, steady and tick |

#![deny(unsafe_code)]

pub mod clock;
pub mod config;
pub mod error;
pub mod handle;
pub mod memory;
pub mod mesh;
pub mod pool;
mod runtime;
pub mod socket;
mod sync;
pub mod writer;

pub use config::{Config, ConfigError, Mode, Peer, Push, Settings, SocketConfig, Threads, Wait};
pub use error::{AskError, Gone, LearnError, MeshError, QuorumError, WriteError};
pub use handle::{About, Handle, Stats};
pub use mesh::{
    MemberView, Membership, MeshEvent, MeshView, Partition, PeerState, Region, Strategy, TravelView,
};
pub use octick_core::counters::{Counter, Tally};
pub use octick_core::data::budget::{Limits, Rate, SenderScore};
pub use octick_core::data::publish::{Change, Next, Reader as Changes};
pub use octick_core::data::report::{Gauge, Report};
pub use octick_core::data::{DirectoryError, Run, Update};
pub use octick_core::engine::NotLearnt;
pub use octick_core::reject::Reject;
pub use octick_core::stamp::{Slot, Version};
pub use octick_core::state::{Layout, StateReader, TableKind};
pub use octick_core::table::{Cell, Kernel, Snapshot};
pub use octick_crypto::{Hash, Identity, NodeId, PublicKey};
pub use runtime::{Latencies, SenderStats, StartError, start};
pub use writer::Writer;

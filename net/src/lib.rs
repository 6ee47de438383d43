//! An embeddable gossip data plane: signed UDP frames in, merged cells out, eight ticks a cell.
//!
//! ```
//! use std::time::Duration;
//!
//! use octick::{Config, Identity, Run, Slot, Update};
//!
//! let mut config = Config::new(Identity::generate()?, "127.0.0.1:0".parse()?);
//! config.runs = vec![Run { first: Slot(0), len: 64 }];
//! let node = octick::start(config.check()?)?;
//!
//! let mut changes = node.subscribe();
//! node.writer().write(Update::Cell8(Slot(3), 42))?;
//! changes.recv(Duration::from_secs(5))?; // or `changes.next().await`, under any runtime
//! assert_eq!(node.reader().cell8(Slot(3)).map(|cell| cell.value), Some(42));
//! assert!(node.shutdown(Duration::from_secs(5))?.unsent.is_nothing());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | idea |
//! |---|---|
//! | [`config`] | what may be chosen, checked as a whole |
//! | [`limits`] | every bound of the edge |
//! | [`handle`] | a running node: reads, figures, its part in the mesh, its end |
//! | [`writer`] | writes in |
//! | [`changes`] | what changed, to be waited for by threads, tasks and `epoll` |
//! | [`events`] | what happens in the mesh, likewise |
//! | [`error`] | why something was not done |
//! | `runtime` | the pipeline laid over threads |
//! | [`socket`] | io_uring or recvmmsg, trains in and out |
//! | [`pool`] | receive buffers that travel by index |
//! | [`mesh`] | membership: who is there, found by the node itself |
//! | [`memory`] | tables in huge pages |
//! | [`stable`] | what a node must not forget over restarts |
//! | [`clock`] | wall, steady and tick |

#![deny(unsafe_code)]

pub mod changes;
pub mod clock;
pub mod config;
pub mod error;
pub mod events;
pub mod handle;
pub mod limits;
pub mod memory;
pub mod mesh;
mod notify;
pub mod pool;
mod runtime;
pub mod socket;
pub mod stable;
mod status;
mod sync;
pub mod writer;

pub use octick_core::admission;

pub use changes::{Changes, Missed, Next, PollableChanges, RecvError, TryRecvError};
pub use config::{Config, ConfigError, Mode, Peer, Push, Settings, SocketConfig, Threads, Wait};
pub use error::{Gone, LearnError, MeshError, NotReady, QueryError, QuorumError, RenewError, WriteError};
pub use events::{Events, NextEvent};
pub use handle::{About, Handle, Shutdown, Stats};
pub use mesh::{
    Admission, AdmissionView, Appended, Authority, AuthorityLog, Credential, Expelled, MemberView,
    Membership, MeshEvent, MeshView, Partition, PeerState, QuorumView, Region, Rights, Rule, Strategy,
    TravelView,
};
pub use octick_core::counters::{Counter, Tally};
pub use octick_core::data::budget::{Limits, Rate, SenderScore};
pub use octick_core::data::publish::Change;
pub use octick_core::data::report::{Gauge, Report};
pub use octick_core::data::{DirectoryError, Run, Update};
pub use octick_core::engine::NotLearnt;
pub use octick_core::refusal::Refusal;
pub use octick_core::reject::Reject;
pub use octick_core::stamp::{Incarnation, Slot, Version};
pub use octick_core::state::{Layout, StateReader, TableKind};
pub use octick_core::table::{Cell, Kernel, Snapshot};
pub use octick_crypto::key_file::{self, KeyFileError};
pub use octick_crypto::{Hash, Identity, NodeId, PublicKey};
pub use runtime::{Latencies, SenderStats, StartError, start};
pub use stable::{FileStore, MemoryStore, StableError, StableState, StableStore};
pub use status::Unsent;
pub use writer::Writer;

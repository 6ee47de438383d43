//! The control plane: who is in the mesh, who is gone, and what the nodes tell each other about it.
//!
//! Machines without sockets or clocks, one a file: control frames, time and randomness go in, [`Output`]s come out. It knows
//! nothing of the data plane, nor that of it.
//!
//! | folder or file | idea |
//! |---|---|
//! | [`id`] | the ground floor: what names a member, an update, a region |
//! | [`message`] | the vocabulary: what control planes say to each other |
//! | [`membership`] | who is in the mesh, who is gone |
//! | [`dissemination`] | how an update reaches everybody |
//! | [`cross_region`] | keeping in touch with other regions |
//! | [`reconcile`] | what one of two nodes has and the other lacks |
//! | [`config`] | what may be chosen about all of it, checked once |
//! | [`control`] | the composition root: routes, and decides nothing; `apply` carries out what the machines want |
//! | [`effects`] | what the machines leave behind: control frames to send, outputs |
//! | [`output`] | what goes into it, and what comes out |
//! | [`send_queue`] | control frames in the making |

mod apply;
pub mod config;
#[allow(clippy::module_inception, reason = "the composition root bears the name of what it composes")]
pub mod control;
pub mod cross_region;
pub mod dissemination;
pub mod effects;
pub mod id;
pub mod membership;
pub mod message;
pub mod output;
pub mod reconcile;
pub mod send_queue;

pub use crate::random::{Nonces, Random};
pub use crate::refusal::{Refusal, Refusals};
pub use config::{Config, Settings};
pub use control::Control;
pub use id::{MemberIndex, PeerState, Rank, Region};
pub use membership::settings::MembershipSettings;
pub use membership::signer::{Signed, Signer};
pub use membership::table::{Member, Members};
pub use message::announcement::{Announcement, Claim, Statement};
pub use output::{Expelled, NodeInit, Output, PacketInfo, Partition, Quorum, UpdateInfo};

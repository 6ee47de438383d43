//! The data plane: from a checked frame to a merged cell, batch by batch.
//!
//! | module | idea |
//! |---|---|
//! | [`roster`] | the list of origins that a directory is made from, and its rules |
//! | [`directory`] | who may speak, and for which slots |
//! | [`budget`] | which senders may still cause work |
//! | [`batch`] | up to 64 frames that travel together |
//! | [`ingress`] | admit, parse, find, ask, accept, verify: the way up to the merge |
//! | [`window`] | which numbers of an origin were accepted before |
//! | [`accept`] | what can be refused before a signature is worth checking |
//! | [`verify`] | leaves, paths, roots, and the signatures still needed |
//! | `proven` | what is known of the trees of recent trains |
//! | [`publish`] | what changed, in merge order, for readers that nobody waits for |
//! | [`outbox`] | this node's own writes, on their way into frames |
//! | [`frame_cache`] | frames that others may ask for |
//! | [`audit`] | comparing tables, and what differs |
//! | [`report`] | the numbers that a pong carries |

pub mod accept;
pub mod audit;
pub mod batch;
pub mod budget;
pub mod directory;
pub mod frame_cache;
pub mod ingress;
pub mod outbox;
mod proven;
pub mod publish;
pub mod report;
pub mod roster;
pub mod verify;
pub mod window;

pub use batch::Batch;
pub use budget::{Budgets, Sender};
pub use directory::Directory;
pub use ingress::{Arrived, Ingress};
pub use outbox::{NotOurs, Update};
pub use roster::{DirectoryError, Origin, Run};
pub use window::{Seen, Windows, WindowsView};
